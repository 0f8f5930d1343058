"""A node has others cosign its log, by itself: who they are, what they signed, and what happens when one is away."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from hutong.demo.exchange_steps import witness_and_check
from hutong.demo.report import Report
from hutong.demo.run import Demo
from hutong.errors import Unavailable
from hutong.governance import actions, queries
from hutong.node import Node
from hutong.trust.log.checkpoint import open_checkpoint
from hutong.trust.peers import Peers, Reply
from hutong.web import jobs
from hutong.web.app import create_app
from tests.conftest import NewNode
from tests.sharing.conftest import served


@dataclass(frozen=True)
class Three:
    """A log's node and two others, of which only ``near`` answers."""

    node: Node
    near: Node
    far: Node


@pytest.fixture
def three(new_node: NewNode) -> Iterator[Three]:
    listening = socket.create_server(("127.0.0.1", 0))
    near = new_node("near", url=f"http://127.0.0.1:{listening.getsockname()[1]}")
    closed = socket.create_server(("127.0.0.1", 0))
    far = new_node("far", url=f"http://127.0.0.1:{closed.getsockname()[1]}")
    closed.close()
    node = new_node("tw")
    parties = [actions.describe_self(each, kind="region") for each in (node, near, far)]
    signed = actions.publish_trust_list(near, by=near.operator, parties=parties)
    for follower in (node, far):
        actions.adopt_trust_list(follower, by=follower.operator, signed=signed, issuer_key=near.keys.public["signing"])
    with served(create_app(near), listening):
        yield Three(node, near, far)


def witnessed(node: Node) -> dict[str, int]:
    return {known.party.id: known.size for known in queries.witnesses(node)}


def cosigners(node: Node, *others: Node) -> list[str]:
    """Whose cosignatures of the newest checkpoint fit, by the keys of the others themselves."""
    keys = [other.cosigner.verifier for other in others]
    opened = open_checkpoint(node.log.checkpoint(), [node.log.key, *keys], node.log.key.name)
    return [signature.name for signature in opened.verified if signature.name != node.log.key.name]


def grow(node: Node) -> int:
    actions.create_account(
        node, by=node.operator, name=f"a{node.log.size()}", display_name="A", roles=frozenset({"auditor"}),
        password="a long phrase, easy to keep",
    )  # fmt: skip
    return node.log.size()


def test_who_has_not_signed_is_asked_and_one_that_is_away_keeps_nobody_from_it(three: Three) -> None:
    node, size = three.node, three.node.log.size()
    assert witnessed(node) == {"far": 0, "near": 0}
    assert actions.keep_witnesses(node, by=node.operator) == ("near",)
    assert witnessed(node) == {"far": 0, "near": size}
    assert cosigners(node, three.near, three.far) == ["near.hutong/witness"]
    assert node.log.size() == size, "asking makes no entry, or the log would grow for ever"
    assert actions.keep_witnesses(node, by=node.operator) == ()
    grown = grow(node)
    assert (witnessed(node), cosigners(node, three.near)) == ({"far": 0, "near": size}, [])
    assert actions.keep_witnesses(node, by=node.operator) == ("near",)
    assert (witnessed(node), cosigners(node, three.near)) == ({"far": 0, "near": grown}, ["near.hutong/witness"])


def test_when_nobody_signs_the_error_is_told(three: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any, **__: Any) -> Reply:
        raise Unavailable("The other node did not answer.", "Check that it runs.")

    monkeypatch.setattr(Peers, "post", nobody)
    with pytest.raises(Unavailable):
        actions.keep_witnesses(three.node, by=three.node.operator)


def test_a_log_that_grows_while_a_witness_answers(three: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cosignature is of what was sent: it is kept as that, and is none of the newer checkpoint."""
    node, size, post = three.node, three.node.log.size(), Peers.post

    def slowly(self: Peers, url: str, content: bytes, **more: Any) -> Reply:
        answer = post(self, url, content, **more)
        if self.node_id == "tw" and answer.status == 200:
            grow(node)
        return answer

    monkeypatch.setattr(Peers, "post", slowly)
    assert actions.keep_witnesses(node, by=node.operator) == ("near",)
    assert node.log.size() == size + 1
    assert (witnessed(node)["near"], cosigners(node, three.near)) == (size, [])
    node.log.check()


def test_two_processes_of_a_node_ask_at_the_same_time(three: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the answer 409 and the next try the other process was faster, twice."""
    node, post, overtaken = three.node, Peers.post, iter(range(2))
    actions.keep_witnesses(node, by=node.operator)
    near = next(known.party for known in queries.witnesses(node) if known.party.id == "near")

    def overtaking(self: Peers, url: str, content: bytes, **more: Any) -> Reply:
        if not content.startswith(b"old 0") and next(overtaken, None) is not None:
            grow(node)
            with monkeypatch.context() as patch:
                patch.setattr(Peers, "post", post)
                actions.ask_witness(node, by=node.operator, party=near)
        return post(self, url, content, **more)

    monkeypatch.setattr(Peers, "post", overtaking)
    grow(node)
    assert actions.ask_witness(node, by=node.operator, party=near) == node.log.size()
    assert next(overtaken, None) is None


def test_a_long_list_gives_each_log_eight_witnesses_spread_over_all(new_node: NewNode) -> None:
    node = new_node("tw")
    own = actions.describe_self(node, kind="region")
    from dataclasses import replace

    others = [replace(own, id=f"n{number}", log_key=new_key(f"n{number}", own.log_key)) for number in range(40)]
    ended = replace(own, id="ended", valid_until=node.clock() - timedelta(days=1))
    actions.publish_trust_list(node, by=node.operator, parties=[own, *others, ended])
    chosen = witnessed(node)
    assert len(chosen) == 8
    assert set(chosen) <= {party.id for party in others}
    assert list(chosen) != [f"n{number}" for number in range(8)]


def new_key(name: str, log_key: str) -> str:
    from hutong.trust.log.note import VerifierKey, parse_verifier_key

    return str(VerifierKey(f"{name}.hutong/log", parse_verifier_key(log_key).public_key))


def test_the_job_asks_and_the_page_says_who_signed(three: Three) -> None:
    node = three.node
    browser = TestClient(create_app(node))
    page = browser.get("/en/log").text
    assert "0 of 2 witnesses signed this checkpoint." in page
    assert "not yet" in page
    (job,) = (job for job in jobs.JOBS if job.name == "witnesses")
    job.run(node, jobs.actor(job, node))
    assert "1 of 2 witnesses signed this checkpoint." in browser.get("/en/log").text
    assert "2 个见证方中已有 1 个签署此检查点" in browser.get("/zh/log").text
    size = node.log.size()
    grow(node)
    assert f"last that of {size} entries" in browser.get("/en/log").text


def test_a_node_alone_says_so(new_node: NewNode) -> None:
    node = new_node("tw")
    assert actions.keep_witnesses(node, by=node.operator) == ()
    assert "Nobody witnesses this log" in TestClient(create_app(node)).get("/en/log").text


def test_the_demonstration_names_who_signed_and_who_did_not(three: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = StringIO()
    nodes = {"tw": three.node, "near": three.near, "far": three.far}
    demo = Demo(Path(), {}, {}, Report(Console(file=printed, width=200)), "", nodes)
    witness_and_check(demo)
    told = demo.report.facts["log"]["tw"]
    assert told["witnesses"] == ["near"]
    assert cosigners(three.node, three.near) == ["near.hutong/witness"]
    assert set(told["not_witnessed_by"]) == {"far"}
    assert re.search(r"tw: \d+ entries recomputed, entry \d+ proved, witnessed by near ·", printed.getvalue())
    assert "not witnessed by far: " in printed.getvalue()

    monkeypatch.setattr(actions, "ask_witness", lambda node, **_: node.log.size() - 1)
    witness_and_check(demo)
    assert demo.report.facts["log"]["tw"]["witnesses"] == []
    assert "witnessed by nobody" in printed.getvalue()
