"""Lake: the large, columnar storage. Apache Iceberg tables through PyIceberg, its catalogue in the records database.

The tables are the contract between engines: DuckDB reads the Parquet files that a table's plan names, Spark reads the
table by its metadata location. A table's property ``hutong.high-water`` is the last inbox batch that it holds; it is
written in the same Iceberg commit as the rows, which is what makes the move from the inbox happen exactly once.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutong.errors import NotFound, Tampered, Unavailable
from hutong.storage.iceberg import NAMESPACE, SCHEME, added_by, files_of, fitting, locations_of, staging
from hutong.storage.records import clear_errors

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table as IcebergTable

_HIGH_WATER = "hutong.high-water"
_COMPACTED = "hutong.compacted"
_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # Engines read row groups side by side, and pass over those in which nobody can be whom they look for.
    "write.parquet.row-group-limit": "65536",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


Matches = Mapping[str, Collection[str] | None]
"""Which rows: in every named column the value must be one of those given, or (None) any value but null."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of a lake table: what an engine needs to read it.

    ``grew``: the table has gained columns, which older files lack.
    """

    table: str
    id: int
    files: tuple[str, ...]
    metadata_location: str
    schema: pa.Schema
    grew: bool = False


class Lake:
    """The Iceberg tables of one node. ``folder`` is the warehouse; ``database_url`` the records database."""

    def __init__(self, *, database_url: str, folder: Path) -> None:
        self._database_url = database_url
        self._folder = folder
        self._opened: SqlCatalog | None = None
        # Two threads that open a new lake at once would both create the catalogue's tables.
        self._opening = threading.Lock()
        self._read: dict[str, IcebergTable] = {}
        self._snapshots: dict[str, Snapshot] = {}

    @property
    def _catalog(self) -> SqlCatalog:
        with self._opening:
            if self._opened is None:
                from pyiceberg.catalog.sql import SqlCatalog

                is_sqlite = self._database_url.startswith("sqlite")
                with clear_errors():
                    self._folder.mkdir(parents=True, exist_ok=True)
                    opened = SqlCatalog(
                        "hutong",
                        # The catalogue writes beside the records: it waits for them as long as they do for each other.
                        uri=f"{self._database_url}?timeout=30" if is_sqlite else self._database_url,
                        warehouse=f"{SCHEME}{self._folder}",  # as it is: nothing that reads it undoes escapes
                        **{"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO", "pool_pre_ping": str(not is_sqlite)},
                    )
                    opened.create_namespace_if_not_exists(NAMESPACE)
                self._opened = opened
            return self._opened

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create the table when it is not there."""
        if self.exists(table):
            return
        with clear_errors():
            self._catalog.create_table_if_not_exists((NAMESPACE, table), schema, properties=_PROPERTIES)

    def tables(self) -> tuple[str, ...]:
        """Names of all tables, sorted."""
        return tuple(sorted(self.locations()))

    def locations(self) -> dict[str, str]:
        """Where the newest metadata of each table are: another place after every change. It is one look-up.

        Raises Unavailable where they are in another folder than this lake's: of a copy, they are the original's.
        """
        catalog = self._catalog
        with clear_errors(), catalog.engine.connect() as connection:
            found = {row.table_name: row.metadata_location for row in connection.execute(locations_of(catalog.name))}
        for location in found.values():
            self._require_own(location)
        return found

    def _require_own(self, location: str) -> None:
        # Both are as they were written; links are followed only where that differs.
        if location.startswith(f"{SCHEME}{self._folder}/"):
            return
        if not _path(location).resolve().is_relative_to(self._folder.resolve()):
            raise Unavailable(
                "The lake of this node is in another folder: the node was moved or copied.",
                "Put the node back where it was, or leave a link there.",
            )

    def append(
        self, table: str, rows: pa.Table, *, high_water: int, properties: Mapping[str, str] | None = None
    ) -> None:
        """Add rows in one snapshot, and with them the number of the last batch they come from.

        The table gains the columns that the rows bring, and ``properties`` are set, in the same commit.
        """
        self.create(table, rows.schema)
        loaded = self._load(table)
        with clear_errors(), staging()(loaded) as transaction:
            transaction.append(fitting(transaction, rows), snapshot_properties={_HIGH_WATER: str(high_water)})
            transaction.set_properties({_HIGH_WATER: str(high_water), **(properties or {})})

    def replace(self, table: str, rows: pa.Table, *, properties: Mapping[str, str] | None = None) -> None:
        """Replace a *derived* table (never facts) by its newest computation; earlier states stay as snapshots.

        The table gains the columns that the rows bring, and ``properties`` are set, in the same commit.
        """
        self.create(table, rows.schema)
        loaded = self._load(table)
        with clear_errors(), loaded.transaction() as transaction:
            write = transaction.overwrite if loaded.current_snapshot() else transaction.append
            write(fitting(transaction, rows))
            if properties:
                transaction.set_properties(dict(properties))

    def sync(self, table: str) -> None:
        """Write a table's newest files through to the disk, so that a power cut can't take what is forgotten elsewhere.

        Files older than ten minutes were written back by the system long ago.
        """
        if not self.exists(table):
            return
        location = _path(self._load(table).location())
        since = time.time() - 600
        for path in (location, *location.rglob("*")):
            if path.stat().st_mtime >= since:
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def high_water(self, table: str) -> int:
        """Number of the last inbox batch that the table holds; 0 when it holds none."""
        return int(self.properties(table).get(_HIGH_WATER, "0"))

    def properties(self, table: str) -> Mapping[str, str]:
        """What was written beside a table's rows; nothing for a table that is not there."""
        newest = self._newest(table)
        return dict(newest.properties) if newest else {}

    def rows_at(self, table: str, snapshot: int) -> pa.Table | None:
        """A small table as it was at a snapshot; None when that is forgotten."""
        loaded = self._load(table)
        if loaded.snapshot_by_id(snapshot) is None:
            return None
        return loaded.scan(snapshot_id=snapshot).to_arrow()

    def added_since(self, table: str, snapshot: int, *, columns: Collection[str], most_rows: int) -> pa.Table | None:
        """Rows appended after a snapshot, read from the files that came with them.

        Args:
            snapshot: id of the snapshot known before; 0 when the table was empty or not there.
            columns: those to read.
            most_rows: give up (None) when there are more.

        Returns:
            None when it can't be told: rows were replaced or deleted since, or the snapshot is forgotten.
        """
        import pyarrow as pa
        import pyarrow.dataset as ds
        from pyiceberg.table.snapshots import Operation

        loaded = self._load(table)
        files: list[str] = []
        rows = 0
        at = loaded.metadata.current_snapshot_id or 0
        while at != snapshot:
            step = loaded.snapshot_by_id(at)
            if step is None or step.summary is None:
                return None
            compacted = _COMPACTED in step.summary.additional_properties  # the same rows in other files
            if not compacted and step.summary.operation != Operation.APPEND:
                return None
            for file in () if compacted else added_by(step, loaded):
                files.append(file.file_path.removeprefix(SCHEME))
                rows += file.record_count
            if rows > most_rows:
                return None
            at = step.parent_snapshot_id or 0
        schema = loaded.schema().as_arrow()
        wanted = [schema.field(name) for name in columns]
        if not files:
            return pa.schema(wanted).empty_table()
        return ds.dataset(sorted(files), schema=schema).to_table(columns=list(columns))

    def exists(self, table: str) -> bool:
        return table in self.locations()

    def snapshot(self, table: str) -> Snapshot:
        """The newest state of a table; ``NotFound`` when nothing was ever put in it."""
        loaded = self._newest(table)
        if loaded is None:
            raise NotFound(f"The lake has no table {table!r}.", "Acquire data for it first.")
        known = self._snapshots.get(table)
        if known and known.metadata_location == loaded.metadata_location:
            return known
        current = loaded.current_snapshot()
        fresh = Snapshot(
            table=table,
            id=current.snapshot_id if current else 0,
            files=files_of(loaded, current, known=(known.id, known.files) if known else None) if current else (),
            metadata_location=str(loaded.metadata_location),
            schema=loaded.schema().as_arrow(),
            grew=len(loaded.metadata.schemas) > 1,
        )
        self._snapshots[table] = fresh
        return fresh

    def compact(self, table: str) -> int:
        """Rewrite a table of many small files as one snapshot of few; returns how many files there were."""
        loaded = self._load(table)
        before = len(self.snapshot(table).files)
        if before > 1:
            with clear_errors():
                loaded.overwrite(loaded.scan().to_arrow(), snapshot_properties={_COMPACTED: "true"})
        return before

    def expire(self, table: str, *, keep: int) -> int:
        """Forget all but the ``keep`` newest snapshots; returns how many were forgotten."""
        loaded = self._load(table)
        held = {ref.snapshot_id for ref in loaded.metadata.refs.values()}
        snapshots = sorted(loaded.snapshots(), key=lambda snapshot: snapshot.timestamp_ms)
        old = [s.snapshot_id for s in snapshots[: max(0, len(snapshots) - keep)] if s.snapshot_id not in held]
        if old:
            with clear_errors():
                loaded.maintenance.expire_snapshots().by_ids(old).commit()
        return len(old)

    def count_where(self, table: str, matches: Matches) -> int:
        """How many rows ``delete_where`` would delete; 0 when there is no such table."""
        if not self.exists(table):
            return 0
        return int(self._load(table).scan(row_filter=_predicate(matches)).count())

    def delete_where(self, table: str, matches: Matches) -> int:
        """Delete rows for ever, and return how many.

        The files that held them are rewritten without them, all earlier snapshots are forgotten, and every file of the
        table that its newest state does not name is removed from the disk: data, and also manifests, which hold the
        smallest and largest value of each column. Engines that read an earlier snapshot meanwhile fail and must read
        again. Nothing changes when no row matches.
        """
        deleted = self.count_where(table, matches)
        if deleted:
            with clear_errors():
                self._load(table).delete(_predicate(matches))
                # An empty snapshot more: the one that deletes still tells what the deleted files held at the extremes.
                loaded = self._load(table)
                loaded.append(loaded.schema().as_arrow().empty_table())
                self.purge(table)
        return deleted

    def purge(self, table: str) -> int:
        """Forget all snapshots but the newest and remove all files that only they named; returns how many files.

        Whoever writes to the table meanwhile would lose what is not committed: hold the writers' locks.

        Raises Tampered when a file that the newest state names is not where it should be; then nothing is removed.
        """
        self.expire(table, keep=1)
        loaded = self._load(table)
        named = {str(loaded.metadata_location)}
        current = loaded.current_snapshot()
        if current is not None:
            named.add(current.manifest_list)
            for manifest in current.manifests(loaded.io):
                named.add(manifest.manifest_path)
                named |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(loaded.io)}
        folder, needed = _path(loaded.location()), {_path(location) for location in named}
        there = {path for path in folder.rglob("*") if path.is_file()}
        if not needed <= there:
            raise Tampered(
                f"Files of the table {table!r} are not where the lake's catalogue says.", "Restore the node's folder."
            )
        # Earlier metadata files hold no values, and PyIceberg deletes them itself when they are many.
        earlier = {_path(entry.metadata_file) for entry in loaded.metadata.metadata_log}
        unnamed = there - needed - earlier
        for path in unnamed:
            path.unlink(missing_ok=True)
        return len(unnamed)

    def _newest(self, table: str) -> IcebergTable | None:
        """The table to read from, or None where there is none. Its metadata are parsed again only when it has changed.

        Whoever writes loads its own: a commit changes the object that it was made with.
        """
        location = self.locations().get(table)
        if location is None:
            return None
        known = self._read.get(table)
        if known is None or known.metadata_location != location:
            known = self._read[table] = self._load(table)
        return known

    def _load(self, table: str) -> IcebergTable:
        if table not in self.locations():
            raise NotFound(f"The lake has no table {table!r}.", "Acquire data for it first.")
        with clear_errors():
            return self._catalog.load_table((NAMESPACE, table))

    def close(self) -> None:
        """Let go of the catalogue's connections."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()
                self._opened = None


def _path(location: str) -> Path:
    return Path(location.removeprefix(SCHEME))


def _predicate(matches: Matches) -> Any:
    from pyiceberg import expressions

    # PyIceberg's expressions take their values by position, which its annotations don't say.
    kinds: Any = expressions
    found = kinds.AlwaysTrue()
    for column, values in matches.items():
        found = kinds.And(found, kinds.NotNull(column) if values is None else kinds.In(column, set(values)))
    return found
