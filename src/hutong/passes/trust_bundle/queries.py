"""The trust bundle as verifiers poll it: whole, or what changed since the edition that they have."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, LimitExceeded
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.signing import sign_document
from hutong.trust.trust_list import Party

from .. import documents
from ..credential.status_list import MAX_LISTS
from ..issuance import own_lists
from ..recognition.queries import CROSSWALK, SCENES, newest_documents, published_documents
from ..rulebook import queries as rulebook_queries
from ..rulebook.queries import PublishedRulebook
from ..sunset.queries import declared
from . import delta as trust_delta
from . import envelope
from .envelope import LISTS, MAX_BUNDLE_BYTES, Payload
from .trust_bundle import CROSSWALK_KIND, ENDING_KIND, KIND, MAX_ITEMS, RULEBOOK_KIND, TrustSnapshot, read_payload

BUNDLE_HOURS = 24


NEXT_BUNDLE_MINUTES = 60


SLOT_MINUTES = 5


_PARTIES = ("trust-list.published", "trust-list.adopted", "pass-key.rotated", "pass-key.compromised")


_OTHERS = "party-bundle.adopted"


_PAGE = 50


ENDS_TOLD = timedelta(days=30)
"""Longer than any pass lives."""


_COMMIT_SECONDS = 10
"""So long a change may take from its time until it can be read."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of this node's trust bundle.

    Attributes:
        payload: what it says, with its lists.
        signed: the signed text without lists; with all of them in ``text``.
        new_since: by a list's name, when the list became what it is.
        snapshot: ready to verify with.
    """

    tag: str
    payload: Payload
    signed: str
    text: str
    new_since: Mapping[str, datetime]
    snapshot: TrustSnapshot

    def held(self, lists_since: datetime | None) -> frozenset[str]:
        """Names of lists that a reader has whose edition was issued at that time."""
        if lists_since is None:
            return frozenset()
        surely = lists_since - timedelta(seconds=_COMMIT_SECONDS)
        return frozenset(name for name, since in self.new_since.items() if since < surely)


@dataclass(frozen=True, slots=True)
class BundleLoad:
    """How near this node's bundle is to what readers take; ``share`` of the nearer limit, as a fraction."""

    lists: int
    size_bytes: int
    most_lists: int = MAX_LISTS
    most_bytes: int = MAX_BUNDLE_BYTES

    @property
    def share(self) -> float:
        return max(self.lists / self.most_lists, self.size_bytes / self.most_bytes)

    @property
    def is_near(self) -> bool:
        """Whether somebody should act, while all is well yet."""
        return self.share >= NEAR_SHARE


NEAR_SHARE = 0.8


def bundle_edition(node: Node) -> Edition:
    """The newest edition: made once for each tag, whoever asks, and kept until something happens.

    Raises LimitExceeded when readers would not take it.
    """
    tag = bundle_tag(node)
    return node.memory.store("bundle-editions", most=2).get_once(tag, lambda: _make_edition(node, tag))  # type: ignore[no-any-return]


def _make_edition(node: Node, tag: str) -> Edition:
    new_since: dict[str, datetime] = {}
    payload = pass_payload(node, new_since)
    signed = _signed(node, KIND, envelope.named(payload))
    text = envelope.join(signed, envelope.lists_of(payload).values())
    # What was signed here just now needs no check; what it holds is read as every reader reads it.
    return Edition(tag, payload, signed, text, new_since, read_payload(payload))


def pass_bundle(node: Node, lists_since: datetime | None = None) -> str:
    """The signed trust bundle of this node, as of now.

    With ``lists_since`` without those status lists that who holds the edition of that time has (see ``envelope``).
    """
    edition = bundle_edition(node)
    held = edition.held(lists_since)
    if not held:
        return edition.text
    lists = envelope.lists_of(edition.payload)
    return envelope.join(edition.signed, [one for name, one in lists.items() if name not in held])


def bundle_load(node: Node) -> BundleLoad:
    """How large this node's bundle is; past its limits readers would refuse it, and it is not made any more."""
    try:
        edition = bundle_edition(node)
    except LimitExceeded:
        lists = pass_payload(node)[LISTS]
        return BundleLoad(
            lists=len(lists[node.id]), size_bytes=sum(len(one) for ones in lists.values() for one in ones)
        )
    return BundleLoad(lists=len(edition.payload[LISTS][node.id]), size_bytes=len(edition.text))


def pass_payload(node: Node, new_since: dict[str, datetime] | None = None) -> dict[str, Any]:
    """What the trust bundle says, as of now: parties, crosswalks, status lists, and this node's own rules.

    ``new_since`` is filled with when each status list became what it is, by its name.

    What a party published itself comes from the bundle of that party that this node adopted last. A crosswalk of this
    node whose rulebook has lost its emergency is left out: its levels mean nothing any more.
    """
    # The number first: what is published meanwhile is then in this edition and in the delta to the next one.
    now, number = node.clock(), node.log.size()
    parties = {party.id: _party_entry(party) for party in governance.current_parties(node)}
    parties[node.id] = _with_keys_of(parties.get(node.id), _own_entry(node))
    walks: dict[str, list[str]] = {node.id: [_signed(node, CROSSWALK_KIND, one) for one in _crosswalks_in_force(node)]}
    books: dict[str, list[str]] = {node.id: [_signed(node, RULEBOOK_KIND, one) for one in _rulebooks_in_force(node)]}
    ended: dict[str, list[str]] = {node.id: [_signed(node, ENDING_KIND, one) for one in _ended(node)]}
    own_new = _own_lists(node)
    others_new: dict[str, datetime] = {}
    lists: dict[str, list[str]] = {node.id: list(own_new)}
    for party, (theirs, received_at) in _adopted_payloads(node).items():
        if party in parties and party != node.id:
            own = next((entry for entry in theirs["parties"] if entry["id"] == party), None)
            parties[party] = _with_keys_of(parties[party], own)
            walks[party] = theirs["crosswalks"].get(party, [])
            books[party] = theirs.get("rulebooks", {}).get(party, [])
            ended[party] = theirs.get("ended", {}).get(party, [])
            lists[party] = theirs[LISTS].get(party, [])
            others_new |= dict.fromkeys(lists[party], received_at)
    if new_since is not None:
        new_since |= {envelope.part_hash(text): since for text, since in (own_new | others_new).items()}
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
        "ended": ended,
        LISTS: lists,
        "acceptance": rules[-1] if rules else None,
    }


def bundle_file(node: Node) -> dict[str, Any]:
    """What ``verify_pass`` takes as ``trust``: the bundle with the key of its signer, for a verifier to keep."""
    return {"signed": pass_bundle(node), "key": dict(node.keys.public["signing"])}


def trust_snapshot(node: Node) -> TrustSnapshot:
    """This node's own bundle, ready to verify with: the same object until something happens."""
    return bundle_edition(node).snapshot


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


def bundle_delta(node: Node, since: int, lists_since: datetime | None = None) -> str:
    """The signed delta from edition ``since`` to now; with all parts when that edition is not known.

    An edition's number is the size of the log, so that the log tells what happened since. Status lists of this node are
    there as in ``pass_bundle``.
    """
    edition = bundle_edition(node)
    held = _held(node, edition.payload, since) | edition.held(lists_since)
    delta = trust_delta.make_delta(edition.payload, since=since, held=held)
    return trust_delta.sign_delta(delta, key=node.keys.signing, kid=node.keys.public["signing"]["kid"])


def bundle_tag(node: Node) -> str:
    """Names what a verifier gets now: another one after every log entry, with other keys (which follow their entry),
    and every five minutes, as a bundle ages."""
    slot = int(node.clock().timestamp()) // (SLOT_MINUTES * 60)
    return f'W/"{node.log.size()}-{slot}-{envelope.part_hash(node.keys.public)[:8]}"'


def _held(node: Node, payload: Payload, since: int) -> set[str]:
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
    return {envelope.part_hash(part) for part in parts}


def _happened(node: Node, kind: str, since: int) -> bool:
    return any(entry.index >= since for entry in node.log.entries(kind=kind, limit=1))


def _own_lists(node: Node) -> dict[str, datetime]:
    """This node's status lists as base64, each with when it became what it is."""
    needed, hour = own_lists.needed_lists(node), own_lists.signed_since(node.clock())
    small = len(needed) <= own_lists.SMALLEST_PACKED
    signed = (own_lists.signed_list(node, one, packed_small=small) for one in needed)
    return {
        base64.b64encode(message).decode(): max(one.changed_at, hour)
        for one, message in zip(needed, signed, strict=True)
    }


def _adopted_payloads(node: Node) -> dict[str, tuple[dict[str, Any], datetime]]:
    """By party what its bundle says, whose signature was checked when it was adopted, and when that was."""
    table = schema.party_bundle
    found = {}
    with node.records.reading() as connection:
        for row in connection.execute(sa.select(table)):
            try:
                found[row.party] = envelope.read_unverified_bundle(row.signed), row.received_at
            except Conflict:
                continue  # adopted by an older version, which kept bundles in another form: it is fetched again soon
    return found


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


def _ended(node: Node) -> list[dict[str, Any]]:
    """Emergencies that ended so lately that a pass of them may not have expired, the newest end last."""
    now = node.clock()
    over = [one for one in declared(node) if one.is_over(now) and now - one.ends_at < ENDS_TOLD]
    books = [one.rulebook for one in rulebook_queries.all_rulebooks(node)] if over else []
    return [
        {
            "emergency": one.id,
            "ended_at": one.ends_at.isoformat(),
            "versions": sorted(f"{book.id}@{book.version}" for book in books if book.emergency == one.id),
        }
        for one in sorted(over, key=lambda one: one.ends_at)[-MAX_ITEMS:]
    ]


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
