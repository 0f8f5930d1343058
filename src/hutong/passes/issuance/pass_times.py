"""From when until when a pass is for showing, to the day (UTC), so that its times tell nobody's passes apart. Pure.

Two passes of one person must share nothing by which a verifier could know them again, and an instant to the second is
nearly a name. Only what all passes of that day share is finer: the end of rulebook, emergency or key.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hutong.errors import Refused

_DAY = timedelta(days=1)
MAX_HOURS = 168


def begin(now: datetime, *starts: datetime | None) -> datetime:
    """The beginning of today, or of key and rulebook where they began today."""
    return max([_floor(now), *(_whole(start) for start in starts if start is not None and start <= now)])


def end_after(
    now: datetime, hours: int, limits: Iterable[datetime | None], *, own_end: datetime | None = None
) -> datetime:
    """The end of the day that holds the end of these hours; never after MAX_HOURS, nor after a limit.

    Args:
        limits: ends that everybody's passes have: of rulebook, emergency and key.
        own_end: when the level ends that only this person has; the pass ends with that day.
    """
    ends = [_ceiling(now + timedelta(hours=hours)), _floor(now + timedelta(hours=MAX_HOURS))]
    return min([*ends, *_given(limits), *([_ceiling(own_end)] if own_end is not None else [])])


def end_of_again(end: datetime, limits: Iterable[datetime | None]) -> datetime:
    """Of a pass that is issued again: the end of its last day, as it has it, unless an earlier release issued it."""
    return min([_ceiling(end), *_given(limits)])


def end_within(now: datetime, end: datetime) -> datetime:
    """The last midnight before the end of a pass from which another is made, which must not last longer.

    Raises Refused when it ends today.
    """
    found = _floor(end)
    if found <= now:
        raise Refused(
            "The pass ends today: by the same end another would be known to be made from it.", "Renew it first."
        )
    return found


def _given(limits: Iterable[datetime | None]) -> list[datetime]:
    return [_whole(limit) for limit in limits if limit is not None]


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _ceiling(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if at == floor else floor + _DAY
