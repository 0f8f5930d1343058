"""Which of two levels is the less severe, also where two rulebooks gave them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..rulebook.rulebook import UNDER_REVIEW, Rulebook
from .crosswalk import SCALE, Crosswalk


def is_less_severe(
    level: str, given_by: str, than: str, rulebook: Rulebook, crosswalks: Iterable[Crosswalk] = ()
) -> bool:
    """Whether a level is known to be less severe than another one; where nothing compares them it is not.

    Args:
        level: by the rulebook ``given_by`` ("id@version"). *Under review* stood for any level but the least severe.
        than: a level of ``rulebook``. What is no level of it (``unknown``) is no more severe than anything.
        crosswalks: those of this node; they compare levels where the rulebook has no level of that code.
    """
    codes = [one.code for one in rulebook.levels]
    if than not in codes:
        return False
    if level == UNDER_REVIEW:
        return codes.index(than) > 0
    if level in codes:
        return codes.index(level) < codes.index(than)
    walks = list(crosswalks)
    places = (_place(walks, given_by, level), _place(walks, f"{rulebook.id}@{rulebook.version}", than))
    return None not in places and SCALE.index(str(places[0])) < SCALE.index(str(places[1]))


def _place(crosswalks: Iterable[Crosswalk], rulebook: str, level: str) -> str | None:
    """Where a level of a rulebook lies on the common scale; None where no crosswalk says."""
    name, _, version = rulebook.partition("@")
    for walk in crosswalks:
        if (walk.rulebook, str(walk.major)) == (name, version.partition(".")[0]):
            scale = walk.to_scale(level)
            return scale if scale in SCALE else None
    return None
