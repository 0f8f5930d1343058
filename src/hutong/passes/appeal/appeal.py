"""Appeal: a resident's objection to a level or to a fact, its steps with their dates, and who must act. Pure.

filed → acknowledged → evidence → decided → notified; withdrawn from any step before the decision. Each step has a
deadline, counted from the step before it or from that step's deadline, whichever is earlier: being late never moves a
later date. Once the authority was late, the level is *under review* until the appeal is decided, unless it has become
worse than the one that was appealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hutong.errors import BadInput, Conflict, LimitExceeded
from hutong.governance.emergency import APPEAL_HOURS, Emergency

MAX_TEXT = 2000
MAX_MESSAGES = 20
WITHHOLD_BELOW = 5
"""Appeals from which on shares and times are published: fewer would speak of single people."""


class State(StrEnum):
    """Where an appeal is."""

    FILED = "filed"
    ACKNOWLEDGED = "acknowledged"
    EVIDENCE = "evidence"
    DECIDED = "decided"
    NOTIFIED = "notified"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    """How an appeal was decided."""

    UPHELD = "upheld"
    PARTLY = "partly"
    DISMISSED = "dismissed"


class Subject(StrEnum):
    """What is appealed: a level, or a fact that the level rests on."""

    LEVEL = "level"
    FACT = "fact"


STEPS: Mapping[str, State] = {
    "acknowledge": State.ACKNOWLEDGED,
    "evidence": State.EVIDENCE,
    "decide": State.DECIDED,
    "notify": State.NOTIFIED,
}
"""The authority's steps in their order, and the state that each leads to."""

UPHELD = frozenset({Outcome.UPHELD, Outcome.PARTLY})
OPEN_STATES = (State.FILED, State.ACKNOWLEDGED, State.EVIDENCE)


@dataclass(frozen=True, slots=True)
class AppealTerms:
    """Hours that the authority has for each step; an emergency may set others."""

    acknowledge: int = APPEAL_HOURS["acknowledge"]
    evidence: int = APPEAL_HOURS["evidence"]
    decide: int = APPEAL_HOURS["decide"]
    notify: int = APPEAL_HOURS["notify"]

    @classmethod
    def of(cls, emergency: Emergency) -> AppealTerms:
        """The terms of an emergency, checked when it was declared."""
        return cls(**emergency.appeal_deadlines)

    def time_for(self, step: str) -> timedelta:
        """How long a step may take."""
        return timedelta(hours=getattr(self, step))


@dataclass(frozen=True, slots=True)
class Message:
    """What the authority asked for, or the resident (or somebody for them) added. ``kind``: question or evidence."""

    kind: str
    text: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision, its reason for the resident, who stands behind it, and the override that it made, if any."""

    outcome: Outcome
    reason: str
    by: str
    second: str
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal. Change it with the functions below only: each refuses what its state does not allow.

    Attributes:
        pseudonym: whose level it is.
        level, rulebook, rule_ids: what was in force when it was filed ("id@version"; no rule: the default).
        reached: state to the instant at which it was reached, in their order; ``filed`` is always there.
    """

    id: str
    emergency: str
    pseudonym: str
    subject: Subject
    level: str
    rulebook: str
    rule_ids: tuple[str, ...]
    statement: str
    filed_by: str
    terms: AppealTerms
    reached: Mapping[State, datetime]
    messages: tuple[Message, ...] = ()
    decision: Decision | None = None

    @property
    def state(self) -> State:
        """The last state reached."""
        return list(self.reached)[-1]

    @property
    def filed_at(self) -> datetime:
        return self.reached[State.FILED]

    @property
    def is_open(self) -> bool:
        """Whether it still waits for a decision."""
        return self.state in OPEN_STATES

    @property
    def was_upheld(self) -> bool:
        """Whether it was decided for the resident, wholly or partly."""
        return self.decision is not None and self.decision.outcome in UPHELD

    @property
    def led_to_nothing(self) -> bool:
        """Whether it was withdrawn or dismissed."""
        return self.state is State.WITHDRAWN or (self.decision is not None and not self.was_upheld)

    @property
    def question_waits(self) -> bool:
        """Whether the authority asked something that nobody has answered."""
        return bool(self.messages) and self.messages[-1].kind == "question"

    def due(self) -> dict[str, datetime]:
        """The date of each of the authority's steps: met, or to be met at the latest."""
        dates = {}
        start = self.filed_at
        for step, state in STEPS.items():
            dates[step] = start + self.terms.time_for(step)
            start = min(dates[step], self.reached.get(state, dates[step]))
        return dates

    @property
    def next_step(self) -> str | None:
        """What the authority must do next; None when there is nothing left."""
        if self.state is State.WITHDRAWN:
            return None
        return next((step for step, state in STEPS.items() if state not in self.reached), None)

    @property
    def next_due(self) -> datetime | None:
        """When that is due."""
        step = self.next_step
        return None if step is None else self.due()[step]

    def answer_until(self) -> datetime | None:
        """Until when a question may wait for its answer: half of the time that the decision may take."""
        asked = self.reached.get(State.EVIDENCE)
        return None if asked is None else asked + self.terms.time_for("decide") / 2

    def late_steps(self, now: datetime) -> tuple[str, ...]:
        """Steps that were done after their date, or are overdue."""
        until = self.reached.get(State.WITHDRAWN, now)
        late = []
        for step, date in self.due().items():
            done = self.reached.get(STEPS[step])
            if (done or until) > date:
                late.append(step)
            if done is None:
                break
        return tuple(late)

    def under_review(self, now: datetime) -> bool:
        """Whether the level is under review: not decided yet, and the authority was or is late."""
        return self.is_open and bool(self.late_steps(now))

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {
            **asdict(self),
            "subject": str(self.subject),
            "rule_ids": list(self.rule_ids),
            "reached": {str(state): at.isoformat() for state, at in self.reached.items()},
            "messages": [{**asdict(one), "at": one.at.isoformat()} for one in self.messages],
            "decision": self.decision and {**asdict(self.decision), "outcome": str(self.decision.outcome)},
        }


def read_appeal(document: Mapping[str, Any]) -> Appeal:
    """An appeal from its JSON form in the records."""
    given = dict(document)
    reached = {State(state): datetime.fromisoformat(at) for state, at in given["reached"].items()}
    decision = given["decision"]
    return Appeal(
        **{
            **given,
            "subject": Subject(given["subject"]),
            "rule_ids": tuple(given["rule_ids"]),
            "terms": AppealTerms(**given["terms"]),
            # JSON in the records keeps no order of its keys.
            "reached": dict(sorted(reached.items(), key=lambda item: list(State).index(item[0]))),
            "messages": tuple(Message(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in given["messages"]),
            "decision": decision and Decision(**{**decision, "outcome": Outcome(decision["outcome"])}),
        }
    )


def checked_text(text: str, what: str) -> str:
    """The text without space around it. Raises BadInput when it is empty or longer than 2,000 characters."""
    text = text.strip()
    if not 1 <= len(text) <= MAX_TEXT or "\0" in text:
        raise BadInput(f"{what} has 1 to {MAX_TEXT:,} characters.", "Write it in your own words.")
    return text


def acknowledge(appeal: Appeal, *, at: datetime) -> Appeal:
    """The authority has read it. Raises Conflict unless it was just filed."""
    return _reach(appeal, State.ACKNOWLEDGED, at)


def take_evidence(appeal: Appeal, *, question: str, by: str, at: datetime) -> Appeal:
    """The authority looks at the evidence, and may ask for more (``question`` empty: nothing is missing).

    Raises Conflict unless it is acknowledged, BadInput for a question that is too long.
    """
    taken = _reach(appeal, State.EVIDENCE, at)
    if not question.strip():
        return taken
    return _said(taken, Message("question", checked_text(question, "A question"), by, at))


def add_evidence(appeal: Appeal, *, text: str, by: str, at: datetime) -> Appeal:
    """The resident says more, at any time before the decision. Raises Conflict afterwards, LimitExceeded, BadInput."""
    if not appeal.is_open:
        raise Conflict(f"The appeal is {appeal.state}.", "File a new one if the level is still wrong.")
    return _said(appeal, Message("evidence", checked_text(text, "Evidence"), by, at))


def decide(appeal: Appeal, decision: Decision, *, at: datetime) -> Appeal:
    """Decide it. A resident who was asked something is heard first, unless that makes no difference (upheld).

    Raises:
        Conflict: it is not in evidence, or a question still waits for its answer.
        BadInput: no reason.
    """
    decided = _reach(appeal, State.DECIDED, at)
    until = appeal.answer_until()
    if decision.outcome is not Outcome.UPHELD and appeal.question_waits and until is not None and at < until:
        raise Conflict(
            f"The question to the resident waits for an answer until {until:%Y-%m-%d %H:%M} UTC.",
            "Wait for it, or uphold the appeal.",
        )
    return replace(decided, decision=replace(decision, reason=checked_text(decision.reason, "A reason")))


def notify(appeal: Appeal, *, at: datetime) -> Appeal:
    """The resident was told. Raises Conflict unless it is decided."""
    return _reach(appeal, State.NOTIFIED, at)


def withdraw(appeal: Appeal, *, at: datetime) -> Appeal:
    """The resident takes it back. Raises Conflict once it is decided."""
    if not appeal.is_open:
        raise Conflict(f"The appeal is {appeal.state}.", "Nothing can be withdrawn any more.")
    return replace(appeal, reached={**appeal.reached, State.WITHDRAWN: at})


def forget(appeal: Appeal) -> Appeal:
    """What is kept of an appeal when its emergency is over: times and outcome, not whose it was and what was said."""
    decision = appeal.decision and replace(appeal.decision, reason="", override=None)
    return replace(appeal, pseudonym="", statement="", filed_by="", messages=(), decision=decision)


def _reach(appeal: Appeal, state: State, at: datetime) -> Appeal:
    step = appeal.next_step
    if step is None or STEPS[step] is not state:
        must = "nothing more is to be done" if step is None else f"the next step is to {_SAID[step]}"
        raise Conflict(f"The appeal is {appeal.state}: {must}.", "No step can be left out.")
    return replace(appeal, reached={**appeal.reached, state: at})


_SAID = {
    "acknowledge": "acknowledge it",
    "evidence": "look at the evidence",
    "decide": "decide it",
    "notify": "tell the resident",
}


def _said(appeal: Appeal, message: Message) -> Appeal:
    if len(appeal.messages) >= MAX_MESSAGES:
        raise LimitExceeded(f"An appeal has at most {MAX_MESSAGES} messages.", "Wait for the decision.")
    return replace(appeal, messages=(*appeal.messages, message))


@dataclass(frozen=True, slots=True)
class Task:
    """One step on the way: what, who must act, until when, when it was done; ``state``: done, current or later."""

    step: str
    who: str
    due: datetime | None
    done_at: datetime | None
    state: str
    is_late: bool = False


def task_list(appeal: Appeal, now: datetime) -> tuple[Task, ...]:
    """All steps in their order with their dates and who must act. An open question adds one for the resident."""
    tasks = [Task("file", "resident", None, appeal.filed_at, "done")]
    late, due = appeal.late_steps(now), appeal.due()
    for step, state in STEPS.items():
        done = appeal.reached.get(state)
        if done is None and appeal.state is State.WITHDRAWN and step not in late:
            continue
        doing = "done" if done else "current" if step == appeal.next_step else "later"
        if step == "decide" and appeal.is_open and appeal.question_waits:
            tasks.append(Task("answer", "resident", appeal.answer_until(), None, "current"))
        tasks.append(Task(step, "authority", due[step], done, doing, step in late))
    if appeal.state is State.WITHDRAWN:
        tasks.append(Task("withdraw", "resident", None, appeal.reached[State.WITHDRAWN], "done"))
    return tuple(tasks)


@dataclass(frozen=True, slots=True)
class AppealStatistics:
    """What is published of all appeals: counts, and hours from filing to decision.

    ``outcomes`` and the hours are None where fewer than five appeals stand behind a number.
    """

    as_of: datetime
    filed: int
    waiting: int
    overdue: int
    withdrawn: int
    decided: int
    decided_late: int
    outcomes: Mapping[Outcome, int] | None
    median_hours: float | None
    p95_hours: float | None
    withheld_below: int = WITHHOLD_BELOW


def statistics(appeals: Iterable[Appeal], now: datetime) -> AppealStatistics:
    """Count appeals; the 95th percentile is interpolated between neighbours (type 7 of Hyndman and Fan, 1996)."""
    known = list(appeals)
    decided = [one for one in known if one.decision is not None]
    hours = sorted((one.reached[State.DECIDED] - one.filed_at) / timedelta(hours=1) for one in decided)
    waiting = [one for one in known if one.is_open]
    outcomes = {
        outcome: sum(one.decision is not None and one.decision.outcome is outcome for one in decided)
        for outcome in Outcome
    }
    enough = len(decided) >= WITHHOLD_BELOW
    return AppealStatistics(
        as_of=now,
        filed=len(known),
        waiting=len(waiting),
        overdue=sum(one.under_review(now) for one in waiting),
        withdrawn=sum(one.state is State.WITHDRAWN for one in known),
        decided=len(decided),
        decided_late=sum("decide" in one.late_steps(now) for one in decided),
        outcomes=outcomes if enough and all(n == 0 or n >= WITHHOLD_BELOW for n in outcomes.values()) else None,
        median_hours=round(quantile(hours, 0.5), 1) if enough else None,
        p95_hours=round(quantile(hours, 0.95), 1) if enough else None,
    )


def quantile(ordered: list[float], share: float) -> float:
    """The value below which a share (0 to 1) of sorted values lies, interpolated. Raises BadInput for none."""
    if not ordered:
        raise BadInput("There is no value.", "Give at least one.")
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
