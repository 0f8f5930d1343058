"""What the lake does with PyIceberg's tables beyond what PyIceberg itself offers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction
    from pyiceberg.table.snapshots import Snapshot

NAMESPACE: Final = "hutong"
SCHEME: Final = "file://"


@cache
def locations_of(catalog: str) -> sa.Select[Any, Any]:
    """The question where the newest metadata of a catalogue's tables are; written once, since it is often asked."""
    from pyiceberg.catalog.sql import IcebergTables

    own = (IcebergTables.catalog_name == catalog, IcebergTables.table_namespace == NAMESPACE)
    return sa.select(IcebergTables.table_name, IcebergTables.metadata_location).where(*own)


@cache
def staging() -> type[Transaction]:
    """PyIceberg's, but that the metadata are made once for each step: it would copy them whole whenever it looks."""
    from pyiceberg.table import Transaction

    class Once(Transaction):
        _made: tuple[object, object, Any] = (None, None, None)

        @property
        def table_metadata(self) -> Any:
            before, steps, made = self._made
            if before is not self._table.metadata or steps is not self._updates:
                made = super().table_metadata
                self._made = (self._table.metadata, self._updates, made)
            return made

    return Once


def files_of(loaded: Table, current: Snapshot, known: tuple[int, tuple[str, ...]] | None) -> tuple[str, ...]:
    """The data files of a state. What a known one was only added to need not be read again."""
    from pyiceberg.table.snapshots import Operation

    known_id, known_files = known or (None, ())
    if current.snapshot_id == known_id:
        return known_files
    appended = current.summary is not None and current.summary.operation == Operation.APPEND
    if known_id is not None and current.parent_snapshot_id == known_id and appended:
        paths = [*known_files, *(file.file_path for file in added_by(current, loaded))]
    else:
        paths = [task.file.file_path for task in loaded.scan().plan_files()]
    return tuple(sorted(path.removeprefix(SCHEME) for path in paths))


def added_by(step: Snapshot, loaded: Table) -> Iterator[DataFile]:
    """The data files that came with a snapshot."""
    from pyiceberg.manifest import ManifestEntryStatus

    for manifest in step.manifests(loaded.io):
        if manifest.added_snapshot_id == step.snapshot_id:
            for entry in manifest.fetch_manifest_entry(loaded.io):
                if entry.status == ManifestEntryStatus.ADDED:
                    yield entry.data_file


def fitting(transaction: Transaction, rows: pa.Table) -> pa.Table:
    """The rows in the order of the table's columns, null in those that they lack; the table gains those that it lacks.

    Rows that an earlier release put in the inbox may lack columns, too.
    """
    import pyarrow as pa

    lacks = set(rows.column_names) - set(transaction.table_metadata.schema().column_names)
    if lacks:
        with transaction.update_schema() as update:
            update.union_by_name(rows.schema)
    wanted = transaction.table_metadata.schema().as_arrow()
    for field in wanted:
        if field.name not in rows.column_names:
            rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
    return rows.select(wanted.names).cast(wanted)
