"""What the doors and later stages read about requests, agreements, deliveries and harvested data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hutong.errors import NotFound, Refused
from hutong.node import Node
from hutong.opening.queries import read_dataset
from hutong.sharing.agreement import KeptAgreement, parse_agreement
from hutong.sharing.delivery import Delivery, asking_party, parse_delivery
from hutong.sharing.demand import Request, State, Task, parse_request, task_list
from hutong.sharing.harvest import Harvested
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource
from hutong.trust.signing import read_unverified

if TYPE_CHECKING:
    from hutong.sharing.joint_series import JointCount, JointSeries

TOLD_FOR = timedelta(days=30)
"""So long after a revocation a recipient that does not answer is told of it again."""
MOST = 500
MOST_COUNTS = 200_000


def requests(node: Node, *, state: State | None = None, party: str | None = None, limit: int = MOST) -> list[Request]:
    """Requests that this node received or sent, the newest first."""
    table = schema.request
    query = sa.select(table.c.body).order_by(table.c.filed_at.desc(), table.c.id).limit(min(limit, MOST))
    if state is not None:
        query = query.where(table.c.state == state)
    if party is not None:
        query = query.where(table.c.party == party)
    with node.records.reading() as connection:
        return [parse_request(body) for body in connection.execute(query).scalars()]


def request(node: Node, request_id: str) -> Request:
    """One request. ``NotFound`` when this node neither received nor sent it."""
    with node.records.reading() as connection:
        return load_request(connection, request_id)


def load_request(connection: sa.Connection, request_id: str) -> Request:
    """One request, read in an open transaction."""
    query = sa.select(schema.request.c.body).where(schema.request.c.id == request_id)
    body = connection.execute(query).scalar()
    if body is None:
        raise NotFound("There is no such request on this node.", "See the list of requests.")
    return parse_request(body)


def readable_party(node: Node, actor: Actor) -> str | None:
    """Whose requests, agreements and deliveries somebody may read: None for everybody's. ``Refused`` when nobody's."""
    if node.policy.decide(actor, "read_requests", Resource("Node", node.id)).allowed:
        return None
    node.require(actor, "read_own_requests")
    return asking_party(actor)


def readable_request(node: Node, actor: Actor, request_id: str) -> Request:
    """One request, for who may read it. ``NotFound``, or ``Refused`` when it is another party's."""
    party, asked = readable_party(node, actor), request(node, request_id)
    if party is not None and asked.party != party:
        raise Refused("This request belongs to another party.", "See your own requests.")
    return asked


def readable_agreement(node: Node, actor: Actor, agreement_id: str) -> KeptAgreement:
    """One agreement, for who may read it. ``NotFound``, or ``Refused`` when it is another party's."""
    party, kept = readable_party(node, actor), agreement(node, agreement_id)
    if party is not None and kept.agreement.recipient != party:
        raise Refused("This agreement belongs to another party.", "See your own agreements.")
    return kept


def agreements(
    node: Node, *, provider: str | None = None, recipient: str | None = None, limit: int = MOST
) -> list[KeptAgreement]:
    """Agreements that this node gave or received, the newest first."""
    table = schema.agreement
    query = sa.select(table).order_by(table.c.agreed_at.desc(), table.c.id).limit(min(limit, MOST))
    if provider is not None:
        query = query.where(table.c.provider == provider)
    if recipient is not None:
        query = query.where(table.c.recipient == recipient)
    with node.records.reading() as connection:
        return [_kept(row) for row in connection.execute(query)]


def agreement(node: Node, agreement_id: str) -> KeptAgreement:
    """One agreement. ``NotFound`` when this node has no part in it."""
    with node.records.reading() as connection:
        return load_agreement(connection, agreement_id)


def load_agreement(connection: sa.Connection, agreement_id: str) -> KeptAgreement:
    """One agreement, read in an open transaction."""
    query = sa.select(schema.agreement).where(schema.agreement.c.id == agreement_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such agreement on this node.", "See the list of agreements.")
    return _kept(row)


def _kept(row: sa.Row[tuple[object, ...]]) -> KeptAgreement:
    # The signature was checked when the document was taken in; the provider checks its own before each delivery.
    _, document = read_unverified(row.signed)
    because = row.revoked_because or ""
    return KeptAgreement(parse_agreement(document), row.signed, row.revoked_at, because, row.revocation_told_at)


def untold_revocations(node: Node, *, limit: int = MOST) -> list[KeptAgreement]:
    """Agreements that this node revoked lately and whose recipient, another node, was not told; the newest first."""
    query = sa.select(schema.agreement).where(*_untold(node))
    with node.records.reading() as connection:
        rows = connection.execute(query.order_by(schema.agreement.c.revoked_at.desc()).limit(min(limit, MOST)))
        return [_kept(row) for row in rows]


def newest_untold_revocation(node: Node) -> datetime | None:
    """When the newest of ``untold_revocations`` was revoked."""
    query = sa.select(sa.func.max(schema.agreement.c.revoked_at)).where(*_untold(node))
    with node.records.reading() as connection:
        return connection.execute(query).scalar()


def _untold(node: Node) -> tuple[sa.ColumnElement[bool], ...]:
    columns = schema.agreement.c
    return (
        columns.provider == node.id,
        columns.revoked_at >= node.clock() - TOLD_FOR,
        columns.revocation_told_at.is_(None),
        sa.not_(columns.recipient.startswith("account:")),  # an account reads it on this node
    )


def deliveries(node: Node, *, agreement_ids: Iterable[str] | None = None, limit: int = MOST) -> list[Delivery]:
    """Deliveries that this node made or received, the newest first."""
    table = schema.delivery
    query = sa.select(table.c.body).order_by(table.c.at.desc(), table.c.id).limit(min(limit, MOST))
    if agreement_ids is not None:
        query = query.where(table.c.agreement.in_(list(agreement_ids)[:MOST]))
    with node.records.reading() as connection:
        return [parse_delivery(body) for body in connection.execute(query).scalars()]


def tasks(node: Node, asked: Request) -> tuple[Task, ...]:
    """The steps of a request as they stand now."""
    if not asked.agreement_id:
        return task_list(asked, node.clock())
    try:
        kept = agreement(node, asked.agreement_id)
    except NotFound:
        # The asking node has the provider's answer, and fetches the agreement next.
        return task_list(asked, node.clock())
    made = deliveries(node, agreement_ids=[asked.agreement_id])
    return task_list(
        asked,
        node.clock(),
        expires_at=kept.agreement.expires_at,
        revoked_at=kept.revoked_at,
        delivered_at=made[-1].at if made else None,
    )


def harvested(node: Node, *, party: str | None = None, offset: int = 0, limit: int | None = None) -> list[Harvested]:
    """Datasets of other parties' catalogues, by party and id."""
    table = schema.harvested_dataset
    query = sa.select(table).order_by(table.c.party, table.c.id).offset(offset).limit(limit)
    if party is not None:
        query = query.where(table.c.party == party)
    with node.records.reading() as connection:
        return [Harvested(row.party, read_dataset(row.body), row.harvested_at) for row in connection.execute(query)]


def joint_series(node: Node) -> JointSeries:
    """What the joint weekly series is and is made of. ``NotFound`` before it was first joined."""
    from hutong.sharing import joint_series as series

    entries = node.log.entries(kind=series.EVENT, limit=1)
    if not entries:
        raise NotFound("There is no joint series yet.", "Harvest the regions, then join: hutong harvest --join")
    return series.series_of(entries[0].event)


@dataclass(frozen=True, slots=True)
class CountFilter:
    """Which figures of the joint series: None leaves a side open. ``since`` and ``until`` are first days of weeks."""

    party: str | None = None
    level: str | None = None
    area_code: str | None = None
    since: date | None = None
    until: date | None = None


def joint_counts(
    node: Node, wanted: CountFilter | None = None, *, offset: int = 0, limit: int = MOST_COUNTS
) -> list[JointCount]:
    """Figures of the joint series by party, dataset, week, level and area. ``NotFound`` before it was first joined."""
    from hutong.sharing import joint_series as series

    wanted = wanted or CountFilter()
    counts = node.engine.table(series.TABLE)
    for name in ("party", "level", "area_code"):
        if (value := getattr(wanted, name)) is not None:
            counts = counts.filter(counts[name] == value)
    if wanted.since:
        counts = counts.filter(counts.period_start >= wanted.since)
    if wanted.until:
        counts = counts.filter(counts.period_start <= wanted.until)
    ordered = counts.order_by(["party", "dataset", "period_start", "level", "area_code"])
    rows = node.engine.to_arrow(ordered.limit(min(limit, MOST_COUNTS), offset=offset)).to_pylist()
    return [series.JointCount(**row) for row in rows]
