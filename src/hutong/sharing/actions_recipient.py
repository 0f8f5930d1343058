"""The asking side: send a request to another party's node, follow it, keep the agreement, receive the data."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, HutongError, NotFound, Refused, Tampered
from hutong.governance.queries import trust_list
from hutong.node import Node
from hutong.sharing import demand, queries
from hutong.sharing.agreement import REVOKED, Agreement, Revocation, read_agreement, told_revocation
from hutong.sharing.delivery import HEADER, Delivery, Format, check_received
from hutong.sharing.demand import PurposeCode, Request, parse_request
from hutong.storage import schema
from hutong.storage.records import clear_disk_errors
from hutong.trust.authorisation import Actor, Resource
from hutong.trust.peers import Reply
from hutong.trust.trust_list import Party

PATH = "/api/sharing"


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery as it lies in this node's folder."""

    delivery: Delivery
    path: Path


def request_data(
    node: Node,
    *,
    by: Actor,
    provider: str,
    dataset_id: str,
    purpose: PurposeCode,
    statement: str,
    days: int,
    contact: str,
    version: str = demand.LATEST,
    fields: tuple[str, ...] = (),
) -> Request:
    """Ask another party for data in this node's name, and keep a copy of the request as the provider filed it."""
    node.require(by, "request_data", Resource("Party", provider))
    party = listed_party(node, provider)
    asked: dict[str, Any] = {
        "dataset_id": dataset_id,
        "version": version,
        "purpose": purpose,
        "statement": " ".join(statement.split()),  # the API takes it in one line
        "fields": fields,
        "days": days,
        "contact": contact.strip(),
    }
    demand.check_asked(**asked, now=node.clock())
    reply = node.peers.post(f"{party.url}{PATH}/requests", orjson.dumps(asked), audience=party.id)
    filed = _request_of(_answer(reply), party)
    if (filed.dataset_id, filed.purpose) != (dataset_id, purpose) or filed.party != node.id:
        raise Tampered("The provider filed another request than was asked.", "Ask the provider what happened.")
    with node.change(by) as change:
        if change.execute(sa.select(schema.request.c.id).where(schema.request.c.id == filed.id)).scalar():
            raise Tampered("The provider gave the id of another request.", "Ask the provider what happened.")
        change.execute(schema.request.insert().values(id=filed.id, **request_columns(filed)))
        change.event(
            "request.sent",
            request=filed.id,
            provider=party.id,
            dataset=dataset_id,
            purpose=purpose,
            decide_by=filed.decide_by.isoformat(),
        )
    return filed


def follow_request(node: Node, *, by: Actor, request_id: str) -> Request:
    """Ask the provider how a request that was sent stands; keep its agreement, and whether that was revoked."""
    node.require(by, "request_data", Resource("Request", request_id))
    known = queries.request(node, request_id)
    if known.provider == node.id:
        return known
    party = listed_party(node, known.provider)
    told = _request_of(_answer(node.peers.get(f"{party.url}{PATH}/requests/{known.id}", audience=party.id)), party)
    if told.id != known.id or told.party != node.id:
        raise Tampered("The provider told of another request.", "Ask the provider what happened.")
    if told != known:
        with node.change(by) as change:
            change.execute(
                schema.request.update().where(schema.request.c.id == told.id).values(**request_columns(told))
            )
            change.event("request.followed", request=told.id, provider=party.id, state=told.state)
    if told.agreement_id:
        agreed = _agreement(node, by=by, party=party, agreement_id=told.agreement_id)
        revoked = told_revocation(_ask_agreement(node, party, agreed.id), agreed, now=node.clock())
        if revoked:
            keep_revocation(node, by=by, agreed=agreed, revoked=revoked)
    return told


def receive(
    node: Node, *, by: Actor, provider: str, agreement_id: str, purpose: PurposeCode | None = None, format_: Format
) -> Received:
    """Fetch the data of an agreement into the folder ``received/``; without a purpose, for the agreed one.

    Raises ``Refused`` with the provider's reasons, and ``Tampered`` when the file is not what the provider's signed
    note says; then nothing is kept but that the agreement was revoked, where that is the reason.
    """
    node.require(by, "fetch_delivery", Resource("Party", provider))
    party = listed_party(node, provider)
    agreed = _agreement(node, by=by, party=party, agreement_id=agreement_id)
    query = urlencode({"format": format_, "purpose": purpose or agreed.purpose})
    try:
        reply = node.peers.get(
            f"{party.url}{PATH}/agreements/{agreed.id}/delivery?{query}", audience=party.id, accept="*/*"
        )
    except Refused as refusal:
        if REVOKED in refusal.policies:
            _learn_revocation(node, by=by, party=party, agreed=agreed)
        raise
    require_success(reply)
    note = reply.headers.get(HEADER.lower(), "")
    delivery = check_received(note, reply.body, key=party.signing, agreement_id=agreed.id, format_=format_)
    if delivery.dataset_id != agreed.dataset_id:
        raise Tampered("The note is about another dataset.", "Ask the provider what happened.")
    path = _write(node.settings.folder / "received", delivery.file_name, reply.body)
    with node.change(by) as change:
        if change.execute(sa.select(schema.delivery.c.id).where(schema.delivery.c.id == delivery.id)).scalar():
            raise Tampered("The provider sent the note of an earlier delivery.", "Ask the provider what happened.")
        change.execute(
            schema.delivery.insert().values(
                id=delivery.id, agreement=agreed.id, body=delivery.document(), at=delivery.at
            )
        )
        change.event(
            "delivery.received",
            delivery=delivery.id,
            agreement=agreed.id,
            provider=party.id,
            dataset=delivery.dataset_id,
            rows=delivery.rows,
            bytes=delivery.bytes,
            sha256=delivery.sha256,
        )
    return Received(delivery, path)


def _agreement(node: Node, *, by: Actor, party: Party, agreement_id: str) -> Agreement:
    """The agreement as this node keeps it, fetched and verified with the provider's listed key when it is new."""
    if not re.fullmatch(r"[0-9a-z]{20}", agreement_id):
        raise BadInput("That is no agreement's id.", "Copy it from the list of agreements.")
    try:
        return queries.agreement(node, agreement_id).agreement
    except NotFound:
        pass
    signed = str(_ask_agreement(node, party, agreement_id).get("signed", ""))
    agreed = read_agreement(signed, key=party.signing)
    if (agreed.id, agreed.provider, agreed.recipient) != (agreement_id, party.id, node.id):
        raise Tampered("The provider gave an agreement of others.", "Ask the provider what happened.")
    with node.change(by) as change:
        change.execute(schema.agreement.insert().values(**agreement_columns(agreed, signed)))
        change.event(
            "agreement.kept",
            agreement=agreed.id,
            provider=agreed.provider,
            dataset=agreed.dataset_id,
            purpose=agreed.purpose,
            expires=agreed.expires_at.isoformat(),
        )
    return agreed


def _ask_agreement(node: Node, party: Party, agreement_id: str) -> dict[str, Any]:
    """What the provider tells of an agreement: the signed document, and whether it was revoked."""
    document = _answer(node.peers.get(f"{party.url}{PATH}/agreements/{agreement_id}", audience=party.id))
    if document.get("id") != agreement_id:
        raise Tampered("The provider gave another agreement.", "Ask the provider what happened.")
    return document


def _learn_revocation(node: Node, *, by: Actor, party: Party, agreed: Agreement) -> None:
    """Keep that a delivery was refused because the agreement was revoked, with what the provider tells of it."""
    now = node.clock()
    try:
        revoked = told_revocation(_ask_agreement(node, party, agreed.id), agreed, now=now)
    except HutongError:
        revoked = Revocation(now)  # that it was is known by the refusal
    if revoked:
        keep_revocation(node, by=by, agreed=agreed, revoked=revoked)


def keep_revocation(node: Node, *, by: Actor, agreed: Agreement, revoked: Revocation) -> None:
    """Note at the agreement that its provider revoked it; what is noted already stays."""
    with node.change(by) as change:
        if queries.load_agreement(change.connection, agreed.id).revoked_at is not None:
            return
        table = schema.agreement
        change.execute(
            table.update().where(table.c.id == agreed.id).values(revoked_at=revoked.at, revoked_because=revoked.because)
        )
        change.event(
            "agreement.revocation-kept",
            agreement=agreed.id,
            provider=agreed.provider,
            dataset=agreed.dataset_id,
            revoked=revoked.at.isoformat(),
        )


def listed_party(node: Node, party_id: str) -> Party:
    """Another party of the trust list. ``BadInput`` for this node itself, ``NotFound`` when it is not listed."""
    if party_id == node.id:
        raise BadInput("That is this node itself.", "Ask another party, or read the data here.")
    return trust_list(node).party(party_id, at=node.clock())


def _request_of(document: dict[str, Any], party: Party) -> Request:
    """The request in a provider's answer; what the answer adds for its readers is not kept."""
    known = {name: value for name, value in document.items() if name in Request.__dataclass_fields__}
    request = parse_request(known)
    if request.provider != party.id:
        raise Tampered("The provider filed the request in another's name.", "Ask the provider what happened.")
    return request


def request_columns(request: Request) -> dict[str, Any]:
    """The columns of a request's record besides its id, the same on both sides."""
    return {
        "dataset": request.dataset_id,
        "party": request.party,
        "state": request.state,
        "body": request.document(),
        "filed_at": request.filed_at,
        "decide_by": request.decide_by,
        "decided_at": request.decided_at,
    }


def agreement_columns(agreed: Agreement, signed: str) -> dict[str, Any]:
    """A new agreement's record, the same on both sides."""
    return {
        "id": agreed.id,
        "request": agreed.request_id,
        "dataset": agreed.dataset_id,
        "provider": agreed.provider,
        "recipient": agreed.recipient,
        "signed": signed,
        "agreed_at": agreed.agreed_at,
        "expires_at": agreed.expires_at,
    }


def _answer(reply: Reply) -> dict[str, Any]:
    require_success(reply)
    return reply.json()


def require_success(reply: Reply) -> None:
    """Raise what the other node answered with 409 or 422; other errors were raised by the client."""
    if reply.status in (409, 422):
        problem = reply.json()
        kind = Conflict if reply.status == 409 else BadInput
        raise kind(str(problem.get("title", "The other node refused."))[:500], str(problem.get("detail", ""))[:500])


def _write(folder: Path, name: str, content: bytes) -> Path:
    """Write a file that is complete and durable, or not there."""
    path = folder / name
    part = path.with_name(f".{name}.writing")
    with clear_disk_errors():
        folder.mkdir(mode=0o700, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    return path
