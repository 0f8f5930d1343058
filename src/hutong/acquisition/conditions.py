"""One small language for conditions between elements, used by the row rules of mappings and by quality rules.

``notification_date >= onset_date`` · ``confirmation_date <= notification_date + 365 days`` · ``case_count <=
1`` · ``imported == true`` · ``infection_country present`` · ``age or age_group present`` · ``onset_date <= known_at``.
A comparison in which either side is missing is neither true nor false: the row is not checked by it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hutong.errors import BadInput
from hutong.standard import Element, Standard, Table

OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_COMPARISON = re.compile(r"(\w+)\s*(>=|<=|==|!=|>|<)\s*([\w.'-]+)(?:\s*\+\s*([0-9]{1,5})\s*days)?")
_PRESENCE = re.compile(r"(\w+)\s+(present|absent)")
_ANY_PRESENT = re.compile(r"\w+(?:\s+or\s+\w+)+(?=\s+present$)")
_ORDERED = ("integer", "decimal", "date", "datetime", "week")


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition. ``right`` is an element name when ``right_is_element``, else a value; ``days`` adds
    to it.

    ``operator`` is one of ``OPERATORS``, ``present`` or ``absent``; ``others`` are elements of which one may be present
    instead of ``left``.
    """

    text: str
    left: str
    operator: str
    right: Any = None
    right_is_element: bool = False
    days: int = 0
    others: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[tuple[str, ...], ...]:
        """The elements that it reads, in groups: of each group one is enough."""
        left = (self.left, *self.others)
        return (left, (self.right,)) if self.right_is_element else (left,)

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements that it reads."""
        return tuple(name for group in self.needed for name in group)


def parse(text: str, table: Table, standard: Standard) -> Condition:
    """Parse a condition on ``table``. Raises BadInput: not the language, an unknown element, types that don't
    fit."""
    shown = str(text)[:120]
    if match := _PRESENCE.fullmatch(str(text).strip()):
        return Condition(shown, find_element(match[1], table, standard).name, match[2])
    if match := _ANY_PRESENT.match(str(text).strip()):
        first, *others = (find_element(name, table, standard).name for name in match[0].split()[::2])
        return Condition(shown, first, "present", others=tuple(others))
    match = _COMPARISON.fullmatch(str(text).strip())
    if match is None:
        raise BadInput(
            f"The condition {shown!r} is not understood.",
            "Write for example `notification_date >= onset_date` or `infection_country present`.",
        )
    left = find_element(match[1], table, standard)
    names = {e.name for e in (*table.elements, *standard.lineage)}
    days = int(match[4] or 0)
    if match[3] in names:
        right = find_element(match[3], table, standard)
        if not _comparable(left, right):
            raise BadInput(
                f"The condition {shown!r} compares a {left.type} with a {right.type}.", "Compare like types."
            )
        condition = Condition(shown, left.name, match[2], right.name, True, days)
    else:
        condition = Condition(shown, left.name, match[2], _literal(match[3], left, shown), False, days)
    if days and left.type not in ("date", "datetime"):
        raise BadInput(f"The condition {shown!r} adds days to a {left.type}.", "Only dates take days.")
    if match[2] not in ("==", "!=") and left.type not in _ORDERED:
        raise BadInput(f"The condition {shown!r} orders a {left.type}.", "Only == and != fit here.")
    return condition


def find_element(name: str, table: Table, standard: Standard) -> Element:
    """An element of the table or of the lineage. Raises BadInput with the nearest name."""
    for element in standard.lineage:
        if element.name == name:
            return element
    return table.element(name)


def _comparable(left: Element, right: Element) -> bool:
    kinds = {"date": "time", "datetime": "time", "integer": "number", "decimal": "number"}
    return kinds.get(left.type, left.type) == kinds.get(right.type, right.type)


def _literal(text: str, element: Element, shown: str) -> Any:
    if element.type == "boolean" and text in ("true", "false"):
        return text == "true"
    if element.type in ("integer", "decimal") and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return float(text) if "." in text else int(text)
    if element.type == "code" and element.code_list:
        return element.code_list.code(text.strip("'")).value
    if element.type in ("string", "week"):
        return text.strip("'")
    raise BadInput(f"The condition {shown!r} has no {element.type} on its right.", "Write an element or a value.")
