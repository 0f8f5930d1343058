"""One new test result in a population of a million: how long until its person and contacts have their new levels."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.figure import Figure
from bench.region import EMERGENCY, declare_source, make_node
from hutong.acquisition import actions as acquisition
from hutong.acquisition.source import Source
from hutong.insight import actions as insight
from hutong.insight.risk_area import shipped_rule
from hutong.node import Node
from hutong.passes.documents import shipped_document
from hutong.passes.level import actions as level_actions
from hutong.passes.level import queries as level_queries
from hutong.passes.level.queries import update_latency
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.rights import vault
from hutong.standard import arrow_schema
from hutong.trust.authorisation import Actor

PART = "level update"
PERSONS = 1_000_000
AREAS = 400
RUNS = 20
SECOND = Actor("second", "account", frozenset({"authority"}), "tw")
TEXT = {"en": "Measurement", "zh": "测量"}
MAPPING = """
mapping: result
version: 1
table: test
format: {delimiter: ",", encoding: utf-8}
elements:
  pseudonym: {vault: resident_number}
  disease: {constant: dengue}
  kind: {constant: pcr}
  sampled_at: {from: sampled_at, datetime: ["%Y-%m-%dT%H:%M:%S"], utc_offset: "+00:00"}
  result: {constant: positive}
"""


def run(folder: Path) -> Iterator[Figure]:
    """Fill a lake, decide everybody once, then bring results one by one."""
    node = make_node(folder, "tw")
    declare_source(node, Source("lab", TEXT, "Measurement", "TW", "MIT", "https://example.org", "Measurement"))
    today = node.clock().date()
    names = _fill(node, today)
    _publish(node, today)
    full = level_actions.decide_levels(node, by=node.operator, rulebook_id="dengue-3", as_of=today)
    yield Figure(PART, f"full run over {full.persons:,} persons, stored", full.seconds, "s")
    taken = []
    for number in range(RUNS):
        path = folder / f"result-{number}.csv"
        sampled = node.clock() - timedelta(hours=1)
        path.write_text(f"resident_number,sampled_at\nQ{number},{sampled:%Y-%m-%dT%H:%M:%S}\n", "utf-8")
        started = time.perf_counter()
        receipt = acquisition.acquire(node, by=node.operator, source_id="lab", path=path, mapping=MAPPING)
        assert receipt.accepted == 1, receipt.findings
        update = level_actions.update_levels(node, by=node.operator, rulebook_id="dengue-3")
        status = level_queries.person_status(node, names[number])
        taken.append(time.perf_counter() - started)
        assert not update.full
        assert (update.persons, status.level) == (4, "high")
    latency = update_latency(node)
    assert latency.p95_seconds is not None
    what = f"one result among {PERSONS:,} persons: received, re-levelled with 3 contacts, readable"
    yield Figure(PART, f"{what}; median of {RUNS}", float(np.quantile(taken, 0.5)), "s")
    yield Figure(PART, f"{what}; 95th percentile of {RUNS}", float(np.quantile(taken, 0.95)), "s")
    yield Figure(PART, "the same as the node tells it: evidence known to level decided, 95 %", latency.p95_seconds, "s")
    node.close()


def _fill(node: Node, today: date) -> list[str]:
    """A million persons in 400 areas with evidence of every kind; the pseudonyms of those to be tested."""
    chance = np.random.default_rng(11)
    tested = vault.pseudonyms(node.keys.pseudonym_key, [f"Q{number}" for number in range(RUNS)])
    persons = np.array([f"P{number:015d}" for number in range(PERSONS)], dtype=object)
    persons[:RUNS] = tested
    areas = np.array([f"TW-{number:03d}" for number in range(AREAS)], dtype=object)
    earlier = np.datetime64(node.clock().replace(tzinfo=None), "us") - np.timedelta64(1, "D")

    def moments(count: int) -> Any:
        seconds = chance.integers(0, 20 * 86_400, count) * 1_000_000
        return pa.array(earlier - seconds.astype("timedelta64[us]"), pa.timestamp("us", "UTC"))

    def put(table: str, count: int, **columns: Any) -> None:
        schema = arrow_schema(node.standard.table(table), node.standard.lineage)
        own = {"known_at": moments(count), "receipt_id": ["r"] * count, "row_number": list(range(count)), **columns}
        rows = [
            pa.array(own[f.name]).cast(f.type) if f.name in own else pa.nulls(count, f.type) for f in schema
        ]  # fmt: skip
        fields = [field.with_nullable(True) for field in schema]
        node.lake.append(table, pa.Table.from_arrays(rows, schema=pa.schema(fields)), high_water=0)

    put("area", AREAS, area_code=list(areas), level=["region2"] * AREAS)
    put("person", PERSONS, pseudonym=list(persons), residence_area_code=list(chance.choice(areas, PERSONS)))
    some = PERSONS // 2
    put(
        "stay", some, pseudonym=list(chance.choice(persons[RUNS:], some)),
        area_code=list(chance.choice(areas, some)), arrived=moments(some),
    )  # fmt: skip
    some = PERSONS // 5
    put(
        "test", some, pseudonym=list(chance.choice(persons[RUNS:], some)), sampled_at=moments(some),
        result=list(chance.choice(["positive", "negative"], some, p=(0.05, 0.95))), disease=["dengue"] * some,
    )  # fmt: skip
    put(
        "symptom", some, pseudonym=list(chance.choice(persons[RUNS:], some)), stated_at=moments(some),
        symptom=list(chance.choice(["fever", "cough", "none"], some)), present=[True] * some,
    )  # fmt: skip
    put(
        "immunization", some, pseudonym=list(chance.choice(persons[RUNS:], some)), disease=["dengue"] * some,
        vaccination_date=[today - timedelta(days=int(days)) for days in chance.integers(0, 400, some)],
        dose_number=list(chance.integers(1, 3, some)), series_doses=[2] * some,
    )  # fmt: skip
    put(
        "contact", some, index_pseudonym=[*np.repeat(tested, 3), *chance.choice(persons[RUNS:], some - 3 * RUNS)],
        pseudonym=list(persons[RUNS : RUNS + some]), started=moments(some), source_kind=["proximity"] * some,
    )  # fmt: skip
    case_days = [today - timedelta(days=int(days)) for days in chance.integers(0, 10, 5000)]
    put(
        "case", 5000, true_from=case_days, disease=["dengue"] * 5000, classification=["confirmed"] * 5000,
        residence_area_code=list(chance.choice(areas[:100], 5000)), imported=[False] * 5000,
        pseudonym=list(chance.choice(persons[RUNS:], 5000)),
    )  # fmt: skip
    return list(tested)


def _publish(node: Node, today: date) -> None:
    midnight = datetime.combine(today, datetime.min.time()).isoformat() + "+00:00"
    end = datetime.combine(today + timedelta(days=60), datetime.min.time()).isoformat() + "+00:00"
    document = shipped_document("dengue-three-levels", valid_from=midnight, valid_to=end, emergency=EMERGENCY)
    insight.assess_risk_areas(node, by=node.operator, rule=shipped_rule(), as_of=today)
    rulebook_actions.publish_rulebook(node, by=node.operator, second=SECOND, document=document)
