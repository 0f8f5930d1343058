"""A page of a release's rows, filtered. Rows are numbered as in the release, from 1; a page continues after a number.

Only batches that may be needed are read, so that a page of a large release costs as little memory as one of a small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutong.errors import BadInput, Unavailable

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ROWS = 1_000
ROWS_PER_BATCH = 20_000
AREA, WEEK = "area_code", "period_start"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: an area's code, and the first and last day of the weeks. None leaves a side open."""

    area: str | None = None
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if self.since and self.until and self.since > self.until:
            raise BadInput("The first day is after the last.", "Change one of the days.")


@dataclass(frozen=True, slots=True)
class Rows:
    """A page: ``columns`` in the file's order, ``rows`` by column, and the number of the last one if more follow."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    next_after: int | None


def preview(path: Path, wanted: Wanted, *, after: int = 0, limit: int = 100) -> Rows:
    """Rows of a release's Parquet file that are wanted, from the one after row ``after``.

    Raises ``BadInput`` when the release has no such column, ``Unavailable`` when its file can't be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    limit = max(1, min(limit, MAX_ROWS))
    try:
        with pq.ParquetFile(path) as file:
            columns = tuple(file.schema_arrow.names)
            require_columns(columns, wanted)
            found: list[tuple[int, dict[str, Any]]] = []
            for number, batch in _batches(file, after):
                found += _chosen(batch, wanted, first=number, after=after, most=limit + 1 - len(found))
                if len(found) > limit:
                    break
    except (OSError, pa.ArrowException) as error:
        raise Unavailable("The file of this release can't be read.", "Tell the people who run this node.") from error
    page = found[:limit]
    return Rows(columns, tuple(row for _, row in page), page[-1][0] if len(found) > limit else None)


def require_columns(columns: tuple[str, ...], wanted: Wanted) -> None:
    """``BadInput`` when a release with these columns can't be chosen from in this way."""
    if wanted.area is not None and AREA not in columns:
        raise BadInput("This release has no areas to choose from.", "Leave the area out.")
    if (wanted.since or wanted.until) and WEEK not in columns:
        raise BadInput("This release has no weeks to choose from.", "Leave the days out.")


def _batches(file: Any, after: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches that hold a row after ``after``, each with the number of its first row."""
    number = 1
    groups: list[int] = []
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if not groups and number + rows - 1 <= after:
            number += rows
        else:
            groups.append(group)
    if not groups:
        return
    for batch in file.iter_batches(ROWS_PER_BATCH, row_groups=groups):
        if number + batch.num_rows - 1 > after:
            yield number, batch
        number += batch.num_rows


def wanted_rows(batch: pa.RecordBatch, wanted: Wanted, mask: Any) -> Any:
    """The mask, without the rows that are not wanted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if wanted.area is not None:
        mask = pc.and_kleene(mask, pc.equal(batch[AREA], wanted.area))
    for bound, compare in ((wanted.since, pc.greater_equal), (wanted.until, pc.less_equal)):
        if bound is not None:
            mask = pc.and_kleene(mask, compare(pc.cast(batch[WEEK], pa.date32()), pa.scalar(bound, pa.date32())))
    return mask


def _chosen(
    batch: pa.RecordBatch, wanted: Wanted, *, first: int, after: int, most: int
) -> list[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    number = pa.array(range(first, first + batch.num_rows), pa.int64())
    mask = wanted_rows(batch, wanted, pc.greater(number, after))
    table = pa.Table.from_batches([batch]).append_column("", number).filter(mask).slice(0, most)
    return [(row.pop(""), plain_row(row)) for row in table.to_pylist()]


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its dates as text."""
    return {name: v.isoformat() if isinstance(v, date | datetime) else v for name, v in row.items()}
