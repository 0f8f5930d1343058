"""Emergencies, parties and the trust list for machines."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from hutong.governance import actions, queries
from hutong.trust.trust_list import party_document
from hutong.web.api.numbers import Whole
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter(tags=["governance"])


class Emergency(BaseModel):
    """A declared emergency."""

    id: str
    title: dict[str, str]
    cause: dict[str, str]
    legal_basis: dict[str, str]
    territory: str
    starts: str
    review: str
    sunset: str
    appeal_deadlines: dict[str, Whole] = Field(
        default_factory=dict, description="Hours for steps of an appeal (acknowledge, evidence, decide, notify)"
    )


class Party(BaseModel):
    """An organisation with its public keys."""

    id: str
    name: dict[str, str]
    url: str
    territory: str
    kind: str
    signing: dict[str, str]
    log_key: str
    passes: list[str]
    valid_until: str


class SignedTrustList(BaseModel):
    signed: str
    issuer_key: dict[str, str]


class Adopted(BaseModel):
    number: int
    parties: list[str]


@router.get("/.well-known/hutong")
def describe(node: CurrentNode) -> Party:
    """This node as a party: what the keeper of a trust list needs to list it."""
    kind = "hub" if node.settings.territory == "*" else "region"
    return Party(**_plain(party_document(actions.describe_self(node, kind=kind))))


@router.get(
    "/trust/list", response_class=Response, responses={200: {"content": {"application/jose": {}}}, **problems(404)}
)
def get_trust_list(node: CurrentNode) -> Response:
    """The newest edition of the trust list, as its issuer signed it."""
    return Response(queries.signed_trust_list(node), media_type="application/jose")


@router.put("/api/trust/list", responses=problems(401, 403, 409, 422))
def adopt_trust_list(node: CurrentNode, actor: CurrentActor, given: SignedTrustList) -> Adopted:
    """Take over an edition of the trust list."""
    edition = actions.adopt_trust_list(node, by=actor, signed=given.signed, issuer_key=given.issuer_key)
    return Adopted(number=edition.number, parties=[party.id for party in edition.parties])


@router.get("/api/emergencies")
def get_emergencies(node: CurrentNode) -> list[Emergency]:
    """Declared emergencies, the newest first."""
    return [Emergency(**known.document()) for known in queries.emergencies(node)]


@router.post("/api/emergencies", status_code=201, responses=problems(401, 403, 409, 422))
def declare_emergency(node: CurrentNode, actor: CurrentActor, given: Emergency) -> Emergency:
    """Declare an emergency."""
    from hutong.governance.emergency import parse_emergency

    declared = parse_emergency(given.model_dump())
    actions.declare_emergency(node, by=actor, emergency_=declared)
    return Emergency(**declared.document())


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "passes": list(document["passes"])}
