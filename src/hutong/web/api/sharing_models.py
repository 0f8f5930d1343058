"""What the sharing API takes and gives. Bounds of texts and numbers are part of its description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from hutong.sharing import demand
from hutong.sharing.delivery import Format
from hutong.sharing.demand import PurposeCode, State
from hutong.web.api.numbers import WHOLE
from hutong.web.api.times import Day

ID = r"^[0-9a-z]{20}$"
PARTY = r"^[a-z][a-z0-9-]{0,30}$"
SLUG = r"^[a-z0-9]+([-_][a-z0-9]+)*$"
FIELD = r"^[A-Za-z_][A-Za-z0-9_]{0,59}$"
PLAIN_TEXT = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f]{3}[^\x00-\x1f\x7f]*$"
AREA = r"^[A-Z]{2}(-[^\s/\x00-\x1f\x7f]{1,120})?$"
MOST_OFFSET = 10_000_000

DatasetId = Annotated[str, Field(min_length=2, max_length=80, pattern=SLUG)]
PartyId = Annotated[str, Field(max_length=31, pattern=PARTY)]
Reason = Annotated[str, Field(min_length=3, max_length=demand.LONGEST_TEXT, pattern=PLAIN_TEXT)]


class Demand(BaseModel):
    """What is asked of this node."""

    dataset_id: DatasetId
    version: Annotated[
        str, Field(max_length=9, pattern=r"^([1-9][0-9]{0,8})?$", description="Empty: always the latest release")
    ] = ""
    purpose: PurposeCode = Field(description="Short name of a DUO term")
    statement: Annotated[
        str,
        Field(
            min_length=demand.SHORTEST_STATEMENT,
            max_length=demand.LONGEST_TEXT,
            pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{18,1998}[^\x00-\x20\x7f])$",
            description="What the data are for, in own words",
        ),
    ]
    fields: Annotated[
        list[Annotated[str, Field(pattern=FIELD)]],
        Field(max_length=demand.MOST_FIELDS, description="Empty: all fields", json_schema_extra={"uniqueItems": True}),
    ] = []
    days: Annotated[int, Field(ge=1, le=demand.LONGEST_DAYS, description="How long the data are needed"), WHOLE]
    contact: Annotated[
        str,
        Field(
            min_length=3,
            max_length=demand.LONGEST_CONTACT,
            pattern=demand.CONTACT,
            description="E-mail address for questions about the request",
        ),
    ]


class SentDemand(Demand):
    """What this node asks of another party."""

    provider: PartyId


class Task(BaseModel):
    """One step of a request."""

    key: str
    text: dict[str, str]
    who: str
    state: Literal["done", "waiting", "overdue", "later", "not-needed", "not-confirmed"]
    due: datetime | None
    done_at: datetime | None


class PolicyReason(BaseModel):
    """A policy that permitted something: its id, and why (en, zh; empty when the policy is another node's own)."""

    policy: str
    reason: dict[str, str]


class Request(BaseModel):
    """A request as it stands. ``tasks`` says what was done and who must act next, by when."""

    id: str
    provider: str
    dataset_id: str
    version: str
    party: str
    purpose: PurposeCode
    statement: str
    fields: list[str]
    days: int
    contact: str
    filed_at: datetime
    decide_by: datetime
    emergency: str
    state: State
    decided_at: datetime | None
    reason: str
    agreement_id: str
    policies: list[str] = Field(description="Ids of the policies that permitted the last step")
    permitted_by: list[PolicyReason]
    tasks: list[Task]


class DecisionOnRequest(BaseModel):
    """Grant or refuse. ``days`` may be fewer than were asked."""

    grant: bool
    reason: Reason
    days: Annotated[int | None, Field(ge=1, le=demand.LONGEST_DAYS), WHOLE] = None


class Agreement(BaseModel):
    """An agreement: its ODRL document, the same as its provider signed it (compact JWS), and how it stands."""

    id: str
    request_id: str
    provider: str
    recipient: str
    dataset_id: str
    version: str
    purpose: PurposeCode
    fields: list[str]
    agreed_at: datetime
    expires_at: datetime
    state: Literal["in-force", "revoked", "ended"]
    revoked_at: datetime | None
    revoked_because: str
    revocation_told_at: datetime | None = Field(description="When the recipient's node was told, at the provider's")
    odrl: dict[str, Any]
    signed: str


class Revocation(BaseModel):
    because: Reason


class ToldRevocation(BaseModel):
    """That the calling party revoked an agreement, signed by it (compact JWS)."""

    signed: Annotated[str, Field(min_length=1, max_length=20_000)]


class HeardRevocation(BaseModel):
    """Whether this node has the agreement, and keeps its revocation."""

    kept: bool


class ReceiveOrder(BaseModel):
    """Fetch the data of an agreement from its provider into this node's folder."""

    provider: PartyId
    agreement_id: Annotated[str, Field(pattern=ID)]
    format: Format = "parquet"


class Delivery(BaseModel):
    """The facts of one delivery."""

    id: str
    agreement_id: str
    dataset_id: str
    version: str
    format: Format
    rows: int
    bytes: int
    sha256: str
    at: datetime
    policies: list[str] = Field(description="Ids of the provider's policies that permitted it")
    permitted_by: list[PolicyReason]


class HarvestedDataset(BaseModel):
    """A dataset of another party, as this node last read it."""

    party: str
    id: str
    harvested_at: datetime
    dataset: dict[str, Any] = Field(description="The dataset with its releases and files")


class HarvestOrder(BaseModel):
    party: PartyId


class HarvestReport(BaseModel):
    """What a harvest found: ids of datasets."""

    party: str
    datasets: int
    added: list[str]
    changed: list[str]
    vanished: list[str]
    unchanged: int
    left_out: int


class JointSource(BaseModel):
    party: str
    dataset: str
    version: str
    sha256: str
    rows: int
    withheld: int


class LeftOut(BaseModel):
    party: str
    dataset: str
    reason: str


class JointCount(BaseModel):
    """One figure; ``value`` is null when withheld, not zero. The definition says how to read absent ones."""

    area_code: str
    area_name: str
    level: str
    period_start: date
    value: int | None
    status: Literal["published", "withheld"]
    dataset: str
    party: str


class JointSeries(BaseModel):
    """The joint weekly series: one definition, what it is made of, and a page of its figures."""

    indicator: str
    definition: dict[str, str]
    joined_at: datetime
    rows: int
    sources: list[JointSource]
    left_out: list[LeftOut]
    counts: list[JointCount]


class JoinOrder(BaseModel):
    indicator: Annotated[str | None, Field(max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] = None


class WantedCounts(BaseModel):
    """Which figures of the joint series."""

    party: Annotated[str | None, Field(max_length=31, pattern=PARTY)] = None
    level: Literal["country", "region1"] | None = None
    area_code: Annotated[str | None, Field(max_length=125, pattern=AREA)] = None
    since: Annotated[Day | None, Field(description="First day of the first week")] = None
    until: Annotated[Day | None, Field(description="First day of the last week")] = None
    offset: Annotated[int, Field(ge=0, le=MOST_OFFSET)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1_000
