"""The tests on Spark take three minutes at most, or nobody runs them."""

from __future__ import annotations

LIMIT_SECONDS = 180.0
FAILS_SECONDS = 2 * LIMIT_SECONDS
"""What fails a run in CI: machines differ, and a slow one must not stop what is sound. Less is told in red."""
BUSY = 2.0
"""Processes that want each core: beyond it the machine does other work, and the time says nothing of the tests."""


def beyond(seconds: float, *, load: float, cores: int) -> tuple[str, bool]:
    """What to say of a run that took so long, and whether it fails a run in CI; nothing within the limit."""
    if seconds <= LIMIT_SECONDS:
        return "", False
    told = f"The tests on Spark took {seconds:.0f} s; the limit is {LIMIT_SECONDS:.0f} s"
    if load > BUSY * cores:
        return f"{told}, but the machine did other work (load {load:.1f} on {cores} cores).", False
    return f"{told}. Make one of them shorter: pytest --durations=10 -m spark.", seconds > FAILS_SECONDS
