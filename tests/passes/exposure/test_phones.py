"""The whole walk over HTTP: two phones meet, one tells, the other learns of it, and nobody learns of the phones."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.testclient import TestClient

from hutong.errors import Tampered
from hutong.governance import actions as governance
from hutong.passes.exposure import actions
from hutong.passes.exposure.export import KeyName, write_archive
from hutong.passes.exposure.key import interval_number
from hutong.storage import schema
from hutong.web.app import create_app
from tests.conftest import Clock
from tests.passes.exposure.conftest import EMERGENCY, Desk
from tests.passes.exposure.phone import Phone, own_key_name

MET_AT = datetime(2026, 2, 26, 15, 20, tzinfo=UTC)


@dataclass
class World:
    desk: Desk
    phones: TestClient
    authority: TestClient
    trusted: dict[KeyName, ec.EllipticCurvePublicKey]
    sent: list[httpx.Request]

    def code(self, **order: Any) -> str:
        answer = self.authority.post("/api/exposure/codes", json={"emergency": EMERGENCY, **order})
        assert answer.status_code == 201
        return str(answer.json()["code"])

    def token(self) -> str:
        return str(self.phones.post("/api/exposure/tokens", json={"code": self.code()}).json()["token"])

    def publish(self) -> None:
        assert len(actions.publish_batches(self.desk.node, by=self.desk.node.operator)) == 1


@pytest.fixture
def world(make_desk: Callable[..., Desk]) -> World:
    desk = make_desk("tw-north")
    node = desk.node
    governance.create_account(
        node, by=node.operator, name="li", display_name="Li", roles=frozenset({"authority"}), password="a long password"
    )
    token = governance.create_token(node, by=node.operator, account_name="li", label="test")
    sent: list[httpx.Request] = []
    phones = TestClient(create_app(node))
    phones.event_hooks["request"].append(sent.append)
    certificate = phones.get("/.well-known/hutong").json()["passes"][0]
    trusted = dict([own_key_name("tw_north", certificate)])
    authority = TestClient(create_app(node), headers={"Authorization": f"Bearer {token}"})
    return World(desk, phones, authority, trusted, sent)


def walk_about(*phones: Phone) -> None:
    """Each phone is switched on each day of two weeks."""
    for day in range(14):
        for phone in phones:
            phone.sends(datetime(2026, 2, 15, 12, tzinfo=UTC) + timedelta(days=day))


def test_two_phones_meet(world: World, clock: Clock) -> None:
    ada, bo, stranger = (Phone(Random(seed)) for seed in (1, 2, 3))
    walk_about(ada, bo, stranger)
    ada.meets(bo, MET_AT)
    stranger.meets(bo, MET_AT + timedelta(days=1))
    got = world.phones.post(
        "/api/exposure/tokens", json={"code": world.code(onset_on="2026-02-27"), "padding": "x" * 99}
    )
    assert (got.status_code, got.json()["report_type"]) == (200, "confirmed_test")
    given = world.phones.post("/api/exposure/keys", json={"token": got.json()["token"], "keys": ada.gives()})
    assert (given.status_code, given.json()) == (200, {"accepted": 14})
    clock.advance(hours=4)
    world.publish()
    world.sent.clear()
    assert bo.learns(world.phones, world.trusted) == [date(2026, 2, 26)]
    of_bo = [(request.method, request.url.path, request.read()) for request in world.sent]
    world.sent.clear()
    assert stranger.learns(world.phones, world.trusted) == []
    of_stranger = [(request.method, request.url.path, request.read()) for request in world.sent]
    assert of_bo == of_stranger, "who was exposed asks for the same as who was not"
    assert ada.learns(world.phones, world.trusted) == [], "nobody told of having met Ada"
    assert bo.learns(world.phones, world.trusted) == [], "a batch is read once"


def test_the_node_holds_nothing_of_who_met_whom(world: World, clock: Clock) -> None:
    ada, bo = Phone(Random(1)), Phone(Random(2))
    walk_about(ada, bo)
    ada.meets(bo, MET_AT)
    for phone in (ada, bo):
        upload = {"token": world.token(), "keys": phone.gives()}
        assert world.phones.post("/api/exposure/keys", json=upload).status_code == 200
    clock.advance(hours=4)
    world.publish()
    assert bo.learns(world.phones, world.trusted) == ada.learns(world.phones, world.trusted) == [MET_AT.date()]
    # A meeting is known by what was heard: none of it was ever sent, and none of it is kept.
    heard = [*ada.heard, *bo.heard]
    spellings = [form for value in heard for form in (value, value.hex().encode(), base64.b64encode(value))]
    assert len(spellings) == 6
    sent = b"".join(request.read() + str(request.url).encode() for request in world.sent)
    assert b"/api/exposure/keys" in sent
    with world.desk.node.records.reading() as connection:
        kept = repr([connection.execute(sa.select(table)).all() for table in schema.metadata.sorted_tables]).encode()
    assert not any(form in sent or form in kept or repr(form)[2:-1].encode() in kept for form in spellings)


def test_replayed_identifiers_do_not_count(world: World, clock: Clock) -> None:
    ada, bo = Phone(Random(1)), Phone(Random(2))
    walk_about(ada)
    bo.heard[ada.sends(MET_AT)] = interval_number(MET_AT + timedelta(hours=3))
    world.phones.post("/api/exposure/keys", json={"token": world.token(), "keys": ada.gives()})
    clock.advance(hours=4)
    world.publish()
    assert bo.learns(world.phones, world.trusted) == []


def test_a_phone_believes_no_forger(world: World, clock: Clock) -> None:
    ada, bo = Phone(Random(1)), Phone(Random(2))
    walk_about(ada)
    ada.meets(bo, MET_AT)
    world.phones.post("/api/exposure/keys", json={"token": world.token(), "keys": ada.gives()})
    clock.advance(hours=4)
    world.publish()
    from hutong.passes.exposure.export import read_archive

    (name,) = world.phones.get("/exposure/index.txt").text.split()
    told = read_archive(world.phones.get(f"/exposure/{name}").content, world.trusted)
    forged = write_archive(told, ec.generate_private_key(ec.SECP256R1()))
    with world.desk.node.records.writing() as connection:
        connection.execute(schema.exposure_batch.update().values(content=forged))
    with pytest.raises(Tampered):
        bo.learns(world.phones, world.trusted)


def test_what_the_doors_say(world: World, clock: Clock) -> None:
    phones, authority = world.phones, world.authority
    assert phones.get("/exposure/index.txt").text == ""
    assert phones.post("/api/exposure/codes", json={"emergency": EMERGENCY}).status_code == 403
    assert authority.post("/api/exposure/codes", json={"emergency": "none"}).status_code == 403
    assert authority.post("/api/exposure/codes", json={"emergency": EMERGENCY, "report_type": "x"}).status_code == 422
    issued = authority.post("/api/exposure/codes", json={"emergency": EMERGENCY})
    assert re.fullmatch(r"[0-9]{12}", issued.json()["code"])
    assert issued.headers["cache-control"] == "no-store"
    wrong = [phones.post("/api/exposure/tokens", json={"code": f"{n:012d}"}) for n in range(10)]
    assert {(answer.status_code, answer.text) for answer in wrong} == {(403, wrong[0].text)}
    assert phones.post("/api/exposure/tokens", json={"code": issued.json()["code"]}).status_code == 429
    clock.advance(minutes=6)
    assert phones.post("/api/exposure/tokens", json={"code": issued.json()["code"]}).status_code == 200
    for path in ("/exposure/1772352000-abcdefgh.zip", "/exposure/9999999999-00000000.zip"):
        assert phones.get(path).status_code == 404
    for path in ("/exposure/x.zip", "/exposure/..%2Findex.zip", "/exposure/1772352000-ABCDEFGH.zip"):
        assert phones.get(path).status_code in (404, 422)


def test_uploads_that_the_door_refuses(world: World) -> None:
    phone = Phone(Random(1))
    walk_about(phone)
    keys = phone.gives()
    token = world.token()
    for wrong in (
        {"keys": []},
        {"keys": keys * 3},
        {"keys": [{**keys[0], "key_data": "AAAA"}]},
        {"keys": [{**keys[0], "key_data": "!" * 22 + "=="}]},
        {"keys": [{**keys[0], "rolling_period": 0}]},
        {"keys": [{**keys[0], "rolling_period": 145}]},
        {"keys": [{**keys[0], "rolling_start_interval_number": 2**31}]},
        {"keys": [{**keys[0], "rolling_start_interval_number": 0}]},
        {"keys": [keys[0], keys[0]]},
        {"padding": "x" * 8193},
        {"token": ""},
    ):
        answer = world.phones.post("/api/exposure/keys", json={"token": token, "keys": keys, **wrong})
        assert answer.status_code == 422, wrong
        assert answer.headers["content-type"] == "application/problem+json"
    assert world.phones.post("/api/exposure/keys", json={"token": "made up", "keys": keys}).status_code == 403
    whole = world.phones.post("/api/exposure/keys", json={"token": token, "keys": keys, "padding": "x" * 4000})
    assert whole.json() == {"accepted": 14}
    assert world.phones.post("/api/exposure/keys", json={"token": token, "keys": keys}).status_code == 403


def test_after_the_sunset_the_doors_are_shut(world: World, clock: Clock) -> None:
    phone = Phone(Random(1))
    walk_about(phone)
    token = world.token()
    clock.now = datetime(2026, 5, 1, tzinfo=UTC)
    answers = [
        world.phones.get("/exposure/index.txt"),
        world.phones.get("/exposure/1772352000-abcdefgh.zip"),
        world.phones.post("/api/exposure/tokens", json={"code": "123456789012"}),
        world.phones.post("/api/exposure/keys", json={"token": token, "keys": phone.gives()}),
        world.authority.post("/api/exposure/codes", json={"emergency": EMERGENCY}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5


def test_the_archive_may_be_kept_by_caches(world: World, clock: Clock) -> None:
    phone = Phone(Random(1))
    walk_about(phone)
    world.phones.post("/api/exposure/keys", json={"token": world.token(), "keys": phone.gives()})
    clock.advance(hours=4)
    world.publish()
    (name,) = world.phones.get("/exposure/index.txt").text.split()
    answer = world.phones.get(f"/exposure/{name}")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert "set-cookie" not in answer.headers
    assert len(answer.content) < 60_000
