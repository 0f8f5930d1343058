"""What the doors and the stages read about emergencies, parties and accounts."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa

from hutong.errors import NotFound, NotSignedIn
from hutong.governance.account import Session, Token, token_hash, token_id
from hutong.governance.emergency import Emergency, parse_emergency
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor
from hutong.trust.log.note import COSIGNATURE_V1, VerifierKey, parse_verifier_key
from hutong.trust.trust_list import Party, TrustList, read_trust_list

MOST_WITNESSES = 8
"""Each log needs a few witnesses, not all parties of a large list."""


class Witness(NamedTuple):
    """A party that witnesses this node's log: entries in the newest checkpoint that it cosigned (0: none yet), when."""

    party: Party
    size: int
    at: datetime | None


def emergencies(node: Node) -> list[Emergency]:
    """All emergencies that were not ended early, the newest first."""
    query = (
        sa.select(schema.emergency.c.body)
        .where(schema.emergency.c.ended_at.is_(None))
        .order_by(schema.emergency.c.declared_at.desc())
    )
    with node.records.reading() as connection:
        return [parse_emergency(body) for body in connection.execute(query).scalars()]


def emergency(node: Node, emergency_id: str) -> Emergency:
    """One emergency. ``NotFound`` when it was never declared or was ended."""
    for known in emergencies(node):
        if known.id == emergency_id:
            return known
    raise NotFound(f"There is no emergency {emergency_id}.", "Declare it first.")


def emergency_in_force(node: Node, on: date) -> Emergency | None:
    """The newest emergency in force on that day."""
    return next((known for known in emergencies(node) if known.is_in_force(on)), None)


def trust_list(node: Node) -> TrustList:
    """The newest edition that this node published or adopted. Its signature was checked when it was taken in."""
    signed = signed_trust_list(node)
    from hutong.trust.signing import read_unverified

    _, document = read_unverified(signed)
    issuer = next(entry for entry in document["parties"] if entry["id"] == document["issuer"])
    return read_trust_list(signed, issuer_key=issuer["signing"])


def signed_trust_list(node: Node) -> str:
    """The newest edition as its issuer signed it. ``NotFound`` before there is one."""
    query = sa.select(schema.trust_list.c.signed).order_by(schema.trust_list.c.number.desc()).limit(1)
    with node.records.reading() as connection:
        signed = connection.execute(query).scalar()
    if signed is None:
        raise NotFound("This node has no trust list.", "Adopt the hub's list with: hutong trust import")
    return str(signed)


def parties(node: Node) -> tuple[Party, ...]:
    """Listed parties; none before there is a list."""
    try:
        return trust_list(node).parties
    except NotFound:
        return ()


def current_parties(node: Node) -> tuple[Party, ...]:
    """Listed parties whose keys may be relied on now; none from a list that is past its date."""
    try:
        edition = trust_list(node)
    except NotFound:
        return ()
    return edition.parties if edition.is_current(node.clock()) else ()


def witnesses(node: Node) -> list[Witness]:
    """Who witnesses this node's log, and how far: at most eight of the other parties whose keys may be relied on.

    Which eight of a longer list follows from both ids, so that all logs together keep all parties equally busy.
    """
    others = [party for party in current_parties(node) if party.id != node.id and node.clock() < party.valid_until]
    others.sort(key=lambda party: hashlib.sha256(f"{node.id} {party.id}".encode()).digest())
    chosen = sorted(others[:MOST_WITNESSES], key=lambda party: party.id)
    cosigned = node.log.cosigned(map(cosigner_key, chosen))
    found = []
    for party in chosen:
        newest = cosigned.get(cosigner_key(party).name)
        found.append(Witness(party, newest.size, newest.at) if newest else Witness(party, 0, None))
    return found


def witness_keys(node: Node) -> list[VerifierKey]:
    """Keys with which the witnesses of this node's log cosign it."""
    return [cosigner_key(known.party) for known in witnesses(node)]


def cosigner_key(party: Party) -> VerifierKey:
    """The public key with which a party cosigns: its log's key under the cosigner's name and kind."""
    return VerifierKey(f"{party.id}.hutong/witness", parse_verifier_key(party.log_key).public_key, COSIGNATURE_V1)


def account_actor(node: Node, name: str) -> Actor:
    """The actor of a local account. ``NotFound`` when there is none, or it has ended."""
    query = sa.select(schema.account).where(schema.account.c.name == name)
    with node.records.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None or node.clock() >= row.expires_at:
        raise NotFound(f"There is no account {name} in force.", "Create it with: hutong account create")
    return Actor(id=row.name, kind="account", roles=frozenset(row.roles), represents=node.id)


def session(node: Node, secret: str) -> Session:
    """The session of a cookie. ``NotSignedIn`` when it is unknown or over."""
    query = (
        sa.select(
            schema.session,
            schema.account.c.roles,
            schema.account.c.display_name,
            schema.account.c.expires_at.label("account_until"),
        )
        .join(schema.account)
        .where(schema.session.c.id_hash == token_hash(secret))
    )
    with node.records.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None or node.clock() >= min(row.expires_at, row.account_until):
        raise NotSignedIn("You are not signed in.", "Sign in again.")
    actor = Actor(id=row.account, kind="account", roles=frozenset(row.roles), represents=node.id)
    return Session(secret=secret, csrf=row.csrf, actor=actor, display_name=row.display_name, expires_at=row.expires_at)


def token_actor(node: Node, secret: str) -> Actor:
    """The account of an API token. ``NotSignedIn`` when it is unknown, was ended or has expired."""
    query = (
        sa.select(schema.api_token, schema.account.c.roles, schema.account.c.expires_at.label("account_until"))
        .join(schema.account)
        .where(schema.api_token.c.hash == token_hash(secret))
    )
    with node.records.reading() as connection:
        row = connection.execute(query).one_or_none()
    now = node.clock()
    if row is None or row.ended_at is not None:
        raise NotSignedIn("The token is not known.", "Create one under your account.")
    if now >= min(row.expires_at, row.account_until):
        raise NotSignedIn(f"The token expired on {row.expires_at:%Y-%m-%d}.", "Create a new one under your account.")
    return Actor(id=row.account, kind="account", roles=frozenset(row.roles), represents=node.id)


def tokens(node: Node, account_name: str) -> list[Token]:
    """API tokens of an account, the newest first, ended and expired ones too; at most 100."""
    token = schema.api_token
    query = sa.select(token).where(token.c.account == account_name).order_by(token.c.created_at.desc()).limit(100)
    with node.records.reading() as connection:
        return [
            Token(token_id(row.hash), row.label, row.created_at, row.expires_at, row.ended_at)
            for row in connection.execute(query)
        ]
