"""What the page of keys and revocations reads: from the log who ordered what, and from the records how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hutong.errors import NotFound
from hutong.node import Node
from hutong.storage import schema

from . import told_passes

MOST = 100
MOST_INDEX_DIGITS = 13
"""An index is shorter than a pass's number, which has sixteen hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation as the log tells it. ``entry``: its place in the log.

    ``pass_id`` comes from the records, and is empty when these know the pass no more: the log holds its mark only.
    """

    pass_id: str
    rule: str
    by: str
    second: str
    at: datetime
    entry: int


@dataclass(frozen=True, slots=True)
class KeyAct:
    """A key that was retired or found compromised. ``second`` is empty where one person is enough."""

    kind: str
    key: str
    by: str
    second: str
    at: datetime
    entry: int


@dataclass(frozen=True, slots=True)
class PassCounts:
    """Passes that the node still knows of: those that can be shown now, and those revoked of them."""

    valid: int
    revoked: int


def revocations(node: Node) -> list[Revocation]:
    """The newest revocations of single passes, at most 100, the newest first."""
    entries = node.log.entries(kind="pass.revoked", limit=MOST)
    ids = _ids_of_revoked(node, [datetime.fromisoformat(entry.event["at"]) for entry in entries])
    return [
        Revocation(
            pass_id=ids.get(str(event.get("mark")), ""),
            rule=str(event["rule"]),
            by=str(event["by"]),
            second=str(event["second"]),
            at=datetime.fromisoformat(event["at"]),
            entry=index,
        )
        for index, event in ((entry.index, entry.event) for entry in entries)
    ]


def _ids_of_revoked(node: Node, times: Sequence[datetime]) -> dict[str, str]:
    """Ids by mark of the passes that were revoked at these instants, which are those of their entries."""
    table = schema.issued_pass
    with node.records.reading() as connection:
        rows = connection.execute(sa.select(table).where(table.c.revoked_at.in_(times))).mappings()
        return {told_passes.mark(node, row): row["id"] for row in rows}


def named_pass(node: Node, which: str) -> str:
    """Number of the pass that somebody means: by this number, or by its place in the status lists (its index).

    Raises:
        NotFound: this node issued no such pass, or does not know it any more.
    """
    table, which = schema.issued_pass, which.strip().lower()
    is_index = which.isascii() and which.isdigit() and len(which) <= MOST_INDEX_DIGITS
    meant = table.c.status_index == int(which) if is_index else table.c.id == which
    with node.records.reading() as connection:
        found = connection.execute(sa.select(table.c.id).where(meant)).scalar()
    if found is None:
        raise NotFound("This node issued no such pass.", "Check the number or the index of the pass.")
    return str(found)


def key_acts(node: Node) -> list[KeyAct]:
    """What was done to pass keys, the newest first: who, when, and the second person."""
    acts = [
        KeyAct(
            kind="retired" if kind == "pass-key.rotated" else "compromised",
            key=str(entry.event["old" if kind == "pass-key.rotated" else "key"]),
            by=str(entry.event["by"]),
            second=str(entry.event.get("second", "")),
            at=datetime.fromisoformat(entry.event["at"]),
            entry=entry.index,
        )
        for kind in ("pass-key.rotated", "pass-key.compromised")
        for entry in node.log.entries(kind=kind, limit=MOST)
    ]
    return sorted(acts, key=lambda act: -act.entry)


def pass_counts(node: Node) -> PassCounts:
    """How many passes have not expired, and how many of these were revoked."""
    table = schema.issued_pass
    alive = table.c.expires_at > node.clock()
    revoked = sa.case((table.c.revoked_at.is_not(None), 1), else_=0)
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(revoked), 0)).where(alive)
    with node.records.reading() as connection:
        total, ended = connection.execute(query).one()
    return PassCounts(valid=int(total) - int(ended), revoked=int(ended))
