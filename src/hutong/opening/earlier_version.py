"""What the version before a release of weekly counts withheld, so that the two together give nothing back.

A complement that moves gives the small count away: when one version withholds 3 and 7 of a total of 20, and the next
withholds the 3 and the 10, the 3 is the first total less what is published once. Therefore a newer version goes on
withholding complements: see :func:`hutong.opening.disclosure.suppress`. Import lazily: NumPy and PyArrow are loaded
here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .area_tree import Flags, Ints

NOT_COUNTED = -1
_WITHHELD = -2


@dataclass(frozen=True, slots=True)
class Earlier:
    """The version before, by row of the table that is to be suppressed now.

    Attributes:
        n: the count then, ``NOT_COUNTED`` for an area or a period that it did not have.
        withheld: whether it was withheld then, listed or not.
    """

    n: Ints
    withheld: Flags


def align(whole: pa.Table, counted: pa.Table, released: pa.Table) -> Earlier:
    """Lay the version before out as the table of now.

    Args:
        whole: ``period, area_code, parent_code, level``: every period with the same areas in the same order, as
            :func:`~.area_tree.complete` makes it.
        counted: ``period, area_code, n``: what was known then, zeros included; it tells of withheld cells only.
        released: ``area_code, period_start, value`` as published, null where withheld. What it does not list was
            withheld where the area above it was, else zero.
    """
    place = _Places(whole)
    known, value = np.full((2, whole.num_rows), NOT_COUNTED, dtype=np.int64)
    rows, found = place.rows(counted["period"], counted["area_code"])
    known[rows] = counted["n"].cast(pa.int64()).to_numpy()[found]
    rows, found = place.rows(released["period_start"], released["area_code"])
    value[rows] = released["value"].cast(pa.int64()).fill_null(_WITHHELD).to_numpy()[found]
    value = value.reshape(-1, place.areas)
    for area, parent in place.downwards():
        follows = np.minimum(value[:, parent], 0)  # zero, withheld or not counted, as the area above it
        value[:, area] = np.where(value[:, area] == NOT_COUNTED, follows, value[:, area])
    value = value.reshape(-1)
    value[known == NOT_COUNTED] = NOT_COUNTED
    withheld = value == _WITHHELD
    return Earlier(np.where(withheld, known, value), withheld)


class _Places:
    """Where a period and an area stand in a table that has all areas for each period."""

    def __init__(self, whole: pa.Table) -> None:
        self._periods = whole["period"].unique()
        self.areas = whole.num_rows // max(1, len(self._periods))
        first = whole.slice(0, self.areas)
        self._codes, self._parents = first["area_code"].to_pylist(), first["parent_code"].to_pylist()
        self._levels = first["level"].to_pylist()

    def rows(self, periods: pa.ChunkedArray, codes: pa.ChunkedArray) -> tuple[Ints, Flags]:
        """Rows of the cells that the table has, and which of those given they are."""
        period = pc.index_in(periods.combine_chunks(), value_set=self._periods)
        code = pc.index_in(codes.combine_chunks(), value_set=pa.array(self._codes, pa.string()))
        found: Flags = pc.and_(period.is_valid(), code.is_valid()).to_numpy(zero_copy_only=False)
        at = period.fill_null(0).to_numpy().astype(np.int64) * self.areas + code.fill_null(0).to_numpy()
        return at[found], found

    def downwards(self) -> list[tuple[int, int]]:
        """Each area and its parent, by their places, upper levels first."""
        place = {code: number for number, code in enumerate(self._codes)}
        order = sorted(range(self.areas), key=lambda number: self._levels[number])
        return [(area, place[self._parents[area]]) for area in order if self._parents[area] is not None]
