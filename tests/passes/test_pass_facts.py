"""Further facts on a pass: chosen by name, sealed by fresh salts, shown one by one, and never who somebody is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Refused
from hutong.node import Node
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.credential.hcert import unpack
from hutong.passes.credential.level_pass import disclose, read_facts
from hutong.passes.credential.picture import draw_png, version_of
from hutong.passes.credential.read import read_pass
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import batch_actions, held_pass, pass_facts, renewal_actions
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verdict import Answer
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.trust.authorisation import Actor
from tests.conftest import NewNode
from tests.passes import region as regions
from tests.passes.region import FROM, LI, STEWARD, TO, pseudonym

R6 = Actor("r6", "account", frozenset({"resident"}), "tw")
NEGATIVE = {"disease": "dengue", "kind": "pcr", "result": "negative"}
OF_R6 = {
    "level-reasons": "test-0-7",
    "residence-risk": "low",
    "residence-risk-on": "2026-02-28",
    "positive-test-on": "2026-02-25",
    "test-on": "2026-02-26",
    "test-disease": "dengue",
    "test-result": "negative",
    "test-negative-on": "2026-02-26",
    "vaccinated-on": "2026-01-05",
    "vaccinated-against": "dengue",
}


def vaccinated(node: Node) -> Node:
    """The small region, and what is known of R6: positive, then negative, with results to come, and vaccinated."""
    name = {"pseudonym": pseudonym(node, "R6")}
    tests: list[dict[str, Any]] = [
        {**name, **NEGATIVE, "result": "positive", "sampled_at": datetime(2026, 2, 25, 9, tzinfo=UTC)},
        {**name, **NEGATIVE, "sampled_at": datetime(2026, 2, 26, 9, tzinfo=UTC)},
        {**name, **NEGATIVE, "result": "pending", "sampled_at": datetime(2026, 2, 27, 9, tzinfo=UTC)},
        {**name, **NEGATIVE, "result": "positive", "sampled_at": datetime(2027, 1, 1, tzinfo=UTC)},
        {**NEGATIVE, "pseudonym": pseudonym(node, "R2"), "sampled_at": datetime(2026, 2, 20, tzinfo=UTC)},
    ]
    doses = [
        {**name, "disease": "dengue", "vaccine": "J07BX04", "dose_number": number, "vaccination_date": day}
        for number, day in enumerate((date(2025, 10, 5), date(2026, 1, 5)), start=1)
    ]
    regions.put(node, "test", tests)
    regions.put(node, "immunization", doses)
    return node


@pytest.fixture
def region(new_region: NewNode) -> Node:
    return vaccinated(new_region())


def read(node: Node, text: str) -> Any:
    return read_pass(text, keys=[node.keys.pass_certificate])


def test_a_pass_is_minimal_unless_facts_are_chosen(region: Node) -> None:
    plain = pass_actions.issue_pass(region, by=LI, person="R6")
    assert (dict(plain.disclosures), read(region, plain.text).claims.digests) == ({}, ())
    assert len(unpack(plain.text)) <= 160
    assert version_of(plain.text) <= 11


def test_chosen_facts_are_sealed_and_shown_one_by_one(region: Node, records: str) -> None:
    issued = pass_actions.issue_pass(region, by=R6, person="R6", facts=["test-negative-on", "vaccinated-on"])
    assert set(issued.disclosures) == {"test-negative-on", "vaccinated-on"}
    sealed = read(region, issued.text)
    assert (sealed.payload["facts"], len(sealed.claims.digests)) == ({}, 2)
    shown = disclose(issued.text, [issued.disclosures["vaccinated-on"]])
    assert read(region, shown).payload["facts"] == {"vaccinated-on": "2026-01-05"}
    both = disclose(issued.text, list(issued.disclosures.values()))
    assert read(region, draw_png(both)).payload["facts"] == {
        "test-negative-on": "2026-02-26",
        "vaccinated-on": "2026-01-05",
    }
    kept = held_pass.held_pass(region, by=R6, text=issued.text, holder_secret=issued.holder_secret)
    assert dict(kept.disclosures) == {}
    assert not any(one in repr(issued) for one in issued.disclosures.values())


def test_what_is_known_of_a_person_may_be_carried_and_nothing_that_names_them(region: Node) -> None:
    found = pass_facts.facts_to_carry(region, by=R6, person="R6")
    assert {one.name: one.value for one in found} == OF_R6
    assert all({"en", "zh"} <= set(one.meaning) for one in found)
    issued = pass_actions.issue_pass(region, by=R6, person="R6", facts=[one.name for one in found])
    told = read_facts(read(region, issued.text).claims, list(issued.disclosures.values()))
    assert dict(told) == OF_R6
    assert version_of(disclose(issued.text, list(issued.disclosures.values()))) <= 40
    for secret in ("R6", "Name of", pseudonym(region, "R6"), regions.QUIET):
        assert secret not in str(told)
    other = {one.name: one.value for one in pass_facts.facts_to_carry(region, by=LI, person="R5")}
    assert (other["symptoms"], other["symptoms-on"]) == (True, "2026-02-25")
    assert not any(name.startswith(("test", "vaccinated")) for name in other)


def test_an_older_negative_test_does_not_hide_a_newer_positive_one(new_region: NewNode) -> None:
    node = new_region()
    name = {"pseudonym": pseudonym(node, "R6")}
    at = datetime(2026, 2, 20, 9, tzinfo=UTC)
    regions.put(
        node,
        "test",
        [
            {**name, **NEGATIVE, "sampled_at": at},
            {**name, **NEGATIVE, "result": "positive", "sampled_at": at.replace(day=25)},
        ],
    )
    known = {one.name: one.value for one in pass_facts.facts_to_carry(node, by=R6, person="R6")}
    assert "test-negative-on" not in known
    assert (known["test-result"], known["test-positive-on"]) == ("positive", "2026-02-25")


def test_a_name_of_nothing_known_is_one_clear_error(region: Node) -> None:
    before = region.log.size()
    for name in ("name", "birth_date", "area_code", "test-positive-on", "x" * 200):
        with pytest.raises(BadInput, match="knows no fact") as refused:
            pass_actions.issue_pass(region, by=LI, person="R6", facts=["test-on", name])
        assert refused.value.do == f"Choose from: {', '.join(sorted(OF_R6))}."
    assert region.log.size() == before
    for actor in (STEWARD, Actor("r1", "account", frozenset({"resident"}), "tw")):
        with pytest.raises(Refused):
            pass_facts.facts_to_carry(region, by=actor, person="R6")


def test_a_fact_that_was_chosen_twice_is_carried_once(region: Node) -> None:
    issued = pass_actions.issue_pass(region, by=LI, person="R6", facts=["test-on"] * 40)
    assert len(read(region, issued.text).claims.digests) == 1


def test_scenes_read_what_is_disclosed_and_verifiers_see_it(region: Node) -> None:
    scenes = shipped_document("scenes/dengue-three-levels", valid_from=FROM, valid_to=TO)
    rule = {
        "id": "tested",
        "condition": {"if": [{"var": "pass.facts.test-negative-on"}, True, False]},
        "text": {"en": "Show a negative test.", "zh": "请出示阴性检测。"},
    }
    scenes["scenes"] = {"border": [rule]}
    issued = pass_actions.issue_pass(region, by=LI, person="R6", facts=["test-negative-on", "test-on"])
    snapshot = bundle_queries.trust_snapshot(region)

    def verified(text: str) -> Any:
        return verify_pass(text, trust=snapshot, rules=scenes, scene=Scene.BORDER, at=region.clock())

    assert verified(issued.text).answer is Answer.REFUSED
    assert verified(disclose(issued.text, [issued.disclosures["test-on"]])).answer is Answer.REFUSED
    shown = verified(disclose(issued.text, [issued.disclosures["test-negative-on"]]))
    assert (shown.answer, dict(shown.facts)) == (Answer.ACCEPTED, {"test-negative-on": "2026-02-26"})
    assert shown.document()["facts"] == {"test-negative-on": "2026-02-26"}
    anothers = pass_actions.issue_pass(region, by=LI, person="R6", facts=["test-negative-on"])
    borrowed = verified(disclose(anothers.text, [issued.disclosures["test-negative-on"]]))
    assert (borrowed.answer, dict(borrowed.facts)) == (Answer.UNKNOWN, {})


def test_a_batch_and_a_renewal_stay_minimal(region: Node) -> None:
    issued = pass_actions.issue_pass(region, by=LI, person="R6", facts=["test-on"])
    assert dict(renewal_actions.renew_pass(region, by=LI, pass_id=issued.pass_id).disclosures) == {}
    for one in batch_actions.issue_batch(region, by=LI, persons=["R6"]).passes:
        assert read(region, one.text).claims.digests == ()


def test_a_batch_carries_the_facts_that_were_chosen_for_it(region: Node, records: str) -> None:
    chosen = ["residence-risk", "test-negative-on"]
    batch = batch_actions.issue_batch(region, by=LI, persons=["R6", "R2", "R1", "nobody"], facts=chosen)
    assert [one.person for one in batch.passes] == ["R6", "R2"]
    for one, day in zip(batch.passes, ("2026-02-26", "2026-02-20"), strict=True):
        assert read(region, one.text).payload["facts"] == {}
        told = read_facts(read(region, one.text).claims, list(one.disclosures.values()))
        assert told == {"residence-risk": "low", "test-negative-on": day}
        assert one.document()["disclosures"] == dict(one.disclosures)
        assert not any(text in repr(one) for text in one.disclosures.values())
    assert dict(batch.refused).keys() == {"R1", "nobody"}
    assert "no fact 'test-negative-on'" in dict(batch.refused)["R1"]
    digests = [digest for one in batch.passes for digest in read(region, one.text).claims.digests]
    assert len(set(digests)) == 4
    assert all(value not in str(region.log.entries(limit=5)) for one in batch.passes for value in one.disclosures)


def test_a_name_that_no_fact_has_refuses_the_batch_once(region: Node) -> None:
    before = region.log.size()
    with pytest.raises(BadInput, match="no fact 'residense-risk'"):
        batch_actions.issue_batch(region, by=LI, persons=["R6", "R2"], facts=["residense-risk"])
    with pytest.raises(BadInput, match="at most 32"):
        batch_actions.issue_batch(region, by=LI, persons=["R6"], facts=[f"fact-{n}" for n in range(33)])
    assert region.log.size() == before


def test_what_a_batch_may_carry_is_what_a_single_pass_may(region: Node) -> None:
    names = {number: pseudonym(region, number) for number in ("R1", "R2", "R5", "R6")}
    levels = {one: appeal_queries.level_in_force(region, one) for one in names.values()}
    for number, one in names.items():
        many = pass_facts.known_facts_of_many(region, levels)[one]
        assert many == pass_facts.facts_to_carry(region, by=LI, person=number) != ()


def test_a_renewed_pass_carries_what_is_chosen_anew(region: Node) -> None:
    old = pass_actions.issue_pass(region, by=R6, person="R6", facts=["test-on"])
    new = renewal_actions.renew_pass(region, by=R6, pass_id=old.pass_id, facts=["vaccinated-on"])
    shown = read(region, disclose(new.text, [new.disclosures["vaccinated-on"]]))
    assert (set(new.disclosures), shown.payload["facts"]) == ({"vaccinated-on"}, {"vaccinated-on": "2026-01-05"})
    with pytest.raises(BadInput, match="knows no fact"):
        renewal_actions.renew_pass(region, by=R6, pass_id=new.pass_id, facts=["name"])


def test_a_fact_adds_seventeen_bytes(region: Node) -> None:
    def size(*facts: str) -> int:
        (one,) = batch_actions.issue_batch(region, by=LI, persons=["R6"], facts=facts).passes
        index = read(region, one.text).claims.status_index  # drawn by chance: one in 256 takes two bytes less
        return len(unpack(one.text)) + 5 - len(cbor2.dumps(index))

    none, one, two, three = (size(*list(OF_R6)[:number]) for number in range(4))
    assert none <= 160
    assert (two - one, three - two) == (17, 17)
    assert one - none <= 17 + 4  # and once, that there are any


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.lists(st.sampled_from(sorted(OF_R6)), unique=True, min_size=1))
def test_two_passes_of_one_person_share_nothing_but_issuer_level_version_and_day(
    region: Node, chosen: list[str]
) -> None:
    one, two = (read(region, pass_actions.issue_pass(region, by=LI, person="R6", facts=chosen).text) for _ in range(2))
    shared = {name for name in one.payload if one.payload[name] == two.payload[name]}
    assert shared == {"level", "rulebook", "version", "status_list", "facts"}
    assert not set(one.claims.digests) & set(two.claims.digests)
    assert one.claims.pass_id != two.claims.pass_id


def test_salts_are_fresh_for_each_fact(region: Node) -> None:
    found = appeal_queries.level_in_force(region, pseudonym(region, "R6"))
    facts = pass_facts.known_facts(region, pseudonym(region, "R6"), found)
    sealed = [one for _ in range(20) for one in pass_facts.chosen_facts(region, facts, OF_R6)]
    assert len({one.salt for one in sealed}) == len(sealed) == 20 * len(OF_R6)
