"""Pass keys: rotated, their passes verify until they end; compromised, their passes stop and are issued again."""

from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hutong.errors import NotFound, Refused, Tampered
from hutong.governance import actions as governance
from hutong.node import Node, open_node
from hutong.passes.credential import status_list
from hutong.passes.credential.level_pass import LevelPass, issue
from hutong.passes.credential.read import read_pass
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import batch_actions, key_actions, key_queries
from hutong.passes.recognition import queries as recognition_queries
from hutong.passes.recognition.verdict import Answer
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.trust_bundle import Part, TrustSnapshot, read_party
from hutong.storage import schema
from hutong.trust.authorisation import PUBLIC, Actor
from tests.conftest import Clock, NewNode
from tests.passes import region
from tests.passes.region import LI, STEWARD, WANG


@pytest.fixture
def node(new_region: NewNode) -> Node:
    return new_region()


def shown(node: Node, text: str, bundle: TrustSnapshot | None = None) -> tuple[Answer, str]:
    bundle = bundle or bundle_queries.trust_snapshot(node)
    found = verify_pass(text, trust=bundle, scene="workplace", at=node.clock())
    return found.answer, found.reasons[0].rule_id


def test_what_the_log_does_not_tell_of_is_not_issued_again(node: Node, records: str, clock: Clock) -> None:
    """Rows written, moved and altered by hand, of single passes and of a batch, beside true ones."""
    single = {number: pass_actions.issue_pass(node, by=LI, person=number, hours=48) for number in ("R1", "R2", "R6")}
    batch = batch_actions.issue_batch(node, by=LI, persons=["R3", "R7", "R8"], hours=48).passes
    table = schema.issued_pass
    kept = dict(zip(("R3", "R7", "R8"), batch, strict=True))
    with node.records.writing() as connection:
        true = connection.execute(sa.select(table).where(table.c.id == single["R1"].pass_id)).mappings().one()
        connection.execute(table.insert().values(**{**true, "id": "0badc0de0badc0de", "status_index": 5}))
        for one, values in (
            (single["R6"].pass_id, {"level": "low"}),
            (kept["R3"].pass_id, {"level": "low"}),
            (kept["R7"].pass_id, {"pseudonym": region.pseudonym(node, "R6")}),
        ):
            connection.execute(table.update().where(table.c.id == one).values(**values))
    key_id = node.keys.pass_key_id
    key_actions.end_pass_key(node, by=LI, second=WANG, key_id=key_id)
    again = batch_actions.reissue_passes(node, by=LI, key_id=key_id)
    assert {one.person: one.level for one in again.passes} == {
        region.pseudonym(node, number): level for number, level in (("R1", "medium"), ("R2", "low"), ("R8", "medium"))
    }
    assert len(again.refused) == 4 and again.left == 0
    told = " ".join(why for _, why in again.refused)
    for pass_id in ("0badc0de0badc0de", single["R6"].pass_id, kept["R3"].pass_id, kept["R7"].pass_id):
        assert f"no such pass {pass_id}" in told
    (event,) = (entry.event for entry in node.log.entries(kind="passes.reissued"))
    assert (event["passes"], event["refused"]) == (3, 4)
    once = batch_actions.reissue_passes(node, by=LI, key_id=key_id)
    assert (once.passes, once.refused, once.left) == ((), (), 0)

    # What was issued again is told of as a batch: altered, it counts for none of them.
    with node.records.writing() as connection:
        packed = connection.execute(sa.select(schema.pass_batch.c.passes)).scalars().all()
        assert len(packed) == 2
        connection.execute(schema.pass_batch.update().values(passes=b"x" * 72))
    key_id = node.keys.pass_key_id
    key_actions.end_pass_key(node, by=LI, second=WANG, key_id=key_id)
    altered = batch_actions.reissue_passes(node, by=LI, key_id=key_id)
    assert (altered.passes, len(altered.refused)) == ((), 3)


def private_files(node: Node) -> list[str]:
    return sorted(path.name for path in node.settings.keys_folder.glob("passes-*.pem"))


def test_a_pass_of_a_retired_key_verifies_until_it_ends(node: Node, clock: Clock) -> None:
    old_key, old_file = node.keys.pass_key_id, private_files(node)
    before = pass_actions.issue_pass(node, by=LI, person="R1", hours=48)
    new_key = key_actions.rotate_pass_key(node, by=LI)
    assert node.keys.pass_key_id == new_key != old_key
    after = pass_actions.issue_pass(node, by=LI, person="R1", hours=48)
    assert shown(node, before.text)[0] is shown(node, after.text)[0] is Answer.ACCEPTED
    assert [(one.key_id, one.state) for one in node.keys.pass_keys] == [(new_key, "in-use"), (old_key, "retired")]
    # The old private key is gone, and the new one is for its owner only.
    (file,) = private_files(node)
    assert [file] != old_file
    assert stat.S_IMODE((node.settings.keys_folder / file).stat().st_mode) == 0o600
    clock.advance(hours=65)
    assert shown(node, before.text) == (Answer.REFUSED, "expired")
    (act,) = key_queries.key_acts(node)
    assert (act.kind, act.key, act.by, act.second) == ("retired", old_key, "li", "")
    (entry,) = node.log.entries(kind="pass-key.rotated")
    assert (entry.event["old"], entry.event["new"], entry.index) == (old_key, new_key, act.entry)


def test_another_process_signs_with_the_new_key_at_once(node: Node, clock: Clock) -> None:
    other = open_node(node.settings.folder, clock=clock)
    before = other.keys.pass_key_id
    key_actions.rotate_pass_key(node, by=LI)
    assert other.keys.pass_key_id == node.keys.pass_key_id != before
    assert other.keys.passes.private_numbers() == node.keys.passes.private_numbers()
    assert shown(node, pass_actions.issue_pass(other, by=LI, person="R1").text)[0] is Answer.ACCEPTED
    other.close()


def test_retired_certificates_leave_the_list_when_they_have_ended(new_node: NewNode, clock: Clock) -> None:
    node = new_node("tw")
    for _ in range(3):
        key_actions.rotate_pass_key(node, by=LI)
        clock.advance(days=150)
    assert len(node.keys.pass_keys) == 4
    key_actions.rotate_pass_key(node, by=LI)
    # Keys of day 0 and day 0 (twice) have ended at day 365; those of day 150 and 300 have not.
    assert [one.state for one in node.keys.pass_keys] == ["in-use", "retired", "retired"]
    assert node.keys.pass_keys[0].ends_at.date() == (clock() + timedelta(days=365)).date()


def forged(node: Node, key: object, key_id: str, at: datetime) -> str:
    """What a thief signs with a stolen key, dated before the theft was noticed."""
    claims = LevelPass(
        *("tw", at, at + timedelta(hours=100), "low", "dengue-3", "1.0.0", b"thiefs-1", 77, bytes(12)),
    )
    return issue(claims, key, bytes.fromhex(key_id))  # type: ignore[arg-type]


def test_a_compromised_key_stops_at_once_and_valid_passes_are_issued_again(
    node: Node, clock: Clock, records: str
) -> None:
    stolen, key_id = node.keys.passes, node.keys.pass_key_id
    good = [pass_actions.issue_pass(node, by=LI, person=number, hours=48) for number in ("R1", "R2")]
    short = pass_actions.issue_pass(node, by=LI, person="R3", hours=1)
    revoked = pass_actions.issue_pass(node, by=LI, person="R7", hours=48)
    pass_actions.revoke_pass(node, by=LI, second=WANG, pass_id=revoked.pass_id, rule_id="holder-asked", reason="Lost.")
    clock.advance(hours=17)
    fake = forged(node, stolen, key_id, clock() - timedelta(hours=1))
    assert shown(node, fake)[0] is Answer.ACCEPTED
    assert key_actions.end_pass_key(node, by=LI, second=WANG, key_id=key_id) == 2
    for text in (fake, *(one.text for one in good)):
        assert shown(node, text) == (Answer.REFUSED, "key-compromised")
    assert [one.state for one in node.keys.pass_keys] == ["in-use", "compromised"]
    assert len(private_files(node)) == 1
    batch = batch_actions.reissue_passes(node, by=LI, key_id=key_id)
    assert [(one.person, one.level, one.expires_at) for one in batch.passes] == sorted(
        [
            (region.pseudonym(node, number), one.level, one.expires_at)
            for number, one in zip(("R1", "R2"), good, strict=True)
        ],
        key=lambda item: [one.person for one in batch.passes].index(item[0]),
    )
    assert all(shown(node, one.text)[0] is Answer.ACCEPTED for one in batch.passes)
    assert short.pass_id not in {one.pass_id for one in batch.passes}
    # Once is enough.
    assert batch_actions.reissue_passes(node, by=LI, key_id=key_id).passes == ()
    newest = [entry.event["kind"] for entry in node.log.entries(limit=2)]
    assert newest == ["passes.reissued", "pass-key.compromised"]
    (event,) = (entry.event for entry in node.log.entries(kind="pass-key.compromised"))
    assert (event["second"], event["rule"], event["passes_stopped"]) == ("wang", "key-compromised", 2)
    counts = key_queries.pass_counts(node)
    assert (counts.valid, counts.revoked) == (2, 3)
    (revocation,) = key_queries.revocations(node)
    assert (revocation.pass_id, revocation.rule, revocation.by) == (revoked.pass_id, "holder-asked", "li")
    assert revocation.second == "wang"
    node.log.check()


def test_what_one_call_does_not_issue_again_the_next_one_does(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    key_id = node.keys.pass_key_id
    persons = ("R1", "R2", "R3")
    for number in persons:
        pass_actions.issue_pass(node, by=LI, person=number, hours=48)
    assert key_actions.end_pass_key(node, by=LI, second=WANG, key_id=key_id) == 3
    monkeypatch.setattr(batch_actions, "MAX_BATCH", 2)
    batches = [batch_actions.reissue_passes(node, by=LI, key_id=key_id) for _ in range(3)]
    assert [(len(one.passes), one.left) for one in batches] == [(2, 1), (1, 0), (0, 0)]
    issued = [one for batch in batches for one in batch.passes]
    assert {one.person for one in issued} == {region.pseudonym(node, number) for number in persons}
    assert {shown(node, one.text)[0] for one in issued} == {Answer.ACCEPTED}


def test_a_status_list_of_a_compromised_key_clears_nothing(node: Node, clock: Clock) -> None:
    stolen, key_id = node.keys.passes, node.keys.pass_key_id
    key_actions.end_pass_key(node, by=LI, second=WANG, key_id=key_id)
    payload = bundle_queries.trust_snapshot(node)
    real = payload.issuers["tw"].status_lists[0]
    lying = status_list.sign(real, stolen, bytes.fromhex(key_id))

    entry = bundle_queries._own_entry(node)
    with pytest.raises(Tampered):
        read_party(Part(entry, lists=[base64.b64encode(lying).decode()]))


def test_a_verifier_that_knows_no_compromised_keys_accepts_nothing_of_them(node: Node) -> None:
    issued = pass_actions.issue_pass(node, by=LI, person="R1", hours=48)
    key_actions.end_pass_key(node, by=LI, second=WANG, key_id=node.keys.pass_key_id)
    entry = {name: value for name, value in bundle_queries._own_entry(node).items() if name != "compromised"}
    certificates = [base64.b64decode(one) for one in entry["passes"]]
    assert len(certificates) == 1

    assert read_pass(issued.text, keys=certificates).signature_valid is None


def test_a_retired_key_can_be_compromised_while_the_new_one_goes_on(node: Node) -> None:
    old = node.keys.pass_key_id
    before = pass_actions.issue_pass(node, by=LI, person="R1", hours=48)
    new = key_actions.rotate_pass_key(node, by=LI)
    after = pass_actions.issue_pass(node, by=LI, person="R1", hours=48)
    assert key_actions.end_pass_key(node, by=LI, second=WANG, key_id=old) == 1
    assert node.keys.pass_key_id == new
    assert shown(node, before.text) == (Answer.REFUSED, "key-compromised")
    assert shown(node, after.text)[0] is Answer.ACCEPTED
    for unknown in (old, "0" * 16):
        with pytest.raises(NotFound):
            key_actions.end_pass_key(node, by=LI, second=WANG, key_id=unknown)
    with pytest.raises(NotFound):
        batch_actions.reissue_passes(node, by=LI, key_id=new)


def test_who_may_change_keys(new_node: NewNode) -> None:
    node = new_node("tw")
    key_id = node.keys.pass_key_id
    resident = Actor("R1", "account", frozenset({"resident"}), "tw")
    for nobody in (STEWARD, PUBLIC, resident):
        with pytest.raises(Refused):
            key_actions.rotate_pass_key(node, by=nobody)
        with pytest.raises(Refused):
            key_actions.end_pass_key(node, by=nobody, second=LI, key_id=key_id)
    with pytest.raises(Refused, match="two persons"):
        key_actions.end_pass_key(node, by=LI, second=LI, key_id=key_id)
    assert node.keys.pass_key_id == key_id


def test_another_region_follows_rotation_and_end_before_the_trust_list_does(
    new_region: NewNode, new_node: NewNode, clock: Clock
) -> None:
    tw, pe = new_region(), new_node("pe")
    parties = [governance.describe_self(one, kind="region") for one in (tw, pe)]
    signed = governance.publish_trust_list(pe, by=pe.operator, parties=parties)
    governance.adopt_trust_list(tw, by=tw.operator, signed=signed, issuer_key=pe.keys.public["signing"])
    rules = recognition_queries.acceptance(tw)
    assert rules is not None

    def there(text: str) -> tuple[Answer, str]:
        bundle_actions.adopt_party_bundle(pe, by=pe.operator, party_id="tw", signed=bundle_queries.pass_bundle(tw))
        found = verify_pass(text, trust=bundle_queries.trust_snapshot(pe), rules=rules, scene="workplace", at=clock())
        return found.answer, found.reasons[0].rule_id

    first = pass_actions.issue_pass(tw, by=LI, person="R2", hours=48)
    assert there(first.text)[0] is Answer.ACCEPTED
    old = tw.keys.pass_key_id
    key_actions.rotate_pass_key(tw, by=LI)
    second = pass_actions.issue_pass(tw, by=LI, person="R2", hours=48)
    assert there(first.text)[0] is there(second.text)[0] is Answer.ACCEPTED
    key_actions.end_pass_key(tw, by=LI, second=WANG, key_id=old)
    assert there(first.text) == (Answer.REFUSED, "key-compromised")
    assert there(second.text)[0] is Answer.ACCEPTED


def test_a_key_that_has_ended_issues_nothing(node: Node, clock: Clock) -> None:
    clock.now = datetime(2027, 3, 2, tzinfo=UTC)
    with pytest.raises(Refused):
        pass_actions.issue_pass(node, by=LI, person="R1")
