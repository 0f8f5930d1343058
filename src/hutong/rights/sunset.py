"""Sunset: what ends when, and what is destroyed when it is over. Pure.

Everything has an end date of its own, and what hangs on an emergency ends with it at the latest: rulebooks, the passes
they give, boundaries. Once an emergency is over, what it let the node know about single persons is destroyed; what is
kept is in ``KEPT``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from enum import StrEnum

from hutong.errors import BadInput
from hutong.governance.emergency import Emergency
from hutong.standard import Standard

PSEUDONYM = "pseudonym"
KEPT = (
    "what was released: aggregates and records that were made safe for release",
    "the log",
    "receipts, without the rows that were held or rejected; why such rows were released or discarded",
    "times and outcomes of appeals, without whose they were and what was said",
)


class Kind(StrEnum):
    """What can end."""

    EMERGENCY = "emergency"
    RULEBOOK = "rulebook"
    CODE_TYPE = "code-type"
    BOUNDARY = "boundary"
    KEY = "key"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ends. ``ends_at``: the first instant at which it is over; ``emergency``: on which it hangs."""

    kind: Kind
    id: str
    ends_at: datetime
    emergency: str = ""

    def __post_init__(self) -> None:
        if self.ends_at.tzinfo is None:
            raise BadInput(f"The end of {self.kind} {self.id} has no time zone.", "Give it with a zone.")

    def is_over(self, at: datetime) -> bool:
        """Whether it is over."""
        return at >= self.ends_at


@dataclass(frozen=True, slots=True)
class DeclaredEmergency:
    """An emergency as it stands in the records. ``destroyed_at``: when the data about persons were destroyed."""

    emergency: Emergency
    ended_at: datetime | None = None
    destroyed_at: datetime | None = None

    @property
    def id(self) -> str:
        return self.emergency.id

    @property
    def ends_at(self) -> datetime:
        """The first instant at which it is over: its sunset, or when it was ended before."""
        sunset = end_of(self.emergency)
        return sunset if self.ended_at is None else min(sunset, self.ended_at)

    @property
    def because(self) -> str:
        """Why it is over: ``sunset`` or ``ended``."""
        return "ended" if self.ended_at is not None and self.ended_at < end_of(self.emergency) else "sunset"

    def is_over(self, at: datetime) -> bool:
        """Whether it is over. One that has not begun is not."""
        return at >= self.ends_at


@dataclass(frozen=True, slots=True)
class Destruction:
    """What is, or would be, destroyed because an emergency is over: rows by table, of lake and records."""

    emergency: str
    because: str
    ended_at: datetime
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All rows together."""
        return sum(self.counts.values())

    def document(self) -> dict[str, object]:
        """JSON form."""
        return {
            "emergency": self.emergency,
            "because": self.because,
            "ended_at": self.ended_at.isoformat(),
            "counts": dict(self.counts),
            "total": self.total,
        }


def end_of(emergency: Emergency) -> datetime:
    """The instant at which an emergency is over at the latest: midnight (UTC) at the beginning of its sunset."""
    return datetime.combine(emergency.sunset, time(), UTC)


def bounded(endings: Iterable[Ending], emergencies: Iterable[DeclaredEmergency]) -> tuple[Ending, ...]:
    """The endings, what hangs on an emergency ending no later than it, the earliest end first.

    What hangs on an emergency that is not known is over since ever: there is no power without one.
    """
    ends = {known.id: known.ends_at for known in emergencies}
    never = datetime.min.replace(tzinfo=UTC)
    cut = [
        replace(one, ends_at=min(one.ends_at, ends.get(one.emergency, never))) if one.emergency else one
        for one in endings
    ]
    return tuple(sorted(cut, key=lambda one: (one.ends_at, one.kind, one.id)))


def personal_tables(standard: Standard) -> Mapping[str, bool]:
    """Tables of the standard that tell of single persons, and whether each of their rows does.

    Where the pseudonym is elastic (cases of a list without persons), only rows that have one tell of somebody.
    """
    found = {}
    for name, table in standard.tables.items():
        for element in table.elements:
            if element.name == PSEUDONYM:
                found[name] = element.necessary
    return found
