"""Commands of acquisition: declare a source, set a boundary, acquire a file, decide about held rows, assess quality."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, progress, read_text, read_yaml, show
from hutong.errors import Unavailable

if TYPE_CHECKING:
    from hutong.acquisition.held import HeldDecision, Outcome
    from hutong.node import Node

source = typer.Typer(help="Declared feeds.", no_args_is_help=True)
boundary = typer.Typer(help="What may be collected.", no_args_is_help=True)
held = typer.Typer(help="Rows that wait for a person's decision.", no_args_is_help=True)

MOST_LINES = 20

ReceiptArgument = Annotated[str, typer.Argument(metavar="RECEIPT", help="Id of the receipt.")]
RuleOption = Annotated[str, typer.Option("--rule", help="The rule that held the rows.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; name no person.")]
RowsOption = Annotated[str, typer.Option("--rows", help="Only these rows, such as 5,7,10-12; else all that wait.")]


def add_to(app: typer.Typer) -> None:
    app.command()(acquire)
    app.command()(quality)
    app.command("receipts")(show_receipts)
    app.add_typer(source, name="source")
    app.add_typer(boundary, name="boundary")
    app.add_typer(held, name="held")


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

    declared = parse_source(read_yaml(file, "source"))
    with opened(node) as opened_node:
        is_new = actions.declare_source(opened_node, by=opened_node.operator, source=declared)
    said = f"Declared source {declared.id}."
    if not is_new:
        said = f"Source {declared.id} stands as it was declared before; nothing was changed."
    show(as_json, declared.document(), said)


@boundary.command("set")
def set_boundary(
    file: Annotated[Path, typer.Argument(help="YAML file: id, emergency, purpose, tables with elements, valid_until.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a collection boundary from its file."""
    from hutong.acquisition import actions, queries
    from hutong.errors import BadInput

    document = read_yaml(file, "boundary")
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it, and save nothing.")] = False,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in one file: every row accepted, held or rejected, with a receipt."""
    from hutong.acquisition import actions, queries

    given: dict[str, Any] = {"source_id": source_id, "path": file, "mapping": read_text(mapping, "mapping")}
    with opened(node) as opened_node, progress(f"Acquiring {file.name}", quiet=as_json, unit="rows") as tell:
        waiting, by = "", opened_node.operator
        if dry_run:
            receipt, reasons = actions.rehearse(opened_node, by=by, progress=tell, **given)
        else:
            receipt = actions.acquire(opened_node, by=by, progress=tell, **given)
            waiting = _move_inbox(opened_node)
            reasons = queries.reasons(opened_node, [receipt.id])
    name = "Nothing was saved" if dry_run else f"Receipt {receipt.id}"
    lines = [f"{name}: {receipt.sentence()} · {receipt.seconds:.1f} s"]
    lines += [f"  {one.outcome} {one.rows:,} by {one.rule}: e.g. {one.example}" for one in reasons]
    lines += _first(f"  noticed {found.rule} in {found.subject}: {found.rows:,} rows" for found in receipt.findings)
    lines += _first(f"  outside the boundary: {name} ({n:,} values)" for name, n in receipt.refused_values.items())
    lines += [waiting] if waiting else []
    document = receipt.document()
    if dry_run:
        document["reasons"] = [reason._asdict() for reason in reasons]
    show(as_json, document, *lines)


def _first(lines: Iterable[str]) -> list[str]:
    """As many as fit on a screen; ``--json`` has all."""
    told = list(lines)
    return [
        *told[:MOST_LINES],
        *([f"  … and {len(told) - MOST_LINES} more; --json has all"] if told[MOST_LINES:] else []),
    ]


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
            f"      {result.found}: {result.title['en']} [{result.id}]"
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


@held.command("list")
def list_held(
    receipt: Annotated[str, typer.Argument(metavar="[RECEIPT]", help="Id of a receipt; else all that wait.")] = "",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How held rows stand, by receipt and rule, and what was decided about those of one receipt."""
    from dataclasses import asdict

    from hutong.acquisition import held_queries, queries

    with opened(node) as opened_node:
        known = queries.receipt(opened_node, receipt) if receipt else None
        rules = held_queries.held_rules(opened_node, known.id) if known else held_queries.waiting_rules(opened_node)
        decided = held_queries.decisions(opened_node, known.id) if known else []
    document = {"rules": [asdict(rule) for rule in rules], "decisions": [made.document() for made in decided]}
    lines = [
        f"{rule.receipt}  {rule.rule}: {rule.waiting:,} waiting, {rule.released:,} released, "
        f"{rule.discarded:,} discarded; e.g. {rule.reason}"
        for rule in rules
    ]
    lines += [
        f"  {made.decided_at:%Y-%m-%d %H:%M}  {made.rows:,} {made.outcome} by {made.by} ({made.rule}): {made.reason}"
        for made in decided
    ]
    show(as_json, document, *(lines or ["No row is held."]))


@held.command("release")
def release_held(
    receipt: ReceiptArgument,
    rule: RuleOption,
    reason: ReasonOption,
    rows: RowsOption = "",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release held rows: they become facts like those that were accepted at once."""
    with opened(node) as opened_node:
        made = _decide(opened_node, receipt, rule=rule, outcome="released", reason=reason, rows=rows)
        waiting = _move_inbox(opened_node)
    show(as_json, made.document(), _decided(made), *([waiting] if waiting else []))


@held.command("discard")
def discard_held(
    receipt: ReceiptArgument,
    rule: RuleOption,
    reason: ReasonOption,
    rows: RowsOption = "",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn held rows down for good: what they hold is destroyed."""
    with opened(node) as opened_node:
        made = _decide(opened_node, receipt, rule=rule, outcome="discarded", reason=reason, rows=rows)
    show(as_json, made.document(), _decided(made))


def _decide(node: Node, receipt: str, *, rule: str, outcome: Outcome, reason: str, rows: str) -> HeldDecision:
    from hutong.acquisition.held import parse_rows
    from hutong.acquisition.held_actions import decide_held

    return decide_held(
        node, by=node.operator, receipt_id=receipt, rule=rule, outcome=outcome, reason=reason, rows=parse_rows(rows)
    )


def _decided(made: HeldDecision) -> str:
    again = " (decided before; nothing was changed)" if made.repeated else ""
    verb = "row was" if made.rows == 1 else "rows were"
    return f"{made.rows:,} {verb} {made.outcome}, held by {made.rule}{again}."
