"""Lists of signers of EU certificates in every form in which they are published, and what of them is checked."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import cbor2
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hutong.errors import BadInput, HutongError, LimitExceeded, Tampered
from hutong.passes.credential import dsc_list
from hutong.passes.credential.certificates import key_id_of
from hutong.passes.credential.keys import KeyRing, VerificationKey, encode_base64url, write_jwk

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ES256 = ec.ECDSA(hashes.SHA256())


class Made(NamedTuple):
    """A certificate and its key."""

    key: ec.EllipticCurvePrivateKey
    der: bytes

    @property
    def kid(self) -> str:
        return base64.b64encode(key_id_of(self.der)).decode()

    @property
    def text(self) -> str:
        return base64.b64encode(self.der).decode()

    @property
    def spki(self) -> str:
        der = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()


def made(name: str, country: str = "XA", by: str = "", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> Made:
    """A certificate of that name, signed by the one that ``by`` names, or by itself: of the same words the same."""
    return _made(name, country, by, curve)


@cache
def _made(name: str, country: str, by: str, curve: type[ec.EllipticCurve]) -> Made:
    key = ec.generate_private_key(curve())
    issuer = made(by, country) if by else None

    def subject(which: str) -> x509.Name:
        parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, country)] if country else []
        return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, which)])

    builder = x509.CertificateBuilder().subject_name(subject(name)).issuer_name(subject(by or name))
    builder = builder.public_key(key.public_key()).serial_number(9)
    builder = builder.not_valid_before(NOW - timedelta(days=9)).not_valid_after(NOW + timedelta(days=9))
    signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Made(key, signed.public_bytes(Encoding.DER))


def gateway(one: Made, kind: str = "DSC", country: str = "XA", **more: Any) -> dict[str, Any]:
    return {
        **{"kid": one.kid, "timestamp": "2026-01-01T00:00:00+01:00", "country": country, "certificateType": kind},
        **{"thumbprint": "00", "signature": "TUlJ", "rawData": one.text, **more},
    }


def jws(payload: bytes, key: ec.EllipticCurvePrivateKey, **header: Any) -> bytes:
    head = encode_base64url(json.dumps({"alg": "ES256", **header}).encode()).encode()
    body = payload if header.get("b64") is False else encode_base64url(payload).encode()
    return head + b"." + body + b"." + encode_base64url(raw(key, head + b"." + body)).encode()


def raw(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ES256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


DSC, CSCA = made("signer", by="authority"), made("authority")
BARE = {DSC.kid: [{"subjectPk": DSC.spki, "keyUsage": ["t", "v", "x"]}]}
COUNTRIES = {"XA": {"eku": {}, "keys": [{"kty": "EC", "kid": DSC.kid, "x5c": [DSC.text, CSCA.text]}]}}
LISTS: dict[str, tuple[Any, bool]] = {
    "gateway": ([gateway(DSC)], True),
    "Germany, without its signature": ({"certificates": [gateway(DSC)]}, True),
    "Sweden": (jws(orjson.dumps({"iss": "x", "dsc_trust_list": COUNTRIES}), CSCA.key, b64=False), True),
    "Sweden, its payload in base64": (jws(orjson.dumps({"dsc_trust_list": COUNTRIES}), CSCA.key), True),
    "the Netherlands": ({"cl_keys": [], "eu_keys": BARE}, False),
    "the Netherlands, in its wrapping": (
        {"payload": base64.b64encode(orjson.dumps({"eu_keys": BARE})).decode(), "signature": "TUlJ"},
        False,
    ),
    "Austria": (cbor2.dumps({"c": [{"i": key_id_of(DSC.der), "c": DSC.der}]}), True),
    "Switzerland": (
        jws(orjson.dumps({"certs": [{"keyId": DSC.kid, "alg": "ES256", "subjectPublicKeyInfo": DSC.spki}]}), CSCA.key),
        False,
    ),
    "the United Kingdom": ([{"kid": DSC.kid, "publicKey": DSC.spki}], False),
    "certificates by key id": ({DSC.kid: DSC.text}, True),
    "keys by key id": ({DSC.kid: {"publicKeyPem": DSC.spki, "usages": []}}, False),
}


def content(document: Any) -> bytes:
    return document if isinstance(document, bytes) else orjson.dumps(document)


def key_of(one: Made) -> VerificationKey:
    return KeyRing.of([one.der]).keys[0]


@pytest.mark.parametrize("which", LISTS)
def test_each_form_gives_the_signer(which: str) -> None:
    document, is_certificate = LISTS[which]
    found = dsc_list.read(
        [b"\xef\xbb\xbf" + content(document) if which == "gateway" else content(document)], country="XA"
    )
    (one,) = found.signers
    assert (one.key_id, one.country, one.is_certificate) == (key_id_of(DSC.der), "XA", is_certificate)
    assert one.der == (DSC.der if is_certificate else base64.b64decode(DSC.spki))
    assert one.ends_at == (NOW + timedelta(days=9) if is_certificate else None)
    assert one.usage == (frozenset("tv") if "Netherlands" in which else None)
    assert (one.is_chained, found.is_signature_checked, found.skipped) == (None, False, ())
    assert found.has_entry_signatures is (which == "gateway" or "Germany" in which)


def test_only_signers_verify_certificates_and_authorities_show_whose_they_are() -> None:
    """Authorities, upload and TLS keys of the list are no signers, though anybody may sign with them."""
    stray, upload = made("stray"), made("upload")
    entries = [gateway(DSC), gateway(CSCA, "CSCA"), gateway(upload, "UPLOAD"), gateway(upload, "AUTHENTICATION")]
    found = dsc_list.read([content([*entries, gateway(stray)])])
    assert [(one.der, one.is_chained) for one in found.signers] == [(DSC.der, True)]
    assert found.skipped == ((stray.kid, "No authority of its country that is at hand signed its certificate."),)
    for given in (CSCA.der, CSCA.text):
        assert dsc_list.read([content([gateway(DSC)])], authorities=[given]).signers[0].is_chained is True
    abroad = made("authority", "XB")
    assert dsc_list.read([content([gateway(DSC)])], authorities=[abroad.der]).signers[0].is_chained is None
    with pytest.raises(BadInput, match="No authority"):  # of the same name and country, with another key
        dsc_list.read([content([gateway(DSC)])], authorities=[made("authority", by="authority").der])
    with pytest.raises(BadInput, match="no signer"):
        dsc_list.read([content([gateway(CSCA, "CSCA")])])


def test_what_cannot_be_used_is_left_out_and_told() -> None:
    large = made("large", curve=ec.SECP384R1)
    nowhere = made("nowhere", "")
    wrong = [
        gateway(DSC, kid=CSCA.kid),
        gateway(DSC, kid="AAAA"),
        gateway(DSC, rawData="AAAA"),
        gateway(DSC, rawData=None),
        gateway(large),
        gateway(nowhere, country=""),
        gateway(DSC, rawData="A" * 40_000),
    ]
    found = dsc_list.read([content([gateway(DSC), *wrong])])
    assert len(found.signers) == 1
    assert [name for name, _ in found.skipped] == [
        *(CSCA.kid, "AAAA", DSC.kid, DSC.kid, large.kid, nowhere.kid, DSC.kid)
    ]
    assert len({why for _, why in found.skipped}) == 7
    for one in wrong:
        with pytest.raises((BadInput, LimitExceeded)):
            dsc_list.read([content([one])])
    assert dsc_list.read([content([gateway(nowhere, country="")])], country="XB").signers[0].country == "XB"


@pytest.mark.parametrize(
    "document",
    [
        *(
            b"",
            b"{",
            b"[]",
            b"{}",
            b"null",
            b"7",
            b"\xff\xfe",
            b"eyJ.x.y",
            b"eyJhIjox.e30.AA",
            b"\xa1",
            cbor2.dumps({"c": 7}),
        ),
        *([7], [[]], [{"kid": DSC.kid, "certificateType": "OTHER", "rawData": DSC.text}], [{"rawData": DSC.text}]),
        *({"keys": []}, {"eu_keys": []}, {"eu_keys": 7}, {"payload": "?"}, {"dsc_trust_list": {"XA": {"keys": [{}]}}}),
        {"signed": "x", "key": {}},
        {"payload": base64.b64encode(b"7").decode()},
        encode_base64url(b"7").encode() + b".e30.AA",
        cbor2.dumps({"c": [7]}),
    ],
)
def test_what_is_no_list(document: Any) -> None:
    with pytest.raises(BadInput):
        dsc_list.read([content(document)])


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dsc_list, "MAX_SIGNERS", 1)
    with pytest.raises(LimitExceeded):
        dsc_list.read([content([gateway(DSC)]), content([gateway(DSC)])])
    monkeypatch.setattr(dsc_list, "MAX_BYTES", 10)
    with pytest.raises(LimitExceeded):
        dsc_list.read([content([gateway(DSC)])])


def test_the_signature_of_the_list_is_checked_where_its_signer_is_given() -> None:
    body = orjson.dumps({"certificates": [gateway(DSC)]})
    forms = [base64.b64encode(raw(CSCA.key, body)), base64.b64encode(CSCA.key.sign(body, ES256))]
    german = [form + b"\n" + body for form in forms]
    for signed in (*german, LISTS["Sweden"][0], LISTS["Switzerland"][0]):
        found = dsc_list.read([signed], signer=key_of(CSCA), country="XA")
        assert (found.is_signature_checked, len(found.signers)) == (True, 1)
        for changed, signer in ((signed, DSC), (signed.replace(b"XA", b"XB"), CSCA)):
            if changed == signed and signer is CSCA:
                continue
            with pytest.raises(Tampered):
                dsc_list.read([changed], signer=key_of(signer), country="XA")
    with pytest.raises(BadInput, match="no signature that can be checked"):
        dsc_list.read([content([gateway(DSC)])], signer=key_of(CSCA))
    with pytest.raises(Tampered):
        dsc_list.read([jws(body, CSCA.key, alg="none")], signer=key_of(CSCA))


def test_a_json_web_key_signs_a_list_too() -> None:
    signer = KeyRing.of([write_jwk(CSCA.key.public_key(), b"12345678")]).keys[0]
    assert dsc_list.read([LISTS["Sweden"][0]], signer=signer).is_signature_checked
    assert issubclass(Tampered, HutongError)
