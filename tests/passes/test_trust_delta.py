"""Deltas of the trust bundle: base and delta give the newest edition, or an error; a poller that applies them."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Conflict, HutongError, Tampered, Unavailable
from hutong.governance import actions as governance
from hutong.node import Node
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.passes.trust_bundle import delta as trust_delta
from hutong.passes.trust_bundle import envelope
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.poller import TrustPoller
from hutong.passes.trust_bundle.trust_bundle import read_payload
from hutong.trust.signing import read_unverified, sign_document
from hutong.web.app import create_app
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import LI, WANG

parties = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5).map(lambda ids: [{"id": one} for one in ids])
of_party = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.text(max_size=4), max_size=3), max_size=4)
lists_of_party = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.text("ABab12+/=", max_size=4), max_size=3), max_size=4
)
payloads = st.fixed_dictionaries(
    {
        **{"issuer": st.just("tw"), "issued_at": st.just("2026-03-01T08:00:00+00:00"), "next_update": st.just("x")},
        **{"number": st.just(7), "max_age_hours": st.just(24), "parties": parties, "crosswalks": of_party},
        **{
            "rulebooks": of_party,
            "status_lists": lists_of_party,
            "ended": of_party,
            "acceptance": st.none() | st.just({"id": "rules"}),
        },
    }
)
KEY = Ed25519PrivateKey.generate()
KID = "k"


@pytest.fixture(scope="module")
def signer() -> tuple[Ed25519PrivateKey, dict[str, str]]:
    raw = KEY.public_key().public_bytes_raw()
    return KEY, {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode()}


@settings(max_examples=100, deadline=None)
@given(base=payloads, newest=payloads, data=st.data())
def test_base_and_delta_are_the_newest_edition(
    signer: tuple[Ed25519PrivateKey, dict[str, str]], base: dict[str, Any], newest: dict[str, Any], data: st.DataObject
) -> None:
    key, jwk = signer
    there = sorted(set(trust_delta.parts_of(base)) | set(trust_delta.parts_of(newest)))
    guessed = set(data.draw(st.lists(st.sampled_from(there)))) if there else set()
    delta = trust_delta.make_delta(newest, since=7, held=guessed)
    signed = trust_delta.sign_delta(delta, key=key, kid=KID)
    lacking = (guessed & set(trust_delta.parts_of(newest))) - set(trust_delta.parts_of(base))
    if lacking:
        with pytest.raises(Conflict):
            trust_delta.apply_delta(base, signed, issuer_key=jwk)
    else:
        assert trust_delta.apply_delta(base, signed, issuer_key=jwk) == newest


BASE: dict[str, Any] = {
    **{"issuer": "tw", "issued_at": "2026-03-01T08:00:00+00:00", "next_update": "x", "number": 7, "max_age_hours": 24},
    **{"parties": [{"id": "tw"}], "crosswalks": {}, "rulebooks": {}, "status_lists": {}, "acceptance": None},
}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"issuer": "pe"}, Conflict),
        ({"number": 6}, Conflict),
        ({"issued_at": "2026-03-01T07:00:00+00:00"}, Conflict),
        ({"parties": ["0" * 64]}, Conflict),
        ({"parts": {"0" * 64: {"id": "pe"}}}, Tampered),
        ({"parts": []}, BadInput),
        ({"crosswalks": []}, BadInput),
        ({"parties": None}, BadInput),
    ],
)
def test_what_does_not_fit_is_not_applied(
    signer: tuple[Ed25519PrivateKey, dict[str, str]], change: dict[str, Any], error: type[HutongError]
) -> None:
    key, jwk = signer
    delta = {**trust_delta.make_delta(BASE, since=7, held=()), **change}
    with pytest.raises(error):
        trust_delta.apply_delta(BASE, sign_document(key, kid=KID, kind=trust_delta.KIND, payload=delta), issuer_key=jwk)


def test_a_strangers_delta_is_tampered(signer: tuple[Ed25519PrivateKey, dict[str, str]]) -> None:
    _, jwk = signer
    signed = trust_delta.sign_delta(
        trust_delta.make_delta(BASE, since=7, held=()), key=Ed25519PrivateKey.generate(), kid=KID
    )
    with pytest.raises(Tampered):
        trust_delta.apply_delta(BASE, signed, issuer_key=jwk)


@pytest.fixture
def region(new_region: NewNode) -> Node:
    return new_region()


def delta_of(node: Node, since: int) -> dict[str, Any]:
    signed, lists = envelope.split(bundle_queries.bundle_delta(node, since))
    return read_unverified(signed)[1] | {"attached": len(lists)}


def test_a_delta_holds_only_what_happened_since(region: Node) -> None:
    edition = bundle_queries.pass_payload(region)
    quiet = delta_of(region, edition["number"])
    assert (len(quiet["parts"]), quiet["attached"]) == (0, 1)
    whole_one = delta_of(region, 0)
    assert len(whole_one["parts"]) + whole_one["attached"] == len(trust_delta.parts_of(edition)) == 5
    assert len(delta_of(region, edition["number"] + 1)["parts"]) == 4  # an edition that never was
    document = shipped_document(
        "scenes/dengue-three-levels", valid_from=regions.FROM, valid_to=regions.TO, version="1.2.0"
    )
    recognition_actions.publish_acceptance(region, by=LI, second=WANG, document=document)
    changed = delta_of(region, edition["number"])
    assert len(changed["parts"]) == 1
    assert changed["acceptance"] in changed["parts"]
    whole = trust_delta.apply_delta(
        edition, bundle_queries.bundle_delta(region, edition["number"]), issuer_key=region.keys.public["signing"]
    )
    now = bundle_queries.pass_payload(region)
    assert whole == now


def test_a_version_that_is_announced_is_in_the_bundle_with_its_date(region: Node, clock: Clock) -> None:
    edition = bundle_queries.pass_payload(region)
    document = shipped_document("dengue-three-levels", valid_from=regions.FROM, valid_to=regions.TO, version="2.0.0")
    meaning = {**document["levels"][0]["meaning"], "en": "Stay at home."}
    document["levels"] = [{**document["levels"][0], "meaning": meaning}, *document["levels"][1:]]
    rulebook_actions.publish_rulebook(region, by=LI, second=WANG, document=document)
    signed = bundle_queries.bundle_delta(region, edition["number"])
    changed = delta_of(region, edition["number"])
    assert len(changed["parts"]) == 2  # what this node says of its versions
    whole = trust_delta.apply_delta(edition, signed, issuer_key=region.keys.public["signing"])
    told = [(one.version, one.effect) for one in read_payload(whole).issuers["tw"].rulebooks]
    assert told == [("1.1.0", "first"), ("2.0.0", "tightening")]
    assert read_payload(whole).issuers["tw"].rulebooks[1].effective_from == clock() + timedelta(hours=24)
    # The crosswalk for the next major version does not take the place of the one by which passes are read now.
    walk = shipped_document("crosswalks/dengue-three-levels", valid_from=regions.FROM, valid_to=regions.TO)
    recognition_actions.publish_crosswalk(region, by=LI, second=WANG, document={**walk, "version": "2.0.0", "major": 2})
    issuer = bundle_queries.trust_snapshot(region).issuers["tw"]
    assert {issuer.crosswalk("dengue-3", major, clock()).major for major in (1, 2)} == {1, 2}  # type: ignore[union-attr]
    clock.advance(hours=24)
    assert [one.version for one in bundle_queries.trust_snapshot(region).issuers["tw"].rulebooks] == ["2.0.0"]
    older = {name: part for name, part in whole.items() if name != "rulebooks"}
    assert read_payload(older).issuers["tw"].rulebooks == ()


def test_what_is_over_leaves_the_edition_without_an_event(region: Node, clock: Clock) -> None:
    edition = bundle_queries.pass_payload(region)
    assert edition["crosswalks"]["tw"]
    clock.now = clock.now.replace(month=4, day=2)
    assert date(2026, 4, 2) > regions.SUNSET
    signed = bundle_queries.bundle_delta(region, edition["number"])
    whole = trust_delta.apply_delta(edition, signed, issuer_key=region.keys.public["signing"])
    assert whole["crosswalks"]["tw"] == []


def test_the_door_gives_bundle_delta_and_nothing_new(region: Node, clock: Clock) -> None:
    client = TestClient(create_app(region), base_url="http://node.test")
    address = "/passes/trust-bundle"
    first = client.get(address)
    assert read_unverified(first.text)[0]["typ"] == "hutong-pass-bundle+jws"
    tag = {"If-None-Match": first.headers["etag"]}
    assert client.get(address, headers=tag).status_code == 304
    delta = client.get(address, params={"since": region.log.size()})
    assert read_unverified(delta.text)[0]["typ"] == "hutong-pass-bundle-delta+jws"
    assert len(delta.text) < len(first.text) * 0.6
    assert client.get(address, params={"since": -1}).status_code == 422
    for whenever in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        assert client.get(address, params={"lists_since": whenever}).text == first.text
    for whenever in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"):
        assert client.get(address, params={"lists_since": whenever}).text == first.text.split("~")[0]
    clock.advance(minutes=5)
    assert client.get(address, headers=tag).status_code == 200
    governance.end_emergency(region, by=region.operator, emergency_id="dengue-2015")
    assert client.get(address, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.fixture
def served(region: Node) -> Iterator[tuple[str, uvicorn.Server]]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/passes/trust-bundle"
        server = uvicorn.Server(uvicorn.Config(create_app(region), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until(lambda: server.started)
        yield address, server
        server.should_exit = True
        thread.join(10)


def until(holds: Any, seconds: float = 20) -> float:
    """How long it took until something held."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it never held"
        time.sleep(0.02)
    return time.monotonic() - started


def test_a_revocation_takes_effect_within_a_period(
    region: Node, clock: Clock, served: tuple[str, uvicorn.Server]
) -> None:
    """Periods here are of half a second; the default of 30 s and 20 s in caches leave 10 s of 60 for the rest."""
    issued = pass_actions.issue_pass(region, by=LI, person="R2")
    poller = TrustPoller(served[0], region.keys.public["signing"], period_seconds=0.5, clock=clock)
    with pytest.raises(Unavailable):
        poller.verify(issued.text, scene="workplace")
    poller.start()
    try:
        until(lambda: poller.snapshot is not None)
        assert poller.verify(issued.text, scene="workplace").answer == "accepted"
        pass_actions.revoke_pass(
            region, by=LI, second=WANG, pass_id=issued.pass_id, rule_id="forged", reason="A copy was sold."
        )
        taken = until(lambda: poller.verify(issued.text, scene="workplace").answer == "refused")
        assert taken < 0.5 + 9  # a period, and a machine under load
        assert poller.problem is None
    finally:
        poller.stop()


def test_what_is_too_much_for_a_delta_is_fetched_whole(
    region: Node, clock: Clock, served: tuple[str, uvicorn.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    poller = TrustPoller(served[0], region.keys.public["signing"], clock=clock)
    assert poller.poll()
    governance.end_emergency(region, by=region.operator, emergency_id="dengue-2015")
    monkeypatch.setattr(trust_delta.envelope, "MAX_SIGNED_BYTES", 10)  # of what was signed before, nothing is again
    monkeypatch.setattr(bundle_queries, "pass_bundle", lambda node, since: newest if since is None else "")
    with monkeypatch.context() as patch:
        patch.setattr(trust_delta.envelope, "MAX_SIGNED_BYTES", 2**22)
        newest = bundle_queries.bundle_edition(region).text
    asked = {"since": 1, "lists_since": clock().isoformat()}
    assert httpx.get(served[0], params=asked, trust_env=False).status_code == 413
    assert poller.poll()
    assert poller.signed == newest


def test_without_a_network_it_keeps_what_it_has_until_that_is_too_old(
    region: Node, clock: Clock, served: tuple[str, uvicorn.Server]
) -> None:
    issued = pass_actions.issue_pass(region, by=LI, person="R2", hours=100)
    poller = TrustPoller(served[0], region.keys.public["signing"], timeout_seconds=5, clock=clock)
    assert poller.poll()
    assert not poller.poll()
    served[1].should_exit = True
    until(lambda: not answers(served[0]))
    with pytest.raises(Unavailable):
        poller.poll()
    clock.advance(hours=23)
    assert poller.verify(issued.text, scene="workplace").answer == "accepted"
    clock.advance(hours=2)
    late = poller.verify(issued.text, scene="workplace")
    assert (late.answer, late.reasons[0].rule_id) == ("unknown", "list-too-old")


def answers(address: str) -> bool:
    try:
        httpx.get(address, timeout=1, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def test_another_key_and_an_older_bundle_are_not_taken(
    region: Node, clock: Clock, served: tuple[str, uvicorn.Server], signer: tuple[Ed25519PrivateKey, dict[str, str]]
) -> None:
    stranger = TrustPoller(served[0], signer[1], clock=clock)
    with pytest.raises(Tampered):
        stranger.poll()
    assert stranger.snapshot is None
    poller = TrustPoller(served[0], region.keys.public["signing"], clock=clock)
    assert poller.poll()
    held = poller.snapshot
    clock.now -= timedelta(hours=1)  # the node's clock: what it signs now is older than what was there
    with pytest.raises(Unavailable, match="older"):
        poller.poll()
    assert poller.snapshot is held
