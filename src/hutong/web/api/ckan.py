"""CKAN's Action API v3, its reading actions, below ``/api/3/action/`` and, without a version, ``/api/action/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hutong.node import Node
from hutong.opening.catalogue import ckan
from hutong.sharing import catalogue as shown
from hutong.web.doors import CurrentNode, problems

router = APIRouter(tags=["catalogue"])

MAX_BODY_BYTES = 64 * 1024
ENVELOPE = {
    "type": "object",
    "required": ["help", "success"],
    "properties": {
        "help": {"type": "string"},
        "success": {"type": "boolean"},
        "result": {},
        "error": {
            "type": "object",
            "required": ["__type", "message"],
            "properties": {"__type": {"type": "string"}, "message": {"type": "string"}},
        },
    },
}
MEANINGS = {
    200: "success is true, with the result",
    400: "The action, or the body, is not understood",
    403: "Not allowed",
    404: "There is no such thing",
    409: "The parameters can't be used",
    503: "The index did not serve",
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "content": {"application/json": {"schema": ENVELOPE}}}
    for status, meaning in MEANINGS.items()
}
# A form that is none is refused before CKAN's part begins.
ANSWERS[400]["content"].update(problems(400)[400]["content"])
Action = Annotated[str, Path(examples=["package_search"])]


@router.get("/api/3/action/{action}", response_class=JSONResponse, responses=ANSWERS)
@router.get("/api/action/{action}", response_class=JSONResponse, include_in_schema=False)
def get_action(node: CurrentNode, request: Request, action: Action) -> JSONResponse:
    """One of CKAN's reading actions; parameters in the query."""
    return _answer(node, action, _query(request))


@router.post(
    "/api/3/action/{action}",
    response_class=JSONResponse,
    responses=ANSWERS,
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
@router.post("/api/action/{action}", response_class=JSONResponse, include_in_schema=False)
async def post_action(node: CurrentNode, request: Request, action: Action) -> JSONResponse:
    """One of CKAN's reading actions; parameters as JSON or as a form."""
    given = await _body(request)
    if given is None:
        told = {"__type": "Bad Request", "message": "The body is not a JSON object."}
        return JSONResponse({"help": "", "success": False, "error": told}, status_code=400)
    return await run_in_threadpool(_answer, node, action, {**_query(request), **given})


def _query(request: Request) -> dict[str, object]:
    return dict(request.query_params)


async def _body(request: Request) -> Mapping[str, object] | None:
    """The parameters in the body; None when it is neither a form nor a JSON object.

    CKAN's clients send JSON under any media type, and forms under theirs.
    """
    if request.headers.get("content-type", "").partition(";")[0] == "multipart/form-data":
        async with request.form(max_files=0, max_fields=100) as form:
            return {name: value for name, value in form.items() if isinstance(value, str)}
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        return None
    if not body.strip():
        return {}
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _form_of(body)
    return given if isinstance(given, dict) else None


def _form_of(body: bytes) -> Mapping[str, object] | None:
    from urllib.parse import parse_qsl

    try:
        return dict(parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=100))
    except ValueError:
        return None


def _answer(node: Node, action: str, parameters: Mapping[str, object]) -> JSONResponse:
    status, envelope = ckan.answer(action, parameters, shown.catalogue(node), shown.index(node).search)
    return JSONResponse(envelope, status_code=status)
