"""The ingest that is killed: ``python -m tests.crash.ingest`` reads orders from standard input, a JSON line each.

For each order it forks a process that runs ``hutong acquire`` for the files given; all are imported once, because
importing takes longer than acquiring. What the process says goes to a file, a line a step; only a line ``acknowledged``
is a promise. With ``kill_after`` it is killed (SIGKILL) after so many seconds. ``kill_at`` > 0 makes it kill itself at
that point: points are each SQL statement before and after it, each commit, and each file that Python opens, so they
do not depend on how fast the machine is.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from hutong.acquisition import actions
from hutong.cli.main import app
from hutong.node import open_node

SOURCE = "list"


class Points:
    """Counts what may be interrupted, and kills the process at the chosen one."""

    def __init__(self, kill_at: int) -> None:
        self.passed = 0
        self._kill_at = kill_at

    def __call__(self, *_arguments: Any, **_named: Any) -> None:
        self.passed += 1
        if self.passed == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        for moment in ("before_cursor_execute", "after_cursor_execute", "commit"):
            sa.event.listen(Engine, moment, self)
        sys.addaudithook(lambda event, _arguments: self() if event in ("open", "os.rename", "os.remove") else None)


def say(step: str, **facts: Any) -> None:
    sys.stdout.write(orjson.dumps({"step": step, **facts}).decode() + "\n")
    sys.stdout.flush()


def acquire_only(folder: Path, mapping: Path, files: list[Path]) -> None:
    """As the network's door does: acknowledge once the receipt is durable, and move what is in the inbox later."""
    node = open_node(folder)
    for file in files:
        receipt = actions.acquire(
            node, by=node.operator, source_id=SOURCE, path=file, mapping=mapping.read_text("utf-8")
        )
        say("acknowledged", receipt=receipt.id, accepted=receipt.accepted)
        node.move_inbox()
    node.close()


def run_commands(folder: Path, mapping: Path, files: list[Path]) -> None:
    """The real command, once per file; what it prints is the acknowledgement."""
    import typer

    command = typer.main.get_command(app)
    for file in files:
        given = ["acquire", str(file), "--source", SOURCE, "--mapping", str(mapping), "--node", str(folder)]
        command.main(given, standalone_mode=False)
        sys.stdout.flush()
        say("acknowledged", file=file.name)


WAYS: dict[str, Callable[[Path, Path, list[Path]], None]] = {"action": acquire_only, "command": run_commands}


def preload() -> None:
    """Import what an ingest needs, so that the time that is measured is its own."""
    import pyarrow.parquet
    import pyiceberg.catalog.sql
    import pyiceberg.io.pyarrow

    import hutong.acquisition.areas
    import hutong.acquisition.chunk
    import hutong.acquisition.readers.table

    del pyarrow, pyiceberg, hutong


def ingest(order: dict[str, Any]) -> None:
    """In the forked process: never returns."""
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, sys.stdout.fileno())
    points = Points(order["kill_at"])
    points.watch()
    code = 1
    try:
        files = [Path(name) for name in order["files"]]
        WAYS[order["way"]](Path(order["folder"]), Path(order["mapping"]), files)
        say("finished", points=points.passed)
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    preload()
    for line in sys.stdin:
        order = orjson.loads(line)
        process = os.fork()
        if process == 0:
            ingest(order)
        if order["kill_after"] is not None:
            time.sleep(order["kill_after"])
            # It was not waited for yet, so the number is still its own, even if it has ended.
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        say("ended", code=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
