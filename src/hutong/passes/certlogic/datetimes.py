"""Date-times of CertLogic 1.3.3: instants of millisecond precision, and the two operations that make them.

Arithmetic follows ECMAScript's ``Date`` (as the specification demands for ``plusTime``): UTC, proleptic
Gregorian calendar, an overflowing day rolls into the next month (2020-02-29 plus 1 year is 2021-03-01).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hutong.errors import BadInput

TIME_UNITS = ("year", "month", "day", "hour")

_MS_A_DAY = 86_400_000
_MS_A_HOUR = 3_600_000
_MAX_MS = 8_640_000_000_000_000  # ECMAScript: 100 million days around 1970

_PARTIAL = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_FULL = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]+))?"
    r"(?:Z|([+-])(?:([0-9]{1,2}):([0-9]{2})|([0-9]{1,2}?)([0-9]{2})|([0-9]{1,2})))?"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True, order=True)
class DateTime:
    """An instant, in milliseconds since 1970-01-01T00:00:00Z."""

    ms: int

    def __str__(self) -> str:
        """ISO 8601 in UTC with milliseconds, as ECMAScript does: years outside 0 to 9999 with sign and six digits."""
        days, rest = divmod(self.ms, _MS_A_DAY)
        year, month, day = _civil(days)
        seconds, ms = divmod(rest, 1000)
        hours, seconds = divmod(seconds, 3600)
        years = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
        return f"{years}-{month:02d}-{day:02d}T{hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}.{ms:03d}Z"


@lru_cache(maxsize=8192)
def plus_time(text: str, amount: int, unit: str) -> DateTime:
    """Read a date or date-time and add to it (operation ``plusTime``).

    Args:
        text: one of the 19 allowed formats; a partial date means its last day, no offset means UTC.
        amount: how many units, may be negative.
        unit: one of TIME_UNITS.

    Raises:
        BadInput: another format, an impossible date, or an instant outside ± 100 million days around 1970.
    """
    ms = _parse(text)
    if unit == "hour":
        return _instant(ms + amount * _MS_A_HOUR)
    if unit == "day":
        return _instant(ms + amount * _MS_A_DAY)
    days, rest = divmod(ms, _MS_A_DAY)
    year, month, day = _civil(days)
    if unit == "year":
        year += amount
    else:
        carry, month0 = divmod(month - 1 + amount, 12)
        year, month = year + carry, month0 + 1
    return _instant((_days_since_1970(year, month, 1) + day - 1) * _MS_A_DAY + rest)


@lru_cache(maxsize=1024)
def dcc_date_of_birth(text: str) -> DateTime:
    """The last day that a (partial) date of birth may mean (operation ``dccDateOfBirth``).

    Raises:
        BadInput: not of the form YYYY, YYYY-MM or YYYY-MM-DD, or impossible.
    """
    match = _PARTIAL.fullmatch(text)
    if match is None:
        raise _not_a_date()
    return _instant(_date_days(match[1], match[2], match[3]) * _MS_A_DAY)


def _parse(text: str) -> int:
    match = _PARTIAL.fullmatch(text)
    if match is not None:
        return _date_days(match[1], match[2], match[3]) * _MS_A_DAY
    match = _FULL.fullmatch(text)
    if match is None:
        raise _not_a_date()
    hours, minutes, seconds = int(match[4]), int(match[5]), int(match[6])
    offset_hours = int(match[9] or match[11] or match[13] or 0)
    offset_minutes = int(match[10] or match[12] or 0)
    if hours > 23 or minutes > 59 or seconds > 59 or offset_hours > 23 or offset_minutes > 59:
        raise _not_a_date()
    offset = (offset_hours * 60 + offset_minutes) * 60_000
    ms = int((match[7] or "0").ljust(3, "0")[:3])  # further decimals are cut off, not rounded
    local = _date_days(match[1], match[2], match[3]) * _MS_A_DAY
    local += (hours * 3600 + minutes * 60 + seconds) * 1000 + ms
    return local + offset if match[8] == "-" else local - offset


def _date_days(year_text: str, month_text: str | None, day_text: str | None) -> int:
    year = int(year_text)
    month = 12 if month_text is None else int(month_text)
    if not 1 <= month <= 12:
        raise _not_a_date()
    last = _last_day(year, month)
    day = last if day_text is None else int(day_text)
    if not 1 <= day <= last:
        raise _not_a_date()
    return _days_since_1970(year, month, day)


def _last_day(year: int, month: int) -> int:
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if leap else _DAYS[month - 1]


def _days_since_1970(year: int, month: int, day: int) -> int:
    """Days of a civil date; years begin in March here, so that a leap day is a year's last."""
    year -= month <= 2
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a count of days since 1970."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return year, month, day_of_year - (153 * shifted + 2) // 5 + 1


def _instant(ms: int) -> DateTime:
    if not -_MAX_MS <= ms <= _MAX_MS:
        raise BadInput("A date-time of the rule is out of range.", "Add a smaller amount to the date.")
    return DateTime(ms)


def _not_a_date() -> BadInput:
    # The text may be a date of birth, so it is not repeated here.
    return BadInput(
        "A date of the rule's data is not an allowed date or date-time.",
        "Write it as YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with an optional fraction and offset.",
    )
