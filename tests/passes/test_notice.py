"""Notice: what may raise anybody's level waits, what is shown not to holds at once, and nobody's word decides which."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Conflict
from hutong.node import Node
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.level import actions as level_actions
from hutong.passes.level import queries as level_queries
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.passes.rulebook import notice
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.notice import Because, Effect
from hutong.passes.rulebook.rulebook import UNKNOWN, Rulebook, decide_level, parse_rulebook
from tests.conftest import Clock, NewNode
from tests.passes.region import AS_OF, FROM, LI, TO, WANG, pseudonym

PERIOD = {"valid_from": FROM, "valid_to": TO}
Document = dict[str, Any]
DAYS = {"var": "days_since_positive_test"}


def book(**changes: Any) -> Document:
    document = copy.deepcopy(shipped_document("dengue-three-levels", **{**PERIOD, **changes}))
    # Its own tests are of other rules than those that are changed here: one must do.
    return {**document, "tests": document["tests"][:1]}


def stricter(**changes: Any) -> Document:
    """A fever alone is now of the high level."""
    document = book(**{"version": "1.2.0", **changes})
    rule = next(rule for rule in document["rules"] if rule["id"] == "fever")
    rule["level"] = "high"
    return document


def milder(**changes: Any) -> Document:
    """A case at home alone is nothing any more."""
    document = book(**{"version": "1.2.0", **changes})
    document["rules"] = [rule for rule in document["rules"] if rule["id"] != "contact"]
    return document


def verdict(changed: Document) -> notice.Verdict:
    return notice.compare(parse_rulebook(book()), parse_rulebook(changed))


def condition(name: str, value: Any) -> Document:
    document = book()
    next(rule for rule in document["rules"] if rule["id"] == name)["condition"] = value
    return document


def meaning(document: Document) -> None:
    document["levels"][0]["meaning"]["en"] += " Stay at home."


def need_fever(document: Document) -> None:
    next(one for one in document["evidence"] if one["name"] == "fever")["required"] = True
    document["tests"][0]["level"] = UNKNOWN


def raise_default(document: Document) -> None:
    document["default"]["level"] = "medium"
    document["tests"][0]["level"] = "medium"


def forget_a_code(document: Document) -> None:
    document["evidence"][1]["values"] = ["low", "high"]


def speak_of_another_disease(document: Document) -> None:
    document["disease"] = "zika"


def reword(document: Document) -> None:
    document["rules"][0]["text"]["en"] = "The newest test was positive."
    document["legal_basis"]["en"] = "Another article."


@pytest.mark.parametrize(
    ("change", "effect", "because"),
    [
        (reword, Effect.LOOSENING, Because.NOBODY_WORSE),
        (meaning, Effect.TIGHTENING, Because.OTHER_LEVELS),
        (need_fever, Effect.TIGHTENING, Because.SOMEBODY_WORSE),
        (raise_default, Effect.TIGHTENING, Because.SOMEBODY_WORSE),
        (speak_of_another_disease, Effect.TIGHTENING, Because.OTHER_DISEASE),
        (forget_a_code, Effect.TIGHTENING, Because.SOMEBODY_WORSE),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_else_than_a_rule_may_raise_a_level(
    change: Callable[[Document], None], effect: Effect, because: Because
) -> None:
    document = book(version="1.2.0")
    change(document)
    found = verdict(document)
    assert (found.effect, found.because) == (effect, because)


def test_a_stricter_version_is_told_with_an_example() -> None:
    found = verdict(stricter())
    assert (found.effect, found.because) == (Effect.TIGHTENING, Because.SOMEBODY_WORSE)
    assert found.facts["fever"] is True
    assert (decide_level(parse_rulebook(book()), found.facts).level, found.old_level) == ("medium", "medium")
    assert (decide_level(parse_rulebook(stricter()), found.facts).level, found.new_level) == ("high", "high")
    assert notice.read_verdict(found.document()) == found


def test_a_milder_version_is_shown_over_all_that_can_make_a_difference() -> None:
    found = verdict(milder())
    assert (found.effect, found.because) == (Effect.LOOSENING, Because.NOBODY_WORSE)
    # Four kinds of homes (not known, low, medium, high) and three of stays, for nothing asks whether one was in a low
    # area; two answers to each question, for nothing tells "no" from "not known"; three kinds of days since a test and
    # since falling ill, and two since a dose.
    assert found.cases == 4 * 3 * 2**5 * 3 * 3 * 2


@pytest.mark.parametrize(
    ("name", "value", "effect", "because"),
    [
        ("test-0-7", {"if": [DAYS, {"<=": [0, DAYS, 6]}, False]}, Effect.TIGHTENING, Because.SOMEBODY_WORSE),
        ("test-8-14", {"if": [DAYS, {"<=": [8, DAYS, 13]}, False]}, Effect.LOOSENING, Because.NOBODY_WORSE),
        ("test-8-14", {"if": [DAYS, {"<=": [8, DAYS, 15]}, False]}, Effect.TIGHTENING, Because.SOMEBODY_WORSE),
        ("test-8-14", {"in": [DAYS, [8, 9, 10]]}, Effect.LOOSENING, Because.NOBODY_WORSE),
        ("test-8-14", {"if": [DAYS, {"<": [9, {"+": [DAYS, 1]}]}, False]}, Effect.TIGHTENING, Because.NOT_COMPARABLE),
        ("test-8-14", {"if": [DAYS, {"<": [{"+": [4, 4]}, DAYS]}, False]}, Effect.TIGHTENING, Because.NOT_COMPARABLE),
        ("test-8-14", {"if": [DAYS, {"<": [100_000, DAYS]}, False]}, Effect.TIGHTENING, Because.SOMEBODY_WORSE),
    ],
)
def test_numbers_are_looked_at_on_both_sides_of_each_constant(
    name: str, value: Any, effect: Effect, because: Because
) -> None:
    document = condition(name, value)
    if name == "test-0-7":  # 7 days now fall through to no rule: milder, but the day 7 has no level "medium" either
        next(rule for rule in document["rules"] if rule["id"] == "test-8-14")["condition"] = {
            "if": [DAYS, {"<=": [7, DAYS, 15]}, False]
        }
    found = verdict(document)
    assert (found.effect, found.because) == (effect, because)


def test_too_many_cases_count_as_tightening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "MOST_CASES", 100)
    assert verdict(milder()).because is Because.TOO_MANY


RISKS, TRUTHS = st.sampled_from([None, "low", "medium", "high"]), st.sampled_from([None, True, False])
FACTS = st.fixed_dictionaries(
    {
        **{"residence_risk": RISKS, "stay_risk_max_14d": RISKS, "symptoms": TRUTHS, "contact_of_case": TRUTHS},
        "days_since_positive_test": st.none() | st.integers(-30, 60) | st.integers(-(2**50), 2**50),
    }
)
NUMBERS = st.integers(-5, 40)
CONDITIONS = st.one_of(
    st.tuples(st.sampled_from(["<", "<=", ">", ">="]), NUMBERS).map(
        lambda given: {"if": [DAYS, {given[0]: [DAYS, given[1]]}, False]}
    ),
    st.tuples(NUMBERS, NUMBERS).map(lambda given: {"if": [DAYS, {"<=": [given[0], DAYS, given[1]]}, False]}),
    st.lists(NUMBERS, max_size=3).map(lambda given: {"in": [DAYS, given]}),
    st.sampled_from(["low", "medium", "high"]).map(lambda code: {"===": [{"var": "residence_risk"}, code]}),
    st.sampled_from([{"var": "symptoms"}, {"!": [{"var": "contact_of_case"}]}, DAYS, {"!": [DAYS]}]),
)
RULES = st.lists(st.tuples(st.sampled_from(["low", "medium", "high"]), CONDITIONS), min_size=1, max_size=4)


def generated(rules: list[tuple[str, Any]]) -> Rulebook:
    document = book()
    text = {"en": "A rule.", "zh": "规则。"}
    document["rules"] = [
        {"id": f"r{number}", "level": level, "condition": condition, "text": text}
        for number, (level, condition) in enumerate(rules)
    ]
    document["tests"] = [{"name": "any", "facts": {}, "level": decide_by(document)}]
    return parse_rulebook(document)


def decide_by(document: Document) -> str:
    """The level of somebody of whom nothing is known, for a rulebook needs a test of its own."""
    for level in ("high", "medium", "low", UNKNOWN):
        try:
            parse_rulebook({**document, "tests": [{"name": "any", "facts": {}, "level": level}]})
        except BadInput:
            continue
        return level
    raise AssertionError


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=RULES, new=RULES, persons=st.lists(FACTS, min_size=20, max_size=40))
def test_what_is_shown_holds_for_everybody(old: Any, new: Any, persons: list[Document]) -> None:
    before, after = generated(old), generated(new)
    found = notice.compare(before, after)
    codes = [level.code for level in before.levels]
    if found.effect is Effect.LOOSENING:
        for person in persons:
            levels = decide_level(before, person).level, decide_level(after, person).level
            if levels[1] == UNKNOWN:
                assert levels[0] == UNKNOWN or (levels[0] != codes[0] and person["residence_risk"] is None)
            elif levels[0] == UNKNOWN:
                assert levels[1] == codes[0]
            else:
                assert codes.index(levels[1]) <= codes.index(levels[0]), person
    else:
        assert found.because is Because.SOMEBODY_WORSE
        assert decide_level(before, found.facts).level == found.old_level != found.new_level
        assert decide_level(after, found.facts).level == found.new_level


@pytest.fixture
def region(new_region: NewNode) -> Node:
    return new_region()


def publish(node: Node, document: Document) -> dict[str, Any]:
    rulebook_actions.publish_rulebook(node, by=LI, second=WANG, document=document)
    return dict(node.log.entries(kind="rulebook.published", limit=1)[0].event)


def decide(node: Node) -> str:
    return level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=AS_OF).version


def level(node: Node, number: str) -> str:
    return level_queries.person_status(node, pseudonym(node, number)).level


def test_the_first_under_an_emergency_holds_at_once(region: Node, clock: Clock) -> None:
    event = region.log.entries(kind="rulebook.published", limit=1)[0].event
    assert (event["effect"], event["because"]) == ("first", "first-under-the-emergency")
    assert event["effective_from"] == clock().isoformat()


def test_what_tightens_waits_for_its_notice(region: Node, clock: Clock, records: str) -> None:
    event = publish(region, stricter())
    begins = clock() + timedelta(hours=24)
    assert (event["effect"], event["because"], event["second"]) == ("tightening", "somebody-gets-a-worse-level", "wang")
    assert event["effective_from"] == begins.isoformat()
    versions = rulebook_queries.rulebook_versions(region, "dengue-3")
    assert [one.rulebook.version for one in rulebook_queries.coming(versions, clock())] == ["1.2.0"]
    assert [one.rulebook.version for one in rulebook_queries.rulebooks(region)] == ["1.1.0"]
    # Levels and passes keep to the older one, to the last second.
    clock.now = begins - timedelta(seconds=1)
    assert decide(region) == "1.1.0"
    assert pass_actions.issue_pass(region, by=LI, person="R1").version == "1.1.0"
    clock.now = begins
    assert rulebook_queries.rulebook(region, "dengue-3").version == "1.2.0"
    assert rulebook_queries.coming(versions, clock()) == []
    assert decide(region) == "1.2.0"
    assert pass_actions.issue_pass(region, by=LI, person="R1").version == "1.2.0"
    region.log.check()


def test_what_loosens_holds_at_once(region: Node, clock: Clock) -> None:
    assert level(region, "R8") == "medium"  # a case at home
    event = publish(region, milder())
    assert (event["effect"], event["effective_from"]) == ("loosening", clock().isoformat())
    assert decide(region) == "1.2.0"
    assert level(region, "R8") == "low"


def test_a_version_can_not_shorten_the_notice_that_people_were_promised(region: Node, clock: Clock) -> None:
    publish(region, book(version="1.2.0", notice_hours=72))
    event = publish(region, stricter(version="1.3.0", notice_hours=24))
    assert event["effective_from"] == (clock() + timedelta(hours=72)).isoformat()


def test_a_new_name_does_not_slip_past_the_notice(region: Node, clock: Clock) -> None:
    event = publish(region, stricter(id="dengue-now", version="1.0.0"))
    assert (event["effect"], event["effective_from"]) == ("tightening", (clock() + timedelta(hours=24)).isoformat())
    four = shipped_document("dengue-four-levels", **PERIOD)
    assert publish(region, four)["because"] == "other-levels-or-meanings"


def test_what_was_announced_can_be_taken_back_at_once(region: Node, clock: Clock) -> None:
    publish(region, stricter())
    assert publish(region, book(version="1.3.0"))["effect"] == "loosening"
    clock.advance(hours=25)
    versions = rulebook_queries.rulebook_versions(region, "dengue-3")
    assert rulebook_queries.rulebook(region, "dengue-3").version == "1.3.0"
    assert rulebook_queries.coming(versions, clock()) == []


def test_versions_that_come_one_after_the_other(region: Node, clock: Clock) -> None:
    publish(region, stricter())
    clock.advance(hours=1)
    publish(region, stricter(version="1.3.0", notice_hours=100))
    publish(region, stricter(version="1.4.0"))
    versions = rulebook_queries.rulebook_versions(region, "dengue-3")
    # 1.3.0 would hold only when 1.4.0 does already.
    assert [one.rulebook.version for one in rulebook_queries.coming(versions, clock())] == ["1.2.0", "1.4.0"]
    clock.advance(hours=23)
    assert rulebook_queries.rulebook(region, "dengue-3").version == "1.2.0"
    clock.advance(hours=90)
    assert rulebook_queries.rulebook(region, "dengue-3").version == "1.4.0"


def test_a_version_that_would_end_before_its_notice_is_refused(region: Node, clock: Clock) -> None:
    before = region.log.size()
    with pytest.raises(BadInput, match="after its own end"):
        publish(region, stricter(valid_to=(clock() + timedelta(hours=24)).isoformat()))
    assert region.log.size() == before


def test_a_version_that_was_published_meanwhile_is_not_overlooked(
    region: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = notice.judge

    def slow(*given: Any) -> notice.Verdict:
        monkeypatch.setattr(notice, "judge", judge)
        publish(region, stricter(version="1.1.1"))
        return judge(*given)

    monkeypatch.setattr(notice, "judge", slow)
    with pytest.raises(Conflict, match="meanwhile"):
        publish(region, milder())


@pytest.mark.parametrize("hours", [0, 23, 721, True, "24", 24.0])
def test_a_notice_is_declared_within_bounds(hours: Any) -> None:
    with pytest.raises(BadInput, match="notice"):
        parse_rulebook(book(notice_hours=hours))
    assert parse_rulebook(book(notice_hours=720)).notice_hours == 720
    assert parse_rulebook(book()).notice_hours == 24


def test_a_later_beginning_is_kept(region: Node) -> None:
    event = publish(region, milder(valid_from="2026-03-10T00:00:00+00:00"))
    assert event["effective_from"] == datetime(2026, 3, 10, tzinfo=UTC).isoformat()
    assert rulebook_queries.rulebook(region, "dengue-3").version == "1.1.0"
