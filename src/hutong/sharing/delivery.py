"""Delivery: the act of handing out data under an agreement, and the signed note that goes with it. Pure.

The note is a JWS of the provider over the delivery's facts: with it the recipient can prove what it was given, and
find out that a file was altered on the way.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hutong.errors import BadInput, Tampered
from hutong.sharing.agreement import KeptAgreement
from hutong.sharing.demand import PurposeCode, check_policies
from hutong.trust.authorisation import Actor, Resource
from hutong.trust.signing import sign_document, verify_document

KIND = "delivery"
HEADER = "Hutong-Delivery"
MAX_REASON = 200
WRITTEN_EVERY = timedelta(minutes=1)
Format = Literal["csv", "json", "parquet"]

_ID = re.compile(r"[0-9a-z]{20}")
_FILE_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery: the release that was handed out, in which format, its rows, bytes and SHA-256, and when.

    ``policies`` are the ids of the provider's policies that permitted it.
    """

    id: str
    agreement_id: str
    dataset_id: str
    version: str
    format: Format
    rows: int
    bytes: int
    sha256: str
    at: datetime
    policies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Both become part of a file's name on the recipient's disk.
        if not _ID.fullmatch(self.id) or not _FILE_NAME.fullmatch(self.dataset_id):
            raise BadInput("The delivery's ids are not ids.", "Ask the provider for a correct delivery.")
        if self.rows < 0 or self.bytes < 0 or self.at.tzinfo is None:
            raise BadInput("The delivery's counts or time are not usable.", "Ask the provider for a correct delivery.")
        check_policies(self.policies)

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "policies": list(self.policies), "at": self.at.isoformat()}

    @property
    def file_name(self) -> str:
        """Name under which a recipient keeps it."""
        return f"{self.dataset_id}-{self.id}.{self.format}"


def parse_delivery(document: Mapping[str, Any]) -> Delivery:
    """A delivery from its JSON form."""
    try:
        return msgspec.convert(dict(document), Delivery)
    except msgspec.ValidationError as error:
        raise BadInput(f"The delivery is misstated: {error}.", "Ask the provider for it again.") from error


def sign_note(delivery: Delivery, *, key: Ed25519PrivateKey, kid: str) -> str:
    """The provider's signed note on a delivery."""
    return sign_document(key, kid=kid, kind=KIND, payload=delivery.document())


def check_received(note: str, content: bytes, *, key: Mapping[str, str], agreement_id: str, format_: str) -> Delivery:
    """The delivery that the provider's note states, if ``content`` is what it was about. ``Tampered`` if it is not."""
    delivery = parse_delivery(verify_document(note, key=key, kind=KIND))
    if delivery.agreement_id != agreement_id or delivery.format != format_:
        raise Tampered("The note is about another delivery.", "Fetch the data again.")
    if delivery.sha256 != hashlib.sha256(content).hexdigest():
        raise Tampered("What arrived is not what the provider sent.", "Fetch the data again.")
    return delivery


def delivery_question(
    kept: KeptAgreement, *, purpose: PurposeCode, grade: int, now: datetime
) -> tuple[Resource, dict[str, Any]]:
    """What the policies are asked before a delivery: the agreement as it stands, and what is wanted now.

    Times are in whole seconds since 1970, because the policies compare numbers.
    """
    agreement = kept.agreement
    attributes = {
        "recipient": agreement.recipient,
        "dataset": agreement.dataset_id,
        "purpose": agreement.purpose,
        "revoked": kept.revoked_at is not None,
        "expires": int(agreement.expires_at.timestamp()),
        "grade": grade,
    }
    context = {"now": int(now.timestamp()), "dataset": agreement.dataset_id, "purpose": purpose}
    return Resource("Agreement", agreement.id, attributes), context


def refusal_reason(policies: Collection[str]) -> str:
    """Why a delivery was refused, for the log: the ids of the policies that forbid it."""
    return "+".join(sorted(policies))[:MAX_REASON] or "no-policy-permits"


def is_told(before: int, times: int) -> bool:
    """Whether the log is told of the refusals after ``before`` up to ``times``: is a day's first, tenth … among them?

    Nobody fills it by asking.
    """
    return not before or len(str(times)) > len(str(before))


class Refusals:
    """Refused deliveries for one agreement, reason and day that are counted, and not yet written.

    They are written when the log is to be told, and else once a minute: who asks in a loop costs no transaction each
    time. The count of the last minute ends with the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written = self._waiting = 0
        self._written_at: datetime | None = None

    def count(self, now: datetime) -> int:
        """Count one more; how many to write now, or 0 to wait."""
        with self._lock:
            self._waiting += 1
            is_due = self._written_at is None or not timedelta() <= now - self._written_at < WRITTEN_EVERY
            if not is_due and not is_told(self._written, self._written + self._waiting):
                return 0
            taken, self._waiting, self._written_at = self._waiting, 0, now
            self._written += taken
            return taken

    def written(self, times: int) -> None:
        """So often it was refused by what is written now, other processes included."""
        with self._lock:
            self._written = times


def asking_party(actor: Actor) -> str:
    """For whom somebody asks or receives: a listed party for itself, an account of this node under its own name."""
    return actor.id if actor.kind == "party" else f"account:{actor.id}"


def as_recipient(actor: Actor) -> Actor:
    """The actor as the policies compare it with an agreement's recipient."""
    return Actor(id=actor.id, kind=actor.kind, roles=actor.roles, represents=asking_party(actor))
