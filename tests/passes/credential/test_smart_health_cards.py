"""SMART Health Cards made here: which forms of a card are read, and which are refused whoever signed them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hutong.errors import BadInput
from hutong.passes.credential.keys import encode_base64url, write_jwk
from hutong.passes.credential.read import read_pass

KEY = ec.generate_private_key(ec.SECP256R1())
JWK = write_jwk(KEY.public_key(), b"river-01")
ISSUER = "https://river.example/issuer"
PAYLOAD = {"iss": ISSUER, "nbf": 1_620_000_000, "vc": {"type": ["https://smarthealth.cards#health-card"]}}
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
