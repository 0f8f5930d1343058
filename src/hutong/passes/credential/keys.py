"""Public keys that verify passes: JSON Web Keys, and the ring that finds a key by its id."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hutong.errors import BadInput, LimitExceeded, PrivateKeyGiven

from .certificates import Certificate, read_certificate

MAX_TRIALS = 64
"""How many keys without a fitting id one signature is tried with: some milliseconds."""
_ES256 = ec.ECDSA(hashes.SHA256())
_CURVES: Mapping[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
_MAX_NUMBER = 2048
"""Characters of one number of a JWK: base64 of an RSA modulus of 8,192 bits takes 1,366."""
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{16}")
"""A certificate's key id, 8 bytes: as base64 these are 11 or 12 characters."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_PS256 = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key and what is known of it.

    Attributes:
        public_key: EC on P-256 or RSA of at least 2,048 bits; others load but verify nothing.
        key_ids: the byte strings by which a message may name it; empty for a bare public key.
        name: the key id as text (a JWK's ``kid``, else base64 of the certificate's key id).
        usage: certificate types it may sign ("v", "t", "r"); None when it is not restricted.
        issuer: who holds it, where the source says so (certificate country, JWK set address).
        not_before, not_after: validity of the certificate, if it has one.
        algorithm: the only one that the key is for; None when it is not restricted.
        jwk: the JSON Web Key as received, by which the key of a card's issuer is judged; None for other keys.
        revocations: the list of cards revoked under it, as received; None where there is none.
    """

    public_key: PublicKey
    key_ids: frozenset[bytes]
    name: str
    usage: frozenset[str] | None = None
    issuer: str | None = None
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    algorithm: str | None = None
    jwk: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    revocations: Any = field(default=None, repr=False, compare=False)
    _verifies: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fitting = fitting_algorithm(self.public_key)
        object.__setattr__(self, "_verifies", fitting if self.algorithm in (None, fitting) else None)

    def verifies(self, algorithm: str, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` (raw r‖s for ES256, RFC 9053, 2.1) over ``message`` is this key's."""
        if algorithm != self._verifies:
            return False
        try:
            if algorithm == "ES256":
                if len(signature) != 64:
                    return False
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                cast("ec.EllipticCurvePublicKey", self.public_key).verify(encode_dss_signature(r, s), message, _ES256)
            else:
                cast("rsa.RSAPublicKey", self.public_key).verify(signature, message, _PS256, hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True


def fitting_algorithm(key: PublicKey) -> str | None:
    """The algorithm of COSE and JOSE in which a key may verify here; None for another curve or too short a modulus."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ES256" if key.curve.name == "secp256r1" else None
    return "PS256" if key.key_size >= 2048 else None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys found by their id; build it once and pass it again, so that nothing is parsed twice.

    Attributes:
        notes: what a reader should know of the keys, one sentence each: which of them can't be used, and why.
        issuers: who holds one of them, where the source says so.
    """

    keys: tuple[VerificationKey, ...] = ()
    _by_id: Mapping[bytes, tuple[VerificationKey, ...]] = field(default_factory=dict, repr=False)
    _nameless: tuple[VerificationKey, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    issuers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, keys: KeyRing | Iterable[Any] | Path) -> KeyRing:
        """Ring of certificates, public keys, JWKs, JWK sets or ready keys. What is no usable key is left out and noted.

        Args:
            keys: X.509 certificates and SubjectPublicKeyInfos as DER, base64 or PEM (one or several), JSON Web Keys
                and sets as mappings or as their text, directories of card issuers with their keys (``issuerInfo``),
                DID documents of the WHO network, lists of these, and paths of files or folders of them.

        Raises:
            BadInput: something that is none of these, a private key, or none that can be used.
            LimitExceeded: more than 100,000 keys.
            NotFound, Unavailable: a path where nothing can be read.
        """
        if isinstance(keys, KeyRing):
            return keys
        if isinstance(keys, str | bytes | bytearray | memoryview | Mapping | Path):
            keys = (keys,)
        if not isinstance(keys, Iterable):
            raise BadInput("Keys are one key, several, or a ring of them.", "Give an empty list where there are none.")
        from .key_sources import read_all, tell

        found = read_all(keys)
        index: dict[bytes, tuple[VerificationKey, ...]] = {}
        for item in found.keys:
            for key_id in item.key_ids:
                index[key_id] = (*index.get(key_id, ()), item)
        nameless = tuple(item for item in found.keys if not item.key_ids)
        notes = tell(found) + _tell_shared(found.keys, index)
        if len(nameless) > MAX_TRIALS:
            notes += (f"{len(nameless)} keys have no id, more than {MAX_TRIALS}: none of them is tried.",)
        issuers = frozenset(item.issuer for item in found.keys if item.issuer is not None)
        return cls(found.keys, index, nameless, notes, issuers)

    def find(
        self, key_id: bytes | None, fits: Callable[[VerificationKey], bool]
    ) -> tuple[bool | None, VerificationKey | None]:
        """Whose signature it is.

        All keys with the message's id are tried, for ids are short and may collide (HCERT 1.1, 3.2.3), then keys that
        have no id. A message without an id is tried with all keys. More than 64 such keys are not tried at all.

        Returns:
            (True, the key) · (False, None) when keys have the message's id and the signature fits none of them ·
            (None, None) when no key has its id: the right key may be missing.
        """
        named = self._by_id.get(key_id, ()) if key_id is not None else ()
        others = self.keys if key_id is None else self._nameless
        for key in named:
            if fits(key):
                return True, key
        for key in others if len(others) <= MAX_TRIALS else ():
            if fits(key):
                return True, key
        return (False if named else None), None


def _tell_shared(keys: Iterable[VerificationKey], index: Mapping[bytes, Sequence[VerificationKey]]) -> tuple[str, ...]:
    """Key ids in hexadecimal that name another key, too: of one of the two it may be meant otherwise."""
    written = {read: key.name for key in keys if (read := read_hexadecimal(key.name)) is not None}
    shared = [name for read, name in written.items() if _differ(index.get(read, ()))]
    if not shared:
        return ()
    from .gdhcn import some_of

    return (
        f"{len(shared)} of the key ids are in hexadecimal and name another key, too: {some_of(shared)}. All are tried.",
    )


def _differ(keys: Sequence[VerificationKey]) -> bool:
    return any(key.public_key != keys[0].public_key for key in keys)


def read_hexadecimal(name: str) -> bytes | None:
    """A certificate's key id of 8 bytes that is written in hexadecimal; None for any other text."""
    return bytes.fromhex(name) if _HEXADECIMAL.fullmatch(name) else None


def certified_ids(key_id: bytes) -> frozenset[bytes]:
    """How messages write a certificate's key id: its 8 bytes, or, against RFC 9052, 3.1, their base64 as text."""
    text = base64.b64encode(key_id)
    return frozenset({key_id, text, text.rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")})


def decode_base64url(text: object, what: str) -> bytes:
    """Base64url without padding, strict (RFC 7515, 2).

    Raises:
        BadInput: not text, padding, a foreign character or an impossible length.
    """
    if not isinstance(text, str) or not text.isascii() or set(text) & set("+/= \t\r\n"):
        raise BadInput(f"The base64url of {what} cannot be read.", "Use it as it was issued.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(f"The base64url of {what} cannot be read.", "Use it as it was issued.") from None


def encode_base64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_jwk(jwk: Mapping[str, Any], *, issuer: str | None = None) -> VerificationKey:
    """Public key of a JSON Web Key (RFC 7517): EC on P-256, P-384 or RSA, or its certificate's where it has one.

    Numbers are read as the field writes them, beside RFC 7518, 6.2 and 6.3: padded, in either alphabet of base64, with
    zero bytes before them or none. Where type, curve and numbers give no key, the certificate's counts; where they
    give another one, neither does.

    A key for another use than signatures loads, but verifies nothing. Without ``issuer`` it is the one address that
    its certificate names: a key with a certificate signs cards of that issuer alone (SMART Health Cards,
    "Certificates").

    Raises:
        BadInput: a private or symmetric key, another curve or coordinates that are not on it where no certificate
            helps, another key than that of its certificate (``x5c``), not a JWK.
    """
    if isinstance(jwk, Mapping) and "d" in jwk:
        raise PrivateKeyGiven("A JSON Web Key is not a public key.", "Give the public part alone.")
    if not isinstance(jwk, Mapping) or "k" in jwk:
        raise BadInput("A JSON Web Key is not a public key.", "Give the public part alone.")
    certificate = _attached(jwk)
    try:
        public_key = _jwk_public_key(jwk)
    except BadInput:
        if certificate is None:
            raise
        public_key = certificate.public_key
    if certificate is not None and not _agrees(jwk, public_key, certificate.public_key):
        raise BadInput("A JSON Web Key is not the key of its certificate.", "Ask the issuer for its key.")
    name = _jwk_name(jwk)
    return VerificationKey(
        public_key=public_key,
        key_ids=_jwk_key_ids(name) | (certified_ids(certificate.key_id) if certificate is not None else frozenset()),
        name=name,
        usage=certificate.usage if certificate is not None else None,
        issuer=issuer or _certified_issuer(certificate),
        not_before=certificate.not_before if certificate is not None else None,
        not_after=certificate.not_after if certificate is not None else None,
        algorithm=_jwk_algorithm(jwk),
        jwk=jwk,
    )


def _jwk_name(jwk: Mapping[str, Any]) -> str:
    """The ``kid``; "" where there is none, or one that no UTF-8 can hold."""
    name = jwk.get("kid")
    return name if isinstance(name, str) and not _SURROGATES.search(name) else ""


def _attached(jwk: Mapping[str, Any]) -> Certificate | None:
    """The key's own certificate; None when there is none that can be read."""
    chain = jwk.get("x5c")
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        return None
    try:
        return read_certificate(chain[0])
    except (BadInput, LimitExceeded):
        return None


def _certified_issuer(certificate: Certificate | None) -> str | None:
    named = [] if certificate is None else [uri for uri in certificate.addresses if uri.startswith("https://")]
    return named[0] if len(named) == 1 else None


def _jwk_algorithm(jwk: Mapping[str, Any]) -> str | None:
    """What the key is meant for (RFC 7517, 4.2-4.4): a name, "" for nothing that is known here, None for anything."""
    operations = jwk.get("key_ops")
    if jwk.get("use") not in (None, "sig") or (isinstance(operations, list) and "verify" not in operations):
        return ""
    algorithm = jwk.get("alg")
    return algorithm if isinstance(algorithm, str) else None


def _jwk_public_key(jwk: Mapping[str, Any]) -> PublicKey:
    kind, curve = jwk.get("kty"), _curve(jwk)
    try:
        if kind == "EC" and curve is not None:
            x, y = (_jwk_number(jwk.get(part)) for part in ("x", "y"))
            return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
        if kind == "RSA":
            n, e = (_jwk_number(jwk.get(part)) for part in ("n", "e"))
            if not 2048 <= n.bit_length() <= 8192:
                raise ValueError("modulus")
            return rsa.RSAPublicNumbers(e, n).public_key()
    except (ValueError, OverflowError):
        raise BadInput("A JSON Web Key holds no usable point or modulus.", "Ask the issuer for its key.") from None
    raise BadInput("A JSON Web Key is of a type that signs no pass.", "Use EC P-256 (ES256) or RSA (PS256).")


def _agrees(jwk: Mapping[str, Any], public_key: PublicKey, certified: PublicKey) -> bool:
    """Whether all that a JWK says fits its certificate: the key, and the type and curve that it names."""
    if public_key.public_numbers() != certified.public_numbers():
        return False
    if not isinstance(certified, ec.EllipticCurvePublicKey):
        return bool(jwk.get("kty", "RSA") == "RSA")
    named = _curve(jwk)
    return jwk.get("kty", "EC") == "EC" and (named is None or named.name == certified.curve.name)


def _curve(jwk: Mapping[str, Any]) -> ec.EllipticCurve | None:
    name = jwk.get("crv")
    return _CURVES.get(name) if isinstance(name, str) else None


def _jwk_number(text: object) -> int:
    if isinstance(text, str) and len(text) > _MAX_NUMBER:
        raise ValueError("number")
    return int.from_bytes(decode_base64url(_compact(text), "a key"), "big")


def _compact(text: object) -> object:
    """Base64 of either alphabet as base64url without padding (RFC 7515, 2)."""
    return text.rstrip("=").replace("+", "-").replace("/", "_") if isinstance(text, str) else text


def _jwk_key_ids(name: str) -> frozenset[bytes]:
    """A JWS names the key by the text, a COSE message by the bytes of which the text is base64(url) or hexadecimal."""
    ids = {name.encode()} if name else set()
    written = read_hexadecimal(name)
    ids |= certified_ids(written) if written is not None else set()
    try:
        decoded = decode_base64url(_compact(name), "a key id")
    except BadInput:
        return frozenset(ids)
    return frozenset(ids | {decoded}) if decoded else frozenset(ids)


def write_jwk(public_key: ec.EllipticCurvePublicKey, key_id: bytes) -> dict[str, str]:
    """JSON Web Key of a P-256 public key, its ``kid`` being base64url of ``key_id``."""
    numbers = public_key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "alg": "ES256",
        "use": "sig",
        "kid": encode_base64url(key_id),
        "x": encode_base64url(numbers.x.to_bytes(32, "big")),
        "y": encode_base64url(numbers.y.to_bytes(32, "big")),
    }
