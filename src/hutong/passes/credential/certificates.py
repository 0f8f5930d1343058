"""Lenient reading of X.509 document signer certificates (RFC 5280).

Certificates in the field carry extensions that a strict parser refuses (encoded DEFAULT values, an empty
extended key usage), although their key is sound. Trust comes from the trust list, not from the path, so only what
a verifier of passes needs is read here: key, key id, validity, country, and the types that the key may sign.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hutong.errors import BadInput, LimitExceeded

MAX_CERTIFICATE_BYTES = 16_384
KEY_ID_BYTES = 8
_PEM = re.compile(
    r"-----BEGIN (?:CERTIFICATE|PUBLIC KEY)-----([^-]*(?:-(?!----)[^-]*)*)-----END (?:CERTIFICATE|PUBLIC KEY)-----"
)
PRIVATE_PEM = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")
_FROM_URL_SAFE = str.maketrans("-_", "+/")
_BOOLEAN, _INTEGER, _OCTETS, _OID, _UTC_TIME, _TIME, _SEQUENCE = 0x01, 0x02, 0x04, 0x06, 0x17, 0x18, 0x30
_EXTENDED_KEY_USAGE = bytes.fromhex("551d25")
_ALTERNATIVE_NAME = bytes.fromhex("551d11")
_BASIC_CONSTRAINTS = bytes.fromhex("551d13")
_ADDRESS = 0x86  # context tag 6 of GeneralName: a URI
_COUNTRY = bytes.fromhex("550406")
# 1.3.6.1.4.1.1847.2021.1.{1 test, 2 vaccination, 3 recovery}; early issuers wrote 1.3.6.1.4.1.0.1847.2021.1.x.
_TYPES = {
    bytes.fromhex(prefix + f"8e378f6501{number:02x}"): letter
    for prefix in ("2b06010401", "2b0601040100")
    for number, letter in ((1, "t"), (2, "v"), (3, "r"))
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a verifier needs of a document signer certificate.

    Attributes:
        der: the certificate as given.
        key_id: first 8 bytes of SHA-256 of ``der``.
        usage: of "v", "t", "r" those that the extended key usage names; None when it names no purpose at all.
        country: ISO 3166-1 alpha-2 of the subject, if stated.
        addresses: URIs of the subject alternative name (RFC 5280, 4.2.1.6).
        is_authority: whether it is of an authority that signs certificates, and no passes (RFC 5280, 4.2.1.9).
    """

    der: bytes
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    key_id: bytes
    usage: frozenset[str] | None
    country: str | None
    not_before: dt.datetime
    not_after: dt.datetime
    addresses: tuple[str, ...] = ()
    is_authority: bool = False

    def may_sign(self, kinds: frozenset[str]) -> bool:
        """Whether the usage covers every certificate type in ``kinds``."""
        return self.usage is None or kinds <= self.usage


def key_id_of(der: bytes) -> bytes:
    """Key id of a certificate: the first 8 bytes of its SHA-256 (HCERT 1.0, 3.3.1)."""
    return hashlib.sha256(der).digest()[:KEY_ID_BYTES]


def read_certificate(source: bytes | str) -> Certificate:
    """Read DER bytes, base64 of them, or PEM.

    Raises:
        BadInput: not a certificate, or a key type other than EC and RSA.
        LimitExceeded: longer than 16 KiB.
    """
    der = to_der(source)
    try:
        return _parse(der)
    except (ValueError, IndexError, UnsupportedAlgorithm, OverflowError):
        raise BadInput(
            "A certificate cannot be read.", "Give X.509 with an EC or RSA key, as DER, base64 or PEM."
        ) from None


def read_public_key(der: bytes) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey | None:
    """The key of a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7); None when the bytes are none, or of another type."""
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) else None


def is_private_key(der: bytes) -> bool:
    """Whether the bytes are a private key (PKCS #1, SEC 1 or PKCS #8), open or encrypted."""
    try:
        kinds = [tag for tag, *_ in _children(der, *_read(der, 0)[1:])]
    except (ValueError, IndexError):
        return False
    return (kinds[:1] == [_INTEGER] and len(kinds) > 2) or kinds == [_SEQUENCE, _OCTETS]


def split_pem(text: str) -> tuple[str, ...]:
    """Base64 of each certificate or public key of a PEM text (RFC 7468); the text itself when it is no PEM."""
    return tuple(match[1] for match in _PEM.finditer(text)) or (text,)


def to_der(source: bytes | str) -> bytes:
    """DER of what is DER, base64 (standard or URL-safe) or PEM; of several in a PEM text the first.

    Raises:
        BadInput: none of these.
        LimitExceeded: longer than 16 KiB.
    """
    if len(source) > 2 * MAX_CERTIFICATE_BYTES:
        raise LimitExceeded("A certificate is longer than 16 KiB.", "Give one certificate at a time.")
    if isinstance(source, bytes):
        if source[:1] == b"\x30":
            return source
        source = source.decode("ascii", "replace")
    text = "".join(split_pem(source)[0].split()).translate(_FROM_URL_SAFE)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("A certificate is neither DER nor base64 nor PEM.", "Export it again.") from None


def _read(data: bytes, start: int) -> tuple[int, int, int]:
    """Tag, first content byte and end of the element at ``start`` (X.690, definite length only)."""
    tag, length = data[start], data[start + 1]
    begin = start + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("length")
        length = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    if begin + length > len(data):
        raise ValueError("cut off")
    return tag, begin, begin + length


def _children(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, start, first content byte and end of each element between ``begin`` and ``end``."""
    while begin < end:
        tag, content, stop = _read(data, begin)
        if stop > end:
            raise ValueError("cut off")
        yield tag, begin, content, stop
        begin = stop


def _parse(der: bytes) -> Certificate:
    _, begin, end = _read(der, 0)
    _, begin, end = _read(der[:end], begin)
    parts = list(_children(der, begin, end))
    if parts[0][0] == 0xA0:  # version
        del parts[0]
    _serial, _algorithm, _issuer, validity, subject, key = parts[:6]
    not_before, not_after = (_time(der, *child) for child in _children(der, *validity[2:]))
    public_key = load_der_public_key(der[key[1] : key[3]])
    if not isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ValueError("key type")
    extensions = next((part for part in parts[6:] if part[0] == 0xA3), None)
    return Certificate(
        der=der,
        public_key=public_key,
        key_id=key_id_of(der),
        usage=_usage(der, extensions) if extensions else None,
        addresses=_addresses(der, extensions) if extensions else (),
        is_authority=_is_authority(der, extensions) if extensions else False,
        country=_country(der, subject),
        not_before=not_before,
        not_after=not_after,
    )


def _time(der: bytes, tag: int, _start: int, begin: int, end: int) -> dt.datetime:
    text = der[begin:end].decode("ascii").removesuffix("Z")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _TIME:
        raise ValueError("time")
    return dt.datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)


def _country(der: bytes, name: tuple[int, int, int, int]) -> str | None:
    for _, _, begin, end in _children(der, *name[2:]):
        for _, _, inner, stop in _children(der, begin, end):
            oid, value = list(_children(der, inner, stop))[:2]
            if der[oid[2] : oid[3]] == _COUNTRY:
                return der[value[2] : value[3]].decode("ascii", "replace").upper()
    return None


def _extension(der: bytes, extensions: tuple[int, int, int, int], oid: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Elements of the sequence that the extension ``oid`` holds; none where the certificate has no such extension."""
    _, begin, end = _read(der, extensions[2])
    for _, _, inner, stop in _children(der, begin, end):
        fields = list(_children(der, inner, stop))
        if der[fields[0][2] : fields[0][3]] == oid:
            octets = next(field for field in fields if field[0] == _OCTETS)
            _, first, last = _read(der, octets[2])
            return _children(der, first, last)
    return iter(())


def _usage(der: bytes, extensions: tuple[int, int, int, int]) -> frozenset[str] | None:
    purposes = {der[b:e] for tag, _, b, e in _extension(der, extensions, _EXTENDED_KEY_USAGE) if tag == _OID}
    if not purposes:  # an empty list restricts nothing; a list of other purposes excludes passes
        return None
    return frozenset(_TYPES[purpose] for purpose in purposes if purpose in _TYPES)


def _is_authority(der: bytes, extensions: tuple[int, int, int, int]) -> bool:
    try:
        fields = list(_extension(der, extensions, _BASIC_CONSTRAINTS))
    except (ValueError, IndexError, StopIteration):
        return False  # nothing that can be read says so
    return any(tag == _BOOLEAN and any(der[begin:end]) for tag, _, begin, end in fields)


def _addresses(der: bytes, extensions: tuple[int, int, int, int]) -> tuple[str, ...]:
    names = _extension(der, extensions, _ALTERNATIVE_NAME)
    return tuple(der[b:e].decode("ascii", "replace") for tag, _, b, e in names if tag == _ADDRESS)
