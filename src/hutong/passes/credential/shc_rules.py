"""Accepting or rejecting a SMART Health Card: issuer, key, revocation, times and content, not the signature alone.

Everything is looked up in what the caller has at hand (a directory of issuers); nothing is fetched.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import shc
from .keys import KeyRing, VerificationKey
from .shc import Problem
from .shc_keys import key_faults

HEALTH_CARD = "https://smarthealth.cards#health-card"
UNKNOWN_KEYS = "ISSUER_KEY_DOWNLOAD_ERROR"
CLOCK_SKEW_SECONDS = 300
MILLISECONDS_FROM = 10_000_000_000  # as seconds this is the year 2286: an issuer wrote milliseconds
_SHORT_REFERENCE = re.compile(r"resource:[0-9]+")
_CARD_REVOCATION_ID = re.compile(r"[A-Za-z0-9_-]{1,24}")
_REVOCATION_ID = re.compile(r"[A-Za-z0-9_-]{1,24}(\.[0-9]{1,16})?")
_DATE_TIME = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?)?)?", re.ASCII)
_CODING = {"system", "version", "code", "display", "userSelected", "id", "extension"}
_STATUS = {
    "Immunization": {"completed", "entered-in-error", "not-done"},
    "Observation": {
        *("registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"),
    },
}
_CODE_ELEMENT = {"Immunization": "vaccineCode", "Observation": "code"}
_SUBJECT = {"Immunization": "patient", "Observation": "subject"}


class Checked(NamedTuple):
    """What is found of a card.

    Attributes:
        signature_valid, key: as of :func:`check_signature`.
        revoked: as of :func:`find_revocation`; None where no key verifies the card.
        problems: every reason against it; none means accept.
    """

    signature_valid: bool | None
    key: VerificationKey | None
    revoked: bool | None
    problems: tuple[Problem, ...]


def check(card: shc.Card, ring: KeyRing, *, at: dt.datetime) -> Checked:
    """Whether a card is to be accepted, by its issuer's keys and revocation lists among those at hand."""
    valid, key, problems = check_signature(card, ring)
    revoked = None
    if key is not None:
        announced = key.jwk.get("crlVersion") if key.jwk is not None else None
        revoked, found = find_revocation(card, key.name, key.revocations, announced)
        problems += found
    problems += (*check_times(card.payload, at), *check_content(card.payload))
    return Checked(valid, key, revoked, problems)


def check_signature(card: shc.Card, ring: KeyRing) -> tuple[bool | None, VerificationKey | None, tuple[Problem, ...]]:
    """Whose signature it is, of the keys that may sign cards of the issuer; the others count as if they were not there.

    Returns:
        Validity, key, problems. True, and the key · False: a key has the card's ``kid`` but does not verify it, or
        belongs to another issuer · None: no usable key has it.
    """
    faults: list[Problem] = []
    refusing: list[Problem] = []
    unknown = Problem(UNKNOWN_KEYS, "The issuer's keys are not known here.")
    unverified = Problem("JWS_VERIFICATION_ERROR", "No key of the issuer verifies the signature.")
    is_known = card.issuer in ring.issuers

    def fits(key: VerificationKey) -> bool:
        if (key.issuer or "").startswith("https:") and key.issuer != card.issuer:
            other = Problem("ISSUER_KID_MISMATCH", "The key belongs to another issuer.")
            refusing.append(other if is_known else unknown)
            return False
        is_signer = card.header.get("alg") == "ES256" and key.verifies("ES256", card.signature, card.signed)
        if not is_signer and key.name != card.key_id:
            return False
        found = key_faults(key, card.issuer or "", card.key_id or "")
        if found:
            faults.extend(found)
            return False
        if not is_signer:
            refusing.append(unverified)
        return is_signer

    valid, key = ring.find(card.key_id.encode(), fits) if card.key_id else (None, None)
    if key is not None:
        return valid, key, ()
    if refusing:
        return False, None, tuple(dict.fromkeys(refusing))
    return None, None, tuple(dict.fromkeys(faults)) or (unverified if is_known else unknown,)


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


def check_times(payload: Mapping[str, Any], at: dt.datetime) -> tuple[Problem, ...]:
    """Problems of begin and end: times that cannot be meant; as warnings, those of a card that is not valid now."""
    begins: Any = payload.get("nbf")
    ends: Any = payload.get("exp")
    problems = []
    if not _is_number(begins):
        return (Problem("SCHEMA_ERROR", "The card says not when it was issued."),)
    if begins >= MILLISECONDS_FROM and begins > at.timestamp():
        problems.append(Problem("NOT_YET_VALID", "The begin is given in milliseconds."))
    elif begins > at.timestamp() + CLOCK_SKEW_SECONDS:
        problems.append(Problem("NOT_YET_VALID", "The card is not valid yet.", "warning"))
    if ends is None:
        return tuple(problems)
    if not _is_number(ends):
        problems.append(Problem("SCHEMA_ERROR", "The end of the card is no time."))
    elif ends < begins:
        problems.append(Problem("EXPIRATION_ERROR", "The card ends before it begins."))
    elif ends < at.timestamp():
        problems.append(Problem("EXPIRATION_ERROR", "The card has expired.", "warning"))
    return tuple(problems)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
