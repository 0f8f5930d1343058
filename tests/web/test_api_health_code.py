"""The seven operations and the appeals over HTTP, and generated calls to all of them from everyone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from schemathesis import GenerationMode

from hutong.acquisition import actions as acquisition
from hutong.acquisition.boundary import Boundary
from hutong.governance import actions as governance
from hutong.node import Node
from hutong.passes.level import actions as level_actions
from hutong.storage import inbox
from hutong.web.app import create_app
from tests.conftest import Clock, NewNode
from tests.passes import region
from tests.web.test_api_openapi import EXAMPLES, Tried, operations
from tests.web.world import PASSWORD

OPERATIONS = {
    "POST /api/health-code/declare-health": "用户健康信息申报",
    "POST /api/health-code/declare-trip": "用户行程申报",
    "GET /api/health-code/health": "用户健康信息查询",
    "POST /api/health-code/request-access": "健康码调用申请",
    "POST /api/health-code/issue": "健康码制码",
    "POST /api/health-code/verify": "健康码验码",
    "POST /api/health-code/correct": "用户健康信息纠错",
}
PEOPLE = {"R2": "resident", "R5": "resident", "li": "authority", "wang": "authority", "gate": "verifier"}
PATHS = ("/api/health-code", "/api/appeals", "/api/level-overrides")
FEWEST_GENERATED = 18


class Region:
    """A region with levels, and everybody's client."""

    def __init__(self, node: Node, clock: Clock) -> None:
        self.clock, self.node = clock, node
        tables = {
            name: frozenset(one.name for one in self.node.standard.table(name).elements) for name in ("symptom", "stay")
        }
        boundary = Boundary("statements", "dengue-2015", "Levels", tables, region.SUNSET - timedelta(days=1))
        acquisition.set_boundary(self.node, by=self.node.operator, boundary=boundary)
        self.tokens = {name: self._token(name, role) for name, role in PEOPLE.items()}
        self.app = create_app(self.node)

    def _token(self, name: str, role: str) -> str:
        me: Any = self.node.operator
        governance.create_account(
            self.node, by=me, name=name, display_name=name, roles=frozenset({role}), password=PASSWORD
        )
        return governance.create_token(self.node, by=me, account_name=name, label="test")

    def call(self, who: str, method: str, path: str, **given: Any) -> tuple[int, Any]:
        client = TestClient(self.app, base_url="http://node.test")
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        answer = client.request(method, path, headers=headers, **given)
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
def here(new_region: NewNode, clock: Clock) -> Region:
    return Region(new_region(), clock)


def test_every_operation_of_the_standard_is_there_under_its_name(here: Region) -> None:
    _, described = here.call("", "GET", "/api/openapi.json")
    for operation, name in OPERATIONS.items():
        method, path = operation.split()
        found = described["paths"][path][method.lower()]
        assert name in found["summary"] and name in found["description"]
        assert "not a claim of conformance" in found["description"]
    assert len(OPERATIONS) == 7


def test_declare_query_make_verify(here: Region) -> None:
    here.clock.now = datetime(2026, 2, 28, 9, tzinfo=UTC)
    status, receipt = here.call(
        "R2", "POST", "/api/health-code/declare-health", json={"symptoms": ["fever"], "body_temperature": 38.2}
    )
    assert (status, receipt["accepted"], receipt["source"], receipt["why_not"]) == (201, 1, "self-report", [])
    trip = {"area_code": region.BUSY, "arrived": "2026-02-26T09:00:00Z", "transport": "rail"}
    status, receipt = here.call("R2", "POST", "/api/health-code/declare-trip", json=trip)
    assert (status, receipt["table"]) == (201, "stay")
    assert inbox.waiting(here.node.records, here.node.lake) == {"symptom": 1, "stay": 1}
    decide(here.node)
    status, health = here.call("R2", "GET", "/api/health-code/health")
    assert (status, health["level"], [one["rule_id"] for one in health["reasons"]]) == (
        200,
        "high",
        ["fever-high-area"],
    )
    assert here.call("R5", "GET", "/api/health-code/health?person=R2")[0] == 403
    assert here.call("li", "GET", "/api/health-code/health?person=R2")[0] == 200
    status, made = here.call("R2", "POST", "/api/health-code/issue", json={})
    assert (status, made["level"]) == (201, "high")
    assert made["evidence_dates"] == here.call("R2", "GET", "/api/health-code/health")[1]["evidence_dates"] != {}
    for hours in (True, "24", 24.5):
        assert here.call("R2", "POST", "/api/health-code/issue", json={"hours": hours})[0] == 422
    answers = [
        here.call("", "POST", "/api/health-code/verify", json={"bizExtData": made["text"], "scene": scene})[1]["answer"]
        for scene in ("medical", "workplace")
    ]
    assert answers == ["accepted", "refused"]
    status, answer = here.call("", "POST", "/api/health-code/verify", json={"bizExtData": "HC1:nonsense"})
    assert (status, answer["answer"]) == (200, "unknown")


def decide(node: Node) -> None:
    level_actions.decide_levels(node, by=region.LI, rulebook_id="dengue-3", as_of=date(2026, 2, 28))


def test_every_symptom_code_may_be_declared(here: Region) -> None:
    codes = [code.value for code in here.node.standard.code_list("symptom_code").codes]
    status, receipt = here.call("R2", "POST", "/api/health-code/declare-health", json={"symptoms": codes})
    assert (status, receipt["accepted"], receipt["why_not"]) == (201, len(codes) - 1, [])  # "none" is none of them
    here.node.move_inbox()
    rows = here.node.engine.to_arrow(here.node.engine.table("symptom")).to_pylist()
    own = [row for row in rows if row["pseudonym"] == region.pseudonym(here.node, "R2")]
    assert {row["symptom"] for row in own if row["present"]} == set(codes) - {"none"}
    unknown = {"symptoms": ["cough", "homesick"]}
    status, told = here.call("R2", "POST", "/api/health-code/declare-health", json=unknown)
    assert (status, "homesick" in told["title"]) == (422, True)
    correction = {"what": "health", "statement": "Wrong.", "health": unknown}
    assert here.call("R2", "POST", "/api/health-code/correct", json=correction)[0] == 422
    assert here.call("R2", "GET", "/api/appeals")[1] == []
    assert inbox.waiting(here.node.records, here.node.lake) == {}


@pytest.mark.parametrize(
    ("statement", "level", "rules"),
    [
        ({"symptoms": [], "body_temperature": 37.3}, "medium", ["fever"]),
        ({"symptoms": [], "body_temperature": 37.2}, "low", ["default"]),
        ({"symptoms": ["cough"], "body_temperature": 36.6}, "low", ["default"]),
        ({"symptoms": [], "risk_area_stay": True}, "medium", ["declared-stay"]),
        ({"symptoms": ["fever"], "risk_area_stay": True}, "high", ["fever-declared-area"]),
        ({"symptoms": [], "risk_area_stay": False}, "low", ["default"]),
    ],
)
def test_what_is_declared_changes_the_level_with_the_next_update(
    here: Region, statement: dict[str, Any], level: str, rules: list[str]
) -> None:
    here.clock.now = datetime(2026, 2, 28, 9, tzinfo=UTC)
    assert here.call("R2", "POST", "/api/health-code/declare-health", json=statement)[0] == 201
    here.node.move_inbox()
    run = level_actions.follow_evidence(here.node, by=region.LI)
    assert run is not None and (run.full, run.persons) == (False, 1)
    _, health = here.call("R2", "GET", "/api/health-code/health")
    assert (health["level"], [one["rule_id"] for one in health["reasons"]]) == (level, rules)
    assert all({"en", "zh"} <= set(one["text"]) for one in health["reasons"])


def test_an_application_is_let_in_and_out_and_told_the_level_only(here: Region) -> None:
    grant = {"application": "gate", "purpose": "Entry to the hall", "ends_at": "2026-03-05T00:00:00Z"}
    assert here.call("gate", "GET", "/api/health-code/health?person=R5")[0] == 403
    assert here.call("gate", "POST", "/api/health-code/request-access", json=grant | {"person": "R5"})[0] == 403
    status, made = here.call("R5", "POST", "/api/health-code/request-access", json=grant)
    assert status == 201
    status, seen = here.call("gate", "GET", "/api/health-code/health?person=R5")
    assert (status, seen["level"], seen["reasons"], seen["evidence_dates"]) == (200, "high", None, None)
    _, listed = here.call("R5", "GET", "/api/health-code/access")
    assert [(one["application"], one["uses"]) for one in listed] == [("gate", 1)]
    assert here.call("R5", "POST", f"/api/health-code/access/{made['id']}/end")[0] == 204
    assert here.call("gate", "GET", "/api/health-code/health?person=R5")[0] == 403


def test_correct_files_an_appeal_and_takes_in_the_new_statement(here: Region) -> None:
    given = {"what": "health", "statement": "I had a cold, no fever.", "health": {"symptoms": ["cough"]}}
    status, filed = here.call("R5", "POST", "/api/health-code/correct", json=given)
    assert (status, filed["receipt"]["source"], filed["receipt"]["accepted"]) == (201, "correction", 2)
    assert filed["appeal"]["subject"] == "fact"
    assert [task["step"] for task in filed["appeal"]["tasks"]] == [
        "file",
        "acknowledge",
        "evidence",
        "decide",
        "notify",
    ]
    assert filed["appeal"]["next_due"] == "2026-03-02T08:00:00Z"
    mixed = given | {"trip": {"area_code": "TW-002", "arrived": "2026-02-26T09:00:00Z"}}
    assert here.call("R5", "POST", "/api/health-code/correct", json=mixed)[0] == 422
    assert here.call("R2", "POST", "/api/health-code/correct", json=given | {"person": "R5"})[0] == 403
    another = given | {"health": given["health"] | {"person": "R2"}}
    for order in (another, another | {"person": "R5"}):
        status, told = here.call("li" if "person" in order else "R5", "POST", "/api/health-code/correct", json=order)
        assert (status, "another person" in told["title"]) == (422, True)
    same = another | {"person": region.pseudonym(here.node, "R2")}
    assert here.call("li", "POST", "/api/health-code/correct", json=same)[0] == 201


def test_an_appeal_over_http(here: Region) -> None:
    order = {"what": "level", "statement": "The thermometer was broken."}
    _, filed = here.call("R5", "POST", "/api/health-code/correct", json=order)
    path = f"/api/appeals/{filed['appeal']['id']}"
    here.clock.advance(hours=25)
    assert here.call("R5", "GET", "/api/health-code/health")[1]["level"] == "under-review"
    _, listed = here.call("li", "GET", "/api/appeals")
    assert [(one["id"], one["under_review"]) for one in listed] == [(filed["appeal"]["id"], True)]
    assert [one["id"] for one in here.call("R5", "GET", "/api/appeals")[1]] == [filed["appeal"]["id"]]
    assert here.call("R2", "GET", path)[0] == 403
    change = {"level": "low", "rule_id": "appeal-upheld", "reason": "So it was.", "ends_at": "2026-03-08T00:00:00Z"}
    decision = {"outcome": "upheld", "reason": "It was.", "change": change, "second_token": here.tokens["wang"]}
    assert here.call("li", "POST", f"{path}/decision", json=decision)[0] == 409  # no step is left out
    assert here.call("li", "POST", f"{path}/acknowledgement")[0] == 200
    assert here.call("li", "POST", f"{path}/evidence-step", json={"question": "Which one?"})[0] == 200
    assert here.call("R5", "POST", f"{path}/evidence", json={"text": "The school's."})[0] == 200
    alone = decision | {"second_token": here.tokens["li"]}
    assert here.call("li", "POST", f"{path}/decision", json=alone)[0] == 403
    assert here.call("R5", "POST", f"{path}/decision", json=decision)[0] == 403
    status, decided = here.call("li", "POST", f"{path}/decision", json=decision)
    assert (status, decided["state"], decided["decision"]["outcome"]) == (200, "decided", "upheld")
    assert here.call("li", "POST", f"{path}/notification")[1]["state"] == "notified"
    _, health = here.call("R5", "GET", "/api/health-code/health")
    assert (health["level"], health["override"]["rule_id"]) == ("low", "appeal-upheld")
    assert here.call("R5", "POST", f"{path}/withdrawal")[0] == 409
    _, numbers = here.call("", "GET", "/api/appeals/statistics")
    assert (numbers["filed"], numbers["decided"], numbers["median_hours"]) == (1, 1, None)
    assert len(here.call("", "GET", "/api/appeals/grounds")[1]) == 4


def test_recolouring_by_hand_is_impossible_over_http(here: Region) -> None:
    good = {"level": "high", "rule_id": "test-0-7", "reason": "A test.", "ends_at": "2026-03-02T00:00:00Z"}
    order = {"person": "R2", "change": good, "second_token": here.tokens["wang"]}
    wrong: list[tuple[str, dict[str, Any], int]] = [
        *(("li", order | {"change": {k: v for k, v in good.items() if k != name}}, 422) for name in good),
        ("li", {k: v for k, v in order.items() if k != "second_token"}, 422),
        ("li", order | {"change": good | {"rule_id": ""}}, 422),
        ("li", order | {"change": good | {"rule_id": "by-order"}}, 422),
        ("li", order | {"change": good | {"rule_id": "appeal-upheld"}}, 403),
        ("li", order | {"change": good | {"ends_at": "2026-03-20T00:00:00Z"}}, 422),
        ("li", order | {"second_token": here.tokens["li"]}, 403),
        ("li", order | {"second_token": here.tokens["R5"]}, 403),
        ("li", order | {"second_token": "hutong_nobody"}, 401),
        ("R2", order, 403),
        ("gate", order, 403),
        ("", order, 403),
    ]
    for who, given, expected in wrong:
        assert here.call(who, "POST", "/api/level-overrides", json=given)[0] == expected, (who, given)
    assert len(wrong) == 15
    _, told = here.call("li", "POST", "/api/level-overrides", json=order | {"second_token": here.tokens["li"]})
    assert (told["reasons"], told["policies"]) == ([], ["two-persons"])
    assert here.call("R2", "GET", "/api/health-code/health")[1]["level"] == "low"
    assert here.call("li", "PUT", "/api/health-code/health", json={"level": "high"})[0] == 405
    status, made = here.call("li", "POST", "/api/level-overrides", json=order)
    assert (status, made["rule_id"], made["against"]) == (201, "test-0-7", "low")


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_generated_calls_are_answered_as_described(here: Region, mode: GenerationMode) -> None:
    here.call("R5", "POST", "/api/health-code/correct", json={"what": "level", "statement": "Wrong."})
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", here.app)
    mine = [one for one in operations(schema) if one.path.startswith(PATHS)]
    assert len(mine) >= FEWEST_GENERATED
    callers = {who: {"Authorization": f"Bearer {here.tokens[who]}"} for who in ("li", "R5")}
    tried = Tried(schema, mode, EXAMPLES["sqlite"], callers)
    for operation in mine:
        tried.call(operation)
    tried.require(FEWEST_GENERATED - 5)
