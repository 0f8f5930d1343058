"""The pages of data in a real browser: accessible on a desktop and a phone, in both languages, without a script."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from hutong.web.app import create_app
from tests.web import gallery
from tests.web.world import World

SHOWN = (
    "",
    "catalogue",
    "datasets/tw-dengue-weekly",
    "datasets/tw-dengue-weekly?area=TW-67&from=2015-07-05&to=2015-10-31",
    "datasets/tw-dengue-records",
    "about/tw-dengue-weekly/map",
    "sign-in",
    "developers",
    "developers/opening",
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(world: World) -> dict[str, str]:
    client = TestClient(create_app(world.node), base_url="http://node.test")
    # The browser is answered by path alone: a query becomes a part of it.
    return {
        f"/{code}/{path.replace('?', '/')}": client.get(f"/{code}/{path}").text
        for code in ("en", "zh")
        for path in SHOWN
    }


@pytest.mark.parametrize(("language", "width", "scheme"), gallery.LOOKS)
def test_axe_finds_nothing(pages: dict[str, str], chromium: Browser, language: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    page = gallery.open_page(chromium, pages, width, color_scheme=scheme)
    assert len(pages) == 2 * len(SHOWN)
    for path in [path for path in pages if path.startswith(f"/{language}/")]:
        page.goto(gallery.ORIGIN + path)
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        found = axe.run(page)
        assert found.violations_count == 0, f"{path} at {width}: {found.generate_report()}"
    page.context.close()


def test_pages_reflow_at_320_pixels_and_with_text_twice_as_large(pages: dict[str, str], chromium: Browser) -> None:
    for width, font in ((320, "100%"), (640, "200%")):
        page = gallery.open_page(chromium, pages, width)
        for path in pages:
            page.goto(gallery.ORIGIN + path)
            page.evaluate(f"document.documentElement.style.fontSize = '{font}'")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, font)
        page.context.close()


def test_targets_are_large_enough_to_touch(pages: dict[str, str], chromium: Browser) -> None:
    """WCAG 2.2, 2.5.8: 24 px, for every control that isn't inside a sentence."""
    page = gallery.open_page(chromium, pages, 390)
    for path in pages:
        page.goto(gallery.ORIGIN + path)
        small = page.evaluate(
            """() => [...document.querySelectorAll('a, button, summary, select, input:not([type=hidden])')]
            .filter(e => !e.closest('p, dd, td, th, h3, .skip') && !e.matches('.skip, li > a:only-child'))
            .filter(e => e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"""
        )
        assert small == [], path
    page.context.close()


def test_one_signs_in_with_the_keyboard_alone(pages: dict[str, str], chromium: Browser) -> None:
    page = gallery.open_page(chromium, pages, 1280, java_script_enabled=False)
    page.goto(f"{gallery.ORIGIN}/en/sign-in")
    page.get_by_label("Account name").focus()
    page.keyboard.type("steward")
    page.keyboard.press("Tab")
    page.keyboard.type("phrase")
    assert page.get_by_label("Password").input_value() == "phrase"
    page.keyboard.press("Tab")
    # The focus stands on the button of the form, where it can be seen.
    assert page.locator("form[action='/en/sign-in'] button:focus").count() == 1
    page.context.close()
