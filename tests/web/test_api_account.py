"""An account's own tokens over HTTP: listed without secrets, made once, ended at once, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.web.test_pages_passes import Doors, make


@pytest.fixture
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    made = make(tmp_path_factory.mktemp("tokens"), filled=False)
    yield made
    made.node.close()


def test_a_token_is_made_used_listed_and_ended(doors: Doors) -> None:
    call, header = doors.client(), doors.header("chen")
    assert call.get("/api/account", headers=header).json() == {"name": "chen", "roles": ["steward"], "represents": "tw"}
    made = call.post("/api/account/tokens", headers=header, json={"label": "nightly job"})
    assert made.status_code == 201
    secret = made.json()["token"]
    fresh = {"Authorization": f"Bearer {secret}"}
    listed = call.get("/api/account/tokens", headers=fresh)
    tokens = {one["label"]: one for one in listed.json()}
    assert {label: one["state"] for label, one in tokens.items()} == {"nightly job": "active", "test": "active"}
    assert secret not in listed.text
    others = call.get("/api/account/tokens", headers=doors.header("li")).json()
    assert [one["label"] for one in others] == ["test"]
    # Nobody ends another's; its owner ends it with the token itself.
    path = f"/api/account/tokens/{tokens['nightly job']['id']}/end"
    assert call.post(path, headers=doors.header("li")).status_code == 404
    assert call.post(path, headers=fresh).status_code == 204
    assert call.get("/api/account", headers=fresh).status_code == 401
    assert call.post(path, headers=header).status_code == 404
    states = {one["label"]: one["state"] for one in call.get("/api/account/tokens", headers=header).json()}
    assert states == {"nightly job": "closed", "test": "active"}


def test_a_token_expires_after_ninety_days(doors: Doors) -> None:
    doors.clock.now += timedelta(days=91)
    assert doors.client().get("/api/account", headers=doors.header("li")).status_code == 401


@pytest.mark.parametrize("path", ["/api/account", "/api/account/tokens"])
def test_the_public_has_no_account(doors: Doors, path: str) -> None:
    answer = doors.client().get(path)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Send the token of an account."


@pytest.mark.parametrize("label", ["", "x" * 121])
def test_a_token_says_what_it_is_for(doors: Doors, label: str) -> None:
    answer = doors.client().post("/api/account/tokens", headers=doors.header("li"), json={"label": label})
    assert answer.status_code == 422
    assert len(doors.client().get("/api/account/tokens", headers=doors.header("li")).json()) == 1
