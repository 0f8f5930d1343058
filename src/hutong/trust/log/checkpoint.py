"""Checkpoints, the signed heads of logs (C2SP tlog-checkpoint), and their cosignatures (C2SP tlog-cosignature)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hutong.errors import BadInput, Tampered
from hutong.trust.log.merkle import HASH_BYTES, MAX_SIZE
from hutong.trust.log.note import (
    COSIGNATURE_V1,
    MAX_SIGNATURES,
    TIMESTAMP_BYTES,
    Note,
    NoteSignature,
    SigningKey,
    VerifierKey,
    check_text,
    decode_base64,
    open_note,
    parse_note,
    parse_signature_line,
    sign_note,
)

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Head of a log: origin (which log), size in entries, 32-byte root hash, extension lines.

    Raises BadInput for an empty or broken line, a size outside 0 to 2^63 - 1, or a root of another length.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not line or "\n" in line for line in (self.origin, *self.extensions)):
            raise _malformed("a line is empty or broken")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise _malformed("the size or the root hash is out of range")
        check_text(self.text)

    @property
    def text(self) -> str:
        """The note text that is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint with the signatures by known keys, and those by unknown ones, that its note carried."""

    checkpoint: Checkpoint
    verified: tuple[NoteSignature, ...]
    unverified: tuple[NoteSignature, ...]


def parse_checkpoint(text: str, origin: str | None = None) -> Checkpoint:
    """Read checkpoint text (no signatures). Raises BadInput when malformed, Tampered when of another log."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1]:
        raise _malformed("it has fewer than three lines")
    checkpoint = Checkpoint(lines[0], parse_size(lines[1]), decode_base64(lines[2]), tuple(lines[3:-1]))
    if origin is not None and checkpoint.origin != origin:
        raise Tampered("A checkpoint is of another log.", f"Give a checkpoint of {origin}.")
    return checkpoint


def parse_size(text: str) -> int:
    """Tree size in ASCII decimal without leading zeros. Raises BadInput."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise _malformed("the size is no decimal number")
    return int(text)


def sign_checkpoint(checkpoint: Checkpoint, *signers: SigningKey) -> bytes:
    """The checkpoint as a signed note by the log's key or keys."""
    return sign_note(checkpoint.text, *signers)


def open_checkpoint(message: bytes, keys: Iterable[VerifierKey], origin: str | None = None) -> OpenedCheckpoint:
    """Verify and read a signed checkpoint.

    Raises BadInput or LimitExceeded when malformed; Tampered when a known key's signature does not fit, no
    known key signed, or the log is another one than ``origin``.
    """
    opened = open_note(message, keys)
    return OpenedCheckpoint(parse_checkpoint(opened.text, origin), opened.verified, opened.unverified)


def cosign(checkpoint: Checkpoint, cosigner: SigningKey, at: int) -> NoteSignature:
    """Witness a checkpoint as the largest consistent tree seen at POSIX time ``at`` (seconds)."""
    return cosigner.cosign(checkpoint.text, at)


def verify_cosignature(checkpoint: Checkpoint, signature: NoteSignature, key: VerifierKey) -> int:
    """Check a cosignature; returns its POSIX time in seconds. Raises Tampered."""
    if key.kind != COSIGNATURE_V1 or not key.verifies(checkpoint.text, signature):
        raise Tampered(
            f"A cosignature by {key.name} does not fit the checkpoint.",
            "Do not rely on it; ask the witness again.",
        )
    return int.from_bytes(signature.signature[:TIMESTAMP_BYTES])


def add_cosignatures(message: bytes, answer: bytes, witnesses: Iterable[VerifierKey]) -> bytes:
    """The signed checkpoint with the signature lines of a witness's answer by known witnesses that verify.

    Lines by unknown keys are left out, and a witness's new cosignature replaces its older one. Raises
    BadInput when the answer is malformed, Tampered when a known witness's line does not fit or no line is by
    a known witness.
    """
    note = parse_note(message)
    fresh = cosignatures_of(parse_checkpoint(note.text), answer, witnesses)
    signers = {(signature.name, signature.key_id) for signature in fresh}
    kept = tuple(signature for signature in note.signatures if (signature.name, signature.key_id) not in signers)
    return Note(note.text, kept + fresh).encode()


def cosignatures_of(
    checkpoint: Checkpoint, answer: bytes, witnesses: Iterable[VerifierKey]
) -> tuple[NoteSignature, ...]:
    """The verified cosignatures in a witness's answer, one for each known witness; raises as ``add_cosignatures``."""
    known = {(key.name, key.key_id): key for key in witnesses}
    found: dict[tuple[str, bytes], NoteSignature] = {}
    for signature in parse_signature_lines(answer):
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            verify_cosignature(checkpoint, signature, key)
            found[key.name, key.key_id] = signature
    if not found:
        raise Tampered("A witness's answer has no signature by a known witness.", "Check the witness's key.")
    return tuple(found.values())


def parse_signature_lines(answer: bytes) -> tuple[NoteSignature, ...]:
    """Signature lines as a witness answers them. Raises BadInput."""
    try:
        content = answer.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a witness's answer is not UTF-8") from None
    lines = content.split("\n")
    if lines[-1] or not 2 <= len(lines) <= MAX_SIGNATURES + 1:
        raise _malformed("a witness's answer is not a list of signature lines")
    return tuple(parse_signature_line(line) for line in lines[:-1])


def _malformed(why: str) -> BadInput:
    return BadInput(f"A checkpoint is malformed: {why}.", "Send the checkpoint exactly as the log published it.")
