"""Batches and renewals over HTTP: the facts that were chosen, and who may."""

from __future__ import annotations

import pytest

from tests.conftest import Clock, NewNode
from tests.web.test_api_health_code import Region

BATCH = "/api/passes/batch"


@pytest.fixture
def here(new_region: NewNode, clock: Clock) -> Region:
    return Region(new_region(), clock)


def test_a_batch_tells_each_pass_once_and_who_got_none(here: Region) -> None:
    order = {"persons": ["R2", "R5", "R4", "R2"], "hours": 2, "facts": ["residence-risk"]}
    status, batch = here.call("li", "POST", BATCH, json=order)
    assert status == 201
    assert [(one["person"], one["level"], list(one["disclosures"])) for one in batch["passes"]] == [
        ("R2", "low", ["residence-risk"]),
        ("R5", "high", ["residence-risk"]),
    ]
    assert ([one["person"] for one in batch["refused"]], batch["repeated"]) == (["R4"], 1)
    first = batch["passes"][0]
    shown = "~".join((first["text"], first["disclosures"]["residence-risk"]))
    status, answer = here.call("", "POST", "/api/passes/verify", json={"text": shown, "scene": "workplace"})
    assert (status, answer["answer"], answer["facts"]) == (200, "accepted", {"residence-risk": "low"})


def test_a_renewal_is_one_call_by_the_holder(here: Region) -> None:
    _, old = here.call("R2", "POST", "/api/passes", json={"person": "R2"})
    path = f"/api/passes/{old['pass_id']}/renewal"
    status, new = here.call("R2", "POST", path, json={"facts": ["residence-risk"]})
    assert (status, list(new["disclosures"]), new["pass_id"] != old["pass_id"]) == (201, ["residence-risk"], True)
    again = {"text": old["text"], "scene": "workplace"}
    assert here.call("", "POST", "/api/passes/verify", json=again)[1]["answer"] == "accepted"
    status, _ = here.call("li", "POST", path, json={"second_token": here.tokens["wang"]})
    assert (status, here.call("", "POST", "/api/passes/verify", json=again)[1]["answer"]) == (201, "refused")
    assert here.call("R2", "POST", path, json={})[0] == 409


def test_who_may_not_and_what_is_none(here: Region) -> None:
    _, old = here.call("R2", "POST", "/api/passes", json={"person": "R2"})
    path = f"/api/passes/{old['pass_id']}/renewal"
    before = here.node.log.size()
    assert here.call("R5", "POST", path, json={"second_token": here.tokens["wang"]})[0] == 403
    assert here.call("", "POST", path, json={})[0] == 403
    assert here.call("R2", "POST", BATCH, json={"persons": ["R2"]})[0] == 403
    assert here.call("", "POST", BATCH, json={"persons": ["R2"]})[0] == 403
    assert here.call("R2", "POST", path, json={"facts": ["name"]})[0] == 422
    for order in ({"persons": []}, {"persons": ["R2"] * 1001}, {"persons": ["R2"], "hours": 169}):
        assert here.call("li", "POST", BATCH, json=order)[0] == 422
    assert here.call("li", "POST", "/api/passes/0123456789abcdef/renewal", json={})[0] == 404
    assert here.node.log.size() == before
