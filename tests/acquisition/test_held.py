"""Held rows are decided about once: they become facts, or they are turned down, and are in exactly one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.acquisition import actions as acquisition
from hutong.acquisition import held_queries, queries
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.held import MOST_CHOSEN_ROWS, HeldDecision, Outcome, parse_rows
from hutong.acquisition.held_actions import decide_held
from hutong.acquisition.receipt import Receipt
from hutong.acquisition.source import Source
from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, NotFound, Refused, Tampered
from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node
from hutong.rights import vault
from hutong.storage import inbox, schema
from hutong.storage.lake import Lake
from hutong.trust.authorisation import ROLES, Actor
from tests.conftest import Clock, NewNode
from tests.within import within

STEWARD = Actor("chen", "account", frozenset({"steward"}), "tw")
ORDER, RANGE = "notification-before-onset", "out-of-range"
CASES = """\
mapping: cases
version: 1
table: case
elements:
  disease: {constant: dengue}
  case_count: {constant: 1}
  onset_date: {from: onset, date: "%Y-%m-%d"}
  notification_date: {from: notified, date: "%Y-%m-%d"}
  date_precision: {constant: day}
  sex: {from: sex, codes: {F: female, M: male}}
  age: {from: age}
  residence_longitude: {from: longitude}
  imported: {from: imported, codes: {"Y": true, "N": false}}
  residence_area_code: {from: area, prefix: "TW-"}
true_from: onset_date
rows:
  - id: notification-before-onset
    require: "notification_date >= onset_date"
    else: held
    reason: The case was notified before its symptoms began.
"""
LIST = """\
onset,notified,sex,age,longitude,imported,area
2026-02-01,2026-02-03,F,31,120.25,N,6702
2026-02-02,2026-02-01,M,32,120.5,Y,6702
2026-02-03,2026-02-04,F,212,120.75,N,6703
2026-02-04,2026-02-02,F,34,,N,6703
2026-02-05,2026-02-06,M,35,121.0,N,6702
2026-02-06,2026-02-01,M,36,121.25,,6703
2026-02-07,,F,300,121.5,N,
"""
"""Accepted: rows 1 and 5; held for their order: 2, 4 and 6; held for an age: 3 and 7."""
PEOPLE = """\
mapping: people
version: 1
table: person
elements:
  pseudonym: {vault: number}
  id_number: {from: number}
  name: {from: name}
  sex: {from: sex}
  birth_year: {from: born}
  residence_area_code: {from: area}
"""


@pytest.fixture
def node(new_node: NewNode, records: str) -> Node:
    """A node that may take in cases and persons."""
    node = new_node("tw")
    text = {"en": "Exercise", "zh": "演练"}
    days = (date(2026, 2, 15), date(2026, 3, 15), date(2026, 4, 1))
    declared = Emergency("e", text, text, text, "TW", *days)
    governance.declare_emergency(node, by=node.operator, emergency_=declared)
    set_boundary(node, "wide")
    source = Source("s", {"en": "List", "zh": "名单"}, "Test", "TW", "CC0-1.0", "", "")
    acquisition.declare_source(node, by=STEWARD, source=source)
    return node


def set_boundary(node: Node, name: str, leave_out: frozenset[str] = frozenset()) -> None:
    tables = {
        table: frozenset(one.name for one in node.standard.table(table).elements) - leave_out
        for table in ("case", "person")
    }
    boundary = Boundary(name, "e", "Surveillance", tables, date(2026, 3, 31))
    acquisition.set_boundary(node, by=node.operator, boundary=boundary)


@pytest.fixture
def take(node: Node, tmp_path: Path) -> Callable[..., Receipt]:
    def take_in(text: str = LIST, mapping: str = CASES) -> Receipt:
        path = tmp_path / "list.csv"
        path.write_text(text, "utf-8")
        return acquisition.acquire(node, by=STEWARD, source_id="s", path=path, mapping=mapping)

    return take_in


def decide(
    node: Node, receipt: Receipt, outcome: Outcome = "released", rule: str = ORDER, **given_: Any
) -> HeldDecision:
    wish: dict[str, Any] = {"reason": "The source confirmed both dates.", "by": STEWARD, **given_}
    return decide_held(node, receipt_id=receipt.id, rule=rule, outcome=outcome, **wish)


def facts(node: Node, table: str = "case") -> list[dict[str, Any]]:
    node.move_inbox()
    rows = node.engine.to_arrow(node.engine.table(table)).to_pylist()
    return sorted(rows, key=lambda row: str(row["row_number"]))


def places(node: Node, receipt: Receipt) -> dict[int, list[str]]:
    """Where each held row is: sealed, on its way to the lake, in it, or discarded."""
    found: dict[int, list[str]] = {}
    with node.records.reading() as connection:
        items = connection.execute(sa.select(schema.receipt_item).where(schema.receipt_item.c.outcome == "held")).all()
        batches = connection.execute(sa.select(schema.inbox.c.seq, schema.inbox.c.payload)).all()
        outcomes = dict(connection.execute(sa.select(schema.held_decision.c.id, schema.held_decision.c.outcome)).all())
    import pyarrow as pa

    lake = node.lake.snapshot("case").files if node.lake.exists("case") else ()
    in_lake = node.engine.to_arrow(node.engine.table("case")).to_pylist() if lake else []
    mark = node.lake.high_water("case")
    moving = [
        row for seq, payload in batches if seq > mark for row in pa.ipc.open_stream(payload).read_all().to_pylist()
    ]
    for item in items:
        here = ["sealed"] if item.sealed is not None else []
        here += [where for where, rows in (("inbox", moving), ("lake", in_lake)) for row in rows
                 if (row["receipt_id"], row["row_number"]) == (receipt.id, item.row_number)]  # fmt: skip
        here += ["discarded"] if item.decision is not None and outcomes[item.decision] == "discarded" else []
        found[item.row_number] = here
    return found


def test_what_is_released_is_what_would_have_been_accepted(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    assert (receipt.accepted, receipt.held, receipt.rejected) == (2, 5, 0)
    assert [(one.rule, one.waiting) for one in held_queries.held_rules(node, receipt.id)] == [(ORDER, 3), (RANGE, 2)]
    before = facts(node)
    decision = decide(node, receipt)
    assert (decision.rows, decision.outcome, decision.by, decision.repeated) == (3, "released", "chen", False)
    assert inbox.waiting(node.records, node.lake) == {"case": 3}
    after = facts(node)
    assert [row["row_number"] for row in after] == [1, 2, 4, 5, 6]
    # But for the rule, these rows would have been accepted: the same list without the rule says what they must be.
    without = CASES.partition("rows:")[0].replace("mapping: cases", "mapping: lenient")
    lenient = take(LIST + "2026-02-08,2026-02-09,F,1,120.0,N,6702\n", without)
    expected = {row["row_number"]: row for row in facts(node) if row["receipt_id"] == lenient.id}
    of_run = ("fact_id", "receipt_id", "known_at")
    for row in after:
        twin = expected[row["row_number"]]
        assert {k: v for k, v in row.items() if k not in of_run} == {k: v for k, v in twin.items() if k not in of_run}
    assert {row["known_at"] for row in after} == {row["known_at"] for row in before}
    assert len({row["fact_id"] for row in after}) == 5
    assert {row["receipt_id"] for row in after} == {receipt.id}


def test_a_value_that_was_none_stays_away(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    decide(node, receipt, rule=RANGE)
    released = [row for row in facts(node) if row["row_number"] in (3, 7)]
    assert [(row["age"], row["sex"]) for row in released] == [(None, "female"), (None, "female")]


def test_what_is_discarded_is_gone_for_good(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    decision = decide(node, receipt, "discarded", reason=" Entered twice. ")
    assert (decision.rows, decision.reason) == (3, "Entered twice.")
    assert [row["row_number"] for row in facts(node)] == [1, 5]
    with pytest.raises(Conflict, match="were discarded on 2026-03-01"):
        decide(node, receipt)
    with node.records.reading() as connection:
        kept = connection.execute(sa.select(schema.receipt_item.c.row_number, schema.receipt_item.c.sealed)).all()
    assert {row.row_number for row in kept if row.sealed is None} == {2, 4, 6}


def test_chosen_rows(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    assert decide(node, receipt, rows=[4]).rows == 1
    assert decide(node, receipt, "discarded", rows={2, 6}).rows == 2
    assert [row["row_number"] for row in facts(node)] == [1, 4, 5]
    (order, range_) = sorted(held_queries.held_rules(node, receipt.id), key=lambda one: one.rule)
    assert (order.waiting, order.released, order.discarded, range_.waiting) == (0, 1, 2, 2)
    items = {one["row_number"]: one["decision"] for one in queries.receipt_items(node, receipt.id)}
    assert items == {2: "discarded", 3: None, 4: "released", 6: "discarded", 7: None}
    assert [one["row_number"] for one in queries.receipt_items(node, receipt.id, outcome="waiting")] == [3, 7]
    assert held_queries.rows_waiting(node) == 2
    assert [(one.rule, one.waiting) for one in held_queries.waiting_rules(node)] == [(RANGE, 2)]


def test_the_same_decision_again_changes_nothing(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    first, chosen = decide(node, receipt), decide(node, receipt, "discarded", rule=RANGE, rows=[7])
    size = node.log.size()
    again, chosen_again = decide(node, receipt), decide(node, receipt, "discarded", rule=RANGE, rows=[7])
    assert (again.id, again.repeated, chosen_again.id, chosen_again.repeated) == (first.id, True, chosen.id, True)
    for wish in (
        {"reason": "Another reason."},
        {"outcome": "discarded"},
        {"rows": [2]},
        {"rule": RANGE, "rows": [7]},
        {"rule": RANGE, "rows": [3, 7], "outcome": "discarded"},
    ):
        with pytest.raises(Conflict):
            decide(node, receipt, **wish)
    assert node.log.size() == size
    assert [row["row_number"] for row in facts(node)] == [1, 2, 4, 5, 6]


def test_what_can_not_be_decided(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    size = node.log.size()
    faults: list[tuple[dict[str, Any], type[HutongError]]] = [
        ({"rule": "no-such-rule"}, NotFound),
        ({"rows": [1]}, NotFound),  # accepted
        ({"rows": [3]}, NotFound),  # held by the other rule
        ({"rows": [2, 99]}, NotFound),
        ({"rows": []}, BadInput),
        ({"rows": range(1, MOST_CHOSEN_ROWS + 2)}, LimitExceeded),
        ({"reason": "  "}, BadInput),
        ({"reason": "x" * 2001}, BadInput),
        ({"outcome": "accepted"}, BadInput),
    ]
    for wish, error in faults:
        with pytest.raises(error):
            decide(node, receipt, **wish)
    with pytest.raises(NotFound):
        decide_held(node, by=STEWARD, receipt_id="none", rule=ORDER, outcome="released", reason="x")
    assert node.log.size() == size
    assert all(where == ["sealed"] for where in places(node, receipt).values())


def test_only_a_steward_decides(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    for role in set(ROLES) - {"steward", "operator"}:
        with pytest.raises(Refused):
            decide(node, receipt, by=Actor("x", "account", frozenset({role}), "tw"))
    assert decide(node, receipt, by=node.operator).by == "operator"


def test_nothing_is_released_without_a_boundary_that_allows_it(
    node: Node, take: Callable[..., Receipt], clock: Clock
) -> None:
    receipt = take()
    clock.advance(minutes=1)
    set_boundary(node, "narrow", frozenset({"residence_longitude", "age"}))
    with pytest.raises(Refused, match=r"does not allow age, residence_longitude"):
        decide(node, receipt)
    assert decide(node, receipt, rule=RANGE, outcome="discarded").rows == 2
    clock.now += timedelta(days=40)
    with pytest.raises(Refused, match="No boundary in force"):
        decide(node, receipt)
    assert decide(node, receipt, "discarded").rows == 3


def test_the_log_tells_counts_and_no_reason(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    decision = decide(node, receipt, reason="Mr Lin said so.")
    (entry,) = node.log.entries(kind="held-rows.released")
    told = entry.event
    assert (told["receipt"], told["rule"], told["rows"], told["decision"]) == (receipt.id, ORDER, 3, decision.id)
    (kept,) = held_queries.decisions(node, receipt.id)
    assert told["commitment"] == kept.commitment == decision.commitment
    assert (kept.reason, kept.decided_at) == ("Mr Lin said so.", node.clock())
    assert b"Lin" not in entry.data


def test_who_was_held_is_sealed_and_comes_into_the_vault_when_released(
    node: Node, take: Callable[..., Receipt]
) -> None:
    rows = "number,name,sex,born,area\nA1,An Lin,female,1950,TW-1\nA2,Bo Wu,male,1700,TW-1\nA3,Ce Xu,male,1701,TW-1\n"
    receipt = take(rows, PEOPLE)
    assert (receipt.accepted, receipt.held) == (1, 2)
    with pytest.raises(NotFound):
        vault.pseudonym_of(node, "A2")
    decide(node, receipt, rule=RANGE, rows=[2])
    (known,) = {vault.pseudonym_of(node, "A2")} - {vault.pseudonym_of(node, "A1")}
    released = next(row for row in facts(node, "person") if row["row_number"] == 2)
    assert released["pseudonym"] == known
    assert not {"name", "id_number"} & set(released)
    with pytest.raises(NotFound):
        vault.pseudonym_of(node, "A3")
    with node.records.reading() as connection:
        sealed = connection.execute(sa.select(schema.receipt_item.c.sealed, schema.receipt_item.c.raw)).all()
        entry = connection.execute(
            sa.select(schema.vault_entry.c.sealed).where(schema.vault_entry.c.pseudonym == known)
        ).scalar_one()
    assert vault.unseal(node.keys.vault_key, known, entry)["name"] == "Bo Wu"
    assert not any(b"Ce Xu" in (row.sealed or b"") or "Ce Xu" in str(row.raw) for row in sealed)


def test_an_older_held_row_does_not_rename_a_person(node: Node, take: Callable[..., Receipt]) -> None:
    head = "number,name,sex,born,area\n"
    old = take(head + "A1,Old Name,female,1700,TW-1\n", PEOPLE)
    take(head + "A1,New Name,female,1950,TW-1\n", PEOPLE)
    decide(node, old, rule=RANGE)
    name = vault.pseudonym_of(node, "A1")
    with node.records.reading() as connection:
        (entry,) = connection.execute(sa.select(schema.vault_entry.c.sealed)).scalars()
    assert vault.unseal(node.keys.vault_key, name, entry)["name"] == "New Name"


def test_a_content_of_another_row_is_noticed(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()
    item = schema.receipt_item
    with node.records.writing() as connection:
        other = connection.execute(sa.select(item.c.sealed).where(item.c.row_number == 4)).scalar_one()
        connection.execute(item.update().where(item.c.row_number == 2).values(sealed=other))
    with pytest.raises(Tampered):
        decide(node, receipt)


def test_a_finding_stays_and_counts_once(node: Node, take: Callable[..., Receipt]) -> None:
    receipt = take()

    def concerned() -> dict[str, tuple[int, int]]:
        report = acquisition.assess_quality(node, by=STEWARD, source_id="s")
        return {result.id: (result.checked, result.concerned) for result in report.results}

    before = concerned()
    assert before[ORDER] == (5, 3)
    decide(node, receipt, rows=[2, 4])
    assert concerned()[ORDER] == (5, 3)
    decide(node, receipt, "discarded", rows=[6])
    after = concerned()
    assert after[ORDER] == (5, 3)
    assert after["not-accepted"] == before["not-accepted"] == (7, 5)
    assert queries.receipt(node, receipt.id) == receipt


class Killed(BaseException):
    """Stands for the end of the process: nothing handles it."""


@contextmanager
def killed_at(node: Node, point: int) -> Iterator[list[int]]:
    """Let the process end before the statement of that number, or (uneven) after it; tells how many there were."""
    passed = [0]

    def here(*told: Any) -> None:
        passed[0] += 1
        if passed[0] == point:
            # With the process its cursors and its connection end.
            for cursor in told[1:2]:
                cursor.close()
            told[0].invalidate()
            raise Killed

    moments = ("before_cursor_execute", "after_cursor_execute", "commit")
    for moment in moments:
        sa.event.listen(node.records.engine, moment, here)
    try:
        yield passed
    finally:
        for moment in moments:
            sa.event.remove(node.records.engine, moment, here)


@pytest.mark.parametrize("outcome", ["released", "discarded"])
def test_a_crash_at_any_point_leaves_each_row_in_one_place(
    node: Node, take: Callable[..., Receipt], outcome: Outcome
) -> None:
    receipt = take()
    node.move_inbox()
    done = {"released": "inbox", "discarded": "discarded"}[outcome]
    size = node.log.size()
    point = 0
    while True:
        point += 1
        with killed_at(node, point) as passed, suppress(Killed):
            decide(node, receipt, outcome)
        if passed[0] < point:
            break
        assert places(node, receipt) == {row: ["sealed"] for row in (2, 3, 4, 6, 7)}, point
        assert node.log.size() == size, point
    assert point > 15
    node.log.check()
    where = {2: [done], 3: ["sealed"], 4: [done], 6: [done], 7: ["sealed"]}
    assert places(node, receipt) == where
    assert decide(node, receipt, outcome).repeated
    assert node.log.size() == size + 1
    node.move_inbox()
    assert places(node, receipt) == {row: ["lake"] if here == ["inbox"] else here for row, here in where.items()}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_while_released_rows_move(
    node: Node, take: Callable[..., Receipt], moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = take()
    node.move_inbox()
    decide(node, receipt)
    append = Lake.append

    def failing(self: Lake, *given_: Any, **more: Any) -> None:
        if moment == "after":
            append(self, *given_, **more)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "append", failing)
        with pytest.raises(Killed):
            node.move_inbox()
    here = {"before": ["inbox"], "after": ["lake"]}[moment]
    assert places(node, receipt) == {2: here, 3: ["sealed"], 4: here, 6: here, 7: ["sealed"]}
    assert [row["row_number"] for row in facts(node)] == [1, 2, 4, 5, 6]


def test_two_who_decide_at_once(node: Node, take: Callable[..., Receipt], monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = take()
    from hutong.acquisition import held_actions

    prepare = held_actions._prepare

    def overtaken(*given_: Any) -> Any:
        prepared = prepare(*given_)
        with monkeypatch.context() as patched:
            patched.setattr(held_actions, "_prepare", prepare)
            decide(node, receipt, "discarded", rows=[4])
        return prepared

    with monkeypatch.context() as patched:
        patched.setattr(held_actions, "_prepare", overtaken)
        with pytest.raises(Conflict, match="at the same moment"):
            decide(node, receipt)
    assert places(node, receipt)[2] == ["sealed"]
    assert decide(node, receipt).rows == 2


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", None),
        (" , ", None),
        ("5", {5}),
        ("5, 7，9;11、2", {2, 5, 7, 9, 11}),
        ("10-12 3", {3, 10, 11, 12}),
        ("10 – 12", {10, 11, 12}),
        ("\t10  \n-\u3000 12 \n", {10, 11, 12}),
    ],
)
def test_row_numbers_as_people_write_them(text: str, rows: set[int] | None) -> None:
    assert parse_rows(text) == (None if rows is None else frozenset(rows))


@pytest.mark.parametrize("text", ["x", "5-", "-5", "9-7", "1.5", "٣", "5--7", "1-2-3", "9999999999"])
def test_what_is_no_row_number(text: str) -> None:
    with pytest.raises(BadInput):
        parse_rows(text)
    with pytest.raises(LimitExceeded):
        parse_rows("1-999999999")


def test_row_numbers_far_apart_are_read_at_once() -> None:
    with within():
        assert parse_rows("5" + " " * 1_000_000 + "7") == frozenset({5, 7})


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, 10_000), min_size=1, max_size=50))
def test_row_numbers_are_read_back(rows: set[int]) -> None:
    assert parse_rows(", ".join(str(row) for row in rows)) == frozenset(rows)


WRONG_DATES = CASES.replace('{from: onset, date: "%Y-%m-%d"}', '{from: onset, date: "%d.%m.%Y", on_invalid: held}')


def test_a_first_try_that_came_to_nothing_is_no_obstacle(node: Node, tmp_path: Path) -> None:
    """A dry run saves nothing; a file of which nothing was accepted may be taken in under another mapping, once."""
    path = tmp_path / "list.csv"
    path.write_text(LIST)

    def take(mapping: str) -> Receipt:
        return acquisition.acquire(node, by=STEWARD, source_id="s", path=path, mapping=mapping)

    size = node.log.size()
    tried = acquisition.rehearse(node, by=STEWARD, source_id="s", path=path, mapping=CASES)
    assert (tried.receipt.accepted, node.log.size(), queries.receipts(node)) == (2, size, [])
    wrong = take(WRONG_DATES)
    assert (wrong.accepted, wrong.held) == (0, 7)
    with pytest.raises(Conflict, match="another mapping"):
        take(CASES)
    for rule in held_queries.held_rules(node, wrong.id):
        decide_held(node, by=STEWARD, receipt_id=wrong.id, rule=rule.rule, outcome="discarded", reason="Wrong mapping.")
    taken = take(CASES)
    told = [reason[1:] for reason in queries.reasons(node, [taken.id])]
    assert (taken.accepted, [reason[1:] for reason in tried.reasons]) == (2, told)
    assert len(told) > 1
    with pytest.raises(Conflict, match="another mapping"):
        take(CASES.replace("version: 1", "version: 2"))


def test_a_label_stands_on_what_it_has_seen(node: Node, take: Callable[..., Receipt]) -> None:
    """Files and decisions make it old; a file that adds nothing does not."""
    receipt = take()
    with pytest.raises(NotFound):
        queries.quality_of_all(node, "s")

    def assessed() -> bool:
        report = acquisition.assess_quality(node, by=STEWARD, source_id="s")
        return queries.quality_of_all(node, "s") == report

    assert assessed()
    take()
    assert queries.quality_of_all(node, "s").rows == 2
    for change in (lambda: decide(node, receipt), lambda: take(LIST.replace("F,31", "F,30"))):
        change()
        with pytest.raises(Conflict, match="More came from s"):
            queries.quality_of_all(node, "s")
        assert assessed()
