"""Recognition: crosswalks never raise a level, and a verdict is exactly one of accepted, refused, unknown."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput
from hutong.passes.certlogic.validate import data_accesses
from hutong.passes.documents import shipped_document
from hutong.passes.issuance.pass_facts import all_meanings
from hutong.passes.recognition.crosswalk import SCALE, Crosswalk, convert, parse_crosswalk, read_crosswalk
from hutong.passes.recognition.recognition import (
    AcceptanceRules,
    Scene,
    judge,
    parse_acceptance,
    read_acceptance,
    recognition_matrix,
)
from hutong.passes.recognition.verdict import Answer, Verdict
from hutong.passes.rulebook.rulebook import UNKNOWN, parse_rulebook

from .deployed_levels import LISTS, crosswalk_document

NAMES = ("dengue-three-levels", "dengue-four-levels")
CROSSWALKS = {name: parse_crosswalk(shipped_document(f"crosswalks/{name}")) for name in NAMES}
SCENES = {name: parse_acceptance(shipped_document(f"scenes/{name}")) for name in NAMES}
THREE, FOUR = (CROSSWALKS[name] for name in NAMES)
AT = datetime(2015, 9, 15, 12, tzinfo=UTC)
IN_2021 = datetime(2021, 6, 1, tzinfo=UTC)


def shown(level: Any = "low", *, crosswalk: Crosswalk = THREE, **more: Any) -> dict[str, Any]:
    facts = {"level": level, "rulebook": crosswalk.rulebook, "version": "1.0.0", "issued_at": AT}
    return {**facts, "expires_at": AT + timedelta(days=1), "facts": {}, **more}


def ids(verdict: Verdict) -> list[str]:
    return [reason.rule_id for reason in verdict.reasons]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_crosswalks_cover_the_levels_of_their_rulebooks(name: str) -> None:
    rulebook = parse_rulebook(shipped_document(name))
    crosswalk = CROSSWALKS[name]
    assert [level.code for level in crosswalk.levels] == [level.code for level in rulebook.levels]
    assert (crosswalk.rulebook, crosswalk.major) == (rulebook.id, int(rulebook.version.split(".", maxsplit=1)[0]))


def test_the_deployed_lists_are_eight_and_their_one_means_low_or_high() -> None:
    crosswalks = {name: parse_crosswalk(crosswalk_document(name)) for name in LISTS}
    assert len(crosswalks) == 8
    one = {name: crosswalk.to_scale(1) for name, crosswalk in crosswalks.items() if crosswalk.find(1)}
    assert one == {
        **{"aliyun-iot": "low", "glodon-site": "low", "d-nas": "low"},
        **{"wecom": "high", "dahua-gate": "high"},
    }
    assert crosswalks["hubei"].to_scale("01") == "medium"
    assert crosswalks["hubei"].to_scale(1) == UNKNOWN
    assert crosswalks["wecom"].from_scale("medium") == UNKNOWN
    assert convert(1, crosswalks["dahua-gate"], crosswalks["alipay"]) == "red"
    assert convert("init", crosswalks["alipay"], crosswalks["dahua-gate"]) == UNKNOWN


@pytest.mark.parametrize("name", [*NAMES, *LISTS])
def test_a_round_trip_never_raises_a_level(name: str) -> None:
    crosswalk = CROSSWALKS.get(name) or parse_crosswalk(crosswalk_document(name))
    position = {level.code: index for index, level in enumerate(crosswalk.levels)}
    for level in crosswalk.levels:
        back = crosswalk.from_scale(level.scale)
        assert (back == UNKNOWN) == (level.scale == UNKNOWN)
        assert back == UNKNOWN or position[back] <= position[level.code]


LEVELS = st.lists(st.sampled_from([*SCALE, UNKNOWN]), min_size=2, max_size=7)


@settings(max_examples=100)
@given(LEVELS, st.dictionaries(st.sampled_from(SCALE), st.integers(0, 6), max_size=3))
def test_what_would_raise_a_level_is_refused(scales: list[str], chosen: dict[str, int]) -> None:
    document = crosswalk_document("hubei")
    document["levels"] = [
        {**document["levels"][0], "code": str(index), "scale": scale} for index, scale in enumerate(scales)
    ]
    document["from_scale"] = {scale: str(index) for scale, index in chosen.items()}
    ordered = [scale for scale in scales if scale != UNKNOWN]
    try:
        crosswalk = parse_crosswalk(document)
    except BadInput:
        rises = ordered == sorted(ordered, key=SCALE.index)
        assert not rises or chosen
        return
    position = {level.code: index for index, level in enumerate(crosswalk.levels)}
    for level in crosswalk.levels:
        back = crosswalk.from_scale(level.scale)
        assert back == UNKNOWN or position[back] <= position[level.code]
    for scale, code in crosswalk.back.items():
        assert SCALE.index(crosswalk.to_scale(code)) <= SCALE.index(scale)


@pytest.mark.parametrize(
    "change",
    [
        {"major": "1"},
        {"valid_to": None},
        {"levels": []},
        {"levels": "low"},
        {"from_scale": {"low": "purple"}},
        {"from_scale": {"green": "00"}},
        {"from_scale": {"low": "10"}},
        {"colour": "red"},
        {"version": "one"},
    ],
)
def test_a_crosswalk_that_is_not_whole_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_crosswalk(crosswalk_document("hubei") | change)


def _with_level(**change: Any) -> dict[str, Any]:
    document = crosswalk_document("hubei")
    document["levels"][0] |= change
    return document


@pytest.mark.parametrize(
    "document",
    [
        _with_level(code="01"),
        _with_level(scale="high"),
        _with_level(scale="green"),
        _with_level(reasons=[]),
        _with_level(reasons=["because"]),
        _with_level(meaning={"en": "low"}),
        _with_level(code=0),
    ],
)
def test_a_level_that_is_not_explained_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_crosswalk(document)


def test_the_same_pass_at_every_scene_of_the_other_region() -> None:
    rules = SCENES[NAMES[1]]
    answers = {scene.value: judge(shown("medium"), THREE, rules, scene, AT).answer.value for scene in Scene}
    assert answers == {
        "community": "unknown",
        "workplace": "accepted",
        "school": "refused",
        "transport": "accepted",
        "checkpoint": "accepted",
        "border": "refused",
        "medical": "accepted",
        "closed-setting": "refused",
        "public-place": "accepted",
    }


def test_a_fact_that_is_not_shown_and_the_age_of_the_pass_refuse_at_the_border() -> None:
    rules = SCENES[NAMES[1]]
    bare = judge(shown("medium"), THREE, rules, Scene.BORDER, AT)
    assert (bare.answer, ids(bare), bare.scale) == (Answer.REFUSED, ["border-negative-test"], "medium")
    assert set(bare.reasons[0].texts) == {"en", "zh"}
    both = judge(shown("high"), THREE, rules, "border", AT + timedelta(days=4))
    assert ids(both) == ["border-level", "border-age-3d"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        *[(day, "accepted") for day in ("2015-09-15", "2015-09-12")],
        *[(day, "refused") for day in ("2015-09-11", "2015-09-16", "", 0, False)],
        *[(day, "unknown") for day in ("yesterday", 3, True, ["2015-09-15"])],
    ],
)
def test_a_negative_test_counts_on_its_day_and_the_three_after(said: Any, answer: str) -> None:
    tested = shown("medium", facts={"test-negative-on": said})
    assert judge(tested, THREE, SCENES[NAMES[1]], "border", AT).answer == answer
    if answer == "accepted":
        midnight = datetime(2015, 9, int(said[-2:]), tzinfo=UTC)
        ends = [judge(tested, THREE, SCENES[NAMES[1]], "border", midnight + timedelta(days=days)) for days in (0, 4)]
        assert (ends[0].answer, ids(ends[1])) == ("accepted", ["border-negative-test"])


@pytest.mark.parametrize("name", NAMES)
def test_scenes_read_only_facts_that_passes_carry(name: str) -> None:
    books = [parse_rulebook(shipped_document(book)) for book in NAMES]
    carried = all_meanings(one for book in books for one in book.evidence)
    read = {
        path.removeprefix("pass.facts.")
        for rules in SCENES[name].scenes.values()
        for rule in rules
        for path in data_accesses(rule.condition)
        if path.startswith("pass.facts.")
    }
    assert read <= carried.keys()
    assert read == ({"test-negative-on"} if name == NAMES[1] else set())


@pytest.mark.parametrize(
    ("read", "hours"), [("pass.issued_at", 0), ("pass.expires_at", 24), ("external.validationClock", 6)]
)
def test_a_rule_reads_times_wherever_they_stand_in_it(read: str, hours: int) -> None:
    moment = {"plusTime": [{"var": read}, 0, "hour"]}
    expected = {"plusTime": [(AT + timedelta(hours=hours)).isoformat(), 0, "hour"]}
    equal = {"and": [{"not-before": [moment, expected]}, {"not-after": [moment, expected]}]}
    document = copy.deepcopy(shipped_document(f"scenes/{NAMES[0]}"))
    document["scenes"]["medical"][0]["condition"] = {"if": [{"var": "pass.facts.skip"}, True, equal]}
    rules, at = parse_acceptance(document), AT + timedelta(hours=6)
    assert judge(shown(), THREE, rules, "medical", at).answer is Answer.ACCEPTED
    moved = {name: shown()[name] + timedelta(seconds=1) for name in ("issued_at", "expires_at")}
    assert judge(shown(**moved), THREE, rules, "medical", at + timedelta(seconds=1)).answer is Answer.REFUSED


@pytest.mark.parametrize(
    ("payload", "crosswalk", "rules", "scene", "at", "why"),
    [
        (shown(), None, SCENES[NAMES[0]], "border", AT, "no-crosswalk"),
        (shown(), THREE, None, "border", AT, "no-rules"),
        (shown(), THREE, SCENES[NAMES[1]], "community", AT, "no-rule-for-scene"),
        (shown(), THREE, SCENES[NAMES[0]], "moon", AT, "no-rule-for-scene"),
        (shown(), THREE, SCENES[NAMES[0]], "border", datetime(2030, 1, 1, tzinfo=UTC), "crosswalk-not-in-force"),
        (shown("green"), THREE, SCENES[NAMES[0]], "border", AT, "level-not-understood"),
        (shown("unknown"), THREE, SCENES[NAMES[0]], "medical", AT, "level-not-understood"),
        (shown(None), THREE, SCENES[NAMES[0]], "medical", AT, "level-not-understood"),
        (shown(True), THREE, SCENES[NAMES[0]], "medical", AT, "level-not-understood"),
        (shown(10**5000), THREE, SCENES[NAMES[0]], "medical", AT, "level-not-understood"),
        (shown(["low"]), THREE, SCENES[NAMES[0]], "medical", AT, "level-not-understood"),
        (shown(version="2.0.0"), THREE, SCENES[NAMES[0]], "medical", AT, "other-rulebook"),
        (shown(version=None), THREE, SCENES[NAMES[0]], "medical", AT, "other-rulebook"),
        (shown(rulebook="dengue-9"), THREE, SCENES[NAMES[0]], "medical", AT, "other-rulebook"),
        ({}, THREE, SCENES[NAMES[0]], "medical", AT, "other-rulebook"),
        (shown(issued_at=7), THREE, SCENES[NAMES[0]], "border", AT, "rule-not-understood"),
    ],
)
def test_what_is_not_understood_is_unknown_with_its_reason(
    payload: dict[str, Any],
    crosswalk: Crosswalk | None,
    rules: AcceptanceRules | None,
    scene: str,
    at: datetime,
    why: str,
) -> None:
    verdict = judge(payload, crosswalk, rules, scene, at)
    assert verdict.answer is Answer.UNKNOWN
    assert ids(verdict)[0] == why
    assert all(verdict.reasons[0].texts[language] for language in ("en", "zh"))


def test_rules_out_of_force_are_unknown_and_a_time_without_offset_is_refused() -> None:
    ended = parse_acceptance(shipped_document(f"scenes/{NAMES[0]}", valid_to="2015-06-01T00:00:00Z"))
    assert ids(judge(shown(), THREE, ended, "medical", AT)) == ["rules-not-in-force"]
    with pytest.raises(BadInput):
        judge(shown(), THREE, ended, "medical", AT.replace(tzinfo=None))


def test_a_rule_that_is_broken_for_sure_refuses_even_if_another_is_not_understood() -> None:
    verdict = judge(shown("high", issued_at="never"), THREE, SCENES[NAMES[0]], "border", AT)
    assert (verdict.answer, ids(verdict)) == (Answer.REFUSED, ["border-level"])


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(AT)
PAYLOADS = st.fixed_dictionaries(
    {"rulebook": st.sampled_from(["dengue-3", "dengue-4", 3]), "version": st.sampled_from(["1.0.0", "1.4.0", "9"])},
    optional={
        "level": SCALARS | st.sampled_from(["low", "guarded", "medium", "high"]),
        "issued_at": SCALARS,
        "facts": SCALARS | st.dictionaries(st.just("test-negative-on"), SCALARS | st.just("2015-09-14")),
        "scale": st.just("low"),
        "reasons": st.just(["nothing-found"]),
    },
)


@settings(max_examples=100)
@given(PAYLOADS, st.sampled_from(list(Scene)), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_any_pass_gets_exactly_one_answer_and_only_a_known_level_is_accepted(
    payload: dict[str, Any], scene: Scene, issuer: str, verifier: str
) -> None:
    crosswalk = CROSSWALKS[issuer]
    verdict = judge(payload, crosswalk, SCENES[verifier], scene, AT)
    assert verdict.answer in set(Answer)
    assert verdict.reasons
    if verdict.answer is Answer.ACCEPTED:
        assert payload["rulebook"] == crosswalk.rulebook
        assert crosswalk.to_scale(payload["level"]) in SCALE
    if scene is Scene.CLOSED_SETTING and verdict.answer is Answer.ACCEPTED:
        assert crosswalk.to_scale(payload["level"]) == "low"  # a pass can't bring its own scale


def test_the_matrix_has_an_answer_for_every_issuer_verifier_and_level() -> None:
    matrix = recognition_matrix(CROSSWALKS, SCENES, Scene.SCHOOL, AT)
    assert set(matrix) == {(issuer, verifier) for issuer in NAMES for verifier in NAMES}
    assert matrix[(NAMES[1], NAMES[0])] == {
        "low": Answer.ACCEPTED,
        "guarded": Answer.ACCEPTED,
        "medium": Answer.ACCEPTED,
        "high": Answer.REFUSED,
    }
    deployed = {name: parse_crosswalk(crosswalk_document(name)) for name in LISTS}
    rules = {
        name: parse_acceptance(shipped_document(f"scenes/{name}", valid_to="2030-01-01T00:00:00Z")) for name in NAMES
    }
    cells = recognition_matrix(deployed, rules, Scene.TRANSPORT, IN_2021)
    assert len(cells) == 16
    assert cells[("dahua-gate", NAMES[0])]["1"] is Answer.REFUSED
    assert cells[("glodon-site", NAMES[0])]["1"] is Answer.ACCEPTED
    assert cells[("alipay", NAMES[0])]["init"] is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"var": "pass.name"}, "does not have"),
        ({"var": "payload.level"}, "does not have"),
        ({"var": ""}, "does not have"),
        ({"var": "external.secret"}, "does not have"),
        ({"some": []}, "unrecognised operator"),
        ({"<": [{"var": "pass.facts.age"}, 18]}, "discloses nothing"),
        ({"<": [{"var": "pass.scale"}, 18]}, "discloses nothing"),
        (None, "not valid CertLogic"),
    ],
)
def test_acceptance_rules_that_could_not_answer_are_refused(condition: Any, says: str) -> None:
    document = copy.deepcopy(shipped_document(f"scenes/{NAMES[0]}"))
    document["scenes"]["medical"][0]["condition"] = condition
    with pytest.raises(BadInput, match=says):
        parse_acceptance(document)


@pytest.mark.parametrize(
    "change",
    [
        {"valid_to": None},
        {"scenes": None},
        {"scenes": {"moon": []}},
        {"scenes": {"border": []}},
        {"scenes": {"border": [3]}},
        {"scenes": {"border": [{"id": "a", "condition": True, "text": {"en": "only English"}}]}},
        {"scenes": {"border": [{"id": "a", "condition": True, "text": {"en": "e", "zh": "z"}}] * 2}},
    ],
)
def test_acceptance_rules_that_are_not_whole_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_acceptance(shipped_document(f"scenes/{NAMES[0]}") | change)


@pytest.mark.parametrize(
    "change",
    [
        {"condition": {"fuzzy-match": [{"var": "pass.level"}, "low"]}},
        {"condition": {"<": [{"var": "pass.humidity"}, 3]}},
        {"condition": None},
        {"unless": {"===": [1, 1]}},
    ],
)
def test_a_rule_of_a_newer_edition_makes_its_scene_unknown_and_no_other(change: dict[str, Any]) -> None:
    document = copy.deepcopy(shipped_document(f"scenes/{NAMES[0]}")) | {"note": "of a newer edition"}
    document["scenes"]["cinema"] = document["scenes"]["school"]
    document["scenes"]["border"][0] |= change
    with pytest.raises(BadInput):
        parse_acceptance(document)
    rules, known = read_acceptance(document), SCENES[NAMES[0]]
    found = {scene: judge(shown(), THREE, rules, scene, AT) for scene in Scene}
    assert (found[Scene.BORDER].answer, ids(found[Scene.BORDER])[0]) == (Answer.UNKNOWN, "rule-not-understood")
    others = set(Scene) - {Scene.BORDER}
    assert {scene: found[scene] for scene in others} == {s: judge(shown(), THREE, known, s, AT) for s in others}
    # What is broken for certain refuses, whatever another rule of the scene says.
    assert judge(shown("high"), THREE, rules, Scene.BORDER, AT).answer is not Answer.ACCEPTED


@pytest.mark.parametrize(
    "change", [{"id": 3}, {"version": "two"}, {"valid_to": None}, {"scenes": []}, {"scenes": {"border": [3]}}]
)
def test_what_is_no_rules_at_all_is_refused_by_a_reader_too(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read_acceptance(shipped_document(f"scenes/{NAMES[0]}") | change)


def test_a_crosswalk_of_a_newer_edition_leaves_a_level_unknown_and_nothing_else() -> None:
    plain = read_crosswalk(crosswalk_document("hubei"))
    assert plain == parse_crosswalk(crosswalk_document("hubei"))
    for change in ({"scale": "mild"}, {"reasons": ["weather"]}, {"scale": ["low"]}):
        document = _with_level(colour="green", **change) | {"note": "of a newer edition"}
        found = read_crosswalk(document)
        assert plain and found
        assert (found.levels[0].scale, found.levels[1:]) == (UNKNOWN, plain.levels[1:])
        assert found.hash != plain.hash
    for change in ({"major": "1"}, {"levels": "low"}, {"levels": [3]}, {"from_scale": {"low": "10"}}):
        assert read_crosswalk(crosswalk_document("hubei") | change) is None
