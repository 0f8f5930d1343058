"""Commands about the transparency log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, read_bytes, show

log = typer.Typer(help="Check the log, and prove single entries.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(log, name="log")


@log.command("check")
def check(
    checkpoint: Annotated[
        Path | None, typer.Option(help="An earlier checkpoint of this log: check that the log only grew since.")
    ] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute the whole log and compare it with its signed checkpoint."""
    from hutong.trust.log.checkpoint import open_checkpoint
    from hutong.trust.log.merkle import verify_consistency

    with opened(node) as opened_node:
        found = opened_node.log.check()
        grown_from = None
        if checkpoint is not None:
            message = read_bytes(checkpoint, "checkpoint", max_bytes=2**20)
            earlier = open_checkpoint(message, [opened_node.log.key], opened_node.log.key.name).checkpoint
            proof, _ = opened_node.log.prove_consistency(earlier.size)
            if earlier.size:
                verify_consistency(earlier.size, found.size, earlier.root, found.root, proof)
            grown_from = earlier.size
        witnesses = sorted(
            line.split()[1] for line in opened_node.log.checkpoint().decode().splitlines() if "/witness " in line
        )
        key = str(opened_node.log.key)
    result = {
        "size": found.size,
        "root": found.root.hex(),
        "key": key,
        "witnesses": witnesses,
        "consistent_with_size": grown_from,
    }
    lines = [f"The log holds {found.size:,} entries; every one is as it was signed. Root {found.root.hex()}"]
    if grown_from is not None:
        lines.append(f"It continues the log of {grown_from:,} entries.")
    lines.append(f"Witnesses of this checkpoint: {', '.join(witnesses) or 'none yet'}")
    show(as_json, result, *lines)


@log.command("prove")
def prove(index: int, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Prove that one entry is in the log, and check the proof."""
    with opened(node) as opened_node:
        proof = opened_node.log.prove(index)
        proof.verify(opened_node.log.key)
        key = str(opened_node.log.key)
    document = proof.document()
    event = document["entry"]
    show(
        as_json,
        {**document, "verifier_key": key},
        f"Entry {index}: {event['kind']} by {event['by']} at {event['at']}",
        f"is in the log of {proof.size:,} entries ({len(proof.hashes)} hashes lead to the signed root).",
    )


@log.command("show")
def show_entries(
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    kind: Annotated[str | None, typer.Option(help="Only entries of this kind.")] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest entries."""
    with opened(node) as opened_node:
        entries = opened_node.log.entries(kind=kind, limit=limit)
    show(
        as_json,
        [{"index": entry.index, **entry.event} for entry in entries],
        *(f"{e.index:6}  {e.event['at'][:19]}  {e.event['by']:12} {e.event['kind']}" for e in entries),
    )
