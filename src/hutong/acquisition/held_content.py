"""The content of held rows in the records: sealed under the vault's key, bound to its receipt and row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import orjson
import sqlalchemy as sa

from hutong.node import Node
from hutong.rights import vault
from hutong.storage.schema import receipt_item

ROWS_AT_ONCE = 20_000


def seal(node: Node, receipt_id: str, row_number: int, content: bytes) -> bytes:
    """Seal the content of one held row, JSON as ``held.packed`` writes it."""
    return vault.seal(node.keys.vault_key, _name(receipt_id, row_number), {"content": orjson.Fragment(content)})


def waiting(receipt_id: str, rule: str, rows: Collection[int] | None = None) -> sa.ColumnElement[bool]:
    """The condition of items that still wait for a decision: those whose content is there; ``rows``: of these only."""
    item = receipt_item.c
    mine = sa.and_(item.receipt == receipt_id, item.rule == rule, item.sealed.is_not(None))
    return mine if rows is None else sa.and_(mine, item.row_number.in_(sorted(rows)))


def read(node: Node, receipt_id: str, rule: str, rows: Collection[int] | None = None) -> Iterator[list[dict[str, Any]]]:
    """Contents of the rows that wait, in the file's order, at most twenty thousand at once.

    Raises ``Tampered`` when one is not what this node sealed for that row.
    """
    item = receipt_item.c
    query = sa.select(item.row_number, item.sealed).where(waiting(receipt_id, rule, rows)).order_by(item.row_number)
    with node.records.reading() as connection:
        for part in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).partitions():
            yield [
                vault.unseal(node.keys.vault_key, _name(receipt_id, row.row_number), row.sealed)["content"]
                for row in part
            ]


def _name(receipt_id: str, row_number: int) -> str:
    # What a sealed content is bound to: one of another row, or of the vault, can't be put in its place.
    return f"held/{receipt_id}/{row_number}"
