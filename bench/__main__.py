"""``python -m bench [--only PART] [--json FILE]``: measure, and print each figure beside its reference.

It ends with 1 when a figure is not what was wanted of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import demo, ingest, level_update, levels, log, passes, search, verification
from bench.figure import Figure, load, machine
from bench.wanted import missed, wanted_text

REFERENCES = {
    "issue: signed and encoded": "OpenSSL ES256 sign alone",
    "issue with QR picture (PNG)": "QR picture of the same text by segno alone",
    "read: decoded, signature checked": "OpenSSL ES256 verify alone",
    "status list of 10 M at 1 %": "16-byte hashes of the EU DCC",
}


def of_passes(_folder: Path) -> Iterator[Figure]:
    """The pure functions of passes, beside OpenSSL in the same run."""
    for job, value, unit, ratio in passes.run():
        beside = value / ratio if ratio else None
        yield Figure("passes", job, value, unit, REFERENCES.get(job, "in the same run") if ratio else "", beside)


PARTS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "ingest": ingest.run,
    "log": log.run,
    "search": search.run,
    "passes": of_passes,
    "verification": verification.run,
    "levels": levels.run,
    "level update": level_update.run,
    "demo": demo.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="measure this part only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    given = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console.width = 180  # a file has no edge
    found: list[Figure] = []
    on = machine()
    for name in given.only or PARTS:
        with tempfile.TemporaryDirectory(prefix="hutong-bench-") as folder, console.status(f"measuring {name} …"):
            found += PARTS[name](Path(folder))
    console.print(table_of(found))
    console.print("ratio: the figure over its reference; of a time, less than 1 is faster", style="dim")
    on |= {"load_after": load()}
    console.print(", ".join(f"{name} {value}" for name, value in on.items()), highlight=False)
    below = missed(found)
    if given.json:
        documents = [figure.document() | {"wanted": wanted_text(figure), "missed": figure in below} for figure in found]
        given.json.write_text(json.dumps({"machine": on, "figures": documents}, indent=2) + "\n")
    if below:
        console.print(f"\nMissed: {len(below)} of what was wanted", style="bold")
        for figure in below:
            reached = f"{_number(figure.value)} {figure.unit}" + (f", {figure.ratio:,.2f}×" if figure.ratio else "")
            console.print(f"  {figure.part}: {figure.job.strip()}: {reached}, wanted {wanted_text(figure)}")
        console.print("On a machine that does other work, too, measure again when it is idle.", style="dim")
        sys.exit(1)


def table_of(figures: list[Figure]) -> Table:
    """The figures as a table."""
    table = Table(box=None, pad_edge=False)
    for column in ("part", "job"):
        table.add_column(column)
    for column in ("figure", "reference"):
        table.add_column(column, justify="right")
    table.add_column("what the reference is")
    table.add_column("ratio", justify="right")
    table.add_column("wanted")
    for figure in figures:
        table.add_row(
            figure.part,
            figure.job,
            f"{_number(figure.value)} {figure.unit}",
            f"{_number(figure.reference_value)} {figure.unit}" if figure.reference_value else "",
            figure.reference,
            f"{figure.ratio:,.2f}×" if figure.ratio else "",
            wanted_text(figure),
        )
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


if __name__ == "__main__":
    main()
