"""Commands of acquisition: declare a source, set a boundary, acquire a file, assess its quality."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, read_text, show
from hutong.errors import Unavailable

if TYPE_CHECKING:
    from hutong.node import Node

source = typer.Typer(help="Declared feeds.", no_args_is_help=True)
boundary = typer.Typer(help="What may be collected.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.command()(acquire)
    app.command()(quality)
    app.command("receipts")(show_receipts)
    app.add_typer(source, name="source")
    app.add_typer(boundary, name="boundary")


@source.command("declare")
def declare(
    file: Annotated[
        Path, typer.Argument(help="YAML file: id, title, provider, territory, licence, homepage, citation.")
    ],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare a feed from its file."""
    from hutong.acquisition import actions
    from hutong.acquisition.source import parse_source

    declared = parse_source(_yaml(file, "source"))
    with opened(node) as opened_node:
        actions.declare_source(opened_node, by=opened_node.operator, source=declared)
    show(as_json, declared.document(), f"Declared source {declared.id}.")


@boundary.command("set")
def set_boundary(
    file: Annotated[Path, typer.Argument(help="YAML file: id, emergency, purpose, tables with elements, valid_until.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a collection boundary from its file."""
    from hutong.acquisition import actions, queries
    from hutong.errors import BadInput

    document = _yaml(file, "boundary")
    try:
        wanted = queries.read_boundary(document)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInput(f"The boundary lacks or misstates {error}.", "See docs/how-to/set-a-boundary.md.") from error
    with opened(node) as opened_node:
        actions.set_boundary(opened_node, by=opened_node.operator, boundary=wanted)
    show(as_json, queries.boundary_document(wanted), f"Set boundary {wanted.id} until {wanted.valid_until}.")


def acquire(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file.")],
    source_id: Annotated[str, typer.Option("--source", help="Id of the declared source.")],
    mapping: Annotated[Path, typer.Option("--mapping", help="YAML mapping to the data standard.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in one file: every row accepted, held or rejected, with a receipt."""
    from hutong.acquisition import actions, queries

    with opened(node) as opened_node, progress(f"Acquiring {file.name}", quiet=as_json) as tell:
        receipt = actions.acquire(
            opened_node,
            by=opened_node.operator,
            source_id=source_id,
            path=file,
            mapping=read_text(mapping, "mapping"),
            progress=tell,
        )
        waiting = _move_inbox(opened_node)
        reasons = queries.receipt_reasons(opened_node, receipt.id)
    lines = [f"Receipt {receipt.id}: {receipt.sentence()} · {receipt.seconds:.1f} s"]
    lines += [f"  {outcome} {rows:,} by {rule}: e.g. {reason}" for outcome, rule, reason, rows in reasons]
    lines += [f"  noticed {finding.rule} in {finding.subject}: {finding.rows:,} rows" for finding in receipt.findings]
    lines += [f"  outside the boundary: {name} ({n:,} values)" for name, n in receipt.refused_values.items()]
    lines += [waiting] if waiting else []
    show(as_json, receipt.document(), *lines)


def _move_inbox(node: Node) -> str:
    """Move what was acknowledged to the lake. If that fails the receipt holds all the same; says so."""
    try:
        node.move_inbox()
    except Unavailable as error:
        return f"The accepted rows wait in the inbox and move later: {error.what}"
    return ""


def quality(
    source_id: Annotated[str, typer.Option("--source", help="Id of the declared source.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Assess the quality of what was accepted from a source."""
    from hutong.acquisition import actions

    with opened(node) as opened_node:
        report = actions.assess_quality(opened_node, by=opened_node.operator, source_id=source_id)
    shape = {"good": "●", "fair": "▲", "poor": "■"}.get(report.label, "?")
    lines = [f"{shape} {report.label} ({report.score:.2f}) over {report.rows:,} rows"]
    for dimension in report.dimensions:
        score = "not assessed" if dimension.score is None else f"{dimension.score:.3f}"
        lines.append(f"  {dimension.dimension:13} {score}")
        lines += [
            f"      {result.concerned:>9,} of {result.checked:,} {result.unit}: {result.title['en']} [{result.id}]"
            for result in report.results
            if result.dimension == dimension.dimension and result.concerned
        ]
    show(as_json, report.document(), *lines)


def show_receipts(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """The receipts of this node, the newest first."""
    from hutong.acquisition import queries

    with opened(node) as opened_node:
        found = queries.receipts(opened_node)
    show(
        as_json,
        [receipt.document() for receipt in found],
        *(f"{r.id}  {r.received_at:%Y-%m-%d %H:%M}  {r.source}/{r.table}: {r.sentence()}" for r in found),
    )


class progress:  # noqa: N801 - used as a statement
    """A progress bar of rows on the terminal's error stream; nothing where nobody looks."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        self._label = label
        self._quiet = quiet or not sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Any:
        if self._quiet:
            return None
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.completed:,.0f} rows"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._label, total=None)
        return lambda rows: self._bar.update(self._task, completed=rows)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _yaml(file: Path, what: str) -> dict[str, Any]:
    import yaml

    from hutong.errors import BadInput

    try:
        document = yaml.safe_load(read_text(file, what))
    except yaml.YAMLError as error:
        raise BadInput(f"{file} is no YAML: {error}.", "Correct the file.") from error
    if not isinstance(document, dict):
        raise BadInput(f"{file} holds no {what}.", "Give a mapping of names to values.")
    return document
