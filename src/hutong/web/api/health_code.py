"""The operations of GB/T 38963-2020 (personal health code: application interface) as an API, under their Chinese names.

A crosswalk, not a claim of conformance: the standard's fields are not public except ``bizExtData``, the content of the
code that is verified.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from hutong.acquisition import declarations
from hutong.acquisition import queries as acquisition
from hutong.acquisition.declarations import HealthStatement, Statement, TripStatement
from hutong.acquisition.receipt import Receipt
from hutong.acquisition.source import CORRECTION
from hutong.errors import BadInput
from hutong.node import Node
from hutong.passes.appeal import actions as appeal_actions
from hutong.passes.appeal import correction_actions
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.appeal.appeal import Subject
from hutong.passes.appeal.correction import LevelOverride
from hutong.passes.appeal.queries import AccessGrant
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.rights.person import owned, pseudonym_of
from hutong.trust.authorisation import Actor
from hutong.web.api.appeals import STEP, AppealModel, appeal_model
from hutong.web.api.passes import FactNames, NewPass, PassHours, VerificationAnswer, new_pass
from hutong.web.api.rulebooks import Why, whys
from hutong.web.api.times import Day, Moment
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter(prefix="/api/health-code", tags=["health code"])
CROSSWALK = "Corresponds to clause {} of GB/T 38963-2020 ({}); a crosswalk, not a claim of conformance."

PersonField = Annotated[
    str | None,
    Field(min_length=1, max_length=64, description="The resident's number or pseudonym; by default whoever asks"),
]
GrantId = Annotated[str, Path(pattern="^[0-9a-z]{1,40}$")]
Symptom = Annotated[str, Field(pattern="^[a-z][a-z-]{0,39}$", examples=["fever"])]


class HealthDeclaration(BaseModel):
    """How somebody is now: all symptoms that there are, as codes of the standard; an empty list says: none."""

    person: PersonField = None
    symptoms: list[Symptom] = Field(max_length=30)
    body_temperature: float | None = Field(default=None, ge=30, le=45, description="Degrees Celsius")
    risk_area_stay: bool | None = Field(default=None, description="Stayed in, or had contact with, a high-risk area")
    started: Day | None = Field(default=None, description="Day on which the symptoms began")
    stated_at: Moment | None = Field(default=None, description="By default now")


class TripDeclaration(BaseModel):
    """A stay. Stated again with the same arrival it replaces the first statement; both are kept."""

    person: PersonField = None
    area_code: str = Field(pattern=r"^[A-Z]{2}(-[^\s/]{1,120})?$", examples=["TW-67000350"])
    arrived: Moment
    left: Moment | None = Field(default=None, description="Absent while it lasts")
    place_id: str | None = Field(default=None, pattern="^[A-Za-z0-9._:-]{1,64}$")
    transport: Literal["walk", "car", "bus", "rail", "ship", "air", "other"] | None = None
    vehicle: str | None = Field(default=None, min_length=1, max_length=40, description="Flight, train or bus")


class DeclarationReceipt(BaseModel):
    """The answer to a statement, which is durable when it is given."""

    id: str
    table: str
    source: str
    boundary: str = Field(description="Under which it may be collected")
    accepted: int
    held: int
    rejected: int
    why_not: list[str] = Field(description="Why rows were held or rejected")
    outside_boundary: list[str] = Field(description="What was not taken in, because it may not be collected")
    received_at: datetime
    repeated: bool = Field(description="The same statement was there already")


class OverrideSummary(BaseModel):
    id: str
    rule_id: str
    ends_at: datetime
    appeal: str | None


class Health(BaseModel):
    """The level in force and why. Under a grant, an application is told the level, its meaning and its day only."""

    level: str
    meaning: dict[str, str]
    as_of: date
    rulebook: str
    version: str
    reasons: list[Why] | None
    evidence_dates: dict[str, str] | None
    decided_at: datetime
    override: OverrideSummary | None
    under_review_by: str | None = Field(description="The appeal that was not decided in time")


class AccessRequest(BaseModel):
    """Which application may ask, what for, until when."""

    person: PersonField = None
    application: str = Field(pattern="^[A-Za-z0-9.-]{1,60}$", description="Its account on this node")
    purpose: str = Field(min_length=1, max_length=2000)
    ends_at: Moment = Field(description="At most 30 days ahead, and within the emergency")


class Access(BaseModel):
    """A grant, and how often it was used."""

    id: str
    application: str
    purpose: str
    granted_at: datetime
    ends_at: datetime
    uses: int
    used_at: datetime | None


class CodeRequest(BaseModel):
    person: PersonField = None
    hours: PassHours = 24
    facts: FactNames = ()


class CodeToVerify(BaseModel):
    """What was scanned."""

    bizExtData: str = Field(min_length=1, max_length=100_000, description="Content of the QR code")  # noqa: N815
    scene: Scene = Scene.PUBLIC_PLACE


class CorrectionRequest(BaseModel):
    """What is wrong. With a new statement of health or of a trip, this is taken in as a new fact."""

    person: PersonField = None
    what: Literal["level", "health", "trip"]
    statement: str = Field(min_length=1, max_length=2000, description="What is wrong, in one's own words")
    health: HealthDeclaration | None = None
    trip: TripDeclaration | None = None


class CorrectionFiled(BaseModel):
    """The appeal with its dates, and the receipt of the new fact, if one was given."""

    appeal: AppealModel
    receipt: DeclarationReceipt | None


@router.post(
    "/declare-health",
    status_code=201,
    summary="Declare health 用户健康信息申报",
    description=CROSSWALK.format("6.2", "用户健康信息申报"),
    responses=STEP,
)
def declare_health(node: CurrentNode, actor: CurrentActor, given: HealthDeclaration) -> DeclarationReceipt:
    statement = _health(node, given)
    receipt = declarations.declare(node, by=actor, person=given.person or actor.id, statement=statement)
    return _receipt(node, receipt)


@router.post(
    "/declare-trip",
    status_code=201,
    summary="Declare a trip 用户行程申报",
    description=CROSSWALK.format("6.3", "用户行程申报"),
    responses=STEP,
)
def declare_trip(node: CurrentNode, actor: CurrentActor, given: TripDeclaration) -> DeclarationReceipt:
    receipt = declarations.declare(node, by=actor, person=given.person or actor.id, statement=_trip(given))
    return _receipt(node, receipt)


@router.get(
    "/health",
    summary="Query health 用户健康信息查询",
    description=CROSSWALK.format("6.4", "用户健康信息查询"),
    responses=problems(401, 403, 404, 422),
)
def get_health(
    node: CurrentNode, actor: CurrentActor, person: Annotated[str | None, Query(min_length=1, max_length=64)] = None
) -> Health:
    whom = person or actor.id
    found = correction_actions.read_level(node, by=actor, person=whom)
    full = _may_see_why(node, actor, whom)
    override = found.override if full else None
    return Health(
        level=found.level,
        meaning=dict(found.meaning),
        as_of=found.status.as_of,
        rulebook=found.rulebook.id,
        version=found.rulebook.version,
        reasons=whys(found.reasons) if full else None,
        evidence_dates=dict(found.status.explain(found.rulebook).evidence_dates) if full else None,
        decided_at=found.status.decided_at,
        override=None if override is None else _override(override),
        under_review_by=found.appeal if full else None,
    )


@router.post(
    "/request-access",
    status_code=201,
    summary="Request a call 健康码调用申请",
    description=CROSSWALK.format("6.5", "健康码调用申请")
    + " The resident (or an authority for them) lets an application ask, for a purpose and until an end.",
    responses=STEP,
)
def request_access(node: CurrentNode, actor: CurrentActor, given: AccessRequest) -> Access:
    grant = correction_actions.grant_access(
        node,
        by=actor,
        person=given.person or actor.id,
        application=given.application,
        purpose=given.purpose,
        ends_at=given.ends_at,
    )
    return _access(grant)


@router.get("/access", responses=problems(401, 403, 422))
def list_access(
    node: CurrentNode, actor: CurrentActor, person: Annotated[str | None, Query(min_length=1, max_length=64)] = None
) -> list[Access]:
    """Who may ask for a person's level, and how often they did: for the resident, or an authority."""
    pseudonym = pseudonym_of(node, person or actor.id)
    node.require(actor, "grant_access", owned(node, actor, pseudonym))
    return [_access(grant) for grant in appeal_queries.grants_of(node, pseudonym)]


@router.post("/access/{grant_id}/end", status_code=204, responses=STEP)
def end_access(
    node: CurrentNode,
    actor: CurrentActor,
    grant_id: GrantId,
    person: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
) -> None:
    """End a grant now."""
    correction_actions.end_access(node, by=actor, person=person or actor.id, grant_id=grant_id)


@router.post(
    "/issue",
    status_code=201,
    summary="Make a code 健康码制码",
    description=CROSSWALK.format("6.6", "健康码制码"),
    responses=STEP,
)
def issue_code(node: CurrentNode, actor: CurrentActor, given: CodeRequest) -> NewPass:
    person = given.person or actor.id
    return new_pass(pass_actions.issue_pass(node, by=actor, person=person, hours=given.hours, facts=given.facts))


@router.post(
    "/verify",
    summary="Verify a code 健康码验码",
    description=CROSSWALK.format("6.7", "健康码验码") + " Nothing about it is kept.",
    responses=problems(400, 413, 422),
)
def verify_code(node: CurrentNode, given: CodeToVerify) -> VerificationAnswer:
    trust = bundle_queries.trust_snapshot(node)
    found = verify_pass(given.bizExtData, trust=trust, scene=given.scene, at=node.clock())
    return VerificationAnswer(**found.document())


@router.post(
    "/correct",
    status_code=201,
    summary="Correct an error 用户健康信息纠错",
    description=CROSSWALK.format("6.8", "用户健康信息纠错")
    + " Files an appeal with the dates of its steps; a new statement becomes a new fact, and the old one is kept.",
    responses=STEP,
)
def correct(node: CurrentNode, actor: CurrentActor, given: CorrectionRequest) -> CorrectionFiled:
    person = given.person or actor.id
    statement = _corrected(node, given, person)
    if statement is not None:
        table = "symptom" if given.what == "health" else "stay"
        # An appeal must not be left behind by a statement that can't be taken in.
        node.require(actor, "declare_facts", owned(node, actor, pseudonym_of(node, person)))
        declarations.require_codes(node, statement)
        acquisition.boundary_in_force(node, table, on=node.clock().date())
    filed = appeal_actions.file_appeal(
        node,
        by=actor,
        person=person,
        subject=Subject.LEVEL if given.what == "level" else Subject.FACT,
        statement=given.statement,
    )
    receipt = None
    if statement is not None:
        receipt = declarations.declare(
            node, by=actor, person=person, statement=statement, source=CORRECTION, about=filed.id
        )
    return CorrectionFiled(
        appeal=appeal_model(filed, node.clock()), receipt=_receipt(node, receipt) if receipt else None
    )


def _corrected(node: Node, given: CorrectionRequest, person: str) -> Statement | None:
    stated = {"health": given.health, "trip": given.trip}
    if any(one is not None and kind != given.what for kind, one in stated.items()):
        raise BadInput("The new statement is of another kind than what is wrong.", "Leave the other one out.")
    said_of = {one.person for one in (given.health, given.trip) if one is not None and one.person is not None}
    if any(pseudonym_of(node, one) != pseudonym_of(node, person) for one in said_of):
        raise BadInput("The new statement is about another person.", "Name one person, or leave it out there.")
    if given.health is not None:
        return _health(node, given.health)
    return None if given.trip is None else _trip(given.trip)


def _health(node: Node, given: HealthDeclaration) -> HealthStatement:
    return HealthStatement(
        symptoms=tuple(given.symptoms),
        stated_at=given.stated_at or node.clock(),
        body_temperature=given.body_temperature,
        risk_area_stay=given.risk_area_stay,
        started=given.started,
    )


def _trip(given: TripDeclaration) -> TripStatement:
    return TripStatement(
        area_code=given.area_code,
        arrived=given.arrived,
        left=given.left,
        place_id=given.place_id,
        transport=given.transport,
        vehicle=given.vehicle,
    )


def _may_see_why(node: Node, actor: Actor, person: str) -> bool:
    """An application under a grant sees the level, not the facts behind it."""
    matter = owned(node, actor, pseudonym_of(node, person))
    return node.policy.decide(actor, "read_health", matter).allowed


def _receipt(node: Node, receipt: Receipt) -> DeclarationReceipt:
    refused = acquisition.receipt_items(node, receipt.id) if receipt.held + receipt.rejected else []
    return DeclarationReceipt(
        id=receipt.id,
        table=receipt.table,
        source=receipt.source,
        boundary=receipt.boundary,
        accepted=receipt.accepted,
        held=receipt.held,
        rejected=receipt.rejected,
        why_not=sorted({item["reason"] for item in refused}),
        outside_boundary=sorted(receipt.refused_values),
        received_at=receipt.received_at,
        repeated=receipt.repeated,
    )


def _override(made: LevelOverride) -> OverrideSummary:
    return OverrideSummary(id=made.id, rule_id=made.rule_id, ends_at=made.ends_at, appeal=made.appeal)


def _access(grant: AccessGrant) -> Access:
    return Access(**{name: getattr(grant, name) for name in Access.model_fields})
