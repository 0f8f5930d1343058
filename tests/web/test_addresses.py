"""Addresses that are no page and no operation: identifiers, pages without their language, and HEAD wherever GET is."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from hutong.web.negotiation import best
from tests.web.world import World

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHINESE = {"Accept": BROWSER, "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}
DATASET = "/id/dataset/tw-dengue-weekly"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        ("text/turtle", "text/turtle"),
        ("text/*;q=0.3, application/ld+json", "application/ld+json"),
        ("application/ld+json;q=0.4, text/turtle;q=0.9, */*;q=0.1", "text/turtle"),
        ("text/turtle;q=0, */*", "text/html"),
        ("text/turtle;q=none, application/ld+json;q=0.1, text/html;q=0", "application/ld+json"),
        ("image/png", "text/html"),
    ],
)
def test_the_form_that_the_caller_would_rather_have(accept: str, chosen: str) -> None:
    assert best(accept, ("text/html", "text/turtle", "application/ld+json")) == chosen


@pytest.mark.parametrize(
    ("path", "page", "document"),
    [
        ("/id/catalogue", "/catalogue", "/catalogue"),
        ("/id/publisher/tw", "/", "/catalogue"),
        ("/id/record/tw-dengue-weekly", "/datasets/tw-dengue-weekly", "/catalogue"),
        (DATASET, "/datasets/tw-dengue-weekly", "/datasets/tw-dengue-weekly"),
        (f"{DATASET}/release/1", "/datasets/tw-dengue-weekly?version=1", "/datasets/tw-dengue-weekly"),
        (f"{DATASET}/release/1/csv", "/datasets/tw-dengue-weekly?version=1", "/datasets/tw-dengue-weekly"),
    ],
)
def test_an_identifier_leads_to_what_it_names(client: TestClient, path: str, page: str, document: str) -> None:
    wanted = {
        (BROWSER, "zh-CN,zh;q=0.9"): f"/zh{page}",
        (BROWSER, "de"): f"/en{page}",
        ("*/*", ""): f"/en{page}",
        ("text/turtle", "zh"): f"{document}.ttl",
        ("application/ld+json, */*;q=0.1", ""): f"{document}.jsonld",
    }
    for (accept, language), address in wanted.items():
        answer = client.get(path, headers={"Accept": accept, "Accept-Language": language}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, address)
        assert answer.headers["vary"] == "Accept, Accept-Language"
        assert client.get(address).status_code == 200


def test_every_identifier_of_this_node_in_its_catalogue_leads_somewhere(client: TestClient, world: World) -> None:
    home = world.node.settings.url
    named = set(re.findall(rf"<{re.escape(home)}(/id/[^>#]+)", client.get("/catalogue.ttl").text))
    assert {path.split("/")[2] for path in named} == {"catalogue", "dataset", "publisher", "record"}
    for path in named:
        assert client.get(path, follow_redirects=False).status_code == 303, path


@pytest.mark.parametrize(
    "path",
    [
        "/id",
        "/id/nothing",
        "/id/dataset/nothing",
        "/id/record/nothing",
        "/id/publisher/nobody",
        f"{DATASET}/release/99",
        f"{DATASET}/release/1/xml",
    ],
)
def test_an_identifier_of_nothing_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    page = client.get(path, headers=CHINESE)
    assert page.status_code == 404
    assert '<html lang="zh-Hans"' in page.text


@pytest.mark.parametrize("path", ["/catalogue", "/log", "/pass", "/datasets/tw-dengue-weekly", "/catalogue?q=dengue"])
def test_a_page_without_its_language_is_found_in_the_preferred_one(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=CHINESE, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/zh{path}")
    assert answer.headers["vary"] == "Accept, Accept-Language"
    for accept in ("*/*", "application/json"):
        told = client.get(path, headers={"Accept": accept}, follow_redirects=False)
        assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/nosuch", "/nosuch/catalogue", "/datasets/nothing.ttl"])
def test_nothing_is_told_on_a_page_in_the_preferred_language(client: TestClient, path: str) -> None:
    page = client.get(path, headers=CHINESE, follow_redirects=False)
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<html lang="zh-Hans"' in page.text
    assert client.get(path).headers["content-type"] == "application/problem+json"


def test_the_api_answers_programs_only(client: TestClient) -> None:
    answer = client.get("/api/datasets/nothing", headers=CHINESE)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "path",
    [
        "/en/",
        "/zh/catalogue",
        "/en/datasets/tw-dengue-weekly",
        "/api/search",
        "/api/openapi.json",
        "/catalogue.ttl",
        "/data/tw-dengue-weekly/v1/tw-dengue-weekly-v1.csv",
        "/static/hutong.css",
        "/",
        DATASET,
        "/nosuch",
        "/en/datasets/nothing",
        "/api/passes/levels",
    ],
)
def test_head_is_get_without_its_content(client: TestClient, path: str) -> None:
    whole = client.get(path, follow_redirects=False)
    head = client.head(path, follow_redirects=False)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    for name in ("content-type", "content-length", "location", "etag"):
        assert head.headers.get(name) == whole.headers.get(name), name


def test_head_of_what_is_only_sent_to_is_refused(client: TestClient) -> None:
    head = client.head("/en/sign-out")
    assert (head.status_code, head.content) == (405, b"")
    assert client.delete("/api/search").headers["allow"] == "GET, HEAD"
