"""Hutong's own pass: a level, the rulebook that gave it, and nothing that says whose it is.

An HCERT (CWT in COSE_Sign1, ES256) with the private claim key -72 inside claim -260, holding one array::

    [level, rulebook, version, pass id, status index, holder commitment, (digests)]

The array is positional, for every byte makes the picture harder to scan: with an issuer, a level and a rulebook id of
together at most 18 characters the signed message is at most 160 bytes and the picture at most QR version 11-Q, in every
status list, unless it carries further facts, which cost 17 bytes each. CBOR writes a status index of 2³² and more (from
an issuer's 257th list on) in 9 bytes in place of 5; those stand in 5 bytes after the pass id, in one byte string::

    [level, rulebook, version, pass id and status index, holder commitment, (digests)]

The holder commitment is the first 12 bytes of SHA-256 over pass id and holder secret: who shows the secret is the
holder, and two passes of one holder share nothing, since the pass id is random.

Further facts travel as salted digests (the way of RFC 9901) that the holder discloses one by one, appended to the
text after ``~`` as base64url of CBOR ``[salt, name, value]``.

The level ``under-review``, which no level set has, is written as null: its name would not fit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from hutong.errors import BadInput, LimitExceeded

from ..rulebook.rulebook import UNDER_REVIEW
from . import cbor, cose, hcert
from .keys import decode_base64url, encode_base64url

CLAIM = -72
MAX_MINIMAL_BYTES = 159
"""What always fits QR version 11, error correction Q: 259 characters (ISO/IEC 18004, table 7).

Ids and a signature are random, so that zlib may add 11 bytes; base45 makes 255 characters of 170 bytes, after ``HC1:``.
"""
SHORT_INDEXES = 1 << 32  # CBOR writes those below in 5 bytes, and any other in 9
_INDEX_BYTES = 5
COMMITMENT_BYTES = 12
DIGEST_BYTES = 16
SALT_BYTES = 16
MAX_FACTS = 32
LIST_BITS = 24
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,31}")
_NAME_LENGTH = 32
_SIMPLE = (str, int, float, bool, type(None))
_ARRAY, _INTEGERS, _BYTES = (list, tuple), {int}, {bytes}
_VERSION = re.compile(r"(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")


@lru_cache(maxsize=1024)
def _is_name(text: str) -> bool:
    """Many passes say the same few codes and versions, so each is looked at once."""
    return _NAME.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class LevelPass:
    """What one pass says. Holds no name and no birth date, by construction.

    Attributes:
        issuer: code of the issuing party (such as "tw").
        issued_at, expires_at: whole seconds, UTC; the pass is for showing until ``expires_at``.
        level: id of the level in the rulebook's level set.
        rulebook, version: id and semantic version (three numbers) of the rulebook.
        pass_id: 8 to 16 random bytes.
        status_index: position in the issuer's status lists; its list is ``status_index >> 24``.
        commitment: 12 bytes, see :func:`commit_holder`.
        digests: 16-byte digests of facts that the holder may disclose.

    Raises:
        BadInput: a field of another form.
    """

    issuer: str
    issued_at: dt.datetime
    expires_at: dt.datetime
    level: str
    rulebook: str
    version: str
    pass_id: bytes
    status_index: int
    commitment: bytes
    digests: tuple[bytes, ...] = field(default=())

    def __post_init__(self) -> None:
        for value in (self.issuer, self.level, self.rulebook):
            if not (type(value) is str and len(value) <= _NAME_LENGTH and _is_name(value)):
                raise _refused("issuer, level or rulebook is not a short code")
        if not (isinstance(self.version, str) and len(self.version) <= _NAME_LENGTH and _is_version(self.version)):
            raise _refused("the rulebook version is not three numbers")
        if self.expires_at <= self.issued_at:
            raise _refused("it ends before it begins")
        if not (isinstance(self.pass_id, bytes) and 8 <= len(self.pass_id) <= 16):
            raise _refused("its id is not 8 to 16 bytes")
        if not (isinstance(self.commitment, bytes) and len(self.commitment) == COMMITMENT_BYTES):
            raise _refused("the holder commitment is not 12 bytes")
        if not (type(self.status_index) is int and 0 <= self.status_index < 1 << 40):
            raise _refused("the status index is not a position in a list")
        if len(self.digests) > MAX_FACTS or not {DIGEST_BYTES}.issuperset(map(len, self.digests)):
            raise _refused("a digest of a fact is not 16 bytes, or there are more than 32")

    @property
    def status_list(self) -> int:
        """Number of the status list that holds this pass."""
        return self.status_index >> LIST_BITS

    @property
    def status_position(self) -> int:
        """Position of this pass in its status list."""
        return self.status_index & ((1 << LIST_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact beside the level; ``value`` is text, a number, true, false or null."""

    name: str
    value: str | int | bool | None
    salt: bytes

    def encoded(self) -> bytes:
        """CBOR array ``[salt, name, value]``."""
        return cbor.dumps([self.salt, self.name, self.value])

    def digest(self) -> bytes:
        """First 16 bytes of SHA-256 over the encoded fact."""
        return hashlib.sha256(self.encoded()).digest()[:DIGEST_BYTES]

    def disclosure(self) -> str:
        """The text that shows the fact beside a pass with its digest: the encoded fact in base64url."""
        return encode_base64url(self.encoded())


def _refused(why: str) -> BadInput:
    return BadInput(f"The pass is not well formed: {why}.", "Ask the issuer for a correct pass.")


def commit_holder(pass_id: bytes, secret: bytes) -> bytes:
    """Commitment of the holder of ``secret`` (16 bytes or more) to the pass with this id."""
    return hashlib.sha256(b"hutong-holder" + pass_id + secret).digest()[:COMMITMENT_BYTES]


def is_held_by(claims: LevelPass, secret: bytes) -> bool:
    """Whether ``secret`` opens the pass's holder commitment."""
    return hmac.compare_digest(claims.commitment, commit_holder(claims.pass_id, secret))


def digests_of(facts: Iterable[Fact]) -> tuple[bytes, ...]:
    """Digests of the facts, sorted, so that their order tells nothing."""
    return tuple(sorted(fact.digest() for fact in facts))


class PassSigner:
    """Issues passes with one key; make it once and use it for the whole batch."""

    __slots__ = ("_signer",)

    def __init__(self, key: ec.EllipticCurvePrivateKey, key_id: bytes) -> None:
        """``key`` is on P-256; ``key_id`` are the 8 bytes under which the trust list holds the public key."""
        self._signer = cose.Signer(key, key_id)

    def sign(self, claims: LevelPass) -> bytes:
        """COSE_Sign1 message of the pass."""
        return self._signer.sign(_payload(claims))

    def issue(self, claims: LevelPass) -> str:
        """``HC1:`` text of the pass.

        Raises:
            LimitExceeded: the names are so long that a pass without facts might not fit QR version 11-Q.
        """
        message = self.sign(claims)
        if len(message) > MAX_MINIMAL_BYTES and not claims.digests:
            raise LimitExceeded(
                "The pass does not fit its picture.", "Shorten issuer, level or rulebook id (together 18 characters)."
            )
        return hcert.pack(message)


def issue(claims: LevelPass, key: ec.EllipticCurvePrivateKey, key_id: bytes) -> str:
    """``HC1:`` text of one pass; for many, make one :class:`PassSigner`."""
    return PassSigner(key, key_id).issue(claims)


def _payload(claims: LevelPass) -> bytes:
    entries: list[Any] = [
        None if claims.level == UNDER_REVIEW else claims.level,
        claims.rulebook,
        [int(part) for part in claims.version.split(".")],
        *_written_id(claims),
        claims.commitment,
    ]
    if claims.digests:
        entries.append(list(claims.digests))
    return cbor.dumps(
        {
            hcert.ISSUER: claims.issuer,
            hcert.EXPIRES: int(claims.expires_at.timestamp()),
            hcert.ISSUED: int(claims.issued_at.timestamp()),
            hcert.HCERT: {CLAIM: entries},
        }
    )


def _written_id(claims: LevelPass) -> tuple[bytes, int] | tuple[bytes]:
    """Pass id and status index, in 14 bytes either way for an id of 8."""
    if claims.status_index < SHORT_INDEXES:
        return claims.pass_id, claims.status_index
    return (claims.pass_id + claims.status_index.to_bytes(_INDEX_BYTES, "big"),)


def _with_index(entries: Sequence[Any]) -> Sequence[Any]:
    """The entries with pass id and status index apart, where they are one byte string."""
    if len(entries) in (5, 6) and type(entries[3]) is bytes and type(entries[4]) is bytes:
        joined = entries[3]
        index = int.from_bytes(joined[-_INDEX_BYTES:], "big")
        if index < SHORT_INDEXES:  # one way of writing each, so that nothing is signed in two forms
            raise _refused("the status index is not a position in a list")
        return [*entries[:3], joined[:-_INDEX_BYTES], index, *entries[4:]]
    return entries


def parse(claims: hcert.Claims) -> LevelPass:
    """Pass that the claims of an HCERT hold.

    Raises:
        BadInput: no claim -72, or fields of another form.
    """
    entries = claims.contents.get(CLAIM)
    if not isinstance(entries, _ARRAY):
        raise _refused("claim -72 is not an array")
    entries = _with_index(entries)
    if not 6 <= len(entries) <= 7:
        raise _refused("claim -72 is not an array of five to seven")
    level, rulebook, version, pass_id, status_index, commitment = entries[:6]
    digests = entries[6] if len(entries) == 7 else ()
    if claims.issued_at is None or claims.expires_at is None:
        raise _refused("it has no issue or no expiry time")
    if hcert.NOT_BEFORE in claims.unreadable_times or (
        claims.not_before is not None and claims.not_before > claims.issued_at
    ):
        raise _refused("it holds from another time than that of its issue")
    if not (isinstance(version, _ARRAY) and len(version) == 3 and _INTEGERS.issuperset(map(type, version))):
        raise _refused("the rulebook version is not three numbers")
    if not (isinstance(digests, _ARRAY) and _BYTES.issuperset(map(type, digests))):
        raise _refused("a digest of a fact is not 16 bytes")
    return LevelPass(  # by position: a tenth faster than by name, and it is done at every scan
        claims.issuer or "",
        claims.issued_at,
        claims.expires_at,
        UNDER_REVIEW if level is None else level,
        rulebook,
        f"{version[0]}.{version[1]}.{version[2]}",
        pass_id,
        status_index,
        commitment,
        tuple(digests),
    )


def disclose(text: str, facts: Sequence[Fact | str]) -> str:
    """The pass's text followed by the facts that the holder chooses to show: as facts, or as their disclosures.

    Whether they are facts of this pass is for ``read_pass`` to say, which reads the whole.
    """
    return "~".join([text, *(fact if isinstance(fact, str) else fact.disclosure() for fact in facts)])


def read_facts(claims: LevelPass, disclosures: Sequence[str]) -> Mapping[str, Any]:
    """Facts that the disclosures open, by name.

    Raises:
        BadInput: a disclosure that is not read, that the pass holds no digest of, or that names a fact again.
        LimitExceeded: more than 32.
    """
    if len(disclosures) > MAX_FACTS:
        raise LimitExceeded("More than 32 facts are disclosed.", "Disclose what is needed.")
    facts: dict[str, Any] = {}
    for disclosure in disclosures:
        encoded = decode_base64url(disclosure, "a disclosed fact")
        item = cbor.loads(encoded, "a disclosed fact", max_bytes=1024)
        if not (isinstance(item, _ARRAY) and len(item) == 3 and isinstance(item[0], bytes)):
            raise _refused("a disclosed fact is not salt, name and value")
        salt, name, value = item
        if len(salt) < SALT_BYTES or type(name) is not str or name in facts:
            raise _refused("a disclosed fact has a short salt, no name, or a name that was given before")
        if type(value) not in _SIMPLE:  # a time of tag 0 is a text, but no plain one
            raise _refused("the value of a disclosed fact is no text, number, true, false or null")
        if hashlib.sha256(encoded).digest()[:DIGEST_BYTES] not in claims.digests:
            raise _refused("a disclosed fact is not one of this pass")
        facts[name] = value
    return facts
