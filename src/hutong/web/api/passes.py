"""Passes for machines: issue, conversion, verification, revocation, and what offline verifiers download."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, Field

from hutong.errors import BadInput
from hutong.governance import queries as governance
from hutong.insight import queries as insight
from hutong.node import Node
from hutong.passes.credential.level_pass import MAX_FACTS
from hutong.passes.credential.status_list import CONTENT_TYPE
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import own_lists
from hutong.passes.issuance import queries as pass_queries
from hutong.passes.level import queries as level_queries
from hutong.passes.recognition import conversion_actions, matrix_queries
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verdict import Answer
from hutong.passes.recognition.verification import Verification, verify_pass
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.web.api import held_passes, pass_keys, rule_drafts, rulebooks
from hutong.web.api.level_models import EndedPass, LevelHistory, LevelStep
from hutong.web.api.numbers import WHOLE
from hutong.web.api.rulebooks import Why, whys
from hutong.web.api.times import Moment
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter(tags=["passes"])
for part in (rulebooks, rule_drafts, held_passes, pass_keys):
    router.include_router(part.router)
MAX_TEXT = 100_000
MAX_PICTURE_BASE64 = 24_000_000

PassId = Annotated[str, Path(pattern="^[0-9a-f]{16,32}$", examples=["0123456789abcdef"])]
Minute = {"Cache-Control": "public, max-age=60"}
BUNDLE_CACHE_SECONDS = 10
_GZIP = re.compile(r"gzip\s*(;\s*q\s*=\s*(?!0(\.0*)?$)[\d.]+)?", re.IGNORECASE)  # RFC 9110, 12.5.3: not with q=0


FactName = Annotated[str, Field(min_length=1, max_length=80)]
FactNames = Annotated[
    tuple[FactName, ...],
    Field(
        max_length=MAX_FACTS,
        description="Names of further facts that the pass carries as salted digests, which its holder may disclose "
        "one by one; none by default. A name that is not known of the person is refused; the answer says which are.",
        examples=[["test-negative-on"]],
    ),
]


PassHours = Annotated[int, Field(ge=1, le=168, description="The pass ends with the day (UTC) in which they end"), WHOLE]


class PassRequest(BaseModel):
    """Whom the pass is for."""

    person: str = Field(min_length=1, max_length=64, description="The resident's number, or the pseudonym")
    hours: PassHours = 24
    facts: FactNames = ()


class NewPass(BaseModel):
    """A pass; the holder's secret and what shows its facts are given once, here."""

    pass_id: str
    text: str = Field(description="What the QR code holds")
    qr_svg: str
    holder_secret: str = Field(description="Who shows it is the holder; the node does not keep it")
    level: str
    meaning: dict[str, str]
    reasons: list[Why]
    evidence_dates: dict[str, str] = Field(description="When each fact was true that the level rests on")
    rulebook: str
    version: str
    issued_at: datetime
    expires_at: datetime
    disclosures: dict[str, str] = Field(
        description="Name of each fact that it carries to what shows it: append it to the text after a tilde. "
        "The node does not keep it"
    )


class ConversionOrder(BaseModel):
    """A pass of another listed region, and the proof that its holder is there. The new one ends no later."""

    text: str = Field(
        min_length=1, max_length=MAX_TEXT, description="What the QR code of the other region's pass holds"
    )
    holder_secret: str = Field(min_length=1, max_length=200, description="What its holder got with it")
    rulebook: str = Field(
        pattern="^[a-z0-9.-]{1,80}$", description="By whose levels the new pass is", examples=["dengue-4"]
    )
    hours: PassHours = 24  # and no later than the old one


class Converted(BaseModel):
    """A pass of this node made from another region's; the holder's secret is given once, here."""

    pass_id: str
    text: str = Field(description="With the origin after a tilde; without that part it is valid, and does not tell it")
    qr_svg: str = Field(description="Of the pass without its origin")
    holder_secret: str
    level: str
    rulebook: str
    version: str
    origin: str = Field(description="Issuer, rulebook@version and level of the pass that was shown")
    issued_at: datetime
    expires_at: datetime


class ShownPass(BaseModel):
    """A pass to verify: its text, or a picture of its code."""

    text: str | None = Field(default=None, max_length=MAX_TEXT)
    picture: str | None = Field(default=None, max_length=MAX_PICTURE_BASE64, description="PNG or JPEG, base64")
    scene: Scene


class VerificationAnswer(BaseModel):
    """Exactly one of three answers, with the rules that gave it."""

    answer: Answer
    reasons: list[Why]
    scene: str
    at: datetime
    kind: str
    level: str | None
    scale: str | None = Field(description="The level on the common scale")
    issuer: str | None
    issued_at: datetime | None
    expires_at: datetime | None
    list_number: int | None
    list_age_seconds: int | None
    status_age_seconds: int | None = Field(
        description="Since the full hour in which the revocation list was signed, which is the date that it states"
    )
    facts: dict[str, str | int | float | bool | None] = Field(
        description="What the holder disclosed, by name; empty unless the signature fits"
    )


class RevocationOrder(BaseModel):
    """Why a pass is revoked, and the second person who agrees."""

    rule_id: str = Field(min_length=1, max_length=80, examples=["issued-in-error"])
    reason: str = Field(min_length=1, max_length=500, description="For the holder; not in the log")
    second_token: str = Field(min_length=1, max_length=200, description="API token of the second person")


class Revoked(BaseModel):
    pass_id: str
    revoked_at: datetime
    rule_id: str


class AreaRisk(BaseModel):
    """The level of one area."""

    area_code: str
    name: dict[str, str]
    level: str
    severity: int = Field(ge=0, description="0 for the least severe level")
    cases: int | None = Field(description="Cases in the window, rounded down to tens; null from 1 to 9")
    longitude: float | None
    latitude: float | None


class RiskAreas(BaseModel):
    """The newest assessment, the areas with the most cases first."""

    as_of: date
    window_from: date
    assessed_at: datetime
    rule: str
    rule_version: str
    rule_hash: str
    withheld_below: int
    areas: list[AreaRisk]


def new_pass(issued: pass_actions.IssuedPass) -> NewPass:
    """A pass as it is handed over, by whichever route it was asked for."""
    return NewPass(
        pass_id=issued.pass_id,
        text=issued.text,
        qr_svg=issued.qr_svg(),
        holder_secret=issued.holder_secret,
        level=issued.level,
        meaning=dict(issued.meaning),
        reasons=whys(issued.reasons),
        evidence_dates=dict(issued.evidence_dates),
        rulebook=issued.rulebook,
        version=issued.version,
        issued_at=issued.issued_at,
        expires_at=issued.expires_at,
        disclosures=dict(issued.disclosures),
    )


@router.post("/api/passes", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422))
def issue_pass(node: CurrentNode, actor: CurrentActor, given: PassRequest) -> NewPass:
    """Issue a pass with the level that was decided last."""
    return new_pass(pass_actions.issue_pass(node, by=actor, person=given.person, hours=given.hours, facts=given.facts))


@router.post("/api/passes/conversion", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422))
def convert_pass(node: CurrentNode, actor: CurrentActor, given: ConversionOrder) -> Converted:
    """Issue a pass of this node for a level that another listed region gave, by way of both crosswalks."""
    made = conversion_actions.convert_pass(
        node,
        by=actor,
        text=given.text,
        holder_secret=given.holder_secret,
        rulebook_id=given.rulebook,
        hours=given.hours,
    )
    told = {name: getattr(made, name) for name in Converted.model_fields if name != "qr_svg"}
    return Converted(**told, qr_svg=made.qr_svg())


@router.get("/api/passes/level-history", responses=problems(401, 403, 404, 422))
def get_level_history(
    node: CurrentNode,
    actor: CurrentActor,
    person: Annotated[str | None, Query(min_length=1, max_length=64, description="By default whoever asks")] = None,
) -> LevelHistory:
    """What the rules gave a resident over time, the newest first: for the resident, and for the authority."""
    found = level_queries.readable_history(node, actor, person or actor.id)
    steps = [LevelStep(**{name: getattr(one, name) for name in LevelStep.model_fields}) for one in found.changes]
    ended = [
        EndedPass(**{name: getattr(one, name) for name in EndedPass.model_fields})
        for one in pass_queries.ended_passes(node, actor, person or actor.id)
    ]
    return LevelHistory(steps=steps, altered=found.altered, ended_passes=ended)


@router.post("/api/passes/verify", responses=problems(400, 413, 422))
def verify(node: CurrentNode, given: ShownPass) -> VerificationAnswer:
    """Verify a pass by this node's trust bundle and rules, now. Nothing about it is kept."""
    if (given.text is None) == (given.picture is None):
        raise BadInput("Give either the text or a picture of the pass.", "Leave the other one out.")
    shown = given.text if given.text is not None else _picture(given.picture or "")
    answer = verify_pass(shown, trust=bundle_queries.trust_snapshot(node), scene=given.scene, at=node.clock())
    return _verification(answer)


@router.post("/api/passes/{pass_id}/revocation", responses=problems(400, 401, 403, 404, 409, 413, 422))
def revoke_pass(node: CurrentNode, actor: CurrentActor, pass_id: PassId, given: RevocationOrder) -> Revoked:
    """Revoke one pass; two persons stand behind it."""
    # Who may not revoke is refused before another person's token is looked at.
    node.require(actor, "revoke_pass")
    second = governance.token_actor(node, given.second_token)
    pass_actions.revoke_pass(node, by=actor, second=second, pass_id=pass_id, rule_id=given.rule_id, reason=given.reason)
    record = pass_queries.pass_record(node, pass_id)
    assert record.revoked_at is not None
    return Revoked(pass_id=pass_id, revoked_at=record.revoked_at, rule_id=given.rule_id)


class RecognitionCell(BaseModel):
    """What one party answers to fresh passes of another; no answers where nothing is known: then all is unknown."""

    issuer: str
    verifier: str
    rulebook: str
    answers: dict[str, Answer]
    reason: str


class Recognition(BaseModel):
    """Who in the trust list recognises whose levels at a scene."""

    scene: Scene
    at: datetime
    parties: list[str]
    cells: list[RecognitionCell]


@router.get("/api/passes/recognition-matrix", responses=problems(422))
def get_recognition_matrix(node: CurrentNode, scene: Scene = Scene.TRANSPORT) -> Recognition:
    """Who recognises whose levels, now, as far as this node knows the rules of the parties in its trust list."""
    found = matrix_queries.matrix(node, scene)
    cells = [
        RecognitionCell(
            issuer=one.issuer, verifier=one.verifier, rulebook=one.rulebook, answers=one.answers, reason=one.reason
        )
        for one in found.cells
    ]
    return Recognition(scene=found.scene, at=found.at, parties=list(found.parties), cells=cells)


@router.get(
    "/passes/trust-bundle",
    response_class=Response,
    responses={
        200: {"content": {"application/jose": {}}},
        304: {"description": "You have the newest edition"},
        **problems(413, 422),
    },
)
def get_trust_bundle(
    node: CurrentNode,
    since: Annotated[int | None, Query(ge=0, le=2**53, description="Number of the edition that you have.")] = None,
    lists_since: Annotated[
        Moment | None, Query(description="When that edition was issued: its status lists are left out.")
    ] = None,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
    accept_encoding: Annotated[str, Header(max_length=500, include_in_schema=False)] = "",
) -> Response:
    """What a verifier downloads: parties, crosswalks, status lists and acceptance rules, signed by this node.

    A compact JWS, and behind it, each after a `~`, the status lists that it names by their hash. With `lists_since`
    without those that have not changed. With `since` a signed delta: all parts of the newest edition by their hash, and
    those that changed since that one. Where those are too much for one (status 413), ask without `since`.
    """
    edition = bundle_queries.bundle_edition(node)
    headers = {"ETag": edition.tag, "Cache-Control": f"public, max-age={BUNDLE_CACHE_SECONDS}"}
    headers["Vary"] = "Accept-Encoding"
    if if_none_match == edition.tag:
        return Response(status_code=304, headers=headers)
    if since is None:
        text = bundle_queries.pass_bundle(node, lists_since)
    else:
        text = bundle_queries.bundle_delta(node, since, lists_since)
    body = text.encode()
    if any(_GZIP.fullmatch(one.strip()) for one in accept_encoding.split(",")):
        body = _compressed(node, body, edition.tag if text == edition.text else None)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/jose", headers=headers)


@router.get(
    "/passes/status-list",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE: {}}}, **problems(404, 422)},
)
def get_status_list(
    node: CurrentNode, number: Annotated[int, Query(alias="list", ge=0, le=65_535, description="Of which list")] = 0
) -> Response:
    """Which passes of a list are revoked: a compressed bit string, signed."""
    return Response(own_lists.status_list(node, number), media_type=CONTENT_TYPE, headers=Minute)


@router.get("/api/insight/risk-areas", tags=["insight"], responses=problems(404, 422))
def get_risk_areas(node: CurrentNode, limit: Annotated[int, Query(ge=1, le=5000)] = 500) -> RiskAreas:
    """The level of every area, by the published rule."""
    assessment, assessed_at = insight.newest_assessment(node)
    rule = insight.rule_of(assessment)
    return RiskAreas(
        as_of=assessment.as_of,
        window_from=assessment.window_from,
        assessed_at=assessed_at,
        rule=assessment.rule,
        rule_version=assessment.version,
        rule_hash=assessment.hash,
        withheld_below=rule.withhold_below,
        areas=[
            AreaRisk(
                area_code=area.area_code,
                name={"en": area.name_en, "zh": area.name_zh},
                level=area.level,
                severity=area.severity,
                cases=area.cases_window,
                longitude=area.longitude,
                latitude=area.latitude,
            )
            for area in insight.risk_areas(node, rule=rule, limit=limit)
        ],
    )


def _compressed(node: Node, body: bytes, tag: str | None) -> bytes:
    """Lists are compressed and then base64: gzip takes the third back that base64 adds.

    ``tag`` names the whole edition, which is compressed once for all; what is made for one is nobody else's wait.
    """
    if tag is None:
        return gzip.compress(body, 6, mtime=0)
    store = node.memory.store("bundle-gzip", most=2)
    return bytes(store.get_once(tag, lambda: gzip.compress(body, 6, mtime=0)))


def _verification(found: Verification) -> VerificationAnswer:
    return VerificationAnswer(**found.document())


def _picture(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("The picture is not base64.", "Send the bytes of the PNG or JPEG file as base64.") from error
