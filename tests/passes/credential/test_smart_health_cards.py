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
from hutong.passes.credential.shc import parse_jws, to_numeric
from hutong.passes.credential.shc_rules import Issuers, check_key_set, check_signature, thumbprint

KEY = ec.generate_private_key(ec.SECP256R1())
JWK = write_jwk(KEY.public_key(), b"river-01")
BEGIN = dt.datetime(2021, 3, 1, tzinfo=dt.UTC)
ISSUER = "https://river.example/issuer"
PAYLOAD: dict[str, Any] = {
    "iss": ISSUER,
    "nbf": 1_620_000_000,
    "vc": {"type": ["https://smarthealth.cards#health-card"]},
}
HEADER = {"zip": "DEF", "alg": "ES256", "kid": JWK["kid"]}


def card(payload: Mapping[str, Any] = PAYLOAD, header: Mapping[str, Any] = HEADER) -> str:
    """A signed JWS."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(json.dumps(payload).encode()) + packer.flush()
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
        ([], True),
        ([ISSUER, "https://sea.example/issuer"], True),  # which of them is meant is not said
        (["mailto:keys@sea.example"], True),
    ],
)
def test_a_key_whose_certificate_names_an_issuer_counts_for_it_alone(addresses: list[str], valid: bool) -> None:
    certified = {**JWK, "x5c": [certificate_for(*addresses)]}
    assert read_pass(card(), keys=[certified]).signature_valid is valid
    assert read_pass(card(), keys=[{"keys": [certified], "issuer": ISSUER}]).signature_valid is True


@pytest.mark.parametrize("x", ["AA", "%", 5, None, "\ud800", "A" * 100_000])
def test_an_unusable_key_beside_a_certificate_is_answered_never_an_exception(x: Any) -> None:
    """Its id is the thumbprint of what it states, so that its certificate is looked at, too."""
    unusable = {**JWK, "x": x, "x5c": [certificate_for(ISSUER)]}
    unusable["kid"] = thumbprint(unusable)
    sound = {**JWK, "kid": thumbprint(JWK)}
    keys, problems = check_key_set({"keys": [unusable, sound]}, ISSUER)
    assert ([key.name for key in keys], [problem.code for problem in problems]) == ([sound["kid"]], ["INVALID_KEY_X5C"])
    shown = card(header={**HEADER, "kid": sound["kid"]})
    assert check_signature(parse_jws(shown), Issuers({ISSUER: {"keys": [unusable, 5, sound]}})) == ()
    only = Issuers({ISSUER: {"keys": [unusable]}, "https://sea.example": {"keys": None}})
    assert [problem.code for problem in check_signature(parse_jws(shown), only)] == ["INVALID_KEY_X5C"]
    assert read_pass(shown, keys=[unusable, sound]).signature_valid is True


def test_a_key_id_that_is_no_text_is_none() -> None:
    assert read_pass(card(), keys=[{**JWK, "kid": "\ud800"}]).signature_valid is True


def test_keys_may_come_as_one_list() -> None:
    for keys in ([[JWK]], json.dumps([JWK]), json.dumps([JWK]).encode()):
        assert read_pass(card(), keys=keys).signature_valid is True
    with pytest.raises(BadInput):
        read_pass(card(), keys=json.dumps([[JWK]]))
