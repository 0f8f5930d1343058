"""What the demonstration says while it runs, and the JSON that it leaves behind."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def seconds_since(begun: float) -> float:
    """Seconds since ``time.monotonic()`` was ``begun``, as the file holds them and the lines print them."""
    return round(time.monotonic() - begun, 2)


@dataclass(slots=True)
class Report:
    """One plain line a step on standard output; bars on the terminal only."""

    console: Console
    facts: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[dict[str, Any]]:
        """A step: what it puts into the yielded dictionary goes to the JSON, its ``line`` to the reader."""
        facts: dict[str, Any] = {}
        begun = time.monotonic()
        self.console.print(f"[bold]{title}[/bold]", highlight=False)
        yield facts
        facts["seconds"] = seconds_since(begun)
        self.facts[name] = facts

    def say(self, line: str, *, seconds: float | None = None) -> None:
        """One plain line."""
        took = f" · {seconds:.1f} s" if seconds is not None else ""
        self.console.print(f"   {line}{took}", highlight=False, markup=False)

    @contextmanager
    def bar(self, label: str, *, unit: str = "") -> Iterator[Callable[[int, int], None]]:
        """A progress bar; without a unit nothing can be counted, and it shows that work goes on."""
        if not self.console.is_terminal:
            yield lambda _done, _total: None
            return
        counted = (BarColumn(), MofNCompleteColumn(), TextColumn(unit)) if unit else ()
        columns = (SpinnerColumn(), TextColumn("   {task.description}", markup=False), *counted, TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(label, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    def finish(self, path: Path | None) -> None:
        """Add the totals and write the JSON."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.facts["total_seconds"] = seconds_since(self.started)
        self.facts["peak_memory_mib"] = round(own / (1024 if sys.platform != "darwin" else 2**20))
        self.facts["memory_mib_in_all"] = self.facts["peak_memory_mib"] + sum(
            self.facts.get("servers_peak_memory_mib", {}).values()
        )
        if path is not None:
            self.facts["file"] = str(path)
            path.write_bytes(orjson.dumps(self.facts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
