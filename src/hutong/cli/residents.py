"""Commands about one resident: declare for them, their level, who may ask for it, a code to tell contacts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hutong.cli.insight import levels
from hutong.cli.terminal import JsonOption, NodeOption, SecondOption, opened, show

if TYPE_CHECKING:
    from hutong.acquisition.declarations import Statement
    from hutong.node import Node

declare = typer.Typer(help="Write down what a resident declares.", no_args_is_help=True)
access = typer.Typer(help="Which applications may ask for a resident's level.", no_args_is_help=True)
exposure = typer.Typer(help="Codes with which a phone tells contacts.", no_args_is_help=True)

Person = Annotated[str, typer.Argument(help="The resident's number, or the pseudonym.")]
MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d"]


def add_to(app: typer.Typer) -> None:
    app.add_typer(declare, name="declare")
    app.add_typer(access, name="access")
    app.add_typer(exposure, name="exposure")


@declare.command("health")
def health(
    person: Person,
    symptom: Annotated[list[str] | None, typer.Option(help="Code of a symptom; without any: there are none.")] = None,
    temperature: Annotated[float | None, typer.Option(min=30, max=45, help="Degrees Celsius.")] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How a resident is now: all symptoms that there are."""
    from hutong.acquisition.declarations import HealthStatement

    with opened(node) as opened_node:
        statement = HealthStatement(
            symptoms=tuple(symptom or ()), stated_at=opened_node.clock(), body_temperature=temperature
        )
        _declare(opened_node, person, statement, as_json=as_json)


@declare.command("trip")
def trip(
    person: Person,
    area: Annotated[str, typer.Option(help="Code of the area.")],
    arrived: Annotated[datetime, typer.Option(formats=MOMENTS, help="UTC.")],
    left: Annotated[datetime | None, typer.Option(formats=MOMENTS, help="UTC; absent while it lasts.")] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A stay of a resident."""
    from hutong.acquisition.declarations import TripStatement

    statement = TripStatement(area_code=area, arrived=_utc(arrived), left=_utc(left) if left else None)
    with opened(node) as opened_node:
        _declare(opened_node, person, statement, as_json=as_json)


def _declare(node: Node, person: str, statement: Statement, *, as_json: bool) -> None:
    from hutong.acquisition import declarations, queries

    receipt = declarations.declare(node, by=node.operator, person=person, statement=statement)
    refused = queries.receipt_items(node, receipt.id) if receipt.held + receipt.rejected else []
    why = sorted({item["reason"] for item in refused})
    show(as_json, {**receipt.document(), "why_not": why}, f"Receipt {receipt.id}: {receipt.sentence()}", *why)


@levels.command("show")
def show_level(person: Person, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """The level of a resident now, why, and how it came about."""
    from hutong.passes.appeal import correction_actions
    from hutong.passes.level import queries

    with opened(node) as opened_node:
        found = correction_actions.read_level(opened_node, by=opened_node.operator, person=person)
        history = queries.readable_history(opened_node, opened_node.operator, person)
    reasons = [{"rule_id": reason.rule_id, "text": dict(reason.texts)} for reason in found.reasons]
    show(
        as_json,
        {"level": found.level, "rulebook": found.rulebook.id, "version": found.rulebook.version, "reasons": reasons}
        | {"history": [asdict(step) for step in history.changes], "history_altered": history.altered},
        f"{found.level} by {found.rulebook.id} {found.rulebook.version}",
        *(f"  {reason.rule_id}: {reason.texts.get('en', '')}" for reason in found.reasons),
        *(
            f"{step.decided_at:%Y-%m-%d %H:%M}  {step.previous_level or '-'} -> {step.level}  {step.version}"
            for step in history.changes
        ),
        *([f"Rows of the history that were altered and are left out: {history.altered}"] if history.altered else []),
    )


@levels.command("override")
def override(
    *,
    person: Person,
    level: Annotated[str, typer.Option(help="A level of the rulebook.")],
    rule: Annotated[str, typer.Option(help="Id of the rule, or of a published ground.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept, and does not stand in the log.")],
    until: Annotated[datetime, typer.Option(formats=MOMENTS, help="When it ends (UTC).")],
    second_token: SecondOption,
    appeal: Annotated[str | None, typer.Option(help="The appeal that led to it.")] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a resident another level than the rules do; two persons are needed."""
    from hutong.governance import queries as governance
    from hutong.passes.appeal import correction_actions
    from hutong.passes.appeal.correction import LevelChange

    with opened(node) as opened_node:
        made = correction_actions.override_level(
            opened_node,
            by=opened_node.operator,
            second=governance.token_actor(opened_node, second_token),
            person=person,
            change_to=LevelChange(level, rule, reason, _utc(until)),
            appeal_id=appeal,
        )
    told = {
        "id": made.id,
        "level": made.level,
        "against": made.against,
        "rule_id": made.rule_id,
        "ends_at": made.ends_at,
    }
    show(as_json, told, f"Override {made.id}: {made.level} instead of {made.against} until {made.ends_at:%Y-%m-%d}.")


@access.command("grant")
def grant(
    person: Person,
    application: Annotated[str, typer.Argument(help="Name of its account on this node.")],
    purpose: Annotated[str, typer.Option(help="What it asks for.")],
    until: Annotated[datetime, typer.Option(formats=MOMENTS, help="At most 30 days ahead (UTC).")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an application ask for a resident's level, for a purpose and until a day."""
    from hutong.passes.appeal import correction_actions

    with opened(node) as opened_node:
        made = correction_actions.grant_access(
            opened_node,
            by=opened_node.operator,
            person=person,
            application=application,
            purpose=purpose,
            ends_at=_utc(until),
        )
    show(as_json, {"id": made.id, "ends_at": made.ends_at}, f"Grant {made.id} until {made.ends_at:%Y-%m-%d %H:%M}.")


@access.command("list")
def list_access(person: Person, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Who may ask for a resident's level, and how often they did."""
    from hutong.passes.appeal import queries
    from hutong.rights.person import pseudonym_of

    with opened(node) as opened_node:
        found = queries.grants_of(opened_node, pseudonym_of(opened_node, person))
    show(
        as_json,
        [{name: value for name, value in asdict(one).items() if name != "pseudonym"} for one in found],
        *(f"{one.id}  {one.application}: {one.purpose} until {one.ends_at:%Y-%m-%d}, {one.uses} uses" for one in found),
    )


@access.command("end")
def end_access(
    person: Person,
    grant_id: Annotated[str, typer.Argument(help="Id of the grant: see hutong access list.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a grant now."""
    from hutong.passes.appeal import correction_actions

    with opened(node) as opened_node:
        correction_actions.end_access(opened_node, by=opened_node.operator, person=person, grant_id=grant_id)
    show(as_json, {"ended": grant_id}, f"Ended {grant_id}.")


@exposure.command("code")
def code(
    emergency: Annotated[str, typer.Argument(help="Id of the emergency.")],
    report: Annotated[
        str, typer.Option(help="confirmed_test, confirmed_clinical_diagnosis or self_report.")
    ] = "confirmed_test",
    onset: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the first symptoms.")] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A one-time code for a person whose phone may tell contacts; it is shown once."""
    from hutong.passes.exposure import actions

    with opened(node) as opened_node:
        made = actions.issue_code(
            opened_node,
            by=opened_node.operator,
            emergency_id=emergency,
            report_type=report,
            onset_on=onset.date() if onset else None,
        )
    show(
        as_json, {"code": made.code, "expires_at": made.expires_at}, f"{made.grouped} until {made.expires_at:%H:%M} UTC"
    )


def _utc(given: datetime) -> datetime:
    return given.replace(tzinfo=UTC)
