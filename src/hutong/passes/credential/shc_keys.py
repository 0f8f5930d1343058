"""Keys of card issuers: which of them may sign a SMART Health Card, and what is wrong with the others.

Source: SMART Health Cards Framework, "Determining keys associated with an issuer" and "Certificates".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from hutong.errors import BadInput, LimitExceeded

from .keys import VerificationKey, encode_base64url, read_jwk, write_jwk
from .shc import Problem

MAX_CHAIN = 8


def key_faults(key: VerificationKey, issuer: str, kid: str) -> tuple[Problem, ...]:
    """Why a key may sign no card of this issuer; empty means that it may.

    A usable key is EC, P-256, ES256, for signatures, named by its thumbprint, and, where it has a certificate, that
    certificate's key, bound to the issuer. A key that came without a set need only have ``kid`` as its thumbprint.
    """
    jwk: Mapping[str, Any] = key.jwk if key.jwk is not None else _as_jwk(key, kid)
    wanted = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}
    faults = [_schema(f"A key does not state its {name}.") for name in (*wanted, "kid") if name not in jwk]
    for name, value in wanted.items():
        if jwk.get(name, value) != value:
            faults.append(Problem("INVALID_KEY_WRONG_" + name.upper(), f"A key has another {name}."))
    if not faults and jwk["kid"] != thumbprint(jwk):
        faults.append(Problem("INVALID_KEY_WRONG_KID", "A key's id is not its thumbprint."))
    if not faults and "x5c" in jwk:
        faults += [Problem("INVALID_KEY_X5C", what) for what in chain_faults(jwk, issuer)]
    return tuple(faults)


def _as_jwk(key: VerificationKey, kid: str) -> dict[str, Any]:
    public_key = key.public_key
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        return {"kty": "RSA", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid}
    if public_key.curve.name != "secp256r1":
        return {"kty": "EC", "crv": public_key.curve.name, "alg": "ES256", "use": "sig", "kid": kid}
    return {**write_jwk(public_key, b""), "kid": kid}


def _schema(what: str) -> Problem:
    return Problem("INVALID_KEY_SCHEMA", what)


def chain_faults(jwk: Mapping[str, Any], issuer: str) -> list[str]:
    """What is wrong with a key's certificates: order, signatures, binding to key and issuer; not whether they ended.

    Of a key that gives no public key by itself that is told, for nothing can be compared with it.
    """
    try:
        stated = read_jwk({**jwk, "x5c": []}).public_key
    except BadInput as error:
        return [error.what]
    chain = jwk.get("x5c")
    if not isinstance(chain, list) or not 1 <= len(chain) <= MAX_CHAIN:
        return ["A key's certificates are not a list."]
    try:
        certificates = [x509.load_der_x509_certificate(base64.b64decode(each, validate=True)) for each in chain]
        names = certificates[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        leaf = read_jwk({"x5c": chain}).public_key
    except x509.ExtensionNotFound:
        return ["A key's certificate names no issuer."]
    except (ValueError, TypeError, BadInput, LimitExceeded, x509.DuplicateExtension):
        return ["A key's certificates cannot be read."]
    faults = []
    if leaf.public_numbers() != stated.public_numbers():
        faults.append("A key is not the key of its certificate.")
    if issuer not in names.get_values_for_type(x509.UniformResourceIdentifier):
        faults.append("A key's certificate is another issuer's.")
    for each, signer in zip(certificates, [*certificates[1:], certificates[-1]], strict=True):
        if len(certificates) > 1 and not _is_signed_by(each, signer):
            faults.append("A key's certificates do not sign each other.")
            break
    return faults


def _is_signed_by(certificate: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """SHA-256 thumbprint of an EC key (RFC 7638) in base64url; lone surrogates, which no UTF-8 holds, count as "?"."""
    members = {name: str(jwk.get(name)).encode("utf-8", "replace").decode() for name in ("crv", "kty", "x", "y")}
    return encode_base64url(hashlib.sha256(orjson.dumps(members)).digest())
