"""Rules for EU certificates: the published sets of ten countries, which rules count, and what may be published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hutong.errors import BadInput
from hutong.passes.documents import shipped_document
from hutong.passes.draft.draft import of_scenes
from hutong.passes.recognition.eu_rules import EuRules, judge_certificate, parse_eu_rules, read_eu_rules
from hutong.passes.recognition.recognition import Scene, parse_acceptance, read_acceptance
from tests.passes.eu_rules_suite import GROUPS, suites

AT = datetime(2021, 9, 1, 12, tzinfo=UTC)
LANGUAGES = ("en", "zh")
SCENES = tuple(Scene)


def rule(**changes: Any) -> dict[str, Any]:
    """An acceptance rule for vaccinations in XA that holds of everything, unless ``changes`` say otherwise."""
    return {
        "Identifier": "VR-XA-0001",
        "Type": "Acceptance",
        "Country": "XA",
        "Version": "1.0.0",
        "SchemaVersion": "1.0.0",
        "Engine": "CERTLOGIC",
        "EngineVersion": "0.7.5",
        "CertificateType": "Vaccination",
        "Description": [{"lang": "en", "desc": "Fully vaccinated."}, {"lang": "zh", "desc": "已完成接种。"}],
        "ValidFrom": "2021-07-01T00:00:00Z",
        "ValidTo": "2022-01-01T00:00:00Z",
        "AffectedFields": ["v.0"],
        "Logic": True,
    } | changes


def section(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"country": "XA", "scenes": ["border"], "rules": list(rules), "value_sets": {"codes": ["a"]}} | changes


def says(rules: EuRules | None, payload: Any = None, at: datetime = AT, **more: Any) -> tuple[str, list[str]]:
    assert rules is not None
    given = {"ver": "1.3.0", "v": [{"dn": 2, "sd": 2}]} if payload is None else payload
    asked = {"scene": "border", "issuer_country": "XB"} | more
    verdict = judge_certificate(given, rules, at=at, issued_at=at, expires_at=at + timedelta(days=1), **asked)
    return str(verdict.answer), [reason.rule_id for reason in verdict.reasons]


def answer(*rules: dict[str, Any], **more: Any) -> tuple[str, list[str]]:
    return says(parse_eu_rules(section(*rules), "The rules", LANGUAGES, SCENES), **more)


@pytest.mark.conformance
def test_the_sets_of_ten_countries_decide_as_their_own_cases_say(fixtures: Path) -> None:
    """A case is about one rule: of a whole certificate that rule is among the broken ones, or it is not."""
    told, answers = 0, set()
    for suite in suites(fixtures / "dcc-business-rules"):
        rules = parse_eu_rules(suite.rules, "The rules", LANGUAGES, SCENES)
        for case in suite.cases:
            found, reasons = says(rules, case.payload, case.at)
            answers.add(found)
            meant = next(one for one in rules.rules if one.reason.rule_id == case.rule_id)
            held = [group for group in GROUPS if case.payload.get(group)]
            if reasons == ["not-one-entry"] or not meant.is_in_force(case.at) or held[0] not in meant.groups:
                continue
            told += 1
            if found == "refused":
                assert (case.rule_id in reasons) is not case.expected, case
            else:
                assert case.expected or found == "unknown", case
    assert told == 541
    assert answers == {"accepted", "refused", "unknown"}


def test_of_each_rule_the_newest_version_in_force_counts() -> None:
    old, new = rule(Logic=False), rule(Version="1.10.0", ValidFrom="2021-08-01T00:00:00Z")
    between = rule(Version="1.9.0", Logic=False)
    assert answer(old, new, between) == ("accepted", ["VR-XA-0001"])
    assert answer(new, old, at=datetime(2021, 7, 31, tzinfo=UTC)) == ("refused", ["VR-XA-0001"])
    assert answer(new, at=datetime(2021, 8, 1, tzinfo=UTC))[0] == "accepted"
    end = datetime(2022, 1, 1, tzinfo=UTC)
    assert answer(new, at=end)[0] == "accepted"
    assert answer(new, at=end + timedelta(milliseconds=1)) == ("unknown", ["no-rule-for-certificate"])


def test_rules_count_by_country_and_type_of_certificate() -> None:
    general = rule(CertificateType="General", Identifier="GR-XA-0001")
    test = rule(CertificateType="Test", Identifier="TR-XA-0001", Logic=False)
    abroad = rule(Country="XC", Identifier="VR-XC-0001", Logic=False)
    assert answer(rule(), general, test, abroad) == ("accepted", ["VR-XA-0001", "GR-XA-0001"])
    withdrawn = rule(Type="Invalidation", Country="XB", Identifier="IR-XB-0001", Logic=False)
    assert answer(rule(), withdrawn) == ("refused", ["IR-XB-0001"])
    assert answer(rule(), withdrawn, issuer_country="XD") == ("accepted", ["VR-XA-0001"])
    recovery = {"ver": "1.3.0", "r": [{}]}
    assert answer(rule(), withdrawn, payload=recovery) == ("unknown", ["no-rule-for-certificate"])
    assert answer(rule(), scene="school") == ("unknown", ["no-rule-for-scene"])


@pytest.mark.parametrize(
    "payload",
    [
        {"ver": "1.3.0"},
        {"ver": "1.3.0", "v": []},
        {"ver": "1.3.0", "v": [{}, {}]},
        {"ver": "1.3.0", "v": [{}], "t": [{}]},
        {"ver": "1.3.0", "v": [{}], "t": "no list"},
        {"ver": "1.3.0", "v": {"0": {}}},
    ],
)
def test_other_than_one_entry_is_unknown(payload: dict[str, Any]) -> None:
    assert answer(rule(), payload=payload) == ("unknown", ["not-one-entry"])


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({"Logic": {"var": "payload.v.0.dn"}}, None),
        ({"Logic": {"<": [{"var": "payload.v.0.no"}, 1]}}, None),
        ({"SchemaVersion": "1.3.1"}, None),
        ({"SchemaVersion": "2.0.0"}, None),
        ({}, {"v": [{}]}),
        ({}, {"ver": 1, "v": [{}]}),
    ],
)
def test_what_a_rule_cannot_say_is_unknown(changes: dict[str, Any], payload: Any) -> None:
    assert answer(rule(**changes), payload=payload) == ("unknown", ["rule-not-understood", "VR-XA-0001"])
    refused = rule(Identifier="VR-XA-0002", Logic=False)
    if payload is None:
        assert answer(rule(**changes), refused) == ("refused", ["VR-XA-0002"])


@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        ("validationClock", "2021-09-01T12:00:00.000+00:00"),
        ("iat", "2021-09-01T12:00:00.000+00:00"),
        ("exp", "2021-09-02T12:00:00.000+00:00"),
        ("countryCode", "XA"),
        ("issuerCountryCode", "XB"),
        ("valueSets.codes.0", "a"),
    ],
)
def test_rules_read_what_the_eu_calls_external_parameters(read: str, wanted: str) -> None:
    logic = {"===": [{"var": f"external.{read}"}, wanted]}
    assert answer(rule(Logic=logic)) == ("accepted", ["VR-XA-0001"])


BAD = [
    section(),
    section(rule(), country="xa"),
    section(rule(), scenes=[]),
    section(rule(), scenes=["moon"]),
    section(rule(), region="north"),
    section(rule(), value_sets={"codes": "a"}),
    section(rule(), value_sets={"codes": [1]}),
    section(rule(Country="XB")),
    section(rule(), rule()),
    section("rule"),  # type: ignore[arg-type]
    *(section(rule(**change)) for change in (
        {"Identifier": "vr 1"},
        {"Type": "Advice"},
        {"Type": []},
        {"CertificateType": ["Test"]},
        {"Version": "1"},
        {"SchemaVersion": None},
        {"Engine": "OTHER"},
        {"EngineVersion": "1.4.0"},
        {"ValidTo": "2021-07-01T00:00:00Z"},
        {"ValidTo": None},
        {"Description": [{"lang": "en", "desc": "Fully vaccinated."}]},
        {"Description": [{"lang": "en"}]},
        {"Region": "XA-N"},
        {"Logic": {"frobnicate": [1]}},
        {"Logic": {"var": "external.kid"}},
        {"Logic": {"var": ""}},
    )),
]  # fmt: skip


@pytest.mark.parametrize("document", BAD)
def test_rules_that_are_not_whole_are_not_published(document: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_eu_rules(document, "The rules", LANGUAGES, SCENES)


@pytest.mark.parametrize(
    "change",
    [
        {"Region": "XA-N"},
        {"EngineVersion": "1.4.0"},
        {"Logic": {"frobnicate": [1]}},
        {"Logic": {"var": "external.kid"}},
    ],
)
def test_a_rule_of_a_newer_edition_is_unknown_where_it_counts(change: dict[str, Any]) -> None:
    newer = read_eu_rules(section(rule(**change), rule(CertificateType="Test")), SCENES)
    assert says(newer) == ("unknown", ["rule-not-understood", "VR-XA-0001"])
    assert says(newer, {"ver": "1.3.0", "t": [{}]})[0] == "accepted"


@pytest.mark.parametrize("document", [None, [], section(), section(rule(), region="x"), section(rule(Type="Advice"))])
def test_rules_of_another_form_are_none_to_a_reader_and_spoil_nothing_else(document: Any) -> None:
    assert read_eu_rules(document, SCENES) is None
    whole = shipped_document("scenes/dengue-three-levels")
    assert read_acceptance(whole | {"eu_dcc": document}).scenes.keys() == read_acceptance(whole).scenes.keys()


def test_they_are_told_to_who_publishes_the_acceptance_rules() -> None:
    """Line by line, at each scene where they count."""
    document = shipped_document("scenes/dengue-three-levels", eu_dcc=section(rule(), scenes=["border", "transport"]))
    lines = of_scenes(parse_acceptance(document), AT).lines
    told = [(line.gives, dict(line.texts)) for line in lines if line.id == "VR-XA-0001"]
    texts = {"en": "Fully vaccinated.", "zh": "已完成接种。"}
    assert told == [("border", texts), ("transport", texts)]
    with pytest.raises(BadInput, match=r"eu_dcc"):
        parse_acceptance(document | {"eu_dcc": section(rule(Logic={"frobnicate": [1]}))})
