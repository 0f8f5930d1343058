"""Statements of single persons: bounded, durable with a receipt, corrected by new ones only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from hutong.acquisition import actions as acquisition
from hutong.acquisition import queries
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.declarations import HealthStatement, Row, Statement, TripStatement, declare
from hutong.acquisition.source import CORRECTION
from hutong.errors import BadInput, HutongError, NotFound, Refused
from hutong.node import Node
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.level import actions as level_actions
from hutong.storage import inbox
from hutong.trust.authorisation import PUBLIC, Actor
from tests.conftest import Clock, NewNode
from tests.passes import region
from tests.passes.region import AS_OF, BUSY, LI, QUIET, STEWARD

R2 = Actor("R2", "account", frozenset({"resident"}), "tw")


@pytest.fixture
def node(new_region: NewNode, records: str) -> Node:
    return new_region()


def bound(node: Node, leave_out: frozenset[str] = frozenset()) -> None:
    tables = {
        name: frozenset(one.name for one in node.standard.table(name).elements) - leave_out
        for name in ("symptom", "stay")
    }
    boundary = Boundary("statements", "dengue-2015", "Levels", tables, region.SUNSET - timedelta(days=1))
    acquisition.set_boundary(node, by=LI, boundary=boundary)


def health(clock: Clock, *symptoms: str, temperature: float | None = None) -> HealthStatement:
    return HealthStatement(symptoms, clock(), body_temperature=temperature)


def level(node: Node, number: str) -> str:
    level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    return appeal_queries.level_in_force(node, region.pseudonym(node, number)).level


def test_a_statement_is_durable_with_its_receipt_and_becomes_a_fact(node: Node, clock: Clock) -> None:
    bound(node)
    clock.now = datetime(2026, 2, 28, 9, tzinfo=UTC)
    receipt = declare(node, by=R2, person="R2", statement=health(clock, "cough", "fever", temperature=38.4))
    assert (receipt.source, receipt.table, receipt.rows, receipt.accepted) == ("self-report", "symptom", 2, 2)
    assert inbox.waiting(node.records, node.lake) == {"symptom": 2}
    assert queries.receipt(node, receipt.id) == receipt
    assert node.move_inbox() == {"symptom": 2}
    rows = node.engine.to_arrow(node.engine.table("symptom")).to_pylist()
    mine = [row for row in rows if row["pseudonym"] == region.pseudonym(node, "R2")]
    assert {(row["symptom"], row["present"], row["body_temperature"]) for row in mine} == {
        ("cough", True, 38.4),
        ("fever", True, 38.4),
    }
    assert {(row["source_id"], row["receipt_id"]) for row in mine} == {("self-report", receipt.id)}
    assert level(node, "R2") == "medium"
    log = b"".join(node.log.entry(index).data for index in range(node.log.size()))
    assert b"R2" not in log and b"cough" not in log and region.pseudonym(node, "R2").encode() not in log


def test_the_same_statement_again_adds_nothing(node: Node, clock: Clock) -> None:
    bound(node)
    first = declare(node, by=R2, person="R2", statement=health(clock))
    again = declare(node, by=R2, person="R2", statement=health(clock))
    assert again.repeated and again.id == first.id
    assert inbox.waiting(node.records, node.lake) == {"symptom": 2}  # "no symptom" and "no fever"


def test_a_correction_is_a_new_fact_and_the_first_one_stays(node: Node, clock: Clock) -> None:
    bound(node)
    clock.now = datetime(2026, 2, 28, 9, tzinfo=UTC)
    arrived = clock() - timedelta(days=2)
    wrong = TripStatement(BUSY, arrived, arrived + timedelta(hours=2), transport="rail")
    declare(node, by=R2, person="R2", statement=wrong)
    declare(node, by=R2, person="R2", statement=health(clock, "fever"))
    assert level(node, "R2") == "high"
    clock.advance(hours=1)
    declare(node, by=R2, person="R2", statement=health(clock), source=CORRECTION, about="appeal-1")
    assert level(node, "R2") == "medium"
    right = TripStatement(QUIET, arrived, arrived + timedelta(hours=2), transport="rail")
    receipt = declare(node, by=LI, person="R2", statement=right, source=CORRECTION, about="appeal-2")
    assert (receipt.source, receipt.file_name) == ("correction", "appeal appeal-2")
    assert level(node, "R2") == "low"
    stays = node.engine.to_arrow(node.engine.table("stay")).to_pylist()
    mine = [row for row in stays if row["pseudonym"] == region.pseudonym(node, "R2")]
    assert sorted((row["area_code"], row["source_id"]) for row in mine) == [
        (BUSY, "self-report"),
        (QUIET, "correction"),
    ]


def test_what_lies_outside_the_boundary_is_not_taken_in(node: Node, clock: Clock) -> None:
    with pytest.raises(Refused, match="No boundary"):
        declare(node, by=R2, person="R2", statement=health(clock))
    with pytest.raises(BadInput, match="keeps out present, without which no row of symptom"):
        bound(node, frozenset({"present"}))  # it could never be used
    bound(node, frozenset({"body_temperature"}))
    receipt = declare(node, by=R2, person="R2", statement=health(clock, "cough", temperature=39.0))
    assert receipt.refused_values == {"body_temperature": 2}
    node.move_inbox()
    temperatures = node.engine.to_arrow(node.engine.table("symptom"))["body_temperature"].to_pylist()
    assert all(value is None for value in temperatures)


def test_only_in_one_s_own_name_or_by_the_authority(node: Node, clock: Clock) -> None:
    bound(node)
    attempts: list[tuple[Actor, str, type[HutongError]]] = [
        (R2, "R3", Refused),
        (STEWARD, "R2", Refused),
        (PUBLIC, "R2", Refused),
        (LI, "R99", NotFound),
        (Actor("R99", "account", frozenset({"resident"}), "tw"), "R99", NotFound),
    ]
    for by, person, error in attempts:
        with pytest.raises(error):
            declare(node, by=by, person=person, statement=health(clock))
    assert inbox.waiting(node.records, node.lake) == {}


def test_a_statement_that_does_not_fit_is_answered_not_lost(node: Node, clock: Clock) -> None:
    bound(node)
    now = clock()
    faults: list[tuple[Statement, str]] = [
        (HealthStatement(("cough",), now, body_temperature=51.0), "held"),
        (HealthStatement(("cough",), now + timedelta(days=1)), "held"),
        (TripStatement("nowhere", now), "rejected"),
        (TripStatement(BUSY, now, now - timedelta(hours=1)), "rejected"),
        (TripStatement(BUSY, now, vehicle="x" * 41), "held"),
    ]
    for statement, outcome in faults:
        receipt = declare(node, by=R2, person="R2", statement=statement)
        items = queries.receipt_items(node, receipt.id)
        assert items and items[0]["outcome"] == outcome, statement
        assert receipt.accepted + receipt.held + receipt.rejected == receipt.rows
    before = inbox.waiting(node.records, node.lake)
    with pytest.raises(BadInput, match="no symptom 'measles'"):  # nothing of it may be taken for "no fever"
        declare(node, by=R2, person="R2", statement=HealthStatement(("cough", "measles"), now))
    assert inbox.waiting(node.records, node.lake) == before
    with pytest.raises(BadInput):
        far = datetime.min.replace(tzinfo=UTC).astimezone(UTC)
        TripStatement(BUSY, far.replace(tzinfo=datetime.fromisoformat("2026-01-01T00:00:00+05:00").tzinfo)).rows()


def test_fever_is_always_spoken_of() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)

    def said(*symptoms: str) -> list[tuple[str | None, str | None, str | None]]:
        rows: list[Row] = HealthStatement(symptoms, at, started=date(2026, 2, 27)).rows()
        return [(row["symptom"], row["present"], row["started"]) for row in rows]

    assert said() == [("fever", "no", None), ("none", "yes", None)]
    assert said("none", "fever") == [("fever", "yes", "2026-02-27")]
    assert said("cough", "cough") == [("fever", "no", None), ("cough", "yes", "2026-02-27")]
