"""A safety for what must end: where it would go on for minutes, the test fails and the run goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

SECONDS = 20
"""Far more than a slow machine needs for what takes milliseconds, far less than what goes on."""


@contextmanager
def within(seconds: int = SECONDS) -> Iterator[None]:
    """Raise TimeoutError in what takes longer; Python's regular expressions look for signals, too."""

    def stop(*_: object) -> NoReturn:
        raise TimeoutError(f"it took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
