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
    """The beginning of today, or of what began later today: the key, or the rulebook's version."""
    return max([_floor(now), *(_whole(start) for start in starts if start is not None and start <= now)])


def end_after(
    now: datetime, hours: int, limits: Iterable[datetime | None], *, own_end: datetime | None = None
) -> datetime:
    """The end (midnight) of the day in which these hours end: so long at least, and less than a day more.

    Args:
        hours: up to MAX_HOURS.
        limits: ends that everybody's passes have: of rulebook, emergency and key. They come first.
        own_end: when the level ends that only this person has; it comes first too, see :func:`_within`.
    """
    ends = [_ceiling(now + timedelta(hours=hours)), *_given(limits)]
    return min([*ends, *([_within(now, own_end)] if own_end is not None else [])])


def end_of_again(now: datetime, end: datetime, limits: Iterable[datetime | None]) -> datetime:
    """Of a pass that is issued again: its end as it is, if that is a midnight or a limit; else see :func:`_within`.

    Another end is that of somebody's own level, or was given by an earlier release.
    """
    shared = _given(limits)
    return min([end if end in shared else _within(now, end), *shared])


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


def _within(now: datetime, own_end: datetime) -> datetime:
    """The last midnight before an end that only one person has, or that end itself where it is today.

    Nothing outlives what two persons signed, though an end of today, which is left exact, can be known again.
    """
    floor = _floor(own_end)
    return floor if floor > now else _whole(own_end)


def _given(limits: Iterable[datetime | None]) -> list[datetime]:
    return [_whole(limit) for limit in limits if limit is not None]


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _ceiling(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if at == floor else floor + _DAY
