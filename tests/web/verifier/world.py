"""Two regions that issue passes, a signed trust bundle, a server of the page, and a browser that opens it."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import segno
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from hutong.node import Node
from hutong.passes.credential import status_list
from hutong.passes.credential.certificates import key_id_of
from hutong.passes.credential.level_pass import LevelPass, issue
from hutong.passes.documents import shipped_document
from hutong.passes.trust_bundle.trust_bundle import CROSSWALK_KIND, TrustSnapshot, read_bundle, sign_bundle
from hutong.trust.keys import signing_jwk
from hutong.trust.signing import sign_document
from hutong.web import doors
from hutong.web.portal import verifier
from hutong.web.rendering import STATIC_DIR, STATIC_PREFIX

REVOKED, POSITIONS = (7, 100), 1024
NAMES = {"tw": {"en": "Tainan", "zh": "台南"}, "pe": {"en": "Piura", "zh": "皮乌拉"}}
SHIPPED = {"tw": "dengue-three-levels", "pe": "dengue-four-levels"}
RULEBOOKS = {"tw": "dengue-3", "pe": "dengue-4"}


@dataclass(frozen=True)
class Region:
    """One issuing party with its keys."""

    id: str
    signing: Ed25519PrivateKey
    key: ec.EllipticCurvePrivateKey
    certificate: bytes

    def issue(self, now: datetime, *, issuer: str | None = None, **fields: Any) -> str:
        """``HC1:`` text of a pass that is good at ``now``, unless ``fields`` say otherwise."""
        claims = LevelPass(
            issuer=issuer or self.id,
            issued_at=(now - timedelta(hours=1)).replace(microsecond=0),
            expires_at=(now + timedelta(hours=23)).replace(microsecond=0),
            level="low",
            rulebook=RULEBOOKS[self.id],
            version="1.0.0",
            pass_id=b"8 random",
            status_index=3,
            commitment=bytes(12),
        )
        return issue(replace(claims, **fields), self.key, key_id_of(self.certificate))

    def status_list(self, at: datetime, hours: int = 24, number: int = 0, revoked: tuple[int, ...] = REVOKED) -> str:
        at = at.replace(microsecond=0)
        bits = status_list.pack_bits(revoked, POSITIONS)
        content = status_list.StatusList(self.id, number, 1, at, at + timedelta(hours=hours), POSITIONS, bits)
        return base64.b64encode(status_list.sign(content, self.key, key_id_of(self.certificate))).decode()

    def crosswalk(self, at: datetime) -> str:
        document = shipped_document(f"crosswalks/{SHIPPED[self.id]}", **period(at))
        return sign_document(self.signing, kid=self.id, kind=CROSSWALK_KIND, payload=document)

    def entry(self, at: datetime) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": NAMES[self.id],
            "territory": self.id.upper(),
            "signing": signing_jwk(self.signing, node_id=self.id),
            "passes": [base64.b64encode(self.certificate).decode()],
            "valid_until": (at + timedelta(days=400)).isoformat(),
        }


DAYS = timedelta(days=90)


def period(at: datetime) -> dict[str, str]:
    """From 90 days before to 90 days after."""
    return {"valid_from": (at - DAYS).isoformat(), "valid_to": (at + DAYS).isoformat()}


def make_region(region_id: str, now: datetime) -> Region:
    """A region with fresh keys, its pass certificate ending in a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Region(region_id, Ed25519PrivateKey.generate(), key, certificate_of(key, now))


def certificate_of(key: Any, now: datetime, days: int = 365) -> bytes:
    """DER of a self-signed certificate."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "passes")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - DAYS).not_valid_after(now + timedelta(days=days))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@dataclass
class Site:
    """The node's page on a port of this machine, what it was asked for, and the bundle that it hands out."""

    node: Node
    regions: dict[str, Region]
    now: datetime
    origin: str = ""
    signed: str = ""
    asked: list[str] = field(default_factory=list)

    def bundle(self, *, at: datetime | None = None, number: int = 5, **changes: Any) -> str:
        """A signed bundle of all regions; ``changes`` replace fields of it."""
        at = at or self.now
        payload = {
            "issuer": self.node.id,
            "number": number,
            "issued_at": at.isoformat(),
            "next_update": (at + timedelta(hours=1)).isoformat(),
            "max_age_hours": 24,
            "parties": [region.entry(at) for region in self.regions.values()],
            "crosswalks": {name: [region.crosswalk(self.now)] for name, region in self.regions.items()},
            "status_lists": {name: [region.status_list(at)] for name, region in self.regions.items()},
            "acceptance": shipped_document("scenes/dengue-three-levels", **period(self.now)),
        }
        return sign_bundle(payload | changes, key=self.node.keys.signing, kid=self.node.keys.public["signing"]["kid"])

    def snapshot(self, signed: str) -> TrustSnapshot:
        return read_bundle(signed, issuer_key=self.node.keys.public["signing"])

    @property
    def key(self) -> dict[str, str]:
        return dict(self.node.keys.public["signing"])


@contextmanager
def serving(node: Node) -> Iterator[Site]:
    """Serve the page of a node, with a bundle of two regions, on a free port."""
    now = datetime.now(UTC)
    site = Site(node, {name: make_region(name, now) for name in RULEBOOKS}, now)
    site.signed = site.bundle()
    server = uvicorn.Server(uvicorn.Config(_app(site), port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    site.origin = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield site
    server.should_exit = True
    thread.join(5)


def _app(site: Site) -> FastAPI:
    app = FastAPI()
    app.state.node = site.node
    doors.install(app)
    app.include_router(verifier.router)
    app.mount(STATIC_PREFIX, StaticFiles(directory=STATIC_DIR))

    @app.get(verifier.BUNDLE)
    def trust_bundle() -> Response:
        return Response(site.signed, media_type="application/jose")

    @app.middleware("http")
    async def note(request: Request, call_next: Any) -> Response:
        site.asked.append(request.url.path)
        response: Response = await call_next(request)
        return response

    return app


def picture(text: str, *, scale: int = 6, error: str = "Q", **options: Any) -> bytes:
    """PNG of a QR code."""
    png = io.BytesIO()
    segno.make(text, error=error, boost_error=False, micro=False, **options).save(
        png, kind="png", scale=scale, border=4
    )
    return png.getvalue()
