"""Signed notes (C2SP signed-note v1.0.0): text with signature lines by named Ed25519 keys.

Two kinds of key are known: plain signatures over the text (0x01) and timestamped cosignatures of witnesses
(0x04, C2SP tlog-cosignature). Every other kind is a signature by an unknown key and is kept, unread.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hutong.errors import BadInput, LimitExceeded, Tampered

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
KINDS = (ED25519, COSIGNATURE_V1)

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
MAX_KEY_CHARACTERS = 1_000
KEY_BYTES = 32
SIGNATURE_BYTES = 64
KEY_ID_BYTES = 4
TIMESTAMP_BYTES = 8
MAX_TIMESTAMP = 2**63 - 1

_LINE_START = "\u2014 "
_PRIVATE_PREFIX = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: key name, 4-byte key id, signature (a cosignature's begins with its time)."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line as it stands in a note, newline included."""
        return f"{_LINE_START}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name. Its text form is ``name+keyid+base64(kind || key)``.

    Raises BadInput for a name with a space or plus, an unknown kind, or a key that is not 32 bytes.
    """

    name: str
    public_key: bytes
    kind: int = ED25519

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.kind not in KINDS or len(self.public_key) != KEY_BYTES:
            raise _bad_key("its kind is not known or its length is wrong")

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.kind]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    @property
    def key_id(self) -> bytes:
        """First 4 bytes of ``SHA-256(name || 0x0A || kind || public key)``."""
        return sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public_key).digest()[:KEY_ID_BYTES]

    def verifies(self, text: str, signature: NoteSignature) -> bool:
        """Whether the signature is by this key and fits the note text."""
        if (signature.name, signature.key_id) != (self.name, self.key_id):
            return False
        message, raw = text.encode(), signature.signature
        if self.kind == COSIGNATURE_V1:
            timestamp, raw = int.from_bytes(raw[:TIMESTAMP_BYTES]), raw[TIMESTAMP_BYTES:]
            if timestamp > MAX_TIMESTAMP:
                return False
            message = cosigned_message(text, timestamp)
        if len(raw) != SIGNATURE_BYTES:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(raw, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private Ed25519 key with its name; the private part never shows in a representation."""

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)
    kind: int = ED25519

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.kind not in KINDS:
            raise _bad_key("its kind is not known")

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.private_key.public_key().public_bytes_raw(), self.kind)

    def encode(self) -> str:
        """Secret text form ``PRIVATE+KEY+name+keyid+base64(kind || seed)``, as Go's sumdb tools write it."""
        material = base64.b64encode(bytes([self.kind]) + self.private_key.private_bytes_raw()).decode()
        return f"{_PRIVATE_PREFIX}{self.name}+{self.verifier.key_id.hex()}+{material}"

    def sign(self, text: str) -> NoteSignature:
        """Sign note text with a plain (0x01) key.

        Raises BadInput for a cosigner key: that one signs with a time.
        """
        if self.kind != ED25519:
            raise _bad_key("it cosigns and does not sign")
        check_text(text)
        return NoteSignature(self.name, self.verifier.key_id, self.private_key.sign(text.encode()))

    def cosign(self, text: str, at: int) -> NoteSignature:
        """Cosign note text with a cosigner (0x04) key at POSIX time ``at``, seconds above zero."""
        if self.kind != COSIGNATURE_V1:
            raise _bad_key("it signs and does not cosign")
        if not 0 < at <= MAX_TIMESTAMP:
            raise BadInput("A cosignature needs the time of its making.", "Give seconds since 1970, above zero.")
        check_text(text)
        raw = at.to_bytes(TIMESTAMP_BYTES) + self.private_key.sign(cosigned_message(text, at))
        return NoteSignature(self.name, self.verifier.key_id, raw)


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was read: nothing in ``text`` may be believed before ``open_note`` or ``verifies``."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """The note's bytes: text, empty line, signature lines."""
        return (self.text + "\n" + "".join(signature.line() for signature in self.signatures)).encode()


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note with at least one good signature by a known key; ``unverified`` are those by unknown keys."""

    text: str
    verified: tuple[NoteSignature, ...]
    unverified: tuple[NoteSignature, ...]


def cosigned_message(text: str, timestamp: int) -> bytes:
    """What a version 1 cosignature signs (C2SP tlog-cosignature, "Ed25519 signed message").

    Timestamp in seconds.
    """
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def parse_note(message: bytes) -> Note:
    """Read a note without believing it.

    Raises BadInput when malformed, LimitExceeded past 1 MB or 100 signatures.
    """
    if len(message) > MAX_NOTE_BYTES:
        raise LimitExceeded("A signed note is larger than 1 MB.", "Send a smaller note.")
    try:
        content = message.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    check_text(content)
    text, gap, tail = content.rpartition("\n\n")
    if not gap or not tail:
        raise _malformed("it does not end in signature lines")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise LimitExceeded(f"A signed note has more than {MAX_SIGNATURES} signatures.", "Send fewer signatures.")
    return Note(text + "\n", tuple(parse_signature_line(line) for line in lines))


def parse_signature_line(line: str) -> NoteSignature:
    """Read ``— name base64`` (no newline). Raises BadInput."""
    if not line.startswith(_LINE_START):
        raise _malformed("a signature line does not begin with an em dash")
    name, _, encoded = line[len(_LINE_START) :].partition(" ")
    _check_name(name)
    raw = decode_base64(encoded)
    if len(raw) <= KEY_ID_BYTES:
        raise _malformed("a signature is too short")
    return NoteSignature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


def open_note(message: bytes, keys: Iterable[VerifierKey]) -> OpenedNote:
    """Read a note and verify every signature by a known key.

    Of several signatures by one key the first counts; equal lines by unknown keys are kept once. Raises
    BadInput or LimitExceeded when malformed, Tampered when a known key's signature does not fit or no known
    key signed.
    """
    note = parse_note(message)
    known: dict[tuple[str, bytes], list[VerifierKey]] = {}
    for key in keys:
        known.setdefault((key.name, key.key_id), []).append(key)
    verified: dict[tuple[str, bytes], NoteSignature] = {}
    unverified: dict[NoteSignature, None] = {}
    for signature in note.signatures:
        identity = (signature.name, signature.key_id)
        candidates = known.get(identity, [])
        if not candidates:
            unverified[signature] = None
        elif len(candidates) > 1:
            raise BadInput(f"The key {_label(signature)} is listed twice.", "List each trusted key once.")
        elif identity not in verified:
            if not candidates[0].verifies(note.text, signature):
                raise _untrusted(f"A note carries an invalid signature for the key {_label(signature)}.")
            verified[identity] = signature
    if not verified:
        raise _untrusted("A note has no signature by a known key.")
    return OpenedNote(note.text, tuple(verified.values()), tuple(unverified))


def sign_note(text: str, *signers: SigningKey) -> bytes:
    """Signed note by one or more plain keys, in their order.

    Raises BadInput for text that a note cannot carry.
    """
    return Note(text, tuple(signer.sign(text) for signer in signers)).encode()


def parse_verifier_key(text: str) -> VerifierKey:
    """Read ``name+keyid+base64``. Raises BadInput unless the key id is that of name, kind and key."""
    name, key_id, kind, material = _split_key(text)
    key = VerifierKey(name, material, kind)
    if key.key_id.hex() != key_id.lower():
        raise _bad_key("its key id does not fit")
    return key


def parse_signing_key(text: str) -> SigningKey:
    """Read the secret text form. Raises BadInput without repeating any of it."""
    if not text.startswith(_PRIVATE_PREFIX):
        raise _bad_key("it is not a private key")
    name, key_id, kind, seed = _split_key(text[len(_PRIVATE_PREFIX) :])
    key = SigningKey(name, Ed25519PrivateKey.from_private_bytes(seed), kind)
    if key.verifier.key_id.hex() != key_id.lower():
        raise _bad_key("its key id does not fit")
    return key


def check_text(text: str) -> None:
    """Raise BadInput unless text ends in a newline and has no other control character."""
    if not text.endswith("\n"):
        raise _malformed("its text does not end in a newline")
    if any(character < " " and character != "\n" for character in text):
        raise _malformed("it contains a control character")


def decode_base64(text: str) -> bytes:
    """Bytes of canonical standard base64 (RFC 4648 section 4): one text for one value. Raises BadInput."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("it contains broken base64") from None
    if base64.b64encode(raw).decode() != text:
        raise _malformed("it contains base64 in a form that is not canonical")
    return raw


def _split_key(text: str) -> tuple[str, str, int, bytes]:
    """Name, key id in hex, kind and 32 bytes of key material."""
    parts = text.split("+", 2)
    if len(text) > MAX_KEY_CHARACTERS or len(parts) != 3:
        raise _bad_key("it is not of the form name+id+key")
    material = decode_base64(parts[2])
    if len(material) != 1 + KEY_BYTES:
        raise _bad_key("its length is wrong")
    return parts[0], parts[1], material[0], material[1:]


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise BadInput("A key name is empty or has a space or a plus sign.", "Name the key like example.org/log.")


def _label(signature: NoteSignature) -> str:
    return f"{signature.name}+{signature.key_id.hex()}"


def _malformed(why: str) -> BadInput:
    return BadInput(f"A signed note is malformed: {why}.", "Send the note exactly as it was signed.")


def _bad_key(why: str) -> BadInput:
    return BadInput(f"A note key cannot be used: {why}.", "Copy the whole key line from its owner.")


def _untrusted(what: str) -> Tampered:
    return Tampered(what, "Do not rely on it; check which keys you trust and fetch it again.")
