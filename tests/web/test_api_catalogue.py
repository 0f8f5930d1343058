"""The catalogue over HTTP: DCAT that another node can harvest, CKAN as the real ``ckanapi`` reads it, and search."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import ckanapi  # type: ignore[import-untyped]
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from hutong.opening import queries
from hutong.opening.catalogue.catalogue import Period
from hutong.opening.catalogue.dcat import parse_catalogue
from hutong.web.app import create_app
from tests.web import world as worlds
from tests.web.world import World

NAMES = ["tw-dengue-records", "tw-dengue-weekly"]
QUARTER = Period(date(2015, 7, 1), date(2015, 9, 30))


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
        assert (by_agreement["isopen"], by_agreement["license_id"]) == (False, "other-closed")
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


def test_a_published_release_describes_its_columns(client: TestClient, world: World) -> None:
    parsed = parse_catalogue(client.get("/catalogue.jsonld").content, "application/ld+json")
    found = {dataset.id: dataset.current for dataset in parsed}
    files = {name: release.distributions for name, release in found.items() if release}
    assert {len({file.columns for file in told}) for told in files.values()} == {1}, "each file has the same columns"
    counts = {column.name: column for column in files["tw-dengue-weekly"][0].columns}
    header = client.get("/data/tw-dengue-weekly/v1/tw-dengue-weekly-v1.csv").text.partition("\n")[0]
    assert ",".join(counts) == header.strip().replace('"', "")
    assert (counts["area_code"].datatype, counts["period_start"].datatype) == ("string", "date")
    assert (counts["value"].datatype, counts["area_name"].title.zh) == ("integer", "地区名称")
    records = {column.name: column for column in files["tw-dengue-records"][0].columns}
    assert records["serotype"].title.en == world.node.standard.table("case").element("serotype").label["en"]
    for name, release in found.items():
        turtle = client.get(f"/datasets/{name}.ttl").text
        assert release is not None
        # Files with the same columns share them, so that a catalogue with many releases stays small.
        assert turtle.count("a csvw:Column") == len(release.distributions[0].columns)
    page = client.get("/zh/datasets/tw-dengue-weekly").text
    told = json.loads(page.split('<script type="application/ld+json">')[1].split("</script>")[0])
    measured = {variable["name"]: variable["description"] for variable in told["variableMeasured"]}
    assert list(measured) == list(counts)
    assert measured["area_name"] == "来源所用的地区名称。"
    for query in ("地区名称", "Area name"):
        hits = client.get("/api/search", params={"q": f'"{query}"'}).json()["datasets"]
        assert [hit["name"] for hit in hits] == ["tw-dengue-weekly"]


def test_columns_of_case_records_tell_the_level_at_which_they_are_released(client: TestClient, world: World) -> None:
    path = queries.release_file(world.node, queries.release(world.node, "tw-dengue-records"), "parquet")
    released = parquet.read_table(path)
    assert set(released["true_from"].to_pylist()) == {"2015-Q3"}
    assert "20-24" in released["age_group"].to_pylist()
    page = client.get("/zh/datasets/tw-dengue-records").text
    told = json.loads(page.split('<script type="application/ld+json">')[1].split("</script>")[0])
    measured = {variable["name"]: variable["description"] for variable in told["variableMeasured"]}
    parsed = parse_catalogue(client.get("/catalogue.ttl").content, "text/turtle")
    release = next(dataset.current for dataset in parsed if dataset.id == "tw-dengue-records")
    assert release is not None
    columns = {column.name: column.description for column in release.distributions[0].columns}
    for name, en, zh in (
        ("true_from", "Released here: the quarter in which the week's Thursday lies", "所在周的星期四所属的季度"),
        ("age_group", "Released here: bands of five years, such as 20-24.", "此处发布的是五岁一组的年龄段"),
        ("residence_area_code", "Released here: areas of the second level", "此处发布的是二级区划"),
    ):
        assert en in columns[name].en
        assert zh in columns[name].zh
        assert measured[name] == columns[name].zh
        assert zh in page, "in its table of columns; what machines read has it escaped"
    assert not {name for name in ("sex", "serotype") if "Released" in columns[name].en}, "as they are"


def test_a_release_from_before_columns_and_periods_were_kept_has_them_from_its_file(world: World) -> None:
    body = queries.document(queries.release(world.node, "tw-dengue-weekly"))
    old = {name: value for name, value in body.items() if name != "temporal"}
    old["distributions"] = [{**file, "columns": []} for file in body["distributions"]]
    assert queries.document(queries.whole_release(world.node, old)) == body


def test_the_catalogue_tells_the_days_of_the_first_and_last_case_no_closer_than_the_releases(
    client: TestClient, world: World
) -> None:
    weekly, records = (
        parquet.read_table(queries.release_file(world.node, queries.release(world.node, name), "parquet"))
        for name in ("tw-dengue-weekly", "tw-dengue-records")
    )
    first, last = (end(weekly["period_start"].to_pylist()) for end in (min, max))
    assert records["true_from"].unique().to_pylist() == ["2015-Q3"], "generalised, and those of October left out"
    parsed = parse_catalogue(client.get("/catalogue.jsonld").content, "application/ld+json")
    told = {dataset.id: (dataset.temporal, dataset.current and dataset.current.temporal) for dataset in parsed}
    weeks = Period(first, last + timedelta(days=6))
    assert (first.isoweekday(), weeks.end and weeks.end.isoweekday()) == (7, 6), "from Sunday to Saturday"
    assert told == {"tw-dengue-weekly": (weeks, weeks), "tw-dengue-records": (QUARTER, QUARTER)}
    extras = client.get("/api/3/action/package_show", params={"id": "tw-dengue-records"}).json()["result"]["extras"]
    assert {entry["value"] for entry in extras if entry["key"].startswith("temporal")} == {"2015-07-01", "2015-09-30"}
    cases = world.node.engine.table("case")
    days = {
        str(day) for day in world.node.engine.to_arrow(cases.select("true_from").distinct())["true_from"].to_pylist()
    }
    raw = {min(days), max(days)}
    for path in ("/catalogue.ttl", "/en/datasets/tw-dengue-weekly", "/en/datasets/tw-dengue-records", "/en/catalogue"):
        page = client.get(path)
        assert page.status_code == 200
        assert not {day for day in raw if day in page.text}


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
