"""Two real nodes over HTTP: ask, decide, agree, deliver, revoke, and the same call is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, NotFound, Refused, Tampered, Unavailable
from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node
from hutong.sharing import actions, queries
from hutong.sharing.agreement import read_agreement
from hutong.sharing.demand import Request
from hutong.storage import schema
from hutong.trust.authorisation import Actor
from hutong.trust.peers import Reply
from tests.conftest import Clock
from tests.sharing.conftest import (
    AUTHORITY,
    PARTNER,
    RECORDS,
    STEWARD,
    ServeNode,
    introduce,
    kinds,
    regrade,
    release,
    sha256,
)

PE = Actor("pe", "party", represents="pe")
ASKED: dict[str, Any] = {
    "dataset_id": "records",
    "purpose": "HMB",
    "statement": "Compare the age of cases between two regions.",
    "days": 30,
    "contact": "desk@pe.example",
}


def ask(pe: Node, **changed: Any) -> Request:
    return actions.request_data(pe, by=pe.operator, provider="tw", **{**ASKED, **changed})


def agree(tw: Node, pe: Node, **changed: Any) -> str:
    asked = ask(pe, **changed)
    decided = actions.decide_request(
        tw, by=AUTHORITY, request_id=asked.id, grant=True, reason="Outbreak control in both regions."
    )
    return decided.agreement_id


def test_the_whole_walk_over_http(two_nodes: tuple[Node, Node], clock: Clock, records: str) -> None:
    tw, pe = two_nodes
    asked = ask(pe, fields=("age_group", "sex"))
    assert queries.request(pe, asked.id) == queries.request(tw, asked.id) == asked
    assert (asked.party, asked.state, (asked.decide_by - asked.filed_at).days) == ("pe", "filed", 10)

    clock.advance(hours=1)
    decided = actions.decide_request(
        tw, by=AUTHORITY, request_id=asked.id, grant=True, reason="Outbreak control.", days=14
    )
    followed = actions.follow_request(pe, by=pe.operator, request_id=asked.id)
    assert followed == decided == queries.request(tw, asked.id)
    kept = queries.agreement(pe, decided.agreement_id)
    assert kept.signed == queries.agreement(tw, decided.agreement_id).signed
    agreed = read_agreement(kept.signed, key=tw.keys.public["signing"])
    assert (agreed.recipient, agreed.fields, (agreed.expires_at - agreed.agreed_at).days) == (
        "pe",
        ("age_group", "sex"),
        14,
    )
    assert agreed.target == f"{tw.settings.url}/id/dataset/records"

    got = actions.receive(pe, by=pe.operator, provider="tw", agreement_id=agreed.id, format_="parquet")
    assert pq.read_table(got.path).equals(RECORDS.select(["age_group", "sex"]))
    assert got.path == pe.settings.folder / "received" / f"records-{got.delivery.id}.parquet"
    assert sha256(got.path.read_bytes()) == got.delivery.sha256
    assert queries.deliveries(tw) == queries.deliveries(pe) == [got.delivery]
    assert [task.state for task in queries.tasks(pe, followed)] == ["done", "done", "done", "later"]

    actions.revoke_agreement(tw, by=AUTHORITY, agreement_id=agreed.id, because="The project ended early.")
    for _ in range(2):
        clock.advance(hours=1)
        with pytest.raises(Refused, match="The agreement was revoked") as refused:
            actions.receive(pe, by=pe.operator, provider="tw", agreement_id=agreed.id, format_="parquet")
        assert refused.value.policies == ("agreement-was-revoked",)
    known = [queries.agreement(node, agreed.id) for node in two_nodes]
    assert (known[1].state(clock.now), known[1].revoked_because) == ("revoked", "The project ended early.")
    assert known[1].revoked_at == known[0].revoked_at
    assert queries.tasks(pe, followed) == queries.tasks(tw, followed)
    assert queries.tasks(pe, followed)[-1].text["en"].startswith("The agreement was revoked: stop the use and delete")
    assert queries.deliveries(tw) == [got.delivery]
    assert len(list((pe.settings.folder / "received").iterdir())) == 1
    assert kinds(tw)[-5:] == [
        "request.granted",
        "agreement.signed",
        "delivery.made",
        "agreement.revoked",
        "delivery.refused",
    ]
    assert kinds(pe)[-5:] == [
        *("request.sent", "request.followed", "agreement.kept", "delivery.received"),
        "agreement.revocation-kept",
    ]
    assert "request.filed" in kinds(tw)
    steps = {
        "request.filed": (asked.policies, "listed-party-asks-for-data"),
        "request.granted": (decided.policies, "authority-sets-powers"),
        "delivery.made": (got.delivery.policies, "delivery-under-agreement"),
        "agreement.revoked": (("authority-sets-powers",), "authority-sets-powers"),
    }
    for kind, (kept_ids, policy) in steps.items():
        (entry,) = tw.log.entries(kind=kind)
        assert tuple(entry.event["policies"]) == kept_ids == (policy,)
    for node in two_nodes:
        node.log.check()


def test_who_follows_a_request_learns_that_its_agreement_was_revoked(
    two_nodes: tuple[Node, Node], clock: Clock
) -> None:
    tw, pe = two_nodes
    agreed = agree(tw, pe)
    (asked,) = queries.requests(pe)
    actions.follow_request(pe, by=pe.operator, request_id=asked.id)
    assert queries.agreement(pe, agreed).state(clock.now) == "in-force"
    actions.revoke_agreement(tw, by=AUTHORITY, agreement_id=agreed, because="The project ended early.")
    for _ in range(2):
        clock.advance(hours=1)
        actions.follow_request(pe, by=pe.operator, request_id=asked.id)
    kept = queries.agreement(pe, agreed)
    assert kept == queries.agreement(tw, agreed)
    assert (kept.state(clock.now), kept.revoked_because) == ("revoked", "The project ended early.")
    ((entry),) = pe.log.entries(kind="agreement.revocation-kept")
    assert kept.revoked_at and entry.event["revoked"] == kept.revoked_at.isoformat()
    assert (entry.event["agreement"], entry.event["provider"], entry.event["dataset"]) == (agreed, "tw", "records")
    assert b"project" not in entry.data
    pe.log.check()


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"revoked_at": "9999-12-31T23:59:59-14:00"}, "revoked"),
        ({"id": "0" * 20}, "revoked"),
        ({"revoked_at": None, "state": "in-force"}, "in-force"),
    ],
)
def test_a_revocation_that_is_misstated_is_known_by_the_refusal(
    two_nodes: tuple[Node, Node], clock: Clock, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], state: str
) -> None:
    tw, pe = two_nodes
    agreed = agree(tw, pe)
    (asked,) = queries.requests(pe)
    actions.follow_request(pe, by=pe.operator, request_id=asked.id)
    actions.revoke_agreement(tw, by=AUTHORITY, agreement_id=agreed, because="The project ended early.")
    honest = Reply.json
    monkeypatch.setattr(
        Reply, "json", lambda self: {**honest(self), **told} if "revoked_at" in honest(self) else honest(self)
    )
    if state == "revoked":
        with pytest.raises((BadInput, Tampered)):
            actions.follow_request(pe, by=pe.operator, request_id=asked.id)
    clock.advance(hours=1)
    with pytest.raises(Refused, match="was revoked"):
        actions.receive(pe, by=pe.operator, provider="tw", agreement_id=agreed, format_="csv")
    kept = queries.agreement(pe, agreed)
    assert (kept.state(clock.now), kept.revoked_because) == (state, "")
    assert kept.revoked_at == (clock.now if state == "revoked" else None)


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_each_format_holds_the_same_rows(two_nodes: tuple[Node, Node], format_: Any) -> None:
    tw, pe = two_nodes
    got = actions.receive(pe, by=pe.operator, provider="tw", agreement_id=agree(tw, pe), format_=format_)
    content = got.path.read_bytes()
    if format_ == "parquet":
        rows = pq.read_table(io.BytesIO(content)).to_pylist()
    elif format_ == "csv":
        options = pa_csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
        rows = pa_csv.read_csv(io.BytesIO(content), convert_options=options).to_pylist()
    else:
        rows = orjson.loads(content)
        rows = [{**row, "true_from": RECORDS["true_from"][at].as_py()} for at, row in enumerate(rows)]
    assert rows == RECORDS.to_pylist()
    assert got.delivery.rows == len(rows) == 3


def test_a_newer_release_is_delivered_only_where_the_latest_was_agreed(two_nodes: tuple[Node, Node]) -> None:
    tw, pe = two_nodes
    latest, fixed = agree(tw, pe), agree(tw, pe, version="1")
    release(tw, "records", RECORDS.slice(0, 2))
    rows = {
        name: actions.receive(pe, by=pe.operator, provider="tw", agreement_id=name, format_="csv").delivery
        for name in (latest, fixed)
    }
    assert (rows[latest].version, rows[latest].rows) == ("2", 2)
    assert (rows[fixed].version, rows[fixed].rows) == ("1", 3)
    assert queries.agreement(pe, fixed).agreement.target.endswith("/id/dataset/records/release/1")


def test_what_the_policies_refuse(two_nodes: tuple[Node, Node], clock: Clock) -> None:
    tw, pe = two_nodes
    name = agree(tw, pe, days=2)

    def deliver(by: Actor = PE, purpose: Any = "HMB") -> actions.Delivered:
        return actions.deliver(tw, by=by, agreement_id=name, purpose=purpose, format_="csv")

    assert deliver().delivery.rows == 3
    other = Actor("hub", "party", represents="hub")
    in_anothers_name = Actor("hub", "party", represents="pe")
    for by in (other, in_anothers_name, STEWARD, PARTNER, tw.operator):
        with pytest.raises(Refused, match="No policy lets"):
            deliver(by=by)
    with pytest.raises(Refused, match="No policy lets"):
        deliver(purpose="GRU")
    regrade(tw, "records", 3)
    with pytest.raises(Refused, match="grade 3 and 4 never leave"):
        deliver()
    regrade(tw, "records", 2)
    clock.advance(days=2)
    with pytest.raises(Refused, match="The agreement has ended"):
        deliver()
    assert len(queries.deliveries(tw)) == 1


def refusals(node: Node) -> list[dict[str, Any]]:
    """What the log was told of refused deliveries, the oldest first."""
    told = [entry.event for entry in reversed(node.log.entries(kind="delivery.refused", limit=500))]
    return [{name: one[name] for name in ("by", "reason", "day", "times")} for one in told]


@contextmanager
def count_changes(node: Node) -> Iterator[list[Actor]]:
    """Whose transactions that may write there were meanwhile."""
    changes: list[Actor] = []
    make = Node.change

    def counted(self: Node, by: Actor, **given: Any) -> Any:
        if self is node:
            changes.append(by)
        return make(self, by, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Node, "change", counted)
        yield changes


def test_a_refused_delivery_is_told_and_nobody_fills_the_log_by_asking(
    two_nodes: tuple[Node, Node], clock: Clock, records: str
) -> None:
    tw, pe = two_nodes
    agreed = agree(tw, pe)
    actions.revoke_agreement(tw, by=AUTHORITY, agreement_id=agreed, because="The project ended early.")

    def refuse(times: int, purpose: Any = "HMB") -> None:
        for _ in range(times):
            with pytest.raises(Refused):
                actions.deliver(tw, by=PE, agreement_id=agreed, purpose=purpose, format_="csv")

    day = clock.now.date().isoformat()
    revoked = {"by": "pe", "reason": "agreement-was-revoked", "day": day}
    refuse(1)
    assert refusals(tw) == [{**revoked, "times": 1}]
    with count_changes(tw) as changes:
        refuse(24)
        assert len(changes) == 1, "who asks in a loop costs no transaction each time"
    assert refusals(tw) == [{**revoked, "times": 1}, {**revoked, "times": 10}]
    clock.advance(minutes=1)
    refuse(1)
    with tw.records.reading() as connection:
        assert connection.execute(sa.select(schema.refused_delivery.c.times)).scalars().all() == [26]
    clock.advance(days=1)
    refuse(3)
    assert refusals(tw)[2:] == [{**revoked, "day": clock.now.date().isoformat(), "times": 1}]
    clock.advance(days=400)
    refuse(1)
    assert refusals(tw)[3]["reason"] == "agreement-has-ended+agreement-was-revoked"
    tw.log.check()


def test_another_recipient_or_purpose_is_told_with_no_name(two_nodes: tuple[Node, Node]) -> None:
    tw, pe = two_nodes
    agreed = agree(tw, pe)
    for by, purpose in ((PE, "GRU"), (Actor("hub", "party", represents="hub"), "HMB")):
        with pytest.raises(Refused):
            actions.deliver(tw, by=by, agreement_id=agreed, purpose=purpose, format_="csv")  # type: ignore[arg-type]
    ((entry),) = tw.log.entries(kind="delivery.refused")
    assert {name: entry.event[name] for name in ("agreement", "dataset", "recipient", "reason", "times")} == {
        **{"agreement": agreed, "dataset": "records", "recipient": "pe"},
        **{"reason": "no-policy-permits", "times": 1},
    }
    with pytest.raises(NotFound):
        actions.deliver(tw, by=PE, agreement_id="0" * 20, purpose="HMB", format_="csv")
    assert len(tw.log.entries(kind="delivery.refused")) == 1


def test_what_can_not_be_asked(two_nodes: tuple[Node, Node]) -> None:
    tw, pe = two_nodes
    release(tw, "open", RECORDS, grade=0)
    release(tw, "inside", RECORDS, grade=3)
    before = tw.log.size(), pe.log.size()
    cases = [
        ({"dataset_id": "open"}, Conflict, "need no agreement"),
        ({"dataset_id": "inside"}, Refused, "never leave"),
        ({"dataset_id": "nothing"}, NotFound, "no dataset"),
        ({"version": "9"}, NotFound, "no version 9"),
        ({"fields": ("name",)}, BadInput, "no field name"),
        ({"days": 367}, BadInput, "days"),
        ({"statement": "research"}, BadInput, "The statement of purpose is not usable"),
        ({"contact": "notmail"}, BadInput, "The contact is no e-mail address"),
    ]
    for changed, kind, says in cases:
        with pytest.raises(kind, match=says):
            ask(pe, **changed)
    with pytest.raises(NotFound, match="not in the trust list"):
        actions.request_data(pe, by=pe.operator, provider="nobody", **ASKED)
    with pytest.raises(Refused):
        actions.request_data(pe, by=Actor("public", "public"), provider="tw", **ASKED)
    assert (tw.log.size(), pe.log.size()) == before
    assert queries.requests(tw) == queries.requests(pe) == []


def test_a_request_is_decided_once(two_nodes: tuple[Node, Node], records: str) -> None:
    tw, pe = two_nodes
    asked = ask(pe)
    with pytest.raises(Refused):
        actions.decide_request(tw, by=STEWARD, request_id=asked.id, grant=True, reason="I may not.")
    with pytest.raises(Conflict, match="Only 30 days were asked"):
        actions.decide_request(tw, by=AUTHORITY, request_id=asked.id, grant=True, reason="More.", days=31)
    assert queries.request(tw, asked.id).is_open
    refused = actions.decide_request(tw, by=AUTHORITY, request_id=asked.id, grant=False, reason="Purpose unclear.")
    assert (refused.state, refused.agreement_id) == ("refused", "")
    with pytest.raises(Conflict, match="refused already"):
        actions.decide_request(tw, by=AUTHORITY, request_id=asked.id, grant=True, reason="Changed my mind.")
    assert actions.follow_request(pe, by=pe.operator, request_id=asked.id).reason == "Purpose unclear."
    assert queries.agreements(tw) == queries.agreements(pe) == []
    with pytest.raises(Conflict, match="Another node decides"):
        actions.decide_request(pe, by=AUTHORITY, request_id=asked.id, grant=True, reason="For myself.")


def test_an_emergency_in_force_shortens_the_deadline(two_nodes: tuple[Node, Node], clock: Clock) -> None:
    tw, pe = two_nodes
    text = {"en": "Dengue", "zh": "登革热"}
    today = clock.now.date()
    governance.declare_emergency(
        tw,
        by=AUTHORITY,
        emergency_=Emergency("dengue", text, text, text, "TW", today, today.replace(month=4), today.replace(month=6)),
    )
    asked = ask(pe)
    assert ((asked.decide_by - asked.filed_at).total_seconds(), asked.emergency) == (48 * 3600, "dengue")
    clock.advance(hours=49)
    assert [task.state for task in queries.tasks(tw, asked)] == ["done", "overdue", "later", "later"]


def test_a_partner_account_asks_and_receives_on_the_providers_node(two_nodes: tuple[Node, Node]) -> None:
    tw, _ = two_nodes
    asked = actions.file_request(tw, by=PARTNER, **ASKED)
    assert asked.party == "account:institute"
    judge_and_party = Actor("institute", "account", frozenset({"authority", "partner"}), "tw")
    with pytest.raises(Refused, match="own request"):
        actions.decide_request(tw, by=judge_and_party, request_id=asked.id, grant=True, reason="For me.")
    decided = actions.decide_request(tw, by=AUTHORITY, request_id=asked.id, grant=True, reason="A known institute.")
    made = actions.deliver(tw, by=PARTNER, agreement_id=decided.agreement_id, purpose="HMB", format_="json")
    assert len(orjson.loads(made.content)) == 3
    colleague = replace(PARTNER, id="other")
    with pytest.raises(Refused):
        actions.deliver(tw, by=colleague, agreement_id=decided.agreement_id, purpose="HMB", format_="json")
    told = b"".join(entry.data for entry in tw.log.entries() if entry.event["kind"].startswith("agreement"))
    assert b"institute" not in told


def test_only_who_asked_withdraws(two_nodes: tuple[Node, Node]) -> None:
    tw, pe = two_nodes
    asked = ask(pe)
    with pytest.raises(Refused, match="Only who asked"):
        actions.withdraw_request(tw, by=PARTNER, request_id=asked.id)
    assert actions.withdraw_request(tw, by=PE, request_id=asked.id).state == "withdrawn"
    with pytest.raises(Conflict, match="withdrawn already"):
        actions.decide_request(tw, by=AUTHORITY, request_id=asked.id, grant=True, reason="Too late.")
    assert actions.follow_request(pe, by=pe.operator, request_id=asked.id).state == "withdrawn"


def test_an_altered_release_is_not_delivered(two_nodes: tuple[Node, Node]) -> None:
    tw, pe = two_nodes
    name = agree(tw, pe)
    path = tw.settings.releases_folder / "records" / "v1" / "records-v1.parquet"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises((BadInput, Tampered), match="not what was published"):
        actions.receive(pe, by=pe.operator, provider="tw", agreement_id=name, format_="csv")
    path.unlink()
    with pytest.raises(Unavailable, match="missing"):
        actions.deliver(tw, by=PE, agreement_id=name, purpose="HMB", format_="csv")
    assert queries.deliveries(tw) == queries.deliveries(pe) == []


def test_what_is_altered_on_the_way_is_not_kept(two_nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch) -> None:
    tw, pe = two_nodes
    name = agree(tw, pe)
    honest = actions.deliver(tw, by=PE, agreement_id=name, purpose="HMB", format_="csv")

    def deliver(*_: Any, **__: Any) -> actions.Delivered:
        return replace(honest, content=honest.content.replace(b"male", b"mule"))

    monkeypatch.setattr(actions, "deliver", deliver)
    with pytest.raises(Tampered, match="not what the provider sent"):
        actions.receive(pe, by=pe.operator, provider="tw", agreement_id=name, format_="csv")
    assert not (pe.settings.folder / "received").exists()
    monkeypatch.setattr(actions, "deliver", lambda *_, **__: honest)
    actions.receive(pe, by=pe.operator, provider="tw", agreement_id=name, format_="csv")
    with pytest.raises(Tampered, match="earlier delivery"):
        actions.receive(pe, by=pe.operator, provider="tw", agreement_id=name, format_="csv")


def test_a_node_that_is_not_there(serve_node: ServeNode, new_node: Any) -> None:
    pe = serve_node("pe").node
    gone = new_node("gone", url="http://127.0.0.1:9")
    introduce(pe, gone)
    with pytest.raises(Unavailable, match="did not answer"):
        actions.request_data(pe, by=pe.operator, provider="gone", **ASKED)
    assert queries.requests(pe) == []
