"""Rules before they hold, for machines: check a document, publish it with a second person, try a rulebook."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from hutong.governance import queries as governance
from hutong.passes.documents import MAX_BYTES, parse_document
from hutong.passes.draft import actions
from hutong.passes.draft.draft import Draft, Kind
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.notice import Because, Effect
from hutong.passes.rulebook.rulebook import decide_level
from hutong.trust.authorisation import Resource
from hutong.web.api.rulebooks import RulebookId, Why, whys
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter()

DocumentKind = Annotated[
    Kind,
    Path(description="`rulebook`: what gives levels; `crosswalk`: how they read elsewhere; `scenes`: what is accepted"),
]
Document = Annotated[str, Field(min_length=1, max_length=MAX_BYTES, description="The document as YAML or JSON text")]


class RuleDocument(BaseModel):
    """Rules as a document."""

    model_config = ConfigDict(extra="forbid")
    document: Document


class Publication(RuleDocument):
    """Rules as a document, and the second person who agrees."""

    second_token: str = Field(min_length=1, max_length=200, description="API token of the second person")


class RuleLine(BaseModel):
    """One rule in words."""

    id: str = Field(description="Of the rule; for a crosswalk the level's own code")
    gives: str = Field(description="The level, the place on the common scale, or the scene")
    text: dict[str, str]


class Verdict(BaseModel):
    """What a rulebook does to people's levels against what holds now, and how that is known."""

    effect: Effect
    because: Because
    cases: int = Field(description="Mixes of evidence that were evaluated")
    facts: dict[str, Any] = Field(description="One mix that gets a worse level, where there is one")
    old_level: str
    new_level: str


class CheckedRules(BaseModel):
    """A document that is whole: what it says, and what it would do if it were published now."""

    kind: Kind
    id: str
    version: str
    hash: str = Field(description="SHA-256 of the document's canonical JSON")
    about: str = Field(description="The emergency of a rulebook, the rulebook of a crosswalk; empty for scenes")
    valid_from: datetime
    valid_to: datetime
    effective_from: datetime = Field(description="From when it holds, or would")
    rules: list[RuleLine]
    tests: int = Field(description="Tests that ship with it; all of them passed")
    verdict: Verdict | None = Field(description="null for what is no rulebook")


class FactsToTry(BaseModel):
    """Facts about nobody in particular."""

    facts: dict[str, str | int | bool | None] = Field(
        max_length=200,
        description="By the names that the rulebook declares; what is left out or null is not known",
        examples=[{"residence_risk": "high", "symptoms": True}],
    )
    version: str | None = Field(default=None, max_length=30, description="By default the version that holds")


class TriedLevel(BaseModel):
    """The level that the facts give, and by which rules."""

    rulebook: str
    version: str
    level: str
    rule_ids: list[str] = Field(description="Rules that fired; empty where the default or nothing applies")
    reasons: list[Why]


@router.post("/api/passes/rules/{kind}/check", responses=problems(400, 401, 403, 404, 409, 413, 422))
def check_rules(node: CurrentNode, actor: CurrentActor, kind: DocumentKind, given: RuleDocument) -> CheckedRules:
    """Check rules before they are published; nothing is. An error says what is missing."""
    document = parse_document(given.document.encode("utf-8", "replace"), "The document")
    return _checked(actions.check_draft(node, by=actor, kind=kind, document=document))


@router.post("/api/passes/rules/{kind}", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422))
def publish_rules(node: CurrentNode, actor: CurrentActor, kind: DocumentKind, given: Publication) -> CheckedRules:
    """Publish rules; two persons stand behind them. What may raise somebody's level holds after its notice only."""
    # Who may not publish is refused before another person's token is looked at.
    node.require(actor, "publish_rulebook", Resource("Rulebook", ""))
    second = governance.token_actor(node, given.second_token)
    document = parse_document(given.document.encode("utf-8", "replace"), "The document")
    return _checked(actions.publish_draft(node, by=actor, second=second, kind=kind, document=document))


@router.post("/api/passes/rulebooks/{rulebook_id}/level", responses=problems(400, 404, 413, 422))
def try_rulebook(node: CurrentNode, rulebook_id: RulebookId, given: FactsToTry) -> TriedLevel:
    """Which level the rules give for facts, and why. Nothing is kept."""
    found = decide_level(rulebook_queries.rulebook(node, rulebook_id, given.version), given.facts)
    return TriedLevel(
        rulebook=found.rulebook_id,
        version=found.version,
        level=found.level,
        rule_ids=list(found.rule_ids),
        reasons=whys(found.reasons),
    )


def _checked(draft: Draft) -> CheckedRules:
    return CheckedRules(
        kind=draft.kind,
        id=draft.id,
        version=draft.version,
        hash=draft.hash,
        about=draft.about,
        valid_from=draft.period.start,
        valid_to=draft.period.end,
        effective_from=draft.effective_from,
        rules=[RuleLine(id=line.id, gives=line.gives, text=dict(line.texts)) for line in draft.lines],
        tests=draft.tests,
        verdict=Verdict(**draft.verdict.document()) if draft.verdict else None,
    )
