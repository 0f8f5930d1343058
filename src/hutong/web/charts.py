"""Charts as findings: a sentence, a picture drawn on the server, what it rests on, and the same numbers as a table.

Each function takes published numbers and answers a :class:`Figure`; the macro ``figure`` renders it. A withheld
number is drawn as a hollow dashed mark and written as "withheld": never as zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Final

from hutong.errors import BadInput
from hutong.web.chart_specs import bars_spec, curve_spec, map_spec, matrix_spec, shown
from hutong.web.findings import Bar, HexagonValue, WeekCount, bars_finding, curve_finding, is_whole, map_finding
from hutong.web.hexagons import MapLabel
from hutong.web.i18n import Translations
from hutong.web.vega import svg

WIDE_PX: Final = 820
NARROW_PX: Final = 350
BARS_PX: Final = 560
MOST_TABLE_ROWS: Final = 110


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a figure's table."""

    label: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Basis:
    """What a figure rests on. ``below``: the threshold N of "fewer than N" (None: nothing may be withheld).

    ``known_until`` is the last day that the numbers tell of; None when that is long past.
    """

    source: str
    as_of: datetime
    below: int | None = None
    known_until: date | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart ready to render. All text is in the language asked for; a cell of ``rows`` is None when withheld."""

    kind: str
    title: str
    description: str
    svg: str
    svg_narrow: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    source: str
    as_of: str
    suppression: str = ""
    table_note: str = ""


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One answer of a matrix. ``kind``: accepted, refused or unknown."""

    row: str
    column: str
    kind: str


def epidemic_curve(
    points: Sequence[WeekCount],
    *,
    description: str,
    basis: Basis,
    words: Translations,
    title: str = "",
    width_px: int = WIDE_PX,
) -> Figure:
    """Weekly counts, oldest first. Weeks that are absent stay blank; withheld ones get a hollow mark on the baseline.

    Up to 160 weeks are bars, more are one stepped area. Raises BadInput for no week or weeks out of order.
    """
    if not points or any(a.week >= b.week for a, b in pairwise(points)):
        raise BadInput("An epidemic curve needs weeks in order.", "Give each week once, oldest first.")
    latest = points[-MOST_TABLE_ROWS:]
    note = ""
    if len(latest) < len(points):
        note = words.gettext("The latest %(shown)s of %(all)s weeks; the downloads have all of them.") % {
            "shown": words.number(len(latest)),
            "all": words.number(len(points)),
        }
    if not is_whole(points[-1].week, basis.known_until):
        unfinished = words.gettext("The last week is incomplete.")
        description = f"{description} {unfinished}"
    return Figure(
        kind="curve",
        title=title or curve_finding(points, words, basis.known_until),
        description=description,
        svg=svg(curve_spec(points, words, width_px, 300, 8), "wide"),
        svg_narrow=svg(curve_spec(points, words, NARROW_PX, 230, 4), "narrow"),
        columns=(Column(words.gettext("Week of")), Column(words.gettext("Cases"), numeric=True)),
        rows=tuple((words.date(p.week), shown(p.count, words)) for p in reversed(latest)),
        source=basis.source,
        as_of=words.moment(basis.as_of),
        suppression=suppression_note(sum(p.count is None for p in points), len(points), basis.below, words),
        table_note=note,
    )


def hexagon_map(
    cells: Sequence[HexagonValue],
    *,
    description: str,
    unit: str,
    basis: Basis,
    words: Translations,
    title: str = "",
    labels: Sequence[MapLabel] = (),
) -> Figure:
    """A map of H3 cells in classes of one hue. ``unit`` is written above the legend.

    Raises BadInput for no cell or for an index that isn't an H3 cell.
    """
    if not cells:
        raise BadInput("A map needs at least one cell.", "Choose a period or an area that has data.")
    ranked = sorted(cells, key=lambda c: (c.value is None, -(c.value or 0)))[:MOST_TABLE_ROWS]
    note = ""
    if len(ranked) < len(cells):
        note = words.gettext("The highest %(shown)s of %(all)s cells; the downloads have all of them.") % {
            "shown": words.number(len(ranked)),
            "all": words.number(len(cells)),
        }
    return Figure(
        kind="map",
        title=title or map_finding(cells, words),
        description=description,
        svg=svg(map_spec(cells, labels, unit, words)),
        svg_narrow="",
        columns=(Column(words.gettext("Cell (H3)")), Column(unit, numeric=True)),
        rows=tuple((cell.cell, shown(cell.value, words)) for cell in ranked),
        source=basis.source,
        as_of=words.moment(basis.as_of),
        suppression=suppression_note(sum(c.value is None for c in cells), len(cells), basis.below, words),
        table_note=note,
    )


def bars(
    values: Sequence[Bar],
    *,
    description: str,
    heading: str,
    unit: str,
    basis: Basis,
    words: Translations,
    title: str = "",
) -> Figure:
    """Horizontal bars in the order given. ``heading`` names what the labels are, ``unit`` what the values count.

    Raises BadInput for no bar or two with one label.
    """
    if not values or len({bar.label for bar in values}) < len(values):
        raise BadInput("A bar chart needs bars with labels of their own.", "Give each label once.")
    return Figure(
        kind="bars",
        title=title or bars_finding(values, words),
        description=description,
        svg=svg(bars_spec(values, words, BARS_PX, 240), "wide"),
        svg_narrow=svg(bars_spec(values, words, NARROW_PX, 150), "narrow"),
        columns=(Column(heading), Column(unit, numeric=True)),
        rows=tuple((bar.label, shown(bar.value, words)) for bar in values),
        source=basis.source,
        as_of=words.moment(basis.as_of),
        suppression=suppression_note(sum(b.value is None for b in values), len(values), basis.below, words),
    )


def matrix(
    cells: Sequence[MatrixCell],
    *,
    title: str,
    description: str,
    row_heading: str,
    basis: Basis,
    words: Translations,
) -> Figure:
    """Who recognises whom: a row accepts, refuses or doesn't know a column. A pair without an answer is unknown."""
    if not cells:
        raise BadInput("A matrix needs at least one cell.", "Add a second party.")
    row_names = list(dict.fromkeys(cell.row for cell in cells))
    column_names = list(dict.fromkeys(cell.column for cell in cells))
    kinds = {(cell.row, cell.column): cell.kind for cell in cells}
    says = {
        "accepted": words.gettext("accepted"),
        "refused": words.gettext("refused"),
        "unknown": words.gettext("unknown"),
    }
    grid = [
        {"row": row, "column": column, "kind": kind, "says": says[kind]}
        for row in row_names
        for column in column_names
        for kind in [kinds.get((row, column), "unknown")]
    ]
    says_of = {(point["row"], point["column"]): point["says"] for point in grid}
    return Figure(
        kind="matrix",
        title=title,
        description=description,
        svg=svg(matrix_spec(grid, row_names, column_names, step_px=130, label_px=190), "wide"),
        # Larger than the page's width it would be scaled until nobody can read it.
        svg_narrow=svg(
            matrix_spec(grid, row_names, column_names, step_px=max(56, 220 // len(column_names)), label_px=120),
            "narrow",
        ),
        columns=(Column(row_heading), *(Column(name) for name in column_names)),
        rows=tuple((row, *(says_of[row, column] for column in column_names)) for row in row_names),
        source=basis.source,
        as_of=words.moment(basis.as_of),
    )


def suppression_note(withheld: int, all_of_them: int, below: int | None, words: Translations) -> str:
    """What is withheld and why, with its counts; empty where no rule withholds anything."""
    if below is None:
        return ""
    if not withheld:
        return words.gettext("Nothing here; numbers below %(n)s would be.") % {"n": words.number(below)}
    return words.ngettext(
        "%(withheld)s of %(all)s number: fewer than %(n)s, or would reveal one that is. Drawn hollow, not as zero.",
        "%(withheld)s of %(all)s numbers: fewer than %(n)s, or would reveal one that is. Drawn hollow, not as zero.",
        all_of_them,
    ) % {"withheld": words.number(withheld), "all": words.number(all_of_them), "n": words.number(below)}
