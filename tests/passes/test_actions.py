"""Rulebooks, levels and passes as actions: two persons, rising versions, an end to all, nothing personal told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, LimitExceeded, NotFound, Refused
from hutong.governance import actions as governance
from hutong.insight.actions import assess_risk_areas
from hutong.insight.risk_area import shipped_rule
from hutong.node import Node
from hutong.passes.credential import status_list
from hutong.passes.credential.keys import decode_base64url
from hutong.passes.credential.level_pass import is_held_by
from hutong.passes.credential.read import read_pass
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import key_queries, own_lists
from hutong.passes.issuance import queries as pass_queries
from hutong.passes.issuance.actions import REVOCATION_RULES
from hutong.passes.issuance.pass_times import MAX_HOURS
from hutong.passes.level import actions as level_actions
from hutong.passes.level import queries as level_queries
from hutong.passes.level.fact import FACTS
from hutong.passes.level.status import require_computable
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.recognition import queries as recognition_queries
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.rulebook import decide_level, parse_rulebook
from hutong.storage import schema
from hutong.trust.authorisation import PUBLIC, Actor
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import AS_OF, FROM, LI, RESIDENTS, STEWARD, SUNSET, TO, WANG, pseudonym

PERIOD = {"valid_from": FROM, "valid_to": TO}


def book(**changes: Any) -> dict[str, Any]:
    return shipped_document("dengue-three-levels", **{**PERIOD, **changes})


@pytest.fixture
def declared(new_node: NewNode) -> Node:
    node = new_node()
    regions.declare(node)
    return node


@pytest.fixture
def region(new_region: NewNode) -> Node:
    return new_region()


def kinds(node: Node) -> list[str]:
    return [entry.event["kind"] for entry in node.log.entries(limit=500)]


def events(node: Node, kind: str) -> list[dict[str, Any]]:
    return [dict(entry.event) for entry in node.log.entries(kind=kind, limit=500)]


def test_two_persons_publish_a_rulebook(declared: Node, records: str) -> None:
    published = rulebook_actions.publish_rulebook(declared, by=LI, second=WANG, document=book())
    assert rulebook_queries.rulebook(declared, "dengue-3").hash == published.hash
    (event,) = events(declared, "rulebook.published")
    assert (event["by"], event["second"], event["hash"]) == ("li", "wang", published.hash)
    assert dict(rulebook_queries.rulebook(declared, "dengue-3").document) == book()
    higher = rulebook_actions.publish_rulebook(declared, by=LI, second=WANG, document=book(version="1.10.0"))
    rulebook_actions.publish_rulebook(declared, by=LI, second=WANG, document=book(version="2.0.0"))
    assert rulebook_queries.rulebook(declared, "dengue-3", "1.10.0").hash == higher.hash
    versions = [one.rulebook.version for one in rulebook_queries.rulebook_versions(declared, "dengue-3")]
    assert versions == ["2.0.0", "1.10.0", "1.1.0"]
    assert [one.rulebook.version for one in rulebook_queries.rulebooks(declared)] == ["2.0.0"]
    with pytest.raises(Conflict, match="does not follow"):
        rulebook_actions.publish_rulebook(declared, by=LI, second=WANG, document=book(version="1.9.0"))


def test_rules_lack_no_language_of_their_node(declared: Node) -> None:
    node = replace(declared, settings=replace(declared.settings, languages=("en", "zh", "es")))
    for publish, name in (
        (rulebook_actions.publish_rulebook, "dengue-three-levels"),
        (recognition_actions.publish_crosswalk, "crosswalks/dengue-three-levels"),
        (recognition_actions.publish_acceptance, "scenes/dengue-three-levels"),
    ):
        with pytest.raises(BadInput, match="in 'es'"):
            publish(node, by=LI, second=WANG, document=shipped_document(name))


@pytest.mark.parametrize(
    ("by", "second"),
    [(LI, LI), (LI, STEWARD), (STEWARD, LI), (LI, PUBLIC), (PUBLIC, PUBLIC)],
    ids=lambda actor: actor.id,
)
def test_one_person_is_not_enough(declared: Node, by: Actor, second: Actor) -> None:
    before = declared.log.size()
    with pytest.raises(Refused):
        rulebook_actions.publish_rulebook(declared, by=by, second=second, document=book())
    assert declared.log.size() == before
    assert rulebook_queries.rulebooks(declared) == []


EVIDENCE = book()["evidence"]
MISSPELT = [{**EVIDENCE[0], "name": "residence_risc", "required": False}, *EVIDENCE]


FIRST_RULE = book()["rules"][0]
ONE_BY_ONE = [
    {
        **FIRST_RULE,
        "id": "one-by-one",
        "condition": {"===": [{"extractFromUVCI": [{"var": "residence_risk"}, 0]}, "nowhere"]},
    },
    *book()["rules"],
]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"rules": ONE_BY_ONE}, BadInput, "Rule one-by-one of dengue-3"),
        ({"emergency": "another"}, Refused, "not in force"),
        ({"valid_to": "2026-04-01T00:00:01+00:00"}, BadInput, "outlive"),
        ({"valid_to": None}, BadInput, "valid_to"),
        ({"version": "1"}, BadInput, "version"),
        ({"id": "dengue-with-a-very-long-name"}, LimitExceeded, "fit"),
        ({"evidence": MISSPELT}, BadInput, "No node computes"),
        ({"disease": "dengue-fever"}, BadInput, "disease that the standard has not"),
        ({"legal_basis": {"en": "only English"}}, BadInput, "zh"),
    ],
)
def test_a_rulebook_that_may_not_be_published(declared: Node, change: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        rulebook_actions.publish_rulebook(declared, by=LI, second=WANG, document=book(**change))
    assert rulebook_queries.rulebooks(declared) == []


def test_evidence_is_what_a_node_computes() -> None:
    rulebook = parse_rulebook(book())
    require_computable(rulebook, ("low", "medium", "high"), ("dengue",))
    with pytest.raises(BadInput, match="leaves out the area level 'extreme'"):
        require_computable(rulebook, ("low", "extreme"), ("dengue",))
    symptoms = next(one for one in rulebook.evidence if one.name == "symptoms")
    wrong = replace(rulebook, evidence=(replace(symptoms, type="integer"),))
    with pytest.raises(BadInput, match="No node computes the evidence 'symptoms' as integer"):
        require_computable(wrong, ("low",), ("dengue",))


def test_everybody_gets_the_level_that_the_rules_give(region: Node) -> None:
    for number, (_, level) in RESIDENTS.items():
        status = level_queries.person_status(region, pseudonym(region, number))
        assert status.level == level, number
        rulebook = rulebook_queries.rulebook(region, status.rulebook, status.version)
        one_by_one = decide_level(rulebook, status.facts)
        assert (one_by_one.level, one_by_one.rule_ids) == (status.level, status.rule_ids)
        assert status.explain(rulebook).reasons
    assert set(level_queries.person_status(region, pseudonym(region, "R6")).facts) == set(FACTS)
    assert level_queries.person_status(region, pseudonym(region, "R6")).facts["days_since_positive_test"] == 3
    (event,) = events(region, "levels.decided")
    assert event["persons"] == len(RESIDENTS)
    assert event["levels"] == {"low": 2, "medium": 3, "high": 2, "unknown": 1}
    assert event["failed"] == 0


def test_a_run_with_only_homes_works(declared: Node) -> None:
    regions.rules(declared)
    regions.fill_lake(declared)
    for table in ("stay", "symptom", "test", "contact"):
        declared.lake._catalog.drop_table(("hutong", table))
    assess_risk_areas(declared, by=LI, rule=shipped_rule(), as_of=AS_OF)
    run = level_actions.decide_levels(declared, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert run.levels == {"low": 5, "medium": 2, "high": 0, "unknown": 1}


def test_levels_need_areas_of_that_day_and_power(region: Node, clock: Clock) -> None:
    with pytest.raises(Conflict, match="not assessed"):
        level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=date(2026, 2, 27))
    with pytest.raises(Refused):
        level_actions.decide_levels(region, by=STEWARD, rulebook_id="dengue-3", as_of=AS_OF)
    with pytest.raises(NotFound):
        level_actions.decide_levels(region, by=LI, rulebook_id="dengue-9", as_of=AS_OF)
    clock.now = datetime(2026, 3, 31, 0, 0, 1, tzinfo=UTC)
    with pytest.raises(Refused, match="rulebook"):
        level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=AS_OF)


def test_a_pass_says_the_level_and_nothing_about_whom(region: Node, records: str) -> None:
    issued = pass_actions.issue_pass(region, by=LI, person=" r6 ", hours=48)
    read = read_pass(issued.text, keys=[region.keys.pass_certificate])
    assert read.claims is not None
    assert (read.signature_valid, read.claims.level, read.claims.issuer) == (True, "high", "tw")
    assert read.claims.issued_at == datetime(2026, 3, 1, 8, tzinfo=UTC)  # the rulebook began on that day
    assert read.claims.expires_at == datetime(2026, 3, 4, tzinfo=UTC)
    assert is_held_by(read.claims, decode_base64url(issued.holder_secret, "secret"))
    assert [reason.rule_id for reason in issued.reasons] == ["test-0-7"]
    assert dict(issued.evidence_dates) == {"days_since_positive_test": "2026-02-25"}
    assert read_pass(issued.qr_png(), keys=[region.keys.pass_certificate]).claims == read.claims
    assert issued.qr_svg().startswith("<svg")
    record = pass_queries.pass_record(region, issued.pass_id)
    assert (record.level, record.rulebook, record.revoked_at) == ("high", "dengue-3@1.1.0", None)


def test_the_log_and_the_pass_tell_nothing_personal(region: Node) -> None:
    issued = pass_actions.issue_pass(region, by=LI, person="R6")
    (event,) = events(region, "pass.issued")
    assert set(event) == {"kind", "by", "at", "mark", "rulebook", "version"}
    told = str([entry.event for entry in region.log.entries(limit=500)]) + issued.text
    for secret in (*RESIDENTS, *(pseudonym(region, number) for number in RESIDENTS), "Name of"):
        assert secret not in told.replace("HC1:", "").split("'")


def test_two_passes_of_one_person_share_nothing_but_issuer_level_version_and_day(region: Node) -> None:
    one, two = (pass_actions.issue_pass(region, by=LI, person="R1") for _ in range(2))
    assert one.pass_id != two.pass_id
    assert one.holder_secret != two.holder_secret
    assert abs(one.status_index - two.status_index) > 0
    again = pass_actions.issue_pass(region, by=LI, person=pseudonym(region, "R1"))
    assert again.level == one.level


def test_residents_get_their_own_pass_only(region: Node) -> None:
    resident = Actor("r1", "account", frozenset({"resident"}), "tw")
    assert pass_actions.issue_pass(region, by=resident, person="R1").level == "medium"
    for person in ("R2", pseudonym(region, "R2"), "R404"):
        with pytest.raises(Refused):
            pass_actions.issue_pass(region, by=resident, person=person)
    for actor in (PUBLIC, STEWARD, Actor("pe", "party", represents="pe")):
        with pytest.raises(Refused):
            pass_actions.issue_pass(region, by=actor, person="R1")


def test_a_pass_that_may_not_be_issued(region: Node, clock: Clock) -> None:
    for hours in (0, -1, MAX_HOURS + 1):
        with pytest.raises(BadInput, match="hours"):
            pass_actions.issue_pass(region, by=LI, person="R1", hours=hours)
    with pytest.raises(NotFound):
        pass_actions.issue_pass(region, by=LI, person="R404")
    with pytest.raises(Refused, match="not known"):
        pass_actions.issue_pass(region, by=LI, person="R4")
    clock.advance(days=8)
    with pytest.raises(Refused, match="seven days"):
        pass_actions.issue_pass(region, by=LI, person="R1")


def test_before_levels_were_decided_there_is_no_pass(declared: Node) -> None:
    with pytest.raises(NotFound, match="No levels"):
        pass_actions.issue_pass(declared, by=LI, person="R1")


def test_a_level_of_an_older_version_gives_no_pass(region: Node) -> None:
    rulebook_actions.publish_rulebook(region, by=LI, second=WANG, document=book(version="1.2.0"))
    with pytest.raises(Refused, match="decided by version"):
        pass_actions.issue_pass(region, by=LI, person="R1")
    level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert pass_actions.issue_pass(region, by=LI, person="R1").version == "1.2.0"


def decide_again(node: Node) -> None:
    level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=AS_OF)


def test_everything_ends(region: Node, clock: Clock) -> None:
    """Moving the clock: a pass ends with its rulebook, and after it nothing can be issued, decided or published."""
    clock.now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    decide_again(region)
    issued = pass_actions.issue_pass(region, by=LI, person="R1", hours=MAX_HOURS)
    assert issued.expires_at == datetime(2026, 3, 31, tzinfo=UTC)
    clock.now = datetime(2026, 3, 31, tzinfo=UTC)
    with pytest.raises(Refused, match="rulebook"):
        pass_actions.issue_pass(region, by=LI, person="R1")
    clock.now = datetime.combine(SUNSET, datetime.min.time(), UTC)
    for attempt in (
        lambda: pass_actions.issue_pass(region, by=LI, person="R1"),
        lambda: decide_again(region),
        lambda: rulebook_actions.publish_rulebook(region, by=LI, second=WANG, document=book(version="9.0.0")),
        lambda: recognition_actions.publish_acceptance(
            region,
            by=LI,
            second=WANG,
            document=shipped_document("scenes/dengue-three-levels", **PERIOD, version="9.0.0"),
        ),
    ):
        with pytest.raises(Refused, match="in force"):
            attempt()


def test_ending_the_emergency_early_ends_its_powers(region: Node) -> None:
    governance.end_emergency(region, by=region.operator, emergency_id="dengue-2015")
    with pytest.raises(Refused, match="ended"):
        pass_actions.issue_pass(region, by=LI, person="R1")
    with pytest.raises(Refused, match="ended"):
        decide_again(region)


def test_two_persons_revoke_one_pass_and_its_sibling_stays(region: Node, records: str) -> None:
    fake, sibling = (pass_actions.issue_pass(region, by=LI, person="R1") for _ in range(2))
    before = status_list.read(own_lists.status_list(region), [region.keys.pass_certificate])
    assert before.count() == 0
    pass_actions.revoke_pass(
        region, by=LI, second=WANG, pass_id=fake.pass_id, rule_id="forged", reason=" A copy was sold. "
    )
    after = status_list.read(own_lists.status_list(region), [region.keys.pass_certificate])
    assert after.number > before.number
    assert (after.is_revoked(fake.status_index), after.is_revoked(sibling.status_index)) == (True, False)
    assert after.count() == 1
    record = pass_queries.pass_record(region, fake.pass_id)
    assert (record.revoked_by_rule, record.revoked_because) == ("forged", "A copy was sold.")
    (event,) = events(region, "pass.revoked")
    assert (event["rule"], event["second"]) == ("forged", "wang")
    assert "sold" not in str(event) and fake.pass_id not in str(event)
    (told,) = key_queries.revocations(region)
    assert (told.pass_id, told.rule, told.by, told.second) == (fake.pass_id, "forged", "li", "wang")
    with pytest.raises(Conflict, match="before"):
        pass_actions.revoke_pass(region, by=LI, second=WANG, pass_id=fake.pass_id, rule_id="forged", reason="x")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"second": LI}, Refused),
        ({"second": STEWARD}, Refused),
        ({"by": PUBLIC}, Refused),
        ({"rule_id": "because-i-say-so"}, BadInput),
        ({"reason": "  "}, BadInput),
        ({"reason": "x" * 501}, BadInput),
        ({"pass_id": "0" * 16}, NotFound),
    ],
)
def test_a_revocation_without_rule_reason_or_second_person(region: Node, change: dict[str, Any], error: Any) -> None:
    issued = pass_actions.issue_pass(region, by=LI, person="R1")
    order = {"by": LI, "second": WANG, "pass_id": issued.pass_id, "rule_id": "forged", "reason": "why", **change}
    with pytest.raises(error):
        pass_actions.revoke_pass(region, **order)
    assert pass_queries.pass_record(region, issued.pass_id).revoked_at is None


def test_a_rule_of_the_rulebook_may_revoke_too(region: Node) -> None:
    issued = pass_actions.issue_pass(region, by=LI, person="R1")
    assert "residence-high" not in REVOCATION_RULES
    pass_actions.revoke_pass(
        region, by=LI, second=WANG, pass_id=issued.pass_id, rule_id="residence-high", reason="The area is free now."
    )
    assert pass_queries.pass_record(region, issued.pass_id).revoked_by_rule == "residence-high"


def test_a_full_list_is_followed_by_the_next(region: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_lists, "LIST_POSITIONS", 8)
    indices = [pass_actions.issue_pass(region, by=LI, person="R1").status_index for _ in range(20)]
    assert len(set(indices)) == 20
    assert {index >> 24 for index in indices} == {0, 1, 2}
    lists = [status_list.read(own_lists.status_list(region, n), [region.keys.pass_certificate]) for n in range(3)]
    assert [one.list_number for one in lists] == [0, 1, 2]
    with pytest.raises(NotFound):
        own_lists.status_list(region, 3)


def test_a_crosswalk_fits_its_rulebook(region: Node) -> None:
    walk = shipped_document("crosswalks/dengue-three-levels", **PERIOD)
    for change, error in (
        ({"version": "1.0.0"}, Conflict),
        ({"version": "2.0.0", "major": 2}, BadInput),
        ({"version": "2.0.0", "rulebook": "dengue-9"}, NotFound),
        ({"version": "2.0.0", "valid_to": "2026-03-31T00:00:01+00:00"}, BadInput),
        ({"version": "2.0.0", "levels": walk["levels"][:2]}, BadInput),
    ):
        with pytest.raises(error):
            recognition_actions.publish_crosswalk(region, by=LI, second=WANG, document={**walk, **change})
    with pytest.raises(Refused):
        recognition_actions.publish_crosswalk(region, by=LI, second=LI, document={**walk, "version": "2.0.0"})
    recognition_actions.publish_crosswalk(region, by=LI, second=WANG, document={**walk, "version": "1.1.0"})
    assert [one.version for one in recognition_queries.crosswalks(region)] == ["1.1.0"]
    assert "crosswalk.published" in kinds(region)


def test_a_pass_is_kept_without_a_name(region: Node) -> None:
    pass_actions.issue_pass(region, by=LI, person="R1")
    with region.records.reading() as connection:
        row = connection.execute(sa.select(schema.issued_pass)).mappings().one()
    assert "Name of R1" not in str(dict(row))
    assert row["pseudonym"] == pseudonym(region, "R1")


def test_a_population_of_fifty_thousand_takes_no_more_than_a_few_seconds(region: Node) -> None:
    """Guards the shape (set-based, no loop over persons); the figure itself is the benchmark's."""
    count = 50_000
    people = pa.table(
        {
            "pseudonym": [f"{number:032x}" for number in range(count)],
            "residence_area_code": [f"TW-00{1 + number % 3}" for number in range(count)],
            "known_at": pa.array([datetime(2026, 2, 26, tzinfo=UTC)] * count, pa.timestamp("us", "UTC")),
            "receipt_id": ["r"] * count,
            "row_number": pa.array(range(count), pa.int64()),
        }
    )
    held = region.lake._load("person").schema().as_arrow()
    full = pa.table(
        {
            field.name: people[field.name] if field.name in people.column_names else pa.nulls(count, field.type)
            for field in held
        }
    )
    region.lake.replace("person", full)
    run = level_actions.decide_levels(region, by=LI, rulebook_id="dengue-3", as_of=AS_OF)
    assert run.persons == count
    assert run.levels["medium"] == -(-count // 3)
    assert run.seconds < 15
