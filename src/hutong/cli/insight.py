"""Commands of insight and of levels: assess risk areas, give everybody a level."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, progress, read_text, show

if TYPE_CHECKING:
    from hutong.passes.level.status import LevelRun

risk = typer.Typer(help="Risk areas.", no_args_is_help=True)
levels = typer.Typer(help="Levels of the population.", no_args_is_help=True)
Day = Annotated[datetime, typer.Option("--as-of", formats=["%Y-%m-%d"], help="Day of assessment.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(risk, name="risk")
    app.add_typer(levels, name="levels")


@risk.command("assess")
def assess(
    as_of: Day,
    rule: Annotated[
        Path | None,
        typer.Option(help="Rule (YAML); without it the shipped one for dengue of the finest level of areas here."),
    ] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give every area its level as of a day, by a published rule."""
    from hutong.insight import actions, queries
    from hutong.insight.risk_area import read_rule

    given = None if rule is None else read_rule(read_text(rule, "rule"))
    with opened(node) as opened_node:
        wanted = given or queries.fitting_rule(opened_node)
        found = actions.assess_risk_areas(opened_node, by=opened_node.operator, rule=wanted, as_of=_day(as_of))
    counts = ", ".join(f"{number:,} {level}" for level, number in found.areas.items())
    show(
        as_json,
        found.document(),
        f"{found.cases:,} cases from {found.window_from} to {found.as_of}: {counts}",
        f"By the rule {wanted.id} {wanted.version}, for areas of level {wanted.area_level}.",
    )


@levels.command("decide")
def decide(
    rulebook: Annotated[str, typer.Argument(help="Id of a published rulebook.")],
    as_of: Day,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give everybody a level by the newest version of a rulebook."""
    from hutong.passes.level import actions as level_actions

    with opened(node) as opened_node, progress("Deciding levels", quiet=as_json):
        run = level_actions.decide_levels(opened_node, by=opened_node.operator, rulebook_id=rulebook, as_of=_day(as_of))
    _show_run(as_json, run)


@levels.command("update")
def update(
    rulebook: Annotated[str, typer.Argument(help="Id of a published rulebook.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide again those whom evidence concerns that became known since the last run."""
    from hutong.passes.level import actions as level_actions

    with opened(node) as opened_node, progress("Updating levels", quiet=as_json):
        run = level_actions.update_levels(opened_node, by=opened_node.operator, rulebook_id=rulebook)
    _show_run(as_json, run)


def _show_run(as_json: bool, run: LevelRun) -> None:
    counts = ", ".join(f"{number:,} {level}" for level, number in run.levels.items())
    show(
        as_json,
        {
            "rulebook": run.rulebook,
            "version": run.version,
            "as_of": run.as_of.isoformat(),
            "persons": run.persons,
            "levels": dict(run.levels),
            "failed": run.failed,
            "changed": run.changed,
            "full": run.full,
            "seconds": run.seconds,
            "passes_ended": run.passes_ended,
        },
        f"{run.persons:,} persons by {run.rulebook} {run.version}: {counts} · {run.seconds:.1f} s",
        *([f"{run.passes_ended:,} passes that said a less severe level were revoked."] if run.passes_ended else []),
    )


def _day(given: datetime) -> date:
    return given.date()
