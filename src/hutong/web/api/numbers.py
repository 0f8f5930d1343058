"""Whole numbers that callers give in JSON: as numbers, and nothing else that a parser might take for one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator


def _written(given: Any) -> Any:
    """Pydantic would count ``true`` as 1 and ``"7"`` as 7, which no description of the API says."""
    if isinstance(given, bool | str | bytes):
        raise ValueError("write it as a whole number")
    return given


WHOLE = BeforeValidator(_written)
"""For fields of bodies; what stands in an address is text. It stands behind the limits: else nobody is told of them."""

Whole = Annotated[int, WHOLE]
"""The same for a field without limits, or with a default."""
