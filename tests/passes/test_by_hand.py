"""Recolouring by hand without a rule: the ways past the actions, into the records and into the lake, are tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from hutong.errors import Tampered
from hutong.node import Node
from hutong.passes.appeal import actions as appeals
from hutong.passes.appeal import correction_actions as corrections
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.appeal import told, told_queries
from hutong.passes.appeal.appeal import Outcome, Subject
from hutong.passes.appeal.correction import LevelChange, LevelOverride
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import batch_actions, renewal_actions
from hutong.passes.level import actions as level_actions
from hutong.passes.level import queries as level_queries
from hutong.passes.level.status import TABLE
from hutong.passes.level.update import HISTORY
from hutong.rights.person import mark_of
from hutong.storage import schema
from hutong.storage.kept import Memory
from hutong.trust.authorisation import Actor
from hutong.trust.signing import canonical_json
from tests.cli.conftest import CommandLine
from tests.conftest import NewNode
from tests.kept import Kept
from tests.passes import region
from tests.passes.region import AS_OF, LI, WANG
from tests.web.test_pages_passes import again

Hand = Callable[[Node], None]
R5 = Actor("R5", "account", frozenset({"resident"}), "tw")


@pytest.fixture
def node(new_region: NewNode, records: str) -> Node:
    return new_region()


def level(node: Node, number: str) -> str:
    return appeal_queries.level_in_force(node, region.pseudonym(node, number)).level


def rewritten(node: Node, number: str, **values: Any) -> pa.Table:
    """The levels with other values in one person's row, which says to be newer than all others."""
    values = {"run": 99, **values}
    rows = node.engine.to_arrow(node.engine.table(TABLE))
    named = [row | (values if row["pseudonym"] == region.pseudonym(node, number) else {}) for row in rows.to_pylist()]
    return pa.Table.from_pylist(named, schema=rows.schema)


def replaced(**values: Any) -> Hand:
    """Values in the row of R5, and a run that the history tells of."""

    def write(node: Node) -> None:
        node.lake.replace(TABLE, rewritten(node, "R5", **values))
        node.lake.append(HISTORY, node.engine.to_arrow(node.engine.table(HISTORY)).slice(0, 0), high_water=99)

    return write


def appended(number: str, *, high_water: int = 99, **values: Any) -> Hand:
    """The same as one more row of the history; ``high_water``: the last run that the table tells of."""

    def write(node: Node) -> None:
        rows = rewritten(node, number, **values)
        mine = pc.field("pseudonym") == region.pseudonym(node, number)
        history = node.engine.to_arrow(node.engine.table(HISTORY)).schema
        more = {"previous_level": "high", "changed": True, "evidence_known_at": None}
        added = [row | more for row in rows.filter(mine).to_pylist()]
        node.lake.append(HISTORY, pa.Table.from_pylist(added, schema=history), high_water=high_water)

    return write


def write_override(node: Node, **values: Any) -> None:
    """An override that meets each check of the database, past the actions."""
    good = {
        "id": "byhand",
        "pseudonym": region.pseudonym(node, "R5"),
        "level": "low",
        "against": "high",
        "rulebook": "dengue-3@1.1.0",
        "rule_id": "clinically-excluded",
        "reason": "Because.",
        "actor": "li",
        "second": "wang",
        "made_at": node.clock(),
        "ends_at": node.clock() + timedelta(days=7),
    }
    with node.records.writing() as connection:
        connection.execute(schema.level_override.insert().values(**good | values))


def overridden(**values: Any) -> Hand:
    return lambda node: write_override(node, **values)


def with_an_entry(node: Node) -> None:
    """An override and an entry of the log that tells of it, beside the tree that is signed."""
    write_override(node)
    with node.records.reading() as connection:
        row = connection.execute(sa.select(schema.level_override)).mappings().one()
    found = LevelOverride(**row)
    body = {"kind": "level.overridden", "by": "li", "at": found.made_at.isoformat(), **found.event()}
    with node.records.writing() as connection:
        entry = {"idx": node.log.size() + 9, "kind": body["kind"], "at": found.made_at, "data": canonical_json(body)}
        connection.execute(schema.log_entry.insert().values(**entry))


def lowered(node: Node, person: str, ends_at: datetime | None = None) -> LevelOverride:
    """A true override."""
    ends_at = ends_at or node.clock() + timedelta(days=7)
    change = LevelChange("low", "clinically-excluded", "A wrong thermometer.", ends_at)
    return corrections.override_level(node, by=LI, second=WANG, person=person, change_to=change)


def upheld_by(outcome: Outcome | None, *, again: bool = False) -> Hand:
    """An override by an appeal, as the log tells it too, but no appeal of the person's was upheld for it.

    Args:
        outcome: of the appeal that it names; None for no appeal at all.
        again: it is the second that rests on this appeal.
    """

    def write(node: Node) -> None:
        appeal = None if outcome is None else decided(node, outcome, change="low" if again else None)
        with node.change(LI) as change:
            made = LevelOverride(
                *("byhand", region.pseudonym(node, "R5"), "low", "high", "dengue-3@1.1.0", "appeal-upheld"),
                *("Because.", "li", "wang", change.at, change.at + timedelta(days=7), appeal),
            )
            change.execute(schema.level_override.update().values(ended_at=change.at))
            change.execute(schema.level_override.insert().values(**asdict(made)))
            whose = mark_of(node, made.pseudonym, made.id)
            ended = [told_queries.end_mark(node, one.event["override"]) for one in node.log.entries(kind=told.MADE)]
            change.event("level.overridden", **made.event(), whose=whose, ended=ended)

    return write


def decided(node: Node, outcome: Outcome, change: str | None) -> str:
    """A true appeal of R5 that was decided."""
    filed = appeals.file_appeal(node, by=R5, person="R5", subject=Subject.LEVEL, statement="I had no fever at all.")
    appeals.acknowledge_appeal(node, by=LI, appeal_id=filed.id)
    appeals.take_evidence(node, by=LI, appeal_id=filed.id)
    to = change and LevelChange(change, "appeal-upheld", "So it was.", node.clock() + timedelta(days=7))
    appeals.decide_appeal(
        *(node,),
        **{"by": LI, "second": WANG, "appeal_id": filed.id, "outcome": outcome},
        **{"reason": "So it was.", "change_to": to},
    )
    return filed.id


def of_another(node: Node) -> None:
    """A true override, moved to somebody else."""
    lowered(node, "R6")
    to = region.pseudonym(node, "R5")
    with node.records.writing() as connection:
        connection.execute(schema.level_override.update().values(pseudonym=to))


def revived(node: Node) -> None:
    """A true override that was ended, as if it had not been."""
    made = lowered(node, "R5")
    corrections.end_override(node, by=LI, second=WANG, override_id=made.id)
    with node.records.writing() as connection:
        connection.execute(schema.level_override.update().values(ended_at=None))


def replaced_override(node: Node) -> None:
    """A true override that another one has replaced, in its place again."""
    for said, days in (("low", 7), ("medium", 6)):
        rule = "clinically-excluded"
        change = LevelChange(said, rule, "A wrong thermometer.", node.clock() + timedelta(days=days))
        corrections.override_level(node, by=LI, second=WANG, person="R5", change_to=change)
    table = schema.level_override
    with node.records.writing() as connection:
        connection.execute(table.delete().where(table.c.level == "medium"))
        connection.execute(table.update().values(ended_at=None))


def true_override(**values: Any) -> Hand:
    """A true override, altered in the records; without values its row is deleted."""

    def write(node: Node) -> None:
        made, table = lowered(node, "R5"), schema.level_override
        mine = table.c.id == made.id
        with node.records.writing() as connection:
            connection.execute(table.update().where(mine).values(**values) if values else table.delete().where(mine))

    return write


def closed_appeal(node: Node) -> None:
    """A true appeal that waits, as if it had been taken back."""
    filed = appeals.file_appeal(node, by=R5, person="R5", subject=Subject.LEVEL, statement="I had no fever at all.")
    table = schema.appeal
    with node.records.writing() as connection:
        connection.execute(table.update().where(table.c.id == filed.id).values(state="withdrawn", due_at=None))


def late_appeal(node: Node) -> None:
    """An appeal of two weeks ago that nobody filed."""
    true = appeals.file_appeal(node, by=R5, person="R5", subject=Subject.LEVEL, statement="I had no fever at all.")
    document = true.document() | {"id": "byhand", "reached": {"filed": "2026-02-16T00:00:00+00:00"}}
    with node.records.writing() as connection:
        connection.execute(
            schema.appeal.insert().values(
                id="byhand", emergency=true.emergency, pseudonym=true.pseudonym, state="filed", body=document,
                filed_at=datetime.fromisoformat("2026-02-16T00:00:00+00:00"), due_at=node.clock(),
            )
        )  # fmt: skip


IN_THE_LAKE: dict[str, Hand] = {
    "another level": replaced(level="low"),
    "no level of the rulebook": replaced(level="green", rule_ids="appeal-upheld"),
    "a lower level and no rule": replaced(level="low", rule_ids=""),
    "another rule": replaced(rule_ids="test-0-7"),
    "a version that never was": replaced(level="low", version="9.9.9"),
    "a rulebook that never was": replaced(level="low", rulebook="mine"),
    "no rulebook": replaced(level="low", rulebook=None),
    "no version": replaced(level="low", version=None),
    "no rules": replaced(rule_ids=None),
    "no level": replaced(level=None),
    "a newer row of the history": appended("R5", level="low", rule_ids=""),
}

IN_THE_RECORDS: dict[str, Hand] = {
    "an override": overridden(),
    "an override by an invented rule": overridden(rule_id="because"),
    "an override by a rule of another level": overridden(rule_id="test-0-7"),
    "an override of another rulebook's version": overridden(rulebook="dengue-3@7.0.0"),
    "an override for half a year": overridden(ends_at=datetime.fromisoformat("2026-09-01T00:00:00+00:00")),
    "an override with an entry beside the log": with_an_entry,
    "an override by no appeal": upheld_by(None),
    "an override by an appeal that was dismissed": upheld_by(Outcome.DISMISSED),
    "an override by an appeal that led to another": upheld_by(Outcome.UPHELD, again=True),
    "another's override": of_another,
    "an override that was ended": revived,
    "an override that was replaced": replaced_override,
    "an override that nobody ended": true_override(ended_at=datetime.fromisoformat("2026-02-27T00:00:00+00:00")),
    "an override that was deleted": true_override(),
    "an override of another reach": true_override(against="low"),
    "an appeal that nobody filed": late_appeal,
    "an appeal that nobody took back": closed_appeal,
}


def undone(node: Node) -> None:
    """Records as they were. What the actions said stays in the log, and that it is over."""
    with node.change(LI) as change:
        for entry in node.log.entries(kind="level.overridden"):
            change.event("level.override-ended", override=entry.event["override"])
        for entry in node.log.entries(kind="appeal.filed"):
            change.event("appeal.withdrawn", appeal=entry.event["appeal"], state="withdrawn", due=None)
    with node.records.writing() as connection:
        connection.execute(sa.delete(schema.level_override))
        connection.execute(sa.delete(schema.appeal))
        connection.execute(sa.delete(schema.log_entry).where(schema.log_entry.c.idx >= node.log.size()))


def passes(node: Node) -> int:
    with node.records.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(schema.issued_pass)).scalar_one())


def test_no_level_that_was_written_by_hand_is_believed(node: Node, records: str) -> None:
    levels, history = (node.engine.to_arrow(node.engine.table(name)) for name in (TABLE, HISTORY))
    old = pass_actions.issue_pass(node, by=LI, person="R5")
    attempts: list[Callable[[], object]] = [
        lambda: corrections.read_level(node, by=R5, person="R5"),
        lambda: pass_actions.issue_pass(node, by=LI, person="R5"),
        lambda: renewal_actions.renew_pass(node, by=LI, pass_id=old.pass_id),
    ]
    # The lake's tables are the same files on both databases.
    hands = IN_THE_RECORDS if records == "postgresql" else IN_THE_LAKE | IN_THE_RECORDS
    for name, hand in hands.items():
        hand(node)
        before = passes(node)
        for attempt in attempts:
            with pytest.raises(Tampered) as told:
                attempt()
            assert told.value.do, name
        batch = batch_actions.issue_batch(node, by=LI, persons=["R1", "R5"])
        assert [one.person for one in batch.passes] == ["R1"], name  # nobody else's matter
        assert dict(batch.refused) == {"R5": told.value.what}, name
        assert passes(node) == before + 1, name
        undone(node)
        if hand in IN_THE_LAKE.values():
            node.lake.replace(TABLE, levels)
            node.lake.replace(HISTORY, history)
        assert level(node, "R5") == "high", name


def test_what_was_written_by_hand_is_undone_by_the_remedy_that_is_told(new_region: NewNode) -> None:
    node = new_region()
    replaced(level="low")(node)
    with pytest.raises(Tampered, match="Decide the levels again"):
        level(node, "R5")
    level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert level(node, "R5") == "high"
    write_override(node)
    with pytest.raises(Tampered, match="End it with two persons"):
        level(node, "R5")
    corrections.end_override(node, by=LI, second=WANG, override_id="byhand")
    assert level(node, "R5") == "high"


def test_what_two_persons_did_is_not_taken_for_by_hand(new_region: NewNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node = new_region()
    first = lowered(node, "R5", (node.clock() + timedelta(days=7)).astimezone(timezone(timedelta(hours=8))))
    assert level(node, "R5") == "low" and first.ends_at.utcoffset() == timedelta()
    with node.change(LI) as change:  # an earlier release told the end as it was given
        change.event("level.override-ended", override=first.id)
        told = first.event() | {"ends_at": first.ends_at.astimezone(timezone(timedelta(hours=8))).isoformat()}
        change.event("level.overridden", **told, whose=mark_of(node, first.pseudonym, first.id))
        change.execute(schema.level_override.update().values(made_at=change.at))
    assert level(node, "R5") == "low"
    second = lowered(node, "R5", node.clock() + timedelta(days=6))
    (ended,) = node.log.entries(kind="level.overridden", limit=1)[0].event["ended"]
    assert len(ended) == 32 and ended not in (first.id, second.id)  # nobody can tell that both are one person's
    assert level(node, "R5") == "low"
    with node.records.writing() as connection:  # another's entry can't be read any more
        (last,) = node.log.entries(kind="level.overridden", limit=1)
        other = {"idx": last.index - 1, "kind": "level.overridden", "data": b"{}"}
        connection.execute(schema.log_entry.update().where(schema.log_entry.c.idx == other["idx"]).values(**other))
    object.__setattr__(node, "memory", Memory())
    assert level(node, "R5") == "low"
    true = told_queries.told_of

    def after_the_end(*args: Any) -> Any:
        monkeypatch.setattr(told_queries, "told_of", true)
        corrections.end_override(node, by=LI, second=WANG, override_id=second.id)
        return true(*args)

    monkeypatch.setattr(told_queries, "told_of", after_the_end)
    assert level(node, "R5") == "high"


def test_a_row_of_a_run_that_never_was_is_passed_over(kept: Kept) -> None:
    doors = again(kept)
    node = doors.node
    appended("R1", high_water=node.lake.high_water(HISTORY), level="low", rule_ids="")(node)
    assert level(node, "R1") == "medium"
    left_out = {"en": "1 row was altered and is left out", "zh": "有 1 行被篡改，未列出"}
    for language, words in left_out.items():
        assert words in doors.client("R1").get(f"/{language}/pass").text
    folder = node.settings.folder
    node.close()
    told = CommandLine()("levels", "show", "R1", "--node", folder)
    assert told.code == 0 and "altered and are left out: 1" in told.out
    told = CommandLine()("levels", "show", "R1", "--node", folder, "--json")
    assert (told.json["history_altered"], [one["level"] for one in told.json["history"]]) == (1, ["medium"])


def test_a_row_among_many_is_found_by_one_query(new_region: NewNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node = new_region()
    names = {number: region.pseudonym(node, number) for number in region.RESIDENTS}
    replaced(level="low", rule_ids="")(node)
    one_by_one = level_queries.person_statuses(node, list(names.values()))
    monkeypatch.setattr(level_queries, "FEW", 0)
    at_once = level_queries.person_statuses(node, list(names.values()))
    assert at_once == one_by_one
    assert at_once.altered == {names["R5"]} and len(at_once.statuses) == len(names) - 1
    batch = batch_actions.issue_batch(node, by=LI, persons=list(names))
    assert dict(batch.refused).keys() == {"R4", "R5"} and "altered" in dict(batch.refused)["R5"]


def test_every_door_says_that_it_was_altered(kept: Kept) -> None:
    doors = again(kept)
    appended("R1", level="low", rule_ids="")(doors.node)
    client, header = doors.client(), doors.header("R1")
    for method, path in (
        ("GET", "/api/health-code/health"),
        ("POST", "/api/health-code/issue"),
        ("POST", "/api/passes"),
    ):
        answer = client.request(method, path, headers=header, json={"person": "R1"} if method == "POST" else None)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:hutong:problem:tampered"), path
        assert "altered" in answer.json()["title"] and "Decide the levels again" in answer.json()["detail"]
    history = client.get("/api/passes/level-history", headers=header).json()
    assert ([one["level"] for one in history["steps"]], history["altered"]) == (["medium"], 1)
    browser, said = doors.client("R1"), {"en": "A level in the lake was altered", "zh": "数据湖中的一个等级被篡改"}
    for language, words in said.items():
        for page in ("pass", "appeals"):
            answer = browser.get(f"/{language}/{page}")
            assert (answer.status_code, words in answer.text) == (422, True), page
    folder = doors.node.settings.folder
    doors.node.close()
    told = CommandLine()("levels", "show", "R1", "--node", folder)
    assert (told.code, told.out, "altered" in told.err) == (Tampered.exit_code, "", True)
