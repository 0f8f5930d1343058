"""The one place where the parts of a node are wired. ``open_node(path)`` gives a ``Node``; actions and doors take it.

A change of state is written inside ``node.change(by)``: one transaction of the records in which the change and its log
events stand or fall together.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict
from hutong.settings import FILE, Settings, checked_id, load_settings, node_folder, write_settings
from hutong.standard import Standard, load
from hutong.storage import inbox
from hutong.storage.engines import Engine, open_engine
from hutong.storage.kept import Memory
from hutong.storage.lake import Lake
from hutong.storage.records import Records
from hutong.storage.schema import REVISION
from hutong.trust.authorisation import Actor, Decision, Policy, Resource
from hutong.trust.keys import KeyFolder, NodeKeys, create_keys
from hutong.trust.log.journal import Event, Log
from hutong.trust.log.note import COSIGNATURE_V1, SigningKey
from hutong.trust.peers import Peers

MOST_FILES = 32
MOST_SMALL_FILES = 64
SMALL_BYTES = 32 * 2**20
"""A table up to this size is made few files as soon as it has more than so many; a larger one once in an hour."""
SNAPSHOTS_KEPT = 50
MAX_NAME = 200
_USER_ASSIGNED = re.compile(r"AA|Q[M-Z]|X[A-Z]|ZZ")
"""Codes that ISO 3166-1 (5.1.3) leaves to its users, for exercises and regions without a code."""


@dataclass(slots=True)
class Change:
    """An open transaction of the records. ``event`` adds to the log when, and only when, the transaction commits."""

    connection: sa.Connection
    by: Actor
    at: datetime
    events: list[Event] = field(default_factory=list)

    def event(self, kind: str, **facts: Any) -> None:
        """Tell the log what happened: ids, counts, hashes and dates, never personal data or a hash of them."""
        self.events.append(Event(kind=kind, by=self.by.log_name, at=self.at, facts=facts))

    def execute(self, statement: sa.Executable, rows: list[dict[str, Any]] | None = None) -> sa.CursorResult[Any]:
        return self.connection.execute(statement, rows) if rows is not None else self.connection.execute(statement)


@dataclass(frozen=True, slots=True)
class Node:
    """One installation: its settings, storages, engine, keys, log and policies. Time and randomness are parts too.

    ``memory`` holds what was derived of the rest and can be made again; it ends with the process.
    """

    settings: Settings
    records: Records
    lake: Lake
    engine: Engine
    key_folder: KeyFolder
    log: Log
    policy: Policy
    peers: Peers
    standard: Standard
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    memory: Memory = field(default_factory=Memory)

    @property
    def id(self) -> str:
        return self.settings.id

    @property
    def keys(self) -> NodeKeys:
        """The keys in use now; a pass key may have been replaced since the last call."""
        return self.key_folder.keys

    @property
    def operator(self) -> Actor:
        """Whoever runs commands on the node's own machine."""
        return Actor(id="operator", kind="account", roles=frozenset({"operator"}), represents=self.id)

    @property
    def cosigner(self) -> SigningKey:
        """The key with which this node witnesses other logs."""
        return SigningKey(f"{self.id}.hutong/witness", self.keys.signing, COSIGNATURE_V1)

    @contextmanager
    def change(self, by: Actor, *, unlogged: str = "") -> Iterator[Change]:
        """One transaction with its log events; durable on return.

        Rows that are written without an event are a defect, and nothing of it happens: ``unlogged`` says why what is
        written here may be no entry of the log.
        """
        with self.records.writing() as connection:
            written = _count_written(connection)
            change = Change(connection=connection, by=by, at=self.clock())
            yield change
            if change.events:
                self.log.append(connection, change.events)
            elif written and not unlogged:
                raise RuntimeError(f"A change wrote to {', '.join(sorted(set(written)))} and told the log nothing.")

    def require(
        self,
        by: Actor,
        action: str,
        resource: Resource | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Decision:
        """Ask the policies; ``Refused`` with reasons when the answer is no."""
        return self.policy.require(by, action, resource or Resource("Node", self.id), context)

    def new_id(self) -> str:
        """A random identifier: 20 characters of base 32 (100 bits)."""
        alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
        return "".join(alphabet[byte & 31] for byte in self.random(20))

    def move_inbox(self) -> dict[str, int]:
        """Move what was acknowledged to the lake; rows moved by table."""
        moved = inbox.move(self.records, self.lake, folder=self.settings.folder)
        self.compact_small(*moved)
        return moved

    def compact_small(self, *tables: str) -> None:
        """Rewrite those of the tables that are small and in many files: what reads them need not open each."""
        crowded = [table for table in tables if self._is_crowded(table)]
        if crowded:
            with inbox.one_at_a_time(self.settings.folder / "inbox.lock"):
                for table in filter(self._is_crowded, crowded):
                    self._tidy(table)

    def _is_crowded(self, table: str) -> bool:
        files = self.lake.snapshot(table).files
        return len(files) > MOST_SMALL_FILES and sum(Path(file).stat().st_size for file in files) <= SMALL_BYTES

    def tidy_lake(self) -> None:
        """Rewrite tables of many small files as few, and forget snapshots beyond the fifty newest."""
        with inbox.one_at_a_time(self.settings.folder / "inbox.lock"):
            for table in self.lake.tables():
                self._tidy(table)

    def _tidy(self, table: str) -> None:
        if len(self.lake.snapshot(table).files) > MOST_FILES:
            self.lake.compact(table)
        self.lake.expire(table, keep=SNAPSHOTS_KEPT)

    def close(self) -> None:
        self.engine.close()
        self.lake.close()
        self.records.close()


def _count_written(connection: sa.Connection) -> list[str]:
    """Names of the tables in which rows are written from now on, once for each statement that writes any."""
    written: list[str] = []

    def note(_connection: object, cursor: Any, _sql: object, _values: object, context: Any, _many: bool) -> None:
        if (context.isinsert or context.isupdate or context.isdelete) and cursor.rowcount != 0:
            written.append(str(context.compiled.statement.table.name))

    sa.event.listen(connection, "after_cursor_execute", note)
    return written


def open_node(
    path: str | Path | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    random: Callable[[int], bytes] = os.urandom,
) -> Node:
    """Open the node in ``path`` (or in ``HUTONG_NODE``).

    Raises ``NotFound`` when there is none, ``Conflict`` when its records are of another version, ``Unavailable`` when
    they are gone.
    """
    node = _wire(load_settings(node_folder(path)), clock=clock, random=random)
    node.records.require_current()
    return node


def init_node(
    path: str | Path | None,
    *,
    node_id: str,
    name: Mapping[str, str],
    territory: str,
    url: str,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    random: Callable[[int], bytes] = os.urandom,
) -> Node:
    """Create a node: folder, settings, keys, records and the first log entry. ``Conflict`` when one is there."""
    folder = node_folder(path)
    checked_id(node_id)
    _require_names(name, territory)
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"{url!r} is not the address of a node.", "Give its public address: https://….")
    if (folder / FILE).exists():
        raise Conflict(f"There is a node in {folder} already.", "Choose another folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _nothing_half(folder):
        write_settings(folder, node_id=node_id, name=name, territory=territory, url=url)
        settings = load_settings(folder)
        create_keys(settings.keys_folder, node_id=node_id, now=clock())
        node = _wire(settings, clock=clock, random=random)
        node.records.migrate()
        with node.records.writing() as connection:
            node.log.start(connection)
        with node.change(node.operator) as change:
            change.event("node.initialised", node=node_id, territory=territory, standard=node.standard.version)
    return node


def upgrade_node(path: str | Path | None = None) -> str:
    """Bring the records of the node in ``path`` to this version of the software; their version then.

    Raises ``NotFound`` when there is no node, ``Unavailable`` when its records are gone, ``Conflict`` when they are of
    a newer version.
    """
    records = Records(load_settings(node_folder(path)).database_url)
    try:
        records.require_kept()
        records.migrate()
    finally:
        records.close()
    return REVISION


@contextmanager
def _nothing_half(folder: Path) -> Iterator[None]:
    """What was made in the folder goes again when the rest can't be: no node is better than half a one."""
    before = set(folder.iterdir())
    try:
        yield
    except BaseException:
        for made in set(folder.iterdir()) - before:
            shutil.rmtree(made) if made.is_dir() else made.unlink()
        raise


def _require_names(name: Mapping[str, str], territory: str) -> None:
    for language, text in name.items():
        if not text.strip() or len(text) > MAX_NAME or not text.isprintable():
            raise BadInput(f"The node's name in {language!r} is empty or no line of text.", "Give its name.")
    if territory != "*" and not is_territory(territory):
        raise BadInput(
            f"{territory!r} is no territory.", "Give its ISO 3166-1 code of two capital letters, or * for a hub."
        )


def is_territory(code: str) -> bool:
    """Whether this is a code of ISO 3166-1, or one of those that it leaves to its users."""
    return code in {known.value for known in load().code_list("country").codes} or bool(_USER_ASSIGNED.fullmatch(code))


def _wire(settings: Settings, *, clock: Callable[[], datetime], random: Callable[[int], bytes]) -> Node:
    records = Records(settings.database_url)
    lake = Lake(database_url=records.url, folder=settings.lake_folder)
    key_folder = KeyFolder(settings.keys_folder, node_id=settings.id)
    keys = key_folder.keys
    return Node(
        settings=settings,
        records=records,
        lake=lake,
        engine=open_engine(
            settings.engine,
            lake,
            memory_megabytes=settings.limits.query_memory_megabytes,
            threads=settings.limits.query_threads,
        ),
        key_folder=key_folder,
        log=Log(records, SigningKey(f"{settings.id}.hutong/log", keys.signing)),
        policy=Policy.load(),
        peers=Peers(
            node_id=settings.id,
            key=keys.signing,
            kid=keys.public["signing"]["kid"],
            timeout_seconds=settings.limits.remote_timeout_seconds,
            max_bytes=settings.limits.harvest_bytes,
            clock=clock,
            random=random,
        ),
        standard=load(),
        clock=clock,
        random=random,
    )
