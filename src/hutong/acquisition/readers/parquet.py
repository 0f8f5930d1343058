"""Parquet files as chunks of raw text columns, so that one mapping language serves every kind of table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
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
    nested = [f.name for f in schema if pa.types.is_nested(f.type) or pa.types.is_binary(f.type)]
    if nested:
        raise BadInput(
            f"{path.name} has columns that are no plain values: {', '.join(nested[:10])}.",
            "Flatten or remove them.",
        )
    columns = checked_columns(list(schema.names), path.name, limits)
    scan = sniff.Scan(sha256, size, has_quotes=False, ends_with_newline=True)
    return TableReader(path, TableFormat("parquet"), columns, scan, limits)


def chunks(reader: TableReader) -> Iterator[TableChunk]:
    """Chunks in file order; dates become ISO 8601 text. Raises BadInput (damaged), Conflict (changed)."""
    number = 0
    try:
        with pq.ParquetFile(reader.path) as file:
            for batch in file.iter_batches(batch_size=reader.limits.chunk_rows):
                arrays = [_as_text(column) for column in batch.columns]
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


def _as_text(column: Any) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string())
