"""What one party publishes never keeps a node's own bundle from being made: the party is left out, and that is told."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient

from hutong.errors import Conflict, LimitExceeded
from hutong.governance import actions as governance
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import envelope, trust_bundle
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.composition import Load, compose, load_of
from hutong.passes.trust_bundle.trust_bundle import Part
from hutong.trust.keys import signing_jwk
from hutong.web.app import create_app
from tests.conftest import Clock, NewNode
from tests.passes.region import LI
from tests.passes.test_verification import Regions, says
from tests.web.verifier.world import make_region

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def two(new_region: NewNode, new_node: NewNode, clock: Clock) -> Regions:
    return Regions(new_region, new_node, clock)


def part(party: str, lists: int) -> Part:
    """A party with so many status lists."""
    region = make_region(party, NOW)
    entry = {
        "id": party,
        "name": {"en": party, "zh": party},
        "signing": signing_jwk(region.signing, node_id=party),
        "passes": [base64.b64encode(region.certificate).decode()],
        "valid_until": "2027-01-01T00:00:00+00:00",
    }
    return Part(entry, lists=[region.status_list(NOW, number=number) for number in range(lists)])


@pytest.mark.parametrize("limit", ["MAX_POSITIONS", "MAX_ATTACHED", "MAX_BUNDLE_BYTES", "MAX_SIGNED_BYTES"])
def test_small_parties_come_first_and_what_has_no_room_is_left_out(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own, large, small = part("mm", 1), part("aa", 5), part("zz", 1)
    listed = {"aa": Part(large.entry), "zz": Part(small.entry)}
    used = sum((load_of(one) for one in (own, *listed.values(), small)), start=Load())
    most = {
        "MAX_POSITIONS": used.positions,
        "MAX_ATTACHED": used.lists,
        "MAX_BUNDLE_BYTES": used.lists_bytes + used.signed_bytes,
        "MAX_SIGNED_BYTES": used.signed_bytes,
    }
    adopted = {"aa": large, "zz": small}
    assert compose(own, listed, adopted, unreadable={}, base=Load()).followed == ("mm", "zz", "aa")
    monkeypatch.setattr(trust_bundle if limit == "MAX_POSITIONS" else envelope, limit, most[limit])
    found = compose(own, listed, adopted, unreadable={}, base=Load())
    assert (found.followed, list(found.parts), list(found.issuers)) == (("mm", "zz"), *[["aa", "mm", "zz"]] * 2)
    assert [(one.party, "no room" in one.what) for one in found.left_out] == [("aa", True)]
    assert (found.issuers["aa"].status_lists, len(found.issuers["zz"].status_lists)) == ({}, 1)
    monkeypatch.setattr(trust_bundle if limit == "MAX_POSITIONS" else envelope, limit, 1)
    if limit != "MAX_POSITIONS":  # then readers can't take the node's own lists
        assert compose(own, listed, adopted, unreadable={}, base=Load()).followed == ("mm",), "it is never left out"


def test_a_party_that_can_not_be_verified_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    own, good, bad = part("mm", 1), part("aa", 1), part("zz", 1)
    lists = {"aa": good, "zz": replace(good, entry=bad.entry)}
    found = compose(own, {name: Part(one.entry) for name, one in lists.items()}, lists, unreadable={}, base=Load())
    assert (found.followed, [one.party for one in found.left_out]) == (("mm", "aa"), ["zz"])
    broken = Part({**bad.entry, "passes": ["not a certificate"]})
    found = compose(own, {"zz": broken}, {}, unreadable={}, base=Load())
    assert (set(found.parts), [one.party for one in found.left_out]) == ({"mm"}, ["zz"])


def test_a_neighbour_too_large_takes_nothing_from_the_nodes_own_bundle(
    two: Regions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = two.issue()
    assert says(two.at_pe(shown.text))[0] == "accepted"
    edition = bundle_queries.bundle_edition(two.pe)
    assert len(edition.signed) <= bundle_queries._draft(two.pe)[2].load.signed_bytes
    bundle_actions.watch_bundle(two.pe, by=two.pe.operator)
    clock.advance(minutes=5)
    with monkeypatch.context() as patch:
        patch.setattr(trust_bundle, "MAX_POSITIONS", (1 << 20) + 1)
        assert says(two.at_pe(shown.text)) == ("unknown", ["no-status-list"])
        assert list(bundle_queries.trust_snapshot(two.pe).issuers["pe"].status_lists) == [0]
        assert (
            TestClient(create_app(two.pe), base_url="http://node.test").get("/passes/trust-bundle").status_code == 200
        )
        load = bundle_queries.bundle_load(two.pe)
        assert ([one.party for one in load.left_out], load.share < 0.5, load.is_near) == (["tw"], True, True)
        with pytest.raises(Conflict, match="unknown here: tw"):
            bundle_actions.watch_bundle(two.pe, by=two.pe.operator)
    clock.advance(minutes=5)
    assert says(two.at_pe(shown.text))[0] == "accepted"


def test_a_party_with_another_signing_key_is_left_out_until_its_bundle_is_fetched_again(two: Regions) -> None:
    shown = two.issue()
    bundle_actions.adopt_party_bundle(two.tw, by=LI, party_id="pe", signed=bundle_queries.pass_bundle(two.pe))
    assert bundle_queries.trust_snapshot(two.tw).issuers["pe"].crosswalks
    tw, pe = (governance.describe_self(node, kind="region") for node in (two.tw, two.pe))
    fresh = signing_jwk(Ed25519PrivateKey.generate(), node_id="pe")
    governance.publish_trust_list(two.tw, by=two.tw.operator, parties=[tw, replace(pe, signing=fresh)])
    snapshot = bundle_queries.trust_snapshot(two.tw)
    assert (snapshot.issuers["pe"].crosswalks, len(snapshot.issuers["tw"].crosswalks)) == ((), 1)
    assert [one.party for one in bundle_queries.bundle_load(two.tw).left_out] == ["pe"]
    assert TestClient(create_app(two.tw), base_url="http://node.test").get("/passes/trust-bundle").status_code == 200
    assert two.at_pe(shown.text).answer == "accepted"


def test_a_signed_part_that_readers_would_refuse_is_not_sent_and_its_nearness_is_told(
    two: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = bundle_queries.bundle_load(two.tw)
    assert load.signed_bytes == len(bundle_queries.pass_bundle(two.tw).split("~", maxsplit=1)[0])
    assert replace(load, most_signed_bytes=load.signed_bytes).is_near
    assert replace(load, most_positions=load.positions).is_near
    monkeypatch.setattr(envelope, "MAX_SIGNED_BYTES", load.signed_bytes - 1)
    two.issue()
    with pytest.raises(LimitExceeded, match="signed text"):
        bundle_queries.pass_bundle(two.tw)
