"""What the pages of appeals show: steps, states and levels in the page's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace

from hutong.errors import NotFound
from hutong.node import Node
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.appeal.appeal import Appeal, Outcome, State, Subject, Task
from hutong.passes.appeal.correction import GROUNDS
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.rulebook import UNDER_REVIEW, UNKNOWN
from hutong.rights.person import pseudonym_of
from hutong.trust.authorisation import Actor
from hutong.web.i18n import N_, Language, Translations
from hutong.web.portal.page import text_in, words_of
from hutong.web.portal.rulebooks import level_mark

STATES: Mapping[State, tuple[str, str]] = {
    State.FILED: ("medium", N_("filed")),
    State.ACKNOWLEDGED: ("medium", N_("acknowledged")),
    State.EVIDENCE: ("medium", N_("evidence is looked at")),
    State.DECIDED: ("low", N_("decided")),
    State.NOTIFIED: ("low", N_("decided, resident told")),
    State.WITHDRAWN: ("unknown", N_("withdrawn")),
}
OUTCOMES: Mapping[Outcome, str] = {
    Outcome.UPHELD: N_("Upheld: the resident is right"),
    Outcome.PARTLY: N_("Partly upheld"),
    Outcome.DISMISSED: N_("Dismissed: the level stands"),
}
SUBJECTS: Mapping[Subject, str] = {
    Subject.LEVEL: N_("The level is wrong"),
    Subject.FACT: N_("A fact about me is wrong"),
}
TASKS: Mapping[str, str] = {
    "file": N_("File the appeal"),
    "acknowledge": N_("Acknowledge it"),
    "evidence": N_("Look at the evidence"),
    "answer": N_("Answer the question"),
    "decide": N_("Decide it, two persons"),
    "notify": N_("Tell the resident"),
    "withdraw": N_("Withdraw it"),
}
WHO: Mapping[str, str] = {"resident": N_("Resident"), "authority": N_("Authority")}


def row_of(found: Appeal, now: datetime, words: Translations) -> SimpleNamespace:
    """An appeal in a list: its state, and what comes next by when."""
    kind, label = STATES[found.state]
    late = found.next_step in found.late_steps(now) if found.next_step else False
    return SimpleNamespace(
        id=found.id,
        href=f"/{words.language.code}/appeals/{found.id}",
        subject=words.gettext(SUBJECTS[found.subject]),
        filed_at=found.filed_at,
        state=words.gettext(label),
        kind=kind,
        is_late=late,
        next=words.gettext(TASKS[found.next_step]) if found.next_step else None,
        due=found.next_due,
    )


def task_of(task: Task, words: Translations) -> SimpleNamespace:
    """A step in words."""
    return SimpleNamespace(
        title=words.gettext(TASKS[task.step]),
        who=words.gettext(WHO[task.who]),
        due=task.due,
        done_at=task.done_at,
        state=task.state,
        is_late=task.is_late,
    )


def own_level(node: Node, actor: Actor, language: Language) -> SimpleNamespace | None:
    """The level in force of the resident who asks, with its reasons; None where there is none yet."""
    try:
        found = appeal_queries.level_in_force(node, pseudonym_of(node, actor.id))
    except NotFound:
        return None
    kind, text = _marked(found.level, found.severity, language)
    return SimpleNamespace(
        kind=kind,
        text=text,
        reasons=[(text_in(one.texts, language), one.rule_id) for one in found.reasons],
        rulebook=found.rulebook.id,
        version=found.rulebook.version,
        as_of=found.status.as_of,
        ends_at=found.override.ends_at if found.override and not found.appeal else None,
    )


def _marked(level: str, severity: int, language: Language) -> tuple[str, str | None]:
    """Shape of a level, and its word where the shape has not one of its own."""
    if level == UNDER_REVIEW:
        return UNKNOWN, words_of(language).gettext("under review")
    mark = level_mark(level, severity)
    return mark, None if mark == level else level


def appealed_level(node: Node, found: Appeal, language: Language) -> SimpleNamespace:
    """The level that is appealed, as a mark."""
    codes = [code for code, _ in levels_of(node, found, language)]
    kind, text = _marked(found.level, codes.index(found.level) if found.level in codes else 0, language)
    return SimpleNamespace(kind=kind, text=text)


def levels_of(node: Node, found: Appeal, language: Language) -> list[tuple[str, str]]:
    """Codes and words of the levels of the rulebook in question."""
    if not found.rulebook:
        return []
    name, _, version = found.rulebook.partition("@")
    levels = rulebook_queries.rulebook(node, name, version).levels
    return [(one.code, f"{one.code}: {text_in(one.meaning, language)}"[:120]) for one in levels]


def rules_of(node: Node, found: Appeal, language: Language) -> list[tuple[str, str]]:
    """Sentences and ids of the rules that gave the level which is appealed."""
    if not found.rulebook:
        return []
    name, _, version = found.rulebook.partition("@")
    texts = {rule.id: rule.texts for rule in rulebook_queries.rulebook(node, name, version).rules} | dict(GROUNDS)
    return [(text_in(texts[rule], language), rule) for rule in found.rule_ids if rule in texts]


def ground_of(node: Node, found: Appeal, language: Language) -> SimpleNamespace | None:
    """What the decision did to the level, if it did."""
    if found.decision is None or found.decision.override is None:
        return None
    made = appeal_queries.override(node, found.decision.override)
    codes = [code for code, _ in levels_of(node, found, language)]
    kind, text = _marked(made.level, codes.index(made.level) if made.level in codes else 0, language)
    why = made.why(rulebook_queries.rulebook(node, *found.rulebook.split("@")))
    return SimpleNamespace(
        kind=kind, text=text, rule=why.rule_id, why=text_in(why.texts, language), ends_at=made.ends_at
    )


def hours_in_words(hours: float, words: Translations) -> str:
    """Hours up to three days, then days."""
    if hours < 72:
        whole = round(hours)
        return words.ngettext("%(n)s hour", "%(n)s hours", whole) % {"n": words.number(whole)}
    days = round(hours / 24)
    return words.ngettext("%(n)s day", "%(n)s days", days) % {"n": words.number(days)}
