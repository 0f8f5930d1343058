"""What every route needs: the node, who asks, and how an error becomes an answer (RFC 9457) or a page."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from hutong.errors import BadInput, HutongError, NotFound, NotSignedIn, Refused, Unavailable
from hutong.governance import actions, queries
from hutong.governance.account import TOKEN_PREFIX, Session
from hutong.node import Node
from hutong.standard.element import LANGUAGES
from hutong.trust.authorisation import PUBLIC, Actor
from hutong.web import uploads
from hutong.web.negotiation import VARY, in_browser, page_below_language

_logger = logging.getLogger(__name__)

SESSION_COOKIE = uploads.SESSION_COOKIE
PROBLEM = "application/problem+json"

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; "
        "worker-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}


class Problem(BaseModel):
    """What went wrong, as RFC 9457 problem details."""

    type: str = Field(description="Stable name of the kind of problem", examples=["urn:hutong:problem:not-found"])
    title: str = Field(description="What happened")
    detail: str = Field(description="What to do")
    status: int
    reasons: list[str] = Field(default_factory=list, description="Policy reasons, when the answer is a refusal")
    policies: list[str] = Field(default_factory=list, description="Ids of the policies that refused")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented error answers of a route."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in statuses}


_MEANINGS = {
    400: "The request can't be read",
    401: "Nobody, or nobody known, is asking",
    403: "The policy says no; the reasons are given",
    404: "There is no such thing here",
    405: "This address does not take that method",
    409: "The state of the thing does not allow this",
    413: "A limit was met",
    422: "What was given can't be used",
    429: "Too many requests",
    503: "Something that this node needs did not serve",
}


def get_node(request: Request) -> Node:
    """The node that the application serves."""
    node: Node = request.app.state.node
    return node


def is_strict(path: str) -> bool:
    """Whether what it does not know in a query is refused: in the API, but for CKAN's interface, which ignores it."""
    return path.startswith("/api/") and not path.startswith(("/api/3/", "/api/action/"))


CurrentNode = Annotated[Node, Depends(get_node)]


def get_session(request: Request, node: CurrentNode) -> Session | None:
    """The signed-in browser session, if any."""
    secret = request.cookies.get(SESSION_COOKIE)
    if not secret:
        return None
    try:
        return queries.session(node, secret)
    except NotSignedIn:
        return None


CurrentSession = Annotated[Session | None, Depends(get_session)]


# They describe the API, and read nothing: what comes in the header is understood, or refused, below.
BEARER = HTTPBearer(
    scheme_name="bearer",
    description="The token of an account of this node, or what another party signed (a JWT). Without it the public "
    "asks: where policies permit something only to somebody known, they then refuse it (403).",
    auto_error=False,
)
ACCOUNT = HTTPBearer(scheme_name="account", description="The token of an account of this node.", auto_error=False)


def get_actor(request: Request, node: CurrentNode, _described: Annotated[object, Security(BEARER)] = None) -> Actor:
    """Who calls the API: an account by its token, another party by its assertion, or the public.

    A browser's cookie does not count here, so no other site can make a browser call the API in someone's name.
    """
    header = request.headers.get("authorization", "")
    if not header:
        return PUBLIC
    scheme, _, credential = header.partition(" ")
    if scheme.lower() != "bearer" or not credential.isascii():
        raise NotSignedIn("The Authorization header is not understood.", "Send: Authorization: Bearer TOKEN")
    if credential.startswith(TOKEN_PREFIX):
        return queries.token_actor(node, credential)
    try:
        return actions.admit_party(node, token=credential)
    except BadInput as error:
        raise NotSignedIn("The token is not known.", "Create one under your account.") from error


CurrentActor = Annotated[Actor, Depends(get_actor)]


def install(app: FastAPI) -> None:
    """Error answers, security headers and the limit on a request's size."""
    app.add_exception_handler(HutongError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    # What is in no tree is a defect: the reader is told so, the log of the server gets the trace.
    app.add_exception_handler(Exception, _answer_defect)
    app.middleware("http")(_guard)
    describe = app.openapi

    def describe_with_problems() -> dict[str, Any]:
        described = describe()
        described["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        for path, operation in (
            (path, one) for path, methods in described["paths"].items() for one in methods.values()
        ):
            if is_strict(path):
                operation["responses"].setdefault("422", problems(422)[422])
            if "requestBody" in operation:
                # Before a route sees a body it may be no JSON at all, or too large.
                for status, told in problems(400, 413).items():
                    operation["responses"].setdefault(str(status), told)
            # The framework keeps what it described, so that this comes by again at each question.
            if (security := operation.get("security")) and {} not in security:
                account: dict[str, list[str]] = {"account": []}
                operation["security"] = [account] if account in security else [*security, {}]
        return described

    # No route has the model as its own answer, so the framework would leave it out.
    app.openapi = describe_with_problems  # type: ignore[method-assign]


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    limit = await uploads.most_bytes(request)
    length = request.headers.get("content-length", "0")
    response: Response
    chunked = "transfer-encoding" in request.headers
    if chunked or not length.isdecimal() or int(length) > limit:
        what, do = "The request is too large or does not say its size.", f"At most {limit} bytes."
        code = "limit-exceeded"
        is_page = wants_page(request)
        response = error_page(request, 413, what, do, code) if is_page else problem_response(413, code, what, do)
    else:
        response = await call_next(request)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def problem_response(status: int, code: str, what: str, do: str, refused: Refused | None = None) -> JSONResponse:
    """An error as an answer of the API (RFC 9457)."""
    problem = Problem(
        type=f"urn:hutong:problem:{code}",
        title=what,
        detail=do,
        status=status,
        reasons=list(refused.reasons) if refused else [],
        policies=list(refused.policies) if refused else [],
    )
    # The API speaks English only, whatever a page is in; a browser is answered with a page.
    headers = {"Content-Language": "en", **VARY}
    return JSONResponse(problem.model_dump(), status_code=status, media_type=PROBLEM, headers=headers)


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HutongError)
    if isinstance(error, Unavailable) and error.because:
        _logger.warning("%s %s", error.what, error.because)
    refused = error if isinstance(error, Refused) else None
    if wants_page(request):
        return error_page(request, error.status, error.what, error.do, error.code, refused=refused)
    response = problem_response(error.status, error.code, error.what, error.do, refused)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if wants_page(request):
        return _invalid_page(request, first["loc"])
    place = ".".join(str(part) for part in first["loc"])
    what, do = f"{place}: {first['msg']}.", "See the API's description at /api/docs for what is expected."
    if first["type"] == "json_invalid":
        what = f"The body is no JSON (character {int(first['loc'][-1]) + 1})."
    elif first["type"] == "string_type" and isinstance(first.get("input"), UploadFile):
        name = first["loc"][-1]
        what, do = (
            f"{place}: it was sent as a file; it is a text.",
            f"Send the file's text, with curl: -F '{name}=<FILE'.",
        )
    return problem_response(422, "bad-input", what, do)


def _invalid_page(request: Request, place: tuple[str | int, ...]) -> Response:
    """A person has no use for the schema: the page names what is wrong, and the way out."""
    if place[0] == "path":
        # An address that can't be one is that of nothing.
        what, do = "There is no such page here.", "Check the address, or search for the thing."
        return error_page(request, 404, what, do, NotFound.code)
    name = str(place[1])[:60] if len(place) > 1 else str(place[0])
    if place[0] == "query":
        what = f"The address of this page gives {name!r} a value that it can't have."
        do = "Take that part out of the address, or begin again from the home page."
        return error_page(request, 422, what, do, BadInput.code)
    what = f"The field {name!r} of the form is missing, or has a value that it can't have."
    return error_page(request, 422, what, "Go back to the form, fill it in and send it again.", BadInput.code)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and in_browser(request) and (found := page_below_language(request)):
        return found
    what = _MEANINGS.get(error.status_code, str(error.detail)) + "."
    if wants_page(request):
        return error_page(request, error.status_code, what, "Start again from the home page.", "http")
    response = problem_response(error.status_code, "http", what, "See /api/docs for what is here.")
    response.headers.update(error.headers or {})
    return response


async def _answer_defect(request: Request, error: Exception) -> Response:  # noqa: ARG001 (Starlette's signature)
    what = "Something went wrong on this node; it is a defect of the program."
    do = "Try again; if it stays, tell the people who run this node."
    if wants_page(request):
        return error_page(request, 500, what, do, "defect")
    return problem_response(500, "defect", what, do)


def wants_page(request: Request) -> bool:
    """Whether a person in a browser asks: for what is below a language, or for an address that is not, as HTML."""
    return request.url.path.split("/", 2)[1] in LANGUAGES or in_browser(request)


def error_page(
    request: Request, status: int, what: str, do: str, code: str, *, refused: Refused | None = None
) -> HTMLResponse:
    """An error as a page."""
    from hutong.web.portal.page import error_text

    text = error_text(request, status=status, code=code, what=what, do=do, refused=refused)
    return HTMLResponse(text, status_code=status, headers=VARY)
