"""Runs the code blocks of a page, in order, in one folder, as a reader would.

- a block with ``title=NAME`` is a file: it is written;
- ``console`` blocks are typed: lines after ``$`` run in bash, the lines below a command must occur in its output, in
  this order (``…`` stands for anything, a line ``…`` for any lines); a command must succeed unless ``echo $?``
  follows it;
- ``python`` blocks run with the tests' Python; a ``text`` block right after one is its output.

Exported variables last from command to command. What runs on at the end of a page is stopped. Ports of the form 83xx
are replaced by free ones, and days of 2031 are moved so that 2031-03-01 is today, as the pages ask their readers to do.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

SECONDS_PER_COMMAND = 120
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_TODAY_IN_PAGES = date(2031, 3, 1)
_DAY = re.compile(r"\b2031-\d\d-\d\d(?=\b|T)")
_PORT = re.compile(r"\b83\d\d\b")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: language, the file it is, its text and the line on which it begins."""

    language: str
    title: str
    text: str
    line: int


@dataclass(slots=True)
class Reader:
    """Somebody who types a page's blocks in ``folder``."""

    folder: Path
    programs: Path = Path(sys.executable).parent
    """Where the shell finds ``hutong``, before it looks beside the tests' Python."""
    commands: int = 0
    files: int = 0
    _ports: dict[str, str] = field(default_factory=dict)
    _groups: list[int] = field(default_factory=list)

    def read(self, page: Path) -> None:
        """Do what the page says; AssertionError with the place where it is not as the page says."""
        found = list(blocks(page.read_text("utf-8")))
        try:
            for block, after in pairwise([*found, Block("", "", "", 0)]):
                where = f"{page.name}:{block.line}"
                if block.title:
                    self._write(block)
                elif block.language == "console":
                    for command, expected, may_fail in commands(block.text):
                        self._type(where, command, expected, may_fail=may_fail)
                elif block.language == "python":
                    script = self.folder / ".block.py"
                    script.write_text(self._adapted(block.text), "utf-8")
                    expected = after.text.splitlines() if after.language == "text" else []
                    self._type(where, f'"{sys.executable}" .block.py', expected, may_fail=False)
        finally:
            for group in self._groups:
                stop(group)

    def _write(self, block: Block) -> None:
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._adapted(block.text), "utf-8")
        self.files += 1

    def _type(self, where: str, command: str, expected: list[str], *, may_fail: bool) -> None:
        state = self.folder / ".state"
        shell = (
            f'[ -f "{state}" ] && . "{state}"; (exit "${{LAST_CODE:-0}}")\n{self._adapted(command)}\n'
            f'LAST_CODE=$?; {{ declare -px; echo "LAST_CODE=$LAST_CODE"; }} >"{state}"; exit "$LAST_CODE"'
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUTONG_")}
        environment["PATH"] = f"{self.programs}:{Path(sys.executable).parent}:{environment['PATH']}"
        shown = self.folder / ".shown"
        with shown.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", shell],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._groups.append(process.pid)
            code = process.wait(timeout=SECONDS_PER_COMMAND)
        text = shown.read_text("utf-8", errors="replace")
        assert code == 0 or may_fail, f"{where}: `{command}` ended with {code}:\n{text}"
        missing = first_missing([self._adapted(line) for line in expected], text)
        assert missing is None, f"{where}: `{command}` does not show {missing!r}, but:\n{text}"
        self.commands += 1

    def _adapted(self, text: str) -> str:
        text = _DAY.sub(
            lambda found: str(datetime.now(UTC).date() + (date.fromisoformat(found[0]) - _TODAY_IN_PAGES)), text
        )
        return _PORT.sub(lambda found: self._ports.setdefault(found[0], free_port()), text)


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for found in _FENCE.finditer(page):
        words = found["info"].split()
        title = next((word.removeprefix("title=") for word in words if word.startswith("title=")), "")
        line = page.count("\n", 0, found.start()) + 1
        yield Block(words[0] if words else "", title, found["text"], line)


def commands(text: str) -> Iterator[tuple[str, list[str], bool]]:
    """Commands of a console block, each with the output that is shown below it, and whether it may fail."""
    typed: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            typed.append(([line[2:]], []))
        elif typed and typed[-1][0][-1].endswith("\\"):
            typed[-1][0].append(line)
        elif typed:
            typed[-1][1].append(line)
    for number, (lines, expected) in enumerate(typed):
        following = typed[number + 1][0][0] if number + 1 < len(typed) else ""
        yield "\n".join(lines), expected, following == "echo $?"


def first_missing(expected: list[str], output: str) -> str | None:
    """The first expected line that does not occur in the output after the one before it."""
    lines = iter(output.splitlines())
    for wanted in expected:
        if wanted.strip() in ("", "…"):
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.strip().split("…")))
        if not any(pattern.fullmatch(line.strip()) for line in lines):
            return wanted
    return None


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def stop(group: int) -> None:
    """End what a command left running."""
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return
