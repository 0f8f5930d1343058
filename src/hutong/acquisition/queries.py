"""What the doors and later stages read about sources, boundaries, receipts and quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from hutong.acquisition.boundary import Boundary
from hutong.acquisition.receipt import Receipt, read_receipt
from hutong.acquisition.source import Source, parse_source
from hutong.errors import Conflict, NotFound, Refused
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.storage import schema

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from hutong.acquisition.quality import QualityReport
    from hutong.acquisition.validation import Item

PAGE = 200


class Tally(NamedTuple):
    """What came from one source: receipts, rows by outcome, and when the newest file was received."""

    receipts: int
    accepted: int
    held: int
    rejected: int
    last: datetime


class Reason(NamedTuple):
    """Why rows of a receipt were not accepted. ``example`` is what the rule said about one of them."""

    receipt: str
    outcome: str
    rule: str
    example: str
    rows: int


def source(node: Node, source_id: str) -> Source:
    """A declared feed. ``NotFound`` when there is none of that id."""
    with node.records.reading() as connection:
        body = connection.execute(sa.select(schema.source.c.body).where(schema.source.c.id == source_id)).scalar()
    if body is None:
        raise NotFound(f"There is no source {source_id}.", "Declare it first.")
    return parse_source(body)


def sources(node: Node) -> list[Source]:
    """All declared feeds, by id."""
    with node.records.reading() as connection:
        bodies = connection.execute(sa.select(schema.source.c.body).order_by(schema.source.c.id)).scalars()
        return [parse_source(body) for body in bodies]


def boundaries(node: Node) -> list[Boundary]:
    """All boundaries, the newest first."""
    with node.records.reading() as connection:
        bodies = connection.execute(
            sa.select(schema.boundary.c.body).order_by(schema.boundary.c.set_at.desc())
        ).scalars()
        return [read_boundary(body) for body in bodies]


def boundary_in_force(node: Node, table: str, *, on: date) -> Boundary:
    """The newest boundary that allows collecting for a table, under an emergency in force. ``Refused`` if none."""
    in_force = {known.id for known in governance.emergencies(node) if known.is_in_force(on)}
    for known in boundaries(node):
        if table in known.tables and known.emergency in in_force and on <= known.valid_until:
            return known
    raise Refused(
        f"No boundary in force allows collecting {table}.",
        "An authority can set one under a declared emergency.",
        policies=("boundary:none",),
    )


def boundary_document(boundary: Boundary) -> dict[str, Any]:
    """A boundary as JSON."""
    return {
        "id": boundary.id,
        "emergency": boundary.emergency,
        "purpose": boundary.purpose,
        "tables": {table: sorted(elements) for table, elements in sorted(boundary.tables.items())},
        "valid_until": boundary.valid_until.isoformat(),
    }


def read_boundary(document: Mapping[str, Any]) -> Boundary:
    """A boundary from its JSON form."""
    return Boundary(
        id=document["id"],
        emergency=document["emergency"],
        purpose=document["purpose"],
        tables={table: frozenset(elements) for table, elements in document["tables"].items()},
        valid_until=date.fromisoformat(str(document["valid_until"])),
    )


def receipts(
    node: Node,
    *,
    source_id: str | None = None,
    table: str | None = None,
    after: int = 0,
    limit: int | None = PAGE,
) -> list[Receipt]:
    """Receipts, the newest first, without the ``after`` first ones; at most ``limit``, None for all."""
    query = sa.select(schema.receipt.c.body).order_by(schema.receipt.c.received_at.desc(), schema.receipt.c.id.desc())
    if source_id is not None:
        query = query.where(schema.receipt.c.source == source_id)
    if table is not None:
        query = query.where(schema.receipt.c.table_name == table)
    with node.records.reading() as connection:
        return [read_receipt(body) for body in connection.execute(query.offset(after).limit(limit)).scalars()]


def tallies(node: Node) -> dict[str, Tally]:
    """What came from each source, over all its receipts, by its id; a source without a receipt is not there."""
    receipt = schema.receipt.c
    sums = [sa.func.sum(column) for column in (receipt.accepted, receipt.held, receipt.rejected)]
    query = sa.select(receipt.source, sa.func.count(), *sums, sa.func.max(receipt.received_at)).group_by(receipt.source)
    with node.records.reading() as connection:
        return {row[0]: Tally(*row[1:]) for row in connection.execute(query)}


def receipt(node: Node, receipt_id: str) -> Receipt:
    """One receipt. ``NotFound`` when there is none of that id."""
    with node.records.reading() as connection:
        body = connection.execute(sa.select(schema.receipt.c.body).where(schema.receipt.c.id == receipt_id)).scalar()
    if body is None:
        raise NotFound(f"There is no receipt {receipt_id}.", "See the list of receipts.")
    return read_receipt(body)


def receipt_of_file(node: Node, source_id: str, file_sha256: str, table: str) -> Receipt | None:
    """The receipt of a file that was acquired before, if it was: the one with accepted rows, else the newest."""
    receipt = schema.receipt.c
    query = sa.select(receipt.body).where(
        receipt.source == source_id, receipt.file_sha256 == file_sha256, receipt.table_name == table
    )
    with node.records.reading() as connection:
        body = connection.execute(query.order_by(receipt.accepted.desc(), receipt.received_at.desc()).limit(1)).scalar()
    return None if body is None else read_receipt(body)


def came_to_nothing(node: Node, receipt: Receipt) -> bool:
    """Whether no row of a receipt was accepted or released, and none waits: then nothing would be counted twice."""
    item, decision = schema.receipt_item, schema.held_decision
    alive = (
        sa.select(sa.func.count())
        .select_from(item.outerjoin(decision, item.c.decision == decision.c.id))
        .where(item.c.receipt == receipt.id, sa.or_(item.c.sealed.is_not(None), decision.c.outcome == "released"))
    )
    with node.records.reading() as connection:
        return receipt.accepted == 0 and not connection.execute(alive).scalar_one()


def receipt_items(
    node: Node, receipt_id: str, *, outcome: str | None = None, after: int = 0, limit: int = 50
) -> list[dict[str, Any]]:
    """Rows that were held or rejected, in file order, from the one after row ``after``; at most 200.

    ``outcome``: ``held``, ``rejected``, or ``waiting`` for held rows that nobody decided about. Each row's ``decision``
    is ``released``, ``discarded`` or None.
    """
    item, decision = schema.receipt_item, schema.held_decision
    shown = (item.c.row_number, item.c.outcome, item.c.rule, item.c.element, item.c.reason, item.c.raw)
    query = (
        sa.select(*shown, decision.c.outcome.label("decision"))
        .select_from(item.outerjoin(decision, item.c.decision == decision.c.id))
        .where(item.c.receipt == receipt_id, item.c.row_number > after)
        .order_by(item.c.row_number)
    )
    if outcome == "waiting":
        query = query.where(item.c.sealed.is_not(None))
    elif outcome is not None:
        query = query.where(item.c.outcome == outcome)
    with node.records.reading() as connection:
        return [dict(row) for row in connection.execute(query.limit(min(limit, PAGE))).mappings()]


def receipt_reasons(node: Node, receipt_id: str) -> list[tuple[str, str, str, int]]:
    """Outcome, rule, an example of its reason, and how many rows: the most frequent first."""
    return [reason[1:] for reason in reasons(node, [receipt_id])]


def reasons(node: Node, receipt_ids: Sequence[str]) -> list[Reason]:
    """Why rows of these receipts were not accepted, each reason by receipt: those that concern most rows first."""
    item = schema.receipt_item
    query = (
        sa.select(
            item.c.receipt, item.c.outcome, item.c.rule, sa.func.min(item.c.reason), sa.func.count().label("rows")
        )
        .where(item.c.receipt.in_(receipt_ids))
        .group_by(item.c.receipt, item.c.outcome, item.c.rule)
        .order_by(sa.desc("rows"), item.c.rule)
    )
    with node.records.reading() as connection:
        return [Reason(*row) for row in connection.execute(query)]


def reasons_of(items: Iterable[Item]) -> list[Reason]:
    """The same of rows that were not saved, without a receipt."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in items:
        found.setdefault((item.outcome, item.rule), []).append(item.reason)
    counted = [Reason("", *key, min(told), len(told)) for key, told in found.items()]
    return sorted(counted, key=lambda reason: (-reason.rows, reason.rule))


def areas(node: Node, source_id: str) -> ir.Table | None:
    """The areas that were acquired from a source; None on a node that has none of any source."""
    try:
        everywhere = node.engine.table("area")
    except NotFound:
        return None
    return everywhere.filter(everywhere.source_id == source_id)


def quality(node: Node, source_id: str, table: str = "case") -> QualityReport:
    """The newest assessment of a source. ``NotFound`` before there is one."""
    found = assessments(node, source_id, table, most=1)
    if not found:
        raise _not_assessed(source_id)
    return found[0]


def _not_assessed(source_id: str) -> NotFound:
    return NotFound(f"The quality of {source_id} was not assessed.", "Assess it with: hutong quality")


def quality_of_all(node: Node, source_id: str, table: str = "case") -> QualityReport:
    """The newest assessment of a source, of all that came from it: a label must not stand on data it never saw.

    Raises ``NotFound`` (never assessed) and ``Conflict`` (files or decisions about held rows came since).
    """
    from hutong.acquisition.quality import read_report

    bodies = _assessment_bodies(node, source_id, table, most=10)
    of_all = came(node, source_id, table)
    for body in bodies:
        if body.get("came") == of_all:
            return read_report(body)
    if not bodies:
        raise _not_assessed(source_id)
    raise Conflict(
        f"More came from {source_id} after its quality was assessed.",
        f"Assess it again with: hutong quality --source {source_id}",
    )


def came(node: Node, source_id: str, table: str) -> dict[str, int]:
    """How many files came from a source, and how many decisions about its held rows; neither number ever falls.

    Counts, not times: what is being taken in has the time at which that began.
    """
    receipt, decision = schema.receipt, schema.held_decision
    files = sa.select(sa.func.count()).where(receipt.c.source == source_id, receipt.c.table_name == table)
    decisions = files.select_from(receipt.join(decision, decision.c.receipt == receipt.c.id))
    with node.records.reading() as connection:
        return {
            "files": connection.execute(files.select_from(receipt)).scalar_one(),
            "decisions": connection.execute(decisions).scalar_one(),
        }


def assessments(
    node: Node, source_id: str, table: str = "case", *, until: datetime | None = None, most: int = 100
) -> list[QualityReport]:
    """The assessments of a source, the newest first; those before an instant, where one is given."""
    from hutong.acquisition.quality import read_report

    return [read_report(body) for body in _assessment_bodies(node, source_id, table, until=until, most=most)]


def _assessment_bodies(
    node: Node, source_id: str, table: str, *, until: datetime | None = None, most: int
) -> list[dict[str, Any]]:
    report = schema.quality_report
    query = (
        sa.select(report.c.body)
        .where(report.c.source == source_id, report.c.table_name == table)
        .order_by(report.c.assessed_at.desc())
        .limit(most)
    )
    if until is not None:
        query = query.where(report.c.assessed_at <= until)
    with node.records.reading() as connection:
        return list(connection.execute(query).scalars())
