"""The trust list: which parties there are, with which keys, until when. The hub signs it; all others pin its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hutong.errors import BadInput, NotFound, Unavailable
from hutong.trust.signing import sign_document, verify_document

KIND = "trust-list"
MAX_PARTIES = 2_000


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation with keys. ``passes`` are certificates (base64 DER) of its pass keys, newest first.

    ``log_key`` is its log's verifier key (C2SP signed-note); ``signing`` the JWK of its signed documents.
    """

    id: str
    name: Mapping[str, str]
    url: str
    territory: str
    kind: str
    signing: Mapping[str, str]
    log_key: str
    passes: tuple[str, ...]
    valid_until: datetime

    def __post_init__(self) -> None:
        if self.kind not in ("region", "hub", "institute", "hospital", "enterprise"):
            raise BadInput(f"A party can't be a {self.kind!r}.", "Use region, hub, institute, hospital or enterprise.")
        if self.valid_until.tzinfo is None:
            raise BadInput(f"The end date of party {self.id} has no time zone.", "Give it as ISO 8601 with a zone.")


@dataclass(frozen=True, slots=True)
class TrustList:
    """One numbered edition of the list."""

    number: int
    issuer: str
    issued_at: datetime
    next_update: datetime
    parties: tuple[Party, ...]

    def __post_init__(self) -> None:
        if len(self.parties) > MAX_PARTIES or len({party.id for party in self.parties}) != len(self.parties):
            raise BadInput("The trust list names a party twice or too many of them.", "Correct the list.")

    def is_current(self, at: datetime) -> bool:
        """Whether the edition may still be relied on at that time."""
        return at < self.next_update

    def party(self, party_id: str, *, at: datetime) -> Party:
        """The party, if it is listed and its entry has not ended at that time.

        ``Unavailable`` when the list itself is past its date: who was struck off since can't be known from it.
        """
        if not self.is_current(at):
            raise Unavailable(
                f"The trust list (edition {self.number}) was to be replaced by {self.next_update:%Y-%m-%d %H:%M} UTC.",
                "Fetch the next edition with: hutong trust refresh",
            )
        for party in self.parties:
            if party.id == party_id and at < party.valid_until:
                return party
        raise NotFound(f"{party_id} is not in the trust list.", "Ask the hub to list it, or update the trust list.")


def sign_trust_list(trust_list: TrustList, *, key: Ed25519PrivateKey, kid: str) -> str:
    """The list as its issuer publishes it."""
    return sign_document(key, kid=kid, kind=KIND, payload=_document(trust_list))


def read_trust_list(signed: str, *, issuer_key: Mapping[str, str]) -> TrustList:
    """The list, verified with the pinned key of its issuer."""
    document = verify_document(signed, key=issuer_key, kind=KIND)
    try:
        parties = tuple(party_of(entry) for entry in document["parties"])
        return TrustList(
            number=int(document["number"]),
            issuer=str(document["issuer"]),
            issued_at=datetime.fromisoformat(document["issued_at"]),
            next_update=datetime.fromisoformat(document["next_update"]),
            parties=parties,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"The trust list lacks or misstates {error}.", "Ask its issuer for a correct one.") from error


def party_of(entry: Mapping[str, Any]) -> Party:
    """A party from its JSON form."""
    try:
        return Party(
            id=entry["id"],
            name=dict(entry["name"]),
            url=entry["url"],
            territory=entry["territory"],
            kind=entry["kind"],
            signing=dict(entry["signing"]),
            log_key=entry["log_key"],
            passes=tuple(entry["passes"]),
            valid_until=datetime.fromisoformat(entry["valid_until"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"A party's description lacks or misstates {error}.", "Ask the party for a correct one."
        ) from error


def party_document(party: Party) -> dict[str, Any]:
    """A party as JSON."""
    return {**asdict(party), "valid_until": party.valid_until.isoformat()}


def _document(trust_list: TrustList) -> dict[str, Any]:
    return {
        "number": trust_list.number,
        "issuer": trust_list.issuer,
        "issued_at": trust_list.issued_at.isoformat(),
        "next_update": trust_list.next_update.isoformat(),
        "parties": [party_document(party) for party in trust_list.parties],
    }
