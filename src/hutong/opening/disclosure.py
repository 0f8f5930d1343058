"""Statistical disclosure control of counts by area and period: which cells to withhold so that none can be had back.

The rule
    *Primary*: a count above zero and below the threshold (default 5) is withheld.
    *Complementary*: further cells are withheld, the smallest first, until no withheld cell can be computed, or narrowed
    too much, from the published cells and margins.
    *Zeros* are published: a zero shows nobody, and as a complement it would widen no interval (a lone withheld 3 beside
    a withheld 0 leaves the attacker "0 to 3"). One exception: where the withheld counts under a published total are so
    small that even all of them leave fewer than ``threshold`` values (five areas, total five, zeros published: each is
    one), everything under that total is withheld, its zeros too (a *veil*). A period whose own total is withheld is
    withheld whole.

The attacker
    knows every published cell and margin, that counts are non-negative integers that add up, the threshold, and the
    rule: published zeros are zeros, a withheld cell outside a veil is at least 1, every finest cell of a veil and every
    cell of a period withheld whole is below the threshold.

The guarantee, proved for each release by :func:`hutong.opening.disclosure_audit.audit`
    every withheld cell has at least ``threshold`` feasible values. The one exception is inherent in the rule: the total
    of a period withheld whole (and a cell that is all of that total) has ``threshold - 1``: 1 to ``threshold - 1``.

    Why it holds. Let N be a published total with withheld parts, and follow withheld parts downwards to their published
    cells. A withheld cell is at least ``low``: 1, or the sum over its parts (published value, or their ``low``). The
    *slack* of N is what is left when all its parts are at their ``low``. If at least two parts of N are withheld and
    every withheld inner cell has a withheld part, each withheld cell takes all values from ``low`` to ``low + slack``,
    because another branch takes up the rest; so slack ≥ threshold - 1 suffices. In a veil over L finest cells with a
    total N ≥ threshold, each may be 0 to threshold - 1 if L ≥ N - threshold + 3 (which is checked), even for one who
    knows that a veil was needed; otherwise N itself is withheld and its own siblings protect it.

Versions
    A period of which no count has changed is withheld as it was. In another, what the version before withheld as a
    complement stays withheld as long as a count of that period that was small is small still: a complement that moved
    would give the small count away to who subtracts one version from the other.

Outside the guarantee: what is known from elsewhere (a hospital's own cases, the same counts in coarser periods
published from the plain data, that one count alone has changed since the version before), and replaying the choice of
complements on every conceivable table (the minimality attack). Publish coarser periods through the same rule, from
their own counts.

After Hundepool et al., *Statistical Disclosure Control* (2012), chapter 4: secondary suppression in hierarchical
tables, protection intervals. Import lazily: NumPy and PyArrow are loaded here.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from hutong.errors import BadInput

from .area_tree import AreaTree, Flags, Ints, read_tree
from .earlier_version import Earlier

THRESHOLD = 5
PUBLIC_COLUMNS = ("period", "area_code", "parent_code", "level", "status", "value")


def suppress(counts: pa.Table, *, threshold: int = THRESHOLD, earlier: Earlier | None = None) -> pa.Table:
    """Decide which cells of ``counts`` are withheld.

    Args:
        counts: ``period, area_code, parent_code, level, n``: one row per period and area, each period one tree of
            areas, ``n`` ≥ 0 and equal to the sum of its parts. An absent row is no zero: give the zeros.
        threshold: the smallest count that may be published, at least 2.
        earlier: the version before by row, made with the same threshold; None for a first version.

    Returns:
        ``counts`` with ``status`` ('published' | 'withheld'), ``value`` (null where withheld) and ``reason``
        ('primary' | 'complementary' | null). ``n`` and ``reason`` are for the node's own records: publish
        :func:`for_publication` of it.

    Raises:
        BadInput: the counts are no such table, do not add up, or the threshold is below 2.
        LimitExceeded: the table is too large.
    """
    if threshold < 2:
        raise BadInput(f"The threshold {threshold} would protect nobody.", "Use 2 or more; 5 is usual.")
    tree = read_tree(counts)
    n = _read_counts(counts, tree)
    primary = (n > 0) & (n < threshold)
    if earlier is None:
        withheld = _Suppression(tree, n, threshold).run(primary)
    else:
        withheld = _Suppression(tree, n, threshold).run(primary | _still_protecting(tree, n, threshold, earlier))
        withheld = np.where(_unchanged(tree, n, earlier), earlier.withheld, withheld)
    status = pa.array(["published", "withheld"]).take(pa.array(withheld.astype(np.int8)))
    why = pa.array(primary.astype(np.int8), mask=~withheld)
    return (
        counts.append_column("status", status)
        .append_column("value", pa.array(n, pa.int64(), mask=withheld))
        .append_column("reason", pa.array(["complementary", "primary"]).take(why))
    )


def for_publication(suppressed: pa.Table) -> pa.Table:
    """Keep what may leave the node: neither the plain counts nor why a cell is withheld."""
    return suppressed.select(list(PUBLIC_COLUMNS))


def _still_protecting(tree: AreaTree, n: Ints, threshold: int, earlier: Earlier) -> Flags:
    """Complements of the version before, in periods where a count that was small then is small now.

    A period that was withheld whole published no sum that they could be subtracted from.
    """
    small, was_small = ((counts > 0) & (counts < threshold) for counts in (n, earlier.n))
    lasting: Ints = np.bincount(tree.period, weights=small & was_small)
    was_complement = earlier.withheld & (earlier.n >= threshold) & ~earlier.withheld[tree.root]
    return was_complement & (n > 0) & (lasting[tree.period] > 0)


def _unchanged(tree: AreaTree, n: Ints, earlier: Earlier) -> Flags:
    """Rows of periods that were published before and have the same counts; an area that is new counts as zero."""
    changed: Ints = np.bincount(tree.period, weights=n != np.maximum(earlier.n, 0))
    unchanged: Flags = (changed[tree.period] == 0) & (earlier.n[tree.root] >= 0)
    return unchanged


class _Suppression:
    """The growing set of chosen cells, until the guarantee holds.

    It ends: ``chosen`` only grows, and a total that is chosen is never veiled again.
    """

    def __init__(self, tree: AreaTree, n: Ints, threshold: int) -> None:
        self.tree = tree
        self.n = n
        self.threshold = threshold
        self.leaf = tree.children == 0
        self.leaves = tree.count_leaves()
        self.chosen: Flags = np.zeros(n.size, dtype=bool)
        self.veil: Flags = np.zeros(n.size, dtype=bool)  # rows under which everything is withheld
        self.withheld: Flags = self.chosen  # chosen, or under a veil
        large_leaf = (self.leaf & (n >= threshold)).astype(np.int64)
        for rows in reversed(tree.levels[1:]):
            large_leaf += tree.add_children(large_leaf, rows)
        self.only_small = large_leaf == 0
        self.depth = np.zeros(n.size, dtype=np.int64)
        for number, rows in enumerate(tree.levels):
            self.depth[rows] = number

    def run(self, primary: Flags) -> Flags:
        """Return the withheld rows, given those that the threshold withholds."""
        self.chosen = primary.copy()
        while True:
            # A veil protects under a published total only; a total that is withheld now has siblings instead.
            self.veil = np.where(self.tree.parent < 0, self.veil | self.chosen, self.veil & ~self.chosen)
            veiled = self.tree.inherit(self.veil)
            self.withheld = self.chosen | veiled
            if not (self._repair_exact(veiled) or self._repair_narrow(veiled)):
                return self.withheld

    def _repair_exact(self, veiled: Flags) -> bool:
        """Withhold one more part where a lone withheld part, or an inner cell without one, can be computed."""
        parts = self.tree.sum_below(self.withheld.astype(np.int64))
        inner = ~self.leaf & ~veiled & ~self.veil
        exact = inner & np.where(self.withheld, parts == 0, parts == 1)
        return self._withhold_smallest(exact, self.tree.parent, veiled)

    def _repair_narrow(self, veiled: Flags) -> bool:
        """Withhold one more cell below each published total whose slack is too small."""
        low = self._low(veiled)
        parts = self.tree.sum_below(self.withheld.astype(np.int64))
        slack = self.n - self.tree.sum_below(low)
        narrow = ~self.leaf & ~self.withheld & ~self.veil & (parts > 0) & (slack < self.threshold - 1)
        anchor = self.tree.parent.copy()
        for rows in self.tree.levels[2:]:
            parent = self.tree.parent[rows]
            anchor[rows] = np.where(self.withheld[parent], anchor[parent], parent)
        return self._withhold_smallest(narrow, anchor, veiled)

    def _low(self, veiled: Flags) -> Ints:
        """Per cell the least that the attacker must assume: see the module's proof."""
        low = np.where(self.withheld, np.where(veiled, 0, 1), self.n).astype(np.int64)
        for rows in reversed(self.tree.levels[1:]):
            below = self.tree.add_children(low, rows)
            low = np.where(self.withheld, np.maximum(low, below), low)
        return low

    def _withhold_smallest(self, wanting: Flags, group: Ints, veiled: Flags) -> bool:
        """Per wanting row withhold the smallest published count of its group; where there is none, veil or give up."""
        if not wanting.any():
            return False
        can = np.flatnonzero(~self.withheld & ~veiled & (self.n > 0) & (group >= 0))
        can = can[wanting[group[can]]]
        # The finest cells first among equals: they cost the reader less than a margin.
        can = can[np.lexsort((self.tree.rank[can], -self.depth[can], self.n[can], group[can]))]
        served, first = np.unique(group[can], return_index=True)
        self.chosen[can[first]] = True
        left = wanting.copy()
        left[served] = False
        self._close(np.flatnonzero(left))
        return True

    def _close(self, rows: Ints) -> None:
        """Veil what lies below these totals where that is enough, else withhold the totals themselves."""
        enough = (
            self.only_small[rows]
            & ~self.withheld[rows]
            & (self.tree.children[rows] >= 2)
            & (self.leaves[rows] >= self.n[rows] - self.threshold + 3)
        )
        self.veil[rows[enough]] = True
        self.chosen[rows[~enough]] = True


def _read_counts(counts: pa.Table, tree: AreaTree) -> Ints:
    if "n" not in counts.column_names:
        raise BadInput("The table of counts has no column 'n'.", "Give the plain counts as n.")
    if counts.column("n").null_count or not pa.types.is_integer(counts.schema.field("n").type):
        raise BadInput("A count is missing or is not a whole number.", "Give n as integers, zeros included.")
    n: Ints = counts.column("n").cast(pa.int64()).to_numpy()
    if np.any(n < 0):
        raise BadInput("A count is below zero.", "Give counts, not changes.")
    inner = tree.children > 0
    if np.any(n[inner] != tree.sum_below(n)[inner]):
        raise BadInput(
            "The counts of the parts do not add up to the count of the whole.",
            "Put what belongs to no part into a part of its own.",
        )
    return n
