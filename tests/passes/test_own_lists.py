"""Many status lists: those that are needed are in the bundle, within its limits, and readers fetch what changed."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient

from hutong import storage
from hutong.errors import Conflict, LimitExceeded
from hutong.node import Node
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import batch_actions, key_actions, own_lists
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import envelope
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.composition import BundleLoad
from hutong.passes.trust_bundle.trust_bundle import read_bundle
from hutong.storage import schema
from hutong.storage.records import Records
from hutong.web.app import create_app
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import LI, WANG

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def node(new_node: NewNode, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Its lists have room for four passes each."""
    node = new_node("tw")
    regions.fill(node)
    monkeypatch.setattr(own_lists, "LIST_POSITIONS", 4)
    return node


def issue(node: Node, lists: int, hours: int = 24) -> list[batch_actions.BatchPass]:
    """Passes of four persons at a time, each four filling a list."""
    persons = ["R1", "R2", "R3", "R7"]
    return [
        one for _ in range(lists) for one in batch_actions.issue_batch(node, by=LI, persons=persons, hours=hours).passes
    ]


def answer(node: Node, text: str) -> tuple[str, str]:
    found = verify_pass(text, trust=bundle_queries.bundle_file(node), scene="workplace", at=node.clock())
    return str(found.answer), found.reasons[0].rule_id


def listed(node: Node) -> list[int]:
    return sorted(bundle_queries.trust_snapshot(node).issuers["tw"].status_lists)


def test_of_many_lists_those_that_are_over_are_left_out(node: Node, records: str, clock: Clock) -> None:
    issue(node, 3, hours=1)
    assert listed(node) == [0, 1, 2]
    clock.advance(hours=18)
    assert listed(node) == [2], "the one that is being filled"
    with node.change(node.operator, unlogged="a test's own") as change:
        own_lists.keep_place(change, [(100 << 24, change.at - timedelta(hours=2))])
    passes = issue(node, 60, hours=48)
    assert listed(node) == list(range(100, 160)), "more than 50, and more than 31 bits number"
    fakes = passes[::4]
    for fake in fakes[::20]:
        pass_actions.revoke_pass(node, by=LI, second=WANG, pass_id=fake.pass_id, rule_id="forged", reason="Sold.")
    for fake in fakes[::20]:
        place = passes.index(fake)
        assert answer(node, fake.text) == ("refused", "revoked")
        assert answer(node, passes[place + 1].text)[0] == "accepted", "its sibling of the same list"
    clock.advance(hours=72)
    assert listed(node) == [159]
    assert answer(node, passes[5].text) == ("refused", "expired")


def test_a_list_stays_while_one_pass_of_it_can_be_shown_to_a_late_clock(node: Node, clock: Clock) -> None:
    pass_actions.issue_pass(node, by=LI, person="R1", hours=2)
    pass_actions.issue_pass(node, by=LI, person="R1", hours=1)
    issue(node, 1, hours=1)
    clock.advance(hours=16, minutes=55)
    assert listed(node) == [0, 1]
    clock.advance(minutes=10)
    assert listed(node) == [1]


def test_no_list_begins_that_readers_would_not_take(node: Node, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_lists, "MAX_LISTS", 3)
    issue(node, 3, hours=1)
    size = node.log.size()
    with pytest.raises(LimitExceeded, match="status lists"):
        issue(node, 1)
    assert node.log.size() == size
    clock.advance(hours=18)
    issue(node, 1)


def test_after_the_last_list_that_passes_can_name_none_is_issued(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    with node.change(node.operator, unlogged="a test's own") as change:
        own_lists.keep_place(change, [(own_lists.LAST_NUMBER << 24, change.at + timedelta(hours=1))])
    issue(node, 1)
    assert listed(node) == [own_lists.LAST_NUMBER]
    size = node.log.size()
    with pytest.raises(LimitExceeded, match="65,536 status lists"):
        pass_actions.issue_pass(node, by=LI, person="R1")
    with pytest.raises(LimitExceeded, match="65,536 status lists"):
        issue(node, 1)
    assert node.log.size() == size


def test_a_bundle_that_readers_would_refuse_is_not_made_and_its_nearness_is_told(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(node, 2)
    load = bundle_queries.bundle_load(node)
    assert (load.lists, load.is_near) == (2, False)
    assert load.size_bytes == len(bundle_queries.pass_bundle(node))
    near = BundleLoad(lists=2, size_bytes=1, most_lists=2)
    assert (near.share, near.is_near) == (1.0, True)
    assert BundleLoad(lists=2, size_bytes=81, most_bytes=100).is_near
    bundle_actions.watch_bundle(node, by=node.operator)
    with monkeypatch.context() as patch, pytest.raises(LimitExceeded, match="2 of at most 2 status lists"):
        patch.setattr(bundle_queries, "bundle_load", lambda _: near)
        bundle_actions.watch_bundle(node, by=node.operator)
    monkeypatch.setattr(envelope, "MAX_BUNDLE_BYTES", load.size_bytes - 1)
    with pytest.raises(LimitExceeded, match="larger"):
        envelope.join("x" * load.size_bytes, ())
    client = TestClient(create_app(node), base_url="http://node.test")
    issue(node, 1)
    told = client.get("/passes/trust-bundle")
    assert (told.status_code, "larger" in told.text) == (413, True)
    with monkeypatch.context() as patch:
        patch.setattr(bundle_queries, "_draft", None)  # it was drafted once for the answer, and is not again
        assert bundle_queries.bundle_load(node).lists == 3, "the operator's page still tells it"


def test_a_list_is_the_same_bytes_until_something_changes(node: Node, clock: Clock) -> None:
    first, second = issue(node, 2)[::4]
    clock.now = clock.now.replace(minute=1)

    def texts() -> list[bytes]:
        return [own_lists.status_list(node, number) for number in (0, 1)]

    before = texts()
    node.memory.store("status-lists", most=1)._items.clear()
    clock.advance(minutes=58)
    assert texts() == before
    pass_actions.revoke_pass(node, by=LI, second=WANG, pass_id=second.pass_id, rule_id="forged", reason="Sold.")
    after = texts()
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
    clock.advance(minutes=2)
    assert not set(texts()) & set(after), "signed anew every hour"
    assert first.pass_id


def test_who_has_an_edition_fetches_only_the_lists_that_changed(node: Node, clock: Clock) -> None:
    clock.now = clock.now.replace(minute=1)
    passes = issue(node, 3)
    key = node.keys.public["signing"]
    clock.advance(minutes=1)
    held = bundle_queries.pass_bundle(node)
    since = bundle_queries.trust_snapshot(node).issued_at
    clock.advance(minutes=1)
    pass_actions.revoke_pass(node, by=LI, second=WANG, pass_id=passes[0].pass_id, rule_id="forged", reason="Sold.")
    rest = bundle_queries.pass_bundle(node, since)
    assert (rest.count("~"), held.count("~")) == (1, 3)
    with pytest.raises(Conflict, match="lacks"):
        read_bundle(rest, issuer_key=key)
    whole = envelope.complete(rest, held)
    assert whole == bundle_queries.pass_bundle(node)
    assert read_bundle(whole, issuer_key=key).issuers["tw"].status_lists[0].count() == 1
    with pytest.raises(Conflict):
        envelope.complete(rest, rest)
    clock.advance(hours=1)
    assert bundle_queries.pass_bundle(node, since).count("~") == 3, "signed anew meanwhile"


def test_a_list_that_is_not_the_named_one_is_not_taken(node: Node) -> None:
    passes = issue(node, 1)
    clean = bundle_queries.pass_bundle(node).split("~")[1]
    pass_actions.revoke_pass(node, by=LI, second=WANG, pass_id=passes[0].pass_id, rule_id="forged", reason="Sold.")
    signed, *_ = bundle_queries.pass_bundle(node).split("~")
    with pytest.raises(Conflict):
        read_bundle(f"{signed}~{clean}", issuer_key=node.keys.public["signing"])


def test_all_passes_of_a_key_that_is_ended_are_in_the_next_lists(node: Node) -> None:
    issue(node, 2)
    old = node.keys.pass_key_id
    assert key_actions.end_pass_key(node, by=LI, second=WANG, key_id=old) == 8
    lists = bundle_queries.trust_snapshot(node).issuers["tw"].status_lists
    assert {number: one.count() for number, one in lists.items()} == {0: 4, 1: 4}


def test_lists_of_passes_that_an_older_version_issued_are_found(
    tmp_path: Path, records: str, request: pytest.FixtureRequest
) -> None:
    """What the migration makes of passes that are there; serial numbers go on from the log's size, as they were."""
    is_file = records == "sqlite"
    database = Records(f"sqlite:///{tmp_path}/old.db" if is_file else request.getfixturevalue("postgres")())
    config = Config()
    config.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations"))
    old = {"pseudonym": "p", "level": "low", "rulebook": "r@1.0.0", "key_id": "k", "issued_at": NOW}
    ends = [NOW + timedelta(hours=hours) for hours in (1, 5, 3)]
    with database.engine.connect().execution_options(hutong_write=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text("INSERT INTO log_head (id, size, root, note) VALUES (1, 70, '', '')"))
        for number, index in enumerate((3, (1 << 24) + 5, (1 << 24) + 6)):
            change = {"id": str(number), "status_index": index, "expires_at": ends[number], **old}
            connection.execute(schema.issued_pass.insert().values(**change, revoked_at=NOW if number == 2 else None))
        connection.commit()
    database.migrate()
    with database.reading() as connection:
        rows = connection.execute(sa.select(schema.status_list).order_by(schema.status_list.c.number)).all()
    assert [tuple(row) for row in rows] == [(0, ends[0], 70, NOW), (1, ends[1], 70, NOW)]
    database.close()


def test_the_whole_bundle_is_compressed_once_and_a_delta_is_in_nobodys_way(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(node, 2)
    client = TestClient(create_app(node), base_url="http://node.test")

    def ask(accepted: str, **since: int) -> tuple[str, str]:
        reply = client.get("/passes/trust-bundle", headers={"Accept-Encoding": accepted}, params=since)
        return reply.headers.get("content-encoding", ""), reply.text

    whole = bundle_queries.pass_bundle(node)
    store = node.memory.store("bundle-gzip", most=2)
    for accepted in ("gzip;q=0", "gzip; q=0.000", "br, gzip ;Q=0", "br", "gzipped", ""):
        assert ask(accepted) == ("", whole), accepted
    assert len(store) == 0
    for accepted in ("gzip", "br;q=0, GZIP", "br, gzip; q=0.5", "gzip;q=1.0, identity"):
        assert ask(accepted) == ("gzip", whole), accepted
    assert len(store) == 1
    with monkeypatch.context() as patch:
        patch.setattr(store, "_making", None)  # whoever wants the lock fails
        deltas = [ask("gzip", since=since) for since in range(1, 7)]
    assert {one[0] for one in deltas} == {"gzip"}
    assert len({one[1] for one in deltas}) == 6
    assert ask("gzip") == ("gzip", whole)
    assert len(store) == 1, "the common one is still there"


def test_ten_million_passes_with_one_per_cent_revoked_are_served_in_150_kb(
    new_node: NewNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a verifier downloads them: ten lists in the bundle, with all else that is in it."""
    import numpy as np

    node = new_node("tw")
    regions.fill(node)
    with node.change(node.operator, unlogged="a test's own") as change:
        own_lists.keep_place(change, [(number << 24, change.at + timedelta(hours=9)) for number in range(10)])
    random = np.random.default_rng(1)
    revoked = {number: random.choice(own_lists.LIST_POSITIONS, 10_000, replace=False) for number in range(10)}
    monkeypatch.setattr(own_lists, "_revoked", lambda _node, number: revoked[number])
    client = TestClient(create_app(node), base_url="http://node.test")
    with client.stream("GET", "/passes/trust-bundle", headers={"Accept-Encoding": "gzip"}) as reply:
        sent = b"".join(reply.iter_raw())
    assert 120_000 < len(sent) <= 150_000
    read = read_bundle(gzip.decompress(sent).decode(), issuer_key=node.keys.public["signing"])
    assert {one.count() for one in read.issuers["tw"].status_lists.values()} == {10_000}
