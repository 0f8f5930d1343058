"""What a person declares: a statement of health or of a trip, taken in like any submission, with a receipt.

The same boundary, the same rules of the standard and the same inbox as for a file: on return the statement is durable,
and ``Node.move_inbox`` moves it to the lake. A correction is a new statement under the source ``correction``; what was
said before stays.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from hutong.acquisition import queries
from hutong.acquisition.actions import save_receipt
from hutong.acquisition.receipt import Noticed, Receipt
from hutong.acquisition.source import CORRECTION, SELF_REPORT, Source
from hutong.errors import BadInput
from hutong.node import Change, Node
from hutong.rights.person import known_pseudonym, owned, pseudonym_of
from hutong.storage import inbox, schema
from hutong.trust.authorisation import Actor
from hutong.trust.signing import canonical_json

if TYPE_CHECKING:
    from hutong.acquisition.chunk import MappedChunk, Plan
    from hutong.acquisition.readers.table import TableChunk

TITLES: Mapping[str, Mapping[str, str]] = {
    SELF_REPORT: {"en": "What residents declare themselves", "zh": "居民自行申报"},
    CORRECTION: {"en": "What residents correct", "zh": "居民更正"},
}
MOST_SYMPTOMS = 30
FEVER, NONE = "fever", "none"

Row = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class HealthStatement:
    """How somebody is. ``symptoms``: codes of the standard, all that there are; none of them means: no symptom.

    ``body_temperature`` is in degrees Celsius; ``risk_area_stay``: a stay in, or contact with, an area of high risk.
    """

    symptoms: tuple[str, ...]
    stated_at: datetime
    body_temperature: float | None = None
    risk_area_stay: bool | None = None
    started: date | None = None

    def rows(self) -> list[Row]:
        """A row for each symptom; fever is always spoken of, since its absence is a statement too."""
        named = [code for code in dict.fromkeys(self.symptoms) if code != NONE]
        if len(named) > MOST_SYMPTOMS:
            raise BadInput("There are more symptoms than the standard has.", "Name each once.")
        present = dict.fromkeys(named, True) or {NONE: True}
        shared = {
            "stated_at": _moment(self.stated_at),
            "body_temperature": None if self.body_temperature is None else f"{self.body_temperature:.1f}",
            "risk_area_stay": _yes_or_no(self.risk_area_stay),
        }
        started = self.started.isoformat() if self.started and named else None
        rows: list[Row] = [
            {"symptom": code, "present": _yes_or_no(there), "started": started if there else None, **shared}
            for code, there in ({FEVER: False} | present).items()
        ]
        return rows


@dataclass(frozen=True, slots=True)
class TripStatement:
    """A stay; ``left`` is None while it lasts. Stated again with the same arrival it replaces the first statement."""

    area_code: str
    arrived: datetime
    left: datetime | None = None
    place_id: str | None = None
    transport: str | None = None
    vehicle: str | None = None

    def rows(self) -> list[Row]:
        """One row."""
        return [
            {
                "area_code": self.area_code,
                "place_id": self.place_id,
                "arrived": _moment(self.arrived),
                "left": None if self.left is None else _moment(self.left),
                "transport": self.transport,
                "vehicle": self.vehicle,
            }
        ]


Statement = HealthStatement | TripStatement


def declare(
    node: Node, *, by: Actor, person: str, statement: Statement, source: str = SELF_REPORT, about: str = ""
) -> Receipt:
    """Take in one statement of a person, made by themselves or written down by an authority.

    Args:
        person: the resident's number, or the pseudonym.
        source: SELF_REPORT or CORRECTION.
        about: for a correction, the id of the appeal that holds its reason.

    Returns:
        The receipt; the same statement again adds nothing and gives the first receipt (``repeated``).

    Raises:
        Refused: the policy; no boundary in force for it, or one that keeps out what it can't be without.
        NotFound: nobody of that number.
        BadInput: a symptom that the standard has not, a time that can't be written in UTC, too many symptoms.
        Conflict: the same statement is being taken in at this moment.
    """
    from hutong.acquisition.chunk import Submission, map_chunk

    node.require(by, "declare_facts", owned(node, by, pseudonym_of(node, person)))
    pseudonym = known_pseudonym(node, person)
    require_codes(node, statement)
    started = time.monotonic()
    kind = "health" if isinstance(statement, HealthStatement) else "trip"
    rows = [{"pseudonym": pseudonym, **row} for row in statement.rows()]
    plan, mapping_sha256 = _plan(node, kind, tuple(rows[0]))
    # The pseudonym is a keyed hash, so that nobody without the node's key can guess who said what from this one.
    sha256 = hashlib.sha256(canonical_json({"source": source, "about": about, "rows": rows})).hexdigest()
    earlier = queries.receipt_of_file(node, source, sha256, plan.mapping.table.name)
    if earlier is not None:
        return replace(earlier, repeated=True)
    submission = Submission(source, node.new_id(), sha256, node.clock())
    mapped = map_chunk(_chunk(rows), plan, submission)
    receipt = Receipt(
        id=submission.receipt_id,
        source=source,
        table=plan.mapping.table.name,
        file_name=f"appeal {about}" if about else f"{kind} statement",
        file_sha256=sha256,
        file_bytes=0,
        mapping=f"{plan.mapping.id}@{plan.mapping.version}",
        mapping_sha256=mapping_sha256,
        boundary=plan.decision.boundary,
        rows=mapped.rows,
        accepted=mapped.accepted.num_rows,
        held=len(mapped.held),
        rejected=len(mapped.rejected),
        findings=tuple(Noticed(one.rule, one.subject, count) for one, count in sorted(mapped.findings.items())),
        refused_values={name: count for name, count in sorted(mapped.refused.items()) if count},
        columns_outside=(),
        received_at=submission.known_at,
        seconds=round(time.monotonic() - started, 3),
        salt=node.random(16).hex(),
    )
    _save(node, by, receipt, mapped)
    return receipt


def require_codes(node: Node, statement: Statement) -> None:
    """Refuse a symptom that the standard has not: left out, the rest would say that there is no fever. BadInput."""
    if isinstance(statement, HealthStatement):
        codes = [code.value for code in node.standard.code_list("symptom_code").codes]
        for symptom in statement.symptoms:
            if symptom not in codes:
                raise BadInput(f"There is no symptom {symptom!r} in the standard.", f"Use: {', '.join(codes)}.")


def _save(node: Node, by: Actor, receipt: Receipt, mapped: MappedChunk) -> None:
    batches = [(receipt.accepted, inbox.pack(mapped.accepted))] if receipt.accepted else []
    with node.change(by) as change:
        _declare_source(node, change, receipt.source)
        save_receipt(node, change, receipt, items=[*mapped.held, *mapped.rejected], batches=batches)


def _declare_source(node: Node, change: Change, source_id: str) -> None:
    """Sources of this kind are there from the first statement on: they are nobody's feed."""
    table = schema.source
    if change.execute(table.select().where(table.c.id == source_id)).first() is not None:
        return
    source = Source(
        id=source_id,
        title=TITLES[source_id],
        provider=node.id,
        territory=node.settings.territory,
        licence="",
        homepage=node.settings.url,
        citation="",
    )
    change.execute(table.insert().values(id=source.id, body=source.document(), declared_at=change.at))
    change.event("source.declared", source=source.id, provider=source.provider)


@cache
def _mapping_text(kind: str) -> str:
    return (resources.files("hutong.acquisition") / "declared" / f"{kind}.yaml").read_text("utf-8")


def _plan(node: Node, kind: str, columns: tuple[str, ...]) -> tuple[Plan, str]:
    from hutong.acquisition.chunk import plan_mapping
    from hutong.acquisition.mapping_file import read_mapping

    text = _mapping_text(kind)
    mapping = read_mapping(text, node.standard)
    now = node.clock()
    boundary = queries.boundary_in_force(node, mapping.table.name, on=now.date())
    plan = plan_mapping(mapping, columns, boundary, node.standard, known_at=now)
    return plan, hashlib.sha256(text.encode()).hexdigest()


def _chunk(rows: Sequence[Row]) -> TableChunk:
    import pyarrow as pa

    from hutong.acquisition.readers.table import TableChunk

    schema_ = pa.schema([(name, pa.string()) for name in rows[0]])
    return TableChunk(pa.Table.from_pylist(list(rows), schema=schema_), pa.array(range(1, len(rows) + 1), pa.int64()))


def _moment(at: datetime) -> str:
    try:
        return at.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise BadInput("A time is out of range.", "Give a time such as 2026-01-31T00:00:00Z.") from error


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
