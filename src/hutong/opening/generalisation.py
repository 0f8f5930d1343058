"""Hierarchies of values: the levels at which a quasi-identifier may be published, as Ibis expressions.

Level 0 is the value as it is (as text), each further level merges values of the one before, the last is ``*`` for
everything. A missing value stays missing at every level but the last: it is a value of its own for the counts, so that
it can never join a person to a class silently. Import lazily: PyArrow and Ibis are loaded here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from hutong.errors import BadInput

ALL = "*"
AGE_TOP_YEARS = 90  # 45 CFR 164.514(b)(2)(i)(C): ages over 89 go into one category


@dataclass(frozen=True, slots=True)
class Level:
    """One level: its name, and the expression that gives its text from the element's column."""

    name: str
    value: Callable[[ir.Column], ir.Value]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The levels of one quasi-identifier, finest first.

    Attributes:
        element: name of the column.
        levels: at least one; every level is a function of the one before it.
        lookup: for hierarchies given as a table: one text column per level, the first distinct; its rows are then the
            domain of the element.
        weight: how much losing this element counts beside the others.
    """

    element: str
    levels: tuple[Level, ...]
    lookup: pa.Table | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.levels or not self.weight > 0:
            raise BadInput(
                f"The hierarchy of {self.element!r} has no level to choose.", "Give at least one and a weight above 0."
            )

    def column(self, level: int) -> str:
        """Name of the column that :meth:`expand` adds for a level."""
        return f"{self.element}__{level}"

    def expand(self, table: ir.Table) -> ir.Table:
        """Add one text column per level to ``table``."""
        if self.element not in table.columns:
            raise BadInput(f"The table has no column {self.element!r}.", "Name the quasi-identifiers as in the table.")
        if self.lookup is None:
            return table.mutate(
                **{self.column(number): level.value(table[self.element]) for number, level in enumerate(self.levels)}
            )
        names = [self.column(number) for number in range(len(self.levels))]
        lookup = ibis.memtable(self.lookup.rename_columns([f"{self.element}__key", *names[1:]]))
        keyed = table.mutate(**{names[0]: table[self.element].cast("string")})
        joined = keyed.left_join(lookup, keyed[names[0]] == lookup[f"{self.element}__key"])
        kept = joined.drop(f"{self.element}__key")
        return kept.mutate(**{names[-1]: ibis.literal(ALL)}) if self.levels[-1].name == "all" else kept

    def no_coarser_than(self, name: str) -> Hierarchy:
        """The same hierarchy without the levels after ``name``: the release is refused rather than made coarser.

        Raises:
            BadInput: there is no such level.
        """
        names = [level.name for level in self.levels]
        if name not in names:
            raise BadInput(f"{self.element!r} has no level {name!r}.", f"Use one of {', '.join(names)}.")
        count = names.index(name) + 1
        lookup = self.lookup.select(self.lookup.column_names[:count]) if self.lookup is not None else None
        return replace(self, levels=self.levels[:count], lookup=lookup)


def as_given(element: str, *, weight: float = 1.0) -> Hierarchy:
    """As it is, or not at all: for sex and the like."""
    return Hierarchy(element, (Level("as given", _text), Level("all", _all)), weight=weight)


def dates(element: str, *, weight: float = 1.0) -> Hierarchy:
    """Date, ISO 8601 week, month, quarter, year, all.

    A month, quarter or year is that of the week's Thursday, so that weeks are never cut in two and each level follows
    from the one before; the year is the ISO 8601 week year.
    """
    levels = (
        Level("day", lambda day: _date(day).cast("string")),
        Level("week", lambda day: _year(day) + "-W" + _date(day).week_of_year().cast("string").lpad(2, "0")),
        Level("month", lambda day: _year(day) + "-" + _thursday(day).month().cast("string").lpad(2, "0")),
        Level("quarter", lambda day: _year(day) + "-Q" + _thursday(day).quarter().cast("string")),
        Level("year", _year),
        Level("all", _all),
    )
    return Hierarchy(element, levels, weight=weight)


def weeks(element: str, *, weight: float = 1.0) -> Hierarchy:
    """Week as text (``2019-W07``, of whichever week year the source uses), quarter of 13 weeks, year, all."""

    def quarter(week: ir.Column) -> ir.Value:
        number = _text(week).substr(6, 2).cast("int64")
        place = (number - 1) // 13 + 1
        return _text(week).substr(0, 4) + "-Q" + ibis.ifelse(place > 4, 4, place).cast("string")

    levels = (
        Level("week", _text),
        Level("quarter", quarter),
        Level("year", lambda week: _text(week).substr(0, 4)),
        Level("all", _all),
    )
    return Hierarchy(element, levels, weight=weight)


def ages(element: str, *, top_years: int = AGE_TOP_YEARS, weight: float = 1.0) -> Hierarchy:
    """Age in whole years, then bands of 5, 10 and 20 years, all; one open band from ``top_years`` on."""
    return _age_bands(element, "year", lambda age: age.cast("int64"), top_years, weight)


def age_groups(element: str, *, top_years: int = 70, weight: float = 1.0) -> Hierarchy:
    """Age groups as text (``3``, ``40-44``, ``70+``), then bands of 5, 10 and 20 years, all.

    ``top_years`` is the lower end of the list's open group.
    """
    return _age_bands(
        element,
        "as given",
        lambda group: _text(group).re_extract(r"^(\d+)", 1).nullif("").cast("int64"),
        top_years,
        weight,
    )


def areas(element: str, area_table: pa.Table, *, names: Sequence[str], weight: float = 1.0) -> Hierarchy:
    """Area, the area around it, and so on up to all.

    Args:
        element: the column of area codes.
        area_table: ``area_code, parent_code, level``, the root with a null parent; an area above the finest level is
            its own ancestor until the levels meet.
        names: names of the levels from the finest to the one below ``all``, such as ``("township", "county")``.
    """
    codes: list[str] = area_table.column("area_code").to_pylist()
    parent_of = dict(zip(codes, area_table.column("parent_code").to_pylist(), strict=True))
    depth_of = dict(zip(codes, area_table.column("level").to_pylist(), strict=True))
    finest = max(depth_of.values(), default=0)
    columns: list[list[str]] = [list(codes)]
    for step in range(1, len(names)):
        rise = [depth_of[code] > finest - step and parent_of[code] is not None for code in columns[-1]]
        columns.append([parent_of[code] or code if up else code for code, up in zip(columns[-1], rise, strict=True)])
    lookup = pa.table([pa.array(column, pa.string()) for column in columns], names=[str(n) for n in range(len(names))])
    return from_table(element, lookup, names=names, weight=weight)


def from_table(element: str, lookup: pa.Table, *, names: Sequence[str] | None = None, weight: float = 1.0) -> Hierarchy:
    """A hierarchy given value by value: one text column per level below ``all``, the first with each value once.

    A value that is not in the table is unknown (missing) from level 1 on.

    Raises:
        BadInput: a value is given twice.
    """
    first = lookup.column(0)
    if len(first.unique()) != len(first) or first.null_count:
        raise BadInput(f"The hierarchy of {element!r} gives a value twice, or none.", "Give each value once.")
    full = lookup.append_column(ALL, pa.array([ALL] * lookup.num_rows, pa.string()))
    labels = [*(names if names is not None else [str(n) for n in range(lookup.num_columns)]), "all"]
    return Hierarchy(element, tuple(Level(label, _text) for label in labels), lookup=full, weight=weight)


def _age_bands(element: str, first: str, years: Callable[[ir.Column], ir.Value], top: int, weight: float) -> Hierarchy:
    def band(width: int) -> Level:
        def value(column: ir.Column) -> ir.Value:
            age = years(column)
            low = ibis.ifelse(age > top, top, age) // width * width
            text = low.cast("string")
            closed = text + "-" + (low + (width - 1)).cast("string")
            return ibis.ifelse(low + width > top, text + "+", closed)

        return Level(f"{width} years", value)

    levels = (Level(first, _text), band(5), band(10), band(20), Level("all", _all))
    return Hierarchy(element, levels, weight=weight)


def _text(column: ir.Column) -> ir.Value:
    return column.cast("string")


def _all(_column: ir.Column) -> ir.Value:
    return ibis.literal(ALL)


def _date(column: ir.Column) -> ir.Value:
    if not (column.type().is_date() or column.type().is_timestamp()):
        raise BadInput(f"The column {column.get_name()!r} is not a date.", "Cast it to a date first.")
    return column.cast("date")


def _thursday(column: ir.Column) -> ir.Value:
    return _date(column).truncate("W") + ibis.interval(days=3)


def _year(column: ir.Column) -> ir.Value:
    return _thursday(column).year().cast("string")
