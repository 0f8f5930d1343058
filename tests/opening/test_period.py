"""What period the catalogue tells: the bounds of what is published, never those of the cases behind it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutong.opening.catalogue.catalogue import Period
from hutong.opening.period import days_of, period_of

Days = tuple[date, date]


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("1998", date(1998, 1, 1), date(1998, 12, 31)),
        ("2018-Q4", date(2018, 10, 1), date(2018, 12, 31)),
        ("2016-Q1", date(2016, 1, 1), date(2016, 3, 31)),
        ("2016-02", date(2016, 2, 1), date(2016, 2, 29)),
        ("2015-W53", date(2015, 12, 28), date(2016, 1, 3)),
        ("2015-09-06", date(2015, 9, 6), date(2015, 9, 6)),
        (date(2015, 9, 6), date(2015, 9, 6), date(2015, 9, 6)),
    ],
)
def test_a_published_date_stands_for_all_its_days(value: str | date, first: date, last: date) -> None:
    assert days_of(value) == Period(first, last)


@pytest.mark.parametrize("value", [None, "*", "", "unknown", "2015-W54", "2015-13", "2015-02-30", "0000", "２０１５"])
def test_what_is_no_date_tells_no_period(value: str | None) -> None:
    assert days_of(value) is None


def test_weekly_counts_cover_whole_weeks() -> None:
    weeks = pa.array([date(2015, 6, 14), date(2015, 6, 7), date(2015, 6, 7)], pa.date32())
    assert period_of(pa.table({"period_start": weeks})) == Period(date(2015, 6, 7), date(2015, 6, 20))


@pytest.mark.parametrize("table", [{"true_from": ["*", "*"]}, {"true_from": [None]}, {"sex": ["female"]}])
def test_records_that_tell_no_date_have_no_period(table: dict[str, list[str | None]]) -> None:
    assert period_of(pa.table(table)) is None


def _month(day: date) -> tuple[str, Days]:
    return f"{day:%Y-%m}", (day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))


def _quarter(day: date) -> tuple[str, Days]:
    last = (day.month + 2) // 3 * 3
    bounds = date(day.year, last - 2, 1), date(day.year, last, monthrange(day.year, last)[1])
    return f"{day.year}-Q{last // 3}", bounds


def _iso_week(day: date) -> tuple[str, Days]:
    year, week, weekday = day.isocalendar()
    monday = day - timedelta(days=weekday - 1)
    return f"{year}-W{week:02d}", (monday, monday + timedelta(days=6))


LEVELS: tuple[Callable[[date], tuple[str, Days]], ...] = (
    lambda day: (day.isoformat(), (day, day)),
    _iso_week,
    _month,
    _quarter,
    lambda day: (str(day.year), (date(day.year, 1, 1), date(day.year, 12, 31))),
)


@given(st.lists(st.dates(date(1900, 1, 8), date(2100, 12, 20)), min_size=1, max_size=20), st.sampled_from(LEVELS))
def test_a_period_never_lies_inside_a_published_value(
    days: list[date], level: Callable[[date], tuple[str, Days]]
) -> None:
    told = [level(day) for day in days]
    period = period_of(pa.table({"true_from": [value for value, _ in told] + [None]}))
    assert period == Period(min(first for _, (first, _) in told), max(last for _, (_, last) in told))
