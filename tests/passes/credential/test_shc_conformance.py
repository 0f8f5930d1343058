"""SMART Health Cards: every accept-or-reject decision of the published validator, and reading by the one function."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hutong.errors import BadInput
from hutong.passes.credential import shc, shc_rules
from hutong.passes.credential.keys import KeyRing
from hutong.passes.credential.read import ReadPass, read_pass
from tests.cli.conftest import CommandLine
from tests.exceptions import exceptions
from tests.passes.credential.test_smart_health_cards import JWK, card

AT = dt.datetime(2023, 5, 4, tzinfo=dt.UTC)
ISSUER = "https://spec.smarthealth.cards/examples/issuer"
CERTIFIED_ISSUER = "https://smarthealth.cards/examples/issuer"
CRL_ISSUER = "https://raw.githubusercontent.com/smart-on-fhir/health-cards-dev-tools/main/testdata/badcrl/"
NOTHING_WRONG = (0, [])


@pytest.fixture(scope="module")
def folder(fixtures: Path) -> Path:
    return fixtures / "smart-health-cards"


@pytest.fixture(scope="module")
def issuers(folder: Path) -> list[dict[str, Any]]:
    """Key sets and revocation lists of issuers, and the throwaway key that signs what is only a payload."""

    def load(path: Path) -> Any:
        return json.loads(path.read_text())

    def entry(issuer: str, keys: list[Any], lists: Sequence[Any] = ()) -> dict[str, Any]:
        return {"issuer": {"iss": issuer}, "keys": keys, "crls": list(lists)}

    entries = [
        entry(ISSUER, [*load(folder / "issuer.jwks.public.json")["keys"], JWK]),
        entry("https://other.example/issuer", load(folder / "issuer.jwks.public.not.smart.json")["keys"]),
    ]
    for place in sorted((folder / "badcrl").glob("*/well-known")):
        lists = [load(path) for path in (place / "crl").glob("*.json")]
        entries.append(entry(CRL_ISSUER + place.parent.name, load(place / "jwks.json")["keys"], lists))
    with pytest.raises(BadInput):  # of the issuer whose set is no JSON no key is at hand
        KeyRing.of(folder / "badjwks" / "well-known" / "jwks.json")
    return [{"issuerInfo": entries}]


def text_of(case: dict[str, Any], folder: Path) -> str:
    """What a reader is shown: the case itself; of what is only a payload, or a bundle of one, a card signed here."""
    texts = [(folder / name).read_text() for name in case["files"]]
    if case["type"] in ("qrnumeric", "jws", "healthcard", "fhirhealthcard"):
        return "\n".join(texts)
    (text,) = texts
    if case["type"] == "jwspayload":
        return card(text)
    # White space around a bundle is none around a card's JSON: it is put around the payload, where the card has it.
    before, after = text[: -len(text.lstrip())], text[len(text.rstrip()) :]
    subject = f'"credentialSubject": {{"fhirVersion": "4.0.1", "fhirBundle": {text}}}'
    vc = f'"vc": {{"type": ["https://smarthealth.cards#health-card"], {subject}}}'
    return card(f'{before}{{"iss": "{ISSUER}", "nbf": 1620000000, {vc}}}{after}')


def find_problems(text: str, issuers: list[dict[str, Any]]) -> tuple[list[tuple[str, str]], ReadPass | None]:
    """Code and severity of each problem; of a text that is not well formed, those that its error names."""
    try:
        read = read_pass(text, keys=issuers, at=AT)
    except BadInput as error:
        codes = re.findall(r"[A-Z0-9]+(?:_[A-Z0-9]+)+", error.what)
        assert codes, error.what
        return [(code, "error") for code in codes], None
    return [(problem.code, problem.severity) for problem in read.problems], read


@pytest.mark.conformance
def test_every_decision(folder: Path, issuers: list[dict[str, Any]]) -> None:
    """By the one function that everybody calls: rejected is what has an error, accepted what has none."""
    cases = json.loads((folder / "expected.json").read_text())
    wrong, without_common_code, other_codes, ended = [], [], {}, {}
    for case in cases:
        found, read = find_problems(text_of(case, folder), issuers)
        codes = [code for code, severity in found if severity == "error"]
        if (case["errors"] in NOTHING_WRONG) != (codes == []):
            wrong.append((case["name"], case["errors"], codes))
        elif isinstance(case["errors"], list) and case["errors"] and not set(case["errors"]) & set(codes):
            without_common_code.append((case["name"], case["errors"], codes))
        if set(case["errors"] if isinstance(case["errors"], list) else ["one"] * case["errors"]) != set(codes):
            other_codes[case["name"]] = 1
        if read is not None:
            assert (read.acceptable is True) == (found == []), case["name"]
            assert read.signature_valid is True or codes, case["name"]
        if found and not codes:
            ended[case["name"]] = found
    assert (len(cases), wrong, without_common_code) == (61, [], [])
    assert other_codes == exceptions("smart-health-cards", "codes")
    assert ended == {
        "Cards: not yet valid": [("NOT_YET_VALID", "warning")],
        "Cards: expired": [("EXPIRATION_ERROR", "warning")],
    }


@pytest.mark.conformance
def test_key_sets(folder: Path) -> None:
    """A card that names each key: it does not verify, and why the key may not sign it is told."""
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
        "invalid_chain.public.json": ["INVALID_KEY_X5C"],
    }
    for name, codes in expected.items():
        for jwk in json.loads((folder / name).read_text())["keys"]:
            found, valid = named(jwk, CERTIFIED_ISSUER)
            assert found >= set(codes or ["JWS_VERIFICATION_ERROR"]), (name, found)
            assert valid is (None if codes else False), name
    (certified,) = json.loads((folder / "valid_key_with_x5c.json").read_text())["keys"]
    assert named(certified, ISSUER) == ({"INVALID_KEY_X5C"}, None)
    with pytest.raises(BadInput, match="not the key of its certificate"):  # for no kind of pass is it a key
        KeyRing.of(folder / "cert_mismatch.public.json")
    (mismatch,) = json.loads((folder / "cert_mismatch.public.json").read_text())["keys"]
    assert named(mismatch, CERTIFIED_ISSUER) == ({"JWS_VERIFICATION_ERROR"}, None)


def named(jwk: dict[str, Any], issuer: str) -> tuple[set[str], bool | None]:
    """Codes and state of a card by another key that says it is this one's."""
    payload = {"iss": issuer, "nbf": 1_620_000_000}
    shown = card(payload, {"zip": "DEF", "alg": "ES256", "kid": jwk["kid"]})
    read = read_pass(shown, keys=[{"keys": [jwk, JWK], "issuer": issuer}])
    content = {"SCHEMA_ERROR", "FHIR_SCHEMA_ERROR"}
    return {problem.code for problem in read.problems} - content, read.signature_valid


@pytest.mark.conformance
def test_a_card_of_many_codes_is_read_in_any_order(folder: Path, issuers: list[dict[str, Any]]) -> None:
    chunks = [
        (folder / f"test-example-00-f-qr-code-numeric-value-{n}-qr_chunk_too_small.txt").read_text() for n in range(17)
    ]
    read = read_pass("\n".join(reversed(chunks)), keys=issuers)
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


def test_digits_of_another_script_are_none() -> None:
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    digits = shc.to_numeric("eyJhbGciOiJFUzI1NiJ9.abc-_.zz")
    told = (shc.Problem("INVALID_NUMERIC_QR", "The QR text is not shc:/ followed by digits."),)
    assert shc.parse_numeric([digits.translate(wide)])[1][:1] == told
    assert shc.parse_numeric([digits.replace("shc:/", "shc:/１/１/")])[1][:1] == told
