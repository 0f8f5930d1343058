"""Days and instants of the API: as RFC 3339 writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from hutong.web.api.times import Day, Moment

DAY, MOMENT = TypeAdapter(Day), TypeAdapter(Moment)


def test_days_and_instants_as_they_are_written() -> None:
    assert DAY.validate_python("2026-01-31") == date(2026, 1, 31)
    assert MOMENT.validate_python("2026-01-31T12:00:00Z") == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["２０２６-01-31", "2026-1-31", "20260131", 0, "2026-01-31\n", ""])
def test_another_form_is_refused(text: str | int) -> None:
    for form, given in ((DAY, text), (MOMENT, f"{text}T12:00:00Z"), (MOMENT, text)):
        with pytest.raises(ValidationError):
            form.validate_python(given)
