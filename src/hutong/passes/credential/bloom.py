"""Bloom filters of DCC revocation lists, as the published reference computes them.

Read to check foreign certificates only: a Bloom filter revokes some that were never revoked, so Hutong's own passes
use exact status lists.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from hutong.errors import BadInput, LimitExceeded

MAX_WORDS = 4_194_304
_WORD_BITS = 32
_HEAD = struct.Struct(">hbbfiii")  # version, probes, hash function, false positive rate, sized for, added, words
_VERSION, _SHA_256 = 1, 0


def probes_for(bits: int, elements: int) -> int:
    """How many probes the reference takes in a filter of ``bits`` that is sized for so many elements."""
    return max(1, math.floor(bits / elements * math.log(2) + 0.5))


@dataclass(frozen=True, slots=True)
class BloomFilter:
    """Filter over 32-bit words with ``hashes`` probes; bit 0 is the most significant of its word."""

    words: tuple[int, ...]
    hashes: int

    @classmethod
    def of(cls, words: Sequence[int], hashes: int) -> BloomFilter:
        """Filter of signed or unsigned 32-bit words.

        Raises:
            BadInput: no words, or a number of probes other than 1 to 255.
            LimitExceeded: more than 4,194,304 words.
        """
        if len(words) > MAX_WORDS:
            raise LimitExceeded("The filter is larger than 16 MiB.", "Fetch the list in slices.")
        if not words or not 1 <= hashes <= 255:
            raise BadInput("The filter has no bits or no probes.", "Fetch the list again.")
        return cls(tuple(word & 0xFFFFFFFF for word in words), hashes)

    @classmethod
    def read(cls, data: bytes) -> BloomFilter:
        """Filter as a revocation slice carries it: a head of 20 bytes, then the words, all big-endian.

        Raises:
            BadInput: another version or hash function, cut off, or followed by other bytes.
            LimitExceeded: more than 4,194,304 words.
        """
        if len(data) < _HEAD.size:
            raise BadInput("The filter is cut off.", "Fetch the list again.")
        version, hashes, function, _, _, _, count = _HEAD.unpack_from(data)
        if (version, function) != (_VERSION, _SHA_256):
            raise BadInput("The filter is of another version or hash function.", "Fetch it in version 1.")
        if count > MAX_WORDS:
            raise LimitExceeded("The filter is larger than 16 MiB.", "Fetch the list in slices.")
        if len(data) != _HEAD.size + 4 * count:
            raise BadInput("The filter's length is not the one that it states.", "Fetch the list again.")
        return cls.of(struct.unpack_from(f">{count}i", data, _HEAD.size), hashes)

    def might_contain(self, element: bytes) -> bool:
        """False: certainly not added. True: added, or one of the false positives that the filter was sized for."""
        size = len(self.words) * _WORD_BITS
        for seed in range(self.hashes):
            digest = hashlib.sha256(element + bytes((seed,))).digest()
            index = int.from_bytes(digest, "big", signed=True) % size
            if not self.words[index // _WORD_BITS] << (index % _WORD_BITS) & 0x80000000:
                return False
        return True
