"""Charts say what their numbers say, show what is withheld, and stay small."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import log
from xml.etree import ElementTree as ET

import h3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, LimitExceeded
from hutong.web import vega
from hutong.web.chart_specs import in_lines, map_spec, shortened, text_px, withheld_runs
from hutong.web.charts import Basis, Figure, MatrixCell, bars, epidemic_curve, hexagon_map, matrix, suppression_note
from hutong.web.findings import (
    Bar,
    HexagonValue,
    WeekCount,
    bars_finding,
    curve_finding,
    days_to_double,
    last_day,
    map_finding,
    ratio_beyond_chance,
    weeks_shown,
)
from hutong.web.hexagons import MapLabel, fitted
from hutong.web.i18n import CHINESE, ENGLISH, LANGUAGES, Language, translations
from hutong.web.scales import class_breaks, class_of, count_ticks, time_ticks

WORDS = translations(ENGLISH)
BASIS = Basis("a line list", datetime(2026, 1, 2, tzinfo=UTC), 10)
MIDDLE = h3.latlng_to_cell(22.95, 120.22, 7)


def weeks(*counts: int | None) -> list[WeekCount]:
    return [WeekCount(date(2015, 1, 5) + timedelta(weeks=place), count) for place, count in enumerate(counts)]


def every_figure(language: Language) -> list[Figure]:
    words = translations(language)
    cells = [
        HexagonValue(cell, value, 3)
        for cell, value in zip(sorted(h3.grid_disk(MIDDLE, 1)), (None, 0, 1, 5, 20, 100, 400), strict=True)
    ]
    return [
        epidemic_curve(weeks(None, 10, 40, None), description="d", basis=BASIS, words=words),
        epidemic_curve(weeks(*([None, 10, 40] * 70)), description="d", basis=BASIS, words=words),
        hexagon_map(
            cells, description="d", unit="u", basis=BASIS, words=words, labels=[MapLabel("<Tainan>", 22.95, 120.22)]
        ),
        bars([Bar("<a>", 3), Bar("b", None)], description="d", heading="h", unit="u", basis=BASIS, words=words),
        matrix(
            [MatrixCell("a", "b", "accepted"), MatrixCell("b", "a", "refused")],
            title="t",
            description="d",
            row_heading="r",
            basis=BASIS,
            words=words,
        ),
    ]


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((100, 200), "Cases doubled in 7 days"),
        ((50, 200), "Cases doubled in 4 days"),
        ((200, 100), "Cases halved in 7 days"),
        ((1000, 1300), "Cases rose by 30% in 7 days"),
        ((1300, 1000), "Cases fell by 23% in 7 days"),
        ((100, 104), "104 cases in the week of 12 January 2015, the latest: no clear change"),
        ((3, 6), "6 cases in the week of 12 January 2015, the latest: no clear change"),
        ((None, 600), "600 cases in the week of 12 January 2015, the latest: no clear change"),
        ((10, 5000, 12), "Cases peaked at 5,000 in the week of 12 January 2015"),
        ((10, 5000, None), "Cases peaked at 5,000 in the week of 12 January 2015"),
        ((None, None), "No weekly number can be shown"),
        ((0, 0), "0 cases in the week of 12 January 2015, the latest: no clear change"),
    ],
)
def test_a_curve_is_called_what_it_shows(counts: tuple[int | None, ...], says: str) -> None:
    assert curve_finding(weeks(*counts), WORDS) == says


def test_a_week_that_is_not_over_is_not_compared_with_whole_ones() -> None:
    points = weeks(210, 210, 60)  # 30 cases a day; the third week began on 19 January
    for day, says in (
        (date(2015, 1, 20), "210 cases in the week of 12 January 2015, the latest: no clear change"),
        (date(2015, 1, 24), "210 cases in the week of 12 January 2015, the latest: no clear change"),
        (date(2015, 1, 25), "Cases halved in 4 days"),
    ):
        assert curve_finding(points, WORDS, day) == says
        figure = epidemic_curve(points, description="D.", basis=replace(BASIS, known_until=day), words=WORDS)
        marked = "D." if day == date(2015, 1, 25) else "D. The last week is incomplete."
        assert (figure.title, figure.description, len(figure.rows)) == (says, marked, 3)
    assert curve_finding(weeks(60), WORDS, date(2015, 1, 6)) == "No week is complete yet"
    assert last_day(date(2015, 1, 19), date(2015, 1, 20)) == date(2015, 1, 20)
    assert last_day(date(2015, 1, 19), date(2026, 1, 1)) == last_day(date(2015, 1, 19), None) == date(2015, 1, 25)


def test_weeks_are_named_and_end_on_their_last_day() -> None:
    points = [WeekCount(date(2014, 12, 28), 3), WeekCount(date(2015, 1, 4), 4)]
    said = "ases by epidemiological week, 2014-W53 to 2015-W01 (28 December 2014 to 10 January 2015)."
    assert weeks_shown(points, "", None, WORDS) == f"C{said}"
    assert weeks_shown(points, "Tainan", date(2015, 1, 10), WORDS) == f"Tainan: c{said}"
    assert weeks_shown(points, "", date(2015, 1, 6), WORDS).endswith("2015-W01 (28 December 2014 to 6 January 2015).")
    assert "2014-W53 至 2015-W01（2014年12月28日至2015年1月10日）" in weeks_shown(
        points, "", None, translations(CHINESE)
    )


def test_nearly_all_is_not_called_all() -> None:
    shown = [WORDS.percent(share) for share in (0.994, 0.9951, 0.999, 0.99996, 1)]
    assert shown == ["99%", "99.5%", "99.9%", ">99.9%", "100%"]


def test_findings_speak_chinese() -> None:
    words = translations(CHINESE)
    assert curve_finding(weeks(100, 200), words) == "病例数 7 天翻倍"
    assert bars_finding([Bar("永康区", 3), Bar("北区", 1)], words) == "永康区最多：3，占已公布总数的75%"
    assert (
        map_finding([HexagonValue("a", 1, 9), HexagonValue("b", 1, 1)], words)
        == "已公布病例的一半集中在 2 个网格中的 1 个"
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 5000), st.integers(0, 5000))
def test_a_change_is_beyond_chance_in_both_directions_or_in_none(before: int, after: int) -> None:
    there, back = ratio_beyond_chance(before, after), ratio_beyond_chance(after, before)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert there * back == pytest.approx(1)
        assert before + after >= 20


@settings(max_examples=60, deadline=None)
@given(st.floats(1.01, 50), st.floats(1, 60))
def test_doubling_time_doubles(ratio: float, days: float) -> None:
    assert log(ratio) / days * days_to_double(ratio, days) == pytest.approx(log(2))
    assert days_to_double(1 / ratio, days) == pytest.approx(days_to_double(ratio, days))


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_every_figure_carries_its_basis_and_marks_what_is_withheld(language: Language) -> None:
    words = translations(language)
    figures = every_figure(language)
    assert len(figures) == 5
    for figure in figures:
        assert figure.title and figure.source == "a line list" and figure.as_of
        for drawn in filter(None, (figure.svg, figure.svg_narrow)):
            root = ET.fromstring(drawn)
            assert root.get("viewBox")
            assert not re.search(r"aria-|role=|style=|NaN|undefined|<script", drawn)
            if figure.kind != "matrix":
                assert words.gettext("withheld") in "".join(root.itertext())
        if figure.kind != "matrix":
            assert figure.suppression
            assert any(cell is None for row in figure.rows for cell in row)
        assert all(len(row) == len(figure.columns) for row in figure.rows)


def test_a_withheld_week_is_a_hollow_mark_and_a_zero_is_not() -> None:
    hidden = epidemic_curve(weeks(10, None, 40), description="d", basis=BASIS, words=WORDS).svg
    zero = epidemic_curve(weeks(10, 0, 40), description="d", basis=BASIS, words=WORDS).svg
    assert "stroke-dasharray" in hidden and "withheld" in hidden
    assert "stroke-dasharray" not in zero and "withheld" not in zero


@pytest.mark.parametrize("values", [(0, 0.2, 3, 40, 700), (0,), (5,), (None, 0, 9), (None, 2, 2)])
def test_the_legend_of_a_map_has_every_class_that_is_drawn(values: tuple[float | None, ...]) -> None:
    cells = [HexagonValue(cell, v) for cell, v in zip(sorted(h3.grid_disk(MIDDLE, 1)), values, strict=False)]
    layers = map_spec(cells, [], "u", WORDS)["layer"]
    drawn = {layer["mark"]["fill"] for layer in layers if layer["mark"]["type"] == "geoshape"}
    swatches = {
        layer["mark"]["fill"]: layer["encoding"]["x"]["value"] for layer in layers if layer["mark"]["type"] == "rect"
    }
    starts = {
        layer["encoding"]["x"]["value"]: layer["data"]["values"][0]["says"]
        for layer in layers
        if layer["mark"]["type"] == "text"
        and layer["mark"]["baseline"] == "top"
        and layer["data"]["values"][0]["says"] != "u"
    }
    assert drawn <= set(swatches)
    # Withheld (no fill) stands in the legend only when a hexagon is withheld; zero has its own swatch, and says 0.
    assert (None in swatches) == (None in values)
    assert (0 in values) == ("0" in starts.values())
    if 0 in values:
        assert starts[swatches["#f4f6f6"]] == "0"


def test_a_label_is_cut_where_it_matters_least() -> None:
    assert shortened("Peru · low", 120) == "Peru · low"
    for label, tail in (
        ("Region Peru (demonstration) · guarded", " · guarded"),
        ("秘鲁地区节点（演示） · low", " · low"),
    ):
        cut = shortened(label, 120)
        assert text_px(cut) <= 120 < text_px(label)
        assert cut.endswith(f"…{tail}") and label.startswith(cut.partition("…")[0])


@pytest.mark.parametrize(("label", "most_px", "lines"), [
    ("Peru · low", 120, ["Peru · low"]),
    ("秘鲁地区节点（演示） · 低", 120, ["秘鲁地区节点", "（演示） · 低"]),
    ("国家枢纽节点（演示）", 65, ["国家枢纽", "节点", "（演示）"]),
    ("National Hub (demonstration)", 122, ["National Hub", "(demonstration)"]),
    ("National Hub (demonstration)", 65, ["National", "Hub", "(demons…"]),
    ("Supercalifragilistic", 65, ["Supercal", "ifragili", "stic"]),
])  # fmt: skip
def test_a_label_too_wide_for_one_line_is_broken_between_words(label: str, most_px: int, lines: list[str]) -> None:
    most = 2 if most_px == 120 else 3
    assert in_lines(label, most_px, most) == lines
    assert max(text_px(line) for line in lines) <= most_px


def test_labels_stay_text() -> None:
    drawn = every_figure(ENGLISH)[3].svg
    assert "&lt;a&gt;" in drawn and "<a>" not in drawn


def test_a_long_series_shows_its_latest_weeks_in_the_table_and_says_so() -> None:
    figure = every_figure(ENGLISH)[1]
    assert len(figure.rows) == 110
    assert figure.table_note == "The latest 110 of 210 weeks; the downloads have all of them."


def test_figures_are_small() -> None:
    long = epidemic_curve(weeks(*(n % 97 for n in range(1400))), description="d", basis=BASIS, words=WORDS)
    assert len(long.svg) + len(long.svg_narrow) < 60_000
    cells = [HexagonValue(cell, 1 + n % 300, 3) for n, cell in enumerate(h3.grid_disk(MIDDLE, 12))]
    assert len(cells) == 469
    assert len(hexagon_map(cells, description="d", unit="u", basis=BASIS, words=WORDS).svg) < 40_000


def test_shrinking_keeps_every_polygon_where_it_was() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g role="x"><path d="M1.04,1L2,1L2,2Z" fill="#000"/>'
        '<path d="M5,5L6.26,5L6,6Z" fill="#000"/><path d="M3,3L4,4Z" fill="#fff"/><path d="" fill="#000"/></g></svg>'
    )
    paths = [(node.get("d"), node.get("fill")) for node in ET.fromstring(vega.shrink(svg)).iter() if "d" in node.attrib]
    # After "z" the pen is back at the start of its polygon: the next one starts relative to there.
    assert paths == [("m1 1l1 0l0 1zm4 4l1.3 0l-.3 1z", "#000"), ("m3 3l1 1z", "#fff")]


def test_cells_are_fitted_into_the_picture() -> None:
    rings, places = fitted(sorted(h3.grid_disk(MIDDLE, 3)), [MapLabel("x", *h3.cell_to_latlng(MIDDLE))], 500)
    every = [point for ring in rings for point in ring]
    assert len(rings) == 37 and all(ring[0] == ring[-1] for ring in rings)
    assert min(x for x, _ in every) == pytest.approx(0) and max(x for x, _ in every) == pytest.approx(500)
    assert min(y for _, y in every) == pytest.approx(0)
    assert places[0][0] == pytest.approx(250, abs=20)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=50), st.integers(2, 6))
def test_every_value_has_a_class_and_the_classes_ascend(values: list[float], most: int) -> None:
    breaks = class_breaks(values, most)
    assert breaks == sorted(set(breaks)) and 1 <= len(breaks) <= most
    assert breaks[0] == min(values)
    for value in values:
        place = class_of(value, breaks)
        assert breaks[place] <= value
        assert place == len(breaks) - 1 or value < breaks[place + 1]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**7))
def test_count_ticks_cover_the_largest_count_in_few_steps(largest: int) -> None:
    places = [place for place, _ in count_ticks(largest, WORDS)]
    assert places[0] == 0 and places[-1] >= largest and 2 <= len(places) <= 6


@settings(max_examples=100, deadline=None)
@given(st.dates(date(1990, 1, 1), date(2030, 1, 1)), st.integers(1, 2000), st.integers(2, 8))
def test_time_ticks_are_few_and_inside(first: date, length: int, most: int) -> None:
    ticks = time_ticks(first, length, most, WORDS)
    assert 1 <= len(ticks) <= most + 1
    assert all(0 <= place <= length for place, _ in ticks)


def test_withheld_weeks_join_only_when_they_follow_each_other() -> None:
    series = [(0.0, None), (1.0, None), (2.0, 5), (3.0, None)]
    assert withheld_runs(series, merge=True) == [(0, 2), (3, 4)]
    assert withheld_runs(series, merge=False) == [(0, 1), (1, 2), (3, 4)]


def test_the_note_counts_what_is_withheld() -> None:
    assert suppression_note(0, 5, None, WORDS) == ""
    assert suppression_note(0, 5, 10, WORDS) == "Nothing here; numbers below 10 would be."
    assert suppression_note(2, 5, 10, WORDS).startswith("2 of 5 numbers: fewer than 10")


def test_bad_charts_are_refused() -> None:
    common = {"description": "d", "basis": BASIS, "words": WORDS}
    for points in ([], weeks(1, 2)[::-1], [*weeks(1), *weeks(2)]):
        with pytest.raises(BadInput):
            epidemic_curve(points, **common)
    with pytest.raises(BadInput):
        hexagon_map([], unit="u", **common)
    with pytest.raises(BadInput):
        hexagon_map([HexagonValue("not a cell", 1)], unit="u", **common)
    with pytest.raises(BadInput):
        bars([Bar("a", 1), Bar("a", 2)], heading="h", unit="u", **common)
    with pytest.raises(BadInput):
        matrix([], title="t", row_heading="r", **common)
    with pytest.raises(LimitExceeded):
        epidemic_curve([WeekCount(date(1, 1, 1) + timedelta(days=n), n) for n in range(20_001)], **common)
