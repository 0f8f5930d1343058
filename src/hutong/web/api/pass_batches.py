"""Passes for machines, many at once, and a new one in place of one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hutong.governance import queries as governance
from hutong.passes.issuance import batch_actions, renewal_actions
from hutong.web.api.passes import FactNames, NewPass, PassHours, PassId, new_pass
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter(tags=["passes"])
MAX_PERSONS = 1000
ISSUED = problems(400, 401, 403, 404, 409, 413, 422)


class RenewalOrder(BaseModel):
    """How long the new pass is for showing, and what it carries; with a second person the old one is revoked, too."""

    hours: PassHours = 24
    facts: FactNames = ()
    second_token: str | None = Field(
        default=None, min_length=1, max_length=200, description="API token of the second person"
    )


class BatchOrder(BaseModel):
    """Whom passes are for, and what each carries: of whom one of the facts is not known gets none."""

    persons: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        min_length=1, max_length=MAX_PERSONS, description="Residents' numbers, or pseudonyms"
    )
    hours: PassHours = 24
    facts: FactNames = ()


class OneOfBatch(BaseModel):
    """A pass of a batch; its secret and what shows its facts are given once, here."""

    person: str = Field(description="As it was named")
    pass_id: str
    text: str
    holder_secret: str
    level: str
    rulebook: str
    version: str
    issued_at: datetime
    expires_at: datetime
    disclosures: dict[str, str] = Field(description="Name of each fact that it carries to what shows it")


class NotIssued(BaseModel):
    person: str
    why: str


class Batch(BaseModel):
    """The passes, and who got none and why."""

    passes: list[OneOfBatch]
    refused: list[NotIssued]
    repeated: int = Field(description="Of the names given, those that name a person again: each gets one pass")


@router.post("/api/passes/batch", status_code=201, responses=ISSUED)
def issue_batch(node: CurrentNode, actor: CurrentActor, given: BatchOrder) -> Batch:
    """Issue a pass for each of many residents, in one entry of the log."""
    made = batch_actions.issue_batch(node, by=actor, persons=given.persons, hours=given.hours, facts=given.facts)
    return Batch(
        passes=[OneOfBatch(**{name: getattr(one, name) for name in OneOfBatch.model_fields}) for one in made.passes],
        refused=[NotIssued(person=person, why=why) for person, why in made.refused],
        repeated=made.repeated,
    )


@router.post("/api/passes/{pass_id}/renewal", status_code=201, responses=ISSUED)
def renew_pass(node: CurrentNode, actor: CurrentActor, pass_id: PassId, given: RenewalOrder) -> NewPass:
    """Issue a new pass in place of one, for the same person, with the level of today."""
    # Who may not issue is refused before another person's token is looked at.
    renewal_actions.require_renewable(node, by=actor, pass_id=pass_id)
    second = governance.token_actor(node, given.second_token) if given.second_token else None
    return new_pass(
        renewal_actions.renew_pass(node, by=actor, pass_id=pass_id, hours=given.hours, second=second, facts=given.facts)
    )
