"""The end of what is over: an emergency's data about persons are destroyed, once, and the log tells how much.

It stands here and not in ``rights``, which knows what ends, because it must reach what every stage holds about persons:
``passes`` is the last stage, and imports flow backwards only.

Order: the lake first, since its catalogue is in the same database and writes in transactions of its own; then, in one
transaction, all records and the event. A crash between them leaves records that say that destruction is due: it is
repeated, and its event then counts what was left. Backups are not reached: see docs/how-to/back-up-and-move-a-node.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hutong.node import Change, Node
from hutong.rights import vault
from hutong.rights.sunset import Destruction
from hutong.storage import inbox, schema
from hutong.storage.records import in_parts
from hutong.trust.authorisation import Actor

from ..appeal import appeal as appeals
from ..issuance import own_lists
from . import queries as sunset_queries
from .queries import Remains

EMERGENCY_OVER = "emergency-over"
_EXPOSURE = (schema.verification_code, schema.exposure_key, schema.exposure_batch)
_SCRUBBED = (
    *("issued_pass", "appeal", "level_override", "access_grant", "receipt_item", "inbox", "vault_entry"),
    *("verification_code", "exposure_key", "exposure_batch", "session", "api_token", "account", "sign_in_attempt"),
)


def what_is_over(node: Node) -> tuple[Destruction, ...]:
    """What ``end_what_is_over`` would destroy now: a dry run that moves the inbox and changes nothing else."""
    node.move_inbox()
    found = []
    for remain in sunset_queries.remains(node):
        counts = {name: node.lake.count_where(name, which) for name, which in remain.matches.items()}
        gone = sunset_queries.gone_from_vault(node, remain)
        with node.records.rehearsing() as connection:
            counts |= _end_records(Change(connection=connection, by=node.operator, at=node.clock()), remain, gone)
        destruction = _destruction(remain, counts)
        if destruction.total or remain.known.destroyed_at is None:
            found.append(destruction)
    return tuple(found)


def end_what_is_over(node: Node, *, by: Actor) -> tuple[Destruction, ...]:
    """Destroy what emergencies that are over let this node know about persons; repeating does nothing.

    Gone are: facts and levels of persons in the lake (rows, snapshots, files), entries of the vault, whose passes were,
    what was said in appeals, overrides, grants, rows that were held or rejected, exposure data; and, when no other
    emergency is left, residents' accounts, whose names are their numbers. ``rights.sunset.KEPT`` says what stays.
    Passes that would outlive an emergency that was ended early are revoked.

    Each emergency gives one event, with counts, also when there was nothing to destroy.

    Raises Refused (the policy), Unavailable (the disk, or the database was too busy to be scrubbed; try again).
    """
    node.require(by, "destroy_status_data")
    with inbox.one_at_a_time(node.settings.folder / "sunset.lock"):
        node.move_inbox()
        ended = [_end(node, by, remain, *_end_in_lake(node, remain)) for remain in sunset_queries.remains(node)]
    done = [destruction for destruction in ended if destruction is not None]
    if done:
        node.records.scrub(_SCRUBBED)
    return tuple(done)


def _end_in_lake(node: Node, remain: Remains) -> tuple[Mapping[str, int], list[str] | None]:
    """Delete rows of the lake; how many, by table, and whom the vault need not know any more."""
    folder = node.settings.folder
    # Nobody may write to the tables meanwhile: what is not committed yet looks like what is not needed any more.
    with inbox.one_at_a_time(folder / "levels.lock"), inbox.one_at_a_time(folder / "inbox.lock"):
        gone = sunset_queries.gone_from_vault(node, remain)
        counts = {name: node.lake.delete_where(name, which) for name, which in remain.matches.items()}
        if remain.known.destroyed_at is None:
            # Also where no row is left: earlier snapshots of levels, or a destruction that was cut short.
            for name in remain.matches:
                node.lake.purge(name)
    return counts, gone


def _end(
    node: Node, by: Actor, remain: Remains, counts: Mapping[str, int], gone: list[str] | None
) -> Destruction | None:
    with node.change(by) as change:
        destruction = _destruction(remain, {**counts, **_end_records(change, remain, gone)})
        if not destruction.total and remain.known.destroyed_at is not None:
            return None
        change.execute(
            schema.emergency.update().where(schema.emergency.c.id == remain.known.id).values(destroyed_at=change.at)
        )
        change.event(
            "status-data.destroyed",
            emergency=destruction.emergency,
            because=destruction.because,
            ended_at=destruction.ended_at.isoformat(),
            counts=dict(destruction.counts),
            rows=destruction.total,
        )
    return destruction


def _destruction(remain: Remains, counts: Mapping[str, int]) -> Destruction:
    kept = {name: counts[name] for name in sorted(counts) if counts[name]}
    return Destruction(remain.known.id, remain.known.because, remain.known.ends_at, kept)


def _end_records(change: Change, remain: Remains, gone: list[str] | None) -> dict[str, int]:
    """Delete or empty rows of the records; how many, by table."""
    of_versions = sorted(remain.versions)
    override, grant = schema.level_override, schema.access_grant
    counts = {
        **_end_passes(change, of_versions, change.at, is_last=remain.is_last),
        "level_override": _delete(change, override, override.c.rulebook.in_(of_versions), all_=remain.is_last),
        "appeal": _empty_appeals(change, remain.known.id),
        "access_grant": _delete(change, grant, grant.c.ends_at <= change.at, all_=remain.is_last),
        "vault_entry": vault.forget(change, gone),
        **{str(table.name): _delete(change, table, table.c.emergency == remain.known.id) for table in _EXPOSURE},
    }
    for table in (schema.receipt_item, schema.inbox):
        counts[str(table.name)] = sum(
            _delete(change, table, table.c.receipt.in_(part)) for part in in_parts(sorted(remain.receipts))
        )
    if remain.is_last:
        counts["account"] = _end_accounts(change, tries_too=remain.known.destroyed_at is None)
    return counts


def _delete(change: Change, table: sa.Table, which: sa.ColumnElement[bool], *, all_: bool = False) -> int:
    return int(change.execute(table.delete() if all_ else table.delete().where(which)).rowcount)


def _end_passes(change: Change, versions: list[str], now: datetime, *, is_last: bool) -> dict[str, int]:
    """Passes that have expired go; of those that would live on, only what the status list needs stays, revoked.

    Also of passes that were made from another region's, which are nobody's from the start.
    """
    table = schema.issued_pass
    of_it = sa.true() if is_last else table.c.rulebook.in_(versions)
    expired = _delete(change, table, sa.and_(of_it, table.c.expires_at <= now))
    says_more = sa.or_(table.c.pseudonym != "", table.c.revoked_at.is_(None), table.c.revoked_because.is_not(None))
    ended = change.execute(
        table.update()
        .where(of_it, says_more)
        .values(
            pseudonym="",
            revoked_at=sa.func.coalesce(table.c.revoked_at, sa.literal(now, table.c.revoked_at.type)),
            revoked_by_rule=sa.func.coalesce(table.c.revoked_by_rule, EMERGENCY_OVER),
            revoked_because=None,
        )
    )
    if expired or ended.rowcount:
        own_lists.note_change(change)
    return {str(table.name): expired + int(ended.rowcount)}


def _empty_appeals(change: Change, emergency_id: str) -> int:
    table = schema.appeal
    query = sa.select(table.c.body).where(table.c.emergency == emergency_id, table.c.pseudonym != "")
    forgotten = [appeals.forget(appeals.read_appeal(body)) for body in change.execute(query).scalars()]
    for one in forgotten:
        emptied: dict[str, Any] = {"pseudonym": "", "body": one.document(), "due_at": None}
        change.execute(table.update().where(table.c.id == one.id).values(**emptied))
    return len(forgotten)


def _end_accounts(change: Change, *, tries_too: bool) -> int:
    """Accounts that are residents' and nothing else, with their sessions, tokens and tries to sign in.

    Later tries, which are of accounts that stay, are counted against guessing: each time that somebody signs in, those
    that are too old to count go.
    """
    account = schema.account
    rows = change.execute(sa.select(account.c.name, account.c.roles)).all()
    residents = [row.name for row in rows if row.roles == ["resident"]]
    for part in in_parts(residents):
        change.execute(schema.session.delete().where(schema.session.c.account.in_(part)))
        change.execute(schema.api_token.delete().where(schema.api_token.c.account.in_(part)))
        change.execute(account.delete().where(account.c.name.in_(part)))
    if residents or tries_too:
        change.execute(schema.sign_in_attempt.delete())
    return len(residents)
