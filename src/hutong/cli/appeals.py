"""Commands about appeals: file one, see which wait, take it step by step, and how long they take."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hutong.cli.terminal import JsonOption, NodeOption, SecondOption, opened, show
from hutong.passes.appeal.appeal import Outcome, Subject

if TYPE_CHECKING:
    from hutong.passes.appeal.appeal import Appeal

appeals = typer.Typer(help="Appeals of residents against their level, or a fact behind it.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(appeals, name="appeal")


@appeals.command("file")
def file(
    person: Annotated[str, typer.Argument(help="The resident's number.")],
    statement: Annotated[str, typer.Option(help="What is wrong, in the resident's words.")],
    subject: Annotated[Subject, typer.Option(help="The level, or a fact that it rests on.")] = Subject.LEVEL,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """File an appeal; the dates of all its steps are fixed from now."""
    from hutong.passes.appeal import actions as appeal_actions

    with opened(node) as opened_node:
        filed = appeal_actions.file_appeal(
            opened_node, by=opened_node.operator, person=person, subject=subject, statement=statement
        )
    _tell(as_json, filed)


@appeals.command("list")
def waiting(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Appeals that wait for the authority, the earliest date first."""
    from hutong.passes.appeal import queries as appeal_queries

    with opened(node) as opened_node:
        found = appeal_queries.appeals_by_deadline(opened_node, opened_node.operator)
    show(as_json, [one.document() for one in found], *(_line(one) for one in found), f"{len(found)} wait")


@appeals.command("withdraw")
def withdraw(appeal_id: str, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Take an appeal back, as the resident asks for; only before it is decided."""
    from hutong.passes.appeal import actions as appeal_actions

    with opened(node) as opened_node:
        found = appeal_actions.withdraw_appeal(opened_node, by=opened_node.operator, appeal_id=appeal_id)
    _tell(as_json, found)


@appeals.command("acknowledge")
def acknowledge(appeal_id: str, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Say that the authority has read it."""
    from hutong.passes.appeal import actions as appeal_actions

    with opened(node) as opened_node:
        found = appeal_actions.acknowledge_appeal(opened_node, by=opened_node.operator, appeal_id=appeal_id)
    _tell(as_json, found)


@appeals.command("evidence")
def evidence(
    appeal_id: str,
    question: Annotated[str, typer.Option(help="What the resident is asked for, if anything.")] = "",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at the evidence, and ask the resident for more where something is missing."""
    from hutong.passes.appeal import actions as appeal_actions

    with opened(node) as opened_node:
        found = appeal_actions.take_evidence(
            opened_node, by=opened_node.operator, appeal_id=appeal_id, question=question
        )
    _tell(as_json, found)


@appeals.command("decide")
def decide(
    appeal_id: str,
    outcome: Annotated[Outcome, typer.Option(help="How it is decided.")],
    reason: Annotated[str, typer.Option(help="Why; the resident reads it.")],
    second_token: SecondOption,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide an appeal; two persons stand behind it."""
    from hutong.governance import queries as governance
    from hutong.passes.appeal import actions as appeal_actions

    with opened(node) as opened_node:
        found = appeal_actions.decide_appeal(
            opened_node,
            by=opened_node.operator,
            second=governance.token_actor(opened_node, second_token),
            appeal_id=appeal_id,
            outcome=outcome,
            reason=reason,
        )
    _tell(as_json, found)


@appeals.command("notify")
def notify(appeal_id: str, node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Confirm that the resident was told of the decision."""
    from hutong.passes.appeal import actions as appeal_actions

    with opened(node) as opened_node:
        found = appeal_actions.notify_appeal(opened_node, by=opened_node.operator, appeal_id=appeal_id)
    _tell(as_json, found)


@appeals.command("statistics")
def statistics(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """How many appeals there are, how they end and how long they take."""
    from hutong.passes.appeal import queries as appeal_queries

    with opened(node) as opened_node:
        found = asdict(appeal_queries.appeal_statistics(opened_node))
    lines = (f"{name.replace('_', ' ')}: {'withheld' if value is None else value}" for name, value in found.items())
    show(as_json, found, *lines)


def _tell(as_json: bool, found: Appeal) -> None:
    show(as_json, {**found.document(), "state": str(found.state)}, _line(found))


def _line(found: Appeal) -> str:
    due = f", next step by {found.next_due:%Y-%m-%d %H:%M} UTC" if found.next_due else ""
    return f"{found.id}  {found.state}{due}"
