"""The node's web application: machine doors below ``/api`` and the standards' own paths, pages below their language."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from threading import Thread
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from hutong import __version__
from hutong.node import Node
from hutong.web import doors, jobs
from hutong.web.api import account as account_operations
from hutong.web.api import (
    acquisition,
    appeals,
    catalogue,
    ckan,
    exposure,
    governance,
    health_code,
    identifiers,
    log,
    opening,
    pass_batches,
    passes,
    sharing,
)
from hutong.web.heads import Heads
from hutong.web.i18n import LANGUAGES
from hutong.web.known_parameters import refuse_unknown_parameters
from hutong.web.negotiation import to_page
from hutong.web.portal import about, account, dataset, developers, home, recognition, stewardship
from hutong.web.portal import appeals as appeal_pages
from hutong.web.portal import catalogue as catalogue_pages
from hutong.web.portal import log as log_pages
from hutong.web.portal import passes as pass_pages
from hutong.web.portal import rule_drafts as rule_draft_pages
from hutong.web.portal import sharing as sharing_pages
from hutong.web.portal import verifier as verifier_pages
from hutong.web.rendering import STATIC_DIR, STATIC_PREFIX

API = (
    governance,
    account_operations,
    acquisition,
    opening,
    catalogue,
    ckan,
    sharing,
    passes,
    pass_batches,
    health_code,
    appeals,
    exposure,
    log,
    identifiers,
)
PORTAL = (
    home,
    catalogue_pages,
    dataset,
    about,
    developers,
    account,
    stewardship,
    sharing_pages,
    pass_pages,
    rule_draft_pages,
    appeal_pages,
    recognition,
    verifier_pages,
    log_pages,
)


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def create_app(node: Node) -> FastAPI:
    """The application of one node."""
    app = FastAPI(
        title=f"Hutong node {node.id}",
        summary="Collect, open and share health data in a public-health emergency",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        # Bodies are JSON in and out with declared models; a trailing slash is another address.
        redirect_slashes=False,
        lifespan=jobs.running,
    )
    app.state.node = node
    doors.install(app)
    app.add_middleware(Heads)
    for module in API:
        app.include_router(module.router, dependencies=[Depends(refuse_unknown_parameters)])
    app.add_api_route("/api/docs", _to_reference, include_in_schema=False)
    # Where other frameworks have them, so that who tries finds them.
    app.add_api_route("/openapi.json", _to("/api/openapi.json"), include_in_schema=False)
    app.add_api_route("/docs", _to("/api/docs"), include_in_schema=False)
    # Before the pages: else an address of the API with another method would be a page in the language "api".
    app.add_route("/api/{rest:path}", _no_such_operation, methods=list(METHODS), include_in_schema=False)
    for module in PORTAL:
        app.include_router(module.router, include_in_schema=False)
    app.mount(STATIC_PREFIX, StaticFiles(directory=STATIC_DIR), name="static")
    app.add_api_route("/", _to_home, include_in_schema=False)
    return app


def _no_such_operation(request: Request) -> Response:
    """404 where the API has nothing, 405 with all the methods of what it has there (RFC 9110, 10.2.1)."""
    described = request.app.openapi()["paths"].items()
    here = [methods for path, methods in described if compile_path(path)[0].match(request.url.path)]
    allowed = {method.upper() for methods in here for method in methods}
    if not allowed:
        raise HTTPException(404)
    if "GET" in allowed:
        allowed.add("HEAD")
    raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})


def _to(path: str) -> Callable[[], RedirectResponse]:
    return lambda: RedirectResponse(path, status_code=308)


def _to_home(request: Request) -> RedirectResponse:
    return to_page(request, "/")


def _to_reference(request: Request) -> RedirectResponse:
    return to_page(request, "/developers")


def serve(node: Node, *, host: str, port: int, ready: Callable[[], None] | None = None) -> None:
    """Serve the node until it is stopped; ``ready`` is called when the port is open."""
    import uvicorn

    config = uvicorn.Config(
        create_app(node), host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    startup = server.startup

    async def startup_then_tell(sockets: Any = None) -> None:
        await startup(sockets)
        if ready is not None:
            ready()
        Thread(target=_draw_first_pages, args=(host, port), daemon=True).start()

    server.startup = startup_then_tell  # type: ignore[method-assign]
    server.run()


def _draw_first_pages(host: str, port: int) -> None:
    """Ask for the home pages once: loading the engines takes seconds that the first reader should not wait for."""
    import httpx

    for language in LANGUAGES:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"http://{host}:{port}/{language.code}/", timeout=60, trust_env=False)
