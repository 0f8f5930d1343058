"""Local accounts, sessions and API tokens: Argon2id for passwords, SHA-256 for random tokens, an end date on each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from hutong.errors import BadInput
from hutong.trust.authorisation import ROLES, Actor

if TYPE_CHECKING:
    from argon2 import PasswordHasher

ACCOUNT_DAYS = 365
TOKEN_DAYS = 90
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
TOKEN_PREFIX = "hutong_"


@dataclass(frozen=True, slots=True)
class Account:
    """A person's local account. ``represents`` is this node's id, or for a partner the party it speaks for."""

    name: str
    display_name: str
    roles: frozenset[str]
    expires_at: datetime

    def __post_init__(self) -> None:
        unknown = self.roles - set(ROLES)
        if unknown or not self.roles:
            raise BadInput(f"Unknown or no roles: {', '.join(sorted(unknown))}.", f"Choose from: {', '.join(ROLES)}.")
        if not (self.name.replace("-", "").replace(".", "").isalnum() and len(self.name) <= 60):
            raise BadInput(
                f"{self.name!r} can't be an account's name.", "Use letters, digits, hyphens and dots; at most 60."
            )

    def actor(self, node_id: str) -> Actor:
        return Actor(id=self.name, kind="account", roles=self.roles, represents=node_id)


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser: the secret goes into a cookie, ``csrf`` into each form."""

    secret: str
    csrf: str
    actor: Actor
    display_name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of an API token after it was made: never its secret. ``id`` names it in lists."""

    id: str
    label: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def state(self, at: datetime) -> str:
        """``active``, ``expired`` or ``closed``."""
        return "closed" if self.ended_at else "expired" if at >= self.expires_at else "active"


def check_password(password: str) -> None:
    """``BadInput`` unless it is between 12 and 200 characters; no other rule makes them better (NIST SP 800-63B)."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.", "Choose a longer phrase."
        )


def hash_password(password: str) -> str:
    """Argon2id with the library's current parameters (RFC 9106, low-memory profile)."""
    return _hasher().hash(password)


def password_fits(stored: str, password: str) -> bool:
    """Compare in constant time; a wrong password takes as long as a right one."""
    from argon2.exceptions import VerificationError, VerifyMismatchError

    try:
        return _hasher().verify(stored, password)
    except (VerifyMismatchError, VerificationError):
        return False


@cache
def hash_of_nobody() -> str:
    """What an unknown account's password is compared with, so that its absence can't be timed."""
    return _hasher().hash("there is no such account")


def token_hash(secret: str) -> str:
    """What is stored of a random secret of at least 128 bits: its SHA-256, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_id(stored_hash: str) -> str:
    """Name of a token in lists: the first 16 digits of its hash, from which nothing can be made."""
    return stored_hash[:16]


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher
    from argon2.profiles import RFC_9106_LOW_MEMORY

    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
