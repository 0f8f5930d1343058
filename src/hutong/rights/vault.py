"""Vault: direct identifiers, sealed, and the pseudonym by which a person is called everywhere else.

A pseudonym is a keyed hash (HMAC-SHA-256, 128 bits) of an identifier: without the node's key nobody can compute it
from a name or number, and another node's pseudonym of the same person is a different one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hutong.errors import NotFound, Tampered
from hutong.node import Change, Node
from hutong.storage.records import in_parts
from hutong.storage.schema import vault_entry

_NONCE_BYTES = 12


def pseudonyms(key: bytes, identifiers: Sequence[str]) -> list[str]:
    """Pseudonyms of identifiers, one for one: 32 hexadecimal characters. Case and white space around don't count."""
    base = hmac.new(key, digestmod=hashlib.sha256)
    found = []
    for identifier in identifiers:
        mac = base.copy()
        mac.update(identifier.strip().upper().encode())
        found.append(mac.hexdigest()[:32])
    return found


def seal(key: bytes, pseudonym: str, identifiers: Mapping[str, Any]) -> bytes:
    """AES-256-GCM over the identifiers' JSON, bound to the pseudonym; the nonce stands before it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, orjson.dumps(dict(identifiers)), pseudonym.encode())


def unseal(key: bytes, pseudonym: str, sealed: bytes) -> dict[str, Any]:
    """What ``seal`` closed. Raises Tampered when it is not what this node sealed for this pseudonym."""
    try:
        opened = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], pseudonym.encode())
    except InvalidTag as error:
        raise Tampered("An entry of the vault was altered.", "Restore the records from the backup.") from error
    return dict(orjson.loads(opened))


def keep(node: Node, change: Change, people: Sequence[Mapping[str, Any]]) -> int:
    """Seal people's identifiers (each with its ``pseudonym``) in the caller's transaction; the newest given one stands.

    Returns how many people were new.
    """
    entries = {str(person["pseudonym"]): person for person in people}
    names = list(entries)
    known: set[str] = set()
    for part in in_parts(names):
        query = sa.select(vault_entry.c.pseudonym).where(vault_entry.c.pseudonym.in_(part))
        known.update(change.execute(query).scalars())
        change.execute(vault_entry.delete().where(vault_entry.c.pseudonym.in_(part)))
    if entries:
        rows = [
            {
                "pseudonym": pseudonym,
                "sealed": seal(node.keys.vault_key, pseudonym, {k: v for k, v in person.items() if k != "pseudonym"}),
                "created_at": change.at,
            }
            for pseudonym, person in entries.items()
        ]
        change.execute(vault_entry.insert(), rows)
    return len(entries) - len(known)


def pseudonym_of(node: Node, identifier: str) -> str:
    """The pseudonym of a person known to this node. ``NotFound`` when the vault has nobody of that identifier."""
    (pseudonym,) = pseudonyms(node.keys.pseudonym_key, [identifier])
    with node.records.reading() as connection:
        query = sa.select(vault_entry.c.pseudonym).where(vault_entry.c.pseudonym == pseudonym)
        if connection.execute(query).scalar() is None:
            raise NotFound("This node knows nobody of that number.", "Check the number; ask where you are registered.")
    return pseudonym


def forget(change: Change, people: Sequence[str] | None) -> int:
    """Destroy the entries of these pseudonyms, or (None) all, in the caller's transaction; returns how many."""
    if people is None:
        return int(change.execute(vault_entry.delete()).rowcount)
    return sum(
        int(change.execute(vault_entry.delete().where(vault_entry.c.pseudonym.in_(part))).rowcount)
        for part in in_parts(people)
    )
