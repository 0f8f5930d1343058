"""The transparency log: appends with full sync one by one and batched, proofs and their verification."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.figure import Figure, rate, seconds
from bench.region import make_node
from hutong.node import Node
from hutong.trust.log.journal import Event

PART = "log"
SINGLE = 300
BATCH = 1000
BATCHES = 30
PROOFS = 1000


def run(folder: Path) -> Iterator[Figure]:
    """Append, prove, verify, check."""
    node = make_node(folder, "log")
    single = rate(lambda number: _append(node, number, 1), SINGLE, rounds=1)
    plain = _plain_commits(folder / "plain.sqlite")
    yield Figure(
        PART, "append, one entry a transaction, full sync", single, "entries/s",
        "plain SQLite insert, same pragmas", plain,
    )  # fmt: skip
    batched = rate(lambda number: _append(node, number, BATCH), BATCHES, rounds=1) * BATCH
    yield Figure(PART, f"append, {BATCH:,} entries a transaction", batched, "entries/s")
    size = node.log.size()
    proved = rate(lambda number: node.log.prove(number * 7919 % size), PROOFS)
    yield Figure(PART, f"inclusion proof in a log of {size:,}", proved, "proofs/s")
    proof, key = node.log.prove(size // 2), node.log.key
    verified = rate(lambda _: proof.verify(key), PROOFS)
    bare = rate(lambda _: key_check(node), PROOFS)
    yield Figure(PART, "proof verified, signature included", verified, "proofs/s", "Ed25519 verify alone", bare)
    yield Figure(PART, f"whole log of {size:,} recomputed", size / seconds(node.log.check), "entries/s")
    node.close()


def _append(node: Node, number: int, entries: int) -> None:
    with node.change(node.operator) as change:
        for at in range(entries):
            change.events.append(
                Event("measured", "operator", datetime(2026, 1, 1, tzinfo=UTC), {"n": number, "entry": at})
            )


def _plain_commits(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, data BLOB)")
    per_second = rate(
        lambda n: connection.execute("INSERT INTO entry VALUES (?, ?)", (n, b"x" * 120)), SINGLE, rounds=1
    )
    connection.close()
    return per_second


def key_check(node: Node) -> None:
    """One bare signature check, for comparison."""
    _KEYS.setdefault("signature", node.keys.signing.sign(b"message" * 20))
    node.keys.signing.public_key().verify(_KEYS["signature"], b"message" * 20)


_KEYS: dict[str, bytes] = {}
