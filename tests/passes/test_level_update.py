"""Incremental runs: in whatever parts evidence comes, levels are those of a full run, and few are touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutong.errors import Conflict, Refused, Tampered
from hutong.insight.actions import assess_risk_areas
from hutong.insight.risk_area import shipped_rule
from hutong.node import Node
from hutong.passes.level import actions as level_actions
from hutong.passes.level import queries as level_queries
from hutong.passes.level.queries import status_history, update_latency
from hutong.passes.level.status import TABLE
from hutong.passes.level.update import HISTORY
from hutong.standard import arrow_schema
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import AS_OF, BUSY, LI, QUIET, SOME, STEWARD, pseudonym

NOON = datetime(2026, 2, 27, 12, tzinfo=UTC)
NUMBERS = sorted(regions.RESIDENTS)
Row = tuple[str, dict[str, Any]]


@pytest.fixture
def region(new_region: NewNode) -> Node:
    return new_region()


def submit(node: Node, table: str, *, times: int = 1, **values: Any) -> None:
    """New rows, as the inbox brings them to the lake."""
    schema = arrow_schema(node.standard.table(table), node.standard.lineage)
    open_schema = pa.schema([field.with_nullable(True) for field in schema])
    number = node.lake.high_water(table) + 1  # also orders two rows that were known at the same instant
    lineage = {"known_at": node.clock(), "receipt_id": "new", "source_id": "s", "row_number": number, "fact_id": "f"}
    rows = pa.Table.from_pylist([{**lineage, **values}] * times, schema=open_schema)
    node.lake.append(table, rows, high_water=number)


def positive(node: Node, number: str, **values: Any) -> None:
    given = {"disease": "dengue", "kind": "pcr", "sampled_at": NOON, "result": "positive", **values}
    submit(node, "test", pseudonym=pseudonym(node, number), **given)


def meet(node: Node, index: str, contact: str, how: str = "proximity") -> None:
    given = {"index_pseudonym": pseudonym(node, index), "pseudonym": pseudonym(node, contact)}
    submit(node, "contact", **given, kind="colleague", started=NOON, source_kind=how)


def update(node: Node) -> Any:
    return level_actions.update_levels(node, by=LI, rulebook_id="dengue-3")


def level(node: Node, number: str) -> str:
    return level_queries.person_status(node, pseudonym(node, number)).level


def state(node: Node, *numbers: str) -> dict[str, tuple[Any, ...]]:
    """Level, rules and facts of these, or of everybody whom the region knows."""
    found = {}
    for number in numbers or NUMBERS:
        one = level_queries.person_status(node, pseudonym(node, number))
        found[number] = (one.level, one.rule_ids, dict(one.facts), dict(one.evidence_dates), one.as_of, one.version)
    return found


def test_a_new_test_touches_its_person_and_contacts_only(region: Node, clock: Clock) -> None:
    meet(region, "R2", "R7")
    assert (update(region).persons, level(region, "R7")) == (1, "low")  # whom R2 met is no case's contact yet
    positive(region, "R2")
    clock.advance(seconds=30)
    run = update(region)
    assert (run.full, run.persons, run.changed) == (False, 2, 2)
    assert (level(region, "R2"), level(region, "R7")) == ("high", "medium")
    again = update(region)
    assert (again.full, again.persons, again.changed) == (False, 0, 0)


def test_a_negative_test_changes_nobody(region: Node) -> None:
    before = state(region)
    positive(region, "R2", result="negative")
    run = update(region)
    assert (run.persons, run.changed) == (1, 0)
    after = state(region)
    assert {number for number in NUMBERS if after[number] != before[number]} == {"R2"}
    assert (after["R2"][:2], after["R2"][2]["days_since_negative_test"]) == (before["R2"][:2], 1)


CASE = {"disease": "dengue", "date_precision": "day", "residence_area_code": QUIET}


def test_each_kind_of_new_evidence_touches_whom_it_is_about(region: Node) -> None:
    names = {number: {"pseudonym": pseudonym(region, number)} for number in NUMBERS}
    submit(region, "case", **names["R2"], **CASE, classification="confirmed", onset_date=AS_OF - timedelta(days=3))
    run = update(region)
    assert (run.full, run.persons, run.changed) == (False, 1, 1)
    assert (level(region, "R2"), state(region)["R2"][1]) == ("high", ("case-0-7",))
    dose = {"disease": "dengue", "vaccine": "J07BX04", "dose_number": 2, "series_doses": 2}
    submit(region, "immunization", **names["R8"], **dose, vaccination_date=AS_OF - timedelta(days=30))
    run = update(region)
    assert (run.full, run.persons, run.changed) == (False, 1, 1)
    assert level(region, "R8") == "low"  # a contact, excused
    submit(region, "symptom", **names["R8"], symptom="rash", present=True, stated_at=NOON)
    run = update(region)
    assert (run.full, run.persons, run.changed) == (False, 1, 1)
    assert state(region)["R8"][:2] == ("medium", ("symptoms-contact",))
    submit(region, "symptom", **names["R7"], symptom="none", present=True, stated_at=NOON, risk_area_stay=True)
    assert (update(region).persons, state(region)["R7"][:2]) == (1, ("medium", ("declared-stay",)))


def test_a_case_record_that_is_withdrawn_ends_for_the_person_and_for_contacts(region: Node, clock: Clock) -> None:
    meet(region, "R2", "R7")
    case = {"pseudonym": pseudonym(region, "R2"), **CASE}
    submit(region, "case", **case, classification="confirmed", onset_date=AS_OF - timedelta(days=3))
    assert (update(region).persons, level(region, "R2"), level(region, "R7")) == (2, "high", "medium")
    clock.advance(hours=1)
    submit(region, "case", **case, classification="discarded", notification_date=AS_OF)
    assert (update(region).persons, level(region, "R2"), level(region, "R7")) == (2, "low", "low")


def test_a_day_later_what_is_counted_in_days_is_a_day_older(region: Node, clock: Clock) -> None:
    case = {"pseudonym": pseudonym(region, "R2"), **CASE, "classification": "probable"}
    submit(region, "case", **case, onset_date=AS_OF - timedelta(days=7))
    update(region)
    assert state(region)["R2"][:2] == ("high", ("case-0-7",))
    clock.advance(hours=1)
    assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF + timedelta(days=1))
    assert update(region).full
    assert state(region)["R2"][:2] == ("medium", ("case-8-14",))
    assert state(region)["R2"][2]["days_since_case"] == 8


def test_evidence_of_another_disease_is_none(region: Node) -> None:
    other = {"pseudonym": pseudonym(region, "R2"), "disease": "covid-19"}
    dose = {"vaccine": "J07BN01", "dose_number": 1, "series_doses": 1, "vaccination_date": AS_OF}
    before = state(region)
    submit(region, "case", **{**CASE, **other}, classification="confirmed", onset_date=AS_OF)
    submit(region, "immunization", **other, **dose)
    positive(region, "R2", disease="covid-19")
    assert (update(region).persons, state(region)) == (1, before)


NEW_FACTS = ("declared_risk_area_stay", "days_since_negative_test", "days_since_case", "fever", "doses")


def forget_facts(node: Node) -> None:
    """Make both tables of levels what a release wrote that did not compute the newer facts."""
    lost = [f"{name}{on}" for name in NEW_FACTS for on in ("", "_on")]
    for name in (TABLE, HISTORY):
        rows = node.engine.to_arrow(node.engine.table(name)).drop_columns(lost)
        properties = dict(node.lake.properties(name))
        node.lake._catalog.drop_table(("hutong", name))
        water = int(properties.get("hutong.high-water", 0))
        node.lake.append(name, rows, high_water=water, properties=properties)


def test_a_folder_of_fewer_facts_is_read_and_made_whole_by_the_next_run(region: Node, clock: Clock) -> None:
    whole = state(region)
    forget_facts(region)
    with pytest.raises(Tampered):  # a rule that reads a fact which was never computed can't have given the level
        state(region, "R5")
    old = state(region, *(number for number in NUMBERS if number != "R5"))
    assert {number: one[0] for number, one in old.items()} == {number: whole[number][0] for number in old}
    assert {one[2]["fever"] for one in old.values()} == {None}
    positive(region, "R2")
    clock.advance(seconds=5)
    run = update(region)
    assert (run.full, run.persons) == (True, len(NUMBERS))
    assert {number for number in NUMBERS if state(region)[number] != whole[number]} == {"R2"}
    assert len(status_history(region, pseudonym(region, "R2")).changes) == 2
    assert len(status_history(region, pseudonym(region, "R7")).changes) == 1
    positive(region, "R7")
    assert (update(region).full, level(region, "R7")) == (False, "high")
    assert level_actions.follow_evidence(region, by=LI) is None


def test_a_served_node_makes_an_old_folder_whole_by_itself(region: Node) -> None:
    whole = state(region)
    forget_facts(region)
    run = level_actions.follow_evidence(region, by=LI)
    assert run is not None and run.full and run.changed == 0
    assert state(region) == whole


def test_a_case_makes_contacts_of_those_whom_a_register_saw(region: Node) -> None:
    meet(region, "R7", "R2", "place-register")
    case = {"disease": "dengue", "date_precision": "day", "true_from": AS_OF, "residence_area_code": SOME}
    submit(region, "case", pseudonym=pseudonym(region, "R7"), classification="suspected", **case)
    assert (update(region).persons, level(region, "R2")) == (2, "low")
    submit(region, "case", pseudonym=pseudonym(region, "R7"), classification="confirmed", **case)
    assert (update(region).changed, level(region, "R2"), level(region, "R7")) == (2, "medium", "high")


def test_cases_change_areas_and_these_their_residents_and_visitors(region: Node, clock: Clock) -> None:
    submit(region, "stay", pseudonym=pseudonym(region, "R2"), area_code=SOME, arrived=NOON)
    assert (update(region).changed, level(region, "R2")) == (0, "low")
    case = {"disease": "dengue", "classification": "confirmed", "date_precision": "day", "imported": False}
    submit(region, "case", times=60, **case, true_from=AS_OF, residence_area_code=SOME)
    assert update(region).persons == 0  # the areas were not assessed again
    clock.advance(hours=1)
    assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF)
    run = update(region)
    assert (run.full, run.persons, run.changed) == (False, 2, 2)
    assert {number for number in NUMBERS if level(region, number) == "medium"} >= {"R2", "R7"}


def test_history_keeps_each_level_and_latency_is_measured(region: Node, clock: Clock) -> None:
    person = pseudonym(region, "R2")
    (first,) = status_history(region, person).changes
    assert (first.level, first.previous_level, first.evidence_known_at) == ("low", None, None)
    assert update_latency(region).changes == 0
    known = clock.now
    positive(region, "R2")
    clock.advance(seconds=40)
    update(region)
    clock.advance(hours=1)
    level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=AS_OF)  # nothing new: no row more
    newest, oldest = status_history(region, person).changes
    assert oldest == first
    assert (newest.level, newest.previous_level, newest.rule_ids) == ("high", "low", ("test-0-7",))
    assert (newest.evidence_known_at, newest.decided_at) == (known, known + timedelta(seconds=40))
    for seconds, number in ((10, "R1"), (20, "R7"), (30, "R3")):
        positive(region, number)
        clock.advance(seconds=seconds)
        update(region)
    latency = update_latency(region)
    assert (latency.changes, latency.median_seconds) == (4, 25)
    assert latency.p95_seconds == pytest.approx(38.5)


def test_a_full_run_measures_too_and_wins_over_what_was_before(region: Node, clock: Clock) -> None:
    positive(region, "R2")
    update(region)
    positive(region, "R7")
    clock.advance(seconds=5)
    run = level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert (run.full, run.changed, run.persons) == (True, 1, len(NUMBERS))
    assert (level(region, "R2"), level(region, "R7")) == ("high", "high")
    newest = status_history(region, pseudonym(region, "R7")).changes[0]
    assert newest.evidence_known_at == newest.decided_at - timedelta(seconds=5)


def test_rows_in_other_files_are_not_new(region: Node) -> None:
    positive(region, "R2")
    region.move_inbox()
    assert region.lake.compact("test") == 2
    positive(region, "R7")
    run = update(region)
    assert (run.full, run.persons) == (False, 2)
    assert (level(region, "R2"), level(region, "R7")) == ("high", "high")
    region.lake.compact("test")
    assert update(region).persons == 0


def test_what_the_lake_can_not_tell_is_a_full_run(region: Node) -> None:
    positive(region, "R7")
    assert not update(region).full
    region.lake.delete_where("test", {"pseudonym": [pseudonym(region, "R7")]})
    assert update(region).full
    assert level(region, "R7") == "low"


def test_a_new_day_is_a_full_run(region: Node, clock: Clock) -> None:
    clock.advance(hours=1)
    tomorrow = AS_OF + timedelta(days=1)
    assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=tomorrow)
    assert update(region).full
    assert level_queries.person_status(region, pseudonym(region, "R6")).as_of == tomorrow
    assert len(status_history(region, pseudonym(region, "R6")).changes) == 1


def test_a_crash_between_history_and_state_is_right_afterwards(region: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    positive(region, "R2")
    with monkeypatch.context() as patch:
        patch.setattr(type(region.lake), "replace", _break)
        with pytest.raises(OSError, match="the disk is full"):
            level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert level(region, "R2") == "high"
    level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert len(status_history(region, pseudonym(region, "R2")).changes) == 2


def _break(*_: Any, **__: Any) -> None:
    raise OSError("the disk is full")


def test_who_may_not_and_what_was_never_decided(new_node: NewNode) -> None:
    node = new_node("tw")
    regions.declare(node)
    regions.fill_lake(node)
    regions.rules(node)
    with pytest.raises(Conflict, match="not assessed"):
        update(node)
    assess_risk_areas(node, by=LI, rule=shipped_rule(), as_of=AS_OF)
    with pytest.raises(Conflict, match="never decided"):
        update(node)
    with pytest.raises(Refused):
        level_actions.update_levels(node, by=STEWARD, rulebook_id="dengue-3")
    assert status_history(node, "nobody").changes == ()
    assert update_latency(node).p95_seconds is None


def test_the_log_tells_how_many_and_not_which_levels(region: Node) -> None:
    positive(region, "R2")
    update(region)
    (entry,) = region.log.entries(kind="levels.updated", limit=5)
    assert set(entry.event) == {"kind", "by", "at", "run", "rulebook", "version", "as_of", "persons"}
    assert entry.event["persons"] == 1


@pytest.mark.spark
def test_spark_gives_the_same(new_node: NewNode, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    states, histories, runs, latencies = [], [], [], []
    for engine in ("duckdb", "spark"):
        monkeypatch.setenv("HUTONG_ENGINE", engine)
        node = new_node(f"t{engine[0]}")
        assert node.engine.name == engine
        regions.fill(node)
        meet(node, "R2", "R7")
        positive(node, "R2")
        clock.advance(seconds=20)
        run = update(node)
        runs.append((run.full, run.persons, run.changed))
        latencies.append(update_latency(node))
        numbers = {pseudonym(node, number): number for number in NUMBERS}
        states.append(
            {
                numbers[one.pseudonym]: (one.level, one.rule_ids, one.facts, one.evidence_dates)
                for one in level_queries.person_statuses(node, list(numbers)).statuses.values()
            }
        )
        histories.append([change.level for change in status_history(node, pseudonym(node, "R2")).changes])
    assert runs == [(False, 2, 2)] * 2
    assert states[0] == states[1]
    assert set(states[1]) == set(NUMBERS)
    assert histories == [["high", "low"]] * 2
    assert latencies[0] == latencies[1]


person = st.sampled_from(NUMBERS)
moment = st.integers(0, 20).map(lambda days: NOON - timedelta(days=days))
area = st.sampled_from([BUSY, SOME, QUIET, "TW-999"])
about_tests = st.fixed_dictionaries(
    {"pseudonym": person, "sampled_at": moment, "result": st.sampled_from(["positive", "negative"])}
).map(lambda row: ("test", {"disease": "dengue", "kind": "pcr", **row}))
about_symptoms = st.fixed_dictionaries(
    {
        **{"pseudonym": person, "stated_at": moment, "symptom": st.sampled_from(["fever", "rash", "none"])},
        **{"present": st.booleans(), "body_temperature": st.none() | st.sampled_from([36.6, 37.3, 39.0])},
        "risk_area_stay": st.none() | st.booleans(),
    }
).map(lambda row: ("symptom", row))
about_doses = st.fixed_dictionaries(
    {"pseudonym": person, "vaccination_date": moment.map(datetime.date), "dose_number": st.integers(1, 2)}
).map(lambda row: ("immunization", {"disease": "dengue", "vaccine": "J07BX04", "series_doses": 2, **row}))
about_contacts = st.fixed_dictionaries(
    {
        **{"index_pseudonym": person, "pseudonym": person, "started": moment, "kind": st.just("colleague")},
        "source_kind": st.sampled_from(["proximity", "interview", "place-register"]),
    }
).map(lambda row: ("contact", row))
about_stays = st.fixed_dictionaries({"pseudonym": person, "area_code": area, "arrived": moment}).map(
    lambda row: ("stay", row)
)
about_homes = st.fixed_dictionaries({"pseudonym": person, "residence_area_code": area}).map(lambda row: ("person", row))
about_cases = st.fixed_dictionaries(
    {
        **{"pseudonym": st.none() | person, "true_from": moment.map(datetime.date)},
        **{"classification": st.sampled_from(["suspected", "probable", "confirmed", "discarded"])},
        "outcome": st.none() | st.sampled_from(["recovered", "under-treatment"]),
    }
).map(lambda row: ("case", {"disease": "dengue", "date_precision": "day", **row}))
rows = st.lists(
    about_tests | about_symptoms | about_contacts | about_stays | about_homes | about_cases | about_doses,
    min_size=1,
    max_size=5,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=2))
def test_incremental_is_full_over_generated_evidence(region: Node, clock: Clock, steps: list[list[Row]]) -> None:
    """The region keeps what earlier examples brought: each example goes on from there."""
    for step in steps:
        for table, values in step:
            names = {key: pseudonym(region, values[key]) for key in ("pseudonym", "index_pseudonym") if values.get(key)}
            submit(region, table, **{**values, **names})
        clock.advance(seconds=1)
        assert not update(region).full
    incremental = state(region)
    before = region.lake.high_water(HISTORY)
    run = level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert (run.full, run.changed) == (True, 0)
    assert state(region) == incremental
    assert region.lake.high_water(HISTORY) == before + 1
