"""Numbered weeks: ISO 8601 weeks (Monday to Sunday) and epidemiological weeks (Sunday to Saturday).

Both systems give a week to the year that holds most of its days, so week 1 is the one that holds 4 January.
ISO 8601-1 clause 4.2.2; for epidemiological weeks the MMWR rule, which the Pan American Health Organization
uses too.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

SYSTEMS = ("iso", "epi")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")


def first_day(year: int, week: int, system: str) -> date | None:
    """First day of a week; None where that year has no such week. ``system`` is ``iso`` or ``epi``."""
    if not (1 <= week <= 53 and 1 <= year < 9999):
        return None
    start = _year_start(year, system) + timedelta(weeks=week - 1)
    return start if start < _year_start(year + 1, system) else None


def week_of(day: date, system: str) -> str:
    """The week that holds a day, as ``2015-W38``."""
    year = day.year + 1 if day >= _year_start(day.year + 1, system) else day.year
    if day < _year_start(year, system):
        year -= 1
    return week_text(year, (day - _year_start(year, system)).days // 7 + 1)


def week_text(year: int, week: int) -> str:
    """A week as ``YYYY-Www``."""
    return f"{year:04d}-W{week:02d}"


def parse_week(text: str) -> tuple[int, int] | None:
    """Year and week of ``2015-W38``; None where the text is none."""
    match = _WEEK.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def _year_start(year: int, system: str) -> date:
    fourth = date(year, 1, 4)
    days_into_week = fourth.weekday() if system == "iso" else fourth.isoweekday() % 7
    return fourth - timedelta(days=days_into_week)
