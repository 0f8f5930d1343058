"""Rulebooks: what is refused at publication, and how a level is decided."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Conflict, LimitExceeded, NotFound
from hutong.passes.documents import document_hash, parse_document, read_document, shipped_document
from hutong.passes.rulebook.rulebook import UNKNOWN, Rulebook, decide_level, parse_rulebook, require_successor

NAMES = ("dengue-three-levels", "dengue-four-levels")
BOOKS = {name: parse_rulebook(shipped_document(name)) for name in NAMES}


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(shipped_document(NAMES[0]))


def _facts() -> st.SearchStrategy[dict[str, Any]]:
    risk = st.sampled_from([None, "low", "medium", "high"])
    truth = st.sampled_from([None, True, False])
    return st.fixed_dictionaries(
        {
            "residence_risk": risk,
            "stay_risk_max_14d": risk,
            "days_since_positive_test": st.none() | st.integers(-3, 40),
            "days_since_case": st.none() | st.integers(-3, 40),
            **dict.fromkeys(("fever", "symptoms", "declared_risk_area_stay", "contact_of_case"), truth),
        }
    )


@pytest.mark.parametrize(("name", "rules"), list(zip(NAMES, (14, 12), strict=True)))
def test_shipped_rulebooks_parse_and_pass_their_tests(name: str, rules: int) -> None:
    rulebook = BOOKS[name]
    assert (len(rulebook.rules), rulebook.disease) == (rules, "dengue")
    assert len(rulebook.tests) >= 10
    assert {test.level for test in rulebook.tests} == {*(level.code for level in rulebook.levels), UNKNOWN}
    assert {rule for test in rulebook.tests for rule in test.rule_ids} == {rule.id for rule in rulebook.rules}
    assert rulebook.hash == document_hash(shipped_document(name))
    assert len("pe" + rulebook.id + max((level.code for level in rulebook.levels), key=len)) <= 20


def _set(path: str, value: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        target: Any = document
        for part in parents:
            target = target[int(part)] if part.isdigit() else target[part]
        if value is None:
            del target[last]
        else:
            target[int(last) if last.isdigit() else last] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("valid_to", None), "no 'valid_to'"),
        (_set("valid_to", "2014-01-01T00:00:00Z"), "ends before"),
        (_set("valid_to", "2016-01-01T00:00:00"), "without an offset"),
        (_set("valid_to", 2016), "no date-time"),
        (_set("version", "1.0"), "1.2.3"),
        (_set("version", 1.0), "1.2.3"),
        (_set("rules/0/text/zh", None), "no 'text' in 'zh'"),
        (_set("rules/0/text/en", " "), "no 'text' in 'en'"),
        (_set("levels/1/meaning/zh", None), "no 'meaning' in 'zh'"),
        (_set("legal_basis/zh", None), "no 'legal_basis' in 'zh'"),
        (_set("default/text/zh", None), "no 'text' in 'zh'"),
        (_set("evidence/0/meaning/en", None), "no 'meaning' in 'en'"),
        (_set("rules/0/level", "purple"), "unknown level"),
        (_set("default/level", "green"), "unknown level"),
        (_set("tests/0/level", "green"), "unknown level"),
        (_set("rules/1/id", "case-0-7"), "twice"),
        (_set("levels/1/code", "low"), "twice"),
        (_set("evidence/1/name", "residence_risk"), "twice"),
        (_set("levels/1/code", "unknown"), "reserved"),
        (_set("levels", [{"code": "low"}]), "3 to 5 levels"),
        (_set("rules/0/condition", {"or": [True, False]}), "unrecognised operator"),
        (_set("rules/0/condition", None), "not valid CertLogic"),
        (_set("rules/0/condition", {"var": "ethnicity"}), "not declared"),
        (_set("rules/0/condition", {"var": "residence_risk.x"}), "not declared"),
        (_set("rules/0/condition", {"var": ""}), "not declared"),
        (_set("rules/0/condition", {"<=": [{"var": "days_since_positive_test"}, 7]}), "may occur"),
        (_set("rules/0/condition", {"<": [{"var": "symptoms"}, 7]}), "may occur"),
        (_set("tests/0/level", "high"), "fails its own test"),
        (_set("tests/3/rules", ["contact"]), "fails its own test"),
        (_set("tests", []), "1 to 1000 tests"),
        (_set("rules", []), "1 to 1000 rules"),
        (_set("evidence/0/type", "float"), "unknown type"),
        (_set("evidence/0/values", None), "codes"),
        (_set("evidence/2/required", "yes"), "neither true nor false"),
        (_set("evidence/2/name", "a b"), "no usable name"),
        (_set("rules/0/colour", "red"), "is not known"),
        (_set("emergency", None), "'emergency'"),
        (_set("disease", ["dengue"]), "'disease'"),
        (_set("id", "Dengue 3"), "'id'"),
    ],
)
def test_what_may_not_be_published_is_refused(document: dict[str, Any], change: Any, says: str) -> None:
    change(document)
    with pytest.raises(BadInput, match=says):
        parse_rulebook(document)


def test_every_language_of_the_node_is_wanted(document: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="'es'"):
        parse_rulebook(document, languages=("en", "zh", "es"))


def test_without_a_default_nobody_gets_the_best_level(document: dict[str, Any]) -> None:
    del document["default"]
    document["tests"] = [{"name": "nothing", "facts": {"residence_risk": "low"}, "level": UNKNOWN}]
    decision = decide_level(parse_rulebook(document), {"residence_risk": "low"})
    assert (decision.level, decision.rule_ids) == (UNKNOWN, ())
    assert decision.reasons[0].rule_id == "no-rule"


def test_missing_required_evidence_gives_no_default_and_is_named() -> None:
    decision = decide_level(BOOKS[NAMES[0]], {"symptoms": False})
    assert decision.level == UNKNOWN
    assert "where you live" in decision.reasons[0].texts["en"]
    assert "居住地区" in decision.reasons[0].texts["zh"]


def test_a_decision_says_rulebook_rules_and_when_the_evidence_was_true() -> None:
    facts = {"residence_risk": "high", "stay_risk_max_14d": "high", "name": "never read"}
    dates = {"residence_risk": "2015-09-01", "stay_risk_max_14d": "2015-09-03", "symptoms": "2015-09-04"}
    decision = decide_level(BOOKS[NAMES[0]], facts, evidence_dates=dates)
    assert (decision.level, decision.rulebook_id, decision.version) == ("medium", "dengue-3", "1.1.0")
    assert decision.rule_ids == ("residence-high", "stay-high")
    assert decision.evidence_dates == (("residence_risk", "2015-09-01"), ("stay_risk_max_14d", "2015-09-03"))
    assert [set(reason.texts) for reason in decision.reasons] == [{"en", "zh"}] * 2


@pytest.mark.parametrize(
    "facts",
    [
        {"residence_risk": "purple"},
        {"residence_risk": 3},
        {"symptoms": 1},
        {"symptoms": "true"},
        {"days_since_positive_test": True},
        {"days_since_positive_test": 1.5},
        {"days_since_positive_test": "3"},
        {"residence_risk": ["high"]},
    ],
)
def test_a_fact_of_another_type_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        decide_level(BOOKS[NAMES[0]], facts)


@settings(max_examples=100)
@given(_facts(), st.sampled_from(NAMES))
def test_the_most_severe_rule_wins_and_all_of_its_level_are_listed(facts: dict[str, Any], name: str) -> None:
    rulebook = BOOKS[name]
    decision = decide_level(rulebook, facts)
    fired = [rule for rule in rulebook.rules if rule.fires({rule: facts.get(rule) for rule in facts})]
    if not fired:
        assert decision.rule_ids == ()
        assert decision.level == (UNKNOWN if facts["residence_risk"] is None else "low")
        return
    assert rulebook.severity(decision.level) == max(rulebook.severity(rule.level) for rule in fired)
    assert decision.rule_ids == tuple(rule.id for rule in fired if rule.level == decision.level)
    assert len(decision.reasons) == len(decision.rule_ids) > 0


@settings(max_examples=100)
@given(_facts(), st.sampled_from(NAMES), st.sampled_from([None, True, False]), st.none() | st.integers(-3, 400))
def test_to_be_or_not_to_be_vaccinated_raises_nobody(
    facts: dict[str, Any], name: str, complete: bool | None, days: int | None
) -> None:
    """Whatever is recorded of somebody's immunisation, their level is never above that of whom nothing is recorded."""
    rulebook = BOOKS[name]
    vaccinated = {**facts, "series_complete": complete, "days_since_last_dose": days, "doses": 1}
    with_it, without = decide_level(rulebook, vaccinated).level, decide_level(rulebook, facts).level
    if with_it == UNKNOWN:  # a contact who is excused is as all others whose home is not known
        assert facts["residence_risk"] is None
        assert without == UNKNOWN or facts["contact_of_case"]
    else:
        assert rulebook.severity(with_it) <= rulebook.severity(without)


def test_a_version_must_rise(document: dict[str, Any]) -> None:
    def version(number: str) -> Rulebook:
        return parse_rulebook({**document, "version": number})

    require_successor(version("1.9.0"), version("1.10.0"))
    for lower in ("1.9.0", "1.8.9", "0.10.0"):
        with pytest.raises(Conflict):
            require_successor(version("1.9.0"), version(lower))
    with pytest.raises(BadInput):
        require_successor(version("1.9.0"), BOOKS[NAMES[1]])


def test_a_rulebook_is_in_force_from_its_first_to_before_its_last_instant() -> None:
    rulebook = BOOKS[NAMES[0]]
    assert rulebook.in_force(rulebook.period.start)
    assert not rulebook.in_force(rulebook.period.end)
    assert not rulebook.in_force(datetime(2030, 1, 1, tzinfo=UTC))


def test_the_hash_depends_on_every_field_but_not_on_their_order(document: dict[str, Any]) -> None:
    turned = dict(reversed(document.items()))
    assert parse_rulebook(turned).hash == parse_rulebook(document).hash
    document["rules"][0]["text"]["en"] += "!"
    assert parse_rulebook(document).hash != parse_rulebook(turned | {"emergency": "other"}).hash


def test_evidence_of_dates_is_read_as_text(document: dict[str, Any]) -> None:
    meaning = {"en": "Day of arrival", "zh": "到达日期"}
    document["evidence"].append({"name": "arrival", "type": "date", "meaning": meaning})
    recent = {
        "if": [
            {"var": "arrival"},
            {"after": [{"plusTime": [{"var": "arrival"}, 0, "day"]}, {"plusTime": ["2015-09-01", 0, "day"]}]},
            False,
        ]
    }
    document["rules"][0]["condition"] = recent
    document["tests"] = [{"name": "late", "facts": {"arrival": "2015-09-02"}, "level": "high"}]
    rulebook = parse_rulebook(document)
    for wrong in ("2015-09", "2015-09-31", "yesterday", 20150902):
        with pytest.raises(BadInput):
            decide_level(rulebook, {"arrival": wrong})


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"a: &x [1]\nb: *x", "alias"),
        (b"a: 1\na: 2", "twice"),
        (b'{"a": {"b": 1, "b": 2}}', "twice"),
        (b"a: [", "neither YAML nor JSON"),
        (b"\xff\xfe", "UTF-16"),
        (b"- 1", "no object"),
        (b"", "no object"),
        (b"a: !!python/object/apply:os.system ['true']", "neither YAML nor JSON"),
    ],
)
def test_files_that_hold_no_document_are_refused(raw: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_document(raw, "rules.yaml")


def test_documents_are_bounded_and_dates_stay_text(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded):
        parse_document(b"a: " + b"x" * 2**20, "rules.yaml")
    with pytest.raises(LimitExceeded):
        parse_document(b"a: " + b"[" * 5000, "rules.yaml")
    (tmp_path / "a.yaml").write_bytes("\ufeffday: 2015-09-01".encode())
    assert read_document(tmp_path / "a.yaml") == {"day": "2015-09-01"}
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(NotFound):
            read_document(path)
    for name in ("../documents", "scenes/absent", "/etc/passwd"):
        with pytest.raises(NotFound):
            shipped_document(name)
    assert shipped_document(NAMES[0], emergency="flood-2031")["emergency"] == "flood-2031"
