"""Commands about the node's pass keys, and about what is over."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hutong.cli.terminal import JsonOption, NodeOption, SecondOption, opened, show

if TYPE_CHECKING:
    from hutong.passes.trust_bundle.eu_queries import HeldKeys

keys = typer.Typer(name="keys", help="See, replace and end the keys that sign passes.", no_args_is_help=True)
ANNOUNCE = "Announce it: send the output of 'hutong trust describe' to whoever keeps the trust list."


def add_to(app: typer.Typer) -> None:
    app.add_typer(keys, name="keys")
    app.command("sunset")(sunset)


@keys.command("list")
def list_keys(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """The pass keys that are listed: in use, retired, compromised; and the imported keys of EU signers."""
    from hutong.passes.trust_bundle import eu_queries

    with opened(node) as opened_node:
        known, signers = opened_node.keys.pass_keys, eu_queries.held_keys(opened_node)
    show(
        as_json,
        {
            "keys": [
                {
                    "key_id": one.key_id,
                    "state": one.state,
                    "begins_at": one.begins_at.isoformat(),
                    "ends_at": one.ends_at.isoformat(),
                    "changed_at": one.changed_at.isoformat() if one.changed_at else None,
                }
                for one in known
            ],
            "eu_signers": asdict(signers) if signers else None,
        },
        *(f"{one.key_id}  {one.state:<11}  {one.begins_at:%Y-%m-%d} to {one.ends_at:%Y-%m-%d}" for one in known),
        *_signers_line(signers),
    )


def _signers_line(held: HeldKeys | None) -> list[str]:
    if held is None:
        return []
    until = f"{held.valid_until:%Y-%m-%d}"
    return [f"Keys of EU signers: {held.keys:,} of {len(held.by_country)} countries, until {until}"]


@keys.command("revocations")
def revocations(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Passes that were revoked, by whom and by which rule, and what was done to keys; the newest first."""
    from hutong.passes.issuance import key_queries
    from hutong.passes.trust_bundle import eu_queries
    from hutong.passes.trust_bundle import queries as bundle_queries

    with opened(node) as opened_node:
        found, acts = key_queries.revocations(opened_node), key_queries.key_acts(opened_node)
        load, of_the_eu = bundle_queries.bundle_load(opened_node), eu_queries.held_revocations(opened_node)
    bundle = asdict(load) | {"is_near": load.is_near}
    show(
        as_json,
        {
            "revocations": [asdict(one) for one in found],
            "acts": [asdict(act) for act in acts],
            "bundle": bundle,
            "eu_lists": asdict(of_the_eu) if of_the_eu else None,
        },
        *(
            f"{one.at:%Y-%m-%d %H:%M}  {one.pass_id or 'no longer known'}  {one.rule}  {one.by} + {one.second}"
            for one in found
        ),
        *(f"{act.at:%Y-%m-%d %H:%M}  key {act.key} {act.kind} by {act.by}" for act in acts),
        f"Trust bundle: {load.lists:,} of at most {load.most_lists:,} status lists, {load.size_bytes:,} of at most "
        f"{load.most_bytes:,} bytes."
        + (" Soon verifiers can't take it." if load.is_near and not load.left_out else ""),
        *(
            [
                f"Revocation lists of the EU as of {of_the_eu.as_of:%Y-%m-%d %H:%M}, for {of_the_eu.keys:,} keys, good "
                f"until {of_the_eu.good_until:%Y-%m-%d %H:%M} UTC."
            ]
            if of_the_eu
            else []
        ),
        *(f"Left out of it, so that its passes are unknown: {one.party}. {one.what} {one.do}" for one in load.left_out),
    )


@keys.command("rotate")
def rotate(
    which: Annotated[str, typer.Argument(help="Which key: passes.")] = "passes",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign passes with a new key from now on; passes of the old one verify until they end."""
    from hutong.errors import BadInput
    from hutong.passes.issuance import key_actions

    if which != "passes":
        raise BadInput(f"The key {which[:40]!r} can't be rotated.", "Rotate: passes. The signing key names the node.")
    with opened(node) as opened_node:
        new = key_actions.rotate_pass_key(opened_node, by=opened_node.operator)
    show(as_json, {"key_id": new, "announce": ANNOUNCE}, f"Passes are signed with the key {new} from now on.", ANNOUNCE)


@keys.command("compromise")
def compromise(
    key_id: Annotated[str, typer.Argument(help="Id of the key: see hutong keys list.")],
    second_token: SecondOption,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a key that somebody else may have, at once: every pass that it signed is refused."""
    from hutong.governance import queries as governance
    from hutong.passes.issuance import key_actions

    with opened(node) as opened_node:
        stopped = key_actions.end_pass_key(
            opened_node,
            by=opened_node.operator,
            second=governance.token_actor(opened_node, second_token),
            key_id=key_id,
        )
        in_use = opened_node.keys.pass_key_id
    show(
        as_json,
        {"compromised": key_id, "passes_stopped": stopped, "in_use": in_use, "announce": ANNOUNCE},
        f"The key {key_id} has ended; {stopped} passes were stopped. Passes are signed with {in_use}.",
        f"Issue them again with: hutong keys reissue {key_id} FILE",
        ANNOUNCE,
    )


def sunset(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be destroyed.")] = False,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy what emergencies that are over let this node know about persons, and show what ends when."""
    from hutong.passes.sunset import actions as sunset_actions
    from hutong.passes.sunset import queries as sunset_queries

    with opened(node) as opened_node:
        done = (
            sunset_actions.what_is_over(opened_node)
            if dry_run
            else sunset_actions.end_what_is_over(opened_node, by=opened_node.operator)
        )
        now = opened_node.clock()
        endings = sunset_queries.endings(opened_node)
    verb = "would be destroyed" if dry_run else "were destroyed"
    lines = [f"{one.emergency}: {one.total:,} rows {verb} ({one.because})" for one in done]
    lines += [f"    {table}: {rows:,}" for one in done for table, rows in one.counts.items()]
    lines += [
        f"{one.ends_at:%Y-%m-%d %H:%M}  {one.kind:<10} {one.id}{' (over)' if one.is_over(now) else ''}"
        for one in endings
    ]
    show(
        as_json,
        {
            "dry_run": dry_run,
            "destroyed": [one.document() for one in done],
            "endings": [
                {
                    "kind": str(one.kind),
                    "id": one.id,
                    "ends_at": one.ends_at.isoformat(),
                    "emergency": one.emergency or None,
                    "over": one.is_over(now),
                }
                for one in endings
            ],
        },
        *(lines or ["Nothing has an end here yet."]),
    )
