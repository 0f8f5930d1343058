"""The catalogue over HTTP: DCAT that another node can harvest, CKAN as the real ``ckanapi`` reads it, and search."""

from __future__ import annotations

from pathlib import Path

import ckanapi  # type: ignore[import-untyped]
import pytest
from fastapi.testclient import TestClient

from hutong.opening.catalogue.dcat import parse_catalogue
from hutong.web.app import create_app
from tests.web import world as worlds

NAMES = ["tw-dengue-records", "tw-dengue-weekly"]


@pytest.mark.parametrize("get_only", [True, False])
def test_the_real_ckan_client_reads_the_catalogue(address: str, get_only: bool) -> None:
    with ckanapi.RemoteCKAN(address, get_only=get_only) as ckan:
        assert ckan.action.site_read() is True
        assert ckan.action.status_show()["ckan_version"].startswith("2.")
        assert ckan.action.organization_list() == ["tw"]
        assert ckan.action.package_list() == NAMES
        facets = '["organization", "res_format", "grade"]'
        found = ckan.action.package_search(q="dengue", rows=1, start=0, **{"facet.field": facets})
        assert found["count"] == 2
        assert found["facets"]["grade"] == {"0": 1, "2": 1}
        assert found["facets"]["organization"] == {"tw": 2}
        assert found["facets"]["res_format"] == {"CSV": 2, "JSON": 2, "PARQUET": 2}
        second = ckan.action.package_search(q="dengue", rows=1, start=1)
        assert sorted([found["results"][0]["name"], second["results"][0]["name"]]) == NAMES
        shown = ckan.action.package_show(id="tw-dengue-weekly")
        assert [resource["format"] for resource in shown["resources"]] == ["CSV", "JSON", "PARQUET"]
        assert ckan.action.package_show(id=shown["id"]) == shown
        assert (shown["isopen"], shown["license_id"]) == (True, "cc-zero")
        by_agreement = ckan.action.package_show(id="tw-dengue-records")
        assert (by_agreement["isopen"], by_agreement["license_id"]) == (False, "cc-zero")
        with pytest.raises(ckanapi.NotFound):
            ckan.action.package_show(id="nothing")
        with pytest.raises(ckanapi.CKANAPIError):
            ckan.action.package_create(name="x")


def test_ckan_takes_json_and_forms_with_and_without_version(client: TestClient) -> None:
    for path in ("/api/3/action/package_show", "/api/action/package_show"):
        asked = {"id": "tw-dengue-weekly"}
        answers = [
            client.get(path, params=asked),
            client.post(path, json=asked),
            client.post(path, data=asked),
            client.post(path, files={"id": (None, "tw-dengue-weekly")}),
        ]
        assert [answer.status_code for answer in answers] == [200] * 4
        assert len({answer.text for answer in answers}) == 1
    wrong = client.post("/api/3/action/package_show", content=b"[1]", headers={"content-type": "application/json"})
    assert (wrong.status_code, wrong.json()["success"]) == (400, False)


def test_another_node_reads_the_catalogue_back(client: TestClient) -> None:
    for path, kind in (("/catalogue.jsonld", "application/ld+json"), ("/catalogue.ttl", "text/turtle")):
        answer = client.get(path)
        assert answer.headers["content-type"].partition(";")[0] == kind
        found = parse_catalogue(answer.content, kind, harvested_from=("tw", "http://node.test"))
        assert sorted(dataset.id for dataset in found) == NAMES
        current = next(dataset for dataset in found if dataset.id == "tw-dengue-weekly").current
        assert current is not None
        assert {file.format: bool(file.url) for file in current.distributions} == dict.fromkeys(
            ("csv", "json", "parquet"), True
        )
        again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_one_dataset_in_each_form(client: TestClient) -> None:
    assert client.get("/datasets/tw-dengue-weekly.jsonld").json()["@context"]
    assert "dcat:Dataset" in client.get("/datasets/tw-dengue-weekly.ttl").text
    assert client.get("/datasets/none.ttl").status_code == 404


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"q": "dengue"}, set(NAMES)),
        ({"q": "登革热"}, set(NAMES)),
        ({"q": "influenza"}, set()),
        ({"grade": "0"}, {"tw-dengue-weekly"}),
        ({"q": "dengue", "grade": ["0", "2"], "publisher": "tw"}, set(NAMES)),
        ({"publisher": "pe"}, set()),
    ],
)
def test_search(client: TestClient, asked: dict[str, str], names: set[str]) -> None:
    answer = client.get("/api/search", params=asked).json()
    assert {found["name"] for found in answer["datasets"]} == names
    assert answer["total"] == len(names)


def test_a_new_release_is_found_at_once(tmp_path: Path) -> None:
    node = worlds.make_node(tmp_path)
    client = TestClient(create_app(node))
    assert client.get("/api/search").json()["total"] == 0
    before = client.get("/catalogue.ttl")
    worlds.fill(node, tmp_path)
    assert client.get("/api/search").json()["total"] == 2
    after = client.get("/catalogue.ttl", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert "tw-dengue-weekly" in after.text
    node.close()
