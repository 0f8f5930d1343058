"""The pages of stewards, requests and the log: what they show, who may see it, and what their forms do."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from hutong.governance import actions as governance
from hutong.node import Node
from hutong.opening import queries as opening
from hutong.opening.publication import parse_publication, rebuilt_text
from hutong.web.app import create_app
from hutong.web.i18n import CHINESE, ENGLISH, translations
from hutong.web.log_sentences import KINDS, kind_name, sentence
from tests.kept import Kept
from tests.web import gallery
from tests.web import world as worlds
from tests.web.world import Shared, World

FORM_BUDGET_BYTES = 60_000
PICTURES = os.environ.get("HUTONG_PICTURES", "")
"""A folder for pictures of every page, for eyes."""


class Person:
    """Somebody who is signed in, with a browser of their own."""

    def __init__(self, node: Node, role: str) -> None:
        opened = governance.sign_in(node, name=role, password=worlds.PASSWORD, address="test")
        self.csrf, self.secret = opened.csrf, opened.secret
        self.client = TestClient(create_app(node), base_url="http://node.test", follow_redirects=False)
        self.client.cookies.set("hutong_session", opened.secret)

    def page(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, path
        return str(answer.text)

    def send(self, path: str, **fields: str) -> tuple[int, str]:
        """Status, and the page or where it leads."""
        answer = self.client.post(path, data={"csrf": self.csrf, **fields})
        return answer.status_code, answer.headers.get("location", answer.text)


@pytest.fixture
def person(world: World) -> Callable[[str], Person]:
    return lambda role: Person(world.node, role)


@pytest.fixture
def changing(kept: Kept, records_kind: str) -> Iterator[World]:
    made = worlds.again(kept, records_kind)
    yield made
    made.node.close()


def paths(world: World, shared: Shared) -> dict[str, tuple[str, str]]:
    """A name for each page: who looks, and its path below the language."""
    return {
        "steward": ("steward", "/steward"),
        "receipt": ("steward", f"/steward/receipts/{world.receipts[1].id}"),
        "submission": ("steward", "/steward/submissions"),
        "quality": ("steward", "/steward/quality/tw-dengue"),
        "source-new": ("steward", "/steward/sources/new"),
        "boundary-new": ("authority", "/steward/boundaries/new"),
        "publish": ("steward", "/steward/publish"),
        "requests": ("authority", "/requests"),
        "requests-public": ("", "/requests"),
        "request-new": ("partner", "/requests/new?dataset=tw-dengue-records"),
        "request-decide": ("authority", f"/requests/{shared.waiting}"),
        "request-granted": ("partner", f"/requests/{shared.granted}"),
        "agreement": ("authority", f"/agreements/{shared.agreement}"),
        "log": ("", "/log"),
        "log-entry": ("", "/log/5"),
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_whole_in_both_languages(world: World, shared: Shared, language: str) -> None:
    people = {role: Person(world.node, role) for role in ("steward", "authority", "partner")}
    public = TestClient(create_app(world.node), base_url="http://node.test")
    seen = 0
    for name, (role, path) in paths(world, shared).items():
        text = people[role].page(f"/{language}{path}") if role else public.get(f"/{language}{path}").text
        assert text.count("<h1>") == 1, name
        assert len(text.encode()) < FORM_BUDGET_BYTES, name
        assert "<script" not in text, name
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), name
        other = {"en": "zh", "zh": "en"}[language]
        assert f'href="/{other}{path}"'.replace("&", "&amp;") in text, name
        seen += 1
    assert seen == 15


@pytest.mark.parametrize("role", ["partner", "resident", "verifier"])
def test_what_stewards_see_is_not_for_everyone(world: World, person: Callable[[str], Person], role: str) -> None:
    somebody = person(role)
    somebody.page("/en/steward", 403)
    somebody.page(f"/en/steward/receipts/{world.receipts[1].id}", 403)
    somebody.page("/en/steward/submissions", 403)
    assert "Your account may not do this" in somebody.page("/en/steward/publish", 403)


@pytest.mark.parametrize("role", ["resident", "verifier"])
def test_who_asks_for_no_data_is_told_whose_requests_are(person: Callable[[str], Person], role: str) -> None:
    text = person(role).page("/en/requests")
    assert "Requests are for partners" in text
    assert "Ask for data" not in text


def test_the_public_is_led_to_the_sign_in_page(client: TestClient, shared: Shared) -> None:
    for path in ("/en/steward", f"/en/requests/{shared.waiting}", f"/en/agreements/{shared.agreement}"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert f'href="/en/sign-in?next={path}"' in answer.text
        assert "Sign in to go on" in answer.text
        assert "Something went wrong" not in answer.text


def test_the_steward_sees_why_rows_were_not_accepted(world: World, person: Callable[[str], Person]) -> None:
    text = person("steward").page("/en/steward")
    assert "898" in text  # 891 cases and 7 areas
    assert "The case was notified before its symptoms began." in text
    receipt = person("auditor").page(f"/zh/steward/receipts/{world.receipts[1].id}")
    assert "病例报告早于发病。" in receipt
    assert "infection_village_code" in receipt
    assert "900 行中接收了 891 行" in receipt


def test_rows_are_paged_and_filtered_by_address(world: World, person: Callable[[str], Person]) -> None:
    steward = person("steward")
    here = f"/en/steward/receipts/{world.receipts[1].id}"
    assert steward.page(here).count("The row as it was sent") == worlds.WRONG_ORDER + worlds.NO_DATE
    assert "No row has this outcome" in steward.page(f"{here}?outcome=rejected")
    assert steward.page(f"{here}?after=8").count("The row as it was sent") == 1


def test_quality_is_for_everyone_with_every_rule(client: TestClient) -> None:
    text = client.get("/en/steward/quality/tw-dengue").text
    assert "fair quality" in text
    assert re.search(r"<code class=\"soft\">[a-z-]+</code></span></th>", text)
    assert "Assess again" not in text
    assert client.get("/en/steward/quality/none").status_code == 404


def test_a_file_is_sent_assessed_and_published(changing: World, records: str) -> None:
    steward = Person(changing.node, "steward")
    mapping = worlds.text_of("mappings/taiwan-case.yaml")
    form = {"csrf": steward.csrf, "source": "tw-dengue", "mapping": mapping}
    answer = steward.client.post(
        "/en/steward/submissions", data=form, files={"file": ("new.csv", worlds.case_list(300, seed=3))}
    )
    assert answer.status_code == 303
    assert "The file was taken in" in steward.page(answer.headers["location"])
    given = {"file": ("again.csv", worlds.case_list(300, seed=4)), "mapping_file": ("m.yaml", mapping.encode())}
    answer = steward.client.post("/en/steward/submissions", data={**form, "mapping": ""}, files=given)
    assert answer.status_code == 303
    publication = worlds.text_of("publications/tw-weekly.yaml")
    status, text = steward.send("/en/steward/publish", publication=publication)
    assert (status, "More came from tw-dengue after its quality was assessed." in text) == (409, True)
    assert "More came from this source" in steward.page("/en/steward/quality/tw-dengue")
    assert steward.send("/en/steward/quality/tw-dengue")[0] == 303
    assert "More came from this source" not in steward.page("/en/steward/quality/tw-dengue")
    node, first = changing.node, opening.current_release(changing.node, "tw-dengue-weekly")
    before = {path: path.read_bytes() for path in node.settings.releases_folder.rglob("*") if path.is_file()}
    status, text = steward.send("/en/steward/publish", publication=publication)
    assert (status, "This would be published" in text) == (200, True)
    assert steward.send("/en/steward/publish", publication=publication, step="publish") == (
        303,
        "/en/datasets/tw-dengue-weekly",
    )
    assert before == {path: path.read_bytes() for path in before}, "what was published never changes"
    assert first is not None
    assert all(
        hashlib.sha256(opening.release_file(node, first, file.format).read_bytes()).hexdigest() == file.sha256
        for file in first.distributions
    )
    second = opening.current_release(node, "tw-dengue-weekly")
    assert second is not None
    assert (first.version, second.version, second.supersedes) == ("1", "2", "1")
    kinds = [entry.event["kind"] for entry in changing.node.log.entries(limit=4)]
    assert kinds == ["release.published", "quality.assessed", "receipt.issued", "receipt.issued"]


def box_of(page: str) -> str:
    """What stands in the publication's box."""
    return unescape(re.search(r'<textarea id="publication".*?>(.*?)</textarea>', page, re.DOTALL)[1])  # type: ignore[index]


def test_the_box_of_a_publication_is_filled_by_links(world: World) -> None:
    steward = Person(world.node, "steward")
    empty = steward.page("/en/steward/publish")
    assert box_of(empty) == ""
    ways = [unescape(way) for way in re.findall(r'href="(\?(?:again|start)=[^"]*)#publication"', empty)]
    assert "?again=tw-dengue-weekly" in ways and "?start=case-records" in ways
    for way in ways:
        name = way.partition("=")[2]
        given = parse_publication(box_of(steward.page(f"/en/steward/publish{way}")))
        assert given.source == "tw-dengue"
        if way.startswith("?again"):
            file = f"publications/{name.replace('dengue-', '')}.yaml"
            assert given == parse_publication(worlds.text_of(file)), way
        else:
            assert given.kind == name
    assert "<code>quasi_identifiers</code>" in empty
    assert steward.page("/en/steward/publish?again=none", 404)
    steward.page("/en/steward/publish?start=other", 422)


def test_a_publication_that_was_not_kept_is_rebuilt_of_the_record(world: World) -> None:
    known = opening.dataset(world.node, "tw-dengue-records")
    text = rebuilt_text(opening.document(known))
    given = parse_publication(text)
    assert text.startswith("# Check kind, source and protection")
    assert (given.dataset, given.kind, given.grade, given.licence) == (known.id, "case-records", 2, known.licence)
    assert (given.title, given.contact, given.source) == (known.title, known.contact, "my-source")


def test_what_can_not_be_taken_keeps_what_was_written(changing: World) -> None:
    steward = Person(changing.node, "steward")
    form = {"csrf": steward.csrf, "source": "tw-dengue", "mapping": "mapping: <mine>"}
    answer = steward.client.post("/en/steward/submissions", data=form, files={"file": ("new.csv", b"a\n1\n")})
    assert answer.status_code == 422
    assert "mapping: &lt;mine&gt;" in answer.text
    status, text = steward.send("/en/steward/publish", publication="dataset: [")
    assert (status, "Nothing was published" in text, "dataset: [" in text) == (422, True, True)


def test_a_form_from_elsewhere_does_nothing(changing: World, world: World) -> None:
    steward = Person(changing.node, "steward")
    steward.csrf = "made-up"
    size = changing.node.log.size()
    publication = worlds.text_of("publications/tw-weekly.yaml")
    assert steward.send("/en/steward/publish", publication=publication, step="publish")[0] == 403
    assert steward.send("/en/steward/quality/tw-dengue")[0] == 403
    assert steward.send(f"/en/requests/{'0' * 20}/decision", decision="grant", reason="Because.")[0] == 403
    assert steward.send(f"/en/agreements/{'0' * 20}/revocation", because="Because.")[0] == 403
    assert changing.node.log.size() == size


def test_from_the_question_to_the_revocation(changing: World, records: str) -> None:
    partner, authority = Person(changing.node, "partner"), Person(changing.node, "authority")
    question = {
        "dataset": "tw-dengue-records",
        "purpose": "HMB",
        "statement": "To compare attack rates between two regions.",
        "fields": "true_from, sex",
        "days": "30",
        "contact": "desk@institute.example",
    }
    for days in ("many", "３０", "999999"):
        status, text = partner.send("/en/requests/new", **{**question, "days": days})
        assert (status, "The request was not sent" in text, question["statement"] in text) == (422, True, True)
    status, text = partner.send("/en/requests/new", **{**question, "contact": "notmail"})
    assert (status, "The contact is no e-mail address." in text, 'value="notmail"' in text) == (422, True, True)
    status, here = partner.send("/en/requests/new", **question)
    assert status == 303
    assert "Decide on the request" in partner.page(here)
    assert partner.send(f"{here}/decision", decision="grant", reason="I grant it to myself.")[0] == 403
    assert authority.send(f"{here}/decision", reason="No choice was made.")[0] == 422
    assert authority.send(f"{here}/decision", decision="grant", reason="It serves us.", days="10") == (303, here)
    agreement = re.search(r'href="(/en/agreements/[0-9a-z]{20})"', partner.page(here))
    assert agreement is not None
    terms = partner.page(agreement[1])
    assert "true_from, sex" in terms
    assert "Granted by the policy" in terms
    assert "authority-sets-powers" in terms
    assert "主管机构宣布突发事件" in partner.page(agreement[1].replace("/en/", "/zh/"))
    assert "authority-sets-powers" in partner.page(here)
    assert "Health, medical or biomedical research" in terms
    status, content = partner.send(f"{agreement[1]}/delivery", format="csv")
    assert (status, content.splitlines()[0]) == (200, '"true_from","sex"')
    assert partner.send(f"{agreement[1]}/revocation", because="I try it.")[0] == 403
    assert authority.send(f"{agreement[1]}/revocation", because="The purpose has ended.")[0] == 303
    status, text = partner.send(f"{agreement[1]}/delivery", format="csv")
    assert (status, "The agreement was revoked." in text) == (403, True)
    over = authority.page(agreement[1])
    assert "delivery-under-agreement" in over
    assert "could use “" in over
    assert "may use “" not in over
    assert "The agreement was revoked" in over
    assert "node was not told yet" not in over  # an account here reads it here
    assert "asked for; nobody confirms it here" in partner.page(here)
    listed = authority.page("/en/requests")
    assert re.search(r'class="when">revoked \d', listed)
    assert "ends " not in listed.split(agreement[1])[1].split("</li>")[0]


def test_only_the_asking_party_sees_and_takes_back_its_request(shared: Shared, world: World) -> None:
    Person(world.node, "resident").page(f"/en/requests/{shared.waiting}", 403)
    assert "Take the request back" in Person(world.node, "partner").page(f"/en/requests/{shared.waiting}")
    assert "Take the request back" not in Person(world.node, "authority").page(f"/en/requests/{shared.waiting}")


def test_the_log_is_read_in_sentences(client: TestClient, shared: Shared) -> None:
    text = client.get("/en/log").text
    assert "900 rows for the table case came from tw-dengue: 891 accepted, 9 held, 0 rejected." in text
    assert "for the purpose Health, medical or biomedical research (HMB)" in text
    chinese = client.get("/zh/log").text
    assert "健康、医学或生物医学研究（HMB）" in chinese and "病例" in chinese and "表 case" not in chinese
    only = client.get("/zh/log?kind=receipt.issued").text
    assert only.count('<li class="hit">') == 2
    assert client.get("/en/log/99999").status_code == 404
    for address in ("/en/log/abc", "/en/requests/nope", "/en/log/-1"):
        answer = client.get(address)
        assert (answer.status_code, "There is no such page here." in answer.text) == (404, True), address
    assert "没有这个页面" in client.get("/zh/log/abc").text


def test_every_kind_of_entry_has_words_in_both_languages(world: World, shared: Shared) -> None:
    seen = set()
    for entry in world.node.log.entries(limit=500):
        kind = entry.event["kind"]
        assert kind in KINDS, kind
        for language in (ENGLISH, CHINESE):
            words = translations(language)
            assert kind_name(kind, words) != kind
            assert "–" not in sentence(entry.event, words)
        seen.add(kind)
    assert len(seen) >= 12
    assert sentence({"kind": "something.new"}, translations(ENGLISH)) == "something.new"


def test_a_pasted_proof_is_checked(client: TestClient) -> None:
    proof = client.get("/api/log/entries/4/proof").json()
    good = client.post("/en/log", data={"proof": json.dumps(proof)})
    assert (good.status_code, "the entry is in this node" in good.text) == (200, True)
    altered = {**proof, "hashes": proof["hashes"][::-1]}
    other = {**proof, "index": 3}
    doctored = client.post("/en/log", data={"proof": json.dumps({**proof, "entry": {**proof["entry"], "by": "x"}})})
    assert doctored.status_code == 422
    assert "The readable entry is not the one that the log holds." in doctored.text
    for wrong in (json.dumps(altered), json.dumps(other), "{}", "[]", "null", "not json", '{"hashes": 5}'):
        answer = client.post("/en/log", data={"proof": wrong})
        assert (answer.status_code, "The proof does not hold" in answer.text) == (422, True)


def test_anybody_may_have_the_whole_log_checked_once_a_minute(client: TestClient, world: World) -> None:
    log = world.node.log
    first = client.get("/api/log/check").json()
    assert (first["size"], first["verifier_key"]) == (log.size(), str(log.key))
    assert bytes.fromhex(first["root"]) == log.check().root
    assert client.get("/api/log/check").json() == first


def test_a_proof_of_another_log_is_told_apart(client: TestClient, changing: World) -> None:
    elsewhere = TestClient(create_app(changing.node)).get("/api/log/entries/4/proof").json()
    answer = client.post("/en/log", data={"proof": json.dumps(elsewhere)})
    assert (answer.status_code, "it is of another log" in answer.text) == (200, True)


@pytest.mark.browser
@pytest.mark.parametrize(("language", "width", "scheme"), gallery.LOOKS)
def test_axe_finds_nothing_and_pages_fit(
    world: World, shared: Shared, address: str, chromium: Browser, language: str, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    pages = {}
    for role in ("", "steward", "authority", "partner"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        if role:
            secret = Person(world.node, role).secret
            context.add_cookies([{"name": "hutong_session", "value": secret, "url": address}])
        pages[role] = context.new_page()
    seen = 0
    for name, (role, path) in paths(world, shared).items():
        page = pages[role]
        answer = page.goto(f"{address}/{language}{path}")
        assert answer is not None
        assert answer.status == 200, name
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{language}-{name}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        seen += 1
    assert seen == 15
