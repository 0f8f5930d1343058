"""JSON Web Keys as trust lists hold them: padded, with sign bytes, of curves without a name, with a certificate."""

from __future__ import annotations

import base64
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hutong.errors import BadInput
from hutong.passes.credential import cose, gdhcn, hcert, shc
from hutong.passes.credential.keys import read_jwk
from hutong.passes.credential.read import read_pass
from tests.passes.credential.test_containers import CLAIMS, DER, JWK, KEY, KEY_ID, OTHER, certificate

PAYLOAD = cbor2.dumps(CLAIMS)
X5C = {"x5c": [base64.b64encode(DER).decode()]}
NUMBERS = KEY.public_key().public_numbers()
BARE = {name: JWK[name] for name in ("kty", "crv", "x", "y")}


def java(number: int) -> str:
    """``Base64.getUrlEncoder().encodeToString(number.toByteArray())``: the shortest two's complement, padded."""
    return base64.urlsafe_b64encode(number.to_bytes(number.bit_length() // 8 + 1, "big")).decode()


def key_with(length: int) -> ec.EllipticCurvePrivateKey:
    """A key the x of which Java writes in this many bytes: 33 with a sign byte, 31 when the number is small."""
    keys = (ec.derive_private_key(scalar, ec.SECP256R1()) for scalar in range(1, 1 << 14))
    return next(key for key in keys if key.public_key().public_numbers().x.bit_length() // 8 + 1 == length)


def trust_list(jwk: dict[str, Any], key_id: bytes) -> dict[str, Any]:
    """A list with one key, as the WHO's generator names it."""
    place = "did:web:trust.example:v2:trustlist:DCC:XXA:DSC"
    kid = base64.b64encode(key_id).decode()
    named = {"id": f"{place}#{kid.replace('=', '%3D')}", "publicKeyJwk": {**jwk, "kid": kid}}
    return {"id": place, "verificationMethod": [named]}


@pytest.mark.parametrize("length", [33, 32, 31])
def test_numbers_of_every_length_that_java_writes_are_read(length: int) -> None:
    key = key_with(length)
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": java(numbers.x), "y": java(numbers.y)}
    assert len(base64.urlsafe_b64decode(jwk["x"])) == length
    text = hcert.pack(cose.Signer(key, b"listed-1").sign(PAYLOAD))
    for keys in (trust_list(jwk, b"listed-1"), [jwk], {"keys": [jwk]}):
        found = read_pass(text, keys=keys)
        assert (found.signature_valid, found.warnings) == (True, ())


def test_an_rsa_key_that_java_wrote_is_read() -> None:
    key = rsa.generate_private_key(65_537, 2048)
    public = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": java(public.n), "e": java(public.e)}
    assert (len(base64.urlsafe_b64decode(jwk["n"])), jwk["n"][-1], jwk["e"]) == (257, "=", "AQAB")
    head = cbor2.dumps({1: -37, 4: b"listed-2"})
    signed = cbor2.dumps(["Signature1", head, b"", PAYLOAD])
    signature = key.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    text = hcert.pack(cbor2.dumps([head, {}, PAYLOAD, signature]))
    assert read_pass(text, keys=trust_list(jwk, b"listed-2")).signature_valid is True


USABLE = {
    "padded": {**BARE, "x": JWK["x"] + "=", "y": JWK["y"] + "="},
    "standard alphabet": {**BARE, "x": base64.b64encode(NUMBERS.x.to_bytes(32, "big")).decode()},
    "a curve without a name": {**BARE, "crv": "UNKNOWN CURVE", **X5C},
    "a curve that is no text": {**BARE, "crv": ["P-256"], **X5C},
    "no numbers": {"kty": "EC", "crv": "P-256", **X5C},
    "numbers that are none": {**BARE, "x": "%", **X5C},
    "numbers that are no point": {**BARE, "x": "AA", **X5C},
    "numbers that are too long": {**BARE, "x": "A" * 100_000, **X5C},
    "a certificate alone": X5C,
    "a certificate that cannot be read": {**BARE, "x5c": ["AAAA"]},
    "no certificates": {**BARE, "x5c": []},
}


@pytest.mark.parametrize("form", USABLE)
def test_a_jwk_is_used_where_it_or_its_certificate_gives_a_key(form: str) -> None:
    text = hcert.pack(cose.Signer(KEY, KEY_ID).sign(PAYLOAD))
    assert read_pass(text, keys=[USABLE[form]]).signature_valid is True
    assert len(gdhcn.load(trust_list(USABLE[form], KEY_ID)).keys) == 1


UNUSABLE = {
    "a curve without a name": {**BARE, "crv": "UNKNOWN CURVE"},
    "numbers that are none": {**BARE, "x": "%"},
    "padding in the middle": {**BARE, "x": JWK["x"][:8] + "=" + JWK["x"][8:]},
    "numbers that are too long": {**BARE, "x": "A" * 100_000 + JWK["x"]},
    "another key than its certificate's": {**BARE, "x5c": [base64.b64encode(certificate(OTHER)).decode()]},
    "another curve than its certificate's": {**BARE, "crv": "P-384", **X5C},
    "another type than its certificate's": {"kty": "RSA", "n": "AA", "e": "AQAB", **X5C},
    "a private key with a certificate": {**BARE, "d": "AA", **X5C},
}


@pytest.mark.parametrize("form", UNUSABLE)
def test_a_jwk_that_gives_no_key_or_two_is_refused(form: str) -> None:
    with pytest.raises(BadInput):
        read_jwk(UNUSABLE[form])
    listed = gdhcn.load(trust_list(UNUSABLE[form], KEY_ID))
    assert (len(listed.keys), len(listed.skipped)) == (0, 1)


def test_the_base64_of_a_card_stays_strict() -> None:
    """RFC 7515, 2: no padding; what is lenient for keys would give one signed text two spellings."""
    assert shc.parse_jws("e30.AA.AA").signed == b"e30.AA"
    assert shc.parse_jws("e30=.AA.AA").signed == shc.parse_jws("e3+.AA.AA").signed == b""
