"""What every command shares: the node it works on, JSON or plain output, and the options' spelling."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from hutong.errors import BadInput, LimitExceeded, NotFound, Unavailable
from hutong.standard.yaml_text import text_of

if TYPE_CHECKING:
    from hutong.node import Node

NodeOption = Annotated[
    Path | None,
    typer.Option("--node", envvar="HUTONG_NODE", help="Folder of the node.", show_default=False, show_envvar=True),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
SecondOption = Annotated[
    str,
    typer.Option(
        "--second-token",
        envvar="HUTONG_SECOND_TOKEN",
        help="API token of the second person, who agrees.",
        show_default=False,
        show_envvar=True,
    ),
]


@contextmanager
def opened(folder: Path | None) -> Iterator[Node]:
    """The node in a folder, closed afterwards."""
    from hutong.node import open_node

    node = open_node(folder)
    try:
        yield node
    finally:
        node.close()


def show(as_json: bool, result: Any, *lines: str) -> None:
    """Print the result: JSON for programs, lines for people."""
    if as_json:
        sys.stdout.write(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
        return
    for line in lines:
        typer.echo(line)


Tell = Callable[[int, int], None]
"""What a bar is told: how many are done, and how many there are."""


@contextmanager
def progress(label: str, *, quiet: bool, unit: str = "") -> Iterator[Tell]:
    """A bar on the terminal's error stream while something takes long; nothing where nobody looks.

    Without a unit nothing can be counted: it shows that work goes on, and for how long.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    counted = (BarColumn(), MofNCompleteColumn(), TextColumn(unit)) if unit else ()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *counted, TimeElapsedColumn())
    # What is printed meanwhile goes where it was meant to, and not to the bar's stream.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def require_place(*paths: Path | None, folder: Path | None = None) -> None:
    """Refuse paths where no file (or no folder) can be written, before anything is done whose result would be lost."""
    for path in (one for one in paths if one is not None):
        if path.is_dir():
            raise BadInput(f"{path} is a folder.", "Give the path of a file.")
        if not path.absolute().parent.is_dir():
            raise NotFound(f"There is no folder {path.absolute().parent}.", "Make it, or give another path.")
        if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
            raise Unavailable(f"{path} can't be written.", "Check the permissions of its folder.")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file.", "Give the path of a folder.")


def read_text(path: Path, what: str, *, max_bytes: int = 2**20) -> str:
    """A small text file given on the command line. BadInput when it is not UTF-8."""
    return text_of(read_bytes(path, what, max_bytes=max_bytes), str(path))


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """What a YAML file given on the command line says by name. BadInput names the file, and the line where it ends."""
    import yaml

    from hutong.standard.yaml_text import at_line, load_yaml

    try:
        document = load_yaml(read_text(path, what), str(path))
    except yaml.YAMLError as error:
        raise BadInput(f"{path} is not YAML{at_line(error)}.", "Correct its indentation and quotes.") from error
    if not isinstance(document, dict):
        raise BadInput(f"{path} holds no {what}.", "Give a mapping of names to values.")
    return document


def read_bytes(path: Path, what: str, *, max_bytes: int) -> bytes:
    """A file given on the command line, if it is not larger than allowed."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise NotFound(f"There is no {what} file at {path}.", "Check the path.") from error
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a folder.", "Give the path of a file.") from error
    except OSError as error:
        raise Unavailable(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error
    if len(content) > max_bytes:
        raise LimitExceeded(f"{path} is larger than {max_bytes:,} bytes.", f"Give a smaller {what}.")
    return content
