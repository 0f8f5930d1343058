"""The keys of one node: an Ed25519 key for the log and signed documents, a P-256 key for passes.

Private keys are PKCS #8 PEM files that only their owner may read; ``public.json`` beside them is what other parties
learn. Every key has an end date (no power without one); a retired pass key stays listed so that passes signed
with it verify until they end.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from hutong.errors import NotFound, Tampered

SIGNING_KEY_DAYS = 730
PASS_KEY_DAYS = 365


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """Private keys of this node and their public description."""

    signing: Ed25519PrivateKey
    passes: EllipticCurvePrivateKey
    pseudonym_key: bytes
    vault_key: bytes
    public: Mapping[str, Any]

    @property
    def pass_certificate(self) -> bytes:
        """DER of the self-signed certificate of the pass key in use."""
        return base64.b64decode(self.public["passes"][0])


def create_keys(folder: Path, *, node_id: str, now: datetime) -> NodeKeys:
    """Make all keys of a new node and write them to ``folder`` (created with mode 0700)."""
    folder.mkdir(mode=0o700, parents=True)
    signing = Ed25519PrivateKey.generate()
    passes = generate_private_key(SECP256R1())
    for name, key in (("signing", signing), ("passes", passes)):
        _write_private(
            folder / f"{name}.pem",
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
    _write_private(folder / "pseudonym.key", os.urandom(32))
    _write_private(folder / "vault.key", os.urandom(32))
    public = {
        "signing": signing_jwk(signing, node_id=node_id),
        "signing_until": (now + timedelta(days=SIGNING_KEY_DAYS)).isoformat(),
        "passes": [base64.b64encode(_certificate(passes, node_id=node_id, now=now)).decode()],
        "passes_until": (now + timedelta(days=PASS_KEY_DAYS)).isoformat(),
    }
    (folder / "public.json").write_bytes(orjson.dumps(public, option=orjson.OPT_INDENT_2))
    return load_keys(folder)


def load_keys(folder: Path) -> NodeKeys:
    """Read the node's keys; ``NotFound`` when one is missing, ``Tampered`` when one can't be read."""
    try:
        signing = serialization.load_pem_private_key((folder / "signing.pem").read_bytes(), None)
        passes = serialization.load_pem_private_key((folder / "passes.pem").read_bytes(), None)
        public = orjson.loads((folder / "public.json").read_bytes())
        pseudonym_key = (folder / "pseudonym.key").read_bytes()
        vault_key = (folder / "vault.key").read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"The key file {error.filename} is missing.", "Restore it from the backup.") from error
    except ValueError as error:
        raise Tampered(f"A key file in {folder} can't be read.", "Restore it from the backup.") from error
    if not isinstance(signing, Ed25519PrivateKey) or not isinstance(passes, EllipticCurvePrivateKey):
        raise Tampered(f"A key file in {folder} holds another kind of key.", "Restore it from the backup.")
    return NodeKeys(signing=signing, passes=passes, pseudonym_key=pseudonym_key, vault_key=vault_key, public=public)


def signing_jwk(key: Ed25519PrivateKey, *, node_id: str) -> dict[str, str]:
    """Public JWK (RFC 8037) of a signing key; ``kid``: the node's id, and 16 characters of the RFC 7638 thumbprint."""
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    short = base64.urlsafe_b64encode(thumbprint).decode()[:16]
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": f"{node_id}#{short}", "alg": "Ed25519", "use": "sig"}


def _certificate(key: EllipticCurvePrivateKey, *, node_id: str, now: datetime) -> bytes:
    # Self-signed: trust comes from the signed trust list, the certificate only carries the key and its dates.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{node_id} passes")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=PASS_KEY_DAYS))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.DER)


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
