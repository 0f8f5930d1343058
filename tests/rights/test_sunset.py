"""What ends when: pure rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput
from hutong.governance.emergency import Emergency
from hutong.rights.sunset import DeclaredEmergency, Ending, Kind, bounded, end_of, personal_tables
from hutong.standard import load

TEXT = {"en": "Dengue", "zh": "登革热"}
DENGUE = Emergency(
    "dengue", TEXT, TEXT, TEXT, "TW", starts=date(2026, 2, 1), review=date(2026, 3, 1), sunset=date(2026, 4, 1)
)
SUNSET = datetime(2026, 4, 1, tzinfo=UTC)
EARLY = datetime(2026, 3, 5, 12, tzinfo=UTC)


def test_an_emergency_is_over_at_the_beginning_of_its_sunset() -> None:
    known = DeclaredEmergency(DENGUE)
    assert end_of(DENGUE) == known.ends_at == SUNSET
    assert (known.is_over(SUNSET - timedelta(seconds=1)), known.is_over(SUNSET)) == (False, True)
    assert known.because == "sunset"


def test_an_emergency_that_was_ended_is_over_then() -> None:
    known = DeclaredEmergency(DENGUE, ended_at=EARLY)
    assert (known.ends_at, known.because, known.is_over(EARLY)) == (EARLY, "ended", True)
    # Somebody who ends it after its sunset changes nothing.
    late = replace(known, ended_at=SUNSET + timedelta(days=3))
    assert (late.ends_at, late.because) == (SUNSET, "sunset")


def test_an_emergency_to_come_is_not_over() -> None:
    assert not DeclaredEmergency(DENGUE).is_over(datetime(2026, 1, 1, tzinfo=UTC))


moments = st.integers(0, 8000).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(Kind), moments, st.sampled_from(["", "dengue", "undeclared"])), max_size=8))
def test_nothing_outlives_its_emergency(given_endings: list[tuple[Kind, datetime, str]]) -> None:
    endings = [Ending(kind, str(number), at, of) for number, (kind, at, of) in enumerate(given_endings)]
    found = bounded(endings, [DeclaredEmergency(DENGUE, ended_at=EARLY)])
    assert sorted(one.id for one in found) == sorted(one.id for one in endings)
    assert [one.ends_at for one in found] == sorted(one.ends_at for one in found)
    for one in found:
        first = endings[int(one.id)].ends_at
        if one.emergency == "":
            assert one.ends_at == first
        elif one.emergency == "dengue":
            assert one.ends_at == min(first, EARLY)
        else:
            assert one.is_over(datetime(1999, 1, 1, tzinfo=UTC))


def test_an_end_without_zone_is_none() -> None:
    with pytest.raises(BadInput, match="no time zone"):
        Ending(Kind.KEY, "k", datetime.fromisoformat("2026-01-01"))


def test_which_tables_tell_of_persons_follows_from_the_standard() -> None:
    assert personal_tables(load()) == {
        "person": True,
        "stay": True,
        "symptom": True,
        "contact": True,
        "test": True,
        "immunization": True,
        "case": False,
    }
