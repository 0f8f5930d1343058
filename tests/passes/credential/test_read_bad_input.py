"""Whatever is scanned: an answer or an error of the tree, within bounds, and never "valid"."""

from __future__ import annotations

import base64
import io
import json
import random
import time
import zipfile
import zlib
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.passes.credential import base45, cbor, cose, hcert, level_pass, shc
from hutong.passes.credential.keys import KeyRing, VerificationKey, encode_base64url, write_jwk
from hutong.passes.credential.read import read_pass
from hutong.passes.credential.shc_keys import thumbprint
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle.trust_bundle import IssuerTrust, TrustSnapshot

KEY = ec.generate_private_key(ec.SECP256R1())
KEY_ID = b"\x11" * 8
JWK = write_jwk(KEY.public_key(), KEY_ID)
CARD_JWK = {**JWK, "kid": thumbprint(JWK)}
RING = KeyRing.of([JWK, CARD_JWK])
CLAIMS = {1: "XX", 4: 1_900_000_000, 6: 1_600_000_000, -260: {1: {"ver": "1.3.0", "v": [{"dn": 1}]}}}
PAYLOAD = cbor2.dumps(CLAIMS)


def sign(protected: dict[int, object], unprotected: dict[int, object], payload: bytes = PAYLOAD) -> cbor2.CBORTag:
    """COSE_Sign1 whose headers say whatever they say, signed with ES256."""
    head = cbor2.dumps(protected) if protected else b""
    signed = cbor2.dumps(["Signature1", head, b"", payload])
    r, s = decode_dss_signature(KEY.sign(signed, ec.ECDSA(hashes.SHA256())))
    return cbor2.CBORTag(18, [head, unprotected, payload, r.to_bytes(32, "big") + s.to_bytes(32, "big")])


def read_item(item: object) -> bool | None:
    return read_pass(hcert.pack(cbor2.dumps(item)), keys=RING).signature_valid


def test_the_forms_that_issuers_use() -> None:
    plain = sign({1: -7, 4: KEY_ID}, {})
    assert read_item(plain) is True
    assert read_item(plain.value) is True
    assert read_item(cbor2.CBORTag(61, plain)) is True
    assert read_item(sign({1: -7}, {4: KEY_ID})) is True
    assert read_item(sign({}, {1: -7, 4: KEY_ID})) is True


def test_a_space_before_the_prefix_may_be_part_of_a_pass() -> None:
    """A space is a sign of base45: of ten million passes about thirteen hold " HC1:" within."""
    seen = 0
    for lead in (b"", b"x"):  # the bytes stand at an even place with one of them
        message = cbor2.dumps(sign({1: -7, 4: KEY_ID}, {99: lead + base45.decode(" HC1:A") * 3}))
        text = hcert.PREFIX + base45.encode(zlib.compress(message, 0))  # stored: the bytes stay what they are
        seen += " HC1:" in text
        assert read_pass(text, keys=RING).signature_valid is True
        for between in ("\n", "\t", "\r\n"):
            with pytest.raises(BadInput, match="more than one pass"):
                read_pass(text + between + text, keys=RING)
    assert seen


def test_the_protected_header_decides() -> None:
    assert read_item(sign({1: -7, 4: b"another"}, {4: KEY_ID})) is None
    assert read_item(sign({1: -37, 4: KEY_ID}, {1: -7})) is False
    for empty in (b"", ""):
        assert read_item(sign({1: -7, 4: empty}, {4: KEY_ID})) is True
        assert read_item(sign({1: -7, 4: empty}, {4: b"another"})) is None
    assert read_item(sign({1: -7, 4: 7}, {4: b"another"})) is True, (
        "an id of another type names none, and few keys are tried"
    )


@pytest.mark.parametrize("algorithm", [-37, -8, -35, 5, -257, 0, None, "ES256", True])
def test_another_algorithm_never_verifies(algorithm: object) -> None:
    assert read_item(sign({1: algorithm, 4: KEY_ID}, {})) is False


def test_a_public_key_is_no_hmac_secret() -> None:
    head = cbor2.dumps({1: 5, 4: KEY_ID})
    code = hmac.HMAC(json.dumps(JWK).encode(), hashes.SHA256())
    code.update(cbor2.dumps(["Signature1", head, b"", PAYLOAD]))
    assert read_item(cbor2.CBORTag(18, [head, {}, PAYLOAD, code.finalize()])) is False


def test_a_key_of_another_type_or_curve_never_verifies() -> None:
    head = cbor2.dumps({1: -7, 4: KEY_ID})
    signed = cbor2.dumps(["Signature1", head, b"", PAYLOAD])
    large = ec.generate_private_key(ec.SECP384R1())
    r, s = decode_dss_signature(large.sign(signed, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(48, "big") + s.to_bytes(48, "big")
    ring = KeyRing.of([VerificationKey(large.public_key(), frozenset({KEY_ID}), "large")])
    text = hcert.pack(cbor2.dumps([head, {}, PAYLOAD, signature]))
    assert read_pass(text, keys=ring).signature_valid is False
    small = rsa.generate_private_key(65537, 1024)
    head = cbor2.dumps({1: -37, 4: KEY_ID})
    signed = cbor2.dumps(["Signature1", head, b"", PAYLOAD])
    signature = small.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    ring = KeyRing.of([VerificationKey(small.public_key(), frozenset({KEY_ID}), "small")])
    text = hcert.pack(cbor2.dumps([head, {}, PAYLOAD, signature]))
    assert read_pass(text, keys=ring).signature_valid is False


def test_a_message_without_key_id_is_tried_with_a_small_ring_only() -> None:
    item = sign({1: -7}, {})
    assert read_item(item) is True
    others = [VerificationKey(KEY.public_key(), frozenset({bytes((n,))}), str(n)) for n in range(65)]
    text = hcert.pack(cbor2.dumps(item))
    assert read_pass(text, keys=KeyRing.of(others[:64])).signature_valid is True
    found = read_pass(text, keys=KeyRing.of(others))
    assert found.signature_valid is None
    assert any("More than 64 keys" in warning for warning in found.warnings)


def test_a_header_that_must_be_understood_is_refused() -> None:
    with pytest.raises(BadInput):
        read_item(sign({1: -7, 4: KEY_ID, 2: [99], 99: 1}, {}))


@pytest.mark.parametrize("expiry", [float("nan"), "tomorrow", [], 10**18, True])
def test_an_expiry_that_is_no_time_is_never_valid(expiry: object) -> None:
    claims = hcert.read_claims(cbor2.dumps({**CLAIMS, 4: expiry}))
    assert claims.expires_at is None
    assert not claims.valid_at(hcert.to_time(1_700_000_000))  # type: ignore[arg-type]


def nested(levels: int) -> object:
    item: object = 1
    for _ in range(levels):
        item = [item]
    return item


GOOD = hcert.pack(cbor2.dumps(sign({1: -7, 4: KEY_ID}, {})))
BAD_TEXTS = {
    "empty": "",
    "foreign": "https://example.org/",
    "prefix only": "HC1:",
    "other version": "HC2:" + GOOD[4:],
    "other context": "HL0:" + GOOD[4:],
    "no prefix": GOOD[4:],
    "lower case": GOOD.lower(),
    "cut off": GOOD[:-7],
    "doubled": GOOD + GOOD,
    "twice the content": GOOD + GOOD[4:],
    "not base45": GOOD[:-1] + "ä",
    "group too great": "HC1::::",
    "not compressed": "HC1:" + base45.encode(cbor2.dumps(sign({1: -7, 4: KEY_ID}, {}))),
    "compressed twice": hcert.pack(zlib.compress(b"x")),
    "trailing bytes": "HC1:" + base45.encode(base45.decode(GOOD[4:]) + b"\0\0"),
    "trailing cbor": hcert.pack(cbor2.dumps(sign({1: -7, 4: KEY_ID}, {})) + b"\x01"),
    "no cose": hcert.pack(cbor2.dumps(1)),
    "three fields": hcert.pack(cbor2.dumps([b"", {}, b""])),
    "no claims": hcert.pack(cbor2.dumps([b"", {}, b"\x01", b"x"])),
    "nested": hcert.pack(cbor2.dumps([b"", {1: nested(30)}, b"", b""])),
    "nested very deep": hcert.pack(b"\x81" * 60_000),
    "huge length": hcert.pack(b"\x9b" + b"\xff" * 8),
    "cyclic": hcert.pack(bytes.fromhex("84d81c81d81d00a0404040")),
    "decimal bomb": hcert.pack(cbor2.dumps([b"", {1: cbor2.CBORTag(4, [10**9, 1])}, b"", b""])),
    "bignum": hcert.pack(cbor2.dumps([b"", {1: 1 << 4000}, b"", b""])),
    "key given twice": hcert.pack(cbor2.dumps([bytes.fromhex("a201260126"), {}, PAYLOAD, b"x" * 64])),
    "facts on a foreign pass": GOOD + "~AAAA",
    "empty card": "shc:/",
    "odd digits": "shc:/567",
    "digits beyond": "shc:/5699",
    "json": "{}",
    "other json": '{"data": 1}',
    "deep json": "[" * 100_000,
    "deep json object": '{"a":' * 100_000,
    "jws of something else": "eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
    "divoc of nothing": "B64:AAAA",
    "surrogate": "HC1:\ud800",
    "surrogate json": '{"\ud800": 1}',
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_bad_texts(name: str) -> None:
    with pytest.raises((BadInput, LimitExceeded)):
        read_pass(BAD_TEXTS[name], keys=RING)
    if name not in ("surrogate", "surrogate json"):
        with pytest.raises((BadInput, LimitExceeded)):
            read_pass(BAD_TEXTS[name].encode(), keys=RING)


def card(payload: bytes) -> str:
    """A well-formed card over a compressed payload."""
    head = encode_base64url(json.dumps({"alg": "ES256", "zip": "DEF", "kid": CARD_JWK["kid"]}).encode())
    signed = f"{head}.{encode_base64url(payload)}"
    r, s = decode_dss_signature(KEY.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{encode_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def test_a_card_whose_issuer_is_not_the_keys_holder_does_not_verify() -> None:
    text = card(deflate(b'{"iss":"https://a.example/x","nbf":1600000000}'))
    ours = {"keys": [CARD_JWK], "issuer": "https://a.example/x"}
    assert read_pass(text, keys=[ours]).signature_valid is True
    assert read_pass(text, keys=[{**ours, "issuer": "https://b.example/x"}]).signature_valid is False
    assert read_pass(shc.to_numeric(text), keys=[ours]).signature_valid is True


BOMB = b"\0" * 30_000_000


BOMBS = {
    "zlib": hcert.PREFIX + base45.encode(zlib.compress(BOMB, 9)),
    "just above": hcert.PREFIX + base45.encode(zlib.compress(BOMB[:70_000], 9)),
    "deflate": card(deflate(BOMB)),
    "long": "A" * 1_000_000,
    "long base45": "HC1:" + "0" * 200_000,
    "long base64": "B64:" + "A" * 1_000_000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_bombs_are_bounded(text: str) -> None:
    started = time.process_time()  # of this process alone, whatever else the machine does
    with pytest.raises(LimitExceeded):
        read_pass(text, keys=RING)
    assert time.process_time() - started < 1.0


def test_a_zip_bomb_is_bounded() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("certificate.json", BOMB[:3_000_000])
    with pytest.raises(LimitExceeded):
        read_pass("B64:" + base64.b64encode(packed.getvalue()).decode())


@pytest.mark.parametrize(
    ("given", "what", "do"),
    [
        ("shc:/", "The code holds no digits.", "correct card"),
        ("shc:/567", "The number of digits is odd.", "correct card"),
        (b"\xff\x00", "neither text nor a picture of a known kind", "GIF, WebP or SVG"),
    ],
)
def test_what_is_wrong_is_named(given: str | bytes, what: str, do: str) -> None:
    with pytest.raises(BadInput) as told:
        read_pass(given)
    assert what in told.value.what and do in told.value.do


def test_inflating_exactly_to_the_limit_is_allowed() -> None:
    data = b"x" * hcert.MAX_INFLATED_BYTES
    assert hcert.inflate(zlib.compress(data)) == data
    with pytest.raises(LimitExceeded):
        hcert.inflate(zlib.compress(data + b"x"))


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\x30\x82",
        b"\x30\x03\x30\x01\x00",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        {},
        {"kty": "oct", "k": "AAAA"},
        {**JWK, "d": "AAAA"},
        {**JWK, "x": "AAAA"},
        {**JWK, "crv": "P-521"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"keys": [1]},
        7,
        ed25519.Ed25519PrivateKey.generate().public_key(),
    ],
)
def test_what_is_no_key_is_said_so(key: object) -> None:
    with pytest.raises((BadInput, LimitExceeded)):
        read_pass(GOOD, keys=[key])


def survive(data: str | bytes) -> None:
    try:
        answer = read_pass(data, keys=RING)
    except HutongError:
        return
    assert answer.signature_valid is not True or data in (GOOD, GOOD.encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
@example(b"\x89PNG\r\n\x1a\n")
@example(b"\xff\xd8\xff")
def test_random_bytes(data: bytes) -> None:
    survive(data)
    survive(b"\x89PNG\r\n\x1a\n" + data)
    survive(b"\xff\xd8\xff" + data)
    for wrapped in (hcert.pack(data), hcert.PREFIX + base45.encode(data)):
        survive(wrapped)
    survive(hcert.pack(cbor2.dumps([b"\xa1\x01\x26", {}, data, data])))
    survive(card(data))
    survive(card(deflate(data)))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_random_text(text: str) -> None:
    for prefix in ("", "HC1:", "shc:/", "{", '{"data":', "B64:", "eyJ."):
        survive(prefix + text)


NAMES = st.text() | st.integers(-300, 9).filter(lambda name: name != level_pass.CLAIM)  # ours has a form of its own
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(values)
def test_any_content_that_is_well_signed_can_be_shown_as_json(item: object) -> None:
    payload = cbor2.dumps({1: "XX", -260: item})
    read = read_pass(hcert.pack(cbor2.dumps(sign({1: -7, 4: KEY_ID}, {}, payload))), keys=RING)
    assert read.signature_valid is True
    json.dumps(read.payload, allow_nan=False)


def test_mutated_certificates_never_crash() -> None:
    """Ten thousand wrong scans, one process: each has an answer or an error of the tree, and none counts as signed.

    That none is accepted is tested where one could be: in ``test_verification``, with whole trust.
    """
    assert verify_pass(GOOD, trust=TRUST, scene="medical", at=NOW).answer == "unknown", "its key is of no party"
    source = random.Random(7)
    packed = base45.decode(GOOD[4:])
    message = cbor2.dumps(sign({1: -7, 4: KEY_ID}, {}))
    for number in range(10_000):
        data = bytearray(message if number % 2 else packed)
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        text = hcert.pack(bytes(data)) if number % 2 else hcert.PREFIX + base45.encode(bytes(data))
        if bytes(data) not in (message, packed):
            survive_changed(text)


ISSUER = IssuerTrust("XX", {}, datetime(2099, 1, 1, tzinfo=UTC), RING, (), {})
NOW = datetime(2022, 1, 1, tzinfo=UTC)
# Without status list, crosswalk and rules: keys alone, so that every step up to the signature is gone through.
TRUST = TrustSnapshot("XX", 1, NOW, NOW, timedelta(hours=24), {"XX": ISSUER}, None)


def survive_changed(text: str) -> None:
    assert verify_pass(text, trust=TRUST, scene="medical", at=NOW).reasons
    try:
        answer = read_pass(text, keys=RING)
    except HutongError:
        return
    # the container may be packed in more than one way; what was signed may not change
    assert answer.signature_valid is not True or answer == read_pass(GOOD, keys=RING)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_base45_round_trip(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


@pytest.mark.parametrize(
    ("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")]
)
def test_base45_examples_of_the_rfc(data: bytes, text: str) -> None:
    assert base45.encode(data) == text
    assert base45.decode(text) == data


@pytest.mark.parametrize("text", ["A", "GGW", ":::", "::", "bb8", "BB8\n", "ABCD"])
def test_base45_refuses(text: str) -> None:
    with pytest.raises(BadInput):
        base45.decode(text)


def test_signer_and_reference_agree() -> None:
    """The Sig_structure is built by hand for speed: the generic encoder gives the same bytes, at every length class."""
    for size in (0, 23, 24, 255, 256, 65_000):
        message = cose.parse(cose.Signer(KEY, KEY_ID).sign(b"x" * size), max_bytes=1 << 20)
        assert message.to_be_signed() == cbor.dumps(["Signature1", message.protected, b"", message.payload])
        assert cose.verify(message, RING)[0] is True
