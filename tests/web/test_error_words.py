"""What errors say in Chinese: every sentence of the source is known, found again by its shape, and shown on pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from time import process_time

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from hutong.errors import HutongError
from hutong.storage.schema import log_head
from hutong.web import i18n
from hutong.web.app import create_app
from hutong.web.doors import SESSION_COOKIE, error_page
from hutong.web.error_words import LONGEST, Glossary, Pattern, glossary, said
from hutong.web.i18n import CHINESE, ENGLISH, ERRORS, PLACEHOLDER
from hutong.web.sentences.extract import entries, sentences, sites
from hutong.web.sentences.flow import Slot
from tests.conftest import Clock, NewNode
from tests.web.test_pages_work import Person
from tests.web.world import World

SILENT: dict[str, str] = {}
"""Places whose first sentence has no word of its own in the source, and why. None is met on a page."""

VALUES = (
    "tw-dengue",
    "2024-01-31T08:00",
    "1,234",
    "北京市疾控中心",
    "it's",
    '"q"',
    "{0}",
    "\\1\\g<0>%s%(n)s",
    "<b>",
    "",
)
HAN = re.compile(r"[\u4e00-\u9fff]")


def filled(entry: str, value: str) -> str:
    return PLACEHOLDER.sub(lambda _: value, entry)


def patterns() -> list[Pattern]:
    """The shapes that say something themselves."""
    return [one for one in glossary().patterns if not one.is_empty]


def test_every_place_that_raises_is_read() -> None:
    raised = [site for site in sites(i18n.PACKAGE) if site.is_error]
    text = "".join(path.read_text("utf-8") for path in i18n.PACKAGE.rglob("*.py"))
    kinds = "|".join(one.__name__ for one in _kinds(HutongError))
    assert len(raised) > 500
    assert len(raised) >= len(re.findall(rf"\braise (?:{kinds})\(", text)) > 500
    assert {site.path for site in raised if not site.told[0]} == set(SILENT)


def _kinds(kind: type[HutongError]) -> Iterator[type[HutongError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


def test_every_sentence_is_translated_with_all_its_values() -> None:
    assert len(sentences(i18n.PACKAGE)) > 1000
    assert list(i18n.problems(CHINESE, ERRORS)) == []


def test_extracting_again_changes_nothing() -> None:
    assert i18n.updated(CHINESE, ERRORS) == i18n.catalogue_path(CHINESE, ERRORS).read_bytes()


def test_a_lost_value_and_a_missing_sentence_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = i18n.catalogue_path(CHINESE, ERRORS).read_text("utf-8")
    spoilt = kept.replace('msgstr "没有数据集 {0}。"', 'msgstr "没有数据集。"')
    spoilt = spoilt.replace('msgstr "请重新登录。"', 'msgstr ""')
    (tmp_path / "zh_Hans" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "zh_Hans" / "LC_MESSAGES" / "errors.po").write_text(spoilt, "utf-8")
    monkeypatch.setattr(i18n, "LOCALE_DIR", tmp_path)
    assert set(i18n.problems(CHINESE, ERRORS)) >= {
        "a placeholder is lost or new: 'There is no dataset {0}.'",
        "not translated: 'Sign in again.'",
    }


def test_words_are_followed_to_where_they_are_written() -> None:
    found = sentences(i18n.PACKAGE)
    assert {"The {0:words} is not usable.", "statement of purpose"} <= set(found)
    assert {"The appeal is {0:words}.", "withdrawn"} <= set(found)  # an enumeration's values
    assert {"No policy lets {0} ({1:words}) {2:words}.", "no role", "publish trust list"} <= set(found)
    assert "The risk-area rule can't be used: {0:words}." in found  # by a function that builds the error
    assert "The standard has no table {0}." in found  # f"{what} {shown!r}." is written out
    assert "insight/risk_area.py" in found["it has not 2 to 5 levels"]


def test_a_sentence_without_words_of_its_own_is_written_out() -> None:
    what = frozenset({("is empty",), ("has ", Slot(), " rows")})
    assert set(entries((Slot(), ": ", Slot(what), "."))) == {"{0}: is empty.", "{0}: has {1} rows."}
    assert set(entries(("The file ", Slot(what), "."))) == {"The file {0:words}.", "is empty", "has {0} rows"}
    assert list(entries((Slot(), ": ", Slot(), "."))) == []


def alike(told: str | None, expected: str) -> bool:
    """Whether two texts are the same but for spaces, which are put between Latin and Han."""
    return told is not None and told.replace(" ", "") == expected.replace(" ", "")


@pytest.mark.parametrize("value", VALUES)
def test_a_filled_shape_is_found_again(value: str) -> None:
    known = glossary()
    assert len(patterns()) > 400
    for pattern in patterns():
        told = known.translate(filled(pattern.entry, value))
        assert alike(told, filled(pattern.translation, value)), (pattern.entry, told)


@pytest.mark.parametrize("value", ["2024-01-31 08:00", "cases (1) of, 北京.csv", "no table, said 'Ann'"])
def test_a_value_may_have_spaces_where_words_stand_between_values(value: str) -> None:
    parted = [one for one in patterns() if all(re.search(r"[a-z]{2}", text) for text in one.literals[1:-1])]
    assert len(parted) > 400
    for pattern in parted:
        if not any(text.strip() and text.strip() in value for text in pattern.literals[1:-1]):
            told = glossary().translate(filled(pattern.entry, value))
            assert alike(told, filled(pattern.translation, value)), (pattern.entry, told)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(patterns()), st.text(alphabet="éß 1：。，.:'\"{}()市-", max_size=20))
def test_of_any_value_nothing_is_lost_or_invented(pattern: Pattern, value: str) -> None:
    told = glossary().translate(filled(pattern.entry, value))
    assert told is not None
    for mark in "éß":  # in no sentence
        assert told.count(mark) == value.count(mark) * (len(pattern.literals) - 1)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(patterns()), st.sampled_from(sorted(glossary().exact)))
def test_a_sentence_may_contain_another(pattern: Pattern, value: str) -> None:
    told = glossary().translate(filled(pattern.entry, f"é{value}ß"))
    assert told is not None
    assert told.count("é") == told.count("ß") == len(pattern.literals) - 1


def test_the_way_that_recognises_most_is_taken() -> None:
    known = glossary()
    told = known.translate(
        "The rulebook dengue-3, rule 1 (fever) is not usable. The rule is too long as a query over a population."
    )
    assert told == "规则手册 dengue-3 的规则 1（fever）不可用。该规则作为人群查询过长。"
    assert known.translate("The rulebook dengue-3 has no 'valid_to'.") == "规则手册 dengue-3 没有 'valid_to'。"
    assert known.translate("The legal basis lacks English or Chinese.") == "法律依据缺少英文或中文。"
    assert known.translate("m.yaml: The nearest is 'x'.") == "m.yaml：最接近的是 'x'。"


def test_no_text_takes_long() -> None:
    texts = [
        "The a has no " * 300,
        "x is no y. " * 350,
        "The rulebook a, level b, rule c (d) has no e: f, but it is: " * 60,
    ]
    begun = process_time()  # of this process alone, whatever else the machine does
    for text in texts:
        glossary().translate(text)
    assert process_time() - begun < 3


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_only_what_is_known_is_translated(text: str) -> None:
    told = glossary().translate(text)
    fits = any(pattern.values(text) is not None for pattern in glossary().patterns)
    assert told is None or text in glossary().exact or fits or re.search(r"[.!?] ", text)


def test_the_more_specific_shape_wins_and_words_within_are_translated() -> None:
    table = {"is broken": "已损坏", "A file": "文件", "Read it. ": "x", "Stop.": "停。"}
    known = Glossary(
        table,
        (
            Pattern("{0} in {1} is no table.", ("", " in ", " is no table."), frozenset(), "{1} 中的 {0} 不是表。"),
            Pattern("{0} {1:words}.", ("", " ", "."), frozenset({1}), "{0} {1:words}。"),
        ),
    )
    assert known.translate("a in b is no table.") == "b 中的 a 不是表。"
    assert known.translate("cases.csv is broken.") == "cases.csv 已损坏。"
    assert known.translate("cases.csv is well.") is None  # the shape alone says nothing
    assert known.translate("cases.csv is broken. Stop.") == "cases.csv 已损坏。停。"
    assert known.translate("cases.csv is broken. Something else.") is None


def test_what_has_no_translation_is_marked_as_english_and_escaped() -> None:
    assert said(ENGLISH, "A <b>.", "", "Do it.") == "A &lt;b&gt;. Do it."
    assert said(CHINESE, "Qux <b> frobnicates.") == '<span lang="en">Qux &lt;b&gt; frobnicates.</span> '
    assert said(CHINESE, "There is no dataset <b>.", "Search the catalogue.") == "没有数据集 &lt;b&gt;。请搜索目录。"
    assert said(CHINESE, "There is no dataset " + "x" * LONGEST).startswith('<span lang="en">')


def test_reasons_of_policies_have_the_policies_own_chinese() -> None:
    assert glossary().translate("Data of grade 3 and 4 never leave the node.") == "3 级和 4 级数据不得离开节点。"


def main_text(page: str) -> str:
    """The words of the page's main part, without the language switch and its English words."""
    main = re.search(r"<main.*?</main>", page, re.DOTALL)
    assert main is not None
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main[0])))


READ_BY_ANYBODY = [
    ("/datasets/nowhere", 404, "没有数据集 nowhere。", "There is no dataset nowhere."),
    ("/log/abc", 404, "这里没有这个页面。", "There is no such page here."),
    ("/log/-1", 404, "这里没有这个页面。", "There is no such page here."),
    ("/log?before=abc", 422, "本页地址中 'before' 的值无效。", "a value that it can't have."),
    ("/log?before=-1", 422, "本页地址中 'before' 的值无效。", "a value that it can't have."),
    ("/catalogue?sort=fate", 422, "本页地址中 'sort' 的值无效。", "a value that it can't have."),
    ("/no-such-page", 404, "这里没有您要找的内容。", "There is no such thing here."),
    ("/steward", 401, "本页面供处理数据的人员使用。", "This page is for people who work with the data."),
    ("/rulebooks/none-such", 404, "本节点没有发布过这份规则手册。", "This node published no such rulebook."),
]


@pytest.mark.parametrize(("path", "status", "chinese", "english"), READ_BY_ANYBODY)
def test_an_error_page_is_in_the_language_of_its_path(
    client: TestClient, path: str, status: int, chinese: str, english: str
) -> None:
    answer = client.get(f"/zh{path}")
    assert answer.status_code == status, answer.text
    assert chinese in main_text(answer.text)
    assert english not in answer.text
    assert '<span lang="en">' not in answer.text
    answer = client.get(f"/en{path}")
    assert answer.status_code == status
    assert english in main_text(answer.text)
    assert not HAN.search(main_text(answer.text))


def test_a_request_by_another_method_or_of_another_size_gets_a_page(client: TestClient) -> None:
    assert "该地址不支持此请求方法。" in main_text(client.delete("/zh/catalogue").text)
    large = client.post("/zh/sign-in", content=b"", headers={"Content-Length": "9" * 12})
    assert large.status_code == 413
    assert "请求过大，或没有说明大小。" in main_text(large.text)
    assert large.headers["content-security-policy"]


def test_forms_say_what_is_wrong_in_chinese(world: World) -> None:
    steward = Person(world.node, "steward")
    status, page = steward.send("/zh/steward/publish", publication="a: [", action="check")
    assert status == 422
    assert "发布说明不是 YAML" in main_text(page)
    status, page = steward.send("/zh/steward/publish", publication="dataset: x", action="check")
    assert "发布说明填写有误" in main_text(page)
    status, page = steward.send("/en/steward/publish", publication="dataset: x", action="check")
    assert "The publication is misstated" in main_text(page)
    # It leads to what is on the page, not to a file of the repository.
    assert "Its words are: dataset, kind, source" in main_text(page) and "docs/" not in page
    status, page = steward.send("/zh/log", proof="nothing")
    assert status == 422
    assert "这不是证明。请粘贴条目证明的完整 JSON。" in main_text(page)


def test_a_refusal_is_in_chinese_by_sentence_and_by_policy(world: World) -> None:
    partner = Person(world.node, "partner")
    page = main_text(partner.page("/zh/steward", 403))
    assert "没有策略允许 partner（partner）查阅回执。" in page
    assert "请联系本节点的主管机构。" in page
    assert "No policy lets partner (partner) read receipts." in main_text(partner.page("/en/steward", 403))
    status, page = Person(world.node, "resident").send("/zh/steward/publish", publication="x: 1", action="check")
    assert status == 403
    assert HAN.search(main_text(page))
    assert '<span lang="en">' not in page
    stranger = TestClient(create_app(world.node), base_url="http://node.test")
    stranger.cookies.set(SESSION_COOKIE, partner.secret)
    forged = stranger.post("/zh/steward/publish", data={"csrf": "guessed", "publication": "x: 1", "action": "check"})
    assert forged.status_code == 403
    assert "表单不是来自本次登录的页面。" in main_text(forged.text)


def test_too_many_tries_to_sign_in_are_told_in_chinese(new_node: NewNode, clock: Clock) -> None:
    browser = TestClient(create_app(new_node("tw")), base_url="https://node.test")
    for _ in range(11):
        form = re.search(r'name="form" value="([^"]*)"', browser.get("/zh/sign-in").text)
        assert form is not None
        blocked = browser.post("/zh/sign-in", data={"name": "nobody", "password": "guessed", "form": form[1]})
    assert blocked.status_code == 429
    assert "登录尝试次数过多。" in main_text(blocked.text)
    stale = browser.post("/zh/sign-in", data={"name": "nobody", "password": "guessed", "form": "old"})
    assert stale.status_code == 403
    assert "表单已过期，或不是来自本节点的页面。" in main_text(stale.text)


def test_a_sentence_that_nobody_translated_stands_in_english(world: World) -> None:
    scope = {"type": "http", "path": "/zh/x", "query_string": b"", "headers": [], "app": create_app(world.node)}
    page = bytes(
        error_page(Request({"method": "GET", "query_string": b"", **scope}), 500, "Qux frobnicates.", "", "defect").body
    ).decode()
    assert '<p class="lede"><span lang="en">Qux frobnicates.</span>' in page


def test_the_api_stays_english_and_says_so(client: TestClient) -> None:
    answer = client.get("/api/opening/datasets/nowhere", headers={"Accept-Language": "zh"})
    assert answer.status_code == 404
    assert answer.headers["content-language"] == "en"
    assert answer.json()["title"] == "There is no dataset nowhere."


def test_pages_of_a_damaged_log_say_so(new_node: NewNode) -> None:
    node = new_node()
    with node.records.writing() as connection:
        connection.execute(log_head.delete())
    with TestClient(create_app(node)) as client:
        answer = client.get("/zh/")
    assert answer.status_code == 422
    assert "已签名的检查点被改动或已丢失。" in main_text(answer.text)
