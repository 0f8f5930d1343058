"""The chapters of the specification, in the order of the manual."""

from __future__ import annotations

from . import certlogic, generalisation, joint_series, levels, quality, risk_areas, weekly_counts
from .specification import Case, Chapter

CHAPTERS: tuple[Chapter, ...] = (
    quality.CHAPTER,
    weekly_counts.CHAPTER,
    generalisation.CHAPTER,
    joint_series.CHAPTER,
    risk_areas.CHAPTER,
    levels.CHAPTER,
    certlogic.CHAPTER,
)
CASES: tuple[tuple[str, Case], ...] = tuple(
    (f"{chapter.name}-{number}", case) for chapter in CHAPTERS for number, case in enumerate(chapter.cases, start=1)
)
