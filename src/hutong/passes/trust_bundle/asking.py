"""Asking several parties at once, and waiting for none of them longer than one wants to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Generic, TypeVar

T = TypeVar("T")


class Asking(Generic[T]):
    """Asks parties side by side, and waits for none longer than it is told, whatever its answer hangs at.

    A thread can't be stopped: one whose party drips its answer goes on by itself, and the party is not asked again
    until it has ended. No thread holds up the end of the process, as those of an executor would.
    """

    def __init__(self) -> None:
        self._running: dict[str, Future[T]] = {}

    def ask(self, parties: Iterable[str], fetch: Callable[[str], T], *, at_once: int, seconds: float) -> dict[str, T]:
        """What each party gave within so many seconds of being asked; without those that gave nothing by then."""
        answers: dict[str, T] = {}
        left = [party for party in parties if party not in self._running or self._running[party].done()]
        ends_at: dict[str, float] = {}
        while left or ends_at:
            while left and len(ends_at) < at_once:
                party = left.pop(0)
                self._running[party] = _in_a_thread(party, fetch)
                ends_at[party] = time.monotonic() + seconds
            remaining = min(ends_at.values()) - time.monotonic()
            wait([self._running[party] for party in ends_at], max(remaining, 0.0), FIRST_COMPLETED)
            for party, end in list(ends_at.items()):
                if self._running[party].done():
                    answers[party] = self._running.pop(party).result()
                elif time.monotonic() < end:
                    continue
                del ends_at[party]
        return answers


def _in_a_thread(party: str, fetch: Callable[[str], T]) -> Future[T]:
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(fetch(party))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is read
            future.set_exception(error)

    threading.Thread(target=run, name=f"ask-{party}", daemon=True).start()
    return future
