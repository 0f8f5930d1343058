"""When a followed party is asked again: each by itself, so that one that is down holds up nobody."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

PERIOD = timedelta(seconds=15)
LONGEST_PAUSE = 20 * PERIOD
PARTY_SECONDS = 5.0
"""So long a party may take in all to give its bundle: to be found, connected to, and to answer, once or twice.

A person who asks for it may wait longer."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What one round came to: whose news were taken over, and who gave nothing that can be used, with why.

    ``newly_failed``: those of ``failed`` that had answered before.
    """

    news: tuple[str, ...]
    failed: Mapping[str, str]
    newly_failed: tuple[str, ...] = ()


class Pauses:
    """How long each party is left alone after it failed: twice as long each time, at most five minutes."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, datetime]] = {}
        self._lock = threading.Lock()

    def is_due(self, party: str, now: datetime) -> bool:
        """Whether to ask it now."""
        with self._lock:
            failures, failed_at = self._failures.get(party, (0, now))
        pause = min(PERIOD * 2 ** min(failures, 10), LONGEST_PAUSE)
        return not failures or not timedelta() <= now - failed_at < pause

    def failed(self, party: str, now: datetime) -> bool:
        """It gave nothing; whether that is new."""
        with self._lock:
            failures = self._failures.get(party, (0, now))[0]
            self._failures[party] = (failures + 1, now)
        return failures == 0

    def answered(self, party: str) -> None:
        """All is well with it."""
        with self._lock:
            self._failures.pop(party, None)
