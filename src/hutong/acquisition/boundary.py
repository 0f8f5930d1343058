"""The collection boundary: what may be collected, for which purpose, under which emergency, until when.

What lies outside is refused before it is stored: the column is dropped whole and its values are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from hutong.errors import BadInput, Refused
from hutong.standard.element import Table


@dataclass(frozen=True, slots=True)
class Boundary:
    """One boundary. ``tables`` maps a table of the standard to its allowed elements; the last valid day
    counts."""

    id: str
    emergency: str
    purpose: str
    tables: Mapping[str, frozenset[str]]
    valid_until: date

    def __post_init__(self) -> None:
        for field in ("id", "emergency", "purpose"):
            if not getattr(self, field).strip():
                raise BadInput(f"A boundary needs its {field}.", f"Say the {field} for which data are collected.")
        if not any(self.tables.values()):
            raise BadInput(f"The boundary {self.id} allows no element.", "Name the tables and their elements.")
        frozen = {table: frozenset(elements) for table, elements in self.tables.items()}
        object.__setattr__(self, "tables", MappingProxyType(frozen))

    def outlives(self, sunset: date) -> bool:
        """Whether it would hold on the day on which its emergency is over."""
        return self.valid_until >= sunset

    def require_usable(self, table: Table) -> None:
        """Refuse a table of which no row could be taken in. Raises BadInput, which names what is left out."""
        allowed = self.tables.get(table.name, frozenset())
        kept_out = [one.name for one in table.elements if one.necessary and one.name not in allowed]
        if allowed and kept_out:
            raise BadInput(
                f"The boundary {self.id} keeps out {', '.join(kept_out)}, without which no row of "
                f"{table.name} is complete.",
                "Allow them too, or leave this table out.",
            )

    def decide(self, table: str, elements: Iterable[str], *, on: date) -> BoundaryDecision:
        """Divide elements into allowed and refused ones. Raises Refused after the end, or for a table
        outside."""
        if on > self.valid_until:
            raise Refused(
                f"The boundary {self.id} ended on {self.valid_until.isoformat()}.",
                "Nothing may be collected under it; the authority can declare a new one.",
                policies=(f"boundary:{self.id}:ended",),
            )
        if table not in self.tables:
            raise Refused(
                f"The boundary {self.id} does not allow the table {table}.",
                f"It allows: {', '.join(sorted(self.tables))}.",
                policies=(f"boundary:{self.id}:table:{table}",),
            )
        asked = tuple(elements)
        allowed = tuple(e for e in asked if e in self.tables[table])
        return BoundaryDecision(self.id, allowed, tuple(e for e in asked if e not in self.tables[table]))


@dataclass(frozen=True, slots=True)
class BoundaryDecision:
    """What a boundary says about the elements of one table, in the order in which they were asked."""

    boundary: str
    allowed: tuple[str, ...]
    refused: tuple[str, ...]
