"""What a node takes over of the EU's lists, for its own trust bundle: revocations, and the keys of signers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, LimitExceeded, NotFound
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource
from hutong.trust.signing import canonical_json

from ..credential.dcc_revocation import RevocationLists
from ..credential.dsc_list import Signer
from . import envelope, eu_keys, eu_queries, eu_revocations
from .eu_queries import HeldKeys, HeldRevocations

CLOCK_SKEW = timedelta(minutes=5)
USUAL_DAYS, MAX_DAYS = 30, 366
"""How long imported keys are trusted: a country that ends a key early says so only by its next list."""


def import_revocations(
    node: Node,
    *,
    by: Actor,
    lists: RevocationLists,
    as_of: datetime | None = None,
    max_age_hours: int = eu_revocations.USUAL_AGE_HOURS,
) -> HeldRevocations:
    """Put these lists into this node's trust bundle, in the place of those that are held: they are all that there is.

    Their signatures are the caller's to check: partitions have none, and batches come out of theirs.

    Args:
        as_of: when they were taken from where they are published; now without it.
        max_age_hours: 1 to 168; when they are older, an EU certificate that is on none of them is unknown.

    Raises:
        BadInput: a time in the future or without a zone, or an age out of these bounds.
        Conflict: lists of a later time are held, or these are too old already.
        LimitExceeded: more than a thousand keys, or 8 MiB as the bundle carries them.
    """
    node.require(by, "adopt_trust_list", Resource("Party", node.id))
    at = as_of or node.clock()
    if at.tzinfo is None or at > node.clock() + CLOCK_SKEW:
        raise BadInput("The time of the lists is in the future, or has no zone.", "Say when they were fetched.")
    if not 1 <= max_age_hours <= eu_revocations.MAX_AGE_HOURS:
        raise BadInput(
            f"Lists can't be used for {max_age_hours} hours.", f"Give 1 to {eu_revocations.MAX_AGE_HOURS} hours."
        )
    if node.clock() - at > timedelta(hours=max_age_hours):
        raise Conflict("The lists are older than they may grow.", "Fetch them again.")
    parts = {envelope.part_hash(part): part for part in eu_revocations.write_parts(lists)}
    table = schema.eu_revocation
    with node.change(by) as change:
        rows = change.execute(sa.select(table.c.name, table.c.since, table.c.as_of)).all()
        if any(row.as_of > at for row in rows):
            raise Conflict("Lists of a later time are held.", "Fetch the newest lists.")
        since = {row.name: row.since for row in rows}
        change.execute(table.delete())
        change.execute(
            table.insert(),
            [
                {
                    "name": name,
                    "part": part,
                    "since": since.get(name, change.at),
                    "as_of": at,
                    "max_age_hours": max_age_hours,
                }
                for name, part in parts.items()
            ],
        )
        change.event(
            "dcc-revocations.imported",
            as_of=at.isoformat(),
            max_age_hours=max_age_hours,
            keys=len(parts),
            hashes=lists.hashes,
            lists=envelope.part_hash(sorted(parts)),
        )
    held = eu_queries.held_revocations(node)
    assert held is not None
    return held


def drop_revocations(node: Node, *, by: Actor) -> None:
    """Take the EU's lists out of this node's trust bundle: from then on no EU certificate is refused for being revoked.

    Raises NotFound where none are held.
    """
    node.require(by, "adopt_trust_list", Resource("Party", node.id))
    with node.change(by) as change:
        if not change.execute(schema.eu_revocation.delete()).rowcount:
            raise NotFound("No revocation lists of the EU are held here.", "There is nothing to drop.")
        change.event("dcc-revocations.dropped")


def import_keys(node: Node, *, by: Actor, signers: Sequence[Signer], days: int = USUAL_DAYS) -> HeldKeys:
    """Trust these signers of EU certificates, in the place of those that are held: each country becomes a party.

    What of them was checked, ``dsc_list.read`` says.

    Raises:
        BadInput: no signers, or trusted for no day or for more than 366.
        LimitExceeded: more than 1.5 MiB as the bundle carries them.
    """
    node.require(by, "adopt_trust_list", Resource("Party", node.id))
    if not 1 <= days <= MAX_DAYS:
        raise BadInput(f"Keys can't be trusted for {days} days.", f"Give 1 to {MAX_DAYS} days.")
    if not signers:
        raise BadInput("The list holds no signer.", "Fetch it again.")
    valid_until = node.clock() + timedelta(days=days)
    entries = eu_keys.party_entries(signers, valid_until)
    if len(canonical_json(list(entries.values()))) > eu_keys.MAX_CHARACTERS:
        raise LimitExceeded("The keys take more than a trust bundle has room for.", "Give the list of one service.")
    table = schema.eu_key_party
    with node.change(by) as change:
        change.execute(table.delete())
        values = {"imported_at": change.at, "valid_until": valid_until}
        change.execute(table.insert(), [{"party": id_, "entry": one, **values} for id_, one in entries.items()])
        change.event(
            "dcc-keys.imported",
            keys=len(signers),
            countries=len(entries),
            valid_until=valid_until.isoformat(),
            parties=envelope.part_hash(entries),
        )
    held = eu_queries.held_keys(node)
    assert held is not None
    return held


def drop_keys(node: Node, *, by: Actor) -> None:
    """Trust the imported signers of EU certificates no more. Raises NotFound where none are held."""
    node.require(by, "adopt_trust_list", Resource("Party", node.id))
    with node.change(by) as change:
        if not change.execute(schema.eu_key_party.delete()).rowcount:
            raise NotFound("No keys of EU signers are held here.", "There is nothing to drop.")
        change.event("dcc-keys.dropped")
