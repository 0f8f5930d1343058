"""A selection of a release: its rows of an area and of weeks, as a table or file, and the choices that lead further.

What is read is bounded: a selection by its rows, the numbers beside the choices by the rows of the release.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hutong.errors import LimitExceeded, Unavailable
from hutong.opening.preview import AREA, ROWS_PER_BATCH, Wanted, require_columns, wanted_rows
from hutong.opening.released_counts import ROOT_LEVEL, UNPLACED

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 200_000
MOST_COUNTED_ROWS = 3_000_000
MOST_CHOICES = 7


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be chosen next, with the published cases in it: areas inside the chosen one, and years of it."""

    areas: tuple[tuple[str, str, int], ...] = ()
    """Code, name as the release gives it, published cases in the weeks that are wanted; the largest first."""
    years: tuple[tuple[int, int], ...] = ()
    """Year in which the weeks begin, published cases of the chosen area (or the country); the largest first."""


def selected(path: Path, wanted: Wanted, *, most: int = MOST_ROWS) -> pa.Table:
    """All wanted rows of a release's Parquet file, in the file's order.

    Raises ``BadInput`` when the release has no such column, ``LimitExceeded`` for more than ``most`` rows,
    ``Unavailable`` when the file can't be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            require_columns(tuple(file.schema_arrow.names), wanted)
            parts, rows = [], 0
            for batch in file.iter_batches(ROWS_PER_BATCH):
                every = pa.repeat(pa.scalar(value=True), batch.num_rows)
                part = pa.Table.from_batches([batch]).filter(wanted_rows(batch, wanted, every))
                rows += part.num_rows
                if rows > most:
                    raise LimitExceeded(
                        f"This selection has more than {most} rows.", "Choose fewer weeks, or take the whole file."
                    )
                parts.append(part)
            return pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()
    except (OSError, pa.ArrowException) as error:
        raise Unavailable("The file of this release can't be read.", "Tell the people who run this node.") from error


def listed_areas(path: Path) -> tuple[str, ...]:
    """Codes of the areas in a release's Parquet file, sorted; none where it has no areas."""
    import pyarrow.parquet as pq

    if AREA not in pq.read_schema(path).names:
        return ()
    return tuple(sorted(pq.read_table(path, columns=[AREA])[AREA].unique().drop_null().to_pylist()))


def choices(path: Path, wanted: Wanted) -> Choices:
    """Areas and years to choose from next in a release of weekly counts; none in one too large to be counted."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if pq.read_metadata(path).num_rows > MOST_COUNTED_ROWS:
        return Choices()
    table = pq.read_table(path, columns=["area_code", "area_name", "level", "parent_code", "period_start", "value"])
    own = table.filter(
        pc.equal(table["level"], ROOT_LEVEL) if wanted.area is None else pc.equal(table["area_code"], wanted.area)
    )
    return Choices(_areas_inside(table, own["area_code"].unique(), wanted), _years_of(own))


def _areas_inside(table: pa.Table, above: pa.Array, wanted: Wanted) -> tuple[tuple[str, str, int], ...]:
    import pyarrow.compute as pc

    inside = table.filter(pc.is_in(table["parent_code"], above))
    for bound, compare in ((wanted.since, pc.greater_equal), (wanted.until, pc.less_equal)):
        if bound is not None:
            inside = inside.filter(compare(inside["period_start"], bound))
    sums = inside.group_by(["area_code", "area_name"]).aggregate([("value", "sum")]).to_pylist()
    found = [
        (row["area_code"], row["area_name"], int(row["value_sum"]))
        for row in sums
        if row["value_sum"] and UNPLACED not in row["area_code"]
    ]
    return tuple(sorted(found, key=lambda area: (-area[2], area[0]))[:MOST_CHOICES])


def _years_of(own: pa.Table) -> tuple[tuple[int, int], ...]:
    import pyarrow.compute as pc

    years = own.append_column("year", pc.year(own["period_start"])).group_by("year").aggregate([("value", "sum")])
    found = [(row["year"], int(row["value_sum"])) for row in years.to_pylist() if row["value_sum"]]
    return tuple(sorted(found, key=lambda year: (-year[1], year[0]))[:MOST_CHOICES])
