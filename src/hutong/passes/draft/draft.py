"""A draft: rules that are whole and might be published, in one form for every kind of document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ..documents import Period, Texts
from ..recognition.crosswalk import Crosswalk
from ..recognition.eu_rules import EuRules
from ..recognition.recognition import AcceptanceRules
from ..rulebook.notice import Verdict
from ..rulebook.rulebook import Rulebook


class Kind(StrEnum):
    """What a document holds: rules that give levels, how levels read elsewhere, or what is accepted where."""

    RULEBOOK = "rulebook"
    CROSSWALK = "crosswalk"
    SCENES = "scenes"


@dataclass(frozen=True, slots=True)
class Line:
    """One rule in words.

    Attributes:
        id: of the rule; for a crosswalk the level's own code.
        gives: the level of a rulebook's rule; the place on the common scale; the scene at which a pass must meet it.
    """

    id: str
    gives: str
    texts: Texts


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be published, and what it would do.

    Attributes:
        hash: SHA-256 of the document's canonical JSON, lower-case hexadecimal.
        about: the emergency of a rulebook, the rulebook of a crosswalk; empty for scenes.
        lines: a rulebook's in the order in which they weigh, the default last.
        levels: a rulebook's levels from the least to the most severe.
        meanings: names of evidence to what they are, for telling the verdict's facts.
        tests: tests that ship with a rulebook; all of them passed.
        verdict: whether a rulebook loosens or tightens against what holds; None for other kinds.
        effective_from: from when it would hold if it were published now.
    """

    kind: Kind
    id: str
    version: str
    hash: str
    period: Period
    lines: tuple[Line, ...]
    effective_from: datetime
    about: str = ""
    levels: tuple[str, ...] = ()
    meanings: Mapping[str, Texts] = field(default_factory=dict)
    tests: int = 0
    verdict: Verdict | None = None


def of_rulebook(rulebook: Rulebook, verdict: Verdict, effective_from: datetime) -> Draft:
    """A rulebook as a draft."""
    ordered = sorted(rulebook.rules, key=lambda rule: -rulebook.severity(rule.level))
    lines = [Line(rule.id, rule.level, rule.texts) for rule in ordered]
    if rulebook.default is not None:
        level, reason = rulebook.default
        lines.append(Line(reason.rule_id, level, reason.texts))
    return Draft(
        kind=Kind.RULEBOOK,
        id=rulebook.id,
        version=rulebook.version,
        hash=rulebook.hash,
        period=rulebook.period,
        lines=tuple(lines),
        effective_from=effective_from,
        about=rulebook.emergency,
        levels=tuple(level.code for level in rulebook.levels),
        meanings={one.name: one.meaning for one in rulebook.evidence},
        tests=len(rulebook.tests),
        verdict=verdict,
    )


def of_crosswalk(crosswalk: Crosswalk, now: datetime) -> Draft:
    """A crosswalk as a draft; it holds when it is published, within its period."""
    return Draft(
        kind=Kind.CROSSWALK,
        id=crosswalk.id,
        version=crosswalk.version,
        hash=crosswalk.hash,
        period=crosswalk.period,
        lines=tuple(Line(level.code, level.scale, level.meaning) for level in crosswalk.levels),
        effective_from=max(now, crosswalk.period.start),
        about=crosswalk.rulebook,
    )


def of_scenes(rules: AcceptanceRules, now: datetime) -> Draft:
    """Rules of acceptance as a draft; they hold when they are published, within their period."""
    return Draft(
        kind=Kind.SCENES,
        id=rules.id,
        version=rules.version,
        hash=rules.hash,
        period=rules.period,
        lines=tuple(
            Line(rule.reason.rule_id, str(scene), rule.reason.texts)
            for scene, held in rules.scenes.items()
            for rule in held
        )
        + _of_certificates(rules.eu_dcc),
        effective_from=max(now, rules.period.start),
    )


def _of_certificates(rules: EuRules | None) -> tuple[Line, ...]:
    """Rules for EU certificates, at each scene where they count."""
    if rules is None:
        return ()
    return tuple(
        Line(rule.reason.rule_id, scene, rule.reason.texts) for scene in sorted(rules.scenes) for rule in rules.rules
    )
