"""Measured risk of a table of records: how well its quasi-identifiers single people out, whoever attacks.

Terms after Elliot et al., *The Anonymisation Decision-Making Framework* (2nd edition, 2020), and El Emam, *Guide to the
De-Identification of Personal Health Information* (2013): a class is the set of rows that share all quasi-identifiers.
Import lazily: Ibis is loaded here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from hutong.errors import BadInput

ATTACKERS: Mapping[str, str] = {
    "prosecutor": "Knows that a certain person is in the table and knows all of that person's quasi-identifiers. "
    "The chance of picking the right row is one divided by the size of the person's class.",
    "journalist": "Wants to show that anybody at all can be re-identified and does not know who is in the table. "
    "The chance is at most the prosecutor's.",
    "marketer": "Wants to re-identify as many people as possible. "
    "The expected share is the prosecutor's average: classes divided by rows.",
    "not covered": "Someone who knows more than the quasi-identifiers, or who is content to learn a value that all "
    "rows of a class share: see diversity and closeness for the sensitive elements.",
}


@dataclass(frozen=True, slots=True)
class Risk:
    """Figures of one table.

    Attributes:
        rows, classes: counts.
        k: the class size that was asked for.
        smallest_class: rows in the smallest class (0 for an empty table).
        prosecutor_maximum: 1 / smallest class; 0 for an empty table.
        prosecutor_average: mean over the rows of 1 / size of the row's class = classes / rows (also the marketer's).
        share_unique: share of the rows that are alone in their class.
        share_below_k: share of the rows in classes smaller than ``k``.
        diversity: per sensitive element the least number of distinct values in any class (distinct l-diversity); a
            missing value counts as one.
        closeness: per sensitive element the greatest distance between its distribution in a class and in the whole
            table: t-closeness with equal ground distance, 0 (equal) to 1.
    """

    rows: int
    classes: int
    k: int
    smallest_class: int
    prosecutor_maximum: float
    prosecutor_average: float
    share_unique: float
    share_below_k: float
    diversity: Mapping[str, int]
    closeness: Mapping[str, float]


def risk(
    table: pa.Table | ir.Table, quasi_identifiers: Sequence[str], *, k: int = 10, sensitive: Sequence[str] = ()
) -> Risk:
    """Measure ``table``; an Ibis table is measured where it lies, an Arrow table on a DuckDB of its own.

    Raises:
        BadInput: a named column is absent, or no quasi-identifier is named.
    """
    rows = as_ibis(table)
    missing = [name for name in (*quasi_identifiers, *sensitive) if name not in rows.columns]
    if missing or not quasi_identifiers:
        raise BadInput(
            f"The table has no column {missing[:1]} to measure.", "Name the quasi-identifiers as in the table."
        )
    classes = rows.group_by(list(quasi_identifiers)).aggregate(n=rows.count())
    figures = classes.aggregate(
        rows=classes.n.sum(),
        classes=classes.count(),
        smallest=classes.n.min(),
        unique=(classes.n == 1).sum(),
        below=classes.n.sum(where=classes.n < k),
    )
    (found,) = figures.to_pyarrow().to_pylist()
    total, smallest = int(found["rows"] or 0), int(found["smallest"] or 0)
    return Risk(
        rows=total,
        classes=int(found["classes"]),
        k=k,
        smallest_class=smallest,
        prosecutor_maximum=1 / smallest if smallest else 0.0,
        prosecutor_average=int(found["classes"]) / total if total else 0.0,
        share_unique=int(found["unique"] or 0) / total if total else 0.0,
        share_below_k=int(found["below"] or 0) / total if total else 0.0,
        diversity={name: _diversity(rows, quasi_identifiers, name) for name in sensitive},
        closeness={name: _closeness(rows, quasi_identifiers, name) for name in sensitive},
    )


def as_ibis(table: pa.Table | ir.Table) -> ir.Table:
    """Give an Arrow table a DuckDB of its own; leave an Ibis table where it is."""
    if isinstance(table, ir.Table):
        return table
    connection = ibis.duckdb.connect()
    connection.con.register("records", table)  # reads the Arrow memory in place
    return connection.table("records")


def _per_value(rows: ir.Table, quasi_identifiers: Sequence[str], name: str) -> ir.Table:
    """Count per class and sensitive value, with the size of the class and the value's share in the whole table."""
    valued = rows.select(*quasi_identifiers, sensitive_value=rows[name].cast("string").fill_null(""))
    counts = valued.group_by([*quasi_identifiers, "sensitive_value"]).aggregate(n=valued.count())
    size = counts.n.sum().over(ibis.window(group_by=list(quasi_identifiers)))
    whole = counts.n.sum().over(ibis.window(group_by="sensitive_value"))
    return counts.mutate(size=size, overall=whole / counts.n.sum().over(ibis.window()))


def _diversity(rows: ir.Table, quasi_identifiers: Sequence[str], name: str) -> int:
    counts = _per_value(rows, quasi_identifiers, name)
    classes = counts.group_by(list(quasi_identifiers)).aggregate(values=counts.count())
    least = classes.aggregate(least=classes["values"].min()).to_pyarrow().column("least")[0].as_py()
    return int(least or 0)


def _closeness(rows: ir.Table, quasi_identifiers: Sequence[str], name: str) -> float:
    counts = _per_value(rows, quasi_identifiers, name)
    # Values absent from a class add their whole share, so that the rows that exist are enough to count.
    near = (counts.n / counts["size"] - counts.overall).abs() - counts.overall
    classes = counts.group_by(list(quasi_identifiers)).aggregate(distance=(near.sum() + 1) / 2)
    most = classes.aggregate(most=classes.distance.max()).to_pyarrow().column("most")[0].as_py()
    return round(max(float(most or 0.0), 0.0), 12)
