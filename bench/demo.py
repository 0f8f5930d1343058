"""The demonstration as its user runs it: how long until its last step is done, and how much memory it takes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure
from hutong.demo.servers import require_free
from hutong.errors import Conflict

PART = "demo"
LONGEST_SECONDS = 1_200.0
SAMPLE_SECONDS = 0.1
NODES = 3


def run(folder: Path) -> Iterator[Figure]:
    """Run ``hutong demo`` once on the packaged lists, without serving afterwards."""
    facts = folder / "facts.json"
    command = [
        *(sys.executable, "-m", "hutong.cli.main", "demo", "--no-serve", "--dir", str(folder / "nodes")),
        *("--port", str(free_ports(NODES)), "--json", str(facts)),
    ]
    started = time.perf_counter()
    done, peak_bytes = None, 0
    with (folder / "told.txt").open("w") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, start_new_session=True)
        try:
            while process.poll() is None and time.perf_counter() - started < LONGEST_SECONDS:
                peak_bytes = max(peak_bytes, memory_bytes(process.pid))
                if done is None and facts.exists():  # it is written when the last step is done
                    done = time.perf_counter() - started
                time.sleep(SAMPLE_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.wait() != 0 or done is None:
        raise RuntimeError((folder / "told.txt").read_text())
    acquire = json.loads(facts.read_text())["acquire"]["seconds"]
    yield Figure(PART, "from the command to the end of step 8", done, "s")
    yield Figure(PART, "both lists acquired, areas and cases, and sent again", acquire, "s")
    if peak_bytes:
        gib = peak_bytes / 2**30
        yield Figure(PART, "resident memory at most, summed over its processes", gib, "GiB")


def memory_bytes(session: int) -> int:
    """Resident memory of all processes of a session, summed; 0 where the system does not say (Linux only).

    Pages that two of them share count twice: the sum is never less than what the machine needs.
    """
    pages = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which may hold spaces: state, parent, group, session (proc(5)).
            if int((process / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                pages += int((process / "statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue  # it has ended meanwhile
    return pages * resource.getpagesize()


def free_ports(many: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(20_011, 60_000, 13):
        try:
            for port in range(first, first + many):
                require_free(port)
        except Conflict:
            continue
        return first
    raise RuntimeError("no free ports")
