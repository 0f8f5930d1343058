"""Many passes at once, and renewing: everybody gets what a single call gives, in one entry of the log."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, LimitExceeded, NotFound, Refused
from hutong.governance import actions as governance
from hutong.node import Node
from hutong.passes.appeal import correction_actions
from hutong.passes.appeal.correction import LevelChange
from hutong.passes.credential.keys import decode_base64url
from hutong.passes.credential.level_pass import is_held_by
from hutong.passes.credential.read import read_pass
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import batch_actions, own_lists, renewal_actions
from hutong.passes.issuance import queries as pass_queries
from hutong.passes.issuance.free_indexes import free_indexes
from hutong.passes.recognition.verdict import Answer
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.storage import schema
from hutong.trust.authorisation import PUBLIC, Actor
from tests.conftest import Clock, NewNode
from tests.passes.region import LI, RESIDENTS, STEWARD, WANG

KNOWN = [number for number, (_, level) in RESIDENTS.items() if level != "unknown"]


def resident(number: str) -> Actor:
    return Actor(number, "account", frozenset({"resident"}), "tw")


@pytest.fixture
def node(new_region: NewNode) -> Node:
    return new_region()


def entries(node: Node, kind: str) -> list[dict[str, Any]]:
    return [dict(entry.event) for entry in node.log.entries(kind=kind, limit=500)]


def answer(node: Node, text: str) -> tuple[Answer, str]:
    found = verify_pass(text, trust=bundle_queries.trust_snapshot(node), scene="workplace", at=node.clock())
    return found.answer, found.reasons[0].rule_id


def test_everybody_gets_the_pass_that_a_single_call_gives(node: Node, clock: Clock, records: str) -> None:
    change = LevelChange("low", "clinically-excluded", "A wrong thermometer.", clock() + timedelta(days=7))
    correction_actions.override_level(node, by=LI, second=WANG, person="R5", change_to=change)
    singly = {number: pass_actions.issue_pass(node, by=LI, person=number) for number in KNOWN}
    before = node.log.size()
    batch = batch_actions.issue_batch(node, by=LI, persons=[*RESIDENTS, "nobody", " r1 "])
    assert node.log.size() == before + 1
    assert [one.person for one in batch.passes if one.person != " r1 "] == [n for n in KNOWN if n != "R1"]
    assert dict(batch.refused).keys() == {"R4", "nobody"}
    assert "level is not known" in dict(batch.refused)["R4"]
    assert batch.repeated == 1, "R1, in another spelling"
    keys = [node.keys.pass_certificate]
    for one in batch.passes:
        single = singly[one.person.strip().upper()]
        read = read_pass(one.text, keys=keys)
        assert read.signature_valid is True and read.claims is not None
        assert (read.claims.level, read.claims.rulebook, read.claims.expires_at) == (
            *(single.level, single.rulebook, single.expires_at),
        )
        assert is_held_by(read.claims, decode_base64url(one.holder_secret, "a secret"))
        assert pass_queries.pass_record(node, one.pass_id).level == one.level
    assert len({one.pass_id for one in batch.passes}) == len(batch.passes) == len(KNOWN)
    assert answer(node, batch.passes[0].text)[0] is Answer.ACCEPTED
    (event,) = entries(node, "passes.issued")
    ids = "\n".join(sorted(one.pass_id for one in batch.passes))
    assert (event["passes"], event["refused"], event["rulebooks"]) == (len(KNOWN), 2, ["dengue-3@1.1.0"])
    assert event["ids_sha256"] == hashlib.sha256(ids.encode()).hexdigest()
    assert "holder_secret" not in repr(batch)


def test_a_batch_of_thousands_has_its_own_positions(node: Node) -> None:
    with node.change(node.operator, unlogged="a test's own") as change:
        indexes = free_indexes(node, change, 3000)
    assert len(set(indexes)) == 3000
    assert sorted(indexes) != indexes


def test_a_list_gives_its_last_places_before_the_next_one_begins(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_lists, "LIST_POSITIONS", 100)
    given = [pass_actions.issue_pass(node, by=LI, person="R1", hours=1).status_index for _ in range(2)]
    with node.change(node.operator, unlogged="a test's own") as change:
        indexes = free_indexes(node, change, 150)
    first, second = set(range(100)), set(range(1 << 24, (1 << 24) + 100))
    assert len(indexes) == len(set(indexes)) == 150
    assert first & set(indexes) == first - set(given), "all that were free"
    assert len(second & set(indexes)) == 52


@pytest.mark.parametrize("by", [STEWARD, PUBLIC, resident("R1")], ids=lambda actor: actor.id)
def test_who_may_issue_a_batch(node: Node, by: Actor) -> None:
    with pytest.raises(Refused):
        batch_actions.issue_batch(node, by=by, persons=["R1"])


def test_batches_that_are_none(node: Node, clock: Clock) -> None:
    with pytest.raises(BadInput, match="Nobody"):
        batch_actions.issue_batch(node, by=LI, persons=[])
    with pytest.raises(BadInput, match="hours"):
        batch_actions.issue_batch(node, by=LI, persons=["R1"], hours=169)
    with pytest.raises(LimitExceeded):
        batch_actions.issue_batch(node, by=LI, persons=["R1"] * 100_001)
    assert batch_actions.issue_batch(node, by=LI, persons=["nobody"]).passes == ()
    assert entries(node, "passes.issued") == []
    clock.now = datetime(2026, 4, 1, tzinfo=UTC)
    with pytest.raises(Refused, match="No emergency"):
        batch_actions.issue_batch(node, by=LI, persons=["R1"])


def test_renewing_is_one_call_and_leaves_the_old_one(
    node: Node, clock: Clock, records: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pass_actions.issue_pass(node, by=resident("R2"), person="R2", hours=1)
    clock.advance(hours=17)
    assert answer(node, old.text) == (Answer.REFUSED, "expired")
    new = renewal_actions.renew_pass(node, by=resident("R2"), pass_id=old.pass_id, hours=2)
    assert answer(node, new.text)[0] is Answer.ACCEPTED
    assert (new.level, new.pass_id != old.pass_id) == (old.level, True)
    for stranger in (resident("R1"), STEWARD, PUBLIC):
        with pytest.raises(Refused):
            renewal_actions.renew_pass(node, by=stranger, pass_id=old.pass_id)
    with monkeypatch.context() as broken:
        broken.setattr(pass_actions, "revoke_in", Mock(side_effect=Conflict("The pass was revoked before.", "Wait.")))
        with pytest.raises(Conflict):
            renewal_actions.renew_pass(node, by=LI, second=WANG, pass_id=new.pass_id)
    assert len(entries(node, "pass.issued")) == 2, "both or neither"
    last = renewal_actions.renew_pass(node, by=LI, second=WANG, pass_id=new.pass_id)
    assert last.pass_id not in str(entries(node, "pass.issued")) + str(entries(node, "pass.revoked"))
    assert answer(node, new.text) == (Answer.REFUSED, "revoked")
    assert answer(node, last.text)[0] is Answer.ACCEPTED
    with pytest.raises(Conflict, match="revoked"):
        renewal_actions.renew_pass(node, by=LI, pass_id=new.pass_id)
    with pytest.raises(NotFound):
        renewal_actions.renew_pass(node, by=LI, pass_id="0" * 16)
    governance.end_emergency(node, by=LI, emergency_id="dengue-2015")
    with pytest.raises(Refused, match="No emergency"):
        renewal_actions.renew_pass(node, by=LI, pass_id=last.pass_id)


def test_the_table_says_which_key_signed(node: Node) -> None:
    batch_actions.issue_batch(node, by=LI, persons=["R1", "R2"])
    with node.records.reading() as connection:
        keys = set(connection.execute(sa.select(schema.issued_pass.c.key_id)).scalars())
    assert keys == {node.keys.pass_key_id} == {pass_queries.pass_key_id(node).hex()}
