"""What issuers in the field do to containers, claims and keys, each made here: which of it is read, and how."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import cbor2
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from hutong.errors import BadInput
from hutong.passes.credential import cose, gdhcn, hcert
from hutong.passes.credential.keys import KeyRing, write_jwk
from hutong.passes.credential.read import ReadPass, read_pass

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
BEGIN, END = dt.datetime(2021, 3, 1, tzinfo=dt.UTC), dt.datetime(2023, 3, 1, tzinfo=dt.UTC)
CONTENT = {"ver": "1.3.0", "dob": "1980-02", "t": [{"co": "XX"}]}
CLAIMS: dict[int, Any] = {1: "XX", 6: 1_640_000_000, 4: 1_650_000_000, -260: {1: CONTENT}}
TEST_USE, RECOVERY_USE = "1.3.6.1.4.1.1847.2021.1.1", "1.3.6.1.4.1.0.1847.2021.1.3"


@cache
def certificate(key: ec.EllipticCurvePrivateKey = KEY, *uses: str, country: str = "XX") -> bytes:
    """A self-signed document signer certificate, DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, country)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(BEGIN).not_valid_after(END)
    if uses:
        extension = x509.ExtendedKeyUsage([x509.ObjectIdentifier(use) for use in uses])
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def id_of(der: bytes) -> bytes:
    return hashlib.sha256(der).digest()[:8]


DER = certificate()
KEY_ID = id_of(DER)
JWK = write_jwk(KEY.public_key(), KEY_ID)
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def pem(der: bytes, label: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


def signed(
    protected: Mapping[int, Any] | None,
    unprotected: Mapping[int, Any] | None = None,
    *,
    claims: Mapping[int, Any] = CLAIMS,
    key: ec.EllipticCurvePrivateKey = KEY,
    empty_map: bool = False,
) -> list[Any]:
    """The four parts of COSE_Sign1; an empty header is signed as an empty string, however it is written."""
    head = cbor2.dumps(dict(protected)) if protected else b""
    payload = cbor2.dumps(dict(claims))
    r, s = decode_dss_signature(key.sign(cbor2.dumps(["Signature1", head, b"", payload]), ec.ECDSA(hashes.SHA256())))
    written = b"\xa0" if empty_map else head
    return [written, dict(unprotected or {}), payload, r.to_bytes(32, "big") + s.to_bytes(32, "big")]


def read(item: Any, *keys: Any) -> ReadPass:
    return read_pass(hcert.pack(item if isinstance(item, bytes) else cbor2.dumps(item)), keys=keys or (DER,))


def tagged(*tags: int) -> Any:
    item: Any = signed({1: -7, 4: KEY_ID})
    for tag in reversed(tags):
        item = cbor2.CBORTag(tag, item)
    return item


def claimed(**changed: Any) -> ReadPass:
    """A pass with other claims, named e6, e4... by their number; None leaves one out."""
    claims = {**CLAIMS, **{int(name[1:]): value for name, value in changed.items()}}
    return read(signed({1: -7, 4: KEY_ID}, claims={name: value for name, value in claims.items() if value is not None}))


@pytest.mark.parametrize("tags", [(), (18,), (61,), (61, 18)])
def test_a_message_may_be_tagged_or_not(tags: tuple[int, ...]) -> None:
    assert read(tagged(*tags)).signature_valid is True


@pytest.mark.parametrize("tags", [(16,), (17,), (98,), (61, 17), (61, 61, 18)])
def test_another_kind_of_message_is_refused(tags: tuple[int, ...]) -> None:
    with pytest.raises(BadInput):
        read(tagged(*tags))


@given(st.binary(max_size=40), st.integers(0, 300), st.integers(2, 400), st.integers(0, 255), st.binary(max_size=2))
def test_a_message_in_our_own_form_is_read_as_the_decoder_reads_it(
    header: bytes, size: int, position: int, byte: int, tail: bytes
) -> None:
    parts = [cbor2.dumps({1: -7, 4: header}), {}, bytes(size), bytes(64)]
    message = bytearray(cbor2.dumps(cbor2.CBORTag(18, parts)) + tail)
    message[position % len(message)] = byte if position % len(message) > 1 else message[position % len(message)]
    assert taken_apart(bytes(message)) == taken_apart(b"\xd8\x3d" + bytes(message))  # tag 61 is always the decoder's


def taken_apart(message: bytes) -> tuple[Any, ...] | str:
    try:
        read = cose.parse(message)
    except BadInput:
        return "refused"
    return (read.protected, dict(read.unprotected), read.payload, read.signature, read.algorithm, read.key_id)


def test_a_message_of_indefinite_length_is_the_same_message() -> None:
    head, unprotected, payload, signature = signed({1: -7, 4: KEY_ID})
    chunks = b"\x5f" + cbor2.dumps(payload[:9]) + cbor2.dumps(payload[9:]) + b"\xff"
    parts = cbor2.dumps(head) + cbor2.dumps(unprotected) + chunks + cbor2.dumps(signature)
    assert read(b"\xd2\x9f" + parts + b"\xff").signature_valid is True


def test_an_empty_protected_header_is_signed_as_nothing() -> None:
    for empty_map in (False, True):
        assert read(signed(None, {1: -7, 4: KEY_ID}, empty_map=empty_map)).signature_valid is True


@pytest.mark.parametrize(
    ("protected", "unprotected", "valid"),
    [
        (KEY_ID, None, True),
        (None, KEY_ID, True),
        (KEY_ID, KEY_ID, True),
        (KEY_ID, b"mistaken", True),
        (b"mistaken", KEY_ID, None),
        (None, b"mistaken", None),
        (base64.b64encode(KEY_ID).decode(), None, True),
        (None, base64.b64encode(KEY_ID), True),
        (hashlib.sha256(DER).digest(), None, None),
    ],
    ids=range(9),  # the key is new in every process, and so would its names be
)
def test_where_and_how_the_key_is_named(protected: Any, unprotected: Any, valid: bool | None) -> None:
    head = {1: -7} | ({4: protected} if protected else {})
    assert read(signed(head, {4: unprotected} if unprotected else {})).signature_valid is valid


@pytest.mark.parametrize(
    "header", [{33: DER}, {33: [DER, certificate(OTHER)]}, {34: [-16, hashlib.sha256(DER).digest()]}]
)
def test_a_certificate_in_the_header_names_the_key_and_proves_nothing(header: dict[int, Any]) -> None:
    crowd = [certificate(OTHER, country=f"A{letter}") for letter in "ABCDEFGHIJKLMNOPQRS"]
    for item in (signed({1: -7}, header), signed({1: -7, **header})):
        assert read(item, *crowd).signature_valid is None
        found = read(item, *crowd, DER)
        assert (found.signature_valid, found.key_id) == (True, base64.b64encode(KEY_ID).decode())
    assert read_pass(hcert.pack(cbor2.dumps(signed({1: -7}, header)))).signature_valid is None


def test_a_thumbprint_that_is_none_names_no_key() -> None:
    for odd in ([-16], [-16, "text"], [-44, b"x" * 64], b"", 7, []):
        assert (
            read(signed({1: -7}, {34: odd}), *[certificate(OTHER, country=f"B{n}") for n in "ABCDEFGHIJKLMNOPQ"]).key_id
            is None
        )


KEYS = {
    "DER": DER,
    "DER in other bytes": memoryview(DER),
    "base64": base64.b64encode(DER).decode(),
    "base64 in lines": base64.encodebytes(DER).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(DER).decode().rstrip("="),
    "PEM": pem(DER),
    "PEM of two": pem(certificate(OTHER)) + "the second one signs\r\n" + pem(DER).replace("\n", "\r\n"),
    "public key": PUBLIC,
    "public key in base64": base64.b64encode(PUBLIC).decode(),
    "public key as PEM": pem(PUBLIC, "PUBLIC KEY"),
    "JWK": JWK,
    "JWK in text": json.dumps(JWK),
    "JWK without name": {name: value for name, value in JWK.items() if name != "kid"},
    "JWK named in base64": {**JWK, "kid": base64.b64encode(KEY_ID).decode()},
    "JWK named in hexadecimal": {**JWK, "kid": KEY_ID.hex()},
    "JWK set named in capital hexadecimal": {"keys": [{**JWK, "kid": KEY_ID.hex().upper()}]},
    "JWK named otherwise, with its certificate": {**JWK, "kid": "one", "x5c": [base64.b64encode(DER).decode()]},
    "JWK of a certificate alone": {"kty": "EC", "kid": "one", "x5c": [base64.b64encode(DER).decode()]},
    "JWK set with keys of other types": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}, {"kty": "oct"}, JWK]},
    "JWK set in bytes, with a mark before it": b"\xef\xbb\xbf" + json.dumps({"keys": [JWK]}).encode(),
    "DID document": {
        "id": "did:web:trust.example:trustlist",
        "verificationMethod": [{"id": "did:web:trust.example:trustlist:XXA:DSC#x", "publicKeyJwk": JWK}],
    },
    "DID document that names it in hexadecimal": {
        "id": "did:web:trust.example:trustlist",
        "verificationMethod": [
            {
                "id": f"did:web:trust.example:trustlist:XXA:DSC#{KEY_ID.hex()}",
                "publicKeyJwk": {name: value for name, value in JWK.items() if name != "kid"},
            }
        ],
    },
}


@pytest.mark.parametrize("form", KEYS)
def test_a_key_may_be_given_as(form: str) -> None:
    assert read(tagged(18), KEYS[form]).signature_valid is True
    forged = tagged(18)
    forged.value[3] = bytes(64)
    assert read(forged, KEYS[form]).signature_valid is not True


def test_an_id_in_hexadecimal_that_is_another_keys_too_is_told() -> None:
    """All keys of an id are tried, in whatever form it is written; one key in both forms is no two keys."""
    hexadecimal, other = {**JWK, "kid": KEY_ID.hex()}, write_jwk(OTHER.public_key(), KEY_ID)
    for keys in ([other, hexadecimal], [hexadecimal, other]):
        found = read(tagged(18), *keys)
        assert found.signature_valid is True
        told = [warning for warning in found.warnings if "name another key, too" in warning]
        assert (len(told), KEY_ID.hex() in told[0]) == (1, True)
    assert KeyRing.of([JWK, hexadecimal]).notes == ()
    forged = tagged(18)
    forged.value[3] = bytes(64)
    assert read(forged, hexadecimal).signature_valid is False
    for kid in (KEY_ID.hex()[:-2], KEY_ID.hex() + "00", KEY_ID.hex()[:-1] + "g"):  # not 8 bytes in hexadecimal
        assert read(forged, {**JWK, "kid": kid}).signature_valid is None


def test_a_bare_key_that_does_not_fit_says_nothing() -> None:
    forged = tagged(18)
    forged.value[3] = bytes(64)
    assert read(forged, PUBLIC).signature_valid is None
    assert read(forged, PUBLIC, DER).signature_valid is False


@pytest.mark.parametrize(
    "change", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "ES384"}, {"alg": "ECDH-ES"}, {"alg": "PS256"}]
)
def test_a_key_for_another_use_verifies_nothing(change: dict[str, Any]) -> None:
    assert read(tagged(18), {**JWK, **change}).signature_valid is False


@pytest.mark.parametrize(
    "key",
    [
        {**JWK, "x5c": [base64.b64encode(certificate(OTHER)).decode()]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]},
        {"keys": [JWK, {**JWK, "d": "AA"}]},
        {"keys": [JWK, "text"]},
        '{"keys": ',
        pem(b"\x30\x03\x02\x01\x01", "PUBLIC KEY"),
    ],
)
def test_a_key_that_contradicts_itself_is_refused(key: Any) -> None:
    with pytest.raises(BadInput):
        read(tagged(18), key)


def test_every_key_with_the_same_id_is_tried() -> None:
    wrong = {**write_jwk(OTHER.public_key(), KEY_ID)}
    assert read(tagged(18), wrong).signature_valid is False
    assert read(tagged(18), wrong, JWK).signature_valid is True


def test_rsa_signs_with_pss_of_32_bytes_of_salt_only() -> None:
    key = rsa.generate_private_key(65_537, 2048)
    public = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "rsa", "n": number(public.n), "e": number(public.e)}

    def state(algorithm: int, scheme: Any) -> bool | None:
        head, payload = cbor2.dumps({1: algorithm, 4: b"rsa"}), cbor2.dumps(CLAIMS)
        signature = key.sign(cbor2.dumps(["Signature1", head, b"", payload]), scheme, hashes.SHA256())
        return read([head, {}, payload, signature], jwk).signature_valid

    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    assert state(-37, pss) is True
    assert state(-37, padding.PSS(padding.MGF1(hashes.SHA256()), 20)) is False
    assert state(-37, padding.PKCS1v15()) is False
    assert state(-257, padding.PKCS1v15()) is False
    assert state(-7, pss) is False


def number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def test_times_in_every_form_that_is_one() -> None:
    expiry = dt.datetime(2022, 4, 15, 5, 20, tzinfo=dt.UTC)
    for form in (
        1_650_000_000,
        1_650_000_000.0,
        cbor2.CBORTag(1, 1_650_000_000),
        cbor2.CBORTag(0, "2022-04-15T07:20:00+02:00"),
    ):
        assert claimed(c4=form).expires_at == expiry
    assert claimed(c4=1_650_000_000.5).expires_at == expiry + dt.timedelta(seconds=0.5)
    beyond = [cbor2.CBORTag(0, text) for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")]
    for form in ("1650000000", 1_650_000_000_000, float("inf"), cbor2.CBORTag(0, "2022-04-15"), b"\0", *beyond):
        found = claimed(c4=form)
        assert (found.signature_valid, found.expires_at) == (True, None)
        assert any("never valid" in warning for warning in found.warnings)
    assert claimed(c6=None).issued_at is None


def test_values_in_every_form_say_what_they_mean() -> None:
    entry = {
        "dt": cbor2.CBORTag(0, "2021-05-03"),
        "sc": cbor2.CBORTag(0, "2021-05-03T10:00:00.250+00:00"),
        "df": cbor2.CBORTag(1004, "2021-05-04"),
        "ci": cbor2.CBORTag(32, "URN:UVCI:01:XX:1#A"),
        "dn": 2.0,
    }
    found = claimed(**{"c-260": {1: {"v": [entry]}}})
    expected = {
        "dt": "2021-05-03",
        "sc": "2021-05-03T10:00:00.250+00:00",
        "df": "2021-05-04",
        "ci": "URN:UVCI:01:XX:1#A",
        "dn": 2,
    }
    assert found.payload["v"] == [expected]


@pytest.mark.parametrize(
    ("entries", "kind", "payload"),
    [
        ({1: CONTENT}, "eu-dcc", CONTENT),
        ({2: {}, 1: CONTENT}, "eu-dcc", CONTENT),
        ({3: {"name": "A"}}, "who-ddcc", {"name": "A"}),
        ({4: {"test": {}}}, "who-ddcc", {"test": {}}),
        ({-6: {"n": "A"}}, "who-dvc", {"n": "A"}),
        ({5: [{"u": "shlink:/x"}]}, "health-link", {"links": [{"u": "shlink:/x"}]}),
        ({5: {"u": "shlink:/x"}}, "health-link", {"links": [{"u": "shlink:/x"}]}),
        ({1: cbor2.dumps(CONTENT)}, "eu-dcc", CONTENT),
        ({-6: cbor2.dumps({"n": "A"})}, "who-dvc", {"n": "A"}),
        ({1: cbor2.dumps(CONTENT)[:-1]}, "hcert", None),
        ({1: cbor2.dumps([CONTENT])}, "hcert", None),
        ({1: b"\x81" * 5000 + b"\0"}, "hcert", None),
        ({99: {"x": 1}}, "hcert", None),
        ({1: None}, "hcert", None),
    ],
)
def test_the_entry_of_the_health_claim_tells_the_kind(entries: Any, kind: str, payload: Any) -> None:
    found = claimed(**{"c-260": entries})
    assert found.kind == kind
    assert payload is None or found.payload == payload


def warnings_of(der: bytes, **changed: Any) -> str:
    claims = {**CLAIMS, **{int(name[1:]): value for name, value in changed.items()}}
    found = read(signed({1: -7, 4: id_of(der)}, claims=claims), der)
    assert found.signature_valid is True
    return " ".join(found.warnings)


def test_the_keys_certificate_against_the_pass_is_said() -> None:
    assert warnings_of(DER) == warnings_of(certificate(KEY, TEST_USE)) == ""
    assert "not for this kind" in warnings_of(certificate(KEY, RECOVERY_USE))
    assert "not for this kind" in warnings_of(certificate(KEY, "1.3.6.1.5.5.7.3.1"))
    both = {"c-260": {1: {"t": [{}], "r": [{}], "v": None}}}
    assert "not for this kind" not in warnings_of(certificate(KEY, TEST_USE, RECOVERY_USE), **both)
    assert "not for this kind" in warnings_of(certificate(KEY, RECOVERY_USE), **both)
    assert "before the certificate" in warnings_of(DER, c6=int(BEGIN.timestamp()) - 1)
    assert "longer than the certificate" in warnings_of(DER, c4=int(END.timestamp()) + 1)


def method(**members: Any) -> dict[str, Any]:
    return {"id": "did:web:trust.example:v2:trustlist#%2Bx", "type": "JsonWebKey2020", "publicKeyJwk": JWK, **members}


def test_a_trust_document_may_state_domain_participant_and_usage() -> None:
    document = {"id": "did:web:trust.example:v2:trustlist"}
    stated = method(domain="PH4H", participant="XXA", keyusage="SCA")
    by_path = method(id="did:web:trust.example:v2:trustlist:DCC:XXB:DSC#x", keyusage="")
    loaded = gdhcn.load({**document, "verificationMethod": [stated, by_path, method()]})
    assert [(one.domain, one.participant, one.usage) for one in loaded.keys] == [
        ("PH4H", "XXA", "SCA"),
        ("DCC", "XXB", "DSC"),
        ("-", "", "DSC"),
    ]
    assert len(loaded.ring().keys) == 2


def test_a_trust_document_names_a_key_by_its_certificate_too() -> None:
    """Padded coordinates (a leading zero byte) and a key id that is only in the certificate."""
    numbers = KEY.public_key().public_numbers()
    padded = {
        name: base64.urlsafe_b64encode(b"\0" + value.to_bytes(32, "big")).rstrip(b"=").decode()
        for name, value in (("x", numbers.x), ("y", numbers.y))
    }
    jwk = {"kty": "EC", "crv": "P-256", "x5c": [base64.b64encode(DER).decode()], **padded}
    document = {"id": "did:web:trust.example:x", "verificationMethod": [method(publicKeyJwk=jwk)]}
    assert read(tagged(18), *KeyRing.of([document]).keys).signature_valid is True


@pytest.mark.parametrize("key", [True, 1.0, b"x", None, (1,)], ids=repr)
def test_only_whole_numbers_and_texts_name_entries(key: Any) -> None:
    """To one reader true, 1 and 1.0 are one key, to another three; then two readers would see two passes."""
    for place in ({**CLAIMS, -260: {1: {**CONTENT, key: 2}}}, {key: "XX", **{6: 1_640_000_000, -260: {1: CONTENT}}}):
        with pytest.raises(BadInput):
            read(signed({1: -7, 4: KEY_ID}, claims=place), DER)
    with pytest.raises(BadInput):
        read(signed({1: -7, 4: KEY_ID}, {key: 1}), DER)


@pytest.mark.parametrize(
    ("number", "said"),
    [(2.0, 2), (-3.0, -3), (2.5, 2.5), (1e300, 1e300), (2**64 - 1, str(2**64 - 1)), (-(2**63), -(2**63))],
)
def test_every_number_of_a_payload_can_be_written_as_json(number: float, said: object) -> None:
    payload = claimed(**{"c-260": {1: {"n": number}}}).payload
    assert orjson.loads(orjson.dumps(payload)) == {"n": said}
    assert type(payload["n"]) is type(said)


def test_a_value_without_meaning_is_null() -> None:
    entry = {"a": cbor2.CBORSimpleValue(32), "b": cbor2.undefined, "c": None}
    assert claimed(**{"c-260": {1: entry}}).payload == {"a": None, "b": None, "c": None}
