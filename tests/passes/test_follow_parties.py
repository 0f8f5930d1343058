"""A revocation in one region counts in the other, without anybody doing anything, and nothing else makes a stir."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from hutong.errors import Unavailable
from hutong.node import Node
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.actions import keep_party_bundles
from hutong.web.app import create_app
from tests.conftest import Clock, NewNode
from tests.sharing.conftest import served

from .region import LI, WANG
from .test_verification import Regions, says


@pytest.fixture
def two(new_node: NewNode, clock: Clock) -> Iterator[Regions]:
    """pe follows tw, which answers on a loopback port."""
    listening = socket.create_server(("127.0.0.1", 0))
    addresses = {"tw": f"http://127.0.0.1:{listening.getsockname()[1]}", "pe": "http://127.0.0.1:1"}

    def make(node_id: str, **settings: Any) -> Node:
        return new_node(node_id, url=addresses[node_id], **settings)

    regions = Regions(make, clock)
    with served(create_app(regions.tw), listening):
        yield regions


def keep(node: Node) -> tuple[str, ...]:
    return keep_party_bundles(node, by=node.operator)


def test_a_revocation_reaches_the_other_region(two: Regions) -> None:
    fake = two.issue()
    assert keep(two.pe) == ()
    pass_actions.revoke_pass(two.tw, by=LI, second=WANG, pass_id=fake.pass_id, rule_id="forged", reason="sold")
    two.clock.advance(seconds=20)
    assert says(two.at_pe(fake.text))[0] == "accepted"
    assert keep(two.pe) == ("tw",)
    assert says(two.at_pe(fake.text)) == ("refused", ["revoked"])


def test_what_says_nothing_new_changes_nothing(two: Regions) -> None:
    size = two.pe.log.size()
    two.issue()  # an entry in tw's log, and so another number of its bundle
    two.clock.advance(minutes=5)
    assert keep(two.pe) == ()
    assert two.pe.log.size() == size


def test_long_before_its_signatures_are_too_old_it_is_taken_over_anew(two: Regions) -> None:
    two.clock.advance(hours=6, minutes=1)
    two.issue()
    assert (keep(two.pe), keep(two.pe)) == (("tw",), ())


def test_a_party_that_does_not_answer_is_told_after_all_were_asked(two: Regions) -> None:
    bundle_actions.adopt_party_bundle(
        two.tw, by=two.tw.operator, party_id="pe", signed=bundle_queries.pass_bundle(two.pe)
    )
    with pytest.raises(Unavailable, match="pe"):
        keep(two.tw)
