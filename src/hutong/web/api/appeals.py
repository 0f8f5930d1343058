"""Appeals for machines: their steps with dates, the published times, and levels changed by rule and two persons."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from hutong.governance import queries as governance
from hutong.passes.appeal import actions, correction_actions, queries
from hutong.passes.appeal.appeal import Appeal, Outcome, State, Subject, task_list
from hutong.passes.appeal.correction import GROUNDS, LevelChange, LevelOverride
from hutong.web.api.times import Moment
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter(tags=["appeals"])

AppealId = Annotated[str, Path(pattern="^[0-9a-z]{1,40}$", description="The appeal's number")]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
Person = Annotated[str, Field(min_length=1, max_length=64, description="The resident's number, or the pseudonym")]
Token = Annotated[str, Field(min_length=1, max_length=200, description="API token of the second person")]
READ = problems(401, 403, 404, 422)
STEP = problems(400, 401, 403, 404, 409, 413, 422)


class TaskModel(BaseModel):
    """One step: what, who must act, until when, and when it was done."""

    step: str
    who: str = Field(description="resident or authority")
    due: datetime | None
    done_at: datetime | None
    state: str = Field(description="done, current or later")
    is_late: bool


class MessageModel(BaseModel):
    """A question of the authority, or what was said for the resident."""

    kind: str
    text: str
    at: datetime


class DecisionModel(BaseModel):
    """How it was decided, and why."""

    outcome: Outcome
    reason: str
    override: str | None = Field(description="The override of the level that it made")


class AppealModel(BaseModel):
    """An appeal with its list of tasks."""

    id: str
    state: State
    subject: Subject
    level: str = Field(description="The level in force when it was filed")
    rulebook: str
    rule_ids: list[str]
    statement: str
    filed_at: datetime
    next_due: datetime | None
    under_review: bool = Field(
        description="The authority was late: the level is under review, unless it is worse by now than this one"
    )
    tasks: list[TaskModel]
    messages: list[MessageModel]
    decision: DecisionModel | None


class Statistics(BaseModel):
    """All appeals of this node, in numbers; null where fewer than `withheld_below` stand behind one."""

    as_of: datetime
    filed: int
    waiting: int
    overdue: int
    withdrawn: int
    decided: int
    decided_late: int
    outcomes: dict[Outcome, int] | None
    median_hours: float | None = Field(description="From filing to decision")
    p95_hours: float | None
    withheld_below: int


class Ground(BaseModel):
    """A published ground by which a level may be lowered beside the rules."""

    rule_id: str
    text: dict[str, str]


class Said(BaseModel):
    text: Words


class Question(BaseModel):
    question: str = Field(default="", max_length=2000, description="What the resident is asked; empty: nothing")


class Change(BaseModel):
    """A level by a rule, for a reason, until an end."""

    level: str = Field(min_length=1, max_length=80)
    rule_id: str = Field(
        min_length=1, max_length=80, description="A published ground, or the rule that gives the level"
    )
    reason: Words
    ends_at: Moment


class DecisionOrder(BaseModel):
    """The decision of two persons."""

    outcome: Outcome
    reason: Words
    change: Change | None = None
    second_token: Token


class OverrideOrder(BaseModel):
    """A level beside the rules: nobody can give one alone, without a rule or without an end."""

    person: Person
    change: Change
    appeal: str | None = Field(default=None, pattern="^[0-9a-z]{1,40}$")
    second_token: Token


class Override(BaseModel):
    id: str
    level: str
    against: str = Field(description="The level that the rules gave")
    rulebook: str
    rule_id: str
    made_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    appeal: str | None


@router.get("/api/appeals", responses=READ)
def list_appeals(node: CurrentNode, actor: CurrentActor) -> list[AppealModel]:
    """A resident's own appeals; for others, those that wait, by their next date."""
    found = queries.own_appeals(node, actor) if "resident" in actor.roles else queries.appeals_by_deadline(node, actor)
    return [appeal_model(one, node.clock()) for one in found]


@router.get("/api/appeals/statistics")
def get_statistics(node: CurrentNode) -> Statistics:
    """How many appeals, how they end and how long they take."""
    found = queries.appeal_statistics(node)
    fields = {name: getattr(found, name) for name in Statistics.model_fields}
    return Statistics(**fields)


@router.get("/api/appeals/grounds")
def get_grounds() -> list[Ground]:
    """By what a level may be lowered beside the rules of its rulebook."""
    return [Ground(rule_id=name, text=dict(texts)) for name, texts in GROUNDS.items()]


@router.get("/api/appeals/{appeal_id}", responses=READ)
def get_appeal(node: CurrentNode, actor: CurrentActor, appeal_id: AppealId) -> AppealModel:
    """One appeal, for the resident whose it is, the authority or an auditor."""
    return appeal_model(queries.readable_appeal(node, actor, appeal_id), node.clock())


@router.post("/api/appeals/{appeal_id}/evidence", responses=STEP)
def add_evidence(node: CurrentNode, actor: CurrentActor, appeal_id: AppealId, given: Said) -> AppealModel:
    """Say more, or answer a question."""
    found = actions.add_evidence(node, by=actor, appeal_id=appeal_id, text=given.text)
    return appeal_model(found, node.clock())


@router.post("/api/appeals/{appeal_id}/withdrawal", responses=STEP)
def withdraw(node: CurrentNode, actor: CurrentActor, appeal_id: AppealId) -> AppealModel:
    """Take it back."""
    return appeal_model(actions.withdraw_appeal(node, by=actor, appeal_id=appeal_id), node.clock())


@router.post("/api/appeals/{appeal_id}/acknowledgement", responses=STEP)
def acknowledge(node: CurrentNode, actor: CurrentActor, appeal_id: AppealId) -> AppealModel:
    """The authority has read it."""
    return appeal_model(actions.acknowledge_appeal(node, by=actor, appeal_id=appeal_id), node.clock())


@router.post("/api/appeals/{appeal_id}/evidence-step", responses=STEP)
def take_evidence(node: CurrentNode, actor: CurrentActor, appeal_id: AppealId, given: Question) -> AppealModel:
    """The authority looks at the evidence, and may ask for more."""
    found = actions.take_evidence(node, by=actor, appeal_id=appeal_id, question=given.question)
    return appeal_model(found, node.clock())


@router.post("/api/appeals/{appeal_id}/decision", responses=STEP)
def decide(node: CurrentNode, actor: CurrentActor, appeal_id: AppealId, given: DecisionOrder) -> AppealModel:
    """Decide it; two persons stand behind the decision."""
    # Who may not decide is refused before another person's token is looked at.
    node.require(actor, "decide_appeal")
    second = governance.token_actor(node, given.second_token)
    found = actions.decide_appeal(
        node,
        by=actor,
        second=second,
        appeal_id=appeal_id,
        outcome=given.outcome,
        reason=given.reason,
        change_to=_change(given.change) if given.change else None,
    )
    return appeal_model(found, node.clock())


@router.post("/api/appeals/{appeal_id}/notification", responses=STEP)
def notify(node: CurrentNode, actor: CurrentActor, appeal_id: AppealId) -> AppealModel:
    """The resident was told of the decision."""
    return appeal_model(actions.notify_appeal(node, by=actor, appeal_id=appeal_id), node.clock())


@router.post("/api/level-overrides", status_code=201, responses=STEP)
def override_level(node: CurrentNode, actor: CurrentActor, given: OverrideOrder) -> Override:
    """Give a person another level than the rules do: by a rule id, two persons, a reason and an end."""
    node.require(actor, "override_level")
    second = governance.token_actor(node, given.second_token)
    made = correction_actions.override_level(
        node, by=actor, second=second, person=given.person, change_to=_change(given.change), appeal_id=given.appeal
    )
    return _override(made)


def appeal_model(found: Appeal, now: datetime) -> AppealModel:
    """An appeal as the API tells it; who of the authority acted is not told."""
    decision = found.decision
    return AppealModel(
        id=found.id,
        state=found.state,
        subject=found.subject,
        level=found.level,
        rulebook=found.rulebook,
        rule_ids=list(found.rule_ids),
        statement=found.statement,
        filed_at=found.filed_at,
        next_due=found.next_due,
        under_review=found.under_review(now),
        tasks=[
            TaskModel(
                step=one.step, who=one.who, due=one.due, done_at=one.done_at, state=one.state, is_late=one.is_late
            )
            for one in task_list(found, now)
        ],
        messages=[MessageModel(kind=one.kind, text=one.text, at=one.at) for one in found.messages],
        decision=None
        if decision is None
        else DecisionModel(outcome=decision.outcome, reason=decision.reason, override=decision.override),
    )


def _change(given: Change) -> LevelChange:
    return LevelChange(given.level, given.rule_id, given.reason, given.ends_at)


def _override(made: LevelOverride) -> Override:
    return Override(**{name: getattr(made, name) for name in Override.model_fields})
