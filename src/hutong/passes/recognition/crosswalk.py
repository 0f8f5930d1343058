"""Crosswalks: how the levels of one rulebook read on the common scale ``low < medium < high``, or ``unknown``.

Deployed systems write a level as 1, "00", "green" or "init", and the same 1 means green, red, abnormal or low. A
crosswalk says, for one list of levels, what each means; what it does not say is unknown, never the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from hutong.errors import BadInput, LimitExceeded
from hutong.standard.element import LANGUAGES

from .. import documents
from ..documents import Document, Period, Texts
from ..rulebook.rulebook import UNKNOWN

SCALE = ("low", "medium", "high")
"""The common scale, from the least to the most severe."""

REASON_CLASSES = ("clinical", "contact", "area", "symptom", "entry", "nothing-found", "administrative")
"""Why a system may give a level: case or test, contact, residence or stay, symptoms, arrival, nothing, no data."""

_FIELDS = ("id", "version", "rulebook", "major", "valid_from", "valid_to", "levels", "from_scale")
_LEVEL_FIELDS = ("code", "scale", "reasons", "meaning")


@dataclass(frozen=True, slots=True)
class ReadLevel:
    """One level of the list: its code as written, its place on the scale (or unknown), its reason classes."""

    code: str
    scale: str
    reason_classes: tuple[str, ...]
    meaning: Texts


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """The levels of one list, from the least to the most severe; build it with :func:`parse_crosswalk`.

    Attributes:
        rulebook, major: id and major version of the rulebook (or deployed list) whose levels these are.
        back: scale to the level of this list that stands for it; a scale without one reads as unknown here.
    """

    id: str
    version: str
    hash: str
    rulebook: str
    major: int
    period: Period
    levels: tuple[ReadLevel, ...]
    back: Mapping[str, str]

    def find(self, level: Any) -> ReadLevel | None:
        """The entry of a level as written (text or integer), or None."""
        if type(level) is int and abs(level) < 10**9:
            level = str(level)
        code = level if isinstance(level, str) else None
        for one in self.levels:
            if one.code == code:
                return one
        return None

    def to_scale(self, level: Any) -> str:
        """Where a level lies on the common scale; ``unknown`` for one that the crosswalk does not name."""
        found = self.find(level)
        return UNKNOWN if found is None else found.scale

    def from_scale(self, scale: str) -> str:
        """The level of this list that stands for a place on the scale, or ``unknown``."""
        return self.back.get(scale, UNKNOWN)


def convert(level: Any, source: Crosswalk, target: Crosswalk) -> str:
    """A level of one list as the other writes it, by way of the scale; ``unknown`` where either is silent."""
    return target.from_scale(source.to_scale(level))


def parse_crosswalk(document: Document, *, languages: tuple[str, ...] = LANGUAGES) -> Crosswalk:
    """Read a crosswalk and refuse one that could make a level worse by reading it.

    Raises:
        BadInput: a field missing or unknown, a code twice, levels that do not rise with the scale, a scale whose
            level stands above one that is read as that scale (a round trip would raise it), no end date.
    """
    documents.known_fields(document, _FIELDS, "The crosswalk")
    name = documents.identifier(document, "id", "The crosswalk")
    where = f"The crosswalk {name}"
    documents.semver(document.get("version"))
    major = document.get("major")
    if type(major) is not int or major < 0:
        raise BadInput(f"{where} has no major version of its rulebook.", "Give 'major' as a whole number.")
    levels = tuple(
        _level(item, where, languages) for item in documents.items(document, "levels", where, least=2, most=20)
    )
    documents.require_unique([level.code for level in levels], where)
    ordered = [level for level in levels if level.scale != UNKNOWN]
    if any(SCALE.index(one.scale) > SCALE.index(two.scale) for one, two in pairwise(ordered)):
        raise BadInput(f"{where} has levels that fall on the scale.", "List them from least to most severe.")
    return Crosswalk(
        id=name,
        version=documents.text(document, "version", where),
        hash=documents.document_hash(document),
        rulebook=documents.identifier(document, "rulebook", where),
        major=major,
        period=documents.period(document, where),
        levels=levels,
        back=_back(document.get("from_scale"), ordered, where),
    )


def read_crosswalk(document: Document) -> Crosswalk | None:
    """Read what a party signed, perhaps with a newer edition of this program; None where it is not understood.

    Fields that are not known here are passed over, a level whose place on the scale or whose reasons are not known is
    ``unknown``, and no language is wanted: what one party writes takes nobody else's passes along.
    """
    try:
        levels = [_known_level(item) for item in documents.items(document, "levels", "The crosswalk", most=20)]
        known = {field: document[field] for field in _FIELDS if field in document} | {"levels": levels}
        return replace(parse_crosswalk(known, languages=()), hash=documents.document_hash(document))
    except (BadInput, LimitExceeded):
        return None


def _known_level(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    known = {field: item[field] for field in _LEVEL_FIELDS if field in item}
    reasons = known.get("reasons")
    if known.get("scale") in SCALE and isinstance(reasons, list) and all(one in REASON_CLASSES for one in reasons):
        return known
    return known | {"scale": UNKNOWN, "reasons": ["administrative"]}


def _level(item: Any, where: str, languages: tuple[str, ...]) -> ReadLevel:
    documents.known_fields(item, _LEVEL_FIELDS, f"{where}, a level")
    code = documents.text(item, "code", f"{where}, a level")
    where = f"{where}, level {code[:40]}"
    scale = documents.text(item, "scale", where)
    if scale not in (*SCALE, UNKNOWN):
        raise BadInput(f"{where} has a scale that does not exist.", f"Use one of: {', '.join((*SCALE, UNKNOWN))}.")
    reasons = documents.items(item, "reasons", where, least=1, most=len(REASON_CLASSES))
    if any(reason not in REASON_CLASSES for reason in reasons):
        raise BadInput(f"{where} has an unknown reason class.", f"Use: {', '.join(REASON_CLASSES)}.")
    return ReadLevel(code, scale, tuple(reasons), documents.texts(item, "meaning", where, languages))


def _back(declared: Any, ordered: list[ReadLevel], where: str) -> dict[str, str]:
    """By default the least severe level of a place on the scale stands for it, so that no round trip raises."""
    back = {level.scale: level.code for level in reversed(ordered)}
    if declared is None:
        return back
    documents.known_fields(declared, SCALE, f"{where}, from_scale")
    position = {level.code: index for index, level in enumerate(ordered)}
    for scale, code in declared.items():
        if code not in position:
            raise BadInput(f"{where} reads {scale!r} as a level it has not.", "Name one of its ordered levels.")
        above = ordered[position[code]].scale
        if SCALE.index(above) > SCALE.index(scale) or (scale in back and position[code] > position[back[scale]]):
            raise BadInput(
                f"{where} would raise a level: {scale!r} reads as {code!r}, which is more severe.",
                "Let each place on the scale stand for a level that is no more severe than those read as it.",
            )
        back[scale] = code
    return back
