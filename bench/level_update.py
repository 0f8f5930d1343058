"""One new test result in a population of a million: how long until its person and contacts have their new levels.

The node is served as an operator serves it. A laboratory posts a file with one result; the authority asks for the
person's levels until the new one is there. So the figure holds all that a user waits for: HTTP, the receipt, the jobs'
looks, the lake, the rules, the log.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa

from bench.demo import free_ports
from bench.figure import Figure
from bench.region import EMERGENCY, declare_source, make_node
from hutong.acquisition.source import Source
from hutong.demo.servers import serving
from hutong.governance import actions as governance
from hutong.insight import actions as insight
from hutong.insight.risk_area import shipped_rule
from hutong.node import Node, open_node
from hutong.passes.documents import shipped_document
from hutong.passes.level import actions as level_actions
from hutong.passes.level.queries import update_latency
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.rights import vault
from hutong.standard import arrow_schema
from hutong.trust.authorisation import Actor

PART = "level update"
PERSONS = 1_000_000
AREAS = 400
RUNS = 40
QUIET_SECONDS = 15.0
"""After the server has started: its first look for evidence is over, as it is on a node that serves for days."""

ASK_SECONDS = 0.1
LONGEST_SECONDS = 120.0
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
    """Fill a lake, decide everybody once, then serve the node and bring results one by one."""
    node = make_node(folder, "tw")
    declare_source(node, Source("lab", TEXT, "Measurement", "TW", "MIT", "https://example.org", "Measurement"))
    today = node.clock().date()
    _fill(node, today)
    _publish(node, today)
    full = level_actions.decide_levels(node, by=node.operator, rulebook_id="dengue-3", as_of=today)
    yield Figure(PART, f"full run over {full.persons:,} persons, stored", full.seconds, "s")
    tokens = {role: _token(node, role) for role in ("steward", "authority")}
    node.close()
    port = free_ports(1)
    with serving({node.settings.folder: port}) as servers:
        taken, cores = _bring(f"http://127.0.0.1:{port}", tokens, *servers.values())
    node = open_node(node.settings.folder)
    told = node.log.entries(kind="levels.updated", limit=RUNS)
    assert [entry.event["persons"] for entry in told] == [4] * RUNS, told
    latency = update_latency(node)
    assert latency.p95_seconds is not None
    what = f"one result among {PERSONS:,} persons: posted, re-levelled with 3 contacts, read, by HTTP"
    yield Figure(PART, f"{what}; 95th percentile of {RUNS}", float(np.quantile(taken, 0.95)), "s")
    yield Figure(PART, f"  median of {RUNS}", float(np.quantile(taken, 0.5)), "s")
    yield Figure(PART, "  the first after the start of the server", taken[0], "s")
    yield Figure(PART, "  the server's processor time for each, questions for it included", cores / RUNS, "s")
    yield Figure(PART, "  as the node tells it: evidence known to level decided, 95 %", latency.p95_seconds, "s")
    node.close()


def _token(node: Node, role: str) -> str:
    governance.create_account(
        node, by=node.operator, name=role, display_name=role, roles=frozenset({role}), password=secrets.token_hex(12)
    )
    return governance.create_token(node, by=node.operator, account_name=role, label="measurement")


def _bring(address: str, tokens: Mapping[str, str], server: int) -> tuple[list[float], float]:
    """Seconds that each result took, and the processor seconds of the server for all."""
    taken = []
    pauses = np.random.default_rng(3).uniform(0.5, 1.5, RUNS)  # or all would meet the jobs in the same moment
    headers = {role: {"Authorization": f"Bearer {token}"} for role, token in tokens.items()}
    with httpx.Client(base_url=address, timeout=120, trust_env=False) as client:
        time.sleep(QUIET_SECONDS)
        before = _processor_seconds(server)
        for number, pause in enumerate(pauses):
            time.sleep(pause)
            sampled = datetime.now(UTC) - timedelta(hours=1)
            content = f"resident_number,sampled_at\nQ{number},{sampled:%Y-%m-%dT%H:%M:%S}\n"
            started = time.perf_counter()
            sent = client.post(
                "/api/acquisition/submissions", data={"source": "lab", "mapping": MAPPING},
                files={"file": (f"result-{number}.csv", content)}, headers=headers["steward"],
            )  # fmt: skip
            assert sent.status_code == 201 and sent.json()["accepted"] == 1, sent.text
            while not _changed(client, f"Q{number}", headers["authority"]):
                assert time.perf_counter() - started < LONGEST_SECONDS
                time.sleep(ASK_SECONDS)
            taken.append(time.perf_counter() - started)
        return taken, _processor_seconds(server) - before


def _changed(client: httpx.Client, person: str, headers: Mapping[str, str]) -> bool:
    """Whether evidence has given the person another level or other rules."""
    answer = client.get("/api/passes/level-history", params={"person": person}, headers=headers)
    assert answer.status_code == 200, answer.text
    newest = answer.json()["steps"][0]
    return newest["evidence_known_at"] is not None and newest["level"] == "high"


def _processor_seconds(process: int) -> float:
    """Processor time that a process has used (proc(5)); not a number where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _fill(node: Node, today: date) -> None:
    """A million persons in 400 areas with evidence of every kind; those to be tested have three contacts each."""
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


def _publish(node: Node, today: date) -> None:
    midnight = datetime.combine(today, datetime.min.time()).isoformat() + "+00:00"
    end = datetime.combine(today + timedelta(days=60), datetime.min.time()).isoformat() + "+00:00"
    document = shipped_document("dengue-three-levels", valid_from=midnight, valid_to=end, emergency=EMERGENCY)
    insight.assess_risk_areas(node, by=node.operator, rule=shipped_rule(), as_of=today)
    rulebook_actions.publish_rulebook(node, by=node.operator, second=SECOND, document=document)
