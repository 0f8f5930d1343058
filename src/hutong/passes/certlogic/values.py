"""Values of CertLogic 1.3.3: what is true, what is equal, what is an integer, and how a path reads the data.

A value is a JSON value (None, bool, int, str, list, dict) or a :class:`~.datetimes.DateTime`. A float with an
integral value counts as that integer: JSON has one number type, and foreign data write ``2.0`` for ``2``.
"""

from __future__ import annotations

import re
from typing import Any

from hutong.errors import BadInput, LimitExceeded

from .datetimes import DateTime

Value = Any
"""A JSON value or a DateTime; JSON is what the outside gives, so it is checked where it is used."""

MAX_SAFE_INTEGER = 2**53 - 1
"""Integers outside ± this value differ between platforms (ECMAScript), so they are refused."""

REMEDY = "Correct the rule, or guard the operand with an if-operation so that it is only used where it fits."

_INTEGER_FRAGMENT = re.compile(r"[0-9]{1,9}")
_SEPARATORS = re.compile(r"[/#:]")
_UCI_PREFIX = "URN:UVCI:"


class Budget:
    """How many more steps one evaluation may take."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Take steps off.

        Raises:
            LimitExceeded: nothing is left.
        """
        self.left -= steps
        if self.left < 0:
            raise LimitExceeded(
                "The rule needs more steps than an evaluation may take.",
                "Make the rule or the arrays it reduces smaller.",
            )


def is_number(value: Value) -> bool:
    """True for JSON numbers; a boolean is none."""
    return type(value) is int or type(value) is float


def is_integer(value: Value) -> bool:
    """True for integers and for floats that are integral."""
    return type(value) is int or (type(value) is float and value.is_integer())


def truth(value: Value) -> bool:
    """Whether a value is truthy (section "Truthy and falsy values").

    Raises:
        BadInput: the value is neither (a fraction, a date-time), so no condition may use it.
    """
    if value is True:
        return True
    if value is False or value is None:
        return False
    if isinstance(value, str | list | tuple | dict):
        return len(value) > 0
    if is_integer(value):
        return bool(value != 0)
    raise BadInput("A condition of the rule got a value that is neither true nor false.", REMEDY)


def strictly_equal(left: Value, right: Value, budget: Budget) -> bool:
    """Equality without coercion (operation ``===``); arrays and objects are equal when all their parts are.

    Raises:
        LimitExceeded: comparing two structures took more steps than the budget has.
    """
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        if isinstance(one, str | bool | DateTime) or one is None:
            if type(one) is not type(other) or one != other:
                return False
        elif is_number(one):
            if not is_number(other) or one != other:
                return False
        elif isinstance(one, list | tuple):
            if not isinstance(other, list | tuple) or len(one) != len(other):
                return False
            budget.spend(len(one))
            pending.extend(zip(one, other, strict=True))
        elif isinstance(one, dict):
            if not isinstance(other, dict) or one.keys() != other.keys():
                return False
            budget.spend(len(one))
            pending.extend((item, other[key]) for key, item in one.items())
        else:
            return False
    return True


def contains(items: Value, member: Value, budget: Budget) -> bool:
    """Membership without coercion (operation ``in``).

    Raises:
        BadInput: ``items`` is no array.
        LimitExceeded: the search took more steps than the budget has.
    """
    if not isinstance(items, list | tuple):
        raise BadInput('The right operand of an "in" operation is not an array.', REMEDY)
    if len(items) > 64:
        budget.spend(len(items) >> 4)
    if type(member) is str:  # text equals nothing but text, so the built-in search is exact
        return member in items
    return any(strictly_equal(member, item, budget) for item in items)


def fragments_of(path: str) -> tuple[tuple[str, int | None], ...]:
    """A ``var`` path as fragments, each with its array index if it is one."""
    if path == "":
        return ()
    return tuple(
        (fragment, int(fragment) if _INTEGER_FRAGMENT.fullmatch(fragment) else None) for fragment in path.split(".")
    )


def access(data: Value, fragments: tuple[tuple[str, int | None], ...]) -> Value:
    """What lies at a path (operation ``var``); None where the path leads nowhere."""
    for name, index in fragments:
        if isinstance(data, dict):
            data = data.get(name)
        elif index is not None and isinstance(data, list | tuple) and index < len(data):
            data = data[index]
        else:
            return None
    return data


def extract_from_uci(text: Value, index: int) -> str | None:
    """Fragment ``index`` (from 0) of a unique certificate identifier (operation ``extractFromUVCI``).

    Raises:
        BadInput: the operand is neither text nor null.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise BadInput('The operand of "extractFromUVCI" is neither text nor null.', REMEDY)
    fragments = _SEPARATORS.split(text.removeprefix(_UCI_PREFIX))
    return fragments[index] if 0 <= index < len(fragments) else None


def require_bounded(value: Value, *, max_parts: int = 100_000, max_depth: int = 200) -> None:
    """Refuse a result that could not be written down: a reduction can nest shared arrays without end.

    Raises:
        LimitExceeded: more than ``max_parts`` parts, or nested deeper than ``max_depth``.
    """
    pending = [(value, 0)]
    parts = 0
    while pending:
        item, depth = pending.pop()
        if isinstance(item, list | tuple | dict):
            parts += len(item)
            if parts > max_parts or depth > max_depth:
                raise LimitExceeded(
                    "The rule's result is larger than a result may be.",
                    "Let the rule reduce to a number or a truth value.",
                )
            inner = item.values() if isinstance(item, dict) else item
            pending.extend((part, depth + 1) for part in inner)
