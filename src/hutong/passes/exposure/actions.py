"""What an authority, a phone and the node's job can do in distributed collection.

Nobody signs in to report, no record ties a key to a code, a time or another key, and the log tells only of codes given,
batches and destruction: an entry for each upload would tell the world when somebody reported.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hutong.errors import BadInput, Refused, TooManyRequests, Unavailable
from hutong.governance.account import token_hash
from hutong.governance.emergency import Emergency
from hutong.node import Change, Node
from hutong.storage.schema import emergency as emergency_table
from hutong.storage.schema import exposure_batch, exposure_key, sign_in_attempt, verification_code
from hutong.trust.authorisation import Actor, Resource

from .. import powers
from ..credential.keys import KeyRing
from . import key as rules
from . import queries as exposure_queries
from .code import (
    CODE_LASTS,
    MOST_OPEN_CODES,
    TOKEN_LASTS,
    UploadToken,
    VerificationCode,
    draw_code,
    keyed_hash,
    parse_report_type,
)
from .export import Export, in_export_order, write_archive
from .key import KEPT_DAYS, MOST_KEYS, WINDOW_SECONDS, ExposureKey, ReportType, check_upload
from .queries import Batch

ONSET_DAYS = 28
_TRIALS = 8


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was destroyed of one emergency, because of its age or of the emergency's end. Keys count random ones too."""

    emergency: str
    because: str
    codes: int
    keys: int
    batches: int


def issue_code(
    node: Node, *, by: Actor, emergency_id: str, report_type: str = "confirmed_test", onset_on: date | None = None
) -> VerificationCode:
    """A one-time code for a person who may tell of exposure; it is shown once, here, and lasts an hour.

    Args:
        report_type: confirmed_test, confirmed_clinical_diagnosis or self_report.
        onset_on: day of the first symptoms, at most 28 days ago.

    Raises:
        Refused: the policy, or the emergency is not in force.
        BadInput: report type or day.
        TooManyRequests: a thousand codes are open.
    """
    node.require(by, "issue_exposure_code", Resource("Emergency", emergency_id[:80]))
    emergency = powers.require_emergency(node, emergency_id)
    kind = parse_report_type(report_type)
    with node.change(by) as change:
        if onset_on is not None and not timedelta() <= change.at.date() - onset_on <= timedelta(days=ONSET_DAYS):
            raise BadInput(f"The day of onset is not in the last {ONSET_DAYS} days.", "Correct it or leave it out.")
        _require_few_open(change)
        code = _free_code(node, change)
        expires_at = min(change.at + CODE_LASTS, powers.end_of(emergency))
        change.execute(
            verification_code.insert().values(
                hash=keyed_hash(node.keys.pseudonym_key, code),
                stage="code",
                emergency=emergency.id,
                report_type=kind,
                onset_on=onset_on,
                expires_at=expires_at,
            )
        )
        change.event("exposure-code.issued", emergency=emergency.id, expires=expires_at.isoformat())
    return VerificationCode(code=code, emergency=emergency.id, report_type=kind, expires_at=expires_at)


def _require_few_open(change: Change) -> None:
    is_open = sa.and_(verification_code.c.stage == "code", verification_code.c.expires_at > change.at)
    if change.execute(sa.select(sa.func.count()).where(is_open)).scalar_one() >= MOST_OPEN_CODES:
        raise TooManyRequests(f"{MOST_OPEN_CODES} codes are open.", "Wait until some were used or are over.")


def _free_code(node: Node, change: Change) -> str:
    for _ in range(_TRIALS):
        code = draw_code(node.random)
        taken = sa.select(verification_code.c.hash).where(
            verification_code.c.hash == keyed_hash(node.keys.pseudonym_key, code)
        )
        if change.execute(taken).scalar() is None:
            return code
    raise Unavailable("No free code was found.", "Try again.")


def exchange_code(node: Node, *, by: Actor, code: str, address: str) -> UploadToken:
    """The token for one upload, within a day; the code is used up.

    Args:
        address: where the call comes from; it is kept for five minutes as a keyed hash, to count wrong codes.

    Raises:
        Refused: no emergency in force, or the code does not fit: always in the same words, whatever is wrong with it.
        TooManyRequests: too many wrong codes from there.
    """
    node.require(by, "report_exposure")
    ends = {emergency.id: powers.end_of(emergency) for emergency in exposure_queries.emergencies_in_force(node)}
    caller = f"exposure:{keyed_hash(node.keys.pseudonym_key, address)}"
    token = base64.urlsafe_b64encode(node.random(32)).rstrip(b"=").decode()
    with node.change(by, unlogged="the time would tell whose code it was") as change:
        _require_few_wrong(node, change, caller)
        fits = sa.and_(
            verification_code.c.hash == keyed_hash(node.keys.pseudonym_key, code),
            verification_code.c.stage == "code",
            verification_code.c.emergency.in_(ends),
            verification_code.c.expires_at > change.at,
        )
        row = change.execute(sa.select(verification_code).where(fits)).one_or_none()
        if row is not None:
            expires_at = min(change.at + TOKEN_LASTS, ends[row.emergency])
            values = {"hash": token_hash(token), "stage": "token", "expires_at": expires_at}
            row = row if change.execute(verification_code.update().where(fits).values(values)).rowcount else None
        if row is None:
            change.execute(sign_in_attempt.insert().values(key=caller, at=change.at))
    # Outside of the transaction: the wrong try must stay counted.
    if row is None:
        raise Refused("The code does not fit.", "Check its twelve digits, or ask for a new one: a code lasts an hour.")
    return UploadToken(token=token, report_type=ReportType(row.report_type), expires_at=expires_at)


def _require_few_wrong(node: Node, change: Change, caller: str) -> None:
    limits = node.settings.limits
    since = change.at - timedelta(seconds=limits.sign_in_window_seconds)
    attempt = sign_in_attempt.c
    ours = attempt.key.like("exposure:%")
    change.execute(sign_in_attempt.delete().where(ours, attempt.at < since))
    wrong = change.execute(sa.select(sa.func.count()).where(attempt.key == caller)).scalar_one()
    if wrong >= limits.sign_in_attempts:
        raise TooManyRequests("Too many wrong codes.", "Wait five minutes and try again.")


def upload_keys(node: Node, *, by: Actor, token: str, keys: Sequence[ExposureKey]) -> int:
    """Take the keys of one phone, all or none, and forget the token; returns how many keys were given.

    A key waits until two hours after its own end, and until a four-hour window is over. Keys that the node has already
    are passed over. Phones should upload at a random time, and padded to one size, so that a watcher of the network
    learns nothing either.

    Raises:
        Refused: no emergency in force, or the token does not fit (always in the same words).
        BadInput: keys that can't be from one phone's last days; the token is not used up.
    """
    node.require(by, "report_exposure")
    in_force = {emergency.id for emergency in exposure_queries.emergencies_in_force(node)}
    now = node.clock()
    check_upload(keys, now=now)
    held = sa.and_(
        verification_code.c.hash == token_hash(token),
        verification_code.c.stage == "token",
        verification_code.c.emergency.in_(in_force),
        verification_code.c.expires_at > now,
    )
    # Read first: whoever makes tokens up shall not get the write lock.
    with node.records.reading() as connection:
        row = connection.execute(sa.select(verification_code).where(held)).one_or_none()
    if row is None:
        raise _unfit_token()
    with node.change(by, unlogged="the time would tell whose keys these are; their batch is logged") as change:
        if not change.execute(verification_code.delete().where(held)).rowcount:
            raise _unfit_token()
        kind = ReportType(row.report_type)
        told = [
            ExposureKey(key.key_data, key.rolling_start, key.rolling_period, kind).since_onset(row.onset_on)
            for key in keys
        ]
        _keep(change, [_record(key, row.emergency, rules.due_at(key, now=now)) for key in in_export_order(told)])
    return len(keys)


def _unfit_token() -> Refused:
    return Refused("The token does not fit.", "Get one for a code of the authority; it is good for one upload.")


def _record(key: ExposureKey, emergency_id: str, due_at: datetime, *, published: bool = False) -> dict[str, Any]:
    return {
        "key_data": key.key_data,
        "emergency": emergency_id,
        "rolling_start": key.rolling_start,
        "rolling_period": key.rolling_period,
        "report_type": key.report_type,
        "days_since_onset": key.days_since_onset,
        "due_at": due_at,
        "ends_at": key.ends_at,
        "published": published,
    }


def _keep(change: Change, records: list[dict[str, Any]]) -> None:
    # Keys that are known are passed over, also when two uploads bring them at once: only the dialects can say that.
    dialect = sqlite if change.connection.dialect.name == "sqlite" else postgresql
    change.execute(dialect.insert(exposure_key).on_conflict_do_nothing(index_elements=["key_data"]), records)


def publish_batches(node: Node, *, by: Actor) -> tuple[Batch, ...]:
    """Publish the keys whose window is over, one signed batch for each emergency in force; repeating is harmless.

    A batch is filled up with random keys to a thousand or more, sorted by the keys' octets; the random ones are kept
    like real ones, so that no record and no count in the log tells them apart.

    Raises:
        Refused: the policy, no emergency in force, or the pass key has ended.
    """
    node.require(by, "publish_exposure_batches")
    in_force = exposure_queries.emergencies_in_force(node)
    (certificate,) = KeyRing.of([node.keys.pass_certificate]).keys
    if certificate.not_after is not None and node.clock() >= certificate.not_after:
        raise Refused("The key that signs batches has ended.", "Give the node a new pass key.")
    made = [_publish(node, by, emergency) for emergency in in_force]
    return tuple(batch for batch in made if batch is not None)


def _publish(node: Node, by: Actor, emergency: Emergency) -> Batch | None:
    table = exposure_key.c
    with node.change(by) as change:
        ends_at = rules.window_end(change.at)
        # On PostgreSQL another job must wait here, or both would publish the same keys.
        change.execute(
            sa.select(emergency_table.c.id).where(emergency_table.c.id == emergency.id).with_for_update(key_share=True)
        )
        of_emergency = exposure_batch.c.emergency == emergency.id
        latest = change.execute(sa.select(sa.func.max(exposure_batch.c.ends_at)).where(of_emergency)).scalar()
        due = sa.and_(table.emergency == emergency.id, table.published.is_(False), table.due_at <= ends_at)
        query = sa.select(exposure_key).where(due).order_by(table.key_data).limit(MOST_KEYS)
        keys = [_key(row) for row in change.execute(query)]
        if not keys or (latest is not None and latest >= ends_at):
            return None
        mark = exposure_key.update().where(table.key_data == sa.bindparam("told")).values(published=True)
        change.execute(mark, [{"told": key.key_data} for key in keys])
        filling = rules.padding(keys, node.random)
        _keep(change, [_record(key, emergency.id, ends_at, published=True) for key in filling])
        export = Export(
            starts_at=latest or ends_at - timedelta(seconds=WINDOW_SECONDS),
            ends_at=ends_at,
            region=node.settings.territory,
            signed_by=exposure_queries.key_name(node),
            keys=in_export_order([*keys, *filling]),
        )
        return _store(node, change, emergency, export)


def _key(row: Any) -> ExposureKey:
    return ExposureKey(
        key_data=bytes(row.key_data),
        rolling_start=row.rolling_start,
        rolling_period=row.rolling_period,
        report_type=ReportType(row.report_type),
        days_since_onset=row.days_since_onset,
    )


def _store(node: Node, change: Change, emergency: Emergency, export: Export) -> Batch:
    content = write_archive(export, node.keys.passes)
    batch = Batch(
        id=f"{int(export.ends_at.timestamp())}-{node.new_id()[:8]}",
        emergency=emergency.id,
        starts_at=export.starts_at,
        ends_at=export.ends_at,
        keys=len(export.keys),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    change.execute(
        exposure_batch.insert().values(
            id=batch.id,
            emergency=batch.emergency,
            starts_at=batch.starts_at,
            ends_at=batch.ends_at,
            keys=batch.keys,
            sha256=batch.sha256,
            content=content,
        )
    )
    change.event(
        "exposure-batch.published",
        batch=batch.id,
        emergency=batch.emergency,
        window_end=batch.ends_at.isoformat(),
        keys=batch.keys,
        sha256=batch.sha256,
    )
    return batch


def destroy_old(node: Node, *, by: Actor) -> tuple[Destroyed, ...]:
    """Destroy codes and tokens that are over, keys and batches after 14 days, and all of it when an emergency is over.

    The destruction is an event with counts for each emergency of which something was destroyed.
    """
    node.require(by, "destroy_exposure_data")
    try:
        in_force = {emergency.id for emergency in exposure_queries.emergencies_in_force(node)}
    except Refused:
        in_force = set()
    done = []
    with node.change(by) as change:
        tables = (verification_code, exposure_key, exposure_batch)
        found = {name for table in tables for name in change.execute(sa.select(table.c.emergency).distinct()).scalars()}
        for emergency_id in sorted(found):
            destroyed = _destroy(change, emergency_id, is_over=emergency_id not in in_force)
            if destroyed.codes or destroyed.keys or destroyed.batches:
                done.append(destroyed)
                change.event(
                    "exposure-data.destroyed",
                    emergency=destroyed.emergency,
                    because=destroyed.because,
                    codes=destroyed.codes,
                    keys=destroyed.keys,
                    batches=destroyed.batches,
                )
    return tuple(done)


def _destroy(change: Change, emergency_id: str, *, is_over: bool) -> Destroyed:
    before = change.at - timedelta(days=KEPT_DAYS)

    def delete(table: sa.Table, old: sa.ColumnElement[bool]) -> int:
        which = table.c.emergency == emergency_id
        return int(change.execute(table.delete().where(which if is_over else sa.and_(which, old))).rowcount)

    return Destroyed(
        emergency=emergency_id,
        because="emergency-over" if is_over else "age",
        codes=delete(verification_code, verification_code.c.expires_at <= change.at),
        keys=delete(exposure_key, exposure_key.c.ends_at <= before),
        batches=delete(exposure_batch, exposure_batch.c.ends_at <= before),
    )
