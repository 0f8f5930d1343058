"""Forms about passes: convert another region's, make codes for contacts, print again, revoke with a second person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from hutong.governance import actions as governance
from hutong.passes.exposure import actions as exposure_actions
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import key_queries
from hutong.passes.issuance import queries as pass_queries
from hutong.trust.authorisation import PUBLIC
from hutong.web.app import create_app
from hutong.web.doors import SESSION_COOKIE
from tests.conftest import NewNode
from tests.kept import Kept
from tests.passes import test_three_modes as modes
from tests.passes.region import LI, WANG
from tests.passes.test_level_update import positive, update
from tests.web import gallery
from tests.web.test_pages_passes import PASSWORD, Doors, again, csrf, words


@pytest.fixture
def doors(kept: Kept) -> Iterator[Doors]:
    made = again(kept)
    yield made
    made.node.close()


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def test_a_pass_is_printed_by_its_holder_only(doors: Doors) -> None:
    browser = doors.client("R1")
    secret = csrf(browser)
    page = browser.post("/en/pass", data={"csrf": secret, "person": "R1", "hours": "24"}).text
    given = {"csrf": secret, "text": hidden(page, "text"), "holder_secret": hidden(page, "holder_secret")}
    printed = browser.post("/en/pass/print", data=given)
    assert (printed.status_code, printed.content[:4], printed.headers["cache-control"]) == (200, b"%PDF", "no-store")
    assert printed.headers["content-disposition"].startswith('attachment; filename="pass-')
    wrong = {**given, "holder_secret": "AAAAAAAAAAAAAAAAAAAAAA"}
    assert browser.post("/en/pass/print", data=wrong).status_code == 403
    assert browser.post("/en/pass/print", data={**given, "text": "HC1:nothing"}).status_code == 422
    assert browser.post("/en/pass/print", data={**given, "csrf": "guess"}).status_code == 403
    other = pass_actions.issue_pass(doors.node, by=LI, person="R2")
    anothers = {"csrf": secret, "text": other.text, "holder_secret": other.holder_secret}
    assert browser.post("/en/pass/print", data=anothers).status_code == 403
    li = doors.client("li")
    assert li.post("/en/pass/print", data={**anothers, "csrf": csrf(li)}).status_code == 200
    doors.clock.advance(hours=41)
    li = doors.client("li")  # sessions end, too
    assert li.post("/en/pass/print", data={**anothers, "csrf": csrf(li)}).status_code == 403


def test_a_resident_sees_the_own_level_over_time(doors: Doors) -> None:
    positive(doors.node, "R1")
    doors.clock.advance(seconds=40)
    update(doors.node)
    page = words(doors.client("R1").get("/en/pass").text)
    assert "My level over time" in page
    assert "1 March 2026, 08:00 UTC" in page
    assert "You tested positive for dengue in the last 7 days. test-0-7" in page
    assert "You live in a high-risk area. residence-high" in page
    assert "My level over time" not in doors.client("li").get("/en/pass").text
    assert [f'value="{who}"' in doors.client(who).get("/en/pass").text for who in ("R1", "li")] == [True, False]
    assert "我的等级历史" in doors.client("R1").get("/zh/pass").text


def test_the_way_to_appeals_is_on_the_page_and_in_the_navigation(doors: Doors) -> None:
    for who, named in ((None, False), ("R1", True), ("li", True), ("chen", False)):
        page = doors.client(who).get("/en/pass").text
        navigation = page.split("<main")[0]
        assert ('href="/en/appeals"' in navigation) is named, who
        assert "Is a level wrong? Appeal" in page
        assert ("For the authority" in page) is (who == "li"), who


def revocation(doors: Doors, **given: str) -> dict[str, str]:
    issued = pass_actions.issue_pass(doors.node, by=LI, person="R1")
    form = {"which": issued.pass_id, "rule_id": "forged", "reason": "A copy was sold.", "second": "wang"}
    return {**form, "password": PASSWORD, **given}


@pytest.mark.parametrize("by", ["number", "index"])
def test_two_persons_revoke_a_pass_on_the_page(doors: Doors, by: str) -> None:
    li = doors.client("li")
    issued = pass_actions.issue_pass(doors.node, by=LI, person="R1")
    which = issued.pass_id.upper() if by == "number" else str(issued.status_index)
    form = {**revocation(doors), "csrf": csrf(li, "/en/pass/keys"), "which": which}
    answer = li.post("/en/pass/keys/revocation", data=form)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/en/pass/keys?revoked={issued.pass_id}#revocations",
    )
    done = li.get(answer.headers["location"]).text
    assert "The pass was revoked" in done
    assert ">forged<" not in done
    assert pass_queries.pass_record(doors.node, issued.pass_id).revoked_by_rule == "forged"
    (one,) = key_queries.revocations(doors.node)
    assert (one.pass_id, one.by, one.second) == (issued.pass_id, "li", "wang")
    again = li.post("/en/pass/keys/revocation", data=form)
    assert (again.status_code, "revoked before" in again.text) == (409, True)


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"password": "guess"}, 422, "name or the password of the second person is wrong"),
        ({"second": "li"}, 403, "both are the same"),
        ({"second": "chen"}, 403, ""),
        ({"which": "0123456789abcdef"}, 404, "no such pass"),
        ({"which": "999999"}, 404, "no such pass"),
        ({"which": ""}, 404, "no such pass"),
        ({"rule_id": "because"}, 422, "No such rule"),
        ({"reason": " "}, 422, "A reason of 1 to 500"),
        ({"which": "HC1:" + "A" * 3000}, 404, "no such pass"),
        ({"reason": "long " * 300}, 422, "A reason of 1 to 500"),
    ],
)
def test_what_is_not_revoked_on_the_page(doors: Doors, change: dict[str, str], status: int, says: str) -> None:
    li = doors.client("li")
    form = {**revocation(doors), "csrf": csrf(li, "/en/pass/keys"), **change}
    answer = li.post("/en/pass/keys/revocation", data=form)
    assert answer.status_code == status
    assert says in unescape(answer.text)
    assert "guess" not in answer.text
    (field,) = {"second" if name == "password" else name for name in change}
    assert f'id="{field}-error"' in answer.text
    assert form["which"] in answer.text
    assert form["reason"] in answer.text
    assert doors.node.log.entries(kind="pass.revoked", limit=5) == []


def test_who_may_not_revoke_is_refused_before_a_password_is_looked_at(doors: Doors) -> None:
    resident = doors.client("R1")
    form = {**revocation(doors), "csrf": csrf(resident), "password": "guess"}
    assert resident.post("/en/pass/keys/revocation", data=form).status_code == 403
    assert doors.client().post("/en/pass/keys/revocation", data=form).status_code == 401


def test_codes_are_made_and_shown_once(doors: Doors) -> None:
    li, address = doors.client("li"), "/en/pass/exposure-codes"
    form = {"csrf": csrf(li, address), "emergency": "dengue-2015", "report_type": "confirmed_test", "number": "3"}
    answer = li.post(address, data=form)
    codes = [code.replace(" ", "") for code in re.findall(r"\b\d{4} \d{4} \d{4}\b", words(answer.text))]
    assert (answer.status_code, len(codes), answer.headers["cache-control"]) == (200, 3, "no-store")
    assert "3 codes, shown this once" in words(answer.text)
    assert "1 March 2026, 09:00 UTC" in answer.text
    token = exposure_actions.exchange_code(doors.node, by=PUBLIC, code=codes[1], address="192.0.2.7")
    assert token.expires_at == doors.clock() + timedelta(hours=24)
    assert not re.search(r"\d{4} \d{4}", words(li.get(address).text.split("<main")[1]))
    assert len(doors.node.log.entries(kind="exposure-code.issued", limit=9)) == 3


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"number": "21"}, 422),
        ({"number": "none"}, 422),
        ({"onset": "2026-01-01"}, 422),
        ({"onset": "today"}, 422),
        ({"report_type": "guess"}, 422),
        ({"emergency": "none"}, 403),
    ],
)
def test_what_gives_no_code(doors: Doors, change: dict[str, str], status: int) -> None:
    li, address = doors.client("li"), "/en/pass/exposure-codes"
    form = {"csrf": csrf(li, address), "emergency": "dengue-2015", "report_type": "confirmed_test", "number": "2"}
    answer = li.post(address, data={**form, **change})
    assert answer.status_code == status
    assert "There is 1 problem" in words(answer.text)
    assert doors.node.log.entries(kind="exposure-code.issued", limit=9) == []


def test_only_the_authority_makes_codes_and_converts(doors: Doors) -> None:
    for path in ("exposure-codes", "convert"):
        found = {who: doors.client(who).get(f"/en/pass/{path}").status_code for who in (None, "R1", "chen", "li")}
        assert found == {None: 401, "R1": 403, "chen": 403, "li": 200}, path


@pytest.fixture
def hub(new_region: NewNode, new_node: NewNode) -> modes.Hub:
    return modes.Hub(new_region, new_node)


def desk(hub: modes.Hub) -> TestClient:
    """The authority of the hub, signed in."""
    governance.create_account(
        hub.cn, by=hub.cn.operator, name="hu", display_name="Hu", roles=frozenset({"authority"}), password=PASSWORD
    )
    browser = TestClient(create_app(hub.cn), base_url="http://node.test", follow_redirects=False)
    browser.cookies.set(SESSION_COOKIE, governance.sign_in(hub.cn, name="hu", password=PASSWORD, address="x").secret)
    return browser


def test_a_pass_is_converted_on_the_page(hub: modes.Hub) -> None:
    browser, shown = desk(hub), modes.issue(hub, "R1")
    entrance = browser.get("/en/pass").text
    assert 'action="/en/pass/convert"' in entrance
    form = {"csrf": csrf(browser), "text": shown.text, "holder_secret": shown.holder_secret, "rulebook": "dengue-4"}
    answer = browser.post("/en/pass/convert", data={**form, "for_hours": "24"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    page = words(answer.text)
    assert "Made from tw dengue-3@1.1.0 medium" in page
    text = re.search(r"HC1:[^<]+", answer.text)
    assert text is not None
    (entry,) = hub.cn.log.entries(kind="pass.converted", limit=5)
    assert entry.event["origin"] == "tw"
    assert modes.at(hub.cn, unescape(text[0])) == ("accepted", "guarded")
    refused = browser.post("/en/pass/convert", data={**form, "holder_secret": "AAAAAAAAAAAAAAAAAAAAAA"})
    assert (refused.status_code, "is not its holder" in refused.text) == (403, True)
    assert browser.post("/zh/pass/convert", data={**form, "text": "x"}).status_code in (403, 422)


@pytest.mark.browser
def test_axe_finds_nothing(doors: Doors, hub: modes.Hub, chromium: Browser) -> None:
    from axe_playwright_python.sync_playwright import Axe

    li, resident, hu, shown = doors.client("li"), doors.client("R1"), desk(hub), modes.issue(hub, "R2")
    codes = {"csrf": csrf(li), "emergency": "dengue-2015", "report_type": "confirmed_test", "number": "2"}
    order = {"csrf": csrf(hu), "text": shown.text, "holder_secret": shown.holder_secret, "rulebook": "dengue-4"}
    pass_actions.revoke_pass(
        doors.node,
        by=LI,
        second=WANG,
        pass_id=pass_actions.issue_pass(doors.node, by=LI, person="R2").pass_id,
        rule_id="forged",
        reason="A copy was sold.",
    )
    pages = {}
    for code in ("en", "zh"):
        pages[f"/{code}/codes"] = li.post(f"/{code}/pass/exposure-codes", data=codes).text
        pages[f"/{code}/no-codes"] = li.post(f"/{code}/pass/exposure-codes", data={**codes, "number": "0"}).text
        pages[f"/{code}/keys"] = li.post(f"/{code}/pass/keys/revocation", data={"csrf": codes["csrf"]}).text
        pages[f"/{code}/resident"] = resident.get(f"/{code}/pass").text
        pages[f"/{code}/authority"] = li.get(f"/{code}/pass").text
        pages[f"/{code}/convert"] = hu.get(f"/{code}/pass/convert").text
        pages[f"/{code}/converted"] = hu.post(f"/{code}/pass/convert", data=order).text
    axe = Axe()
    tabs = [
        (code, gallery.open_page(chromium, pages, width, color_scheme=scheme)) for code, width, scheme in gallery.LOOKS
    ]
    for path, text in pages.items():
        assert len(text.encode()) < 60_000, path
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path
        if path.startswith("/zh/"):
            main = re.sub(r"<(pre|code).*?</\1>", " ", text.split("<main")[1], flags=re.DOTALL)
            assert not re.search(r"\b(?:the|The|you|You|pass)\b", words(main)), path
        for page in [tab for code, tab in tabs if path.startswith(f"/{code}/")]:
            page.goto(gallery.ORIGIN + path)
            page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            found = axe.run(page)
            assert found.violations_count == 0, f"{path}: {found.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    for _, tab in tabs:
        tab.context.close()
