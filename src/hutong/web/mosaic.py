"""Areas without boundary files, as H3 cells: a cell belongs to the area whose centres lie in it.

Pure. The picture is a mosaic, not a map of borders: it shows where an area lies and about how far it reaches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FINEST, COARSEST = 5, 1
RINGS = (0, 1)
ENOUGH_TOGETHER = 0.7
MOST_CELLS = 400


@dataclass(frozen=True, slots=True)
class Centre:
    """A point of an area; several may belong to one. Degrees, WGS 84."""

    area: str
    latitude: float
    longitude: float


def mosaic(centres: Sequence[Centre]) -> dict[str, str]:
    """Cell -> area, at the finest resolution (5 to 1) at which most cells hang together.

    Centres that lie apart reach one cell further; a gap with cells around it is given to them.
    """
    import h3

    for resolution in range(FINEST, COARSEST - 1, -1):
        cells: dict[str, Counter[str]] = {}
        for centre in centres:
            cell = h3.latlng_to_cell(centre.latitude, centre.longitude, resolution)
            cells.setdefault(cell, Counter())[centre.area] += 1
        own = {cell: _most(votes) for cell, votes in cells.items()}
        for rings in RINGS:
            whole = _filled(_grown(own, rings))
            if len(whole) <= MOST_CELLS and _together(whole) >= ENOUGH_TOGETHER:
                return whole
    return {}


def _grown(own: dict[str, str], rings: int) -> dict[str, str]:
    """Every cell within so many rings goes to the area of the nearest one."""
    import h3

    near: dict[str, tuple[int, float, str]] = {}
    for cell, area in own.items():
        for reached in h3.grid_disk(cell, rings):
            steps = h3.grid_distance(cell, reached)
            away = h3.great_circle_distance(h3.cell_to_latlng(cell), h3.cell_to_latlng(reached))
            near[reached] = min(near.get(reached, (rings + 1, 0.0, "")), (steps, away, area))
    return {cell: area for cell, (_, _, area) in near.items()}


def _together(cells: dict[str, str]) -> float:
    """Share of the cells in the largest piece."""
    import h3

    left, largest = set(cells), 0
    while left:
        piece = front = {left.pop()}
        while front:
            front = {near for cell in front for near in h3.grid_disk(cell, 1)} & left
            left -= front
            piece = piece | front
        largest = max(largest, len(piece))
    return largest / len(cells) if cells else 0.0


def _filled(cells: dict[str, str]) -> dict[str, str]:
    """With each cell that has four or more of six neighbours, until there is none."""
    import h3

    whole = dict(cells)
    while True:
        edge = {near for cell in whole for near in h3.grid_disk(cell, 1)} - whole.keys()
        added = {}
        for cell in sorted(edge):
            around = [whole[near] for near in h3.grid_disk(cell, 1) if near in whole]
            if len(around) >= 4:
                added[cell] = _most(Counter(around))
        if not added or len(whole) > MOST_CELLS:
            return whole
        whole |= added


def _most(votes: Counter[str]) -> str:
    return min(votes, key=lambda area: (-votes[area], area))


def middle(cells: Iterable[str]) -> tuple[float, float]:
    """The mean of the cells' centres: latitude, longitude."""
    import h3

    points = [h3.cell_to_latlng(cell) for cell in cells]
    return sum(lat for lat, _ in points) / len(points), sum(lng for _, lng in points) / len(points)
