"""Mosaics of areas: every area that can have a cell has one, and what is drawn hangs together."""

from __future__ import annotations

import h3

from hutong.web.mosaic import Centre, middle, mosaic


def test_many_places_tile_their_areas_without_gaps() -> None:
    centres = [
        Centre("west" if column < 5 else "east", 23.0 + row * 0.12, 120.0 + column * 0.12)
        for row in range(8)
        for column in range(10)
    ]
    cells = mosaic(centres)
    assert set(cells.values()) == {"west", "east"}
    for cell in cells:
        assert any(near in cells for near in h3.grid_disk(cell, 1) if near != cell)
    assert h3.get_resolution(next(iter(cells))) == 5


def test_a_few_far_centres_reach_their_neighbours() -> None:
    centres = [
        Centre(f"a{row}{column}", -10 + row * 2.0, -76 + column * 2.0) for row in range(4) for column in range(3)
    ]
    cells = mosaic(centres)
    assert set(cells.values()) == {centre.area for centre in centres}
    assert len(cells) > len(centres)


def test_no_centre_no_cell() -> None:
    assert mosaic([]) == {}


def test_the_middle_of_one_cell_is_its_centre() -> None:
    cell = h3.latlng_to_cell(23.0, 120.2, 5)
    assert middle([cell]) == h3.cell_to_latlng(cell)
