"""WHO network: the published QR contents of six families unpack as published; trust documents load."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hutong.errors import BadInput
from hutong.passes.credential import cbor, cose, dcc, gdhcn, hcert, shc
from hutong.passes.credential.certificates import key_id_of
from hutong.passes.credential.keys import KeyRing, write_jwk
from hutong.passes.credential.read import read_pass
from tests.exceptions import exceptions

KINDS = {
    "DIVOCIndonesiaContents": "divoc",
    "DIVOCJamaicaContents": "divoc",
    "DIVOCQR1Contents": "divoc",
    "DVCTest2QR": "who-dvc",
    "DVCTest3QR": "who-dvc",
    "DVCTestQR": "who-dvc",
    "EUColombiaContents": "eu-dcc",
    "EUIndonesiaContents": "eu-dcc",
    "EUItalyAcceptanceQRContents": "eu-dcc",
    "EUQR1Contents": "eu-dcc",
    "EUUruguay2Contents": "eu-dcc",
    "EUUruguayContents": "eu-dcc",
    "ICAOAUQR1Contents": "icao-vds",
    "ICAOJPQR1Contents": "icao-vds",
    "SHCQR1Contents": "smart-health-card",
    "SHCSenegalContents": "smart-health-card",
    "SHCTestResultsContents": "smart-health-card",
    "SHCWAVaxContents": "smart-health-card",
    "WHOQR1Contents": "who-ddcc",
    "WHOQR2Contents": "who-ddcc",
    "WHOSingaporePCRContents": "who-ddcc",
}


@pytest.mark.conformance
def test_every_family_is_recognised_and_unpacked(fixtures: Path) -> None:
    folder = fixtures / "gdhcn"
    files = sorted(path for path in folder.glob("*.txt") if path.stem.endswith(("Contents", "QR")))
    assert {path.stem: read_pass(path.read_text()).kind for path in files} == KINDS
    compared, left_out = 0, {}
    for path in files:
        stem = path.stem.removesuffix("Contents") + "Unpacked"
        unpacked = next((folder / (stem + end) for end in (".json", ".txt") if (folder / (stem + end)).is_file()), None)
        if unpacked is None:
            left_out[path.stem] = 1
            continue
        text = path.read_text().strip()
        compared += 1
        if KINDS[path.stem] == "smart-health-card":  # of these the signed text is published
            assert shc.parse_numeric([text]) == (unpacked.read_text().strip(), ()), path.stem
            continue
        published = json.loads(unpacked.read_text())
        if text.startswith("HC1:"):
            message = cose.parse(hcert.unpack(text))
            body: Any = cbor.to_json(hcert.read_claims(message.payload).body)
            published = published.get("contents", published)
        else:
            body = read_pass(text).payload
            published = published.get("data", published)
        assert dcc.same(body, published), path.stem
    assert (compared, left_out) == (18, exceptions("gdhcn", "unpacking"))


STATUSES = {  # the network's own test expects them with its live trust list
    "EUQR1Contents": "VERIFIED",
    "EUItalyAcceptanceQRContents": "VERIFIED",
    "EUUruguay2Contents": "VERIFIED",
    "DVCTest3QR": "VERIFIED",
    "DVCTestQR": "ISSUER_NOT_TRUSTED",
    "DVCTest2QR": "INVALID_SIGNATURE",
    "EUUruguayContents": "ISSUER_NOT_TRUSTED",
    "EUIndonesiaContents": "TERMINATED_KEYS",
}


@pytest.mark.conformance
def test_statuses_by_the_trust_lists_that_are_there(fixtures: Path) -> None:
    folder = fixtures / "gdhcn"
    lists = [path for path in folder.rglob("*.json") if "verificationMethod" in json.loads(path.read_bytes())]
    ring = KeyRing.of(lists)
    states = {"VERIFIED": True, "INVALID_SIGNATURE": False}
    left_out, wrong = {}, {}
    for name, status in STATUSES.items():
        if not ring.keys:
            left_out[name] = 1
        elif read_pass((folder / f"{name}.txt").read_text(), keys=ring).signature_valid is not states.get(status):
            wrong[name] = status
    assert (wrong, left_out) == ({}, exceptions("gdhcn", "status"))


@pytest.mark.conformance
def test_a_certificate_in_the_code_proves_nothing_until_it_is_trusted(fixtures: Path) -> None:
    text = (fixtures / "gdhcn" / "ICAOAUQR1Contents.txt").read_text()
    assert read_pass(text).signature_valid is None
    document = json.loads(text)
    compact = document["sig"]["cer"]
    der = base64.urlsafe_b64decode(compact + "=" * (-len(compact) % 4))
    assert read_pass(text, keys=[der]).signature_valid is True
    document["data"]["msg"]["pid"]["n"] = "SOMEBODY ELSE"
    assert read_pass(json.dumps(document), keys=[der]).signature_valid is False


@pytest.mark.parametrize(
    ("stated", "moment"),
    [
        ("2021-05-03T10:00:00+02:00", dt.datetime(2021, 5, 3, 8, tzinfo=dt.UTC)),
        ("2021-05-03T10:00:00", dt.datetime(2021, 5, 3, 10, tzinfo=dt.UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("tomorrow", None),
        (5, None),
    ],
)
def test_times_of_a_divoc_certificate_are_in_utc_or_none(stated: Any, moment: dt.datetime | None) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("certificate.json", json.dumps({"issuer": "X", "issuanceDate": stated}))
    read = read_pass("B64:" + base64.b64encode(packed.getvalue()).decode())
    assert (read.issued_at, read.expires_at) == (moment, None)
    assert read.issued_at is None or read.issued_at.utcoffset() == dt.timedelta(0)


def trust_document(*methods: Any) -> dict[str, Any]:
    return {"id": "did:web:trust.example:v2:trustlist", "verificationMethod": list(methods)}


def test_trust_document_finds_the_key_of_a_pass() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    key_id = os.urandom(8)
    jwk = {k: v for k, v in write_jwk(key.public_key(), key_id).items() if k not in ("kid", "alg", "use")}
    name = base64.b64encode(key_id).decode().replace("=", "%3D").replace("+", "%2B").replace("/", "%2F")
    path = "did:web:trust.example:v2:trustlist:DCC:XXA"
    document = trust_document(
        {"id": f"{path}:DSC#{name}", "type": "JsonWebKey2020", "publicKeyJwk": jwk},
        {"id": f"{path}:SCA#bm90", "publicKeyJwk": jwk},
        {"id": f"{path}:DSC#broken", "publicKeyJwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        "did:web:trust.example:v2:trustlist:DCC:XXB",
    )
    read = gdhcn.load(orjson.dumps(document))
    assert [(each.domain, each.participant, each.usage) for each in read.keys] == [
        ("DCC", "XXA", "DSC"),
        ("DCC", "XXA", "SCA"),
    ]
    assert len(read.references) == len(read.skipped) == 1
    payload = cbor.dumps({1: "XX", 6: 1_700_000_000, -260: {-6: {"n": "A"}}})
    text = hcert.pack(cose.Signer(key, key_id).sign(payload))
    answer = read_pass(text, keys=read.ring())
    assert (answer.kind, answer.signature_valid, answer.payload) == ("who-dvc", True, {"n": "A"})
    assert answer.key is not None and answer.key.issuer == "XXA"


def certified(name: str, *, is_authority: bool | None, by: Any = None) -> tuple[Any, str, bytes]:
    """A key, its certificate (base64), and the key id of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(5).not_valid_before(now).not_valid_after(now + dt.timedelta(days=99))
    if is_authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    der = builder.sign(by or key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return key, base64.b64encode(der).decode(), key_id_of(der)


PATH = "did:web:trust.example:v2:trustlist"


def listed(place: str, made: tuple[Any, str, bytes], *chain: str, **members: str) -> dict[str, Any]:
    key, certificate, key_id = made
    jwk = {**write_jwk(key.public_key(), key_id), "x5c": [certificate, *chain]}
    fragment = quote(base64.b64encode(key_id).decode(), safe="")
    return {"id": f"{place}#{fragment}", "type": "JsonWebKey2020", "publicKeyJwk": jwk, **members}


def signed_with(made: tuple[Any, str, bytes]) -> str:
    payload = cbor.dumps({1: "XX", 4: 2_000_000_000, -260: {1: {"ver": "1.3.0"}}})
    return hcert.pack(cose.Signer(made[0], made[2]).sign(payload))


@pytest.mark.parametrize(
    ("place", "members", "is_authority", "usage", "verifies"),
    [
        (f"{PATH}:DCC:XXA:DSC", {}, False, "DSC", True),
        (f"{PATH}:DCC:XXA:DSC", {}, None, "DSC", True),
        (f"{PATH}:DCC:XXA:dsc", {}, False, "DSC", True),
        (f"{PATH}:DCC:XXA:SCA", {}, True, "SCA", None),
        (f"{PATH}:DCC:XXA:SCA", {}, False, "SCA", None),
        (f"{PATH}:DCC:XXA:UP", {}, False, "UP", None),
        (f"{PATH}:DCC:XXA:TLS", {}, False, "TLS", None),
        (f"{PATH}:DCC:XXA:DSC", {}, True, "SCA", None),
        (f"{PATH}:DCC:XXA:SCA", {"keyusage": "DSC"}, False, "DSC", True),
        (f"{PATH}:DCC:XXA:DSC", {"keyusage": "SCA"}, False, "SCA", None),
        (f"{PATH}:DCC:XXA:-", {}, False, "DSC", True),
        (f"{PATH}:DCC:XXA:-", {}, True, "SCA", None),
        ("did:web:trust.example:trustlist:xxa", {}, False, "DSC", True),
        ("did:web:trust.example:trustlist:xxa", {}, True, "SCA", None),
    ],
)
def test_only_document_signers_verify_certificates(
    place: str, members: dict[str, str], is_authority: bool | None, usage: str, verifies: bool | None
) -> None:
    """By what the list says of a key, and never with the key of an authority, whatever the list says."""
    made = certified("key", is_authority=is_authority)
    document = trust_document(listed(place, made, **members))
    read = gdhcn.load(document)
    assert [each.usage for each in read.keys] == [usage]
    assert len(read.ring().keys) == bool(verifies)
    assert read_pass(signed_with(made), keys=[document]).signature_valid is verifies


def test_the_authority_behind_a_signer_verifies_nothing() -> None:
    """Lists of 2024 have it beside the signer's certificate, in one chain."""
    authority = certified("authority", is_authority=True)
    signer = certified("signer", is_authority=False, by=authority[0])
    document = trust_document(listed(f"{PATH}:DCC:XXA:DSC", signer, authority[1]))
    assert read_pass(signed_with(signer), keys=[document]).signature_valid is True
    assert read_pass(signed_with(authority), keys=[document]).signature_valid is None
    for made, valid in ((signer, True), (authority, None)):
        whole = trust_document(
            listed(f"{PATH}:DCC:XXA:DSC", signer, authority[1]), listed(f"{PATH}:DCC:XXA:SCA", authority)
        )
        assert read_pass(signed_with(made), keys=[whole]).signature_valid is valid


def test_a_participant_that_is_not_named_is_nobody() -> None:
    made = certified("key", is_authority=False)
    document = trust_document(listed(f"{PATH}:-:-:DSC", made))
    found = read_pass(signed_with(made), keys=[document])
    assert found.key is not None
    assert (found.signature_valid, found.key.issuer) == (True, None)


def test_that_a_proof_is_not_checked_is_told_once() -> None:
    made = certified("key", is_authority=False)
    proof = {"type": "JsonWebSignature2020", "verificationMethod": "did:web:signer.example", "jws": "eyJ9..MEQ"}
    one = {**trust_document(listed(f"{PATH}:DCC:XXA:DSC", made)), "proof": proof}
    other = {**trust_document(), "id": f"{PATH}:DCC", "proof": [proof]}
    warnings = read_pass(signed_with(made), keys=[one, other]).warnings
    about = [warning for warning in warnings if "proof" in warning]
    assert about == [
        "The proofs of the trust lists are not checked (JsonWebSignature2020 by did:web:signer.example): they sign"
        " canonical RDF, which needs the JSON-LD contexts that the lists name."
    ]
    for odd in (7, [], {}, {"type": 7}):
        notes = KeyRing.of([{**one, "proof": odd}]).notes
        assert len(notes) == isinstance(odd, dict)
    assert KeyRing.of([trust_document(listed(f"{PATH}:DCC:XXA:DSC", made))]).notes == ()


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"id": 1}', b'{"id": "x", "verificationMethod": {}}'])
def test_no_trust_document(document: bytes) -> None:
    if document == b"{}":
        with pytest.raises(BadInput):
            gdhcn.load({})
    with pytest.raises(BadInput):
        gdhcn.load(document)


def embedded(path: str, jwk: dict[str, Any], key_id: bytes) -> dict[str, Any]:
    """A list with one key, at the end of the references of its domain, participant and usage."""
    method = {"id": f"{path}#{quote(base64.b64encode(key_id).decode(), safe='')}", "publicKeyJwk": jwk}
    return {"id": path, "verificationMethod": [method]}


def test_references_are_answered_in_the_folder_and_the_others_told(tmp_path: Path) -> None:
    """Lists by reference as GDHCN 2.0.0 nests them: root, domain, participant, usage, and then a list of keys."""
    key, key_id = ec.generate_private_key(ec.SECP256R1()), os.urandom(8)
    path = "did:web:trust.example:v2:trustlist"
    lists = {
        "ref": {"id": f"{path}-ref", "verificationMethod": [f"{path}-ref:DCC", f"{path}-ref:DVC"]},
        "ref/DCC": {"id": f"{path}-ref:DCC", "verificationMethod": [f"{path}:DCC:XXA:DSC", f"{path}:DCC:XXB:DSC#a%3D"]},
        "DCC/XXA": embedded(f"{path}:DCC:XXA:DSC", dict(write_jwk(key.public_key(), key_id)), key_id),
        "DCC/XXB": embedded(f"{path}:DCC:XXB:DSC", {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, b"broken"),
    }
    for name, document in lists.items():
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "did.json").write_bytes(orjson.dumps(document))
    text = hcert.pack(
        cose.Signer(key, key_id).sign(cbor.dumps({1: "XXA", 4: 2_000_000_000, -260: {1: {"ver": "1.3.0"}}}))
    )
    found = read_pass(text, keys=tmp_path)
    about_keys = [warning for warning in found.warnings if "trust list" in warning]
    assert found.signature_valid is True
    assert about_keys == list(KeyRing.of(tmp_path).notes)
    assert len(about_keys) == 3
    assert f"1 of the trust list {path}:DCC:XXB:DSC can't be used: {path}:DCC:XXB:DSC#" in about_keys[0]
    assert "no usable point" in about_keys[0]
    assert about_keys[1].startswith(f"The trust list {path}-ref refers to 1 that are not at hand")
    assert about_keys[1].endswith(f": {path}-ref:DVC.")
    assert about_keys[2].endswith(f": {path}:DCC:XXB:DSC#a%3D.")
    (tmp_path / "DVC").mkdir()
    (tmp_path / "DVC" / "did.json").write_bytes(orjson.dumps({"id": f"{path}-ref:DVC", "verificationMethod": []}))
    assert len(KeyRing.of(tmp_path).notes) == 2


def test_a_list_by_reference_alone_holds_no_key_and_says_so(tmp_path: Path) -> None:
    names = [f"did:web:trust.example:v2:trustlist:DCC:X{number:02}" for number in range(40)]
    file = tmp_path / "did.json"
    file.write_bytes(orjson.dumps({"id": "did:web:trust.example", "verificationMethod": names}))
    for source in (file, tmp_path, file.read_text(), orjson.loads(file.read_bytes())):
        ring = KeyRing.of(source)
        assert (ring.keys, len(ring.notes)) == ((), 1)
        assert "refers to 40 that are not at hand" in ring.notes[0]
        assert ring.notes[0].count("did:web:trust.example:v2") == 5
