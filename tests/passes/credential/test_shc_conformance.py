"""SMART Health Cards: every accept-or-reject decision of the published validator, and reading by the one function."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hutong.errors import BadInput
from hutong.passes.credential import shc, shc_rules
from hutong.passes.credential.read import read_pass
from tests.cli.conftest import CommandLine
from tests.exceptions import exceptions

AT = dt.datetime(2023, 5, 4, tzinfo=dt.UTC)
ISSUER = "https://spec.smarthealth.cards/examples/issuer"
CERTIFIED_ISSUER = "https://smarthealth.cards/examples/issuer"
CRL_ISSUER = "https://raw.githubusercontent.com/smart-on-fhir/health-cards-dev-tools/main/testdata/badcrl/"
BAD_KEYS_ISSUER = "https://raw.githubusercontent.com/microsoft/health-cards-validation-SDK/main/testdata/badjwks"
NOTHING_WRONG = (0, [])


@pytest.fixture(scope="module")
def folder(fixtures: Path) -> Path:
    return fixtures / "smart-health-cards"


@pytest.fixture(scope="module")
def issuers(folder: Path) -> shc_rules.Issuers:
    def load(path: Path) -> Any:
        return json.loads(path.read_text())

    key_sets: dict[str, Any] = {
        ISSUER: load(folder / "issuer.jwks.public.json"),
        "https://other.example/issuer": load(folder / "issuer.jwks.public.not.smart.json"),
        BAD_KEYS_ISSUER: (folder / "badjwks" / "well-known" / "jwks.json").read_text(),
    }
    lists = {}
    for path in (folder / "badcrl").glob("*/well-known/crl/*.json"):
        issuer = CRL_ISSUER + path.parents[2].name
        key_sets[issuer] = load(path.parents[1] / "jwks.json")
        lists[issuer, path.stem] = load(path)
    return shc_rules.Issuers(key_sets, lists)


def find_problems(case: dict[str, Any], folder: Path, issuers: shc_rules.Issuers) -> list[str]:
    texts = [(folder / name).read_text() for name in case["files"]]
    if case["type"] in ("qrnumeric", "jws", "healthcard", "fhirhealthcard"):
        return [problem.code for problem in shc_rules.check_texts(texts, issuers, at=AT)]
    document, problems = shc.parse_json(texts[0], "document")
    check = (
        shc_rules.check_payload(document, at=AT) if case["type"] == "jwspayload" else shc_rules.check_bundle(document)
    )
    return [problem.code for problem in (*problems, *check)]


@pytest.mark.conformance
def test_every_decision(folder: Path, issuers: shc_rules.Issuers) -> None:
    cases = json.loads((folder / "expected.json").read_text())
    wrong, without_common_code, other_codes = [], [], {}
    for case in cases:
        codes = find_problems(case, folder, issuers)
        if (case["errors"] in NOTHING_WRONG) != (codes == []):
            wrong.append((case["name"], case["errors"], codes))
        elif isinstance(case["errors"], list) and case["errors"] and not set(case["errors"]) & set(codes):
            without_common_code.append((case["name"], case["errors"], codes))
        if set(case["errors"] if isinstance(case["errors"], list) else ["one"] * case["errors"]) != set(codes):
            other_codes[case["name"]] = 1
    assert other_codes == exceptions("smart-health-cards", "codes")
    assert (len(cases), wrong, without_common_code) == (61, [], [])


@pytest.mark.conformance
def test_reading_agrees_with_the_decisions_on_form_signature_and_revocation(
    folder: Path, issuers: shc_rules.Issuers, directory: Path
) -> None:
    """One function given the issuers' keys and lists accepts nothing that is rejected, and all that is not."""
    keys = [{**issuers.key_sets[ISSUER], "issuer": ISSUER}, directory]
    tested, differing = 0, {}
    for case in json.loads((folder / "expected.json").read_text()):
        if case["type"] not in ("qrnumeric", "jws", "healthcard", "fhirhealthcard"):
            continue
        tested += 1
        text = "\n".join((folder / name).read_text() for name in case["files"])
        try:
            read = read_pass(text, keys=keys)
            accepted = read.signature_valid is True and not any("revocation list" in one for one in read.warnings)
        except BadInput:
            accepted = False
        if accepted != (case["errors"] in NOTHING_WRONG):
            differing[case["name"]] = 1
    assert (tested, differing) == (38, exceptions("smart-health-cards", "reading"))


@pytest.mark.conformance
def test_key_sets(folder: Path) -> None:
    expected = {
        "valid_key.json": [],
        "valid_keys.json": [],
        "valid_key_with_x5c.json": [],
        "valid_2_chain.public.json": [],
        "wrong_alg_key.json": ["INVALID_KEY_WRONG_ALG"],
        "wrong_curve_key.json": ["INVALID_KEY_WRONG_CRV", "INVALID_KEY_WRONG_ALG"],
        "wrong_kid_key.json": ["INVALID_KEY_WRONG_KID"],
        "wrong_kty_key.json": ["INVALID_KEY_WRONG_KTY"],
        "wrong_use_key.json": ["INVALID_KEY_WRONG_USE"],
        "invalid_DNS_SAN.public.json": ["INVALID_KEY_X5C"],
        "invalid_no_SAN.public.json": ["INVALID_KEY_X5C"],
        "cert_mismatch.public.json": ["INVALID_KEY_X5C"],
        "invalid_chain.public.json": ["INVALID_KEY_X5C"],
    }
    for name, codes in expected.items():
        keys, problems = shc_rules.check_key_set(json.loads((folder / name).read_text()), CERTIFIED_ISSUER)
        found = {problem.code for problem in problems}
        assert (set(codes) <= found) if codes else not found, (name, found)
        assert bool(keys) == (codes == []), name
    certified = json.loads((folder / "valid_key_with_x5c.json").read_text())
    _, problems = shc_rules.check_key_set(certified, ISSUER)
    assert [problem.code for problem in problems] == ["INVALID_KEY_X5C"]


@pytest.mark.conformance
def test_a_card_of_many_codes_is_read_in_any_order(folder: Path, issuers: shc_rules.Issuers) -> None:
    chunks = [
        (folder / f"test-example-00-f-qr-code-numeric-value-{n}-qr_chunk_too_small.txt").read_text() for n in range(17)
    ]
    read = read_pass("\n".join(reversed(chunks)), keys=[issuers.key_sets[ISSUER]])
    assert read.kind == "smart-health-card"
    assert read.signature_valid is True
    assert read.warnings
    assert (read.issuer, read.expires_at) == (ISSUER, None)
    with pytest.raises(BadInput):
        read_pass("\n".join(chunks[1:]))


KID = "hrvC0uzB16UXK83BnPo7Glg685b1D6iYOyJd5hpRaAA"
BAD_LISTS = {
    "duplicate-rid": "given twice",
    "invalid-method": "method is not rid",
    "non-base64url-rid": "malformed",
    "too-long-rid": "malformed",
    "version-mismatch": "another version",
}


@pytest.fixture
def directory(folder: Path, tmp_path: Path) -> Path:
    """A local directory of issuers as they serve their key sets and revocation lists."""
    place = tmp_path / CRL_ISSUER.removeprefix("https://")
    for name in BAD_LISTS:
        shutil.copytree(folder / "badcrl" / name, place / name)
    return tmp_path


@pytest.mark.conformance
@pytest.mark.parametrize("name", BAD_LISTS)
def test_a_faulty_revocation_list_in_a_directory_of_issuers_is_told(name: str, folder: Path, directory: Path) -> None:
    read = read_pass((folder / "badcrl" / name / f"jws-crl-{name}.txt").read_text(), keys=directory)
    assert (read.signature_valid, read.revoked) == (True, None)
    assert any(BAD_LISTS[name] in warning for warning in read.warnings), read.warnings


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("rids", "revoked"),
    [
        (["vwAjHdarZuc.1638311286"], False),
        (["abcde"], True),
        (["vwAjHdarZuc.1638311286", "abcde.1639168503"], True),  # issued 0.4 s before that moment
        (["abcde.1639168502"], False),
        (["abcde", "$wrong!"], True),  # a faulty list still revokes whom it names
        ([], False),
    ],
)
def test_a_card_of_the_suite_on_its_issuers_list(rids: list[str], revoked: bool, folder: Path, directory: Path) -> None:
    """The lists are not signed, so the suite's own card can be put on the one of its key."""
    name = "version-mismatch"
    card = folder / "badcrl" / name / f"jws-crl-{name}.txt"
    listed = directory / CRL_ISSUER.removeprefix("https://") / name / "well-known" / "crl" / f"{KID}.json"
    listed.write_text(json.dumps({"kid": KID, "method": "rid", "ctr": 1, "rids": rids}))
    read = read_pass(card.read_text(), keys=[directory])
    assert (read.signature_valid, read.revoked) == (True, revoked)
    assert ("The card is revoked." in read.warnings) is revoked
    told = CommandLine().ok("pass", "read", card, "--key", directory)
    assert (told["revoked"], told["warnings"]) == (revoked, list(read.warnings))
    assert ("revoked by its issuer" in CommandLine()("pass", "read", card, "--key", directory).out) is revoked
    listed.unlink()
    without = read_pass(card.read_text(), keys=[directory])
    assert (without.revoked, "not at hand" in "".join(without.warnings)) == (None, True)


@pytest.mark.conformance
@pytest.mark.parametrize("content", ["", "[]", '{"rids": 5}', '{"kid": 1, "rids": [5, null]}', "\xff"])
def test_a_revocation_list_that_cannot_be_read_clears_nobody(content: str, folder: Path, directory: Path) -> None:
    name = "version-mismatch"
    listed = directory / CRL_ISSUER.removeprefix("https://") / name / "well-known" / "crl" / f"{KID}.json"
    listed.write_bytes(content.encode("latin-1"))
    read = read_pass((folder / "badcrl" / name / f"jws-crl-{name}.txt").read_text(), keys=[directory])
    assert (read.signature_valid, read.revoked) == (True, None)
    assert "The revocation list is not one of this key." in read.warnings


@pytest.mark.conformance
def test_the_lists_of_a_snapshot_of_issuers_count(folder: Path) -> None:
    name = "version-mismatch"
    card = (folder / "badcrl" / name / f"jws-crl-{name}.txt").read_text()
    keys = json.loads((folder / "badcrl" / name / "well-known" / "jwks.json").read_text())["keys"]
    for rids in (["abcde"], ["other"]):
        crl = {"kid": KID, "method": "rid", "ctr": 1, "rids": rids}
        entry = {"issuer": {"iss": CRL_ISSUER + name, "name": "Suite"}, "keys": keys, "crls": [crl, None]}
        assert read_pass(card, keys={"issuerInfo": [entry]}).revoked is (rids == ["abcde"])


def test_revocation_with_and_without_time() -> None:
    listed = {"rids": ["abcd", "efgh.1600000000"]}
    assert shc_rules.is_revoked(listed, "abcd", 1_700_000_000)
    assert shc_rules.is_revoked(listed, "efgh", 1_500_000_000)
    assert not shc_rules.is_revoked(listed, "efgh", 1_700_000_000)
    assert not shc_rules.is_revoked(listed, "other", 1_500_000_000)


def test_digits_round_trip() -> None:
    jws = "eyJhbGciOiJFUzI1NiJ9.abc-_.zz"
    assert shc.parse_numeric([shc.to_numeric(jws)]) == (jws, ())
    with pytest.raises(BadInput):
        shc.to_numeric("a" * 1196)
