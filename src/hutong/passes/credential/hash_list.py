"""Lists of shortened hashes of DCC revocation (slices of the type VARHASHLIST), as the published reference writes them.

A list holds the first bytes of each hash, of four or five mostly: it revokes a few that were never revoked, where a
hash begins like one of it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hutong.errors import BadInput, LimitExceeded

MAX_HASHES = 2_000_000
MAX_HASH_BYTES = 32
_HEAD = struct.Struct(">hfib")  # version, false positive rate, sized for, bytes of each hash
_VERSION = 1


@dataclass(frozen=True, slots=True)
class HashList:
    """The beginnings of hashes, all of one length."""

    size_bytes: int
    beginnings: frozenset[bytes]

    @classmethod
    def read(cls, data: bytes, *, limit: int = MAX_HASHES) -> HashList:
        """List as a revocation slice carries it: a head of 11 bytes, then the beginnings, all big-endian.

        Raises:
            BadInput: another version, no length from 1 to 32 bytes, cut off.
            LimitExceeded: more hashes than ``limit``, what other lists leave of two million.
        """
        if len(data) < _HEAD.size:
            raise BadInput("The list of hashes is cut off.", "Fetch the list again.")
        version, _, _, size = _HEAD.unpack_from(data)
        if version != _VERSION or not 1 <= size <= MAX_HASH_BYTES:
            raise BadInput("The list of hashes is of another version.", "Fetch it in version 1.")
        count, rest = divmod(len(data) - _HEAD.size, size)
        if rest:
            raise BadInput("The list of hashes is cut off.", "Fetch the list again.")
        if count > limit:
            raise LimitExceeded(f"More than {MAX_HASHES} hashes are listed.", "Give fewer lists.")
        return cls(size, frozenset(data[at : at + size] for at in range(_HEAD.size, len(data), size)))

    def might_contain(self, element: bytes) -> bool:
        """False: certainly not listed, as is what is shorter. True: listed, or it begins like one that is."""
        if len(element) < self.size_bytes:
            return False
        beginning = element[: self.size_bytes]
        return beginning in self.beginnings or _as_written(beginning) in self.beginnings


def _as_written(beginning: bytes) -> bytes:
    """How the reference writes it: as a signed number in as few bytes as it needs, filled up with zeros in front.

    So FF 81 becomes 00 81. What it reads it compares without that, and misses one revoked certificate of 512.
    """
    number = int.from_bytes(beginning, "big", signed=True)
    least_bytes = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return number.to_bytes(least_bytes, "big", signed=True).rjust(len(beginning), b"\0")
