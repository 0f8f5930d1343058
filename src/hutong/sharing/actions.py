"""What a person, a job or another party can do in sharing: one function each. This file is the entry to all of them.

Here stands the provider's side: file, decide, withdraw, revoke, deliver. The asking side is in ``actions_recipient``,
telling of revocations in ``actions_revocation``, harvesting in ``actions_harvest``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, NotFound, Refused, Tampered
from hutong.governance.queries import emergency_in_force
from hutong.node import Change, Node
from hutong.opening import queries as opening
from hutong.opening.catalogue.catalogue import Release, dataset_uri
from hutong.opening.release import as_format
from hutong.sharing import demand, queries
from hutong.sharing.actions_harvest import harvest, join_series
from hutong.sharing.actions_recipient import (
    Received,
    agreement_columns,
    follow_request,
    receive,
    request_columns,
    request_data,
)
from hutong.sharing.actions_revocation import Told, hear_revocation, tell_revocations
from hutong.sharing.agreement import Agreement, KeptAgreement, make_agreement, read_agreement, sign_agreement
from hutong.sharing.delivery import (
    Delivery,
    Format,
    Refusals,
    as_recipient,
    asking_party,
    delivery_question,
    is_told,
    refusal_reason,
    sign_note,
)
from hutong.sharing.demand import PurposeCode, Request
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Delivered",
    "Received",
    "Told",
    "decide_request",
    "deliver",
    "file_request",
    "follow_request",
    "harvest",
    "hear_revocation",
    "join_series",
    "receive",
    "request_data",
    "revoke_agreement",
    "tell_revocations",
    "withdraw_request",
]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a delivery hands out: its facts, the content, and the provider's signed note on both."""

    delivery: Delivery
    content: bytes
    note: str

    @property
    def digest(self) -> str:
        """The content's SHA-256 in base64, as RFC 9530 writes it."""
        return base64.b64encode(bytes.fromhex(self.delivery.sha256)).decode()


def file_request(
    node: Node,
    *,
    by: Actor,
    dataset_id: str,
    purpose: PurposeCode,
    statement: str,
    days: int,
    contact: str,
    version: str = demand.LATEST,
    fields: tuple[str, ...] = (),
) -> Request:
    """Ask this node for data of grade 2, as a listed party or as an account of this node.

    Raises ``NotFound`` for an unknown dataset or version, ``BadInput`` for unknown fields, ``Conflict`` for data that
    need no agreement, ``Refused`` for data that never leave the node.
    """
    decision = node.require(by, "request_data", Resource("Dataset", dataset_id))
    dataset = opening.dataset(node, dataset_id)
    demand.check_grade(dataset.grade)
    demand.check_contact(contact)
    release = _release(node, dataset_id, version)
    emergency = emergency_in_force(node, node.clock().date())
    if fields:
        demand.check_fields(fields, _columns(node, release))
    with node.change(by) as change:
        filed = Request(
            id=node.new_id(),
            provider=node.id,
            dataset_id=dataset_id,
            party=asking_party(by),
            purpose=purpose,
            statement=statement,
            days=days,
            contact=contact,
            filed_at=change.at,
            decide_by=demand.decide_by(change.at, in_emergency=emergency is not None),
            version=version,
            fields=fields,
            emergency=emergency.id if emergency else "",
            policies=decision.policies,
        )
        change.execute(schema.request.insert().values(id=filed.id, **request_columns(filed)))
        change.event(
            "request.filed",
            request=filed.id,
            dataset=dataset_id,
            party=_for_the_log(filed.party),
            purpose=purpose,
            days=days,
            decide_by=filed.decide_by.isoformat(),
            emergency=filed.emergency,
            policies=list(decision.policies),
        )
    return filed


def decide_request(
    node: Node, *, by: Actor, request_id: str, grant: bool, reason: str, days: int | None = None
) -> Request:
    """Grant or refuse a request; a grant writes and signs the agreement, for ``days`` or as long as was asked.

    Raises ``Conflict`` when it was decided or withdrawn already or fewer days were asked, ``Refused`` when somebody
    decides on their own.
    """
    permitted = node.require(by, "decide_request", Resource("Request", request_id)).policies
    asked = queries.request(node, request_id)
    if asked.provider != node.id:
        raise Conflict("Another node decides on this request.", f"Wait for {asked.provider}.")
    dataset = opening.dataset(node, asked.dataset_id)
    with node.change(by) as change:
        decided = demand.decide(
            asked,
            grant=grant,
            reason=reason,
            by=by.id,
            at=change.at,
            agreement_id=node.new_id() if grant else "",
            policies=permitted,
        )
        _save_decision(change, decided)
        change.event(
            f"request.{decided.state}",
            request=decided.id,
            dataset=decided.dataset_id,
            party=_for_the_log(decided.party),
            overdue=change.at >= decided.decide_by,
            policies=list(permitted),
        )
        if grant:
            demand.check_grade(dataset.grade)
            target = dataset_uri(dataset, node.settings.url) + (f"/release/{asked.version}" if asked.version else "")
            agreed = make_agreement(
                asked,
                agreement_id=decided.agreement_id,
                target=target,
                agreed_at=change.at,
                days=asked.days if days is None else days,
            )
            _write_agreement(node, change, agreed)
    return decided


def withdraw_request(node: Node, *, by: Actor, request_id: str) -> Request:
    """Take back an own request that waits for a decision."""
    permitted = node.require(by, "request_data", Resource("Request", request_id)).policies
    asked = queries.request(node, request_id)
    if asked.party != asking_party(by) or asked.provider != node.id:
        raise Refused("Only who asked can withdraw a request.", "See your own requests.")
    with node.change(by) as change:
        withdrawn = demand.withdraw(asked, at=change.at, policies=permitted)
        _save_decision(change, withdrawn)
        change.event("request.withdrawn", request=asked.id, dataset=asked.dataset_id, policies=list(permitted))
    return withdrawn


def revoke_agreement(node: Node, *, by: Actor, agreement_id: str, because: str) -> KeptAgreement:
    """End an agreement that this node gave, now: the next delivery under it is refused."""
    permitted = node.require(by, "revoke_agreement", Resource("Agreement", agreement_id)).policies
    demand.check_text(because, "reason")
    kept = queries.agreement(node, agreement_id)
    if kept.agreement.provider != node.id:
        raise Conflict("This node did not give that agreement.", f"Ask {kept.agreement.provider} to revoke it.")
    with node.change(by) as change:
        table = schema.agreement
        revoked = change.execute(
            table.update()
            .where(table.c.id == agreement_id, table.c.revoked_at.is_(None))
            .values(revoked_at=change.at, revoked_because=because)
        )
        if not revoked.rowcount:
            raise Conflict("The agreement was revoked already.", "Nothing is left to do.")
        change.event(
            "agreement.revoked",
            agreement=agreement_id,
            dataset=kept.agreement.dataset_id,
            recipient=_for_the_log(kept.agreement.recipient),
            policies=list(permitted),
        )
    return queries.agreement(node, agreement_id)


def deliver(node: Node, *, by: Actor, agreement_id: str, purpose: PurposeCode, format_: Format) -> Delivered:
    """Hand out the agreed fields of the agreed release to the recipient, for the agreed purpose.

    Raises ``Refused`` with the policies' reasons (another recipient or purpose, revoked, ended, sealed) and
    ``Tampered`` when the release's file or the agreement is not what was published or signed. A refusal is counted by
    agreement, reason and day, and told to the log.
    """
    try:
        return _deliver(node, by=by, agreement_id=agreement_id, purpose=purpose, format_=format_)
    except Refused:
        _count_refusal(node, by=by, agreement_id=agreement_id, purpose=purpose)
        raise


def _deliver(node: Node, *, by: Actor, agreement_id: str, purpose: PurposeCode, format_: Format) -> Delivered:
    with node.records.reading() as connection:
        agreed, _ = _permit(node, connection, by=by, agreement_id=agreement_id, purpose=purpose)
    read_agreement(queries.agreement(node, agreement_id).signed, key=node.keys.public["signing"])
    release = _release(node, agreed.dataset_id, agreed.version)
    table = _read(node, release, agreed.fields)
    content = as_format(table, format_)
    delivery_id = node.new_id()
    with node.change(by) as change:
        # Asked again: a revocation that came while the file was read is obeyed.
        _, permitted = _permit(node, change.connection, by=by, agreement_id=agreement_id, purpose=purpose)
        made = Delivery(
            id=delivery_id,
            agreement_id=agreement_id,
            dataset_id=agreed.dataset_id,
            version=release.version,
            format=format_,
            rows=table.num_rows,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            at=change.at,
            policies=permitted,
        )
        change.execute(
            schema.delivery.insert().values(id=made.id, agreement=agreement_id, body=made.document(), at=made.at)
        )
        change.event(
            "delivery.made",
            delivery=made.id,
            agreement=agreement_id,
            dataset=made.dataset_id,
            version=made.version,
            recipient=_for_the_log(agreed.recipient),
            purpose=purpose,
            rows=made.rows,
            bytes=made.bytes,
            sha256=made.sha256,
            policies=list(permitted),
        )
    note = sign_note(made, key=node.keys.signing, kid=node.keys.public["signing"]["kid"])
    return Delivered(made, content, note)


def _permit(
    node: Node, connection: sa.Connection, *, by: Actor, agreement_id: str, purpose: PurposeCode
) -> tuple[Agreement, tuple[str, ...]]:
    """The agreement, and the ids of the policies that permit this delivery under it now."""
    agreed, resource, context = _question(node, connection, agreement_id=agreement_id, purpose=purpose)
    return agreed, node.require(as_recipient(by), "receive_delivery", resource, context).policies


def _question(
    node: Node, connection: sa.Connection, *, agreement_id: str, purpose: PurposeCode
) -> tuple[Agreement, Resource, dict[str, Any]]:
    kept = queries.load_agreement(connection, agreement_id)
    if kept.agreement.provider != node.id:
        raise NotFound("This node did not give that agreement.", f"Ask {kept.agreement.provider} for the data.")
    dataset = kept.agreement.dataset_id
    grade = connection.execute(sa.select(schema.dataset.c.grade).where(schema.dataset.c.id == dataset)).scalar()
    if grade is None:
        raise NotFound(f"There is no dataset {dataset} any more.", "Search the catalogue.")
    return kept.agreement, *delivery_question(kept, purpose=purpose, grade=grade, now=node.clock())


def _count_refusal(node: Node, *, by: Actor, agreement_id: str, purpose: PurposeCode) -> None:
    """Count a refused delivery by agreement, reason and day; the log is told of the first, the tenth and so on."""
    table = schema.refused_delivery
    with node.records.reading() as connection:
        agreed, resource, context = _question(node, connection, agreement_id=agreement_id, purpose=purpose)
    decision = node.policy.decide(as_recipient(by), "receive_delivery", resource, context)
    if decision.allowed:  # it was refused for another reason, or may be asked for again
        return
    reason, day = refusal_reason(decision.policies), node.clock().date()
    refusals = node.memory.store("refusals", most=1000).get((agreement_id, reason, day), Refusals)
    more = refusals.count(node.clock())
    if not more:
        return
    with node.change(by, unlogged="told of the first, the tenth and so on") as change:
        row = (table.c.agreement == agreement_id, table.c.reason == reason, table.c.day == day)
        if not change.execute(table.update().where(*row).values(times=table.c.times + more)).rowcount:
            change.execute(table.insert().values(agreement=agreement_id, reason=reason, day=day, times=more))
        times = change.execute(sa.select(table.c.times).where(*row)).scalar_one()
        if is_told(times - more, times):
            change.event(
                "delivery.refused",
                agreement=agreement_id,
                dataset=agreed.dataset_id,
                recipient=_for_the_log(agreed.recipient),
                reason=reason,
                day=day.isoformat(),
                times=times,
            )
    refusals.written(times)


def _write_agreement(node: Node, change: Change, agreed: Agreement) -> None:
    signed = sign_agreement(agreed, key=node.keys.signing, kid=node.keys.public["signing"]["kid"])
    change.execute(schema.agreement.insert().values(**agreement_columns(agreed, signed)))
    change.event(
        "agreement.signed",
        agreement=agreed.id,
        request=agreed.request_id,
        dataset=agreed.dataset_id,
        recipient=_for_the_log(agreed.recipient),
        purpose=agreed.purpose,
        expires=agreed.expires_at.isoformat(),
        sha256=hashlib.sha256(signed.encode()).hexdigest(),
    )


def _save_decision(change: Change, decided: Request) -> None:
    table = schema.request
    saved = change.execute(
        table.update().where(table.c.id == decided.id, table.c.state == "filed").values(**request_columns(decided))
    )
    if not saved.rowcount:
        raise Conflict("The request was decided already.", "Look at it again.")


def _for_the_log(party: str) -> str:
    """A listed party's id; an account's name may be a person's name, and stays out."""
    return "account" if party.startswith("account:") else party


def _release(node: Node, dataset_id: str, version: str) -> Release:
    if version and not re.fullmatch(r"[0-9]{1,9}", version):
        raise NotFound(f"{dataset_id} has no version {version}.", "See its versions on its page.")
    return opening.release(node, dataset_id, int(version) if version else None)


def _columns(node: Node, release: Release) -> list[str]:
    import pyarrow.parquet as pq

    return list(pq.read_schema(opening.release_file(node, release, "parquet")).names)


def _read(node: Node, release: Release, fields: tuple[str, ...]) -> pa.Table:
    """The agreed fields of the release, in the release's own order, from the file whose hash was published."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = _columns(node, release)
    content = opening.release_file(node, release, "parquet").read_bytes()
    published = next((file.sha256 for file in release.distributions if file.format == "parquet"), "")
    if hashlib.sha256(content).hexdigest() != published:
        raise Tampered("The release's file is not what was published.", "Restore it from the backup.")
    demand.check_fields(fields, known)
    wanted = [name for name in known if name in fields] if fields else known
    try:
        return pq.read_table(pa.BufferReader(content), columns=wanted)
    except pa.ArrowInvalid as error:
        raise BadInput(f"The release's file can't be read: {error}.", "Publish a new release.") from error
