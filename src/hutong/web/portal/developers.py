"""Pages: the reference of the API, made from the application's own OpenAPI description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from hutong.errors import NotFound
from hutong.node import Node
from hutong.web.doors import CurrentNode
from hutong.web.i18n import N_, Language
from hutong.web.portal.page import PageLanguage, page, words_of

router = APIRouter()

METHODS = ("get", "put", "post", "patch", "delete")
TAGS = {
    "catalogue": N_("Catalogue"),
    "opening": N_("Opening: data sets, versions, rows"),
    "ckan": N_("CKAN Action API"),
    "acquisition": N_("Acquisition: sources, receipts, quality"),
    "sharing": N_("Sharing: requests, agreements, deliveries"),
    "passes": N_("Passes"),
    "health code": N_("Health code: the operations of GB/T 38963"),
    "appeals": N_("Appeals"),
    "exposure": N_("Exposure notification"),
    "governance": N_("Governance: emergencies, parties"),
    "insight": N_("Insight: risk areas"),
    "rights": N_("Rights of residents"),
    "log": N_("Transparency log"),
    "account": N_("Account: own tokens"),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    place: str
    required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it is shown; ``needs`` are the kinds of caller that its error answers tell of."""

    method: str
    path: str
    title: str
    summary: str
    parameters: tuple[Parameter, ...]
    body: str
    answers: tuple[tuple[str, str], ...]
    is_public: bool
    example: str

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.method}{self.path}".lower()).strip("-")


@router.get("/{language}/developers", response_class=HTMLResponse)
def developers(request: Request, node: CurrentNode, language: PageLanguage) -> HTMLResponse:
    """Every operation in one line."""
    return _page(request, node, language, chosen=None)


@router.get("/{language}/developers/{tag}", response_class=HTMLResponse)
def part(
    request: Request, node: CurrentNode, language: PageLanguage, tag: Annotated[str, Path(max_length=40)]
) -> HTMLResponse:
    """The operations of one part with parameters, examples and answers."""
    return _page(request, node, language, chosen=tag)


def _page(request: Request, node: Node, language: Language, *, chosen: str | None) -> HTMLResponse:
    words = words_of(language)
    groups = operations(request.app.openapi(), node)
    if chosen is not None and chosen not in groups:
        raise NotFound("The API has no such part.", "See its parts on the page for developers.")
    ordered = [tag for tag in TAGS if tag in groups] + sorted(set(groups) - set(TAGS))
    labels = {tag: words.gettext(TAGS[tag]) if tag in TAGS else tag for tag in ordered}
    return page(
        request,
        language,
        "developers.html",
        api=node.settings.url,
        chosen=chosen,
        labels=labels,
        groups=[(tag, labels[tag], groups[tag]) for tag in ordered],
        total=sum(len(found) for found in groups.values()),
    )


def operations(document: Mapping[str, Any], node: Node) -> dict[str, list[Operation]]:
    """The operations of an OpenAPI 3.1 document by their first tag, in its order."""
    found: dict[str, list[Operation]] = {}
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                tag = next(iter(item[method].get("tags", ())), "other")
                found.setdefault(tag, []).append(_operation(method, path, item[method], document, node))
    return found


def _operation(method: str, path: str, given: Mapping[str, Any], document: Mapping[str, Any], node: Node) -> Operation:
    answers = tuple((status, answer.get("description", "")) for status, answer in given.get("responses", {}).items())
    parameters = tuple(
        Parameter(known["name"], known["in"], bool(known.get("required")), _text(known))
        for known in given.get("parameters", ())
        if known["in"] in ("path", "query")
    )
    body = _body(given, document)
    summary = str(given.get("description") or given.get("summary", ""))
    is_public = "401" not in dict(answers)
    return Operation(
        method=method.upper(),
        path=path,
        title=re.split(r"[.:;]\s|\.$", summary, maxsplit=1)[0],
        summary=summary,
        parameters=parameters,
        body=body,
        answers=answers,
        is_public=is_public,
        example=_example(method, path, parameters, body, is_public=is_public, url=node.settings.url),
    )


def _text(parameter: Mapping[str, Any]) -> str:
    return str(parameter.get("description") or parameter.get("schema", {}).get("description") or "")


def _body(given: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """An example of the JSON that the operation takes: each required member with its kind. Empty when it takes none."""
    content = given.get("requestBody", {}).get("content", {})
    if not content:
        return ""
    media_type, entry = next(iter(content.items()))
    if media_type != "application/json":
        return str(media_type)
    schema = _resolved(entry.get("schema", {}), document)
    members = {
        name: _sample(_resolved(member, document), document, depth=0)
        for name, member in schema.get("properties", {}).items()
        if name in schema.get("required", ())
    }
    return orjson.dumps(members).decode()


def _sample(schema: Mapping[str, Any], document: Mapping[str, Any], *, depth: int) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "array":
        return [] if depth > 1 else [_sample(_resolved(schema.get("items", {}), document), document, depth=depth + 1)]
    if kind == "object":
        return {}
    return {"integer": 1, "number": 1.0, "boolean": True}.get(str(kind), "…")


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/components/schemas/"):
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _example(method: str, path: str, parameters: tuple[Parameter, ...], body: str, *, is_public: bool, url: str) -> str:
    """A curl call; what stands in braces is to be filled in."""
    needed = [p.name for p in parameters if p.place == "query" and p.required]
    query = "?" + "&".join(f"{name}={{{name}}}" for name in needed) if needed else ""
    parts = [f"curl -sS{'' if method == 'get' else f' -X {method.upper()}'} '{url}{path}{query}'"]
    if not is_public:
        parts.append('-H "Authorization: Bearer $HUTONG_TOKEN"')
    if body.startswith("{"):
        quoted = body.replace("'", "'\\''")
        parts.append(f"-H 'Content-Type: application/json' -d '{quoted}'")
    elif body:
        parts.append(f"-H 'Content-Type: {body}' --data-binary @FILE")
    return " \\\n  ".join(parts)
