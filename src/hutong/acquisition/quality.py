"""The quality of what was acquired: five dimensions, each score traceable to rules with counts, and one label.

Dimensions after ISO/IEC 25012 and the data-quality practice of surveillance (completeness, validity, consistency,
timeliness, uniqueness). A rule's score is the share of the rows it checked that it does not concern; a dimension's is
the weighted mean of its rules; the whole is the weighted mean of the dimensions. Nothing checked means no score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from hutong.acquisition.boundary import Boundary
from hutong.acquisition.conditions import Condition
from hutong.acquisition.receipt import Receipt
from hutong.errors import BadInput

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

DIMENSIONS: Final = ("completeness", "validity", "consistency", "timeliness", "uniqueness")
SHAPES: Final = {"good": "●", "fair": "▲", "poor": "■", "unknown": "?"}
Kind = Literal[
    "condition",
    "finding",
    "not-accepted",
    "equal-rows",
    "one-parent",
    "known-area",
    "near-its-area",
    "in-country",
    "some",
    "fresh",
]


@dataclass(frozen=True, slots=True)
class QualityRule:
    """One rule. ``title`` names what is wrong, by language; ``unit`` is what is counted (rows, cells, lists).

    ``require`` and ``when`` belong to conditions (and ``require`` to ``some``: at least one row must meet it);
    ``elements`` to the kinds that read elements; ``findings`` are rules of acquisition whose rows count too, because
    a row that was held for a reason is not in the table any more; ``limit`` is in degrees or days. With
    ``only_noticed`` a list in which acquisition noticed nothing of the kind counts as not checked.
    """

    id: str
    dimension: str
    kind: Kind
    title: Mapping[str, str]
    weight: float = 1.0
    require: Condition | None = None
    when: Condition | None = None
    elements: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    limit: float = 0.0
    only_noticed: bool = False
    boxes: Mapping[str, tuple[float, float, float, float]] | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules, the weight of each dimension, and the scores from which a label is good or fair.

    A dimension below ``floor`` keeps the whole from being good, however good the others are.
    """

    table: str
    rules: tuple[QualityRule, ...]
    weights: Mapping[str, float]
    good_from: float
    fair_from: float
    floor: float


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What a rule found: ``concerned`` of ``checked``, in ``unit``. ``score`` is None where nothing was checked."""

    id: str
    dimension: str
    title: Mapping[str, str]
    checked: int
    concerned: int
    unit: str
    weight: float

    @property
    def score(self) -> float | None:
        return None if self.checked == 0 else 1 - self.concerned / self.checked

    def sentence(self, language: str = "en") -> str:
        """What was found, in one line."""
        title = self.title.get(language, self.title["en"])
        if language == "zh":
            unit = {"rows": "行", "cells": "个单元格", "lists": "份名单"}[self.unit]
            return f"{title}：{self.checked:,} {unit}中有 {self.concerned:,} {unit}"
        return f"{title}: {self.found}"

    @property
    def found(self) -> str:
        """The counts in English: "2 of 900 rows", "1 of 1 list"."""
        unit = self.unit.removesuffix("s") if self.checked == 1 else self.unit
        return f"{self.concerned:,} of {self.checked:,} {unit}"


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """The score of one dimension, from 0 to 1; None where no rule of it could check anything."""

    dimension: str
    score: float | None
    weight: float


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The assessment of one source and table at one moment."""

    table: str
    rows: int
    assessed_at: datetime
    dimensions: tuple[DimensionScore, ...]
    results: tuple[RuleResult, ...]
    score: float
    label: str

    @property
    def shape(self) -> str:
        """The shape that goes with the label, so that it never depends on colour."""
        return SHAPES[self.label]

    def wrong(self) -> list[RuleResult]:
        """The rules that concern anything, those that cost the score most first."""
        found = [result for result in self.results if result.concerned]
        return sorted(found, key=lambda r: (-(1 - (r.score or 0.0)) * r.weight, r.id))

    def document(self) -> dict[str, Any]:
        """JSON form; each result carries its score and sentence for readers of the API."""
        results = [
            {**asdict(r), "title": dict(r.title), "score": r.score, "sentence": r.sentence()} for r in self.results
        ]
        return {
            "table": self.table,
            "rows": self.rows,
            "assessed_at": self.assessed_at.isoformat(),
            "score": self.score,
            "label": self.label,
            "shape": self.shape,
            "dimensions": [asdict(d) for d in self.dimensions],
            "results": results,
        }


def read_report(document: Mapping[str, Any]) -> QualityReport:
    """A report from its JSON form."""
    fields = ("id", "dimension", "title", "checked", "concerned", "unit", "weight")
    return QualityReport(
        table=document["table"],
        rows=document["rows"],
        assessed_at=datetime.fromisoformat(document["assessed_at"]),
        dimensions=tuple(DimensionScore(**d) for d in document["dimensions"]),
        results=tuple(RuleResult(**{name: r[name] for name in fields}) for r in document["results"]),
        score=document["score"],
        label=document["label"],
    )


def assess(
    table: ibis.Table,
    rules: RuleSet,
    receipts: Sequence[Receipt],
    *,
    to_arrow: Callable[[ibis.Table], pa.Table],
    at: datetime,
    released: ibis.Table | None = None,
    boundaries: Mapping[str, Boundary] | None = None,
    areas: ibis.Table | None = None,
) -> QualityReport:
    """Assess accepted facts of one table together with the receipts of the files they came from.

    ``table`` is an Ibis expression with the standard's columns and the lineage; ``to_arrow`` runs an expression on
    whatever engine the caller uses. ``at`` is the moment of assessment, in UTC. ``released`` names the rows
    (``receipt_id``, ``row_number``) that were held and became facts later: what is wrong with them stands in their
    receipt and shows in the table too, and is counted once. ``boundaries`` are those that the receipts name, by id:
    what one keeps out is asked of no row that came under it. ``areas`` are those of the source.

    Raises BadInput without receipts.
    """
    from hutong.acquisition.quality_checks import Checks

    if not receipts:
        raise BadInput("There is no receipt to assess with.", "Acquire a file first.")
    checks = Checks(table, receipts, to_arrow, at=at, released=released, boundaries=boundaries, areas=areas)
    counts = checks.run(rules.rules)
    results = tuple(
        RuleResult(rule.id, rule.dimension, rule.title, *counts[rule.id], rule.weight)
        for rule in rules.rules
        if rule.id in counts
    )
    return score_report(rules, results, rows=checks.rows, at=at)


def score_report(rules: RuleSet, results: Iterable[RuleResult], *, rows: int, at: datetime) -> QualityReport:
    """From counts to scores and the label."""
    kept = tuple(results)
    dimensions = tuple(
        DimensionScore(name, _weighted((r.score, r.weight) for r in kept if r.dimension == name), rules.weights[name])
        for name in DIMENSIONS
    )
    total = _weighted((d.score, d.weight) for d in dimensions)
    label = "unknown"
    if total is not None:
        label = "good" if total >= rules.good_from else "fair" if total >= rules.fair_from else "poor"
        if label == "good" and any(d.score is not None and d.score < rules.floor for d in dimensions):
            label = "fair"
    return QualityReport(rules.table, rows, at, dimensions, kept, total or 0.0, label)


def _weighted(scores: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(score, weight) for score, weight in scores if score is not None and weight > 0]
    total = sum(weight for _, weight in known)
    return sum(score * weight for score, weight in known) / total if total else None
