"""Base45 (RFC 9285): two bytes as three of the 45 characters that a QR code stores in its alphanumeric mode.

Strict: a character outside the alphabet, a length that no encoder produces and a group above its range are
refused, never repaired.
"""

from __future__ import annotations

import struct

from hutong.errors import BadInput

ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_DIGIT = bytes.maketrans(ALPHABET, bytes(range(45)))
_PAIRS = tuple(chr(ALPHABET[n % 45]) + chr(ALPHABET[n // 45]) for n in range(2025))
_SINGLES = tuple(chr(c) for c in ALPHABET)


def encode(data: bytes) -> str:
    """Encode bytes; the length of the result is 3 characters per 2 bytes, 2 for an odd last byte."""
    even = len(data) & ~1
    pairs, singles = _PAIRS, _SINGLES
    parts = [pairs[n % 2025] + singles[n // 2025] for n in struct.unpack(f">{even // 2}H", data[:even])]
    if even != len(data):
        parts.append(pairs[data[-1]])
    return "".join(parts)


def decode(text: str | bytes) -> bytes:
    """Decode text.

    Raises:
        BadInput: a character outside the alphabet, an impossible length, or a group too great (RFC 9285, 6).
    """
    try:
        raw = text.encode("ascii") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError:
        raise _refused("it holds characters outside the alphabet") from None
    if raw.translate(None, ALPHABET):
        raise _refused("it holds characters outside the alphabet")
    rest = len(raw) % 3
    if rest == 1:
        raise _refused("its length is impossible")
    digits = raw.translate(_DIGIT)
    whole = len(raw) - rest
    groups = [
        c + 45 * d + 2025 * e for c, d, e in zip(digits[0:whole:3], digits[1:whole:3], digits[2:whole:3], strict=True)
    ]
    try:
        decoded = struct.pack(f">{len(groups)}H", *groups)
        if rest:
            decoded += struct.pack("B", digits[-2] + 45 * digits[-1])
    except struct.error:
        raise _refused("a group is above its range") from None
    return decoded


def _refused(why: str) -> BadInput:
    return BadInput(f"The base45 text cannot be read: {why}.", "Scan the code again or copy it whole.")
