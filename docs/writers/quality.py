"""The page of quality rules: what is checked, what it weighs, and how a label comes about."""

from __future__ import annotations

from docs.writers.markdown import page, table

from hutong.acquisition.quality import DIMENSIONS, SHAPES, QualityRule
from hutong.acquisition.quality_file import default_rules
from hutong.standard import load


def write() -> str:
    """The page."""
    rules = default_rules(load())
    labels = (
        f"{SHAPES['good']} **good** from {rules.good_from:g}, unless a dimension is below {rules.floor:g}; "
        f"{SHAPES['fair']} **fair** from {rules.fair_from:g}; {SHAPES['poor']} **poor** below; "
        f"{SHAPES['unknown']} **unknown** where nothing could be checked."
    )
    sections = []
    for dimension in DIMENSIONS:
        rows = [
            (f"`{rule.id}`", f"{rule.title['en']} · {rule.title['zh']}", f"{rule.weight:g}", _how(rule))
            for rule in rules.rules
            if rule.dimension == dimension
        ]
        head = f"## {dimension.capitalize()} (weight {rules.weights[dimension]:g})"
        sections.append(head + "\n\n" + table(("Rule", "What is wrong", "Weight", "How it is found"), rows))
    source = "src/hutong/acquisition/quality_rules.yaml and quality_weights.yaml"
    return page("Quality rules", source, _INTRODUCTION, labels, *sections)


_INTRODUCTION = """
A rule's score is the share of what it checked that it does not concern; a dimension's score is the weighted mean of its
rules; the whole is the weighted mean of the dimensions. A rule that could check nothing (no such column, no such case)
has no score and weighs nothing. A rule that compares two values checks only rows that have both.
`age or age_group present` is met by a row that has either.
"""


def _how(rule: QualityRule) -> str:
    kinds = {
        "finding": "noticed when acquired",
        "not-accepted": "held or rejected when acquired",
        "equal-rows": "equal in everything collected; a finding, never a reason to drop a row",
        "one-parent": "an inner area with two parents",
        "known-area": "none of the areas that were acquired from the same source; not checked where there are none",
        "near-its-area": f"more than {rule.limit:g} degrees from the middle of its area",
        "in-country": "outside the box of the country",
        "some": f"no row meets `{rule.require.text}`" if rule.require else "no row",
        "fresh": f"older than {rule.limit:g} days",
    }
    parts = []
    if rule.kind == "condition" and rule.require:
        parts.append(f"not `{rule.require.text}`" + (f" where `{rule.when.text}`" if rule.when else ""))
    else:
        parts.append(kinds[rule.kind])
    if rule.findings:
        parts.append("acquisition's " + ", ".join(f"`{name}`" for name in rule.findings))
    return "; ".join(parts)
