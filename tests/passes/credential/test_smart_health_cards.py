"""SMART Health Cards made here: which forms are read, which are refused whoever signed them, and whose keys count."""

from __future__ import annotations

import base64
import datetime as dt
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from hutong.errors import BadInput, LimitExceeded, NotFound
from hutong.passes.credential.key_files import issuer_of
from hutong.passes.credential.keys import encode_base64url, write_jwk
from hutong.passes.credential.picture import draw_png
from hutong.passes.credential.read import read_pass
from hutong.passes.credential.shc import to_numeric
from hutong.passes.credential.shc_keys import thumbprint
from tests.cli.conftest import CommandLine

KEY = ec.generate_private_key(ec.SECP256R1())
JWK = write_jwk(KEY.public_key(), b"")
JWK["kid"] = thumbprint(JWK)
BEGIN = dt.datetime(2021, 3, 1, tzinfo=dt.UTC)
ISSUER = "https://river.example/issuer"
PAYLOAD: dict[str, Any] = {
    "iss": ISSUER,
    "nbf": 1_620_000_000,
    "vc": {"type": ["https://smarthealth.cards#health-card"]},
}
HEADER = {"zip": "DEF", "alg": "ES256", "kid": JWK["kid"]}


def card(payload: Mapping[str, Any] | str = PAYLOAD, header: Mapping[str, Any] = HEADER) -> str:
    """A signed JWS over a payload, or over its text as it is."""
    packer = zlib.compressobj(wbits=-15)
    text = payload if isinstance(payload, str) else json.dumps(payload)
    packed = packer.compress(text.encode()) + packer.flush()
    signed = f"{encode_base64url(json.dumps(header).encode())}.{encode_base64url(packed)}"
    r, s = decode_dss_signature(KEY.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{encode_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_a_card_verifies_with_its_issuers_key() -> None:
    read = read_pass(card(), keys=[JWK])
    assert (read.kind, read.signature_valid, read.issuer) == ("smart-health-card", True, ISSUER)


@pytest.mark.parametrize(
    "change", [{"crit": ["b64"], "b64": False}, {"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": "b64"}]
)
def test_a_header_that_demands_an_extension_is_refused(change: dict[str, Any]) -> None:
    """RFC 7515, 4.1.11: what the header says must be understood makes the signature invalid where it is not."""
    with pytest.raises(BadInput, match="extension"):
        read_pass(card(header={**HEADER, **change}), keys=[JWK])
    del change["crit"]
    assert read_pass(card(header={**HEADER, **change}), keys=[JWK]).signature_valid is True


@pytest.mark.parametrize("status", [[], {}, ["completed"], {"a": 1}, None, 5, True, "done"])
def test_a_status_of_any_kind_is_told_and_fails_nothing(status: Any) -> None:
    entry = {"fullUrl": "resource:0", "resource": {"resourceType": "Immunization", "status": status}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    content = {"fhirVersion": "4.0.1", "fhirBundle": bundle}
    shown = read_pass(card({**PAYLOAD, "vc": {**PAYLOAD["vc"], "credentialSubject": content}}), keys=[JWK])
    assert shown.signature_valid is True
    assert "Immunization: the status is none of FHIR's." in shown.warnings


def test_a_card_that_is_split_is_read_from_its_codes_in_any_order() -> None:
    digits = to_numeric(card()).removeprefix("shc:/")
    half = len(digits) // 4 * 2
    first, second = f"shc:/1/2/{digits[:half]}", f"shc:/2/2/{digits[half:]}"
    for parts in ([first, second], (second, first + "\n"), [second, draw_png(first, scale=2)], f"{second}\n{first}"):
        assert read_pass(parts, keys=[JWK]).signature_valid is True
    for parts in ([first], [first, first], [first, "HC1:X"], [], [first, second] * 40):
        with pytest.raises((BadInput, LimitExceeded)):
            read_pass(parts, keys=[JWK])


def put(folder: Path, path: str, content: Any) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        ("river.example/issuer/.well-known/jwks.json", "https://river.example/issuer"),
        ("river.example/well-known/jwks.json", "https://river.example"),
        ("River.Example/Issuer/.well-known/jwks.json", "https://river.example/Issuer"),
        ("river.example:8443/a/b/.well-known/jwks.json", "https://river.example:8443/a/b"),
        ("river.example/issuer/jwks.json", None),
        ("river.example/issuer/.well-known/crl/abc.json", None),
        ("cards/river.example/issuer/.well-known/jwks.json", "https://river.example/issuer"),
        ("keys/.well-known/jwks.json", "https://keys"),
        (".well-known/jwks.json", None),
        ("jwks.json", None),
    ],
)
def test_whose_set_it_is_says_where_it_lies(path: str, issuer: str | None) -> None:
    assert issuer_of(Path(path)) == issuer


def test_keys_are_resolved_from_a_local_directory_of_issuers(tmp_path: Path) -> None:
    put(tmp_path, "river.example/issuer/.well-known/jwks.json", {"keys": [JWK]})
    put(tmp_path, "river.example/issuer/.well-known/crl/x.json", {"kid": "x", "method": "rid", "ctr": 1, "rids": []})
    put(tmp_path, "README.txt", "Fetched on Monday.")
    put(tmp_path, "long.txt", "x" * 100_000)
    for keys in (tmp_path, [tmp_path], [tmp_path / "river.example" / "issuer" / ".well-known" / "jwks.json"]):
        assert read_pass(card(), keys=keys).signature_valid is True
    other = card({**PAYLOAD, "iss": "https://sea.example/issuer"})
    assert read_pass(other, keys=tmp_path).signature_valid is False  # the river's key, but not the sea's
    with pytest.raises(NotFound):
        read_pass(card(), keys=[tmp_path / "none"])
    with pytest.raises(NotFound, match="No file"):
        read_pass(card(), keys=tmp_path / "river.example" / "issuer" / ".well-known" / "crl")
    with pytest.raises(BadInput):
        read_pass(card(), keys=tmp_path / "README.txt")


def test_keys_of_a_directory_document_belong_to_their_issuer() -> None:
    """The form of VCI's snapshots of all issuers."""
    entry = {"issuer": {"iss": ISSUER, "name": "River"}, "keys": [JWK], "crls": []}
    assert read_pass(card(), keys={"issuerInfo": [entry]}).signature_valid is True
    assert read_pass(card(), keys=json.dumps({"issuerInfo": [entry]})).signature_valid is True
    other = card({**PAYLOAD, "iss": "https://sea.example/issuer"})
    assert read_pass(other, keys={"issuerInfo": [entry]}).signature_valid is False
    for broken in (1, {}, {"issuer": {}, "keys": [JWK]}, {"issuer": {"iss": ISSUER}}):
        with pytest.raises(BadInput):
            read_pass(card(), keys={"issuerInfo": [broken]})


def certificate_for(*addresses: str) -> str:
    """Base64 of a certificate of KEY that names these addresses."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "River")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(7).not_valid_before(BEGIN).not_valid_after(BEGIN + dt.timedelta(days=900))
    if addresses:
        uris = [x509.DNSName("river.example"), *map(x509.UniformResourceIdentifier, addresses)]
        builder = builder.add_extension(x509.SubjectAlternativeName(uris), critical=False)
    return base64.b64encode(builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)).decode()


@pytest.mark.parametrize(
    ("addresses", "valid"),
    [
        ([ISSUER], True),
        (["https://sea.example/issuer"], False),
        ([f"{ISSUER}/"], False),
        ([], None),
        ([ISSUER, "https://sea.example/issuer"], True),  # which of them is meant is not said
        (["mailto:keys@sea.example"], None),
    ],
)
def test_a_key_whose_certificate_names_an_issuer_counts_for_it_alone(addresses: list[str], valid: bool | None) -> None:
    certified = {**JWK, "x5c": [certificate_for(*addresses)]}
    assert read_pass(card(), keys=[certified]).signature_valid is valid
    read = read_pass(card(), keys=[{"keys": [certified], "issuer": ISSUER}])
    is_named = ISSUER in addresses
    assert read.signature_valid is (True if is_named else None)
    assert ("INVALID_KEY_X5C" in {problem.code for problem in read.problems}) is not is_named


@pytest.mark.parametrize("x", ["AA", "%", 5, None, "\ud800", "A" * 100_000])
def test_an_unusable_key_beside_a_certificate_is_answered_never_an_exception(x: Any) -> None:
    """Its id is the thumbprint of what it states, so that its certificate is looked at, too."""
    unusable = {**JWK, "x": x, "x5c": [certificate_for(ISSUER)]}
    unusable["kid"] = thumbprint(unusable)
    shown = card(header={**HEADER, "kid": unusable["kid"]})
    alone = read_pass(shown, keys=[{"keys": [unusable, JWK], "issuer": ISSUER}])
    assert (alone.signature_valid, alone.acceptable) in ((None, False), (False, False))
    for keys in ([unusable, JWK], [{"keys": [unusable, JWK], "issuer": ISSUER}]):
        assert read_pass(card(), keys=keys).signature_valid is True


CERTIFIED = {**JWK, "x5c": [certificate_for(ISSUER)]}
KEY_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({**JWK, "kid": "river-01"}, "INVALID_KEY_WRONG_KID"),
    ({**JWK, "kid": f"{JWK['kid']}="}, "INVALID_KEY_WRONG_KID"),
    ({**JWK, "use": "enc"}, "INVALID_KEY_WRONG_USE"),
    ({**JWK, "alg": "ES256K"}, "INVALID_KEY_WRONG_ALG"),
    *(
        ({name: value for name, value in JWK.items() if name != left_out}, "INVALID_KEY_SCHEMA")
        for left_out in ("alg", "use")
    ),
    ({**CERTIFIED, "x5c": [*CERTIFIED["x5c"], certificate_for(ISSUER)[:-8] + "AAAAAAA="]}, "INVALID_KEY_X5C"),
    ({**CERTIFIED, "x5c": []}, "INVALID_KEY_X5C"),
    ({**CERTIFIED, "x5c": ["AAAA"]}, "INVALID_KEY_X5C"),
]


@pytest.mark.parametrize(("jwk", "code"), KEY_FAULTS)
def test_a_faulty_key_verifies_no_card_and_its_fault_is_told(jwk: dict[str, Any], code: str) -> None:
    shown = card(header={**HEADER, "kid": jwk["kid"]})
    for keys in ([jwk], [{"keys": [jwk], "issuer": ISSUER}]):
        read = read_pass(shown, keys=keys)
        assert (read.signature_valid, read.key, read.revoked, read.acceptable) == (None, None, None, False)
        assert code in {problem.code for problem in read.problems}
    assert read_pass(card(), keys=[{**jwk, "kid": "other"}, JWK]).signature_valid is True


def test_a_bare_key_is_named_by_its_thumbprint() -> None:
    spki = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert read_pass(card(), keys=[spki]).signature_valid is True
    read = read_pass(card(header={**HEADER, "kid": "river-01"}), keys=[spki])
    assert (read.signature_valid, read.problems[0].code) == (None, "INVALID_KEY_WRONG_KID")


NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SOUND: dict[str, Any] = {
    "iss": ISSUER,
    "nbf": 1_620_000_000.5,
    "vc": {
        "type": ["https://smarthealth.cards#health-card"],
        "credentialSubject": {
            "fhirVersion": "4.0.1",
            "fhirBundle": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [
                    {"fullUrl": "resource:0", "resource": {"resourceType": "Patient", "birthDate": "1950-01-01"}}
                ],
            },
        },
    },
}
TIMES: list[tuple[dict[str, Any], tuple[str, str] | None]] = [
    ({}, None),
    ({"exp": NOW.timestamp()}, None),
    ({"exp": NOW.timestamp() - 1}, ("EXPIRATION_ERROR", "warning")),
    ({"exp": 1_500_000_000}, ("EXPIRATION_ERROR", "error")),
    ({"exp": "2030-01-01"}, ("SCHEMA_ERROR", "error")),
    ({"exp": 1_900_000_000_000}, None),
    ({"nbf": NOW.timestamp() + 200}, None),
    ({"nbf": NOW.timestamp() + 400}, ("NOT_YET_VALID", "warning")),
    ({"nbf": 1_620_000_000_000}, ("NOT_YET_VALID", "error")),
    ({"nbf": None}, ("SCHEMA_ERROR", "error")),
    ({"nbf": True}, ("SCHEMA_ERROR", "error")),
    ({"nbf": "2021-05-03"}, ("SCHEMA_ERROR", "error")),
]


@pytest.mark.parametrize(("change", "expected"), TIMES, ids=str)
def test_times_of_a_card_that_is_well_signed(change: dict[str, Any], expected: tuple[str, str] | None) -> None:
    payload = {name: value for name, value in {**SOUND, **change}.items() if value is not None}
    read = read_pass(card(payload), keys=[JWK], at=NOW)
    assert [(problem.code, problem.severity) for problem in read.problems] == ([expected] if expected else [])
    assert (read.signature_valid, read.acceptable) == (True, expected is None)
    assert {problem.what for problem in read.problems} <= set(read.warnings)


def test_a_card_is_judged_now_where_no_moment_is_named(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC).timestamp()
    assert read_pass(card({**SOUND, "exp": now + 600}), keys=[JWK]).acceptable is True
    assert read_pass(card({**SOUND, "exp": now - 1}), keys=[JWK]).acceptable is False
    assert read_pass(card(SOUND), keys=[JWK], at="2021-01-01T00:00:00Z").acceptable is False
    assert read_pass(card(SOUND)).acceptable is None  # no key: it can't be known
    put(tmp_path, "jwk.json", JWK)
    told = CommandLine().ok("pass", "read", card({**SOUND, "exp": now - 1}), "--key", tmp_path / "jwk.json")
    expired = {"code": "EXPIRATION_ERROR", "severity": "warning", "what": "The card has expired."}
    assert (told["acceptable"], told["problems"]) == (False, [expired])
    said = CommandLine()("pass", "read", card({**SOUND, "exp": now - 1}), "--key", tmp_path / "jwk.json").out
    assert "not acceptable by its specification" in said
    assert "warning: The card has expired. [EXPIRATION_ERROR]" in said


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(SOUND).replace('"iss"', '"iss": "https://sea.example/issuer", "iss"', 1),
        json.dumps(SOUND).replace('"iss"', '"\\u0069ss": 1, "iss"', 1),
        json.dumps(SOUND).replace('"entry"', '"entry": [], "entry"', 1),
    ],
)
def test_a_name_that_stands_twice_in_the_payload_is_refused(text: str) -> None:
    """Of two readers each could take another one (RFC 7519, 4)."""
    assert json.loads(text) == SOUND
    with pytest.raises(BadInput, match=r"JSON_PARSE_ERROR.*stands twice"):
        read_pass(card(text), keys=[JWK])


def test_one_bad_card_of_a_file_makes_all_not_acceptable() -> None:
    good, bad = card(SOUND), card({**SOUND, "exp": 1_500_000_000})
    for cards, acceptable in (([good, good], True), ([good, bad], False), ([bad, good], False)):
        read = read_pass(json.dumps({"verifiableCredential": cards}), keys=[JWK], at=NOW)
        assert (read.signature_valid, read.acceptable) == (True, acceptable)


def test_a_key_id_that_is_no_text_is_none() -> None:
    assert read_pass(card(), keys=[{**JWK, "kid": "\ud800"}]).signature_valid is None
    assert read_pass(card(), keys=[{**JWK, "kid": "\ud800"}, JWK]).signature_valid is True


def test_keys_may_come_as_one_list() -> None:
    for keys in ([[JWK]], json.dumps([JWK]), json.dumps([JWK]).encode()):
        assert read_pass(card(), keys=keys).signature_valid is True
    with pytest.raises(BadInput):
        read_pass(card(), keys=json.dumps([[JWK]]))
