"""PostgreSQL in trouble: it is away, its lock is held, it refuses a value. Each is one clear error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from hutong.cli.main import main
from hutong.errors import BadInput, Conflict, Unavailable
from hutong.node import Node
from hutong.storage import records as storage
from hutong.storage import schema
from hutong.web.app import create_app
from tests import databases
from tests.conftest import Clock, NewNode, make_node
from tests.databases import Server

ADDRESSES = ("/en/", "/zh/log", "/en/catalogue", "/api/log/entries", "/log/checkpoint", "/catalogue.jsonld")


@pytest.fixture
def on_server(postgres: Server, tmp_path: Path, clock: Clock) -> Iterator[Node]:
    with databases.on("postgresql", lambda: postgres):
        node = make_node(tmp_path / "tw", clock)
    yield node
    node.close()


def source(name: str, node: Node) -> sa.Insert:
    return schema.source.insert().values(id=name, body={}, declared_at=node.clock())


def sources(node: Node) -> list[str]:
    with node.records.reading() as connection:
        return list(connection.execute(sa.select(schema.source.c.id)).scalars())


def declare(node: Node, name: str, during: Callable[[], object] = lambda: None) -> None:
    with node.change(node.operator) as change:
        change.execute(source(name, node))
        change.event("source.declared", source=name)
        during()


@pytest.mark.postgres
def test_a_node_answers_503_while_its_server_is_away_and_goes_on_when_it_is_back(
    on_server: Node, postgres: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    client = TestClient(create_app(on_server), base_url="http://node.test", raise_server_exceptions=False)
    assert {path: client.get(path).status_code for path in ADDRESSES} == dict.fromkeys(ADDRESSES, 200)
    monkeypatch.setattr(sys, "argv", ["hutong", "log", "check", "--node", str(on_server.settings.folder)])
    postgres.stop()
    try:
        for path in ADDRESSES:
            answer = client.get(path)
            assert answer.status_code == 503, path
            told = "记录数据库没有响应。" if path.startswith("/zh/") else "The records database did not answer."
            assert told in answer.text, path
            assert "server" not in answer.text.lower(), path
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == Unavailable.exit_code
        lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("hutong:")]
        assert len(lines) == 1
        assert "did not answer. (connection" in lines[0], "who runs the node is told why"
    finally:
        postgres.start()
    assert {path: client.get(path).status_code for path in ADDRESSES} == dict.fromkeys(ADDRESSES, 200)
    declare(on_server, "afterwards")
    assert on_server.log.check().size == on_server.log.size()


@pytest.mark.postgres
def test_a_change_whose_server_goes_leaves_nothing(on_server: Node, postgres: Server) -> None:
    before = on_server.log.checkpoint()
    try:
        with pytest.raises(Unavailable, match="did not answer"):
            declare(on_server, "lost", postgres.stop)
    finally:
        postgres.start()
    assert (sources(on_server), on_server.log.checkpoint()) == ([], before)


def test_who_waits_too_long_for_another_writer_is_told_so(
    new_node: NewNode, records: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_PATIENCE_MILLISECONDS", 200)
    node = new_node()
    held, over = Event(), Event()

    def hold() -> None:
        held.set()
        over.wait(30)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(declare, node, "first", hold)
        held.wait(30)
        try:
            with pytest.raises(Unavailable, match="did not answer"):
                declare(node, "second")
        finally:
            over.set()
        first.result()
    assert sources(node) == ["first"]
    declare(node, "third")


def test_what_can_not_be_scrubbed_now_is_said_and_scrubbed_later(
    new_node: NewNode, records: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_PATIENCE_MILLISECONDS", 200)
    node = new_node()
    with node.records.writing() as connection:
        connection.execute(schema.sign_in_attempt.insert().values(key="name:a", at=node.clock()))
        with pytest.raises(Unavailable, match="could not be scrubbed"):
            node.records.scrub(["sign_in_attempt"])
    node.records.scrub(["sign_in_attempt"])
    declare(node, "afterwards")


def test_the_same_thing_twice_is_one_clear_error(new_node: NewNode, records: str) -> None:
    node = new_node()
    declare(node, "s")
    before = node.log.checkpoint()
    with pytest.raises(Conflict, match="did the same"):
        declare(node, "s")
    assert (sources(node), node.log.checkpoint()) == (["s"], before)


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["s" * 61, "a\x00b"])
def test_what_the_server_can_not_keep_is_one_clear_error(on_server: Node, name: str) -> None:
    with pytest.raises(BadInput, match="can't be kept"):
        declare(on_server, name)
    assert sources(on_server) == []


def test_a_database_address_that_is_none_is_refused() -> None:
    for url in ("mysql://host/db", "postgresql://host:port/db", "records.sqlite"):
        with pytest.raises(BadInput, match="not understood"):
            storage.Records(url)
