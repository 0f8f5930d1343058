"""An agreement is revoked: its recipient's node is told at once, again later when it was away, and by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from hutong.errors import BadInput, HutongError, NotFound, Refused, Tampered, Unavailable
from hutong.governance import actions as governance
from hutong.node import Node
from hutong.sharing import actions, queries
from hutong.sharing.agreement import REVOCATION_KIND, sign_revocation
from hutong.trust.authorisation import Actor
from hutong.trust.peers import Peers
from hutong.trust.signing import sign_document
from hutong.web import jobs
from hutong.web.app import create_app
from tests.conftest import Clock
from tests.sharing.conftest import AUTHORITY, RECORDS, ServeNode, introduce, kinds, release
from tests.sharing.test_two_nodes import agree

TW = Actor("tw", "party", represents="tw")
(JOB,) = (job for job in jobs.JOBS if job.name == "revocations")
ENDED = "The project ended early."


def revoked(tw: Node, pe: Node, *, followed: bool = True) -> str:
    """An agreement that ``pe`` keeps, and that ``tw`` revoked since."""
    agreed = agree(tw, pe)
    if followed:
        (asked,) = [asked for asked in queries.requests(tw) if asked.agreement_id == agreed]
        actions.follow_request(pe, by=pe.operator, request_id=asked.id)
    actions.revoke_agreement(tw, by=AUTHORITY, agreement_id=agreed, because=ENDED)
    return agreed


def do_job(node: Node) -> None:
    JOB.run(node, jobs.actor(JOB, node))


def found(node: Node) -> object:
    assert JOB.look
    return JOB.look(node)


def page_of(node: Node, path: str) -> str:
    """A page as an authority sees it."""
    governance.create_account(
        node,
        by=node.operator,
        name="li",
        display_name="Li",
        roles=frozenset({"authority"}),
        password="a long password",
    )
    browser = TestClient(create_app(node))
    opened = governance.sign_in(node, name="li", password="a long password", address="test")
    browser.cookies.set("hutong_session", opened.secret)
    return str(browser.get(path).raise_for_status().text)


def test_the_recipient_is_told_at_once_and_once(two_nodes: tuple[Node, Node], clock: Clock, records: str) -> None:
    tw, pe = two_nodes
    assert found(tw) is None
    agreed = revoked(tw, pe)
    assert found(tw) == clock.now
    clock.advance(seconds=1)
    for _ in range(2):
        do_job(tw)
        do_job(pe)
    kept, given = queries.agreement(pe, agreed), queries.agreement(tw, agreed)
    assert (kept.revoked_at, kept.revoked_because) == (given.revoked_at, ENDED)
    assert (kept.revocation_told_at, given.revocation_told_at) == (None, clock.now)
    assert found(tw) is found(pe) is None
    ((heard),) = pe.log.entries(kind="agreement.revocation-kept")
    ((told),) = tw.log.entries(kind="agreement.revocation-told")
    assert (heard.event["by"], heard.event["agreement"], told.event["recipient"]) == ("tw", agreed, "pe")
    assert b"project" not in heard.data + told.data
    assert "s node was told: " in page_of(tw, f"/en/agreements/{agreed}")
    assert "s node was told" not in page_of(pe, f"/en/agreements/{agreed}")
    for node in two_nodes:
        node.log.check()


def test_a_recipient_that_is_away_is_told_later_and_holds_up_nobody(
    serve_node: ServeNode, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tw, pe, hub = (serve_node(name).node for name in ("tw", "pe", "hub"))
    introduce(tw, pe, hub)
    release(tw, "records", RECORDS)
    first, second = revoked(tw, hub), revoked(tw, pe)
    post = Peers.post
    pe_url, is_away = pe.settings.url, True

    def answer(self: Peers, url: str, *given: Any, **named: Any) -> Any:
        if is_away and url.startswith(pe_url):
            raise Unavailable("The other node did not answer.", "Check that it runs.")
        return post(self, url, *given, **named)

    monkeypatch.setattr(Peers, "post", answer)
    told = actions.tell_revocations(tw, by=tw.operator)
    assert (told.agreements, told.failed) == ((first,), {"pe": "The other node did not answer. Check that it runs."})
    assert queries.agreement(pe, second).revoked_at is None
    assert found(tw)
    assert "尚未告知接收方节点" in page_of(tw, f"/zh/agreements/{second}")
    clock.advance(days=1)
    is_away = False
    assert actions.tell_revocations(tw, by=tw.operator).agreements == (second,)
    assert queries.agreement(pe, second).revoked_because == ENDED


def test_after_thirty_days_it_is_left_to_who_follows(two_nodes: tuple[Node, Node], clock: Clock) -> None:
    tw, pe = two_nodes
    agreed = revoked(tw, pe)
    clock.advance(days=30, seconds=1)
    assert found(tw) is None
    assert actions.tell_revocations(tw, by=tw.operator).agreements == ()
    assert queries.agreement(pe, agreed).revoked_at is None


def test_a_recipient_that_never_fetched_the_agreement_has_nothing_to_end(two_nodes: tuple[Node, Node]) -> None:
    tw, pe = two_nodes
    agreed = revoked(tw, pe, followed=False)
    before = kinds(pe)
    assert actions.tell_revocations(tw, by=tw.operator).agreements == (agreed,)
    assert kinds(pe) == before
    (asked,) = queries.requests(pe)
    actions.follow_request(pe, by=pe.operator, request_id=asked.id)
    assert queries.agreement(pe, agreed).revoked_because == ENDED


def test_only_who_gave_an_agreement_ends_it(serve_node: ServeNode, clock: Clock) -> None:
    tw, pe, hub = (serve_node(name).node for name in ("tw", "pe", "hub"))
    introduce(tw, pe, hub)
    release(tw, "records", RECORDS)
    agreed = revoked(tw, pe)
    given = queries.agreement(tw, agreed)

    def signed_by(node: Node, **changed: Any) -> str:
        told = {"agreement": agreed, "provider": "tw", "recipient": "pe", "revoked_because": ENDED}
        told |= {"revoked_at": clock.now.isoformat(), **changed}
        return sign_document(
            node.keys.signing, kid=node.keys.public["signing"]["kid"], kind=REVOCATION_KIND, payload=told
        )

    hubs = Actor("hub", "party", represents="hub")
    cases: list[tuple[type[HutongError], Actor, Callable[[], str]]] = [
        (Tampered, TW, lambda: signed_by(hub)),
        (Tampered, TW, lambda: signed_by(tw, recipient="hub")),
        (Tampered, hubs, lambda: signed_by(hub)),
        (BadInput, TW, lambda: given.signed),
        (BadInput, TW, lambda: signed_by(tw, revoked_at="9999-12-31T23:59:59-14:00")),
        (BadInput, TW, lambda: signed_by(tw, revoked_at=datetime(2000, 1, 1, tzinfo=UTC).isoformat())),
        (BadInput, TW, lambda: signed_by(tw, revoked_at=None)),
        (BadInput, TW, lambda: signed_by(tw, revoked_because="x" * 10_000)),
        (NotFound, pe.operator, lambda: signed_by(tw)),
        (Refused, AUTHORITY, lambda: signed_by(tw)),
        (Refused, Actor("public", "public"), lambda: signed_by(tw)),
    ]
    before = pe.log.size()
    for kind, by, signed in cases:
        with pytest.raises(kind):
            actions.hear_revocation(pe, by=by, signed=signed())
    # Another party's word on an agreement that it did not give counts for nothing.
    assert not actions.hear_revocation(pe, by=hubs, signed=signed_by(hub, provider="hub"))
    unsigned = httpx.post(f"{pe.settings.url}/api/sharing/revocations", json={"signed": signed_by(tw)})
    assert unsigned.status_code in (401, 403)
    assert (pe.log.size(), queries.agreement(pe, agreed).revoked_at) == (before, None)
    signed = sign_revocation(given, key=tw.keys.signing, kid=tw.keys.public["signing"]["kid"])
    assert actions.hear_revocation(pe, by=TW, signed=signed)
    assert queries.agreement(pe, agreed).revoked_at == given.revoked_at
