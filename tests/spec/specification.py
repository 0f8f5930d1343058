"""Specification by example: tables in, an expression, a table out. A case is a test for every engine and a paragraph of
the manual.

A table is written as text: the first line names columns with their types, each further line is a row, ``–`` is a
missing value and ``""`` an empty text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from hutong.storage.engines import Engine

MISSING = "–"
TYPES: Mapping[str, tuple[pa.DataType, Callable[[str], Any]]] = {
    "text": (pa.string(), lambda cell: "" if cell == '""' else cell),
    "integer": (pa.int64(), int),
    "decimal": (pa.float64(), float),
    "boolean": (pa.bool_(), {"true": True, "false": False}.__getitem__),
    "date": (pa.date32(), date.fromisoformat),
    "datetime": (pa.timestamp("us", tz="UTC"), lambda cell: datetime.fromisoformat(cell).astimezone(UTC)),
}

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Inputs:
    """The tables of a case, bound to the engine that runs it."""

    tables: Mapping[str, Any]
    engine: Engine

    def __getattr__(self, name: str) -> Any:
        return self.tables[name]


@dataclass(frozen=True)
class Case:
    """One example.

    Attributes:
        title, words: heading and explanation in the manual.
        tables: tables in, by name.
        expression: from the inputs to an Ibis table, or to what is already an Arrow table.
        shown: how the manual writes the expression.
        out: the table that every engine must give; the order of its rows has no meaning unless ``is_ordered``.
    """

    title: str
    words: str
    tables: Mapping[str, str]
    expression: Callable[[Inputs], Any]
    shown: str
    out: str
    is_ordered: bool = False


@dataclass(frozen=True)
class Chapter:
    """Cases about one thing. ``name`` is part of the ids of its tests."""

    name: str
    title: str
    words: str
    cases: tuple[Case, ...]


def cells(text: str) -> list[list[str]]:
    """The cells of a written table; the first row holds names with types."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    for row in rows:
        if len(row) != len(rows[0]):
            raise ValueError(f"a row has {len(row)} cells, not {len(rows[0])}: {' | '.join(row)}")
    return rows


def read_table(text: str) -> pa.Table:
    """A written table as Arrow."""
    header, *rows = cells(text)
    columns = {}
    for at, named in enumerate(header):
        name, kind = named.rsplit(" ", 1)
        arrow_type, read = TYPES[kind]
        values = [None if row[at] == MISSING else read(row[at]) for row in rows]
        columns[name] = pa.array(values, arrow_type)
    return pa.table(columns)


def rows_of(table: pa.Table, *, is_ordered: bool) -> list[Row]:
    """Rows as Python values that compare alike whichever engine made them."""
    columns = [[_plain(value) for value in table[name].to_pylist()] for name in table.column_names]
    rows = list(zip(*columns, strict=True))
    return rows if is_ordered else sorted(rows, key=lambda row: [(value is None, str(value)) for value in row])


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def evaluate(case: Case, inputs: Inputs) -> pa.Table:
    """What an engine gives for a case."""
    found = case.expression(inputs)
    return found if isinstance(found, pa.Table) else inputs.engine.to_arrow(found)


def as_markdown(text: str) -> Iterable[str]:
    """A written table as a table of the manual."""
    header, *rows = cells(text)
    yield "| " + " | ".join(named.rsplit(" ", 1)[0] for named in header) + " |"
    yield "|" + "|".join("---:" if named.endswith((" integer", " decimal")) else "---" for named in header) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    if not rows:
        yield "| " + " | ".join("*no rows*" if at == 0 else "" for at in range(len(header))) + " |"
