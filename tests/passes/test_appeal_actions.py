"""Appeals, overrides and grants on a real node, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, NotFound, Refused, Tampered
from hutong.governance import actions as governance
from hutong.node import Node
from hutong.passes.appeal import actions as appeals
from hutong.passes.appeal import correction_actions as corrections
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.appeal.appeal import Appeal, Outcome, State, Subject
from hutong.passes.appeal.correction import GROUNDS, LevelChange
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.level import actions as level_actions
from hutong.passes.level import queries as level_queries
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.rulebook import UNKNOWN
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.storage import schema
from hutong.trust.authorisation import PUBLIC, Actor
from tests.conftest import Clock, NewNode
from tests.passes import region
from tests.passes.region import AS_OF, FROM, LI, STEWARD, TO, WANG

ZHAO = Actor("zhao", "account", frozenset({"authority"}), "tw")


def resident(number: str) -> Actor:
    return Actor(number, "account", frozenset({"resident"}), "tw")


@pytest.fixture
def node(new_region: NewNode, records: str) -> Node:
    return new_region()


def file(node: Node, number: str = "R5", by: Actor | None = None) -> Appeal:
    return appeals.file_appeal(
        node, by=by or resident(number), person=number, subject=Subject.LEVEL, statement="I had no fever at all."
    )


def change(node: Node, level: str = "low", rule_id: str = "clinically-excluded", **given: float) -> LevelChange:
    return LevelChange(
        level, rule_id, "The thermometer was broken.", node.clock() + timedelta(**(given or {"days": 7}))
    )


def level(node: Node, number: str) -> str:
    return appeal_queries.level_in_force(node, region.pseudonym(node, number)).level


def events(node: Node, kind: str) -> list[dict[str, object]]:
    return [dict(entry.event) for entry in map(node.log.entry, range(node.log.size())) if entry.event["kind"] == kind]


def test_an_appeal_goes_its_whole_way_and_every_step_is_in_the_log(node: Node, clock: Clock) -> None:
    filed = file(node)
    assert (filed.level, filed.rulebook, filed.rule_ids) == ("high", "dengue-3@1.1.0", ("fever-high-area",))
    clock.advance(hours=2)
    appeals.acknowledge_appeal(node, by=LI, appeal_id=filed.id)
    appeals.take_evidence(node, by=LI, appeal_id=filed.id, question="Who measured it?")
    with pytest.raises(Conflict, match="waits for an answer"):
        appeals.decide_appeal(
            node, by=LI, second=WANG, appeal_id=filed.id, outcome=Outcome.DISMISSED, reason="No answer."
        )
    appeals.add_evidence(node, by=resident("R5"), appeal_id=filed.id, text="My doctor, and he found none.")
    clock.advance(hours=3)
    decided = appeals.decide_appeal(
        node,
        by=LI,
        second=WANG,
        appeal_id=filed.id,
        outcome=Outcome.UPHELD,
        reason="The fever was recorded by mistake.",
        change_to=change(node, rule_id="appeal-upheld"),
    )
    assert decided.decision is not None and decided.decision.override is not None
    assert level(node, "R5") == "low"
    told = appeals.notify_appeal(node, by=LI, appeal_id=filed.id)
    assert told.state is State.NOTIFIED and told == appeal_queries.appeal(node, filed.id)

    kinds = ["filed", "acknowledged", "evidence-taken", "evidence-added", "decided", "notified"]
    for kind in kinds:
        (entry,) = events(node, f"appeal.{kind}")
        assert entry["appeal"] == filed.id and entry["late"] == []
    assert events(node, "appeal.filed")[0]["by"] == "resident"
    (overridden,) = events(node, "level.overridden")
    assert (overridden["rule"], overridden["by"], overridden["second"]) == ("appeal-upheld", "li", "wang")
    log = b"".join(node.log.entry(index).data for index in range(node.log.size()))
    for secret in (
        b"R5",
        region.pseudonym(node, "R5").encode(),
        b"thermometer",
        b"fever was",
        b"no fever",
        b"My doctor",
    ):
        assert secret not in log

    issued = pass_actions.issue_pass(node, by=resident("R5"), person="R5")
    assert (issued.level, [one.rule_id for one in issued.reasons]) == ("low", ["appeal-upheld"])
    assert (
        level_queries.person_status(node, region.pseudonym(node, "R5")).level == "high"
    )  # what the rules give is not edited


def test_the_level_is_under_review_while_the_authority_is_late(node: Node, clock: Clock) -> None:
    filed = file(node)
    clock.advance(hours=23)
    assert level(node, "R5") == "high"
    clock.advance(hours=2)
    assert level(node, "R5") == "under-review"
    appeals.acknowledge_appeal(node, by=LI, appeal_id=filed.id)
    assert level(node, "R5") == "under-review"  # a late step does not undo the delay

    issued = pass_actions.issue_pass(node, by=resident("R5"), person="R5")
    assert (issued.level, [one.rule_id for one in issued.reasons]) == ("under-review", ["under-review"])
    trust = bundle_queries.trust_snapshot(node)
    # As shipped, nobody is worse off for the delay than with medium risk, and care is never refused.
    shipped = {"workplace": "accepted", "medical": "accepted", "closed-setting": "unknown"}
    for scene, expected in shipped.items():
        assert verify_pass(issued.text, trust=trust, scene=scene, at=clock()).answer == expected

    scenes = shipped_document("scenes/dengue-three-levels", version="1.2.0", valid_from=FROM, valid_to=TO)
    named = {
        "id": "work-review",
        "condition": {"in": [{"var": "pass.scale"}, ["low", "under-review"]]},
        "text": {"en": "Low risk, or under review, may work.", "zh": "低风险或复核中的人员可以上班。"},
    }
    recognition_actions.publish_acceptance(
        node, by=LI, second=WANG, document=scenes | {"scenes": scenes["scenes"] | {"workplace": [named]}}
    )
    trust = bundle_queries.trust_snapshot(node)
    answers = {
        scene: verify_pass(issued.text, trust=trust, scene=scene, at=clock()).answer
        for scene in ("workplace", "school", "closed-setting")
    }
    assert answers == {"workplace": "accepted", "school": "accepted", "closed-setting": "unknown"}

    appeals.take_evidence(node, by=LI, appeal_id=filed.id)
    appeals.decide_appeal(
        node, by=LI, second=WANG, appeal_id=filed.id, outcome=Outcome.DISMISSED, reason="The fever was measured."
    )
    assert level(node, "R5") == "high"
    assert events(node, "appeal.decided")[0]["late"] == ["acknowledge"]


def test_a_delay_never_harms_whom_it_keeps_waiting(node: Node, clock: Clock) -> None:
    file(node, "R2")
    clock.advance(days=3)
    assert level(node, "R2") == "low"


def test_an_appeal_withdrawn_is_over(node: Node, clock: Clock) -> None:
    filed = file(node)
    with pytest.raises(Refused):
        appeals.withdraw_appeal(node, by=resident("R6"), appeal_id=filed.id)
    with pytest.raises(Refused):
        appeals.withdraw_appeal(node, by=LI, appeal_id=filed.id)  # not the authority's to withdraw
    appeals.withdraw_appeal(node, by=resident("R5"), appeal_id=filed.id)
    clock.advance(days=9)
    assert level(node, "R5") == "high"
    assert appeal_queries.appeals_by_deadline(node, LI) == []
    with pytest.raises(Conflict):
        appeals.acknowledge_appeal(node, by=LI, appeal_id=filed.id)


def test_only_one_s_own_matter_and_only_so_many(node: Node) -> None:
    for stranger in (resident("R6"), STEWARD, PUBLIC):
        with pytest.raises(Refused):
            file(node, "R5", by=stranger)
    filed = file(node, "R5", by=LI)  # an authority on behalf of the resident
    assert appeal_queries.own_appeals(node, resident("R5")) == [filed]
    with pytest.raises(Conflict):
        file(node)
    for _ in range(2):
        appeals.file_appeal(node, by=resident("R5"), person="R5", subject=Subject.FACT, statement="Not me.")
    with pytest.raises(LimitExceeded):
        appeals.file_appeal(node, by=resident("R5"), person="R5", subject=Subject.FACT, statement="Not me.")
    with pytest.raises(NotFound):
        file(node, "R99", by=resident("R99"))
    with pytest.raises(BadInput):
        appeals.file_appeal(node, by=resident("R6"), person="R6", subject=Subject.LEVEL, statement="  ")
    with pytest.raises(Refused):
        appeal_queries.readable_appeal(node, resident("R6"), filed.id)
    assert appeal_queries.readable_appeal(node, resident("R5"), filed.id) == filed
    with pytest.raises(Refused):
        appeal_queries.appeals_by_deadline(node, resident("R5"))
    with pytest.raises(NotFound):
        appeals.acknowledge_appeal(node, by=LI, appeal_id="nothing")
    with pytest.raises(Refused):
        appeals.acknowledge_appeal(node, by=STEWARD, appeal_id="nothing")


def test_late_appeals_lead_the_list_and_times_are_published(node: Node, clock: Clock) -> None:
    first = file(node, "R5")
    clock.advance(hours=30)
    second = file(node, "R6")
    assert [one.id for one in appeal_queries.appeals_by_deadline(node, LI)] == [first.id, second.id]
    found = appeal_queries.appeal_statistics(node)
    assert (found.filed, found.waiting, found.overdue, found.decided) == (2, 2, 1, 0)
    assert found.median_hours is None


def test_recolouring_by_hand_is_impossible_through_actions(node: Node, clock: Clock) -> None:
    """What was done in Zhengzhou in June 2022: a level set by hand, without a medical reason. Every way is closed."""
    attempts: list[tuple[Actor, Actor, LevelChange, type[HutongError]]] = [
        (LI, WANG, change(node, "high", ""), BadInput),  # no rule
        (LI, WANG, change(node, "high", "because"), BadInput),  # an invented rule
        (LI, WANG, change(node, "high", "appeal-upheld"), Refused),  # a ground can't raise
        (LI, WANG, change(node, "high", "fever"), BadInput),  # a rule that gives another level
        (LI, WANG, change(node, "high", "test-0-7", days=4), BadInput),  # too long for a level raised
        (LI, WANG, change(node, "high", "test-0-7", days=-1), BadInput),  # over already
        (LI, WANG, LevelChange("high", "test-0-7", " ", clock() + timedelta(days=1)), BadInput),  # no reason
        (LI, WANG, change(node, "purple", "test-0-7"), BadInput),  # no such level
        (LI, WANG, change(node, "under-review", "test-0-7"), BadInput),
        (LI, WANG, change(node, "low"), Conflict),  # the level that the rules give
        (LI, LI, change(node, "high", "test-0-7"), Refused),  # one person for two
        (LI, STEWARD, change(node, "high", "test-0-7"), Refused),  # the second is no authority
        (STEWARD, LI, change(node, "high", "test-0-7"), Refused),
        (LI, node.operator, change(node, "high", "test-0-7", days=1), Refused),
        (resident("R2"), LI, change(node, "low"), Refused),
        (PUBLIC, LI, change(node, "high", "test-0-7"), Refused),
    ]
    size = node.log.size()
    for by, second, wanted, error in attempts:
        with pytest.raises(error):
            corrections.override_level(node, by=by, second=second, person="R2", change_to=wanted)
    assert len(attempts) == 16
    assert level(node, "R2") == "low"
    assert appeal_queries.overrides_of(node, region.pseudonym(node, "R2")) == []
    assert node.log.size() == size


def test_nobody_decides_about_themselves(node: Node) -> None:
    both = Actor("R5", "account", frozenset({"authority", "resident"}), "tw")
    with pytest.raises(Refused, match="own level"):
        corrections.override_level(node, by=both, second=LI, person="R5", change_to=change(node))
    filed = file(node)
    appeals.acknowledge_appeal(node, by=LI, appeal_id=filed.id)
    appeals.take_evidence(node, by=LI, appeal_id=filed.id)
    for by, second in ((LI, both), (both, LI)):
        with pytest.raises(Refused, match="own level"):
            appeals.decide_appeal(
                node, by=by, second=second, appeal_id=filed.id, outcome=Outcome.UPHELD, reason="I say so."
            )


def test_recolouring_by_hand_is_impossible_in_the_records_and_in_the_lake(node: Node, clock: Clock) -> None:
    good = {
        "id": "x",
        "pseudonym": region.pseudonym(node, "R2"),
        "level": "high",
        "against": "low",
        "rulebook": "dengue-3@1.1.0",
        "rule_id": "test-0-7",
        "reason": "Because.",
        "actor": "li",
        "second": "wang",
        "made_at": clock(),
        "ends_at": clock() + timedelta(days=1),
    }
    wrong = [
        {"second": "li"},
        {"second": None},
        {"second": ""},
        {"actor": ""},
        {"rule_id": None},
        {"rule_id": ""},
        {"reason": ""},
        {"ends_at": None},
        {"ends_at": clock()},
    ]
    for fault in wrong:
        with pytest.raises(Conflict) as raised, node.records.writing() as connection:
            connection.execute(schema.level_override.insert().values(**{**good, **fault}))
        assert isinstance(raised.value.__cause__, IntegrityError)
    with node.records.writing() as connection:
        connection.execute(schema.level_override.insert().values(**good))
        connection.execute(sa.delete(schema.level_override))
    rows = node.engine.to_arrow(node.engine.table("person_status")).to_pylist()
    assert len(rows) == len(region.RESIDENTS)
    rulebook = rulebook_queries.rulebook(node, "dengue-3")
    assert rulebook.default is not None
    for row in rows:
        assert (row["rulebook"], row["version"]) == ("dengue-3", "1.1.0")
        assert row["rule_ids"] or row["level"] in (rulebook.default[0], UNKNOWN)
    assert "level" not in schema.appeal.c  # no other table of the records holds a level that a pass would take


def test_an_override_stands_until_its_end_or_until_the_rules_say_worse(node: Node, clock: Clock) -> None:
    made = corrections.override_level(node, by=LI, second=WANG, person="R3", change_to=change(node, days=2))
    assert (made.against, level(node, "R3")) == ("medium", "low")
    clock.advance(days=2)
    assert level(node, "R3") == "medium"
    raised = corrections.override_level(
        node, by=LI, second=WANG, person="R3", change_to=change(node, "high", "test-0-7", days=1)
    )
    assert level(node, "R3") == "high"
    corrections.end_override(node, by=WANG, second=ZHAO, override_id=raised.id)
    assert level(node, "R3") == "medium"
    with pytest.raises(Conflict):
        corrections.end_override(node, by=WANG, second=ZHAO, override_id=raised.id)
    kept = corrections.override_level(node, by=LI, second=WANG, person="R3", change_to=change(node))
    assert kept.stands(rulebook_queries.rulebook(node, "dengue-3"), "medium", clock())
    assert not kept.stands(rulebook_queries.rulebook(node, "dengue-3"), "high", clock())
    assert len(events(node, "level.overridden")) == 3
    level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert level(node, "R3") == "low"  # a new run neither loses nor edits it
    governance.end_emergency(node, by=LI, emergency_id="dengue-2015")
    with pytest.raises(Refused):
        corrections.override_level(node, by=LI, second=WANG, person="R5", change_to=change(node))


def decide(node: Node, filed: Appeal, outcome: Outcome, change_to: LevelChange | None = None) -> Appeal:
    appeals.acknowledge_appeal(node, by=LI, appeal_id=filed.id)
    appeals.take_evidence(node, by=LI, appeal_id=filed.id)
    return appeals.decide_appeal(
        *(node,),
        **{"by": LI, "second": WANG, "appeal_id": filed.id, "outcome": outcome},
        **{"reason": "So it was.", "change_to": change_to},
    )


def test_an_override_by_an_appeal_needs_one_that_was_upheld_and_led_to_no_other(node: Node) -> None:
    upheld = change(node, rule_id="appeal-upheld")

    def override(appeal: str | None = None, wanted: LevelChange = upheld) -> str | None:
        return corrections.override_level(
            node, by=LI, second=WANG, person="R5", change_to=wanted, appeal_id=appeal
        ).appeal

    others = decide(node, file(node, "R6"), Outcome.UPHELD)
    for appeal, error in ((None, Refused), (others.id, NotFound), ("nothing", NotFound)):
        with pytest.raises(error):
            override(appeal)
    withdrawn = file(node)
    appeals.withdraw_appeal(node, by=resident("R5"), appeal_id=withdrawn.id)
    dismissed = decide(node, file(node), Outcome.DISMISSED)
    for ground in (upheld, change(node)):  # whatever the ground, an appeal that led to nothing is none
        for over in (withdrawn, dismissed):
            with pytest.raises(Conflict, match="withdrawn or dismissed"):
                override(over.id, ground)
    waiting = file(node)
    for named in (None, waiting.id):
        with pytest.raises(Refused, match="No appeal of this person was upheld"):
            override(named)
    partly = decide(node, waiting, Outcome.PARTLY)
    assert level(node, "R5") == "high"
    assert override() == partly.id
    assert level(node, "R5") == "low"
    for named in (None, partly.id):
        with pytest.raises(Conflict, match="rests on this appeal"):
            override(named)
    assert override(partly.id, change(node)) == partly.id  # a ground of its own may tell of it
    newer = decide(node, file(node), Outcome.UPHELD, upheld)
    assert newer.decision is not None and newer.decision.override is not None
    with pytest.raises(Conflict, match="rests on this appeal"):
        override()


def test_an_appeal_that_only_the_records_call_upheld_is_none(node: Node) -> None:
    dismissed = decide(node, file(node), Outcome.DISMISSED)
    body = dismissed.document()
    with node.records.writing() as connection:
        by_hand = body | {"decision": body["decision"] | {"outcome": "upheld"}}
        connection.execute(schema.appeal.update().values(body=by_hand))
    for named in (None, dismissed.id):
        with pytest.raises(Tampered, match="An appeal was written by hand"):
            corrections.override_level(
                *(node,),
                **{"by": LI, "second": WANG, "person": "R5"},
                **{"change_to": change(node, rule_id="appeal-upheld"), "appeal_id": named},
            )


def test_published_grounds_have_their_sentence_in_both_languages() -> None:
    assert len(GROUNDS) == 4
    assert all(text["en"].strip() and text["zh"].strip() for text in GROUNDS.values())


def test_an_application_asks_under_a_grant_and_the_resident_sees_it(node: Node, clock: Clock) -> None:
    governance.create_account(
        node,
        by=node.operator,
        name="school-7",
        display_name="School 7",
        roles=frozenset({"verifier"}),
        password="a long enough password",
    )
    school = Actor("school-7", "account", frozenset({"verifier"}), "tw")
    mine = {"by": resident("R5"), "person": "R5"}
    with pytest.raises(Refused):
        corrections.read_level(node, by=school, person="R5")
    until = clock() + timedelta(days=5)
    with pytest.raises(BadInput):
        corrections.grant_access(
            node, **mine, application="school-7", purpose="Entry", ends_at=clock() + timedelta(days=32)
        )
    with pytest.raises(NotFound):
        corrections.grant_access(node, **mine, application="nobody", purpose="Entry", ends_at=until)
    with pytest.raises(Refused):
        corrections.grant_access(
            node, by=resident("R6"), person="R5", application="school-7", purpose="Entry", ends_at=until
        )
    grant = corrections.grant_access(node, **mine, application="school-7", purpose="Entry", ends_at=until)
    assert corrections.read_level(node, by=school, person="R5").level == "high"
    (seen,) = appeal_queries.grants_of(node, region.pseudonym(node, "R5"))
    assert (seen.uses, seen.used_at) == (1, clock())
    corrections.end_access(node, **mine, grant_id=grant.id)
    with pytest.raises(NotFound):
        corrections.end_access(node, **mine, grant_id=grant.id)
    with pytest.raises(Refused):
        corrections.read_level(node, by=school, person="R5")
    other = corrections.grant_access(node, **mine, application="school-7", purpose="Entry", ends_at=until)
    clock.advance(days=5)
    with pytest.raises(Refused):
        corrections.read_level(node, by=school, person="R5")
    assert other.uses == 0
