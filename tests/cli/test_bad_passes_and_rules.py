"""Passes and rules that the command line can't use: each is told in one line that says what it is."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hutong import errors, evaluate
from hutong.passes.credential import cbor, cose, hcert, picture
from hutong.passes.documents import shipped_document

from .conftest import CommandLine, Files
from .test_bad_input import require_refused


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_misspelt_path_is_no_text(hutong: CommandLine, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files.folder)
    (files.folder / "cards").mkdir()
    for path in (
        files.folder / "card",
        "card.png",
        "./card",
        "Card of Jana.TXT",
        "cards/jana",
        "card.smart-health-card",
        "jana.xx",
        "护照.7z",
        "nowhere/jana",
    ):
        for command in (("read",), ("verify", "--scene", "school", "--trust", "none.json")):
            require_refused(
                hutong("pass", command[0], path, *command[1:], "--json"), errors.NotFound, f"at {Path(path)}."
            )
    require_refused(hutong("pass", "read", "cards", "--json"), errors.BadInput, "cards is a folder")
    for content in ("", " \n"):
        require_refused(
            hutong("pass", "read", files.write("empty", content), "--json"), errors.BadInput, "empty is empty"
        )


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "Table 7, www.example.org",
        "https://example.org/menu.txt",
        "HC2:6BF/A.TXT",
        "HC1:a/b.png",
        "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
        "eyJhbGciOiJFUzI1NiJ9.e30",
        "Room 2/3",
        "3.14",
        "a" * 300,
        "",
    ],
)
def test_a_text_stays_a_text(text: str, hutong: CommandLine, files: Files) -> None:
    require_refused(hutong("pass", "read", text, "--json"), errors.BadInput)


def test_a_long_name_that_cannot_be_a_file(hutong: CommandLine) -> None:
    require_refused(hutong("pass", "read", "x" * 3000 + ".txt", "--json"), errors.BadInput)


def test_pictures_that_are_written_here_are_read_here(hutong: CommandLine, files: Files) -> None:
    """Also one of more than 8 MB, in a form that cameras and screens give."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = hcert.pack(cose.Signer(key, b"nobody").sign(cbor.dumps({1: "XX", -260: {1: {}}})))
    png = picture.draw_png(text)
    large = png[:33] + struct.pack(">I", 9_000_000) + b"teXt" + bytes(9_000_000)
    large += struct.pack(">I", zlib.crc32(b"teXt" + bytes(9_000_000))) + png[33:]
    for name, data in (("pass.svg", picture.draw_svg(text).encode()), ("pass.png", png), ("large.png", large)):
        assert hutong.ok("pass", "read", files.write(name, data))["kind"] == "eu-dcc"
    other = files.write("other.svg", "<svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>")
    require_refused(hutong("pass", "read", other, "--json"), errors.BadInput, "Convert it to PNG")


def test_two_passes_are_not_the_parts_of_one(hutong: CommandLine, files: Files) -> None:
    one, other = files.write("one.txt", "HC1:6BF"), files.write("other.txt", "HC1:NCF")
    require_refused(hutong("pass", "read", one, other, "--json"), errors.BadInput, "not the parts of one card")
    both = files.write("both.txt", "HC1:6BF\nHC1:NCF\n")
    require_refused(hutong("pass", "read", both, "--json"), errors.BadInput, "more than one pass")


def test_what_a_trust_list_holds_that_cannot_be_used_is_told(hutong: CommandLine, files: Files) -> None:
    broken = {"id": "did:web:x#1", "publicKeyJwk": {"kty": "EC"}}
    methods = ["did:web:x:DSC", broken]
    trust = files.write("did.json", orjson.dumps({"id": "did:web:x", "verificationMethod": methods}))
    key = ec.generate_private_key(ec.SECP256R1())
    shown = files.write("pass.txt", hcert.pack(cose.Signer(key, b"nobody").sign(cbor.dumps({1: "XX", -260: {1: {}}}))))
    found = hutong.ok("pass", "read", shown, "--key", trust)
    about_keys = [warning for warning in found["warnings"] if "trust list" in warning]
    assert [("did:web:x:DSC" in one, "did:web:x#1" in one) for one in about_keys] == [(True, False), (False, True)]
    told = hutong("pass", "read", shown, "--key", trust)
    assert all(f"note: {warning}" in told.out for warning in about_keys)


def evaluated(hutong: CommandLine, files: Files, document: Any) -> Any:
    rules, data = files.write("rules.json", orjson.dumps(document)), files.write("data.json", "{}")
    return hutong("rules", "evaluate", "--rules", rules, "--data", data, "--json")


def test_a_set_without_a_rule_is_no_success(hutong: CommandLine, files: Files) -> None:
    require_refused(evaluated(hutong, files, {"rules": []}), errors.BadInput, "no rule")


@pytest.mark.parametrize(
    "document",
    [
        {"Identifier": "A", "Logic": None},
        {"Identifier": "A"},
        [{"Identifier": "A", "Logic": None}],
        {"rules": [{"id": "A", "logic": None}]},
        [{"rule": {"Identifier": "A"}, "tests": []}],
    ],
)
def test_a_rule_without_logic_is_named(document: Any, hutong: CommandLine, files: Files) -> None:
    result = evaluated(hutong, files, document)
    assert result.code == 1
    (one,) = result.json["results"]
    assert one["id"] == "A"
    assert "no logic" in one["error"]


def test_a_rule_without_logic_stops_no_other(hutong: CommandLine, files: Files) -> None:
    result = evaluated(hutong, files, [{"Identifier": "A"}, {"Identifier": "B", "Logic": True}, 3])
    first, second, third = result.json["results"]
    assert (result.code, "error" in first, second) == (1, True, {"id": "B", "value": True})
    assert "error" in third


def with_rule(condition: Any) -> bytes:
    document = shipped_document("dengue-three-levels")
    document["rules"].append({"id": "extra", "level": "low", "condition": condition, "text": {"en": "x", "zh": "x"}})
    return orjson.dumps(document)


def nested(depth: int) -> Any:
    expression: Any = True
    for _ in range(depth):
        expression = {"!": [expression]}
    return expression


def counting(items: int, step: Any) -> Any:
    return {"reduce": [[0] * items, {"+": [{"var": "accumulator"}, step]}, 0]}


RUNAWAY: dict[str, tuple[Any, type[errors.HutongError]]] = {
    "nested without end": (nested(100), errors.LimitExceeded),
    "counting without end": (counting(4000, counting(4000, 1)), errors.LimitExceeded),
    "of an unknown operation": ({"frobnicate": [1]}, errors.BadInput),
    "of two operations": ({"!": [1], "+": [1, 2]}, errors.BadInput),
    "none": (None, errors.BadInput),
}


@pytest.mark.parametrize("name", RUNAWAY)
def test_a_rule_that_runs_away_or_is_none_ends_in_one_error(name: str, hutong: CommandLine, files: Files) -> None:
    expression, error = RUNAWAY[name]
    if expression is not None:
        require_refused(evaluated(hutong, files, expression), error)
        good = {"Identifier": "B", "Logic": True}
        result = evaluated(hutong, files, [{"Identifier": "A", "Logic": expression}, good])
        assert (result.code, result.json["results"][1]) == (1, {"id": "B", "value": True})
        assert "error" in result.json["results"][0]
    checked = hutong("rules", "check", files.write("book.json", with_rule(expression)), "--json")
    assert checked.code in (errors.BadInput.exit_code, errors.LimitExceeded.exit_code)
    assert checked.err.count("\n") == 1


RULEBOOKS: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "a rule that can't run over a population": (
        with_rule({"===": [{"reduce": [[{"var": "residence_risk"}], {"var": "current"}, "x"]}, "x"]}),
        ("Rule extra", "reduce"),
    ),
    "a version too large": (
        orjson.dumps(shipped_document("dengue-three-levels", version="12345678901.0.0")),
        ("more than nine digits",),
    ),
    "a version that is none": (
        orjson.dumps(shipped_document("dengue-three-levels", version="1.2")),
        ("form 1.2.3",),
    ),
    "UTF-16": ("id: a\n".encode("utf-16"), ("UTF-16", "UTF-8")),
    "Latin-1": ("id: a\nname: Perú\n".encode("latin-1"), ("not UTF-8 on line 2",)),
    "a list that does not end": ("id: a\nlevels: [\n", ("neither YAML nor JSON on line 3",)),
    "a tabulator": ("id: a\n\tlevels: b\n", ("on line 2",)),
    "a control character": ("id: a\nname: é\nlevels: \x01\n", ("on line 3",)),
}


@pytest.mark.parametrize("name", RULEBOOKS)
def test_a_rulebook_that_cannot_be_read(name: str, hutong: CommandLine, files: Files) -> None:
    content, words = RULEBOOKS[name]
    require_refused(hutong("rules", "check", files.write("book.yaml", content), "--json"), errors.BadInput, *words)


def test_rules_without_tests_are_named(hutong: CommandLine, files: Files) -> None:
    for rule in ("GR-1", "GR-2"):
        (files.folder / "EU" / rule / "tests").mkdir(parents=True)
        files.write(f"EU/{rule}/rule.json", orjson.dumps({"Identifier": rule, "Logic": True}))
    require_refused(hutong("rules", "test", files.folder, "--json"), errors.BadInput, "GR-1, GR-2")
    files.write("EU/GR-1/tests/1.json", '{"payload": {}, "expected": true}')
    tested = hutong.ok("rules", "test", files.folder)
    assert (tested["passed"], tested["untested"]) == (1, [{"rule_set": "EU", "rule": "GR-2"}])
    assert "NO TEST EU GR-2" in hutong("rules", "test", files.folder).out


def test_a_foreign_file_beside_rule_sets_is_a_failure_of_its_own(hutong: CommandLine, files: Files) -> None:
    entry = {"rule": {"Identifier": "R-1", "Logic": True}, "tests": [{"payload": {}, "expected": True}]}
    files.write("XX.json", orjson.dumps({"ruleSet": "XX", "rules": [entry]}))
    files.write("package.json", '{"name": "rules"}')
    tested = hutong("rules", "test", files.folder, "--json")
    assert (tested.code, tested.json["passed"], tested.json["failed"]) == (1, 1, 1)
    assert "FAILED package package.json (file): package.json is not in" in hutong("rules", "test", files.folder).out


@pytest.mark.parametrize(
    "at", ["2021-06-01T10:00Z", "2021-06-01T10:00", "2021-06-01 12:00:00.000+02:00", "20210601T10Z"]
)
def test_the_clock_of_rules_takes_every_form_of_a_time(hutong: CommandLine, files: Files, at: str) -> None:
    logic = {
        "not-after": [
            {"plusTime": [{"var": "external.validationClock"}, 0, "day"]},
            {"plusTime": ["2021-06-01T10:00:00Z", 0, "day"]},
        ]
    }
    both = {"rules": [{"id": "until", "logic": logic}, {"id": "from", "logic": {"not-before": logic["not-after"]}}]}
    rules, data = files.write("rules.json", orjson.dumps(both)), files.write("data.json", "{}")
    told = hutong.ok("rules", "evaluate", "--rules", rules, "--data", data, "--at", at)
    assert [one["value"] for one in told["results"]] == [True, True]


def test_rules_that_are_not_valid_then_are_said_to_be_left_out(hutong: CommandLine, files: Files) -> None:
    early = {"Identifier": "GR-XX-0001", "Logic": False, "ValidTo": "2021-06-01T00:00:00Z"}
    late = {"Identifier": "GR-XX-0002", "Logic": True, "ValidFrom": "2021-06-01T00:00:00Z"}
    rules, data = files.write("rules.json", orjson.dumps([early, late])), files.write("data.json", "{}")
    command = ("rules", "evaluate", "--rules", rules, "--data", data, "--at", "2021-07-01T00:00:00Z")
    told = hutong.ok(*command)
    assert told["results"] == [{"id": "GR-XX-0002", "value": True}]
    assert told["left_out"] == [{"id": "GR-XX-0001", "reason": "not valid after 2021-06-01T00:00:00Z"}]
    assert "GR-XX-0001: left out, not valid after 2021-06-01T00:00:00Z" in hutong(*command).out.splitlines()


def test_a_clock_that_is_no_time(hutong: CommandLine, files: Files) -> None:
    rules, data = files.write("rules.json", "true"), files.write("data.json", "{}")
    for at in ("soon", "2021-13-01", "0001-01-01T00:00+14:00"):
        refused = hutong("rules", "evaluate", "--rules", rules, "--data", data, "--at", at, "--json")
        require_refused(refused, errors.BadInput, "is no time")


@pytest.mark.parametrize("budget", ["x", 0, -1, 1.5, None, True])
def test_a_budget_is_a_number_of_steps(budget: Any) -> None:
    with pytest.raises(errors.BadInput, match="number of steps"):
        evaluate(True, {}, budget=budget)
