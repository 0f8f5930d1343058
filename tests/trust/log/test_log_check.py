"""The check of a whole log names its first fault, wherever that lies in the parts that are compared at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hutong.errors import Tampered
from hutong.node import Node
from hutong.storage.schema import log_cosignature, log_entry, log_head, log_node
from hutong.trust.log import journal
from hutong.trust.log.journal import Event
from hutong.trust.log.note import COSIGNATURE_V1, SigningKey, parse_note
from tests.conftest import NewNode

SIZE, PART = 40, 7
TABLES = (log_entry, log_node, log_head, log_cosignature)


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
            if rows:
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
        "The signed checkpoint is not of these entries": (log_head.update().values(root=bytes(32)),),
        "The signed checkpoint was altered, or is missing": (log_head.delete(), lost),
    }
    for what, changes in faults.items():
        with changed(node, *changes), pytest.raises(Tampered, match=what):
            node.log.check()
    told: list[tuple[int, int]] = []
    assert node.log.check(lambda done, of: told.append((done, of))).size == SIZE
    assert told == [(done, SIZE) for done in range(PART, SIZE, PART)]


def test_a_proof_from_damaged_records_is_told_as_that(node: Node) -> None:
    """And a served page too: a row that is gone is no defect of the program."""
    for change in (log_node.delete(), log_head.delete()):
        with changed(node, change), pytest.raises(Tampered):
            node.log.prove(3)
    with changed(node, log_head.delete()):
        for ask in (node.log.size, node.log.checkpoint, lambda: node.log.tile("tile/0/000")):
            with pytest.raises(Tampered):
                ask()
        with node.records.writing() as connection, pytest.raises(Tampered):
            node.log.append(connection, [Event("test.made", "tester", node.clock(), {})])


def test_a_cosignature_that_does_not_fit_is_none(node: Node) -> None:
    witness, other = (
        SigningKey(f"{name}.example/witness", Ed25519PrivateKey.generate(), COSIGNATURE_V1) for name in ("one", "two")
    )
    keys = [witness.verifier, other.verifier]
    text = parse_note(node.log.checkpoint()).text
    with node.records.writing() as connection:
        for signer in (witness, other):
            line = signer.cosign(text, 1_900_000_000).line().encode()
            node.log.add_cosignature(
                connection, message=node.log.checkpoint(), answer=line, witness=signer.verifier, at=node.clock()
            )
    assert {name: one.size for name, one in node.log.cosigned(keys).items()} == {key.name: SIZE for key in keys}
    assert node.log.check(witnesses=keys).size == SIZE
    good = node.log.checkpoint()
    of_one = log_cosignature.update().where(log_cosignature.c.witness == witness.verifier.name)
    for spoiled in ("x", "", other.cosign(text, 1).line(), witness.cosign(text.replace("40", "41"), 1).line()):
        with changed(node, of_one.values(line=spoiled)):
            assert [*node.log.cosigned(keys)] == [other.verifier.name]
            assert parse_note(node.log.checkpoint()).text == text
            with pytest.raises(Tampered, match="The cosignature by one"):
                node.log.check(witnesses=keys)
    with changed(node, of_one.values(size=SIZE + 1)):
        assert [*node.log.cosigned(keys)] == [other.verifier.name]
    # What was signed with a key that is not in the list any more is no sign of tampering.
    replaced = SigningKey(witness.name, Ed25519PrivateKey.generate(), COSIGNATURE_V1).verifier
    assert node.log.cosigned([replaced]) == {}
    assert node.log.check(witnesses=[replaced]).size == SIZE
    assert node.log.checkpoint() == good
