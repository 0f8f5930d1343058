"""Bloom filters of DCC revocation lists, as the published reference computes them.

Read to check foreign certificates only: a Bloom filter revokes some that were never revoked, so Hutong's own passes
use exact status lists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hutong.errors import BadInput, LimitExceeded

MAX_WORDS = 4_194_304
_WORD_BITS = 32


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

    def might_contain(self, element: bytes) -> bool:
        """False: certainly not added. True: added, or one of the false positives that the filter was sized for."""
        size = len(self.words) * _WORD_BITS
        for seed in range(1, self.hashes + 1):
            digest = hashlib.sha256(element + bytes((seed,))).digest()
            index = int.from_bytes(digest, "big", signed=True) % size
            if not self.words[index // _WORD_BITS] << (index % _WORD_BITS) & 0x80000000:
                return False
        return True
