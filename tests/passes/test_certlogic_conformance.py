"""CertLogic against its own suites: evaluator, format validator, and the rules that ten rule sets really used.

Every case must pass that the suites don't skip themselves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hutong.passes.certlogic.evaluate import evaluate
from hutong.passes.certlogic.explain import trace
from hutong.passes.certlogic.suite import run_rule_tests
from hutong.passes.certlogic.validate import validate_format
from tests.exceptions import exceptions

pytestmark = pytest.mark.conformance

SKIP = "skip"


def _assertions(folder: Path, skipped: Counter[str] | None = None) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    for path in sorted(folder.glob("*.json")):
        suite = json.loads(path.read_text())
        for case in suite["cases"]:
            for assertion in case["assertions"]:
                if SKIP not in (suite.get("directive"), case.get("directive"), assertion.get("directive")):
                    expression = assertion.get("certLogicExpression", case.get("certLogicExpression"))
                    yield f"{path.name}: {case.get('name')}", expression, assertion
                elif skipped is not None:
                    skipped[f"{path.name}: {case.get('name')}"] += 1


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)  # 1 is not true here


def test_evaluator_suite(fixtures: Path) -> None:
    skipped: Counter[str] = Counter()
    cases = list(_assertions(fixtures / "certlogic" / "testSuite", skipped))
    wrong = [
        (name, assertion)
        for name, expression, assertion in cases
        if not _same(evaluate(expression, assertion["data"]), assertion["expected"])
    ]
    assert wrong == []
    assert len(cases) == 218
    assert skipped == exceptions("certlogic", "evaluation")


def test_tracing_gives_the_same_values(fixtures: Path) -> None:
    cases = list(_assertions(fixtures / "certlogic" / "testSuite"))
    assert len(cases) == 218
    assert all(_same(trace(expr, one["data"]).value, one["expected"]) for _, expr, one in cases)


def test_validator_suite(fixtures: Path) -> None:
    count = 0
    for path in sorted((fixtures / "certlogic" / "validation-testSuite").glob("*.json")):
        for case in json.loads(path.read_text())["cases"]:
            issues = validate_format(case["certLogicExpression"])
            found = [{"expr": issue.expression, "message": issue.message} for issue in issues]
            assert found == case["issues"], path.name
            count += 1
    assert count == 23


def test_business_rules_of_ten_rule_sets(fixtures: Path) -> None:
    result = run_rule_tests(fixtures / "dcc-business-rules")
    assert [test for test in result.tests if not test.passed] == []
    assert (result.passed, result.failed) == (865, 0)
    assert len({test.rule_set for test in result.tests}) == 10
    assert len({(test.rule_set, test.rule) for test in result.tests}) == 126


def test_upstream_layout_gives_the_same_results(fixtures: Path, tmp_path: Path) -> None:
    """The merged files, unfolded again into <set>/<rule>/rule.json and tests/*.json."""
    for path in sorted((fixtures / "dcc-business-rules").glob("*.json")):
        document = json.loads(path.read_text())
        for entry in document["rules"]:
            folder = tmp_path / document["ruleSet"] / entry["rule"]["Identifier"]
            (folder / "tests").mkdir(parents=True)
            (folder / "rule.json").write_text(json.dumps(entry["rule"]))
            for test in entry["tests"]:
                external = dict(test["external"])
                if "valueSetsRef" in external:
                    external["valueSets"] = document["valueSetsPool"][external.pop("valueSetsRef")]
                content = json.dumps({**test, "external": external})
                (folder / "tests" / f"{test['id']}.json").write_text("\ufeff" + content)
    result = run_rule_tests(tmp_path)
    assert (result.passed, result.failed) == (865, 0)
    assert run_rule_tests(tmp_path / "NL").passed == 3
