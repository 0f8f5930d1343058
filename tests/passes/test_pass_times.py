"""Times of passes, for any clock: whole days, long enough, and never past what ends before."""

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
def test_a_pass_lives_for_its_hours_unless_something_ends_first(
    now: datetime, hours: int, ahead: list[timedelta], own: timedelta | None
) -> None:
    limits = [(now + one).replace(microsecond=0) for one in ahead]
    own_end = now + own if own is not None else None
    end = pass_times.end_after(now, hours, [None, *limits], own_end=own_end)
    whole_end = own_end.replace(microsecond=0) if own_end is not None else None
    assert is_midnight(end) or end in [*limits, whole_end]
    assert all(end <= limit for limit in [*limits, *([own_end] if own_end is not None else [])])
    assert end - now < timedelta(hours=hours + 24)
    if own_end is None:
        assert end >= min([now + timedelta(hours=hours), *limits])
    elif end != whole_end and now.astimezone(UTC).date() != own_end.astimezone(UTC).date():
        assert is_midnight(end) or end in limits
        assert end >= min([now + timedelta(hours=hours), *limits, own_end - timedelta(days=1)])
    assert pass_times.end_of_again(now, end, limits) == end


@pytest.mark.parametrize(
    ("at", "hours", "end"),
    [
        ((1, 0, 0), 24, (2, 0, 0)),
        ((1, 0, 1), 24, (3, 0, 0)),
        ((1, 23, 59), 24, (3, 0, 0)),
        ((1, 23, 59), 168, (9, 0, 0)),
        ((1, 8, 0), 1, (2, 0, 0)),
        ((1, 23, 30), 1, (3, 0, 0)),
    ],
)
def test_a_pass_ends_with_the_day_in_which_its_hours_end(
    at: tuple[int, int, int], hours: int, end: tuple[int, int, int]
) -> None:
    wanted = datetime(2026, 3, *end, tzinfo=UTC)
    assert pass_times.end_after(datetime(2026, 3, *at, tzinfo=UTC), hours, []) == wanted


def test_no_pass_outlives_the_end_of_the_level_that_is_somebodys_own() -> None:
    now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    for own_end, end in (((3, 15, 20), (3, 0, 0)), ((2, 0, 0), (2, 0, 0)), ((1, 15, 20), (1, 15, 20))):
        own = datetime(2026, 3, *own_end, tzinfo=UTC)
        assert pass_times.end_after(now, 168, [], own_end=own) == datetime(2026, 3, *end, tzinfo=UTC)


@settings(deadline=None)
@given(NOWS, st.integers(0, 86_399), HOURS)
def test_when_on_a_day_it_was_issued_can_not_be_told(now: datetime, second: int, hours: int) -> None:
    """Not by the beginning, which all of the day have, nor by the end, of which there are two."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    at = day + timedelta(seconds=second)
    assert pass_times.begin(at, None) == pass_times.begin(now, None) == day
    rest = {pass_times.end_after(one, hours, []) - day for one in (at, now)}
    least = hours // 24 + (0 if hours % 24 == 0 and day in (at, now) else 1)
    assert rest <= {timedelta(days=least), timedelta(days=least + 1)}


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


@pytest.mark.parametrize(
    ("given_end", "again"), [((2, 8, 30), (2, 0, 0)), ((3, 0, 0), (3, 0, 0)), ((1, 20, 0), (1, 20, 0))]
)
def test_a_pass_that_is_issued_again_never_lasts_longer(
    given_end: tuple[int, int, int], again: tuple[int, int, int]
) -> None:
    now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    end = datetime(2026, 3, *given_end, tzinfo=UTC)
    assert pass_times.end_of_again(now, end, [None]) == datetime(2026, 3, *again, tzinfo=UTC)
    assert pass_times.end_of_again(now, end, [end]) == end
    sunset = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert pass_times.end_of_again(now, end, [sunset]) == sunset
