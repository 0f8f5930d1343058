"""The verifier: a page that decides about passes on the device itself, and opens without a network once it was visited.

The service worker keeps one *edition*: both pages, the modules, styles and icon, named by the hash of all of them, so
that a device never mixes two. The trust bundle is no part of it; the page fetches, verifies and keeps that itself.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from types import SimpleNamespace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from hutong.node import Node
from hutong.passes.recognition.recognition import Scene
from hutong.web.doors import CurrentNode
from hutong.web.i18n import LANGUAGES, Language, language_of
from hutong.web.portal.page import PageLanguage, text_in, words_of
from hutong.web.portal.passes import SCENES
from hutong.web.rendering import STATIC_DIR, STATIC_PREFIX, render, static_address

router = APIRouter()

BUNDLE = "/passes/trust-bundle"
WORKER = "/verifier-worker.js"
MANIFEST = "/verifier.webmanifest"
FOLDER = STATIC_DIR / "verifier"
PREFIX = f"{STATIC_PREFIX}/verifier"
WORKER_FILE = "worker.js"


@router.get("/{language}/scan", response_class=HTMLResponse)
def scan(node: CurrentNode, language: PageLanguage) -> HTMLResponse:
    return HTMLResponse(_page(node, language))


@router.get(MANIFEST, response_class=Response)
def manifest(node: CurrentNode, language: Annotated[str, Query(max_length=5)] = "en") -> Response:
    described = _manifest(node, language_of(language))
    return Response(orjson.dumps(described), media_type="application/manifest+json")


@router.get(WORKER, response_class=Response)
def worker(node: CurrentNode) -> Response:
    """The service worker with its edition. It is asked for anew at every visit, so that an update is seen."""
    headers = {"Service-Worker-Allowed": "/", "Cache-Control": "no-cache"}
    script = b"const EDITION = " + orjson.dumps(_edition(node)) + b";\n" + (FOLDER / WORKER_FILE).read_bytes()
    return Response(script, media_type="text/javascript", headers=headers)


def _page(node: Node, language: Language) -> str:
    words = words_of(language)
    return render(
        "verifier.html",
        language,
        path=_address(language),
        node=SimpleNamespace(name=text_in(node.settings.name, language)),
        scenes=[(scene.value, words.gettext(name), scene is Scene.PUBLIC_PLACE) for scene, name in SCENES.items()],
        bundle=BUNDLE,
        key=orjson.dumps({name: node.keys.public["signing"][name] for name in ("kty", "crv", "x")}).decode(),
        worker=WORKER,
        manifest=_manifest_address(language),
        pages=orjson.dumps([_address(one) for one in LANGUAGES]).decode(),
        modules=[address for address in _files() if address.endswith(".js")],
        script=f"{PREFIX}/app.js",
        stylesheet=f"{PREFIX}/verifier.css",
        icon=f"{PREFIX}/icon.svg",
    )


def _manifest(node: Node, language: Language) -> dict[str, Any]:
    name = words_of(language).gettext("Check a pass")
    icon = {"src": f"{PREFIX}/icon.svg", "type": "image/svg+xml", "sizes": "any"}
    return {
        "id": "/verifier",
        "name": f"{name} · {text_in(node.settings.name, language)}",
        "short_name": name,
        "lang": language.tag,
        "start_url": _address(language),
        "scope": "/",
        "display": "standalone",
        "background_color": "#fcfcfa",
        "theme_color": "#0b5c6b",
        "icons": [icon | {"purpose": "any"}, icon | {"purpose": "maskable"}],
    }


def _edition(node: Node) -> dict[str, Any]:
    pages = [_address(language) for language in LANGUAGES]
    manifests = [_manifest_address(language) for language in LANGUAGES]
    content = sha256(_files_hash())
    for language in LANGUAGES:
        content.update(_page(node, language).encode())
        content.update(orjson.dumps(_manifest(node, language)))
    addresses = [*pages, *manifests, *_files(), static_address("hutong.css")]
    return {"name": content.hexdigest()[:16], "addresses": addresses, "pages": pages}


def _address(language: Language) -> str:
    return f"/{language.code}/scan"


def _manifest_address(language: Language) -> str:
    return f"{MANIFEST}?language={language.code}"


@cache
def _files() -> tuple[str, ...]:
    """Addresses of what the page is made of, without the worker itself."""
    return tuple(f"{PREFIX}/{path.name}" for path in sorted(FOLDER.iterdir()) if path.name != WORKER_FILE)


@cache
def _files_hash() -> bytes:
    content = sha256()
    for path in sorted(FOLDER.iterdir()):
        content.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return content.digest()
