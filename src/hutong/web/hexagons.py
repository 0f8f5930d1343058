"""H3 cells as flat polygons in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians

from hutong.errors import BadInput

Ring = list[tuple[float, float]]
MOST_ASPECT = 1.6


@dataclass(frozen=True, slots=True)
class MapLabel:
    """A place name on a map. Degrees, WGS 84."""

    text: str
    latitude: float
    longitude: float


def fitted(
    cells: Sequence[str], places: Sequence[MapLabel], width_px: int
) -> tuple[list[Ring], list[tuple[float, float]]]:
    """Closed rings of the cells, and the places, in pixels: y downward, at most ``width_px`` wide.

    Equirectangular with the true scale at the middle latitude: right for a region, not for a continent. A tall
    region is made smaller, so that its height stays below 1.6 times the width. Raises BadInput for what isn't a cell.
    """
    import h3

    rings: list[Ring] = []
    for cell in cells:
        if not h3.is_valid_cell(cell):
            raise BadInput(f"{cell[:20]!r} is not an H3 cell.", "Give H3 indexes as hexadecimal text.")
        boundary = h3.cell_to_boundary(cell)
        rings.append([(longitude, latitude) for latitude, longitude in (*boundary, boundary[0])])
    every = [point for ring in rings for point in ring]
    west, east = min(x for x, _ in every), max(x for x, _ in every)
    south, north = min(y for _, y in every), max(y for _, y in every)
    narrowing = cos(radians((south + north) / 2))
    scale = min(width_px / ((east - west) * narrowing), MOST_ASPECT * width_px / (north - south))
    left = (width_px - (east - west) * narrowing * scale) / 2

    def at(longitude: float, latitude: float) -> tuple[float, float]:
        return left + (longitude - west) * narrowing * scale, (north - latitude) * scale

    return [[at(*point) for point in ring] for ring in rings], [at(p.longitude, p.latitude) for p in places]
