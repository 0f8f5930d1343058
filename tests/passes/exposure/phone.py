"""A reference phone: it sends rolling identifiers, hears those of others, and finds in a batch whom it met, alone.

Source: Exposure Notification Cryptography Specification v1.2.1 (Apple and Google, 2020).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fastapi.testclient import TestClient

from hutong.passes.exposure.export import KeyName, read_archive
from hutong.passes.exposure.key import DAY_INTERVALS, ExposureKey, interval_number

TOLERANCE_INTERVALS = 12
"""An identifier counts within two hours of its interval: clocks differ, but a replay of old ones must not count."""


def identifier_key(key_data: bytes) -> bytes:
    """RPIK = HKDF(tek, NULL, "EN-RPIK", 16)."""
    return HKDF(hashes.SHA256(), 16, None, b"EN-RPIK").derive(key_data)


def identifiers(key: ExposureKey) -> dict[bytes, int]:
    """RPI = AES128(RPIK, "EN-RPI" ‖ six zero octets ‖ ENIN) for each interval of a key, with its interval."""
    cipher = Cipher(algorithms.AES(identifier_key(key.key_data)), modes.ECB()).encryptor()
    intervals = range(key.rolling_start, key.rolling_end)
    return {cipher.update(b"EN-RPI" + bytes(6) + struct.pack("<I", number)): number for number in intervals}


def own_key_name(node_id: str, certificate: str) -> tuple[KeyName, ec.EllipticCurvePublicKey]:
    """A node's key as the phone was set up with it: from the certificate that the node shows the world."""
    der = base64.b64decode(certificate)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    public = x509.load_der_x509_certificate(der).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return KeyName(node_id, digest.finalize()[:8].hex()), public


@dataclass
class Phone:
    """One phone. ``heard`` never leaves it."""

    random: Random
    keys: dict[int, ExposureKey] = field(default_factory=dict)
    heard: dict[bytes, int] = field(default_factory=dict)
    downloaded: set[str] = field(default_factory=set)

    def sends(self, at: datetime) -> bytes:
        """What it sends over the radio at that moment."""
        now = interval_number(at)
        start = now - now % DAY_INTERVALS
        key = self.keys.setdefault(start, ExposureKey(self.random.randbytes(16), start))
        return next(identifier for identifier, number in identifiers(key).items() if number == now)

    def meets(self, other: Phone, at: datetime) -> None:
        """Both hear each other."""
        self.heard[other.sends(at)] = other.heard[self.sends(at)] = interval_number(at)

    def gives(self) -> list[dict[str, Any]]:
        """Its keys as it uploads them: nothing of what it heard is among them."""
        return [
            {
                "key_data": base64.b64encode(key.key_data).decode(),
                "rolling_start_interval_number": key.rolling_start,
                "rolling_period": key.rolling_period,
            }
            for key in self.keys.values()
        ]

    def learns(self, web: TestClient, trusted: Mapping[KeyName, ec.EllipticCurvePublicKey]) -> list[date]:
        """The days of its exposures, from the batches that it has not seen yet."""
        days = set()
        for name in web.get("/exposure/index.txt").text.split():
            if name in self.downloaded:
                continue
            batch = read_archive(web.get(f"/exposure/{name}").content, trusted)
            self.downloaded.add(name)
            for key in batch.keys:
                for identifier, number in identifiers(key).items():
                    met = self.heard.get(identifier)
                    if met is not None and abs(met - number) <= TOLERANCE_INTERVALS:
                        days.add(key.day)
        return sorted(days)
