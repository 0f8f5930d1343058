"""The pure rules: which keys may come from one phone, when they are told, and among how many."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput
from hutong.passes.exposure.code import draw_code, keyed_hash, parse_report_type
from hutong.passes.exposure.key import (
    DAY_INTERVALS,
    FEWEST_KEYS,
    HELD_BACK,
    MAX_UPLOAD_KEYS,
    MORE_KEYS,
    ExposureKey,
    ReportType,
    at_interval,
    check_upload,
    due_at,
    interval_number,
    padding,
    window_end,
)
from tests.passes.exposure.phone import identifier_key, identifiers

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
TODAY = interval_number(datetime(2026, 3, 20, tzinfo=UTC))


def key(number: int, *, start: int = TODAY, period: int = DAY_INTERVALS) -> ExposureKey:
    return ExposureKey(number.to_bytes(16, "big"), start, period)


def days(count: int) -> list[ExposureKey]:
    return [key(number, start=TODAY - DAY_INTERVALS * number) for number in range(count)]


def test_the_specifications_own_vectors() -> None:
    """Exposure Notification Cryptography Specification v1.2.1, "Test vectors": key, identifier key, two identifiers."""
    told = ExposureKey(bytes.fromhex("75c734c6dd1a782de7a965da5eb93125"), 2_642_976)
    assert identifier_key(told.key_data).hex() == "185ad91db69ec7dd048960f1f3ba6175"
    made = [identifier.hex() for identifier in identifiers(told)]
    assert made[:2] == ["8be6cd371c5c891604bfbe49df845096", "3c9a1de5dd6b02afa7fded7b570b3e56"]
    assert len(set(made)) == DAY_INTERVALS
    assert at_interval(2_642_976) == datetime(2020, 4, 2, tzinfo=UTC)


def test_what_a_phone_may_upload() -> None:
    check_upload(days(15), now=NOW)
    check_upload([key(1, start=TODAY, period=50), key(2, start=TODAY + 50)], now=NOW)
    check_upload([key(n, start=TODAY - 30 + n, period=1) for n in range(MAX_UPLOAD_KEYS)], now=NOW)


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [key(n, start=TODAY - 31 + n, period=1) for n in range(MAX_UPLOAD_KEYS + 1)],
        days(16),
        [key(1, start=TODAY + DAY_INTERVALS)],
        [key(1, start=interval_number(NOW) + 1)],
        [key(1), replace(key(1), rolling_start=TODAY - DAY_INTERVALS)],
        [key(1), key(2)],
        [key(1, start=TODAY - 143), key(2)],
        [key(1, start=0)],
    ],
    ids=["none", "31", "16 days", "tomorrow", "later", "twice", "same start", "overlap", "1970"],
)
def test_uploads_that_are_refused_as_a_whole(keys: list[ExposureKey]) -> None:
    with pytest.raises(BadInput):
        check_upload(keys, now=NOW)


@pytest.mark.parametrize(
    ("data", "start", "period", "onset"),
    [
        (b"", 1, 144, None),
        (bytes(15), 1, 144, None),
        (bytes(17), 1, 144, None),
        (bytes(16), -1, 144, None),
        (bytes(16), 2**31, 144, None),
        (bytes(16), 1, 0, None),
        (bytes(16), 1, 145, None),
        (bytes(16), 1, 144, 15),
        (bytes(16), 1, 144, -15),
    ],
)
def test_keys_that_cannot_be(data: bytes, start: int, period: int, onset: int | None) -> None:
    with pytest.raises(BadInput):
        ExposureKey(data, start, period, ReportType.CONFIRMED_TEST, onset)


@given(st.integers(0, 15 * DAY_INTERVALS), st.integers(1, DAY_INTERVALS), st.integers(0, 14 * 86_400))
@settings(max_examples=100, deadline=None)
def test_a_key_waits_for_its_end_and_a_whole_window(age: int, period: int, seconds: int) -> None:
    now = NOW + timedelta(seconds=seconds)
    held = key(1, start=interval_number(now) - age, period=period)
    due = due_at(held, now=now)
    assert due >= held.ends_at + HELD_BACK
    assert due > now
    # Arrival and end can't be told from it: it is one of six times a day, within a window of the earliest possible.
    assert window_end(due) == due
    assert due - max(now, held.ends_at + HELD_BACK) <= timedelta(hours=4)
    assert (due.hour % 4, due.minute, due.second, due.microsecond) == (0, 0, 0, 0)


def test_since_onset() -> None:
    assert key(1).since_onset(date(2026, 3, 18)).days_since_onset == 2
    assert key(1).since_onset(date(2026, 3, 22)).days_since_onset == -2
    assert key(1).since_onset(date(2026, 3, 1)).days_since_onset is None
    assert key(1).since_onset(None).days_since_onset is None


@given(st.integers(1, 40), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_real_keys_are_hidden_among_alike_ones(count: int, seed: int) -> None:
    real = [replace(each, days_since_onset=n % 3) for n, each in enumerate(days(count))]
    filling = padding(real, Random(seed).randbytes)
    assert FEWEST_KEYS <= len(real) + len(filling) <= FEWEST_KEYS + MORE_KEYS
    assert {replace(each, key_data=bytes(16)) for each in filling} <= {
        replace(each, key_data=bytes(16)) for each in real
    }
    assert len({each.key_data for each in [*real, *filling]}) == len(real) + len(filling)


def test_padding_of_large_and_empty_batches() -> None:
    random = Random(1)
    assert padding([], random.randbytes) == []
    many = [key(number) for number in range(FEWEST_KEYS + 500)]
    sizes = {len(padding(many, random.randbytes)) for _ in range(20)}
    assert max(sizes) <= MORE_KEYS
    assert len(sizes) > 5, "the number of random keys must be random too"
    spread = Counter(each.rolling_start for each in padding(days(14), random.randbytes))
    assert len(spread) == 14


def test_codes() -> None:
    random = Random(2)
    drawn = [draw_code(random.randbytes) for _ in range(1000)]
    assert all(len(code) == 12 and code.isdecimal() for code in drawn)
    assert len(set(drawn)) > 990
    assert any(code.startswith("0") for code in drawn)
    assert keyed_hash(b"a", "00000000") != keyed_hash(b"b", "00000000") != keyed_hash(b"b", "00000001")
    assert parse_report_type("self_report") is ReportType.SELF_REPORT
    for name in ("revoked", "unknown", "UNKNOWN", "", "recursive"):
        with pytest.raises(BadInput):
            parse_report_type(name)
