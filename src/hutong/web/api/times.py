"""Days and instants that callers give: as RFC 3339 writes them, and nothing else that a parser might take for one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _written(form: re.Pattern[str], example: str) -> Callable[[Any], Any]:
    """Pydantic would count ``0`` as seconds since 1970, which no description of the API says."""

    def check(given: Any) -> Any:
        is_number = isinstance(given, int | float)
        if is_number or (isinstance(given, str) and form.fullmatch(given) is None):
            raise ValueError(f"write it as {example}")
        return given

    return check


Day = Annotated[date, BeforeValidator(_written(_DAY, "2026-01-31"))]
Moment = Annotated[AwareDatetime, BeforeValidator(_written(_MOMENT, "2026-01-31T12:00:00Z"))]
