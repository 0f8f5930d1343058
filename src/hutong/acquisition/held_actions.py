"""What a steward does with held rows: release them as facts, or discard them for good."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from hutong.acquisition import held_content, held_queries, queries
from hutong.acquisition.held import (
    OUTCOMES,
    HeldDecision,
    Outcome,
    checked_reason,
    checked_rows,
    facts_of,
    people_of,
    read_decision,
    require_within,
)
from hutong.acquisition.receipt import Receipt
from hutong.errors import BadInput, Conflict, NotFound
from hutong.node import Change, Node
from hutong.rights import vault
from hutong.storage import inbox, schema
from hutong.storage.records import in_parts
from hutong.trust.authorisation import Actor, Resource


def decide_held(
    node: Node,
    *,
    by: Actor,
    receipt_id: str,
    rule: str,
    outcome: Outcome,
    reason: str,
    rows: Collection[int] | None = None,
) -> HeldDecision:
    """Release or discard rows of one receipt that one rule held; ``rows`` are row numbers, None all that wait.

    Released rows go through the inbox as accepted ones did, exactly once; what was noticed about them stays in the
    receipt and counts for the quality of the source. Their sealed content is gone either way, so a decision is final.
    The same decision again changes nothing and gives the first one (``repeated``).

    Raises:
        Refused: the policy; to release: no boundary in force allows the table and all elements that the rows have.
        NotFound: no such receipt; the rule held no row of it, or not those.
        Conflict: the rows were decided about already, in another way or by somebody else meanwhile.
        BadInput: no reason, no row. LimitExceeded: more than a thousand chosen rows.
    """
    node.require(by, "decide_held", Resource("Receipt", receipt_id))
    if outcome not in OUTCOMES:
        raise BadInput(f"{str(outcome)[:20]!r} is no outcome.", "Give released or discarded.")
    chosen = None if rows is None else checked_rows(rows)
    wish = _Wish(queries.receipt(node, receipt_id), rule, outcome, checked_reason(reason), chosen)
    earlier = _earlier(node, wish)
    if earlier is not None:
        if earlier.same_as(outcome, wish.reason, all_of_rule=chosen is None):
            return replace(earlier, repeated=True)
        raise _decided(earlier)
    prepared = _prepare(node, wish) if outcome == "released" else None
    with node.change(by) as change:
        return _save(node, change, wish, prepared)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What somebody wants to be decided; ``chosen`` is None for all rows that wait."""

    receipt: Receipt
    rule: str
    outcome: Outcome
    reason: str
    chosen: frozenset[int] | None


@dataclass(slots=True)
class _Prepared:
    """Rows that are to be released: packed for the inbox, and whom they tell of."""

    rows: int = 0
    batches: list[tuple[int, bytes]] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)


def _earlier(node: Node, wish: _Wish) -> HeldDecision | None:
    """The one decision that was made about exactly these rows; None when all of them still wait."""
    receipt, rule = wish.receipt, wish.rule
    standing = next((one for one in held_queries.held_rules(node, receipt.id) if one.rule == rule), None)
    if standing is None:
        raise NotFound(
            f"The rule {rule[:80]!r} holds no row of the receipt {receipt.id}.", "See: hutong held list RECEIPT"
        )
    if wish.chosen is not None:
        return _decision_about(node, receipt, rule, wish.chosen)
    if standing.waiting:
        return None
    decided = held_queries.decisions(node, receipt.id, rule=rule)
    if not decided:
        raise NotFound("What these rows held was not kept.", "Send them again in a new file.")
    return decided[0]


def _decision_about(node: Node, receipt: Receipt, rule: str, chosen: frozenset[int]) -> HeldDecision | None:
    item, decision = schema.receipt_item.c, schema.held_decision.c
    query = (
        sa.select(item.row_number, item.sealed.is_not(None).label("waits"), decision.body)
        .select_from(schema.receipt_item.outerjoin(schema.held_decision, item.decision == decision.id))
        .where(item.receipt == receipt.id, item.rule == rule, item.outcome == "held")
        .where(item.row_number.in_(sorted(chosen)))
        .order_by(item.row_number)
    )
    with node.records.reading() as connection:
        found = connection.execute(query).all()
    missing = sorted(chosen - {row.row_number for row in found})
    if missing:
        raise NotFound(
            f"The rule {rule[:80]!r} does not hold {_listed(missing)} of the receipt {receipt.id}.",
            "See: hutong held list RECEIPT",
        )
    made = {row.body["id"]: read_decision(row.body) for row in found if row.body is not None}
    if not made and all(row.waits for row in found):
        return None
    whole = next(iter(made.values())) if len(made) == 1 else None
    if whole is not None and whole.rows == len(chosen) and not any(row.waits for row in found):
        return whole
    decided = [row.row_number for row in found if not row.waits]
    raise Conflict(f"It is decided already about {_listed(decided)}.", "Leave them out.")


def _decided(earlier: HeldDecision) -> Conflict:
    return Conflict(
        f"It is decided already: {earlier.rows:,} rows held by {earlier.rule} were {earlier.outcome} "
        f"on {earlier.decided_at:%Y-%m-%d}.",
        "A decision is final; what is wrong in the data can be sent again in a corrected file.",
    )


def _listed(rows: Collection[int]) -> str:
    shown = ", ".join(str(row) for row in sorted(rows)[:5])
    return f"row {shown}" if len(rows) == 1 else f"rows {shown}{', …' if len(rows) > 5 else ''}"


def _prepare(node: Node, wish: _Wish) -> _Prepared:
    """Open the seals and pack the facts, before the transaction: that takes a while for many rows."""
    receipt = wish.receipt
    boundary = queries.boundary_in_force(node, receipt.table, on=node.clock().date())
    prepared = _Prepared()
    for contents in held_content.read(node, receipt.id, wish.rule, wish.chosen):
        facts = facts_of(contents, receipt.table, node.standard)
        require_within(facts, boundary, receipt.table, node.standard)
        prepared.rows += facts.num_rows
        prepared.batches.append((facts.num_rows, inbox.pack(facts)))
        prepared.people += people_of(contents)
    return prepared


def _save(node: Node, change: Change, wish: _Wish, prepared: _Prepared | None) -> HeldDecision:
    receipt, chosen = wish.receipt, wish.chosen
    which = held_content.waiting(receipt.id, wish.rule, chosen)
    rows = int(change.execute(sa.select(sa.func.count()).where(which)).scalar_one())
    if rows != (prepared.rows if prepared else rows) or not rows or (chosen and rows != len(chosen)):
        raise Conflict("Somebody else decided about these rows at the same moment.", "Look at the receipt again.")
    decision = HeldDecision(
        id=node.new_id(),
        receipt=receipt.id,
        rule=wish.rule,
        outcome=wish.outcome,
        rows=rows,
        all_of_rule=chosen is None,
        reason=wish.reason,
        by=change.by.log_name,
        decided_at=change.at,
        salt=node.random(16).hex(),
    )
    change.execute(
        schema.held_decision.insert().values(
            id=decision.id,
            receipt=receipt.id,
            rule=wish.rule,
            outcome=wish.outcome,
            rows=rows,
            body=decision.document(),
            decided_at=change.at,
        )
    )
    change.execute(schema.receipt_item.update().where(which).values(sealed=None, decision=decision.id))
    if prepared is not None:
        for count, payload in prepared.batches:
            inbox.put(change.connection, table=receipt.table, receipt=receipt.id, rows=count, payload=payload)
        vault.keep(node, change, _unknown(change, prepared.people))
    change.event(
        "held-rows.released" if wish.outcome == "released" else "held-rows.discarded",
        receipt=receipt.id,
        source=receipt.source,
        table=receipt.table,
        rule=wish.rule,
        decision=decision.id,
        rows=rows,
        commitment=decision.commitment,
    )
    return decision


def _unknown(change: Change, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whom the vault does not know: what a newer file said of a person stands above an older held row."""
    entry = schema.vault_entry.c.pseudonym
    names = sorted({str(person["pseudonym"]) for person in people})
    known: set[str] = set()
    for part in in_parts(names):
        known.update(change.execute(sa.select(entry).where(entry.in_(part))).scalars())
    return [person for person in people if person["pseudonym"] not in known]
