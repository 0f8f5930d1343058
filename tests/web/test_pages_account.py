"""Signing in and out, and tokens: who gets in, what stays out, and what is shown once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from hutong.governance import actions, queries
from hutong.node import Node
from hutong.web.app import create_app
from hutong.web.doors import SESSION_COOKIE
from hutong.web.portal.account import FORM_COOKIE
from tests.conftest import Clock, NewNode

PASSWORD = "a long enough phrase"
Browser = TestClient
Open = Callable[..., Browser]


@pytest.fixture
def node(new_node: NewNode) -> Node:
    made = new_node("tw", url="https://node.test")
    for name in ("ana.steward", "other"):
        actions.create_account(
            made, by=made.operator, name=name, display_name="Ana", roles=frozenset({"steward"}), password=PASSWORD
        )
    return made


@pytest.fixture
def browser(node: Node) -> Browser:
    return TestClient(create_app(node), base_url="https://node.test", follow_redirects=False)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, f"no hidden {name}"
    return found[1]


def sign_in(browser: Browser, *, name: str = "ana.steward", password: str = PASSWORD, following: str = "") -> Response:
    form = hidden(browser.get("/en/sign-in").text, "form")
    data = {"name": name, "password": password, "form": form, "next": following}
    return browser.post("/en/sign-in", data=data)


def test_who_knows_the_password_gets_a_session_in_a_safe_cookie(browser: Browser) -> None:
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/en/")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(SESSION_COOKIE))
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    page = browser.get("/en/account").text
    assert "ana.steward" in page
    assert "Steward: acquires, reviews and publishes data" in page
    # Who is signed in is not asked again.
    assert browser.get("/en/sign-in").headers["location"] == "/en/account"


def test_the_cookie_is_not_marked_secure_where_there_is_no_https(new_node: NewNode) -> None:
    plain = TestClient(create_app(new_node("pe", url="http://node.test")), base_url="http://node.test")
    assert "secure" not in plain.get("/en/sign-in").headers["set-cookie"].lower()


@pytest.mark.parametrize(("name", "password"), [("ana.steward", "guessed-it"), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(browser: Browser, name: str, password: str) -> None:
    answer = sign_in(browser, name=name, password=password)
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert SESSION_COOKIE not in browser.cookies
    if password:
        assert password not in answer.text


def test_the_form_is_sent_from_this_nodes_page_only(browser: Browser) -> None:
    data = {"name": "ana.steward", "password": PASSWORD}
    assert browser.post("/en/sign-in", data=data).status_code == 403  # no cookie at all
    browser.get("/en/sign-in")
    assert browser.post("/en/sign-in", data={**data, "form": "guessed"}).status_code == 403
    assert browser.post("/en/sign-in", data={**data, "form": "猜"}).status_code == 403
    cookie = next(c for c in browser.get("/en/sign-in").headers.get_list("set-cookie") if c.startswith(FORM_COOKIE))
    assert "SameSite=strict" in cookie
    assert SESSION_COOKIE not in browser.cookies


def test_ten_wrong_tries_are_enough(browser: Browser, clock: Clock) -> None:
    answers = [sign_in(browser, password="wrong").status_code for _ in range(10)]
    assert answers == [401] * 10
    blocked = sign_in(browser)
    assert blocked.status_code == 429
    assert "Too many tries" in blocked.text
    clock.advance(minutes=6)
    assert sign_in(browser).status_code == 303


@pytest.mark.parametrize(
    ("following", "leads_to"),
    [
        ("/en/requests?state=filed", "/en/requests?state=filed"),
        ("/zh/account", "/zh/account"),
        ("https://evil.example/en/", "/en/"),
        ("//evil.example/en/", "/en/"),
        ("/en//evil.example", "/en/"),
        ("/en/\\evil.example", "/en/"),
        ("/api/trust/list", "/en/"),
        ("javascript:alert(1)", "/en/"),
    ],
)
def test_after_signing_in_one_stays_on_this_node(browser: Browser, following: str, leads_to: str) -> None:
    assert sign_in(browser, following=following).headers["location"] == leads_to


def test_the_page_that_needs_an_account_is_where_one_returns(browser: Browser) -> None:
    answer = browser.get("/zh/account")
    assert answer.headers["location"] == "/zh/sign-in?next=/zh/account"
    assert hidden(browser.get(answer.headers["location"]).text, "next") == "/zh/account"


def test_signing_out_needs_the_forms_secret_and_ends_the_session(browser: Browser) -> None:
    sign_in(browser)
    secret = browser.cookies[SESSION_COOKIE]
    csrf = hidden(browser.get("/en/account").text, "csrf")
    assert browser.post("/en/sign-out", data={"csrf": "wrong"}).status_code == 403
    assert browser.get("/en/account").status_code == 200
    assert browser.post("/en/sign-out", data={"csrf": csrf}).headers["location"] == "/en/"
    assert SESSION_COOKIE not in browser.cookies
    browser.cookies.set(SESSION_COOKIE, secret)
    assert browser.get("/en/account").status_code == 303


def test_a_token_is_shown_once_works_and_can_be_ended(browser: Browser, node: Node) -> None:
    sign_in(browser)
    csrf = hidden(browser.get("/en/account").text, "csrf")
    made = browser.post("/en/account/tokens", data={"csrf": csrf, "label": "nightly <job>"})
    assert made.headers["cache-control"] == "no-store"
    token = re.search(r"<code>(hutong_[\w-]+)</code>", made.text)
    assert token is not None
    header = {"Authorization": f"Bearer {token[1]}"}
    assert browser.get("/api/acquisition/receipts", headers=header).status_code == 200
    page = browser.get("/en/account").text
    assert token[1] not in page
    assert "nightly &lt;job&gt;" in page
    ended = browser.post("/en/account/tokens/end", data={"csrf": csrf, "token": hidden(page, "token")})
    assert ended.status_code == 303
    assert browser.get("/api/acquisition/receipts", headers=header).status_code == 401
    assert [known.state(node.clock()) for known in queries.tokens(node, "ana.steward")] == ["closed"]
    assert {"token.created", "token.ended"} <= set(node.log.kinds())


def test_a_token_needs_a_label(browser: Browser) -> None:
    sign_in(browser)
    csrf = hidden(browser.get("/en/account").text, "csrf")
    answer = browser.post("/en/account/tokens", data={"csrf": csrf, "label": "  "})
    assert answer.status_code == 422
    assert 'href="#label"' in answer.text


def test_nobody_ends_the_token_of_another(browser: Browser, node: Node) -> None:
    actions.create_token(node, by=node.operator, account_name="other", label="theirs")
    [theirs] = queries.tokens(node, "other")
    sign_in(browser)
    csrf = hidden(browser.get("/en/account").text, "csrf")
    answer = browser.post("/en/account/tokens/end", data={"csrf": csrf, "token": theirs.id})
    assert answer.status_code == 404
    assert queries.tokens(node, "other")[0].ended_at is None


@pytest.mark.parametrize("path", ["account/tokens", "account/tokens/end", "sign-out"])
def test_forms_of_nobody_change_nothing(browser: Browser, path: str) -> None:
    assert browser.post(f"/en/{path}", data={"csrf": "x", "label": "x"}).status_code == 401


def test_an_expired_token_is_shown_as_such(browser: Browser, node: Node, clock: Clock) -> None:
    actions.create_token(node, by=node.operator, account_name="ana.steward", label="old")
    clock.advance(days=91)
    sign_in(browser)
    assert "expired" in browser.get("/en/account").text


def test_pages_of_an_account_are_chinese_too(browser: Browser) -> None:
    sign_in(browser)
    page = browser.get("/zh/account").text
    assert "您的账户" in page
    assert "API 令牌" in page
    assert "退出" in page
    home = browser.get("/zh/").text
    assert "采集、复核与发布" in home
