"""Sharing for machines: requests, agreements, deliveries, harvested catalogues and the joint series."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from hutong.opening.catalogue.catalogue import MEDIA_TYPES
from hutong.opening.queries import document
from hutong.sharing import actions, delivery, demand, queries
from hutong.sharing.agreement import KeptAgreement
from hutong.sharing.delivery import HEADER, Format
from hutong.sharing.demand import PurposeCode, State
from hutong.sharing.harvest import Harvested
from hutong.web.api.sharing_models import (
    ID,
    MOST_OFFSET,
    PARTY,
    Agreement,
    DecisionOnRequest,
    Delivery,
    Demand,
    HarvestedDataset,
    HarvestOrder,
    HarvestReport,
    HeardRevocation,
    JoinOrder,
    JointCount,
    JointSeries,
    JointSource,
    LeftOut,
    PolicyReason,
    ReceiveOrder,
    Request,
    Revocation,
    SentDemand,
    Task,
    ToldRevocation,
    WantedCounts,
)
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter(prefix="/api/sharing", tags=["sharing"])

RequestId = Annotated[str, Path(pattern=ID, description="The request's id")]
AgreementId = Annotated[str, Path(pattern=ID, description="The agreement's id")]


@router.post("/requests", status_code=201, responses=problems(400, 401, 403, 404, 409, 422))
def file_request(node: CurrentNode, actor: CurrentActor, given: Demand) -> Request:
    """Ask for data of grade 2."""
    filed = actions.file_request(node, by=actor, **{**given.model_dump(), "fields": tuple(dict.fromkeys(given.fields))})
    return _request(node, filed)


@router.get("/requests", responses=problems(401, 403, 422))
def get_requests(
    node: CurrentNode,
    actor: CurrentActor,
    state: Annotated[State | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=queries.MOST)] = 100,
) -> list[Request]:
    """Requests, the newest first: all of them for who may read them, otherwise one's own."""
    found = queries.requests(node, state=state, party=queries.readable_party(node, actor), limit=limit)
    return [_request(node, asked) for asked in found]


@router.get("/requests/{request_id}", responses=problems(401, 403, 404, 422))
def get_request(node: CurrentNode, actor: CurrentActor, request_id: RequestId) -> Request:
    """One request."""
    return _request(node, queries.readable_request(node, actor, request_id))


@router.post("/requests/{request_id}/decision", responses=problems(400, 401, 403, 404, 409, 422))
def decide_request(node: CurrentNode, actor: CurrentActor, request_id: RequestId, given: DecisionOnRequest) -> Request:
    """Grant or refuse a request; a grant signs the agreement."""
    decided = actions.decide_request(
        node, by=actor, request_id=request_id, grant=given.grant, reason=given.reason, days=given.days
    )
    return _request(node, decided)


@router.post("/requests/{request_id}/withdrawal", responses=problems(401, 403, 404, 409, 422))
def withdraw_request(node: CurrentNode, actor: CurrentActor, request_id: RequestId) -> Request:
    """Take back an own request."""
    return _request(node, actions.withdraw_request(node, by=actor, request_id=request_id))


@router.post("/sent-requests", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def send_request(node: CurrentNode, actor: CurrentActor, given: SentDemand) -> Request:
    """Ask another party for data, in this node's name."""
    asked = actions.request_data(node, by=actor, **{**given.model_dump(), "fields": tuple(dict.fromkeys(given.fields))})
    return _request(node, asked)


@router.post("/sent-requests/{request_id}/follow", responses=problems(401, 403, 404, 409, 413, 422, 503))
def follow_request(node: CurrentNode, actor: CurrentActor, request_id: RequestId) -> Request:
    """Ask the provider how a sent request stands; fetches the agreement when it was granted."""
    return _request(node, actions.follow_request(node, by=actor, request_id=request_id))


@router.get("/agreements", responses=problems(401, 403, 422))
def get_agreements(
    node: CurrentNode, actor: CurrentActor, limit: Annotated[int, Query(ge=1, le=queries.MOST)] = 100
) -> list[Agreement]:
    """Agreements, the newest first: all of them for who may read requests, otherwise one's own."""
    found = queries.agreements(node, recipient=queries.readable_party(node, actor), limit=limit)
    return [_agreement(node, kept) for kept in found]


@router.get("/agreements/{agreement_id}", responses=problems(401, 403, 404, 422))
def get_agreement(node: CurrentNode, actor: CurrentActor, agreement_id: AgreementId) -> Agreement:
    """One agreement, with the signed document."""
    return _agreement(node, queries.readable_agreement(node, actor, agreement_id))


@router.post("/agreements/{agreement_id}/revocation", responses=problems(400, 401, 403, 404, 409, 422))
def revoke_agreement(node: CurrentNode, actor: CurrentActor, agreement_id: AgreementId, given: Revocation) -> Agreement:
    """End an agreement now."""
    return _agreement(node, actions.revoke_agreement(node, by=actor, agreement_id=agreement_id, because=given.because))


@router.post("/revocations", responses=problems(401, 403, 404, 413, 422))
def hear_revocation(node: CurrentNode, actor: CurrentActor, given: ToldRevocation) -> HeardRevocation:
    """Tell this node, as the party that gave it an agreement, that it was revoked."""
    return HeardRevocation(kept=actions.hear_revocation(node, by=actor, signed=given.signed))


@router.get(
    "/agreements/{agreement_id}/delivery",
    response_class=Response,
    responses={
        200: {
            "description": "The agreed data",
            "content": {media_type: {} for media_type in MEDIA_TYPES.values()},
            "headers": {
                HEADER: {"description": "The provider's signed note (JWS)", "schema": {"type": "string"}},
                "Content-Digest": {"description": "SHA-256 of the body (RFC 9530)", "schema": {"type": "string"}},
            },
        },
        **problems(401, 403, 404, 422),
    },
)
def deliver(
    node: CurrentNode,
    actor: CurrentActor,
    agreement_id: AgreementId,
    purpose: Annotated[PurposeCode, Query(description="What the data are used for now")],
    format: Annotated[Format, Query()] = "parquet",  # noqa: A002 (the parameter's public name)
) -> Response:
    """Receive the data of an agreement: each call is one delivery, and is logged."""
    made = actions.deliver(node, by=actor, agreement_id=agreement_id, purpose=purpose, format_=format)
    return Response(
        made.content,
        media_type=MEDIA_TYPES[format],
        headers={
            HEADER: made.note,
            "Content-Digest": f"sha-256=:{made.digest}:",
            "Content-Disposition": f'attachment; filename="{made.delivery.file_name}"',
            "Cache-Control": "no-store",
        },
    )


@router.get("/deliveries", responses=problems(401, 403, 422))
def get_deliveries(
    node: CurrentNode, actor: CurrentActor, limit: Annotated[int, Query(ge=1, le=queries.MOST)] = 100
) -> list[Delivery]:
    """Deliveries made or received, the newest first: all of them, or those of one's own agreements."""
    party = queries.readable_party(node, actor)
    own = None
    if party is not None:
        own = [kept.agreement.id for kept in queries.agreements(node, recipient=party)]
    return [_delivery(node, made) for made in queries.deliveries(node, agreement_ids=own, limit=limit)]


@router.post("/deliveries", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def receive(node: CurrentNode, actor: CurrentActor, given: ReceiveOrder) -> Delivery:
    """Fetch the data of an agreement from its provider into this node's folder."""
    received = actions.receive(
        node, by=actor, provider=given.provider, agreement_id=given.agreement_id, format_=given.format
    )
    return _delivery(node, received.delivery)


@router.get("/harvested", responses=problems(401, 422))
def get_harvested(
    node: CurrentNode,
    actor: CurrentActor,
    party: Annotated[str | None, Query(max_length=31, pattern=PARTY)] = None,
    offset: Annotated[int, Query(ge=0, le=MOST_OFFSET)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[HarvestedDataset]:
    """Datasets of other parties that this node knows of, by party and id."""
    node.require(actor, "read_catalogue")
    found = queries.harvested(node, party=party, offset=offset, limit=limit)
    return [_harvested(entry) for entry in found]


@router.post("/harvests", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def harvest(node: CurrentNode, actor: CurrentActor, given: HarvestOrder) -> HarvestReport:
    """Read another party's catalogue now."""
    report = actions.harvest(node, by=actor, party_id=given.party)
    return HarvestReport(
        party=report.party,
        datasets=report.datasets,
        added=list(report.added),
        changed=list(report.changed),
        vanished=list(report.vanished),
        unchanged=report.unchanged,
        left_out=report.left_out,
    )


@router.post("/joint-series", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def join_series(node: CurrentNode, actor: CurrentActor, given: JoinOrder) -> JointSeries:
    """Join the harvested regions' weekly counts anew; the answer has no figures, only what they are."""
    actions.join_series(node, by=actor, indicator=given.indicator)
    return _series(node, [])


@router.get("/joint-series", responses=problems(401, 404, 422))
def get_joint_series(
    node: CurrentNode,
    actor: CurrentActor,
    wanted: Annotated[WantedCounts, Query()],
) -> JointSeries:
    """The joint weekly series: its definition and a page of its figures."""
    node.require(actor, "read_catalogue")
    which = queries.CountFilter(
        party=wanted.party,
        level=wanted.level,
        area_code=wanted.area_code,
        since=wanted.since,
        until=wanted.until,
    )
    counts = queries.joint_counts(node, which, offset=wanted.offset, limit=wanted.limit)
    return _series(node, [JointCount(**_fields(count)) for count in counts])


def _request(node: CurrentNode, asked: demand.Request) -> Request:
    tasks = [Task(**{**_fields(task), "text": dict(task.text)}) for task in queries.tasks(node, asked)]
    return Request(**asked.document(), permitted_by=_permitted_by(node, asked.policies), tasks=tasks)


def _delivery(node: CurrentNode, made: delivery.Delivery) -> Delivery:
    return Delivery(**made.document(), permitted_by=_permitted_by(node, made.policies))


def _permitted_by(node: CurrentNode, policies: tuple[str, ...]) -> list[PolicyReason]:
    return [PolicyReason(**told) for told in node.policy.told(policies)]


def _agreement(node: CurrentNode, kept: KeptAgreement) -> Agreement:
    facts = {name: value for name, value in _fields(kept.agreement).items() if name in Agreement.model_fields}
    return Agreement(
        **{**facts, "fields": list(kept.agreement.fields)},
        state=kept.state(node.clock()),
        revoked_at=kept.revoked_at,
        revoked_because=kept.revoked_because,
        revocation_told_at=kept.revocation_told_at,
        odrl=kept.agreement.document(),
        signed=kept.signed,
    )


def _harvested(entry: Harvested) -> HarvestedDataset:
    return HarvestedDataset(
        party=entry.party, id=entry.dataset.id, harvested_at=entry.harvested_at, dataset=document(entry.dataset)
    )


def _series(node: CurrentNode, counts: list[JointCount]) -> JointSeries:
    series = queries.joint_series(node)
    return JointSeries(
        indicator=series.definition.indicator,
        definition=dict(series.definition.text),
        joined_at=series.joined_at,
        rows=series.rows,
        sources=[JointSource(**_fields(source)) for source in series.sources],
        left_out=[LeftOut(**_fields(left)) for left in series.left_out],
        counts=counts,
    )


def _fields(noun: Any) -> dict[str, Any]:
    return {name: getattr(noun, name) for name in noun.__dataclass_fields__}
