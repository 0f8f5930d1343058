"""Keys that sign passes and passes that were revoked, for authorities and auditors."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hutong.passes.issuance import key_queries
from hutong.passes.trust_bundle import eu_queries
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.trust.authorisation import Resource
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter()


class KeyState(BaseModel):
    """A key that signs passes, or did."""

    key_id: str
    state: Literal["in-use", "retired", "compromised"]
    begins_at: datetime
    ends_at: datetime
    changed_at: datetime | None


class KeyAct(BaseModel):
    """What was done to a key, as the log tells it."""

    kind: Literal["retired", "compromised"]
    key: str
    by: str
    second: str = Field(description="Empty where one person is enough")
    at: datetime
    entry: int = Field(description="Its place in the log")


class EuSigners(BaseModel):
    """Imported keys that sign EU certificates."""

    by_country: dict[str, int] = Field(description="How many keys, by ISO 3166-1 code")
    valid_until: datetime = Field(description="Past it, what they signed is unknown")


class PassKeys(BaseModel):
    """The keys of this node's passes. A pass signed by a retired key verifies until it ends."""

    keys: list[KeyState]
    acts: list[KeyAct] = Field(description="The newest first")
    eu_signers: EuSigners | None = Field(description="None where none were imported")


class Revocation(BaseModel):
    """A pass that was revoked: by which rule, and by whose order."""

    pass_id: str = Field(description="Empty when the node knows the pass no more")
    rule: str
    by: str
    second: str
    at: datetime
    entry: int = Field(description="Its place in the log")


class LeftOut(BaseModel):
    """A party whose documents and status lists are not in the trust bundle: its passes are unknown."""

    party: str
    what: str = Field(description="Why")
    do: str


class BundleLoad(BaseModel):
    """How near the trust bundle is to what its readers take."""

    lists: int = Field(description="Status lists of this node in it")
    most_lists: int
    size_bytes: int
    most_bytes: int
    positions: int = Field(description="Of all status lists in it together, with those of other parties")
    most_positions: int
    signed_bytes: int = Field(description="Of its text without status lists")
    most_signed_bytes: int
    left_out: list[LeftOut] = Field(description="Parties for which there was no room, or that can't be verified")
    is_near: bool = Field(description="Somebody should act before verifiers can't take it any more")


class EuLists(BaseModel):
    """The EU's revocation lists in the trust bundle."""

    as_of: datetime = Field(description="When they were taken from where they are published")
    good_until: datetime = Field(description="Past it, EU certificates that are on none of them are unknown")
    keys: int
    hashes: int
    slices: int
    incomplete: int = Field(description="Keys of which a slice is missing")


class Revocations(BaseModel):
    """The newest revocations of single passes, and how many passes the node knows of."""

    revocations: list[Revocation] = Field(description="The newest first; at most 100")
    valid: int = Field(description="Passes that can be shown now")
    revoked: int = Field(description="Passes that were revoked before their end, which is still to come")
    bundle: BundleLoad
    eu_lists: EuLists | None = Field(description="None where none were imported")


@router.get("/api/passes/keys", responses=problems(401, 403, 422))
def get_pass_keys(node: CurrentNode, actor: CurrentActor) -> PassKeys:
    """Which keys sign passes and until when, and what was done to them by whom."""
    node.require(actor, "read_keys", Resource("Node", node.id))
    keys = [KeyState(**{name: getattr(one, name) for name in KeyState.model_fields}) for one in node.keys.pass_keys]
    held = eu_queries.held_keys(node)
    eu_signers = EuSigners(**asdict(held)) if held is not None else None
    return PassKeys(
        keys=keys, acts=[KeyAct(**asdict(act)) for act in key_queries.key_acts(node)], eu_signers=eu_signers
    )


@router.get("/api/passes/revocations", responses=problems(401, 403, 422))
def get_revocations(node: CurrentNode, actor: CurrentActor) -> Revocations:
    """Which passes were revoked: by whom, when, and by which rule."""
    node.require(actor, "read_keys", Resource("Node", node.id))
    counts = key_queries.pass_counts(node)
    found = [Revocation(**asdict(one)) for one in key_queries.revocations(node)]
    load = bundle_queries.bundle_load(node)
    bundle = BundleLoad(**asdict(load), is_near=load.is_near)
    held = eu_queries.held_revocations(node)
    eu_lists = EuLists(**asdict(held)) if held is not None else None
    return Revocations(revocations=found, valid=counts.valid, revoked=counts.revoked, bundle=bundle, eu_lists=eu_lists)
