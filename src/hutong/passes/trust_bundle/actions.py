"""What a node takes over from other parties about their passes: once, or again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, Unavailable
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource
from hutong.trust.trust_list import Party

from . import queries as bundle_queries
from .trust_bundle import TrustSnapshot, read_bundle

RENEW_AFTER = timedelta(hours=6)


"""What has not changed is taken over anew after this time, long before its signatures are too old (24 hours)."""


def fetch_party_bundle(node: Node, *, by: Actor, party_id: str) -> TrustSnapshot:
    """Fetch another party's trust bundle over HTTP and adopt it."""
    node.require(by, "adopt_trust_list", Resource("Party", party_id))
    return adopt_party_bundle(
        node, by=by, party_id=party_id, signed=fetch_bundle_of(node, bundle_queries.party_of(node, party_id))
    )


def fetch_bundle_of(node: Node, party: Party) -> str:
    """A listed party's trust bundle as it answers with it now; nothing is checked yet."""
    reply = node.peers.get(f"{party.url}/passes/trust-bundle", accept="application/jose")
    if reply.status != 200:
        raise Conflict(f"{party.id} gave no trust bundle (status {reply.status}).", "Ask the party.")
    return reply.body.decode("ascii", errors="replace")


def adopt_party_bundle(node: Node, *, by: Actor, party_id: str, signed: str) -> TrustSnapshot:
    """Take over what a listed party says of its own levels and revocations.

    Raises:
        NotFound: the party is not in the trust list.
        Tampered: something in it is not signed by whom it should be.
        BadInput: it is another party's bundle.
        Conflict: it is older than the one held, or than a bundle may be.
    """
    node.require(by, "adopt_trust_list", Resource("Party", party_id))
    party = bundle_queries.party_of(node, party_id)
    snapshot = read_bundle(signed, issuer_key=party.signing)
    if snapshot.issuer != party_id:
        raise BadInput(f"This is the bundle of {snapshot.issuer[:40]}, not of {party_id}.", "Fetch it again.")
    now = node.clock()
    if now > snapshot.issued_at + snapshot.max_age or now + timedelta(minutes=5) < snapshot.issued_at:
        raise Conflict(f"The bundle was issued at {snapshot.issued_at}, too far from now.", "Fetch it again.")
    table = schema.party_bundle
    with node.change(by) as change:
        held = change.execute(sa.select(table).where(table.c.party == party_id)).one_or_none()
        if held is not None and snapshot.number < held.number:
            raise Conflict(f"Bundle {snapshot.number} is older than bundle {held.number}.", "Fetch it again.")
        change.execute(table.delete().where(table.c.party == party_id))
        change.execute(
            table.insert().values(party=party_id, number=snapshot.number, signed=signed, received_at=change.at)
        )
        if held is None or snapshot.number > held.number:
            issuer = snapshot.issuers.get(party_id)
            walks = {one.id: one.hash for one in issuer.crosswalks} if issuer else {}
            change.event("party-bundle.adopted", party=party_id, number=snapshot.number, crosswalks=walks)
    return snapshot


def keep_party_bundles(node: Node, *, by: Actor) -> tuple[str, ...]:
    """Take over what has changed at the parties whose bundle somebody adopted here; returns their ids.

    A bundle in which nothing but times is new is left alone: each adoption is a log entry and a new edition of this
    node's own bundle, and two nodes that follow each other would otherwise never come to rest.

    Raises Unavailable after all were asked, naming those that gave none that can be used.
    """
    news, failed = [], []
    for party_id, signed in bundle_queries.adopted_bundles(node).items():
        try:
            party = bundle_queries.party_of(node, party_id)
            fresh = fetch_bundle_of(node, party)
            held, given = (read_bundle(text, issuer_key=party.signing) for text in (signed, fresh))
            if _says(given, party_id) != _says(held, party_id) or node.clock() > held.issued_at + RENEW_AFTER:
                adopt_party_bundle(node, by=by, party_id=party_id, signed=fresh)
                news.append(party_id)
        except HutongError as error:
            failed.append(f"{party_id} ({error.what})")
    if failed:
        raise Unavailable(f"No trust bundle came from {', '.join(failed)}.", "See whether these nodes answer.")
    return tuple(news)


def watch_bundle(node: Node, *, by: Actor) -> None:
    """Say it, while all is well yet, when this node's trust bundle comes near what its readers take.

    Raises LimitExceeded from four fifths on.
    """
    node.require(by, "adopt_trust_list", Resource("Party", node.id))
    load = bundle_queries.bundle_load(node)
    if load.is_near:
        raise LimitExceeded(
            f"The trust bundle holds {load.lists:,} of at most {load.most_lists:,} status lists and takes "
            f"{load.size_bytes:,} of at most {load.most_bytes:,} bytes: soon verifiers can't take it.",
            "Issue passes for fewer hours, and follow fewer parties.",
        )


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
        {number: (one.size, one.bits) for number, one in issuer.status_lists.items()},
    )
