"""What doors read of passes that this node issued, and their signed status lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from hutong.errors import NotFound
from hutong.node import Node
from hutong.storage import schema

from ..credential import status_list as status_lists
from ..credential.level_pass import LIST_BITS
from ..credential.status_list import StatusList

LIST_POSITIONS = 1 << 20


STATUS_HOURS = 24


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


def status_list(node: Node, list_number: int = 0) -> bytes:
    """The signed status list of that number (COSE). ``NotFound`` past the newest list.

    Its serial number is the size of the log, which rises with every revocation.
    """
    issued = schema.issued_pass.c
    first = list_number << LIST_BITS
    revoked = sa.select(issued.status_index).where(
        issued.revoked_at.is_not(None),
        issued.status_index >= first,
        issued.status_index < first + LIST_POSITIONS,
    )
    with node.records.reading() as connection:
        if list_number not in range(list_count(connection)):
            raise NotFound("This node has no such status list.", "Ask for the list that the pass names.")
        positions = [index - first for index in connection.execute(revoked).scalars()]
    now = node.clock().replace(microsecond=0)
    content = StatusList(
        issuer=node.id,
        list_number=list_number,
        number=node.log.size(),
        issued_at=now,
        expires_at=now + timedelta(hours=STATUS_HOURS),
        size=LIST_POSITIONS,
        bits=status_lists.pack_bits(positions, LIST_POSITIONS),
    )
    return status_lists.sign(content, node.keys.passes, pass_key_id(node))


def list_count(connection: sa.Connection) -> int:
    """How many status lists this node's passes take: the last one's number and one."""
    highest = connection.execute(sa.select(sa.func.max(schema.issued_pass.c.status_index))).scalar()
    return ((highest or 0) >> LIST_BITS) + 1


def pass_key_id(node: Node) -> bytes:
    """The 8 bytes by which passes name this node's key."""
    return bytes.fromhex(node.keys.pass_key_id)
