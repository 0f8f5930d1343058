"""What the doors and quality read about held rows and the decisions about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hutong.acquisition.held import OUTCOMES, HeldDecision, HeldRule, read_decision
from hutong.node import Node
from hutong.storage import schema

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 200


def held_rules(node: Node, receipt_id: str) -> list[HeldRule]:
    """How the held rows of a receipt stand, by rule: those of which most wait first."""
    return _standing(node, [receipt_id])


def waiting_rules(node: Node) -> list[HeldRule]:
    """What waits for a decision, by rule, in the newest 200 receipts of which rows wait: the newest first."""
    item, receipt = schema.receipt_item.c, schema.receipt.c
    has_waiting = sa.exists().where(item.receipt == receipt.id, item.sealed.is_not(None))
    query = sa.select(receipt.id).where(has_waiting).order_by(receipt.received_at.desc(), receipt.id.desc())
    with node.records.reading() as connection:
        ids = list(connection.execute(query.limit(PAGE)).scalars())
    standing = [rule for rule in _standing(node, ids) if rule.waiting]
    return sorted(standing, key=lambda rule: ids.index(rule.receipt))


def _standing(node: Node, receipt_ids: Sequence[str]) -> list[HeldRule]:
    item, decision = schema.receipt_item.c, schema.held_decision.c
    waits = sa.func.sum(sa.case((item.sealed.is_not(None), 1), else_=0)).label("waiting")
    decided = [sa.func.sum(sa.case((decision.outcome == outcome, 1), else_=0)) for outcome in OUTCOMES]
    query = (
        sa.select(item.receipt, item.rule, sa.func.min(item.reason), waits, *decided)
        .select_from(schema.receipt_item.outerjoin(schema.held_decision, item.decision == decision.id))
        .where(item.receipt.in_(receipt_ids), item.outcome == "held")
        .group_by(item.receipt, item.rule)
        .order_by(sa.desc("waiting"), item.rule)
    )
    with node.records.reading() as connection:
        return [HeldRule(*row) for row in connection.execute(query)]


def rows_waiting(node: Node) -> int:
    """How many held rows wait for a decision on this node."""
    query = sa.select(sa.func.count()).where(schema.receipt_item.c.sealed.is_not(None))
    with node.records.reading() as connection:
        return int(connection.execute(query).scalar_one())


def decisions(node: Node, receipt_id: str, *, rule: str | None = None) -> list[HeldDecision]:
    """Decisions about rows of a receipt (that one rule held), the newest first; at most 200."""
    table = schema.held_decision
    query = sa.select(table.c.body).where(table.c.receipt == receipt_id).order_by(table.c.decided_at.desc(), table.c.id)
    if rule is not None:
        query = query.where(table.c.rule == rule)
    with node.records.reading() as connection:
        return [read_decision(body) for body in connection.execute(query.limit(PAGE)).scalars()]


def released_rows(node: Node, source_id: str, table: str) -> pa.Table | None:
    """Rows of a source that were held and are facts now (``receipt_id``, ``row_number``); None when there are none."""
    import pyarrow as pa

    item, receipt, decision = schema.receipt_item.c, schema.receipt.c, schema.held_decision.c
    query = (
        sa.select(item.receipt, item.row_number)
        .select_from(
            schema.receipt_item.join(schema.held_decision, item.decision == decision.id).join(
                schema.receipt, item.receipt == receipt.id
            )
        )
        .where(decision.outcome == "released", receipt.source == source_id, receipt.table_name == table)
    )
    with node.records.reading() as connection:
        found = connection.execute(query).all()
    if not found:
        return None
    return pa.table(
        {
            "receipt_id": pa.array([row[0] for row in found], pa.string()),
            "row_number": pa.array([row[1] for row in found], pa.int64()),
        }
    )
