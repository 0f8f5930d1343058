"""Counts of areas that add up: total, level-1 areas, level-2 areas, once per period.

A *tree* is one period's rows: exactly one root (null ``parent_code``), every other row under a row of the same period,
one level deeper. Rows are addressed by their position in the table. Import lazily: NumPy and PyArrow are loaded here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hutong.errors import BadInput, LimitExceeded

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAX_ROWS = 20_000_000
MAX_GRID = 100_000_000
MAX_LEVELS = 6
KEYS = ("period", "area_code", "parent_code", "level")
UNPLACED = "~unplaced"


@dataclass(frozen=True, slots=True)
class AreaTree:
    """The shape of a table of counts; every array is by row of that table.

    Attributes:
        period: number of the row's period.
        parent: row of the parent; -1 for a root.
        root: row of the root of the same period.
        levels: rows of each level, the roots first.
        children: number of rows directly under the row.
        rank: place of the row's area code in the order of all codes (the last tie-break of any choice).
    """

    period: Ints
    parent: Ints
    root: Ints
    levels: tuple[Ints, ...]
    children: Ints
    rank: Ints

    def add_children(self, values: Ints, rows: Ints) -> Ints:
        """Sum ``values`` of ``rows`` (which have parents) into their parents; shape of ``values``, else 0."""
        sums: Ints = np.bincount(self.parent[rows], weights=values[rows], minlength=values.size).astype(np.int64)
        return sums

    def sum_below(self, values: Ints) -> Ints:
        """Per row the sum of ``values`` over its direct children."""
        return self.add_children(values, np.flatnonzero(self.parent >= 0))

    def count_leaves(self) -> Ints:
        """Per row the number of leaves at or under it."""
        count: Ints = (self.children == 0).astype(np.int64)
        for rows in reversed(self.levels[1:]):
            count += self.add_children(count, rows)
        return count

    def inherit(self, flags: Flags) -> Flags:
        """Per row whether any strict ancestor is flagged."""
        below = np.zeros_like(flags)
        for rows in self.levels[1:]:
            parent = self.parent[rows]
            below[rows] = flags[parent] | below[parent]
        return below


def read_tree(table: pa.Table) -> AreaTree:
    """Read the shape of ``table`` (columns ``period, area_code, parent_code, level``; one row per period and area).

    Raises:
        BadInput: a column is missing, a key is null or double, a parent is absent or not one level above, a period has
            not exactly one root.
        LimitExceeded: more than 20 million rows, or a grid of periods and areas beyond 100 million.
    """
    _check_columns(table)
    period, _ = _numbered(table.column("period"))
    codes = table.column("area_code").cast(pa.string())
    area, names = _numbered(codes)
    level = table.column("level").cast(pa.int64()).to_numpy()
    n_periods, n_areas = int(period.max(initial=-1)) + 1, len(names)
    if n_periods * n_areas > MAX_GRID:
        raise LimitExceeded(
            f"{n_periods} periods × {n_areas} areas is too large a table.", "Release it in parts, by year or by region."
        )
    row_of = np.full(n_periods * n_areas, -1, dtype=np.int64)
    cell = period * n_areas + area
    row_of[cell] = np.arange(table.num_rows)
    if np.count_nonzero(row_of >= 0) != table.num_rows:
        raise BadInput("An area has two counts in the same period.", "Give one row per period and area.")
    parent = _parents(table, names, period, row_of, n_areas)
    _check_levels(parent, level, n_periods)
    order = {name: place for place, name in enumerate(sorted(names))}
    rank = np.array([order[name] for name in names], dtype=np.int64)[area]
    roots = np.flatnonzero(parent < 0)
    root_of_period = np.zeros(n_periods, dtype=np.int64)
    root_of_period[period[roots]] = roots
    top = level[roots[0]] if roots.size else 0
    levels = tuple(np.flatnonzero(level == top + depth) for depth in range(int(level.max(initial=top) - top) + 1))
    children = np.bincount(parent[parent >= 0], minlength=parent.size).astype(np.int64)
    return AreaTree(period, parent, root_of_period[period], levels, children, rank)


def complete(counts: pa.Table, areas: pa.Table, *, periods: pa.Array | None = None) -> pa.Table:
    """Make the whole table of margins from sparse counts, with a row for every zero.

    Args:
        counts: ``period, area_code, n``; at any level, periods and areas without cases absent.
        areas: ``area_code, parent_code, level``; the tree of areas, the root with a null parent.
        periods: every period of the release, those without a case included; default: those in ``counts``.

    Returns:
        ``period, area_code, parent_code, level, n``: one row per period and area. What was counted at an area that has
        parts, but in none of them, is a part of its own, ``<area_code>~unplaced``, so that the parts add up.

    Raises:
        BadInput: an area or a period of ``counts`` is not declared; the areas are not one tree.
    """
    codes: list[str] = areas.column("area_code").to_pylist()
    parents: list[str | None] = areas.column("parent_code").to_pylist()
    levels: list[int] = areas.column("level").to_pylist()
    inner = {parent for parent in parents if parent is not None}
    level_of = dict(zip(codes, levels, strict=True))
    counted = [str(code) for code in counts.column("area_code").unique().to_pylist()]
    unknown = [code for code in counted if code not in level_of]
    if unknown:
        raise BadInput(f"{len(unknown)} counted areas are not in the table of areas.", f"Declare {unknown[0]!r}.")
    for code in sorted(set(counted) & inner):
        codes.append(code + UNPLACED)
        parents.append(code)
        levels.append(level_of[code] + 1)
    place = {code: position for position, code in enumerate(codes)}
    home = {code: place[code + UNPLACED] if code in inner else place[code] for code in counted}
    all_periods = periods if periods is not None else counts.column("period").unique().sort()
    grid = _scatter(counts, all_periods, home, len(codes))
    up = np.array([place[parent] if parent is not None else -1 for parent in parents], dtype=np.int64)
    for depth in sorted(set(levels), reverse=True):
        for position in (p for p, lv in enumerate(levels) if lv == depth and up[p] >= 0):
            grid[:, up[position]] += grid[:, position]
    n_periods, n_areas = grid.shape
    area = pa.array(np.tile(np.arange(n_areas), n_periods))
    return pa.table(
        {
            "period": all_periods.take(pa.array(np.repeat(np.arange(n_periods), n_areas))),
            "area_code": pa.array(codes, pa.string()).take(area),
            "parent_code": pa.array(parents, pa.string()).take(area),
            "level": pa.array(levels, pa.int64()).take(area),
            "n": pa.array(grid.reshape(-1)),
        }
    )


def _scatter(counts: pa.Table, periods: pa.Array, home: dict[str, int], n_areas: int) -> Ints:
    """Sum the sparse counts into a grid, period × area."""
    import pyarrow.compute as pc

    if len(periods) * n_areas > MAX_GRID:
        raise LimitExceeded(
            f"{len(periods)} periods × {n_areas} areas is too large a table.",
            "Release it in parts, by year or by region.",
        )
    row = pc.index_in(counts.column("period"), value_set=periods)
    if row.null_count:
        raise BadInput("A count lies in a period that is not part of the release.", "Give every period of the counts.")
    area, names = _numbered(counts.column("area_code").cast(pa.string()))
    at = np.array([home[name] for name in names], dtype=np.int64)
    flat = row.to_numpy().astype(np.int64) * n_areas + (at[area] if names else area)
    n = counts.column("n").cast(pa.int64()).to_numpy()
    return np.bincount(flat, weights=n, minlength=len(periods) * n_areas).astype(np.int64).reshape(-1, n_areas)


def _numbered(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Number the distinct values of a column: the number of each row, and the values."""
    encoded = column.combine_chunks()
    encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
    numbers: Ints = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers, encoded.dictionary.to_pylist()


def _check_columns(table: pa.Table) -> None:
    missing = [name for name in KEYS if name not in table.column_names]
    if missing:
        raise BadInput(f"The table of counts has no column {missing[0]!r}.", f"Give the columns {', '.join(KEYS)}.")
    if table.num_rows > MAX_ROWS:
        raise LimitExceeded(f"{table.num_rows} rows of counts are too many.", "Release them in parts, by year.")
    for name in ("period", "area_code", "level"):
        if table.column(name).null_count:
            raise BadInput(f"A row of the table of counts has no {name}.", "Fill it or leave the row out.")


def _parents(table: pa.Table, names: list[str], period: Ints, row_of: Ints, n_areas: int) -> Ints:
    """Per row the row of its parent in the same period, -1 where ``parent_code`` is null."""
    import pyarrow.compute as pc

    column = table.column("parent_code").cast(pa.string()).combine_chunks()
    number = pc.index_in(column, value_set=pa.array(names, pa.string()))
    has_parent = column.is_valid().to_numpy(zero_copy_only=False)
    at = number.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    parent = np.where(has_parent & (at >= 0), row_of[period * n_areas + at], -1)
    if np.any(has_parent & (parent < 0)):
        raise BadInput("An area's parent has no count in the same period.", "Give a row for every parent.")
    return parent.astype(np.int64)


def _check_levels(parent: Ints, level: Ints, n_periods: int) -> None:
    inner = parent >= 0
    if np.count_nonzero(~inner) != n_periods:
        raise BadInput("A period has no total, or more than one.", "Give one row without parent per period.")
    if np.any(level[inner] != level[parent[inner]] + 1):
        raise BadInput("An area is not one level below its parent.", "Number the levels 0 (total), 1, 2 downwards.")
    if level.size and (int(level.max() - level.min()) >= MAX_LEVELS or np.unique(level[~inner]).size != 1):
        raise BadInput("The levels of the areas do not fit together.", f"Use at most {MAX_LEVELS}, the same each time.")
