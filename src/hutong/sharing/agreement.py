"""Agreement: the signed permission to use a dataset for one purpose until one day. Pure.

Its form is an ODRL 2.2 Agreement in JSON-LD (https://www.w3.org/TR/odrl-model/) that is also a valid Agreement of the
Dataspace Protocol 2025-1 (``@id`` is what ODRL's own context calls ``uid``). ``agreement.schema.json`` is the shape
that every agreement must have, ours and others'. The provider signs it; a revocation is kept beside it, since a
signed document can't be unsaid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hutong.errors import BadInput, Conflict, Tampered
from hutong.sharing.demand import PURPOSES, PurposeCode, Request, check_days, check_text
from hutong.trust.signing import sign_document, verify_document

if TYPE_CHECKING:
    import jsonschema_rs

KIND = "agreement"
REVOCATION_KIND = "revocation"
PROFILE = "urn:hutong:odrl:1"
MEDIA_TYPE = "application/ld+json"
REVOKED = "agreement-was-revoked"
"""Id of the policy that refuses a delivery because of it."""
CLOCKS_APART = timedelta(days=1)
_UID = "urn:hutong:agreement:"
_PARTY = "urn:hutong:party:"
_SHAPE = Path(__file__).parent / "agreement.schema.json"

CONTEXT: list[Any] = [
    "http://www.w3.org/ns/odrl.jsonld",
    {
        "odrl": "http://www.w3.org/ns/odrl/2/",
        "hutong": "urn:hutong:odrl:",
        "dct": "http://purl.org/dc/terms/",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        # Said again here so that the document also reads in full with the Dataspace Protocol's smaller context.
        "conflict": {"@id": "odrl:conflict", "@type": "@vocab"},
        "timestamp": {"@id": "dct:issued", "@type": "xsd:dateTime"},
        "purpose": "odrl:purpose",
        "dateTime": "odrl:dateTime",
        "distribute": "odrl:distribute",
        "attribute": "odrl:attribute",
        "inform": "odrl:inform",
    },
]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed. ``fields`` is empty for all of them, ``version`` for always the latest release.

    ``target`` is the IRI of the dataset or of the one release. Times have whole seconds, in UTC.
    """

    id: str
    request_id: str
    provider: str
    recipient: str
    dataset_id: str
    target: str
    purpose: PurposeCode
    statement: str
    agreed_at: datetime
    expires_at: datetime
    version: str = ""
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("agreed_at", "expires_at"):
            moment: datetime = getattr(self, name)
            if moment.tzinfo is None:
                raise BadInput("A time of the agreement has no zone.", "Give it with its zone.")
            object.__setattr__(self, name, moment.astimezone(UTC).replace(microsecond=0))
        if self.agreed_at >= self.expires_at:
            raise BadInput("The agreement ends before it begins.", "Give it at least one day.")
        if self.purpose not in PURPOSES:
            raise BadInput("The agreement's purpose is not known.", f"Use one of: {', '.join(PURPOSES)}.")

    def document(self) -> dict[str, Any]:
        """The ODRL document."""
        assigner, assignee = _PARTY + self.provider, _PARTY + self.recipient
        both = {"target": self.target, "assigner": assigner, "assignee": assignee}
        version = {"hutong:version": self.version} if self.version else {}
        return {
            "@context": CONTEXT,
            "@type": "Agreement",
            "@id": _UID + self.id,
            "profile": PROFILE,
            "conflict": "prohibit",
            "timestamp": _moment(self.agreed_at),
            **both,
            "hutong:request": self.request_id,
            "hutong:dataset": self.dataset_id,
            **version,
            "hutong:provider": self.provider,
            "hutong:recipient": self.recipient,
            "permission": [
                {
                    **both,
                    "action": "use",
                    "constraint": self._constraints(),
                    # Credit to who gave the data, and feedback on what was found in them.
                    "duty": [{"action": "attribute"}, {"action": "inform"}],
                }
            ],
            "prohibition": [{**both, "action": "distribute"}],
        }

    def _constraints(self) -> list[dict[str, Any]]:
        purpose = {
            "leftOperand": "purpose",
            "operator": "isA",
            "rightOperand": {"@id": PURPOSES[self.purpose].uri},
            "dct:description": self.statement,
        }
        end = {
            "leftOperand": "dateTime",
            "operator": "lteq",
            "rightOperand": {"@value": _moment(self.expires_at), "@type": "xsd:dateTime"},
        }
        fields = {"leftOperand": "hutong:field", "operator": "isAnyOf", "rightOperand": list(self.fields)}
        return [purpose, end, fields] if self.fields else [purpose, end]


@dataclass(frozen=True, slots=True)
class KeptAgreement:
    """An agreement as a node keeps it: what was agreed, the signed document, and whether it was revoked."""

    agreement: Agreement
    signed: str
    revoked_at: datetime | None = None
    revoked_because: str = ""
    revocation_told_at: datetime | None = None
    """When the recipient's node was told, at the provider."""

    def state(self, now: datetime) -> Literal["in-force", "revoked", "ended"]:
        """Whether it is in force at that time."""
        if self.revoked_at is not None:
            return "revoked"
        return "ended" if now >= self.agreement.expires_at else "in-force"


@dataclass(frozen=True, slots=True)
class Revocation:
    """When an agreement was revoked, and why; no reason where none is known."""

    at: datetime
    because: str = ""


def told_revocation(document: Mapping[str, Any], agreed: Agreement, *, now: datetime) -> Revocation | None:
    """The revocation that the provider tells of with its agreement (``revoked_at``, ``revoked_because``), if any.

    ``BadInput`` when its time is none, before the agreement or to come, or its reason is no plain text.
    """
    told, because = document.get("revoked_at"), document.get("revoked_because") or ""
    if told is None:
        return None
    try:
        at = datetime.fromisoformat(str(told))
        usable = at.tzinfo is not None and agreed.agreed_at <= at <= now + CLOCKS_APART
    except ValueError:
        usable = False
    if not usable:
        raise BadInput("The provider misstates when the agreement was revoked.", "Ask the provider what happened.")
    check_text(str(because), "reason", least=0)
    return Revocation(at.astimezone(UTC), str(because))


def sign_revocation(kept: KeptAgreement, *, key: Ed25519PrivateKey, kid: str) -> str:
    """What the provider tells the recipient of a revoked agreement: a compact JWS."""
    assert kept.revoked_at is not None, "only what was revoked is told"
    told = {
        "agreement": kept.agreement.id,
        "provider": kept.agreement.provider,
        "recipient": kept.agreement.recipient,
        "revoked_at": kept.revoked_at.isoformat(),
        "revoked_because": kept.revoked_because,
    }
    return sign_document(key, kid=kid, kind=REVOCATION_KIND, payload=told)


def read_revocation(signed: str, *, key: Mapping[str, str], provider: str, recipient: str) -> Mapping[str, Any]:
    """What a provider told of an agreement that it gave this recipient, if its ``key`` (a public JWK) signed it.

    Raises ``Tampered`` when the signature does not fit or it is between others, ``BadInput`` when it is none.
    """
    told = verify_document(signed, key=key, kind=REVOCATION_KIND)
    if (told.get("provider"), told.get("recipient")) != (provider, recipient):
        raise Tampered("The revocation is of an agreement between others.", "Ask the provider what happened.")
    if not isinstance(told.get("agreement"), str) or told.get("revoked_at") is None:
        raise BadInput("The revocation does not say of what, or when.", "Ask the provider what happened.")
    return told


def make_agreement(request: Request, *, agreement_id: str, target: str, agreed_at: datetime, days: int) -> Agreement:
    """The agreement that answers a request; it may run shorter than was asked, never longer."""
    check_days(days)
    if days > request.days:
        raise Conflict(f"Only {request.days} days were asked.", "Grant at most as many.")
    return Agreement(
        id=agreement_id,
        request_id=request.id,
        provider=request.provider,
        recipient=request.party,
        dataset_id=request.dataset_id,
        target=target,
        purpose=request.purpose,
        statement=request.statement,
        agreed_at=agreed_at,
        expires_at=agreed_at + timedelta(days=days),
        version=request.version,
        fields=request.fields,
    )


def sign_agreement(agreement: Agreement, *, key: Ed25519PrivateKey, kid: str) -> str:
    """The agreement as its provider gives it: a compact JWS over the ODRL document."""
    return sign_document(key, kid=kid, kind=KIND, payload=agreement.document())


def read_agreement(signed: str, *, key: Mapping[str, str]) -> Agreement:
    """The agreement, if the provider's ``key`` (a public JWK) signed it and it has the shape.

    Raises ``Tampered`` when the signature does not fit, ``BadInput`` when it is no such document.
    """
    return parse_agreement(verify_document(signed, key=key, kind=KIND))


def parse_agreement(document: Mapping[str, Any]) -> Agreement:
    """The agreement that an ODRL document states. ``BadInput`` names the place that does not fit the shape."""
    error = next(iter(_validator().iter_errors(dict(document))), None)
    if error is not None:
        place = "/".join(str(part) for part in error.instance_path) or "document"
        raise BadInput(f"The agreement does not have the expected shape at {place}.", "Ask its provider for it again.")
    constraints = document["permission"][0]["constraint"]
    codes: dict[str, PurposeCode] = {purpose.uri: purpose.code for purpose in PURPOSES.values()}
    purpose = codes.get(constraints[0]["rightOperand"]["@id"])
    if purpose is None:
        raise BadInput("The agreement's purpose is not known here.", f"Known are: {', '.join(PURPOSES)}.")
    try:
        agreed_at = datetime.fromisoformat(document["timestamp"])
        expires_at = datetime.fromisoformat(constraints[1]["rightOperand"]["@value"])
    except ValueError as wrong:
        raise BadInput(f"A time of the agreement is none: {wrong}.", "Ask its provider for it again.") from wrong
    agreement = Agreement(
        id=document["@id"].removeprefix(_UID),
        request_id=document["hutong:request"],
        provider=document["hutong:provider"],
        recipient=document["hutong:recipient"],
        dataset_id=document["hutong:dataset"],
        target=document["target"],
        purpose=purpose,
        statement=constraints[0]["dct:description"],
        agreed_at=agreed_at,
        expires_at=expires_at,
        version=document.get("hutong:version", ""),
        fields=tuple(constraints[2]["rightOperand"]) if len(constraints) > 2 else (),
    )
    if agreement.document() != document:
        raise BadInput("The agreement says more than this node understands.", "Ask for one of the same profile.")
    return agreement


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(orjson.loads(_SHAPE.read_bytes()))
