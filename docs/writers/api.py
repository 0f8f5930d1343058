"""The page of the API: its operations by tag, from the OpenAPI description of a node that is made for the purpose."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from docs.writers.markdown import first_sentence, page, table


def describe() -> dict[str, Any]:
    """The OpenAPI description of a new node."""
    from hutong.node import init_node
    from hutong.web.app import create_app

    with tempfile.TemporaryDirectory(prefix="hutong-docs-") as folder:
        node = init_node(
            Path(folder) / "node",
            node_id="example",
            name={"en": "Example", "zh": "示例"},
            territory="PE",
            url="https://node.example",
        )
        try:
            return create_app(node).openapi()
        finally:
            node.close()


def write() -> str:
    """The page."""
    described = describe()
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append((method.upper(), path, operation))
    sections = []
    for tag in sorted(by_tag):
        rows = [
            (
                f"`{method} {path}`",
                first_sentence(operation.get("description") or operation.get("summary")),
                _in(operation),
                _out(operation),
            )
            for method, path, operation in by_tag[tag]
        ]
        sections.append(f"## {tag.capitalize()}\n\n" + table(("Operation", "What it does", "Takes", "Answers"), rows))
    count = sum(len(operations) for operations in by_tag.values())
    summary = f"{count} operations. OpenAPI {described['openapi']}: `GET /api/openapi.json` on every node."
    return page("API", "the OpenAPI description of a node", _INTRODUCTION, summary, *sections)


_INTRODUCTION = """
Send `Authorization: Bearer TOKEN`: a token of an account (`hutong account token NAME`), or between nodes a signed
assertion of one minute's life. A browser's session does not count here, so that no other site can make a browser call
the API in somebody's name. Errors are problem details (RFC 9457), see [errors](errors.md). A parameter that
an operation does not have is refused (422). Lists come in pages: the answer's `next_after` is the next page's `after`.
"""


def _in(operation: dict[str, Any]) -> str:
    given = [
        f"`{parameter['name']}`" + ("" if parameter.get("required") else "?")
        for parameter in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {})
    given += [f"body {_schema(content.get('schema', {}))} ({media})" for media, content in body.items()]
    return ", ".join(given)


def _out(operation: dict[str, Any]) -> str:
    answers = []
    for status, answer in operation["responses"].items():
        names = [_schema(content.get("schema", {})) for content in answer.get("content", {}).values()]
        name = next((name for name in names if name and name != "Problem"), "")
        answers.append(status + (f" {name}" if name else ""))
    return ", ".join(answers)


def _schema(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_schema(schema.get('items', {})) or 'values'}"
    return str(schema.get("title", ""))
