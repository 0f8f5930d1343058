"""EU DCC: every flag of every published vector, the published schema cases, the published certificates."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from hutong.passes.credential import dcc
from hutong.passes.credential.keys import KeyRing
from hutong.passes.credential.read import read_pass
from tests.exceptions import exceptions
from tests.passes.credential import dcc_suite

COUNTS = {  # vectors that state the flag and that the stage has what it needs for
    "PICTUREDECODE": 138,
    "UNPREFIX": 371,
    "B45DECODE": 361,
    "COMPRESSION": 347,
    "VERIFY": 378,
    "DECODE": 371,
    "VALIDJSON": 354,
    "EXPIRATIONCHECK": 319,
    "KEYUSAGE": 244,
    "SCHEMAVALIDATION": 363,
}


@pytest.fixture(scope="module")
def suite(fixtures: Path) -> dcc_suite.Suite:
    folder = fixtures / "dcc-schema"
    return dcc_suite.Suite(dcc.Schemas.load(folder / "schemas"), json.loads((folder / "valueSets.json").read_text()))


@pytest.mark.conformance
@pytest.mark.parametrize("flag", dcc_suite.STAGES)
def test_every_flag_of_every_vector(flag: str, fixtures: Path, suite: dcc_suite.Suite) -> None:
    folder = fixtures / "dcc-testdata"
    known = dcc_suite.load_known_issues(folder)
    tally: Counter[str] = Counter()
    differing: dict[str, int] = {}
    for path in sorted(folder.rglob("*.json")):
        case = str(path.relative_to(folder).with_suffix(""))
        vector = dcc_suite.read_vector(path)
        expected = vector["EXPECTEDRESULTS"].get(f"EXPECTED{flag}")
        if expected is None:
            continue
        try:
            got = dcc_suite.outcome(flag, vector, suite)
        except dcc_suite.NotTestable:
            differing["*"] = differing.get("*", 0) + 1
            continue
        tally["tested"] += 1
        if got != expected:
            differing[case] = 1
            country = case.partition("/")[0]
            excused = bool({(flag, country, ""), (flag, country, path.stem)} & known)
            assert excused or not dcc_suite.value_sets(vector, suite), f"{case}: no published issue, no other stage"
    assert differing == exceptions("dcc-testdata", flag)
    assert tally["tested"] == COUNTS[flag]


@pytest.mark.conformance
def test_schema_cases(fixtures: Path, suite: dcc_suite.Suite) -> None:
    folder = fixtures / "dcc-schema"
    cases = sorted((folder / "test").rglob("*.json")) + sorted((folder / "examples").rglob("*.json"))
    wrong = [
        str(path.relative_to(folder))
        for path in cases
        if bool(suite.schemas.check(json.loads(path.read_bytes()))) != ("invalid" in path.parts)
    ]
    assert (len(cases), wrong) == (46, [])


@pytest.mark.conformance
def test_published_certificates_decode_and_verify_with_every_known_key(fixtures: Path, suite: dcc_suite.Suite) -> None:
    certificates = {
        dcc_suite.read_vector(path)["TESTCTX"]["CERTIFICATE"] for path in (fixtures / "dcc-testdata").rglob("*.json")
    }
    ring = KeyRing.of(sorted(filter(None, certificates)))
    texts = [entry["qr"] for entry in json.loads((fixtures / "dcc-quality-assurance" / "qr.json").read_text())]
    passes = [read_pass(text, keys=ring) for text in texts]
    assert len(passes) == 289
    assert {each.kind for each in passes} == {"eu-dcc"}
    assert all(each.issuer and each.key_id for each in passes)
    states = Counter(each.signature_valid for each in passes)
    assert (states[True], states[False]) == (106, 0)
    assert {"*": states[None]} == exceptions("dcc-quality-assurance", "signature")


def test_one_entry_rule(suite: dcc_suite.Suite) -> None:
    two = {"ver": "1.3.0", "v": [{}, {}]}
    assert [finding.stage for finding in dcc.check_one_entry(two)] == ["one-entry"]
    assert dcc.check_one_entry({"t": [{}]}) == ()
    assert "one-entry" in {finding.stage for finding in suite.schemas.check({**two, "ver": "1.3.3"})}
    assert "one-entry" not in {finding.stage for finding in suite.schemas.check({**two, "ver": "1.0.0"})}
    assert suite.schemas.check({"ver": "2.0.0"}) and suite.schemas.check([]) and suite.schemas.check({"ver": 1})


def test_payloads_say_the_same_whatever_the_encoder_made_of_them() -> None:
    assert dcc.same({"dn": 2.0, "sc": "2021-06-11T17:30:00+02:00"}, {"dn": 2, "sc": "2021-06-11T15:30:00Z"})
    assert not dcc.same({"dn": 2.5}, {"dn": 2})
    assert not dcc.same({"sc": "2021-06-11T17:30:00Z"}, {"sc": "2021-06-11T15:30:00Z"})
    assert not dcc.same(["a"], ["a", "b"])
