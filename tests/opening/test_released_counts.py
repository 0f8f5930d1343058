"""What follows from a release's listed figures: sums are never more than was published, and withheld is never zero."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import LimitExceeded
from hutong.opening import released_counts
from hutong.opening.preview import Wanted
from hutong.opening.released_counts import AreaSum, ReleasedCounts, area_series, country_series, read_counts
from hutong.opening.selection import Choices, choices, selected

WEEKS = tuple(date(2015, 7, 5) + timedelta(weeks=number) for number in range(4))
PARENTS = {"X": None, "X-1": "X", "X-2": "X", "X-1a": "X-1", "X-1b": "X-1", "X-2a": "X-2"}
LEVELS = {code: ("country", "region1", "region2")[code.count("-") + (len(code) == 4)] for code in PARENTS}


def counts(figures: dict[tuple[str, int], int | None]) -> ReleasedCounts:
    named = {(code, WEEKS[week]): value for (code, week), value in figures.items()}
    return ReleasedCounts(WEEKS, named, PARENTS, {code: code for code in PARENTS}, LEVELS)


def test_an_area_that_is_not_listed_had_no_case_where_the_area_above_is_published() -> None:
    found = counts({("X", week): 9 for week in range(4)} | {("X-1", 0): 9})
    assert [found.count("X-1", week) for week in WEEKS] == [9, 0, 0, 0]
    assert found.count("X-1a", WEEKS[1]) == 0
    assert found.sum_of("X-2") == AreaSum("X-2", known=0, withheld_weeks=0)
    assert found.sum_of("X-2").count == 0


def test_an_area_that_is_not_listed_is_withheld_where_the_area_above_is_withheld() -> None:
    found = counts({("X", week): None for week in range(4)})
    assert found.count("X-1a", WEEKS[0]) is None
    assert found.sum_of("X-1") == AreaSum("X-1", known=0, withheld_weeks=4)
    assert found.sum_of("X-1").count is None


def test_a_withheld_week_counts_what_is_published_below_it() -> None:
    figures = {("X", week): 30 for week in range(4)}
    figures |= {("X-1", 0): None, ("X-1a", 0): 7, ("X-1b", 0): None, ("X-1", 1): 12}
    assert counts(figures).sum_of("X-1") == AreaSum("X-1", known=19, withheld_weeks=1)


def test_sums_come_largest_first_and_leave_out_what_has_no_place() -> None:
    figures = {("X", week): 30 for week in range(4)} | {("X-2", 0): 5, ("X-1", 0): 20, ("X~unplaced", 0): 5}
    named = {(code, WEEKS[week]): value for (code, week), value in figures.items()}
    levels = {**LEVELS, "X~unplaced": "region1"}
    found = ReleasedCounts(WEEKS, named, {**PARENTS, "X~unplaced": "X"}, {}, levels)
    assert [(area.code, area.known) for area in found.sums("region1")] == [("X-1", 20), ("X-2", 5)]


def test_known_areas_are_not_forgotten() -> None:
    found = counts({("X", week): 1 for week in range(4)}).including({"X-3": "X"}, {"X-3": "region1"})
    assert "X-3" in [area.code for area in found.sums("region1")]
    assert found.sum_of("X-3").count == 0


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(sorted(PARENTS)), st.integers(0, 3)), st.one_of(st.none(), st.integers(0, 50))
    )
)
def test_a_sum_is_what_is_published_and_nothing_is_guessed(figures: dict[tuple[str, int], int | None]) -> None:
    found = counts(figures)
    for code in PARENTS:
        area = found.sum_of(code)
        own = sum(value or 0 for (name, _), value in figures.items() if name == code)
        below = sum(value or 0 for (name, _), value in figures.items() if PARENTS[name] == code)
        assert own <= area.known <= own + below
        assert 0 <= area.withheld_weeks <= len(WEEKS)
        if area.withheld_weeks == 0:
            assert area.known == own


def written(path: Path, figures: dict[tuple[str, int], int | None]) -> Path:
    """A release's file with these figures of the country X, its region X-1 and the place X-1-A."""
    above = {"X": None, "X-1": "X", "X-1-A": "X-1"}
    levels = {"X": "country", "X-1": "region1", "X-1-A": "region2"}
    table = pa.table(
        {
            "area_code": [code for code, _ in figures],
            "area_name": [f"name of {code}" for code, _ in figures],
            "level": [levels[code] for code, _ in figures],
            "parent_code": pa.array([above[code] for code, _ in figures], pa.string()),
            "period_start": [WEEKS[week] for _, week in figures],
            "value": pa.array(figures.values(), pa.int64()),
            "status": ["withheld" if value is None else "published" for value in figures.values()],
        }
    )
    pq.write_table(table, path)
    return path


def test_an_areas_weeks_are_those_listed_and_those_that_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {("X", 0): 9, ("X", 1): None, ("X", 2): 8, ("X", 3): 0, ("X-1", 0): 7, ("X-1", 2): None, ("X-1-A", 0): 6}
    path = written(tmp_path / "counts.parquet", figures)
    # Not listed: withheld where the area above is (week 1), and no case where it is published (week 3).
    assert area_series(path, "X-1") == list(zip(WEEKS, [7, None, None, 0], strict=True))
    assert area_series(path, "X-1-A") == list(zip(WEEKS, [6, None, None, 0], strict=True))
    assert area_series(path, None, WEEKS[1], WEEKS[2]) == [(WEEKS[1], None), (WEEKS[2], 8)]
    assert area_series(path, "X") == country_series(path)
    assert area_series(path, "Y") == []
    monkeypatch.setattr(released_counts, "MOST_ROWS", 3)
    with pytest.raises(LimitExceeded, match="more than 3 rows"):
        area_series(path, "X-1")


def test_what_may_be_chosen_next_has_its_published_cases(tmp_path: Path) -> None:
    figures = {("X", 0): 9, ("X", 1): None, ("X", 2): 8, ("X-1", 0): 7, ("X-1", 2): None, ("X-1-A", 0): 6}
    path = written(tmp_path / "counts.parquet", figures)
    assert choices(path, Wanted()).areas == (("X-1", "name of X-1", 7),)
    assert choices(path, Wanted()).years == ((WEEKS[0].year, 17),)
    assert choices(path, Wanted("X-1")) == Choices((("X-1-A", "name of X-1-A", 6),), ((WEEKS[0].year, 7),))
    # Nothing is published of the place in these weeks: it is no choice, and no zero.
    assert choices(path, Wanted("X-1", since=WEEKS[1])).areas == ()


def test_a_selection_is_whole_or_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "counts.parquet", {("X", week): week for week in range(4)})
    assert selected(path, Wanted(since=WEEKS[2]))["value"].to_pylist() == [2, 3]
    assert selected(path, Wanted(), most=4).num_rows == 4
    with pytest.raises(LimitExceeded):
        selected(path, Wanted(), most=3)


def test_a_file_is_read_whole_or_its_latest_weeks(tmp_path: Path) -> None:
    rows = [("X", "Xland", "country", None, week, 10 * n or None) for n, week in enumerate(WEEKS)]
    table = pa.table(
        {
            "area_code": [row[0] for row in rows],
            "area_name": [row[1] for row in rows],
            "level": [row[2] for row in rows],
            "parent_code": pa.array([row[3] for row in rows], pa.string()),
            "period_start": [row[4] for row in rows],
            "value": pa.array([row[5] for row in rows], pa.int64()),
            "status": ["withheld" if row[5] is None else "published" for row in rows],
        }
    )
    path = tmp_path / "counts.parquet"
    pq.write_table(table, path)
    assert country_series(path) == list(zip(WEEKS, [None, 10, 20, 30], strict=True))
    latest = read_counts(path, latest_weeks=2)
    assert latest is not None
    assert latest.country() == [(WEEKS[2], 20), (WEEKS[3], 30)]
    pq.write_table(table.select(["area_code"]), path)
    assert read_counts(path) is None
    assert country_series(path) == []
