"""Records: the small, transactional storage. SQLite in WAL mode with full sync, or PostgreSQL by one setting.

``writing()`` is the only way to change records: one transaction that takes the write lock at its start, so that what
was read in it still holds when it commits. When ``writing()`` returns, the change is on disk.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy import exc

from hutong.errors import BadInput, Conflict, Tampered, Unavailable
from hutong.storage.metadata import metadata

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITER_LOCK = 0x4875746F6E67  # "Hutong"
_DISK_FULL = ("database or disk is full", "No space left on device", "could not extend file")
_IO_ERROR = "disk I/O error"
_PATIENCE_MILLISECONDS = 30_000  # for the lock of another writer, on both databases
_CONNECT_SECONDS = 10
_CONNECTIONS = 20  # at most, of the hundred that PostgreSQL gives by default; as many again are the lake's catalogue's
_ROOM_BYTES = 2**17  # of SQLite's wal and shm files, which it makes when it opens the database

_VALUES_AT_ONCE = 500  # in one query; databases take more, but plan long lists slowly
_Value = TypeVar("_Value")


def in_parts(values: Sequence[_Value], most: int = _VALUES_AT_ONCE) -> Iterator[Sequence[_Value]]:
    """Values in parts of ``most``, without a number the one for ``column.in_(...)``."""
    return (values[start : start + most] for start in range(0, len(values), most))


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant, kept in UTC without its zone (SQLite has none) and given back aware.

    ``Tampered`` where SQLite, which keeps no types, holds anything else.
    """

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("an instant needs a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        read = super().result_processor(dialect, coltype)

        def process(value: Any) -> datetime | None:
            try:
                return read(value) if read else value
            except (ValueError, TypeError):
                raise Tampered("The records hold something else in place of a time.", "Restore the records.") from None

        return process


class Bytes(sa.types.TypeDecorator[bytes]):
    """Bytes that a hash or a signature covers; ``Tampered`` where SQLite, which keeps no types, holds anything else."""

    impl = sa.LargeBinary
    cache_ok = True

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], bytes | None]:
        # Instead of the implementation's own, which fails on text before process_result_value would see it.
        def process(value: Any) -> bytes | None:
            if value is None or type(value) is bytes:
                return value
            if isinstance(value, memoryview):
                return bytes(value)
            raise Tampered("The records hold something else where bytes were written.", "Restore the records.")

        return process


class Records:
    """One database. Thread-safe; one instance per process and database."""

    def __init__(self, url: str) -> None:
        self.url = _driver_url(url)
        self.engine = sa.create_engine(
            self.url,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            # What was kept open may be of a server that has been restarted since.
            pool_pre_ping=not self.url.startswith("sqlite"),
            max_overflow=_CONNECTIONS - 5,
        )
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        database = self.engine.url.database
        self._folder = Path(database).parent if self.is_sqlite and database else None
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view of the records."""
        with clear_errors(self._folder), self.engine.connect().execution_options(**self._one_snapshot) as connection:
            yield connection

    @property
    def _one_snapshot(self) -> dict[str, Any]:
        # SQLite's transactions see one snapshot anyhow.
        return {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction: all of it is durable on return, or nothing of it happened."""
        with (
            clear_errors(self._folder),
            self.engine.connect().execution_options(hutong_write=True) as connection,
            connection.begin(),
        ):
            if not self.is_sqlite:
                # One writer at a time, as on SQLite: numbers (of log entries, of inbox batches) are given in the order
                # in which they become visible, or a reader would pass over one that commits late.
                connection.exec_driver_sql(
                    f"SET LOCAL lock_timeout = {_PATIENCE_MILLISECONDS}; SELECT pg_advisory_xact_lock({_WRITER_LOCK})"
                )
            yield connection

    @contextmanager
    def rehearsing(self) -> Iterator[sa.Connection]:
        """A transaction that never commits: what it would change can be counted, and nothing changes."""
        with clear_errors(self._folder), self.engine.connect().execution_options(hutong_write=True) as connection:
            try:
                yield connection
            finally:
                connection.rollback()

    def migrate(self) -> None:
        """Bring the database to this version's shape (Alembic); does nothing when it is there.

        ``Conflict`` when it is of a version that this software does not know.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with clear_errors(self._folder), self.engine.connect().execution_options(hutong_write=True) as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise Conflict(
                    "The records are of a version that this software does not know.", "Install newer software."
                ) from error
            connection.commit()

    def require_kept(self) -> None:
        """Refuse where there are no records: they are made once, with the node. ``Unavailable``; nothing is made."""
        database = self.engine.url.database
        missing = self.is_sqlite and database is not None and not Path(database).exists()
        if not missing:
            with self.reading() as connection:
                missing = not sa.inspect(connection).has_table("alembic_version")
        if missing:
            raise Unavailable(
                "The records of this node are missing, or empty.",
                "Restore them from a backup; a node that was never used may be deleted and created again.",
            )

    def require_current(self) -> None:
        """Refuse to work without records, or on those of another version."""
        from hutong.storage.schema import REVISION

        self.require_kept()
        with self.reading() as connection:
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        if found != REVISION:
            raise Conflict(
                f"The records are at version {found}, this software needs {REVISION}.", "Run: hutong upgrade"
            )

    def scrub(self, tables: Iterable[str]) -> None:
        """Let go of what deleted rows left on the disk: free pages and the write-ahead log, or dead row versions.

        ``Unavailable`` when other connections hold the database for longer than thirty seconds; the rows are deleted
        whatever happens here, and it may be repeated.
        """
        if self.is_sqlite:
            statements = ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"]
        else:
            vacuum = (f"VACUUM FULL {metadata.tables[name].name}" for name in sorted(tables))
            statements = [f"SET lock_timeout = {_PATIENCE_MILLISECONDS}", *vacuum, "RESET lock_timeout"]
        # Outside of the pool's own transactions: neither database does this inside of one.
        with clear_errors(self._folder), self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            if not self.is_sqlite:
                raw.autocommit = True
            try:
                for statement in statements:
                    raw.execute(statement).close()
            except self.engine.dialect.loaded_dbapi.OperationalError as error:  # not yet SQLAlchemy's
                raise Unavailable("The records could not be scrubbed.", "Try again.", _said(error)) from error
            finally:
                if not self.is_sqlite:
                    raw.autocommit = False

    def close(self) -> None:
        self.engine.dispose()


def _driver_url(url: str) -> str:
    if url.startswith("sqlite:///"):
        return url
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise BadInput("The database address is not understood.", "Use sqlite:///FILE or postgresql://….")
    try:
        given = sa.make_url(url).set(drivername="postgresql+psycopg")
    except (exc.ArgumentError, ValueError) as error:
        raise BadInput("The database address is not understood.", "Use sqlite:///FILE or postgresql://….") from error
    # A server that is not there at all would be waited for for minutes.
    patient = {"connect_timeout": str(_CONNECT_SECONDS), **given.query}
    return given.set(query=patient).render_as_string(hide_password=False)


def _configure_sqlite(connection: Any, _record: object) -> None:
    # pysqlite's own implicit BEGIN is switched off: _begin_sqlite says which kind of transaction starts.
    connection.isolation_level = None
    # secure_delete: what is deleted is overwritten with zeros, so that destroyed rows don't survive in free pages.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_PATIENCE_MILLISECONDS}",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("hutong_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def clear_errors(folder: Path | None = None) -> Iterator[None]:
    """Turn what the database or the disk says into the tree of errors."""
    try:
        with clear_disk_errors(folder):
            yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        said = _said(getattr(error, "orig", error))
        raise Unavailable("The records database did not answer.", "Check that it runs and try again.", said) from error
    except exc.DataError as error:
        # PostgreSQL keeps to the sizes of columns, and no text with a NUL in it; SQLite takes both.
        raise BadInput(
            "A value is too long, too large or of characters that can't be kept.", "Nothing was changed: shorten it."
        ) from error
    except exc.DatabaseError as error:
        if type(error) is not exc.DatabaseError:
            raise  # a statement that is wrong is a defect
        # SQLite: "file is not a database", "database disk image is malformed".
        raise Tampered(
            f"The records database is damaged: {error.orig}.", "Restore the records from a backup."
        ) from error


def _said(error: BaseException) -> str:
    """What a database said itself: it names hosts and accounts, and has several lines, of which the first says most."""
    return str(error).strip().partition("\n")[0]


@contextmanager
def clear_disk_errors(folder: Path | None = None) -> Iterator[None]:
    """A full disk is one clear error, wherever it was met: in a file, or in a database with its files in ``folder``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full() from error
        raise
    except exc.IntegrityError as error:
        raise Conflict(
            "Somebody else did the same at the same time; nothing was changed here.", "Look at it again."
        ) from error
    except exc.OperationalError as error:
        said = str(error.orig)
        if any(sign in said for sign in _DISK_FULL) or (_IO_ERROR in said and _has_no_room(folder)):
            raise _disk_full() from error
        raise


def _has_no_room(folder: Path | None) -> bool:
    # With nothing left, SQLite can't even make the file that its lock needs and calls that an I/O error.
    return folder is not None and folder.exists() and shutil.disk_usage(folder).free < _ROOM_BYTES


def _disk_full() -> Unavailable:
    return Unavailable("The disk is full; nothing was changed.", "Free some space and try again.")
