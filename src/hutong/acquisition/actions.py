"""What a steward, an authority or a job can do in acquisition: one function each."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from hutong.acquisition import held_content, held_queries, queries
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.receipt import Noticed, Receipt
from hutong.acquisition.source import Source
from hutong.errors import BadInput, Conflict, LimitExceeded
from hutong.governance import queries as governance
from hutong.node import Change, Node
from hutong.rights import vault
from hutong.storage import inbox, schema
from hutong.storage.records import clear_disk_errors
from hutong.trust.authorisation import Actor, Resource

if TYPE_CHECKING:
    import pyarrow as pa

    from hutong.acquisition.chunk import Plan, Submission
    from hutong.acquisition.mapping import Mapping as TableMapping
    from hutong.acquisition.quality import QualityReport
    from hutong.acquisition.readers.table import TableReader
    from hutong.acquisition.validation import Finding, Item

MAX_ITEMS = 2_000_000
ITEMS_AT_ONCE = 20_000
MAX_MAPPING_BYTES = 512 * 1024
Progress = Callable[[int, int], None]
"""Is told how many rows are done, and how many there are at most."""


def declare_source(node: Node, *, by: Actor, source: Source) -> bool:
    """Declare a feed; False where it stands already, as it is declared. ``Conflict`` when it stands otherwise."""
    node.require(by, "declare_source")
    with node.change(by) as change:
        known = change.execute(sa.select(schema.source.c.body).where(schema.source.c.id == source.id)).scalar()
        if known is not None:
            source.require_same(known)
            return False
        change.execute(schema.source.insert().values(id=source.id, body=source.document(), declared_at=change.at))
        change.event("source.declared", source=source.id, provider=source.provider)
    return True


def set_boundary(node: Node, *, by: Actor, boundary: Boundary) -> None:
    """Set what may be collected, for which purpose, under an emergency in force and not beyond its sunset.

    Raises BadInput (it would outlive the emergency, or leaves out what a row of a table can't be without), NotFound,
    Refused, Conflict (there is one of this id).
    """
    node.require(by, "set_boundary", Resource("Boundary", boundary.id))
    declared = governance.emergency(node, boundary.emergency)
    declared.require_in_force(node.clock().date())
    if boundary.outlives(declared.sunset):
        raise BadInput(
            f"The boundary would outlive its emergency, whose sunset is {declared.sunset}.", "End it before that day."
        )
    for table, elements in boundary.tables.items():
        for element in elements:
            node.standard.table(table).element(element)
        boundary.require_usable(node.standard.table(table))
    with node.change(by) as change:
        if change.execute(sa.select(schema.boundary.c.id).where(schema.boundary.c.id == boundary.id)).scalar():
            raise Conflict(f"There is a boundary {boundary.id} already.", "Choose another id.")
        change.execute(
            schema.boundary.insert().values(
                id=boundary.id,
                emergency=boundary.emergency,
                body=queries.boundary_document(boundary),
                set_at=change.at,
            )
        )
        change.event(
            "boundary.set",
            boundary=boundary.id,
            emergency=boundary.emergency,
            purpose=boundary.purpose,
            tables={table: sorted(elements) for table, elements in boundary.tables.items()},
            valid_until=boundary.valid_until.isoformat(),
        )


def acquire(
    node: Node, *, by: Actor, source_id: str, path: Path, mapping: str, progress: Progress | None = None
) -> Receipt:
    """Take in one file under a mapping (the YAML text of its file): every row accepted, held or rejected.

    On return all of it is durable, with its receipt; ``Node.move_inbox`` then moves what was accepted to the lake. The
    same file again adds nothing and gives the first receipt.
    Raises ``BadInput`` (the file or the mapping), ``Refused`` (boundary, emergency, policy), ``Conflict`` (the file was
    acquired under another mapping), ``LimitExceeded``, ``Unavailable`` (disk full); then nothing has changed.
    """
    opened = _open(node, by=by, source_id=source_id, path=path, mapping=mapping)
    if (earlier := _taken_before(node, opened)) is not None:
        return earlier
    plan = _plan(node, opened)
    with _spooled(node.settings.folder) as spool:
        taken = _take_in(opened.reader, plan, opened.submission, spool, progress)
        receipt = _receipt(opened, plan, taken, salt=node.random(16).hex())
        with node.change(by) as change:
            # Another process may have taken the same file in while this one read it.
            if (earlier := _taken_before(node, opened)) is not None:
                return earlier
            save_receipt(node, change, receipt, items=taken.items, batches=_unspool(spool, taken), people=taken.people)
    return receipt


class Rehearsal(NamedTuple):
    """What a file would come to, and why rows of it would not be accepted."""

    receipt: Receipt
    reasons: list[queries.Reason]


def rehearse(
    node: Node, *, by: Actor, source_id: str, path: Path, mapping: str, progress: Progress | None = None
) -> Rehearsal:
    """What ``acquire`` would answer, also under another mapping than the file was acquired under; saves nothing."""
    opened = _open(node, by=by, source_id=source_id, path=path, mapping=mapping)
    plan = _plan(node, opened)
    with _spooled(node.settings.folder) as spool:
        taken = _take_in(opened.reader, plan, opened.submission, spool, progress)
    return Rehearsal(_receipt(opened, plan, taken, salt=""), queries.reasons_of(taken.items))


class _Opened(NamedTuple):
    """A file and the mapping for it, as they were given."""

    reader: TableReader
    mapping: TableMapping
    mapping_sha256: str
    submission: Submission
    started_seconds: float


def _open(node: Node, *, by: Actor, source_id: str, path: Path, mapping: str) -> _Opened:
    from hutong.acquisition.chunk import Submission
    from hutong.acquisition.mapping_file import read_mapping
    from hutong.acquisition.readers.table import TableLimits, open_table

    node.require(by, "acquire", Resource("Source", source_id))
    started_seconds = time.monotonic()
    queries.source(node, source_id)
    if len(mapping) > MAX_MAPPING_BYTES:
        raise LimitExceeded("The mapping is larger than 512 KiB.", "Split it by table.")
    wanted = read_mapping(mapping, node.standard)
    limits = node.settings.limits
    bounds = TableLimits(size_bytes=limits.file_bytes, line_bytes=limits.line_bytes, rows=limits.rows_per_file)
    reader = open_table(path, declared=wanted.format, limits=bounds)
    submission = Submission(source_id, node.new_id(), reader.sha256, node.clock())
    return _Opened(reader, wanted, hashlib.sha256(mapping.encode()).hexdigest(), submission, started_seconds)


def _taken_before(node: Node, opened: _Opened) -> Receipt | None:
    """The receipt of the same file, marked as repeated. ``Conflict`` when it counts under another mapping."""
    reader, submission = opened.reader, opened.submission
    earlier = queries.receipt_of_file(node, submission.source_id, reader.sha256, opened.mapping.table.name)
    if earlier is None:
        return None
    if earlier.mapping_sha256 == opened.mapping_sha256:
        return replace(earlier, repeated=True)
    if queries.came_to_nothing(node, earlier):
        return None
    raise Conflict(
        f"{reader.path.name} was acquired under another mapping (receipt {earlier.id}).",
        "Taking it in twice would count people twice. If no row was accepted, discard the held ones first "
        "(hutong held discard); try a mapping without saving anything with --dry-run.",
    )


def _plan(node: Node, opened: _Opened) -> Plan:
    from hutong.acquisition.chunk import plan_mapping

    known_at = opened.submission.known_at
    return plan_mapping(
        opened.mapping,
        opened.reader.columns,
        queries.boundary_in_force(node, opened.mapping.table.name, on=known_at.date()),
        node.standard,
        known_at=known_at,
        pseudonymise=lambda texts: vault.pseudonyms(node.keys.pseudonym_key, texts),
    )


@dataclass(slots=True)
class _Taken:
    """What the rows of a file came to, before it is saved."""

    rows: int = 0
    accepted: int = 0
    items: list[Item] = field(default_factory=list)
    findings: Counter[Finding] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    people: list[dict[str, Any]] = field(default_factory=list)
    batches: list[tuple[int, int, int]] = field(default_factory=list)
    """Rows, offset and length in the spool file."""


def _take_in(
    reader: TableReader, plan: Plan, submission: Submission, spool: IO[bytes], progress: Progress | None
) -> _Taken:
    from hutong.acquisition.areas import areas_of
    from hutong.acquisition.chunk import map_chunk
    from hutong.acquisition.validation import Finding

    taken = _Taken()
    if plan.mapping.levels:
        areas = areas_of(reader.chunks(), plan, submission)
        taken.accepted, taken.items, taken.findings = areas.table.num_rows, areas.rejected, areas.findings
        taken.rows = taken.accepted + len(taken.items)
        _spool(spool, areas.table, taken)
        if not taken.rows:
            raise BadInput(
                f"{reader.path.name} names no area.", "Check the mapping, or ask the sender for the whole file."
            )
        return taken
    for chunk in reader.chunks():
        mapped = map_chunk(chunk, plan, submission)
        taken.rows += mapped.rows
        taken.accepted += mapped.accepted.num_rows
        taken.items += mapped.held + mapped.rejected
        taken.findings.update(mapped.findings)
        taken.refused.update(mapped.refused)
        if mapped.identifiers is not None:
            taken.people += [person for person in mapped.identifiers.to_pylist() if person.get("pseudonym")]
        if len(taken.items) > MAX_ITEMS:
            raise LimitExceeded(f"More than {MAX_ITEMS:,} rows could not be accepted.", "Check the mapping.")
        _spool(spool, mapped.accepted, taken)
        if progress is not None:
            progress(taken.rows, max(taken.rows, reader.scan.rows))
    if not taken.rows:
        raise BadInput(f"{reader.path.name} has a header and no row.", "Ask the sender for the whole file.")
    taken.findings.update({Finding(rule, "file"): count for rule, count in reader.notes.items()})
    return taken


def _spool(spool: IO[bytes], rows: pa.Table, taken: _Taken) -> None:
    if rows.num_rows:
        packed = inbox.pack(rows)
        taken.batches.append((rows.num_rows, spool.tell(), len(packed)))
        spool.write(packed)


def _receipt(opened: _Opened, plan: Plan, taken: _Taken, *, salt: str) -> Receipt:
    reader, submission = opened.reader, opened.submission
    held = sum(item.outcome == "held" for item in taken.items)
    return Receipt(
        id=submission.receipt_id,
        source=submission.source_id,
        table=plan.mapping.table.name,
        file_name=reader.path.name,
        file_sha256=reader.sha256,
        file_bytes=reader.size_bytes,
        mapping=f"{plan.mapping.id}@{plan.mapping.version}",
        mapping_sha256=opened.mapping_sha256,
        boundary=plan.decision.boundary,
        rows=taken.rows,
        accepted=taken.accepted,
        held=held,
        rejected=len(taken.items) - held,
        findings=tuple(
            Noticed(finding.rule, finding.subject, rows) for finding, rows in sorted(taken.findings.items()) if rows
        ),
        refused_values=dict(sorted(taken.refused.items())),
        columns_outside=plan.outside,
        received_at=submission.known_at,
        seconds=round(time.monotonic() - opened.started_seconds, 3),
        salt=salt,
    )


def save_receipt(
    node: Node,
    change: Change,
    receipt: Receipt,
    *,
    items: Sequence[Item],
    batches: Iterable[tuple[int, bytes]],
    people: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Save a submission in the caller's transaction: receipt, refused rows, accepted batches, identifiers, event.

    Args:
        batches: rows and packed rows (``inbox.pack``) of each batch.
        people: identifiers for the vault, each with its pseudonym.
    """
    change.execute(
        schema.receipt.insert().values(
            id=receipt.id,
            source=receipt.source,
            table_name=receipt.table,
            file_sha256=receipt.file_sha256,
            mapping_sha256=receipt.mapping_sha256,
            rows=receipt.rows,
            accepted=receipt.accepted,
            held=receipt.held,
            rejected=receipt.rejected,
            body=receipt.document(),
            received_at=receipt.received_at,
        )
    )
    for start in range(0, len(items), ITEMS_AT_ONCE):
        stored = [_item_row(node, receipt, item) for item in items[start : start + ITEMS_AT_ONCE]]
        change.execute(schema.receipt_item.insert(), stored)
    for rows, payload in batches:
        inbox.put(change.connection, table=receipt.table, receipt=receipt.id, rows=rows, payload=payload)
    change.event(
        "receipt.issued",
        receipt=receipt.id,
        source=receipt.source,
        table=receipt.table,
        mapping=receipt.mapping,
        boundary=receipt.boundary,
        rows=receipt.rows,
        accepted=receipt.accepted,
        held=receipt.held,
        rejected=receipt.rejected,
        people_new_in_vault=vault.keep(node, change, people),
        commitment=receipt.commitment,
    )


def _item_row(node: Node, receipt: Receipt, item: Item) -> dict[str, Any]:
    return {
        "receipt": receipt.id,
        "row_number": item.row_number,
        "outcome": item.outcome,
        "rule": item.rule,
        "element": item.element,
        "reason": item.reason,
        "raw": dict(item.raw),
        "sealed": held_content.seal(node, receipt.id, item.row_number, item.content) if item.content else None,
    }


def _unspool(spool: IO[bytes], taken: _Taken) -> Iterator[tuple[int, bytes]]:
    for rows, offset, length in taken.batches:
        spool.seek(offset)
        yield rows, spool.read(length)


@contextmanager
def _spooled(folder: Path) -> Iterator[IO[bytes]]:
    # In the node's folder and not in memory: a file of fifty million rows is larger than that.
    with clear_disk_errors(), tempfile.TemporaryFile(dir=folder) as spool:
        yield spool


def assess_quality(node: Node, *, by: Actor, source_id: str, table: str = "case") -> QualityReport:
    """Score what was accepted from a source in five dimensions, each traceable to rules and counts."""
    from hutong.acquisition.quality import assess
    from hutong.acquisition.quality_file import default_rules

    node.require(by, "assess_quality", Resource("Source", source_id))
    queries.source(node, source_id)
    came = queries.came(node, source_id, table)  # first: what comes while this runs may be missed
    receipts = queries.receipts(node, source_id=source_id, table=table, limit=None)
    if not receipts:
        raise BadInput(f"Nothing was acquired from {source_id} for {table}.", "Acquire a file first.")
    node.move_inbox()
    facts = node.engine.table(table)
    facts = facts.filter(facts.source_id == source_id)
    released = held_queries.released_rows(node, source_id, table)
    report = assess(
        facts,
        default_rules(node.standard),
        receipts,
        to_arrow=node.engine.to_arrow,
        at=node.clock(),
        released=None if released is None else node.engine.bind(released),
        boundaries={known.id: known for known in queries.boundaries(node)},
        areas=queries.areas(node, source_id),
    )
    with node.change(by) as change:
        change.execute(
            schema.quality_report.insert().values(
                id=node.new_id(),
                source=source_id,
                table_name=table,
                label=report.label,
                score=report.score,
                body={**report.document(), "came": came},
                assessed_at=change.at,
            )
        )
        change.event("quality.assessed", source=source_id, table=table, label=report.label, score=report.score)
    return report
