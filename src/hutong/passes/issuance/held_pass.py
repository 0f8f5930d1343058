"""A pass that its holder brings back: for printing it again, and for showing facts that it carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hutong.errors import NotFound, Refused
from hutong.node import Node
from hutong.rights.person import owned
from hutong.storage import schema
from hutong.trust.authorisation import Actor

from ..appeal import queries as appeal_queries
from ..appeal.queries import LevelInForce
from ..credential.keys import KeyRing, decode_base64url
from ..credential.level_pass import LevelPass, disclose, is_held_by
from ..credential.read import read_pass
from ..rulebook import queries as rulebook_queries
from ..rulebook.rulebook import Level
from .actions import IssuedPass


@dataclass(frozen=True, slots=True)
class ShownPass:
    """What a pass shows with the facts that its holder chose: ``text`` is what the code holds, ``facts`` by name."""

    text: str
    facts: Mapping[str, Any]
    expires_at: datetime


def shown_pass(node: Node, *, text: str, disclosures: Sequence[str]) -> ShownPass:
    """A pass of this node with chosen facts; the node keeps neither. Whoever has both may show them.

    Args:
        disclosures: what shows each fact, as it was given with the pass.

    Raises:
        Refused: not a pass of this node.
        BadInput, LimitExceeded: not a pass at all; what does not belong to it, or too many.
    """
    shown = disclose(text.strip(), disclosures)
    claims, payload = _own(node, shown)
    return ShownPass(shown, payload["facts"], claims.expires_at)


def held_pass(node: Node, *, by: Actor, text: str, holder_secret: str) -> IssuedPass:
    """A pass of this node as it was issued. Its reasons are there as long as the level is still the same.

    Args:
        holder_secret: base64url; the node keeps neither it nor the text.

    Raises:
        Refused: the policy; not a pass of this node, not its holder, revoked or over.
        NotFound: the node does not know it any more.
        BadInput, LimitExceeded: not a pass at all, a secret that is not base64url.
    """
    claims, _ = _own(node, text)
    table = schema.issued_pass
    query = sa.select(table.c.pseudonym, table.c.revoked_at).where(table.c.id == claims.pass_id.hex())
    with node.records.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("This node issued no such pass.", "Get a new one.")
    node.require(by, "issue_pass", owned(node, by, row.pseudonym))
    if not is_held_by(claims, decode_base64url(holder_secret, "the holder's secret")):
        raise Refused("Who shows this pass is not its holder.", "Give the secret that came with the pass.")
    if row.revoked_at is not None or claims.expires_at <= node.clock():
        raise Refused("The pass was revoked, or is over.", "Get a new one.")
    return _as_issued(node, claims, text, holder_secret, _same_level(node, row.pseudonym, claims))


def _own(node: Node, text: str) -> tuple[LevelPass, Mapping[str, Any]]:
    found = read_pass(text, keys=KeyRing.of(node.keys.public["passes"]))
    if found.claims is None or found.signature_valid is not True or found.issuer != node.id:
        raise Refused("This is not a pass of this node.", "Show it to its issuer.")
    return found.claims, found.payload


def _same_level(node: Node, pseudonym: str, claims: LevelPass) -> LevelInForce | None:
    """The level in force of whom the pass is for, if it is that of the pass; a visitor has none here."""
    try:
        found = appeal_queries.level_in_force(node, pseudonym)
    except NotFound:
        return None
    now = (found.level, found.rulebook.id, found.rulebook.version)
    return found if now == (claims.level, claims.rulebook, claims.version) else None


def _as_issued(node: Node, claims: LevelPass, text: str, holder_secret: str, found: LevelInForce | None) -> IssuedPass:
    rulebook = rulebook_queries.rulebook(node, claims.rulebook, claims.version)
    levels: dict[str, tuple[int, Level]] = {level.code: (place, level) for place, level in enumerate(rulebook.levels)}
    place, level = levels.get(claims.level, (len(levels) - 1, None))
    return IssuedPass(
        pass_id=claims.pass_id.hex(),
        text=text,
        holder_secret=holder_secret,
        level=claims.level,
        severity=found.severity if found else place,
        meaning=found.meaning if found else level.meaning if level else {},
        reasons=found.reasons if found else (),
        evidence_dates=found.status.explain(found.rulebook).evidence_dates if found else (),
        rulebook=claims.rulebook,
        version=claims.version,
        emergency=rulebook.emergency,
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
        status_index=claims.status_index,
    )
