"""Two further families met at borders: ICAO VDS-NC (signed JSON with its certificate) and DIVOC (zipped JSON-LD).

VDS-NC is verified only when the certificate that it carries is among the keys given: a certificate that travels with
the pass proves nothing. DIVOC proofs need JSON-LD canonicalisation of foreign contexts, so their signature is unknown.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from hutong.errors import BadInput, LimitExceeded

from . import hcert
from .certificates import key_id_of
from .keys import KeyRing, VerificationKey, decode_base64url
from .read import ReadPass

_DIVOC = "B64:"
_DIVOC_FILE = "certificate.json"
_DIVOC_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# ValueError is that of base64, too; RuntimeError that of an encrypted member, or one of an unknown method.
_RAISED_BY_ZIPFILE = (
    *(zipfile.BadZipFile, KeyError, zlib.error, OSError, ValueError, RuntimeError, EOFError),
    *(struct.error, OverflowError, IndexError),
)


def read_other(text: str, ring: KeyRing) -> ReadPass:
    """Read a VDS-NC or DIVOC text. Raises BadInput or LimitExceeded."""
    return _read_divoc(text) if text.startswith(_DIVOC) else _read_vds(text, ring)


def _read_vds(text: str, ring: KeyRing) -> ReadPass:
    document = _json(text, "VDS-NC document")
    data, sig = document.get("data"), document.get("sig")
    header = data.get("hdr") if isinstance(data, Mapping) else None
    if not (isinstance(data, Mapping) and isinstance(sig, Mapping) and isinstance(header, Mapping)):
        raise BadInput("The document is not VDS-NC: data, header or signature are missing.", "Scan the code again.")
    valid, key, key_id = _verify_vds(data, sig, ring)
    issuer = header.get("is")
    return ReadPass(
        kind="icao-vds",
        payload=data,
        signature_valid=valid,
        issuer=issuer if isinstance(issuer, str) else None,
        issued_at=None,
        expires_at=None,
        key_id=key_id,
        warnings=("The pass names no expiry.",),
        key=key,
    )


def _verify_vds(
    data: Mapping[str, Any], sig: Mapping[str, Any], ring: KeyRing
) -> tuple[bool | None, VerificationKey | None, str | None]:
    """ICAO TR VDS-NC 1.x: the signature is over the canonical JSON of ``data``, raw r‖s in base64url."""
    certificate = sig.get("cer")
    if not isinstance(certificate, str):
        return None, None, None
    der = decode_base64url(certificate.rstrip("="), "the certificate")
    key_id = key_id_of(der)
    name = base64.b64encode(key_id).decode()
    value = sig.get("sigvl")
    signature = decode_base64url(value.rstrip("=") if isinstance(value, str) else value, "the signature")
    signed = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    is_es256 = sig.get("alg") == "ES256"
    valid, key = ring.find(key_id, lambda key: is_es256 and key.verifies("ES256", signature, signed))
    return valid, key, name


def _read_divoc(text: str) -> ReadPass:
    try:
        packed = base64.b64decode(text[len(_DIVOC) :], validate=True)
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            file = archive.getinfo(_DIVOC_FILE)
            if file.compress_type not in _DIVOC_METHODS:
                raise NotImplementedError
            with archive.open(file) as member:
                content = member.read(hcert.MAX_INFLATED_BYTES + 1)
    except _RAISED_BY_ZIPFILE:
        raise BadInput("The DIVOC certificate cannot be unpacked.", "Scan the code again.") from None
    if len(content) > hcert.MAX_INFLATED_BYTES:
        raise LimitExceeded("The code inflates to more than 64 KiB.", "Check where it came from.")
    try:
        document = _json(content.decode(), "DIVOC certificate")
    except UnicodeDecodeError:
        raise BadInput("The DIVOC certificate is not text.", "Scan the code again.") from None
    issuer, proof = document.get("issuer"), document.get("proof")
    method = proof.get("verificationMethod") if isinstance(proof, Mapping) else None
    return ReadPass(
        kind="divoc",
        payload=document,
        signature_valid=None,
        issuer=issuer if isinstance(issuer, str) else None,
        issued_at=_moment(document.get("issuanceDate")),
        expires_at=_moment(document.get("expirationDate")),
        key_id=method if isinstance(method, str) else None,
        warnings=("The proof of a DIVOC certificate is not checked here.",),
    )


def _json(text: str, what: str) -> Mapping[str, Any]:
    try:
        document = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        document = None
    if not isinstance(document, dict):
        raise BadInput(f"The {what} is not a JSON object.", "Scan the code again.")
    return document


def _moment(text: object) -> dt.datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
