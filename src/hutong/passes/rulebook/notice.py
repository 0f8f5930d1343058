"""Notice: whether a version of a rulebook loosens or tightens, and from when it holds.

Nobody's word decides this. A version loosens if it is *shown* that nobody's level rises by it: both versions are
evaluated on every mix of evidence that can make a difference. What is not shown to loosen tightens, and waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import product
from typing import Any

from hutong.errors import BadInput

from ..certlogic.evaluate import compile_rule
from ..certlogic.validate import COMPARISONS, data_accesses
from ..certlogic.values import MAX_SAFE_INTEGER, is_number, truth
from ..documents import Document
from .evidence import Evidence
from .rulebook import UNKNOWN, Rulebook, decide_level

MOST_CASES = 50_000
"""Mixes of evidence that are evaluated; a pair of versions that needs more counts as tightening."""

_THRESHOLDS = (*COMPARISONS, "===", "in")
_LOGIC = ("if", "and", "!")


class Effect(StrEnum):
    """What a publication does to the levels of the people under an emergency."""

    FIRST = "first"
    LOOSENING = "loosening"
    TIGHTENING = "tightening"


class Because(StrEnum):
    """Why: the first two are shown, the others say why loosening is not."""

    FIRST = "first-under-the-emergency"
    NOBODY_WORSE = "nobody-gets-a-worse-level"
    SOMEBODY_WORSE = "somebody-gets-a-worse-level"
    OTHER_LEVELS = "other-levels-or-meanings"
    OTHER_DISEASE = "evidence-of-another-disease"
    OTHER_TYPES = "evidence-of-another-type"
    NOT_COMPARABLE = "rules-reckon-with-numbers-or-days"
    TOO_MANY = "too-many-cases-to-show-it"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a version does to people's levels, and how that is known.

    Attributes:
        cases: mixes of evidence that were evaluated; 0 where that would show nothing.
        facts, old_level, new_level: one mix of evidence that gets a worse level; empty where there is none.
    """

    effect: Effect
    because: Because
    cases: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    old_level: str = ""
    new_level: str = ""

    def document(self) -> dict[str, Any]:
        """JSON form, as the records keep it."""
        return {**asdict(self), "facts": dict(self.facts)}


def read_verdict(document: Mapping[str, Any]) -> Verdict:
    """A verdict from its JSON form, as the node itself wrote it."""
    known = {"effect": Effect(document["effect"]), "because": Because(document["because"])}
    return Verdict(**{**document, **known})


FIRST = Verdict(Effect.FIRST, Because.FIRST)


def judge(standing: Collection[Rulebook], following: Rulebook) -> Verdict:
    """What a version does to levels, against all that people's levels may come from now.

    Args:
        standing: what holds now: the version before it; other rulebooks, if it is a new one; empty if it is the first.
    """
    verdicts = [compare(one, following) for one in standing]
    tightening = next((one for one in verdicts if one.effect is Effect.TIGHTENING), None)
    return tightening or next(iter(verdicts), FIRST)


def holds_from(verdict: Verdict, following: Rulebook, standing: Collection[Rulebook], now: datetime) -> datetime:
    """From when a version holds that is published now, never before its own ``valid_from``.

    What tightens waits for the longest notice that it or anything that stands declares: a version can't shorten the
    notice that people were promised.

    Raises:
        BadInput: it would end before it begins to hold.
    """
    start = max(now, following.period.start)
    if verdict.effect is Effect.TIGHTENING:
        hours = max(one.notice_hours for one in (following, *standing))
        start = max(start, now + timedelta(hours=hours))
    if start >= following.period.end:
        raise BadInput(
            f"The version would hold from {start:%Y-%m-%d %H:%M} UTC, after its own end.",
            "Let 'valid_to' be later; what may raise somebody's level waits for its notice.",
        )
    return start


def compare(previous: Rulebook, following: Rulebook) -> Verdict:
    """Whether nobody's level rises from one rulebook to the other, and how that is known."""
    if _meanings(previous) != _meanings(following):
        return Verdict(Effect.TIGHTENING, Because.OTHER_LEVELS)
    if _decides(previous) == _decides(following):
        return Verdict(Effect.LOOSENING, Because.NOBODY_WORSE)
    if (other := _other_evidence(previous, following)) is not None:
        return Verdict(Effect.TIGHTENING, other)
    values = _values((previous, following))
    if values is None:
        return Verdict(Effect.TIGHTENING, Because.NOT_COMPARABLE)
    cases = math.prod(len(choices) for choices in values.values())
    if cases > MOST_CASES:
        return Verdict(Effect.TIGHTENING, Because.TOO_MANY)
    return _over_all(previous, following, values, cases)


def _other_evidence(previous: Rulebook, following: Rulebook) -> Because | None:
    """Why the facts that both read can't be compared; None if they can."""
    if previous.disease != following.disease:
        return Because.OTHER_DISEASE
    types: dict[str, str] = {}
    for one in (*previous.evidence, *following.evidence):
        if types.setdefault(one.name, one.type) != one.type:
            return Because.OTHER_TYPES
    return None


def _over_all(previous: Rulebook, following: Rulebook, values: Mapping[str, tuple[Any, ...]], cases: int) -> Verdict:
    severity = {level.code: index for index, level in enumerate(following.levels)}
    required = [one.name for one in previous.evidence if one.required]
    for facts in _mixes(values):
        old, new = _level(previous, facts), _level(following, facts)
        lacking = any(facts.get(name) is None for name in required)
        if _is_worse(severity.get(old), severity.get(new), lacking=lacking):
            known = {name: value for name, value in facts.items() if value is not None}
            return Verdict(Effect.TIGHTENING, Because.SOMEBODY_WORSE, cases, known, old, new)
    return Verdict(Effect.LOOSENING, Because.NOBODY_WORSE, cases)


def _is_worse(old: int | None, new: int | None, *, lacking: bool) -> bool:
    """Whether somebody is worse off with the second severity than with the first; None is an unknown level.

    Who has no known level gets no pass, so to lose one is worse. But where needed evidence was ``lacking`` before, too,
    and a rule had raised somebody nevertheless, the end of that rule leaves them as all others of whom it is lacking.
    """
    if new is None:
        return old is not None and not (old > 0 and lacking)
    return new > (old or 0)


def _meanings(rulebook: Rulebook) -> list[tuple[str, dict[str, str]]]:
    # What a level means may be an order to stay at home: another meaning is another level.
    return [(level.code, dict(level.meaning)) for level in rulebook.levels]


def _decides(rulebook: Rulebook) -> tuple[Any, ...]:
    """All that decides levels; the rest are sentences and dates."""
    rules = [(rule.level, rule.condition) for rule in rulebook.rules]
    evidence = [(one.name, one.type, one.values, one.required) for one in rulebook.evidence]
    return rules, evidence, rulebook.disease, rulebook.default and rulebook.default[0]


def _level(rulebook: Rulebook, facts: Document) -> str:
    try:
        return decide_level(rulebook, facts).level
    except BadInput:  # a code that this version does not declare: a population run gives "unknown", too
        return UNKNOWN


def _mixes(values: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    for mix in product(*values.values()):
        yield dict(zip(values, mix, strict=True))


def _values(books: tuple[Rulebook, Rulebook]) -> dict[str, tuple[Any, ...]] | None:
    """For each fact that is read: None, and the values that can make a difference. None if no finite list is enough."""
    read = {name for book in books for rule in book.rules for name in rule.reads}
    declared: dict[str, list[Evidence]] = {}
    for book in books:
        for one in book.evidence:
            if one.name in read or one.required:
                declared.setdefault(one.name, []).append(one)
    conditions = [rule.condition for book in books for rule in book.rules]
    numbers = frozenset(name for name, own in declared.items() if own[0].type == "integer")
    if any(own[0].type == "date" and name in read for name, own in declared.items()):
        return None
    if not all(_only_compares(condition, numbers) for condition in conditions):
        return None
    points = _points(conditions)
    found: dict[str, tuple[Any, ...]] = {}
    for name, own in declared.items():
        codes = dict.fromkeys(value for one in own for value in one.values)
        choices = {"boolean": (True, False), "integer": points, "code": tuple(codes), "date": ("2020-02-29",)}
        found[name] = _unlike(name, own, (None, *choices[own[0].type]), conditions)
    return found


def _unlike(name: str, own: list[Evidence], values: tuple[Any, ...], conditions: list[Any]) -> tuple[Any, ...]:
    """Of values that no condition tells apart, one: mixes grow with the product of all of them."""
    alone, is_compared = [], False
    for condition in conditions:
        parts, compared = _parts(condition, name)
        alone += [compile_rule(part) for part in parts]
        is_compared = is_compared or compared
    known: dict[tuple[Any, ...], Any] = {}
    for value in values:
        answers = [_answer(part, {name: value}) for part in alone]
        missing = value is None and any(one.required for one in own)
        itself = value if is_compared else None
        known.setdefault((missing, itself, *(one.accepts(value) for one in own), *answers), value)
    return tuple(known.values())


def _answer(part: Callable[[Document], Any], facts: Document) -> bool | None:
    """Whether a part of a condition is true; None where it can't be said of such a value, as other parts see to."""
    try:
        return truth(part(facts))
    except BadInput:
        return None


def _parts(expression: Any, name: str) -> tuple[list[Any], bool]:
    """The largest parts of a condition that read this fact alone, of which only the truth counts; and whether it is
    read anywhere else, where its value itself may count."""
    if name not in (reads := data_accesses(expression)):
        return [], False
    if reads == {name}:
        return [expression], False
    if isinstance(expression, dict):
        ((operator, operands),) = expression.items()
        if operator in _LOGIC:
            found = [_parts(one, name) for one in operands]
            return [part for parts, _ in found for part in parts], any(compared for _, compared in found)
    return [], True


def _only_compares(expression: Any, numbers: frozenset[str]) -> bool:
    """Whether an expression asks of numbers only on which side of its own constants they are, each by itself.

    Then it is the same for all numbers between two neighbouring constants, and one of them stands for all.
    """
    if not isinstance(expression, dict) or not data_accesses(expression) & numbers:
        return True
    ((operator, operands),) = expression.items()
    if operator == "var":
        return True
    if operator in _LOGIC:
        return all(_only_compares(one, numbers) for one in operands)
    if operator not in _THRESHOLDS:
        return False
    variables = [one for one in operands if isinstance(one, dict)]
    parts = [part for one in operands if isinstance(one, list) for part in one]
    are_constants = not any(isinstance(part, dict | list) for part in parts)
    return are_constants and len(variables) == 1 and "var" in variables[0]


def _points(conditions: Collection[Any]) -> tuple[int, ...]:
    """Each constant with its neighbours, zero (which is false), and both ends: one number of every kind there is."""
    found = {0, MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER}
    for constant in (number for condition in conditions for number in _constants(condition)):
        found |= {math.floor(constant), math.ceil(constant)}
    near = {number + step for number in found for step in (-1, 0, 1)}
    return tuple(sorted(number for number in near if abs(number) <= MAX_SAFE_INTEGER))


def _constants(expression: Any) -> Iterator[int | float]:
    if isinstance(expression, dict):
        for operands in expression.values():
            yield from _constants(operands)
    elif isinstance(expression, list):
        for one in expression:
            yield from _constants(one)
    elif is_number(expression):
        yield expression
