"""CertLogic where its suite is silent: dates, numbers, limits, explanations, and whatever else somebody may send."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError, LimitExceeded, NotFound
from hutong.passes.certlogic.datetimes import DateTime, dcc_date_of_birth, plus_time
from hutong.passes.certlogic.evaluate import compile_rule, evaluate
from hutong.passes.certlogic.explain import explain, trace
from hutong.passes.certlogic.rule_set import evaluate_document
from hutong.passes.certlogic.suite import run_rule_tests
from hutong.passes.certlogic.validate import OPERATIONS, data_accesses, validate_format


def nested(depth: int) -> Any:
    expression: Any = True
    for _ in range(depth):
        expression = {"!": [expression]}
    return expression


@pytest.mark.parametrize(
    ("text", "amount", "unit", "expected"),
    [
        ("2020-02-29", 1, "day", "2020-03-01T00:00:00.000Z"),
        ("2020-02-29", 1, "month", "2020-03-29T00:00:00.000Z"),
        ("2020-02-29", 1, "year", "2021-03-01T00:00:00.000Z"),
        ("2021-01-31", 1, "month", "2021-03-03T00:00:00.000Z"),
        ("2021-03-31", -13, "month", "2020-03-02T00:00:00.000Z"),
        ("2021", 0, "hour", "2021-12-31T00:00:00.000Z"),
        ("2024-02", 0, "hour", "2024-02-29T00:00:00.000Z"),
        ("2021-06-01T10:00:00", 0, "day", "2021-06-01T10:00:00.000Z"),
        ("2021-06-01T10:00:00+2", 0, "day", "2021-06-01T08:00:00.000Z"),
        ("2021-06-01T10:00:00+02", 0, "day", "2021-06-01T08:00:00.000Z"),
        ("2021-06-01T10:00:00+230", 0, "day", "2021-06-01T07:30:00.000Z"),
        ("2021-06-01T10:00:00-0230", 0, "day", "2021-06-01T12:30:00.000Z"),
        ("2021-06-01T10:00:00+2:30", 0, "day", "2021-06-01T07:30:00.000Z"),
        ("2021-06-01T10:00:00.9999Z", 0, "day", "2021-06-01T10:00:00.999Z"),
        ("2021-06-01T10:00:00.5+02:00", 0, "day", "2021-06-01T08:00:00.500Z"),
        ("0000-03-01", -1, "day", "0000-02-29T00:00:00.000Z"),
        ("9999-12-31T23:59:59Z", -1, "hour", "9999-12-31T22:59:59.000Z"),
        ("9999-12-31T23:59:59Z", 1, "hour", "+010000-01-01T00:59:59.000Z"),
        ("0000-01-01", -1, "day", "-000001-12-31T00:00:00.000Z"),
        ("2021-01-01", 100_000, "year", "+102021-01-01T00:00:00.000Z"),
    ],
)
def test_plus_time_reads_every_format_and_overflows_as_ecmascript(
    text: str, amount: int, unit: str, expected: str
) -> None:
    assert str(plus_time(text, amount, unit)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "21", "2021-13", "2021-00", "2021-02-30", "2021-2-3", "2021-02-03\n", " 2021", "٢٠٢١", "+2021"),
        *("2021-06-01T24:00:00Z", "2021-06-01T10:60:00Z", "2021-06-01T10:00:60Z", "2021-06-01 10:00:00Z"),
        *("2021-06-01T10:00:00+24", "2021-06-01T10:00:00+01:", "2021-06-01T10:00", "2021-06-01T10:00:00.Z"),
    ],
)
def test_what_is_no_date_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        plus_time(text, 0, "day")
    assert not text or text not in str(caught.value)


@settings(max_examples=100)
@given(
    st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9000, 1, 1)),  # noqa: DTZ001
    st.integers(-300_000, 300_000),
)
def test_days_and_hours_agree_with_the_standard_library(moment: datetime, amount: int) -> None:
    moment = moment.replace(tzinfo=UTC, microsecond=moment.microsecond // 1000 * 1000)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    text = moment.isoformat(timespec="milliseconds")
    for unit, seconds in (("day", 86_400), ("hour", 3600)):
        expected = (moment - epoch) // timedelta(milliseconds=1) + amount * seconds * 1000
        assert plus_time(text, amount, unit) == DateTime(expected)
    assert str(plus_time(text, 0, "year")) == text.replace("+00:00", "Z")


def test_date_of_birth_is_the_last_day_that_fits() -> None:
    assert str(dcc_date_of_birth("1964-02")) == "1964-02-29T00:00:00.000Z"
    with pytest.raises(BadInput):
        dcc_date_of_birth("1964-02-01T00:00:00Z")


@pytest.mark.parametrize(
    ("expression", "data", "expected"),
    [
        ({"===": [{"var": ""}, 1]}, True, False),
        ({"===": [{"var": ""}, 1]}, 1.0, True),
        ({"===": [{"var": "a"}, {"var": "b"}]}, {"a": [1, {"x": None}], "b": [1, {"x": None}]}, True),
        ({"===": [{"var": "a"}, {"var": "b"}]}, {"a": [1], "b": [True]}, False),
        ({"in": [{"var": ""}, [0, 1]]}, False, False),
        ({"<": [{"var": ""}, 3]}, 2.0, True),
        ({"+": [{"var": ""}, 1]}, 2.0, 3),
        ({"var": "0"}, {"0": "key"}, "key"),
        ({"var": "-1"}, [1, 2], None),
        ({"var": "length"}, "text", None),
        ({"var": "0"}, "text", None),
        ({"reduce": [{"var": "x"}, {"+": [{"var": "accumulator"}, 1]}, 0]}, {"x": [7, 7]}, 2),
        ({"reduce": [{"var": "x"}, {"var": "accumulator"}, 5]}, {"x": None}, 5),
        ({"reduce": [{"var": "x"}, {"var": "accumulator"}, {"var": "y"}]}, {}, None),
        ({"reduce": [{"var": "x"}, {"var": "current"}, 5]}, {"x": [1, None]}, None),
        ({"in": [{"var": "x"}, {"var": "y"}]}, {"x": None, "y": [None]}, True),
        ({"in": [{"var": "x"}, []]}, {}, False),
        ({"in": [["a"], [["a"]]]}, {}, True),
        ({"<=": [1, 1, 0]}, {}, False),
        ({"<": [0, 1, 2]}, {}, True),
        ({">": [3, 1, 2]}, {}, False),
        ({"and": [1, "a", []]}, {}, []),
        ({"and": [1, 0, "a"]}, {}, 0),
        ({"!": [{"var": "x"}]}, {"x": {}}, True),
        ({"!": [{"var": "x"}]}, {"x": {"a": None}}, False),
        ({"!": [{"var": "x"}]}, {"x": [0]}, False),
        ({"!": ["0"]}, {}, False),
        ({"extractFromUVCI": [{"var": ""}, 0]}, None, None),
        ({"extractFromUVCI": [{"var": ""}, 0]}, "", ""),
        ({"extractFromUVCI": [{"var": ""}, 1]}, "", None),
        ({"extractFromUVCI": [{"var": ""}, -1]}, "URN:UVCI:01:NL:1#2", None),
        ({"extractFromUVCI": [{"var": ""}, 0]}, "URN:UVCI:01:NL:1#2", "01"),
        ({"extractFromUVCI": [{"var": ""}, 3]}, "URN:UVCI:01:NL:1#2", "2"),
        ({"extractFromUVCI": [{"var": ""}, 1]}, "01:NL/x", "NL"),
        ({"extractFromUVCI": [{"var": ""}, 4]}, "a::c/#/f", ""),
        ({"extractFromUVCI": [{"var": ""}, 5]}, "a::c/#/f", "f"),
        (42.0, None, 42),
    ],
)
def test_values(expression: Any, data: Any, expected: Any) -> None:
    value = evaluate(expression, data)
    assert (type(value), value) == (type(expected), expected)


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ({"all": [[], True]}, {}),
        ({"or": [True, False]}, {}),
        ({"var": "a..b"}, {}),
        ({"var": ["a", 1]}, {}),
        ({1: [2]}, {}),
        (None, {}),
        (1.5, {}),
        (2**53, {}),
        ({"plusTime": ["2021-01-01", 10**30, "day"]}, {}),
        ({"plusTime": ["2021-01-01", 1, "week"]}, {}),
        ({"plusTime": ["2021-01-01", 10**12, "year"]}, {}),
        ({"plusTime": [{"plusTime": ["2021-01-01", 0, "day"]}, 1, "day"]}, {}),
        ({"if": [{"plusTime": ["2021-01-01", 0, "day"]}, 1, 2]}, {}),
        ({"and": [True, {"var": "x"}]}, {"x": 1.5}),
        ({"!": [{"var": "x"}]}, {"x": 1.5}),
        ({"<": [1, "2"]}, {}),
        ({"<": [0, {"var": "x"}, 2]}, {"x": True}),
        ({"+": [1, {"var": "x"}]}, {}),
        ({"+": [1, {"var": "x"}]}, {"x": 1e300}),
        ({"in": ["a", "abc"]}, {}),
        ({"after": ["2021-01-01", "2020-01-01"]}, {}),
        ({"reduce": [{"var": "x"}, 1, 0]}, {"x": {"a": 1}}),
        ({"extractFromUVCI": [7, 0]}, {}),
        ({"dccDateOfBirth": [{"var": "x"}]}, {"x": None}),
    ],
)
def test_what_is_undefined_is_an_error(expression: Any, data: Any) -> None:
    with pytest.raises(BadInput):
        evaluate(expression, data)


def test_operands_after_a_false_one_and_branches_not_taken_are_not_evaluated() -> None:
    fails = {"<": [1, {"var": "missing"}]}
    assert evaluate({"and": [{"var": "x"}, fails]}, {"x": ""}) == ""
    assert evaluate({"if": [True, "yes", fails]}, {}) == "yes"


def test_limits_of_size_depth_steps_and_result() -> None:
    assert evaluate(nested(60), {}) is True
    for expression in (nested(70), nested(5000), [1] * 30_000, {"if": [[[1] * 20_000], 1, 2]}):
        with pytest.raises(LimitExceeded):
            evaluate(expression, {})
    counting = {"reduce": [{"var": ""}, {"+": [{"var": "accumulator"}, 1]}, 0]}
    assert evaluate(counting, [0] * 20_000) == 20_000
    with pytest.raises(LimitExceeded):
        evaluate(counting, [0] * 100_000)
    with pytest.raises(LimitExceeded):
        evaluate(counting, [0] * 100, budget=50)
    crossed = {"reduce": [{"var": ""}, {"+": [{"var": "accumulator"}, counting]}, 0]}
    with pytest.raises(HutongError):
        evaluate(crossed, [[0] * 1000] * 1000)


def test_a_reduction_cannot_build_a_value_that_explodes_when_it_is_compared_or_returned() -> None:
    doubling = {"reduce": [{"var": ""}, [{"var": "accumulator"}, {"var": "accumulator"}], "x"]}
    other = {"reduce": [{"var": ""}, [{"var": "accumulator"}, {"var": "accumulator"}], "x"]}
    for expression in (doubling, {"===": [doubling, other]}, {"in": [doubling, [other]]}):
        with pytest.raises(LimitExceeded):
            evaluate(expression, [0] * 60)
    deep = {"reduce": [{"var": ""}, [{"var": "accumulator"}], "x"]}
    with pytest.raises(LimitExceeded):
        evaluate(deep, [0] * 5000)
    assert evaluate({"!": [deep]}, [0] * 5000) is False


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)
ROUGH = st.recursive(
    JSON | st.fixed_dictionaries({"var": st.sampled_from(["", "x", "x.0", "accumulator", "current"])}),
    lambda inner: st.builds(
        lambda operator, operands: {operator: operands},
        st.sampled_from(OPERATIONS),
        st.lists(inner | st.sampled_from([0, 1, "day", "2021-01-01"]), max_size=3),
    ),
    max_leaves=10,
)


@settings(max_examples=100)
@given(ROUGH, JSON)
def test_any_json_is_a_value_or_a_typed_error(expression: Any, data: Any) -> None:
    try:
        evaluate(expression, data)
    except (BadInput, LimitExceeded):
        return
    assert validate_format(expression) == ()  # what evaluates was valid


def test_data_accesses_leave_out_what_a_reduction_reads_of_its_own() -> None:
    inner = {"+": [{"var": "accumulator"}, {"var": "current.n"}]}
    expression = {"if": [{"var": "a.b"}, {"reduce": [{"var": "list"}, inner, {"var": "start"}]}, [{"var": "c"}]]}
    assert data_accesses(expression) == {"a.b", "list", "start", "c"}


def test_an_explanation_names_the_operand_that_decided() -> None:
    expression = {"and": [{"<=": [{"var": "days"}, 7]}, {"in": [{"var": "area"}, ["high"]]}, {"var": "never"}]}
    found = explain(expression, {"days": 3, "area": "low", "never": 1})
    assert found == {
        "value": False,
        "decided_by": [{"condition": expression["and"][1], "value": False, "read": {"area": "low"}}],
    }
    assert [step.expression for step in trace(expression, {"days": 9}).inner] == [expression["and"][0]]
    both = explain(expression, {"days": 3, "area": "high", "never": 1})
    assert [one["read"] for one in both["decided_by"]] == [{"days": 3}, {"area": "high"}, {"never": 1}]


def test_an_explanation_follows_the_branch_taken() -> None:
    expression = {"if": [{"!": [{"var": "x"}]}, {"===": [{"var": "y"}, 1]}, {"<": [{"var": "x"}, 3]}]}
    assert [one["read"] for one in explain(expression, {"y": 1})["decided_by"]] == [{"x": None}, {"y": 1}]
    assert [one["read"] for one in explain(expression, {"x": 5})["decided_by"]] == [{"x": 5}, {"x": 5}]
    assert explain([1, {"var": "x"}], {"x": 2})["value"] == [1, 2]


def test_a_compiled_rule_keeps_nothing_between_calls() -> None:
    rule = compile_rule({"reduce": [{"var": ""}, {"+": [{"var": "accumulator"}, {"var": "current"}]}, 0]}, budget=400)
    assert [rule([1, 2, 3]) for _ in range(100)] == [6] * 100


def test_a_suite_reports_failures_and_errors_and_honours_skip(tmp_path: Path) -> None:
    rule = {"Identifier": "R-1", "Logic": {"<": [{"var": "payload.x"}, 3]}}
    tests = [
        {"id": "good", "payload": {"x": 1}, "expected": True},
        {"id": "wrong", "payload": {"x": 5}, "expected": True},
        {"id": "error", "payload": {}, "expected": False},
        {"id": "skipped", "payload": {}, "expected": True, "directive": "skip"},
    ]
    broken = {"rule": {"Identifier": "R-2", "Logic": {"nope": []}}, "tests": tests[:1]}
    suite = {"ruleSet": "XX", "valueSetsPool": [], "rules": [{"rule": rule, "tests": tests}, broken]}
    (tmp_path / "XX.json").write_text(json.dumps(suite))
    result = run_rule_tests(tmp_path)
    assert [(test.rule, test.test, test.passed) for test in result.tests] == [
        ("R-1", "good", True),
        ("R-1", "wrong", False),
        ("R-1", "error", False),
        ("R-2", "good", False),
    ]
    assert result.tests[1].got is False
    assert "unrecognised operator" in str(result.tests[3].error)


def test_a_suite_may_be_one_file_or_the_folder_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = {"Identifier": "R-1", "Logic": {"plusTime": [{"var": "payload.d"}, 1, "day"]}}
    tests = [{"id": "moment", "payload": {"d": "2021-02-28"}, "expected": True}]
    merged = {"ruleSet": "XX", "valueSetsPool": [], "rules": [{"rule": rule, "tests": tests}]}
    (tmp_path / "XX.json").write_text(json.dumps(merged))
    (result,) = run_rule_tests(tmp_path / "XX.json").tests
    assert (result.rule_set, result.passed, result.got) == ("XX", False, "2021-03-01T00:00:00.000Z")

    folder = tmp_path / "YY" / "R-1"
    (folder / "tests").mkdir(parents=True)
    (folder / "rule.json").write_text(json.dumps(rule))
    (folder / "tests" / "a.json").write_text(json.dumps(tests[0]))
    for place, shown in ((tmp_path, "YY"), (tmp_path / "YY", "."), (folder, ".")):
        monkeypatch.chdir(place)
        assert [test.rule_set for test in run_rule_tests(Path(shown)).tests] == ["YY"]


@pytest.mark.parametrize("content", ["nonsense", "[]", '{"a": 1}', '{"rules": [1]}'])
def test_a_foreign_file_in_a_folder_fails_by_itself(tmp_path: Path, content: str) -> None:
    entry = {"rule": {"Identifier": "R-1", "Logic": True}, "tests": [{"payload": {}, "expected": True}]}
    for name in ("AA", "ZZ"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"ruleSet": name, "rules": [entry]}))
    (tmp_path / "foreign.json").write_text(content)
    result = run_rule_tests(tmp_path)
    assert [(one.rule_set, one.rule, one.test, one.passed) for one in result.tests] == [
        ("AA", "R-1", "1", True),
        ("ZZ", "R-1", "1", True),
        ("foreign", "foreign.json", "(file)", False),
    ]
    assert "foreign.json is not" in str(result.tests[2].error)
    assert (result.passed, result.failed) == (2, 1)


def test_a_damaged_file_of_a_rule_fails_by_itself(tmp_path: Path) -> None:
    for name in ("R-1", "R-2", "R-3"):
        (tmp_path / "EU" / name / "tests").mkdir(parents=True)
        (tmp_path / "EU" / name / "rule.json").write_text(json.dumps({"Identifier": name, "Logic": True}))
        (tmp_path / "EU" / name / "tests" / "a.json").write_text('{"payload": {}, "expected": true}')
    (tmp_path / "EU" / "R-1" / "rule.json").write_text("{")
    (tmp_path / "EU" / "R-3" / "tests" / "a.json").write_text("[]")
    (tmp_path / "EU" / "R-3" / "tests" / "b.json").write_text('{"payload": {}, "expected": true}')
    (tmp_path / "EU" / "R-3" / "tests" / "c.json").write_text('{"payload": {}}')
    result = run_rule_tests(tmp_path)
    assert [(one.rule_set, one.rule, one.test, one.passed) for one in result.tests] == [
        ("EU", "R-1", "(file)", False),
        ("EU", "R-2", "a", True),
        ("EU", "R-3", "a", False),
        ("EU", "R-3", "b", True),
        ("EU", "R-3", "c", False),
    ]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "nonsense", '{"rules": [1]}', '{"rules": [{"rule": {}, "tests": 3}]}', '{"rules": []}'],
)
def test_a_folder_that_is_no_suite_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(BadInput):
        run_rule_tests(tmp_path)
    with pytest.raises(NotFound):
        run_rule_tests(tmp_path / "absent")


def test_a_test_whose_value_sets_the_pool_has_not_fails_and_says_so(tmp_path: Path) -> None:
    test = {"payload": {}, "expected": True, "external": {"valueSetsRef": 4}}
    rules = [{"rule": {"Logic": True}, "tests": [test]}]
    (tmp_path / "a.json").write_text(json.dumps({"rules": rules, "valueSetsPool": []}))
    (result,) = run_rule_tests(tmp_path).tests
    assert not result.passed and "not in its pool" in (result.error or "")


def test_the_older_layout_keeps_a_rules_tests_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "XX" / "GR-XX-0001"
    folder.mkdir(parents=True)
    (folder / "rule.json").write_text(json.dumps({"Identifier": "GR-XX-0001", "Logic": {"!": [{"var": "external.z"}]}}))
    (folder / "test001.json").write_text(json.dumps({"payload": {}, "external": None, "expected": True}))
    (folder / "test002.json").write_text(json.dumps({"payload": {}, "external": {"z": 1}, "expected": True}))
    for place in (tmp_path, tmp_path / "XX", folder):
        assert [test.passed for test in run_rule_tests(place).tests] == [True, False]


@pytest.mark.parametrize(
    ("expression", "messages"),
    [
        ({"plusTime": ["2021", 1.5, None]}, ["integer, but it is: 1.5", "month, day, hour, but it is: null"]),
        ({"plusTime": ["2021", True, [1]]}, ["integer, but it is: true", "hour, but it is: a structure"]),
        ({"dccDateOfBirth": [None, "2004"]}, ["operand, but it has 2", "invalid CertLogic expression"]),
        ({"!": [None, 1.5]}, ["operand, but it has 2"]),
        ({"extractFromUVCI": []}, ["operands, but it has 0"]),
        ({"and": [1e-7]}, ["operands, but it has 1", "1e-7 is a non-integer number"]),
        ({"if": [None, {}, 0, None]}, ["operands, but it has 4", "invalid CertLogic expression", "but it has 0"]),
    ],
)
def test_issues_say_what_stands_there_as_json_writes_it(expression: Any, messages: list[str]) -> None:
    found = [issue.message for issue in validate_format(expression)]
    assert len(found) == len(messages)
    assert all(one.endswith(end) for one, end in zip(found, messages, strict=True)), found


def test_a_document_of_rules_gives_each_its_value_or_its_error() -> None:
    later = {"plusTime": [{"var": "external.validationClock"}, 1, "day"]}
    rules = [{"Identifier": "A", "Logic": later}, {"id": "B", "logic": [later]}, {"id": "C"}, 5]
    found = evaluate_document({"rules": rules}, {"payload": {}}, at="2024-02-28T23:00:00-02:00")["results"]
    assert [one.get("value") for one in found] == ["2024-03-01T01:00:00.000Z", ["2024-03-01T01:00:00.000Z"], None, None]
    assert [one["id"] for one in found if "error" in one] == ["C", None]
    with pytest.raises(BadInput, match="no rule"):
        evaluate_document({"rules": []}, {})
    assert evaluate_document({"dccDateOfBirth": ["1999-02"]}, {})["value"] == "1999-02-28T00:00:00.000Z"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"Engine": "CERTLOGIC", "EngineVersion": "0.7.5"}, None),
        ({"Engine": "CERTLOGIC", "EngineVersion": "1.3.3"}, None),
        ({}, None),
        ({"Engine": "CERTLOGIC", "EngineVersion": "1.3.4"}, "version 1.3.4 of CertLogic"),
        ({"Engine": "CERTLOGIC", "EngineVersion": "1.10.0"}, "version 1.10.0 of CertLogic"),
        ({"EngineVersion": "2.0.0"}, "version 2.0.0 of CertLogic"),
        ({"EngineVersion": 1}, "is no version"),
        ({"EngineVersion": "newest"}, "is no version"),
        ({"EngineVersion": "１.３.３"}, "is no version"),
        ({"Engine": "OPA", "EngineVersion": "1.0.0"}, "an engine that is not known"),
        ({"engine": "CERTLOGIC", "engineVersion": "1.0.0"}, None),
        ({"engine": "OPA"}, "an engine that is not known"),
        ({"engineVersion": "9.9.9"}, "version 9.9.9 of CertLogic"),
        ({"Engine": "CERTLOGIC", "engine": "OPA"}, "an engine that is not known"),
    ],
)
def test_a_rule_for_another_engine_or_a_newer_version_gives_no_value(
    fields: dict[str, Any], told: str | None, tmp_path: Path
) -> None:
    rule = {"Identifier": "GR-1", "Logic": {"===": [1, 1]}, **fields}
    (result,) = evaluate_document({"rules": [rule]}, {})["results"]
    assert result.get("value") is (True if told is None else None)
    assert (told or "") in result.get("error", "")
    suite = {"ruleSet": "X", "rules": [{"rule": rule, "tests": [{"payload": {}, "expected": True}]}]}
    (tmp_path / "x.json").write_text(json.dumps(suite))
    assert run_rule_tests(tmp_path).failed == (told is not None)


@pytest.mark.parametrize(
    ("fields", "at", "told"),
    [
        ({"ValidFrom": "2021-07-05T00:00:00Z"}, "2021-07-04T23:59:59Z", "not valid before 2021-07-05T00:00:00Z"),
        ({"ValidFrom": "2021-07-05T00:00:00+02:00"}, "2021-07-04T22:00:00Z", None),
        ({"ValidTo": "2021-07-05T00:00:00Z"}, "2021-07-05T00:00:00Z", None),
        ({"ValidTo": "2021-07-05T00:00:00Z"}, "2021-07-05T00:00:01Z", "not valid after 2021-07-05T00:00:00Z"),
        ({"validFrom": "2021-07-05T00:00:00Z", "validTo": "2021-07-06T00:00:00Z"}, "2021-07-07", "not valid after"),
        ({"ValidFrom": "2021-07-05T00:00:00Z", "ValidTo": None}, "2022-01-01T00:00:00", None),
        ({"ValidFrom": "2021-07-05T00:00:00Z"}, None, None),
    ],
)
def test_a_rule_that_is_not_valid_at_the_time_is_left_out(
    fields: dict[str, Any], at: str | None, told: str | None
) -> None:
    """Both ends belong to a rule, as in the EU's own verifiers; without a time every rule is evaluated."""
    rule = {"Identifier": "GR-1", "Logic": {"===": [1, 1]}, **fields}
    for document in (rule, [rule], {"rules": [{"rule": rule, "tests": []}]}):
        found = evaluate_document(document, {}, at=at)
        assert [one["value"] for one in found["results"]] == ([] if told else [True])
        assert [one["id"] for one in found.get("left_out", [])] == (["GR-1"] if told else [])
        assert ("left_out" in found) is (at is not None)
        assert not told or told in found["left_out"][0]["reason"]


@pytest.mark.parametrize("moment", ["soon", 5, "2021-13-01T00:00:00Z"])
def test_a_rule_whose_validity_is_no_time_is_an_error_of_its_own(moment: Any) -> None:
    rules = [{"Identifier": "A", "Logic": True, "ValidTo": moment}, {"Identifier": "B", "Logic": True}]
    first, second = evaluate_document(rules, {}, at="2021-07-05")["results"]
    assert (first["id"], "is no time" in first["error"], second["value"]) == ("A", True, True)


def test_a_clock_needs_its_place_and_a_result_its_limit() -> None:
    with pytest.raises(BadInput):
        evaluate_document(True, {"external": 5}, at="2024-02-28")
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(LimitExceeded):
        evaluate_document({"var": ""}, deep)
