"""Lists of the keys that sign EU certificates, as the EU's gateway and national services publish them.

Read are the gateway's trust list (``kid, country, certificateType, rawData, …``), alone, under ``certificates``, or
behind a line with its signature (Germany); JSON Web Keys by country in a signed list (Sweden, RFC 7797); SPKI or
certificates by key id (``{"eu_keys": {kid: [{subjectPk, keyUsage}]}}``, in a wrapping or not, the Netherlands); lists
of ``kid`` or ``keyId`` with a public key (Switzerland, the United Kingdom); and CBOR (``{c: [{i, c}]}``, Austria).

A list holds several kinds of keys: only document signers (DSC) verify certificates. Those of the authorities (CSCA)
show whose signers they are, and nothing else; upload and TLS certificates are passed over.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hutong.errors import BadInput, LimitExceeded, Tampered

from . import cbor
from .certificates import KEY_ID_BYTES, key_id_of, read_certificate, read_public_key, to_der
from .keys import PublicKey, VerificationKey, decode_base64url, fitting_algorithm

MAX_BYTES = 16 * 2**20
MAX_SIGNERS = 4_000
SIGNER, AUTHORITY = "DSC", "CSCA"
_TYPES = (SIGNER, AUTHORITY, "UPLOAD", "AUTHENTICATION", "TRUSTANCHOR")
_KINDS = ("v", "t", "r")
_COUNTRY = re.compile(r"[A-Z]{2}")
_LINE = re.compile(rb"[A-Za-z0-9+/]{80,200}={0,2}\r?\n")
_JWS = re.compile(rb"(ey[\w-]+)\.(.*)\.([\w-]+)", re.DOTALL)
_EDGES = b"\xef\xbb\xbf \t\r\n"
_FIELDS = ("rawData", "subjectPk", "publicKeyPem", "subjectPublicKeyInfo", "publicKey")
"""Where lists put the certificate or the key."""


@dataclass(frozen=True, slots=True)
class Signer:
    """One document signer.

    Attributes:
        key_id: its 8 bytes, by which certificates name it.
        country: ISO 3166-1 alpha-2 of who holds it.
        der: its certificate, or else its SubjectPublicKeyInfo.
        usage: of "v", "t", "r" what it may sign, where the list says so of a bare key.
        ends_at: of its certificate; None for a bare key.
        is_chained: whether an authority at hand signed its certificate; None: none of its country is at hand, or the
            certificates are not of the form in which that can be checked.
    """

    key_id: bytes
    country: str
    der: bytes = field(repr=False)
    is_certificate: bool = True
    usage: frozenset[str] | None = None
    ends_at: datetime | None = None
    is_chained: bool | None = None


class DscList(NamedTuple):
    """What lists hold.

    Attributes:
        skipped: each signer that can't be used: its key id or place, and why.
        is_signature_checked: whether a key that was given signed each list.
        has_entry_signatures: whether entries carry signatures of their own, which are CMS and are not checked.
    """

    signers: tuple[Signer, ...]
    skipped: tuple[tuple[str, str], ...]
    is_signature_checked: bool
    has_entry_signatures: bool


class _Entry(NamedTuple):
    kind: str
    country: str
    key_id: Any
    material: Any
    usage: Any = None


class _Signed(NamedTuple):
    """What a list's own signature covers; the algorithm as its header names it."""

    message: bytes
    signature: bytes
    algorithm: str


def read(
    contents: Sequence[bytes],
    *,
    authorities: Iterable[bytes | str] = (),
    signer: VerificationKey | None = None,
    country: str = "",
) -> DscList:
    """Read lists of document signers.

    Args:
        contents: the files as they were fetched.
        authorities: certificates of country signing authorities, beside those in the lists.
        signer: who must have signed each list; without it no list's own signature is checked.
        country: for signers of which nothing says it.

    Raises:
        BadInput: not a list that is known here, or none of its signers can be used; a list without a signature that can
            be checked, though a signer was given.
        Tampered: the given key did not sign a list.
        LimitExceeded: more than 16 MiB, or 4,000 keys.
    """
    entries: list[_Entry] = []
    for content in contents:
        found, signed = _parse(content)
        entries += found
        if signer is not None:
            _verify(signed, signer)
    if len(entries) > MAX_SIGNERS:
        raise LimitExceeded(f"The lists hold more than {MAX_SIGNERS:,} keys.", "Give the list of one service.")
    known = [_authority(entry.material) for entry in entries if entry.kind == AUTHORITY]
    known += [_authority(one) for one in authorities]
    signers: dict[tuple[bytes, bytes], Signer] = {}
    skipped: list[tuple[str, str]] = []
    refused: list[BadInput | LimitExceeded] = []
    for number, entry in enumerate((one for one in entries if one.kind == SIGNER), start=1):
        try:
            one = _signer(entry, country, [each for each in known if each is not None])
            signers[one.key_id, one.der] = one
        except (BadInput, LimitExceeded) as error:
            skipped.append((_name(entry.key_id) or f"no. {number}", error.what))
            refused.append(error)
    if not signers:
        raise refused[0] if refused else BadInput("The list holds no signer.", "Fetch it again.")
    has_own = any(isinstance(entry, _Gateway) for entry in entries)
    return DscList(tuple(signers.values()), tuple(skipped), signer is not None, has_own)


class _Gateway(_Entry):
    """An entry of the gateway, which the uploading country signed."""


def _parse(content: bytes) -> tuple[list[_Entry], _Signed | None]:
    if len(content) > MAX_BYTES:
        raise LimitExceeded(f"The list of keys is larger than {MAX_BYTES // 2**20} MiB.", "Fetch it again.")
    text = content.strip(_EDGES)
    signed = None
    if line := _LINE.match(text):
        body = text[line.end() :]
        signed, text = _Signed(body, _base64(line[0]) or b"", "ES256"), body
    elif match := _JWS.fullmatch(text):
        header = _json(decode_base64url(match[1].decode(), "a list of keys"))
        if not isinstance(header, Mapping):
            raise _refused()
        body = match[2]
        if header.get("b64") is not False:
            body = decode_base64url(body.decode("latin-1"), "a list of keys")
        signature = decode_base64url(match[3].decode(), "a list of keys")
        signed, text = _Signed(match[1] + b"." + match[2], signature, str(header.get("alg"))), body
    if text[:1] not in (b"{", b"["):
        return list(_of_cbor(text)), signed
    return list(_of_json(_json(text))), signed


def _of_json(document: Any) -> Iterator[_Entry]:
    wrapped = document.get("payload") if isinstance(document, Mapping) else None
    if isinstance(wrapped, str):
        document = _json(_base64(wrapped.encode()) or b"")
    if isinstance(document, Mapping):
        if isinstance(by_country := document.get("dsc_trust_list"), Mapping):
            yield from _of_countries(by_country)
            return
        listed = next((document[name] for name in ("certificates", "certs", "eu_keys") if name in document), document)
    else:
        listed = document
    if isinstance(listed, list):
        yield from map(_listed, listed)
    elif isinstance(listed, Mapping) and listed:
        for key_id, value in listed.items():
            yield from (_named(key_id, one) for one in (value if isinstance(value, list) else [value]))
    else:
        raise _refused()


def _of_countries(by_country: Mapping[str, Any]) -> Iterator[_Entry]:
    """JSON Web Keys, each with its certificate, which is what counts (DSC-TL, 2.2.1)."""
    for country, held in by_country.items():
        keys = held.get("keys") if isinstance(held, Mapping) else None
        for jwk in keys if isinstance(keys, list) else ():
            chain = jwk.get("x5c") if isinstance(jwk, Mapping) else None
            if not isinstance(chain, list) or not chain:
                raise _refused()
            yield _Entry(SIGNER, country, jwk.get("kid"), chain[0])


def _listed(item: Any) -> _Entry:
    """An entry of the gateway, or of a service that names key and key id."""
    if not isinstance(item, Mapping) or not (key_id := item.get("kid") or item.get("keyId")):
        raise _refused()
    kind = item.get("certificateType", SIGNER)
    if kind not in _TYPES:
        raise _refused()
    form = _Gateway if "signature" in item else _Entry
    return form(kind, str(item.get("country") or ""), key_id, _material(item), item.get("keyUsage"))


def _named(key_id: str, value: Any) -> _Entry:
    if len(_base64(key_id.encode()) or b"") != KEY_ID_BYTES:
        raise _refused()
    if isinstance(value, Mapping):
        usage = value.get("keyUsage", value.get("usages"))
        return _Entry(SIGNER, str(value.get("country") or ""), key_id, _material(value), usage)
    return _Entry(SIGNER, "", key_id, value)


def _material(item: Mapping[str, Any]) -> Any:
    return next((item[name] for name in _FIELDS if isinstance(item.get(name), str)), None)


def _of_cbor(content: bytes) -> Iterator[_Entry]:
    try:
        document = cbor.loads(content, "a list of keys", max_bytes=MAX_BYTES)
    except BadInput:
        raise _refused() from None
    listed = document.get("c") if isinstance(document, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(item, Mapping) for item in listed):
        raise _refused()
    yield from (_Entry(SIGNER, "", item.get("i"), item.get("c")) for item in listed)


def _signer(entry: _Entry, country: str, authorities: Sequence[x509.Certificate]) -> Signer:
    """The signer of an entry, each part of it checked that can be. Raises BadInput, LimitExceeded."""
    key_id = entry.key_id if isinstance(entry.key_id, bytes) else _base64(str(entry.key_id).encode()) or b""
    if len(key_id) != KEY_ID_BYTES:
        raise BadInput("Its key id is not 8 bytes in base64.", "Fetch the list again.")
    if not isinstance(entry.material, str | bytes):
        raise BadInput("It holds neither certificate nor key.", "Fetch the list again.")
    der = to_der(entry.material)
    if (key := read_public_key(der)) is not None:
        _require_usable(key)
        kinds = frozenset(_KINDS) & {str(one).lower() for one in entry.usage or ()}
        return Signer(key_id, _country(entry.country, country), der, is_certificate=False, usage=kinds or None)
    certificate = read_certificate(der)
    _require_usable(certificate.public_key)
    if key_id_of(der) != key_id:
        raise BadInput("Its key id is not that of its certificate.", "Fetch the list again.")
    held_by = _country(entry.country or certificate.country or "", country)
    is_chained = _is_chained(der, held_by, authorities)
    if is_chained is False:
        raise BadInput("No authority of its country that is at hand signed its certificate.", "Ask the country.")
    return Signer(key_id, held_by, der, ends_at=certificate.not_after, is_chained=is_chained)


def _require_usable(key: PublicKey) -> None:
    if fitting_algorithm(key) is None:
        raise BadInput("It is of a type or size that verifies no certificate.", "Ask the country for another key.")


def _country(stated: str, otherwise: str) -> str:
    found = stated.upper() if _COUNTRY.fullmatch(stated.upper()) else otherwise
    if not found:
        raise BadInput("Nothing says of which country the key is.", "Give the country that holds such keys.")
    return found


def _authority(material: Any) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(to_der(material))
    except (BadInput, LimitExceeded, ValueError, TypeError):
        return None


def _is_chained(der: bytes, country: str, authorities: Sequence[x509.Certificate]) -> bool | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        near = [one for one in authorities if _country_of(one) == country]
    except ValueError:
        return None  # of a form that a strict reader refuses, though its key is sound
    return any(_is_signed_by(certificate, one) for one in near) if near else None


def _country_of(certificate: x509.Certificate) -> str:
    named = certificate.subject.get_attributes_for_oid(x509.NameOID.COUNTRY_NAME)
    return str(named[0].value).upper() if named else ""


def _is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _verify(signed: _Signed | None, signer: VerificationKey) -> None:
    if signed is None:
        raise BadInput("The list has no signature that can be checked here.", "Check it with the tools of its service.")
    signature = signed.signature
    if signed.algorithm == "ES256" and len(signature) != 2 * 32:  # DER, as some services write it
        try:
            r, s = decode_dss_signature(signature)
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        except (ValueError, OverflowError):
            signature = b""
    if not signer.verifies(signed.algorithm, signature, signed.message):
        raise Tampered("The given key did not sign the list of keys.", "Fetch list and key again.")


def _name(key_id: Any) -> str:
    return base64.b64encode(key_id).decode() if isinstance(key_id, bytes) else str(key_id or "")[:24]


def _base64(text: bytes) -> bytes | None:
    """Bytes of base64 in either alphabet, padded or not; None for anything else."""
    plain = text.strip().rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return None


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise _refused() from None


def _refused() -> BadInput:
    return BadInput(
        "This is no list of signers of EU certificates that is known here.",
        "Give the gateway's trust list, or a national service's list of keys, as it was fetched.",
    )
