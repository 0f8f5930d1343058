"""``hutong``: the command line of a node.

Exit codes: 0 done; 2 bad input or usage; 3 not found; 4 refused or not signed in; 5 conflict; 6 limit exceeded;
7 unavailable (disk, database, another node, a missing package); 8 tampered; 129, 130, 143 stopped by SIGHUP,
Ctrl-C or SIGTERM; 1 a defect of the program.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, TextIO

import orjson
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from hutong import __version__
from hutong.cli import (
    acquisition,
    appeals,
    demo,
    governance,
    insight,
    keys,
    log,
    node,
    opening,
    passes,
    residents,
    rules,
    sharing,
)
from hutong.errors import HutongError, Refused, Unavailable

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""
GARBAGE_THRESHOLD = 50_000
"""New objects before garbage is looked for. Nearly all that a command makes are its modules, which stay: to look among
them after each 700, as Python does, takes a tenth of a short command's time."""

app = typer.Typer(
    name="hutong",
    help="Collect, open and share health data in a public-health emergency.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hutong {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Tell the version and end.")
    ] = False,
) -> None:
    pass


for part in (
    node,
    governance,
    acquisition,
    opening,
    sharing,
    insight,
    passes,
    residents,
    appeals,
    keys,
    rules,
    log,
    demo,
):
    part.add_to(app)


@cache
def program() -> TyperGroup:
    """The commands as they are called: built once in a process, of the signatures of a hundred functions."""
    return typer.main.get_group(app)


def main() -> None:
    """Run a command; every error is one line that says what happened and what to do."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        ended = program().main(prog_name="hutong", standalone_mode=False) or 0
        if ended == STOPPED:
            raise KeyboardInterrupt  # Typer has turned Ctrl-C into the exit code, and told nobody
        sys.exit(ended)
    except HutongError as error:
        because = f" ({error.because})" if isinstance(error, Unavailable) and error.because else ""
        policies = error.policies if isinstance(error, Refused) else ()
        _tell(error.what + because, error.do, error.code, policies)
        sys.exit(error.exit_code)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        usage = f"{context.command_path} --help" if context else "hutong --help"
        what = error.format_message().replace("Value error, ", "").rstrip(".")
        _tell(f"{what}.", f"See: {usage}", "usage")
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        _tell("Stopped.", "What was acknowledged before is kept.", "stopped")
        sys.exit(STOPPED)
    except BrokenPipeError:
        # The reader of our output has gone: nothing is wrong.
        _give_up(sys.stdout)
        sys.exit(0)
    except OSError as error:
        # A file or folder that can't be made, read or written: no permission, a read-only or a full disk.
        place = error.filename or "A file"
        _tell(
            f"{place} can't be used: {error.strerror or error}.", "Check its path, permissions and disk.", "unavailable"
        )
        sys.exit(Unavailable.exit_code)
    except Exception as error:  # noqa: BLE001 - the last door: a defect is told in one line, its trace goes to a file
        report = Path(tempfile.gettempdir()) / f"hutong-error-{os.getpid()}.txt"
        with contextlib.suppress(OSError):
            report.write_text(traceback.format_exc(), encoding="utf-8")
        _tell(f"A defect of the program: {type(error).__name__}: {error}.", f"Send {report} to its makers.", "defect")
        sys.exit(1)


def _tell(what: str, do: str, code: str, policies: Sequence[str] = ()) -> None:
    # What a library said (a YAML parser's excerpt) may have several lines; the answer has one.
    what = " ".join(what.split())
    told = f" [{', '.join(policies)}]" if policies else ""
    _write(sys.stderr, f"hutong: {what}{told} {do}\n")
    if "--json" in sys.argv and sys.argv[1:2] != ["demo"]:
        error = {"code": code, "what": what, "do": do, **({"policies": policies} if policies else {})}
        _write(sys.stdout, orjson.dumps({"error": error}).decode() + "\n")


def _write(stream: TextIO, text: str) -> None:
    """Tell of an error; where nothing can be told (a full disk, a reader that has gone) the exit code still tells."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Let what is still to be written go nowhere, so that it fails no second time when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
