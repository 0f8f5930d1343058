"""What the node serves for the verifier: pages, manifest, service worker; without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hutong.node import Node
from hutong.web.app import create_app
from hutong.web.portal import verifier
from hutong.web.rendering import STATIC_DIR

FOLDER = STATIC_DIR / "verifier"
MODULES = sorted(FOLDER.glob("*.js"))
MOST_BYTES = 158_000
"""All that an installed verifier is, kept once: QR reader, rules of passes and of EU certificates, two languages; and
the EU's revocation lists, 5 kB, since else a gate without a network accepts what its issuer has ended. A dashboard may
have 180 kB."""


@pytest.fixture
def client(node: Node) -> TestClient:
    return TestClient(create_app(node), base_url="http://node.test", follow_redirects=False)


def edition(client: TestClient) -> dict[str, list[str]]:
    first = client.get("/verifier-worker.js").text.split("\n", 1)[0]
    found: dict[str, list[str]] = json.loads(first.removeprefix("const EDITION = ").removesuffix(";"))
    return found


@pytest.mark.parametrize(("language", "title", "scene"), [("en", "Check a pass", "School"), ("zh", "查验凭证", "学校")])
def test_the_page_stands_alone_in_its_language(
    client: TestClient, node: Node, language: str, title: str, scene: str
) -> None:
    answer = client.get(f"/{language}/scan")
    page = answer.text
    assert answer.status_code == 200
    assert f"<h1>{title}</h1>" in page
    assert page.count("<option") == 9
    assert f">{scene}<" in page
    assert node.keys.public["signing"]["x"] in page
    assert not re.search(r"(?:src|href|url)\W{1,2}(?:https?:)?//", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page) == [""]
    other = "zh" if language == "en" else "en"
    assert f'href="/{other}/scan"' in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_javascript_the_page_says_so_and_shows_the_other_way(client: TestClient, language: str) -> None:
    page = client.get(f"/{language}/scan").text
    (without,) = re.findall(r"<noscript>(.*?)</noscript>", page, re.DOTALL)
    assert f'href="/{language}/pass/verify"' in without
    assert "JavaScript" in without
    assert client.get(f"/{language}/pass/verify").status_code == 200
    assert re.search(r'<div id="verifier" hidden', page)


def test_the_page_is_nobodys(client: TestClient) -> None:
    """It is kept on devices, so it must not depend on who asked for it first."""
    assert client.get("/en/scan", headers={"cookie": "hutong_session=x"}).text == client.get("/en/scan").text


def test_everything_that_the_worker_keeps_is_there_and_everything_there_is_kept(client: TestClient) -> None:
    kept = edition(client)
    assert kept["pages"] == ["/en/scan", "/zh/scan"]
    for address in kept["addresses"]:
        assert client.get(address).status_code == 200, address
    files = {path.name for path in FOLDER.iterdir()} - {"worker.js"}
    assert {
        address.removeprefix("/static/verifier/") for address in kept["addresses"] if "/verifier/" in address
    } == files
    assert len(kept["addresses"]) == len(set(kept["addresses"])) == len(files) + 5
    page = client.get("/en/scan").text
    asked = set(re.findall(r'(?:src|href)="(/(?:static|verifier)[^"]*)"', page))
    assert asked <= set(kept["addresses"])


def test_the_worker_may_answer_for_the_pages_and_is_never_stale(client: TestClient) -> None:
    answer = client.get("/verifier-worker.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["service-worker-allowed"] == "/"
    assert answer.headers["cache-control"] == "no-cache"
    assert "connect-src 'self'" in answer.headers["content-security-policy"]


def test_an_edition_is_named_by_what_is_in_it(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first = edition(client)["name"]
    assert edition(client)["name"] == first
    monkeypatch.setattr(verifier, "_files_hash", lambda: b"another file")
    assert edition(client)["name"] != first


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_manifest_makes_it_an_app(client: TestClient, language: str) -> None:
    answer = client.get(f"/verifier.webmanifest?language={language}")
    manifest = answer.json()
    assert answer.headers["content-type"] == "application/manifest+json"
    assert manifest["start_url"] == f"/{language}/scan"
    assert manifest["start_url"].startswith(manifest["scope"])
    assert manifest["display"] == "standalone"
    assert {"any", "maskable"} == {icon["purpose"] for icon in manifest["icons"]}
    assert all(client.get(icon["src"]).status_code == 200 for icon in manifest["icons"])
    assert client.get("/verifier.webmanifest?language=fr").status_code == 404


def test_the_bundle_is_where_the_page_looks_for_it(client: TestClient) -> None:
    answer = client.get(verifier.BUNDLE)
    assert answer.status_code == 200
    assert answer.text.count(".") == 2


def test_modules_are_small_import_only_each_other_and_never_write_markup() -> None:
    assert len(MODULES) > 20
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES
    for path in MODULES:
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 400, path.name
        for imported in re.findall(r'from "([^"]+)"', text):
            assert (FOLDER / Path(imported).name).exists(), path.name
            assert imported.startswith("./"), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function", text), (
            path.name
        )
        assert (
            "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("via https", "")
            or path.name == "words.js"
        )


def test_only_the_bundle_is_ever_asked_for() -> None:
    """``fetch`` stands in two places: the bundle's, and the service worker's for its own files."""
    users = {
        path.name
        for path in MODULES
        if re.search(r"\bfetch\(|XMLHttpRequest|sendBeacon|WebSocket|EventSource", path.read_text())
    }
    assert users == {"trust.js", "worker.js"}
