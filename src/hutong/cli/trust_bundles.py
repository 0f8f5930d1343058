"""Commands about trust bundles: a verifier's copy kept fresh over HTTP, and another party's taken over by a node."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from hutong.cli.governance import trust
from hutong.cli.terminal import JsonOption, NodeOption, opened, read_text, require_place, show
from hutong.errors import BadInput, HutongError

if TYPE_CHECKING:
    from hutong.passes.trust_bundle.poller import TrustPoller

BUNDLE_PATH = "/passes/trust-bundle"
MAX_KEY_BYTES = 2**16


@trust.command("poll")
def poll(
    url: Annotated[str, typer.Argument(help="Address of a node, or of its trust bundle.")],
    to: Annotated[Path, typer.Option(help="File for the bundle, as hutong pass verify --trust takes it.")],
    key: Annotated[
        Path | None,
        typer.Option(help="Public signing key of the node (JWK); needed once, before the file is there."),
    ] = None,
    every: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds between two polls.")] = 15,
    times: Annotated[int, typer.Option(min=1, max=100_000, help="How many polls, then it ends.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Keep a verifier's trust bundle fresh, without a node; no older edition is taken. Fails if the last poll did.

    What the file holds is fetched anew where it can't be used: of an older version, or signed with another key.
    """
    require_place(to)
    poller = _poller(url, to, key)
    left_aside = poller.left_aside.what if poller.left_aside else ""
    if left_aside and not as_json:
        typer.echo(f"What {to} holds can't be used, and is fetched anew: {left_aside}", err=True)
    new, problem = 0, None
    for number in range(times):
        if number:
            time.sleep(every)
        try:
            if poller.poll():
                _write(to, poller)
                new += 1
            problem = None
        except HutongError as error:
            problem = error
        if not as_json and times > 1:
            typer.echo(_state(poller, problem))
    if problem is not None:
        raise problem
    assert poller.snapshot is not None
    told = {"polls": times, "new": new, "number": poller.snapshot.number, "issuer": poller.snapshot.issuer}
    issued_at = poller.snapshot.issued_at.isoformat()
    told |= {"issued_at": issued_at, "file": str(to), "left_aside": left_aside}
    show(as_json, told, _state(poller, None), f"Kept in {to}.")


def _poller(url: str, to: Path, key: Path | None) -> TrustPoller:
    """With the edition that the file holds, so that a restart takes no older one."""
    from hutong.passes.trust_bundle.poller import TrustPoller
    from hutong.passes.trust_bundle.trust_bundle import read_object

    held: Any = read_object(to, "trust bundle") if to.exists() else {}
    if key is not None:
        jwk = read_object(read_text(key, "key", max_bytes=MAX_KEY_BYTES), "key")
    elif isinstance(held.get("key"), dict):
        jwk = held["key"]
    else:
        raise BadInput("The key of the bundle's signer is not known.", "Give --key: its public signing key as a JWK.")
    address = url.rstrip("/")
    return TrustPoller(
        address if address.endswith(BUNDLE_PATH) else address + BUNDLE_PATH,
        {str(name): str(value) for name, value in jwk.items()},
        held=str(held.get("signed", "")),
        whole=True,
    )


def _write(to: Path, poller: TrustPoller) -> None:
    # A verifier that reads meanwhile gets the older edition or the newer one, never a part of either.
    beside = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        beside.write_bytes(orjson.dumps({"signed": poller.signed, "key": dict(poller.key)}))
        beside.replace(to)
    finally:
        beside.unlink(missing_ok=True)


def _state(poller: TrustPoller, problem: HutongError | None) -> str:
    held = poller.snapshot
    edition = (
        f"edition {held.number} of {held.issuer}, issued {held.issued_at:%Y-%m-%d %H:%M:%S} UTC" if held else "none"
    )
    return f"{edition}; the poll failed: {problem.what}" if problem else edition


@trust.command("adopt")
def adopt(
    party: Annotated[str, typer.Argument(help="Id of a party in the trust list.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch what a listed party says of its levels, keys and revocations, and take it over."""
    from hutong.passes.trust_bundle import actions as bundle_actions

    with opened(node) as opened_node:
        found = bundle_actions.fetch_party_bundle(opened_node, by=opened_node.operator, party_id=party)
    issuer = found.issuers.get(party)
    walks = [f"{one.rulebook} {one.major}.x" for one in issuer.crosswalks] if issuer else []
    show(
        as_json,
        {"party": party, "number": found.number, "crosswalks": walks},
        f"Took over edition {found.number} of {party}: {', '.join(walks) or 'no crosswalk'}.",
    )


@trust.command("recognition")
def recognition(
    scene: Annotated[str, typer.Option(help="Where the pass is shown.")] = "transport",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who in the trust list recognises whose levels at a scene, as far as this node knows their rules."""
    from hutong.passes.recognition import matrix_queries
    from hutong.passes.recognition.recognition import Scene

    if scene not in tuple(Scene):
        raise BadInput(f"There is no scene {scene[:40]!r}.", f"Use one of: {', '.join(Scene)}.")
    with opened(node) as opened_node:
        found = matrix_queries.matrix(opened_node, Scene(scene))
    cells = [
        {"issuer": one.issuer, "verifier": one.verifier, "rulebook": one.rulebook, "reason": one.reason}
        | {"answers": {level: str(answer) for level, answer in one.answers.items()}}
        for one in found.cells
    ]
    lines = (
        f"{one.issuer} shown to {one.verifier}: "
        + (", ".join(f"{level} {answer}" for level, answer in one.answers.items()) or f"unknown ({one.reason})")
        for one in found.cells
    )
    show(as_json, {"scene": scene, "at": found.at, "parties": list(found.parties), "cells": cells}, *lines)
