"""What a node takes over from other parties about their passes: once, or again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, Unavailable
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource
from hutong.trust.trust_list import Party

from . import envelope, eu_queries
from . import queries as bundle_queries
from .asking import Asking
from .following import PARTY_SECONDS, Followed, Pauses
from .trust_bundle import TrustSnapshot, open_bundle, read_bundle, read_payload

ASKED_AT_ONCE = 8
RENEW_AFTER = timedelta(hours=6)
"""What has not changed is taken over anew after this time, long before its signatures are too old (24 hours)."""


def fetch_party_bundle(node: Node, *, by: Actor, party_id: str) -> TrustSnapshot:
    """Fetch another party's trust bundle over HTTP and adopt it."""
    node.require(by, "adopt_trust_list", Resource("Party", party_id))
    return adopt_party_bundle(
        node, by=by, party_id=party_id, signed=fetch_bundle_of(node, bundle_queries.party_of(node, party_id))
    )


def fetch_bundle_of(node: Node, party: Party, *, held: str = "", seconds: float | None = None) -> str:
    """A listed party's trust bundle as it answers with it now; nothing is checked yet.

    Args:
        held: its bundle that is held: status lists that have not changed since are not fetched again.
        seconds: how long it may take in all; None waits as long as settings let it.
    """
    address = f"{party.url}/passes/trust-bundle"
    if held:
        try:
            issued_at = str(envelope.read_unverified_bundle(held, eu_lists=False)["issued_at"])
            news = _fetched(node, party, f"{address}?lists_since={quote(issued_at)}", seconds)
            return envelope.complete(news, held, eu_lists=False)
        except (BadInput, Conflict, KeyError):
            pass  # what is held does not fit what was sent: all is fetched
    return _fetched(node, party, address, seconds)


def _fetched(node: Node, party: Party, address: str, seconds: float | None) -> str:
    reply = node.peers.get(address, accept="application/jose", seconds=seconds)
    if reply.status != 200:
        raise Unavailable(f"{party.id} gave no trust bundle (status {reply.status}).", "Ask the party.")
    return reply.body.decode("ascii", errors="replace")


def adopt_party_bundle(node: Node, *, by: Actor, party_id: str, signed: str) -> TrustSnapshot:
    """Take over what a listed party says of its own levels and revocations, and nothing that it says of others.

    Raises:
        NotFound: the party is not in the trust list.
        Tampered: something in it is not signed by whom it should be.
        BadInput: it is another party's bundle.
        Conflict: it is older than the one held, or than a bundle may be.
    """
    node.require(by, "adopt_trust_list", Resource("Party", party_id))
    party = bundle_queries.party_of(node, party_id)
    payload = open_bundle(signed, issuer_key=party.signing, eu_lists=False)
    snapshot = read_payload(payload)
    if snapshot.issuer != party_id:
        raise BadInput(f"This is the bundle of {snapshot.issuer[:40]}, not of {party_id}.", "Fetch it again.")
    now = node.clock()
    if now > snapshot.issued_at + snapshot.max_age or now + timedelta(minutes=5) < snapshot.issued_at:
        raise Conflict(f"The bundle was issued at {snapshot.issued_at}, too far from now.", "Fetch it again.")
    kept = envelope.join(envelope.split(signed)[0], envelope.lists_of(payload).values())
    table = schema.party_bundle
    with node.change(by, unlogged="where nothing but times is new") as change:
        held = change.execute(sa.select(table).where(table.c.party == party_id)).one_or_none()
        if held is not None and snapshot.number < held.number:
            raise Conflict(f"Bundle {snapshot.number} is older than bundle {held.number}.", "Fetch it again.")
        change.execute(table.delete().where(table.c.party == party_id))
        change.execute(
            table.insert().values(party=party_id, number=snapshot.number, signed=kept, received_at=change.at)
        )
        # An entry makes a new edition of this node's own bundle; where time changed something, its number did not rise.
        if held is None or snapshot.number > held.number or _differs(snapshot, held.signed, party):
            issuer = snapshot.issuers.get(party_id)
            walks = {one.id: one.hash for one in issuer.crosswalks} if issuer else {}
            change.event("party-bundle.adopted", party=party_id, number=snapshot.number, crosswalks=walks)
    return snapshot


def keep_party_bundles(node: Node, *, by: Actor) -> Followed:
    """Take over what has changed at the parties whose bundle somebody adopted here.

    A bundle in which nothing but times is new is left alone: each adoption is a log entry and a new edition of this
    node's own bundle, and two nodes that follow each other would otherwise never come to rest.

    Parties are asked side by side, each for a few seconds in all; who failed is left alone for longer and longer.
    """
    pauses = node.memory.store("party-pauses", most=1).get("pauses", Pauses)
    asking = node.memory.store("party-asking", most=1).get("asking", Asking)
    held = bundle_queries.adopted_bundles(node)
    due = [party for party in held if pauses.is_due(party, node.clock())]
    if not due:
        return Followed((), {})
    given = asking.ask(
        due, lambda party: _fetch_news(node, party, held[party]), at_once=ASKED_AT_ONCE, seconds=PARTY_SECONDS
    )
    news, failed, newly_failed = [], {}, []
    for party, fresh in zip(due, map(given.get, due), strict=True):
        try:
            if party not in given:
                raise Unavailable("The party gave no trust bundle in time.", "Ask it again later.")
            if isinstance(fresh, Exception):
                raise fresh
            if fresh is not None:
                adopt_party_bundle(node, by=by, party_id=party, signed=fresh)
                news.append(party)
            pauses.answered(party)
        except Exception as error:  # noqa: BLE001 - whatever one party sends, the others are followed
            failed[party] = error.what if isinstance(error, HutongError) else f"{type(error).__name__}: {error}"[:200]
            if pauses.failed(party, node.clock()):
                newly_failed.append(party)
    return Followed(tuple(news), failed, tuple(newly_failed))


def _fetch_news(node: Node, party_id: str, signed: str) -> str | Exception | None:
    """The bundle of a party where it says something new, None where not, or why it can't be had."""
    try:
        party = bundle_queries.party_of(node, party_id)
        fresh = fetch_bundle_of(node, party, held=signed, seconds=PARTY_SECONDS)
        try:
            held = _read(signed, party)
        except HutongError:
            return fresh  # adopted by an older version, in another form, or signed by a key that the party has no more
        is_news = _says(_read(fresh, party), party_id) != _says(held, party_id)
        return fresh if is_news or node.clock() > held.issued_at + RENEW_AFTER else None
    except Exception as error:  # noqa: BLE001 - it is this party's failure, and no other's
        return error


def watch_bundle(node: Node, *, by: Actor) -> None:
    """Say it, while all is well yet, when this node's trust bundle comes near what its readers take.

    Raises LimitExceeded from four fifths on, and Conflict when a followed party is left out of it, or when the EU's
    revocation lists or keys in it are too old.
    """
    node.require(by, "adopt_trust_list", Resource("Party", node.id))
    load = bundle_queries.bundle_load(node)
    keys, held = eu_queries.held_keys(node), eu_queries.held_revocations(node)
    if keys is not None and node.clock() >= keys.valid_until:
        raise Conflict(
            f"The keys of EU signers were to be trusted until {keys.valid_until:%Y-%m-%d %H:%M} UTC.",
            "Fetch their list again and import it: hutong trust import-keys",
        )
    if held is not None and node.clock() > held.good_until:
        raise Conflict(
            f"The EU's revocation lists are of {held.as_of:%Y-%m-%d %H:%M} UTC, too old: its certificates are unknown.",
            "Fetch them and import them: hutong trust import-revocations",
        )
    if load.left_out:
        first = ", ".join(one.party for one in load.left_out[:5])
        raise Conflict(
            f"The trust bundle leaves out {len(load.left_out):,} parties, whose passes are unknown here: {first}.",
            "Why is on the page of keys and revocations.",
        )
    if load.is_near:
        raise LimitExceeded(
            f"The trust bundle holds {load.lists:,} of at most {load.most_lists:,} status lists with "
            f"{load.positions:,} of at most {load.most_positions:,} positions, and takes "
            f"{load.size_bytes:,} of at most {load.most_bytes:,} bytes: soon verifiers can't take it.",
            "Issue passes for fewer hours, and follow fewer parties.",
        )


def _read(signed: str, party: Party) -> TrustSnapshot:
    """A bundle of a party as its followers read it: the EU's lists are everybody's own to import."""
    return read_bundle(signed, issuer_key=party.signing, eu_lists=False)


def _differs(snapshot: TrustSnapshot, held: str, party: Party) -> bool:
    """Whether it says something else of its party than the bundle that is held, or that one can't be read any more."""
    try:
        return bool(_says(snapshot, party.id) != _says(_read(held, party), party.id))
    except HutongError:
        return True


def _says(snapshot: TrustSnapshot, party_id: str) -> Any:
    """What a party says of itself, without the times at which it was signed."""
    issuer = snapshot.issuers.get(party_id)
    if issuer is None:
        return None
    return (
        sorted(key.name for key in issuer.keys.keys),
        sorted(key.name for key in issuer.compromised.keys),
        [one.hash for one in issuer.crosswalks],
        issuer.rulebooks,
        issuer.ended,
        {number: (one.size, one.bits) for number, one in issuer.status_lists.items()},
    )
