"""Rules of a witness (C2SP tlog-witness, ``add-checkpoint``): what it cosigns, what it answers otherwise.

The caller loads what it knows of the log, asks ``answer_request``, and stores ``Answer.cosigned`` before it
answers, all in one transaction. Where the store compares and swaps instead, a lost race is answered with
``conflict(stored size)``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hutong.errors import BadInput, LimitExceeded, Tampered
from hutong.trust.log.checkpoint import Checkpoint, cosign, parse_checkpoint, parse_size
from hutong.trust.log.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from hutong.trust.log.note import (
    MAX_NOTE_BYTES,
    SigningKey,
    VerifierKey,
    decode_base64,
    open_note,
    parse_note,
)

MAX_PROOF_LINES = 63
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 100 * MAX_PROOF_LINES
TEXT = "text/plain; charset=utf-8"
SIZE_TEXT = "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class WitnessRequest:
    """An ``add-checkpoint`` request as it was read; nothing in it is verified.

    ``old_size`` in entries, ``proof`` 32-byte hashes from ``old_size`` to the checkpoint, ``message`` the
    signed note.
    """

    old_size: int
    proof: tuple[bytes, ...]
    message: bytes
    checkpoint: Checkpoint

    def encode(self) -> bytes:
        """The request body."""
        return encode_request(self.old_size, self.proof, self.message)


@dataclass(frozen=True, slots=True)
class KnownLog:
    """What a witness knows of a log: the keys trusted for its origin and the last head it cosigned."""

    keys: tuple[VerifierKey, ...]
    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status, content type and body.

    ``cosigned`` is the new last head to store first, when the status is 200.
    """

    status: int
    body: bytes
    content_type: str = TEXT
    cosigned: Checkpoint | None = None


def encode_request(old_size: int, proof: Sequence[bytes], message: bytes) -> bytes:
    """Body of an ``add-checkpoint`` request, as a log sends it; ``message`` is the signed checkpoint."""
    lines = [f"old {old_size}", *(base64.b64encode(value).decode() for value in proof), ""]
    return "".join(f"{line}\n" for line in lines).encode() + message


def parse_request(body: bytes) -> WitnessRequest:
    """Read a request body.

    Raises BadInput when malformed, LimitExceeded past 63 proof lines or about 1 MB.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise LimitExceeded("A witness request is too large.", "Send one checkpoint with its proof.")
    head, gap, message = body.partition(b"\n\n")
    lines = head.split(b"\n")
    if not gap or not lines[0].startswith(b"old "):
        raise _malformed("it is not an old size, a proof and a checkpoint")
    if len(lines) - 1 > MAX_PROOF_LINES:
        raise LimitExceeded("A witness request has more than 63 proof lines.", "Send a consistency proof.")
    try:
        old, *proof_lines = [line.decode("ascii") for line in lines]
    except UnicodeDecodeError:
        raise _malformed("its first lines are not ASCII") from None
    proof = tuple(decode_base64(line) for line in proof_lines)
    if any(len(value) != HASH_BYTES for value in proof):
        raise _malformed("a proof hash is not 32 bytes long")
    old_size = parse_size(old.removeprefix("old "))
    return WitnessRequest(old_size, proof, message, parse_checkpoint(parse_note(message).text))


def answer_request(body: bytes, load: Callable[[str], KnownLog | None], cosigner: SigningKey, at: int) -> Answer:
    """Answer a request body.

    ``load(origin)`` gives what is known of a log or None, ``at`` is POSIX time in seconds.
    """
    try:
        request = parse_request(body)
    except (BadInput, LimitExceeded) as error:
        return _refused(400, str(error))
    return decide(request, load(request.checkpoint.origin), cosigner, at)


def decide(request: WitnessRequest, known: KnownLog | None, cosigner: SigningKey, at: int) -> Answer:
    """Apply the specification's checks in its order: 404, 403, 400, 409, 422, else 200 and a cosignature."""
    checkpoint = request.checkpoint
    if known is None:
        return _refused(404, "This witness does not know the log of this origin.")
    try:
        open_note(request.message, known.keys)
    except Tampered as error:
        return _refused(403, str(error))
    if request.old_size > checkpoint.size:
        return _refused(400, "The old size is greater than the size of the checkpoint.")
    if request.old_size != known.size:
        return conflict(known.size)
    try:
        _check_growth(request, known)
    except Tampered as error:
        return _refused(422, str(error))
    return Answer(200, cosign(checkpoint, cosigner, at).line().encode(), cosigned=checkpoint)


def conflict(size: int) -> Answer:
    """The answer to a request from another size than the last cosigned one: that size, to try again from."""
    return Answer(409, f"{size}\n".encode(), SIZE_TEXT)


def _check_growth(request: WitnessRequest, known: KnownLog) -> None:
    """Raise Tampered unless the checkpoint continues the last cosigned head."""
    checkpoint = request.checkpoint
    if request.old_size:
        verify_consistency(known.size, checkpoint.size, known.root, checkpoint.root, request.proof)
    elif request.proof:
        raise Tampered("A proof from the empty tree is not empty.", "Send no proof lines after old 0.")
    elif not checkpoint.size and checkpoint.root != EMPTY_ROOT:
        raise Tampered("The root of an empty log is not the hash of nothing.", "Check how the log computes its root.")


def _refused(status: int, why: str) -> Answer:
    return Answer(status, f"{why}\n".encode())


def _malformed(why: str) -> BadInput:
    return BadInput(f"A witness request is malformed: {why}.", "Send it as C2SP tlog-witness describes.")
