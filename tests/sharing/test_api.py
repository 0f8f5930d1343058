"""The sharing API: who may read and do what, and no answer outside its own description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from hutong.governance import actions as governance
from hutong.node import Node
from hutong.sharing import actions, queries
from tests.conftest import NewNode
from tests.sharing.conftest import PARTNER, RECORDS, create_app, release
from tests.sharing.test_two_nodes import ASKED

BODY = {**ASKED, "fields": ["sex"]}


@pytest.fixture
def desk(new_node: NewNode) -> Node:
    node = new_node("tw")
    release(node, "records", RECORDS)
    return node


def client_of(node: Node, *roles: str) -> TestClient:
    """A client with the token of a new account; without roles, the public."""
    if not roles:
        return TestClient(create_app(node))
    name = "-".join(roles)
    governance.create_account(
        node, by=node.operator, name=name, display_name=name, roles=frozenset(roles), password="a long password"
    )
    token = governance.create_token(node, by=node.operator, account_name=name, label="test")
    return TestClient(create_app(node), headers={"Authorization": f"Bearer {token}"})


def test_the_walk_by_accounts(desk: Node) -> None:
    public, partner, authority = client_of(desk), client_of(desk, "partner"), client_of(desk, "authority")
    assert public.post("/api/sharing/requests", json=BODY).status_code == 403
    filed = partner.post("/api/sharing/requests", json=BODY)
    assert filed.status_code == 201
    asked = filed.json()
    assert [task["key"] for task in asked["tasks"]] == ["file", "decide", "fetch", "end"]
    where = f"/api/sharing/requests/{asked['id']}"
    assert partner.get(where).json() == asked
    assert authority.get("/api/sharing/requests", params={"state": "filed"}).json() == [asked]
    assert partner.post(f"{where}/decision", json={"grant": True, "reason": "I like it."}).status_code == 403
    decided = authority.post(f"{where}/decision", json={"grant": True, "reason": "Known institute.", "days": 7}).json()
    agreement = f"/api/sharing/agreements/{decided['agreement_id']}"
    agreed = partner.get(agreement).json()
    assert (agreed["state"], agreed["fields"], agreed["odrl"]["@type"]) == ("in-force", ["sex"], "Agreement")
    data = partner.get(f"{agreement}/delivery", params={"format": "csv", "purpose": "HMB"})
    assert (data.status_code, data.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert data.text.splitlines() == ['"sex"', '"female"', '"male"', '"unknown"']
    assert data.headers["content-digest"].startswith("sha-256=:")
    assert data.headers["cache-control"] == "no-store"
    revoked = authority.post(f"{agreement}/revocation", json={"because": "The project ended."}).json()
    assert (revoked["state"], revoked["revoked_because"]) == ("revoked", "The project ended.")
    refused = partner.get(f"{agreement}/delivery", params={"format": "csv", "purpose": "HMB"})
    assert refused.status_code == 403
    assert refused.json()["reasons"] == ["The agreement was revoked."]
    assert refused.json()["policies"] == ["agreement-was-revoked"]
    (made,) = partner.get("/api/sharing/deliveries").json()
    for step, policy in (
        (asked, "partner-asks-for-data"),
        (decided, "authority-sets-powers"),
        (made, "delivery-under-agreement"),
    ):
        ((told),) = step["permitted_by"]
        assert step["policies"] == [told["policy"]] == [policy]
        assert all(told["reason"][language] for language in ("en", "zh"))


def test_nobody_reads_what_is_anothers(desk: Node) -> None:
    partner, stranger, public = client_of(desk, "partner"), client_of(desk, "partner", "verifier"), client_of(desk)
    asked = partner.post("/api/sharing/requests", json=BODY).json()
    decided = actions.decide_request(
        desk, by=desk.operator, request_id=asked["id"], grant=True, reason="Known institute."
    )
    own = [f"/api/sharing/requests/{asked['id']}", f"/api/sharing/agreements/{decided.agreement_id}"]
    lists = ["/api/sharing/requests", "/api/sharing/agreements", "/api/sharing/deliveries"]
    for path in own:
        assert [partner.get(path).status_code, stranger.get(path).status_code, public.get(path).status_code] == [
            200,
            403,
            403,
        ]
    for path in lists:
        assert stranger.get(path).json() == []
        assert public.get(path).status_code == 403
    assert public.get("/api/sharing/harvested").json() == []
    assert public.get("/api/sharing/joint-series").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 0},
        {"days": "thirty"},
        {"purpose": "ANY"},
        {"statement": "x" * 2001},
        {"statement": "a null \x00 character in the middle"},
        {"dataset_id": "../records"},
        {"fields": ["a b"]},
        {"fields": ["x"] * 201},
        {"version": "1; --"},
        {"contact": None},
        {"contact": "notmail"},
    ],
)
def test_bad_requests_change_nothing(desk: Node, wrong: dict[str, Any]) -> None:
    before = desk.log.size()
    answer = client_of(desk).post("/api/sharing/requests", json={**BODY, **wrong})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (desk.log.size(), queries.requests(desk)) == (before, [])


@dataclass(frozen=True)
class Described:
    """The API's own description, a token with all roles of the desk, and ids that there are."""

    schema: Any
    token: str
    ids: dict[str, str]


@pytest.fixture
def described(desk: Node) -> Described:
    client = client_of(desk, "authority", "partner", "steward")
    asked = actions.file_request(desk, by=PARTNER, **ASKED)
    decided = actions.decide_request(desk, by=desk.operator, request_id=asked.id, grant=True, reason="Known here.")
    waiting = actions.file_request(desk, by=PARTNER, **ASKED)
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", create_app(desk))
    ids = {"agreement_id": decided.agreement_id, "request_id": waiting.id}
    return Described(schema, client.headers["authorization"], ids)


def test_no_answer_outside_the_description(described: Described) -> None:
    """Generated calls, right and wrong ones, to things that are there and to things that are not."""
    called = 0
    operations = [found.ok() for found in described.schema.include(path_regex="^/api/sharing").get_all_operations()]
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            called += _call(operation, mode, described)
    assert len(operations) == 18
    assert called > 300


def _call(operation: Any, mode: GenerationMode, described: Described) -> int:
    statuses = []

    @settings(
        max_examples=12,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), there=st.booleans())
    def run(case: Any, there: bool) -> None:
        if there and mode is GenerationMode.POSITIVE:
            case.path_parameters = {name: described.ids[name] for name in case.path_parameters or {}}
        statuses.append(case.call_and_validate(headers={"Authorization": described.token}).status_code)

    try:
        run()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing of this operation can be given wrong
    return len(statuses)
