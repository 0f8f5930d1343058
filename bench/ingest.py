"""Both real lists from file to lake, beside Python's own CSV reader over the same files; and their releases."""

from __future__ import annotations

import csv
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure, seconds
from bench.region import declare_source, make_node
from hutong.acquisition import actions as acquisition
from hutong.demo.lists import LineList, line_lists
from hutong.node import Node
from hutong.opening import actions as opening

PART = "ingest and release"


def run(folder: Path) -> Iterator[Figure]:
    """Acquire, assess and publish both lists."""
    for region, line_list in line_lists({}, {}).items():
        node = make_node(folder, region)
        declare_source(node, line_list.source)
        yield from _ingest(node, line_list, folder)
        yield from _release(node, line_list)
        node.close()


def _ingest(node: Node, line_list: LineList, folder: Path) -> Iterator[Figure]:
    started = time.perf_counter()
    areas = acquisition.acquire(
        node, by=node.operator, source_id=line_list.source.id, path=line_list.file, mapping=line_list.mappings["area"]
    )
    yield Figure(PART, f"{node.id}: {areas.rows:,} areas out of the list", time.perf_counter() - started, "s")
    started = time.perf_counter()
    receipt = acquisition.acquire(
        node, by=node.operator, source_id=line_list.source.id, path=line_list.file, mapping=line_list.mappings["case"]
    )
    acknowledged = time.perf_counter() - started
    node.move_inbox()
    in_lake = time.perf_counter() - started
    read = seconds(lambda: _read_plainly(line_list.file), rounds=1)
    kept = seconds(lambda: _keep_plainly(line_list.file, folder / f"{node.id}-plain.sqlite"), rounds=1)
    rows = receipt.rows
    yield Figure(
        PART, f"{node.id}: {rows:,} rows validated, receipt durable", rows / acknowledged, "rows/s",
        "csv.DictReader: read only", rows / read,
    )  # fmt: skip
    yield Figure(
        PART, f"{node.id}: the same, moved to the lake", rows / in_lake, "rows/s",
        "csv.DictReader to JSON in SQLite, unchecked", rows / kept,
    )  # fmt: skip
    started = time.perf_counter()
    acquisition.assess_quality(node, by=node.operator, source_id=line_list.source.id)
    yield Figure(PART, f"{node.id}: quality by all rules", time.perf_counter() - started, "s")


def _read_plainly(path: Path) -> int:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def _keep_plainly(path: Path, database: Path) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file, sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE fact (body TEXT)")
        rows = ((json.dumps(row),) for row in csv.DictReader(file))
        connection.executemany("INSERT INTO fact VALUES (?)", rows)
    connection.close()


def _release(node: Node, line_list: LineList) -> Iterator[Figure]:
    for publication, name in zip(line_list.publications, ("weekly counts", "k-anonymous records"), strict=True):
        started = time.perf_counter()
        release = opening.publish(node, by=node.operator, publication=publication)
        taken = time.perf_counter() - started
        yield Figure(PART, f"{node.id}: release of {release.rows:,} {name}, three formats", taken, "s")
