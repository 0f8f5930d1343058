"""The trust bundle as verifiers poll it: whole, or what changed since the edition that they have."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from hutong.errors import BadInput
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.signing import read_unverified, sign_document
from hutong.trust.trust_list import Party

from .. import documents
from ..issuance.queries import list_count, status_list
from ..recognition.queries import CROSSWALK, SCENES, newest_documents, published_documents
from ..rulebook import queries as rulebook_queries
from ..rulebook.queries import PublishedRulebook
from . import delta as trust_delta
from .trust_bundle import CROSSWALK_KIND, MAX_ITEMS, RULEBOOK_KIND, TrustSnapshot, read_bundle, sign_bundle

BUNDLE_HOURS = 24


NEXT_BUNDLE_MINUTES = 60


SLOT_MINUTES = 5


_PARTIES = ("trust-list.published", "trust-list.adopted", "pass-key.rotated", "pass-key.compromised")


_OTHERS = "party-bundle.adopted"


_PAGE = 50


def pass_bundle(node: Node) -> str:
    """The signed trust bundle of this node, as of now."""
    return sign_bundle(pass_payload(node), key=node.keys.signing, kid=node.keys.public["signing"]["kid"])


def pass_payload(node: Node) -> dict[str, Any]:
    """What the trust bundle says, as of now: parties, crosswalks, status lists, and this node's own rules.

    What a party published itself comes from the bundle of that party that this node adopted last. A crosswalk of this
    node whose rulebook has lost its emergency is left out: its levels mean nothing any more.
    """
    # The number first: what is published meanwhile is then in this edition and in the delta to the next one.
    now, number = node.clock(), node.log.size()
    parties = {party.id: _party_entry(party) for party in governance.current_parties(node)}
    parties[node.id] = _with_keys_of(parties.get(node.id), _own_entry(node))
    walks: dict[str, list[str]] = {node.id: [_signed(node, CROSSWALK_KIND, one) for one in _crosswalks_in_force(node)]}
    books: dict[str, list[str]] = {node.id: [_signed(node, RULEBOOK_KIND, one) for one in _rulebooks_in_force(node)]}
    lists: dict[str, list[str]] = {node.id: _own_lists(node)}
    for party, signed in adopted_bundles(node).items():
        if party in parties and party != node.id:
            _, theirs = read_unverified(signed)  # its signature was checked when it was adopted
            own = next((entry for entry in theirs["parties"] if entry["id"] == party), None)
            parties[party] = _with_keys_of(parties[party], own)
            walks[party] = theirs["crosswalks"].get(party, [])
            books[party] = theirs.get("rulebooks", {}).get(party, [])
            lists[party] = theirs["status_lists"].get(party, [])
    rules = newest_documents(node, SCENES)
    return {
        "issuer": node.id,
        "number": number,
        "issued_at": now.isoformat(),
        "next_update": (now + timedelta(minutes=NEXT_BUNDLE_MINUTES)).isoformat(),
        "max_age_hours": BUNDLE_HOURS,
        "parties": [parties[name] for name in sorted(parties)],
        "crosswalks": walks,
        "rulebooks": books,
        "status_lists": lists,
        "acceptance": rules[-1] if rules else None,
    }


def bundle_file(node: Node) -> dict[str, Any]:
    """What ``verify_pass`` takes as ``trust``: the bundle with the key of its signer, for a verifier to keep."""
    return {"signed": pass_bundle(node), "key": dict(node.keys.public["signing"])}


def trust_snapshot(node: Node) -> TrustSnapshot:
    """This node's own bundle, ready to verify with."""
    return read_bundle(pass_bundle(node), issuer_key=node.keys.public["signing"])


def adopted_bundles(node: Node) -> dict[str, str]:
    """Party to the signed bundle of it that was adopted last."""
    table = schema.party_bundle
    with node.records.reading() as connection:
        return {row.party: row.signed for row in connection.execute(sa.select(table.c.party, table.c.signed))}


def party_of(node: Node, party_id: str) -> Party:
    """A listed party other than this node. ``NotFound`` when it is not listed, ``BadInput`` for the node itself."""
    if party_id == node.id:
        raise BadInput("This is this node itself.", "Name another party of the trust list.")
    return governance.trust_list(node).party(party_id, at=node.clock())


def bundle_delta(node: Node, since: int) -> str:
    """The signed delta from edition ``since`` to now; with all parts when that edition is not known.

    An edition's number is the size of the log, so that the log tells what happened since. Status lists of this node are
    signed afresh for every edition and always there.
    """
    payload = pass_payload(node)
    delta = trust_delta.make_delta(payload, since=since, held=_held(node, payload, since))
    return trust_delta.sign_delta(delta, key=node.keys.signing, kid=node.keys.public["signing"]["kid"])


def bundle_tag(node: Node) -> str:
    """Names what a verifier gets now: another one after every log entry, and every five minutes, as a bundle ages."""
    slot = int(node.clock().timestamp()) // (SLOT_MINUTES * 60)
    return f'"{node.log.size()}-{slot}"'


def _held(node: Node, payload: trust_delta.Payload, since: int) -> set[str]:
    """Parts that have not changed since an edition."""
    if not 0 < since <= payload["number"]:
        return set()
    parts: list[Any] = []
    if not any(_happened(node, kind, since) for kind in _PARTIES):
        parts += payload["parties"]
    if not _happened(node, "crosswalk.published", since):
        parts += payload["crosswalks"].get(node.id, [])
    if not _happened(node, "rulebook.published", since):
        parts += payload["rulebooks"].get(node.id, [])
    if payload["acceptance"] is not None and not _happened(node, "acceptance.published", since):
        parts.append(payload["acceptance"])
    adopted = node.log.entries(kind=_OTHERS, limit=_PAGE)
    if len(adopted) < _PAGE or adopted[-1].index < since:
        news = {entry.event["party"] for entry in adopted if entry.index >= since}
        for name in trust_delta.BY_PARTY:
            own = (items for party, items in payload[name].items() if party not in news | {node.id})
            parts += [part for items in own for part in items]
    return {trust_delta.part_hash(part) for part in parts}


def _happened(node: Node, kind: str, since: int) -> bool:
    return any(entry.index >= since for entry in node.log.entries(kind=kind, limit=1))


def _own_lists(node: Node) -> list[str]:
    with node.records.reading() as connection:
        count = list_count(connection)
    return [base64.b64encode(status_list(node, number)).decode() for number in range(count)]


def _crosswalks_in_force(node: Node) -> list[Mapping[str, Any]]:
    today = node.clock().date()
    in_force = {one.id for one in governance.emergencies(node) if one.is_in_force(today)}
    books = [one.rulebook for one in rulebook_queries.all_rulebooks(node) if one.rulebook.emergency in in_force]
    majors = {(book.id, documents.semver(book.version)[0]) for book in books}
    # One of an earlier major version stays: its passes are shown until they end, and its levels while notice is given.
    newest = {(body["rulebook"], body["major"]): body for body in published_documents(node, CROSSWALK)}
    return [body for key, body in newest.items() if key in majors]


def _rulebooks_in_force(node: Node) -> list[dict[str, Any]]:
    """Of each rulebook under an emergency in force the version that holds, and those to come with their date."""
    now = node.clock()
    in_force = {one.id for one in governance.emergencies(node) if one.is_in_force(now.date())}
    by_id: dict[str, list[PublishedRulebook]] = {}
    for one in rulebook_queries.all_rulebooks(node):
        if one.rulebook.emergency in in_force:
            by_id.setdefault(one.rulebook.id, []).append(one)
    told = [
        one
        for versions in by_id.values()
        for one in (rulebook_queries.holding(versions, now), *rulebook_queries.coming(versions, now))
    ]
    return [rulebook_queries.announcement(one) for one in told[:MAX_ITEMS]]


def _signed(node: Node, kind: str, document: Mapping[str, Any]) -> str:
    return sign_document(node.keys.signing, kid=node.keys.public["signing"]["kid"], kind=kind, payload=document)


def _party_entry(party: Party) -> dict[str, Any]:
    return {
        "id": party.id,
        "name": dict(party.name),
        "territory": party.territory,
        "signing": dict(party.signing),
        "passes": list(party.passes),
        "valid_until": party.valid_until.isoformat(),
    }


def _with_keys_of(listed: dict[str, Any] | None, own: Mapping[str, Any] | None) -> dict[str, Any]:
    """A party's entry with the pass keys that it names itself, under the signing key that the trust list pins.

    So a new key works, and a compromised one ends, as soon as the party's own bundle says so, and not only with the
    next edition of the trust list. Keys that the list alone names stay.
    """
    if listed is None or own is None:
        return dict(listed or own or {})
    compromised = list(own.get("compromised", []))
    keys = dict.fromkeys([*own["passes"], *listed["passes"]])
    return {**listed, "passes": [one for one in keys if one not in compromised], "compromised": compromised}


def _own_entry(node: Node) -> dict[str, Any]:
    """This node as a party, before it is in a trust list: it trusts itself."""
    return {
        "id": node.id,
        "name": dict(node.settings.name),
        "territory": node.settings.territory,
        "signing": dict(node.keys.public["signing"]),
        "passes": list(node.keys.public["passes"]),
        "compromised": list(node.keys.public.get("compromised", [])),
        "valid_until": node.keys.public["signing_until"],
    }
