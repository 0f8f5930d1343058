"""An inclusion proof told step by step, so that a person can follow the hashes from the entry up to the root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hutong.trust.log.merkle import node_hash


@dataclass(frozen=True, slots=True)
class Step:
    """One level of the tree: the ``sibling`` hash stands on that ``side`` of what was known, and ``result`` is above
    both. Hashes have 32 bytes."""

    side: Literal["left", "right"]
    sibling: bytes
    result: bytes


def inclusion_steps(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> tuple[Step, ...]:
    """The hashes that follow from a leaf and its proof (RFC 9162 section 2.1.3.2), also where they miss the root.

    It explains; ``verify_inclusion`` decides.
    """
    place, last, known = index, size - 1, leaf
    steps = []
    for sibling in proof:
        if place & 1 or place == last:
            known = node_hash(sibling, known)
            steps.append(Step("left", sibling, known))
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            known = node_hash(known, sibling)
            steps.append(Step("right", sibling, known))
        place, last = place >> 1, last >> 1
    return tuple(steps)
