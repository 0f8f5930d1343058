"""k-anonymity by full-domain generalisation: publish each quasi-identifier at one level, drop the rows still too rare.

Every combination of levels is a node of a lattice. A node holds if the rows in classes smaller than ``k`` are at most
the suppression limit; they are dropped. Of the nodes that hold the one with the least *loss* is taken: per row and
element the share of the element's domain that its published value hides, (values merged - 1) / (values - 1), a dropped
row losing all (the loss metric of Iyengar, KDD 2002, as ARX computes it with equal weight on both). The search is
exact: the loss before dropping grows up the lattice and is a lower bound, and what fails fails at every finer node
(Sweeney, *Int. J. Uncertainty, Fuzziness and Knowledge-Based Systems* 10 (2002) 557 and 571; LeFevre et al., SIGMOD
2005). Records are read once, by the engine, into counts of distinct combinations; the lattice works on those.
Import lazily: NumPy, PyArrow and Ibis are loaded here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hutong.errors import BadInput, LimitExceeded, Refused

from .generalisation import Hierarchy
from .risk import Risk, as_ibis, risk

K = 10
SUPPRESSION_LIMIT = 0.02
MAX_NODES = 50_000
MAX_COMBINATIONS = 20_000_000
DENSE_KEYS = 1 << 16
LARGE_LATTICE = 1_000  # beyond it a failing node is worth a search for coarser failing ones
MAX_KEY = 1 << 62

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Node = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A table that may be released, and what it cost.

    Attributes:
        table: the quasi-identifiers as text at their levels, then the kept columns; sorted by all of them, so that the
            order of the source says nothing.
        levels: per quasi-identifier the name of its level.
        rows_read, rows_suppressed: counts.
        loss: 0 (as it was) to 1 (nothing left), see the module.
        nodes, nodes_counted: size of the lattice, and how much of it had to be counted.
        risk: measured on ``table``.
    """

    table: pa.Table
    levels: Mapping[str, str]
    rows_read: int
    rows_suppressed: int
    loss: float
    nodes: int
    nodes_counted: int
    risk: Risk


@dataclass(frozen=True, slots=True)
class Choice:
    """The node that was chosen: levels by number, the rows to drop, the loss, and how many nodes were counted."""

    node: Node
    suppressed: int
    loss: float
    counted: int


def deidentify(
    table: pa.Table | ir.Table,
    hierarchies: Sequence[Hierarchy],
    *,
    k: int = K,
    suppression_limit: float = SUPPRESSION_LIMIT,
    keep: Sequence[str] = (),
    sensitive: Sequence[str] = (),
) -> Deidentified:
    """Generalise ``table`` so that every published row shares its quasi-identifiers with at least ``k - 1`` others.

    Args:
        table: records; an Ibis table is worked on where it lies (DuckDB, Spark), an Arrow table on a DuckDB of its own.
        hierarchies: one per quasi-identifier. Columns that are neither here nor in ``keep`` are left out.
        k: least size of a class.
        suppression_limit: share of the rows that may be dropped, 0 to 1.
        keep: further columns to publish as they are.
        sensitive: those of ``keep`` whose diversity and closeness are measured.

    Raises:
        BadInput: a column is absent or declared twice, or a hierarchy's levels do not nest.
        LimitExceeded: more than 50,000 combinations of levels, or 20 million distinct combinations of values.
        Refused: no combination of levels holds, or the finished table does not.
    """
    rows = as_ibis(table)
    names = [hierarchy.element for hierarchy in hierarchies]
    _check_columns(rows, names, keep, sensitive)
    if k < 2 or not 0 <= suppression_limit <= 1:
        raise BadInput(f"k = {k} with a limit of {suppression_limit} protects nobody.", "Use k ≥ 2 and a share 0 to 1.")
    lattice = read_lattice(rows, hierarchies)
    choice = lattice.search(k, suppression_limit)
    finished = _apply(rows, hierarchies, choice.node, k, keep).to_pyarrow()
    measured = risk(finished, names, k=k, sensitive=sensitive)
    if measured.smallest_class < k or measured.share_below_k > 0:
        raise Refused(
            f"The finished table has a class of {measured.smallest_class} rows, fewer than k = {k}.",
            "Do not release it; report this, for the search and the measurement disagree.",
        )
    return Deidentified(
        table=finished,
        levels={h.element: h.levels[level].name for h, level in zip(hierarchies, choice.node, strict=True)},
        rows_read=lattice.rows,
        rows_suppressed=lattice.rows - finished.num_rows,
        loss=choice.loss,
        nodes=lattice.size,
        nodes_counted=choice.counted,
        risk=measured,
    )


class Lattice:
    """All combinations of levels over the distinct combinations of values.

    Per hierarchy and level: the number of each combination's published value, and what publishing it loses.
    """

    def __init__(self, n: Ints, codes: list[list[Ints]], losses: list[list[Floats]], weights: Floats) -> None:
        self.n = n
        self.rows = int(n.sum())
        self.codes = codes
        self.losses = losses
        self.weights = weights / weights.sum()
        self.cardinality = [[int(level.max(initial=0)) + 1 for level in levels] for levels in codes]
        self.size = int(np.prod([len(levels) for levels in codes]))

    def search(self, k: int, suppression_limit: float) -> Choice:
        """Find the node of least loss that drops at most ``suppression_limit`` of the rows.

        Raises:
            Refused: no node does.
        """
        allowed = int(suppression_limit * self.rows + 1e-9)
        floor = [
            [weight * float(loss @ self.n) / max(self.rows, 1) for loss in levels]
            for weight, levels in zip(self.weights, self.losses, strict=True)
        ]
        nodes = np.array(list(product(*(range(len(levels)) for levels in self.codes))), dtype=np.int64)
        least = np.sum([np.array(f)[nodes[:, q]] for q, f in enumerate(floor)], axis=0)
        # Equal bounds: the coarser node first, which is the more likely to hold.
        order = np.lexsort((-nodes.sum(axis=1), least))
        alive = np.ones(len(nodes), dtype=bool)
        best: Choice | None = None
        counted = 0
        for at in order:
            if best is not None and least[at] >= best.loss - 1e-12:
                break
            if not alive[at]:
                continue
            counted += 1
            node: Node = tuple(int(level) for level in nodes[at])
            suppressed, loss = self.measure(node, k)
            if suppressed > allowed:
                failing, probes = self._raise_failing(node, k, allowed) if self.size > LARGE_LATTICE else (node, 0)
                counted += probes
                alive &= ~np.all(nodes <= np.array(failing), axis=1)
            elif best is None or loss < best.loss:
                best = Choice(node, suppressed, loss, 0)
        if best is None or best.suppressed == self.rows:
            raise Refused(
                f"No combination of levels leaves classes of {k} rows with at most {suppression_limit:.1%} dropped.",
                "Release more rows together, add coarser levels, or drop a quasi-identifier.",
            )
        return Choice(best.node, best.suppressed, best.loss, counted)

    def _raise_failing(self, node: Node, k: int, allowed: int) -> tuple[Node, int]:
        """Give up one element after the other while the node still fails: all that is finer fails with it.

        Returns the coarsest failing node found, and how many nodes were counted.
        """
        probes = 0
        by_values = sorted(range(len(node)), key=lambda q: self.cardinality[q][node[q]])
        for q in by_values:
            top = len(self.codes[q]) - 1
            if node[q] < top:
                probes += 1
                coarser = (*node[:q], top, *node[q + 1 :])
                if self.measure(coarser, k)[0] > allowed:
                    node = coarser
        return node, probes

    def measure(self, node: Node, k: int) -> tuple[int, float]:
        """Rows in classes smaller than ``k`` at ``node``, and the node's loss."""
        inverse = self._classes(node)
        sizes = np.bincount(inverse, weights=self.n)
        kept = (sizes >= k)[inverse] * self.n
        loss = float(self.rows - kept.sum())
        suppressed = int(loss)
        for weight, levels, level in zip(self.weights, self.losses, node, strict=True):
            loss += weight * float(levels[level] @ kept)
        return suppressed, float(loss) / max(self.rows, 1)

    def _classes(self, node: Node) -> Ints:
        """Number the classes: one number per combination, dense enough to count by."""
        key = np.zeros(self.n.size, dtype=np.int64)
        span = 1
        for levels, sizes, level in zip(self.codes, self.cardinality, node, strict=True):
            if span * sizes[level] > MAX_KEY:
                seen, key = np.unique(key, return_inverse=True)
                span = seen.size
            key = key * sizes[level] + levels[level]
            span *= sizes[level]
        if span > max(DENSE_KEYS, 2 * key.size):
            key = np.unique(key, return_inverse=True)[1]
        return key


def read_lattice(rows: ir.Table, hierarchies: Sequence[Hierarchy]) -> Lattice:
    """Count the distinct combinations of values (one pass of the engine) and number their levels.

    Raises:
        BadInput: a level is no function of the level before.
        LimitExceeded: too many combinations of levels or of values.
    """
    nodes = int(np.prod([len(hierarchy.levels) for hierarchy in hierarchies]))
    if nodes > MAX_NODES:
        raise LimitExceeded(f"{nodes} combinations of levels are too many.", f"Stay below {MAX_NODES}: drop levels.")
    finest = {h.column(0): h.levels[0].value(rows[h.element]) for h in hierarchies}
    selected = rows.select(**finest)
    combinations = selected.group_by(list(finest)).aggregate(n=selected.count())
    counts: pa.Table = combinations.limit(MAX_COMBINATIONS + 1).to_pyarrow()
    if counts.num_rows > MAX_COMBINATIONS:
        raise LimitExceeded("The records have too many distinct combinations.", "Release them in parts, by year.")
    codes: list[list[Ints]] = []
    losses: list[list[Floats]] = []
    for hierarchy in hierarchies:
        own_codes, own_losses = _number_levels(rows, hierarchy, counts.column(hierarchy.column(0)))
        codes.append(own_codes)
        losses.append(own_losses)
    weights = np.array([hierarchy.weight for hierarchy in hierarchies])
    return Lattice(counts.column("n").to_numpy().astype(np.int64), codes, losses, weights)


def _number_levels(rows: ir.Table, hierarchy: Hierarchy, finest: pa.ChunkedArray) -> tuple[list[Ints], list[Floats]]:
    """Per level of one hierarchy, the number and the loss of each combination's value."""
    expanded = hierarchy.expand(rows.select(hierarchy.element).distinct())
    names = [hierarchy.column(level) for level in range(len(hierarchy.levels))]
    values: pa.Table = expanded.select(names).distinct().to_pyarrow()
    domain = values if hierarchy.lookup is None else hierarchy.lookup.rename_columns(names)
    numbers = [_number(values.column(name)) for name in names]
    for finer, coarser in pairwise(numbers):
        pairs = np.unique(np.stack([finer, coarser]), axis=1).shape[1]
        if pairs != np.unique(finer).size:
            raise BadInput(f"The levels of {hierarchy.element!r} do not nest.", "Make each level follow from the last.")
    place = _place(finest, values.column(names[0]))
    size = max(domain.num_rows, 1)
    codes, losses = [], []
    for name, number in zip(names, numbers, strict=True):
        merged = _merged(values.column(name), domain.column(name))
        share = np.maximum(merged - 1, 0) / max(size - 1, 1)
        codes.append(number[place])
        losses.append(share[place])
    return codes, losses


def _number(column: pa.ChunkedArray) -> Ints:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    numbers: Ints = encoded.indices.to_numpy().astype(np.int64)
    return numbers


def _place(column: pa.ChunkedArray, values: pa.ChunkedArray) -> Ints:
    import pyarrow.compute as pc

    found: Ints = pc.index_in(column, value_set=values.combine_chunks()).to_numpy().astype(np.int64)
    return found


def _merged(labels: pa.ChunkedArray, domain: pa.ChunkedArray) -> Ints:
    """Per label, how many values of the domain it stands for."""
    counts = {entry["values"]: entry["counts"] for entry in domain.combine_chunks().value_counts().to_pylist()}
    return np.array([counts.get(label, 1) for label in labels.to_pylist()], dtype=np.int64)


def _apply(rows: ir.Table, hierarchies: Sequence[Hierarchy], node: Node, k: int, keep: Sequence[str]) -> ir.Table:
    """The generalised table as one expression: the chosen levels, the kept columns, classes of ``k`` and more."""
    names = [hierarchy.element for hierarchy in hierarchies]
    expanded = rows
    for hierarchy in hierarchies:
        expanded = hierarchy.expand(expanded)
    published = expanded.select(
        **{h.element: expanded[h.column(level)] for h, level in zip(hierarchies, node, strict=True)},
        **{name: expanded[name] for name in keep},
    )
    counted = published.mutate(class_size=published.count().over(ibis.window(group_by=names)))
    return counted.filter(counted.class_size >= k).drop("class_size").order_by([*names, *keep])


def _check_columns(rows: ir.Table, names: Sequence[str], keep: Sequence[str], sensitive: Sequence[str]) -> None:
    named = [*names, *keep]
    missing = [name for name in named if name not in rows.columns]
    if missing:
        raise BadInput(f"The table has no column {missing[0]!r}.", "Name columns as in the table.")
    if not names or len(set(named)) != len(named):
        raise BadInput("A column is declared twice, or no quasi-identifier is.", "Declare each column once.")
    if not set(sensitive) <= set(keep):
        raise BadInput("A sensitive column is not among those kept.", "Name it in keep as well.")
