"""The crosswalks and the acceptance rules that this node published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from hutong.node import Node
from hutong.storage import schema

from .crosswalk import Crosswalk, read_crosswalk
from .recognition import AcceptanceRules, read_acceptance

CROSSWALK, SCENES = "crosswalk", "scenes"


def crosswalks(node: Node) -> list[Crosswalk]:
    """The newest version of each crosswalk of this node's levels."""
    return [walk for body in newest_documents(node, CROSSWALK) if (walk := read_crosswalk(body)) is not None]


def acceptance(node: Node) -> AcceptanceRules | None:
    """The acceptance rules that this node published last; None before there are any."""
    found = newest_documents(node, SCENES)
    return read_acceptance(found[-1]) if found else None


def newest_documents(node: Node, kind: str) -> list[Mapping[str, Any]]:
    """The newest version of each document of a kind, the one published last at the end."""
    newest: dict[str, Mapping[str, Any]] = {}
    for body in published_documents(node, kind):
        newest.pop(body["id"], None)
        newest[body["id"]] = body
    return list(newest.values())


def published_documents(node: Node, kind: str) -> list[Mapping[str, Any]]:
    """All that was published of a kind, the oldest first."""
    table = schema.recognition_document
    query = sa.select(table.c.body).where(table.c.kind == kind).order_by(table.c.published_at)
    with node.records.reading() as connection:
        return list(connection.execute(query).scalars())
