"""The API takes no parameter that an operation does not have: ignored, it would be the answer to another question."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from hutong.errors import BadInput
from hutong.web.doors import is_strict


def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of the API's routes. ``BadInput`` names the first parameter of the query that is not described."""
    route = request.scope.get("route")
    if not is_strict(request.url.path) or not isinstance(route, APIRoute):
        return
    known = list(_names(route.dependant)) if request.query_params else []
    for name in request.query_params:
        if name not in known:
            raise BadInput(
                f"{name[:60]!r} is no parameter of this operation.",
                f"Use one of: {', '.join(known)}." if known else "Leave it out: this operation has none in its query.",
            )


def _names(dependant: Dependant) -> Iterator[str]:
    """The names in the query, those of a model one by one, and of what the operation depends on."""
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (told.alias or name for name, told in model.model_fields.items())
        else:
            yield field.alias
    for other in dependant.dependencies:
        yield from _names(other)
