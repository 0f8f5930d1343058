"""A rulebook of 12 rules over populations that grow, beside CertLogic one person after the other.

The facts are in a Parquet file, as the lake has them; level and rule ids of every person are kept in a table. Each
population runs in a process of its own, so that its memory is seen. The query is written once, as an engine keeps it,
and the time for that is a figure of its own. Nothing is subtracted from the others: what is fixed in a run (planning,
the file's metadata, making the table) is measured with nobody in the table, and counts at each size. Sizes are compared
by the processor time of one thread, which the machine's other work disturbs less.
"""

from __future__ import annotations

import multiprocessing
import re
import statistics
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.figure import Figure, rate, seconds
from hutong.passes.certlogic.evaluate import evaluate
from hutong.passes.documents import shipped_document
from hutong.passes.rulebook.rulebook import Rulebook, decide_level, parse_rulebook

PART = "levels"
SIZES = (100_000, 1_000_000, 10_000_000)
ONE_BY_ONE = 20_000
CHUNK = 500_000
MEMORY_LIMIT = "2GB"
PLAIN = "CertLogic: each rule evaluated for each person, one core"


@cache
def twelve_rules() -> Rulebook:
    """The shipped rulebook of four levels, which has twelve rules; read once, as a node does."""
    rulebook = parse_rulebook(shipped_document("dengue-four-levels"))
    assert len(rulebook.rules) == 12
    return rulebook


def run(folder: Path) -> Iterator[Figure]:
    """Persons in a second for each size and number of threads, time per person, memory."""
    rulebook = twelve_rules()
    folder.mkdir(parents=True, exist_ok=True)
    rules = f"{len(rulebook.rules)} rules"
    plain, alone = _one_by_one(rulebook, folder)
    yield Figure(
        PART, f"{rules} one by one, read once into closures (decide_level)", alone, "persons/s", PLAIN, plain,
    )  # fmt: skip
    nobody = _apart(_facts(folder, 0), threads=1)
    yield Figure(PART, f"{rules}: query written, once for a rulebook and a day", nobody["written"] * 1000, "ms")
    yield Figure(PART, f"{rules} over nobody: what is fixed in a run", nobody["seconds"] * 1000, "ms")
    per_million: dict[int, float] = {}
    for size in SIZES:
        path = _facts(folder, size)
        for threads in (1, 2):
            found = _apart(path, threads=threads)
            yield Figure(
                PART, f"{rules} over {size:,} persons, {threads} threads".replace("1 threads", "1 thread"),
                size / found["seconds"], "persons/s", PLAIN, plain,
            )  # fmt: skip
            if threads == 1:
                per_million[size] = found["worked"] / size * 1e6
        yield Figure(PART, f"  peak memory of the process, {size:,} persons, two threads", found["mebibytes"], "MiB")
        path.unlink()
    middle = statistics.median(per_million.values())
    for size, taken in per_million.items():
        what = f"processor time per person, {size:,} persons, one thread"
        yield Figure(PART, what, taken, "µs", "the median of the sizes", middle)
    furthest = max(abs(value / middle - 1) for value in per_million.values())
    yield Figure(PART, "furthest from the median time per person, 0.1 M to 10 M", furthest * 100, "%")


def _one_by_one(rulebook: Rulebook, folder: Path) -> tuple[float, float]:
    """Persons in a second by CertLogic as its specification has it, and by a node for one person.

    That the compiled rulebook gives the same for them is asserted on the way.
    """
    path = _facts(folder, ONE_BY_ONE)
    persons = pq.read_table(path).to_pylist()
    alone = rate(lambda number: decide_level(rulebook, persons[number]), ONE_BY_ONE)
    conditions = [rule.condition for rule in rulebook.rules]
    plain = rate(lambda number: [evaluate(one, persons[number]) for one in conditions], ONE_BY_ONE // 10)
    decided = [decide_level(rulebook, person) for person in persons]
    expected = [(one.level, " ".join(one.rule_ids)) for one in decided]
    database = _connected(1)
    database.execute(_query(path, database))
    assert database.execute("SELECT level, rule_ids FROM decided").fetchall() == expected
    return plain, alone


def _apart(path: Path, *, threads: int) -> Mapping[str, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (path, threads))


def _measured(path: Path, threads: int) -> Mapping[str, float]:
    database = _connected(threads)
    twelve_rules()
    written = seconds(lambda: _query(path, database))
    query = _query(path, database)
    rounds = max(5, min(50, 5_000_000 // max(1, pq.read_metadata(path).num_rows)))  # small runs are easily disturbed
    taken, worked = [], []
    for _ in range(rounds):
        started, used = perf_counter(), process_time()
        database.execute(query)
        taken.append(perf_counter() - started)
        worked.append(process_time() - used)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return {
        "written": written,
        "seconds": min(taken),
        "worked": min(worked),
        "mebibytes": int(peak.group(1)) / 1024 if peak else float("nan"),
    }


def _connected(threads: int) -> Any:
    import ibis

    backend = ibis.duckdb.connect(threads=threads, memory_limit=MEMORY_LIMIT)
    backend.con.execute("SET enable_progress_bar = false")
    return backend.con


def _query(path: Path, database: Any) -> str:
    import ibis

    from hutong.passes.level.population import level_expression

    database.execute(f"CREATE OR REPLACE VIEW facts AS SELECT * FROM read_parquet('{path}')")
    facts = ibis.table(ibis.memtable(pq.read_schema(path).empty_table()).schema(), name="facts")
    decided = level_expression(twelve_rules(), facts).select("level", "rule_ids", "failed")
    return f"CREATE OR REPLACE TABLE decided AS {ibis.to_sql(decided, dialect='duckdb')}"


def _facts(folder: Path, size: int) -> Path:
    path = folder / f"facts-{size}.parquet"
    chance = np.random.default_rng(7)
    with pq.ParquetWriter(path, _persons(chance, 1).schema) as writer:
        for start in range(0, size, CHUNK):
            writer.write_table(_persons(chance, min(CHUNK, size - start)), row_group_size=100_000)
    return path


def _persons(chance: np.random.Generator, size: int) -> pa.Table:
    levels = pa.array(["low", "medium", "high"])

    def code() -> pa.Array:
        return levels.take(pa.array(chance.choice(3, size, p=(0.8, 0.15, 0.05))))

    def flag(share: float) -> pa.Array:
        return pa.array(chance.random(size) < share, mask=chance.random(size) < 0.5)

    def days() -> pa.Array:
        return pa.array(chance.integers(0, 40, size), pa.int64(), mask=chance.random(size) < 0.95)

    return pa.table(
        {
            "residence_risk": code(),
            "stay_risk_max_14d": code(),
            "declared_risk_area_stay": flag(0.02),
            "days_since_positive_test": days(),
            "days_since_case": days(),
            "fever": flag(0.02),
            "symptoms": flag(0.05),
            "contact_of_case": flag(0.02),
        }
    )
