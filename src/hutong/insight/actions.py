"""What an authority can do in insight: one function each."""

from __future__ import annotations

from datetime import date
from typing import Final

import orjson
import sqlalchemy as sa

from hutong.errors import BadInput, Refused
from hutong.governance import queries as governance
from hutong.insight.risk_area import TABLE, RiskAssessment, RiskRule, cases_in_window, parse_assessment, risk_areas
from hutong.node import Node
from hutong.storage import inbox, schema
from hutong.trust.authorisation import Actor, Resource

_LOCK: Final = "risk-areas.lock"
_NEWEST: Final = "hutong.assessment"
"""Property of the lake's table, in the same commit: which assessment its areas are of."""


def assess_risk_areas(node: Node, *, by: Actor, rule: RiskRule, as_of: date) -> RiskAssessment:
    """Give every listed area its level as of a day; replaces the derived lake table ``risk_area``.

    Raises:
        Refused: the policy says no, or no emergency is in force.
        BadInput: the day has not come yet, or the lake lists no area of the rule's level.
        NotFound: no cases or areas were acquired.
    """
    import pyarrow.compute as pc

    node.require(by, "assess_risk", Resource("RiskRule", rule.id))
    today = node.clock().date()
    emergency = governance.emergency_in_force(node, today)
    if emergency is None:
        raise Refused("Areas are assessed under an emergency, and none is in force.", "Declare one first.")
    if as_of > today:
        raise BadInput(f"{as_of} has not come yet.", "Give today or an earlier day.")
    node.move_inbox()
    cases = node.engine.table("case")
    assessed = node.engine.to_arrow(risk_areas(cases, node.engine.table("area"), rule, as_of))
    if assessed.num_rows == 0:
        raise BadInput(
            f"The lake lists no area of level {rule.area_level}.",
            "Acquire such areas first, or name a rule for areas of a level that is listed.",
        )
    in_window = pc.sum(node.engine.to_arrow(cases_in_window(cases, rule, as_of))["cases_window"]).as_py() or 0
    counted = pc.sum(assessed["cases_window"]).as_py()
    by_level = {item["values"]: item["counts"] for item in pc.value_counts(assessed["level"]).to_pylist()}
    assessment = RiskAssessment(
        id=node.new_id(),
        as_of=as_of,
        rule=rule.id,
        version=rule.version,
        hash=rule.hash,
        emergency=emergency.id,
        window_from=rule.window_from(as_of),
        areas={level.level: by_level.get(level.level, 0) for level in rule.levels},
        cases=counted,
        cases_elsewhere=in_window - counted,
    )
    with inbox.one_at_a_time(node.settings.folder / _LOCK):
        _tell_if_untold(node, by)
        node.lake.replace(TABLE, assessed, properties={_NEWEST: orjson.dumps(assessment.document()).decode()})
        _tell_if_untold(node, by)
    return assessment


def tell_assessment(node: Node, *, by: Actor) -> RiskAssessment | None:
    """Record and log the assessment whose areas are in the lake, where a crash kept it from both; else None.

    Raises Refused (the policy).
    """
    node.require(by, "assess_risk")
    with inbox.one_at_a_time(node.settings.folder / _LOCK):
        return _tell_if_untold(node, by)


def _tell_if_untold(node: Node, by: Actor) -> RiskAssessment | None:
    found = node.lake.properties(TABLE).get(_NEWEST)
    if not found:
        return None
    made, table = parse_assessment(orjson.loads(found)), schema.risk_assessment
    with node.records.reading() as connection:
        if connection.execute(sa.select(table.c.id).where(table.c.id == made.id)).scalar():
            return None
    with node.change(by) as change:
        change.execute(table.insert().values(id=made.id, as_of=made.as_of, body=made.document(), assessed_at=change.at))
        change.event(
            "risk-areas.assessed",
            assessment=made.id,
            as_of=made.as_of.isoformat(),
            rule=made.rule,
            version=made.version,
            hash=made.hash,
            emergency=made.emergency,
            areas=dict(made.areas),
        )
    return made
