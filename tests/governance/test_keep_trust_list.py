"""A trust list is replaced in time, and one past its date is not relied on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from hutong.errors import Tampered, Unavailable
from hutong.governance import actions, queries
from hutong.node import Node
from hutong.passes.trust_bundle.queries import trust_snapshot
from hutong.web.app import create_app
from tests.conftest import Clock, NewNode
from tests.sharing.conftest import introduce, served

Two = tuple[Node, Node]


@pytest.fixture
def two(new_node: NewNode) -> Iterator[Two]:
    """A hub that signs the list and answers on a loopback port, and a region that follows it."""
    listening = socket.create_server(("127.0.0.1", 0))
    hub = new_node("hub", url=f"http://127.0.0.1:{listening.getsockname()[1]}", territory="*")
    tw = new_node("tw")
    introduce(hub, tw)
    with served(create_app(hub), listening):
        yield hub, tw


def keep(node: Node) -> int | None:
    fresh = actions.keep_trust_list(node, by=node.operator)
    return fresh.number if fresh else None


def test_the_issuer_signs_the_next_edition_in_time_and_others_fetch_it(two: Two, clock: Clock, records: str) -> None:
    hub, tw = two
    sizes = hub.log.size(), tw.log.size()
    assert (keep(hub), keep(tw)) == (None, None)
    assert (hub.log.size(), tw.log.size()) == sizes, "nothing changed, so nothing is told"
    clock.advance(days=4)
    assert (keep(tw), keep(hub), keep(tw), keep(tw)) == (None, 2, 2, None)
    assert [party.id for party in queries.parties(tw)] == ["hub", "tw"]


def test_past_its_date_nobody_is_trusted_by_it(two: Two, clock: Clock) -> None:
    hub, tw = two
    assert set(trust_snapshot(tw).issuers) == {"hub", "tw"}
    clock.advance(days=8)
    with pytest.raises(Unavailable, match="edition 1"):
        queries.trust_list(tw).party("hub", at=clock())
    assert set(trust_snapshot(tw).issuers) == {"tw"}, "a pass of the hub is unknown now"
    assert (keep(hub), keep(tw)) == (2, 2)
    assert queries.trust_list(tw).party("hub", at=clock()).id == "hub"


def test_a_party_that_ended_is_not_in_the_next_edition(two: Two, clock: Clock) -> None:
    hub, tw = two
    ends = replace(actions.describe_self(tw, kind="region"), valid_until=clock() + timedelta(days=5))
    actions.publish_trust_list(hub, by=hub.operator, parties=[actions.describe_self(hub, kind="hub"), ends])
    clock.advance(days=6)
    assert (keep(tw), keep(hub)) == (2, 3)
    assert [party.id for party in queries.parties(hub)] == ["hub"]


def test_an_edition_of_another_key_is_not_taken_over(two: Two, clock: Clock, new_node: NewNode) -> None:
    hub, tw = two
    stranger = new_node("xx")
    parties = [actions.describe_self(node, kind="region") for node in (hub, tw)]
    actions.publish_trust_list(stranger, by=stranger.operator, parties=parties)
    actions.publish_trust_list(stranger, by=stranger.operator, parties=parties)
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    edition = actions.publish_trust_list(
        hub, by=hub.operator, parties=[replace(party, url=address) if party.id == "hub" else party for party in parties]
    )
    actions.adopt_trust_list(tw, by=tw.operator, signed=edition, issuer_key=hub.keys.public["signing"])
    with served(create_app(stranger), listening), pytest.raises(Tampered):
        keep(tw)
    assert queries.trust_list(tw).issuer == "hub"
