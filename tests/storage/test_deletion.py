"""Deleting for ever: rows are gone from the tables, from earlier snapshots, and from every file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from hutong.errors import Tampered
from hutong.node import Node
from hutong.storage import schema
from hutong.storage.lake import Matches
from tests.conftest import NewNode


def files_with(folder: Path, text: str) -> list[str]:
    """Files below a folder that hold a text, plainly or in an Iceberg manifest's values."""
    return sorted(str(path) for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes())


def fill(node: Node) -> None:
    """Four files; in each, one row of each receipt and one that tells of nobody."""
    for number in range(4):
        rows = pa.table(
            {
                "pseudonym": [f"secret-{number}", f"other-{number}", None],
                "receipt_id": ["over", "alive", "over"],
                "value": [number, number, number],
            }
        )
        node.lake.append("fact", rows, high_water=number + 1)


def bounds(node: Node) -> str:
    """All that manifests say of the smallest and largest values."""
    table = node.lake._load("fact")
    snapshot = table.current_snapshot()
    assert snapshot is not None
    entries = [
        entry
        for manifest in snapshot.manifests(table.io)
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
    ]
    return str([(entry.data_file.lower_bounds, entry.data_file.upper_bounds) for entry in entries])


@pytest.mark.parametrize(
    ("matches", "deleted", "left"),
    [
        ({"receipt_id": ["over"]}, 8, 4),
        ({"receipt_id": ["over"], "pseudonym": None}, 4, 8),
        ({"pseudonym": None}, 8, 4),
        ({}, 12, 0),
        ({"receipt_id": ["unheard-of"]}, 0, 12),
        ({"receipt_id": []}, 0, 12),
    ],
)
def test_matching_rows_are_gone_and_others_stay(node: Node, matches: Matches, deleted: int, left: int) -> None:
    fill(node)
    assert node.lake.count_where("fact", matches) == deleted
    assert node.lake.delete_where("fact", matches) == deleted
    assert node.lake.count_where("fact", matches) == 0
    assert node.engine.to_arrow(node.engine.table("fact")).num_rows == left
    # The inbox goes on where it was: batches that were moved don't come again.
    assert node.lake.high_water("fact") == 4


def test_no_file_holds_what_was_deleted(node: Node) -> None:
    fill(node)
    lake = node.settings.lake_folder
    assert files_with(lake, "secret-")
    node.lake.delete_where("fact", {"receipt_id": ["over"]})
    assert files_with(lake, "secret-") == []
    assert "secret-" not in bounds(node)
    assert len(files_with(lake, "other-")) > 0
    assert len(node.lake._load("fact").snapshots()) == 1


def test_the_table_lives_on(node: Node) -> None:
    fill(node)
    node.lake.delete_where("fact", {})
    for number in range(25):
        rows = pa.table({"pseudonym": ["p"], "receipt_id": ["r"], "value": [number]})
        node.lake.append("fact", rows, high_water=10 + number)
    assert node.engine.to_arrow(node.engine.table("fact")).num_rows == 25


def test_a_lake_whose_files_are_elsewhere_is_left_alone(node: Node) -> None:
    fill(node)
    (lost, *others) = node.lake.snapshot("fact").files
    Path(lost).rename(node.settings.folder / "elsewhere.parquet")
    with pytest.raises(Tampered, match="not where"):
        node.lake.purge("fact")
    assert all(Path(other).is_file() for other in others)


def test_an_unknown_table_has_nothing_to_delete(node: Node) -> None:
    assert node.lake.count_where("nothing", {}) == 0
    assert node.lake.delete_where("nothing", {}) == 0


def test_deleted_records_leave_no_trace_in_the_database(new_node: NewNode, records: str) -> None:
    node = new_node()
    marks = [f"very-personal-{number}" for number in range(50)]
    with node.change(node.operator, unlogged="a test's own") as change:
        change.execute(schema.sign_in_attempt.insert(), [{"key": f"name:{mark}", "at": change.at} for mark in marks])
    if node.records.is_sqlite:
        assert files_with(node.settings.folder, "very-personal-")
    with node.change(node.operator, unlogged="a test's own") as change:
        change.execute(schema.sign_in_attempt.delete())
    node.records.scrub(["sign_in_attempt"])
    assert files_with(node.settings.folder, "very-personal-") == []
    # The connection is as it was: transactions work.
    with node.change(node.operator, unlogged="a test's own") as change:
        change.execute(schema.sign_in_attempt.insert().values(key="name:a", at=change.at))
    with node.records.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.sign_in_attempt)).scalar() == 1


def test_a_rehearsal_changes_nothing(new_node: NewNode, records: str) -> None:
    node = new_node()
    before = node.log.size()
    with node.records.rehearsing() as connection:
        assert connection.execute(schema.log_entry.delete()).rowcount == before
    assert node.log.size() == before
    node.log.check()
