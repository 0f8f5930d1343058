"""Tiles: the log as static resources that anyone may fetch, cache and audit (C2SP tlog-tiles).

A tile holds up to 256 consecutive hashes of one tree level (every eighth level), an entry bundle up to 256
entries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hutong.errors import BadInput, LimitExceeded, Tampered
from hutong.trust.log.merkle import HASH_BYTES, NodeReader, root_of

TILE_WIDTH = 256
TILE_HEIGHT = 8
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 65_535
MAX_INDEX = 2**63 - 1
"""Largest tile index that is read; no log has so many tiles, but a path may ask for them."""

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile (level 0 to 63) or entry bundle (level None): index within the level, width 1 to 256.

    A width below 256 is a partial tile. Raises BadInput out of range.
    """

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        in_level = self.level is None or 0 <= self.level <= MAX_LEVEL
        if not in_level or not 0 <= self.index <= MAX_INDEX or not 1 <= self.width <= TILE_WIDTH:
            raise _no_tile()

    @property
    def path(self) -> str:
        """Path below the log's prefix, such as ``tile/0/x001/x234/067`` or ``tile/entries/000.p/15``."""
        digits = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            digits.append(f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(reversed(digits))}{partial}"

    @property
    def entries(self) -> range:
        """Which entries of the log a bundle holds, or which hashes of its level a tile holds, by index."""
        start = self.index * TILE_WIDTH
        return range(start, start + self.width)


def parse_tile_path(path: str) -> Tile:
    """Read a tile or bundle path.

    Raises BadInput unless it is exactly the path that the specification gives.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise _no_tile()
    level = None if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(match["width"] or TILE_WIDTH))
    if tile.path != path:
        raise _no_tile()
    return tile


def width_at(level: int | None, index: int, size: int) -> int:
    """How many hashes or entries of a tile a log of ``size`` entries has: 0 (no such tile) to 256."""
    hashes = size >> (TILE_HEIGHT * (level or 0))
    return max(0, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def is_served(tile: Tile, size: int) -> bool:
    """Whether a log of ``size`` entries can serve this tile, perhaps one of an earlier size."""
    return width_at(tile.level, tile.index, size) >= tile.width


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Tiles and bundles of a log of ``size`` entries that are new or wider than at size ``since``."""
    for level in (None, *range(MAX_LEVEL + 1)):
        shift = TILE_HEIGHT * (level or 0)
        hashes, before = size >> shift, since >> shift
        if not hashes:
            return
        for index in range(before // TILE_WIDTH, -(-hashes // TILE_WIDTH)):
            width = width_at(level, index, size)
            if width > width_at(level, index, since):
                yield Tile(level, index, width)


def tile_content(tile: Tile, read: NodeReader) -> bytes:
    """Content of a hash tile: its hashes one after another, 32 bytes each.

    Raises BadInput for an entry bundle.
    """
    if tile.level is None:
        raise BadInput("An entry bundle holds entries and no hashes.", "Use encode_bundle with the entries.")
    height = TILE_HEIGHT * tile.level
    return b"".join(read(height, index) for index in tile.entries)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Entry bundle: each entry after its length in two bytes, big-endian.

    Raises LimitExceeded past the format's limits.
    """
    if len(entries) > TILE_WIDTH or any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise LimitExceeded(
            "A bundle has more than 256 entries or an entry of more than 65,535 bytes.",
            "Log the hash of large content instead of the content.",
        )
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def decode_bundle(data: bytes, width: int) -> tuple[bytes, ...]:
    """The ``width`` entries of a bundle. Raises Tampered when there are more, fewer or broken ones."""
    entries: list[bytes] = []
    position = 0
    while position < len(data) and len(entries) < width:
        start = position + 2
        position = start + int.from_bytes(data[position:start])
        entries.append(data[start:position])
    if position != len(data) or len(entries) != width:
        raise Tampered("An entry bundle does not hold the entries that it should.", "Fetch the bundle again.")
    return tuple(entries)


def reader_of_tiles(size: int, fetch: Callable[[Tile], bytes]) -> NodeReader:
    """Reader over the tiles of another node's log of ``size`` entries, for its proofs and its audit.

    ``fetch`` brings a tile's content, at its width in that log; the last 64 tiles are kept. What it brings is
    not yet believed: only a root that equals the signed one makes it so. The reader raises Tampered for a
    tile of another length and BadInput for a node that the log does not have.
    """

    @lru_cache(maxsize=64)
    def hashes_of(level: int, index: int) -> tuple[bytes, ...]:
        width = width_at(level, index, size)
        content = fetch(Tile(level, index, width))
        if len(content) != width * HASH_BYTES:
            raise Tampered("A tile does not have the length that it should.", "Fetch the tile again.")
        return tuple(content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES))

    def read(level: int, index: int) -> bytes:
        if level < 0 or index < 0 or (index + 1) << level > size:
            raise BadInput(f"A log of {size} entries has no node {index} at level {level}.", "Ask for another node.")
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, offset = divmod(index << height, TILE_WIDTH)
        return root_of(hashes_of(tile_level, tile_index)[offset : offset + (1 << height)])

    return read


def _no_tile() -> BadInput:
    return BadInput("This is no path of a tile.", "Ask for a path like tile/0/x001/067 or tile/entries/000.p/12.")
