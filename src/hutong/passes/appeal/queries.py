"""What doors read about appeals, overrides and grants, and the level that is in force for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hutong.errors import NotFound, Tampered
from hutong.node import Node
from hutong.rights.person import owned, pseudonym_of
from hutong.storage import schema
from hutong.trust.authorisation import Actor

from ..documents import Reason, Texts
from ..level import queries as level_queries
from ..level.status import PersonStatus
from ..rulebook import queries as rulebook_queries
from ..rulebook.rulebook import UNDER_REVIEW, Rulebook
from . import told_queries
from .appeal import OPEN_STATES, Appeal, AppealStatistics, read_appeal, statistics
from .correction import LevelOverride

PAGE = 200

_REVIEW: Texts = {
    "en": "Your appeal was not decided in time. Until it is, your level is under review.",
    "zh": "您的申诉未按期作出决定；在作出决定之前，您的等级处于复核中。",
}


@dataclass(frozen=True, slots=True)
class LevelInForce:
    """The level that holds for a person now: what the rules give, an override beside it, or ``under-review``.

    Attributes:
        level: the one that a pass carries.
        status: what the rules give.
        override: the one in force, None where the rules' level holds.
        appeal: id of the appeal because of which it is under review.
    """

    level: str
    status: PersonStatus
    rulebook: Rulebook
    override: LevelOverride | None = None
    appeal: str | None = None

    @property
    def beneath(self) -> str:
        """The level of the rules or of the override, also while it is under review."""
        return self.override.level if self.override is not None else self.status.level

    @property
    def own_end(self) -> datetime | None:
        """When the override ends that gives the level; None for a level of the rules."""
        return self.override.ends_at if self.override is not None and self.appeal is None else None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is this level: never empty."""
        if self.appeal is not None:
            return (Reason(UNDER_REVIEW, _REVIEW),)
        if self.override is not None:
            return (self.override.why(self.rulebook),)
        return self.status.explain(self.rulebook).reasons

    @property
    def severity(self) -> int:
        """Place in the level set; that of the rules' level while under review, 0 where that is unknown."""
        codes = [level.code for level in self.rulebook.levels]
        level = self.status.level if self.appeal is not None else self.level
        return codes.index(level) if level in codes else 0

    @property
    def meaning(self) -> Texts:
        """What the level means, per language."""
        if self.appeal is not None:
            return _REVIEW
        known = {level.code: level.meaning for level in self.rulebook.levels}
        return known.get(self.level) or self.reasons[0].texts


def level_in_force(node: Node, pseudonym: str) -> LevelInForce:
    """The level of a person now.

    Raises:
        NotFound: before levels were decided, or for nobody known.
        Tampered: what gives the level was written by hand: no rule gives it, or the log does not tell of it.

    The least severe level never becomes *under review*: the authority's delay must not harm whom it keeps waiting. Nor
    does one that is more severe than the level appealed against: it rests on facts that nobody has objected to.
    """
    try:
        return _level_in_force(node, pseudonym)
    except Tampered:
        # Records and log are read one after the other: what somebody changes between them looks like done by hand.
        return _level_in_force(node, pseudonym)


def _level_in_force(node: Node, pseudonym: str) -> LevelInForce:
    status = level_queries.person_status(node, pseudonym)
    rulebook = rulebook_queries.rulebook(node, status.rulebook)
    now, rows = node.clock(), overrides_of(node, pseudonym)
    told = told_queries.told_of(node, [pseudonym]).get(pseudonym, [])
    told_queries.require_kept(node, told, status, rows)
    standing = [one for one in rows if one.stands(rulebook, status.level, now)]
    override = standing[0] if standing else None
    if override is not None:
        told_queries.require_told(node, told, override)
    level = override.level if override is not None else status.level
    if level != rulebook.levels[0].code:
        waiting = appeals_of(node, pseudonym, only_open=True)
        told_queries.require_filed(node, told, rulebook, waiting)
        late = late_appeal(waiting, level, rulebook, now)
        if late is not None:
            return LevelInForce(UNDER_REVIEW, status, rulebook, override, late.id)
    return LevelInForce(level, status, rulebook, override)


def is_about(objection: Appeal, level: str, rulebook: Rulebook) -> bool:
    """Whether a level is the one that an appeal objects to, or a milder one; any is, where one of them is none."""
    codes = [one.code for one in rulebook.levels]
    return not {level, objection.level} <= set(codes) or codes.index(level) <= codes.index(objection.level)


def late_appeal(waiting: Iterable[Appeal], level: str, rulebook: Rulebook, now: datetime) -> Appeal | None:
    """The first of these appeals because of which a level is under review; None where it is not."""
    return next((one for one in waiting if one.under_review(now) and is_about(one, level, rulebook)), None)


def levels_in_force(node: Node, pseudonyms: Sequence[str]) -> tuple[dict[str, LevelInForce], dict[str, Tampered]]:
    """As :func:`level_in_force` of each of many persons who has one, in few queries, and whose was written by hand.

    Only whom an override or appeal may concern is asked singly.
    """
    books: dict[str, Rulebook] = {}
    special = special_among(node, pseudonyms)
    found: dict[str, LevelInForce] = {}
    stored = level_queries.person_statuses(node, pseudonyms)
    altered = {pseudonym: level_queries.altered() for pseudonym in stored.altered}
    for status in stored.statuses.values():
        if status.pseudonym in special:
            try:
                found[status.pseudonym] = level_in_force(node, status.pseudonym)
            except Tampered as error:
                altered[status.pseudonym] = error
            continue
        if status.rulebook not in books:
            books[status.rulebook] = rulebook_queries.rulebook(node, status.rulebook)
        found[status.pseudonym] = LevelInForce(status.level, status, books[status.rulebook])
    return found, altered


def special_among(node: Node, pseudonyms: Sequence[str]) -> list[str]:
    """Whom of these an override or an appeal concerns that may be in force, by the records or by the log."""
    special = _special(node) | told_queries.told_of(node, pseudonyms).keys()
    return [pseudonym for pseudonym in pseudonyms if pseudonym in special]


def _special(node: Node) -> frozenset[str]:
    override, appeal = schema.level_override, schema.appeal
    with node.records.reading() as connection:
        overridden = connection.execute(
            sa.select(override.c.pseudonym).where(override.c.ends_at > node.clock(), override.c.ended_at.is_(None))
        ).scalars()
        waiting = connection.execute(sa.select(appeal.c.pseudonym).where(appeal.c.due_at.is_not(None))).scalars()
        return frozenset(overridden) | frozenset(waiting)


def appeal(node: Node, appeal_id: str) -> Appeal:
    """One appeal. ``NotFound`` when there is none of that id."""
    table = schema.appeal
    with node.records.reading() as connection:
        body = connection.execute(sa.select(table.c.body).where(table.c.id == appeal_id)).scalar()
    if body is None:
        raise NotFound("There is no such appeal here.", "Check its number.")
    return read_appeal(body)


def readable_appeal(node: Node, by: Actor, appeal_id: str) -> Appeal:
    """One appeal, for the resident whose it is, the authority or an auditor. ``Refused`` for others."""
    found = appeal(node, appeal_id)
    node.require(by, "read_appeals", owned(node, by, found.pseudonym))
    return found


def appeals_of(node: Node, pseudonym: str, *, only_open: bool = False) -> list[Appeal]:
    """A person's appeals, the newest first; at most 200."""
    table = schema.appeal
    query = sa.select(table.c.body).where(table.c.pseudonym == pseudonym)
    if only_open:
        query = query.where(table.c.state.in_([str(state) for state in OPEN_STATES]))
    with node.records.reading() as connection:
        bodies = connection.execute(query.order_by(table.c.filed_at.desc()).limit(PAGE)).scalars()
        return [read_appeal(body) for body in bodies]


def own_appeals(node: Node, by: Actor) -> list[Appeal]:
    """The appeals of whoever asks, by the number that is their account's name."""
    return appeals_of(node, pseudonym_of(node, by.id))


def appeals_by_deadline(node: Node, by: Actor) -> list[Appeal]:
    """Appeals that wait for the authority, the one with the earliest date first (late ones lead); at most 200."""
    node.require(by, "read_appeals", owned(node, by, ""))
    table = schema.appeal
    query = sa.select(table.c.body).where(table.c.due_at.is_not(None)).order_by(table.c.due_at, table.c.id)
    with node.records.reading() as connection:
        return [read_appeal(body) for body in connection.execute(query.limit(PAGE)).scalars()]


def appeal_statistics(node: Node) -> AppealStatistics:
    """Counts and times of all appeals on this node, for everyone. They hold nothing about a person."""
    with node.records.reading() as connection:
        bodies = connection.execution_options(yield_per=1000).execute(sa.select(schema.appeal.c.body)).scalars()
        return statistics((read_appeal(body) for body in bodies), node.clock())


def overrides_of(node: Node, pseudonym: str) -> list[LevelOverride]:
    """All overrides of a person's level, the newest first; over ones too."""
    table = schema.level_override
    query = sa.select(table).where(table.c.pseudonym == pseudonym).order_by(table.c.made_at.desc(), table.c.id)
    with node.records.reading() as connection:
        return [LevelOverride(**row) for row in connection.execute(query.limit(PAGE)).mappings()]


def override(node: Node, override_id: str) -> LevelOverride:
    """One override. ``NotFound`` when there is none of that id."""
    table = schema.level_override
    with node.records.reading() as connection:
        row = connection.execute(sa.select(table).where(table.c.id == override_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such override here.", "Check its number.")
    return LevelOverride(**row)


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """A resident lets an application (an account of this node) ask for the level, for a purpose and until a day."""

    id: str
    pseudonym: str
    application: str
    purpose: str
    granted_at: datetime
    ends_at: datetime
    uses: int
    used_at: datetime | None


def grants_of(node: Node, pseudonym: str) -> list[AccessGrant]:
    """Whom a person lets ask, the newest first, with how often they did."""
    table = schema.access_grant
    query = sa.select(table).where(table.c.pseudonym == pseudonym).order_by(table.c.granted_at.desc(), table.c.id)
    with node.records.reading() as connection:
        return [AccessGrant(**row) for row in connection.execute(query.limit(PAGE)).mappings()]
