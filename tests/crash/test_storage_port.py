"""The move to the lake, failing before its effect and after it: each row arrives exactly once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hutong.acquisition import actions
from hutong.node import Node, open_node
from hutong.storage import inbox
from hutong.storage.lake import Lake

from .ingest import SOURCE


class Broken(Exception):
    """What the storage does when it is made to fail."""


@pytest.fixture
def node(template: Path, tmp_path: Path) -> Any:
    shutil.copytree(template, tmp_path / "node")
    opened = open_node(tmp_path / "node")
    yield opened
    opened.close()


def take_in(node: Node, lists: list[Path], mapping_file: Path) -> int:
    mapping = mapping_file.read_text("utf-8")
    receipts = [
        actions.acquire(node, by=node.operator, source_id=SOURCE, path=file, mapping=mapping) for file in lists[:2]
    ]
    return sum(receipt.accepted for receipt in receipts)


def require_all_once(node: Node, accepted: int) -> None:
    facts = node.engine.to_arrow(node.engine.table("case"))
    assert facts.num_rows == pc.count_distinct(facts["fact_id"]).as_py() == accepted
    assert inbox.waiting(node.records, node.lake) == {}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_append_that_fails(
    moment: str, node: Node, lists: list[Path], mapping_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = take_in(node, lists, mapping_file)
    append = Lake.append

    def failing(self: Lake, table: str, rows: pa.Table, *, high_water: int) -> None:
        if moment == "after":
            append(self, table, rows, high_water=high_water)
        raise Broken

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "append", failing)
        with pytest.raises(Broken):
            node.move_inbox()
    assert inbox.waiting(node.records, node.lake) == ({"case": accepted} if moment == "before" else {})
    moved = node.move_inbox()
    assert moved == ({"case": accepted} if moment == "before" else {})
    require_all_once(node, accepted)


def test_rows_written_and_never_committed_are_not_there(
    node: Node, lists: list[Path], mapping_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyiceberg.table import Transaction

    accepted = take_in(node, lists, mapping_file)

    def failing(self: Transaction) -> None:
        raise Broken

    with monkeypatch.context() as patched:
        patched.setattr(Transaction, "commit_transaction", failing)
        with pytest.raises(Broken):
            node.move_inbox()
    assert inbox.waiting(node.records, node.lake) == {"case": accepted}
    assert node.engine.to_arrow(node.engine.table("case")).num_rows == 0
    assert node.move_inbox() == {"case": accepted}
    require_all_once(node, accepted)


def test_housekeeping_that_fails_is_repeated(
    node: Node, lists: list[Path], mapping_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = take_in(node, lists, mapping_file)
    with monkeypatch.context() as patched:
        patched.setattr(type(node.records), "writing", lambda self: (_ for _ in ()).throw(Broken))
        with pytest.raises(Broken):
            node.move_inbox()
    assert inbox.waiting(node.records, node.lake) == {}
    assert node.move_inbox() == {}
    require_all_once(node, accepted)


def test_two_that_move_at_once_move_once(node: Node, lists: list[Path], mapping_file: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    accepted = take_in(node, lists, mapping_file)
    other = open_node(node.settings.folder)
    try:
        with ThreadPoolExecutor(2) as both:
            moved = [one.result() for one in [both.submit(node.move_inbox), both.submit(other.move_inbox)]]
    finally:
        other.close()
    assert sum(one.get("case", 0) for one in moved) == accepted
    require_all_once(node, accepted)


def test_a_change_that_fails_before_and_after_its_effect(
    node: Node, lists: list[Path], mapping_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records as port: a commit that never happened leaves nothing; one that did is found by the repetition."""
    from hutong.acquisition import queries

    mapping = mapping_file.read_text("utf-8")

    def acquire() -> Any:
        return actions.acquire(node, by=node.operator, source_id=SOURCE, path=lists[0], mapping=mapping)

    before = node.log.checkpoint()
    with monkeypatch.context() as patched:
        patched.setattr(type(node.log), "append", lambda *_: (_ for _ in ()).throw(Broken))
        with pytest.raises(Broken):
            acquire()
    assert queries.receipts(node) == []
    assert node.log.checkpoint() == before
    first = acquire()  # committed; its answer is lost on the way
    again = acquire()
    assert (again.id, again.repeated) == (first.id, True)
    assert node.log.size() == node.log.check().size
    node.move_inbox()
    require_all_once(node, first.accepted)
