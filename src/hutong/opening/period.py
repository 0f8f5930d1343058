"""Which days a release tells of: read off its finished table alone, so that the catalogue never says more than it does.

The bounds are those of what is published, not of the cases in it: of whole weeks in weekly counts, and of whole weeks,
months, quarters or years where case records are generalised to these.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from .catalogue.catalogue import Period

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: Final = ("period_start", "true_from")
"""Columns that tell when: the first day of a week in weekly counts, and the date of a case record at its level."""

_VALUE: Final = re.compile(r"(\d{4})(?:-(?:W(\d\d)|Q([1-4])|(\d\d)(?:-(\d\d))?))?", re.ASCII)


def period_of(table: pa.Table) -> Period | None:
    """First and last day that a released table tells of; None where none is left (dropped, or ``*``)."""
    for name in COLUMNS:
        if name in table.column_names:
            values = table[name].unique().to_pylist()
            return _whole(_week(value) if name == COLUMNS[0] else days_of(value) for value in values)
    return None


def days_of(value: date | str | None) -> Period | None:
    """The days that a published date stands for: a day, ``2018-W40`` (ISO 8601), ``2018-10``, ``2018-Q4``, ``2018``.

    A month, quarter or year is that of the calendar, as it reads; the week at its end may reach three days beyond
    (:func:`hutong.opening.generalisation.dates`). None for everything else.
    """
    if isinstance(value, date):
        return Period(value, value)
    read = _VALUE.fullmatch(value or "")
    if read is None:
        return None
    year, week, quarter, month, day = (int(part) if part else None for part in read.groups())
    try:
        if week is not None:
            return _week(date.fromisocalendar(year or 0, week, 1))
        if day is not None:
            return days_of(date(year or 0, month or 0, day))
        first, last = (3 * quarter - 2, 3 * quarter) if quarter else (month or 1, month or 12)
        return Period(date(year or 0, first, 1), date(year or 0, last, monthrange(year or 0, last)[1]))
    except ValueError:  # no such day
        return None


def _week(first: date | None) -> Period | None:
    return Period(first, first + timedelta(days=6)) if first else None


def _whole(spans: Iterable[Period | None]) -> Period | None:
    known = [span for span in spans if span]
    starts, ends = [span.start for span in known if span.start], [span.end for span in known if span.end]
    return Period(min(starts), max(ends)) if known else None
