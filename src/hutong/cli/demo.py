"""The command of the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hutong.cli.terminal import require_place
from hutong.errors import BadInput


def add_to(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where the three nodes are made.")] = Path("demo-data"),
    port: Annotated[
        int, typer.Option(min=1024, max=65000, help="The hub's port; the regions take the next two.")
    ] = 8000,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop after the last step instead of serving.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every count, id and timing to this file.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Your own list, under the name of a region: tw or pe, or one of your own.", metavar="REGION=FILE"
        ),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            help="Its mapping of cases, and once more for areas; else these are read off the cases.",
            metavar="REGION=FILE",
        ),
    ] = None,
) -> None:
    """Take the real line lists of two regions from collection to open, shared, recognised data, with three nodes."""
    from hutong.demo.run import run_demo

    # The demonstration makes its own folder; any other place must be there before the steps are run.
    inside = json_file is not None and json_file.absolute().parent == folder.absolute()
    require_place(None if inside else json_file, folder=folder)
    run_demo(
        folder=folder.absolute(),
        port=port,
        serve=not no_serve,
        json_file=json_file,
        files=dict(_pairs(source or [])),
        mappings=_by_region(_pairs(mapping or [])),
    )


def _by_region(pairs: list[tuple[str, Path]]) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for region, path in pairs:
        files.setdefault(region, []).append(path)
    return files


def _pairs(given: list[str]) -> list[tuple[str, Path]]:
    pairs = []
    for entry in given:
        region, equals, path = entry.partition("=")
        if not equals or not path:
            raise BadInput(
                f"{entry!r} is not REGION=FILE.", "Write for example --source a=cases.csv --mapping a=cases.yaml"
            )
        pairs.append((region, Path(path)))
    return pairs
