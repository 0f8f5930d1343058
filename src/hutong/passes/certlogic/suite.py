"""Rule suites: folders of rules with their tests, run and reported test by test.

Two layouts are read. *Merged*: each ``*.json`` file is ``{ruleSet, valueSetsPool, rules: [{rule, tests}]}``, where a
test's ``external.valueSetsRef`` names an entry of the pool. *Upstream* (eu-digital-green-certificates): ``<set>/<rule>/
rule.json`` beside ``tests/*.json`` (or, earlier, beside ``test*.json``). The folder may also be one set or one rule of
the upstream layout, or one file of the merged one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from hutong.errors import BadInput, HutongError, LimitExceeded, NotFound

from ..files import read_file
from .evaluate import compile_rule
from .rule_set import as_json, require_engine

MAX_FILE_BYTES = 16 * 2**20
MAX_FILES = 50_000
_RULE_FILE = "rule.json"
_FILE = "(file)"
"""In the place of a test's name: the file itself cannot be read."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One test: which it is, what it expected, and either the value got or the error met."""

    rule_set: str
    rule: str
    test: str
    passed: bool
    expected: Any
    got: Any = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Untested:
    """A rule that has no test."""

    rule_set: str
    rule: str


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """All tests of a folder in the order of its files, and the rules that have none."""

    tests: tuple[CaseResult, ...]
    untested: tuple[Untested, ...] = ()

    @property
    def passed(self) -> int:
        """How many passed."""
        return sum(test.passed for test in self.tests)

    @property
    def failed(self) -> int:
        """How many did not."""
        return len(self.tests) - self.passed


def run_rule_tests(folder: Path) -> SuiteResult:
    """Run every test in a folder; a rule that cannot be evaluated fails its tests, it does not end the run.

    A test passes if CertLogic(rule.Logic, {"payload": ..., "external": ...}) is its expected value. A file of a folder
    that cannot be read is a failed test of its own, named "(file)", unless it is so of all.

    Args:
        folder: a folder in one of the layouts, or one file of the merged layout.

    Raises:
        NotFound: no such folder.
        BadInput: no file that is JSON and of the layout, or no test at all.
        LimitExceeded: no file that is not larger than MAX_FILE_BYTES, more than MAX_FILES files.
    """
    folder = folder.resolve()  # the names of sets are those of folders, which "." does not tell
    if not folder.exists():
        raise NotFound("There is no such folder of rules.", "Give the path of a folder.")
    refused: list[HutongError] = []
    if folder.is_dir():
        found = tuple(_each(sorted(folder.rglob(_RULE_FILE)), _upstream, refused))
        found = found or tuple(_each(sorted(folder.glob("*.json")), _merged, refused))
    else:
        found = tuple(_merged(folder))
    if refused and len(found) == len(refused):
        raise refused[0]
    tests = tuple(one for one in found if isinstance(one, CaseResult))
    untested = tuple(one for one in found if isinstance(one, Untested))
    if untested and not tests:
        raise BadInput(
            f"The rules have no tests: {', '.join(one.rule for one in untested[:20])}.",
            "Put them beside each rule.json as tests/*.json, or beside each rule of a merged set.",
        )
    if not tests:
        raise BadInput(
            "The folder holds no rule tests.",
            f"Give a folder of merged rule sets, or of rules as <set>/<rule>/{_RULE_FILE} with tests/*.json.",
        )
    return SuiteResult(tests, untested)


def _each(
    paths: list[Path], read: Callable[[Path], Iterator[CaseResult | Untested]], refused: list[HutongError]
) -> Iterator[CaseResult | Untested]:
    """The results of each file; of one that cannot be read, or not to its end, a failure after what could."""
    if len(paths) > MAX_FILES:
        raise LimitExceeded(f"The folder holds more than {MAX_FILES} rules.", "Run it part by part.")
    for path in paths:
        try:
            yield from read(path)
        except HutongError as error:
            refused.append(error)
            place = path.parent.name if path.name == _RULE_FILE else path.name
            rule_set = path.stem if place == path.name else path.parent.parent.name
            yield CaseResult(rule_set, place, _FILE, False, None, error=str(error))


def _merged(path: Path) -> Iterator[CaseResult | Untested]:
    document = _object(_load(path), path.name)
    pool = _array(document.get("valueSetsPool", []), path.name)
    for entry in _array(document.get("rules"), path.name):
        rule = _object(_object(entry, path.name).get("rule"), path.name)
        cases: list[tuple[str, dict[str, Any] | HutongError]] = [
            (str(test.get("id", number)), test)
            for number, test in enumerate(_objects(entry.get("tests"), path.name), start=1)
        ]
        yield from _run(str(document.get("ruleSet", path.stem)), rule, cases, pool, path.name)


def _upstream(path: Path) -> Iterator[CaseResult | Untested]:
    rule = _object(_load(path), path.name)
    tests = sorted(path.parent.glob("tests/*.json")) or sorted(path.parent.glob("test*.json"))
    cases = [(test.stem, _case(test)) for test in tests]
    yield from _run(path.parent.parent.name, rule, cases, [], f"{path.parent.name}/{_RULE_FILE}")


def _case(path: Path) -> dict[str, Any] | HutongError:
    """A test, or why it can't be read: the others of its rule are run."""
    try:
        return _object(_load(path), path.name)
    except HutongError as error:
        return error


def _run(
    rule_set: str,
    rule: dict[str, Any],
    cases: list[tuple[str, dict[str, Any] | HutongError]],
    pool: list[Any],
    where: str,
) -> Iterator[CaseResult | Untested]:
    name = str(rule.get("Identifier", where))
    if not cases:
        yield Untested(rule_set, name)
    run = _compiled(rule)
    for test_id, test in cases:
        if isinstance(test, HutongError):
            yield CaseResult(rule_set, name, test_id, False, None, error=str(test))
            continue
        if test.get("directive") == "skip":
            continue
        expected = test.get("expected")
        try:
            if "expected" not in test:
                raise BadInput("The test does not say what is expected.", "Add it as 'expected'.")
            got = run({"payload": test.get("payload"), "external": _external(test, pool, where)})
        except HutongError as error:
            yield CaseResult(rule_set, name, test_id, False, expected, error=str(error))
            continue
        passed = type(got) is type(expected) and got == expected
        yield CaseResult(rule_set, name, test_id, passed, expected, got=as_json(got))


def _compiled(rule: dict[str, Any]) -> Callable[[Any], Any]:
    try:
        require_engine(rule)
        return compile_rule(rule.get("Logic"))
    except (BadInput, LimitExceeded) as error:
        return _always(error)


def _always(error: HutongError) -> Callable[[Any], Any]:
    def fail(_data: Any) -> Any:
        raise error

    return fail


def _external(test: dict[str, Any], pool: list[Any], where: str) -> dict[str, Any]:
    external = _object(test.get("external") or {}, where)
    reference = external.get("valueSetsRef")
    if reference is None:
        return external
    if type(reference) is not int or not 0 <= reference < len(pool):
        raise BadInput(f"{where} refers to value sets that are not in its pool.", "Correct the reference.")
    rest = {key: value for key, value in external.items() if key != "valueSetsRef"}
    return rest | {"valueSets": pool[reference]}


def _load(path: Path) -> Any:
    try:
        return orjson.loads(read_file(path, limit_bytes=MAX_FILE_BYTES).removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{path.name} is not JSON.", "Correct the file.") from error


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{where} is not in the layout of a rule suite.", "Compare it with the documentation.")
    return value


def _array(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadInput(f"{where} is not in the layout of a rule suite.", "Compare it with the documentation.")
    return value


def _objects(value: Any, where: str) -> list[dict[str, Any]]:
    return [_object(item, where) for item in _array(value, where)]
