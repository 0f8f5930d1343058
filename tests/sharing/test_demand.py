"""A request's states, deadlines and task list; purposes as DUO has them."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Conflict, Refused
from hutong.sharing import demand
from hutong.sharing.demand import PURPOSES, PurposeCode, Request, decide, parse_request, task_list, withdraw

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
FILED = Request(
    id="0123456789abcdefghjk",
    provider="tw",
    dataset_id="records",
    party="pe",
    purpose="HMB",
    statement="Compare the age of cases between two regions.",
    days=30,
    contact="desk@pe.example",
    filed_at=NOW,
    decide_by=demand.decide_by(NOW, in_emergency=False),
)
LATER = NOW + timedelta(days=1)
GRANTED = decide(FILED, grant=True, reason="Useful.", by="committee", at=LATER, agreement_id="a" * 20)


@pytest.mark.conformance
def test_purposes_are_terms_of_duo(fixtures: Path) -> None:
    with (fixtures / "dcat" / "duo" / "duo.csv").open(encoding="utf-8") as file:
        terms = {row["shorthand"]: row["id"] for row in csv.DictReader(file) if row["shorthand"]}
    assert {code: purpose.id for code, purpose in PURPOSES.items()}.items() <= terms.items()
    assert len(PURPOSES) == 8
    assert set(get_args(PurposeCode)) == set(PURPOSES)
    for purpose in PURPOSES.values():
        assert all(purpose.label[language] and purpose.meaning[language] for language in ("en", "zh"))
        assert purpose.uri == "http://purl.obolibrary.org/obo/" + terms[purpose.code].replace(":", "_")


def test_deadlines() -> None:
    assert demand.decide_by(NOW, in_emergency=False) - NOW == timedelta(days=10)
    assert demand.decide_by(NOW, in_emergency=True) - NOW == timedelta(hours=48)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "../../etc/passwd"},
        {"dataset_id": "Records"},
        {"dataset_id": "a" * 81},
        {"version": "../1"},
        {"party": "pe/../tw"},
        {"party": "account:" + "a" * 60},
        {"purpose": "XXX"},
        {"statement": "too short"},
        {"statement": "null \x00 character in the statement"},
        {"statement": "x" * 2001},
        {"days": 0},
        {"days": 367},
        {"contact": ""},
        {"fields": ("sex", "sex")},
        {"fields": ("sex; drop table",)},
        {"fields": tuple(f"f{n}" for n in range(201))},
        {"filed_at": datetime(2026, 3, 1)},  # noqa: DTZ001 (the point of the case)
        {"reason": "x" * 2001},
    ],
)
def test_a_request_refuses_to_be_built_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        replace(FILED, **wrong)


@pytest.mark.parametrize("contact", ["a@b", "desk@pe.example", "李@例子.中国", "x" * 250 + "@b.c"])
def test_a_contact_is_an_e_mail_address(contact: str) -> None:
    demand.check_contact(contact)
    for wrong in ("", "notmail", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "a@\x00b", "x" + contact.rjust(254, "x")):
        with pytest.raises(BadInput, match="no e-mail address"):
            demand.check_contact(wrong)
    assert replace(FILED, contact="+51 1 234 5678").contact, "what was filed before stays readable"


def test_what_is_asked_is_checked_before_it_is_sent() -> None:
    asked: dict[str, Any] = {
        name: getattr(FILED, name)
        for name in ("dataset_id", "version", "purpose", "statement", "fields", "days", "contact")
    }
    demand.check_asked(**asked, now=NOW)
    for wrong in ({"statement": "Study"}, {"days": 367}, {"contact": "notmail"}, {"fields": ("a b",)}):
        with pytest.raises(BadInput):
            demand.check_asked(**{**asked, **wrong}, now=NOW)


def test_a_decided_request_is_never_decided_again() -> None:
    refused = decide(FILED, grant=False, reason="Unclear.", by="committee", at=LATER, agreement_id="a" * 20)
    assert (refused.state, refused.agreement_id, GRANTED.state) == ("refused", "", "granted")
    for over in (GRANTED, refused, withdraw(FILED, at=LATER)):
        with pytest.raises(Conflict):
            decide(over, grant=True, reason="Again.", by="committee", at=LATER)
        with pytest.raises(Conflict):
            withdraw(over, at=LATER)
    with pytest.raises(BadInput):
        decide(FILED, grant=True, reason=" ", by="committee", at=LATER)
    with pytest.raises(Refused):
        decide(replace(FILED, party="account:li"), grant=True, reason="Mine.", by="li", at=LATER)


@pytest.mark.parametrize("request_", [FILED, GRANTED, withdraw(FILED, at=LATER), replace(FILED, fields=("sex", "age"))])
def test_json_and_back(request_: Request) -> None:
    assert parse_request(request_.document()) == request_
    with pytest.raises(BadInput):
        parse_request({**request_.document(), "state": "accepted"})


END = LATER + timedelta(days=30)


@pytest.mark.parametrize(
    ("request_", "now", "facts", "expected"),
    [
        (FILED, NOW, {}, [("file", "done"), ("decide", "waiting"), ("fetch", "later"), ("end", "later")]),
        (
            FILED,
            FILED.decide_by,
            {},
            [("file", "done"), ("decide", "overdue"), ("fetch", "later"), ("end", "later")],
        ),
        (withdraw(FILED, at=LATER), LATER, {}, [("file", "done"), ("withdraw", "done")]),
        (
            decide(FILED, grant=False, reason="Unclear.", by="c", at=LATER),
            LATER,
            {},
            [("file", "done"), ("decide", "done"), ("fetch", "not-needed")],
        ),
        (
            GRANTED,
            LATER,
            {"expires_at": END},
            [("file", "done"), ("decide", "done"), ("fetch", "waiting"), ("end", "later")],
        ),
        (
            GRANTED,
            LATER,
            {"expires_at": END, "delivered_at": LATER},
            [("file", "done"), ("decide", "done"), ("fetch", "done"), ("end", "later")],
        ),
        (
            GRANTED,
            END,
            {"expires_at": END},
            [("file", "done"), ("decide", "done"), ("fetch", "not-needed"), ("end", "not-confirmed")],
        ),
        (
            GRANTED,
            LATER,
            {"expires_at": END, "revoked_at": LATER},
            [("file", "done"), ("decide", "done"), ("fetch", "not-needed"), ("end", "not-confirmed")],
        ),
    ],
)
def test_the_task_list(request_: Request, now: datetime, facts: Any, expected: list[tuple[str, str]]) -> None:
    tasks = task_list(request_, now, **facts)
    assert [(task.key, task.state) for task in tasks] == expected
    assert all(task.who in ("tw", "pe") and task.text["en"] and task.text["zh"] for task in tasks)
    assert {task.who for task in tasks if task.key == "decide"} <= {"tw"}


@settings(max_examples=100, deadline=None)
@given(
    now=st.datetimes(min_value=datetime(2026, 3, 1), max_value=datetime(2027, 3, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    request_=st.sampled_from([FILED, GRANTED, withdraw(FILED, at=LATER)]),
    revoked=st.booleans(),
    delivered=st.booleans(),
)
def test_steps_are_done_in_their_order_and_done_steps_have_a_date(
    now: datetime, request_: Request, revoked: bool, delivered: bool
) -> None:
    granted = request_ is GRANTED
    tasks = task_list(
        request_,
        now,
        expires_at=END if granted else None,
        revoked_at=LATER if granted and revoked else None,
        delivered_at=LATER if granted and delivered else None,
    )
    assert all((task.done_at is not None) == (task.state == "done") for task in tasks)
    for before, after in pairwise(tasks):
        assert before.state in ("done", "not-needed") or after.state == "later"
    assert sum(task.state in ("waiting", "overdue") for task in tasks) <= 1
