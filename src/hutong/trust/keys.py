"""The keys of one node: an Ed25519 key for the log and signed documents, a P-256 key for passes.

Private keys are PKCS #8 PEM files that only their owner may read; ``public.json`` beside them is what other parties
learn. Every key has an end date (no power without one); a retired pass key stays listed so that passes signed
with it verify until they end, a compromised one is listed apart so that they are refused.

A pass key's file is named by its id, and ``public.json`` says which is in use: replacing that one file is the moment at
which a new key takes over. ``KeyFolder`` notices when another process did it.
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

from hutong.errors import Conflict, NotFound, Tampered

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

    @property
    def pass_key_id(self) -> str:
        """Id of the pass key in use."""
        return pass_key_id(self.pass_certificate)

    @property
    def pass_keys(self) -> tuple[PassKeyState, ...]:
        """All pass keys that are still listed, the one in use first, compromised ones last."""
        listed = [*self.public["passes"], *self.public.get("compromised", [])]
        changed = self.public.get("changed", {})
        states = []
        for number, encoded in enumerate(listed):
            der = base64.b64decode(encoded)
            known = x509.load_der_x509_certificate(der)
            compromised = number >= len(self.public["passes"])
            states.append(
                PassKeyState(
                    key_id=pass_key_id(der),
                    state="compromised" if compromised else "retired" if number else "in-use",
                    begins_at=known.not_valid_before_utc,
                    ends_at=known.not_valid_after_utc,
                    changed_at=_instant(changed.get(pass_key_id(der))),
                )
            )
        return tuple(states)


@dataclass(frozen=True, slots=True)
class PassKeyState:
    """A pass key: its id (16 hexadecimal digits), ``in-use``, ``retired`` or ``compromised``, and since when."""

    key_id: str
    state: str
    begins_at: datetime
    ends_at: datetime
    changed_at: datetime | None


def pass_key_id(certificate: bytes) -> str:
    """The 8 bytes by which passes name their key, hexadecimal: of SHA-256 over the certificate's DER (HCERT, 2.3.1)."""
    return hashlib.sha256(certificate).digest()[:8].hex()


@dataclass(frozen=True, slots=True)
class PreparedKey:
    """A change of keys, durable beside the old ones; ``install`` makes it the node's. Passes are signed by ``key_id``.

    ``destroys``: private key files that end with it.
    """

    key_id: str
    _folder: Path
    _public: Mapping[str, Any]
    _destroys: tuple[Path, ...]

    def install(self) -> None:
        """Let it take over: one file is replaced, then the private key that ended is overwritten and removed."""
        new = self._folder / "public.json.new"
        with new.open("wb") as file:
            file.write(orjson.dumps(dict(self._public), option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._folder / "public.json")
        for path in self._destroys:
            _destroy(path)


class KeyFolder:
    """The folder with a node's keys. ``keys`` are those of now, also after another process changed them."""

    def __init__(self, folder: Path, *, node_id: str) -> None:
        self._folder = folder
        self._node_id = node_id
        self._held = load_keys(folder)
        self._seen = self._mark()

    @property
    def keys(self) -> NodeKeys:
        """The keys in use now."""
        while (mark := self._mark()) != self._seen:
            try:
                self._held, self._seen = load_keys(self._folder), mark
            except NotFound:
                # Between the two reads the key was replaced once more: then there is a newer state to read.
                if self._mark() == mark:
                    raise
        return self._held

    def _mark(self) -> tuple[int, int]:
        stat = (self._folder / "public.json").stat()
        return stat.st_mtime_ns, stat.st_ino

    def prepare_rotation(self, *, now: datetime) -> PreparedKey:
        """A new pass key; the one in use is retired: its certificate stays listed, its private key is destroyed."""
        return self._prepare(now, compromised=None)

    def prepare_end(self, key_id: str, *, now: datetime) -> PreparedKey:
        """A pass key is compromised; if it is in use, a new one takes over. ``NotFound`` for an unknown key."""
        return self._prepare(now, compromised=key_id)

    def _prepare(self, now: datetime, *, compromised: str | None) -> PreparedKey:
        public = dict(self.keys.public)
        ids = {pass_key_id(base64.b64decode(encoded)): encoded for encoded in public["passes"]}
        in_use = next(iter(ids))
        if compromised is not None and compromised not in ids:
            raise NotFound("This node has no such pass key that verifies.", "See: hutong keys list")
        changed = {**public.get("changed", {}), compromised or in_use: now.isoformat()}
        kept = [encoded for name, encoded in ids.items() if name != compromised and _ends_at(encoded) > now]
        ended = [encoded for encoded in public.get("compromised", []) if _ends_at(encoded) > now]
        destroys: tuple[Path, ...] = ()
        if compromised in (None, in_use):
            key = generate_private_key(SECP256R1())
            certificate = _certificate(key, node_id=self._node_id, now=now)
            _write_pass_key(self._folder, key, certificate)
            kept.insert(0, base64.b64encode(certificate).decode())
            public["passes_until"] = (now + timedelta(days=PASS_KEY_DAYS)).isoformat()
            destroys = (pass_key_path(self._folder, in_use),)
            in_use = pass_key_id(certificate)
        if compromised is not None:
            ended.append(ids[compromised])
        public |= {"passes": kept, "compromised": ended, "changed": changed}
        return PreparedKey(in_use, self._folder, public, destroys)


def pass_key_path(folder: Path, key_id: str) -> Path:
    """Where the private key of that id lies."""
    return folder / f"passes-{key_id}.pem"


def create_keys(folder: Path, *, node_id: str, now: datetime) -> NodeKeys:
    """Make all keys of a new node and write them to ``folder`` (created with mode 0700)."""
    if folder.exists():
        # Never written over: without them nothing that they signed or sealed is of any use.
        raise Conflict(f"There are keys in {folder} already.", "Choose another folder, or move them away.")
    folder.mkdir(mode=0o700, parents=True)
    signing = Ed25519PrivateKey.generate()
    passes = generate_private_key(SECP256R1())
    certificate = _certificate(passes, node_id=node_id, now=now)
    _write_private(folder / "signing.pem", _private_bytes(signing))
    _write_pass_key(folder, passes, certificate)
    _write_private(folder / "pseudonym.key", os.urandom(32))
    _write_private(folder / "vault.key", os.urandom(32))
    public = {
        "signing": signing_jwk(signing, node_id=node_id),
        "signing_until": (now + timedelta(days=SIGNING_KEY_DAYS)).isoformat(),
        "passes": [base64.b64encode(certificate).decode()],
        "compromised": [],
        "changed": {},
        "passes_until": (now + timedelta(days=PASS_KEY_DAYS)).isoformat(),
    }
    (folder / "public.json").write_bytes(orjson.dumps(public, option=orjson.OPT_INDENT_2))
    return load_keys(folder)


def load_keys(folder: Path) -> NodeKeys:
    """Read the node's keys; ``NotFound`` when one is missing, ``Tampered`` when one can't be read."""
    try:
        signing = serialization.load_pem_private_key((folder / "signing.pem").read_bytes(), None)
        public = orjson.loads((folder / "public.json").read_bytes())
        in_use = pass_key_id(base64.b64decode(public["passes"][0]))
        passes = serialization.load_pem_private_key(pass_key_path(folder, in_use).read_bytes(), None)
        pseudonym_key = (folder / "pseudonym.key").read_bytes()
        vault_key = (folder / "vault.key").read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"The key file {error.filename} is missing.", "Restore it from the backup.") from error
    except (ValueError, LookupError, TypeError) as error:
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


def _write_pass_key(folder: Path, key: EllipticCurvePrivateKey, certificate: bytes) -> None:
    _write_private(pass_key_path(folder, pass_key_id(certificate)), _private_bytes(key))


def _private_bytes(key: EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _ends_at(encoded: str) -> datetime:
    return x509.load_der_x509_certificate(base64.b64decode(encoded)).not_valid_after_utc


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _destroy(path: Path) -> None:
    # Overwritten first: on a disk that writes in place nothing of it is left. Flash memory may keep a copy.
    try:
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        return
    path.unlink()


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
