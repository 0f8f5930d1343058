"""The Merkle tree of the log: hashing, append, proofs and their verification (RFC 9162 section 2.1, SHA-256).

The tree of a log is stored as its *perfect nodes*: node ``(level, position)`` is the hash over the ``2**level``
leaves that begin at leaf ``position * 2**level``; level 0 is the leaf hash. A perfect node never changes once it
exists, so the store only ever inserts. Whoever stores them needs three calls:

* ``append(frontier, leaf_hashes)`` gives the nodes to insert and the next frontier (size, root);
* ``frontier_at(size, read)`` brings the frontier back from the stored nodes;
* ``inclusion_proof`` and ``consistency_proof`` read O(log n) nodes. A store that prefers one query to many
  asks ``nodes_of_range`` for each of ``inclusion_ranges`` / ``consistency_ranges`` first and reads from what
  it fetched.

A *subtree* ``[start, end)`` is one in the sense of draft-ietf-plants-merkle-tree-certs: ``start``
is a multiple of the smallest power of two that is not less than ``end - start``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from hutong.errors import BadInput, Tampered

HASH_BYTES = 32
MAX_SIZE = 2**63 - 1
"""Largest tree, in leaves: sizes fit a signed 64-bit column."""
MAX_PROOF = 64
"""Hashes; no proof over ``MAX_SIZE`` leaves is longer."""
EMPTY_ROOT = sha256().digest()

NodeReader = Callable[[int, int], bytes]
"""``read(level, position)`` returns the 32-byte hash of a perfect node that the log already has."""
Range = tuple[int, int]
"""Leaves ``[start, end)``."""


class Node(NamedTuple):
    """A perfect node as it is stored; a plain tuple, because millions of them go straight into an insert."""

    level: int
    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that an append needs of a tree: its size in leaves and its peaks, the largest (leftmost) first.

    There is one peak for each bit set in ``size``. Raises BadInput when the peaks do not fit the size.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        _check_size(self.size)
        if len(self.peaks) != self.size.bit_count() or any(len(peak) != HASH_BYTES for peak in self.peaks):
            raise BadInput(
                f"The peaks of a tree of {self.size} leaves are not {self.size.bit_count()} hashes.",
                "Rebuild the frontier from the stored nodes.",
            )

    @property
    def root(self) -> bytes:
        """Merkle tree hash of the whole tree, 32 bytes (RFC 9162 section 2.1.1)."""
        return _fold(self.peaks) if self.peaks else EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did: the tree after it, and the perfect nodes to insert, children before parents."""

    frontier: Frontier
    nodes: tuple[Node, ...]


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry: ``SHA-256(0x00 || entry)``."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two children: ``SHA-256(0x01 || left || right)``."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Root over leaf hashes, computed from nothing else: what an audit compares a checkpoint with.

    O(n) memory.
    """
    row = list(leaf_hashes)
    if not row:
        return EMPTY_ROOT
    while len(row) > 1:
        above = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


def append(frontier: Frontier, leaf_hashes: Iterable[bytes]) -> Appended:
    """Append leaves in order: amortised two hashes a leaf, no reads.

    Raises BadInput for a leaf that is no hash.
    """
    size, peaks = frontier.size, list(frontier.peaks)
    nodes: list[Node] = []
    for leaf in leaf_hashes:
        if len(leaf) != HASH_BYTES:
            raise BadInput("A leaf hash is not 32 bytes long.", "Append leaf_hash(entry), not the entry.")
        level, index, top = 0, size, leaf
        nodes.append(Node(0, index, top))
        while index & 1:
            top = sha256(b"\x01" + peaks.pop() + top).digest()
            level, index = level + 1, index >> 1
            nodes.append(Node(level, index, top))
        peaks.append(top)
        size += 1
    return Appended(Frontier(size, tuple(peaks)), tuple(nodes))


def frontier_at(size: int, read: NodeReader) -> Frontier:
    """The frontier of the tree when it had ``size`` leaves. Reads at most 63 nodes."""
    _check_size(size)
    return Frontier(size, tuple(read(level, position) for level, position in nodes_of_range(0, size)))


def nodes_of_range(start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Perfect nodes ``(level, position)`` that make up a subtree, left to right.

    Raises BadInput for no subtree.
    """
    if not is_subtree(start, end):
        raise BadInput(f"The leaves {start} to {end} are not one subtree.", "Ask for an aligned range.")
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return tuple(nodes)


def range_hash(start: int, end: int, read: NodeReader) -> bytes:
    """Hash of the subtree ``[start, end)`` from stored nodes."""
    hashes = tuple(read(level, position) for level, position in nodes_of_range(start, end))
    return _fold(hashes) if hashes else EMPTY_ROOT


def root_at(size: int, read: NodeReader) -> bytes:
    """Root of the tree when it had ``size`` leaves, from stored nodes."""
    return range_hash(0, size, read)


def is_subtree(start: int, end: int) -> bool:
    """Whether ``[start, end)`` is a subtree; the empty range is one."""
    if not 0 <= start <= end <= MAX_SIZE:
        return False
    return start == end or start % (1 << (end - start - 1).bit_length()) == 0


def inclusion_ranges(index: int, size: int) -> tuple[Range, ...]:
    """The subtrees whose hashes are the inclusion proof of a leaf, in proof order.

    Raises BadInput out of range.
    """
    _check_size(size)
    if not 0 <= index < size:
        raise BadInput(f"There is no entry {index} in a tree of {size}.", "Ask for an entry below the tree size.")
    low, high = 0, size
    ranges: list[Range] = []
    while high - low > 1:
        middle = _split(low, high)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return tuple(reversed(ranges))


def subtree_ranges(start: int, end: int, size: int) -> tuple[Range, ...]:
    """The subtrees whose hashes prove that ``[start, end)`` lies in the tree, in proof order."""
    _check_size(size)
    if not start < end <= size or not is_subtree(start, end):
        raise BadInput(
            f"The leaves {start} to {end} are not a subtree of a tree of {size}.",
            "Ask for a range of at least one leaf that the tree has.",
        )
    low, high = 0, size
    whole = True
    ranges: list[Range] = []
    while (low, high) != (start, end):
        middle = _split(low, high)
        if end <= middle:
            ranges.append((middle, high))
            high = middle
        elif start >= middle:
            ranges.append((low, middle))
            low = middle
        else:
            # The subtree straddles the split: its left part is a proof hash, and the right part goes on.
            ranges.append((low, middle))
            low = start = middle
            whole = False
    if not whole:
        ranges.append((low, high))
    return tuple(reversed(ranges))


def consistency_ranges(old_size: int, size: int) -> tuple[Range, ...]:
    """The subtrees whose hashes are the consistency proof between two sizes, in proof order."""
    return subtree_ranges(0, old_size, size)


def inclusion_proof(index: int, size: int, read: NodeReader) -> tuple[bytes, ...]:
    """Inclusion proof of leaf ``index`` in the tree of ``size`` leaves (RFC 9162 section 2.1.3.1).

    O(log n) reads.
    """
    return tuple(range_hash(start, end, read) for start, end in inclusion_ranges(index, size))


def consistency_proof(old_size: int, size: int, read: NodeReader) -> tuple[bytes, ...]:
    """Consistency proof, ``0 < old_size <= size`` (RFC 9162 section 2.1.4.1). O(log n) reads."""
    return subtree_consistency_proof(0, old_size, size, read)


def subtree_consistency_proof(start: int, end: int, size: int, read: NodeReader) -> tuple[bytes, ...]:
    """Proof that ``[start, end)`` lies in the tree (draft-ietf-plants-merkle-tree-certs)."""
    return tuple(range_hash(low, high, read) for low, high in subtree_ranges(start, end, size))


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check an inclusion proof (RFC 9162 section 2.1.3.2); ``leaf`` and ``root`` are 32-byte hashes.

    Raises Tampered.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise _tampered("An inclusion proof names an entry outside its tree.")
    _check_hashes(leaf, root, proof)
    fn, sn, result = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise _tampered("An inclusion proof is too long.")
        if fn & 1 or fn == sn:
            result = node_hash(sibling, result)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise _tampered("An inclusion proof is too short.")
    if result != root:
        raise _tampered("An inclusion proof does not lead to the root.")


def verify_consistency(old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a tree only grew (RFC 9162 section 2.1.4.2). Raises Tampered.

    Trees of one size are the same tree: their roots are equal and the proof is empty. From size 0 there is no other
    proof: everything is consistent with the empty tree, so it would prove nothing.
    """
    if size == old_size and 0 <= size <= MAX_SIZE and root == old_root and not proof:
        return
    if not 0 < old_size <= size <= MAX_SIZE:
        raise _tampered("A consistency proof names sizes that cannot follow each other.")
    verify_subtree_consistency((0, old_size), size, old_root, root, proof)


def verify_subtree_inclusion(
    index: int, subtree: Range, leaf: bytes, proof: Sequence[bytes], subtree_root: bytes
) -> None:
    """Check that leaf ``index`` lies in the subtree ``[start, end)`` with this hash. Raises Tampered."""
    start, end = subtree
    if not start <= index < end or not is_subtree(start, end):
        raise _tampered("A subtree inclusion proof names no subtree that could hold the entry.")
    verify_inclusion(index - start, end - start, leaf, proof, subtree_root)


def verify_subtree_consistency(
    subtree: Range, size: int, subtree_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that a subtree lies in the tree (draft-ietf-plants-merkle-tree-certs).

    An empty subtree is in every tree: its hash must be that of nothing and its proof empty; ``root`` plays no
    part. Raises Tampered.
    """
    start, end = subtree
    if not end <= size <= MAX_SIZE or not is_subtree(start, end):
        raise _tampered("A consistency proof names no subtree of its tree.")
    if start == end:
        if subtree_root != EMPTY_ROOT or proof:
            raise _tampered("The empty subtree has another hash or a proof.")
        return
    _check_hashes(subtree_root, root, proof)
    fn, sn, tn = start, end - 1, size - 1
    while fn != sn and (sn == tn or sn & 1):
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    rest = list(proof)
    if fn == sn:
        seed = subtree_root
    elif rest:
        seed = rest.pop(0)
    else:
        raise _tampered("A consistency proof is too short.")
    small, large = _climb(fn, sn, tn, seed, rest)
    if small != subtree_root:
        raise _tampered("A consistency proof does not lead to the older root.")
    if large != root:
        raise _tampered("A consistency proof does not lead to the newer root.")


def _climb(fn: int, sn: int, tn: int, seed: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Roots of the subtree and of the tree that a consistency proof leads to.

    Names follow RFC 9162 section 2.1.4.2.
    """
    small = large = seed
    for sibling in proof:
        if tn == 0:
            raise _tampered("A consistency proof is too long.")
        if sn & 1 or sn == tn:
            if fn < sn:
                small = node_hash(sibling, small)
            large = node_hash(sibling, large)
            while not sn & 1:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:
            large = node_hash(large, sibling)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    if tn != 0:
        raise _tampered("A consistency proof is too short.")
    return small, large


def _split(low: int, high: int) -> int:
    """Where a range divides: after the largest power of two leaves that is less than its width."""
    return low + (1 << ((high - low - 1).bit_length() - 1))


def _fold(peaks: Sequence[bytes]) -> bytes:
    result = peaks[-1]
    for peak in reversed(peaks[:-1]):
        result = node_hash(peak, result)
    return result


def _check_size(size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise BadInput(f"{size} is no tree size.", "Give a size from 0 to 2^63 - 1.")


def _check_hashes(first: bytes, second: bytes, proof: Sequence[bytes]) -> None:
    if len(proof) > MAX_PROOF:
        raise _tampered("A proof is longer than any tree needs.")
    if any(len(value) != HASH_BYTES for value in (first, second, *proof)):
        raise _tampered("A hash is not 32 bytes long.")


def _tampered(what: str) -> Tampered:
    return Tampered(what, "Do not rely on it; fetch the proof and the checkpoint again and tell the log's operator.")
