"""Acquisition for machines: sources, boundaries, submissions with their receipts, and quality."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from hutong.acquisition import actions, held_actions, held_queries, queries
from hutong.acquisition import boundary as boundaries
from hutong.acquisition import held as held_rows
from hutong.acquisition.receipt import Receipt
from hutong.acquisition.source import parse_source
from hutong.trust.authorisation import Resource
from hutong.web.api.numbers import WHOLE
from hutong.web.api.times import Day
from hutong.web.doors import CurrentActor, CurrentNode, problems
from hutong.web.uploads import received, swept

router = APIRouter(prefix="/api/acquisition", tags=["acquisition"], lifespan=swept)

SHORT = Field(min_length=1, max_length=60)
LONG = Field(max_length=2000)
MOST_ROW = 2**31 - 1
SourceId = Annotated[str, Path(min_length=1, max_length=60)]
ReceiptId = Annotated[str, Path(pattern="^[0-9a-z]{1,40}$", description="The receipt's id")]
Outcome = Literal["held", "rejected"]
Shown = Literal["held", "rejected", "waiting"]
Decided = Literal["released", "discarded"]


class Texts(BaseModel):
    """The same words in both languages."""

    en: str = Field(min_length=1, max_length=500)
    zh: str = Field(min_length=1, max_length=500)


class SourceModel(BaseModel):
    """A declared feed."""

    id: Annotated[str, SHORT]
    title: Texts
    provider: Annotated[str, LONG]
    territory: Annotated[str, SHORT]
    licence: Annotated[str, LONG]
    homepage: Annotated[str, LONG]
    citation: Annotated[str, LONG]


class BoundaryModel(BaseModel):
    """What may be collected, for which purpose, under which emergency, until when."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tables": {"case": ["onset_date", "sex"]}}]})
    id: Annotated[str, SHORT]
    emergency: Annotated[str, SHORT]
    purpose: Annotated[str, Field(min_length=1, max_length=2000)]
    tables: dict[str, list[str]] = Field(description="Elements of the standard by table")
    valid_until: Day = Field(description="Its last day")


class Noticed(BaseModel):
    rule: str
    subject: str
    rows: int


class ReceiptModel(BaseModel):
    """The answer to a submission."""

    id: str
    source: str
    table: str
    file_name: str
    file_sha256: str
    file_bytes: int
    mapping: str
    mapping_sha256: str
    boundary: str
    rows: int
    accepted: int
    held: int
    rejected: int
    findings: list[Noticed]
    refused_values: dict[str, int] = Field(description="Values outside the boundary that were dropped, by element")
    columns_outside: list[str]
    received_at: str
    seconds: float
    repeated: bool = Field(description="The file was acquired before; nothing was added")


class Item(BaseModel):
    """A row that was held or rejected."""

    row_number: int
    outcome: Outcome
    rule: str
    element: str
    reason: str
    raw: dict[str, Any] = Field(description="The row as it was sent, within the boundary")
    decision: Decided | None = Field(description="What somebody decided about a held row; null while it waits")


class Items(BaseModel):
    items: list[Item]
    next_after: int | None = Field(description="Give this as `after` for the next page; null on the last")


class HeldRule(BaseModel):
    """How the rows stand that one rule held in one receipt."""

    receipt: str
    rule: str
    reason: str = Field(description="What the rule said about one of them")
    waiting: int
    released: int
    discarded: int


class HeldDecision(BaseModel):
    """What was decided about rows that one rule held. It is final."""

    id: str
    receipt: str
    rule: str
    outcome: Decided
    rows: int
    all_of_rule: bool = Field(description="About all that waited, not about chosen rows")
    reason: str
    by: str
    decided_at: str
    repeated: bool = Field(description="It was decided so before; nothing was changed")


class Held(BaseModel):
    """The held rows of a receipt, by rule, and what was decided about them."""

    rules: list[HeldRule]
    decisions: list[HeldDecision] = Field(description="The newest first; at most 200")


class HeldOrder(BaseModel):
    """What becomes of rows that one rule held."""

    rule: Annotated[str, Field(min_length=1, max_length=80)]
    outcome: Decided = Field(description="`released`: they become facts; `discarded`: they are turned down for good")
    reason: Annotated[str, Field(min_length=1, max_length=held_rows.LONGEST_REASON)]
    rows: list[Annotated[int, Field(ge=1, le=MOST_ROW), WHOLE]] | None = Field(
        default=None,
        min_length=1,
        max_length=held_rows.MOST_CHOSEN_ROWS,
        description="Their row numbers; leave out for all that wait",
    )


class QualityOrder(BaseModel):
    source: Annotated[str, SHORT]
    table: Literal["case"] = "case"


class DimensionModel(BaseModel):
    dimension: str
    score: float | None = Field(description="From 0 to 1; null where nothing could be checked")
    weight: float


class RuleModel(BaseModel):
    id: str
    dimension: str
    title: dict[str, str]
    checked: int
    concerned: int
    unit: str
    weight: float
    score: float | None
    sentence: str


class QualityModel(BaseModel):
    """An assessment: every score with the rules and counts behind it."""

    table: str
    rows: int
    assessed_at: str
    score: float
    label: str
    shape: str
    dimensions: list[DimensionModel]
    results: list[RuleModel]


@router.get("/sources")
def get_sources(node: CurrentNode) -> list[SourceModel]:
    """Declared feeds."""
    return [SourceModel(**known.document()) for known in queries.sources(node)]


STANDS: dict[int | str, dict[str, Any]] = {200: {"description": "It stands as it was declared before"}}


@router.post("/sources", status_code=201, responses=STANDS | problems(401, 403, 409, 422))
def declare_source(node: CurrentNode, actor: CurrentActor, given: SourceModel, response: Response) -> SourceModel:
    """Declare a feed. The same one again changes nothing, and is answered with 200."""
    declared = parse_source(given.model_dump())
    if not actions.declare_source(node, by=actor, source=declared):
        response.status_code = 200
    return SourceModel(**declared.document())


@router.get("/boundaries")
def get_boundaries(node: CurrentNode) -> list[BoundaryModel]:
    """What may be collected, the newest boundary first."""
    return [BoundaryModel(**queries.boundary_document(known)) for known in queries.boundaries(node)]


@router.post("/boundaries", status_code=201, responses=problems(401, 403, 404, 409, 422))
def set_boundary(node: CurrentNode, actor: CurrentActor, given: BoundaryModel) -> BoundaryModel:
    """Set what may be collected under an emergency in force."""
    boundary = boundaries.Boundary(
        id=given.id,
        emergency=given.emergency,
        purpose=given.purpose,
        tables={table: frozenset(elements) for table, elements in given.tables.items()},
        valid_until=given.valid_until,
    )
    actions.set_boundary(node, by=actor, boundary=boundary)
    return BoundaryModel(**queries.boundary_document(boundary))


@router.post("/submissions", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def submit(
    node: CurrentNode,
    actor: CurrentActor,
    file: Annotated[UploadFile, "The data: CSV or Parquet"],
    source: Annotated[str, Form(min_length=1, max_length=60)],
    mapping: Annotated[str, Form(max_length=actions.MAX_MAPPING_BYTES, description="The mapping, as YAML text")],
) -> ReceiptModel:
    """Send a file: every row is accepted, held or rejected. The answer is given when all of it is durable."""
    node.require(actor, "acquire", Resource("Source", source))
    with received(node, file) as path:
        return _receipt(actions.acquire(node, by=actor, source_id=source, path=path, mapping=mapping))


@router.get("/receipts", responses=problems(401, 403, 422))
def get_receipts(
    node: CurrentNode,
    actor: CurrentActor,
    source: Annotated[str | None, Query(max_length=60)] = None,
    table: Annotated[str | None, Query(max_length=40)] = None,
) -> list[ReceiptModel]:
    """Receipts, the newest first; at most 200."""
    node.require(actor, "read_receipts")
    return [_receipt(known) for known in queries.receipts(node, source_id=source, table=table)]


@router.get("/receipts/{receipt_id}", responses=problems(401, 403, 404, 422))
def get_receipt(node: CurrentNode, actor: CurrentActor, receipt_id: ReceiptId) -> ReceiptModel:
    """One receipt."""
    node.require(actor, "read_receipts", Resource("Receipt", receipt_id))
    return _receipt(queries.receipt(node, receipt_id))


@router.get("/receipts/{receipt_id}/items", responses=problems(401, 403, 404, 422))
def get_items(
    *,
    node: CurrentNode,
    actor: CurrentActor,
    receipt_id: ReceiptId,
    outcome: Annotated[Shown | None, Query(description="`waiting`: held, and nobody has decided")] = None,
    after: Annotated[int, Query(ge=0, le=MOST_ROW, description="Number of the row before the page")] = 0,
    limit: Annotated[int, Query(ge=1, le=queries.PAGE - 1)] = 50,
) -> Items:
    """Rows that were held or rejected, in the file's order, each with its rule and reason."""
    node.require(actor, "read_receipts", Resource("Receipt", receipt_id))
    queries.receipt(node, receipt_id)
    found = queries.receipt_items(node, receipt_id, outcome=outcome, after=after, limit=limit + 1)
    page = [Item(**item) for item in found[:limit]]
    return Items(items=page, next_after=page[-1].row_number if len(found) > limit else None)


@router.get("/held", responses=problems(401, 403))
def get_waiting(node: CurrentNode, actor: CurrentActor) -> list[HeldRule]:
    """Held rows that wait for a decision, by receipt and rule: the newest receipt first; at most 200 receipts."""
    node.require(actor, "read_receipts")
    return [HeldRule(**asdict(standing)) for standing in held_queries.waiting_rules(node)]


@router.get("/receipts/{receipt_id}/held", responses=problems(401, 403, 404, 422))
def get_held(node: CurrentNode, actor: CurrentActor, receipt_id: ReceiptId) -> Held:
    """How the held rows of a receipt stand."""
    node.require(actor, "read_receipts", Resource("Receipt", receipt_id))
    queries.receipt(node, receipt_id)
    return Held(
        rules=[HeldRule(**asdict(standing)) for standing in held_queries.held_rules(node, receipt_id)],
        decisions=[HeldDecision(**made.document()) for made in held_queries.decisions(node, receipt_id)],
    )


@router.post(
    "/receipts/{receipt_id}/decisions", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422, 503)
)
def decide_held(node: CurrentNode, actor: CurrentActor, receipt_id: ReceiptId, given: HeldOrder) -> HeldDecision:
    """Release held rows as facts, or discard them, for a reason. The same decision again changes nothing."""
    made = held_actions.decide_held(
        node,
        by=actor,
        receipt_id=receipt_id,
        rule=given.rule,
        outcome=given.outcome,
        reason=given.reason,
        rows=given.rows,
    )
    return HeldDecision(**made.document())


@router.post("/quality", status_code=201, responses=problems(401, 403, 404, 422, 503))
def assess_quality(node: CurrentNode, actor: CurrentActor, given: QualityOrder) -> QualityModel:
    """Assess what was accepted from a source."""
    report = actions.assess_quality(node, by=actor, source_id=given.source, table=given.table)
    return QualityModel(**report.document())


@router.get("/quality/{source}", responses=problems(404, 422))
def get_quality(node: CurrentNode, source: SourceId) -> QualityModel:
    """The newest assessment of a source."""
    return QualityModel(**queries.quality(node, source).document())


def _receipt(receipt: Receipt) -> ReceiptModel:
    return ReceiptModel(**receipt.document())
