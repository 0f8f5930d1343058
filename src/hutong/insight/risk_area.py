"""Risk areas: the level of every area on a day, by a published declarative rule over the case list.

The rule is data (id, version, window, thresholds, texts); whoever has the same cases computes the same levels. An
area that the standard's table ``area`` lists and that had no case is of the lowest level; one that is not listed has no
level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import yaml

from hutong.errors import BadInput, LimitExceeded, NotFound
from hutong.standard.yaml_text import at_line, load_yaml
from hutong.trust.signing import canonical_json

if TYPE_CHECKING:
    import ibis

TABLE = "risk_area"
SHIPPED = ("dengue-risk-area", "dengue-risk-area-region1", "dengue-risk-area-country")
"""Rules that come with the package, the one of the finest areas first."""
LANGUAGES = ("en", "zh")
MAX_BYTES = 64 * 1024
MAX_WINDOW_DAYS = 366
_FIELDS = {
    *("id", "version", "disease", "classifications", "except_imported", "area_level", "window_days", "withhold_below"),
    *("text", "levels"),
}


@dataclass(frozen=True, slots=True)
class RiskLevel:
    """One level: an area has it from this many cases in the window."""

    level: str
    from_cases: int
    meaning: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RiskRule:
    """The whole rule; build it with :func:`parse_rule`.

    Attributes:
        hash: SHA-256 of the document's canonical JSON, hexadecimal.
        disease, classifications: which cases count; with ``except_imported`` not those infected abroad.
        area_level: which level of the table ``area`` is assessed (such as ``region2``).
        window_days: length of the window that ends with, and includes, the day of assessment.
        withhold_below: counts from 1 up to this one (excluded) are not shown to the public.
        levels: from the least to the most severe; the first one begins at 0 cases.
    """

    id: str
    version: str
    hash: str
    disease: str
    classifications: tuple[str, ...]
    except_imported: bool
    area_level: str
    window_days: int
    withhold_below: int
    text: Mapping[str, str]
    levels: tuple[RiskLevel, ...]

    def level_of(self, cases: int) -> RiskLevel:
        """The level of an area with this many cases in the window."""
        return [level for level in self.levels if cases >= level.from_cases][-1]

    def window_from(self, as_of: date) -> date:
        """First day of the window."""
        return as_of - timedelta(days=self.window_days - 1)

    def is_withheld(self, cases: int) -> bool:
        """Whether the public sees only the level, not the count."""
        return 0 < cases < self.withhold_below


@dataclass(frozen=True, slots=True)
class RiskAssessment:
    """One run of the rule.

    ``areas`` counts areas by level; ``cases`` lie in the window and in an assessed area, ``cases_elsewhere`` in the
    window only.
    """

    id: str
    as_of: date
    rule: str
    version: str
    hash: str
    emergency: str
    window_from: date
    areas: Mapping[str, int]
    cases: int
    cases_elsewhere: int

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "as_of": self.as_of.isoformat(), "window_from": self.window_from.isoformat()}


def parse_assessment(document: Mapping[str, Any]) -> RiskAssessment:
    """An assessment from its JSON form."""
    days = {name: date.fromisoformat(document[name]) for name in ("as_of", "window_from")}
    return RiskAssessment(**{**document, **days})


def fitting_rule(listed: Collection[str]) -> RiskRule:
    """The shipped rule of the finest level among those of the listed areas. ``BadInput`` when none of them has one."""
    rules = [shipped_rule(name) for name in SHIPPED]
    for rule in rules:
        if rule.area_level in listed:
            return rule
    if not listed:
        raise BadInput("No area is listed here.", "Acquire the areas first.")
    raise BadInput(
        f"No risk-area rule comes with the package for areas of level {', '.join(sorted(listed))}.",
        f"Name one of your own with one of these levels as its area_level, or acquire areas of level "
        f"{', '.join(rule.area_level for rule in rules)}.",
    )


def shipped_rule(name: str = "dengue-risk-area") -> RiskRule:
    """A rule that comes with the package. ``NotFound`` when there is none of that name."""
    file = files("hutong.insight").joinpath("rules", f"{name}.yaml")
    if not name.replace("-", "").isalnum() or not file.is_file():
        raise NotFound("No risk-area rule of this name comes with the package.", "Look into the folder insight/rules.")
    return read_rule(file.read_text(encoding="utf-8"))


def read_rule(text: str) -> RiskRule:
    """A rule from YAML text. Raises BadInput, LimitExceeded (more than 64 KiB)."""
    if len(text) > MAX_BYTES:
        raise LimitExceeded("The risk-area rule is larger than 64 KiB.", "Shorten its texts.")
    try:
        document = load_yaml(text, "The risk-area rule")
    except yaml.YAMLError as error:
        raise BadInput(
            f"The risk-area rule is not YAML{at_line(error)}.", "Correct its indentation and quotes."
        ) from error
    return parse_rule(document)


def parse_rule(document: Any) -> RiskRule:
    """A rule from its document.

    Raises:
        BadInput: a field missing, unknown or of another type, a text missing in a language, thresholds that don't rise
            from 0.
    """
    if not isinstance(document, Mapping) or set(document) != _FIELDS:
        given = set(document) if isinstance(document, Mapping) else set()
        odd = sorted(str(name)[:40] for name in given ^ _FIELDS)
        raise _refused(f"its fields are not as they should be: {', '.join(odd)}")
    for field in ("id", "version", "disease", "area_level"):
        if not isinstance(document[field], str) or not 0 < len(document[field]) <= 60:
            raise _refused(f"{field!r} is no short text")
    classifications = document["classifications"]
    if not isinstance(classifications, list) or not all(isinstance(item, str) for item in classifications):
        raise _refused("'classifications' is no list of codes")
    if not isinstance(document["except_imported"], bool):
        raise _refused("'except_imported' is neither true nor false")
    levels = _levels(document["levels"])
    withhold_below = _count(document["withhold_below"], "withhold_below", least=0, most=1000)
    if any(0 < level.from_cases < withhold_below for level in levels):
        raise _refused("a level begins among the counts that are withheld, and would tell them")
    return RiskRule(
        id=document["id"],
        version=document["version"],
        hash=hashlib.sha256(canonical_json(dict(document))).hexdigest(),
        disease=document["disease"],
        classifications=tuple(classifications),
        except_imported=document["except_imported"],
        area_level=document["area_level"],
        window_days=_count(document["window_days"], "window_days", least=1, most=MAX_WINDOW_DAYS),
        withhold_below=withhold_below,
        text=_texts(document["text"], "text"),
        levels=levels,
    )


def _levels(given: Any) -> tuple[RiskLevel, ...]:
    if not isinstance(given, list) or not 2 <= len(given) <= 5:
        raise _refused("it has not 2 to 5 levels")
    levels = []
    for item in given:
        if not isinstance(item, Mapping) or set(item) != {"level", "from_cases", "meaning"}:
            raise _refused("a level is not level, from_cases and meaning")
        if not isinstance(item["level"], str) or not 0 < len(item["level"]) <= 20:
            raise _refused("a level has no short code")
        from_cases = _count(item["from_cases"], "from_cases", least=0, most=10**9)
        levels.append(RiskLevel(item["level"], from_cases, _texts(item["meaning"], "meaning")))
    rises = all(one.from_cases < other.from_cases for one, other in pairwise(levels))
    if levels[0].from_cases != 0 or not rises or len({level.level for level in levels}) != len(levels):
        raise _refused("its thresholds don't rise from 0, or a level is there twice")
    return tuple(levels)


def _count(value: Any, field: str, *, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise _refused(f"{field!r} is no whole number from {least} to {most}")
    return value


def _texts(value: Any, field: str) -> dict[str, str]:
    given = value if isinstance(value, Mapping) else {}
    for language in LANGUAGES:
        if not isinstance(given.get(language), str) or not given[language].strip():
            raise _refused(f"{field!r} lacks the language {language}")
    return {language: given[language] for language in LANGUAGES}


def _refused(why: str) -> BadInput:
    return BadInput(f"The risk-area rule can't be used: {why}.", "Compare it with the rule that comes with Hutong.")


def cases_in_window(cases: ibis.Table, rule: RiskRule, as_of: date) -> ibis.Table:
    """Cases that count, by area of residence.

    Args:
        cases: the lake's ``case`` (or a table with its columns disease, classification, imported, case_count,
            true_from, residence_area_code).

    Returns:
        Columns ``area_code`` (text, null where the residence is not known) and ``cases_window`` (integer).
    """
    import ibis

    counted = cases.filter(
        cases.disease == rule.disease,
        cases.classification.isin(rule.classifications),
        cases.true_from.cast("date").between(ibis.literal(rule.window_from(as_of)), ibis.literal(as_of)),
    )
    if rule.except_imported:
        counted = counted.filter(~ibis.coalesce(counted.imported, False))
    return counted.group_by(area_code=counted.residence_area_code).agg(
        cases_window=ibis.coalesce(counted.case_count, 1).sum().cast("int64")
    )


def risk_areas(cases: ibis.Table, areas: ibis.Table, rule: RiskRule, as_of: date) -> ibis.Table:
    """The level of each listed area as of a day.

    Args:
        cases: as for :func:`cases_in_window`.
        areas: the lake's ``area`` (columns area_code, level).

    Returns:
        One row an area: area_code, as_of (date), cases_window (integer), level (text), severity (integer, 0 for the
        least severe level), rule, rule_version (text).
    """
    import ibis

    listed = areas.filter(areas.level == rule.area_level).select("area_code").distinct()
    counted = cases_in_window(cases, rule, as_of)
    joined = listed.left_join(counted, listed.area_code == counted.area_code)
    rows = joined.select(
        area_code=listed.area_code,
        as_of=ibis.literal(as_of),
        cases_window=ibis.coalesce(counted.cases_window, 0),
    )
    reached = [(rows.cases_window >= level.from_cases, rank) for rank, level in enumerate(rule.levels)][:0:-1]
    rows = rows.mutate(severity=ibis.cases(*reached, else_=0).cast("int64"))
    codes = [(rows.severity == rank, level.level) for rank, level in enumerate(rule.levels)][1:]
    return rows.select(
        "area_code",
        "as_of",
        "cases_window",
        level=ibis.cases(*codes, else_=rule.levels[0].level),
        severity=rows.severity,
        rule=ibis.literal(rule.id),
        rule_version=ibis.literal(rule.version),
    )
