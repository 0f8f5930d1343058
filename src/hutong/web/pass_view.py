"""What the pages of passes show: the card of a pass, and a resident's level over time, in the page's language."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

from hutong.errors import NotFound
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.passes.issuance.actions import IssuedPass
from hutong.passes.level import queries as level_queries
from hutong.passes.level.queries import LevelChange
from hutong.passes.recognition.conversion_actions import ConvertedPass
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.rulebook import UNKNOWN, Rulebook
from hutong.trust.authorisation import Actor
from hutong.web.i18n import Language, Translations
from hutong.web.portal.page import text_in, words_of
from hutong.web.portal.rulebooks import level_mark

HOURS = (24, 48, 72, 168)
MOST_STEPS = 50


def hours_to_choose(words: Translations) -> list[tuple[str, str]]:
    """For how long a pass may be, in words."""
    days = [(one, one // 24) for one in HOURS]
    return [
        (str(hours), words.ngettext("%(n)s day", "%(n)s days", number) % {"n": words.number(number)})
        for hours, number in days
    ]


def card_of(node: Node, issued: IssuedPass, language: Language) -> SimpleNamespace:
    """The card of a pass that was just issued."""
    words = words_of(language)
    reasons = [
        words.gettext("%(sentence)s (rule %(rule)s)")
        % {"sentence": text_in(reason.texts, language), "rule": reason.rule_id}
        for reason in issued.reasons
    ]
    return _card(node, issued, language, severity=issued.severity, emergency=issued.emergency, reasons=reasons)


def card_of_converted(node: Node, made: ConvertedPass, language: Language) -> SimpleNamespace:
    """The card of a pass that was made from another region's."""
    rulebook = rulebook_queries.rulebook(node, made.rulebook, made.version)
    issuer, _, level = made.origin.partition(" ")
    names = {party.id: text_in(party.name, language) for party in governance.parties(node)}
    told = words_of(language).gettext("Converted from a pass of %(issuer)s: %(level)s.")
    return _card(
        node,
        made,
        language,
        severity=rulebook.severity(made.level),
        emergency=rulebook.emergency,
        reasons=[told % {"issuer": names.get(issuer, issuer), "level": level}],
    )


def _card(
    node: Node, made: Any, language: Language, *, severity: int, emergency: str, reasons: list[str]
) -> SimpleNamespace:
    mark = level_mark(made.level, severity)
    return SimpleNamespace(
        level=mark,
        level_text=None if mark == made.level else made.level,
        issuer=text_in(node.settings.name, language),
        valid_from=made.issued_at,
        valid_until=made.expires_at,
        emergency=text_in(governance.emergency(node, emergency).title, language),
        reasons=reasons,
        qr=made.qr_svg(),
    )


def evidence_days(issued: IssuedPass, rulebook: Rulebook, language: Language) -> list[tuple[str, str]]:
    """What the level rests on: each fact in words, and the day when it was true."""
    words = words_of(language)
    meanings = {one.name: one.meaning for one in rulebook.evidence}
    return [
        (text_in(meanings[name], language), words.date(date.fromisoformat(day))) for name, day in issued.evidence_dates
    ]


def own_history(node: Node, actor: Actor, language: Language) -> SimpleNamespace:
    """The newest changes of the level of the resident who looks, at most MOST_STEPS, with the rules in words.

    Returns:
        ``steps``, and ``altered``: how many rows are left out.
    """
    found = level_queries.readable_history(node, actor, actor.id)
    changes = found.changes[:MOST_STEPS]
    books: dict[tuple[str, str], Rulebook | None] = {}
    for one in changes:
        books.setdefault((one.rulebook, one.version), _rulebook(node, one))
    steps = [_step(one, books[one.rulebook, one.version], language) for one in changes]
    return SimpleNamespace(steps=steps, altered=found.altered)


def _rulebook(node: Node, change: LevelChange) -> Rulebook | None:
    try:
        return rulebook_queries.rulebook(node, change.rulebook, change.version)
    except NotFound:
        return None


def _step(change: LevelChange, rulebook: Rulebook | None, language: Language) -> SimpleNamespace:
    texts = {rule.id: rule.texts for rule in rulebook.rules} if rulebook else {}
    mark, word = _marked(change.level, rulebook)
    return SimpleNamespace(
        mark=mark,
        word=word,
        before=change.previous_level,
        reasons=[(text_in(texts.get(rule, {}), language), rule) for rule in change.rule_ids],
        rulebook=f"{change.rulebook} {change.version}",
        known_at=change.evidence_known_at,
        decided_at=change.decided_at,
    )


def _marked(level: str, rulebook: Rulebook | None) -> tuple[str, str | None]:
    """Shape of a level, and its word where the shape has not one of its own."""
    codes = [one.code for one in rulebook.levels] if rulebook else []
    if level not in codes:
        return UNKNOWN, None if level == UNKNOWN else level
    mark = level_mark(level, codes.index(level))
    return mark, None if mark == level else level
