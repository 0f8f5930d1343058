"""The look: budgets, accessibility and behaviour of every component, in both languages, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from hutong.web.rendering import STATIC_DIR
from tests.web import gallery

SAMPLE_PAGES = 14
FORM_BUDGET_BYTES = 60_000
DASHBOARD_BUDGET_BYTES = 180_000
CSS_BUDGET_BYTES = 20_000


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    found = gallery.rendered()
    assert len(found) == SAMPLE_PAGES
    return found


def test_pages_fit_their_budgets(pages: dict[str, str]) -> None:
    css = (STATIC_DIR / "hutong.css").stat().st_size
    assert css <= CSS_BUDGET_BYTES
    for path, page in pages.items():
        budget = DASHBOARD_BUDGET_BYTES if path.endswith("/home") else FORM_BUDGET_BYTES
        assert len(page.encode()) + css <= budget, path


def test_pages_need_no_script_no_style_attribute_and_no_other_site(pages: dict[str, str]) -> None:
    for path, page in pages.items():
        assert "<script" not in page, path
        assert not re.search(r"\sstyle=", page), path
        assert not re.search(r"(?:src|href|url)\W{1,2}(?:https?:)?//", page), path


def test_every_id_is_given_once_and_every_reference_is_met(pages: dict[str, str]) -> None:
    for path, page in pages.items():
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), path
        wanted = " ".join(re.findall(r'\s(?:aria-labelledby|aria-describedby|for)="([^"]+)"', page)).split()
        assert set(wanted) <= set(ids), path


def test_a_page_says_its_language_and_offers_the_other_at_the_same_place(pages: dict[str, str]) -> None:
    for path, page in pages.items():
        code, _, name = path.strip("/").partition("/")
        other = {"en": "zh", "zh": "en"}[code]
        assert f'<html lang="{ {"en": "en", "zh": "zh-Hans"}[code] }">' in page
        assert f'href="/{other}/{name}" hreflang=' in page


def test_what_a_user_wrote_stays_text() -> None:
    from hutong.web.i18n import ENGLISH
    from hutong.web.rendering import render

    page = render("error.html", ENGLISH, path="/en/x", status=404, code="not-found", what="<b>&", do="<script>")
    assert "&lt;b&gt;&amp;" in page
    assert "<script>" not in page


@pytest.mark.browser
@pytest.mark.parametrize(("language", "width", "scheme"), gallery.LOOKS)
def test_axe_finds_nothing(pages: dict[str, str], chromium: Browser, language: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    page = gallery.open_page(chromium, pages, width, color_scheme=scheme)
    for path in [path for path in pages if path.startswith(f"/{language}/")]:
        page.goto(gallery.ORIGIN + path)
        found = axe.run(page)
        assert found.violations_count == 0, f"{path} at {width}: {found.generate_report()}"
    page.context.close()


@pytest.mark.browser
def test_pages_reflow_at_320_pixels(pages: dict[str, str], chromium: Browser) -> None:
    page = gallery.open_page(chromium, pages, 320)
    for path in pages:
        page.goto(gallery.ORIGIN + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


@pytest.mark.browser
def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(pages: dict[str, str], chromium: Browser) -> None:
    page = gallery.open_page(chromium, pages)
    page.goto(f"{gallery.ORIGIN}/en/request")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for _ in range(40):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """() => {
                const e = document.activeElement, box = e.getBoundingClientRect();
                if (e === document.body) return null;
                // A date's ring is drawn around its own parts, inside the element.
                const ring = e.type === 'date' ? 'solid' : getComputedStyle(e).outlineStyle;
                return [ring, box.bottom > 0 && box.top < innerHeight, e.outerHTML];
            }"""
        )
        if seen is None:
            break
        assert seen[0] == "solid", seen
        assert seen[1], seen


@pytest.mark.browser
def test_targets_are_large_enough_to_touch(pages: dict[str, str], chromium: Browser) -> None:
    """WCAG 2.2, 2.5.8: 24 px, for every control that isn't inside a sentence."""
    page = gallery.open_page(chromium, pages, 390)
    seen = 0
    for path in pages:
        page.goto(gallery.ORIGIN + path)
        small = page.evaluate(
            """() => [...document.querySelectorAll('a, button, summary, select, input:not([type=hidden])')]
            .filter(e => !e.closest('p, dd, td, h3, .skip') && !e.matches('.skip, li > a:only-child'))
            .filter(e => e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"""
        )
        assert small == [], path
        seen += page.evaluate("document.querySelectorAll('a, button, summary, select, input').length")
    assert seen > 200
