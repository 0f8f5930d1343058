"""Declarative mappings: how the columns of one source become the elements of one table of the standard.

:mod:`.mapping_file` reads them from YAML; this module holds the nouns and the rules that a mapping must meet
before a single row is read: every element exists and is given once, every necessary one is given, every
column exists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Literal

from hutong.acquisition.conditions import Condition
from hutong.acquisition.readers.table import TableFormat
from hutong.acquisition.values import Origin
from hutong.errors import BadInput
from hutong.standard import Element, Table

Outcome = Literal["held", "rejected", "null"]
MOST_NAMED = 5
"""Columns that an error names."""
MOST_CHARACTERS = 80
"""Of a column that are compared, and shown."""
ALIKE = 0.7
"""From here on two names are taken for one with a slip in it; 1 is equal."""
SHORTEST_PART = {True: 3, False: 2}
"""Letters of a name that is looked for within another, at least, by whether it is ASCII: two Han characters do."""


@dataclass(frozen=True, slots=True)
class ElementRule:
    """How one element gets its value, and what happens to a row whose text has none (``null``: counted,
    emptied)."""

    element: Element
    origin: Origin
    on_invalid: Outcome = "held"


@dataclass(frozen=True, slots=True)
class RowRule:
    """A condition that each row must meet (where ``when`` holds); else the row is held, rejected or only
    counted."""

    id: str
    require: Condition
    reason: str
    outcome: Literal["held", "rejected", "finding"]
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two source columns that say the same thing; where they differ after ``replace`` the row counts as a
    finding."""

    id: str
    columns: tuple[str, str]
    replace: AnyMapping[str, str]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of areas taken from the distinct values of a source. ``centre``: longitude and latitude
    column."""

    name: str
    rules: tuple[ElementRule, ...]
    centre: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping file. Either ``rules`` (a row becomes a row) or ``levels`` (areas from distinct values) is
    filled."""

    id: str
    version: int
    table: Table
    format: TableFormat
    rules: tuple[ElementRule, ...]
    row_rules: tuple[RowRule, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    ignored: AnyMapping[str, str] = field(default_factory=dict)
    true_from: str | None = None
    levels: tuple[Level, ...] = ()

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements that it fills, in the order of the file."""
        if not self.levels:
            return tuple(rule.element.name for rule in self.rules)
        names = [rule.element.name for level in self.levels for rule in level.rules]
        centre = ["longitude", "latitude"] if any(level.centre for level in self.levels) else []
        return tuple(dict.fromkeys([*names, "level", *centre]))

    @property
    def columns(self) -> tuple[str, ...]:
        """The source columns that it reads into elements."""
        rules = [rule for level in self.levels for rule in level.rules] or list(self.rules)
        centres = [column for level in self.levels for column in level.centre or ()]
        return tuple(dict.fromkeys([c for rule in rules for c in rule.origin.columns] + centres))

    def outside(self, source_columns: tuple[str, ...]) -> tuple[str, ...]:
        """Columns of the source that it neither reads nor ignores with a reason."""
        read = {*self.columns, *(c for a in self.agreements for c in a.columns)}
        return tuple(c for c in source_columns if c not in read and c not in self.ignored)

    def check_columns(self, source_columns: tuple[str, ...]) -> None:
        """Raises BadInput when the source lacks a column that the mapping names.

        Suggests the column that it is now, or names the columns that nothing reads: one of them may be it.
        """
        wanted = [*self.columns, *(c for a in self.agreements for c in a.columns), *self.ignored]
        missing = [c for c in dict.fromkeys(wanted) if c not in source_columns]
        if not missing:
            return
        unread = self.outside(source_columns)
        near = {column: _nearest(column, unread) for column in missing[:MOST_NAMED]}
        parts = [f"{column!r}" + (f" (is it {other!r} now?)" if other else "") for column, other in near.items()]
        what = f"The source has no column {', '.join(parts)}, which the mapping {self.id} names."
        if all(near.values()) or not unread:
            raise BadInput(what, "Correct the mapping, or ask the sender why the column changed.")
        named = ", ".join(repr(column[:MOST_CHARACTERS]) for column in unread[:MOST_NAMED])
        more = ", …" if unread[MOST_NAMED:] else ""
        raise BadInput(
            what,
            f"Correct the mapping, or ask the sender why the column changed. The mapping does not read: {named}{more}.",
        )

    def check_necessary(self) -> None:
        """Raises BadInput when a necessary element gets no value from the mapping."""
        if self.levels:
            return
        given = set(self.elements)
        missing = [e.name for e in self.table.elements if e.necessary and e.name not in given]
        if missing:
            raise BadInput(
                f"The mapping {self.id} gives no value for {', '.join(missing)}, which {self.table.name} needs.",
                "Map a column to it, or give a constant.",
            )


def _nearest(column: str, others: tuple[str, ...]) -> str | None:
    """The column that another one is now, most likely; None where none is like it.

    Capitals, spaces, hyphens and underlines do not count. The same name comes first, then one that begins with the
    other, then one that is part of the other, then one with a slip in it; among equals the one nearest in length.
    """
    wanted = _bare(column)

    def closeness(other: str) -> tuple[int, float]:
        name = _bare(other)
        short, long = sorted((wanted, name), key=len)
        if name == wanted:
            return 3, 0.0
        if short in long and len(short) >= SHORTEST_PART[short.isascii()]:
            return (2 if long.startswith(short) else 1), -float(len(long) - len(short))
        return 0, difflib.SequenceMatcher(None, wanted, name).ratio()

    best = max(others, key=closeness, default=None)
    return None if best is None or (0, 0.0) <= closeness(best) < (0, ALIKE) else best


def _bare(column: str) -> str:
    return re.sub(r"[\s_-]", "", column[:MOST_CHARACTERS].casefold())
