"""Tiles: paths, which tiles a log has, bundles, and proofs read from tiles alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, LimitExceeded, Tampered
from hutong.trust.log import merkle, tiles
from hutong.trust.log.merkle import Frontier, append, leaf_hash
from hutong.trust.log.tiles import MAX_INDEX, Tile

SIZE = 70_000
APPENDED = append(Frontier(), [leaf_hash(b"entry %d" % i) for i in range(SIZE)])
STORED = {(node.level, node.position): node.hash for node in APPENDED.nodes}


def read(level: int, position: int) -> bytes:
    return STORED[level, position]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(2, 0, 1), "tile/2/000.p/1"),
        (Tile(63, 999, 255), "tile/63/999.p/255"),
        (Tile(5, 888_777_666_555_444_333, 254), "tile/5/x888/x777/x666/x555/x444/333.p/254"),
        (Tile(None, 1000), "tile/entries/x001/000"),
        (Tile(None, 0, 15), "tile/entries/000.p/15"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tiles.parse_tile_path(path) == tile


@given(st.none() | st.integers(0, 63), st.integers(0, MAX_INDEX), st.integers(1, 256))
@settings(max_examples=100)
def test_every_path_reads_back(level: int | None, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert tiles.parse_tile_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/067",
        "tile/0/001/067",
        "tile/0/x001/x067",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/07",
        "tile/0/000.p",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../../secret",
        "tile/0/000\n",
        "tile/entry/000",
        "tile/0/" + "x999/" * 6 + "999",
        "tile/0/" + "x999/" * 600 + "999",
        "tile/٠/000",
    ],
)
def test_no_other_path_is_read(path: str) -> None:
    with pytest.raises(BadInput):
        tiles.parse_tile_path(path)


def test_a_log_of_70000_has_the_tiles_that_the_specification_counts() -> None:
    found = list(tiles.tiles_of(SIZE))
    counts = {
        level: (
            sum(tile.width == 256 for tile in found if tile.level == level),
            [tile.width for tile in found if tile.level == level and tile.width < 256],
        )
        for level in (None, 0, 1, 2, 3)
    }
    assert counts == {None: (273, [112]), 0: (273, [112]), 1: (1, [17]), 2: (0, [1]), 3: (0, [])}
    assert {tile.path for tile in tiles.tiles_of(256)} == {"tile/entries/000", "tile/0/000", "tile/1/000.p/1"}
    assert list(tiles.tiles_of(0)) == []


@given(st.integers(0, 200_000), st.integers(0, 2_000))
@settings(max_examples=60, deadline=None)
def test_new_tiles_are_those_that_were_not_there_before(since: int, more: int) -> None:
    size = since + more
    assert set(tiles.tiles_of(size, since)) == set(tiles.tiles_of(size)) - set(tiles.tiles_of(since))
    assert all(tiles.is_served(tile, size) for tile in tiles.tiles_of(size))
    assert all(not tiles.is_served(tile, since) for tile in tiles.tiles_of(size, since))


def test_a_stranger_proves_everything_from_tiles_alone() -> None:
    fetched: list[Tile] = []

    def fetch(tile: Tile) -> bytes:
        fetched.append(tile)
        return tiles.tile_content(tile, read)

    served = set(tiles.tiles_of(SIZE))
    from_tiles = tiles.reader_of_tiles(SIZE, fetch)
    root = APPENDED.frontier.root
    assert merkle.frontier_at(SIZE, from_tiles) == APPENDED.frontier
    for index in (0, 255, 256, 65_535, 65_536, 69_999):
        proof = merkle.inclusion_proof(index, SIZE, from_tiles)
        assert proof == merkle.inclusion_proof(index, SIZE, read)
        merkle.verify_inclusion(index, SIZE, read(0, index), proof, root)
    for old in (1, 256, 65_536, 65_537, SIZE):
        proof = merkle.consistency_proof(old, SIZE, from_tiles)
        merkle.verify_consistency(old, SIZE, merkle.root_at(old, read), root, proof)
    assert set(fetched) <= served
    assert len(fetched) == len(set(fetched)) < 20
    for level, position in ((0, SIZE), (17, 0), (-1, 0), (0, -1)):
        with pytest.raises(BadInput):
            from_tiles(level, position)


def test_a_tile_of_another_length_is_refused() -> None:
    for content in (b"", b"\0" * 31, b"\0" * 33, b"\0" * 8224):
        with pytest.raises(Tampered):
            tiles.reader_of_tiles(300, lambda tile, content=content: content)(0, 0)


def test_an_entry_bundle_has_no_hashes() -> None:
    with pytest.raises(BadInput):
        tiles.tile_content(Tile(None, 0, 1), read)


@given(st.lists(st.binary(max_size=40), max_size=256))
@settings(max_examples=60, deadline=None)
def test_bundles_read_back_and_refuse_to_be_cut_or_stretched(entries: list[bytes]) -> None:
    data = tiles.encode_bundle(entries)
    width = len(entries)
    assert tiles.decode_bundle(data, width) == tuple(entries)
    for other, count in ((data + b"\0", width), (data, width + 1), *([(data[:-1], width)] if data else [])):
        with pytest.raises(Tampered):
            tiles.decode_bundle(other, count)


def test_what_no_bundle_can_carry_is_refused() -> None:
    assert tiles.decode_bundle(tiles.encode_bundle([b"a" * 65_535]), 1) == (b"a" * 65_535,)
    for entries in ([b"a" * 65_536], [b""] * 257):
        with pytest.raises(LimitExceeded):
            tiles.encode_bundle(entries)


@pytest.mark.parametrize(
    ("level", "index", "width"), [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, 2**63, 1)]
)
def test_no_tile_is_built_out_of_range(level: int, index: int, width: int) -> None:
    with pytest.raises(BadInput):
        Tile(level, index, width)
