"""What doors read about levels: a person's newest one, its history, and how long it takes to follow the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from hutong.errors import NotFound, Tampered
from hutong.insight.risk_area import TABLE as RISK_TABLE
from hutong.node import Node
from hutong.rights.person import owned, pseudonym_of
from hutong.trust.authorisation import Actor

from ..rulebook import queries as rulebook_queries
from . import planned
from .status import TABLE, PersonStatus, read_status
from .update import EVIDENCE, HISTORY

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CHANGES = 1000


MOST_MEASURED = 1_000_000


WITHHELD_BELOW = 10


"""Times of fewer changes would tell of persons."""


ALWAYS = ("level", "rule_ids", "rulebook", "version", "as_of", "decided_at", "run")
"""Columns of a status that no run leaves empty."""


FEW = 50
"""Levels of so many persons are followed one by one; it takes an engine longer to begin."""


@dataclass(frozen=True, slots=True)
class StoredStatuses:
    """The newest statuses of persons, by pseudonym; ``altered``: whose was not given by the rules that it names."""

    statuses: Mapping[str, PersonStatus]
    altered: frozenset[str]


def person_status(node: Node, pseudonym: str) -> PersonStatus:
    """The newest level of one person.

    Raises:
        NotFound: before levels were decided, or for nobody known.
        Tampered: the level was written by hand: the rules that it names don't give it.
    """
    if not node.lake.exists(TABLE):
        raise NotFound("No levels were decided yet.", "Decide them with: hutong levels decide")
    found = person_statuses(node, [pseudonym])
    if pseudonym in found.altered:
        raise altered()
    if pseudonym not in found.statuses:
        raise NotFound("Nobody of that number has a level.", "Check the number, or decide the levels again.")
    return found.statuses[pseudonym]


def altered() -> Tampered:
    """What a level is answered with that no rule gave."""
    return Tampered(
        "A level in the lake was altered: the rules that it names do not give it.",
        "Decide the levels again, and find out who can write to the lake.",
    )


def person_statuses(node: Node, pseudonyms: Sequence[str]) -> StoredStatuses:
    """The newest levels of many persons in one query; who has none is left out."""
    there = node.lake.tables()
    if TABLE not in there or not pseudonyms:
        return StoredStatuses({}, frozenset())
    asked = {planned.SOME: _asked(pseudonyms), planned.LAST: last_run(node)}
    rows = node.engine.run(planned.newest(there), asked)
    wrong = _altered(node, rows)
    read = (read_status(row) for row in rows.to_pylist() if row["pseudonym"] not in wrong)
    return StoredStatuses({one.pseudonym: one for one in read}, wrong)


def newest_run(node: Node) -> int:
    """The number of the newest run that decided levels; 0 before the first."""
    return node.lake.high_water(HISTORY)


def last_run(node: Node) -> pa.Table:
    """The number of the newest run, as the rows of LAST."""
    import pyarrow as pa

    return pa.table({"last_run": pa.array([node.lake.high_water(HISTORY)], pa.int64())})


def _asked(pseudonyms: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    return pa.table({"pseudonym": pa.array(pseudonyms, pa.string())})


def _altered(node: Node, rows: pa.Table) -> frozenset[str]:
    """Whose stored level lacks what every run writes, or isn't what the rules that it names give.

    A few are looked at one by one, many in a query a rulebook.
    """
    import pyarrow.compute as pc

    lacking = reduce(pc.or_, (pc.is_null(rows[name]) for name in ALWAYS))
    wrong: set[str] = set(rows.filter(lacking)["pseudonym"].to_pylist())
    rows = rows.filter(pc.invert(lacking))
    for name in rows.group_by(["rulebook", "version"]).aggregate([]).to_pylist():
        of_it = rows.filter((pc.field("rulebook") == name["rulebook"]) & (pc.field("version") == name["version"]))
        try:
            book = rulebook_queries.rulebook(node, name["rulebook"], name["version"])
        except NotFound:
            wrong.update(of_it["pseudonym"].to_pylist())
            continue
        if of_it.num_rows <= FEW:
            wrong.update(row["pseudonym"] for row in of_it.to_pylist() if not read_status(row).follows_from(book))
        else:
            found = node.engine.run(planned.not_following(book), {planned.STORED: of_it})
            wrong.update(found["pseudonym"].to_pylist())
    return frozenset(wrong)


@dataclass(frozen=True, slots=True)
class LevelChange:
    """One change of a person's level or of the rules that gave it.

    Attributes:
        previous_level: None for the first one.
        evidence_known_at: when the oldest evidence that caused it was known; None where none did: the first run, a new
            day, a new version of the rulebook.
    """

    level: str
    previous_level: str | None
    rule_ids: tuple[str, ...]
    rulebook: str
    version: str
    as_of: date
    evidence_known_at: datetime | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class UpdateLatency:
    """Seconds from known evidence to the changed level, over the newest changes; None before there are any."""

    changes: int
    median_seconds: float | None
    p95_seconds: float | None


@dataclass(frozen=True, slots=True)
class LevelHistory:
    """A person's levels over time, the newest first; ``altered``: how many rows are left out, for no run gave them."""

    changes: tuple[LevelChange, ...] = ()
    altered: int = 0


def status_history(node: Node, pseudonym: str) -> LevelHistory:
    """A person's levels over time, at most MOST_CHANGES. Nothing for somebody unknown."""
    import pyarrow as pa

    if not node.lake.exists(HISTORY):
        return LevelHistory()
    last = node.lake.high_water(HISTORY)
    found = node.engine.run(planned.history(MOST_CHANGES), {planned.SOME: _asked([pseudonym])})
    # Each row stands for itself here: its number takes the place of the person's.
    numbers = pa.array([str(number) for number in range(found.num_rows)], pa.string())
    wrong = _altered(node, found.set_column(found.schema.get_field_index("pseudonym"), "pseudonym", numbers))
    rows = [row for number, row in enumerate(found.to_pylist()) if str(number) not in wrong and row["run"] <= last]
    return LevelHistory(tuple(_change(row) for row in rows), found.num_rows - len(rows))


def _change(row: Mapping[str, Any]) -> LevelChange:
    return LevelChange(
        level=row["level"],
        previous_level=row["previous_level"],
        rule_ids=tuple(row["rule_ids"].split()),
        rulebook=row["rulebook"],
        version=row["version"],
        as_of=row["as_of"],
        evidence_known_at=row["evidence_known_at"],
        decided_at=row["decided_at"],
    )


def readable_history(node: Node, by: Actor, person: str) -> LevelHistory:
    """As :func:`status_history`, for the resident whose it is, or the authority. ``Refused`` for others.

    Args:
        person: the resident's number, or the pseudonym.
    """
    pseudonym = pseudonym_of(node, person)
    node.require(by, "read_health", owned(node, by, pseudonym))
    return status_history(node, pseudonym)


def update_latency(node: Node, rulebook_id: str | None = None) -> UpdateLatency:
    """How long levels took to follow evidence: median and 95th percentile of the newest MOST_MEASURED changes.

    Args:
        rulebook_id: of this rulebook's runs only.
    """
    import ibis
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        table = node.engine.table(HISTORY)
    except NotFound:
        return UpdateLatency(0, None, None)
    measured = table.filter(table.changed, table.evidence_known_at.notnull())
    if rulebook_id is not None:
        measured = measured.filter(measured.rulebook == rulebook_id)
    newest = measured.order_by(ibis.desc("run")).limit(MOST_MEASURED).select("decided_at", "evidence_known_at")
    rows = node.engine.to_arrow(newest).cast(
        pa.schema([(name, pa.timestamp("us", "UTC")) for name in ("decided_at", "evidence_known_at")])
    )
    if not rows.num_rows:
        return UpdateLatency(0, None, None)
    taken = pc.subtract(rows["decided_at"].cast(pa.int64()), rows["evidence_known_at"].cast(pa.int64()))
    median, p95 = (value / 1e6 for value in pc.quantile(taken, q=[0.5, 0.95]).to_pylist())
    return UpdateLatency(rows.num_rows, median, p95)


def public_latency(node: Node, rulebook_id: str) -> UpdateLatency | None:
    """As :func:`update_latency`, for everybody: None where fewer than WITHHELD_BELOW changes were measured."""
    found = update_latency(node, rulebook_id)
    return found if found.changes >= WITHHELD_BELOW else None


def evidence_locations(node: Node) -> tuple[tuple[str, str], ...]:
    """Names the state of all tables that levels rest on: another one whenever one of them changed. One look-up."""
    there = node.lake.locations()
    return tuple((name, there[name]) for name in (*EVIDENCE, RISK_TABLE) if name in there)


def history_snapshot(node: Node) -> int:
    """Names the state of the history of levels: another one after every run that wrote to it; 0 before the first."""
    return node.lake.snapshot(HISTORY).id if node.lake.exists(HISTORY) else 0
