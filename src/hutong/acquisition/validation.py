"""What happens to a row: accepted, held for a person, or rejected; with rule, element and reason.

Rules come from the standard (type, code list, range, pattern, necessary; a date in the future is held) and
from the mapping (row rules). Equal rows are never dropped: lists without case numbers hold different people
in equal rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hutong.acquisition.columns import Indices
from hutong.acquisition.conditions import Condition
from hutong.acquisition.mapping import RowRule
from hutong.standard import Element

Mask = npt.NDArray[np.bool_]
_SEVERITY = {"held": 1, "rejected": 2}
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


class Finding(NamedTuple):
    """What was noticed about a column or an element without deciding about the row."""

    rule: str
    subject: str


@dataclass(frozen=True, slots=True)
class Item:
    """The answer to one row that was not accepted.

    ``row_number`` counts data rows of the file from 1. ``raw`` holds the text of the columns that the
    boundary allows and that are no direct identifiers; it is empty for a row whose cells don't fit the
    header. ``content`` of a held row is the fact that it would be (``held.packed``): to be sealed, never
    shown.
    """

    row_number: int
    outcome: Literal["held", "rejected"]
    rule: str
    element: str
    reason: str
    raw: Mapping[str, str | None] = field(default_factory=dict)
    content: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Verdicts:
    """The verdicts on the rows of one chunk while rules are applied; the most severe and first rule decides a
    row."""

    num_rows: int
    findings: Counter[Finding] = field(default_factory=Counter)
    _severity: npt.NDArray[np.int8] = field(init=False)
    _noted: set[Finding] = field(default_factory=set)
    _why: dict[int, tuple[str, str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._severity = np.zeros(self.num_rows, dtype=np.int8)

    def note(self, notes: Counter[Finding]) -> None:
        """Count what was noticed about columns; a column that feeds several elements counts once."""
        for finding, rows in notes.items():
            if finding not in self._noted:
                self._noted.add(finding)
                self.findings[finding] += rows

    def mark(self, rows: Indices, outcome: str, rule: str, element: str, reason: str, *, counted: bool = True) -> None:
        """Apply a rule's outcome (held, rejected; else only counted) to rows given by position."""
        if not len(rows):
            return
        if counted:
            self.findings[Finding(rule, element)] += len(rows)
        severity = _SEVERITY.get(outcome, 0)
        for row in rows[self._severity[rows] < severity].tolist():
            self._severity[row] = severity
            self._why[row] = (rule, element, reason)

    def undecided_by(self, element: Element, rows: Indices) -> Indices:
        """Those of the rows that were not decided by this element already: bad text is not missing text."""
        kept = [row for row in rows.tolist() if self._why.get(row, ("", ""))[1] != element.name]
        return np.array(kept, dtype=np.int64)

    @property
    def accepted(self) -> Mask:
        mask: Mask = self._severity == 0
        return mask

    @property
    def held(self) -> Mask:
        mask: Mask = self._severity == _SEVERITY["held"]
        return mask

    def decided(self) -> list[tuple[int, Literal["held", "rejected"], str, str, str]]:
        """(position, outcome, rule, element, reason) of every row that is not accepted, in row order."""
        return [
            (row, "rejected" if self._severity[row] == _SEVERITY["rejected"] else "held", *self._why[row])
            for row in sorted(self._why)
        ]


def missing_necessary(element: Element, values: pa.Array, verdicts: Verdicts) -> None:
    """Reject rows without a value of a necessary element."""
    if element.necessary and values.null_count:
        rows = verdicts.undecided_by(element, np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False)))
        verdicts.mark(rows, "rejected", "missing", element.name, f"{element.name} is necessary and has no value.")


def out_of_time(element: Element, values: pa.Array, known_at: datetime, verdicts: Verdicts) -> None:
    """Hold rows with a date before 1900 (a typing error such as 0215 for 2015), or after the node learnt of them."""
    if element.type not in ("date", "datetime"):
        return
    is_date = element.type == "date"
    for rule, told, limit, is_out in (
        ("too-long-ago", "before", EARLIEST, pc.less),
        ("in-the-future", "after", known_at, pc.greater),
    ):
        day: Any = limit.date() if is_date else limit
        out = pc.fill_null(is_out(values, pa.scalar(day, values.type)), False)
        rows = np.flatnonzero(out.to_numpy(zero_copy_only=False))
        verdicts.mark(rows, "held", rule, element.name, f"{element.name} is {told} {day.isoformat()}.")


def apply_row_rule(rule: RowRule, values: Mapping[str, pa.Array], verdicts: Verdicts) -> None:
    """Apply one row rule; ``values`` holds the arrays of the elements. A rule on elements that are absent is
    idle."""
    read = (*rule.require.elements, *(rule.when.elements if rule.when else ()))
    if any(name not in values for name in read):
        return
    broken = pc.invert(evaluate(rule.require, values))
    if rule.when:
        broken = pc.and_kleene(broken, evaluate(rule.when, values))
    rows = np.flatnonzero(pc.fill_null(broken, False).to_numpy(zero_copy_only=False))
    verdicts.mark(rows, rule.outcome, rule.id, rule.require.left, rule.reason)


def evaluate(condition: Condition, values: Mapping[str, pa.Array]) -> pa.Array:
    """A condition on arrays, as a boolean array; null where an operand of a comparison is missing."""
    left = values[condition.left]
    if condition.operator == "present":
        return reduce(pc.or_, (values[name].is_valid() for name in condition.elements))
    if condition.operator == "absent":
        return left.is_null()
    right = values[condition.right] if condition.right_is_element else condition.right
    if condition.days:
        right = pc.add(right, pa.scalar(condition.days * 86_400, pa.duration("s")))
    if pa.types.is_date(left.type):
        left = left.cast(pa.timestamp("us"))
    if condition.right_is_element and right.type != left.type:
        right = right.cast(left.type) if not pa.types.is_timestamp(right.type) else _without_zone(right)
    functions = {
        ">=": pc.greater_equal,
        "<=": pc.less_equal,
        ">": pc.greater,
        "<": pc.less,
        "==": pc.equal,
        "!=": pc.not_equal,
    }
    return functions[condition.operator](left, right)


def _without_zone(array: pa.Array) -> pa.Array:
    return array.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us")) if array.type.tz else array
