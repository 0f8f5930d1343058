"""Accepting or rejecting a SMART Health Card: issuer, key set, revocation, times and content, not the signature alone.

Everything is looked up in what the caller has at hand (a directory of issuers); nothing is fetched.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from hutong.errors import BadInput, LimitExceeded

from . import shc
from .keys import KeyRing, VerificationKey, encode_base64url, read_jwk
from .shc import Problem

HEALTH_CARD = "https://smarthealth.cards#health-card"
MAX_CHAIN = 8
MILLISECONDS_FROM = 10_000_000_000  # as seconds this is the year 2286: an issuer wrote milliseconds
_SHORT_REFERENCE = re.compile(r"resource:\d+")
_CARD_REVOCATION_ID = re.compile(r"[A-Za-z0-9_-]{1,24}")
_REVOCATION_ID = re.compile(r"[A-Za-z0-9_-]{1,24}(\.\d{1,16})?")
_DATE_TIME = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?)?)?")
_CODING = {"system", "version", "code", "display", "userSelected", "id", "extension"}
_STATUS = {
    "Immunization": {"completed", "entered-in-error", "not-done"},
    "Observation": {
        *("registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"),
    },
}
_CODE_ELEMENT = {"Immunization": "vaccineCode", "Observation": "code"}
_SUBJECT = {"Immunization": "patient", "Observation": "subject"}


@dataclass(frozen=True, slots=True)
class Issuers:
    """What is known of issuers: their key sets and revocation lists, by address.

    Attributes:
        key_sets: issuer address → JWK set as received.
        revocations: (issuer address, kid) → revocation list as received.
    """

    key_sets: Mapping[str, Any]
    revocations: Mapping[tuple[str, str], Any] = field(default_factory=dict)


def check_key_set(document: Any, issuer: str) -> tuple[tuple[VerificationKey, ...], tuple[Problem, ...]]:
    """Usable keys of a JWK set and what is wrong with the others.

    A usable key is EC, P-256, ES256, for signatures, public, named by its thumbprint, and, where it has a certificate,
    that certificate's key, bound to the issuer (SMART Health Cards, "Determining keys" and "Certificates").
    """
    members = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(members, list) or not members or len(members) > 256:
        return (), (Problem("ISSUER_KEY_DOWNLOAD_ERROR", "The issuer's key set cannot be read."),)
    keys: list[VerificationKey] = []
    problems: list[Problem] = []
    for member in members:
        found = _key_faults(member, issuer) if isinstance(member, Mapping) else [_schema("A key is not an object.")]
        if not found:
            try:
                keys.append(read_jwk(member, issuer=issuer))
            except BadInput as error:
                found = [_schema(error.what)]
        problems += found
    return tuple(keys), tuple(problems)


def _key_faults(jwk: Mapping[str, Any], issuer: str) -> list[Problem]:
    wanted = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}
    faults = [_schema(f"A key does not state its {name}.") for name in (*wanted, "kid") if name not in jwk]
    if "d" in jwk:
        faults.append(Problem("INVALID_KEY_PRIVATE", "A key set holds a private key."))
    for name, value in wanted.items():
        if jwk.get(name, value) != value:
            faults.append(Problem("INVALID_KEY_WRONG_" + name.upper(), f"A key has another {name}."))
    if not faults and jwk["kid"] != thumbprint(jwk):
        faults.append(Problem("INVALID_KEY_WRONG_KID", "A key's id is not its thumbprint."))
    if not faults and "x5c" in jwk:
        faults += [Problem("INVALID_KEY_X5C", what) for what in chain_faults(jwk, issuer)]
    return faults


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


def check_jws(text: str, issuers: Issuers, *, at: dt.datetime) -> tuple[Problem, ...]:
    """Every reason against a card; empty means accept.

    Args:
        text: the JWS.
        issuers: key sets and revocation lists at hand.
        at: the moment of checking.
    """
    card = shc.parse_jws(text)
    problems = [*card.problems]
    problems += check_signature(card, issuers)
    if card.payload:
        problems += check_payload(card.payload, at=at)
    return tuple(problems)


def check_signature(card: shc.Card, issuers: Issuers) -> tuple[Problem, ...]:
    """Problems of issuer, key, signature and revocation."""
    if card.issuer is None or card.issuer not in issuers.key_sets:
        return (Problem("ISSUER_KEY_DOWNLOAD_ERROR", "The issuer's keys are not known here."),)
    keys, problems = check_key_set(issuers.key_sets[card.issuer], card.issuer)
    if not keys:
        return problems
    ring = KeyRing.of(keys)
    valid, key = shc.verify(card, ring)
    if valid is None and card.key_id and _is_of_other(card, issuers):
        return (Problem("ISSUER_KID_MISMATCH", "The key belongs to another issuer."),)
    if not valid or key is None:
        return (Problem("JWS_VERIFICATION_ERROR", "No key of the issuer verifies the signature."),)
    return check_revocation(card, key.name, issuers)


def _is_of_other(card: shc.Card, issuers: Issuers) -> bool:
    others = (document for address, document in issuers.key_sets.items() if address != card.issuer)
    return any(jwk.get("kid") == card.key_id for document in others for jwk in _members(document))


def _members(document: Any) -> list[Mapping[str, Any]]:
    """The keys of a JWK set that are objects; none where it is no set."""
    keys = document.get("keys") if isinstance(document, Mapping) else None
    return [jwk for jwk in keys if isinstance(jwk, Mapping)] if isinstance(keys, list) else []


def check_revocation(card: shc.Card, kid: str, issuers: Issuers) -> tuple[Problem, ...]:
    """Problems of the revocation list of the card's key, and the card's being on it."""
    issuer = card.issuer or ""
    members = _members(issuers.key_sets[issuer])
    announced = next((jwk.get("crlVersion") for jwk in members if jwk.get("kid") == kid), None)
    return find_revocation(card, kid, issuers.revocations.get((issuer, kid)), announced)[1]


def find_revocation(card: shc.Card, kid: str, listed: Any, announced: Any) -> tuple[bool | None, tuple[Problem, ...]]:
    """Whether the issuer revoked the card, and what is wrong.

    A list that is faulty or of another version still revokes whom it names, but clears nobody.

    Args:
        card: a card that the key verifies.
        kid: name of the key.
        listed: the key's revocation list as received; None when it is not at hand.
        announced: the version of the list that the key set says, ``crlVersion``; None when it says none.

    Returns:
        True: on the list · False: not on it · None: not known.
    """
    credential = card.payload.get("vc")
    rid = credential.get("rid") if isinstance(credential, Mapping) else None
    if listed is None:
        missing = "The issuer's revocation list is not at hand."
        return None, (Problem("REVOCATION_ERROR", missing),) if announced is not None and rid is not None else ()
    faults = _revocation_faults(listed, kid, announced)
    revoked = isinstance(rid, str) and isinstance(listed, Mapping) and is_revoked(listed, rid, card.payload.get("nbf"))
    problems = [*faults, "The card is revoked."] if revoked else faults
    known = revoked or (None if faults else False)
    return known, tuple(Problem("REVOCATION_ERROR", problem) for problem in problems)


def _revocation_faults(found: Any, kid: str, announced: Any) -> list[str]:
    if not isinstance(found, Mapping) or found.get("kid") != kid or not isinstance(found.get("rids"), list):
        return ["The revocation list is not one of this key."]
    faults = []
    if found.get("method") != "rid":
        faults.append("The revocation list's method is not rid.")
    if found.get("ctr") != announced:
        faults.append("The revocation list has another version than the key set says.")
    rids = [rid if isinstance(rid, str) else "" for rid in found["rids"]]
    faults += ["An entry of the revocation list is malformed." for rid in rids if not _REVOCATION_ID.fullmatch(rid)]
    names = [rid.partition(".")[0] for rid in rids]
    if len(set(names)) != len(names):
        faults.append("An entry of the revocation list is given twice.")
    return faults


def is_revoked(revocation: Mapping[str, Any], rid: str, issued: Any) -> bool:
    """Whether the list names ``rid``, for all cards or for those issued before the entry's time (seconds)."""
    rids = revocation.get("rids")
    for entry in rids if isinstance(rids, list) else []:
        if not isinstance(entry, str) or not _REVOCATION_ID.fullmatch(entry):
            continue
        name, _, moment = entry.partition(".")
        if name == rid and (not moment or (isinstance(issued, int | float) and issued < int(moment))):
            return True
    return False


def check_payload(payload: Mapping[str, Any], *, at: dt.datetime) -> tuple[Problem, ...]:
    """Problems of the claims and of the FHIR bundle in them."""
    problems = []
    if not shc.is_issuer_address(payload.get("iss")):
        problems.append(Problem("INVALID_ISSUER_URL", "The issuer is not an https address without final slash."))
    return (*problems, *_check_times(payload, at), *check_content(payload))


def check_content(payload: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Problems of the credential: its type, its revocation id, its FHIR bundle."""
    credential = payload.get("vc")
    credential = credential if isinstance(credential, Mapping) else {}
    problems = []
    types = credential.get("type")
    if not isinstance(types, list) or HEALTH_CARD not in types:
        problems.append(Problem("SCHEMA_ERROR", "The credential is not of the type health-card."))
    rid = credential.get("rid")
    if rid is not None and not (isinstance(rid, str) and _CARD_REVOCATION_ID.fullmatch(rid)):
        problems.append(Problem("REVOCATION_ERROR", "The card's revocation id is malformed."))
    subject = credential.get("credentialSubject")
    if not isinstance(subject, Mapping) or not isinstance(subject.get("fhirVersion"), str):
        problems.append(Problem("SCHEMA_ERROR", "The credential names no FHIR version."))
        return tuple(problems)
    return (*problems, *check_bundle(subject.get("fhirBundle")))


def _check_times(payload: Mapping[str, Any], at: dt.datetime) -> list[Problem]:
    """A future begin and a past end are the verifier's decision at the gate; here count times that cannot be meant."""
    begins, ends = payload.get("nbf"), payload.get("exp")
    if not isinstance(begins, int | float) or isinstance(begins, bool):
        return [Problem("SCHEMA_ERROR", "The card says not when it was issued.")]
    problems = []
    if begins >= MILLISECONDS_FROM and begins > at.timestamp():
        problems.append(Problem("NOT_YET_VALID", "The begin is given in milliseconds."))
    if isinstance(ends, int | float) and ends < begins:
        problems.append(Problem("EXPIRATION_ERROR", "The card ends before it begins."))
    return problems


def check_bundle(bundle: Any) -> tuple[Problem, ...]:
    """Problems of the FHIR R4 bundle: shape, short references, no empty values, required elements, code lists."""
    entries = bundle.get("entry") if isinstance(bundle, Mapping) else None
    if not isinstance(bundle, Mapping) or bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        return (Problem("FHIR_SCHEMA_ERROR", "The content is not a FHIR bundle with entries."),)
    faults = [] if bundle.get("type") == "collection" else ["The bundle is not a collection."]
    faults += _empty_values(bundle)
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if not isinstance(resource, Mapping) or not isinstance(resource.get("resourceType"), str):
            faults.append("An entry holds no resource.")
            continue
        if not _SHORT_REFERENCE.fullmatch(str(entry.get("fullUrl"))):
            faults.append("An entry's address is not resource: and a number.")
        faults += _check_resource(resource)
    return tuple(Problem("FHIR_SCHEMA_ERROR", fault) for fault in faults)


def _empty_values(value: Any, depth: int = 0) -> list[str]:
    """FHIR allows no empty string, array or object (R4, 2.6.2)."""
    if value in ("", [], {}):
        return ["An element is empty."]
    if depth > 32:
        return ["The bundle is nested too deep."]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list):
        return []
    return [fault for item in value for fault in _empty_values(item, depth + 1)]


def _check_resource(resource: Mapping[str, Any]) -> list[str]:
    kind = resource["resourceType"]
    faults = []
    if kind in _STATUS:
        status = resource.get("status")
        if not isinstance(status, str) or status not in _STATUS[kind]:
            faults.append(f"{kind}: the status is none of FHIR's.")
        if not isinstance(resource.get(_CODE_ELEMENT[kind]), Mapping):
            faults.append(f"{kind}: {_CODE_ELEMENT[kind]} is missing.")
        reference = resource.get(_SUBJECT[kind])
        if not isinstance(reference, Mapping) or not _SHORT_REFERENCE.fullmatch(str(reference.get("reference"))):
            faults.append(f"{kind}: the person is not referred to as resource: and a number.")
    if kind == "Immunization":
        given = [resource[name] for name in ("occurrenceDateTime", "occurrenceString") if name in resource]
        if len(given) != 1:
            faults.append("Immunization: not exactly one time of occurrence.")
        elif "occurrenceDateTime" in resource and not _DATE_TIME.fullmatch(str(given[0])):
            faults.append("Immunization: the time of occurrence is no FHIR dateTime.")
    meta = resource.get("meta")
    security = meta.get("security") if isinstance(meta, Mapping) else None
    for coding in security if isinstance(security, list) else []:
        if not isinstance(coding, Mapping) or not coding.keys() <= _CODING:
            faults.append(f"{kind}: a security label is no Coding.")
    return faults


def check_texts(texts: Sequence[str], issuers: Issuers, *, at: dt.datetime) -> tuple[Problem, ...]:
    """Every reason against a card given as QR contents, file content or JWS; empty means accept."""
    first = texts[0].strip()
    if first.lower().startswith("shc:"):
        jws, problems = shc.parse_numeric(texts)
        cards: tuple[str, ...] = (jws,) if jws is not None else ()
    elif first.startswith("{"):
        cards, problems = shc.parse_file(texts[0])
    else:
        cards, problems = (texts[0],), ()
    return (*problems, *(problem for card in cards for problem in check_jws(card, issuers, at=at)))
