"""What a measurement is: a figure with its unit, and beside it the reference that ran for the same job."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        part: what was measured: ``ingest``, ``log``, …
        job: the job in words.
        value, unit: the figure; ``/s`` units are better when larger, times when smaller.
        reference: what it stands beside, in words; empty when there is nothing to stand beside.
        reference_value: its figure, in the same unit.
    """

    part: str
    job: str
    value: float
    unit: str
    reference: str = ""
    reference_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """The figure over its reference."""
        return self.value / self.reference_value if self.reference_value else None

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "ratio": self.ratio}


def rate(job: Callable[[int], object], times: int, *, rounds: int = 3) -> float:
    """How often a job can be done in a second: the best of some rounds, one core."""
    return max(rates([job], times, rounds=rounds)[0])


def rates(jobs: Sequence[Callable[[int], object]], times: int, *, rounds: int) -> list[list[float]]:
    """How often each job can be done in a second, round by round, one core.

    Jobs that stand beside each other are done in turns: a slow moment of the machine meets them all.
    """
    found: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds):
        for index, job in enumerate(jobs):
            started = time.perf_counter()
            for number in range(times):
                job(number)
            found[index].append(times / (time.perf_counter() - started))
    return found


def seconds(job: Callable[[], object], *, rounds: int = 3) -> float:
    """How long a job takes: the best of some rounds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        job()
        taken.append(time.perf_counter() - started)
    return min(taken)


def machine() -> dict[str, Any]:
    """The machine that measures."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": load(),
    }


def load() -> float:
    """How many processes wanted a core in the last minute; beyond the number of cores times are too long."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
