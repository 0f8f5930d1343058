"""Deciding levels: of everybody, or of those whom evidence concerns that became known since the last run."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import orjson

from hutong.errors import Conflict, NotFound, Refused
from hutong.insight import queries as insight
from hutong.insight.risk_area import TABLE as RISK_TABLE
from hutong.node import Node
from hutong.trust.authorisation import Actor, Resource

from .. import powers
from ..issuance import level_change_actions
from ..rulebook import queries as rulebook_queries
from ..rulebook.rulebook import UNKNOWN, Rulebook
from . import planned, status
from . import queries as level_queries
from . import update as updates
from .status import LevelRun
from .update import EVIDENCE, HISTORY

if TYPE_CHECKING:
    import pyarrow as pa

MOST_NEW_ROWS = 2_000_000
"""With more new rows of one table than this an update is a full run."""

_MARKS = "hutong.levels"
_TOLD = ("levels.decided", "levels.updated")


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a run rests on: rulebook, day, and which snapshot of each table it read (0: none).

    ``run`` is the newest run of which the log has to tell; 0 where an earlier release wrote this.
    """

    rulebook: str
    version: str
    as_of: str
    snapshots: Mapping[str, int]
    run: int = 0


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that has begun; ``snapshots`` are those that its queries read, or older ones."""

    node: Node
    by: Actor
    rulebook: Rulebook
    as_of: date
    there: frozenset[str]
    snapshots: Mapping[str, int]
    started: float

    def marks(self, number: int) -> dict[str, str]:
        """For the next run: what this one rests on, and its number where the log is going to tell of it."""
        basis = _Basis(self.rulebook.id, self.rulebook.version, self.as_of.isoformat(), dict(self.snapshots), number)
        return {_MARKS: orjson.dumps(basis).decode()}


def decide_levels(node: Node, *, by: Actor, rulebook_id: str, as_of: date) -> LevelRun:
    """Give everybody in the lake a level by the newest version of a rulebook; replaces the table ``person_status``.

    Whoever has another level or other rules than before gets a row in ``person_status_history``. Passes that say a less
    severe level than their holders have now are revoked.

    Raises:
        Refused: the policy, or rulebook or emergency not in force.
        NotFound: no such rulebook, nobody in the lake.
        Conflict: the risk areas were not assessed for that day.
    """
    rulebook = _permitted(node, by, rulebook_id)
    _require_risk_areas(node, as_of)
    with _one_run_at_a_time(node):
        node.move_inbox()
        return _full_run(_begin(node, by, rulebook, as_of), _last_basis(node))


def update_levels(node: Node, *, by: Actor, rulebook_id: str) -> LevelRun:
    """Decide again those whom evidence concerns that became known since the last run; touch nobody else.

    That is: the person of a new row; for a test or a case the person's contacts too; for an area whose risk level
    changed its residents and visitors. It is a full run when the rulebook has a new version, the areas were assessed
    for a new day, the last run computed fewer facts or ended before the log told of it, or the lake can't tell what is
    new (rows were rewritten or deleted, or too many came).

    Raises as :func:`decide_levels`; Conflict also when levels were never decided.
    """
    rulebook = _permitted(node, by, rulebook_id)
    node.move_inbox()
    return _update_by(node, by, rulebook)


def _update_by(node: Node, by: Actor, rulebook: Rulebook) -> LevelRun:
    """The update by what is in the lake; the inbox was moved by the caller, once: each move makes a small file."""
    as_of = _require_risk_areas(node, None)
    with _one_run_at_a_time(node):
        basis = _last_basis(node)
        if basis is None:
            raise Conflict("Levels were never decided here.", "Decide them once with: hutong levels decide")
        run = _begin(node, by, rulebook, as_of)
        same = (basis.rulebook, basis.version, basis.as_of) == (rulebook.id, rulebook.version, as_of.isoformat())
        if same and not _lacks_facts(node) and not _untold_run(node):
            known = _known_since(run, basis)
            if known is not None:
                return _update(run, known, basis)
        return _full_run(run, basis)


def follow_evidence(node: Node, *, by: Actor) -> LevelRun | None:
    """What the node's job does: update levels by the rulebook of the last run, if the lake has anything new for it.

    What was acknowledged is moved to the lake first. Nothing is done, and None returned, before levels were decided for
    the first time (which is an authority's to begin), while rulebook or emergency is not in force, and while nothing
    has changed since the last run.

    Raises as :func:`update_levels`.
    """
    basis = _last_basis(node)
    if basis is None:
        return None
    try:
        rulebook = rulebook_queries.rulebook(node, basis.rulebook)
        powers.require_rulebook(node, rulebook)
        as_of = insight.newest_assessment(node)[0].as_of
    except (Refused, NotFound):
        return None
    node.move_inbox()
    unchanged = (basis.version, basis.as_of) == (rulebook.version, as_of.isoformat())
    unchanged = unchanged and _snapshots(node, frozenset(node.lake.tables())) == basis.snapshots
    if unchanged and not _lacks_facts(node) and not _untold_run(node):
        run = _begin(node, by, rulebook, as_of)
        node.memory.store("level-update", most=1).get((rulebook.hash, as_of, run.there), lambda: _rehearse(run))
        return None
    return _update_by(node, by, _permitted(node, by, rulebook.id))


def _permitted(node: Node, by: Actor, rulebook_id: str) -> Rulebook:
    node.require(by, "decide_levels", Resource("Rulebook", rulebook_id))
    rulebook = rulebook_queries.rulebook(node, rulebook_id)
    powers.require_rulebook(node, rulebook)
    return rulebook


def _require_risk_areas(node: Node, as_of: date | None) -> date:
    """The day for which the areas were assessed; ``Conflict`` when it is not the one wanted."""
    try:
        assessed = insight.newest_assessment(node)[0].as_of
    except NotFound:
        assessed = None
    if assessed is None or (as_of is not None and assessed != as_of):
        raise Conflict(f"The risk areas were not assessed for {as_of or 'any day'}.", "Assess them first.")
    return assessed


def _begin(node: Node, by: Actor, rulebook: Rulebook, as_of: date) -> _Run:
    # Snapshots are named before the tables are read: what comes between is then read twice, never left out.
    started, there = time.monotonic(), frozenset(node.lake.tables())
    return _Run(node, by, rulebook, as_of, there, _snapshots(node, there), started)


def _snapshots(node: Node, there: frozenset[str]) -> dict[str, int]:
    """The newest snapshot of each table that levels rest on."""
    return {name: node.lake.snapshot(name).id for name in (*EVIDENCE, RISK_TABLE) if name in there}


def _full_run(run: _Run, basis: _Basis | None) -> LevelRun:
    node, untold = run.node, _untold_run(run.node)
    known = _known_since(run, basis) if basis is not None else None
    decided = node.engine.run(planned.levels(run.rulebook, run.as_of, run.there, of_some=False))
    changed = _changes(run, decided, known, of_some=False)
    number, decided_at = node.lake.high_water(HISTORY) + 1, node.clock()
    # First what changed, then the state: after a crash between them the newest row of each person is right, too.
    rows = _stamped(changed, decided_at, number)
    node.lake.append(HISTORY, rows, high_water=number, properties=run.marks(number))
    state = _stamped(decided.drop_columns(["failed"]), decided_at, number)
    node.lake.replace(status.TABLE, state.select(updates.STATUS_COLUMNS))
    return _told(run, decided, changed.num_rows, number, full=True, untold=untold)


def _rehearse(run: _Run) -> None:
    """An update for nobody, which changes nothing: the first evidence of a day finds its queries translated."""
    import pyarrow as pa

    node, name = run.node, "test"
    if name in run.there:
        schema = node.lake.snapshot(name).schema
        nothing = pa.schema([schema.field(column) for column in updates.EVIDENCE_COLUMNS]).empty_table()
        rows = {planned.new(name): nothing}
        known = node.engine.run(planned.concerned(rows, run.there), rows)
        _decided_of_some(run, known.cast(_nobody().schema))
    level_queries.person_statuses(node, ["nobody"])


def _decided_of_some(run: _Run, known: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Levels of some, and what the history gets of them."""
    query = planned.levels(run.rulebook, run.as_of, run.there, of_some=True)
    decided = run.node.engine.run(query, {planned.SOME: known})
    return decided, _changes(run, decided, known, of_some=True)


def _update(run: _Run, known: pa.Table, basis: _Basis) -> LevelRun:
    import pyarrow.compute as pc

    node = run.node
    decided, rows = _decided_of_some(run, known)
    last = node.lake.high_water(HISTORY)
    # A run for nobody has no number: the log does not tell of it.
    number, owed = (last + 1, last + 1) if decided.num_rows else (last, basis.run)
    stamped = _stamped(rows, node.clock(), number)
    node.lake.append(HISTORY, stamped, high_water=number, properties=run.marks(owed))
    node.compact_small(HISTORY)
    return _told(run, decided, pc.sum(rows["changed"]).as_py() or 0, number, full=False)


def _changes(run: _Run, decided: pa.Table, known: pa.Table | None, *, of_some: bool) -> pa.Table:
    """The rows of the history, still without their time and run."""
    rows = {planned.DECIDED: decided.drop_columns(["failed"]), planned.LAST: level_queries.last_run(run.node)}
    if known is not None:
        rows[planned.SOME] = known
    return run.node.engine.run(planned.changes(run.there, since=known is not None, of_some=of_some), rows)


def _told(run: _Run, decided: pa.Table, changed: int, number: int, *, full: bool, untold: int = 0) -> LevelRun:
    """End passes that are better than the levels, then tell the log.

    The lake, the passes and the entry are several transactions: see :func:`_untold_run`.
    """
    import pyarrow.compute as pc

    counted = {item["values"]: item["counts"] for item in pc.value_counts(decided["level"]).to_pylist()}
    ended = 0
    if decided.num_rows:
        ended = level_change_actions.end_better_passes(
            run.node, by=run.by, decided=decided, rulebook=run.rulebook, run=number
        )
    codes = (*(level.code for level in run.rulebook.levels), UNKNOWN)
    told = LevelRun(
        rulebook=run.rulebook.id,
        version=run.rulebook.version,
        as_of=run.as_of,
        persons=decided.num_rows,
        levels={code: counted.get(code, 0) for code in codes},
        failed=pc.sum(decided["failed"]).as_py() or 0,
        seconds=round(time.monotonic() - run.started, 3),
        changed=changed,
        full=full,
        passes_ended=ended,
    )
    if full or told.persons:
        with run.node.change(run.by) as change:
            # Of an update only how many: levels of a handful of people would tell who they are.
            more: dict[str, Any] = {"levels": dict(told.levels), "failed": told.failed} if full else {}
            if untold:
                more["repeats_untold_run"] = untold
            change.event(
                "levels.decided" if full else "levels.updated",
                run=number,
                rulebook=told.rulebook,
                version=told.version,
                as_of=told.as_of.isoformat(),
                persons=told.persons,
                **more,
            )
    return told


def _stamped(rows: pa.Table, decided_at: datetime, run: int) -> pa.Table:
    import pyarrow as pa

    times = pa.repeat(pa.scalar(decided_at, pa.timestamp("us", "UTC")), rows.num_rows)
    return rows.append_column("decided_at", times).append_column("run", pa.repeat(pa.scalar(run), rows.num_rows))


def _known_since(run: _Run, basis: _Basis) -> pa.Table | None:
    """Whom evidence since a run concerns (pseudonym, evidence_known_at); None when the lake can't tell."""
    node = run.node
    rows: dict[str, pa.Table] = {}
    for name in EVIDENCE:
        before = basis.snapshots.get(name, 0)
        if run.snapshots.get(name, 0) == before:
            continue
        added = node.lake.added_since(name, before, columns=updates.EVIDENCE_COLUMNS, most_rows=MOST_NEW_ROWS)
        if added is None:
            return None
        if added.num_rows:
            rows[planned.new(name)] = added
    areas = _changed_areas(node, basis)
    if areas is None:
        return None
    if areas.num_rows:
        rows[planned.AREAS] = areas
    if not rows:
        return _nobody()
    return node.engine.run(planned.concerned(rows, run.there), rows).cast(_nobody().schema)


def _nobody() -> pa.Table:
    import pyarrow as pa

    return pa.schema([("pseudonym", pa.string()), ("evidence_known_at", pa.timestamp("us", "UTC"))]).empty_table()


def _changed_areas(node: Node, basis: _Basis) -> pa.Table | None:
    """Areas whose level is another one than at a run, and when that was known; None when the lake can't tell."""
    import pyarrow as pa

    before = basis.snapshots.get(RISK_TABLE, 0)
    if node.lake.snapshot(RISK_TABLE).id == before:
        return pa.schema([("area_code", pa.string())]).empty_table()
    old = node.lake.rows_at(RISK_TABLE, before)
    if old is None:
        return None
    columns = ["area_code", "level", "severity"]
    levels = {row["area_code"]: row for row in old.select(columns).to_pylist()}
    now = node.engine.to_arrow(node.engine.table(RISK_TABLE).select(*columns)).to_pylist()
    changed = {row["area_code"] for row in now if levels.pop(row["area_code"], None) != row} | set(levels)
    known_at = insight.newest_assessment(node)[1]
    return pa.table(
        {
            "area_code": pa.array(sorted(changed), pa.string()),
            "known_at": pa.array([known_at] * len(changed), pa.timestamp("us", "UTC")),
        }
    )


def _last_basis(node: Node) -> _Basis | None:
    found = node.lake.properties(HISTORY).get(_MARKS)
    return _Basis(**orjson.loads(found)) if found and node.lake.exists(status.TABLE) else None


def _untold_run(node: Node) -> int:
    """Number of the newest run if it ended before the log told of it; else 0."""
    found = node.lake.properties(HISTORY).get(_MARKS)
    newest = orjson.loads(found).get("run", 0) if found else 0
    entries = [entry for kind in _TOLD for entry in node.log.entries(kind=kind, limit=1)] if newest else []
    told = max((entry.event.get("run", 0) for entry in entries), default=0)
    return int(newest) if newest > told else 0


def _lacks_facts(node: Node) -> bool:
    """Whether the state was written by a release that computed fewer facts."""
    return updates.lacks_facts(node.engine.table(status.TABLE))


@contextmanager
def _one_run_at_a_time(node: Node) -> Iterator[None]:
    with (node.settings.folder / "levels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
