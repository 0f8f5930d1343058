"""Commands about emergencies, accounts and the trust list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, read_text, read_yaml, require_place, show
from hutong.errors import BadInput

emergency = typer.Typer(help="Declare and end emergencies.", no_args_is_help=True)
account = typer.Typer(help="Local accounts and API tokens.", no_args_is_help=True)
trust = typer.Typer(help="The trust list: parties and their keys.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(emergency, name="emergency")
    app.add_typer(account, name="account")
    app.add_typer(trust, name="trust")


@emergency.command("declare")
def declare(
    file: Annotated[Path, typer.Argument(help="YAML file: id, title, cause, legal_basis, territory, dates.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare an emergency from its file."""
    from hutong.governance import actions
    from hutong.governance.emergency import parse_emergency

    declared = parse_emergency(read_yaml(file, "emergency"))
    with opened(node) as opened_node:
        actions.declare_emergency(opened_node, by=opened_node.operator, emergency_=declared)
    show(as_json, declared.document(), f"Declared {declared.id}: review {declared.review}, sunset {declared.sunset}.")


@emergency.command("end")
def end(emergency_id: str, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """End an emergency now: every power that hangs on it ends with it."""
    from hutong.governance import actions

    with opened(node) as opened_node:
        actions.end_emergency(opened_node, by=opened_node.operator, emergency_id=emergency_id)
    show(as_json, {"ended": emergency_id}, f"Ended {emergency_id}.")


@account.command("create")
def create_account(
    name: str,
    role: Annotated[
        list[str], typer.Option("--role", help="steward, authority, partner, verifier, resident, auditor.")
    ],
    display_name: Annotated[str, typer.Option(help="Name shown on pages.")] = "",
    password: Annotated[
        str, typer.Option(help="Left out: asked for, which keeps it out of the shell's history.", show_default=False)
    ] = "",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a local account; the password is asked for."""
    from hutong.governance import actions

    with opened(node) as opened_node:
        created = actions.create_account(
            opened_node,
            by=opened_node.operator,
            name=name,
            display_name=display_name or name,
            roles=frozenset(role),
            password=password or _asked_password(),
        )
    result = {"name": created.name, "roles": sorted(created.roles), "expires_at": created.expires_at.isoformat()}
    show(as_json, result, f"Created {name} ({', '.join(sorted(created.roles))}) until {created.expires_at:%Y-%m-%d}.")


def _asked_password() -> str:
    if not sys.stdin.isatty():
        raise BadInput("No password was given.", "Give --password, or run this in a terminal, which asks for it.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


@account.command("token")
def create_token(
    name: str,
    label: Annotated[str, typer.Option(help="What the token is for.")] = "command line",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create an API token for an account; it is shown once."""
    from hutong.governance import actions

    with opened(node) as opened_node:
        secret = actions.create_token(opened_node, by=opened_node.operator, account_name=name, label=label)
    show(as_json, {"token": secret}, secret)


@account.command("tokens")
def list_tokens(name: str, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """The API tokens of an account, without their secrets."""
    from hutong.governance import queries

    with opened(node) as opened_node:
        found, now = queries.tokens(opened_node, name), opened_node.clock()
    show(
        as_json,
        [{"id": one.id, "label": one.label, "expires_at": one.expires_at, "state": one.state(now)} for one in found],
        *(f"{one.id}  {one.state(now):8} until {one.expires_at:%Y-%m-%d}  {one.label}" for one in found),
    )


@account.command("end-token")
def end_token(name: str, token: str, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """End an API token of an account now, by its id in the list of tokens."""
    from hutong.governance import actions

    with opened(node) as opened_node:
        actions.end_listed_token(opened_node, by=opened_node.operator, account_name=name, token=token)
    show(as_json, {"ended": token}, f"Ended {token}.")


@trust.command("show")
def show_list(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """The parties of the newest trust list."""
    from hutong.governance import queries
    from hutong.trust.trust_list import party_document

    with opened(node) as opened_node:
        edition = queries.trust_list(opened_node)
    parties = [party_document(party) for party in edition.parties]
    lines = [
        f"{party.id:12} {party.kind:10} {party.url:40} until {party.valid_until:%Y-%m-%d}" for party in edition.parties
    ]
    show(
        as_json,
        {"number": edition.number, "issuer": edition.issuer, "parties": parties},
        f"Edition {edition.number} by {edition.issuer}, next update {edition.next_update:%Y-%m-%d}",
        *lines,
    )


@trust.command("export")
def export_list(file: Path, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Write what a verifier and another node need: this node's trust bundle with its key, and its newest trust list.

    `hutong pass verify --trust` takes the file, and so does `hutong trust import`.
    """
    import orjson

    from hutong.errors import NotFound
    from hutong.governance import queries
    from hutong.passes.trust_bundle.queries import bundle_file

    require_place(file)
    with opened(node) as opened_node:
        content = bundle_file(opened_node)
        try:
            content["trust_list"] = queries.signed_trust_list(opened_node)
        except NotFound:
            content["trust_list"] = None
    file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    has_list = content["trust_list"] is not None
    show(as_json, {"file": str(file), "trust_list": has_list}, f"Wrote {file}{'' if has_list else ' (no trust list)'}.")


@trust.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="What hutong trust export wrote, or the signed list itself.")],
    issuer_key: Annotated[Path, typer.Option(help="JSON file with the public key (JWK) of the list's issuer.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Adopt a trust list that the given key signed."""
    from hutong.governance import actions

    key = _object(read_text(issuer_key, "key"), issuer_key, "Give the issuer's public key as a JWK.")
    signed = read_text(file, "trust list", max_bytes=16 * 2**20).strip()
    if signed.startswith("{"):
        signed = str(_object(signed, file, "Give what hutong trust export wrote.").get("trust_list") or "")
        if not signed:
            raise BadInput(f"{file} holds no trust list.", "Export from a node that has one: hutong trust export")
    with opened(node) as opened_node:
        edition = actions.adopt_trust_list(opened_node, by=opened_node.operator, signed=signed, issuer_key=key)
    show(
        as_json,
        {"number": edition.number, "parties": [party.id for party in edition.parties]},
        f"Adopted edition {edition.number} with {len(edition.parties)} parties.",
    )


def _object(text: str, file: Path, remedy: str) -> dict[str, Any]:
    import orjson

    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{file} is no JSON.", remedy) from error
    if not isinstance(document, dict):
        raise BadInput(f"{file} holds no JSON object.", remedy)
    return document


@trust.command("refresh")
def refresh_list(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Fetch the next edition of the trust list from its issuer; its issuer signs the next one when it is due."""
    from hutong.governance import actions, queries

    with opened(node) as opened_node:
        fresh = actions.keep_trust_list(opened_node, by=opened_node.operator)
        edition = fresh or queries.trust_list(opened_node)
    show(
        as_json,
        {"number": edition.number, "new": fresh is not None, "next_update": edition.next_update.isoformat()},
        f"Edition {edition.number} is {'new here' if fresh else 'the newest'}; it holds until "
        f"{edition.next_update:%Y-%m-%d %H:%M} UTC.",
    )


@trust.command("publish")
def publish_list(
    file: Annotated[list[Path], typer.Argument(help="One JSON file per party, as its /.well-known/hutong gives it.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign and publish the next edition of the trust list, with exactly these parties."""
    import orjson

    from hutong.governance import actions
    from hutong.trust.trust_list import party_of

    parties = []
    for path in file:
        try:
            parties.append(party_of(orjson.loads(read_text(path, "party"))))
        except orjson.JSONDecodeError as error:
            raise BadInput(f"{path} is no JSON.", "Save the party's /.well-known/hutong there.") from error
    with opened(node) as opened_node:
        signed = actions.publish_trust_list(opened_node, by=opened_node.operator, parties=parties)
    show(
        as_json,
        {"parties": [party.id for party in parties], "signed": signed},
        f"Published a trust list with {len(parties)} parties.",
    )


@trust.command("describe")
def describe(
    kind: Annotated[str, typer.Option(help="region, hub, institute, hospital or enterprise.")] = "region",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """This node as a party: what the keeper of a trust list needs. Always JSON."""
    import orjson

    from hutong.governance import actions
    from hutong.trust.trust_list import party_document

    with opened(node) as opened_node:
        document = party_document(actions.describe_self(opened_node, kind=kind))
    show(as_json, document, orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
