"""Pages: a resident's appeals, those that wait for the authority, one with its tasks, and the published times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, Response

from hutong.errors import BadInput, HutongError, NotFound, NotSignedIn
from hutong.node import Node
from hutong.passes.appeal import actions
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.appeal.appeal import Appeal, Outcome, Subject, task_list
from hutong.passes.appeal.correction import GROUNDS, LONGEST_LOWERED, LevelChange
from hutong.rights.person import owned, pseudonym_of
from hutong.trust.authorisation import Actor
from hutong.web.appeal_view import (
    OUTCOMES,
    SUBJECTS,
    appealed_level,
    ground_of,
    hours_in_words,
    levels_of,
    own_level,
    row_of,
    rules_of,
    task_of,
)
from hutong.web.doors import CurrentNode
from hutong.web.error_words import said
from hutong.web.i18n import Language
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, text_in, words_of
from hutong.web.portal.second_person import second_person

router = APIRouter()

NO_STORE = {"Cache-Control": "no-store"}
AppealId = Annotated[str, Path(pattern="^[0-9a-z]{1,40}$")]
Text = Annotated[str, Form(max_length=4000)]
Short = Annotated[str, Form(max_length=100)]


@router.get("/{language}/appeals", response_class=HTMLResponse)
def list_appeals(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    return _list_page(request, node, language, actor)


@router.post("/{language}/appeals", response_class=HTMLResponse)
def file_appeal(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    statement: Text = "",
    subject: Short = "",
    person: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    given = {"statement": statement, "subject": subject, "person": person}
    try:
        filed = actions.file_appeal(
            node,
            by=actor,
            person=person.strip() or actor.id,
            subject=Subject.FACT if subject == Subject.FACT else Subject.LEVEL,
            statement=statement,
        )
    except HutongError as error:
        errors = {"statement": said(language, error.what, error.do)}
        return _list_page(request, node, language, actor, given=given, errors=errors, status=error.status)
    return redirect(language, f"/appeals/{filed.id}")


@router.get("/{language}/appeals/statistics", response_class=HTMLResponse)
def show_statistics(request: Request, node: CurrentNode, language: PageLanguage) -> HTMLResponse:
    found = appeal_queries.appeal_statistics(node)
    words = words_of(language)
    outcomes = None
    if found.outcomes is not None:
        outcomes = [(words.gettext(OUTCOMES[outcome]), number) for outcome, number in found.outcomes.items()]
    return page(
        request,
        language,
        "appeal_statistics.html",
        found=found,
        median=None if found.median_hours is None else hours_in_words(found.median_hours, words),
        p95=None if found.p95_hours is None else hours_in_words(found.p95_hours, words),
        outcomes=outcomes,
    )


@router.get("/{language}/appeals/{appeal_id}", response_class=HTMLResponse)
def show_appeal(
    request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor, appeal_id: AppealId
) -> HTMLResponse:
    if not actor.roles:
        raise NotSignedIn("You are not signed in.", "Sign in to see your appeal.")
    return _appeal_page(request, node, language, actor, appeal_id)


@router.post("/{language}/appeals/{appeal_id}/decision", response_class=HTMLResponse)
def decide(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    appeal_id: AppealId,
    outcome: Short = "",
    reason: Text = "",
    level: Short = "",
    rule_id: Short = "",
    until: Short = "",
    second: Short = "",
    password: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    given = {"outcome": outcome, "reason": reason, "level": level, "rule_id": rule_id, "until": until, "second": second}
    words = words_of(language)
    # Who may not decide is refused before another person's password is looked at.
    node.require(actor, "decide_appeal")
    try:
        actions.decide_appeal(
            node,
            by=actor,
            second=second_person(node, request, second, password),
            appeal_id=appeal_id,
            outcome=_outcome(outcome),
            reason=reason,
            change_to=_change(level, rule_id, reason, until) if level else None,
        )
    except NotSignedIn:
        errors = {"second": words.gettext("The name or the password of the second person is wrong.")}
        return _appeal_page(request, node, language, actor, appeal_id, given=given, errors=errors, status=422)
    except HutongError as error:
        errors = {"reason": said(language, error.what, error.do)}
        return _appeal_page(request, node, language, actor, appeal_id, given=given, errors=errors, status=error.status)
    return redirect(language, f"/appeals/{appeal_id}")


@router.post("/{language}/appeals/{appeal_id}/{step}", response_class=HTMLResponse)
def take_step(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    appeal_id: AppealId,
    step: Annotated[str, Path(max_length=20)],
    text: Text = "",
) -> Response:
    """The steps that need no second person."""
    steps: Mapping[str, Any] = {
        "evidence": lambda: actions.add_evidence(node, by=actor, appeal_id=appeal_id, text=text),
        "withdrawal": lambda: actions.withdraw_appeal(node, by=actor, appeal_id=appeal_id),
        "acknowledgement": lambda: actions.acknowledge_appeal(node, by=actor, appeal_id=appeal_id),
        "evidence-step": lambda: actions.take_evidence(node, by=actor, appeal_id=appeal_id, question=text),
        "notification": lambda: actions.notify_appeal(node, by=actor, appeal_id=appeal_id),
    }
    if step not in steps:
        raise NotFound("An appeal has no such step.", "Go back to the appeal.")
    try:
        steps[step]()
    except HutongError as error:
        errors = {"text": said(language, error.what, error.do)}
        given = {"text": text}
        return _appeal_page(request, node, language, actor, appeal_id, given=given, errors=errors, status=error.status)
    return redirect(language, f"/appeals/{appeal_id}")


def _list_page(
    request: Request,
    node: Node,
    language: Language,
    actor: Actor,
    *,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    words = words_of(language)
    is_resident = "resident" in actor.roles
    may_read = node.policy.decide(actor, "read_appeals", owned(node, actor, "")).allowed
    found: list[Appeal] = []
    if may_read:
        found = appeal_queries.appeals_by_deadline(node, actor)
    elif is_resident:
        found = appeal_queries.own_appeals(node, actor)
    response = page(
        request,
        language,
        "appeals.html",
        status=status,
        is_resident=is_resident,
        may_read=may_read,
        may_file=is_resident or node.policy.decide(actor, "file_appeal", owned(node, actor, "")).allowed,
        appeals=[row_of(one, node.clock(), words) for one in found],
        mine=own_level(node, actor, language) if is_resident else None,
        subjects=[(str(subject), words.gettext(label), None) for subject, label in SUBJECTS.items()],
        given=given or {"subject": str(Subject.LEVEL)},
        errors=dict(errors or {}),
    )
    response.headers.update(NO_STORE)
    return response


def _appeal_page(
    request: Request,
    node: Node,
    language: Language,
    actor: Actor,
    appeal_id: str,
    *,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    words = words_of(language)
    found = appeal_queries.readable_appeal(node, actor, appeal_id)
    now = node.clock()
    is_theirs = pseudonym_of(node, actor.id) == found.pseudonym and "resident" in actor.roles
    may_decide = not is_theirs and node.policy.decide(actor, "decide_appeal", owned(node, actor, "")).allowed
    decision = found.decision
    until = found.answer_until()
    response = page(
        request,
        language,
        "appeal.html",
        status=status,
        appeal=found,
        row=row_of(found, now, words),
        subject=words.gettext(SUBJECTS[found.subject]),
        level=appealed_level(node, found, language),
        rules=rules_of(node, found, language),
        tasks=[task_of(one, words) for one in task_list(found, now)],
        under_review=found.under_review(now),
        outcome=None if decision is None else words.gettext(OUTCOMES[decision.outcome]),
        ground=ground_of(node, found, language),
        is_theirs=is_theirs,
        may_add=found.is_open and (is_theirs or may_decide),
        may_decide=may_decide,
        waits_until=until if found.is_open and found.question_waits and until and now < until else None,
        outcomes=[(str(one), words.gettext(label), None) for one, label in OUTCOMES.items()],
        levels=[("", words.gettext("Leave the level to the rules")), *levels_of(node, found, language)],
        grounds=[(name, text_in(texts, language)) for name, texts in GROUNDS.items()],
        longest=(now + LONGEST_LOWERED).date(),
        given=given or {"until": (now + timedelta(days=7)).date().isoformat()},
        errors=dict(errors or {}),
    )
    response.headers.update(NO_STORE)
    return response


def _change(level: str, rule_id: str, reason: str, until: str) -> LevelChange:
    try:
        day = datetime.fromisoformat(until).date()
    except ValueError as error:
        raise BadInput("The last day of the level is missing.", "Give a day.") from error
    return LevelChange(level, rule_id, reason, datetime.combine(day, time(), UTC))


def _outcome(given: str) -> Outcome:
    if given not in set(Outcome):
        raise BadInput("No outcome was chosen.", "Choose one.")
    return Outcome(given)
