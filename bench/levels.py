"""A rulebook over a population: compiled and run by DuckDB, beside CertLogic one person after the other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.figure import Figure, rate, seconds
from hutong.passes.documents import shipped_document
from hutong.passes.rulebook import decide_level, parse_rulebook

PART = "levels"
SIZES = (100_000, 1_000_000, 4_000_000)
ONE_BY_ONE = 20_000


def run(folder: Path) -> Iterator[Figure]:
    """Levels of populations that grow: the figure should not fall."""
    import ibis

    from hutong.passes.population import level_expression

    rulebook = parse_rulebook(shipped_document("dengue-three-levels"))
    folder.mkdir(parents=True, exist_ok=True)
    backend = ibis.duckdb.connect(threads=2)
    persons = _persons(ONE_BY_ONE).to_pylist()
    alone = rate(lambda number: decide_level(rulebook, persons[number]), ONE_BY_ONE, rounds=1)
    for size in SIZES:
        path = folder / f"facts-{size}.parquet"
        pq.write_table(_persons(size), path)
        decided = level_expression(rulebook, backend.read_parquet(path))
        query = decided.group_by("level", "rule_ids").agg(n=decided.count())
        found = size / seconds(partial(backend.to_pyarrow, query))
        yield Figure(
            PART, f"{len(rulebook.rules)} rules over {size:,} persons, two threads", found, "persons/s",
            "CertLogic one by one, one core", alone,
        )  # fmt: skip


def _persons(size: int) -> pa.Table:
    chance = np.random.default_rng(7)
    levels = pa.array(["low", "medium", "high"])

    def code() -> pa.Array:
        return levels.take(pa.array(chance.choice(3, size, p=(0.8, 0.15, 0.05))))

    def flag(share: float) -> pa.Array:
        return pa.array(chance.random(size) < share, mask=chance.random(size) < 0.5)

    days = pa.array(chance.integers(0, 40, size), pa.int64(), mask=chance.random(size) < 0.95)
    return pa.table(
        {
            "residence_risk": code(),
            "stay_risk_max_14d": code(),
            "days_since_positive_test": days,
            "symptoms": flag(0.02),
            "contact_of_case": flag(0.02),
        }
    )
