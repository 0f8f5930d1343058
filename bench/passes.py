"""Passes: issue, read, verify, draw and status, beside raw OpenSSL in the same run.

``run()`` returns rows of (job, per second or value, unit, ratio to its reference or None); as a script it prints them.
"""

from __future__ import annotations

import datetime as dt
import io
import secrets
import time
from collections.abc import Callable, Sequence

import segno
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hutong.passes.credential import level_pass, picture, status_list
from hutong.passes.credential.keys import KeyRing, write_jwk
from hutong.passes.credential.read import read_pass

Row = tuple[str, float, str, float | None]
PASSES = 5_000
PICTURES = 300
SLOW_PICTURES = 30
ROUNDS = 3
KEY_ID = b"benchkey"
NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


def make_claims(number: int) -> level_pass.LevelPass:
    """One pass to be; random id, the rest as in the field."""
    pass_id = secrets.token_bytes(8)
    return level_pass.LevelPass(
        issuer="tw",
        issued_at=NOW,
        expires_at=NOW + dt.timedelta(days=1),
        level="medium",
        rulebook="dengue-tw",
        version="1.2.0",
        pass_id=pass_id,
        status_index=9_000_000 + number,
        commitment=level_pass.commit_holder(pass_id, b"secret of the holder"),
    )


def rate(job: Callable[[int], object], times: int) -> float:
    """Best of three rounds, per second, one core."""
    best = 0.0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for number in range(times):
            job(number)
        best = max(best, times / (time.perf_counter() - started))
    return best


def draw_by_segno(text: str) -> bytes:
    """The picture as a library in Python alone draws it."""
    picture_file = io.BytesIO()
    segno.make(text, error="q", boost_error=False, micro=False).save(picture_file, kind="png", scale=4)
    return picture_file.getvalue()


def run() -> list[Row]:
    """Measure; takes about ten seconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    public, algorithm = key.public_key(), ec.ECDSA(hashes.SHA256())
    signer = level_pass.PassSigner(key, KEY_ID)
    ring = KeyRing.of([write_jwk(public, KEY_ID)])
    claims = [make_claims(number) for number in range(PASSES)]
    texts = [signer.issue(each) for each in claims]
    message = signer.sign(claims[0])
    signature = key.sign(message, algorithm)

    raw_sign = rate(lambda _: key.sign(message, algorithm), PASSES)
    raw_verify = rate(lambda _: public.verify(signature, message, algorithm), PASSES)
    issued = rate(lambda number: signer.issue(claims[number]), PASSES)
    read = rate(lambda number: read_pass(texts[number], keys=ring), PASSES)
    drawn = rate(lambda number: picture.draw_png(signer.issue(claims[number])), PICTURES)
    segno_drawn = rate(lambda number: draw_by_segno(texts[number]), SLOW_PICTURES)
    rows: list[Row] = [
        ("OpenSSL ES256 sign", raw_sign, "/s", None),
        ("issue: signed and encoded", issued, "/s", issued / raw_sign),
        ("issue with QR picture (PNG)", drawn, "/s", drawn / segno_drawn),
        ("OpenSSL ES256 verify", raw_verify, "/s", None),
        ("read: decoded, signature checked", read, "/s", read / raw_verify),
        ("size of the signed message", float(len(message)), "bytes", None),
        ("QR version at error correction Q", float(picture.version_of(texts[0])), "", None),
    ]
    return rows + measure_status_list(key, ring)


def measure_status_list(key: ec.EllipticCurvePrivateKey, ring: KeyRing) -> list[Row]:
    """Size and check time of a list of 10 million passes with 1 % revoked."""
    import numpy as np

    size = 10_000_000
    revoked = np.random.default_rng(1).choice(size, size // 100, replace=False)
    bits = status_list.pack_bits(revoked, size)
    status = status_list.StatusList("tw", 0, 1, NOW, NOW + dt.timedelta(days=1), size, bits)
    started = time.perf_counter()
    message = status_list.sign(status, key, KEY_ID)
    signed = time.perf_counter() - started
    started = time.perf_counter()
    read = status_list.read(message, ring)
    opened = time.perf_counter() - started
    checks = rate(lambda number: read.is_revoked(number * 1999), 5_000)
    hashed = 16 * size // 100
    return [
        ("status list of 10 M at 1 %", len(message) / 1000, "KB", len(message) / hashed),
        ("status list: packed and signed", signed, "s", None),
        ("status list: verified and inflated", opened * 1000, "ms", None),
        ("status check", 1e6 / checks, "µs", None),
    ]


def show(rows: Sequence[Row]) -> None:
    """Print the rows."""
    for job, value, unit, ratio in rows:
        beside = "" if ratio is None else f"  ({ratio:.0%} of the reference)"
        print(f"{job:<38}{value:>12,.1f} {unit}{beside}")


if __name__ == "__main__":
    show(run())
