"""The tree: append, proofs and their refusal when anything is altered."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Tampered
from hutong.trust.log import merkle
from hutong.trust.log.merkle import EMPTY_ROOT, Frontier, append, leaf_hash

SIZES = st.integers(min_value=1, max_value=200)


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(b"entry %d" % i) for i in range(size)]


def reader(hashes: list[bytes]) -> Callable[[int, int], bytes]:
    stored = {(node.level, node.position): node.hash for node in append(Frontier(), hashes).nodes}
    return lambda level, position: stored[level, position]


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def test_the_empty_tree_and_the_two_prefixes_are_those_of_the_rfc() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.root_of([]) == Frontier().root == merkle.root_at(0, reader([])) == EMPTY_ROOT
    assert merkle.root_of([leaf_hash(b""), leaf_hash(b"\x00")]).hex() == (
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    )


@given(SIZES, st.lists(st.integers(min_value=0, max_value=200), max_size=6))
@settings(max_examples=60, deadline=None)
def test_appending_in_any_batches_gives_the_same_tree(size: int, cuts: list[int]) -> None:
    hashes = leaves(size)
    whole = append(Frontier(), hashes)
    frontier, nodes = Frontier(), []
    edges = [0, *sorted(cut for cut in cuts if cut <= size), size]
    for low, high in pairwise(edges):
        step = append(frontier, hashes[low:high])
        frontier = step.frontier
        nodes += step.nodes
    assert frontier == whole.frontier
    assert tuple(nodes) == whole.nodes
    assert frontier.root == merkle.root_of(hashes)


@given(SIZES)
@settings(max_examples=40, deadline=None)
def test_each_perfect_node_is_stored_once_and_is_the_hash_of_its_leaves(size: int) -> None:
    hashes = leaves(size)
    nodes = append(Frontier(), hashes).nodes
    expected = {(level, i) for level in range(size.bit_length()) for i in range(size >> level)}
    assert {(node.level, node.position) for node in nodes} == expected
    assert len(nodes) == len(expected) < 2 * size
    for level, position, value in nodes:
        assert value == merkle.root_of(hashes[position << level : (position + 1) << level])


def test_the_frontier_and_root_of_every_earlier_size_come_from_the_stored_nodes() -> None:
    hashes = leaves(130)
    read = reader(hashes)
    for size in range(131):
        assert merkle.frontier_at(size, read) == append(Frontier(), hashes[:size]).frontier
        assert merkle.root_at(size, read) == merkle.root_of(hashes[:size])


def test_every_inclusion_proof_of_every_tree_up_to_66_leaves_verifies() -> None:
    hashes = leaves(66)
    read = reader(hashes)
    count = 0
    for size in range(1, 67):
        root = merkle.root_of(hashes[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, read)
            merkle.verify_inclusion(index, size, hashes[index], proof, root)
            count += 1
    assert count == 66 * 67 // 2


def test_all_prefixes_of_a_tree_of_66_leaves_are_proven_consistent() -> None:
    hashes = leaves(66)
    read = reader(hashes)
    roots = [merkle.root_of(hashes[:size]) for size in range(67)]
    count = 0
    for new in range(1, 67):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, read)
            merkle.verify_consistency(old, new, roots[old], roots[new], proof)
            count += 1
    assert count == 66 * 67 // 2


def test_every_subtree_of_a_tree_up_to_40_leaves_is_proven_to_lie_in_it() -> None:
    hashes = leaves(40)
    read = reader(hashes)
    count = 0
    for size in range(1, 41):
        root = merkle.root_of(hashes[:size])
        for start in range(size):
            for end in range(start + 1, size + 1):
                if not merkle.is_subtree(start, end):
                    continue
                subtree_root = merkle.root_of(hashes[start:end])
                assert merkle.range_hash(start, end, read) == subtree_root
                proof = merkle.subtree_consistency_proof(start, end, size, read)
                merkle.verify_subtree_consistency((start, end), size, subtree_root, root, proof)
                count += 1
    assert count == 2608


@given(st.data(), SIZES)
@settings(max_examples=100, deadline=None)
def test_one_flipped_bit_anywhere_refuses_an_inclusion_proof(data: st.DataObject, size: int) -> None:
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    parts = [hashes[index], merkle.root_of(hashes), *merkle.inclusion_proof(index, size, reader(hashes))]
    part, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[part] = flipped(parts[part], bit)
    with pytest.raises(Tampered):
        merkle.verify_inclusion(index, size, parts[0], parts[2:], parts[1])


@given(st.data(), SIZES)
@settings(max_examples=100, deadline=None)
def test_one_flipped_bit_anywhere_refuses_a_consistency_proof(data: st.DataObject, size: int) -> None:
    hashes = leaves(size)
    old = data.draw(st.integers(1, size))
    proof = merkle.consistency_proof(old, size, reader(hashes))
    parts = [merkle.root_of(hashes[:old]), merkle.root_of(hashes), *proof]
    part, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[part] = flipped(parts[part], bit)
    with pytest.raises(Tampered):
        merkle.verify_consistency(old, size, parts[0], parts[1], parts[2:])


@given(st.data(), st.integers(min_value=2, max_value=200))
@settings(max_examples=60, deadline=None)
def test_a_leaf_is_not_proven_at_another_index(data: st.DataObject, size: int) -> None:
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    proof = merkle.inclusion_proof(index, size, reader(hashes))
    with pytest.raises(Tampered):
        merkle.verify_inclusion(other, size, hashes[index], proof, merkle.root_of(hashes))


@given(st.data(), SIZES)
@settings(max_examples=60, deadline=None)
def test_a_rewritten_entry_refuses_every_proof_from_a_size_that_had_it(data: st.DataObject, size: int) -> None:
    honest = leaves(size)
    old = data.draw(st.integers(1, size))
    forged = list(honest)
    forged[data.draw(st.integers(0, old - 1))] = leaf_hash(b"rewritten")
    proof = merkle.consistency_proof(old, size, reader(forged))
    with pytest.raises(Tampered):
        merkle.verify_consistency(old, size, merkle.root_of(honest[:old]), merkle.root_of(forged), proof)


@pytest.mark.parametrize("index", [0, 1, 123_456, 999_998, 999_999])
def test_a_proof_on_a_million_entries_reads_few_nodes(index: int) -> None:
    reads: list[tuple[int, int]] = []

    def read(level: int, position: int) -> bytes:
        reads.append((level, position))
        return leaf_hash(b"%d/%d" % (level, position))

    size = 1_000_000
    merkle.inclusion_proof(index, size, read)
    assert 0 < len(reads) <= 2 * math.ceil(math.log2(size))
    assert len(set(reads)) == len(reads)
    assert set(reads) == {
        node for span in merkle.inclusion_ranges(index, size) for node in merkle.nodes_of_range(*span)
    }
    assert all((position + 1) << level <= size for level, position in reads)
    reads.clear()
    merkle.consistency_proof(index + 1, size, read)
    assert len(reads) <= 2 * math.ceil(math.log2(size))
    assert len(set(reads)) == len(reads)


def test_sizes_near_the_limit_are_walked_and_not_looped_over() -> None:
    size = merkle.MAX_SIZE
    assert len(merkle.inclusion_ranges(size - 1, size)) == 62
    assert len(merkle.inclusion_ranges(0, size)) == 63
    assert len(merkle.consistency_ranges(size - 1, size)) == 63
    with pytest.raises(Tampered):
        merkle.verify_inclusion(0, size, EMPTY_ROOT, [EMPTY_ROOT] * 65, EMPTY_ROOT)
    with pytest.raises(Tampered):
        merkle.verify_inclusion(0, size + 1, EMPTY_ROOT, [], EMPTY_ROOT)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: merkle.inclusion_ranges(5, 5),
        lambda: merkle.inclusion_ranges(-1, 5),
        lambda: merkle.consistency_ranges(0, 5),
        lambda: merkle.consistency_ranges(6, 5),
        lambda: merkle.subtree_ranges(1, 3, 8),
        lambda: merkle.nodes_of_range(2, 6),
        lambda: merkle.frontier_at(-1, lambda level, position: EMPTY_ROOT),
        lambda: append(Frontier(), [b"no hash"]),
        lambda: Frontier(3, (EMPTY_ROOT,)),
        lambda: Frontier(1, (b"short",)),
        lambda: Frontier(merkle.MAX_SIZE + 1, ()),
    ],
)
def test_what_no_tree_has_is_refused(ask: Callable[[], object]) -> None:
    with pytest.raises(BadInput):
        ask()


@pytest.mark.parametrize(("old", "new"), [(0, 1), (2, 1), (-1, 1), (-1, -1), (1, merkle.MAX_SIZE + 1)], ids=str)
def test_sizes_that_cannot_follow_each_other_prove_nothing(old: int, new: int) -> None:
    with pytest.raises(Tampered):
        merkle.verify_consistency(old, new, EMPTY_ROOT, EMPTY_ROOT, [])


@pytest.mark.parametrize("size", [0, 1, 3, 8])
def test_trees_of_one_size_are_the_same_tree(size: int) -> None:
    root = merkle.root_of([merkle.leaf_hash(bytes([i])) for i in range(size)])
    other = merkle.leaf_hash(b"other")
    merkle.verify_consistency(size, size, root, root, [])
    for first, second, proof in [(root, other, []), (other, root, []), (root, root, [root])]:
        with pytest.raises(Tampered):
            merkle.verify_consistency(size, size, first, second, proof)
