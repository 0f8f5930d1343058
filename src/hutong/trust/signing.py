"""Signed documents between parties: compact JWS (RFC 7515) with Ed25519 (RFC 8037, RFC 9864), and short-lived
assertions of who asks.

Each document has a type in its ``typ`` header, so that an agreement can't be passed off as a trust list.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from hutong.errors import BadInput, LimitExceeded, NotSignedIn, Tampered

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from joserfc.jws import JWSRegistry

MAX_DOCUMENT_BYTES = 4 * 2**20
ASSERTION_SECONDS = 60


@cache
def _registry() -> JWSRegistry:
    from joserfc.jws import JWSRegistry

    registry = JWSRegistry(algorithms=["Ed25519"])
    registry.max_payload_length = MAX_DOCUMENT_BYTES
    return registry


def sign_document(key: Ed25519PrivateKey, *, kid: str, kind: str, payload: Mapping[str, Any]) -> str:
    """A compact JWS over the canonical JSON of ``payload``; ``kind`` becomes its ``typ``."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from joserfc import jws
    from joserfc.jwk import OKPKey

    private = OKPKey.import_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    header = {"alg": "Ed25519", "typ": f"hutong-{kind}+jws", "kid": kid}
    return jws.serialize_compact(header, canonical_json(payload), private, registry=_registry())


def verify_document(document: str, *, key: Mapping[str, str], kind: str) -> dict[str, Any]:
    """The payload, if ``key`` (a public JWK) signed it as this kind.

    Raises ``Tampered`` when the signature does not fit, ``BadInput`` when it is no such document.
    """
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import OKPKey

    header, _ = read_unverified(document)
    if header.get("typ") != f"hutong-{kind}+jws" or header.get("alg") != "Ed25519":
        raise BadInput(f"This is not a signed {kind}.", f"Give the {kind} as the other party published it.")
    try:
        token = jws.deserialize_compact(document, OKPKey.import_key(dict(key)), registry=_registry())
    except (JoseError, ValueError) as error:
        raise Tampered(f"The signature of the {kind} does not fit.", "Ask its issuer for it again.") from error
    return _object(token.payload)


def read_unverified(document: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload *before* verification: only for finding the key that must have signed it."""
    if len(document) > MAX_DOCUMENT_BYTES * 3 // 2:
        raise LimitExceeded("The signed document is larger than 4 MiB.", "Split it, or ask for a delta.")
    parts = document.strip().split(".")
    if len(parts) != 3:
        raise BadInput("This is not a signed document.", "Give a compact JWS: three parts joined by dots.")
    try:
        header, payload = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts[:2])
    except ValueError as error:
        raise BadInput("This is not a signed document.", "Give a compact JWS.") from error
    return _object(header), _object(payload)


def assertion(key: Ed25519PrivateKey, *, kid: str, issuer: str, audience: str, now: datetime, nonce: bytes) -> str:
    """A statement of one minute's life that ``issuer`` is asking ``audience``: sent as a bearer token."""
    claims = {
        "iss": issuer,
        "aud": audience,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=ASSERTION_SECONDS)).timestamp()),
        "jti": nonce.hex(),
    }
    return sign_document(key, kid=kid, kind="assertion", payload=claims)


def verify_assertion(token: str, *, key: Mapping[str, str], audience: str, now: datetime) -> dict[str, Any]:
    """Claims of an assertion for this audience and time; the caller sees to it that ``jti`` is used once."""
    claims = verify_document(token, key=key, kind="assertion")
    expires = datetime.fromtimestamp(int(claims.get("exp", 0)), UTC)
    issued = datetime.fromtimestamp(int(claims.get("iat", 0)), UTC)
    if claims.get("aud") != audience:
        raise NotSignedIn("The assertion is for another node.", f"Make one for the audience {audience}.")
    longest = timedelta(seconds=ASSERTION_SECONDS)
    if now >= expires or issued > now + longest or expires - issued > longest:
        raise NotSignedIn("The assertion has expired or its times are wrong.", "Check the clock; ask again.")
    return claims


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: one byte sequence for one value."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInput("The signed document does not hold JSON.", "Ask its issuer for it again.") from error
    if not isinstance(value, dict):
        raise BadInput("The signed document does not hold a JSON object.", "Ask its issuer for it again.")
    return value
