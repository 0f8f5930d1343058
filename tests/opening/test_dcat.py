"""DCAT: what this node writes it reads back without loss, and what others write it reads as far as it goes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.opening.catalogue import dcat, dcat_source
from hutong.opening.catalogue.catalogue import (
    ACCESS_RIGHTS,
    Dataset,
    Keywords,
    Origin,
    Period,
    Quality,
    Release,
    Text,
    dataset_uri,
)
from hutong.opening.catalogue.dcat_terms import TERMS, compact
from tests.opening.catalogue_sample import NODE, catalogue, harvested, line_list, weekly_counts

PREFIXES = "@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> . "


def at_home(dataset: Dataset) -> Dataset:
    """The dataset as another node sees it after a harvest."""
    return replace(dataset, origin=dataset.origin or Origin("tw", NODE, dataset_uri(dataset, NODE)))


def by_name(datasets: tuple[Dataset, ...]) -> dict[str, Dataset]:
    return {dataset.name: dataset for dataset in datasets}


@pytest.mark.parametrize(
    ("written", "media_type"),
    [
        (dcat.catalogue_turtle(catalogue()), dcat.TURTLE),
        (dcat.catalogue_turtle(catalogue()), "text/turtle; charset=utf-8"),
        (dcat.catalogue_json_ld(catalogue()), dcat.JSON_LD),
    ],
)
def test_a_catalogue_comes_back_as_it_was(written, media_type):
    expected = by_name(tuple(at_home(dataset) for dataset in catalogue().datasets))
    assert by_name(dcat.parse_catalogue(written, media_type)) == expected
    assert len(expected) == 3


@pytest.mark.parametrize("dataset", [weekly_counts(), line_list(), harvested()])
def test_one_dataset_comes_back_as_it_was(dataset):
    turtle = dcat.dataset_turtle(dataset, catalogue())
    json_ld = dcat.dataset_json_ld(dataset, catalogue())
    assert dcat.parse_catalogue(turtle, dcat.TURTLE) == (at_home(dataset),)
    assert dcat.parse_catalogue(json_ld, dcat.JSON_LD) == (at_home(dataset),)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
TEXTS = st.one_of(st.builds(Text, WORDS, st.one_of(st.just(""), WORDS)), st.builds(Text, st.just(""), WORDS))
SLUGS = st.from_regex(r"[a-z0-9]{2,8}(?:[-_][a-z0-9]{1,8}){0,3}", fullmatch=True)
DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))
PERIODS = st.one_of(
    st.none(),
    st.tuples(DAYS, DAYS).map(lambda days: Period(*sorted(days))),
    st.sampled_from([Period(date(2015, 6, 7), None), Period(None, None)]),
)
URIS = st.builds("https://uri.example/{}".format, SLUGS)


@st.composite
def datasets(draw):
    base = draw(st.sampled_from([weekly_counts(), line_list()]))
    own_id = draw(SLUGS)
    versions = draw(st.lists(st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,2})?", fullmatch=True), unique=True, max_size=4))
    moments = st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
    releases = tuple(
        Release(
            id=f"{own_id}@{version}",
            dataset_id=own_id,
            version=version,
            issued=draw(moments),
            supersedes=versions[place - 1] if place else "",
            rows=draw(st.integers(0, 10**9)),
            quality=draw(st.none() | st.builds(Quality, WORDS, st.floats(0, 1))),
            risk=draw(WORDS),
            as_of=draw(DAYS),
            temporal=draw(PERIODS),
            distributions=draw(st.sampled_from([(), base.releases[0].distributions])),
        )
        for place, version in enumerate(versions)
    )
    grade = draw(st.integers(0, 4))
    return replace(
        base,
        id=own_id,
        title=draw(TEXTS),
        description=draw(TEXTS),
        grade=grade,
        access_rights=ACCESS_RIGHTS[grade],
        keywords=Keywords(tuple(draw(st.lists(WORDS, max_size=5))), tuple(draw(st.lists(WORDS, max_size=5)))),
        themes=tuple(draw(st.lists(URIS, max_size=4))),
        temporal=draw(PERIODS),
        provenance=draw(st.one_of(st.none(), TEXTS)),
        releases=releases,
    )


@settings(max_examples=60, deadline=None)
@given(datasets())
def test_any_dataset_comes_back_as_it_was(dataset):
    whole = catalogue(dataset)
    # But for a licence for everyone on what only an agreement hands out: that one is not told.
    expected = replace(at_home(dataset), licence=dataset.files_licence)
    assert dcat.parse_catalogue(dcat.catalogue_turtle(whole), dcat.TURTLE) == (expected,)
    assert dcat.parse_catalogue(dcat.catalogue_json_ld(whole), dcat.JSON_LD) == (expected,)


def test_both_forms_say_the_same_triples():
    import pyoxigraph as ox

    def triples(text: str | bytes, form: ox.RdfFormat) -> set[str]:
        return {str(quad.triple) for quad in ox.parse(text, format=form)}

    turtle = triples(dcat.catalogue_turtle(catalogue()), ox.RdfFormat.TURTLE)
    json_ld = triples(dcat.catalogue_json_ld(catalogue()), ox.RdfFormat.JSON_LD)
    assert turtle == json_ld
    assert len(turtle) > 500


def test_the_same_catalogue_gives_the_same_bytes_in_another_process():
    program = (
        "import hashlib; from hutong.opening.catalogue import dcat;"
        "from tests.opening.catalogue_sample import catalogue;"
        "print(hashlib.sha256(dcat.catalogue_turtle(catalogue()).encode() + dcat.catalogue_json_ld(catalogue()))"
        ".hexdigest())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_every_property_in_json_ld_has_a_term_and_every_node_is_written_once():
    document = orjson.loads(dcat.catalogue_json_ld(catalogue()))
    assert document["@context"]["title"] == {"@id": "dct:title", "@container": "@language"}
    ids: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict) and "@id" in node:
            ids.append(node["@id"])
            assert set(node) <= {"@context", "@id", "@type", "@included", *TERMS}
            for key, value in node.items():
                if key != "@context":
                    walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert len(ids) == len(set(ids)) > 50
    assert [node["@id"] for node in document["@included"]] == ["urn:hutong:terms:Release"]
    assert compact("http://purl.org/dc/terms/title") == "dct:title"


def test_a_foreign_dataset_is_read_as_far_as_it_goes():
    turtle = PREFIXES + (
        '<https://x.example/d/1> a dcat:Dataset ; dct:title "Titel"@de ; dcat:keyword "eins", "zwei"@de ;'
        " dcat:landingPage <javascript:alert(1)> ;"
        " dcat:distribution [ a dcat:Distribution ; dcat:accessURL <file:///etc/passwd> ],"
        " [ a dcat:Distribution ; dcat:downloadURL <https://x.example/f.xml> ;"
        "   dct:format <http://publications.europa.eu/resource/authority/file-type/XML> ] ."
    )
    (found,) = dcat.parse_catalogue(turtle, dcat.TURTLE, harvested_from=("far", "https://far.example"))
    assert found.origin == Origin("far", "https://far.example", "https://x.example/d/1")
    assert (found.id, found.name) == ("x" + found.id[1:], f"far--{found.id}")
    assert found.title == Text("Titel")
    assert found.keywords == Keywords(("eins", "zwei"))
    assert found.landing_url == ""
    assert found.grade == 2  # nothing was said, so it is not taken for open
    assert [(f.format, f.url) for f in found.current.distributions] == [("xml", "https://x.example/f.xml")]


def test_grade_and_access_right_that_disagree_give_the_stricter():
    public = dcat.dataset_turtle(line_list(), catalogue()).replace("access-right/NON_PUBLIC", "access-right/PUBLIC")
    (found,) = dcat.parse_catalogue(public, dcat.TURTLE)
    assert (found.grade, found.access_rights) == (2, ACCESS_RIGHTS[2])


def test_two_foreign_datasets_with_one_identifier_keep_apart():
    turtle = PREFIXES + "".join(
        f'<https://x.example/{place}> a dcat:Dataset ; dct:identifier "same" ; dct:title "T{place}" .\n'
        for place in range(3)
    )
    found = dcat.parse_catalogue(turtle, dcat.TURTLE)
    assert len({dataset.name for dataset in found}) == 3


@pytest.mark.parametrize(
    ("text", "media_type", "error"),
    [
        ("<a> <b>", dcat.TURTLE, BadInput),
        ("{", dcat.JSON_LD, BadInput),
        ("<html>", "text/html", BadInput),
        ('{"@context": "https://far.example/context.jsonld"}', dcat.JSON_LD, BadInput),
        ('{"@context": [{"@import": "https://far.example/context.jsonld"}]}', dcat.JSON_LD, BadInput),
        ('{"@id": "urn:a", "urn:p": ' + '{"urn:p": ' * 100 + "1" + "}" * 101, dcat.JSON_LD, LimitExceeded),
        ("[" * 100_000, dcat.JSON_LD, BadInput),
        ("<urn:a> <urn:b> " + "[ <urn:b> " * 100_000, dcat.TURTLE, BadInput),
    ],
)
def test_what_cannot_be_read_is_refused(text, media_type, error):
    with pytest.raises(error) as raised:
        dcat.parse_catalogue(text, media_type)
    assert raised.value.do


def test_size_and_number_are_limited(monkeypatch):
    with pytest.raises(LimitExceeded):
        dcat.parse_catalogue(b" " * (dcat_source.MAX_BYTES + 1), dcat.TURTLE)
    monkeypatch.setattr(dcat_source, "MAX_TRIPLES", 10)
    with pytest.raises(LimitExceeded):
        dcat.parse_catalogue(dcat.catalogue_turtle(catalogue()), dcat.TURTLE)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_catalogue_is_read_or_refused_but_never_crashes(data):
    whole = dcat.dataset_turtle(line_list(), catalogue())
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 60))
    put = data.draw(st.sampled_from(["", '"', "<x>", "-5", "9" * 30, "2024-99-99", "\x00", " [] ", "zh", "http://["]))
    damaged = whole[:start] + put + whole[start + length :]
    try:
        found = dcat.parse_catalogue(damaged, dcat.TURTLE)
    except HutongError:
        return
    for dataset in found:
        assert dcat.dataset_turtle(dataset, catalogue())
