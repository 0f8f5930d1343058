"""The sentence above a chart, computed from what the chart shows: never more than the published numbers carry.

A change is called one only when it is larger than chance would make it; a withheld number is never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import log, sqrt

from hutong.acquisition.weeks import week_of
from hutong.web.i18n import Translations

ENOUGH_CASES = 20
BEYOND_CHANCE = 1.96
TO_LAST_DAY = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class WeekCount:
    """Cases of one week. ``week`` is its first day; ``count`` is None when withheld."""

    week: date
    count: int | None


@dataclass(frozen=True, slots=True)
class HexagonValue:
    """One H3 cell. ``value`` is what the map shows (None: withheld); ``count`` its cases, where it has them."""

    cell: str
    value: float | None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a label and a value, None when withheld."""

    label: str
    value: float | None


def ratio_beyond_chance(before: int, after: int) -> float | None:
    """``after / before`` when two Poisson counts differ at 5 % (conditional binomial, normal approximation).

    None when they don't, or when they are too few (fewer than 20 together, or nothing before).
    """
    total = before + after
    if total < ENOUGH_CASES or before == 0 or after == 0:
        return None
    score = abs(after - total / 2) / sqrt(total / 4)
    return after / before if score > BEYOND_CHANCE else None


def days_to_double(ratio: float, days: float) -> float:
    """Days in which a quantity doubles (or, with a ratio below 1, halves) that changes by ``ratio`` in ``days``."""
    return days * log(2) / abs(log(ratio))


def is_whole(week: date, known_until: date | None) -> bool:
    """Whether the week that begins on ``week`` was over on the last day that is known of (None: long past)."""
    return known_until is None or week + TO_LAST_DAY <= known_until


def last_day(week: date, known_until: date | None) -> date:
    """The last day of the week that begins on ``week``, or the last that is known of while it isn't over."""
    end = week + TO_LAST_DAY
    return end if known_until is None else min(end, max(week, known_until))


def weeks_shown(points: Sequence[WeekCount], area: str, known_until: date | None, words: Translations) -> str:
    """Of which area (or none) and weeks a series is: its first and last epidemiological week, and their days."""
    told = {
        "area": area,
        "first": week_of(points[0].week, "epi"),
        "last": week_of(points[-1].week, "epi"),
        "from": words.date(points[0].week),
        "to": words.date(last_day(points[-1].week, known_until)),
    }
    if area:
        said = words.gettext("%(area)s: cases by epidemiological week, %(first)s to %(last)s (%(from)s to %(to)s).")
    else:
        said = words.gettext("Cases by epidemiological week, %(first)s to %(last)s (%(from)s to %(to)s).")
    return said % told


def curve_finding(points: Sequence[WeekCount], words: Translations, known_until: date | None = None) -> str:
    """What a weekly series says: its change in the latest week, or its peak when the wave is over.

    A week that wasn't over on ``known_until`` has too few days to be compared with others, and is left out.
    """
    points = [point for point in points if is_whole(point.week, known_until)]
    if not points:
        return words.gettext("No week is complete yet")
    known = [point for point in points if point.count is not None]
    if not known:
        return words.gettext("No weekly number can be shown")
    peak = max(known, key=lambda point: point.count or 0)
    last = points[-1]
    if last.count is None or len(points) < 2 or (peak.count and last.count < 0.1 * peak.count):
        return words.ngettext(
            "Cases peaked at %(n)s in the week of %(week)s",
            "Cases peaked at %(n)s in the week of %(week)s",
            peak.count or 0,
        ) % {"n": words.number(peak.count or 0), "week": words.date(peak.week)}
    before = points[-2]
    ratio = None if before.count is None else ratio_beyond_chance(before.count, last.count)
    if ratio is None:
        return words.ngettext(
            "%(n)s case in the week of %(week)s, the latest: no clear change",
            "%(n)s cases in the week of %(week)s, the latest: no clear change",
            last.count,
        ) % {"n": words.number(last.count), "week": words.date(last.week)}
    return change_finding(ratio, (last.week - before.week).days, words)


def change_finding(ratio: float, days: int, words: Translations) -> str:
    """A change by ``ratio`` within ``days``: doubled or halved in so many days, or by how many percent."""
    doubling = round(days_to_double(ratio, days))
    shown = {"n": words.number(doubling), "days": words.number(days), "share": words.percent(abs(ratio - 1))}
    if ratio >= 1.9:
        return words.ngettext("Cases doubled in %(n)s day", "Cases doubled in %(n)s days", doubling) % shown
    if ratio <= 1 / 1.9:
        return words.ngettext("Cases halved in %(n)s day", "Cases halved in %(n)s days", doubling) % shown
    if ratio > 1:
        return (
            words.ngettext("Cases rose by %(share)s in %(days)s day", "Cases rose by %(share)s in %(days)s days", days)
            % shown
        )
    return (
        words.ngettext("Cases fell by %(share)s in %(days)s day", "Cases fell by %(share)s in %(days)s days", days)
        % shown
    )


def map_finding(cells: Sequence[HexagonValue], words: Translations) -> str:
    """How concentrated the published cases are: the fewest cells that hold half of them."""
    counts = sorted((cell.count for cell in cells if cell.count), reverse=True)
    if not counts:
        return words.gettext("Where the cases are")
    total, held, cells_needed = sum(counts), 0, 0
    while held * 2 < total:
        held += counts[cells_needed]
        cells_needed += 1
    return words.ngettext(
        "Half of the published cases are in %(n)s of %(all)s cell",
        "Half of the published cases are in %(n)s of %(all)s cells",
        len(cells),
    ) % {"n": words.number(cells_needed), "all": words.number(len(cells))}


def bars_finding(bars: Sequence[Bar], words: Translations) -> str:
    """Which bar is the longest, and its share of the published sum."""
    known = [bar for bar in bars if bar.value is not None]
    total = sum(bar.value or 0 for bar in known)
    if not total:
        return words.gettext("No number can be shown")
    largest = max(known, key=lambda bar: bar.value or 0)
    return words.gettext("%(label)s has the most: %(value)s, %(share)s of the published total") % {
        "label": largest.label,
        "value": words.number(largest.value or 0),
        "share": words.percent((largest.value or 0) / total),
    }
