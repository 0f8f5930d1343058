"""schema.org: what a dataset search engine reads on the page of a dataset."""

from __future__ import annotations

import json
from dataclasses import replace

from hutong.opening.catalogue.catalogue import Period
from hutong.opening.catalogue.schema_org import catalogue_page, dataset_page, home_page, interval
from tests.opening.catalogue_sample import CC_BY, NODE, TAIWAN, catalogue, harvested, line_list, weekly_counts


def test_an_open_dataset_says_where_its_files_are():
    page = dataset_page(weekly_counts(), catalogue(), "en")
    assert page["@type"] == "Dataset"
    assert page["license"] == CC_BY
    assert page["version"] == "2"
    assert page["isAccessibleForFree"] is True
    assert page["temporalCoverage"] == "1998-01-02/2024-12-31"
    assert page["spatialCoverage"]["identifier"] == "TWN"
    assert page["measurementTechnique"].startswith("Counted from")
    assert page["creator"]["name"] == "Region Centre for Disease Control"
    assert page["includedInDataCatalog"]["url"] == NODE
    files = page["distribution"]
    assert [file["encodingFormat"] for file in files] == [
        "text/csv",
        "application/json",
        "application/vnd.apache.parquet",
    ]
    assert all(file["contentUrl"].startswith(NODE) and len(file["sha256"]) == 64 for file in files)
    assert json.loads(json.dumps(page)) == page


def test_chinese_words_where_there_are_some():
    page = dataset_page(weekly_counts(), catalogue(), "zh")
    assert page["name"] == "登革热：各乡镇每周病例数"
    assert dataset_page(line_list(), catalogue(), "zh")["description"].startswith("One row a case")


def test_a_closed_dataset_does_not_say_that_it_is_free_and_gives_no_file():
    page = dataset_page(line_list(), catalogue(), "en")
    assert page["isAccessibleForFree"] is False
    assert page["conditionsOfAccess"].endswith("NON_PUBLIC")
    assert [file.get("contentUrl") for file in page["distribution"]] == [None, None, None]


def test_a_harvested_dataset_names_its_own_catalogue_and_leaves_out_what_is_unknown():
    page = dataset_page(harvested(), catalogue(), "en")
    assert page["includedInDataCatalog"]["url"] == "https://pe.example"
    assert not {"distribution", "version", "license", "temporalCoverage"} & set(page)


def test_a_page_of_the_catalogue_names_the_catalogue_and_what_it_lists():
    page = catalogue_page(catalogue(), [harvested(), weekly_counts()], "zh")
    assert (page["@type"], page["url"]) == ("DataCatalog", NODE)
    own = dataset_page(weekly_counts(), catalogue(), "zh")
    assert [dataset["@id"] for dataset in page["dataset"]][1] == own["@id"], "the same thing by the same name"
    assert page["dataset"][1]["name"] == own["name"] == "登革热：各乡镇每周病例数"
    assert "dataset" not in catalogue_page(catalogue(), [], "en")


def test_no_page_has_an_empty_member():
    def empty(told: object) -> bool:
        if isinstance(told, dict | list):
            return not told or any(map(empty, told.values() if isinstance(told, dict) else told))
        return told in ("", None)

    by_agreement = replace(line_list(), licence=CC_BY)
    assert by_agreement.files_licence == ""
    listed = [by_agreement, harvested(), weekly_counts()]
    pages = [home_page(catalogue(), listed, TAIWAN, "en"), catalogue_page(catalogue(), listed, "zh")]
    pages += [dataset_page(dataset, catalogue(), "en") for dataset in listed]
    assert not [page for page in pages if empty(page)]


def test_open_ends_of_a_period():
    assert interval(Period(None, None)) == "../.."
