"""The end of an agreement, from node to node: the provider tells the recipient at once, and the recipient keeps it.

A recipient that is away is told again later; it also learns of it by following the request, or by a refused delivery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from hutong.errors import HutongError, NotFound
from hutong.node import Node
from hutong.sharing import queries
from hutong.sharing.actions_recipient import PATH, keep_revocation, listed_party, require_success
from hutong.sharing.agreement import KeptAgreement, read_revocation, sign_revocation, told_revocation
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource

SECONDS = 10.0
"""For one recipient's answer."""


@dataclass(frozen=True, slots=True)
class Told:
    """Ids of the agreements whose recipients were told now, and why it failed with others, by party."""

    agreements: tuple[str, ...]
    failed: Mapping[str, str]


def tell_revocations(node: Node, *, by: Actor) -> Told:
    """Tell the recipients of agreements that this node revoked in the last 30 days, and that were not told yet.

    A recipient that can't be told is named in ``failed`` and holds up nobody else; nothing is raised for it.
    """
    node.require(by, "revoke_agreement", Resource("Node", node.id))
    told: list[str] = []
    failed: dict[str, str] = {}
    for kept in queries.untold_revocations(node):
        recipient = kept.agreement.recipient
        if recipient in failed:
            continue
        try:
            _tell(node, kept)
        except HutongError as error:
            failed[recipient] = f"{error.what} {error.do}"
        else:
            _note_told(node, by=by, kept=kept)
            told.append(kept.agreement.id)
    return Told(tuple(told), failed)


def hear_revocation(node: Node, *, by: Actor, signed: str) -> bool:
    """Keep that a party revoked an agreement which it gave this node; whether this node has that agreement.

    Raises ``Tampered`` when another than the party signed it, ``BadInput`` when it states no possible time or reason.
    """
    node.require(by, "tell_revocation", Resource("Node", node.id))
    party = listed_party(node, by.id)
    told = read_revocation(signed, key=party.signing, provider=party.id, recipient=node.id)
    try:
        agreed = queries.agreement(node, told["agreement"]).agreement
    except NotFound:
        return False  # nobody fetched it here, so nothing was received under it
    if agreed.provider != party.id:
        return False
    revoked = told_revocation(told, agreed, now=node.clock())
    if revoked:
        keep_revocation(node, by=by, agreed=agreed, revoked=revoked)
    return True


def _tell(node: Node, kept: KeptAgreement) -> None:
    party = listed_party(node, kept.agreement.recipient)
    signed = sign_revocation(kept, key=node.keys.signing, kid=node.keys.public["signing"]["kid"])
    content = orjson.dumps({"signed": signed})
    require_success(node.peers.post(f"{party.url}{PATH}/revocations", content, audience=party.id, seconds=SECONDS))


def _note_told(node: Node, *, by: Actor, kept: KeptAgreement) -> None:
    table = schema.agreement
    with node.change(by) as change:
        noted = change.execute(
            table.update()
            .where(table.c.id == kept.agreement.id, table.c.revocation_told_at.is_(None))
            .values(revocation_told_at=change.at)
        )
        if noted.rowcount:  # another server of this node may have been faster
            change.event(
                "agreement.revocation-told",
                agreement=kept.agreement.id,
                dataset=kept.agreement.dataset_id,
                recipient=kept.agreement.recipient,
            )
