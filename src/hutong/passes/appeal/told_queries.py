"""Whether records and log say the same of what changes a level beside its rules. What does not was written by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from hutong.errors import NotFound, Tampered
from hutong.node import Node
from hutong.rights.person import mark_of
from hutong.storage import schema
from hutong.storage.records import in_parts

from ..level.status import PersonStatus
from ..rulebook import queries as rulebook_queries
from ..rulebook.rulebook import Rulebook
from .appeal import Appeal
from .correction import LevelOverride
from .told import KINDS, Mark, Matter, ToldAppeal, ToldMatters, ToldOverride


@dataclass(slots=True)
class _Kept:
    matters: ToldMatters = field(default_factory=ToldMatters)
    lock: threading.Lock = field(default_factory=threading.Lock)


def told_of(node: Node, pseudonyms: Sequence[str]) -> dict[str, list[Matter]]:
    """The overrides that stand and the appeals that are open by the log, of each of these persons who has any.

    What was read of the log stays in memory, so that only what was added since is read.
    """
    with _matters(node) as matters:
        return {name: found for name in pseudonyms if (found := matters.of(name, _mark(node)))}


@contextmanager
def _matters(node: Node) -> Iterator[ToldMatters]:
    kept: _Kept = node.memory.store("told-matters", most=1).get_once("told", _Kept)
    with kept.lock:
        size = node.log.size()
        if size < kept.matters.size:
            kept.matters = ToldMatters()
        matters = kept.matters
        if size > matters.size:
            added = node.log.added(KINDS, range(matters.size, size))
            matters.read(added, size, lambda name: end_mark(node, name), node.clock())
            _learn(node, matters)
        yield matters


def end_mark(node: Node, override_id: str) -> str:
    """How the log names an override in whose place another one comes, so that nobody can tell that they are one's."""
    return mark_of(node, override_id, "ended")


def _mark(node: Node) -> Mark:
    return lambda pseudonym, name: mark_of(node, pseudonym, name)


def _learn(node: Node, matters: ToldMatters) -> None:
    """Whose the new ones are by the records, where the marks say so too; of others each person is tried."""
    names = matters.unowned()
    with node.records.reading() as connection:
        for table in (schema.level_override, schema.appeal):
            for part in in_parts(names):
                query = sa.select(table.c.id, table.c.pseudonym).where(table.c.id.in_(part))
                for row in connection.execute(query):
                    matters.learn(row.id, row.pseudonym, _mark(node))


def require_kept(node: Node, told: Sequence[Matter], status: PersonStatus, rows: Sequence[LevelOverride]) -> None:
    """Refuse when an override that is in force by the log does not stand so in the records. Raises Tampered.

    Args:
        told: what the log tells of the person.
        rows: the person's overrides.
    """
    book, now, known = _rulebook(node, status.rulebook), node.clock(), {row.id: row for row in rows}
    for one in told:
        if not isinstance(one, ToldOverride) or one.whose is None or book is None:
            continue
        of = _rulebook(node, *_parts(one.override.rulebook))
        # What an emergency leaves in the records goes at its sunset; the log keeps telling of it.
        same = of is not None and of.emergency == book.emergency
        if same and one.override.stands(book, status.level, now):
            row = known.get(one.override.id)
            if row is None or not one.is_of(row):
                raise Tampered(
                    "An override of this level was ended or altered by hand: by the log it is in force.",
                    f"Restore the records (override {one.override.id}).",
                )


def require_told(node: Node, told: Sequence[Matter], found: LevelOverride) -> None:
    """Refuse an override unless the actions could have made it, and the log tells of it and of no end.

    Raises Tampered. An override of an earlier release has no mark of whose it is in the log; it ends within 14 days.
    """
    one = next((one for one in told if isinstance(one, ToldOverride) and one.override.id == found.id), None)
    if one is None or not one.is_of(found) or not _allowed(node, found):
        raise Tampered(
            "An override of this level was written by hand: the log does not tell of it, or tells of its end.",
            f"End it with two persons, or restore the records (override {found.id}).",
        )
    node.log.require_covered(one.place)


def require_upheld(node: Node, found: Appeal) -> None:
    """Refuse an appeal that the records call upheld unless the log tells that it was. Raises Tampered."""
    with _matters(node) as matters:
        place = matters.upheld(found.id, found.pseudonym, _mark(node))
    if place is None:
        raise _appeal_by_hand(found.id)
    node.log.require_covered(place)


def _appeal_by_hand(appeal_id: str) -> Tampered:
    return Tampered(
        "An appeal was written by hand: the log does not tell of it, or of another state.",
        f"Restore the records (appeal {appeal_id}).",
    )


def require_filed(node: Node, told: Sequence[Matter], rulebook: Rulebook, rows: Sequence[Appeal]) -> None:
    """Refuse when the log does not tell of an open appeal that is late, or of another state or date than the records.

    Raises Tampered.

    Args:
        told: what the log tells of the person.
        rulebook: the one that gives the level.
        rows: the person's open appeals.
    """
    known = {row.id: row for row in rows}
    by_log = {one.id: one for one in told if isinstance(one, ToldAppeal)}
    wrong = [row.id for row in rows if row.under_review(node.clock()) and row.id not in by_log]
    for one in by_log.values():
        must = one.whose is not None and one.emergency == rulebook.emergency
        if not one.is_of(known[one.id]) if one.id in known else must:
            wrong.append(one.id)
    if wrong:
        raise _appeal_by_hand(wrong[0])


def _allowed(node: Node, found: LevelOverride) -> bool:
    book = _rulebook(node, *_parts(found.rulebook))
    return book is not None and found.is_allowed(book, rests_on_appeal=_rests_on_appeal(node, found))


def _rests_on_appeal(node: Node, found: LevelOverride) -> bool:
    """Whether by the log the appeal that an override names was upheld, is this person's, and led to no other before."""
    if found.appeal is None:
        return False
    with _matters(node) as matters:
        place = matters.upheld(found.appeal, found.pseudonym, _mark(node))
        first = matters.is_first_by(found.appeal, found.id)
    if place is not None:
        node.log.require_covered(place)
    return place is not None and first


def _parts(rulebook: str) -> tuple[str, str]:
    name, _, version = rulebook.partition("@")
    return name, version


def _rulebook(node: Node, name: str, version: str | None = None) -> Rulebook | None:
    try:
        return rulebook_queries.rulebook(node, name, version)
    except NotFound:
        return None
