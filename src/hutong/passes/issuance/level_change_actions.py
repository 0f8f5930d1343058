"""Ending passes that say a less severe level than the one in force: what was decided must hold at the gate, too.

A level in the lake and the passes in the records are two transactions. Passes are ended before the log is told of the
run that decided the levels, and a run of which the log was not told is done again in full: so what a crash left is
finished, and nothing is ended twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hutong.node import Change, Node
from hutong.storage import schema
from hutong.storage.records import in_parts
from hutong.trust.authorisation import Actor

from ..appeal import queries as appeal_queries
from ..appeal.queries import LevelInForce
from ..credential.level_pass import LIST_BITS
from ..level import queries as level_queries
from ..recognition import queries as recognition_queries
from ..recognition.level_order import is_less_severe
from ..rulebook.rulebook import UNDER_REVIEW, UNKNOWN, Rulebook
from . import own_lists, told_passes
from .queries import LEVEL_CHANGED

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ASKED = 20_000
"""Passes of more persons than these are not looked up by person: all that can be shown are read once."""

_PERSONS = 5_000
"""Whose passes are ended in one transaction: other writers wait for it."""

_MARKS = 500
"""In one entry of the log, which may have 65,535 bytes."""

_table = schema.issued_pass


@dataclass(frozen=True, slots=True)
class NewLevel:
    """The level of a person from now on, and why; ``reviewed``: an appeal that is late has it under review."""

    level: str
    rulebook: Rulebook
    rule_ids: tuple[str, ...]
    reviewed: bool = False

    @classmethod
    def of(cls, found: LevelInForce) -> NewLevel:
        """A level in force. One under review counts as the level that is reviewed."""
        rule_ids = found.status.rule_ids if found.override is None else (found.override.rule_id,)
        return cls(found.beneath, found.rulebook, rule_ids, reviewed=found.appeal is not None)

    @property
    def reason(self) -> str:
        """What the record of an ended pass keeps for its holder."""
        return f"{self.level} by {self.rulebook.id}@{self.rulebook.version}: {', '.join(self.rule_ids) or 'no rule'}"


def end_better_passes(node: Node, *, by: Actor, decided: pa.Table, rulebook: Rulebook, run: int) -> int:
    """End the passes of persons whose level was just decided, where they say a less severe one; how many.

    It costs one look by an index where nobody's level is above the least severe or nobody has a pass.

    Args:
        decided: ``pseudonym``, ``level`` and ``rule_ids`` of each person, as they are in the lake by now.
        rulebook: the version that decided.
    """
    found = _candidates(node, by, decided, rulebook)
    ended = 0
    for part in in_parts(found, _PERSONS):
        now = {row["pseudonym"]: NewLevel(row["now"], rulebook, tuple(row["rule_ids"].split())) for row in part}
        special = appeal_queries.special_among(node, list(now))
        for pseudonym in special:
            del now[pseudonym]
        # Whose level was written by hand gets no pass, and none is ended by it.
        now |= {name: NewLevel.of(one) for name, one in appeal_queries.levels_in_force(node, special)[0].items()}
        with node.change(by) as change:
            ended += end_in(node, change, now, run=run)
    return ended


def _candidates(node: Node, by: Actor, decided: pa.Table, rulebook: Rulebook) -> list[dict[str, Any]]:
    """Who has a pass that says a less severe level than the rules: ``pseudonym``, ``now``, ``rule_ids``."""
    import pyarrow.compute as pc

    least = rulebook.levels[0].code
    above = decided.filter(~pc.field("level").isin([least, UNKNOWN])).select(["pseudonym", "level", "rule_ids"])
    if not above.num_rows:
        return []
    asked = above["pseudonym"].to_pylist() if above.num_rows <= MOST_ASKED else None
    # Under the lock of writers: a pass that is being issued is seen here, or its issue sees the new level.
    with node.change(by) as change:
        live = _live_passes(change, asked)
    if not live.num_rows:
        return []
    rows = live.join(above.rename_columns(["pseudonym", "now", "rule_ids"]), keys="pseudonym", join_type="inner")
    kinds = rows.group_by(["level", "rulebook", "now"]).aggregate([]).to_pylist()
    walks = recognition_queries.crosswalks(node)
    better = [one for one in kinds if is_less_severe(one["level"], one["rulebook"], one["now"], rulebook, walks)]
    if not better:
        return []
    which = [rows.filter(pc.field("now") == one["now"]).filter(
        (pc.field("level") == one["level"]) & (pc.field("rulebook") == one["rulebook"])
    ) for one in better]  # fmt: skip
    found = {row["pseudonym"]: row for part in which for row in part.to_pylist()}
    return list(found.values())


def _live_passes(change: Change, pseudonyms: Sequence[str] | None) -> pa.Table:
    """``pseudonym``, ``level`` and ``rulebook`` of the passes of these persons that can be shown; None: of all."""
    import pyarrow as pa

    fields = pa.schema([(name, pa.string()) for name in ("pseudonym", "level", "rulebook")])
    query = sa.select(_table.c.pseudonym, _table.c.level, _table.c.rulebook).where(_live(change))
    parts = [query] if pseudonyms is None else [query.where(_of(part)) for part in in_parts(pseudonyms)]
    batches = []
    for one in parts:
        for rows in change.execute(one).partitions(50_000):
            columns = zip(*rows, strict=True)
            batches.append(pa.record_batch([pa.array(column, pa.string()) for column in columns], schema=fields))
    return pa.Table.from_batches(batches, schema=fields)


def end_older_passes(node: Node, change: Change, found: Mapping[str, LevelInForce], *, run: int) -> int:
    """End what these persons had of better passes when they get others, in the caller's transaction; how many.

    Args:
        found: the levels that the new passes say, by pseudonym.
        run: the newest run before these were read. Where there was another since, the new passes may be better, too.
    """
    if level_queries.newest_run(node) != run:
        found = appeal_queries.levels_in_force(node, list(found))[0]
    return end_in(node, change, {pseudonym: NewLevel.of(one) for pseudonym, one in found.items()})


def end_in(node: Node, change: Change, now: Mapping[str, NewLevel], **about: Any) -> int:
    """End the passes of these persons that say a less severe level, in the caller's transaction; how many.

    All of a person end in one edition of the status lists. The log gets the marks of the passes and no person.

    Args:
        now: the level from now on, by pseudonym.
        about: what the log tells beside it.
    """
    ended: list[Mapping[str, Any]] = []
    for part in in_parts(list(now)):
        rows = change.execute(sa.select(_table).where(_live(change), _of(part))).mappings()
        ended += [dict(row) for row in rows if is_better(node, row, now[row["pseudonym"]])]
    if not ended:
        return 0
    by_reason: dict[str, list[str]] = {}
    for row in ended:
        by_reason.setdefault(now[row["pseudonym"]].reason, []).append(row["id"])
    for reason, ids in by_reason.items():
        values = {"revoked_at": change.at, "revoked_by_rule": LEVEL_CHANGED, "revoked_because": reason}
        for part in in_parts(ids):
            change.execute(_table.update().where(_table.c.id.in_(part)).values(**values))
    own_lists.note_change(change, {row["status_index"] >> LIST_BITS for row in ended})
    books = sorted({f"{one.rulebook.id}@{one.rulebook.version}" for one in (now[row["pseudonym"]] for row in ended)})
    for part in in_parts(sorted(told_passes.mark(node, row) for row in ended), _MARKS):
        change.event("passes.revoked", rule=LEVEL_CHANGED, rulebooks=books, passes=len(part), marks=part, **about)
    return len(ended)


def is_better(node: Node, row: Mapping[str, Any] | sa.RowMapping, now: NewLevel) -> bool:
    """Whether the pass of a row says a less severe level than the one from now on."""
    if now.reviewed and row["level"] == UNDER_REVIEW:
        return False
    known = row["level"] == UNDER_REVIEW or any(one.code == row["level"] for one in now.rulebook.levels)
    walks = () if known else recognition_queries.crosswalks(node)
    return is_less_severe(row["level"], row["rulebook"], now.level, now.rulebook, walks)


def _live(change: Change) -> sa.ColumnElement[bool]:
    return sa.and_(_table.c.revoked_at.is_(None), _table.c.expires_at > change.at)


def _of(pseudonyms: Sequence[str]) -> sa.ColumnElement[bool]:
    return _table.c.pseudonym.in_(pseudonyms)
