"""The node's log in its records: appended in the transaction of the change that it tells of, served as tiles, proofs.

The root is signed in the same transaction, so there is never an entry without a signed checkpoint that covers it.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from hutong.errors import BadInput, LimitExceeded, NotFound, Tampered
from hutong.storage.records import Records
from hutong.storage.schema import log_cosignature, log_entry, log_head, log_node
from hutong.trust.log import merkle, tiles
from hutong.trust.log.checkpoint import Checkpoint, cosignatures_of, open_checkpoint, sign_checkpoint
from hutong.trust.log.merkle import Frontier, NodeReader, leaf_hash
from hutong.trust.log.note import NoteSignature, SigningKey, VerifierKey, parse_signature_line
from hutong.trust.signing import canonical_json

MAX_ENTRY_BYTES = 60_000
PAGE = 500
CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: kind (``noun.verb``), who did it, when, and facts without personal data."""

    kind: str
    by: str
    at: datetime
    facts: Mapping[str, Any]

    def encode(self) -> bytes:
        """The log entry: canonical JSON. Raises LimitExceeded past 60,000 bytes."""
        body = {"kind": self.kind, "by": self.by, "at": self.at.isoformat(), **self.facts}
        data = canonical_json(body)
        if len(data) > MAX_ENTRY_BYTES:
            raise LimitExceeded("An event is too large for the log.", "Log the hash of large content instead.")
        return data


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in the log."""

    index: int
    data: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The entry's JSON. Raises Tampered where it is none any more."""
        return _event(self.data, self.index)


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """All that a stranger needs to check one entry: the entry, its place, the hashes and the signed checkpoint."""

    index: int
    size: int
    entry: bytes
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    def document(self) -> dict[str, Any]:
        """JSON form; hashes in base64."""
        return {
            "index": self.index,
            "size": self.size,
            "entry": _event(self.entry, self.index),
            "entry_base64": base64.b64encode(self.entry).decode(),
            "hashes": [base64.b64encode(value).decode() for value in self.hashes],
            "checkpoint": self.checkpoint.decode(),
        }

    def verify(self, key: VerifierKey) -> None:
        """Check the proof against the log's public key. Raises Tampered."""
        checkpoint = open_checkpoint(self.checkpoint, [key], key.name).checkpoint
        if checkpoint.size != self.size:
            raise Tampered("The proof is for another size than its checkpoint.", "Ask for the proof again.")
        merkle.verify_inclusion(self.index, self.size, leaf_hash(self.entry), self.hashes, checkpoint.root)


class Cosigned(NamedTuple):
    """What a witness has cosigned: the log's size then, and when its answer came."""

    size: int
    at: datetime


class _Head(NamedTuple):
    """Where the log ends, as the records have it: size, root and the signed checkpoint."""

    size: int
    root: bytes
    note: str


class Log:
    """The log of one node."""

    def __init__(self, records: Records, signer: SigningKey) -> None:
        self._records = records
        self._signer = signer

    @property
    def key(self) -> VerifierKey:
        """The public key with which anyone checks this log; its name is the log's origin."""
        return self._signer.verifier

    def start(self, connection: sa.Connection) -> None:
        """Sign the empty log of a new node."""
        empty = Frontier()
        connection.execute(log_head.insert().values(id=1, **self._signed(empty)))

    def append(self, connection: sa.Connection, events: Sequence[Event]) -> int:
        """Append events in the caller's transaction and sign the new root; returns the index of the first."""
        # FOR UPDATE: on PostgreSQL two writers must not append to the same size; SQLite has one writer anyhow.
        size = _head(connection, locked=True).size
        frontier = merkle.frontier_at(size, _reader(connection))
        encoded = [event.encode() for event in events]
        appended = merkle.append(frontier, [leaf_hash(data) for data in encoded])
        connection.execute(
            log_entry.insert(),
            [
                {"idx": size + offset, "kind": event.kind, "at": event.at, "data": data}
                for offset, (event, data) in enumerate(zip(events, encoded, strict=True))
            ],
        )
        connection.execute(
            log_node.insert(),
            [{"level": level, "idx": place, "hash": digest} for level, place, digest in appended.nodes],
        )
        connection.execute(log_head.update().where(log_head.c.id == 1).values(**self._signed(appended.frontier)))
        return size

    def _signed(self, frontier: Frontier) -> dict[str, Any]:
        checkpoint = Checkpoint(self.key.name, frontier.size, frontier.root)
        note = sign_checkpoint(checkpoint, self._signer).decode()
        return {"size": frontier.size, "root": frontier.root, "note": note}

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint, with the cosignatures that witnesses have given it."""
        with self._records.reading() as connection:
            return _checkpoint(connection)

    def size(self) -> int:
        with self._records.reading() as connection:
            return _head(connection).size

    def entry(self, index: int) -> Entry:
        with self._records.reading() as connection:
            return _entry(connection, index)

    def entries(self, *, newest_before: int | None = None, kind: str | None = None, limit: int = 50) -> list[Entry]:
        """Entries, the newest first; at most 500."""
        query = sa.select(log_entry.c.idx, log_entry.c.data).order_by(log_entry.c.idx.desc())
        if newest_before is not None:
            query = query.where(log_entry.c.idx < newest_before)
        if kind:
            query = query.where(log_entry.c.kind == kind)
        with self._records.reading() as connection:
            rows = connection.execute(query.limit(max(1, min(limit, PAGE)))).all()
        return [Entry(row.idx, row.data) for row in rows]

    def since(self, kinds: Collection[str], at: datetime) -> list[Entry]:
        """Entries of some kinds from an instant on, the oldest first. See also :meth:`require_covered`."""
        wanted = (log_entry.c.kind.in_(kinds), log_entry.c.at >= at)
        query = sa.select(log_entry.c.idx, log_entry.c.data).where(*wanted).order_by(log_entry.c.idx)
        with self._records.reading() as connection:
            return [Entry(row.idx, row.data) for row in connection.execute(query)]

    def added(self, kinds: Collection[str], span: range) -> Iterator[Entry]:
        """Entries of some kinds with an index in ``span``, the oldest first."""
        wanted = (log_entry.c.kind.in_(kinds), log_entry.c.idx >= span.start, log_entry.c.idx < span.stop)
        query = sa.select(log_entry.c.idx, log_entry.c.data).where(*wanted).order_by(log_entry.c.idx)
        with self._records.reading() as connection:
            for row in connection.execute(query.execution_options(yield_per=CHUNK)):
                yield Entry(row.idx, row.data)

    def require_covered(self, index: int) -> None:
        """Refuse an entry that the signed checkpoint does not cover: it was written past the log. Raises Tampered."""
        if not 0 <= index < self.size():
            raise Tampered(f"Entry {index} of the log was altered.", "Restore the records.")
        self.prove(index).verify(self.key)

    def kinds(self) -> dict[str, int]:
        """How many entries of each kind there are."""
        query = sa.select(log_entry.c.kind, sa.func.count()).group_by(log_entry.c.kind).order_by(log_entry.c.kind)
        with self._records.reading() as connection:
            return {row.kind: row[1] for row in connection.execute(query)}

    def prove(self, index: int) -> InclusionProof:
        """Proof that the entry is in the tree of the newest checkpoint."""
        with self._records.reading() as connection:
            entry = _entry(connection, index)
            size = _head(connection).size
            hashes = merkle.inclusion_proof(index, size, _reader(connection))
            return InclusionProof(index, size, entry.data, hashes, _checkpoint(connection))

    def prove_consistency(self, old_size: int) -> tuple[tuple[bytes, ...], bytes]:
        """Proof that the newest tree continues the one of ``old_size`` entries, and the newest checkpoint."""
        with self._records.reading() as connection:
            size = _head(connection).size
            if not 0 <= old_size <= size:
                raise BadInput(f"The log has {size} entries, not {old_size}.", "Ask for a size that it had.")
            proof = merkle.consistency_proof(old_size, size, _reader(connection)) if old_size else ()
            return proof, _checkpoint(connection)

    def tile(self, path: str) -> bytes:
        """Content of a tile or entry bundle (C2SP tlog-tiles); ``NotFound`` when the log is not that large."""
        tile = tiles.parse_tile_path(path)
        with self._records.reading() as connection:
            size = _head(connection).size
            if not tiles.is_served(tile, size):
                raise NotFound(f"The log has no {path}.", f"It has {size} entries.")
            if tile.level is None:
                within = tile.entries
                query = sa.select(log_entry.c.data).where(log_entry.c.idx.between(within.start, within.stop - 1))
                return tiles.encode_bundle(connection.execute(query.order_by(log_entry.c.idx)).scalars().all())
            return tiles.tile_content(tile, _reader(connection))

    def add_cosignature(
        self, connection: sa.Connection, *, message: bytes, answer: bytes, witness: VerifierKey, at: datetime
    ) -> int:
        """Keep a witness's cosignature of the checkpoint in ``message``, in place of its earlier ones; that one's size.

        The log may have grown since it was sent. Raises Tampered when ``message`` is none of this log, or the answer
        does not fit it. Lines by others in the answer are left out: in the checkpoint they could spoil what the node
        signed itself.
        """
        checkpoint = open_checkpoint(message, [self.key], self.key.name).checkpoint
        (cosignature,) = cosignatures_of(checkpoint, answer, [witness])
        by_witness = log_cosignature.c.witness == witness.name
        connection.execute(log_cosignature.delete().where(by_witness, log_cosignature.c.size <= checkpoint.size))
        connection.execute(
            log_cosignature.insert().values(size=checkpoint.size, witness=witness.name, line=cosignature.line(), at=at)
        )
        return checkpoint.size

    def cosigned(self, witnesses: Iterable[VerifierKey]) -> dict[str, Cosigned]:
        """The newest checkpoint that each of these cosigned, by name. A line that does not verify does not count."""
        keys = {key.name: key for key in witnesses}
        query = sa.select(log_cosignature).where(log_cosignature.c.witness.in_(keys)).order_by(log_cosignature.c.size)
        with self._records.reading() as connection:
            rows = connection.execute(query).all()
            fitting = [row for row in rows if self._fits(connection, row, keys[row.witness])]
        return {row.witness: Cosigned(row.size, row.at) for row in fitting}

    def _fits(self, connection: sa.Connection, row: Any, witness: VerifierKey) -> bool:
        """Whether a stored line is this witness's cosignature of the tree of that size."""
        signature = _cosignature(row.line)
        if signature is None or row.size > _head(connection).size:
            return False
        root = merkle.root_at(row.size, _reader(connection))
        return witness.verifies(Checkpoint(self.key.name, row.size, root).text, signature)

    def check(
        self, progress: Callable[[int, int], None] | None = None, *, witnesses: Iterable[VerifierKey] = ()
    ) -> Checkpoint:
        """Recompute the whole tree from the entries and compare it with the signed checkpoint and every stored node.

        Cosignatures by ``witnesses`` must fit the trees that they are kept for; of others only the form is known.
        ``progress`` is told now and then how many entries are done, of how many.

        Raises Tampered at the first difference, naming it.
        """
        frontier = Frontier()
        with self._records.reading() as connection:
            head = _head(connection)
            rows = connection.execute(
                sa.select(log_entry.c.idx, log_entry.c.kind, log_entry.c.at, log_entry.c.data)
                .order_by(log_entry.c.idx)
                .execution_options(yield_per=CHUNK)
            )
            for chunk in rows.partitions():
                frontier = _recompute(connection, frontier, chunk)
                if progress is not None and frontier.size % CHUNK == 0:
                    progress(frontier.size, head.size)
            checkpoint = open_checkpoint(head.note.encode(), [self.key], self.key.name).checkpoint
            if not (checkpoint.size, checkpoint.root) == (frontier.size, frontier.root) == (head.size, head.root):
                raise Tampered("The signed checkpoint is not of these entries.", "Restore the records.")
            self._require_cosignatures(connection, witnesses)
        return checkpoint

    def _require_cosignatures(self, connection: sa.Connection, witnesses: Iterable[VerifierKey]) -> None:
        keys = {(key.name, key.key_id): key for key in witnesses}
        for row in connection.execute(sa.select(log_cosignature).order_by(log_cosignature.c.size)).all():
            signature = _cosignature(row.line)
            key = keys.get((row.witness, signature.key_id)) if signature else None
            if signature is None or signature.name != row.witness or (key and not self._fits(connection, row, key)):
                raise Tampered(f"The cosignature by {row.witness} was altered.", "Ask again: hutong log witness.")


def _head(connection: sa.Connection, *, locked: bool = False) -> _Head:
    """Raises Tampered where it is missing or of another form. ``locked``: until the transaction ends."""
    query = sa.select(log_head.c.size, log_head.c.root, log_head.c.note).where(log_head.c.id == 1)
    row = connection.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None or tuple(map(type, row)) != (int, bytes, str):
        raise Tampered("The signed checkpoint was altered, or is missing.", "Restore the records.")
    return _Head(*row)


def _cosignature(line: object) -> NoteSignature | None:
    """A stored cosignature line; None where it is none any more."""
    try:
        return parse_signature_line(line.removesuffix("\n")) if isinstance(line, str) else None
    except BadInput:
        return None


def _event(data: bytes, index: int) -> dict[str, Any]:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        raise Tampered(f"Entry {index} of the log was altered.", "Restore the records.")
    return event


def _recompute(connection: sa.Connection, frontier: Frontier, rows: Sequence[Any]) -> Frontier:
    """The tree after these entries. Raises Tampered at the first that is missing, or differs from what is stored of it.

    Of thousands at a time: one by one it would take twice as long.
    """
    start = frontier.size
    whole = next((number for number, row in enumerate(rows) if row.idx != start + number), len(rows))
    appended = merkle.append(frontier, [leaf_hash(row.data) for row in rows[:whole]])
    misfiled = (row.idx for row in rows[:whole] if not _is_filed_right(row))
    altered = min((*itertools.islice(misfiled, 1), *_altered(connection, appended.nodes)), default=None)
    if altered is not None:
        raise Tampered(f"Entry {altered} of the log was altered.", "Restore the records.")
    if whole < len(rows):
        raise Tampered(f"Entry {start + whole} of the log is missing.", "Restore the records.")
    return appended.frontier


def _altered(connection: sa.Connection, nodes: Sequence[merkle.Node]) -> Iterator[int]:
    """Of each level of the tree, the entry with which its first node came that is not stored like this."""
    levels: dict[int, list[merkle.Node]] = {}
    for node in nodes:
        levels.setdefault(node.level, []).append(node)
    for level, made in levels.items():
        within = (log_node.c.level == level, log_node.c.idx.between(made[0].position, made[-1].position))
        stored = connection.execute(sa.select(log_node.c.hash).where(*within).order_by(log_node.c.idx)).scalars().all()
        if stored != [node.hash for node in made]:
            rows = connection.execute(sa.select(log_node.c.idx, log_node.c.hash).where(*within))
            found = {row.idx: row.hash for row in rows}
            first = next(node.position for node in made if found.get(node.position) != node.hash)
            yield (first + 1 << level) - 1


def _is_filed_right(row: Any) -> bool:
    """Whether an entry is found under the kind and the time that its signed data say."""
    try:
        event = _event(row.data, row.idx)
        return bool(event["kind"] == row.kind and datetime.fromisoformat(event["at"]) == row.at)
    except (Tampered, KeyError, TypeError, ValueError):
        return False


def _reader(connection: sa.Connection) -> NodeReader:
    query = sa.select(log_node.c.hash).where(
        log_node.c.level == sa.bindparam("level"), log_node.c.idx == sa.bindparam("index")
    )

    def read(level: int, index: int) -> bytes:
        found = connection.execute(query, {"level": level, "index": index}).scalar()
        if not isinstance(found, bytes):
            raise Tampered(f"A hash of the log is missing (level {level}, {index}).", "Restore the records.")
        return found

    return read


def _entry(connection: sa.Connection, index: int) -> Entry:
    data = connection.execute(sa.select(log_entry.c.data).where(log_entry.c.idx == index)).scalar()
    if data is None:
        raise NotFound(f"The log has no entry {index}.", "Ask for an index below the log's size.")
    return Entry(index, data)


def _checkpoint(connection: sa.Connection) -> bytes:
    head = _head(connection)
    lines = connection.execute(
        sa.select(log_cosignature.c.line).where(log_cosignature.c.size == head.size).order_by(log_cosignature.c.witness)
    ).scalars()
    # A line that is none any more would keep everyone from reading the checkpoint.
    return (head.note + "".join(line for line in lines if _cosignature(line) is not None)).encode()
