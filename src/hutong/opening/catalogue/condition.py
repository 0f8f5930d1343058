"""What a dataset must meet to be found: single conditions, and how they are joined."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Has:
    """The dataset has this value of a filter (of a name in ``search.FILTERS``)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Modified:
    """Its latest release came out from ``since`` to ``until``, both included; None leaves an end open."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """It does not meet this."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class All:
    """It meets each of these; of none, every dataset does."""

    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """It meets at least one of these; of none, no dataset does."""

    conditions: tuple[Condition, ...] = ()


Condition = Has | Modified | Not | All | AnyOf
