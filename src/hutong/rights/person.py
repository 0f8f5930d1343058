"""Whose matter it is: a resident's number or pseudonym, and whether the person who acts is that resident."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from hutong.errors import NotFound
from hutong.node import Node
from hutong.rights import vault
from hutong.storage.schema import vault_entry
from hutong.trust.authorisation import Actor, Resource

_PSEUDONYM = re.compile(r"[0-9a-f]{32}")


def pseudonym_of(node: Node, person: str) -> str:
    """The pseudonym of a resident's number; a pseudonym is its own. Whether somebody has it is not asked."""
    if _PSEUDONYM.fullmatch(person):
        return person
    return vault.pseudonyms(node.keys.pseudonym_key, [person])[0]


def known_pseudonym(node: Node, person: str) -> str:
    """As :func:`pseudonym_of`, of somebody in the vault. ``NotFound`` when the node knows nobody of that number."""
    pseudonym = pseudonym_of(node, person)
    with node.records.reading() as connection:
        query = sa.select(vault_entry.c.pseudonym).where(vault_entry.c.pseudonym == pseudonym)
        if connection.execute(query).scalar() is None:
            raise NotFound("This node knows nobody of that number.", "Check the number; ask where you are registered.")
    return pseudonym


def mark_of(node: Node, pseudonym: str, matter: str) -> str:
    """What the log may say of whose a matter is: a keyed hash, another one in each matter.

    Without the node's key it tells nothing, with it that the matter was not moved to somebody else.
    """
    return vault.pseudonyms(node.keys.pseudonym_key, [f"{matter} {pseudonym}"])[0]


def owned(node: Node, by: Actor, pseudonym: str, *, kind: str = "Person", grantee: str = "") -> Resource:
    """A person's matter as the policies see it: its ``owner`` is who acts, where that is the resident; else nobody.

    Args:
        grantee: the application that may ask for the level.
    """
    owner = by.id if pseudonym_of(node, by.id) == pseudonym else ""
    return Resource(kind, pseudonym, {"owner": _actor(owner), "grantee": _actor(grantee)})


def _actor(name: str) -> dict[str, Any]:
    # No account has an empty name, so that it stands for nobody.
    return {"__entity": {"type": "Actor", "id": name}}
