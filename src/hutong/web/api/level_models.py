"""What machines are told of a person's levels over time."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field


class LevelStep(BaseModel):
    """One change of a person's level, or of the rules that gave it."""

    level: str
    previous_level: str | None = Field(description="null for the first one")
    rule_ids: list[str]
    rulebook: str
    version: str
    as_of: date
    evidence_known_at: datetime | None = Field(description="When the evidence that changed it was known; null if none")
    decided_at: datetime


class EndedPass(BaseModel):
    """A pass that was revoked since its holder's level changed, and would still be valid."""

    pass_id: str
    level: str = Field(description="What it said")
    rulebook: str = Field(description="id@version")
    ended_at: datetime
    because: str = Field(description="The level that took its place, its rulebook and rules")


class LevelHistory(BaseModel):
    """What the rules gave a resident over time."""

    steps: list[LevelStep] = Field(description="The newest first")
    altered: int = Field(description="How many rows are left out: they were altered, and no rule gave them")
    ended_passes: list[EndedPass] = Field(description="Passes that were ended for a change of the level")
