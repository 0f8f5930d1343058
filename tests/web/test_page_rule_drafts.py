"""The page on which rules are published: who may, what is told before, the second person, and what can go wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser

from hutong.passes.documents import shipped_document
from hutong.passes.recognition import queries as recognition_queries
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.trust_bundle import queries as bundle_queries
from tests.kept import Kept
from tests.passes.region import FROM, TO
from tests.passes.test_eu_rules import rule, section
from tests.web import gallery
from tests.web.test_api_passes import draft, stricter
from tests.web.test_pages_passes import PASSWORD, Doors, again, csrf, make, words

PATH = "/en/pass/rules"
PAGE_BYTES = 60_000


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A region whose rules the tests of this module leave as they are."""
    made = make(tmp_path_factory.mktemp("drafts"))
    yield made
    made.node.close()


def send(doors: Doors, document: Any, *, path: str = PATH, who: str = "li", files: Any = None, **fields: str) -> Any:
    browser = doors.client(who)
    text = document if isinstance(document, str) else yaml.safe_dump(document, allow_unicode=True)
    data = {"csrf": csrf(browser), "kind": "rulebook", "document": text} | fields
    return browser.post(path, data=data, files=files)


def versions(doors: Doors) -> list[str]:
    return [one.rulebook.version for one in rulebook_queries.rulebook_versions(doors.node, "dengue-3")]


def test_who_may_publish_sees_the_form_and_the_way_to_it(doors: Doors) -> None:
    assert [doors.client(who).get(PATH).status_code for who in (None, "R1", "chen", "li")] == [401, 403, 403, 200]
    assert PATH in doors.client("li").get("/en/rulebooks").text
    assert PATH not in doors.client("R1").get("/en/rulebooks").text
    refused = doors.client("chen")
    assert refused.post(PATH, data={"csrf": csrf(refused, "/en/account")}).status_code == 403
    assert doors.client("li").post(PATH, data={"document": "a: 1"}).status_code == 403  # not from our own page


def test_a_new_version_begins_with_the_one_before_it(doors: Doors) -> None:
    form = doors.client("li").get(PATH).text
    start = re.search(r"\?start=([0-9a-f]{64})\">A rulebook: dengue-3 1\.1\.0", form)
    assert start is not None
    page = doors.client("li").get(f"{PATH}?start={start[1]}").text
    written = re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert written is not None
    assert yaml.safe_load(unescape(written[1])) == yaml.safe_load(yaml.safe_dump(draft()))


def test_before_publication_it_says_what_the_rules_say_and_change(doors: Doors) -> None:
    answer = send(doors, stricter())
    assert (answer.status_code, len(answer.content) < PAGE_BYTES) == (200, True)
    told = words(answer.text)
    for expected in (
        "A rulebook: dengue-3 1.2.0",
        "Well made; its own test passed.",
        "Dengue outbreak",
        "You have a fever and somebody you live or work with has dengue.",
        "您发热，并且同住者或同事患有登革热。",
        "It tightens",
        "Whether you have a fever: yes",
        "from medium to high",
        "Published now it would hold from 2 March 2026, 20:00 UTC, when its notice is over.",
    ):
        assert expected in told
    chinese = words(send(doors, stricter(), path="/zh/pass/rules").text)
    for expected in ("发布前核对", "收紧", "公告期满的 2026年3月2日 20:00 UTC", "文件完整，附带的 1 项测试全部通过。"):
        assert expected in chinese
    assert versions(doors) == ["1.1.0"]


def test_a_file_takes_the_place_of_the_text(doors: Doors) -> None:
    content = yaml.safe_dump(stricter(), allow_unicode=True).encode()
    answer = send(doors, "", files={"file": ("dengue.yaml", content, "application/yaml")})
    assert "A rulebook: dengue-3 1.2.0" in words(answer.text)
    latin = send(doors, "kept: 1", files={"file": ("dengue.yaml", "é".encode("latin-1"), "application/yaml")})
    assert latin.status_code == 422
    assert "The document is not UTF-8 text. Save it as UTF-8." in words(latin.text)
    assert "kept: 1" in latin.text
    large = send(doors, "", files={"file": ("large.yaml", b"#" * (2**20 + 1), "application/yaml")})
    assert large.status_code == 413


@pytest.mark.parametrize(
    ("document", "status", "told"),
    [
        ("", 422, "The document holds no object."),
        ("a: [1", 422, "The document is neither YAML nor JSON on line 2."),
        ("<script>alert(1)</script>: 1", 422, "is not known"),
        (draft(), 409, "Version 1.1.0 of dengue-3 does not follow 1.1.0."),
        (draft(version="1.2.0", emergency="flu-1918"), 403, "The emergency flu-1918 is not in force here"),
    ],
)
def test_what_is_missing_is_said_and_the_text_is_kept(doors: Doors, document: Any, status: int, told: str) -> None:
    answer = send(doors, document)
    assert answer.status_code == status
    assert told in words(answer.text)
    assert 'aria-invalid="true"' in answer.text
    assert "<script>alert" not in answer.text
    assert "Publish it" not in words(answer.text)


def test_the_document_can_be_changed_again(doors: Doors) -> None:
    answer = send(doors, "version: 1.2.0", step="edit")
    assert answer.status_code == 200
    assert "version: 1.2.0</textarea>" in answer.text


def test_two_persons_publish(kept: Kept) -> None:
    doors = again(kept)
    for second, password in (("wang", "a wrong phrase"), ("nobody", PASSWORD)):
        wrong = send(doors, stricter(), step="publish", second=second, password=password)
        assert wrong.status_code == 422
        assert "The name or the password of the second person is wrong." in words(wrong.text)
        assert PASSWORD not in wrong.text
    same = send(doors, stricter(), step="publish", second="li", password=PASSWORD)
    assert "This needs two persons, and both are the same." in words(same.text)
    assert send(doors, stricter(), step="publish", second="chen", password=PASSWORD).status_code == 422
    assert versions(doors) == ["1.1.0"]
    done = send(doors, stricter(), step="publish", second="wang", password=PASSWORD)
    assert done.status_code == 303
    assert versions(doors) == ["1.2.0", "1.1.0"]
    told = words(doors.client("li").get(done.headers["location"]).text)
    assert "dengue-3 1.2.0 is published, and stands in the log." in told
    (entry,) = doors.node.log.entries(kind="rulebook.published", limit=1)
    assert (entry.event["by"], entry.event["second"]) == ("li", "wang")
    # Sent twice, it is refused the second time.
    assert send(doors, stricter(), step="publish", second="wang", password=PASSWORD).status_code == 409
    doors.node.close()


def test_crosswalks_and_scenes_are_published_on_the_same_page(kept: Kept) -> None:
    doors = again(kept)
    for kind, column in (("crosswalk", "On the common scale"), ("scenes", "Public transport")):
        folder = {"crosswalk": "crosswalks"}.get(kind, kind)
        document = shipped_document(f"{folder}/dengue-three-levels", valid_from=FROM, valid_to=TO, version="1.2.0")
        if kind == "scenes":
            document["eu_dcc"] = section(rule())
        told = words(send(doors, document, kind=kind).text)
        assert column in told
        assert ("Fully vaccinated." in told) is (kind == "scenes")
        done = send(doors, document, kind=kind, step="publish", second="wang", password=PASSWORD)
        assert done.status_code == 303
        stored = recognition_queries.newest_documents(doors.node, kind)
        assert [one["version"] for one in stored] == ["1.2.0"]
    acceptance = bundle_queries.trust_snapshot(doors.node).acceptance
    assert acceptance is not None
    assert acceptance.eu_dcc is not None
    assert acceptance.eu_dcc.country == "XA"
    doors.node.close()


def test_without_an_emergency_the_form_says_so(tmp_path: Any) -> None:
    doors = make(tmp_path, filled=False)
    told = words(doors.client("li").get(PATH).text)
    assert "No emergency is in force" in told
    assert "Nothing has been published here." in told
    refused = send(doors, stricter())
    assert refused.status_code == 403
    doors.node.close()


@pytest.mark.browser
def test_axe_finds_nothing_and_pages_reflow(doors: Doors, chromium: Browser) -> None:
    from axe_playwright_python.sync_playwright import Axe

    pages = {}
    for code in ("en", "zh"):
        path = f"/{code}/pass/rules"
        pages[path] = doors.client("li").get(path).text
        pages[f"{path}/check"] = send(doors, stricter(), path=path).text
        pages[f"{path}/wrong"] = send(doors, "a: 1", path=path).text
        pages[f"{path}/second"] = send(doors, stricter(), path=path, step="publish", second="li", password="no").text
    for width in (1280, 390, 320):
        page = gallery.open_page(chromium, pages, width, java_script_enabled=True)
        for path in pages:
            page.goto(gallery.ORIGIN + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            if width > 320:
                found = Axe().run(page)
                assert found.violations_count == 0, f"{path} at {width}: {found.generate_report()}"
        page.context.close()
