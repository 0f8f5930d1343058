"""One server of the page and one browser for all tests of the verifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from hutong.node import init_node
from tests.chromium import CHROMIUM
from tests.web.verifier import world
from tests.web.verifier.world import Site


@pytest.fixture(scope="module")
def browser_program() -> Path:
    """The whole browser: the page is an app with a service worker, a camera and a store of its own."""
    return CHROMIUM


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    node = init_node(
        tmp_path_factory.mktemp("verifier") / "tw",
        node_id="tw",
        name={"en": "Tainan health data node", "zh": "台南健康数据节点"},
        territory="TW",
        url="http://127.0.0.1",
    )
    with world.serving(node) as found:
        yield found
    node.close()


@pytest.fixture
def open_page(site: Site, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page in a context of its own, on a phone's screen; a page error fails the test."""
    contexts = []
    faults: list[str] = []

    def open_(language: str = "en", query: str = "", **options: Any) -> Page:
        context = chromium.new_context(viewport={"width": 390, "height": 844}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(f"{site.origin}/{language}/scan{query}")
        page.locator("#verifier[data-ready]").wait_for()
        return page

    signed = site.signed
    yield open_
    site.signed = signed
    for context in contexts:
        context.close()
    unexpected = [fault for fault in faults if "ERR_INTERNET_DISCONNECTED" not in fault]
    assert unexpected == []


@pytest.fixture(scope="module")
def module_page(site: Site, chromium: Browser) -> Iterator[Page]:
    """A page whose modules tests call directly."""
    page = chromium.new_page()
    page.goto(f"{site.origin}/en/scan")
    page.locator("#verifier[data-ready]").wait_for()
    yield page
    page.close()
