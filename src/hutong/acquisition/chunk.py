"""One chunk of a source through mapping, boundary and validation: raw columns in, facts and answers out.
Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hutong.acquisition import weeks
from hutong.acquisition.boundary import Boundary, BoundaryDecision
from hutong.acquisition.columns import Columns, spread
from hutong.acquisition.held import packed
from hutong.acquisition.mapping import ElementRule, Mapping
from hutong.acquisition.readers.table import TableChunk
from hutong.acquisition.validation import (
    Finding,
    Item,
    Verdicts,
    apply_row_rule,
    missing_necessary,
    out_of_time,
)
from hutong.acquisition.values import Value, value_of
from hutong.errors import BadInput, Refused
from hutong.standard import Sensitivity, Standard, arrow_schema

Pseudonymise = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Submission:
    """What all chunks of one submitted file share. ``known_at`` is in UTC; ``sha256`` is that of the file."""

    source_id: str
    receipt_id: str
    sha256: str
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """A mapping that was checked against a source's columns and a boundary; see :func:`plan_mapping`."""

    mapping: Mapping
    standard: Standard
    decision: BoundaryDecision
    outside: tuple[str, ...]
    pseudonymise: Pseudonymise | None = None


@dataclass(frozen=True, slots=True)
class MappedChunk:
    """The answer to one chunk.

    ``accepted``: the table's elements that are no direct identifiers, then the lineage, in the standard's
    Arrow types. ``identifiers``: for the vault only, with fact_id, pseudonym (where there is one) and the
    direct identifiers given; None where the mapping gives none. ``refused``: values per element that the
    boundary kept out.
    """

    accepted: pa.Table
    identifiers: pa.Table | None
    held: list[Item]
    rejected: list[Item]
    findings: Counter[Finding]
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Rows of the source that were answered: each is accepted, held or rejected."""
        return int(self.accepted.num_rows) + len(self.held) + len(self.rejected)


def plan_mapping(
    mapping: Mapping,
    source_columns: tuple[str, ...],
    boundary: Boundary,
    standard: Standard,
    *,
    known_at: datetime,
    pseudonymise: Pseudonymise | None = None,
) -> Plan:
    """Check a mapping against the source and the boundary, before any row is read.

    ``pseudonymise`` turns the texts of a ``vault`` column into pseudonyms, one for one. Raises BadInput (a
    column is absent, a vault is needed), Refused (the boundary ended, or keeps out what a row can't be
    without).
    """
    mapping.check_columns(source_columns)
    decision = boundary.decide(mapping.table.name, mapping.elements, on=known_at.date())
    kept_out = [name for name in decision.refused if mapping.table.element(name).necessary]
    if kept_out:
        raise Refused(
            f"The boundary {boundary.id} keeps out {', '.join(kept_out)}, without which no row of "
            f"{mapping.table.name} is complete.",
            "Ask the authority for a wider boundary, or don't collect this table.",
            policies=tuple(f"boundary:{boundary.id}:{name}" for name in kept_out),
        )
    if pseudonymise is None and any(rule.origin.vault for rule in mapping.rules):
        raise BadInput(f"The mapping {mapping.id} needs a vault for its pseudonyms.", "Open the node's vault first.")
    return Plan(mapping, standard, decision, mapping.outside(source_columns), pseudonymise)


def map_chunk(chunk: TableChunk, plan: Plan, submission: Submission) -> MappedChunk:
    """Map, bound and validate one chunk. Every row is answered once; nothing of it is kept between calls."""
    columns, mapping = Columns(chunk.data), plan.mapping
    verdicts = Verdicts(columns.num_rows)
    types = {field.name: field.type for field in arrow_schema(mapping.table)}
    values: dict[str, Any] = {}
    refused: Counter[str] = Counter()
    for rule in mapping.rules:
        if rule.element.name in plan.decision.refused:
            refused[rule.element.name] += _count_present(columns, rule)
        else:
            values[rule.element.name] = element_values(
                columns, rule, types[rule.element.name], verdicts, plan.pseudonymise
            )
    for rule in mapping.rules:
        if rule.element.name in values:
            missing_necessary(rule.element, values[rule.element.name], verdicts)
            out_of_time(rule.element, values[rule.element.name], submission.known_at, verdicts)
    values |= _lineage(chunk, mapping, values, submission)
    for row_rule in mapping.row_rules:
        apply_row_rule(row_rule, values, verdicts)
    note_disagreements(columns, mapping, verdicts.findings)
    note_outside(columns, plan.outside, verdicts.findings)
    facts, held_rows = _facts(plan, values, columns.num_rows), pa.array(verdicts.held)
    contents = packed(facts.filter(held_rows), _identifiers(plan, values, held_rows))
    held, rejected = _items(chunk, columns, plan, verdicts, contents)
    for row in chunk.malformed:
        verdicts.findings[Finding(row.rule, "row")] += 1
        rejected.append(Item(row.row_number, "rejected", row.rule, "", row.reason))
    rejected.sort(key=lambda item: item.row_number)
    accepted = pa.array(verdicts.accepted)
    return MappedChunk(
        facts.filter(accepted),
        _identifiers(plan, values, accepted),
        held,
        rejected,
        verdicts.findings,
        refused,
    )


def element_values(
    columns: Columns,
    rule: ElementRule,
    arrow_type: Any,
    verdicts: Verdicts,
    pseudonymise: Pseudonymise | None = None,
) -> pa.Array:
    """The values of one element for all rows; marks rows whose text has no value, counts what was noticed."""
    element = rule.element
    tuples, indices = columns.distinct(rule.origin.columns)
    outcomes = _outcomes(rule, tuples, pseudonymise)
    if any(o.rule or o.notes for o in outcomes):
        counts = np.bincount(indices, minlength=len(outcomes))
        notes: Counter[Finding] = Counter()
        for at, outcome in enumerate(outcomes):
            for note, column in outcome.notes:
                notes[Finding(note, column)] += int(counts[at])
            if outcome.rule:
                notes[Finding(outcome.rule, " / ".join(rule.origin.columns))] += int(counts[at])
                action = "rejected" if element.necessary else rule.on_invalid
                reason = f"{element.name}: {outcome.reason}."
                verdicts.mark(np.flatnonzero(indices == at), action, outcome.rule, element.name, reason, counted=False)
        verdicts.note(notes)
    return spread([o.value for o in outcomes], indices, arrow_type)


def _outcomes(
    rule: ElementRule, tuples: list[tuple[str | None, ...]], pseudonymise: Pseudonymise | None
) -> list[Value]:
    if not rule.origin.vault:
        value = value_of(rule.origin, rule.element)
        return [value(cells) for cells in tuples]
    texts = ["\x1f".join((cell or "").strip() for cell in cells) for cells in tuples]
    known = [text for text in texts if text.replace("\x1f", "") and text not in rule.origin.nulls]
    names = dict(zip(known, pseudonymise(known), strict=True)) if pseudonymise else {}
    return [Value(names.get(text)) for text in texts]


def _count_present(columns: Columns, rule: ElementRule) -> int:
    tuples, indices = columns.distinct(rule.origin.columns)
    nulls = {"", *rule.origin.nulls}
    present = np.array([any((c or "").strip() not in nulls for c in cells) for cells in tuples], dtype=bool)
    return int(present[indices].sum()) if rule.origin.columns else columns.num_rows


def note_disagreements(columns: Columns, mapping: Mapping, findings: Counter[Finding]) -> None:
    """Count rows in which two columns that should say the same thing differ."""
    nulls = {"", *(n for rule in mapping.rules for n in rule.origin.nulls)}
    for agreement in mapping.agreements:
        tuples, indices = columns.distinct(agreement.columns)
        differs = np.array([_differ(cells, agreement.replace, nulls) for cells in tuples], dtype=bool)
        if count := int(differs[indices].sum()) if len(tuples) else 0:
            findings[Finding(agreement.id, " / ".join(agreement.columns))] += count


def _differ(cells: tuple[str | None, ...], replace: Any, nulls: set[str]) -> bool:
    texts = [(cell or "").strip() for cell in cells]
    if any(text in nulls for text in texts):
        return False
    for old, new in replace.items():
        texts = [text.replace(old, new) for text in texts]
    return texts[0] != texts[1]


def note_outside(columns: Columns, outside: tuple[str, ...], findings: Counter[Finding]) -> None:
    """Count the values of columns that the mapping neither reads nor ignores with a reason."""
    for column in outside:
        tuples, indices = columns.distinct((column,))
        present = np.array([bool((cells[0] or "").strip()) for cells in tuples], dtype=bool)
        findings[Finding("outside-mapping", column)] += int(present[indices].sum()) if len(tuples) else 0


def fact_ids(submission: Submission, table: str, row_numbers: pa.Array) -> list[str]:
    """16 bytes in hex, fixed by source, file, table and row: the same file given twice gives the same
    facts."""
    stem = hashlib.sha256("\x1f".join((submission.source_id, submission.sha256, table)).encode())
    ids = []
    for number in row_numbers.to_pylist():
        digest = stem.copy()
        digest.update(f"\x1f{number}".encode())
        ids.append(digest.hexdigest()[:32])
    return ids


def _lineage(chunk: TableChunk, mapping: Mapping, values: dict[str, Any], submission: Submission) -> dict[str, Any]:
    rows = chunk.data.num_rows
    true_from = pa.nulls(rows, pa.date32())
    if mapping.true_from and mapping.true_from in values:
        true_from = _first_days(mapping, values[mapping.true_from])
    return {
        "fact_id": pa.array(fact_ids(submission, mapping.table.name, chunk.row_numbers), pa.string()),
        "source_id": pa.repeat(pa.scalar(submission.source_id), rows),
        "receipt_id": pa.repeat(pa.scalar(submission.receipt_id), rows),
        "row_number": chunk.row_numbers,
        "true_from": true_from,
        "known_at": pa.repeat(pa.scalar(submission.known_at, pa.timestamp("us", tz="UTC")), rows),
    }


def _first_days(mapping: Mapping, array: pa.Array) -> pa.Array:
    """The first day of dates, date-times (in UTC) or weeks."""
    rule = next(rule for rule in mapping.rules if rule.element.name == mapping.true_from)
    if rule.element.type != "week":
        return array.cast(pa.date32(), safe=False)
    encoded = array.dictionary_encode()
    system = rule.origin.week_system or "iso"
    days = [weeks.first_day(*(weeks.parse_week(text) or (0, 0)), system) for text in encoded.dictionary.to_pylist()]
    return pa.array(days, pa.date32()).take(encoded.indices)


def _facts(plan: Plan, values: dict[str, Any], rows: int) -> pa.Table:
    schema = arrow_schema(plan.mapping.table, plan.standard.lineage)
    hidden = {e.name for e in plan.mapping.table.with_sensitivity(Sensitivity.IDENTIFIER)}
    # Rows that lack a necessary value are still in here; they are filtered out right after.
    fields = [field.with_nullable(True) for field in schema if field.name not in hidden]
    arrays = [values.get(field.name, pa.nulls(rows, field.type)) for field in fields]
    return pa.table(arrays, schema=pa.schema(fields))


def _identifiers(plan: Plan, values: dict[str, Any], which: pa.Array) -> pa.Table | None:
    direct = [e.name for e in plan.mapping.table.with_sensitivity(Sensitivity.IDENTIFIER) if e.name in values]
    if not direct:
        return None
    names = ["fact_id", *(["pseudonym"] if "pseudonym" in values else []), *direct]
    return pa.table([values[name] for name in names], names=names).filter(which)


def _items(
    chunk: TableChunk, columns: Columns, plan: Plan, verdicts: Verdicts, contents: Iterable[bytes]
) -> tuple[list[Item], list[Item]]:
    """Held and rejected rows in the file's order; ``contents`` are those of the held ones, in the same order."""
    decided = verdicts.decided()
    positions = np.array([row for row, *_ in decided], dtype=np.int64)
    shown = _storable_columns(plan)
    raw = {column: columns.cells(column, positions) for column in shown} if decided else {}
    numbers = pc.take(chunk.row_numbers, pa.array(positions)).to_pylist()
    held: list[Item] = []
    rejected: list[Item] = []
    content = iter(contents)
    for at, (_, outcome, rule, element, reason) in enumerate(decided):
        cells = {column: raw[column][at] for column in shown}
        if outcome == "held":
            held.append(Item(numbers[at], outcome, rule, element, reason, cells, next(content)))
        else:
            rejected.append(Item(numbers[at], outcome, rule, element, reason, cells))
    return held, rejected


def _storable_columns(plan: Plan) -> tuple[str, ...]:
    """Columns whose raw text may be kept beside a held row: inside the boundary, and feeding no direct
    identifier."""
    hidden = {
        column
        for rule in plan.mapping.rules
        if rule.origin.vault or rule.element.sensitivity is Sensitivity.IDENTIFIER
        for column in rule.origin.columns
    }
    kept = [
        column
        for rule in plan.mapping.rules
        if rule.element.name not in plan.decision.refused
        for column in rule.origin.columns
        if column not in hidden
    ]
    return tuple(dict.fromkeys(kept))
