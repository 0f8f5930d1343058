"""Passes at the doors: pages in two languages, the API, and a verifier that learns the answer and nothing else."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from hutong.governance import actions as governance
from hutong.node import Node, init_node, open_node
from hutong.passes.credential import status_list
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.recognition.recognition import Scene
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.trust_bundle.trust_bundle import read_bundle
from hutong.web.app import create_app
from hutong.web.doors import SESSION_COOKIE
from hutong.web.portal.passes import SCENES
from tests.conftest import Clock
from tests.kept import Kept
from tests.passes import region as regions
from tests.passes.region import BUSY, LI, RESIDENTS, SUNSET, WANG
from tests.passes.test_level_update import positive, update
from tests.web import gallery

PASSWORD = "a long enough phrase"
ROLES = {"li": "authority", "wang": "authority", "chen": "steward", "R1": "resident"}
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
PAGES = ("pass", "pass/verify", "rulebooks", "rulebooks/dengue-3", "risk-areas")
TRY = "rulebooks/dengue-3?residence_risk=high&stay_risk_max_14d=&days_since_positive_test=3&fever=yes"


@dataclass
class Doors:
    """A filled region, its clock, and a token for each account."""

    node: Node
    clock: Clock
    tokens: dict[str, str]

    def client(self, name: str | None = None) -> TestClient:
        """A browser, signed in as an account."""
        browser = TestClient(create_app(self.node), base_url="http://node.test", follow_redirects=False)
        if name is not None:
            session = governance.sign_in(self.node, name=name, password=PASSWORD, address="test")
            browser.cookies.set(SESSION_COOKIE, session.secret)
        return browser

    def header(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}


def make(folder: Any, *, filled: bool = True) -> Doors:
    clock = Clock(NOW)
    node = init_node(
        folder / "tw",
        node_id="tw",
        name={"en": "Tainan health data node", "zh": "台南健康数据节点"},
        territory="TW",
        url="http://node.test",
        clock=clock,
    )
    if filled:
        regions.fill(node)
    tokens = {}
    for name, role in ROLES.items():
        governance.create_account(
            node, by=node.operator, name=name, display_name=name, roles=frozenset({role}), password=PASSWORD
        )
        tokens[name] = governance.create_token(node, by=node.operator, account_name=name, label="test")
    return Doors(node, clock, tokens)


def again(kept: Kept) -> Doors:
    """A filled region that a test may change."""
    clock = Clock(NOW)

    def fill(folder: Path) -> dict[str, str]:
        made = make(folder)
        made.node.close()
        return made.tokens

    folder, tokens = kept("doors", fill)
    return Doors(open_node(folder / "tw", clock=clock), clock, tokens)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    made = make(tmp_path_factory.mktemp("passes"))
    yield made
    made.node.close()


@pytest.fixture
def empty(tmp_path: Any) -> Iterator[Doors]:
    made = make(tmp_path, filled=False)
    yield made
    made.node.close()


def words(page: str) -> str:
    plain = re.sub(r"<(script|style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", plain)))


def csrf(browser: TestClient, path: str = "/en/pass") -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(path).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", [*PAGES, TRY])
def test_every_page_is_there_in_both_languages(doors: Doors, path: str) -> None:
    english, chinese = (doors.client().get(f"/{code}/{path}") for code in ("en", "zh"))
    assert (english.status_code, chinese.status_code) == (200, 200)
    assert len(english.content) < 60_000
    if "rulebooks/" not in path:  # a rulebook shows its rules in both languages
        main = words("<main" + chinese.text.split("<main")[1])
        assert not re.search(r"\b(?:the|The|you|You|level|pass)\b", main)


@pytest.mark.parametrize("path", PAGES)
def test_before_anything_is_published_a_page_says_what_will_be_there(empty: Doors, path: str) -> None:
    answer = empty.client().get(f"/en/{path}")
    assert answer.status_code == (404 if path == "rulebooks/dengue-3" else 200)


def test_a_resident_gets_a_pass_and_sees_why(doors: Doors) -> None:
    browser = doors.client("R1")
    answer = browser.post("/en/pass", data={"csrf": csrf(browser), "person": "R1", "hours": "24"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    page = words(answer.text)
    assert "You live in a high-risk area. (rule residence-high)" in page
    assert "Risk level of the area where you live 28 February 2026" in page
    text = re.search(r"HC1:[^<]+", answer.text)
    assert text is not None
    found = doors.client().post("/en/pass/verify", data={"text": unescape(text[0]), "scene": "transport"})
    assert "accepted" in words(found.text)


def test_a_resident_ticks_what_a_pass_carries_and_what_it_shows(doors: Doors) -> None:
    browser = doors.client("R1")
    for language, words_ in (("en", "Risk level of the area where you live"), ("zh", "居住地区的风险等级")):
        form = browser.get(f"/{language}/pass").text
        assert 'value="residence-risk"' in form
        assert words_ in words(form)
    facts = ["residence-risk", "residence-risk-on"]
    issued = browser.post("/en/pass", data={"csrf": csrf(browser), "person": "R1", "facts": facts})
    assert issued.status_code == 200
    assert issued.headers["cache-control"] == "no-store"
    (text,) = re.findall(r'name="text" value="(HC1:[^"]*)"', issued.text.split('id="carried"')[1].split("</form>")[0])
    sealed = re.findall(r'name="disclosures" value="([^"]+)"', issued.text)
    assert len(sealed) == len(facts)
    for chosen in ([], sealed[:1], sealed):
        data = {"csrf": csrf(browser), "text": unescape(text), "disclosures": chosen}
        shown = browser.post("/en/pass/code", data=data)
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        assert shown.text.count("<svg") >= 1
        assert [("high" in words(shown.text)), ("28 February 2026" in words(shown.text))] == [
            len(chosen) >= 1,
            len(chosen) == 2,
        ]
        (code,) = re.findall(r"<code>(HC1:[^<]*)</code>", shown.text)
        found = doors.client().post("/en/pass/verify", data={"text": unescape(code), "scene": "transport"})
        assert "accepted" in words(found.text)
        assert ("Risk level of the area where you live" in words(found.text)) == bool(chosen)
    for bad in ({"text": unescape(text), "disclosures": ["AAAA"]}, {"text": "HC1:nonsense"}, {}):
        assert browser.post("/en/pass/code", data={"csrf": csrf(browser), **bad}).status_code == 422
    unknown = browser.post("/zh/pass", data={"csrf": csrf(browser), "person": "R1", "facts": ["birth_date"]})
    assert unknown.status_code == 422
    assert "birth_date" in unknown.text
    assert "residence-risk" in words(unknown.text)
    assert 'value="vaccinated-on"' in doors.client("li").get("/en/pass").text


def test_facts_over_http(doors: Doors) -> None:
    client = doors.client()
    given = {"person": "R1", "facts": ["residence-risk"]}
    made = client.post("/api/passes", json=given, headers=doors.header("li"))
    assert made.status_code == 201
    code = client.post("/api/health-code/issue", json={"facts": ["residence-risk"]}, headers=doors.header("R1"))
    for answer in (made.json(), code.json()):
        shown = f"{answer['text']}~{answer['disclosures']['residence-risk']}"
        for text, facts in ((answer["text"], {}), (shown, {"residence-risk": "high"})):
            found = client.post("/api/passes/verify", json={"text": text, "scene": "transport"})
            assert (found.json()["answer"], found.json()["facts"]) == ("accepted", facts)
    refused = client.post("/api/passes", json={**given, "facts": ["name"]}, headers=doors.header("li"))
    assert refused.status_code == 422
    assert "residence-risk" in refused.text
    minimal = client.post("/api/passes", json={"person": "R1"}, headers=doors.header("li")).json()
    assert minimal["disclosures"] == {}


def test_a_resident_asks_for_the_history_of_the_own_level(doors: Doors) -> None:
    client, address = doors.client(), "/api/passes/level-history"
    answer = client.get(address, headers=doors.header("R1")).json()
    (own,) = answer["steps"]
    assert (own["level"], own["previous_level"], own["rule_ids"]) == ("medium", None, ["residence-high"])
    assert client.get(address, params={"person": "R1"}, headers=doors.header("li")).json() == answer
    assert client.get(address, params={"person": "nobody"}, headers=doors.header("li")).json() == {
        "steps": [],
        "altered": 0,
        "ended_passes": [],
    }
    for who, person in (("R1", "R2"), ("chen", "R1")):
        assert client.get(address, params={"person": person}, headers=doors.header(who)).status_code == 403
    assert client.get(address).status_code == 403


def test_a_resident_is_told_that_a_pass_was_ended(doors: Doors) -> None:
    governance.create_account(
        doors.node,
        by=doors.node.operator,
        name="R7",
        display_name="R7",
        roles=frozenset({"resident"}),
        password=PASSWORD,
    )
    issued = pass_actions.issue_pass(doors.node, by=LI, person="R7")
    browser = doors.client("R7")
    assert "Your level has changed" not in browser.get("/en/pass").text
    positive(doors.node, "R7")
    update(doors.node)
    page = words(browser.get("/en/pass").text)
    assert "Your level has changed 1 pass of yours said a less severe level, and was ended at" in page
    assert "您的等级已变更" in browser.get("/zh/pass").text
    asked = {"params": {"person": "R7"}, "headers": doors.header("li")}
    (ended,) = doors.client().get("/api/passes/level-history", **asked).json()["ended_passes"]
    assert (ended["pass_id"], ended["level"]) == (issued.pass_id, "low")
    assert ended["because"] == "high by dengue-3@1.1.0: test-0-7"


def test_a_resident_does_not_get_anothers_and_a_steward_none(doors: Doors) -> None:
    browser = doors.client("R1")
    secret = csrf(browser)
    assert browser.post("/en/pass", data={"csrf": secret, "person": "R2"}).status_code == 403
    assert browser.post("/en/pass", data={"csrf": "guess", "person": "R1"}).status_code == 403
    assert doors.client().post("/en/pass", data={"csrf": secret, "person": "R1"}).status_code == 401
    assert 'name="person"' not in doors.client("chen").get("/en/pass").text
    for person, status in (("R404", 404), ("R4", 403), ("", 404)):
        li = doors.client("li")
        answer = li.post("/zh/pass", data={"csrf": csrf(li), "person": person})
        assert answer.status_code == status
        assert 'class="field wrong"' in answer.text
    li = doors.client("li")
    assert li.post("/en/pass", data={"csrf": csrf(li), "person": "R1", "hours": "9999"}).status_code == 422


def test_the_verifier_learns_the_answer_and_nothing_else(doors: Doors) -> None:
    issued = pass_actions.issue_pass(doors.node, by=LI, person="R1")
    browser = doors.client()
    size = doors.node.log.size()
    answers = {}
    for scene in Scene:
        answer = browser.post("/en/pass/verify", data={"text": issued.text, "scene": str(scene)})
        assert answer.status_code == 200
        shown = words(answer.text.split('class="verdict')[1].split("</section>")[0])
        answers[str(scene)] = next(word for word in ("accepted", "refused", "unknown") if word in shown)
        page = answer.text
        assert "Revocation list of the full hour" in page
        for secret in (issued.pass_id, issued.holder_secret, "R1", regions.pseudonym(doors.node, "R1"), issued.text):
            assert secret not in page
    assert answers["closed-setting"] == "refused"
    assert {answers[scene] for scene in answers if scene != "closed-setting"} == {"accepted"}
    assert doors.node.log.size() == size
    assert set(SCENES) == set(Scene)


def test_a_picture_is_verified_and_nonsense_is_unknown(doors: Doors) -> None:
    issued = pass_actions.issue_pass(doors.node, by=LI, person="R2")
    browser = doors.client()

    def shown(picture: bytes, language: str = "en") -> str:
        files = {"picture": ("code.png", picture, "image/png")}
        answer = browser.post(f"/{language}/pass/verify", data={"scene": "school"}, files=files)
        assert answer.status_code == 200
        return words(answer.text.split('class="verdict')[1])

    assert "accepted" in shown(issued.qr_png())
    assert "接受" in shown(issued.qr_png(), "zh")
    for nonsense in (b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff" * 5000):
        assert "unknown" in shown(nonsense)
    for data in ({}, {"text": "  "}, {"scene": "border"}):
        answer = browser.post("/en/pass/verify", data=data)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert browser.post("/en/pass/verify", data={"text": "x" * 100_001}).status_code == 422


@pytest.mark.parametrize(
    ("query", "level", "rule"),
    [
        ("residence_risk=high", "medium", "residence-high"),
        ("residence_risk=low", "low", "default"),
        ("residence_risk=", "unknown", "missing-evidence"),
        ("residence_risk=low&days_since_positive_test=0", "high", "test-0-7"),
        ("residence_risk=high&fever=yes", "high", "fever-high-area"),
        ("residence_risk=low&contact_of_case=no", "low", "default"),
    ],
)
def test_the_form_shows_which_rule_fires(doors: Doors, query: str, level: str, rule: str) -> None:
    page = doors.client().get(f"/en/rulebooks/dengue-3?{query}").text
    tried = words(page.split('id="try"')[1].split("<form")[0])
    assert level in tried
    assert rule in tried


@pytest.mark.parametrize(
    "query",
    ["residence_risk=purple", "days_since_positive_test=-1", "days_since_positive_test=1e9", "symptoms=maybe"],
)
def test_what_can_not_be_tried_is_said(doors: Doors, query: str) -> None:
    answer = doors.client().get(f"/en/rulebooks/dengue-3?{query}")
    assert answer.status_code == 200
    assert "can't be used" in words(answer.text)
    assert 'role="status"' not in answer.text


def test_rulebooks_show_versions_and_their_end(doors: Doors) -> None:
    browser = doors.client()
    assert browser.get("/en/rulebooks/dengue-3?version=1.1.0").status_code == 200
    for path in ("dengue-3?version=9.9.9", "dengue-9", "x" * 81):
        assert browser.get(f"/en/rulebooks/{path}").status_code in (404, 422)
    now, doors.clock.now = doors.clock.now, datetime(2026, SUNSET.month, SUNSET.day, tzinfo=UTC)
    try:
        assert "not in force" in words(browser.get("/en/rulebooks").text)
        assert "This version is not in force" in browser.get("/en/rulebooks/dengue-3").text
    finally:
        doors.clock.now = now


def test_risk_areas_withhold_small_counts(doors: Doors) -> None:
    page = words(doors.client().get("/en/risk-areas").text)
    assert "North Dist. had the most cases: at least 60 in 14 days" in page
    assert "60" in page
    areas = doors.client().get("/api/insight/risk-areas").json()
    assert [(area["area_code"], area["level"], area["cases"]) for area in areas["areas"]] == [
        (BUSY, "high", 60),
        ("TW-002", "low", None),
        ("TW-003", "low", 0),
    ]


def test_the_api_issues_verifies_and_revokes(doors: Doors) -> None:
    browser = doors.client()
    given = {"person": "R1", "hours": 24}
    assert browser.post("/api/passes", json=given).status_code == 403
    assert browser.post("/api/passes", json=given, headers=doors.header("chen")).status_code == 403
    made = browser.post("/api/passes", json=given, headers=doors.header("R1"))
    assert made.status_code == 201
    issued = made.json()
    assert (issued["level"], issued["reasons"][0]["rule_id"]) == ("medium", "residence-high")
    shown = {"text": issued["text"], "scene": "border"}
    assert browser.post("/api/passes/verify", json=shown).json()["answer"] == "accepted"
    order = {"rule_id": "forged", "reason": "why", "second_token": doors.tokens["wang"]}
    address = f"/api/passes/{issued['pass_id']}/revocation"
    for header, change, status in (
        ({}, {}, 403),
        (doors.header("R1"), {}, 403),
        (doors.header("li"), {"second_token": doors.tokens["li"]}, 403),
        (doors.header("li"), {"second_token": "nobody"}, 401),
        (doors.header("li"), {"rule_id": "whim"}, 422),
        (doors.header("li"), {}, 200),
        (doors.header("li"), {}, 409),
    ):
        assert browser.post(address, json={**order, **change}, headers=header).status_code == status
    answer = browser.post("/api/passes/verify", json=shown).json()
    assert (answer["answer"], answer["reasons"][0]["rule_id"]) == ("refused", "revoked")


def test_the_api_verifies_pictures_and_refuses_what_is_no_request(doors: Doors) -> None:
    issued = pass_actions.issue_pass(doors.node, by=LI, person="R2")
    picture = base64.b64encode(issued.qr_png()).decode()
    browser = doors.client()
    answer = browser.post("/api/passes/verify", json={"picture": picture, "scene": "school"})
    assert answer.json()["answer"] == "accepted"
    for body, status in (
        ({"scene": "school"}, 422),
        ({"text": "x", "picture": picture, "scene": "school"}, 422),
        ({"picture": "no base64!", "scene": "school"}, 422),
        ({"text": issued.text, "scene": "the moon"}, 422),
    ):
        assert browser.post("/api/passes/verify", json=body).status_code == status


def test_what_verifiers_download_is_signed(doors: Doors) -> None:
    browser = doors.client()
    bundle = browser.get("/passes/trust-bundle")
    assert bundle.headers["content-type"] == "application/jose"
    snapshot = read_bundle(bundle.text, issuer_key=doors.node.keys.public["signing"])
    assert snapshot.issuer == "tw"
    lists = browser.get("/passes/status-list?list=0")
    assert status_list.read(lists.content, [doors.node.keys.pass_certificate]).issuer == "tw"
    assert browser.get("/passes/status-list?list=7").status_code == 404
    (book,) = browser.get("/api/passes/rulebooks").json()
    assert (book["id"], book["levels"]) == ("dengue-3", ["low", "medium", "high"])
    whole = browser.get("/api/passes/rulebooks/dengue-3").json()
    assert whole["hash"] == book["hash"] == rulebook_queries.rulebook(doors.node, "dengue-3").hash
    assert whole["document"]["id"] == "dengue-3"


@pytest.fixture(scope="module")
def rendered(doors: Doors) -> dict[str, str]:
    """Every state of every page, as the browser gets it."""
    anyone, li = doors.client(), doors.client("li")
    issued = pass_actions.issue_pass(doors.node, by=LI, person="R1").text
    pages = {}
    for code in ("en", "zh"):
        for path in (*PAGES, TRY, "rulebooks/dengue-3?symptoms=maybe"):
            pages[f"/{code}/{re.sub(r'[?=&]', '-', path)}"] = anyone.get(f"/{code}/{path}").text
        for name, data in (
            ("yes", {"text": issued, "scene": "transport"}),
            ("no", {"text": issued, "scene": "closed-setting"}),
            ("unknown", {"text": "HC1:?"}),
            ("nothing", {}),
        ):
            pages[f"/{code}/verified-{name}"] = anyone.post(f"/{code}/pass/verify", data=data).text
        for person in ("R1", "R404"):
            pages[f"/{code}/issued-{person}"] = li.post(f"/{code}/pass", data={"csrf": csrf(li), "person": person}).text
        data = {"csrf": csrf(li), "person": "R1", "facts": ["residence-risk"]}
        pages[f"/{code}/issued-with-facts"] = carrying = li.post(f"/{code}/pass", data=data).text
        given = {
            name: unescape(value) for name, value in re.findall(r'name="(text|disclosures)" value="([^"]+)"', carrying)
        }
        pages[f"/{code}/code"] = li.post(f"/{code}/pass/code", data={"csrf": csrf(li), **given}).text
    return pages


def test_pages_are_sound_and_need_no_script(rendered: dict[str, str]) -> None:
    assert len(rendered) == 2 * (len(PAGES) + 2 + 4 + 4)
    for path, page in rendered.items():
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), path
        wanted = " ".join(re.findall(r'\s(?:aria-labelledby|aria-describedby|for)="([^"]+)"', page)).split()
        assert set(wanted) <= set(ids), path
        assert "<script" not in page, path


@pytest.mark.browser
@pytest.mark.parametrize(("language", "width", "scheme"), gallery.LOOKS)
def test_axe_finds_nothing(rendered: dict[str, str], chromium: Browser, language: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    # Without motion: a button of a section that was just opened is measured in its own colours.
    page = gallery.open_page(chromium, rendered, width, color_scheme=scheme, reduced_motion="reduce")
    for path in [path for path in rendered if path.startswith(f"/{language}/")]:
        page.goto(gallery.ORIGIN + path)
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        found = axe.run(page)
        assert found.violations_count == 0, f"{path} at {width}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.context.close()


@pytest.mark.browser
def test_the_code_on_the_page_can_be_scanned(rendered: dict[str, str], chromium: Browser, doors: Doors) -> None:
    """What a phone sees of the page is the pass, on a screen and on paper."""
    from hutong.passes.credential.read import read_pass

    page = gallery.open_page(chromium, rendered, 390)
    page.goto(f"{gallery.ORIGIN}/en/issued-R1")
    for media in ("screen", "print"):
        page.emulate_media(media=media)
        picture = page.locator(".qr").screenshot()
        assert read_pass(picture, keys=[doors.node.keys.pass_certificate]).signature_valid is True
    page.context.close()


def test_the_residents_of_the_region_are_known() -> None:
    assert set(ROLES) & set(RESIDENTS) == {"R1"}
    assert {WANG.id, LI.id} < set(ROLES)
