"""Exposure key: the secret of one phone for at most a day, from which its radio identifiers were made.

A phone that was told that its owner is infected gives its keys of the last days; others compute the identifiers and
compare them with what they heard. Sources: Exposure Notification Cryptography Specification v1.2.1; Apple, "Setting Up
a Key Server".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from itertools import pairwise

from hutong.errors import BadInput

KEY_BYTES = 16
INTERVAL_SECONDS = 600
DAY_INTERVALS = 144
KEPT_DAYS = 14
MAX_UPLOAD_KEYS = 30
MAX_ONSET_DAYS = 14
HELD_BACK = timedelta(hours=2)
"""A key is told no sooner after its end: with a living key others could send identifiers as if they were the phone."""
WINDOW_SECONDS = 4 * 3600
FEWEST_KEYS = 1000
MORE_KEYS = 100
MOST_KEYS = 30_000

Random = Callable[[int], bytes]


class ReportType(IntEnum):
    """Why a key is told (``TemporaryExposureKey.ReportType``). 4 is reserved."""

    UNKNOWN = 0
    CONFIRMED_TEST = 1
    CONFIRMED_CLINICAL_DIAGNOSIS = 2
    SELF_REPORT = 3
    REVOKED = 5


@dataclass(frozen=True, slots=True)
class ExposureKey:
    """One temporary exposure key.

    Attributes:
        key_data: 16 random octets.
        rolling_start: first ten-minute interval since 1970 in which it was used.
        rolling_period: number of ten-minute intervals, 1 to 144.
        days_since_onset: from the owner's first symptoms to the key's day, -14 to 14; None when not known.
    """

    key_data: bytes = field(repr=False)
    rolling_start: int
    rolling_period: int = DAY_INTERVALS
    report_type: ReportType = ReportType.CONFIRMED_TEST
    days_since_onset: int | None = None

    def __post_init__(self) -> None:
        if len(self.key_data) != KEY_BYTES:
            raise BadInput(f"A key has {len(self.key_data)} octets.", f"Give {KEY_BYTES} octets.")
        if not 0 <= self.rolling_start < 2**31 - DAY_INTERVALS:
            raise BadInput("A key's start is not an interval number.", "Give ten-minute intervals since 1970.")
        if not 1 <= self.rolling_period <= DAY_INTERVALS:
            raise BadInput(
                f"A key is for {self.rolling_period} intervals.", f"Give 1 to {DAY_INTERVALS} intervals of ten minutes."
            )
        if self.days_since_onset is not None and abs(self.days_since_onset) > MAX_ONSET_DAYS:
            raise BadInput("A key is too far from the first symptoms.", f"Give at most {MAX_ONSET_DAYS} days.")

    @property
    def rolling_end(self) -> int:
        """The first interval after it."""
        return self.rolling_start + self.rolling_period

    @property
    def ends_at(self) -> datetime:
        return at_interval(self.rolling_end)

    @property
    def day(self) -> date:
        """The UTC day on which it begins."""
        return at_interval(self.rolling_start).date()

    def since_onset(self, onset_on: date | None) -> ExposureKey:
        """The same key with its distance from the first symptoms, where the format can say it."""
        days = (self.day - onset_on).days if onset_on else None
        return replace(self, days_since_onset=days if days is not None and abs(days) <= MAX_ONSET_DAYS else None)


def interval_number(at: datetime) -> int:
    """ENIntervalNumber: ten-minute intervals since 1970 (Cryptography Specification, "ENIntervalNumber")."""
    return int(at.timestamp()) // INTERVAL_SECONDS


def at_interval(number: int) -> datetime:
    """The instant at which an interval begins."""
    return datetime.fromtimestamp(number * INTERVAL_SECONDS, UTC)


def check_upload(keys: Sequence[ExposureKey], *, now: datetime) -> None:
    """Refuse an upload as a whole when one of its keys can't be from one phone's last days.

    Keys are of the last 14 days (whole UTC days) or of today, none begins later than now, and no two are alike or
    overlap. Raises BadInput.
    """
    if not 1 <= len(keys) <= MAX_UPLOAD_KEYS:
        raise BadInput(f"{len(keys)} keys were given.", f"Give 1 to {MAX_UPLOAD_KEYS} keys.")
    if len({key.key_data for key in keys}) < len(keys):
        raise BadInput("A key was given twice.", "Give each key once.")
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    earliest = interval_number(today - timedelta(days=KEPT_DAYS))
    in_order = sorted(keys, key=lambda key: key.rolling_start)
    if in_order[0].rolling_start < earliest or in_order[-1].rolling_start > interval_number(now):
        raise BadInput("A key is not of the last days.", f"Give keys of the last {KEPT_DAYS} days and of today.")
    if any(later.rolling_start < former.rolling_end for former, later in pairwise(in_order)):
        raise BadInput("Two keys overlap in time.", "A phone has one key at a time.")


def window_end(at: datetime) -> datetime:
    """The end of the newest export window that is over at an instant: every four hours from midnight (UTC)."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % WINDOW_SECONDS, UTC)


def due_at(key: ExposureKey, *, now: datetime) -> datetime:
    """When a key that arrives now may be told: at the end of a window, two hours after the key's own end or later.

    The window's end stands for the arrival everywhere, so that nothing tells when exactly somebody reported.
    """
    return window_end(max(now, key.ends_at + HELD_BACK)) + timedelta(seconds=WINDOW_SECONDS)


def padding(keys: Sequence[ExposureKey], random: Random) -> list[ExposureKey]:
    """Random keys that fill a batch up to a thousand and a random number more, as GAEN key servers do.

    Each takes day, length and kind from a random real key, so that only its own phone could tell a real one. There are
    none for a batch without a real key: nobody needs to be hidden then, and nothing is published.
    """
    if not keys:
        return []
    missing = max(0, FEWEST_KEYS - len(keys)) + _draw(random, MORE_KEYS + 1)
    return [replace(keys[_draw(random, len(keys))], key_data=random(KEY_BYTES)) for _ in range(missing)]


def _draw(random: Random, below: int) -> int:
    return int.from_bytes(random(8), "big") % below
