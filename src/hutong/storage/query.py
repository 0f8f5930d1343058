"""Queries: expressions that an engine may keep translated."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Query:
    """An expression that is run many times over changing tables of unchanging columns.

    To build and translate an expression over many tables takes Python longer than an engine needs to run it for a few
    people, so that an engine may keep the translation.

    Attributes:
        key: what the expression depends on beside the names and columns of its tables.
        tables: the lake tables that it reads.
        build: the expression, from its tables by name; it must not keep or read anything else that changes.
    """

    key: tuple[Hashable, ...]
    tables: tuple[str, ...]
    build: Callable[[Mapping[str, Any]], Any] = field(compare=False, repr=False)
