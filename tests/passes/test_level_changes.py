"""A level that rises ends the passes that say a better one: by the rules, by hand, after a crash, and at the gate."""

from __future__ import annotations

from typing import Any

import pytest

from hutong.errors import Conflict
from hutong.node import Node
from hutong.passes.appeal import actions as appeals
from hutong.passes.appeal import correction_actions as corrections
from hutong.passes.appeal.appeal import Outcome
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import batch_actions, key_actions, level_change_actions, renewal_actions
from hutong.passes.issuance import queries as pass_queries
from hutong.passes.level import actions as level_actions
from hutong.passes.recognition.crosswalk import parse_crosswalk
from hutong.passes.recognition.level_order import is_less_severe
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.rulebook.rulebook import parse_rulebook
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.trust.log.journal import Log
from tests.conftest import Clock, NewNode
from tests.passes.region import AS_OF, FROM, LI, RESIDENTS, TO, WANG, pseudonym
from tests.passes.test_appeal_actions import ZHAO, change, file
from tests.passes.test_appeal_actions import level as in_force
from tests.passes.test_follow_evidence import follow, power_cut
from tests.passes.test_level_update import level, positive, submit


@pytest.fixture
def node(new_region: NewNode) -> Node:
    return new_region()


def issue(node: Node, *numbers: str) -> list[pass_actions.IssuedPass]:
    return [pass_actions.issue_pass(node, by=LI, person=number, hours=168) for number in numbers]


def ended(node: Node, *passes: Any) -> list[str | None]:
    """By which rule each pass was revoked."""
    return [pass_queries.pass_record(node, one.pass_id).revoked_by_rule for one in passes]


def told(node: Node) -> list[dict[str, Any]]:
    return [dict(entry.event) for entry in node.log.entries(kind="passes.revoked", limit=100)]


def shown(node: Node, issued: Any) -> tuple[str, str]:
    answer = verify_pass(issued.text, trust=bundle_queries.trust_snapshot(node), scene="workplace", at=node.clock())
    return str(answer.answer), answer.reasons[0].rule_id


def test_a_better_pass_is_refused_as_soon_as_the_level_is_higher(new_region: NewNode, records: str) -> None:
    node = new_region()
    one, two, others, least = issue(node, "R3", "R3", "R1", "R2")
    assert shown(node, one)[0] == "accepted"
    positive(node, "R3")
    assert follow(node) == (False, 1)
    assert level(node, "R3") == "high"
    assert ended(node, one, two, others, least) == ["level-changed", "level-changed", None, None]
    assert shown(node, one) == shown(node, two) == ("refused", "revoked")
    assert shown(node, others)[0] == shown(node, least)[0] == "accepted"
    record = pass_queries.pass_record(node, one.pass_id)
    assert record.revoked_because == "high by dengue-3@1.1.0: test-0-7"
    (event,) = told(node)
    marks = {entry.event["mark"] for entry in node.log.entries(kind="pass.issued", limit=4)[2:]}
    assert (event["rule"], event["by"], event["run"], event["passes"]) == ("level-changed", "job-levels", 2, 2)
    assert (event["rulebooks"], set(event["marks"])) == (["dengue-3@1.1.0"], marks)
    for secret in (one.pass_id, pseudonym(node, "R3"), "R3", "high"):
        assert secret not in str(event).replace("[", "'").split("'")
    # The new pass says the level of now, and the holder is told what became of the others.
    (new,) = issue(node, "R3")
    assert (new.level, ended(node, new), len(told(node))) == ("high", [None], 1)
    assert {found.pass_id for found in pass_queries.ended_passes(node, LI, "R3")} == {one.pass_id, two.pass_id}
    assert pass_queries.ended_passes(node, LI, "R1") == ()


def test_a_level_that_falls_leaves_the_worse_pass_and_costs_one_look(node: Node, monkeypatch: Any) -> None:
    (worse,) = issue(node, "R8")
    dose = {"disease": "dengue", "vaccine": "J07BX04", "dose_number": 2, "series_doses": 2}
    submit(node, "immunization", pseudonym=pseudonym(node, "R8"), **dose, vaccination_date=AS_OF.replace(month=1))
    monkeypatch.setattr(level_change_actions, "_live_passes", power_cut)  # nobody of them is above the least
    assert follow(node) == (False, 1)
    assert (level(node, "R8"), ended(node, worse), told(node)) == ("low", [None], [])


def test_a_full_run_reads_all_passes_once(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = issue(node, "R2", "R7", "R3", "R6")
    monkeypatch.setattr(level_change_actions, "MOST_ASKED", 0)
    monkeypatch.setattr(level_change_actions, "_PERSONS", 2)
    monkeypatch.setattr(level_change_actions, "_MARKS", 1)
    for number in ("R2", "R7", "R3"):
        positive(node, number)
    run = level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert (run.full, run.persons, run.passes_ended) == (True, len(RESIDENTS), 3)
    assert ended(node, *passes) == ["level-changed"] * 3 + [None]
    assert [event["passes"] for event in told(node)] == [1, 1, 1]


def test_what_a_crash_left_is_finished_and_nothing_ends_twice(node: Node) -> None:
    passes = issue(node, "R2", "R7")
    positive(node, "R2")
    with pytest.MonkeyPatch.context() as broken, pytest.raises(OSError, match="power"):
        broken.setattr(level_change_actions, "_candidates", power_cut)  # after the levels, before the passes
        follow(node)
    assert (level(node, "R2"), ended(node, *passes)) == ("high", [None, None])
    assert follow(node) == (True, len(RESIDENTS))
    assert ended(node, *passes) == ["level-changed", None]
    positive(node, "R7")
    with pytest.MonkeyPatch.context() as broken, pytest.raises(OSError, match="power"):
        append = Log.append

        def cut(log: Log, connection: Any, events: Any) -> Any:  # after the passes, before the log is told of the run
            if events[0].kind == "levels.updated":
                power_cut()
            return append(log, connection, events)

        broken.setattr(Log, "append", cut)
        follow(node)
    assert ended(node, *passes) == ["level-changed", "level-changed"]
    assert follow(node) == (True, len(RESIDENTS))
    assert len(told(node)) == 2


def test_an_override_that_is_worse_or_ends_early_counts_at_once(node: Node) -> None:
    (medium,) = issue(node, "R3")
    lowered = corrections.override_level(node, by=LI, second=WANG, person="R3", change_to=change(node))
    (low,) = issue(node, "R3")
    assert (low.level, ended(node, medium)) == ("low", [None])
    positive(node, "R3", result="negative")
    assert follow(node) == (False, 1)  # the rules still say medium, and the override stands
    assert ended(node, low) == [None]
    corrections.end_override(node, by=WANG, second=ZHAO, override_id=lowered.id)
    assert ended(node, medium, low) == [None, "level-changed"]
    worse = change(node, "high", "test-0-7", days=1)
    corrections.override_level(node, by=LI, second=WANG, person="R3", change_to=worse)
    assert ended(node, medium) == ["level-changed"]
    assert pass_queries.pass_record(node, medium.pass_id).revoked_because == "high by dengue-3@1.1.0: test-0-7"
    (high,) = issue(node, "R3")
    assert (high.level, ended(node, high)) == ("high", [None])


def test_when_a_review_is_over_no_pass_says_that_it_is_not(node: Node, clock: Clock) -> None:
    filed = file(node)
    clock.advance(days=3)
    (reviewed,) = issue(node, "R5")
    assert reviewed.level == "under-review"
    appeals.acknowledge_appeal(node, by=LI, appeal_id=filed.id)
    appeals.take_evidence(node, by=LI, appeal_id=filed.id)
    run = level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert (run.passes_ended, ended(node, reviewed)) == (0, [None])
    both = {"by": LI, "second": WANG, "reason": "Measured twice."}
    appeals.decide_appeal(node, **both, appeal_id=filed.id, outcome=Outcome.DISMISSED)
    assert ended(node, reviewed) == ["level-changed"]


def test_who_gets_another_pass_keeps_no_better_one(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no run has ended it: here they are kept from that."""
    old, older, left = issue(node, "R2", "R2", "R7")
    monkeypatch.setattr(level_actions.level_change_actions, "end_better_passes", lambda *_, **__: 0)
    positive(node, "R2")
    positive(node, "R7")
    follow(node)
    assert ended(node, old, older) == [None, None]
    renewed = renewal_actions.renew_pass(node, by=LI, pass_id=old.pass_id)
    assert (renewed.level, ended(node, old, older, renewed)) == ("high", ["level-changed", "level-changed", None])
    batch_actions.issue_batch(node, by=LI, persons=["R7"])
    assert ended(node, left) == ["level-changed"]


def test_a_level_that_changes_while_the_pass_is_issued_counts(node: Node) -> None:
    ready = pass_actions.ready_to_issue(node, by=LI, person="R2", hours=24, facts=())
    positive(node, "R2")
    follow(node)
    with node.change(LI) as opened:
        late = pass_actions.issue_in(node, opened, ready)
    assert (late.level, ended(node, late)) == ("low", ["level-changed"])


def test_what_is_issued_again_says_no_better_level(node: Node, clock: Clock, monkeypatch: Any) -> None:
    rises, falls, same = issue(node, "R2", "R8", "R3")
    key_id = node.keys.pass_key_id
    key_actions.end_pass_key(node, by=LI, second=WANG, key_id=key_id)
    positive(node, "R2")
    dose = {"disease": "dengue", "vaccine": "J07BX04", "dose_number": 2, "series_doses": 2}
    submit(node, "immunization", pseudonym=pseudonym(node, "R8"), **dose, vaccination_date=AS_OF.replace(month=1))
    follow(node)
    assert [level(node, number) for number in ("R2", "R8", "R3")] == ["high", "low", "medium"]
    with pytest.MonkeyPatch.context() as late:
        late.setattr(pass_actions, "MAX_STATUS_AGE", -pass_actions.MAX_STATUS_AGE)
        stale = batch_actions.reissue_passes(node, by=LI, key_id=key_id)
    assert (stale.passes, len(stale.refused)) == ((), 3)
    assert "seven days" in stale.refused[0][1]
    again = batch_actions.reissue_passes(node, by=LI, key_id=key_id)
    assert {one.person: one.level for one in again.passes} == {
        pseudonym(node, number): said for number, said in (("R2", "high"), ("R8", "medium"), ("R3", "medium"))
    }
    assert (again.refused, again.left) == ((), 0)
    assert {one.expires_at for one in again.passes} == {rises.expires_at, falls.expires_at, same.expires_at}
    assert batch_actions.reissue_passes(node, by=LI, key_id=key_id).passes == ()


def test_levels_of_two_rulebooks_are_compared_by_code_and_then_by_the_scale() -> None:
    period = {"valid_from": FROM, "valid_to": TO}
    three = parse_rulebook(shipped_document("dengue-three-levels", **period))
    four = shipped_document("crosswalks/dengue-four-levels", **period)
    walks = [parse_crosswalk(one) for one in (four, shipped_document("crosswalks/dengue-three-levels", **period))]
    other = f"{walks[0].rulebook}@{walks[0].major}.0.0"
    own = {one.code for one in three.levels}
    compared = 0
    for one in walks[0].levels:
        for than, place in (("low", 0), ("medium", 1), ("high", 2)):
            scale = ("low", "medium", "high").index(one.scale)
            if one.code not in own:
                compared += 1
                assert is_less_severe(one.code, other, than, three, walks) == (scale < place)
                assert not is_less_severe(one.code, other, than, three)  # nothing says how they compare
    assert compared
    assert is_less_severe("low", "gone@1.0.0", "medium", three)
    assert not is_less_severe("medium", "gone@1.0.0", "medium", three)
    assert not is_less_severe("low", "dengue-3@1.0.0", "unknown", three)
    assert is_less_severe("under-review", "dengue-3@1.0.0", "medium", three)
    assert not is_less_severe("under-review", "dengue-3@1.0.0", "low", three)


def test_a_delay_hides_no_level_that_is_worse_than_the_one_appealed(node: Node, clock: Clock) -> None:
    """It rests on facts that nobody has objected to; against it there can be an appeal of its own."""
    file(node, "R2")
    clock.advance(hours=25)
    positive(node, "R2")
    follow(node)
    assert in_force(node, "R2") == "high"
    again = file(node, "R2")
    assert again.level == "high"
    with pytest.raises(Conflict, match="waits"):
        file(node, "R2")
    clock.advance(hours=25)
    (reviewed,) = issue(node, "R2")
    assert in_force(node, "R2") == reviewed.level == "under-review"
    appeals.acknowledge_appeal(node, by=LI, appeal_id=again.id)
    appeals.take_evidence(node, by=LI, appeal_id=again.id)
    both = {"by": LI, "second": WANG, "reason": "Measured twice."}
    appeals.decide_appeal(node, **both, appeal_id=again.id, outcome=Outcome.DISMISSED)
    assert (in_force(node, "R2"), ended(node, reviewed)) == ("high", ["level-changed"]), "the first one still waits"


def test_an_override_that_is_worse_than_what_is_reviewed_ends_what_says_the_review(node: Node, clock: Clock) -> None:
    file(node, "R3")
    clock.advance(hours=25)
    (reviewed,) = issue(node, "R3")
    milder = corrections.override_level(node, by=LI, second=WANG, person="R3", change_to=change(node))
    assert (in_force(node, "R3"), ended(node, reviewed)) == ("low", [None])
    corrections.end_override(node, by=WANG, second=ZHAO, override_id=milder.id)
    assert (in_force(node, "R3"), ended(node, reviewed)) == ("under-review", [None])
    worse = change(node, "high", "test-0-7", days=1)
    corrections.override_level(node, by=LI, second=WANG, person="R3", change_to=worse)
    assert (in_force(node, "R3"), ended(node, reviewed)) == ("high", ["level-changed"])
