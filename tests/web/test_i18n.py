"""Languages: the catalogue is complete, addresses keep their place, dates and numbers are the language's own."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import NotFound
from hutong.web import i18n
from hutong.web.i18n import CHINESE, ENGLISH, LANGUAGES, language_of, preferred_language, switch_language, translations

PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def test_every_message_is_translated_and_none_is_left_over() -> None:
    assert len([message for message in i18n.extracted() if message.id]) > 80
    assert list(i18n.problems(CHINESE)) == []


def test_extracting_again_changes_nothing() -> None:
    assert i18n.updated(CHINESE) == i18n.catalogue_path(CHINESE).read_bytes()


def test_messages_of_templates_and_python_are_both_found() -> None:
    found = {message.id for message in i18n.extracted()}
    assert "Skip to the content" in found
    assert ("Cases doubled in %(n)s day", "Cases doubled in %(n)s days") in found


def test_translations_keep_every_placeholder() -> None:
    seen = 0
    for message in i18n.read_catalogue(CHINESE):
        plural = message.id if isinstance(message.id, str) else message.id[-1]
        for form in i18n.forms_of(message) if message.id else ():
            assert sorted(PLACEHOLDER.findall(form)) == sorted(PLACEHOLDER.findall(plural)), message.id
            seen += 1
    assert seen > 80


@pytest.mark.parametrize(
    ("address", "switched"),
    [
        ("/en/catalogue?q=a%20b&page=2#top", "/zh/catalogue?q=a%20b&page=2#top"),
        ("/zh/", "/zh/"),
        ("/en", "/zh/"),
        ("/", "/zh/"),
        ("/catalogue", "/zh/catalogue"),
        ("https://elsewhere.test/en/x", "/zh/x"),
        ("//elsewhere.test/en/x", "/zh/x"),
        ("/en//elsewhere.test", "/zh/elsewhere.test"),
    ],
)
def test_the_switch_changes_only_the_language(address: str, switched: str) -> None:
    assert switch_language(address, CHINESE) == switched


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abz/?#=&%.-:", max_size=30), st.sampled_from(LANGUAGES), st.sampled_from(LANGUAGES))
def test_switching_there_and_back_never_leaves_the_node(rest: str, here: i18n.Language, there: i18n.Language) -> None:
    once = switch_language(f"/{here.code}/{rest}", there)
    assert once.startswith(f"/{there.code}/")
    assert switch_language(switch_language(once, here), there) == once


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.2, zh;q=0.1", "en"),
        ("fr, de", "en"),
        ("", "en"),
        ("zh;q=0", "en"),
        ("zh;q=x", "en"),
    ],
)
def test_the_browser_is_asked_which_language(header: str, code: str) -> None:
    assert preferred_language(header).code == code


def test_an_unknown_language_is_not_found() -> None:
    assert language_of("zh") is CHINESE
    with pytest.raises(NotFound):
        language_of("fr")


def test_numbers_and_dates_are_the_languages_own() -> None:
    english, chinese = translations(ENGLISH), translations(CHINESE)
    at = datetime(2026, 1, 2, 6, 30, tzinfo=UTC)
    assert (english.number(107117), chinese.number(1234.56)) == ("107,117", "1,234.6")
    assert (english.percent(0.934), chinese.percent(1)) == ("93%", "100%")
    assert (english.date(at.date()), chinese.date(at.date())) == ("2 January 2026", "2026年1月2日")
    assert (english.month(at.date()), chinese.month(at.date())) == ("Jan 2026", "2026年1月")
    assert english.moment(at) == "2 January 2026, 06:30 UTC"
    assert chinese.moment(at) == "2026年1月2日 06:30 UTC"
    assert [english.size(n) for n in (0, 999, 1200, 3_900_000, 2_000_000_000)] == [
        "0 byte",
        "999 byte",
        "1.2 kB",
        "3.9 MB",
        "2 GB",
    ]
    with pytest.raises(ValueError, match="zone"):
        english.moment(datetime(2026, 1, 2))  # noqa: DTZ001 - the point of the test
    assert date(2026, 1, 2) == at.date()


def test_plurals() -> None:
    english, chinese = translations(ENGLISH), translations(CHINESE)
    one, many = "Cases doubled in %(n)s day", "Cases doubled in %(n)s days"
    assert (english.ngettext(one, many, 1), english.ngettext(one, many, 0)) == (one, many)
    assert chinese.ngettext(one, many, 1) == chinese.ngettext(one, many, 5) == "病例数 %(n)s 天翻倍"
    assert chinese.gettext("not a message of ours") == "not a message of ours"
