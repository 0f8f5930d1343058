"""Pages: rulebooks in plain words, their versions, and a form that shows which rule fires."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from hutong.governance import queries as governance
from hutong.node import Node
from hutong.passes.documents import Texts
from hutong.passes.level import queries as level_queries
from hutong.passes.level.queries import UpdateLatency
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.evidence import Evidence
from hutong.passes.rulebook.notice import Because, Verdict
from hutong.passes.rulebook.queries import PublishedRulebook
from hutong.passes.rulebook.rulebook import UNKNOWN, LevelDecision, Rulebook, decide_level
from hutong.storage.kept import Kept
from hutong.trust.authorisation import Resource
from hutong.web.doors import CurrentNode
from hutong.web.i18n import LANGUAGES, N_, Language, Translations
from hutong.web.portal.page import PageActor, PageLanguage, page, text_in, words_of

router = APIRouter()

MARKS = ("low", "guarded", "medium", "high")
YES, NO, NOT_KNOWN = "yes", "no", ""
TYPES: Mapping[str, str] = {
    "boolean": N_("yes or no"),
    "integer": N_("a whole number"),
    "code": N_("one of these"),
    "date": N_("a day"),
}
MAX_NUMBER = 10_000
_latencies: Kept[UpdateLatency | None] = Kept(64)
EFFECTS: Mapping[Because, str] = {
    Because.FIRST: N_("It is the first under its emergency: nobody had a level before."),
    Because.NOBODY_WORSE: N_("Nobody's level rises by it: it decides as the version before."),
    Because.OTHER_LEVELS: N_("Its levels, or what they mean, are others than before, so that it waits for its notice."),
}
NOT_SHOWN = N_("It was not shown that nobody's level rises by it, so that it waits for its notice.")


def level_mark(code: str, severity: int) -> str:
    """Shape and colour of a level: its own word's where that is a usual one, else by its place in the level set."""
    if code in MARKS or code == UNKNOWN:
        return code
    return MARKS[min(severity, len(MARKS) - 1)]


@router.get("/{language}/rulebooks", response_class=HTMLResponse)
def list_rulebooks(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    """Every rulebook that was published here, whether or not it is in force."""
    known = [_summary(node, published, language) for published in rulebook_queries.rulebooks(node)]
    may_publish = node.policy.decide(actor, "publish_rulebook", Resource("Rulebook", "")).allowed
    return page(request, language, "rulebooks.html", rulebooks=known, may_publish=may_publish)


@router.get("/{language}/rulebooks/{rulebook_id}", response_class=HTMLResponse)
def show_rulebook(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    rulebook_id: Annotated[str, Path(pattern="^[a-z0-9.-]{1,80}$")],
    version: Annotated[str | None, Query(max_length=30)] = None,
) -> HTMLResponse:
    """The page's state is its address: facts to try are in the query."""
    words = words_of(language)
    versions = rulebook_queries.rulebook_versions(node, rulebook_id)
    published = rulebook_queries.published_rulebook(node, rulebook_id, version)
    rulebook = published.rulebook
    given = {one.name: request.query_params.get(one.name, "") for one in rulebook.evidence}
    facts, errors = _facts(rulebook, given, words)
    tried = bool(set(given) & set(request.query_params)) and not errors
    return page(
        request,
        language,
        "rulebook.html",
        summary=_summary(node, published, language),
        legal_basis=text_in(rulebook.legal_basis, language),
        hash=rulebook.hash,
        levels=[(*_level(rulebook, level.code), text_in(level.meaning, language)) for level in rulebook.levels],
        rules=_rules(rulebook, language),
        other_language=next(one for one in LANGUAGES if one != language),
        default=rulebook.default and _rule_line(rulebook, rulebook.default[0], rulebook.default[1], language),
        evidence=[_evidence(one, words, language) for one in rulebook.evidence],
        fields=[_field(one, given[one.name], words, language) for one in rulebook.evidence],
        errors=errors,
        decision=_decision(rulebook, decide_level(rulebook, facts), language) if tried else None,
        versions=[
            SimpleNamespace(
                version=one.rulebook.version,
                published_at=one.published_at,
                effective_from=one.effective_from,
                is_shown=one.rulebook.version == rulebook.version,
            )
            for one in versions
        ],
        is_held=rulebook_queries.holding(versions, node.clock()).rulebook.version == rulebook.version,
        effect=_effect(published, language),
        notice_hours=rulebook.notice_hours,
        latency=_latency(node, rulebook.id, words),
        tests=len(rulebook.tests),
    )


def _summary(node: Node, published: PublishedRulebook, language: Language) -> SimpleNamespace:
    rulebook = published.rulebook
    return SimpleNamespace(
        id=rulebook.id,
        version=rulebook.version,
        href=f"/{language.code}/rulebooks/{rulebook.id}",
        emergency=_emergency(node, rulebook, language),
        valid_from=rulebook.period.start.date(),
        valid_to=rulebook.period.end.date(),
        published=published.published_at.date(),
        effective_from=published.effective_from,
        in_force=rulebook_queries.is_in_force(node, published),
        coming=[
            SimpleNamespace(
                version=one.rulebook.version, effective_from=one.effective_from, effect=_effect(one, language)
            )
            for one in rulebook_queries.coming(_versions_of(node, published), node.clock())
        ],
        levels=[_level(rulebook, level.code) for level in rulebook.levels],
        rules=len(rulebook.rules),
    )


def _latency(node: Node, rulebook_id: str, words: Translations) -> str:
    """How long levels take to follow the evidence, in a sentence."""
    key = (node.settings.folder, rulebook_id, level_queries.history_snapshot(node))
    found = _latencies.get(key, lambda: level_queries.public_latency(node, rulebook_id))
    if found is None or found.median_seconds is None or found.p95_seconds is None:
        told = words.gettext("Not told yet: fewer than %(n)s levels have changed by new evidence.")
        return told % {"n": words.number(level_queries.WITHHELD_BELOW)}
    told = words.gettext(
        "Half of %(n)s changed levels followed their evidence within %(median)s, and 95 of 100 within %(p95)s."
    )
    return told % {
        "n": words.number(found.changes),
        "median": _seconds(found.median_seconds, words),
        "p95": _seconds(found.p95_seconds, words),
    }


def _seconds(seconds: float, words: Translations) -> str:
    """A time that was measured, in whole units, rounded up."""
    if seconds < 120:
        whole = math.ceil(seconds)
        return words.ngettext("%(n)s second", "%(n)s seconds", whole) % {"n": words.number(whole)}
    if seconds < 7200:
        whole = math.ceil(seconds / 60)
        return words.ngettext("%(n)s minute", "%(n)s minutes", whole) % {"n": words.number(whole)}
    whole = math.ceil(seconds / 3600)
    return words.ngettext("%(n)s hour", "%(n)s hours", whole) % {"n": words.number(whole)}


def _versions_of(node: Node, published: PublishedRulebook) -> list[PublishedRulebook]:
    return rulebook_queries.rulebook_versions(node, published.rulebook.id)


def _effect(published: PublishedRulebook, language: Language) -> str:
    meanings = {one.name: one.meaning for one in published.rulebook.evidence}
    return effect_in_words(published.verdict, meanings, language)


def effect_in_words(verdict: Verdict, meanings: Mapping[str, Texts], language: Language) -> str:
    """What a version does to people's levels, and how that is known, in a sentence."""
    words = words_of(language)
    if verdict.because is Because.NOBODY_WORSE and verdict.cases:
        told = words.gettext(
            "Nobody's level rises by it. This was shown on %(n)s mixes of facts, all that can make a difference."
        )
        return told % {"n": words.number(verdict.cases)}
    if verdict.because is not Because.SOMEBODY_WORSE:
        return words.gettext(EFFECTS.get(verdict.because, NOT_SHOWN))
    facts = [
        f"{text_in(meanings.get(name, {'en': name}), language)}{words.gettext(':')} {_said(value, words)}"
        for name, value in verdict.facts.items()
    ]
    told = words.gettext(
        "It may raise a level, so that it waits for its notice. For instance (%(facts)s), from %(old)s to %(new)s."
    )
    return told % {
        "facts": "; ".join(facts) or words.gettext("nothing known"),
        "old": verdict.old_level,
        "new": verdict.new_level,
    }


def _said(value: Any, words: Translations) -> str:
    if isinstance(value, bool):
        return words.gettext("yes") if value else words.gettext("no")
    return str(value)


def _emergency(node: Node, rulebook: Rulebook, language: Language) -> str:
    known = {one.id: one for one in governance.emergencies(node)}
    return text_in(known[rulebook.emergency].title, language) if rulebook.emergency in known else rulebook.emergency


def _level(rulebook: Rulebook, code: str) -> tuple[str, str | None]:
    """Mark and own word of a level; no own word where the mark already says it."""
    if code == UNKNOWN:
        return UNKNOWN, None
    mark = level_mark(code, rulebook.severity(code))
    return mark, None if mark == code else code


def _rules(rulebook: Rulebook, language: Language) -> list[SimpleNamespace]:
    """The most severe first, as they are weighed."""
    ordered = sorted(rulebook.rules, key=lambda rule: -rulebook.severity(rule.level))
    return [_rule_line(rulebook, rule.level, rule, language) for rule in ordered]


def _rule_line(rulebook: Rulebook, level: str, rule: Any, language: Language) -> SimpleNamespace:
    other = next(one for one in LANGUAGES if one != language)
    mark, word = _level(rulebook, level)
    return SimpleNamespace(
        id=getattr(rule, "id", None) or rule.rule_id,
        mark=mark,
        word=word,
        text=text_in(rule.texts, language),
        other=rule.texts.get(other.code, ""),
    )


def _evidence(one: Evidence, words: Translations, language: Language) -> SimpleNamespace:
    return SimpleNamespace(
        name=one.name,
        meaning=text_in(one.meaning, language),
        type=words.gettext(TYPES[one.type]),
        values=", ".join(one.values),
        required=one.required,
    )


def _field(one: Evidence, value: str, words: Translations, language: Language) -> SimpleNamespace:
    options: list[tuple[str, str]] = []
    if one.type == "boolean":
        options = [(YES, words.gettext("yes")), (NO, words.gettext("no"))]
    elif one.type == "code":
        spoken = {"low": words.gettext("low"), "medium": words.gettext("medium"), "high": words.gettext("high")}
        options = [(code, spoken.get(code, code)) for code in one.values]
    return SimpleNamespace(
        name=one.name,
        label=text_in(one.meaning, language),
        value=value,
        type="date" if one.type == "date" else "number",
        options=[(NOT_KNOWN, words.gettext("not known")), *options] if options else [],
    )


def _facts(rulebook: Rulebook, given: Mapping[str, str], words: Translations) -> tuple[dict[str, Any], dict[str, str]]:
    """Facts from a form's texts, and what is wrong with them."""
    facts: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for one in rulebook.evidence:
        text = given[one.name].strip()
        value = _value(one, text)
        if text and (value is None or not one.accepts(value)):
            errors[one.name] = words.gettext("This can't be used. Leave it empty if it is not known.")
        facts[one.name] = value
    return facts, errors


def _value(one: Evidence, text: str) -> Any:
    if one.type == "boolean":
        return {YES: True, NO: False}.get(text)
    if one.type == "integer":
        return int(text) if text.isascii() and text.isdigit() and int(text[:6]) <= MAX_NUMBER else None
    return text or None


def _decision(rulebook: Rulebook, decision: LevelDecision, language: Language) -> SimpleNamespace:
    mark, word = _level(rulebook, decision.level)
    meanings = {level.code: text_in(level.meaning, language) for level in rulebook.levels}
    return SimpleNamespace(
        mark=mark,
        word=word,
        meaning=meanings.get(decision.level, ""),
        reasons=[(text_in(reason.texts, language), reason.rule_id) for reason in decision.reasons],
    )
