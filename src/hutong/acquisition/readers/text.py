"""Delimited text (RFC 4180, delimiter declared) as chunks of columns.

Two ways to the same answer. Text with quotes goes record by record through Python's csv, which keeps row
numbers right when a quote is wrong. A file without a single quote (the first pass knows) has one record a
line, so whole blocks go through Arrow's reader, and a block that holds a row of the wrong length falls back
to the first way.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from hutong.acquisition.readers.table import MalformedRow, TableChunk, TableReader
from hutong.errors import BadInput, LimitExceeded

_BLOCK_BYTES = 4 << 20


def chunks(reader: TableReader) -> Iterator[TableChunk]:
    """Chunks in file order. Raises BadInput (cut off, quote never closed), LimitExceeded, Conflict
    (changed)."""
    batch = _Batch(reader)
    blocks = _Blocks(reader)
    if reader.scan.has_quotes:
        yield from _by_record(batch, blocks)
    else:
        yield from _by_block(batch, blocks)
    if blocks.digest.hexdigest() != reader.sha256:
        raise reader.changed()
    _check_end(reader, batch)
    yield from batch.ready(everything=True)


@dataclass(slots=True)
class _Batch:
    """Rows that were read and not handed on yet, as tables of columns, and where the reader stands in the
    file."""

    reader: TableReader
    rows: int = 0
    line: int = 1
    last_malformed: int = 0
    malformed_total: int = 0
    _tables: list[tuple[pa.Table, pa.Array]] = field(default_factory=list)
    _malformed: list[MalformedRow] = field(default_factory=list)
    _held: int = 0

    def add_table(self, table: pa.Table, numbers: pa.Array) -> None:
        self._tables.append((table, numbers))
        self._held += table.num_rows
        self.reader.check_row_count(self.rows)

    def add_rows(self, rows: list[list[str]], numbers: list[int]) -> None:
        arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        self.add_table(pa.Table.from_arrays(arrays, list(self.reader.columns)), pa.array(numbers, pa.int64()))

    def add_malformed(self, row: MalformedRow) -> None:
        self._malformed.append(row)
        self.last_malformed = row.row_number
        self.malformed_total += 1
        if self.malformed_total > self.reader.limits.malformed_rows:
            raise LimitExceeded(
                f"{self.reader.path.name} has more than {self.reader.limits.malformed_rows:,} rows that "
                "don't fit its header.",
                "Check its delimiter and quotes, and give it again.",
            )

    def ready(self, *, everything: bool = False) -> Iterator[TableChunk]:
        """Hand on full chunks; with ``everything`` the rest too."""
        size = self.reader.limits.chunk_rows
        if not everything and self._held < size:
            return
        if not self._tables and not self._malformed:
            return
        names = list(self.reader.columns)
        empty = pa.table([pa.array([], pa.string())] * len(names), names=names)
        table = pa.concat_tables([t for t, _ in self._tables] or [empty])
        numbers = pa.chunked_array([n for _, n in self._tables], pa.int64()).combine_chunks()
        end = table.num_rows if everything else table.num_rows - table.num_rows % size
        malformed, self._malformed = tuple(self._malformed), []
        for start in range(0, max(end, 1), size):
            stop = min(start + size, end)
            part = table.slice(start, stop - start)
            yield TableChunk(part, numbers.slice(start, stop - start), malformed if start == 0 else ())
        rest = table.slice(end)
        self._tables = [(rest, numbers.slice(end))] if rest.num_rows else []
        self._held = rest.num_rows


class _Blocks:
    """A file in bounded blocks of whole lines, without a byte order mark; hashes what it reads."""

    def __init__(self, reader: TableReader) -> None:
        self._reader = reader
        self.digest = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        rest, first = b"", self._reader.format.encoding == "utf-8"
        with self._reader.path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                self.digest.update(block)
                block = rest + block
                if first:
                    block, first = block.removeprefix(b"\xef\xbb\xbf"), False
                # A carriage return at the very end may be half of a line end, so it never ends a block.
                cut = (block.rfind(b"\n") if b"\n" in block else block.rfind(b"\r", 0, -1)) + 1
                rest = block[cut:]
                if len(rest) > self._reader.limits.line_bytes + _BLOCK_BYTES:
                    raise self._reader.changed()  # the first pass saw no such line
                if cut:
                    yield block[:cut]
        if rest:
            yield rest

    def decoded(self, block: bytes) -> str:
        try:
            return block.decode(self._reader.format.encoding or "utf-8")
        except UnicodeDecodeError as error:
            raise self._reader.changed() from error  # the first pass decoded every byte

    def lines(self) -> Iterator[str]:
        for block in self:
            yield from io.StringIO(self.decoded(block), newline="")


def _by_record(batch: _Batch, blocks: _Blocks) -> Iterator[TableChunk]:
    reader = batch.reader
    records = csv.reader(blocks.lines(), delimiter=reader.format.delimiter or ",", strict=True)
    next(records, None)
    yield from _records(batch, records, 0)


def _records(batch: _Batch, records: Any, lines_before: int) -> Iterator[TableChunk]:
    """Drain a csv reader into the batch; ``lines_before`` are the physical lines before its first."""
    reader, width, step = batch.reader, len(batch.reader.columns), min(5_000, batch.reader.limits.chunk_rows)
    rows: list[list[str]] = []
    numbers: list[int] = []
    while True:
        line = lines_before + records.line_num + 1
        try:
            row = next(records, None)
        except csv.Error as error:
            batch.rows += 1
            last_line = lines_before + records.line_num
            batch.add_malformed(_broken_quote(reader, batch.rows, line, last_line, error))
            continue
        if row is None:
            break
        if not row:
            reader.notes["blank-line"] += 1
            continue
        batch.rows += 1
        if len(row) == width:
            rows.append(row)
            numbers.append(batch.rows)
        else:
            batch.add_malformed(_ragged(batch.rows, line, lines_before + records.line_num, len(row), width))
        if len(rows) >= step:
            batch.add_rows(rows, numbers)
            rows, numbers = [], []
            yield from batch.ready()
    batch.line = lines_before + records.line_num
    if rows:
        batch.add_rows(rows, numbers)
        yield from batch.ready()


def _by_block(batch: _Batch, blocks: _Blocks) -> Iterator[TableChunk]:
    reader, first = batch.reader, True
    delimiter = reader.format.delimiter or ","
    for raw in blocks:
        block = raw
        if first:
            header = next(iter(io.StringIO(blocks.decoded(block), newline="")))
            block, first = block[len(header.encode(reader.format.encoding or "utf-8")) :], False
        table = _clean_block(reader, block, delimiter)
        if table is None:
            lines = io.StringIO(blocks.decoded(block), newline="")
            yield from _records(batch, csv.reader(lines, delimiter=delimiter, strict=True), batch.line)
        elif table.num_rows:
            numbers = pa.array(range(batch.rows + 1, batch.rows + table.num_rows + 1), pa.int64())
            batch.rows += table.num_rows
            batch.line += table.num_rows
            batch.add_table(table, numbers)
            yield from batch.ready()


def _clean_block(reader: TableReader, block: bytes, delimiter: str) -> pa.Table | None:
    """The block through Arrow's reader; None where a row of it needs a closer look (wrong length, blank
    line)."""
    if not block or block[:1] in b"\r\n" or b"\n\n" in block or b"\n\r" in block or b"\r\r" in block:
        return None
    if len(reader.columns) == 1:
        return None  # a row of one empty cell is a blank line
    if reader.format.encoding != "utf-8":
        try:
            block = block.decode(reader.format.encoding or "utf-8").encode()
        except UnicodeDecodeError as error:
            raise reader.changed() from error
    names = list(reader.columns)
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(block),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None


def _ragged(number: int, line: int, last_line: int, cells: int, width: int) -> MalformedRow:
    where = f"line {line:,}" if last_line == line else f"lines {line:,} to {last_line:,}"
    return MalformedRow(number, line, "ragged-row", f"{cells} cells where the header has {width} ({where}).")


def _broken_quote(reader: TableReader, number: int, line: int, last_line: int, error: csv.Error) -> MalformedRow:
    """A row with a bad quote. BadInput where it never closes, because then the rest of the file has no rows;
    LimitExceeded where so much follows it that this can't be known."""
    if "field larger than field limit" in str(error):
        raise LimitExceeded(
            f"{reader.path.name} has a field of more than {csv.field_size_limit():,} characters from line {line:,} on: "
            "it is too long, or its quote never closes.",
            "Shorten the field, or correct the quote.",
        ) from error
    if "unexpected end of data" in str(error):
        raise BadInput(
            f"{reader.path.name} has a quote on line {line:,} that never closes: it is cut off or damaged.",
            "Ask the sender for the whole file, or correct the quote.",
        ) from error
    where = f"line {line:,}" if last_line == line else f"lines {line:,} to {last_line:,}"
    return MalformedRow(number, line, "broken-quote", f"text after a closing quote ({where}).")


def _check_end(reader: TableReader, batch: _Batch) -> None:
    if reader.scan.ends_with_newline:
        return
    if batch.last_malformed and batch.last_malformed == batch.rows:
        raise BadInput(
            f"{reader.path.name} is cut off in the middle of its last row ({batch.rows:,}).",
            "Ask the sender for the whole file.",
        )
    reader.notes["no-final-newline"] += 1
