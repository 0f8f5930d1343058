"""Risk areas: the rule is read whole or refused, and an assessment is a table, a record and an event."""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest
import yaml

from hutong.errors import BadInput, LimitExceeded, NotFound, Refused
from hutong.insight import queries
from hutong.insight.actions import assess_risk_areas
from hutong.insight.risk_area import fitting_rule, parse_rule, read_rule, shipped_rule
from hutong.node import Node
from tests.conftest import Clock, NewNode
from tests.passes.region import AS_OF, BUSY, LI, QUIET, SOME, STEWARD, declare, fill_lake


def document(**changes: Any) -> dict[str, Any]:
    text = files("hutong.insight").joinpath("rules", "dengue-risk-area.yaml").read_text("utf-8")
    return {**yaml.safe_load(text), **changes}


@pytest.fixture
def region(new_node: NewNode) -> Node:
    node = new_node()
    declare(node)
    fill_lake(node)
    return node


def test_the_shipped_rule_is_whole() -> None:
    rule = shipped_rule()
    assert [rule.level_of(cases).level for cases in (0, 4, 5, 49, 50, 10**6)] == [
        *("low", "low"),
        *("medium", "medium"),
        *("high", "high"),
    ]
    assert rule.window_from(AS_OF) == AS_OF - timedelta(days=13)
    assert [rule.is_withheld(cases) for cases in (0, 1, 4, 5)] == [False, True, True, False]
    assert rule == parse_rule(document())


LEVEL = {"level": "x", "from_cases": 0, "meaning": {"en": "x", "zh": "x"}}


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"id": ""},
        {"disease": 5},
        {"window_days": 0},
        {"window_days": True},
        {"withhold_below": "5"},
        {"classifications": "confirmed"},
        {"except_imported": "yes"},
        {"text": {"en": "only English"}},
        {"levels": [LEVEL]},
        {"levels": [LEVEL, {**LEVEL, "from_cases": 1}]},
        {"levels": [LEVEL, {**LEVEL, "level": "y", "from_cases": 3}]},
        {"levels": [{**LEVEL, "from_cases": 1}, {**LEVEL, "level": "y", "from_cases": 2}]},
        {"levels": [LEVEL, {**LEVEL, "level": "y"}]},
        {"levels": [LEVEL, {**LEVEL, "level": "y", "from_cases": 1, "meaning": {}}]},
        {"levels": "low"},
    ],
)
def test_a_rule_that_is_not_whole_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="risk-area rule"):
        parse_rule(document(**change))


def test_what_is_no_rule_is_refused() -> None:
    for text in ("- a list", "a: [", "just words", "{}"):
        with pytest.raises(BadInput):
            read_rule(text)
    with pytest.raises(LimitExceeded):
        read_rule("x" * 70_000)
    for name in ("other", "../rules/dengue-risk-area"):
        with pytest.raises(NotFound):
            shipped_rule(name)


def test_an_assessment_is_a_table_a_record_and_an_event(region: Node, records: str) -> None:
    made = assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF)
    assert dict(made.areas) == {"low": 2, "medium": 0, "high": 1}
    assert (made.cases, made.cases_elsewhere) == (63, 0)
    assert queries.newest_assessment(region)[0] == made
    rows = queries.risk_areas(region, rule=queries.rule_of(made))
    assert [(row.area_code, row.level, row.cases_window) for row in rows] == [
        (BUSY, "high", 60),
        (SOME, "low", None),
        (QUIET, "low", 0),
    ]
    assert (rows[0].name_en, rows[0].name_zh, rows[0].parent_en) == ("North Dist.", "北区", "South")
    event = region.log.entry(region.log.size() - 1).event
    assert event["kind"] == "risk-areas.assessed"
    assert (event["areas"], event["hash"]) == (dict(made.areas), shipped_rule().hash)
    told = {"kind", "by", "at", "assessment", "as_of", "rule", "version", "hash", "emergency", "areas"}
    assert set(event) == told  # counts of areas, never of an area's cases


def test_it_runs_again_for_another_day(region: Node, clock: Clock) -> None:
    first = assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF)
    clock.advance(hours=1)
    later = assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF - timedelta(days=9))
    assert first.areas != later.areas
    assert queries.newest_assessment(region)[0].as_of == AS_OF - timedelta(days=9)


def test_who_may_not_or_not_now_is_refused(region: Node, clock: Clock, new_node: NewNode) -> None:
    with pytest.raises(Refused):
        assess_risk_areas(region, by=STEWARD, rule=shipped_rule(), as_of=AS_OF)
    with pytest.raises(BadInput, match="not come"):
        assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=date(2026, 3, 2))
    with pytest.raises(NotFound):
        queries.newest_assessment(region)
    clock.advance(days=31)
    with pytest.raises(Refused, match="emergency"):
        assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF)
    empty = new_node("pe")
    with pytest.raises(Refused, match="emergency"):
        assess_risk_areas(empty, by=LI, rule=shipped_rule(), as_of=AS_OF)


def test_areas_of_another_level_are_said_to_be_missing(region: Node) -> None:
    with pytest.raises(BadInput, match="lists no area"):
        assess_risk_areas(region, by=LI, rule=parse_rule(document(area_level="village")), as_of=AS_OF)


@pytest.mark.parametrize(
    ("listed", "rule"),
    [
        ({"country", "region1", "region2", "village"}, "dengue-risk-area"),
        ({"country", "region1"}, "dengue-risk-area-region1"),
        ({"country"}, "dengue-risk-area-country"),
    ],
)
def test_the_rule_of_the_finest_listed_areas_is_chosen(listed: set[str], rule: str) -> None:
    chosen = fitting_rule(listed)
    assert chosen.id == rule and chosen.area_level in listed
    assert [level.from_cases for level in chosen.levels] == [level.from_cases for level in shipped_rule().levels]


def test_where_no_shipped_rule_fits_that_is_said(region: Node, new_node: NewNode) -> None:
    with pytest.raises(BadInput, match="areas of level region3, village") as refused:
        fitting_rule({"village", "region3"})
    assert "area_level" in refused.value.do and "region2, region1, country" in refused.value.do
    with pytest.raises(BadInput, match="No area is listed"):
        fitting_rule(set())
    with pytest.raises(NotFound):
        queries.fitting_rule(new_node("pe"))
    areas = region.engine.table("area")
    region.lake.replace("area", region.engine.to_arrow(areas.filter(areas.level == "region1")))
    with pytest.raises(BadInput, match="no area of level region2") as refused:
        assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF)
    assert "name a rule" in refused.value.do
