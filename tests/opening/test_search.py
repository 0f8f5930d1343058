"""Search: English words, Chinese substrings, facets with counts, pages, and no query that breaks it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, LimitExceeded, Unavailable
from hutong.opening.catalogue.catalogue import Dataset, Text
from hutong.opening.catalogue.condition import Modified
from hutong.opening.catalogue.search import FACETS, MAX_TEXT_CHARACTERS, Query, SearchIndex, rebuild, terms
from tests.opening.catalogue_sample import catalogue, weekly_counts

ALL = ("dengue-line-list", "dengue-weekly-counts", "pe--dengue-weekly-counts")


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> SearchIndex:
    folder = tmp_path_factory.mktemp("search") / "index"
    assert rebuild(folder, catalogue().datasets) == 3
    return SearchIndex(folder)


def found(index: SearchIndex, text: str) -> tuple[str, ...]:
    return tuple(sorted(index.search(Query(text)).names))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ALL),
        ("dengue", ALL),
        ("DENGUE  Peru", ("pe--dengue-weekly-counts",)),
        ("dengué", ALL),
        ("township", ("dengue-weekly-counts",)),
        ("townships", ("dengue-weekly-counts",)),
        ("登革热", ALL),
        ("革热", ALL),
        ("革", ALL),
        ("每周", ("dengue-weekly-counts", "pe--dengue-weekly-counts")),
        ("乡镇每周", ("dengue-weekly-counts",)),
        ("镇革", ()),
        ("秘鲁weekly", ("pe--dengue-weekly-counts",)),
        ('"weekly counts"', ("dengue-weekly-counts", "pe--dengue-weekly-counts")),
        ('"counts weekly"', ()),
        ("“去标识化病例”", ("dengue-line-list",)),
        ("malaria", ()),
        ("health bureau", ("dengue-line-list",)),
        ("(", ()),
        ('"', ()),
        ("grade:2", ()),
        ("dengue (", ALL),
    ],
)
def test_words(index, text, names):
    assert found(index, text) == names


def test_the_title_counts_for_more_than_the_rest(index, tmp_path):
    aside = replace(weekly_counts(), id="aside", title=Text("Water"), description=Text("Not about Zika, but near."))
    about = replace(weekly_counts(), id="about", title=Text("Zika"), description=Text("Weekly."))
    rebuild(tmp_path, [aside, about])
    assert SearchIndex(tmp_path).search(Query("zika")).names == ("about", "aside")


def test_facets_count_what_was_found(index):
    facets = index.search(Query("dengue")).facets
    told = {name: {count.value: count.count for count in facets[name]} for name in FACETS}
    assert told == {
        "grade": {"0": 1, "1": 1, "2": 1},
        "publisher": {"health-bureau": 1, "minsa": 1, "region-cdc": 1},
        "territory": {"TWN": 2},
        "format": {"csv": 2, "json": 2, "parquet": 2},
        "quality": {"B": 2},
        "theme": {"http://publications.europa.eu/resource/authority/data-theme/HEAL": 3},
        "keyword": {"dengue": 2, "line list": 1, "surveillance": 1, "weekly": 1, "个案": 1, "登革热": 2, "监测": 1},
        "licence": {"cc-by-4.0": 1, "other-closed": 1},
    }


def test_a_filter_narrows_the_others_and_not_its_own_facet(index):
    results = index.search(Query("dengue", filters={"grade": ("2",)}))
    assert (results.total, results.names) == (1, ("dengue-line-list",))
    assert len(results.facets["grade"]) == 3
    assert [count.value for count in results.facets["publisher"]] == ["health-bureau"]
    either = index.search(Query(filters={"grade": ("0", "1")}))
    assert either.total == 2
    assert index.search(Query(filters={"grade": ("9",)})).total == 0
    assert index.search(Query(filters={"keyword": ("登革热",), "territory": ("TWN",)})).total == 2


def test_order_and_changes_since(index):
    newest = ("dengue-weekly-counts", "dengue-line-list", "pe--dengue-weekly-counts")
    assert index.search(Query(sort="newest")).names == newest
    assert index.search(Query(sort="oldest")).names == newest[::-1]
    assert index.search(Query(sort="name")).names == ALL
    since = datetime(2024, 6, 1, tzinfo=UTC)
    assert index.search(Query(sort="name", where=Modified(since=since))).names == ALL[:2]
    assert index.search(Query(sort="name", where=Modified(until=since))).names == ALL[::2]


def test_pages_join_to_the_whole(tmp_path):
    many = [replace(weekly_counts(), id=f"set-{place:03}") for place in range(57)]
    assert rebuild(tmp_path, many) == 57
    index = SearchIndex(tmp_path)
    for sort in ("name", "relevance", "newest"):
        pages = [index.search(Query("dengue", sort=sort, offset=start, limit=10)) for start in range(0, 70, 10)]
        assert {page.total for page in pages} == {57}
        names = [name for page in pages for name in page.names]
        assert sorted(names) == [dataset.id for dataset in many]
    assert index.search(Query(limit=0)).names == ()
    assert index.search(Query(limit=0)).total == 57


def test_a_rebuild_is_seen_by_an_open_index_and_leaves_one_copy(tmp_path):
    rebuild(tmp_path, catalogue().datasets)
    index = SearchIndex(tmp_path)
    assert index.search(Query()).total == 3
    assert rebuild(tmp_path, [weekly_counts()]) == 1
    assert index.search(Query()).total == 1
    assert len(list(tmp_path.glob("index-*"))) == 1
    assert rebuild(tmp_path, []) == 0
    assert index.search(Query("dengue")).total == 0


def test_limits_and_wrong_questions():
    with pytest.raises(LimitExceeded):
        Query("x" * (MAX_TEXT_CHARACTERS + 1))
    with pytest.raises(LimitExceeded):
        Query(limit=10**6)
    with pytest.raises(LimitExceeded):
        Query(offset=-1)
    with pytest.raises(BadInput):
        Query(sort="luck")
    with pytest.raises(BadInput):
        Query(filters={"colour": ("red",)})


def test_without_an_index_the_search_is_unavailable(tmp_path):
    with pytest.raises(Unavailable):
        SearchIndex(tmp_path / "none").search(Query())
    (tmp_path / "CURRENT").write_text("index-gone")
    with pytest.raises(Unavailable):
        SearchIndex(tmp_path).search(Query())


SYNTAX = st.text(st.sampled_from("()[]{}\"'“”+-&|!^~*?:\\/ ANDORNTO登革热dengue*<>=,.\x00\u0301"), max_size=80)
ANYTHING = st.one_of(SYNTAX, st.text(max_size=MAX_TEXT_CHARACTERS))


@settings(max_examples=100, deadline=None)
@given(ANYTHING)
def test_no_text_breaks_the_search(index, text):
    results = index.search(Query(text, filters={"publisher": (text,)} if len(text) % 2 else {}))
    assert 0 <= results.total <= 3
    assert len(results.names) == results.total


CHINESE = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=12)


@settings(max_examples=50, deadline=None)
@given(CHINESE, st.data())
def test_every_chinese_substring_is_found(tmp_path_factory, title, data):
    folder: Path = tmp_path_factory.mktemp("zh")
    dataset: Dataset = replace(weekly_counts(), title=Text("", title))
    rebuild(folder, [dataset])
    start = data.draw(st.integers(0, len(title) - 1))
    end = data.draw(st.integers(start + 1, len(title)))
    assert SearchIndex(folder).search(Query(title[start:end])).total == 1


def test_terms():
    assert terms("Weekly cases, 登革热x2") == [["week"], ["case"], ["登", "革", "热"], ["x2"]]
