"""The trust bundle as verifiers poll it: whole, or what changed since the edition that they have."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hutong.errors import BadInput, HutongError, LimitExceeded, NotFound
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.signing import canonical_json, sign_document
from hutong.trust.trust_list import Party

from .. import documents
from ..issuance import own_lists
from ..recognition.queries import CROSSWALK, SCENES, newest_documents, published_documents
from ..rulebook import queries as rulebook_queries
from ..rulebook.queries import PublishedRulebook
from ..sunset.queries import declared
from . import delta as trust_delta
from . import envelope, eu_queries
from .composition import (
    NAME_BYTES,
    BundleLoad,
    Composition,
    LeftOut,
    Load,
    compose,
    party_entry,
    signed_size,
    with_keys_of,
)
from .envelope import LISTS, Payload
from .trust_bundle import (
    CROSSWALK_KIND,
    ENDING_KIND,
    KIND,
    MAX_ITEMS,
    RULEBOOK_KIND,
    Part,
    TrustSnapshot,
    open_bundle,
    part_of,
    snapshot_of,
)

BUNDLE_HOURS = 24
NEXT_BUNDLE_MINUTES = 60
SLOT_MINUTES = 5
_PARTIES = (
    *("trust-list.published", "trust-list.adopted", "pass-key.rotated", "pass-key.compromised"),
    *("dcc-keys.imported", "dcc-keys.dropped"),
)
_OTHERS = "party-bundle.adopted"
_PAGE = 50
ENDS_TOLD = timedelta(days=30)
"""Longer than any pass lives."""
_FRAME_BYTES = 1_000
"""What header, signature and names of fields take in what is signed, at most."""
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
        positions: of all its status lists together.
        left_out: parties whose documents and lists are not in it.
    """

    tag: str
    payload: Payload
    signed: str
    text: str
    new_since: Mapping[str, datetime]
    snapshot: TrustSnapshot
    positions: int
    left_out: tuple[LeftOut, ...]

    def held(self, lists_since: datetime | None) -> frozenset[str]:
        """Names of lists that a reader has whose edition was issued at that time."""
        if lists_since is None:
            return frozenset()
        # On this node's side, not on the asker's: a year from 1 to 9999 has no room for less, or more.
        late = timedelta(seconds=_COMMIT_SECONDS)
        return frozenset(name for name, since in self.new_since.items() if since + late < lists_since)


def bundle_edition(node: Node) -> Edition:
    """The newest edition: made once for each tag, whoever asks, and kept until something happens.

    Raises LimitExceeded when readers would not take it.
    """
    tag = bundle_tag(node)
    return node.memory.store("bundle-editions", most=2).get_once(tag, lambda: _make_edition(node, tag))  # type: ignore[no-any-return]


def _make_edition(node: Node, tag: str) -> Edition:
    payload, new_since, composed = _draft_of(node, tag)
    signed = _signed(node, KIND, envelope.named(payload))
    text = envelope.join(signed, envelope.lists_of(payload).values())
    # What was signed here just now needs no check; what it holds was read as every reader reads it.
    snapshot = snapshot_of(payload, composed.issuers)
    return Edition(tag, payload, signed, text, new_since, snapshot, composed.load.positions, composed.left_out)


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
        payload, _, composed = _draft_of(node, bundle_tag(node))
        load = composed.load
        return BundleLoad(
            lists=len(payload[LISTS][node.id]),
            size_bytes=load.lists_bytes + load.signed_bytes,
            positions=load.positions,
            signed_bytes=load.signed_bytes,
            left_out=composed.left_out,
        )
    return BundleLoad(
        lists=len(edition.payload[LISTS][node.id]),
        size_bytes=len(edition.text),
        positions=edition.positions,
        signed_bytes=len(edition.signed),
        left_out=edition.left_out,
    )


def pass_payload(node: Node) -> dict[str, Any]:
    """What the trust bundle says, as of now: parties, crosswalks, status lists, and this node's own rules.

    What a party published itself comes from the bundle of that party that this node adopted last. A crosswalk of this
    node whose rulebook has lost its emergency is left out: its levels mean nothing any more.
    """
    return _draft(node)[0]


def _draft_of(node: Node, tag: str) -> tuple[dict[str, Any], dict[str, datetime], Composition]:
    """The draft of the edition of that tag; one that readers would not take is measured without being made again."""
    return node.memory.store("bundle-drafts", most=1).get(tag, lambda: _draft(node))  # type: ignore[no-any-return]


def _draft(node: Node) -> tuple[dict[str, Any], dict[str, datetime], Composition]:
    """What the bundle says, when each status list became what it is (by its name), and what it is composed of."""
    # The number first: what is published meanwhile is then in this edition and in the delta to the next one.
    now, number = node.clock(), node.log.size()
    rules = newest_documents(node, SCENES)
    head = {
        "issuer": node.id,
        "number": number,
        "issued_at": now.isoformat(),
        "next_update": (now + timedelta(minutes=NEXT_BUNDLE_MINUTES)).isoformat(),
        "max_age_hours": BUNDLE_HOURS,
        "acceptance": rules[-1] if rules else None,
    }
    listed = eu_queries.key_parties(node)
    listed |= {party.id: party_entry(party) for party in governance.current_parties(node)}
    own_new = _own_lists(node)
    of_the_eu, eu_new = eu_queries.section(node)
    eu_lists = of_the_eu["lists"] if of_the_eu else ()
    own = Part(
        entry=with_keys_of(listed.pop(node.id, None), _own_entry(node)),
        crosswalks=[_signed(node, CROSSWALK_KIND, one) for one in _crosswalks_in_force(node)],
        rulebooks=[_signed(node, RULEBOOK_KIND, one) for one in _rulebooks_in_force(node)],
        ended=[_signed(node, ENDING_KIND, one) for one in _ended(node)],
        lists=list(own_new),
    )
    adopted, unreadable = _adopted_parts(node, listed)
    base = Load(
        lists=len(eu_lists),
        lists_bytes=sum(len(part) + 1 for part in eu_lists),
        signed_bytes=signed_size(len(canonical_json(head)) + _FRAME_BYTES + NAME_BYTES * len(eu_lists)),
    )
    composed = compose(
        own,
        {party: Part(entry) for party, entry in listed.items()},
        {party: part for party, (part, _) in adopted.items()},
        unreadable=unreadable,
        base=base,
    )
    new_since = {envelope.part_hash(text): since for _, (part, since) in adopted.items() for text in part.lists} | {
        envelope.part_hash(text): since for text, since in own_new.items()
    }
    new_since |= eu_new
    followed = {party: composed.parts[party] for party in composed.followed}
    payload = {
        **head,
        "parties": [part.entry for part in composed.parts.values()],
        "crosswalks": {party: list(part.crosswalks) for party, part in followed.items()},
        "rulebooks": {party: list(part.rulebooks) for party, part in followed.items()},
        "ended": {party: list(part.ended) for party, part in followed.items()},
        LISTS: {party: list(part.lists) for party, part in followed.items()},
        **({envelope.EU_LISTS: of_the_eu} if of_the_eu else {}),
    }
    return payload, new_since, composed


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
    every five minutes, as a bundle ages, and from the moment on that the trust list is past its date."""
    now, size = node.clock(), node.log.size()
    slot = int(now.timestamp()) // (SLOT_MINUTES * 60)
    # Another list comes with an entry of the log.
    ends_at = node.memory.store("trust-list-ends", most=2).get(size, lambda: _trust_list_end(node))
    past = "-past" if ends_at is not None and now >= ends_at else ""
    return f'W/"{size}-{slot}-{envelope.part_hash(node.keys.public)[:8]}{past}"'


def _trust_list_end(node: Node) -> datetime | None:
    try:
        return governance.trust_list(node).next_update
    except NotFound:
        return None


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
    if not _happened(node, "dcc-revocations.imported", since):
        parts += envelope.eu_lists_of(payload)
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


def _adopted_parts(
    node: Node, listed: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, tuple[Part, datetime]], dict[str, HutongError]]:
    """By listed party what its bundle says of it and when that was adopted; and whose bundle can't be read, with why.

    A signature was checked when a bundle was adopted, and is again: the party may have had to change its key since.
    """
    table = schema.party_bundle
    found, unreadable = {}, {}
    with node.records.reading() as connection:
        for row in connection.execute(sa.select(table)):
            if row.party in listed:
                try:
                    theirs = open_bundle(row.signed, issuer_key=listed[row.party]["signing"], eu_lists=False)
                except HutongError as error:
                    unreadable[row.party] = error
                    continue
                own = next((entry for entry in theirs["parties"] if entry["id"] == row.party), None)
                found[row.party] = part_of(theirs, with_keys_of(listed[row.party], own)), row.received_at
    return found, unreadable


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
