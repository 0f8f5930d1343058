"""Times of passes, for any clock: whole days, long enough, and never past what ends for everybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import Refused
from hutong.passes.issuance import pass_times
from hutong.passes.issuance.pass_times import MAX_HOURS

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-5, minutes=-30))])
NOWS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=ZONES)  # noqa: DTZ001
HOURS = st.integers(1, MAX_HOURS)
AHEAD = st.timedeltas(timedelta(seconds=1), timedelta(days=40))


def is_midnight(at: datetime) -> bool:
    return at.utcoffset() == timedelta(0) and at.timestamp() % 86_400 == 0


@settings(deadline=None)
@given(NOWS, HOURS, st.lists(AHEAD, max_size=3), st.none() | AHEAD)
def test_a_pass_ends_with_a_day_or_with_what_ends_for_everybody(
    now: datetime, hours: int, ahead: list[timedelta], own: timedelta | None
) -> None:
    limits = [(now + one).replace(microsecond=0) for one in ahead]
    own_end = now + own if own is not None else None
    end = pass_times.end_after(now, hours, [None, *limits], own_end=own_end)
    assert is_midnight(end) or end in limits
    assert all(end <= limit for limit in limits)
    assert end - now <= timedelta(hours=MAX_HOURS)
    if own_end is not None:
        assert end - own_end < timedelta(days=1)
    long_enough = min(hours, MAX_HOURS - 24)
    assert end >= min([now + timedelta(hours=long_enough), *limits, *([own_end] if own_end is not None else [])])
    assert pass_times.end_of_again(end, limits) == end


@settings(deadline=None)
@given(NOWS, st.integers(0, 86_399), HOURS)
def test_when_on_a_day_it_was_issued_can_not_be_told(now: datetime, second: int, hours: int) -> None:
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0)
    at = day + timedelta(seconds=second)
    assert pass_times.begin(at, None) == pass_times.begin(now, None) == day.replace(microsecond=0)
    whole = -(-hours // 24) * 24
    if whole < MAX_HOURS:
        ends = {pass_times.end_after(one, whole, []) for one in (day + timedelta(seconds=1), at, now) if one != day}
        assert len(ends) == 1


def test_a_key_of_today_begins_no_pass_before_itself() -> None:
    now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert pass_times.begin(now, now - timedelta(hours=1)) == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert pass_times.begin(now, now - timedelta(days=1)) == datetime(2026, 3, 1, tzinfo=UTC)


@settings(deadline=None)
@given(NOWS, AHEAD)
def test_a_converted_pass_ends_with_a_day_of_the_other_or_not_at_all(now: datetime, ahead: timedelta) -> None:
    try:
        end = pass_times.end_within(now, now + ahead)
    except Refused:
        assert (now + ahead).astimezone(UTC).date() == now.astimezone(UTC).date()
        return
    assert is_midnight(end) and now < end <= now + ahead


@pytest.mark.parametrize(("given_end", "again"), [((2, 8, 30), (3, 0, 0)), ((3, 0, 0), (3, 0, 0))])
def test_a_pass_of_an_earlier_release_is_issued_again_until_the_end_of_its_day(
    given_end: tuple[int, int, int], again: tuple[int, int, int]
) -> None:
    end = datetime(2026, 3, *given_end, tzinfo=UTC)
    assert pass_times.end_of_again(end, [None]) == datetime(2026, 3, *again, tzinfo=UTC)
    sunset = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert pass_times.end_of_again(end, [sunset]) == sunset
