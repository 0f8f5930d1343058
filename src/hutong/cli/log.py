"""Commands about the transparency log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, progress, read_bytes, show

if TYPE_CHECKING:
    from hutong.node import Node

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
    from hutong.governance import queries
    from hutong.trust.log.checkpoint import open_checkpoint
    from hutong.trust.log.merkle import verify_consistency

    with opened(node) as opened_node:
        with progress("Recomputing the log", quiet=as_json, unit="entries") as tell:
            found = opened_node.log.check(tell, witnesses=queries.witness_keys(opened_node))
        grown_from = None
        if checkpoint is not None:
            message = read_bytes(checkpoint, "checkpoint", max_bytes=2**20)
            earlier = open_checkpoint(message, [opened_node.log.key], opened_node.log.key.name).checkpoint
            proof, _ = opened_node.log.prove_consistency(earlier.size)
            if earlier.size:
                verify_consistency(earlier.size, found.size, earlier.root, found.root, proof)
            grown_from = earlier.size
        witnesses, asked = _witnesses(opened_node)
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
    lines.append(f"Witnesses of this checkpoint: {', '.join(witnesses) or 'none yet'} ({len(witnesses)} of {asked})")
    show(as_json, result, *lines)


def _witnesses(node: Node) -> tuple[list[str], int]:
    """Who cosigned the newest checkpoint, and how many witnesses there are."""
    from hutong.governance import queries

    size, asked = node.log.size(), queries.witnesses(node)
    return [queries.cosigner_key(known.party).name for known in asked if known.size == size], len(asked)


@log.command("witness")
def ask_witnesses(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Have the witnesses cosign the newest checkpoint now; a served node asks them every minute by itself."""
    from hutong.governance import actions

    with opened(node) as opened_node:
        signed = actions.keep_witnesses(opened_node, by=opened_node.operator)
        witnesses, asked = _witnesses(opened_node)
        size = opened_node.log.size()
    lines = [f"{party} cosigned the log of {size:,} entries." for party in signed]
    lines.append(f"Witnesses of this checkpoint: {', '.join(witnesses) or 'none yet'} ({len(witnesses)} of {asked})")
    show(as_json, {"size": size, "signed_now": signed, "witnesses": witnesses, "asked": asked}, *lines)


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
