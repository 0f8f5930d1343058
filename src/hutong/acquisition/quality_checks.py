"""The checks behind quality rules, as Ibis expressions: most rules are answered by one aggregate over the table.

A check answers (checked, concerned, unit). A rule that reads an element which the source never fills answers 0 checked,
so that a list is not scored on what it does not claim, except where the rule is that the element must be present. Rows
of a receipt whose boundary keeps such an element out are not checked at all: that it is missing is no fault of theirs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any

from hutong.acquisition.boundary import Boundary
from hutong.acquisition.conditions import OPERATORS, Condition
from hutong.acquisition.quality import QualityRule
from hutong.acquisition.receipt import Receipt

Answer = tuple[int, int, str]
_LINEAGE = ("fact_id", "source_id", "receipt_id", "row_number", "true_from", "known_at")


class Checks:
    """Runs rules on one table. ``rows`` is the number of accepted rows."""

    def __init__(
        self,
        table: Any,
        receipts: Sequence[Receipt],
        to_arrow: Callable[[Any], Any],
        *,
        at: datetime,
        released: Any = None,
        boundaries: Mapping[str, Boundary] | None = None,
        areas: Any = None,
    ) -> None:
        self._table, self._to_arrow, self._at, self._released = table, to_arrow, at, released
        self._areas = areas
        self._received = sum(receipt.rows for receipt in receipts)
        self._not_accepted = sum(receipt.held + receipt.rejected for receipt in receipts)
        self._findings: Counter[str] = Counter()
        self._subjects: defaultdict[str, set[str]] = defaultdict(set)
        for receipt in receipts:
            for noticed in receipt.findings:
                self._findings[noticed.rule] += noticed.rows
                self._subjects[noticed.rule].add(noticed.subject)
        self._receipts, self._boundaries = receipts, boundaries or {}
        self.rows = 0

    def run(self, rules: Sequence[QualityRule]) -> dict[str, Answer]:
        """Answers by rule id."""
        special: dict[str, Callable[[QualityRule], Answer]] = {
            "finding": self._finding,
            "not-accepted": lambda _rule: (self._received, self._not_accepted, "rows"),
            "equal-rows": self._equal_rows,
            "one-parent": self._one_parent,
            "known-area": self._known_area,
            "near-its-area": self._near_its_area,
        }
        kept_out = {rule.id for rule in rules if len(self._not_asked(rule)) == len(self._receipts)}
        answers = self._aggregate([rule for rule in rules if rule.kind not in special and rule.id not in kept_out])
        for rule in rules:
            if rule.id in kept_out:
                answers[rule.id] = (0, 0, "rows")
            elif rule.kind in special:
                answers[rule.id] = special[rule.kind](rule)
        return answers

    def _not_asked(self, rule: QualityRule) -> list[str]:
        """Ids of the receipts whose boundary keeps out what a condition of the rule needs: an element, or all of those
        of which one is enough.
        """
        needed = [group for condition in (rule.require, rule.when) if condition for group in condition.needed]
        return [
            receipt.id
            for receipt in self._receipts
            if any(all(self._keeps_out(receipt, name) for name in group) for group in needed)
        ]

    def _keeps_out(self, receipt: Receipt, element: str) -> bool:
        boundary = self._boundaries.get(receipt.boundary)
        forbidden = boundary is not None and element not in boundary.tables.get(receipt.table, ())
        return element not in _LINEAGE and (forbidden or element in receipt.refused_values)

    def _aggregate(self, rules: Sequence[QualityRule]) -> dict[str, Answer]:
        """One pass over the table for all rules that look at a row alone."""
        import ibis

        measures: dict[str, Any] = {"rows": self._table.count()}
        for at, rule in enumerate(rules):
            if rule.kind == "fresh":
                measures[f"newest_{at}"] = self._table[rule.elements[0]].max()
                continue
            checked, concerned = self._masks(rule)
            measures[f"checked_{at}"] = ibis.ifelse(checked, 1, 0).sum()
            measures[f"concerned_{at}"] = ibis.ifelse(checked & concerned, 1, 0).sum()
        found = self._to_arrow(self._table.aggregate(**measures)).to_pylist()[0]
        self.rows = int(found["rows"] or 0)
        twice = self._counted_twice(rules)
        answers: dict[str, Answer] = {}
        for at, rule in enumerate(rules):
            if rule.kind == "fresh":
                newest = found[f"newest_{at}"]
                old = newest is not None and (self._at.date() - newest).days > rule.limit
                answers[rule.id] = (int(newest is not None), int(old), "lists")
                continue
            checked, concerned = int(found[f"checked_{at}"] or 0), int(found[f"concerned_{at}"] or 0)
            if rule.kind == "some":
                answers[rule.id] = (int(checked > 0), int(checked > 0 and concerned == checked), "lists")
            else:
                also = sum(self._findings[name] for name in rule.findings) - twice.get(rule.id, 0)
                answers[rule.id] = (checked + also, concerned + also, "rows")
        return answers

    def _counted_twice(self, rules: Sequence[QualityRule]) -> dict[str, int]:
        """Rows by rule that were held for what it finds, and were released: their receipt told of them already."""
        import ibis

        both = [rule for rule in rules if rule.findings and rule.kind not in ("fresh", "some")]
        if self._released is None or not both:
            return {}
        measures = {}
        for rule in both:
            checked, concerned = self._masks(rule)
            measures[rule.id] = ibis.ifelse(checked & concerned, 1, 0)
        marked = self._table.mutate(**measures).semi_join(self._released, ["receipt_id", "row_number"])
        found = self._to_arrow(marked.aggregate(**{rule.id: marked[rule.id].sum() for rule in both})).to_pylist()[0]
        return {
            rule.id: min(int(found[rule.id] or 0), sum(self._findings[name] for name in rule.findings)) for rule in both
        }

    def _masks(self, rule: QualityRule) -> tuple[Any, Any]:
        """Which rows a rule checks, and which of them it concerns."""
        if rule.kind == "in-country":
            return self._outside_country(rule)
        if rule.require is None:
            raise AssertionError(f"the rule {rule.id} has no condition")  # the file's reader refuses such a rule
        met, known = self._evaluated(rule.require)
        if rule.when is not None:
            wanted, when_known = self._evaluated(rule.when)
            known = known & when_known & wanted.fill_null(False)
        if excused := self._not_asked(rule):
            known = known & self._table.receipt_id.notin(excused)
        return known, ~met.fill_null(False)

    def _evaluated(self, condition: Condition) -> tuple[Any, Any]:
        import ibis

        left = self._table[condition.left]
        if condition.operator in ("present", "absent"):
            present = reduce(or_, [self._table[name].notnull() for name in condition.elements])
            every_row = left.notnull() | left.isnull()
            return (present if condition.operator == "present" else ~present), every_row
        right = self._table[condition.right] if condition.right_is_element else condition.right
        known = left.notnull() & right.notnull() if condition.right_is_element else left.notnull()
        if condition.days:
            right = right + ibis.interval(days=condition.days)
        return OPERATORS[condition.operator](left, right), known

    def _outside_country(self, rule: QualityRule) -> tuple[Any, Any]:
        import ibis

        area, longitude, latitude = (self._table[name] for name in rule.elements)
        known = area.notnull() & longitude.notnull() & latitude.notnull()
        inside = ibis.literal(False)
        boxed = ibis.literal(False)
        for country, (west, south, east, north) in (rule.boxes or {}).items():
            here = area.startswith(country)
            boxed = boxed | here
            inside = inside | (here & longitude.between(west, east) & latitude.between(south, north))
        return known & boxed.fill_null(False), ~inside.fill_null(False)

    def _finding(self, rule: QualityRule) -> Answer:
        """What acquisition noticed, over the rows (or, for several columns, the cells) that it looked at."""
        concerned = sum(self._findings[name] for name in rule.findings)
        if rule.only_noticed and not concerned:
            return 0, 0, "rows"
        columns = len(set().union(*(self._subjects[name] for name in rule.findings)))
        if columns > 1:
            return self._received * columns, concerned, "cells"
        return self._received, concerned, "rows"

    def _equal_rows(self, _rule: QualityRule) -> Answer:
        """Rows that another row equals in every element; the first of each group is not concerned."""
        elements = [name for name in self._table.columns if name not in _LINEAGE]
        counted = self._table.group_by(elements).aggregate(n=self._table.count())
        repeated = counted.filter(counted.n > 1)
        found = self._to_arrow(repeated.aggregate(rows=repeated.n.sum(), groups=repeated.count())).to_pylist()[0]
        return self.rows, int(found["rows"] or 0) - int(found["groups"] or 0), "rows"

    def _one_parent(self, rule: QualityRule) -> Answer:
        """Rows whose area lies in another parent than the same-named area does elsewhere (codes made of names)."""
        placed = self._table.filter(self._table[rule.elements[0]].notnull())
        counted = placed.group_by(rule.elements[0]).aggregate(n=placed.count())
        parents: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in self._to_arrow(counted).to_pylist():
            parts = str(row[rule.elements[0]]).split(".")
            if len(parts) >= 3:
                parents[parts[-2]][".".join(parts[:-2])] += int(row["n"])
        checked = sum(names.total() for names in parents.values())
        concerned = sum(names.total() - max(names.values()) for names in parents.values())
        return checked, concerned, "rows"

    def _known_area(self, rule: QualityRule) -> Answer:
        """Rows whose area is none of the source's own; nothing is checked where it has none."""
        if self._areas is None:
            return 0, 0, "rows"
        known = set(self._to_arrow(self._areas.select("area_code").distinct())["area_code"].to_pylist())
        if not known:
            return 0, 0, "rows"
        placed = self._table.filter(self._table[rule.elements[0]].notnull())
        counted = self._to_arrow(placed.group_by(code=placed[rule.elements[0]]).aggregate(n=placed.count())).to_pylist()
        unknown = sum(int(row["n"]) for row in counted if row["code"] not in known)
        return sum(int(row["n"]) for row in counted), unknown, "rows"

    def _near_its_area(self, rule: QualityRule) -> Answer:
        """Rows whose coordinates lie further than the limit (degrees) from the median of their own area."""
        import ibis

        table = self._table
        area, longitude, latitude = (table[name] for name in rule.elements)
        known = reduce(and_, [column.notnull() for column in (area, longitude, latitude)])
        points = table.filter(known).select(area=area, longitude=longitude, latitude=latitude)
        centres = points.group_by(centre_area=points.area).aggregate(
            centre_longitude=points.longitude.median(), centre_latitude=points.latitude.median()
        )
        joined = points.join(centres, points.area == centres.centre_area)
        far = ((joined.longitude - joined.centre_longitude).abs() > rule.limit) | (
            (joined.latitude - joined.centre_latitude).abs() > rule.limit
        )
        measured = joined.aggregate(checked=joined.count(), concerned=ibis.ifelse(far, 1, 0).sum())
        found = self._to_arrow(measured).to_pylist()[0]
        return int(found["checked"] or 0), int(found["concerned"] or 0), "rows"
