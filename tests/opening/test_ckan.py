"""CKAN: its own client reads the catalogue, and its answers fit the schemas that a national portal is tested with."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.opening.catalogue import ckan
from hutong.opening.catalogue.catalogue import Keywords
from hutong.opening.catalogue.search import SearchIndex, rebuild
from tests.opening.catalogue_sample import catalogue, weekly_counts

WHOLE = catalogue()
EU = "http://publications.europa.eu/resource/authority/licence/"
UUID_FORM = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def find(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ckan")
    rebuild(folder, WHOLE.datasets)
    return SearchIndex(folder).search


@pytest.fixture(scope="module")
def call(find):
    def _call(action: str, **parameters: object) -> tuple[int, dict]:
        status, envelope = ckan.answer(action, parameters, WHOLE, find)
        return status, json.loads(json.dumps(envelope))

    return _call


def result(answered: tuple[int, dict]) -> object:
    status, envelope = answered
    assert (status, envelope["success"]) == (200, True)
    return envelope["result"]


def names(answered: tuple[int, dict]) -> list[str]:
    return [package["name"] for package in result(answered)["results"]]


SCHEMAS = (
    "package_show",
    "package_search",
    "package_list",
    "organization_list",
    "organization_show",
)


@pytest.fixture(scope="module")
def validators(fixtures: Path):
    import jsonschema_rs

    folder = fixtures / "ckan" / "alphagov" / "schemas"
    bodies = {path.name: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
    assert len(bodies) == 15
    # The files name each other without ".schema.json", as the fixture's note says.
    resources = [
        (name, body) for body in bodies.values() for name in (body["$id"], body["$id"].removesuffix(".schema.json"))
    ]
    registry = jsonschema_rs.Registry(resources, draft=jsonschema_rs.Draft7)
    return {
        name: jsonschema_rs.Draft7Validator(
            # CKAN writes its times without a zone, which RFC 3339 does not allow, and Draft 7 has no "uuid".
            bodies[f"{name}.schema.json"],
            registry=registry,
            validate_formats=True,
            formats={"date-time": lambda _: True, "uuid": lambda text: bool(UUID_FORM.fullmatch(text))},
        )
        for name in SCHEMAS
    }


@pytest.mark.conformance
def test_answers_fit_the_schemas(validators, call):
    packages = [call("package_show", id=dataset.name) for dataset in WHOLE.datasets]
    organisations = [call("organization_show", id=name) for name in result(call("organization_list"))]
    answers = {
        "package_show": packages,
        "package_search": [
            call("package_search"),
            call("package_search", q="登革热", fq="organization:region-cdc", **{"facet.field": '["organization"]'}),
            call("package_search", rows=0, **{"facet.field": ["res_format", "grade", "tags", "no-such"]}),
        ],
        "package_list": [call("package_list")],
        "organization_list": [call("organization_list"), call("organization_list", all_fields=True)],
        "organization_show": [*organisations, call("organization_show", id="minsa", include_datasets="true")],
    }
    checked = 0
    for name, given_answers in answers.items():
        for status, envelope in given_answers:
            assert status == 200
            assert not list(validators[name].iter_errors(envelope)), name
            checked += 1
    assert checked == 13


@pytest.mark.conformance
def test_the_schemas_notice_what_is_wrong(validators, call):
    _, envelope = call("package_show", id="dengue-line-list")
    envelope["result"]["name"] = "Not A Slug"
    envelope["result"]["resources"][0]["id"] = "no uuid"
    del envelope["result"]["owner_org"]
    assert len(list(validators["package_show"].iter_errors(envelope))) == 3


def test_a_package_tells_what_the_dataset_is(call):
    package = result(call("package_show", id="dengue-weekly-counts"))
    extras = {extra["key"]: extra["value"] for extra in package["extras"]}
    assert package["license_id"] == "cc-by-4.0"
    assert package["isopen"] is True
    assert package["version"] == "2"
    assert package["metadata_modified"] == "2025-01-06T09:30:00.000000"
    assert [tag["name"] for tag in package["tags"]] == ["dengue", "surveillance", "weekly", "登革热", "监测"]
    assert [resource["format"] for resource in package["resources"]] == ["CSV", "JSON", "PARQUET"]
    assert all(resource["package_id"] == package["id"] for resource in package["resources"])
    assert (extras["grade"], extras["quality_label"], extras["versions"]) == ("0", "B", "1 2")
    assert result(call("package_show", id=package["id"])) == package
    closed = result(call("package_show", id="dengue-line-list"))
    assert not any("/files/" in resource["url"] for resource in closed["resources"])
    far = result(call("package_show", id="pe--dengue-weekly-counts"))
    assert {"key": "origin_node", "value": "pe"} in far["extras"]


@pytest.mark.parametrize(
    ("licence", "grade", "told"),
    [
        (f"{EU}CC0", 0, (True, "cc-zero", "Creative Commons CC Zero")),
        (f"{EU}CC_BY_4_0", 0, (True, "cc-by-4.0", "Creative Commons Attribution 4.0")),
        (f"{EU}CC_BYNC_4_0", 0, (False, "cc-by-nc-4.0", "Creative Commons Attribution-NonCommercial 4.0")),
        ("https://creativecommons.org/publicdomain/zero/1.0", 0, (True, "cc-zero", "Creative Commons CC Zero")),
        ("https://www.apache.org/licenses/LICENSE-2.0", 0, (True, "apache", "Apache Licence 2.0")),
        ("https://www.apache.org/licenses/LICENSE-2.0", 1, (False, "apache", "Apache Licence 2.0")),
        # An agreement, and no licence for everyone, says what may be done with data of grade 2.
        ("https://www.apache.org/licenses/LICENSE-2.0", 2, (False, "other-closed", "Other (Not Open)")),
        ("urn:a:licence", 0, (False, "", "urn:a:licence")),
        ("", 0, (False, "", "")),
    ],
)
def test_open_is_what_has_an_open_licence_and_is_given_to_anybody(licence, grade, told):
    dataset = replace(weekly_counts(), licence=licence, grade=grade, access_rights="")
    given = ckan.package(dataset, WHOLE)
    assert (given["isopen"], given["license_id"], given["license_title"]) == told
    assert given["license_url"] == (licence if grade < 2 else "")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"q": "*:*", "sort": "name asc"}, ["dengue-line-list", "dengue-weekly-counts", "pe--dengue-weekly-counts"]),
        ({"q": "秘鲁"}, ["pe--dengue-weekly-counts"]),
        ({"q": "title:townships"}, ["dengue-weekly-counts"]),
        ({"q": "name:dengue-line-list"}, ["dengue-line-list"]),
        ({"fq": '+organization:"health-bureau"'}, ["dengue-line-list"]),
        (
            {"fq": "organization:(minsa OR health-bureau)", "sort": "id asc"},
            ["dengue-line-list", "pe--dengue-weekly-counts"],
        ),
        ({"fq": "organization:minsa organization:health-bureau"}, []),
        ({"fq": "res_format:CSV AND tags:监测 +dataset_type:dataset"}, ["dengue-weekly-counts"]),
        ({"fq_list": ["grade:2", "state:active"]}, ["dengue-line-list"]),
        ({"fq": "metadata_modified:[2024-12-01T00:00:00Z TO *]"}, ["dengue-weekly-counts"]),
        ({"fq": "metadata_modified:[* TO 2024-03-01]"}, ["pe--dengue-weekly-counts"]),
        # What CKAN's harvester sends of organisations and groups to take or to leave, and for what is new.
        (
            {"fq": "-organization:minsa -organization:nobody", "sort": "id asc"},
            ["dengue-line-list", "dengue-weekly-counts"],
        ),
        (
            {"fq": "organization:minsa OR organization:region-cdc metadata_modified:[2024-12-01T00:00:00Z TO *]"},
            ["dengue-weekly-counts"],
        ),
        ({"fq": "groups:flu OR groups:dengue"}, []),
        ({"fq": "-groups:flu grade:1"}, ["pe--dengue-weekly-counts"]),
        ({"fq": "NOT organization:(minsa OR region-cdc)"}, ["dengue-line-list"]),
        ({"fq": "+(grade:1 OR territory:TWN) AND !res_format:CSV"}, ["pe--dengue-weekly-counts"]),
        ({"fq": 'tags:(dengue -"line list")'}, ["dengue-weekly-counts"]),
        ({"fq": "tags:登革热 && tags:个案"}, ["dengue-line-list"]),
        ({"fq": "state:draft"}, []),
        ({"fq": r"name:dengue\-line\-list"}, ["dengue-line-list"]),
        ({"fq_list": ["grade:1 OR grade:2", "-grade:1"]}, ["dengue-line-list"]),
        ({"q": "grade:0 OR grade:1", "sort": "id asc"}, ["dengue-weekly-counts", "pe--dengue-weekly-counts"]),
        ({"q": "dengue AND -grade:2", "sort": "id asc"}, ["dengue-weekly-counts", "pe--dengue-weekly-counts"]),
        ({"sort": "metadata_modified desc", "rows": "1", "start": "1"}, ["dengue-line-list"]),
        ({"rows": 0}, []),
    ],
)
def test_searches(call, parameters, expected):
    assert names(call("package_search", **parameters)) == expected


GRADES = {"dengue-weekly-counts": 0, "pe--dengue-weekly-counts": 1, "dengue-line-list": 2}
LEAVES = st.sampled_from(
    [(f"grade:{grade}", {name for name, of in GRADES.items() if of == grade}) for grade in range(4)]
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} OR {two[1][0]})", two[0][1] | two[1][1])),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} AND {two[1][0]})", two[0][1] & two[1][1])),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} NOT {two[1][0]})", two[0][1] - two[1][1])),
        inner.map(lambda one: (f"(-{one[0]})", set(GRADES) - one[1])),
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS)
def test_a_filter_finds_what_its_sets_say(call, expression):
    text, expected = expression
    assert set(names(call("package_search", fq=text))) == expected


def test_an_organisation_can_be_asked_for_by_its_id(call):
    (minsa,) = [o for o in result(call("organization_list", all_fields=True)) if o["name"] == "minsa"]
    assert names(call("package_search", fq=f"owner_org:{minsa['id']}")) == ["pe--dengue-weekly-counts"]
    assert "pe--dengue-weekly-counts" not in names(call("package_search", fq=f"-owner_org:({minsa['id']} OR x)"))
    assert result(call("organization_show", id=minsa["id"]))["package_count"] == 1


def test_facets_count(call):
    answered = result(call("package_search", **{"facet.field": ["res_format", "organization"]}))
    assert answered["facets"]["res_format"] == {"CSV": 2, "JSON": 2, "PARQUET": 2}
    shown = {item["name"]: item["display_name"] for item in answered["search_facets"]["organization"]["items"]}
    assert shown["region-cdc"] == "Region Centre for Disease Control"


def test_every_facet_that_is_asked_for_is_answered(call):
    asked = ["tags", "license_id", "groups", "organization", "name", "no-such"]
    answered = result(call("package_search", rows=0, **{"facet.field": json.dumps(asked)}))
    told = answered["facets"]
    assert list(told) == list(answered["search_facets"]) == asked
    assert (told["tags"]["dengue"], told["tags"]["登革热"], told["tags"]["line list"]) == (2, 2, 1)
    assert told["license_id"] == {"cc-by-4.0": 1, "other-closed": 1}
    assert (told["groups"], told["name"], told["no-such"]) == ({}, {}, {})
    assert answered["search_facets"]["groups"] == {"title": "groups", "items": []}
    assert names(call("package_search", fq="license_id:cc-by-4.0")) == ["dengue-weekly-counts"]


def test_a_tag_is_found_by_the_name_that_it_has(tmp_path):
    """CKAN's names of tags hold no parentheses: a facet, a package and a filter call one the same."""
    named = replace(weekly_counts(), keywords=Keywords(("dengue (severe)",)))
    whole = catalogue(named)
    rebuild(tmp_path, whole.datasets)

    def asked(action: str, **parameters: object) -> object:
        return result(ckan.answer(action, parameters, whole, SearchIndex(tmp_path).search))

    [name] = asked("package_search", **{"facet.field": ["tags"]})["facets"]["tags"]
    assert [name] == asked("tag_list") == [tag["name"] for tag in asked("package_show", id=named.name)["tags"]]
    assert asked("package_search", fq=f'tags:"{name}"')["count"] == 1


def test_lists_that_clients_ask_for(call):
    tags = result(call("tag_list"))
    assert tags == ["dengue", "line list", "surveillance", "weekly", "个案", "登革热", "监测"]
    assert result(call("tag_list", query="LIST")) == ["line list"]
    full = result(call("tag_list", all_fields=True))
    assert [tag["name"] for tag in full] == tags
    licences = {licence["id"]: licence for licence in result(call("license_list"))}
    assert licences["cc-by-4.0"]["url"] == "https://creativecommons.org/licenses/by/4.0"
    assert not licences["other-closed"]["is_okd_compliant"]
    packages = [result(call("package_show", id=dataset.name)) for dataset in WHOLE.datasets]
    assert {package["license_id"] for package in packages} <= {*licences, ""}
    assert result(call("group_list")) == []


def test_a_file_is_shown_by_its_id(call):
    for dataset in WHOLE.datasets:
        for resource in result(call("package_show", id=dataset.name))["resources"]:
            assert result(call("resource_show", id=resource["id"])) == resource
    assert call("resource_show", id="none")[0] == 404


@pytest.mark.parametrize(
    ("action", "parameters", "status", "kind"),
    [
        ("package_show", {"id": "none"}, 404, "Not Found Error"),
        ("package_show", {}, 409, "Validation Error"),
        ("organization_show", {"id": ["a"]}, 409, "Validation Error"),
        ("package_search", {"rows": "many"}, 409, "Search Query Error"),
        ("package_search", {"fq": "colour:red"}, 409, "Search Query Error"),
        ("package_search", {"fq": "grade:1 OR grade:2 AND grade:0"}, 409, "Search Query Error"),
        ("package_search", {"fq": "grade:1 OR -grade:2"}, 409, "Search Query Error"),
        ("package_search", {"fq": "grade:1 OR"}, 409, "Search Query Error"),
        ("package_search", {"fq": "grade:1)"}, 409, "Search Query Error"),
        ("package_search", {"fq": "name:(a OR NOT)"}, 409, "Search Query Error"),
        ("package_search", {"fq": "name:dengue*"}, 409, "Search Query Error"),
        ("package_search", {"fq": "grade:[0 TO 1]"}, 409, "Search Query Error"),
        ("package_search", {"fq": f"{'(' * 12}grade:1{')' * 12}"}, 409, "Search Query Error"),
        ("package_search", {"fq": "(" * 2_000}, 409, "Search Query Error"),
        ("package_search", {"fq_list": ["grade:1"] * 300}, 409, "Search Query Error"),
        ("package_search", {"q": "dengue OR grade:2"}, 409, "Search Query Error"),
        ("package_search", {"fq": "(organization:minsa"}, 409, "Search Query Error"),
        ("package_search", {"fq": "metadata_modified:[NOW-1DAY TO *]"}, 409, "Search Query Error"),
        ("package_search", {"sort": "luck"}, 409, "Search Query Error"),
        ("package_search", {"facet.field": "{"}, 409, "Search Query Error"),
        ("package_search", {"q": "x" * 3_000}, 409, "Search Query Error"),
        ("package_delete", {"id": "dengue-line-list"}, 400, "Bad Request"),
    ],
)
def test_errors_come_in_the_envelope(call, action, parameters, status, kind):
    told, envelope = call(action, **parameters)
    assert (told, envelope["success"], envelope["error"]["__type"]) == (status, False, kind)
    assert envelope["help"].startswith(WHOLE.url)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["q", "fq", "sort", "rows", "start", "facet.field", "fq_list"]),
    st.one_of(
        st.text(st.sampled_from('()[]"+-:* ANDORTOtags登革organization,{}\\'), max_size=60),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c, max_size=3)),
    ),
)
def test_no_parameter_breaks_a_search(call, name, value):
    status, envelope = call("package_search", **{name: value})
    assert status in (200, 409)
    assert envelope["success"] is (status == 200)


def test_tags_keep_to_the_signs_that_ckan_allows():
    dataset = replace(weekly_counts(), keywords=Keywords(("a/b, c", "*"), ("登革热（周）",)))
    told = [tag["name"] for tag in ckan.package(dataset, WHOLE)["tags"]]
    assert told == ["-", "a-b- c", "登革热-周-"]


@pytest.fixture(scope="module")
def address(find) -> Iterator[str]:
    class Door(BaseHTTPRequestHandler):
        def _answer(self, parameters: dict[str, object]) -> None:
            action = urlsplit(self.path).path.rsplit("/", 1)[-1]
            status, envelope = ckan.answer(action, parameters, WHOLE, find)
            body = json.dumps(envelope).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("get_only", [False, True])
def test_the_real_client_reads_the_catalogue(address, get_only):
    import ckanapi

    with ckanapi.RemoteCKAN(address, get_only=get_only) as client:
        assert client.action.site_read() is True
        assert client.action.status_show()["ckan_version"] == ckan.VERSION
        assert client.action.package_list() == sorted(dataset.name for dataset in WHOLE.datasets)
        assert client.action.package_search(q="登革热", rows=2)["count"] == 3
        assert client.action.package_show(id="dengue-line-list")["num_resources"] == 3
        assert client.action.organization_list() == ["health-bureau", "minsa", "region-cdc"]
        with pytest.raises(ckanapi.NotFound):
            client.action.package_show(id="none")
        with pytest.raises(ckanapi.errors.SearchQueryError):
            client.action.package_search(fq="colour:red")
