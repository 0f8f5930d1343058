"""kill -9 of an ingest at any point loses nothing that was acknowledged and shows nothing half."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from hutong.acquisition import actions, queries
from hutong.errors import NotFound
from hutong.node import Node, open_node
from hutong.storage import inbox, schema
from tests import databases
from tests.databases import Server

from .ingest import SOURCE

ROOT = Path(__file__).resolve().parents[2]
SEED = 20260301
KILLS = {"sqlite": 5, "postgresql": 2}
"""Of each kind (at a point, after a time) and each way (action, command): 20 in all, and eight on PostgreSQL."""
PER_RUN = ("receipt_id", "known_at")
"""Columns that differ between two runs of the same files."""


class Ingests:
    """Starts ingests one after the other, each in a process of its own."""

    def __init__(self, mapping: Path, files: list[Path]) -> None:
        self._order = {"mapping": str(mapping), "files": [str(file) for file in files]}
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.ingest"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, folder: Path, way: str, *, kill_after: float | None = None, kill_at: int = 0) -> Run:
        """Run an ingest into the node in ``folder``, killed after some seconds or at a point."""
        output = folder.with_suffix(".out")
        order: dict[str, Any] = {**self._order, "folder": str(folder), "way": way, "output": str(output)}
        order |= {"kill_at": kill_at, "kill_after": kill_after}
        assert self._parent.stdin is not None
        self._parent.stdin.write(orjson.dumps(order) + b"\n")
        self._parent.stdin.flush()
        begun = time.monotonic()
        assert self._parent.stdout is not None
        code = orjson.loads(self._parent.stdout.readline())["code"]
        said = [line for line in output.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        steps = [orjson.loads(line) for line in said if line.startswith(b'{"step"')]
        return Run(folder, code, steps, time.monotonic() - begun)

    def close(self) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        assert self._parent.wait(timeout=30) == 0


@dataclass(frozen=True)
class Run:
    """An ingest that ended: the steps that it said, and its exit code (-9 when killed)."""

    folder: Path
    code: int
    said: list[dict[str, Any]]
    seconds: float


@dataclass(frozen=True)
class Whole:
    """What an uninterrupted run leaves behind, how long it took and how many points it passed."""

    receipts: frozenset[tuple[Any, ...]]
    facts: pa.Table
    seconds: float
    points: int


def lake_facts(node: Node) -> pa.Table | None:
    try:
        return node.engine.to_arrow(node.engine.table("case"))
    except NotFound:
        return None


def receipts_of(node: Node) -> frozenset[tuple[Any, ...]]:
    return frozenset(
        (r.file_name, r.file_sha256, r.rows, r.accepted, r.held, r.rejected, r.findings) for r in queries.receipts(node)
    )


def final_facts(node: Node) -> pa.Table:
    facts = lake_facts(node)
    assert facts is not None
    return facts.drop_columns(list(PER_RUN)).sort_by("fact_id")


@pytest.fixture(scope="module")
def kind(records: str) -> str:
    return records


@pytest.fixture(scope="module")
def copied(template: Path, server: Callable[[], Server]) -> Callable[[Path], Path]:
    """Copies the template with its records to a folder."""
    return lambda to: databases.copy(template, to, server)


@pytest.fixture(scope="module")
def ingests(lists: list[Path], mapping_file: Path) -> Iterator[Ingests]:
    started = Ingests(mapping_file, lists)
    yield started
    started.close()


@pytest.fixture(scope="module")
def whole(
    way: str, copied: Callable[[Path], Path], ingests: Ingests, tmp_path_factory: pytest.TempPathFactory
) -> Whole:
    run = ingests.run(copied(tmp_path_factory.mktemp("whole") / "node"), way)
    assert run.code == 0
    assert run.said[-1]["step"] == "finished"
    node = open_node(run.folder)
    found = Whole(receipts_of(node), final_facts(node), run.seconds, run.said[-1]["points"])
    assert sum(receipt[3] for receipt in found.receipts) == found.facts.num_rows > 15_000
    assert all(min(receipt[3:5]) > 0 for receipt in found.receipts)
    node.close()
    return found


def require_nothing_half(node: Node) -> None:
    """What is there is whole: receipts with their items, log entries and rows, each row in exactly one place."""
    node.log.check()
    receipts = queries.receipts(node)
    told = {entry.event["receipt"]: entry.event for entry in node.log.entries(kind="receipt.issued", limit=100)}
    assert set(told) == {receipt.id for receipt in receipts}
    with node.records.reading() as connection:
        items = Counter(connection.execute(sa.select(schema.receipt_item.c.receipt)).scalars())
        packed = connection.execute(
            sa.select(schema.inbox.c.seq, schema.inbox.c.receipt, schema.inbox.c.rows, schema.inbox.c.payload)
        ).all()
    mark = node.lake.high_water("case")
    placed: Counter[str] = Counter()
    for batch in packed:
        rows = pa.ipc.open_stream(batch.payload).read_all()
        assert rows.num_rows == batch.rows
        if batch.seq > mark:
            placed[batch.receipt] += batch.rows
    facts = lake_facts(node)
    if facts is not None:
        assert pc.count_distinct(facts["fact_id"]).as_py() == facts.num_rows
        placed.update({one["values"]: one["counts"] for one in pc.value_counts(facts["receipt_id"]).to_pylist()})
    assert placed == Counter({receipt.id: receipt.accepted for receipt in receipts})
    for receipt in receipts:
        assert told[receipt.id]["commitment"] == receipt.commitment
        assert items[receipt.id] == receipt.held + receipt.rejected
    assert set(items) <= set(told)


def require_kept(node: Node, said: list[dict[str, Any]], way: str) -> None:
    """Everything that was acknowledged is there."""
    acknowledged = [line for line in said if line["step"] == "acknowledged"]
    if way == "action":
        kept = {receipt.id: receipt.accepted for receipt in queries.receipts(node)}
        assert all(kept[line["receipt"]] == line["accepted"] for line in acknowledged)
    else:
        names = {receipt.file_name for receipt in queries.receipts(node)}
        assert {line["file"] for line in acknowledged} <= names


def finish_in(node: Node, mapping: Path, files: list[Path]) -> None:
    for file in files:
        actions.acquire(node, by=node.operator, source_id=SOURCE, path=file, mapping=mapping.read_text("utf-8"))
    node.move_inbox()


def killed_runs(
    way: str, kills: int, whole: Whole, copied: Callable[[Path], Path], ingests: Ingests, folder: Path
) -> Iterator[tuple[str, Run]]:
    """Runs that were killed: some after a time, some at a point, spread over the whole run."""
    chance = random.Random(f"{SEED}-{way}")
    for number in range(kills):
        share = (number + chance.random()) / kills
        kill_at = 1 + int(whole.points * share)
        yield f"point {kill_at}", ingests.run(copied(folder / f"point-{number}"), way, kill_at=kill_at)
        kill_after = whole.seconds * share
        for attempt in count():
            run = ingests.run(copied(folder / f"time-{number}-{attempt}"), way, kill_after=kill_after)
            if run.code != 0:
                break
            kill_after /= 2  # it was quicker than the run that was measured
        yield f"time {kill_after:.3f} s", run


@pytest.mark.parametrize("way", ["action", "command"], scope="module")
def test_kill_at_any_point(
    way: str,
    records: str,
    whole: Whole,
    copied: Callable[[Path], Path],
    ingests: Ingests,
    lists: list[Path],
    mapping_file: Path,
    tmp_path: Path,
) -> None:
    killed = killed_later = 0
    for where, run in killed_runs(way, KILLS[records], whole, copied, ingests, tmp_path):
        assert run.code == -signal.SIGKILL, where
        killed += 1
        killed_later += any(line["step"] == "acknowledged" for line in run.said)
        node = open_node(run.folder)
        try:
            require_nothing_half(node)
            require_kept(node, run.said, way)
            finish_in(node, mapping_file, lists)
            require_nothing_half(node)
            assert inbox.waiting(node.records, node.lake) == {}, where
            assert receipts_of(node) == whole.receipts, where
            assert final_facts(node).equals(whole.facts), where
        finally:
            node.close()
    assert killed == 2 * KILLS[records]
    assert killed_later > 0
