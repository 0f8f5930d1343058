"""Parquet files as chunks of raw text columns, so that one mapping language serves every kind of table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hutong.acquisition.readers import sniff
from hutong.acquisition.readers.table import (
    TableChunk,
    TableFormat,
    TableLimits,
    TableReader,
    checked_columns,
)
from hutong.errors import BadInput, LimitExceeded

# Parquet packs repeated values very well; beyond this factor over the file limit it is a bomb, not data.
_UNPACKED_FACTOR = 16


def open_parquet(path: Path, limits: TableLimits) -> TableReader:
    """Read the footer only. Raises BadInput (cut off, damaged, nested or binary columns), LimitExceeded."""
    sha256, size = sniff.file_sha256(path)
    try:
        with pq.ParquetFile(path) as file:
            meta, schema = file.metadata, file.schema_arrow
            unpacked = sum(meta.row_group(at).total_byte_size for at in range(meta.num_row_groups))
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{path.name} begins like Parquet but can't be read: it is cut off or damaged.",
            "Ask the sender for the whole file.",
        ) from error
    too_large = size > limits.size_bytes or unpacked > _UNPACKED_FACTOR * limits.size_bytes
    if too_large or meta.num_rows > limits.rows:
        raise LimitExceeded(f"{path.name} holds {meta.num_rows:,} rows in {unpacked:,} bytes.", "Split the file.")
    others = [f.name for f in schema if not _is_plain(f.type)]
    if others:
        raise BadInput(
            f"{path.name} has columns that are no plain values: {', '.join(others[:10])}.",
            "Flatten or remove them.",
        )
    columns = checked_columns(list(schema.names), path.name, limits)
    scan = sniff.Scan(sha256, size, meta.num_rows, has_quotes=False, ends_with_newline=True)
    return TableReader(path, TableFormat("parquet"), columns, scan, limits)


def _is_plain(kind: pa.DataType) -> bool:
    """Texts, numbers, truth values, dates and times of day or date; packed as a dictionary or not."""
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    tests = (
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null, pa.types.is_boolean),
        *(pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
        *(pa.types.is_date, pa.types.is_time, pa.types.is_timestamp),
    )
    return any(test(kind) for test in tests)


def chunks(reader: TableReader) -> Iterator[TableChunk]:
    """Chunks in file order; dates and date-times become ISO 8601 text, a column of midnights only is one of dates.

    Raises BadInput (damaged), Conflict (changed).
    """
    number = 0
    try:
        with pq.ParquetFile(reader.path) as file:
            days = _day_columns(file, reader)
            for batch in file.iter_batches(batch_size=reader.limits.chunk_rows):
                arrays = [
                    _as_text(column, is_day=name in days)
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
                numbers = pa.array(range(number + 1, number + batch.num_rows + 1), pa.int64())
                number += batch.num_rows
                yield TableChunk(pa.Table.from_arrays(arrays, names=list(reader.columns)), numbers)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{reader.path.name} can't be read after row {number:,}: it is damaged.",
            "Ask the sender for it again.",
        ) from error
    if sniff.file_sha256(reader.path)[0] != reader.sha256:
        raise reader.changed()


def _day_columns(file: pq.ParquetFile, reader: TableReader) -> frozenset[str]:
    """Timestamp columns that hold midnights only: many programs (pandas is one) have no other type for dates."""
    days = {field.name for field in file.schema_arrow if pa.types.is_timestamp(field.type)}
    for batch in file.iter_batches(batch_size=reader.limits.chunk_rows, columns=sorted(days)) if days else ():
        for name in sorted(days):
            moments = batch.column(name)
            if pc.all(pc.equal(moments, pc.floor_temporal(moments, unit="day"))).as_py() is False:
                days.discard(name)
    return frozenset(days)


def _as_text(column: pa.Array, *, is_day: bool) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_day:
        column = pc.strftime(column, format="%Y-%m-%d")
    elif pa.types.is_timestamp(column.type):
        form = "%Y-%m-%dT%H:%M:%S" + ("%z" if column.type.tz else "")
        column = pc.strftime(column.cast(pa.timestamp("s", column.type.tz), safe=False), format=form)
    text = column.cast(pa.string())
    text.validate(full=True)  # a file may claim that any bytes are UTF-8
    return text
