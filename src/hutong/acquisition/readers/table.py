"""Streaming reader of delimited text and Parquet: chunks of raw text columns with the row numbers of the
file.

A file is read twice. The first pass (:mod:`.sniff`) hashes it and refuses what is no table at all, before any
row is handed on. The second pass yields chunks; it hashes again, and a file that changed meanwhile is refused
at the end. So a caller stores nothing durably before the iteration has ended. Memory: one chunk, whatever the
file's size.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa

from hutong.acquisition.readers import sniff
from hutong.errors import BadInput, Conflict, LimitExceeded


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How a file is written. None means: find out (an encoding that is not declared can only be UTF-8)."""

    kind: Literal["text", "parquet"] = "text"
    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("text", "parquet"):
            raise BadInput(f"The kind of file {self.kind!r} is not known.", "Use text or parquet.")
        if self.delimiter is not None and self.delimiter not in sniff.DELIMITERS:
            raise BadInput(
                f"The delimiter {self.delimiter!r} is not known.",
                "Use one of: comma, semicolon, tab ('\\t'), vertical bar.",
            )
        if self.encoding is not None and self.encoding not in sniff.ENCODINGS:
            raise BadInput(
                f"The encoding {self.encoding!r} is not known.", f"Use one of: {', '.join(sniff.ENCODINGS)}."
            )


@dataclass(frozen=True, slots=True)
class TableLimits:
    """Bounds of one file. ``malformed_rows``: how many rows may not fit the header before the file is
    refused."""

    size_bytes: int = 4 << 30
    line_bytes: int = 1 << 20
    columns: int = 2_000
    rows: int = 50_000_000
    malformed_rows: int = 10_000
    chunk_rows: int = 25_000


@dataclass(frozen=True, slots=True)
class MalformedRow:
    """A row without columns: its cells don't fit the header, or text follows a closing quote. It has no
    content.

    ``row_number`` counts data rows from 1 (the header is none); ``line`` is the physical line where it
    begins.
    """

    row_number: int
    line: int
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class TableChunk:
    """Part of a file: ``data`` has one string column per source column; ``row_numbers`` (int64) is as
    long."""

    data: pa.Table
    row_numbers: pa.Array
    malformed: tuple[MalformedRow, ...] = ()


@dataclass(slots=True)
class TableReader:
    """One opened file. ``chunks()`` may be called again; ``notes`` then counts what the whole file shows.

    Notes: ``blank-line`` (skipped, not numbered), ``no-final-newline`` (the last row may have been cut off),
    ``named-otherwise`` (a text named .parquet, or the reverse: the content counts, but it may be the wrong file).
    """

    path: Path
    format: TableFormat
    columns: tuple[str, ...]
    scan: sniff.Scan
    limits: TableLimits
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def sha256(self) -> str:
        return self.scan.sha256

    @property
    def size_bytes(self) -> int:
        return self.scan.size_bytes

    def chunks(self) -> Iterator[TableChunk]:
        """Chunks of at most ``limits.chunk_rows`` rows.

        Raises BadInput (cut off, damaged), LimitExceeded (too many rows, too many malformed ones), Conflict
        (the file changed while it was read); each may come after chunks were already handed on.
        """
        from hutong.acquisition.readers import parquet, text

        self.notes.clear()
        if sniff.is_named_otherwise(self.path, self.format.kind):
            self.notes["named-otherwise"] = 1
        yield from parquet.chunks(self) if self.format.kind == "parquet" else text.chunks(self)

    def check_row_count(self, rows: int) -> None:
        if rows > self.limits.rows:
            raise LimitExceeded(f"{self.path.name} has more than {self.limits.rows:,} rows.", "Split the file.")

    def changed(self) -> Conflict:
        """The error for a file that is no longer what the first pass saw."""
        return Conflict(
            f"{self.path.name} changed while it was being read.",
            "Wait until it is complete, then give it again.",
        )


def open_table(path: Path, *, declared: TableFormat | None = None, limits: TableLimits | None = None) -> TableReader:
    """Open a table file after one checking pass over all of its bytes.

    Raises NotFound, Unavailable, LimitExceeded, and BadInput naming what the file really is or which line is
    wrong.
    """
    limits = limits or TableLimits()
    declared = declared or TableFormat()
    if sniff.kind_of(path) == "parquet":
        from hutong.acquisition.readers import parquet

        return parquet.open_parquet(path, limits)
    if declared.kind == "parquet":
        raise BadInput(f"{path.name} is declared as Parquet but is text.", "Correct the mapping's format.")
    encoding = declared.encoding or "utf-8"
    scan = sniff.scan_text(
        path,
        declared_encoding=declared.encoding,
        size_bytes_max=limits.size_bytes,
        line_bytes_max=limits.line_bytes,
    )
    header = _header_line(path, "utf-8-sig" if encoding == "utf-8" else encoding, limits)
    delimiter = sniff.choose_delimiter(header, declared.delimiter, path.name)
    columns = checked_columns(next(csv.reader([header], delimiter=delimiter), []), path.name, limits)
    return TableReader(path, TableFormat("text", delimiter, encoding), columns, scan, limits)


def _header_line(path: Path, codec: str, limits: TableLimits) -> str:
    with path.open(encoding=codec, newline="") as stream:
        header = stream.readline(limits.line_bytes)
    if not header.strip():
        raise BadInput(f"{path.name} has no header on its first line.", "Put the column names on the first line.")
    return header


def checked_columns(names: list[str], file_name: str, limits: TableLimits) -> tuple[str, ...]:
    """Column names without surrounding space. Raises BadInput (blank or repeated name), LimitExceeded."""
    columns = tuple(name.strip() for name in names)
    if len(columns) > limits.columns:
        raise LimitExceeded(
            f"{file_name} has {len(columns):,} columns, more than {limits.columns:,}.",
            "Send only what is needed.",
        )
    if columns[0].lower().startswith("sep="):
        raise BadInput(
            f"{file_name} begins with a line for Excel ({columns[0][:10]}), not with the names of its columns.",
            "Remove that first line.",
        )
    blank = [str(at) for at, name in enumerate(columns, start=1) if not name]
    if blank:
        raise BadInput(
            f"{file_name} has columns without a name (column {', '.join(blank[:10])}).",
            "Name every column, or remove it.",
        )
    twice = sorted(name for name, count in Counter(columns).items() if count > 1)
    if twice:
        raise BadInput(
            f"{file_name} has a column name twice: {', '.join(twice[:10])}.", "Give each column its own name."
        )
    return columns
