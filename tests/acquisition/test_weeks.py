"""Numbered weeks, against Python's own ISO calendar and against published epidemiological calendars."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.acquisition.weeks import SYSTEMS, first_day, parse_week, week_of, week_text

days = st.dates(date(1900, 1, 1), date(2200, 12, 31))

# First days of week 1 and of week 53 in the MMWR calendars of the years named.
EPI = [
    (2015, 1, date(2015, 1, 4)),
    (2019, 1, date(2018, 12, 30)),
    (2020, 1, date(2019, 12, 29)),
    (2020, 53, date(2020, 12, 27)),
    (2021, 1, date(2021, 1, 3)),
    (2014, 53, date(2014, 12, 28)),
    (2019, 53, None),
    (2021, 53, None),
    (2022, 0, None),
    (2022, 54, None),
]


@pytest.mark.parametrize(("year", "week", "start"), EPI)
def test_epidemiological_weeks(year: int, week: int, start: date | None) -> None:
    assert first_day(year, week, "epi") == start


@settings(max_examples=100)
@given(day=days)
def test_iso_weeks_are_those_of_python(day: date) -> None:
    year, week, _ = day.isocalendar()
    assert week_of(day, "iso") == week_text(year, week)
    assert first_day(year, week, "iso") == date.fromisocalendar(year, week, 1)


@settings(max_examples=100)
@given(day=days, system=st.sampled_from(SYSTEMS))
def test_a_day_lies_in_its_week(day: date, system: str) -> None:
    parsed = parse_week(week_of(day, system))
    assert parsed is not None
    start = first_day(*parsed, system)
    assert start is not None
    assert start <= day < start + timedelta(days=7)
