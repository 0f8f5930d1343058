"""The pages of appeals: what residents, authorities and everyone see, and what the forms do."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from hutong.governance import actions as governance
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.appeal.appeal import Appeal, State
from hutong.storage.schema import session
from tests.conftest import Clock, NewNode
from tests.passes import region
from tests.web import gallery
from tests.web.test_api_health_code import Region
from tests.web.world import PASSWORD

FORM_BUDGET_BYTES = 60_000


@pytest.fixture
def here(new_region: NewNode, clock: Clock) -> Region:
    return Region(new_region(), clock)


class Person:
    """A browser, signed in."""

    def __init__(self, made: Region, name: str) -> None:
        opened = governance.sign_in(made.node, name=name, password=PASSWORD, address="test")
        self.csrf, self.secret = opened.csrf, opened.secret
        self.client = TestClient(made.app, base_url="http://node.test", follow_redirects=False)
        self.client.cookies.set("hutong_session", opened.secret)

    def page(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return str(answer.text)

    def send(self, path: str, status: int = 303, **fields: str) -> str:
        answer = self.client.post(path, data={"csrf": self.csrf, **fields})
        assert answer.status_code == status, answer.text
        return str(answer.headers.get("location", answer.text))


def only(here: Region, number: str = "R5") -> Appeal:
    (found,) = appeal_queries.appeals_of(here.node, region.pseudonym(here.node, number))
    return found


def test_an_appeal_from_the_form_to_the_decision(here: Region) -> None:
    resident, li = Person(here, "R5"), Person(here, "li")
    text = resident.page("/en/appeals")
    assert "fever-high-area" in text and "You have a fever and live in, or stayed in, a high-risk area." in text
    path = resident.send("/en/appeals", statement="<b>No fever.</b>", subject="level")
    text = resident.page(path)
    assert "&lt;b&gt;No fever.&lt;/b&gt;" in text and "2 March 2026, 08:00 UTC" in text and "Withdraw" in text
    here.clock.advance(hours=30)
    resident, li = Person(here, "R5"), Person(here, "li")  # a session lasts for twelve hours
    assert re.search(r'is-high">.*late', li.page("/en/appeals"))
    assert "The level is under review" in resident.page(path)
    assert "under review" in resident.page("/en/appeals")
    li.send(f"{path}/acknowledgement")
    li.send(f"{path}/evidence-step", text="Which thermometer?")
    assert "Answer the question" in resident.page(path)
    resident.send(f"{path}/evidence", text="The school's.")
    order = {
        **{"outcome": "upheld", "reason": "It was broken.", "level": "low", "rule_id": "appeal-upheld"},
        **{"until": "2026-03-08", "second": "wang", "password": PASSWORD},
    }
    assert "second person is wrong" in li.send(f"{path}/decision", 422, **order | {"password": "not the right one"})
    assert "two persons" in li.send(f"{path}/decision", 403, **order | {"second": "li"})
    assert "must end after now" in li.send(f"{path}/decision", 422, **order | {"until": "2026-05-01"})
    assert "No outcome" in li.send(f"{path}/decision", 422, **order | {"outcome": ""})
    assert only(here).state is State.EVIDENCE
    li.send(f"{path}/decision", **order)
    li.send(f"{path}/notification")
    text = resident.page(path)
    assert "Upheld: the resident is right" in text and "It was broken." in text and "appeal-upheld" in text
    assert only(here).state is State.NOTIFIED
    assert "changed by two persons" in resident.page("/en/appeals")
    with here.node.records.reading() as connection:
        # The second person's password left no session behind.
        assert set(connection.execute(sa.select(session.c.account)).scalars()) == {"R5", "li"}


def test_forms_need_the_page_and_the_right_person(here: Region) -> None:
    resident, other, li = Person(here, "R5"), Person(here, "R2"), Person(here, "li")
    path = resident.send("/zh/appeals", statement="没有发烧。", subject="level")
    assert "针对该等级的申诉正在等待决定。请在该申诉中补充说明。" in resident.send(
        "/zh/appeals", 409, statement="再说一次。", subject="level"
    )
    assert "陈述须有 1 至 2,000 个字符。" in resident.send("/zh/appeals", 422, statement=" ", subject="fact")
    other.page(path, 403)
    other.send(f"{path}/withdrawal", 403)
    resident.send(f"{path}/acknowledgement", 403)
    resident.send(f"{path}/decision", 403, outcome="upheld", reason="Yes.", second="wang", password=PASSWORD)
    li.send(f"{path}/nothing", 404)
    assert resident.client.post(path + "/withdrawal", data={"csrf": "forged"}).status_code == 403
    assert TestClient(here.app, base_url="http://node.test").get(path).status_code == 401
    assert TestClient(here.app, base_url="http://node.test").post(path + "/withdrawal").status_code == 401
    resident.send(f"{path}/withdrawal")
    assert only(here).state is State.WITHDRAWN


def test_every_page_is_whole_in_both_languages(here: Region) -> None:
    resident, li = Person(here, "R5"), Person(here, "li")
    public = TestClient(here.app, base_url="http://node.test")
    path = resident.send("/en/appeals", statement="No fever.", subject="level").removeprefix("/en")
    seen = 0
    for language, other in (("en", "zh"), ("zh", "en")):
        for text, where in (
            (resident.page(f"/{language}/appeals"), "/appeals"),
            (resident.page(f"/{language}{path}"), path),
            (li.page(f"/{language}/appeals"), "/appeals"),
            (li.page(f"/{language}{path}"), path),
            (public.get(f"/{language}/appeals").text, "/appeals"),
            (public.get(f"/{language}/appeals/statistics").text, "/appeals/statistics"),
        ):
            assert text.count("<h1>") == 1
            assert len(text.encode()) < FORM_BUDGET_BYTES
            assert "<script" not in text
            ids = re.findall(r'\sid="([^"]+)"', text)
            assert len(ids) == len(set(ids))
            assert f'href="/{other}{where}"' in text
            seen += 1
    assert seen == 12


@pytest.mark.browser
def test_axe_finds_nothing(here: Region, chromium: Browser) -> None:
    from axe_playwright_python.sync_playwright import Axe

    resident, li = Person(here, "R5"), Person(here, "li")
    path = resident.send("/en/appeals", statement="No fever.", subject="level")
    li.send(f"{path}/acknowledgement")
    li.send(f"{path}/evidence-step", text="Since when?")
    pages = {
        "/en/appeals": resident.page("/en/appeals"),
        "/en/appeal": resident.page(path),
        "/zh/appeals": li.page("/zh/appeals"),
        "/zh/appeal": li.page(path.replace("/en/", "/zh/")),
        "/en/statistics": li.page("/en/appeals/statistics"),
    }
    axe = Axe()
    for width in (1280, 390):
        browser = gallery.open_page(chromium, pages, width)
        for name in pages:
            browser.goto(gallery.ORIGIN + name)
            found = axe.run(browser)
            assert found.violations_count == 0, f"{name} at {width}: {found.generate_report()}"
            assert browser.evaluate("document.documentElement.scrollWidth") <= width, name
        browser.context.close()
