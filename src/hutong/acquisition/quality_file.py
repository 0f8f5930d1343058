"""Reads quality rules and weights from their files; the ones that come with Hutong lie beside this module."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, get_args

import yaml

from hutong.acquisition.conditions import find_element
from hutong.acquisition.conditions import parse as parse_condition
from hutong.acquisition.quality import DIMENSIONS, Kind, QualityRule, RuleSet
from hutong.errors import BadInput
from hutong.standard import Standard, Table
from hutong.standard.yaml_text import at_line, load_yaml

_WORDS = {
    "id",
    "dimension",
    "kind",
    "title",
    "weight",
    "require",
    "when",
    "elements",
    "findings",
    "limit",
    "only_noticed",
    "boxes",
}
_ELEMENTS = {"one-parent": 1, "known-area": 1, "near-its-area": 3, "in-country": 3, "fresh": 1}


def default_rules(standard: Standard) -> RuleSet:
    """The rules for cases that come with Hutong, with their weights."""
    folder = files("hutong.acquisition")
    rules = folder.joinpath("quality_rules.yaml").read_text(encoding="utf-8")
    return read_rules(rules, folder.joinpath("quality_weights.yaml").read_text(encoding="utf-8"), standard)


def read_rules(rules: str, weights: str, standard: Standard) -> RuleSet:
    """Parse rules and weights. Raises BadInput naming the rule and the unknown word, element or dimension."""
    document, scale = _document(rules, "quality rules"), _document(weights, "quality weights")
    table = standard.table(str(document.get("table")))
    parsed = tuple(_rule(given, table, standard) for given in document.get("rules", []))
    repeated = [rule.id for rule in parsed if sum(other.id == rule.id for other in parsed) > 1]
    if repeated or not parsed:
        raise BadInput(f"The quality rule {(repeated or ['?'])[0]} is there twice, or none is.", "Name each once.")
    dimensions = scale.get("dimensions", {})
    if set(dimensions) != set(DIMENSIONS):
        raise BadInput("The weights don't name the five dimensions.", f"Give each: {', '.join(DIMENSIONS)}.")
    given = {**{name: dimensions[name] for name in DIMENSIONS}, **scale.get("labels", {})}
    for name in (*DIMENSIONS, "good_from", "fair_from", "floor"):
        if not isinstance(given.get(name), int | float) or given[name] < 0:
            raise BadInput(f"The quality weight {name} is no number from 0.", "Correct the weights.")
    return RuleSet(
        table.name,
        parsed,
        {name: float(dimensions[name]) for name in DIMENSIONS},
        float(given["good_from"]),
        float(given["fair_from"]),
        float(given["floor"]),
    )


def _document(text: str, what: str) -> dict[str, Any]:
    try:
        document = load_yaml(text, f"The {what}")
    except yaml.YAMLError as error:
        raise BadInput(f"The {what} are not YAML{at_line(error)}.", "Correct their indentation and quotes.") from error
    if not isinstance(document, dict):
        raise BadInput(f"The {what} are no list of names with values.", "See the file that comes with Hutong.")
    return document


def _rule(given: Any, table: Table, standard: Standard) -> QualityRule:
    name = str(given.get("id", "?") if isinstance(given, dict) else "?")
    if not isinstance(given, dict) or not set(given) <= _WORDS or "title" not in given:
        unknown = sorted(set(given) - _WORDS) if isinstance(given, dict) else []
        raise BadInput(f"The quality rule {name} has the unknown word {(unknown or ['?'])[0]}.", "Correct the rule.")
    kind, title = given.get("kind", "condition"), given["title"]
    if given.get("dimension") not in DIMENSIONS or kind not in get_args(Kind):
        raise BadInput(f"The quality rule {name} has an unknown dimension or kind.", "Correct the rule.")
    if not isinstance(title, dict) or set(title) != {"en", "zh"}:  # a comma outside quotes makes a third name
        raise BadInput(f"The quality rule {name} needs a title in en and zh.", "Say in both what is wrong.")
    if (kind in ("condition", "some")) != ("require" in given):
        raise BadInput(f"The quality rule {name} needs `require` if it is a condition, and only then.", "Correct it.")
    elements = tuple(find_element(str(e), table, standard).name for e in given.get("elements", []))
    if len(elements) != _ELEMENTS.get(kind, 0):
        raise BadInput(f"The quality rule {name} needs {_ELEMENTS.get(kind, 0)} elements.", "Correct the rule.")
    return QualityRule(
        id=name,
        dimension=given["dimension"],
        kind=kind,
        title=title,
        weight=float(given.get("weight", 1)),
        require=parse_condition(given["require"], table, standard) if "require" in given else None,
        when=parse_condition(given["when"], table, standard) if "when" in given else None,
        elements=elements,
        findings=tuple(str(f) for f in given.get("findings", [])),
        limit=float(given.get("limit", 0)),
        only_noticed=bool(given.get("only_noticed", False)),
        boxes={str(k): (v[0], v[1], v[2], v[3]) for k, v in given.get("boxes", {}).items()} or None,
    )
