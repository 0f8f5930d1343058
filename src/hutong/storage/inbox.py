"""Inbox: what was accepted is durable in the records before it is acknowledged, and moves to the lake in batches.

A batch is *in the lake* exactly when its number is at most the table's high-water mark, which Iceberg commits together
with the rows; until then it is in the inbox. Deleting moved batches is housekeeping and may be repeated.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hutong.storage.lake import Lake
from hutong.storage.records import Records
from hutong.storage.schema import inbox

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_MOVE = 2_000_000


def put(connection: sa.Connection, *, table: str, receipt: str, rows: int, payload: bytes) -> None:
    """Add one packed batch in the caller's transaction."""
    connection.execute(inbox.insert().values(table_name=table, receipt=receipt, rows=rows, payload=payload))


def waiting(records: Records, lake: Lake) -> dict[str, int]:
    """Rows that are acknowledged and not yet in the lake, by table."""
    with records.reading() as connection:
        found = connection.execute(sa.select(inbox.c.table_name, inbox.c.seq, inbox.c.rows).order_by(inbox.c.seq)).all()
    marks = {name: lake.high_water(name) for name in {row.table_name for row in found}}
    counted: dict[str, int] = {}
    for row in found:
        if row.seq > marks[row.table_name]:
            counted[row.table_name] = counted.get(row.table_name, 0) + row.rows
    return counted


def newest(records: Records) -> int | None:
    """Number of the newest batch in the inbox; None while it is empty. No number is ever given twice."""
    with records.reading() as connection:
        return connection.execute(sa.select(sa.func.max(inbox.c.seq))).scalar()


def move(records: Records, lake: Lake, *, folder: Path) -> dict[str, int]:
    """Move all waiting batches to the lake, one snapshot per table and two million rows; returns rows moved by table.

    Only one process of a node moves at a time (a lock file in ``folder``); another one that asks waits for it.
    """
    moved: dict[str, int] = {}
    with one_at_a_time(folder / "inbox.lock"):
        with records.reading() as connection:
            names = connection.execute(sa.select(inbox.c.table_name).distinct()).scalars().all()
        for name in sorted(names):
            mark = lake.high_water(name)
            while batches := _next_batches(records, name, mark):
                rows, mark = batches
                lake.append(name, rows, high_water=mark)
                moved[name] = moved.get(name, 0) + rows.num_rows
            lake.sync(name)
            with records.writing() as connection:
                connection.execute(inbox.delete().where(inbox.c.table_name == name, inbox.c.seq <= mark))
    return moved


def _next_batches(records: Records, table: str, mark: int) -> tuple[pa.Table, int] | None:
    import pyarrow as pa

    parts: list[pa.Table] = []
    counted = 0
    query = sa.select(inbox.c.seq, inbox.c.payload).where(inbox.c.table_name == table, inbox.c.seq > mark)
    with records.reading() as connection:
        for row in connection.execute(query.order_by(inbox.c.seq)):
            parts.append(_unpacked(row.payload))
            mark = row.seq
            counted += parts[-1].num_rows
            if counted >= ROWS_PER_MOVE:
                break
    # Batches of before and after an update of the software may differ in their columns.
    return (pa.concat_tables(parts, promote_options="default"), mark) if parts else None


def pack(rows: pa.Table) -> bytes:
    """A batch as it stands in the inbox: an Arrow stream, compressed."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def _unpacked(payload: bytes) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_stream(payload).read_all()


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold a lock file: another thread or process that asks for it waits."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
