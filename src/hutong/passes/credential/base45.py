"""Base45 (RFC 9285): two bytes as three of the 45 characters that a QR code stores in its alphanumeric mode.

Strict: a character outside the alphabet, a length that no encoder produces and a group above its range are
refused, never repaired.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from hutong.errors import BadInput

ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_FOREIGN = b"\xff"
_DIGIT = bytes(ALPHABET.find(c) & 0xFF for c in range(256))  # 255 for what is not in the alphabet
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
    digits = raw.translate(_DIGIT)
    if _FOREIGN in digits:
        raise _refused("it holds characters outside the alphabet")
    rest = len(raw) % 3
    if rest == 1:
        raise _refused("its length is impossible")
    whole = len(raw) - rest
    decoded = _decode_groups(digits[:whole])
    last = digits[-2] + 45 * digits[-1] if rest else 0
    if decoded is None or last > 255:
        raise _refused("a group is above its range")
    return decoded + bytes((last,)) if rest else decoded


def _decode_groups(digits: bytes) -> bytes | None:
    """Two bytes for each three digits (c + 45 d + 2025 e); None when a group is above 65,535.

    All groups are computed at once, each in its own three bytes of one great integer: a group is at most 44 · 2071, so
    none runs over into the next. A loop over the groups takes twice as long.
    """
    size = len(digits)
    number, every_third = int.from_bytes(digits, "big"), _every_third(size)
    c, d, e = number >> 16 & every_third, number >> 8 & every_third, number & every_third
    groups = (c + 45 * d + 2025 * e).to_bytes(size, "big")
    if groups[0::3].strip(b"\0"):
        return None
    decoded = bytearray(size // 3 * 2)
    decoded[0::2], decoded[1::2] = groups[1::3], groups[2::3]
    return bytes(decoded)


@lru_cache(maxsize=64)
def _every_third(size: int) -> int:
    """A number of so many bytes in which every third one is full; most codes of one issuer have the same size."""
    return int.from_bytes(b"\0\0\xff" * (size // 3), "big")


def _refused(why: str) -> BadInput:
    return BadInput(f"The base45 text cannot be read: {why}.", "Scan the code again or copy it whole.")
