"""Which passes the log tells of: a row of the records that it does not is no pass of this node.

Of a single pass its event holds a mark and not its id: who was shown two passes must not find both in the public log,
side by side where one was renewed. Of a batch the event holds a hash, for an entry for each pass would tell the
world in which order people got theirs: the hash is over all ids with their marks, which the records keep beside it
until the passes are over. A mark is a keyed hash of id, person, level and rulebook: nobody reads these from it, and
none of them can be altered without the node's key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hutong.node import Change, Node
from hutong.rights.person import mark_of
from hutong.storage import schema

SINGLE = ("pass.issued", "pass.converted")
BATCHES = ("passes.issued", "passes.reissued")
_ID_BYTES, _MARK_BYTES = 8, 16
_table = schema.pass_batch


def mark(node: Node, row: Mapping[str, Any] | sa.RowMapping) -> str:
    """The mark of a row of ``issued_pass``: 32 hexadecimal characters."""
    return mark_of(node, row["pseudonym"], f"{row['id']} {row['level']} {row['rulebook']}")


def keep_batch(node: Node, change: Change, rows: Iterable[Mapping[str, Any]]) -> str:
    """Keep which passes a batch is of, in the caller's transaction; the hash for its event."""
    marked = sorted((row["id"], mark(node, row), row["expires_at"]) for row in rows)
    packed = b"".join(bytes.fromhex(pass_id + mark_) for pass_id, mark_, _ in marked)
    digest = hashlib.sha256(packed).hexdigest()
    change.execute(_table.delete().where(_table.c.ends_at <= change.at))
    change.execute(_table.insert().values(sha256=digest, ends_at=max(end for _, _, end in marked), passes=packed))
    return digest


def told_since(node: Node, since: datetime) -> frozenset[str]:
    """The mark of every pass that the log tells of from an instant on.

    Raises Tampered when the log is not whole. What is kept of a batch counts only if it is what the log says.
    """
    node.log.check()
    told: set[str] = set()
    hashes = set()
    for entry in node.log.since((*SINGLE, *BATCHES), since):
        event = entry.event
        if event["kind"] in BATCHES:
            hashes.add(event.get("passes_sha256"))
        elif "mark" in event:
            told.add(event["mark"])
    size = _ID_BYTES + _MARK_BYTES
    with node.records.reading() as connection:
        for row in connection.execute(sa.select(_table.c.sha256, _table.c.passes)):
            if row.sha256 in hashes and hashlib.sha256(row.passes).hexdigest() == row.sha256:
                parts = (row.passes[start : start + size] for start in range(0, len(row.passes), size))
                told |= {part[_ID_BYTES:].hex() for part in parts}
    return frozenset(told)
