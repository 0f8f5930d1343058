"""What ends when on this node, and what an emergency that is over has left behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from hutong.governance.emergency import parse_emergency
from hutong.node import Node
from hutong.rights import sunset
from hutong.rights.sunset import DeclaredEmergency, Ending, Kind
from hutong.storage import schema

from ..credential.keys import KeyRing
from ..rulebook import queries as rulebook_queries
from ..rulebook.rulebook import Rulebook

LATE = timedelta(days=1)
"""How long after a destruction it is looked again at the lake: a file whose taking in began before may come after."""

Matches = Mapping[str, Collection[str] | None]
"""Column to values: the rows of a lake table that go, as ``Lake.delete_where`` takes them."""


@dataclass(frozen=True, slots=True)
class Remains:
    """What single persons left behind under one emergency that is over.

    Attributes:
        receipts: ids of what was collected under its boundaries.
        matches: which rows of which lake tables are to go; none a day after the destruction.
        rulebooks: ids; ``versions``: each of their versions as "id@version".
        is_last: no other emergency is in force or to come, so that nothing about a person has a ground any more.
    """

    known: DeclaredEmergency
    receipts: frozenset[str]
    rulebooks: frozenset[str]
    versions: frozenset[str]
    is_last: bool
    matches: dict[str, Matches] = field(default_factory=dict)


def declared(node: Node) -> list[DeclaredEmergency]:
    """Every emergency that was ever declared here, the oldest first."""
    table = schema.emergency
    query = sa.select(table).order_by(table.c.declared_at, table.c.id)
    with node.records.reading() as connection:
        rows = connection.execute(query).all()
    return [DeclaredEmergency(parse_emergency(row.body), row.ended_at, row.destroyed_at) for row in rows]


def end_of_rulebook(node: Node, rulebook: Rulebook) -> datetime:
    """When a rulebook is over: with its period, or with its emergency, which may have been ended early."""
    ends = (one.ends_at for one in declared(node) if one.id == rulebook.emergency)
    return min((rulebook.period.end, *ends))


def endings(node: Node) -> tuple[Ending, ...]:
    """All that ends, the earliest end first: nothing on a node is without one."""
    emergencies = declared(node)
    found = [Ending(Kind.EMERGENCY, one.id, one.ends_at) for one in emergencies]
    newest: dict[str, Ending] = {}
    for published in rulebook_queries.all_rulebooks(node):
        book = published.rulebook
        found.append(Ending(Kind.RULEBOOK, f"{book.id}@{book.version}", book.period.end, book.emergency))
        code_type = Ending(Kind.CODE_TYPE, f"pass:{book.id}", book.period.end, book.emergency)
        held = newest.get(book.id)
        newest[book.id] = code_type if held is None or held.ends_at < code_type.ends_at else held
    found += newest.values()
    for key in KeyRing.of(node.keys.public["passes"]).keys:
        assert key.not_after is not None
        found.append(Ending(Kind.KEY, f"passes:{min(key.key_ids, key=len).hex()}", key.not_after))
    signing = node.keys.public["signing"]["kid"]
    found.append(Ending(Kind.KEY, f"signing:{signing}", datetime.fromisoformat(node.keys.public["signing_until"])))
    return sunset.bounded([*found, *_of_records(node)], emergencies)


def _of_records(node: Node) -> list[Ending]:
    boundary, agreement = schema.boundary, schema.agreement
    with node.records.reading() as connection:
        boundaries = connection.execute(sa.select(boundary.c.id, boundary.c.emergency, boundary.c.body)).all()
        agreements = connection.execute(sa.select(agreement.c.id, agreement.c.expires_at, agreement.c.revoked_at)).all()
    # A boundary's last valid day counts.
    return [
        Ending(Kind.BOUNDARY, row.id, _midnight(row.body["valid_until"]) + timedelta(days=1), row.emergency)
        for row in boundaries
    ] + [Ending(Kind.AGREEMENT, row.id, min(row.expires_at, row.revoked_at or row.expires_at)) for row in agreements]


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")


def remains(node: Node) -> list[Remains]:
    """What each emergency that is over may have left: the one that ended first at the beginning."""
    now = node.clock()
    known = declared(node)
    over = sorted((one for one in known if one.is_over(now)), key=lambda one: one.ends_at)
    nothing_left = len(over) == len(known)
    books = [published.rulebook for published in rulebook_queries.all_rulebooks(node)]
    found = []
    for number, one in enumerate(over, 1):
        of_it = [book for book in books if book.emergency == one.id]
        remain = Remains(
            known=one,
            receipts=frozenset(_receipts(node, one.id)),
            rulebooks=frozenset(book.id for book in of_it),
            versions=frozenset(f"{book.id}@{book.version}" for book in of_it),
            is_last=nothing_left and number == len(over),
        )
        if one.destroyed_at is None or now < one.destroyed_at + LATE:
            remain.matches.update(_matches(node, remain))
        found.append(remain)
    return found


def _receipts(node: Node, emergency_id: str) -> list[str]:
    receipt, boundary = schema.receipt, schema.boundary
    under = sa.select(boundary.c.id).where(boundary.c.emergency == emergency_id)
    query = sa.select(receipt.c.id).where(receipt.c.body["boundary"].as_string().in_(under))
    with node.records.reading() as connection:
        return list(connection.execute(query).scalars())


def _matches(node: Node, remain: Remains) -> dict[str, Matches]:
    """Which rows of which lake tables are to go: facts by their receipt, what was derived of them by its rulebook.

    What is not in the standard is asked for its columns, so that no table of persons can be forgotten here.
    """
    facts = sunset.personal_tables(node.standard)
    found: dict[str, Matches] = {}
    for table in node.lake.tables():
        columns = node.lake.snapshot(table).schema.names
        if sunset.PSEUDONYM not in columns:
            continue
        ground = ("receipt_id", remain.receipts) if table in facts else ("rulebook", remain.rulebooks)
        which: dict[str, Collection[str] | None] = {}
        if not remain.is_last:
            if ground[0] not in columns or not ground[1]:
                continue
            which = {ground[0]: ground[1]}
        found[table] = which if facts.get(table, True) else {**which, sunset.PSEUDONYM: None}
    return found


def gone_from_vault(node: Node, remain: Remains) -> list[str] | None:
    """Pseudonyms of people whom nothing on this node tells of any more, once it is destroyed; None: of everybody.

    Set-based: people with rows under the emergency's receipts, without those who have rows under others.
    """
    import ibis

    if remain.is_last:
        return None
    if not remain.matches or not remain.receipts:
        return []
    going, staying = [], []
    for table in sorted(set(remain.matches) & set(sunset.personal_tables(node.standard))):
        facts = node.engine.table(table)
        named = facts.filter(facts[sunset.PSEUDONYM].notnull())
        is_going = named.receipt_id.isin(sorted(remain.receipts))
        going.append(named.filter(is_going).select(sunset.PSEUDONYM))
        staying.append(named.filter(~is_going).select(sunset.PSEUDONYM))
    if not going:
        return []
    gone = ibis.union(*going, distinct=True).anti_join(ibis.union(*staying), sunset.PSEUDONYM)
    return sorted(node.engine.to_arrow(gone)[sunset.PSEUDONYM].to_pylist())
