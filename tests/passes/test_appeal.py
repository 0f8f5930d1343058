"""The appeal as a state machine: no way skips a step, dates are kept, delay is seen, statistics are right."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded
from hutong.governance.emergency import APPEAL_HOURS, Emergency, parse_emergency
from hutong.passes.appeal import appeal as rules
from hutong.passes.appeal.appeal import (
    MAX_MESSAGES,
    OPEN_STATES,
    STEPS,
    Appeal,
    AppealTerms,
    Decision,
    Outcome,
    State,
    Subject,
    quantile,
    read_appeal,
    statistics,
    task_list,
)

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
UPHELD = Decision(Outcome.UPHELD, "You are right.", "li", "wang")
DISMISSED = replace(UPHELD, outcome=Outcome.DISMISSED)
TEXT = {"en": "Dengue", "zh": "登革热"}


def filed(**terms: int) -> Appeal:
    return Appeal(
        id="a",
        emergency="e",
        pseudonym="0" * 32,
        subject=Subject.LEVEL,
        level="high",
        rulebook="dengue-3@1.0.0",
        rule_ids=("fever",),
        statement="No fever.",
        filed_by="R1",
        terms=AppealTerms(**terms),
        reached={State.FILED: START},
    )


ACTS: dict[str, Any] = {
    "acknowledge": lambda one, at: rules.acknowledge(one, at=at),
    "evidence": lambda one, at: rules.take_evidence(one, question="", by="li", at=at),
    "ask": lambda one, at: rules.take_evidence(one, question="Since when?", by="li", at=at),
    "add": lambda one, at: rules.add_evidence(one, text="Since Monday.", by="R1", at=at),
    "uphold": lambda one, at: rules.decide(one, UPHELD, at=at),
    "dismiss": lambda one, at: rules.decide(one, DISMISSED, at=at),
    "notify": lambda one, at: rules.notify(one, at=at),
    "withdraw": lambda one, at: rules.withdraw(one, at=at),
}
WALKS = st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 60)), max_size=12)


def walk(acts: list[tuple[str, int]]) -> tuple[Appeal, datetime]:
    """Try acts one after the other, each some hours after the last; what is refused changes nothing."""
    one, now = filed(), START
    for act, hours in acts:
        now += timedelta(hours=hours)
        try:
            one = ACTS[act](one, now)
        except HutongError as error:
            assert isinstance(error, Conflict)
    return one, now


@settings(max_examples=100, deadline=None)
@given(WALKS)
def test_no_way_skips_a_step(acts: list[tuple[str, int]]) -> None:
    one, _ = walk(acts)
    order = [State.FILED, *STEPS.values()]
    reached = [state for state in one.reached if state is not State.WITHDRAWN]
    assert reached == order[: len(reached)]
    assert list(one.reached.values()) == sorted(one.reached.values())
    if State.WITHDRAWN in one.reached:
        assert State.DECIDED not in one.reached
    assert (one.decision is None) == (State.DECIDED not in one.reached)
    assert one.is_open == (one.state in OPEN_STATES)
    assert read_appeal(orjson.loads(orjson.dumps(one.document(), option=orjson.OPT_SORT_KEYS))) == one


@settings(max_examples=100, deadline=None)
@given(WALKS, st.integers(0, 400))
def test_a_date_is_never_later_than_it_was_at_filing_and_delay_is_seen(acts: list[tuple[str, int]], later: int) -> None:
    one, now = walk(acts)
    now += timedelta(hours=later)
    first = filed().due()
    assert all(one.due()[step] <= first[step] for step in STEPS)
    late = one.late_steps(now)
    for step, state in STEPS.items():
        done = one.reached.get(state)
        if done is not None:
            assert (step in late) == (done > one.due()[step])
    step = one.next_step
    if step is not None:
        assert (step in late) == (now > one.due()[step])
    assert one.under_review(now) == (one.is_open and bool(late))
    if one.is_open:
        assert one.under_review(START + timedelta(hours=sum(APPEAL_HOURS.values())))
    tasks = task_list(one, now)
    assert tasks[0].state == "done"
    assert sum(task.state == "current" and task.who == "authority" for task in tasks) == (step is not None)
    assert {task.step for task in tasks if task.is_late} == set(late)


def test_deadlines_come_from_the_emergency() -> None:
    document = {
        **{"id": "e", "title": TEXT, "cause": TEXT, "legal_basis": TEXT, "territory": "TW"},
        **{"starts": "2026-02-01", "review": "2026-04-01", "sunset": "2026-08-01"},
    }
    plain = parse_emergency(document)
    assert AppealTerms.of(plain) == AppealTerms(24, 48, 72, 24)
    strict = parse_emergency({**document, "appeal_deadlines": {"acknowledge": 4}})
    assert AppealTerms.of(strict) == AppealTerms(4, 48, 72, 24)
    assert parse_emergency(strict.document()) == strict
    for wrong in ({"acknowledge": 0}, {"acknowledge": 337}, {"acknowledge": True}, {"sleep": 4}, {"decide": "3"}):
        with pytest.raises(BadInput):
            parse_emergency({**document, "appeal_deadlines": wrong})
    assert isinstance(plain, Emergency) and plain.sunset == date(2026, 8, 1)


def test_dates_count_from_the_step_before_or_its_date_whichever_is_earlier() -> None:
    hours = {step: (at - START) / timedelta(hours=1) for step, at in filed().due().items()}
    assert hours == {"acknowledge": 24, "evidence": 72, "decide": 144, "notify": 168}
    early = rules.acknowledge(filed(), at=START + timedelta(hours=2))
    assert early.due()["evidence"] == START + timedelta(hours=50)
    late = rules.acknowledge(filed(), at=START + timedelta(hours=40))
    assert late.due()["evidence"] == START + timedelta(hours=72)


def test_a_resident_who_was_asked_is_heard_before_the_appeal_fails() -> None:
    at = START + timedelta(hours=1)
    asked = ACTS["ask"](rules.acknowledge(filed(), at=at), at)
    assert [task.step for task in task_list(asked, at)] == [
        *("file", "acknowledge", "evidence", "answer", "decide", "notify")
    ]
    with pytest.raises(Conflict, match="waits for an answer"):
        rules.decide(asked, DISMISSED, at=at)
    assert rules.decide(asked, UPHELD, at=at).state is State.DECIDED
    assert rules.decide(ACTS["add"](asked, at), DISMISSED, at=at).state is State.DECIDED
    assert rules.decide(asked, DISMISSED, at=at + timedelta(hours=36)).state is State.DECIDED


def test_texts_and_their_number_are_bounded() -> None:
    with pytest.raises(BadInput):
        rules.add_evidence(filed(), text="x" * 2001, by="R1", at=START)
    with pytest.raises(BadInput):
        rules.decide(walk([("acknowledge", 0), ("evidence", 0)])[0], replace(UPHELD, reason=" "), at=START)
    full = filed()
    for _ in range(MAX_MESSAGES):
        full = rules.add_evidence(full, text="More.", by="R1", at=START)
    with pytest.raises(LimitExceeded):
        rules.add_evidence(full, text="More.", by="R1", at=START)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    assert quantile(sorted(values), share) == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-9)


def test_statistics_publish_times_and_keep_small_numbers_back() -> None:
    def decided(hours: int, decision: Decision = UPHELD) -> Appeal:
        one = walk([("acknowledge", 1), ("evidence", 1)])[0]
        return rules.decide(one, decision, at=START + timedelta(hours=hours))

    now = START + timedelta(hours=500)
    appeals = [decided(hours) for hours in (10, 20, 30, 40, 200)]
    waiting = [filed(), rules.withdraw(filed(), at=START)]
    found = statistics([*appeals, *waiting], now)
    assert (found.filed, found.waiting, found.overdue, found.withdrawn) == (7, 1, 1, 1)
    assert (found.decided, found.decided_late) == (5, 1)
    assert (found.median_hours, found.p95_hours) == (30.0, 168.0)
    assert found.outcomes == {Outcome.UPHELD: 5, Outcome.PARTLY: 0, Outcome.DISMISSED: 0}
    few = statistics(appeals[:4], now)
    assert (few.decided, few.median_hours, few.p95_hours, few.outcomes) == (4, None, None, None)
    mixed = statistics([*appeals, decided(9, DISMISSED)], now)
    assert mixed.outcomes is None and mixed.median_hours == 25.0
    with pytest.raises(BadInput):
        quantile([], 0.5)
