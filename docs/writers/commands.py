"""The page of the command line: the help text of every command, as the program itself prints it."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from docs.writers.markdown import page, table

from hutong.cli import main
from hutong.errors import HutongError

WIDTH = 80


def write() -> str:
    """The page."""
    paths = list(_paths(main.program(), ()))
    contents = "\n".join(f"- [`hutong {' '.join(path)}`](#{_anchor(path)})" for path in paths)
    sections = [f"## hutong {' '.join(path)}\n\n```text\n{_help(path)}\n```" for path in paths]
    return page("Command line", "the Typer application in src/hutong/cli", _INTRODUCTION, _codes(), contents, *sections)


_INTRODUCTION = """
`--node DIR` names the node's folder; without it the environment variable `HUTONG_NODE` does. With `--json` a command
prints its result as JSON on standard output, and an error as `{"error": {"code", "what", "do"}}`. Progress bars go to
standard error, and only where a person looks. Bad input is one line that says what happened and what to do; nothing is
changed by it.
"""


def _codes() -> str:
    from docs.writers.errors import tree

    by_code: dict[int, list[str]] = {}
    for kind in tree(HutongError):
        by_code.setdefault(kind.exit_code, []).append(kind.__name__)
    by_code.pop(HutongError.exit_code)
    rows: list[tuple[int, str]] = [(0, "done"), (1, "a defect of the program, or a failed test of `rules test`")]
    rows += [(code, ", ".join(names) + (", wrong usage" if code == 2 else "")) for code, names in by_code.items()]
    rows.append((130, "stopped from outside (SIGHUP 129, SIGTERM 143)"))
    return "## Exit codes\n\n" + table(("Code", "Meaning"), rows)


def _paths(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    children = getattr(command, "commands", None)
    if not children:
        yield path
        return
    for name, child in children.items():
        yield from _paths(child, (*path, name))


def _help(path: tuple[str, ...]) -> str:
    """As a plain terminal shows it. Not by Typer's own runner, which builds the whole program for each command."""
    shown = io.StringIO()
    with patch.dict(os.environ, {"NO_COLOR": "1", "TERM": "dumb"}), contextlib.redirect_stdout(shown):
        code = main.program().main([*path, "--help"], prog_name="hutong", standalone_mode=False, terminal_width=WIDTH)
    if code:
        raise RuntimeError(f"hutong {' '.join(path)} --help ended with {code}")
    return "\n".join(line.rstrip() for line in shown.getvalue().strip().splitlines())


def _anchor(path: tuple[str, ...]) -> str:
    return re.sub(r"[^a-z0-9 -]", "", f"hutong {' '.join(path)}".lower()).replace(" ", "-")
