"""Rulebooks: versioned public rules that give a person a level, with reasons.

A rulebook is refused unless it is whole: an end date, every text in every language, every evidence declared, every
rule valid CertLogic that can't fail on declared evidence, and its own tests passing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hutong.errors import BadInput, Conflict
from hutong.standard.element import LANGUAGES

from .. import documents
from ..certlogic.evaluate import compile_rule
from ..certlogic.validate import data_accesses
from ..certlogic.values import truth
from ..documents import Document, Period, Reason, Texts
from .evidence import Evidence, parse_evidence, trials

UNKNOWN = "unknown"
"""The level of a person about whom the rulebook says nothing; never one of a level set."""

UNDER_REVIEW = "under-review"
"""The level of a person whose appeal the authority did not answer in time; never one of a level set."""

RESERVED_LEVELS = (UNKNOWN, UNDER_REVIEW)

NOTICE_HOURS = 24
"""The least notice, and that of a rulebook that declares none: what may raise somebody's level waits so long."""
LONGEST_NOTICE_HOURS = 720

_FIELDS = (
    *("id", "version", "emergency", "disease", "legal_basis", "valid_from", "valid_to", "notice_hours"),
    *("levels", "default", "evidence", "rules", "tests"),
)
_NO_RULE: Texts = {
    "en": "No rule of this rulebook applies and it names no default level.",
    "zh": "本规则手册没有适用的规则，也没有规定默认等级。",
}
_MISSING: Texts = {"en": "Not known: {names}", "zh": "缺少信息：{names}"}


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a level set: its code and what it means, per language."""

    code: str
    meaning: Texts


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition in CertLogic, the level it gives, and its sentence in every language."""

    id: str
    level: str
    condition: Any
    texts: Texts
    reads: tuple[str, ...]
    fires: Callable[[Document], bool] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RulebookTest:
    """Facts and the level that they must give; ``rule_ids`` is empty where only the level matters."""

    name: str
    facts: Document
    level: str
    rule_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A whole rulebook; build it with :func:`parse_rulebook` only.

    Attributes:
        hash: SHA-256 of the document's canonical JSON, lower-case hexadecimal.
        levels: three to five, from the least to the most severe.
        default: the level and reason of a person on whom no rule fires; None means unknown.
        notice_hours: from the publication of a version that may raise somebody's level until it holds.
        disease: code of the standard; tests, cases and immunisations of others are no evidence. None: of all.
        document: what it was read from, as it is published.
    """

    id: str
    version: str
    hash: str
    emergency: str
    legal_basis: Texts
    period: Period
    levels: tuple[Level, ...]
    default: tuple[str, Reason] | None
    evidence: tuple[Evidence, ...]
    rules: tuple[Rule, ...]
    tests: tuple[RulebookTest, ...] = field(repr=False)
    document: Document = field(repr=False)
    notice_hours: int = NOTICE_HOURS
    disease: str | None = None

    def severity(self, level: str) -> int:
        """0 for the least severe level. Raises BadInput for a level that the rulebook has not."""
        for index, one in enumerate(self.levels):
            if one.code == level:
                return index
        raise BadInput(f"The rulebook {self.id} has no level {level!r}.", "Use one of its levels.")

    def in_force(self, at: datetime) -> bool:
        """Whether the rulebook may be used at this instant."""
        return self.period.holds(at)


@dataclass(frozen=True, slots=True)
class LevelDecision:
    """A level is never without what gave it: rulebook, version, rules, and when their evidence was true.

    Attributes:
        evidence_dates: pairs of evidence name and ISO date, of the evidence that the reasons rest on.
    """

    level: str
    rulebook_id: str
    version: str
    rule_ids: tuple[str, ...]
    reasons: tuple[Reason, ...]
    evidence_dates: tuple[tuple[str, str], ...] = ()


def decide_level(
    rulebook: Rulebook, facts: Document, *, evidence_dates: Mapping[str, str] | None = None
) -> LevelDecision:
    """The level of one person: the most severe rule that fires wins, with all rules that give the same level.

    Args:
        rulebook: the rules.
        facts: evidence name to value; what is not declared is not read, what is missing or None is not known.
        evidence_dates: evidence name to the ISO date when it was true.

    Returns:
        The default level where no rule fires; ``unknown`` where there is no default or required evidence is missing.

    Raises:
        BadInput: a fact is not of its declared type.
    """
    known = _known_facts(rulebook, facts)
    fired = [rule for rule in rulebook.rules if rule.fires(known)]
    if fired:
        severity = {level.code: index for index, level in enumerate(rulebook.levels)}
        level = max((rule.level for rule in fired), key=severity.__getitem__)
        winning = [rule for rule in fired if rule.level == level]
        reasons = tuple(Reason(rule.id, rule.texts) for rule in winning)
        read = {name for rule in winning for name in rule.reads}
        ids = tuple(rule.id for rule in winning)
    else:
        level, reason = _without_a_rule(rulebook, known)
        reasons, ids = (reason,), ()
        read = {one.name for one in rulebook.evidence}
    dates = tuple(sorted((name, day) for name, day in (evidence_dates or {}).items() if name in read))
    return LevelDecision(level, rulebook.id, rulebook.version, ids, reasons, dates)


def _known_facts(rulebook: Rulebook, facts: Document) -> dict[str, Any]:
    known = {}
    for evidence in rulebook.evidence:
        value = facts.get(evidence.name)
        if not evidence.accepts(value):
            raise BadInput(
                f"The fact {evidence.name!r} is not of the type {evidence.type} that the rulebook declares.",
                "Correct the fact, or leave it out if it is not known.",
            )
        known[evidence.name] = value
    return known


def _without_a_rule(rulebook: Rulebook, known: Document) -> tuple[str, Reason]:
    missing = [one for one in rulebook.evidence if one.required and known[one.name] is None]
    if missing:
        texts = {
            language: sentence.format(names="; ".join(one.meaning.get(language, one.name) for one in missing))
            for language, sentence in _MISSING.items()
        }
        return UNKNOWN, Reason("missing-evidence", texts)
    return rulebook.default or (UNKNOWN, Reason("no-rule", _NO_RULE))


def parse_rulebook(document: Document, *, languages: tuple[str, ...] = LANGUAGES) -> Rulebook:
    """Read a rulebook and refuse it unless it may be published.

    Args:
        document: the YAML or JSON document as an object (fields: see the shipped rulebooks).
        languages: the languages of the node; every text must be there in each.

    Raises:
        BadInput: a text missing in a language, an unknown level, an id twice, invalid CertLogic, no end date,
            evidence used but not declared, a rule that fails on evidence that may occur, a shipped test that fails.
        LimitExceeded: a rule larger or deeper than allowed.
    """
    documents.known_fields(document, _FIELDS, "The rulebook")
    name = documents.identifier(document, "id", "The rulebook")
    where = f"The rulebook {name}"
    documents.semver(document.get("version"))
    levels = _levels(document, where, languages)
    codes = tuple(level.code for level in levels)
    evidence = tuple(
        parse_evidence(item, f"{where}, evidence {index}", languages)
        for index, item in enumerate(documents.items(document, "evidence", where, least=1, most=200), start=1)
    )
    documents.require_unique([one.name for one in evidence], where)
    rules = tuple(
        _rule(item, f"{where}, rule {index}", languages, codes, evidence)
        for index, item in enumerate(documents.items(document, "rules", where, least=1), start=1)
    )
    documents.require_unique([rule.id for rule in rules], where)
    rulebook = Rulebook(
        id=name,
        version=documents.text(document, "version", where),
        hash=documents.document_hash(document),
        emergency=documents.identifier(document, "emergency", where),
        legal_basis=documents.texts(document, "legal_basis", where, languages),
        period=documents.period(document, where),
        levels=levels,
        default=_default(document, where, languages, codes),
        evidence=evidence,
        rules=rules,
        tests=tuple(
            _test(item, f"{where}, test {index}", (*codes, UNKNOWN))
            for index, item in enumerate(documents.items(document, "tests", where, least=1), start=1)
        ),
        document=document,
        notice_hours=_notice_hours(document, where),
        disease=documents.identifier(document, "disease", where) if document.get("disease") is not None else None,
    )
    _pass_own_tests(rulebook)
    return rulebook


def require_successor(previous: Rulebook, following: Rulebook) -> None:
    """Refuse a version that does not rise.

    Raises:
        BadInput: not the same rulebook.
        Conflict: the version is not higher than the one before.
    """
    if previous.id != following.id:
        raise BadInput("These are two different rulebooks.", "Compare versions of one rulebook.")
    if documents.semver(following.version) <= documents.semver(previous.version):
        raise Conflict(
            f"Version {following.version} of {following.id} does not follow {previous.version}.",
            "Give a higher version.",
        )


def _notice_hours(document: Document, where: str) -> int:
    hours = document.get("notice_hours", NOTICE_HOURS)
    if type(hours) is not int or not NOTICE_HOURS <= hours <= LONGEST_NOTICE_HOURS:
        raise BadInput(
            f"{where} has a notice that is too short, too long or no number.",
            f"Give 'notice_hours' from {NOTICE_HOURS} to {LONGEST_NOTICE_HOURS}.",
        )
    return hours


def _levels(document: Document, where: str, languages: tuple[str, ...]) -> tuple[Level, ...]:
    levels = []
    for item in documents.items(document, "levels", where, least=3, most=5):
        documents.known_fields(item, ("code", "meaning"), f"{where}, a level")
        code = documents.identifier(item, "code", f"{where}, a level")
        if code in RESERVED_LEVELS:
            raise BadInput(f"{where} declares the reserved level {code!r}.", "Choose another code.")
        levels.append(Level(code, documents.texts(item, "meaning", f"{where}, level {code}", languages)))
    documents.require_unique([level.code for level in levels], where)
    return tuple(levels)


def _level(document: Document, where: str, codes: tuple[str, ...]) -> str:
    level = documents.text(document, "level", where)
    if level not in codes:
        raise BadInput(f"{where} gives the unknown level {level[:40]!r}.", f"Use one of: {', '.join(codes)}.")
    return level


def _default(
    document: Document, where: str, languages: tuple[str, ...], codes: tuple[str, ...]
) -> tuple[str, Reason] | None:
    if document.get("default") is None:
        return None
    item = documents.known_fields(document["default"], ("level", "text"), f"{where}, default")
    level = _level(item, f"{where}, default", (*codes, UNKNOWN))
    return level, Reason("default", documents.texts(item, "text", f"{where}, default", languages))


def _rule(
    item: Any,
    where: str,
    languages: tuple[str, ...],
    codes: tuple[str, ...],
    evidence: tuple[Evidence, ...],
) -> Rule:
    documents.known_fields(item, ("id", "level", "condition", "text"), where)
    name = documents.identifier(item, "id", where)
    where = f"{where} ({name})"
    condition = item.get("condition")
    fires = _condition(condition, where)
    reads = data_accesses(condition)
    undeclared = sorted(reads - {one.name for one in evidence})
    if undeclared:
        raise BadInput(f"{where} reads {undeclared[0][:80]!r}, which is not declared.", "Declare the evidence.")
    read = [one for one in evidence if one.name in reads]
    for facts in trials(read):
        fires(facts)
    return Rule(
        id=name,
        level=_level(item, where, codes),
        condition=condition,
        texts=documents.texts(item, "text", where, languages),
        reads=tuple(one.name for one in read),
        fires=fires,
    )


def _condition(condition: Any, where: str) -> Callable[[Document], bool]:
    try:
        run = compile_rule(condition)
    except BadInput as error:
        raise BadInput(f"{where} is not usable. {error.what}", error.do) from error

    def fires(facts: Document) -> bool:
        try:
            return truth(run(facts))
        except BadInput as error:
            raise BadInput(
                f"{where} fails on evidence that may occur. {error.what}",
                "Let the condition test first whether the evidence is known.",
            ) from error

    return fires


def _test(item: Any, where: str, codes: tuple[str, ...]) -> RulebookTest:
    documents.known_fields(item, ("name", "facts", "level", "rules"), where)
    facts = item.get("facts")
    if not isinstance(facts, Mapping):
        raise BadInput(f"{where} has no facts.", "Give evidence names and values.")
    rule_ids = tuple(str(name) for name in documents.items(item, "rules", where))
    return RulebookTest(documents.text(item, "name", where), facts, _level(item, where, codes), rule_ids)


def _pass_own_tests(rulebook: Rulebook) -> None:
    for test in rulebook.tests:
        decision = decide_level(rulebook, test.facts)
        right_rules = not test.rule_ids or set(test.rule_ids) == set(decision.rule_ids)
        if decision.level != test.level or not right_rules:
            raise BadInput(
                f"The rulebook {rulebook.id} fails its own test {test.name!r}: it gives {decision.level!r} by "
                f"{', '.join(decision.rule_ids) or 'no rule'}, not {test.level!r}.",
                "Correct the rule or the test.",
            )
