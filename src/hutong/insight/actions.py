"""What an authority can do in insight: one function each."""

from __future__ import annotations

from datetime import date

from hutong.errors import BadInput, Refused
from hutong.governance import queries as governance
from hutong.insight.risk_area import TABLE, RiskAssessment, RiskRule, cases_in_window, risk_areas
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource


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
        raise BadInput(f"The lake lists no area of level {rule.area_level}.", "Acquire the areas first.")
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
    node.lake.replace(TABLE, assessed)
    with node.change(by) as change:
        change.execute(
            schema.risk_assessment.insert().values(
                id=assessment.id, as_of=as_of, body=assessment.document(), assessed_at=change.at
            )
        )
        change.event(
            "risk-areas.assessed",
            assessment=assessment.id,
            as_of=as_of.isoformat(),
            rule=rule.id,
            version=rule.version,
            hash=rule.hash,
            emergency=emergency.id,
            areas=dict(assessment.areas),
        )
    return assessment
