"""The published business rules of ten countries as acceptance rules, and their test cases as whole certificates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from hutong.passes.certlogic.datetimes import plus_time

NOW = datetime(2022, 3, 1, tzinfo=UTC)
GROUPS = ("v", "t", "r")


class Case(NamedTuple):
    """A certificate, when it is shown, and what the rule that the case is about gives for it."""

    payload: Mapping[str, Any]
    at: datetime
    rule_id: str
    expected: bool


class Suite(NamedTuple):
    """One country's rules, in the form of acceptance rules' ``eu_dcc``, and the cases."""

    rules: dict[str, Any]
    cases: tuple[Case, ...]


def suites(folder: Path) -> Iterator[Suite]:
    """Each published set. Cases of no certificate (several entries, none) are among them."""
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        rules = [entry["rule"] for entry in document["rules"]]
        yield Suite(eu_rules(rules, (document["valueSetsPool"] or [{}])[0]), tuple(_cases(document["rules"])))


def eu_rules(rules: list[dict[str, Any]], value_sets: Mapping[str, Any]) -> dict[str, Any]:
    """Rules that were published, for their country's border, with a sentence in each language of the nodes."""
    spoken = [
        {**rule, "Description": [*rule["Description"], {"lang": "zh", "desc": f"规则 {rule['Identifier']}。"}]}
        for rule in rules
    ]
    sets = {name: codes for name, codes in value_sets.items() if isinstance(codes, list)}
    return {"country": rules[0]["Country"], "scenes": ["border"], "rules": spoken, "value_sets": sets}


def _cases(entries: list[dict[str, Any]]) -> Iterator[Case]:
    for entry in entries:
        for test in entry["tests"]:
            clock = test["external"].get("validationClock")
            at = NOW if clock is None else datetime.fromisoformat(str(plus_time(clock, 0, "day")))
            yield Case({"ver": "1.3.0", **(test["payload"] or {})}, at, entry["rule"]["Identifier"], test["expected"])
