"""Lists of keys of which some can't be used: the others count, and what is left out is told."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from hutong.errors import BadInput, LimitExceeded
from hutong.passes.credential import cose, hcert
from hutong.passes.credential.keys import KeyRing, write_jwk
from hutong.passes.credential.read import read_pass
from tests.passes.credential.test_containers import BEGIN, CLAIMS, DER, END, JWK, KEY, KEY_ID, pem
from tests.within import within

TEXT = hcert.pack(cose.Signer(KEY, KEY_ID).sign(cbor2.dumps(CLAIMS)))
OKP = {"kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "x": "AA"}


def foreign_certificate() -> bytes:
    """A certificate with an Ed25519 key, DER."""
    key, name = Ed25519PrivateKey.generate(), x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "XX")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(BEGIN).not_valid_after(END)
    return builder.sign(key, None).public_bytes(serialization.Encoding.DER)


ED = foreign_certificate()
UNUSABLE: dict[str, Any] = {
    "certificate": ED,
    "certificate as PEM": pem(ED),
    "OKP": OKP,
    "P-521": {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"},
    "symmetric": {"kty": "oct", "k": "AAAA"},
    "damaged": base64.b64encode(DER)[:-40],
    "text": "nothing at all",
    "set": {"keys": [OKP]},
    "directory": {"issuerInfo": [{"issuer": {"iss": "https://river.example"}, "keys": [OKP]}]},
}


@pytest.mark.parametrize("form", UNUSABLE)
def test_one_unusable_key_of_a_list_is_left_out_and_told(form: str) -> None:
    bad = UNUSABLE[form]
    for keys in ([DER, bad], [bad, DER], [[bad, DER]]):
        found = read_pass(TEXT, keys=keys)
        assert found.signature_valid is True
        assert [warning for warning in found.warnings if "1 of the keys that were given can't be used" in warning]
    with pytest.raises(BadInput):
        KeyRing.of([bad])
    with pytest.raises(BadInput):
        KeyRing.of([bad, OKP])


def test_sets_directories_and_pem_tell_what_they_leave_out(tmp_path: Path) -> None:
    entry = {"issuer": {"iss": "https://river.example"}, "keys": [OKP]}
    sound = {"issuer": {"iss": "https://hill.example"}, "keys": [JWK]}
    for keys in ({"keys": [OKP, JWK]}, json.dumps([OKP, JWK]), {"issuerInfo": [entry, sound]}):
        ring = KeyRing.of(keys)
        assert (len(ring.keys), len(ring.notes)) == (1, 1)
    assert "ed-1 (A JSON Web Key is of a type that signs no pass)" in KeyRing.of({"keys": [OKP, JWK]}).notes[0]
    assert "no. 2 (A certificate cannot be read)" in KeyRing.of(pem(DER) + pem(ED)).notes[0]
    (tmp_path / "old.pem").write_text(pem(ED))
    assert "old.pem (" in KeyRing.of([DER, tmp_path / "old.pem"]).notes[0]


PKCS8 = KEY.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
SEC1 = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
LOCKED = KEY.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
)


@pytest.mark.parametrize(
    "private",
    [{**JWK, "d": "AA"}, json.dumps({**JWK, "d": "AA"}), {"keys": [{**JWK, "d": "AA"}]}, PKCS8, SEC1, LOCKED],
    ids=["JWK", "JWK in text", "set", "PKCS #8", "SEC 1 as PEM", "encrypted"],
)
def test_a_private_key_is_never_passed_over(private: Any) -> None:
    for keys in ([DER, private], [private, DER], private):
        with pytest.raises(BadInput, match="public part alone"):
            KeyRing.of(keys)


@pytest.mark.parametrize("thing", [None, 5, dt.date(2026, 1, 1)])
def test_what_is_no_form_of_a_key_is_refused(thing: Any) -> None:
    with pytest.raises(BadInput):
        KeyRing.of([DER, thing])


def test_keys_without_an_id_are_tried_up_to_a_bound_that_is_told() -> None:
    others = [write_jwk(ec.derive_private_key(n, ec.SECP256R1()).public_key(), b"") for n in range(1, 65)]
    bare = [{**jwk, "kid": ""} for jwk in (*others, JWK)]
    assert read_pass(TEXT, keys=bare[1:]).signature_valid is True
    found = read_pass(TEXT, keys=bare)
    assert found.signature_valid is None
    assert any("65 keys have no id, more than 64" in warning for warning in found.warnings)


def test_many_beginnings_without_an_end_are_told_at_once() -> None:
    begin = "-----BEGIN CERTIFICATE-----"
    with within(), pytest.raises(LimitExceeded):
        KeyRing.of([begin * 100_000])
    ring = KeyRing.of([begin * 1000 + pem(DER)])
    assert read_pass(TEXT, keys=ring).signature_valid is True


@pytest.mark.parametrize("kid", [[], {}, 7, None])
def test_a_revocation_list_whose_key_id_is_no_text_is_passed_over(kid: Any, tmp_path: Path) -> None:
    entry = {"issuer": {"iss": "https://river.example"}, "keys": [JWK], "crls": [{"kid": kid}, "list"]}
    directory = {"issuerInfo": [entry]}
    assert [key.name for key in KeyRing.of([directory]).keys] == [key.name for key in KeyRing.of([JWK]).keys]
    (tmp_path / "directory.json").write_text(json.dumps(directory))
    (tmp_path / "signer.der").write_bytes(DER)
    assert read_pass(TEXT, keys=tmp_path).signature_valid is True
