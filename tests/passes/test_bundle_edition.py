"""The node's own bundle is made once and read by all who verify here, and is right at once when something happens."""

from __future__ import annotations

import threading
from datetime import timedelta

from hutong.governance import queries as governance_queries
from hutong.node import Node, open_node
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import key_actions
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import envelope
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.trust_bundle import sign_bundle
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import LI, WANG
from tests.passes.test_verification import MARIA, Regions


def filled(new_node: NewNode) -> Node:
    node = new_node("tw")
    regions.fill(node)
    return node


def answer(node: Node, text: str) -> tuple[str, str]:
    found = verify_pass(text, trust=bundle_queries.trust_snapshot(node), scene="workplace", at=node.clock())
    return str(found.answer), found.reasons[0].rule_id


def revoke(node: Node, pass_id: str) -> None:
    pass_actions.revoke_pass(node, by=LI, second=WANG, pass_id=pass_id, rule_id="forged", reason="Sold.")


def test_it_is_made_once_until_something_happens(new_node: NewNode, clock: Clock) -> None:
    node = filled(new_node)
    clock.now = clock.now.replace(minute=0, second=0)
    first = bundle_queries.trust_snapshot(node)
    clock.advance(minutes=4, seconds=59)
    assert bundle_queries.trust_snapshot(node) is first
    clock.advance(seconds=1)
    second = bundle_queries.trust_snapshot(node)
    assert second is not first, "a bundle ages"
    for _ in range(4):
        pass_actions.issue_pass(node, by=LI, person="R1")
        assert bundle_queries.trust_snapshot(node) is not second
    assert len(node.memory.store("bundle-editions", most=9)) == 2


def test_a_revocation_counts_at_once_whichever_process_makes_it(new_node: NewNode, clock: Clock) -> None:
    node = filled(new_node)
    here, there = (pass_actions.issue_pass(node, by=LI, person="R1") for _ in range(2))
    assert answer(node, here.text)[0] == answer(node, there.text)[0] == "accepted"
    revoke(node, here.pass_id)
    assert answer(node, here.text) == ("refused", "revoked")
    other = open_node(node.settings.folder, clock=clock)
    revoke(other, there.pass_id)
    assert answer(node, there.text) == ("refused", "revoked")
    other.close()


def test_keys_that_follow_their_log_entry_make_another_edition(new_node: NewNode) -> None:
    """Between the entry of a compromised key and the key's end in its file an edition may be made: it does not stay."""
    node = filled(new_node)
    shown = pass_actions.issue_pass(node, by=LI, person="R1")
    old = node.keys.pass_key_id
    prepare = type(node.key_folder).prepare_end

    class Watched:
        def __init__(self, prepared: object) -> None:
            self.prepared = prepared
            self.key_id = prepared.key_id  # type: ignore[attr-defined]

        def install(self) -> None:
            assert answer(node, shown.text) == ("refused", "revoked"), "an edition between the two"
            self.prepared.install()  # type: ignore[attr-defined]

    def watched(*given: object, **named: object) -> Watched:
        return Watched(prepare(*given, **named))  # type: ignore[arg-type]

    type(node.key_folder).prepare_end = watched  # type: ignore[method-assign, assignment]
    try:
        key_actions.end_pass_key(node, by=LI, second=WANG, key_id=old)
    finally:
        type(node.key_folder).prepare_end = prepare  # type: ignore[method-assign]
    assert answer(node, shown.text) == ("refused", "key-compromised")


def test_from_its_end_on_a_trust_list_makes_nobody_trusted(
    new_region: NewNode, new_node: NewNode, clock: Clock
) -> None:
    clock.advance(minutes=2)  # so that its end is not when a new edition is due anyway
    two = Regions(new_region, new_node, clock)
    clock.now = governance_queries.trust_list(two.pe).next_update - timedelta(seconds=1)
    tag = bundle_queries.bundle_tag(two.pe)
    assert set(bundle_queries.trust_snapshot(two.pe).issuers) == {"tw", "pe"}
    clock.advance(seconds=1)
    assert set(bundle_queries.trust_snapshot(two.pe).issuers) == {"pe"}
    assert bundle_queries.bundle_tag(two.pe) != tag


def test_what_a_party_says_counts_at_once_also_under_the_same_number(
    new_region: NewNode, new_node: NewNode, clock: Clock
) -> None:
    two = Regions(new_region, new_node, clock)
    payload = envelope.read_unverified_bundle(bundle_queries.pass_bundle(two.tw))
    assert len(bundle_queries.trust_snapshot(two.pe).issuers["tw"].crosswalks) == 1
    size = two.pe.log.size()
    payload["crosswalks"]["tw"] = []
    for _ in range(2):
        signed = sign_bundle(payload, key=two.tw.keys.signing, kid="tw")
        bundle_actions.adopt_party_bundle(two.pe, by=MARIA, party_id="tw", signed=signed)
    assert bundle_queries.trust_snapshot(two.pe).issuers["tw"].crosswalks == ()
    assert two.pe.log.size() == size + 1


def test_many_may_ask_while_passes_are_revoked(new_node: NewNode) -> None:
    node = filled(new_node)
    passes = [pass_actions.issue_pass(node, by=LI, person="R1") for _ in range(6)]
    revoked: list[str] = []
    wrong: list[tuple[str, str]] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            known = list(revoked)
            wrong.extend((text, found) for text in known if (found := answer(node, text)[0]) != "refused")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for one in passes[:5]:
        revoke(node, one.pass_id)
        revoked.append(one.text)
    done.set()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert answer(node, passes[5].text)[0] == "accepted"
