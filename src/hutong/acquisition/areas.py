"""Areas taken from the distinct values of a source: one row per code, the most frequent name, the median
centre.

A line list names areas again and again, and not always alike. The names that lose are findings, not areas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from hutong.acquisition.chunk import Plan, Submission, element_values, fact_ids
from hutong.acquisition.columns import Columns
from hutong.acquisition.mapping import Level
from hutong.acquisition.readers.table import TableChunk
from hutong.acquisition.validation import Finding, Item, Verdicts
from hutong.acquisition.values import UNSAFE_TEXT, is_damaged
from hutong.errors import BadInput, LimitExceeded
from hutong.standard import arrow_schema

AREAS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Areas:
    """The areas of a source, parents before children; ``row_number`` is the first row that names an area.

    ``rejected`` has an item for each area that has no name but such as must not be published.
    """

    table: pa.Table
    findings: Counter[Finding]
    rejected: list[Item]


@dataclass(slots=True)
class _Seen:
    first_row: int
    versions: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    unsafe: dict[tuple[Any, ...], tuple[str, str]] = field(default_factory=dict)
    """Element and reason of each version that lacks a necessary text, because it must not be published."""
    longitudes: list[float] = field(default_factory=list)
    latitudes: list[float] = field(default_factory=list)


def areas_of(chunks: Iterable[TableChunk], plan: Plan, submission: Submission) -> Areas:
    """All areas that the chunks name. Raises BadInput (the mapping has no levels), LimitExceeded (too many
    areas)."""
    if not plan.mapping.levels:
        raise BadInput(f"The mapping {plan.mapping.id} has no levels.", "Use a mapping of the table area.")
    seen: dict[tuple[str, str], _Seen] = {}
    findings: Counter[Finding] = Counter()
    for chunk in chunks:
        columns = Columns(chunk.data)
        for level in plan.mapping.levels:
            findings.update(_collect(level, columns, chunk, plan, seen))
        if len(seen) > AREAS_MAX:
            raise LimitExceeded(f"The source names more than {AREAS_MAX:,} areas.", "Check the mapping's codes.")
    rejected = _without_unsafe(seen)
    return Areas(_table(plan, submission, seen, findings), findings, rejected)


def _without_unsafe(seen: dict[tuple[str, str], _Seen]) -> list[Item]:
    """Take out the versions that lack a necessary text, and the areas that have no other: an item for each of those.

    A row is answered once, also where it names several such areas.
    """
    rejected: dict[int, Item] = {}
    for key, area in list(seen.items()):
        element, reason = next(iter(area.unsafe.values()), ("", ""))
        for version in area.unsafe:
            del area.versions[version]
        if not area.versions:
            del seen[key]
            rejected.setdefault(area.first_row, Item(area.first_row, "rejected", UNSAFE_TEXT, element, reason))
    return [rejected[row] for row in sorted(rejected)]


def _collect(
    level: Level, columns: Columns, chunk: TableChunk, plan: Plan, seen: dict[tuple[str, str], _Seen]
) -> Counter[Finding]:
    """Add what one chunk says about one level. Works on distinct tuples of the level's values.

    What is wrong with single cells is counted where the rows themselves are mapped, not again for every level; but for
    text that must not be published: names are read here only.
    """
    verdicts = Verdicts(columns.num_rows)
    types = {f.name: f.type for f in arrow_schema(plan.mapping.table)}
    rules = [rule for rule in level.rules if rule.element.name not in plan.decision.refused]
    values = [element_values(columns, rule, types[rule.element.name], verdicts) for rule in rules]
    key = next(at for at, rule in enumerate(rules) if rule.element.name == "area_code")
    indices = np.zeros(columns.num_rows, dtype=np.int64)
    tuples: list[tuple[Any, ...]] = [()]
    for array in values:
        encoded = array.dictionary_encode(null_encoding="encode")
        dictionary = encoded.dictionary.to_pylist()
        combined = indices * len(dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
        kept, indices = np.unique(combined, return_inverse=True)
        tuples = [(*tuples[at // len(dictionary)], dictionary[at % len(dictionary)]) for at in kept.tolist()]
    if not columns.num_rows:
        return Counter()
    why = {row: (element, reason) for row, _, rule, element, reason in verdicts.decided() if rule == UNSAFE_TEXT}
    necessary = [at for at, rule in enumerate(rules) if rule.element.necessary]
    _, first = np.unique(indices, return_index=True)
    counts = np.bincount(indices)
    centres = _centres(level, columns)
    order = np.argsort(indices, kind="stable")
    ends = np.cumsum(counts)
    for at, version in enumerate(tuples):
        if version[key] is None:
            continue
        row = int(chunk.row_numbers[int(first[at])].as_py())
        area = seen.setdefault((level.name, version[key]), _Seen(row))
        area.versions[version] += int(counts[at])
        if int(first[at]) in why and any(version[place] is None for place in necessary):
            area.unsafe[version] = why[int(first[at])]
        if centres is not None:
            points = centres[order[ends[at] - counts[at] : ends[at]]]
            points = points[~np.isnan(points).any(axis=1)]
            area.longitudes.extend(points[:, 0].tolist())
            area.latitudes.extend(points[:, 1].tolist())
    return Counter({found: rows for found, rows in verdicts.findings.items() if found.rule == UNSAFE_TEXT})


def _centres(level: Level, columns: Columns) -> Any:
    """Array of shape (rows, 2): longitude and latitude in degrees, NaN where the text is no number."""
    if level.centre is None:
        return None
    parts = []
    for column in level.centre:
        tuples, indices = columns.distinct((column,))
        parts.append(np.array([_degrees(cells[0]) for cells in tuples])[indices])
    return np.stack(parts, axis=1)


def _degrees(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _table(
    plan: Plan, submission: Submission, seen: dict[tuple[str, str], _Seen], findings: Counter[Finding]
) -> pa.Table:
    schema = arrow_schema(plan.mapping.table, plan.standard.lineage)
    levels = {level.name: level for level in plan.mapping.levels}
    order = {name: at for at, name in enumerate(levels)}
    rows = []
    codes: set[str] = set()
    for (level_name, code), area in sorted(seen.items(), key=lambda item: (order[item[0][0]], item[0][1])):
        if code in codes:
            findings[Finding("area-at-two-levels", "area_code")] += 1
            continue
        codes.add(code)
        names = [r.element.name for r in levels[level_name].rules if r.element.name not in plan.decision.refused]
        # Damaged names lose to whole ones even where they are more frequent.
        best = max(area.versions.items(), key=lambda item: (not _damaged(item[0]), item[1], str(item[0])))[0]
        if others := area.versions.total() - area.versions[best]:
            findings[Finding("area-named-differently", "name_en")] += others
        row = dict(zip(names, best, strict=True)) | {"level": level_name}
        if area.longitudes:
            row["longitude"] = float(np.median(area.longitudes))
            row["latitude"] = float(np.median(area.latitudes))
        row["row_number"] = area.first_row
        rows.append({name: value for name, value in row.items() if name not in plan.decision.refused})
    numbers = pa.array(range(1, len(rows) + 1), pa.int64())
    for row, fact_id in zip(rows, fact_ids(submission, plan.mapping.table.name, numbers), strict=True):
        row |= {
            "fact_id": fact_id,
            "source_id": submission.source_id,
            "receipt_id": submission.receipt_id,
            "known_at": submission.known_at,
        }
    return pa.Table.from_pylist(rows, schema=schema)


def _damaged(version: tuple[Any, ...]) -> bool:
    return any(isinstance(value, str) and is_damaged(value) for value in version)
