"""The format validator of CertLogic 1.3.3: whether a JSON value is an expression, before any evaluation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from hutong.errors import BadInput, LimitExceeded

from .datetimes import TIME_UNITS
from .values import MAX_SAFE_INTEGER, is_integer, is_number

Expression = Any
"""A JSON value that claims to be a CertLogic expression."""

MAX_DEPTH = 64
MAX_NODES = 20_000

COMPARISONS = ("<", ">", "<=", ">=")
TIME_COMPARISONS = ("after", "before", "not-after", "not-before")
INFIX = ("===", "and", *COMPARISONS, "in", "+", *TIME_COMPARISONS)
OPERATIONS = ("if", "!", "var", "reduce", "plusTime", "dccDateOfBirth", "extractFromUVCI", *INFIX)

_PATH = re.compile(r"[^.]+(\.[^.]+)*")


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: the sub-expression and what is wrong with it."""

    expression: Expression
    message: str


def validate_format(expression: Expression) -> tuple[Issue, ...]:
    """Everything that keeps a JSON value from being a CertLogic expression; empty means it is one.

    Raises:
        LimitExceeded: more than MAX_NODES nodes, or nested deeper than MAX_DEPTH.
    """
    return tuple(_Validator().issues(expression, 0))


def require_valid(expression: Expression) -> None:
    """Refuse what is no CertLogic expression.

    Raises:
        BadInput: names the first issue.
        LimitExceeded: too large or too deep.
    """
    issues = validate_format(expression)
    if issues:
        raise BadInput(
            f"The rule is not valid CertLogic: {issues[0].message}.",
            "Correct the rule; the 19 operations of CertLogic 1.3.3 are allowed.",
        )


def data_accesses(expression: Expression) -> frozenset[str]:
    """The paths that a valid expression reads from its data; a reduction's function reads its own context."""
    return frozenset(_accesses(expression))


def _accesses(expression: Expression) -> Iterator[str]:
    if isinstance(expression, list):
        for item in expression:
            yield from _accesses(item)
    elif isinstance(expression, dict):
        ((operator, operands),) = expression.items()
        if operator == "var":
            yield operands
        elif operator == "reduce":
            yield from _accesses(operands[0])
            yield from _accesses(operands[2])
        else:
            yield from _accesses(operands)


class _Validator:
    """Counts nodes while it walks, so that a huge expression ends the walk early."""

    def __init__(self) -> None:
        self.nodes = 0
        self.forms: dict[str, Callable[[Expression, list[Any], int], Iterator[Issue]]] = {
            "if": self._if,
            "!": self._not,
            "plusTime": self._plus_time,
            "reduce": self._reduce,
            "extractFromUVCI": self._extract,
            "dccDateOfBirth": self._date_of_birth,
        }

    def issues(self, expression: Expression, depth: int) -> Iterator[Issue]:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise LimitExceeded(
                f"The rule has more than {MAX_NODES} parts or is nested deeper than {MAX_DEPTH}.",
                "Split it into smaller rules.",
            )
        if isinstance(expression, str | bool):
            return
        if is_number(expression):
            yield from _number(expression)
        elif isinstance(expression, list):
            yield from self._all(expression, depth)
        elif isinstance(expression, dict):
            yield from self._operation(expression, depth)
        else:
            yield Issue(expression, "invalid CertLogic expression")

    def _all(self, operands: list[Any], depth: int) -> Iterator[Issue]:
        for operand in operands:
            yield from self.issues(operand, depth + 1)

    def _operation(self, expression: dict[Any, Any], depth: int) -> Iterator[Issue]:
        if len(expression) != 1:
            yield Issue(expression, f"expression object must have exactly one key, but it has {len(expression)}")
            return
        ((operator, operands),) = expression.items()
        if operator == "var":
            yield from _var(expression, operands)
        elif not isinstance(operands, list):
            yield Issue(expression, 'operation not of the form { "<operator>": [ <values...> ] }')
        elif operator in self.forms:
            yield from self.forms[operator](expression, operands, depth)
        elif operator in INFIX:
            yield from self._infix(expression, operator, operands, depth)
        else:
            yield Issue(expression, f'unrecognised operator: "{_short(operator)}"')

    def _if(self, expression: Expression, operands: list[Any], depth: int) -> Iterator[Issue]:
        yield from _exactly(expression, operands, 3, 'an "if"-operation')
        yield from self._all(operands[:3], depth)

    def _not(self, expression: Expression, operands: list[Any], depth: int) -> Iterator[Issue]:
        if len(operands) != 1:
            form = "a !-operation (logical not/negation) must have exactly 1 operand"
            yield Issue(expression, f"{form}, but it has {len(operands)}")
        else:
            yield from self._all(operands, depth)

    def _infix(self, expression: Expression, operator: str, operands: list[Any], depth: int) -> Iterator[Issue]:
        count = len(operands)
        if operator == "and":
            most, fits, wanted = count, count >= 2, 'an "and" operation must have at least 2 operands'
        elif operator in COMPARISONS or operator in TIME_COMPARISONS:
            wanted = f'an operation with operator "{operator}" must have 2 or 3 operands'
            most, fits = 3, count in (2, 3)
        else:
            wanted = f'an operation with operator "{operator}" must have 2 operands'
            most, fits = 2, count == 2
        if not fits:
            yield Issue(expression, f"{wanted}, but it has {count}")
        yield from self._all(operands[:most], depth)

    def _plus_time(self, expression: Expression, operands: list[Any], depth: int) -> Iterator[Issue]:
        yield from _exactly(expression, operands, 3, 'a "plusTime"-operation')
        yield from self._all(operands[:1], depth)
        if len(operands) > 1:
            yield from _literal_integer(expression, operands[1], "amount", "plusTime")
        if len(operands) > 2 and (not isinstance(operands[2], str) or operands[2] not in TIME_UNITS):
            units = ", ".join(TIME_UNITS)
            form = '"unit" argument (#3) of "plusTime" must be a string equal to one of'
            yield Issue(expression, f"{form} {units}, but it is: {_short(operands[2])}")

    def _reduce(self, expression: Expression, operands: list[Any], depth: int) -> Iterator[Issue]:
        yield from _exactly(expression, operands, 3, 'a "reduce"-operation')
        yield from self._all(operands[:3], depth)

    def _extract(self, expression: Expression, operands: list[Any], depth: int) -> Iterator[Issue]:
        yield from _exactly(expression, operands, 2, 'an "extractFromUVCI"-operation')
        yield from self._all(operands[:1], depth)
        if len(operands) > 1:
            yield from _literal_integer(expression, operands[1], "index", "extractFromUVCI")

    def _date_of_birth(self, expression: Expression, operands: list[Any], depth: int) -> Iterator[Issue]:
        if len(operands) != 1:
            form = 'a "dccDateOfBirth"-operation must have exactly 1 value/operand'
            yield Issue(expression, f"{form}, but it has {len(operands)}")
        yield from self._all(operands[:1], depth)


def _number(expression: int | float) -> Iterator[Issue]:
    if not is_integer(expression):
        yield Issue(expression, f"{_short(expression)} is a non-integer number")
    elif abs(expression) > MAX_SAFE_INTEGER:
        yield Issue(expression, f"an integer must lie between -{MAX_SAFE_INTEGER} and {MAX_SAFE_INTEGER}")


def _var(expression: Expression, path: Any) -> Iterator[Issue]:
    if not isinstance(path, str):
        yield Issue(expression, 'not of the form { "var": "<path>" }')
    elif path != "" and _PATH.fullmatch(path) is None:
        yield Issue(expression, f"data access path doesn't have a valid format: {path[:80]}")


def _exactly(expression: Expression, operands: list[Any], count: int, form: str) -> Iterator[Issue]:
    if len(operands) != count:
        yield Issue(expression, f"{form} must have exactly {count} values/operands, but it has {len(operands)}")


def _literal_integer(expression: Expression, value: Any, name: str, operator: str) -> Iterator[Issue]:
    if not is_integer(value) or abs(value) > MAX_SAFE_INTEGER:
        form = f'"{name}" argument (#2) of "{operator}" must be an integer'
        yield Issue(expression, f"{form}, but it is: {_short(value)}")


def _short(value: Any) -> str:
    """A value as a message may repeat it, as JSON writes it; a structure or a huge number is not written out."""
    if isinstance(value, str):
        return value[:40]
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return str(int(value))
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return orjson.dumps(value).decode()
    return "a structure" if isinstance(value, list | dict) else "a value that JSON does not have"
