"""What doors read of passes that this node issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hutong.errors import NotFound
from hutong.node import Node
from hutong.storage import schema


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


def pass_key_id(node: Node) -> bytes:
    """The 8 bytes by which passes name this node's key."""
    return bytes.fromhex(node.keys.pass_key_id)
