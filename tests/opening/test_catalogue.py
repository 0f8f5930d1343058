"""The catalogue's nouns refuse to be built wrong and keep one order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from hutong.errors import BadInput
from hutong.opening.catalogue.catalogue import (
    ACCESS_RIGHTS,
    SLUG_CHARACTERS,
    Catalogue,
    Contact,
    Distribution,
    Keywords,
    LegalBasis,
    Origin,
    Period,
    Publisher,
    Quality,
    Release,
    Territory,
    Text,
    dataset_uri,
)
from tests.opening.catalogue_sample import AUTHORITY, NODE, catalogue, harvested, line_list, release, weekly_counts

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)

WRONG = {
    "no words": lambda: Text(""),
    "endless words": lambda: Text("x" * 20_001),
    "a publisher without a slug": lambda: Publisher("Health Bureau", Text("x")),
    "a publisher with a script": lambda: Publisher("a", Text("x"), "javascript:alert(1)"),
    "a contact that cannot be reached": lambda: Contact("Desk"),
    "no e-mail": lambda: Contact("Desk", "desk at example"),
    "a territory by name": lambda: Territory("Taiwan", Text("Taiwan"), "https://x.example/tw"),
    "a period backwards": lambda: Period(date(2024, 1, 2), date(2024, 1, 1)),
    "a law without a title": lambda: LegalBasis(""),
    "a score above one": lambda: Quality("A", 87),
    "a score that is no number": lambda: Quality("A", float("nan")),
    "a file nowhere": lambda: Distribution("csv", "text/csv", ""),
    "a local file": lambda: Distribution("csv", "text/csv", "file:///etc/passwd"),
    "a short hash": lambda: Distribution("csv", "text/csv", NODE, sha256="ab"),
    "a negative size": lambda: Distribution("csv", "text/csv", NODE, bytes=-1),
    "a time without a zone": lambda: Release("a@1", "a", "1", NOON.replace(tzinfo=None)),
    "a release that supersedes itself": lambda: Release("a@1", "a", "1", NOON, supersedes="1"),
    "a version with a path": lambda: Release("a@1", "a", "../1", NOON),
    "grade 5": lambda: replace(weekly_counts(), grade=5),
    "closed and public": lambda: replace(line_list(), access_rights=ACCESS_RIGHTS[0]),
    "an id with capitals": lambda: replace(weekly_counts(), id="Dengue"),
    "a theme in words": lambda: replace(weekly_counts(), themes=("health",)),
    "a version twice": lambda: replace(weekly_counts(), releases=(release("a", "1", NOON), release("a", "1", NOON))),
    "a dataset twice": lambda: catalogue(weekly_counts(), weekly_counts()),
    "a node nowhere": lambda: Catalogue("tw", "tw", Text("a"), Text("a"), AUTHORITY, NOON),
    "an origin without a slug": lambda: Origin("PE", NODE, NODE),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_with_a_remedy(name):
    with pytest.raises(BadInput) as raised:
        WRONG[name]()
    assert raised.value.what
    assert raised.value.do


def test_the_grade_gives_the_access_right():
    for grade in range(5):
        dataset = replace(weekly_counts(), grade=grade, access_rights="")
        assert dataset.access_rights == ACCESS_RIGHTS[grade]


def test_what_has_no_order_gets_one():
    assert Keywords(("b", "a", "b", "")) == Keywords(("a", "b"))
    turned = replace(weekly_counts(), releases=weekly_counts().releases[::-1])
    assert turned == weekly_counts()
    files = weekly_counts().releases[0].distributions
    assert replace(weekly_counts().releases[0], distributions=files[::-1]).distributions == files


def test_versions_follow_time_and_then_number():
    versions = ["10", "9", "2"]
    dataset = replace(weekly_counts(), releases=tuple(release("a", version, NOON) for version in versions))
    assert [found.version for found in dataset.releases] == ["2", "9", "10"]
    assert dataset.current is dataset.release("10")
    assert dataset.release("11") is None


def test_times_are_kept_in_utc():
    there = datetime(2024, 1, 1, 20, tzinfo=timezone(timedelta(hours=8)))
    assert release("a", "1", there).issued == NOON
    assert release("a", "1", there).issued.utcoffset() == timedelta(0)
    assert catalogue().modified == datetime(2025, 1, 6, 9, 30, tzinfo=UTC)


def test_a_harvested_dataset_keeps_its_uri_and_gets_a_name_of_its_own():
    assert dataset_uri(harvested(), NODE) == "https://pe.example/id/dataset/dengue-weekly-counts"
    assert dataset_uri(weekly_counts(), f"{NODE}/") == f"{NODE}/id/dataset/dengue-weekly-counts"
    assert (harvested().name, weekly_counts().name) == ("pe--dengue-weekly-counts", "dengue-weekly-counts")
    long = [replace(harvested(), id=f"{'a' * 97}-{place}") for place in range(2)]
    names = {dataset.name for dataset in long}
    assert len(names) == 2
    assert all(len(name) <= SLUG_CHARACTERS for name in names)


def test_words_in_the_language_that_there_is():
    assert Text("a", "甲").in_language("zh-Hans") == "甲"
    assert Text("a").in_language("zh") == "a"
    assert Text("", "甲").in_language("en") == "甲"
