"""The moment that somebody asks about: one reading for commands, programs and rules."""

from __future__ import annotations

from datetime import UTC, datetime

from hutong.errors import BadInput


def moment(at: object) -> datetime:
    """The moment that somebody asks about: a date-time or its text in ISO 8601, in UTC where it names no zone.

    Raises:
        BadInput: none of these, or a moment that there is not in UTC.
    """
    try:
        given = datetime.fromisoformat(at) if isinstance(at, str) else at
        if isinstance(given, datetime):
            given = given if given.tzinfo is not None else given.replace(tzinfo=UTC)
            given.astimezone(UTC)
            return given
    except (ValueError, OverflowError):
        pass
    raise BadInput(f"{str(at)[:64]!r} is no time.", "Give it as ISO 8601: 2026-01-31T08:00:00Z.")
