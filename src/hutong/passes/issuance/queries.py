"""What doors read of passes that this node issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hutong.errors import NotFound
from hutong.node import Node
from hutong.rights.person import owned, pseudonym_of
from hutong.storage import schema
from hutong.trust.authorisation import Actor

LEVEL_CHANGED = "level-changed"
"""By this rule the node revokes passes that say a less severe level than the one in force; two persons may, too."""

MOST_ENDED = 100


@dataclass(frozen=True, slots=True)
class PassRecord:
    """What the node keeps of a pass that it issued; it holds no name."""

    pass_id: str
    level: str
    rulebook: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by_rule: str | None
    revoked_because: str | None


def pass_record(node: Node, pass_id: str) -> PassRecord:
    """A pass that this node issued. ``NotFound`` for any other."""
    table = schema.issued_pass
    with node.records.reading() as connection:
        row = connection.execute(sa.select(table).where(table.c.id == pass_id)).one_or_none()
    if row is None:
        raise NotFound("This node issued no such pass.", "Check the pass id.")
    return PassRecord(
        pass_id=row.id,
        level=row.level,
        rulebook=row.rulebook,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revoked_by_rule=row.revoked_by_rule,
        revoked_because=row.revoked_because,
    )


@dataclass(frozen=True, slots=True)
class EndedPass:
    """A pass that was revoked because its holder's level changed: the level that it said, when it ended, and why."""

    pass_id: str
    level: str
    rulebook: str
    ended_at: datetime
    because: str


def ended_passes(node: Node, by: Actor, person: str) -> tuple[EndedPass, ...]:
    """Passes of a person that were revoked because the level changed and that would still be valid; the newest first.

    For the resident whose they are, and the authority. ``Refused`` for others.

    Args:
        person: the resident's number, or the pseudonym.
    """
    pseudonym = pseudonym_of(node, person)
    node.require(by, "read_health", owned(node, by, pseudonym))
    table = schema.issued_pass
    query = sa.select(table).where(
        table.c.pseudonym == pseudonym,
        table.c.revoked_by_rule == LEVEL_CHANGED,
        table.c.expires_at > node.clock(),
    )
    with node.records.reading() as connection:
        rows = connection.execute(query.order_by(table.c.revoked_at.desc(), table.c.id).limit(MOST_ENDED)).all()
    return tuple(EndedPass(row.id, row.level, row.rulebook, row.revoked_at, row.revoked_because) for row in rows)


def pass_key_id(node: Node) -> bytes:
    """The 8 bytes by which passes name this node's key."""
    return bytes.fromhex(node.keys.pass_key_id)
