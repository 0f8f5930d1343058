"""COSE_Sign1 (RFC 9052, 4.2) with ES256 and PS256, as certificates in the field use it.

Messages come untagged, with tag 18, or inside the CWT tag 61. The protected header decides; the unprotected one
is read only for what the protected one leaves open, so that nobody steers a verifier from outside the signature.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hutong.errors import BadInput

from . import cbor
from .certificates import KEY_ID_BYTES, key_id_of
from .keys import KeyRing, VerificationKey

ALGORITHM, KEY_ID, CRITICAL = 1, 4, 2
CHAIN, THUMBPRINT, SHA_256 = 33, 34, -16
ALGORITHMS = {-7: "ES256", -37: "PS256"}
_TAGS = (18, 61)
_ES256 = ec.ECDSA(hashes.SHA256())
_ES256_REPEATABLE = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_CONTEXT = b"\x84\x6aSignature1"
_SIGNED_HEAD, _EMPTY_MAP = b"\xd2\x84", 0xA0
_Fields = tuple[bytes, Mapping[Any, Any], bytes, bytes]


class Sign1(NamedTuple):
    """One signed message, its signature not yet checked.

    Attributes:
        protected, payload, signature: bytes as they stand in the message.
        algorithm: "ES256", "PS256" or None for every other one.
        key_id: bytes of header 4, protected first; without it, the key id of the certificate that headers 33 and 34
            (RFC 9360) hold or name; None when absent.
    """

    protected: bytes
    unprotected: Mapping[Any, Any]
    payload: bytes
    signature: bytes
    algorithm: str | None
    key_id: bytes | None

    def to_be_signed(self) -> bytes:
        """The Sig_structure (RFC 9052, 4.4) without external data."""
        return (
            _CONTEXT + _bytes_head(self.protected) + self.protected + b"\x40" + _bytes_head(self.payload) + self.payload
        )


def _bytes_head(data: bytes) -> bytes:
    """CBOR head of a byte string."""
    size = len(data)
    if size < 24:
        return bytes((0x40 | size,))
    if size < 256:
        return bytes((0x58, size))
    return b"\x59" + struct.pack(">H", size) if size < 65_536 else b"\x5a" + struct.pack(">I", size)


def parse(message: bytes, *, max_bytes: int = cbor.MAX_BYTES) -> Sign1:
    """Read a COSE_Sign1 message.

    Raises:
        BadInput: not four fields of the right types, a header that must be understood and is not.
        LimitExceeded: longer than ``max_bytes``.
    """
    raw, unprotected, payload, signature = _split(message) or _decode(message, max_bytes)
    protected = _read_protected(raw)
    if CRITICAL in protected:
        raise _refused()
    algorithm = protected.get(ALGORITHM, unprotected.get(ALGORITHM))
    named = (header[KEY_ID] for header in (protected, unprotected) if header.get(KEY_ID, b"") not in (b"", ""))
    key_id = _to_key_id(next(named, None))  # an empty one names no key
    if key_id is None:
        key_id = _certificate_id({**unprotected, **protected})
    signed = raw if protected else b""  # an empty map is signed as an empty string (RFC 9052, 3)
    name = ALGORITHMS.get(algorithm) if isinstance(algorithm, int) else None
    return Sign1(signed, unprotected, payload, signature, name, key_id)


def _split(message: bytes) -> _Fields | None:
    """The fields of a message in the form that :class:`Signer` writes, in a fifth of the time that a decoder takes.

    That form is tag 18, an array of four, three byte strings of less than 256 bytes, an empty unprotected header. None
    for every other form, sound or not: it is the decoder's.
    """
    if not message.startswith(_SIGNED_HEAD):
        return None
    try:
        protected, after = _short_bytes(message, len(_SIGNED_HEAD))
        payload, after_payload = _short_bytes(message, after + 1)
        signature, end = _short_bytes(message, after_payload)
    except (IndexError, ValueError):
        return None
    return (protected, {}, payload, signature) if message[after] == _EMPTY_MAP and end == len(message) else None


def _short_bytes(message: bytes, at: int) -> tuple[bytes, int]:
    """The byte string that begins at a place, and where it ends, which may be past the message's end."""
    head = message[at]
    if head == 0x58:
        start, size = at + 2, message[at + 1]
    elif 0x40 <= head < 0x58:
        start, size = at + 1, head - 0x40
    else:
        raise ValueError("not a short byte string")
    return message[start : start + size], start + size


def _decode(message: bytes, max_bytes: int) -> _Fields:
    """The fields of a message in any form."""
    item = cbor.loads(message, "the signed message", max_bytes=max_bytes)
    for _ in _TAGS:
        if isinstance(item, cbor2.CBORTag) and item.tag in _TAGS:
            item = item.value
    if not isinstance(item, list | tuple) or len(item) != 4:
        raise _refused()
    raw, unprotected, payload, signature = item
    if not (isinstance(raw, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise _refused()
    if not isinstance(unprotected, Mapping):
        raise _refused()
    return raw, unprotected, payload, signature


@lru_cache(maxsize=1024)
def _read_protected(raw: bytes) -> Mapping[Any, Any]:
    """Protected header; all passes of one issuer carry the same bytes, so it is decoded once."""
    header = cbor.loads(raw, "the protected header", max_bytes=1024) if raw else {}
    if not isinstance(header, Mapping):
        raise _refused()
    return header


def _to_key_id(key_id: object) -> bytes | None:
    """Some issuers write the key id as text, although it is a byte string (RFC 9052, 3.1)."""
    if isinstance(key_id, str):
        return key_id.encode()
    return key_id if isinstance(key_id, bytes) else None


def _certificate_id(header: Mapping[Any, Any]) -> bytes | None:
    """Key id of the signer's certificate from its hash or itself: it says which key is meant, not that it is good."""
    thumbprint, chain = header.get(THUMBPRINT), header.get(CHAIN)
    if isinstance(thumbprint, list | tuple) and len(thumbprint) == 2 and thumbprint[0] == SHA_256:
        return thumbprint[1][:KEY_ID_BYTES] if isinstance(thumbprint[1], bytes) else None
    leaf = chain[0] if isinstance(chain, list | tuple) and chain else chain
    return key_id_of(leaf) if isinstance(leaf, bytes) else None


def _refused() -> BadInput:
    return BadInput("The signed message is not COSE_Sign1.", "Scan the code again or ask the issuer.")


def verify(message: Sign1, keys: KeyRing) -> tuple[bool | None, VerificationKey | None]:
    """Check the signature.

    Returns:
        As :meth:`~.keys.KeyRing.find`; a signature by another algorithm than ES256 and PS256 fits no key.
    """
    algorithm = message.algorithm
    if algorithm is None:
        return keys.find(message.key_id, lambda _: False)
    signed, signature = message.to_be_signed(), message.signature
    return keys.find(message.key_id, lambda key: key.verifies(algorithm, signature, signed))


class Signer:
    """Signs many payloads with one ES256 key: everything that does not change is computed once.

    Args:
        key: private key on P-256.
        key_id: bytes that verifiers find the public key by.
        headers: further protected headers (such as 16, the content type).
        repeatable: sign the same payload as the same bytes (RFC 6979), which takes longer.

    Raises:
        BadInput: a key on another curve.
    """

    __slots__ = ("_algorithm", "_head", "_key", "_sign_head", "key_id", "public_key")

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        key_id: bytes,
        headers: Mapping[int, Any] | None = None,
        *,
        repeatable: bool = False,
    ) -> None:
        if key.curve.name != "secp256r1":
            raise BadInput("The signing key is not on the curve P-256.", "Make a key for ES256.")
        protected = cbor.dumps({ALGORITHM: -7, KEY_ID: key_id, **(headers or {})})
        head = _bytes_head(protected) + protected
        self._key = key
        self._algorithm = _ES256_REPEATABLE if repeatable else _ES256
        self._head = _SIGNED_HEAD + head + bytes((_EMPTY_MAP,))
        self._sign_head = _CONTEXT + head + b"\x40"
        self.key_id = key_id
        self.public_key = key.public_key()

    def sign(self, payload: bytes) -> bytes:
        """COSE_Sign1 with tag 18 over ``payload``."""
        body = _bytes_head(payload) + payload
        r, s = decode_dss_signature(self._key.sign(self._sign_head + body, self._algorithm))
        return b"".join((self._head, body, b"\x58\x40", r.to_bytes(32, "big"), s.to_bytes(32, "big")))


def key_name(key_id: bytes | None) -> str | None:
    """Key id as it is written in trust lists: base64, as for certificates; None stays None."""
    return None if key_id is None else binascii.b2a_base64(key_id, newline=False).decode()
