"""Commands of sharing: request, decide, receive, revoke, harvest."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, show


class Purpose(StrEnum):
    """Purposes by their Data Use Ontology short names."""

    GRU = "GRU"
    HMB = "HMB"
    DS = "DS"
    POA = "POA"
    NPUNCU = "NPUNCU"
    NCU = "NCU"
    CC = "CC"
    PS = "PS"


class Format(StrEnum):
    """Formats of a delivery."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def add_to(app: typer.Typer) -> None:
    app.command()(request)
    app.command("requests")(show_requests)
    app.command()(follow)
    app.command()(decide)
    app.command()(deliver)
    app.command("agreements")(show_agreements)
    app.command("deliveries")(show_deliveries)
    app.command()(revoke)
    app.command()(harvest)


def request(
    dataset: Annotated[str, typer.Argument(help="Id of the dataset at its provider.")],
    provider: Annotated[str, typer.Option("--from", help="Id of the party that holds the data.")],
    purpose: Annotated[Purpose, typer.Option(help="Purpose (Data Use Ontology).")],
    statement: Annotated[str, typer.Option(help="What the data are for, in your own words.")],
    contact: Annotated[str, typer.Option(help="E-mail address for questions.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="For how long.")] = 90,
    fields: Annotated[str, typer.Option(help="Only these columns, separated by commas.")] = "",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask another party for data, in this node's name."""
    from hutong.sharing import actions_recipient

    with opened(node) as opened_node:
        filed = actions_recipient.request_data(
            opened_node,
            by=opened_node.operator,
            provider=provider,
            dataset_id=dataset,
            purpose=purpose.value,
            statement=statement,
            days=days,
            contact=contact,
            fields=tuple(part.strip() for part in fields.split(",") if part.strip()),
        )
        permitted = opened_node.policy.told(filed.policies)
    show(
        as_json,
        {**filed.document(), "permitted_by": permitted},
        f"Request {filed.id} is filed with {provider}; it decides by {filed.decide_by:%Y-%m-%d %H:%M}.",
        *_permitted(permitted, told_by=provider),
    )


def _permitted(policies: list[dict[str, Any]], *, told_by: str = "") -> list[str]:
    """``told_by``: the party whose policies these are. It tells their ids; the words are of ours of the same id."""
    by = f", as told by {told_by}" if told_by else ""
    return [f"Permitted by {one['policy']}{by}: {one['reason']['en']}" for one in policies]


def show_requests(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Requests that this node received or sent, the newest first."""
    from hutong.sharing import queries

    with opened(node) as opened_node:
        found = queries.requests(opened_node)
    show(
        as_json,
        [one.document() for one in found],
        *(
            f"{one.id}  {one.state:10} {one.party} → {one.provider}: {one.dataset_id} for {one.purpose}"
            for one in found
        ),
    )


def follow(request_id: str, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Ask the provider how a request that this node sent stands; a granted one brings its agreement."""
    from hutong.sharing import actions_recipient, queries

    with opened(node) as opened_node:
        found = actions_recipient.follow_request(opened_node, by=opened_node.operator, request_id=request_id)
        permitted = opened_node.policy.told(found.policies)
        kept = queries.agreement(opened_node, found.agreement_id) if found.agreement_id else None
    agreement = f" Agreement {found.agreement_id}." if kept else ""
    if kept and kept.revoked_at:
        agreement += f" It was revoked at {kept.revoked_at:%Y-%m-%d %H:%M}: stop the use and delete the data."
    show(
        as_json,
        {**found.document(), "permitted_by": permitted},
        f"Request {found.id} is {found.state}.{agreement}",
        *_permitted(permitted, told_by=found.provider),
    )


def show_agreements(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Agreements that this node gave or got, the newest first."""
    from hutong.sharing import queries

    with opened(node) as opened_node:
        found, now = queries.agreements(opened_node), opened_node.clock()
    show(
        as_json,
        [{**one.agreement.document(), "state": one.state(now)} for one in found],
        *(
            f"{one.agreement.id}  {one.state(now):8} {one.agreement.provider} → {one.agreement.recipient}: "
            f"{one.agreement.dataset_id} until {one.agreement.expires_at:%Y-%m-%d}"
            for one in found
        ),
    )


def show_deliveries(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """What was handed out or received under agreements, the newest first."""
    from hutong.sharing import queries

    with opened(node) as opened_node:
        found = queries.deliveries(opened_node)
    show(
        as_json,
        [one.document() for one in found],
        *(f"{one.at:%Y-%m-%d %H:%M}  {one.agreement_id}: {one.rows:,} rows of {one.dataset_id}" for one in found),
    )


def decide(
    request_id: str,
    reason: Annotated[str, typer.Option(help="Why; the requester reads it.")],
    grant: Annotated[bool, typer.Option("--grant/--refuse")],
    days: Annotated[int | None, typer.Option(min=1, max=366, help="Grant for fewer days than asked.")] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide a request; granting signs an agreement."""
    from hutong.sharing import actions

    with opened(node) as opened_node:
        decided = actions.decide_request(
            opened_node, by=opened_node.operator, request_id=request_id, grant=grant, reason=reason, days=days
        )
        permitted = opened_node.policy.told(decided.policies)
    agreement = f" Agreement {decided.agreement_id}." if grant else ""
    show(
        as_json,
        {**decided.document(), "permitted_by": permitted},
        f"Request {request_id} is {decided.state}.{agreement}",
        *_permitted(permitted),
    )


def deliver(
    agreement_id: str,
    provider: Annotated[str, typer.Option("--from", help="Id of the party that gave the agreement.")],
    format_: Annotated[Format, typer.Option("--format")] = Format.PARQUET,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the data of an agreement from its provider, and check them."""
    from hutong.sharing import actions_recipient

    with opened(node) as opened_node:
        received = actions_recipient.receive(
            opened_node, by=opened_node.operator, provider=provider, agreement_id=agreement_id, format_=format_.value
        )
        permitted = opened_node.policy.told(received.delivery.policies)
    show(
        as_json,
        {**received.delivery.document(), "path": str(received.path), "permitted_by": permitted},
        f"Received {received.delivery.rows:,} rows: {received.path} (sha256 {received.delivery.sha256[:16]}… is right)",
        *_permitted(permitted, told_by=provider),
    )


def revoke(
    agreement_id: str,
    because: Annotated[str, typer.Option(help="Why; the recipient reads it.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke an agreement that this node gave: the next delivery under it is refused."""
    from hutong.sharing import actions

    with opened(node) as opened_node:
        actions.revoke_agreement(opened_node, by=opened_node.operator, agreement_id=agreement_id, because=because)
    show(as_json, {"revoked": agreement_id}, f"Revoked {agreement_id}.")


def harvest(
    party: Annotated[str, typer.Argument(help="Id of the party whose catalogue is read.")],
    join: Annotated[bool, typer.Option(help="Then join the weekly series of all harvested parties.")] = False,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read another party's catalogue into this node's."""
    from hutong.sharing import actions_harvest

    with opened(node) as opened_node:
        report = actions_harvest.harvest(opened_node, by=opened_node.operator, party_id=party)
        series = actions_harvest.join_series(opened_node, by=opened_node.operator) if join else None
    result = {"party": party, "added": report.added, "changed": report.changed, "vanished": report.vanished}
    lines = [f"{party}: {len(report.added)} added, {len(report.changed)} changed, {len(report.vanished)} vanished."]
    if series is not None:
        lines.append(f"Joint weekly series: {series.rows:,} rows of {len(series.sources)} data sets.")
    show(as_json, {**result, "joint_rows": series.rows if series else None}, *lines)
