"""Weekly counts by area: one definition for every region, small cells withheld so that no margin gives them back.

Definition: cases that a source accepted, by the epidemiological week (Sunday to Saturday) in which they began (onset,
or the week of report where the source has no days) and by the area of residence. Set-based work is one Ibis
expression; import lazily.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from hutong.errors import BadInput, LimitExceeded

from .area_tree import UNPLACED, complete
from .disclosure import for_publication, suppress
from .disclosure_audit import require_safe
from .earlier_version import align

LONGEST_DAYS = 200 * 366
LEVELS = ("country", "region1", "region2")
COLUMNS = (
    "area_code",
    "area_name",
    "level",
    "parent_code",
    "period_start",
    "year_week",
    "indicator",
    "value",
    "status",
    "as_of",
)
READING = (
    "An area and week that is not listed had no case where the area above it is published, and is withheld where the "
    "area above it is withheld."
)


@dataclass(frozen=True, slots=True)
class WeeklyCounts:
    """A table that may be published, with how many of its cells are withheld, and why."""

    table: pa.Table
    withheld_primary: int
    withheld_complementary: int
    cells: int


def count_weeks(cases: ir.Table, places: ir.Table) -> ir.Table:
    """Cases by week and area: ``period`` (date, Sunday), ``area_code``, ``n``.

    ``cases`` are facts of the standard's table; ``places`` maps ``area_code`` to ``counted_area``, the area of a
    published level that it lies in. A case without a place counts for the whole country only (null area).
    """
    # A week of the engines begins on Monday: shift by a day, truncate, shift back.
    sunday = (cases.true_from + ibis.interval(days=1)).truncate("W").cast("date") - ibis.interval(days=1)
    dated = cases.filter(cases.true_from.notnull()).mutate(period=sunday.cast("date"))
    placed = dated.left_join(places, dated.residence_area_code == places.area_code)
    return placed.group_by([placed.period, placed.counted_area]).aggregate(n=placed.case_count.sum().cast("int64"))


def areas_to_count(areas: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The tree of published areas, and for every area the published one that it lies in.

    ``areas``: the standard's table. Returns (``area_code, parent_code, level`` as number, ``area_name``) and
    (``area_code, counted_area``).
    """
    rows = {row["area_code"]: row for row in areas.to_pylist()}
    tree = [row for row in rows.values() if row["level"] in LEVELS]
    counted = {}
    for code in rows:
        inner: str | None = code
        while inner is not None and rows[inner]["level"] not in LEVELS:
            inner = rows[inner]["parent_code"]
        counted[code] = inner
    return (
        pa.table(
            {
                "area_code": [row["area_code"] for row in tree],
                "parent_code": pa.array([row["parent_code"] for row in tree], pa.string()),
                "level": pa.array([LEVELS.index(row["level"]) for row in tree], pa.int64()),
                "area_name": [row["name_en"] or row["name_local"] or row["area_code"] for row in tree],
            }
        ),
        pa.table({"area_code": list(counted), "counted_area": pa.array(list(counted.values()), pa.string())}),
    )


@dataclass(frozen=True, slots=True)
class VersionBefore:
    """The release that is superseded: as published, and what ``count_weeks`` gives of the cases known then."""

    COLUMNS: ClassVar = ("area_code", "period_start", "value")
    released: pa.Table
    counts: pa.Table


def publishable(
    counts: pa.Table,
    tree: pa.Table,
    *,
    indicator: str,
    threshold: int,
    as_of: date,
    before: VersionBefore | None = None,
) -> WeeklyCounts:
    """Complete the margins, withhold, audit, and lay out the columns of a release.

    ``counts``: what ``count_weeks`` gives. An area and week without a row had no case; the country has every week.
    ``before``: a release of the same indicator and threshold, beside which this one must give nothing back. Raises
    ``Refused`` when the audit finds a cell that could be computed back.
    """
    roots = [code for code, parent in zip(*_columns(tree, "area_code", "parent_code"), strict=True) if parent is None]
    if len(roots) != 1:
        raise BadInput(f"The areas have {len(roots)} roots.", "Acquire the areas of one country with the cases.")
    areas = tree.select(["area_code", "parent_code", "level"])
    whole = _completed(counts, areas, str(roots[0]))
    earlier = align(whole, _completed(before.counts, areas, str(roots[0])), before.released) if before else None
    decided = suppress(whole, threshold=threshold, earlier=earlier)
    published = for_publication(decided)
    require_safe(published, threshold=threshold)
    reasons = pc.value_counts(decided["reason"]).to_pylist()
    withheld = {entry["values"]: entry["counts"] for entry in reasons}
    return WeeklyCounts(
        table=_laid_out(published, tree, indicator=indicator, as_of=as_of),
        withheld_primary=withheld.get("primary", 0),
        withheld_complementary=withheld.get("complementary", 0),
        cells=decided.num_rows,
    )


def _completed(counts: pa.Table, areas: pa.Table, root: str) -> pa.Table:
    placed = counts.set_column(
        counts.column_names.index("counted_area"), "area_code", pc.fill_null(counts["counted_area"], root)
    )
    return complete(placed, areas, periods=_every_week(placed["period"]))


def _laid_out(published: pa.Table, tree: pa.Table, *, indicator: str, as_of: date) -> pa.Table:
    order = [("period", "ascending"), ("level", "ascending"), ("area_code", "ascending")]
    rows = published.filter(_listed(published)).sort_by(order)
    names = dict(zip(*_columns(tree, "area_code", "area_name"), strict=True))
    weeks = {day: year_week(day) for day in rows["period"].unique().to_pylist()}
    laid_out = {
        "area_code": rows["area_code"],
        "area_name": pa.array([_name(code, names) for code in rows["area_code"].to_pylist()]),
        "level": pa.array(LEVELS).take(rows["level"]),
        "parent_code": rows["parent_code"],
        "period_start": rows["period"],
        "year_week": pa.array([weeks[day] for day in rows["period"].to_pylist()]),
        "indicator": pa.array([indicator] * rows.num_rows, pa.string()),
        "value": rows["value"],
        "status": rows["status"],
        "as_of": pa.array([as_of] * rows.num_rows, pa.date32()),
    }
    return pa.table(laid_out).select(list(COLUMNS))


def _listed(published: pa.Table) -> pa.Array:
    """Which rows a release lists; the others follow from them (see ``READING``).

    Left out: zeros below a published area, and areas that are withheld together with all their siblings and the area
    above them. What remains below a withheld area is listed with its zeros.
    """
    keys = [f"{period}|{code}" for period, code in zip(*_columns(published, "period", "area_code"), strict=True)]
    above = [f"{period}|{code}" for period, code in zip(*_columns(published, "period", "parent_code"), strict=True)]
    is_withheld = [status == "withheld" for status in published["status"].to_pylist()]
    withheld = {key for key, flag in zip(keys, is_withheld, strict=True) if flag}
    partly = {parent for parent, flag in zip(above, is_withheld, strict=True) if not flag and parent in withheld}
    values = published["value"].to_pylist()
    roots = [level == 0 for level in published["level"].to_pylist()]
    return pa.array(
        [
            root or (parent in partly if parent in withheld else flag or value > 0)
            for root, parent, flag, value in zip(roots, above, is_withheld, values, strict=True)
        ]
    )


def year_week(sunday: date) -> str:
    """Epidemiological week of a Sunday as ``YYYY-Www`` (MMWR: the first week has four or more days of the year)."""
    year = (sunday + timedelta(days=3)).year
    fourth = date(year, 1, 4)
    first = fourth - timedelta(days=(fourth.weekday() + 1) % 7)
    return f"{year}-W{(sunday - first).days // 7 + 1:02d}"


def _every_week(periods: pa.ChunkedArray) -> pa.Array:
    try:
        first, last = pc.min(periods).as_py(), pc.max(periods).as_py()
    except (OverflowError, ValueError):  # a day that the calendar of Python has not
        first, last = date.min, date.max
    if first is None:
        raise BadInput("There is no dated case to count.", "Acquire cases first.")
    if (last - first).days > LONGEST_DAYS:
        raise LimitExceeded(
            f"The cases lie between {first} and {last}, longer than 200 years.", "Hold cases with impossible dates."
        )
    return pa.array([first + timedelta(days=7 * n) for n in range((last - first).days // 7 + 1)], pa.date32())


def _name(code: str, names: Mapping[str, str]) -> str:
    if code in names:
        return names[code]
    return f"{names[code.removesuffix(UNPLACED)]}, not placed further"


def _columns(table: pa.Table, *names: str) -> list[list[str | None]]:
    return [table[name].to_pylist() for name in names]
