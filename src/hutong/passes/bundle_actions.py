"""Keeping up with other parties: what they say of their passes is fetched again and again, so that a revocation counts
here, too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hutong.errors import HutongError, Unavailable
from hutong.node import Node
from hutong.trust.authorisation import Actor

from . import queries
from .actions import adopt_party_bundle, fetch_bundle_of
from .trust_bundle import TrustSnapshot, read_bundle

RENEW_AFTER = timedelta(hours=6)
"""What has not changed is taken over anew after this time, long before its signatures are too old (24 hours)."""


def keep_party_bundles(node: Node, *, by: Actor) -> tuple[str, ...]:
    """Take over what has changed at the parties whose bundle somebody adopted here; returns their ids.

    A bundle in which nothing but times is new is left alone: each adoption is a log entry and a new edition of this
    node's own bundle, and two nodes that follow each other would otherwise never come to rest.

    Raises Unavailable after all were asked, naming those that gave none that can be used.
    """
    news, failed = [], []
    for party_id, signed in queries.adopted_bundles(node).items():
        try:
            party = queries.party_of(node, party_id)
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
