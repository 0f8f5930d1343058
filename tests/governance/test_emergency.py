"""Emergencies: a power without cause, legal basis, review and end does not exist."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hutong.errors import BadInput, Conflict, NotFound, Refused
from hutong.governance import actions, queries
from hutong.governance.emergency import Emergency, parse_emergency
from hutong.node import Node
from hutong.trust.authorisation import Actor
from tests.conftest import NewNode

TEXT = {"en": "Dengue", "zh": "登革热"}
GOOD: dict[str, Any] = {
    "id": "dengue",
    "title": TEXT,
    "cause": TEXT,
    "legal_basis": TEXT,
    "territory": "TW",
    "starts": "2026-03-01",
    "review": "2026-04-01",
    "sunset": "2026-06-01",
}


def declared(node: Node) -> Emergency:
    emergency = parse_emergency(GOOD)
    actions.declare_emergency(node, by=node.operator, emergency_=emergency)
    return emergency


@pytest.mark.parametrize(
    "change",
    [
        {"title": {"en": "only English"}},
        {"legal_basis": {"en": "x", "zh": " "}},
        {"review": "2026-07-01"},
        {"starts": "2026-04-02"},
        {"sunset": "2027-06-01"},
        {"sunset": "soon"},
        {"cause": "no texts"},
    ],
)
def test_what_can_not_be_declared(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_emergency({**GOOD, **change})


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_every_part_is_needed(missing: str) -> None:
    with pytest.raises(BadInput, match=missing):
        parse_emergency({name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize(
    ("day", "in_force"), [("2026-02-28", False), ("2026-03-01", True), ("2026-05-31", True), ("2026-06-01", False)]
)
def test_it_is_in_force_from_its_start_until_the_day_before_its_sunset(day: str, in_force: bool) -> None:
    emergency = parse_emergency(GOOD)
    assert emergency.is_in_force(date.fromisoformat(day)) is in_force
    if not in_force:
        with pytest.raises(Refused):
            emergency.require_in_force(date.fromisoformat(day))


def test_declaring_and_ending_are_log_entries(new_node: NewNode, records: str) -> None:
    node = new_node()
    declared(node)
    assert queries.emergency_in_force(node, date(2026, 3, 2)) == parse_emergency(GOOD)
    with pytest.raises(Conflict):
        declared(node)
    actions.end_emergency(node, by=node.operator, emergency_id="dengue")
    assert queries.emergency_in_force(node, date(2026, 3, 2)) is None
    with pytest.raises(NotFound):
        actions.end_emergency(node, by=node.operator, emergency_id="dengue")
    assert [entry.event["kind"] for entry in node.log.entries(limit=2)] == ["emergency.ended", "emergency.declared"]


@pytest.mark.parametrize("role", ["steward", "partner", "verifier", "resident", "auditor"])
def test_only_an_authority_declares(node: Node, role: str) -> None:
    by = Actor(id="someone", kind="account", roles=frozenset({role}), represents=node.id)
    with pytest.raises(Refused, match="No policy lets"):
        actions.declare_emergency(node, by=by, emergency_=parse_emergency(GOOD))
    assert queries.emergencies(node) == []
