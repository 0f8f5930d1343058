"""Rulebooks for machines: what holds, what is to come and from when, and how fast levels follow the evidence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from hutong.node import Node
from hutong.passes.documents import Reason
from hutong.passes.level import queries as level_queries
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.notice import Because, Effect
from hutong.passes.rulebook.queries import PublishedRulebook
from hutong.passes.sunset.queries import end_of_rulebook
from hutong.web.doors import CurrentNode, problems

router = APIRouter()

RulebookId = Annotated[str, Path(pattern="^[a-z0-9.-]{1,80}$", examples=["dengue-3"])]


class Why(BaseModel):
    """A rule and its sentence in each language."""

    rule_id: str
    text: dict[str, str]


def whys(reasons: Iterable[Reason]) -> list[Why]:
    """Why a level or an answer is what it is."""
    return [Why(rule_id=reason.rule_id, text=dict(reason.texts)) for reason in reasons]


class ComingVersion(BaseModel):
    """A version that was announced and does not hold yet."""

    version: str
    effect: Effect = Field(description="loosening: nobody's level rises by it; tightening: it may, so it was announced")
    effective_from: datetime


class RulebookSummary(BaseModel):
    """A published rulebook: the version that holds now, and those that are to come."""

    id: str
    version: str
    hash: str = Field(description="SHA-256 of the document's canonical JSON")
    emergency: str
    levels: list[str] = Field(description="From the least to the most severe")
    valid_from: datetime
    valid_to: datetime
    published_at: datetime
    effect: Effect
    effective_from: datetime
    in_force: bool = Field(description="Whether levels are decided and passes issued by it now")
    ended_at: datetime | None = Field(description="When its period or its emergency ended; null while neither has")
    coming: list[ComingVersion]


class RulebookDocument(BaseModel):
    """A version of a rulebook as it was published, and which versions there are."""

    versions: list[str] = Field(description="The newest first")
    hash: str
    effect: Effect = Field(description="What it did to people's levels when it was published")
    because: Because = Field(description="How that is known")
    cases: int = Field(description="Mixes of evidence on which nobody's level rises, where that was shown")
    effective_from: datetime
    in_force: bool = Field(description="Whether levels are decided and passes issued by this version now")
    ended_at: datetime | None = Field(description="When its period or its emergency ended; null while neither has")
    document: dict[str, Any]


class Latency(BaseModel):
    """Of the newest changes of levels by new evidence; null where fewer than `withheld_below` were measured."""

    changes: int | None
    median_seconds: float | None
    p95_seconds: float | None
    withheld_below: int
    as_of: datetime


@router.get("/api/passes/rulebooks")
def get_rulebooks(node: CurrentNode) -> list[RulebookSummary]:
    """Published rulebooks: the version of each that holds, and from when others will."""
    now = node.clock()
    by_id = [
        rulebook_queries.rulebook_versions(node, published.rulebook.id)
        for published in rulebook_queries.rulebooks(node)
    ]
    return [
        _summary(node, rulebook_queries.holding(versions, now), rulebook_queries.coming(versions, now))
        for versions in by_id
    ]


@router.get("/api/passes/rulebooks/{rulebook_id}", responses=problems(404, 422))
def get_rulebook(
    node: CurrentNode, rulebook_id: RulebookId, version: Annotated[str | None, Query(max_length=30)] = None
) -> RulebookDocument:
    """A version of a rulebook, by default the one that holds, as it was published."""
    found = rulebook_queries.published_rulebook(node, rulebook_id, version)
    versions = [one.rulebook.version for one in rulebook_queries.rulebook_versions(node, rulebook_id)]
    return RulebookDocument(
        versions=versions,
        hash=found.rulebook.hash,
        effect=found.verdict.effect,
        because=found.verdict.because,
        cases=found.verdict.cases,
        effective_from=found.effective_from,
        in_force=rulebook_queries.is_in_force(node, found),
        ended_at=_ended_at(node, found),
        document=dict(found.rulebook.document),
    )


@router.get("/api/passes/rulebooks/{rulebook_id}/latency", responses=problems(404, 422))
def get_latency(node: CurrentNode, rulebook_id: RulebookId) -> Latency:
    """How long levels took to follow new evidence: from when it was known until the level had changed."""
    rulebook_queries.rulebook(node, rulebook_id)
    found = level_queries.public_latency(node, rulebook_id)
    return Latency(
        changes=found.changes if found else None,
        median_seconds=found.median_seconds if found else None,
        p95_seconds=found.p95_seconds if found else None,
        withheld_below=level_queries.WITHHELD_BELOW,
        as_of=node.clock(),
    )


def _ended_at(node: Node, published: PublishedRulebook) -> datetime | None:
    end = end_of_rulebook(node, published.rulebook)
    return end if end <= node.clock() else None


def _summary(node: Node, published: PublishedRulebook, coming: list[PublishedRulebook]) -> RulebookSummary:
    rulebook = published.rulebook
    return RulebookSummary(
        id=rulebook.id,
        version=rulebook.version,
        hash=rulebook.hash,
        emergency=rulebook.emergency,
        levels=[level.code for level in rulebook.levels],
        valid_from=rulebook.period.start,
        valid_to=rulebook.period.end,
        published_at=published.published_at,
        effect=published.verdict.effect,
        effective_from=published.effective_from,
        in_force=rulebook_queries.is_in_force(node, published),
        ended_at=_ended_at(node, published),
        coming=[
            ComingVersion(version=one.rulebook.version, effect=one.verdict.effect, effective_from=one.effective_from)
            for one in coming
        ],
    )
