"""Page: risk areas, the published rule that makes them, and the counts behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from hutong.errors import NotFound
from hutong.insight import queries
from hutong.insight.queries import RiskArea
from hutong.insight.risk_area import RiskAssessment, RiskRule
from hutong.web import released_figures
from hutong.web.charts import Basis, Figure, bars, hexagon_map
from hutong.web.doors import CurrentNode
from hutong.web.findings import Bar, HexagonValue
from hutong.web.hexagons import MapLabel
from hutong.web.i18n import CHINESE, Language, Translations
from hutong.web.portal.page import PageLanguage, page, text_in, words_of

router = APIRouter()
MOST_BARS = 15
MOST_ROWS = 100
MAP_LABELS = 3
LABEL_DEGREES = 0.15
RESOLUTION = 5


@router.get("/{language}/risk-areas", response_class=HTMLResponse)
def show_risk_areas(request: Request, node: CurrentNode, language: PageLanguage) -> HTMLResponse:
    """Also served before there is an assessment: then the page says what would be here."""
    try:
        assessment, assessed_at = queries.newest_assessment(node)
        rule = queries.rule_of(assessment)
    except NotFound:
        return page(request, language, "risk_areas.html", assessment=None)
    areas = queries.risk_areas(node, rule=rule, limit=5000)
    words = words_of(language)
    above = [area for area in areas if area.severity > 0]
    return page(
        request,
        language,
        "risk_areas.html",
        assessment=assessment,
        assessed_at=assessed_at,
        rule_text=text_in(rule.text, language),
        levels=[
            (one.level, one.from_cases, text_in(one.meaning, language), assessment.areas.get(one.level, 0))
            for one in rule.levels
        ],
        window=(assessment.window_from, assessment.as_of),
        withheld_below=queries.withheld_below(rule),
        names_note=released_figures.names_missing(language)
        if language is CHINESE and any(area.name_zh == area.name_en for area in areas)
        else "",
        figures=_figures(areas, rule, assessment, assessed_at, words),
        rows=[(_name(area, language), _parent(area, language), area.cases_window, area.level) for area in above][
            :MOST_ROWS
        ],
        above=len(above),
        lowest=rule.levels[0].level,
        at_lowest=len(areas) - len(above),
    )


def _figures(
    areas: Sequence[RiskArea], rule: RiskRule, assessment: RiskAssessment, at: datetime, words: Translations
) -> list[tuple[str, Figure]]:
    basis = Basis(words.gettext("Case list of this node"), at, queries.withheld_below(rule))
    described = words.gettext(
        "Local confirmed cases by area of residence, %(first)s to %(last)s, rounded down to tens."
    ) % {
        "first": words.date(assessment.window_from),
        "last": words.date(assessment.as_of),
    }
    unit = words.gettext("Cases in %(n)s days") % {"n": words.number(rule.window_days)}
    drawn: list[tuple[str, Figure]] = []
    cells = _cells(areas)
    if cells:
        worst = sum(area.severity == len(rule.levels) - 1 for area in areas)
        title = words.ngettext(
            "%(n)s area of %(all)s is at the highest level", "%(n)s areas of %(all)s are at the highest level", worst
        ) % {"n": words.number(worst), "all": words.number(len(areas))}
        counted = words.gettext("A hexagon counts the areas whose centre lies in it.")
        labels = _labels(areas, words.language)
        figure = hexagon_map(
            cells, title=title, description=f"{described} {counted}", unit=unit, basis=basis, words=words, labels=labels
        )
        drawn.append(("map", figure))
    shown = [area for area in areas if area.severity > 0][:MOST_BARS]
    if shown:
        names = _unique_names(shown, words.language)
        values = [Bar(name, area.cases_window) for name, area in zip(names, shown, strict=True)]
        most = shown[0].cases_window
        title = words.gettext("No area had ten cases or more")
        if most is not None:
            title = words.gettext("%(area)s had the most cases: at least %(n)s in %(days)s days") % {
                "area": words.before_words(names[0]),
                "n": words.number(most),
                "days": words.number(rule.window_days),
            }
        heading = words.gettext("Area")
        figure = bars(values, title=title, description=described, heading=heading, unit=unit, basis=basis, words=words)
        drawn.append(("areas", figure))
    return drawn


def _cells(areas: Sequence[RiskArea]) -> list[HexagonValue]:
    """Cases of the areas whose centres lie in a cell; withheld where nothing but withheld counts lies in it.

    Only around the most severe areas: a country's empty half would shrink the rest.
    """
    import h3

    placed = [area for area in areas if area.latitude is not None and area.longitude is not None]
    worst = max((area.severity for area in placed), default=0)
    parents = {area.parent_en for area in placed if area.severity == worst}
    together: dict[str, list[int | None]] = {}
    for area in placed:
        if worst > 0 and area.parent_en in parents:
            cell = h3.latlng_to_cell(area.latitude or 0.0, area.longitude or 0.0, RESOLUTION)
            together.setdefault(cell, []).append(area.cases_window)
    return [
        HexagonValue(cell, None if None in counts and not any(counts) else sum(count or 0 for count in counts))
        for cell, counts in sorted(together.items())
    ]


def _labels(areas: Sequence[RiskArea], language: Language) -> list[MapLabel]:
    """The area with the most cases of each parent, named by the parent, where the names don't overlap."""
    labels: list[MapLabel] = []
    for area in areas:
        name = _parent(area, language)
        if area.latitude is None or area.longitude is None or area.severity == 0 or not name:
            continue
        near = any(abs(one.latitude - area.latitude) < LABEL_DEGREES or one.text == name for one in labels)
        if not near and len(labels) < MAP_LABELS:
            labels.append(MapLabel(name, area.latitude, area.longitude))
    return labels


def _unique_names(areas: Sequence[RiskArea], language: Language) -> list[str]:
    names = [_name(area, language) for area in areas]
    return [
        name if names.count(name) == 1 else f"{name} ({_parent(area, language) or area.area_code})"
        for name, area in zip(names, areas, strict=True)
    ]


def _name(area: RiskArea, language: Language) -> str:
    return area.name_zh if language is CHINESE else area.name_en


def _parent(area: RiskArea, language: Language) -> str:
    return area.parent_zh if language is CHINESE else area.parent_en
