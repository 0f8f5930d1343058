"""What a release of weekly counts says, read from its file: the country's weeks, and sums of areas.

A release lists only what does not follow from the rest: an area and week that is not listed had no case where the area
above it is published, and is withheld where that is withheld. Import lazily: PyArrow is loaded by the functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hutong.errors import LimitExceeded

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("area_code", "area_name", "level", "parent_code", "period_start", "value", "status")
ROOT_LEVEL = "country"
MOST_ROWS = 5_000_000
"""Of a release of which one area's series is made; its columns then take about half a gigabyte."""
UNPLACED = "~"


@dataclass(frozen=True, slots=True)
class AreaSum:
    """An area's cases over a span of weeks: at least ``known``, exactly that when no week is withheld."""

    code: str
    known: int
    withheld_weeks: int

    @property
    def count(self) -> int | None:
        """The number to show; None when nothing of it is published."""
        return None if self.withheld_weeks and not self.known else self.known


@dataclass(frozen=True)
class ReleasedCounts:
    """The listed figures of a span of weeks. ``figures`` maps (area, week) to its count, None when withheld."""

    weeks: tuple[date, ...]
    figures: Mapping[tuple[str, date], int | None]
    parents: Mapping[str, str | None]
    names: Mapping[str, str]
    levels: Mapping[str, str]

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for code, parent in self.parents.items():
            if parent is not None:
                children.setdefault(parent, []).append(code)
        return children

    @property
    def root(self) -> str:
        """Code of the country."""
        return next(code for code, level in self.levels.items() if level == ROOT_LEVEL)

    def including(self, parents: Mapping[str, str | None], levels: Mapping[str, str]) -> ReleasedCounts:
        """The same figures with areas that may have no listed week: without them they would be forgotten."""
        return replace(self, parents={**parents, **self.parents}, levels={**levels, **self.levels})

    def country(self) -> list[tuple[date, int | None]]:
        """The country's count of each week, oldest first."""
        return [(week, self.figures.get((self.root, week))) for week in self.weeks]

    def count(self, code: str, week: date) -> int | None:
        """An area's count in a week, listed or not; None when withheld."""
        if (code, week) in self.figures:
            return self.figures[code, week]
        parent = self.parents.get(code)
        above = None if parent is None else self.count(parent, week)
        return None if above is None else 0

    def sum_of(self, code: str) -> AreaSum:
        """An area's cases; for a withheld week, those of its own areas that are published are counted."""
        known = withheld = 0
        for week in self.weeks:
            value = self.count(code, week)
            if value is None:
                withheld += 1
                value = sum(self.figures.get((child, week)) or 0 for child in self._children.get(code, ()))
            known += value
        return AreaSum(code, known, withheld)

    def sums(self, level: str) -> list[AreaSum]:
        """Sums of all areas of a level, the largest first. Cases that could not be placed further are no area."""
        codes = [code for code, known in self.levels.items() if known == level and UNPLACED not in code]
        found = [self.sum_of(code) for code in codes]
        return sorted(found, key=lambda area: (-area.known, area.withheld_weeks == 0, area.code))


def is_counts(columns: Iterable[str]) -> bool:
    """Whether a file with these columns holds weekly counts."""
    return set(COLUMNS) <= set(columns)


def read_counts(path: Path, *, latest_weeks: int | None = None) -> ReleasedCounts | None:
    """The figures of a release's Parquet file, of all weeks or of the latest; None when it holds no weekly counts."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not is_counts(pq.read_schema(path).names):
        return None
    table = pq.read_table(path, columns=list(COLUMNS))
    root = table.filter(pc.equal(table["level"], ROOT_LEVEL))
    weeks = sorted(set(root["period_start"].to_pylist()))
    if not weeks:
        return None
    if latest_weeks is not None and len(weeks) > latest_weeks:
        weeks = weeks[-latest_weeks:]
        table = table.filter(pc.greater_equal(table["period_start"], weeks[0]))
    columns = {name: table[name].to_pylist() for name in COLUMNS}
    codes = columns["area_code"]
    parents = dict(zip(codes, columns["parent_code"], strict=True))
    names = dict(zip(codes, columns["area_name"], strict=True))
    levels = dict(zip(codes, columns["level"], strict=True))
    figures = {
        (code, week): value if status == "published" else None
        for code, week, value, status in zip(
            codes, columns["period_start"], columns["value"], columns["status"], strict=True
        )
    }
    return ReleasedCounts(tuple(weeks), figures, parents, names, levels)


def country_series(path: Path) -> list[tuple[date, int | None]]:
    """The country's count of each week of the whole release, oldest first; empty when it holds no weekly counts."""
    import pyarrow.parquet as pq

    if not is_counts(pq.read_schema(path).names):
        return []
    filters = [("level", "=", ROOT_LEVEL)]
    table = pq.read_table(path, columns=["period_start", "value", "status"], filters=filters)
    rows = sorted(zip(*(table[name].to_pylist() for name in table.column_names), strict=True), key=lambda row: row[0])
    return [(week, value if status == "published" else None) for week, value, status in rows]


def area_series(
    path: Path, area: str | None = None, since: date | None = None, until: date | None = None
) -> list[tuple[date, int | None]]:
    """An area's count of each week within days, listed or not, oldest first; without an area, the country's.

    Empty when the release holds no weekly counts, or none of this area. Raises LimitExceeded past five million rows.
    """
    import pyarrow.parquet as pq

    if not is_counts(pq.read_schema(path).names):
        return []
    if pq.read_metadata(path).num_rows > MOST_ROWS:
        raise LimitExceeded(
            f"The release has more than {MOST_ROWS:,} rows: no series of one area is made of it here.",
            "Download its Parquet file.",
        )
    table = pq.read_table(path, columns=["area_code", "parent_code", "level", "period_start", "value", "status"])
    chain, roots = _chain(table, area)
    if not chain:
        return []
    figures: dict[tuple[str, date], int | None] = {}
    for row in table.filter(pq.filters_to_expression([("area_code", "in", [*chain, *roots])])).to_pylist():
        figures[row["area_code"], row["period_start"]] = row["value"] if row["status"] == "published" else None
    weeks = sorted({week for code, week in figures if code in roots})
    weeks = [week for week in weeks if (since is None or week >= since) and (until is None or week <= until)]
    parents = dict(zip(chain, [*chain[1:], None], strict=True))
    counts = ReleasedCounts(tuple(weeks), figures, parents, {}, {})
    return [(week, counts.count(chain[0], week)) for week in weeks]


def _chain(table: pa.Table, area: str | None) -> tuple[list[str], list[str]]:
    """The area, the one above it, and so on; and the country's code. Both empty for an area that is not listed."""
    import pyarrow.compute as pc

    roots = table.filter(pc.equal(table["level"], ROOT_LEVEL))["area_code"].unique().to_pylist()
    chain: list[str] = []
    code = roots[0] if area is None and roots else area
    while code is not None and code not in chain:
        rows = table.filter(pc.equal(table["area_code"], code)).slice(0, 1).to_pylist()
        if not rows:
            break
        chain.append(code)
        code = rows[0]["parent_code"]
    return chain, roots
