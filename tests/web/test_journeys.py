"""What people come for, from page to page in a real browser without JavaScript, with axe at each stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.kept import Kept
from tests.web import test_pages_passes as regions
from tests.web import world as worlds
from tests.web.serving import serving

pytestmark = pytest.mark.browser
LONGEST_MS = 30_000


class Visitor:
    """Somebody at a browser that runs no scripts; a second one beside it runs axe on what they see."""

    def __init__(self, chromium: Browser, address: str, *, width: int = 1280) -> None:
        size: Any = {"width": width, "height": 900}
        self._context = chromium.new_context(viewport=size, java_script_enabled=False)
        self._looked = chromium.new_context(viewport=size).new_page()
        self._address = address
        self.page = self._context.new_page()
        self.page.set_default_timeout(LONGEST_MS)

    def go(self, path: str, status: int = 200) -> Page:
        answer = self.page.goto(self._address + path)
        assert answer is not None
        assert answer.status == status, path
        return self.page

    def follow(self, link: str) -> None:
        self.page.get_by_role("link", name=link).first.click()

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def write(self, **given: str) -> None:
        for label, text in given.items():
            self.page.locator(f"[name={label}]").fill(text)

    def sees(self, *texts: str) -> None:
        """The texts are on the page, it fits the window, and axe finds nothing on it."""
        for text in texts:
            self.page.get_by_text(text).first.wait_for(state="visible")
        shown, looked = self.page.content(), self._looked
        looked.route(self.page.url, lambda route: route.fulfill(body=shown, content_type="text/html; charset=utf-8"))
        looked.goto(self.page.url)
        assert looked.evaluate("document.documentElement.scrollWidth <= innerWidth"), self.page.url
        found = Axe().run(looked)
        assert found.violations_count == 0, f"{self.page.url}: {found.generate_report()}"
        looked.unroute(self.page.url)

    def sign_in(self, name: str, password: str) -> None:
        self.follow("Sign in")
        self.write(name=name, password=password)
        self.press("Sign in")


Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def sharing(kept: Kept, chromium: Browser) -> Iterator[Visit]:
    made = worlds.again(kept)
    with serving(made.node) as address:
        yield lambda **size: Visitor(chromium, address, **size)
    made.node.close()


@pytest.fixture(scope="module")
def passes(kept: Kept, chromium: Browser) -> Iterator[Visit]:
    made = regions.again(kept)
    with serving(made.node) as address:
        yield lambda **size: Visitor(chromium, address, **size)
    made.node.close()


def test_data_are_asked_for_granted_fetched_and_taken_back(sharing: Visit) -> None:
    partner, authority = sharing(), sharing()
    partner.go("/en/")
    partner.sign_in("partner", worlds.PASSWORD)
    partner.page.locator("main a[href*='/about/']").first.click()
    partner.sees()
    partner.go("/en/catalogue?grade=2")
    partner.page.locator("main a[href*='/datasets/tw-dengue-records']").first.click()
    partner.sees("Ask for this data")
    partner.page.locator("a.button", has_text="Ask for this data").click()
    partner.page.get_by_label("Health, medical or biomedical research").check()
    partner.write(statement="To compare attack rates between two regions.", days="30", contact="desk@institute.example")
    partner.press("Send the request")
    partner.sees("Decide on the request")

    authority.go("/en/requests")
    authority.sees("Sign in")
    authority.go("/en/")
    authority.sign_in("authority", worlds.PASSWORD)
    authority.go("/en/requests")
    authority.page.locator("main a[href*='/requests/']:not(.button)").first.click()
    authority.sees("To compare attack rates between two regions.")
    authority.page.get_by_label("Grant it").check()
    authority.write(reason="It serves both of us.")
    authority.press("Decide")
    authority.follow("See the agreement")
    authority.sees("may use “")

    partner.page.reload()
    partner.follow("See the agreement")
    with partner.page.expect_download(timeout=LONGEST_MS) as delivery:
        partner.press("Receive the data")
    assert Path(delivery.value.path()).read_text("utf-8").startswith('"')
    authority.write(because="The purpose has ended.")
    authority.press("Revoke the agreement")
    authority.sees("The agreement was revoked", "The purpose has ended.")
    partner.press("Receive the data")
    assert "The agreement was revoked." in partner.page.content()


def test_a_file_becomes_a_release(sharing: Visit) -> None:
    steward = sharing()
    steward.go("/en/")
    steward.sign_in("steward", worlds.PASSWORD)
    steward.go("/en/steward")
    steward.sees("What came in, and what was not accepted")
    steward.follow("Send a file")
    steward.page.locator("[name=source]").select_option("tw-dengue")
    cases = {"name": "dengue_2016.csv", "mimeType": "text/csv", "buffer": worlds.case_list(300, seed=11)}
    steward.page.locator("[name=file]").set_input_files(cases)
    steward.page.get_by_label("Mapping, as text").fill(worlds.text_of("mappings/taiwan-case.yaml"))
    steward.press("Send")
    steward.sees("The file was taken in", "rows wait for a decision")
    steward.page.locator("[name=rule]").first.check()
    steward.page.get_by_label("Release them").check()
    steward.write(reason="The hospital confirmed both dates.")
    steward.press("Decide")
    steward.sees("rows were released", "The hospital confirmed both dates.")

    steward.go("/en/steward")
    steward.follow("Dengue case list")
    before = steward.page.locator(".notes dd").nth(1).inner_text()
    steward.press("Assess again")
    steward.sees("What is wrong with it")
    assert steward.page.locator(".notes dd").nth(1).inner_text() != before
    steward.go("/en/steward")
    steward.follow("Publish a release")
    steward.write(publication=worlds.text_of("publications/tw-weekly.yaml"))
    steward.press("Look at it first")
    steward.sees("This would be published")
    steward.press("Publish")

    reader = sharing(width=390)
    reader.go("/en/catalogue?grade=0")
    reader.page.locator("main a[href*='/datasets/tw-dengue-weekly']").first.click()
    reader.sees("Download CSV")
    with reader.page.expect_download(timeout=LONGEST_MS) as file:
        reader.follow("Download CSV")
    assert file.value.suggested_filename == "tw-dengue-weekly-v2.csv"
    assert "dengue-cases" in Path(file.value.path()).read_text("utf-8")


def test_a_log_is_read_and_a_proof_of_it_is_checked(sharing: Visit) -> None:
    reader = sharing(width=390)
    reader.go("/en/")
    reader.follow("Check the log")
    reader.sees("Newest checkpoint", "Anybody can have the whole log recomputed")
    reader.page.locator("main .hit a").first.click()
    reader.sees("The proof, step by step")
    reader.page.get_by_text("Show the proof as JSON").click()
    proof = reader.page.locator("details pre").inner_text()
    reader.go("/en/log")
    reader.write(proof=proof)
    reader.press("Check the proof")
    reader.sees("The proof holds: the entry is in this node's log")
    digit = proof.rindex('"entry_base64": "') + 30
    reader.write(proof=proof[:digit] + ("A" if proof[digit] != "A" else "B") + proof[digit + 1 :])
    reader.press("Check the proof")
    reader.sees("The proof does not hold")


def test_a_pass_is_issued_scanned_and_understood(passes: Visit) -> None:
    resident, gate = passes(width=390), passes(width=390)
    resident.go("/en/pass")
    resident.sign_in("R1", regions.PASSWORD)
    resident.go("/en/pass")
    assert resident.page.locator("[name=person]").input_value() == "R1"
    resident.press("Get the pass")
    resident.sees("Why this level")
    picture = resident.page.locator(".qr").screenshot()

    gate.go("/en/pass/verify")
    gate.sees("The three answers")
    gate.page.locator("[name=picture]").set_input_files(
        {"name": "code.png", "mimeType": "image/png", "buffer": picture}
    )
    gate.press("Check")
    assert gate.page.locator(".verdict").get_by_text("accepted").is_visible()
    gate.sees()
    gate.go("/en/rulebooks")
    gate.page.locator("main a[href*='/rulebooks/']").first.click()
    gate.sees("dengue-3")


def test_pages_on_the_way_are_sound(passes: Visit) -> None:
    """Pages that no journey stops at."""
    resident = passes(width=390)
    resident.go("/en/nothing-here", 404)
    resident.sees()
    resident.go("/en/")
    resident.sign_in("R1", regions.PASSWORD)
    for path in ("account", "recognition", "appeals", "risk-areas", "developers"):
        resident.go(f"/zh/{path}")
        resident.sees()
