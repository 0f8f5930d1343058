"""A revocation in one region counts in the other, without anybody doing anything, and nothing else makes a stir."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hutong.governance import actions as governance
from hutong.node import Node
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import envelope, poller
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.actions import keep_party_bundles
from hutong.passes.trust_bundle.asking import Asking
from hutong.passes.trust_bundle.following import PARTY_SECONDS, Pauses
from hutong.passes.trust_bundle.trust_bundle import sign_bundle
from hutong.storage import schema
from hutong.trust.trust_list import Party
from hutong.web.api.passes import BUNDLE_CACHE_SECONDS
from hutong.web.app import create_app
from hutong.web.jobs import JOBS
from hutong.web.portal import verifier
from tests.conftest import Clock, NewNode
from tests.sharing.conftest import served

from . import region
from .region import LI, WANG
from .test_verification import Regions, says


@pytest.fixture
def two(new_node: NewNode, clock: Clock) -> Iterator[Regions]:
    """pe follows tw, which answers on a loopback port."""
    listening = socket.create_server(("127.0.0.1", 0))
    addresses = {"tw": f"http://127.0.0.1:{listening.getsockname()[1]}", "pe": "http://127.0.0.1:1"}

    def make(node_id: str, **settings: Any) -> Node:
        return new_node(node_id, url=addresses[node_id], **settings)

    def filled(node_id: str, **settings: Any) -> Node:
        node = make(node_id, **settings)
        region.fill(node)
        return node

    regions = Regions(filled, make, clock)
    with served(create_app(regions.tw), listening):
        yield regions


def keep(node: Node) -> tuple[str, ...]:
    followed = keep_party_bundles(node, by=node.operator)
    assert not followed.failed
    return followed.news


def test_a_revocation_reaches_the_other_region(two: Regions, records: str) -> None:
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


@pytest.mark.parametrize("drips", ["body", "header"])
def test_a_party_that_does_not_answer_holds_up_nobody(
    two: Regions, drips: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """xx takes every connection and sends a byte now and then; tw answers as ever."""
    monkeypatch.setattr(bundle_actions, "PARTY_SECONDS", 3.0)
    with slow_party(drips) as (address, asked):
        xx = follow_another(two, "xx", address)
        fake = two.issue()
        pass_actions.revoke_pass(two.tw, by=LI, second=WANG, pass_id=fake.pass_id, rule_id="forged", reason="sold")
        two.clock.advance(seconds=20)
        started = time.monotonic()
        first = keep_party_bundles(two.pe, by=two.pe.operator)
        assert time.monotonic() - started < 15, "three seconds, and a machine under load"
        assert (first.news, tuple(first.failed), first.newly_failed) == (("tw",), (xx,), (xx,))
        assert says(two.at_pe(fake.text)) == ("refused", ["revoked"])
        assert len(asked) == 1
        two.clock.advance(seconds=15)
        assert keep(two.pe) == ()
        assert len(asked) == 1, "it is left alone for a while"
        two.clock.advance(seconds=15)
        for thread in threading.enumerate():
            if drips == "body" and thread.name == f"ask-{xx}":
                thread.join(20)
        again = keep_party_bundles(two.pe, by=two.pe.operator)
        assert (tuple(again.failed), again.newly_failed) == ((xx,), ())
        assert len(asked) == (2 if drips == "body" else 1), "who still answers is not asked again"


def test_whatever_a_party_sends_it_holds_up_nobody(two: Regions, monkeypatch: pytest.MonkeyPatch) -> None:
    xx = follow_another(two, "xx", "http://127.0.0.1:1")
    fetch = bundle_actions.fetch_bundle_of

    def fetched(node: Node, party: Party, **named: Any) -> str:
        if party.id == xx:
            raise OverflowError("date value out of range")
        return fetch(node, party, **named)

    monkeypatch.setattr(bundle_actions, "fetch_bundle_of", fetched)
    fake = two.issue()
    pass_actions.revoke_pass(two.tw, by=LI, second=WANG, pass_id=fake.pass_id, rule_id="forged", reason="sold")
    two.clock.advance(seconds=20)
    followed = keep_party_bundles(two.pe, by=two.pe.operator)
    assert (followed.news, followed.failed) == (("tw",), {xx: "OverflowError: date value out of range"})
    assert says(two.at_pe(fake.text)) == ("refused", ["revoked"])


def test_what_is_held_and_can_not_be_read_any_more_is_fetched_again(two: Regions) -> None:
    """As after the party has had to change its signing key."""
    payload = envelope.read_unverified_bundle(bundle_queries.pass_bundle(two.tw))
    old = sign_bundle(payload, key=Ed25519PrivateKey.generate(), kid="tw")
    with two.pe.change(two.pe.operator, unlogged="held of an earlier release") as change:
        change.execute(schema.party_bundle.update().values(signed=old))
    two.clock.advance(seconds=20)
    assert (keep(two.pe), keep(two.pe)) == (("tw",), ())


@contextmanager
def slow_party(drips: str) -> Iterator[tuple[str, list[bytes]]]:
    """A server that begins the header or body of an answer and never ends it, and what it was asked."""
    asked: list[bytes] = []
    stopping = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            asked.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n")
            connection.sendall(b"\r\n" if drips == "body" else b"X-Slow: ")
            while not stopping.wait(0.1):
                connection.sendall(b"x")

    def answer() -> None:
        while not stopping.is_set():
            with suppress(TimeoutError):
                threading.Thread(target=drip, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        stopping.set()
        thread.join(5)


def test_who_is_still_answering_is_not_asked_again_and_delays_none_after_it() -> None:
    asked: list[str] = []
    may_end = threading.Event()

    def fetch(party: str) -> str:
        asked.append(party)
        if party.startswith("slow"):
            may_end.wait(60)
        return party.upper()

    asking = Asking[str]()
    started = time.monotonic()
    assert asking.ask(["slow1", "slow2", "a", "b"], fetch, at_once=2, seconds=0.2) == {"a": "A", "b": "B"}
    assert asking.ask(["slow1", "a"], fetch, at_once=2, seconds=0.2) == {"a": "A"}
    assert time.monotonic() - started < 10
    assert sorted(asked) == ["a", "a", "b", "slow1", "slow2"]
    may_end.set()
    deadline = time.monotonic() + 20
    while asking.ask(["slow1"], fetch, at_once=2, seconds=5) != {"slow1": "SLOW1"}:
        assert time.monotonic() < deadline


def test_who_is_still_answering_does_not_hold_up_the_end_of_the_process() -> None:
    program = (
        "import time; from hutong.passes.trust_bundle.asking import Asking; "
        "print(Asking().ask(['xx'], lambda _: time.sleep(600), at_once=1, seconds=0.1))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "{}"


def follow_another(two: Regions, party: str, address: str) -> str:
    """Let pe follow a third party, whose bundle was adopted when it still answered."""
    listed = governance.describe_self(two.pe, kind="region")
    parties = [governance.describe_self(node, kind="region") for node in (two.tw, two.pe)]
    governance.publish_trust_list(
        two.tw, by=two.tw.operator, parties=[*parties, replace(listed, id=party, url=address)]
    )
    two.share()
    with two.pe.change(two.pe.operator, unlogged="a party that answered once") as change:
        kept = {"party": party, "number": 1, "signed": bundle_queries.pass_bundle(two.pe), "received_at": change.at}
        change.execute(schema.party_bundle.insert().values(**kept))
    return party


def test_pauses_double_up_to_five_minutes_and_end_with_an_answer() -> None:
    pauses, at = Pauses(), datetime(2026, 3, 1, tzinfo=UTC)
    assert pauses.is_due("tw", at)
    assert [pauses.failed("tw", at), pauses.failed("tw", at)] == [True, False]
    due = [seconds for seconds in (15, 30, 59, 60) if pauses.is_due("tw", at + timedelta(seconds=seconds))]
    assert due == [60]
    assert pauses.is_due("pe", at)
    for _ in range(50):
        pauses.failed("tw", at)
    due = [seconds for seconds in (60, 299, 300) if pauses.is_due("tw", at + timedelta(seconds=seconds))]
    assert due == [300]
    pauses.answered("tw")
    assert pauses.is_due("tw", at)
    assert pauses.failed("tw", at)


def test_from_publication_to_effect_at_a_neighbours_verifiers_it_is_a_minute_at_most() -> None:
    """With the constants that nodes and verifiers come with, one followed party being down, and caches between all."""
    (job,) = (job for job in JOBS if job.name == "party-bundles")
    page = (verifier.FOLDER / "app.js").read_text()
    (refresh_ms,) = re.findall(r"REFRESH_MS = ([\d_]+);", page)
    assert 'cache: "no-cache"' in (verifier.FOLDER / "trust.js").read_text()
    at_the_neighbour = BUNDLE_CACHE_SECONDS + PARTY_SECONDS + job.period_seconds + PARTY_SECONDS
    assert at_the_neighbour + BUNDLE_CACHE_SECONDS + poller.PERIOD_SECONDS <= 60
    assert at_the_neighbour + int(refresh_ms.replace("_", "")) / 1000 <= 60
