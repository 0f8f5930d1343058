"""The check of a whole log names its first fault, wherever that lies in the parts that are compared at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from hutong.errors import Tampered
from hutong.node import Node
from hutong.storage.schema import log_entry, log_node
from hutong.trust.log import journal
from hutong.trust.log.journal import Event
from tests.conftest import NewNode

SIZE, PART = 40, 7
TABLES = (log_entry, log_node)


@pytest.fixture
def node(new_node: NewNode, records: str, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(journal, "CHUNK", PART)
    made = new_node()
    at = made.clock()
    with made.records.writing() as connection:
        made.log.append(connection, [Event("test.made", "tester", at, {"n": n}) for n in range(SIZE - made.log.size())])
    return made


def entry(index: int, **values: Any) -> sa.Update:
    return log_entry.update().where(log_entry.c.idx == index).values(**values)


def stored(level: int, place: int) -> Any:
    return (log_node.c.level == level) & (log_node.c.idx == place)


@contextmanager
def changed(node: Node, *changes: Any) -> Iterator[None]:
    """Entries and nodes of the tree with these changes, and as they were afterwards."""
    with node.records.writing() as connection:
        kept = [(table, [dict(row._mapping) for row in connection.execute(sa.select(table))]) for table in TABLES]
        for change in changes:
            connection.execute(change)
    yield
    with node.records.writing() as connection:
        for table, rows in kept:
            connection.execute(table.delete())
            connection.execute(table.insert(), rows)


def test_the_first_fault_is_named(node: Node) -> None:
    lost = log_entry.delete().where(log_entry.c.idx == 20)
    data = node.log.entry(9).data
    faults: dict[str, tuple[Any, ...]] = {
        "Entry 9 of the log was altered": (
            entry(9, data=data.replace(b"tester", b"nobody")),
            entry(30, data=b"no JSON"),
        ),
        "Entry 12 of the log was altered": (entry(12, data=b"no JSON"), entry(13, kind="test.other")),
        "Entry 13 of the log was altered": (entry(13, kind="test.other"), lost),
        "Entry 14 of the log was altered": (log_node.update().where(stored(0, 14)).values(hash=bytes(32)), lost),
        "Entry 15 of the log was altered": (log_node.delete().where(stored(3, 1)), entry(16, kind="test.other")),
        "Entry 20 of the log is missing": (lost, entry(21, data=b"no JSON")),
        "Entry 31 of the log was altered": (log_node.update().where(stored(5, 0)).values(hash=b""),),
        "The signed checkpoint is not of these": (log_entry.delete().where(log_entry.c.idx >= SIZE - 1),),
    }
    for what, changes in faults.items():
        with changed(node, *changes), pytest.raises(Tampered, match=what):
            node.log.check()
    told: list[tuple[int, int]] = []
    assert node.log.check(lambda done, of: told.append((done, of))).size == SIZE
    assert told == [(done, SIZE) for done in range(PART, SIZE, PART)]
