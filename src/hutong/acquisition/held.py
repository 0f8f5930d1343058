"""Held rows: what they hold until a person decides about them, and the decision. Pure.

A held row is kept as the fact that it would be, sealed under the vault's key (grade 4), because it may name a person
and nobody has said yet that it may be used. A decision ends that: *released*, the rows become facts like those that
were accepted at once; *discarded*, they are turned down for good. Either way the sealed content is gone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from hutong.errors import BadInput, LimitExceeded, Refused
from hutong.trust.signing import canonical_json

if TYPE_CHECKING:
    import pyarrow as pa

    from hutong.acquisition.boundary import Boundary
    from hutong.standard import Standard

Outcome = Literal["released", "discarded"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("released", "discarded")
MOST_CHOSEN_ROWS: Final = 1000
LONGEST_REASON: Final = 2000
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)
_DASH = re.compile(r" ?[-–] ?")
_BETWEEN = re.compile(r"[\s,，、;]+")


@dataclass(frozen=True, slots=True)
class HeldDecision:
    """What somebody decided about rows of one receipt that one rule held.

    ``all_of_rule``: about all that waited, not about chosen row numbers. ``repeated`` marks the answer to a decision
    that was made before: nothing was changed.
    """

    id: str
    receipt: str
    rule: str
    outcome: Outcome
    rows: int
    all_of_rule: bool
    reason: str
    by: str
    decided_at: datetime
    salt: str
    repeated: bool = False

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "decided_at": self.decided_at.isoformat()}

    @property
    def commitment(self) -> str:
        """What the log keeps of it: SHA-256 over its JSON with the reason and a salt, so that nobody can guess it."""
        return hashlib.sha256(canonical_json(replace(self, repeated=False).document())).hexdigest()

    def same_as(self, outcome: Outcome, reason: str, *, all_of_rule: bool) -> bool:
        """Whether this is what somebody now asks for once more."""
        return (self.outcome, self.reason, self.all_of_rule) == (outcome, reason, all_of_rule)


def read_decision(document: Mapping[str, Any]) -> HeldDecision:
    """A decision from its JSON form in the records."""
    return HeldDecision(**{**document, "decided_at": datetime.fromisoformat(document["decided_at"])})


@dataclass(frozen=True, slots=True)
class HeldRule:
    """How the rows stand that one rule held in one receipt. ``reason`` is an example of what the rule said."""

    receipt: str
    rule: str
    reason: str
    waiting: int
    released: int
    discarded: int


def checked_reason(text: str) -> str:
    """The reason without space around it; ``BadInput`` when there is none or it is longer than 2000 characters."""
    reason = text.strip()
    if not reason:
        raise BadInput("The decision has no reason.", "Say in a sentence why; name no person.")
    if len(reason) > LONGEST_REASON:
        raise BadInput(f"The reason is longer than {LONGEST_REASON} characters.", "Say it shorter.")
    return reason


def checked_rows(rows: Collection[int]) -> frozenset[int]:
    """Chosen row numbers; ``BadInput`` for none, ``LimitExceeded`` for more than a thousand."""
    chosen = frozenset(rows)
    if not chosen:
        raise BadInput("No row was chosen.", "Give row numbers, or leave them out to decide about all that wait.")
    if len(chosen) > MOST_CHOSEN_ROWS:
        raise LimitExceeded(
            f"More than {MOST_CHOSEN_ROWS} rows were chosen.", "Decide about all of the rule, or in several parts."
        )
    return chosen


def parse_rows(text: str) -> frozenset[int] | None:
    """Row numbers as a person writes them: ``5, 7, 10-12``; None for blank text, which means all."""
    parts = [part for part in _BETWEEN.split(_DASH.sub("-", " ".join(text.split()))) if part]
    if not parts:
        return None
    found: set[int] = set()
    for part in parts:
        given = _RANGE.fullmatch(part)
        if given is None:
            raise BadInput(f"{part[:40]!r} is no row number.", "Write row numbers such as 5, 7, 10-12.")
        first, last = int(given[1]), int(given[2] or given[1])
        if last < first:
            raise BadInput(f"{part[:40]!r} runs backwards.", "Write row numbers such as 5, 7, 10-12.")
        if last - first >= MOST_CHOSEN_ROWS:
            return checked_rows(range(MOST_CHOSEN_ROWS + 1))
        found.update(range(first, last + 1))
    return checked_rows(found)


def packed(facts: pa.Table, identifiers: pa.Table | None) -> Iterator[bytes]:
    """The content of each held row as JSON: its fact, and the direct identifiers that go with it.

    Args:
        facts: rows as they would be accepted.
        identifiers: of the same rows in the same order, as ``MappedChunk.identifiers``; None where there are none.
    """
    if not facts.num_rows:
        return
    people = identifiers.to_pylist() if identifiers is not None else [None] * facts.num_rows
    filled = [name for name in facts.column_names if facts.column(name).null_count < facts.num_rows]
    for fact, person in zip(facts.select(filled).to_pylist(), people, strict=True):
        yield orjson.dumps({"fact": _filled(fact), "person": _filled(person or {})})


def facts_of(contents: Sequence[Mapping[str, Any]], table: str, standard: Standard) -> pa.Table:
    """The facts of held rows as a table, as mapping them would give it: the standard's columns and the lineage."""
    import pyarrow as pa

    from hutong.standard import Sensitivity, arrow_schema

    noun = standard.table(table)
    hidden = {element.name for element in noun.with_sensitivity(Sensitivity.IDENTIFIER)}
    fields = [field.with_nullable(True) for field in arrow_schema(noun, standard.lineage) if field.name not in hidden]
    rows = [content["fact"] for content in contents]
    return pa.table(
        [pa.array([_read(row.get(field.name), field.type) for row in rows], field.type) for field in fields],
        schema=pa.schema(fields),
    )


def people_of(contents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Whom held rows tell of, with their direct identifiers: for the vault only."""
    return [dict(content["person"]) for content in contents if content["person"].get("pseudonym")]


def require_within(facts: pa.Table, boundary: Boundary, table: str, standard: Standard) -> None:
    """``Refused`` when the boundary in force no longer allows an element of which the rows have values."""
    elements = [element.name for element in standard.table(table).elements if element.name in facts.column_names]
    filled = [name for name in elements if facts.column(name).null_count < facts.num_rows]
    outside = sorted(set(filled) - boundary.tables[table])
    if outside:
        raise Refused(
            f"The boundary {boundary.id} does not allow {', '.join(outside)}, which the held rows have.",
            "Discard them, or ask the authority for a wider boundary.",
            tuple(f"boundary:{boundary.id}:{name}" for name in outside),
        )


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _read(value: Any, arrow_type: pa.DataType) -> Any:
    import pyarrow as pa

    if value is None or not isinstance(value, str):
        return value
    if pa.types.is_date(arrow_type):
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if pa.types.is_timestamp(arrow_type) else value
