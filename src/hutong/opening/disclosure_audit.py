"""The attacker who reads a release of counts and narrows its withheld cells: what it finds stops the release.

It sees only what is published, knows the rule of :mod:`hutong.opening.disclosure`, and shares no decision with it.
Bounds go up (a whole lies between the sums of its parts' bounds) and down (a part is the whole less the other parts).
Because areas form a tree, one pass each way gives the exact set of feasible values of every cell, an interval.
Import lazily: NumPy and PyArrow are loaded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from hutong.errors import BadInput, Refused

from .area_tree import AreaTree, Flags, Ints, read_tree

# Above any count, and small enough that 20 million of them add up exactly.
UNBOUNDED = 1 << 28

Finding = Literal["too few values", "small cell published", "contradiction"]


@dataclass(frozen=True, slots=True)
class Breach:
    """One cell that the release would give away, or that does not fit.

    Attributes:
        period, area_code: the cell.
        finding: what is wrong.
        lowest, highest: the bounds that the attacker finds, both feasible.
        required: how many values the guarantee asks for.
    """

    period: str
    area_code: str
    finding: Finding
    lowest: int
    highest: int
    required: int


def audit(published: pa.Table, *, threshold: int) -> list[Breach]:
    """Attack ``published`` and return every cell that does not hold, in the table's order; empty when all is well.

    Args:
        published: ``period, area_code, parent_code, level, status, value``.
        threshold: the threshold that the release states.

    Raises:
        BadInput: the table is no tree per period, or a status and its value do not fit.
    """
    tree = read_tree(published)
    withheld, value = _read_cells(published)
    low, high = feasible(tree, withheld, value, threshold)
    whole_period = withheld[tree.root]
    is_total = (tree.parent < 0) | (whole_period & (tree.count_leaves() == tree.count_leaves()[tree.root]))
    required = np.where(is_total & whole_period, threshold - 1, threshold)
    contradiction = low > high
    small = ~withheld & (value > 0) & (value < threshold)
    narrow = withheld & (high - low + 1 < required)
    found = np.flatnonzero(contradiction | small | narrow)
    periods = published.column("period").take(pa.array(found)).to_pylist()
    codes = published.column("area_code").take(pa.array(found)).to_pylist()
    finding: list[Finding] = [
        "contradiction" if contradiction[row] else "small cell published" if small[row] else "too few values"
        for row in found
    ]
    return [
        Breach(str(period), str(code), what, int(low[row]), int(high[row]), int(required[row]))
        for period, code, what, row in zip(periods, codes, finding, found, strict=True)
    ]


def require_safe(published: pa.Table, *, threshold: int) -> None:
    """Refuse a table that :func:`audit` breaks.

    Raises:
        Refused: with one reason per breached cell (at most 20), naming no value.
    """
    breaches = audit(published, threshold=threshold)
    if breaches:
        raise Refused(
            f"{len(breaches)} cells of this table could be computed or narrowed from what is published.",
            "Suppress it again with the stated threshold, or publish coarser areas or periods.",
            tuple(f"{breach.finding}: {breach.area_code} in {breach.period}" for breach in breaches[:20]),
        )


def feasible(tree: AreaTree, withheld: Flags, value: Ints, threshold: int) -> tuple[Ints, Ints]:
    """Per row the least and the greatest value that fits everything published (least > greatest: nothing fits)."""
    veiled = _veiled(tree, withheld, value, threshold)
    leaf = tree.children == 0
    low = np.where(withheld, np.where(veiled, 0, 1), value).astype(np.int64)
    high = np.where(withheld, np.where(veiled & leaf, threshold - 1, UNBOUNDED), value).astype(np.int64)
    period_total = withheld & (tree.parent < 0)
    high[period_total] = threshold - 1
    inner = ~leaf
    for rows in reversed(tree.levels[1:]):
        least, most = tree.add_children(low, rows), tree.add_children(high, rows)
        touched = np.unique(tree.parent[rows])
        touched = touched[inner[touched]]
        low[touched] = np.maximum(low[touched], least[touched])
        high[touched] = np.minimum(high[touched], most[touched])
    for rows in tree.levels[1:]:
        parent = tree.parent[rows]
        least, most = tree.add_children(low, rows), tree.add_children(high, rows)
        others_least, others_most = least[parent] - low[rows], most[parent] - high[rows]
        new_low = np.maximum(low[rows], low[parent] - others_most)
        high[rows] = np.minimum(high[rows], high[parent] - others_least)
        low[rows] = new_low
    return low, high


def _veiled(tree: AreaTree, withheld: Flags, value: Ints, threshold: int) -> Flags:
    """Rows whose zeros may be withheld too: under a withheld period, or under a total where the rule must veil."""
    published_below = tree.sum_below((~withheld).astype(np.int64))
    for rows in reversed(tree.levels[1:]):
        published_below += tree.add_children(published_below, rows)
    leaves = tree.count_leaves()
    all_withheld = (tree.children > 0) & (published_below == 0)
    must_veil = all_withheld & ~withheld & (leaves >= value - threshold + 3)
    return tree.inherit(must_veil | (withheld & (tree.parent < 0)))


def _read_cells(published: pa.Table) -> tuple[Flags, Ints]:
    for name in ("status", "value"):
        if name not in published.column_names:
            raise BadInput(f"The release has no column {name!r}.", "Audit what the suppression step returns.")
    import pyarrow.compute as pc

    state = pc.index_in(published.column("status"), value_set=pa.array(["published", "withheld"]))
    withheld: Flags = state.to_numpy() == 1
    if state.null_count:
        raise BadInput("A status is neither 'published' nor 'withheld'.", "Audit what the suppression step returns.")
    column = published.column("value")
    if np.any(column.is_valid().to_numpy() == withheld):
        raise BadInput("A withheld cell has a value, or a published cell has none.", "Suppress the table again.")
    value: Ints = column.cast(pa.int64()).fill_null(0).to_numpy()
    if np.any(value < 0) or np.any(value > UNBOUNDED):
        raise BadInput("A published value is no possible count.", "Audit what the suppression step returns.")
    return withheld, value
