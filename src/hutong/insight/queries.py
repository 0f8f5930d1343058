"""What doors and later stages read about risk areas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hutong.errors import NotFound
from hutong.insight import risk_area
from hutong.insight.risk_area import TABLE, RiskAssessment, RiskRule, parse_assessment, shipped_rule
from hutong.node import Node
from hutong.storage import schema

ROUNDED_TO = 10
"""Counts of a window are rounded down to a multiple of this."""


@dataclass(frozen=True, slots=True)
class RiskArea:
    """One assessed area, as the public sees it.

    ``cases_window`` is rounded down to tens, and None from one to nine or where the rule withholds the count: the exact
    count of a window could be subtracted from the weekly counts beside it. ``name_zh`` falls back to another name.
    Coordinates are degrees (WGS 84), None where the area has none.
    """

    area_code: str
    name_en: str
    name_zh: str
    parent_en: str
    parent_zh: str
    longitude: float | None
    latitude: float | None
    cases_window: int | None
    level: str
    severity: int


def newest_assessment(node: Node) -> tuple[RiskAssessment, datetime]:
    """The newest assessment and when it was made. ``NotFound`` before there is one."""
    table = schema.risk_assessment
    query = sa.select(table.c.body, table.c.assessed_at).order_by(table.c.assessed_at.desc()).limit(1)
    with node.records.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("No risk areas were assessed yet.", "Assess them with: hutong risk assess")
    return parse_assessment(row.body), row.assessed_at


def fitting_rule(node: Node) -> RiskRule:
    """The shipped rule of the finest level of areas that this node lists.

    ``NotFound`` when no areas were acquired, ``BadInput`` when no shipped rule is of one of their levels.
    """
    node.move_inbox()
    levels = node.engine.to_arrow(node.engine.table("area").select("level").distinct())["level"]
    return risk_area.fitting_rule(set(levels.to_pylist()))


def rule_of(assessment: RiskAssessment) -> RiskRule:
    """The rule that an assessment used. ``NotFound`` when this version of the software ships another one."""
    rule = shipped_rule(assessment.rule)
    if rule.hash != assessment.hash:
        raise NotFound(
            f"The rule {assessment.rule} {assessment.version} is not the one that comes with this software.",
            "Assess the areas again.",
        )
    return rule


def withheld_below(rule: RiskRule) -> int:
    """Counts from one to below this number are withheld."""
    return max(ROUNDED_TO, rule.withhold_below)


def _told(cases: int, rule: RiskRule) -> int | None:
    tens = cases // ROUNDED_TO * ROUNDED_TO
    return None if rule.is_withheld(cases) or (cases and not tens) else tens


def risk_areas(node: Node, *, rule: RiskRule, limit: int = 1000) -> list[RiskArea]:
    """Assessed areas with their names, the most cases first; small counts withheld by the rule."""
    import ibis

    assessed, areas = node.engine.table(TABLE), node.engine.table("area")
    names = areas.group_by("area_code").agg(
        name_en=areas.name_en.max(),
        name_zh=areas.name_zh.max(),
        parent_code=areas.parent_code.max(),
        longitude=areas.longitude.max(),
        latitude=areas.latitude.max(),
    )
    parents = names.select(up_code="area_code", parent_en="name_en", parent_zh="name_zh")
    rows = assessed.left_join(names, "area_code").drop("area_code_right")
    rows = rows.left_join(parents, rows.parent_code == parents.up_code)
    ordered = rows.order_by(ibis.desc("cases_window"), "area_code").limit(limit)
    return [
        RiskArea(
            area_code=row["area_code"],
            name_en=row["name_en"] or row["area_code"],
            name_zh=row["name_zh"] or row["name_en"] or row["area_code"],
            parent_en=row["parent_en"] or "",
            parent_zh=row["parent_zh"] or row["parent_en"] or "",
            longitude=row["longitude"],
            latitude=row["latitude"],
            cases_window=_told(row["cases_window"], rule),
            level=row["level"],
            severity=row["severity"],
        )
        for row in node.engine.to_arrow(ordered).to_pylist()
    ]
