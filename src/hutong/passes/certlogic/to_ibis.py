"""CertLogic compiled to Ibis: the same rule over a whole table of persons instead of one person's data.

A table is typed where JSON is not, so each sub-expression has one kind (boolean, integer, text or instant), and what
has none is refused: ``reduce``, ``extractFromUVCI``, data that is no column, a value whose kind depends on the row.
What remains means the same as :func:`~.evaluate.evaluate`, null included; where ``evaluate`` raises for a row's data
(null in a comparison), the row *fails*, and its value here is null. Generated tests hold the two equal.

Import this module lazily: it needs Ibis.
"""

from __future__ import annotations

import operator as py
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any

import ibis
import ibis.expr.operations as ops

from hutong.errors import BadInput, LimitExceeded

from .datetimes import DateTime, dcc_date_of_birth, plus_time
from .validate import COMPARISONS, TIME_COMPARISONS, Expression, require_valid
from .values import MAX_SAFE_INTEGER

COLUMN_TYPES = ("boolean", "integer", "text", "date")
"""What a column may hold; a date column stands for texts YYYY-MM-DD in the data of ``evaluate``."""

MAX_QUERY_NODES = 10_000
"""Nodes of one rule written out as a query; a rule of ten comparisons has about a hundred."""

Columns = Mapping[str, tuple[str, str]]
"""Path of ``var`` to the name of a column and its type, one of COLUMN_TYPES."""

_MS_A_DAY = 86_400_000
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    **{"<": py.lt, ">": py.gt, "<=": py.le, ">=": py.ge},
    **{"before": py.lt, "after": py.gt, "not-after": py.le, "not-before": py.ge},
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A sub-expression over a table.

    Attributes:
        kind: "boolean", "integer", "text", "instant" (milliseconds since 1970), or None: only its truth has a meaning.
        value: Ibis expression of that kind; meaningless where the row fails.
        truth: Ibis boolean, null at most where the row fails; None for an instant, which is neither true nor false.
        fails: Ibis boolean, never null for the whole expression, true where ``evaluate`` raises; None if it can't.
        constant: the value of a literal.
        nullable: whether ``value`` may be null where the row does not fail.
        date: for a date column, the date itself.
    """

    kind: str | None
    value: Any
    truth: Any
    fails: Any = None
    constant: bool | int | str | None = None
    nullable: bool = True
    date: Any = None


def compile_to_ibis(expression: Expression, table: Any, columns: Columns) -> Any:
    """The value of an expression for each row of a table.

    Args:
        expression: a CertLogic expression.
        table: an Ibis table of persons.
        columns: which columns of it the expression's paths mean.

    Returns:
        An Ibis value expression, null where ``evaluate`` gives null and where it raises.

    Raises:
        BadInput: not valid CertLogic, or an operation that has no meaning over columns; the message names it.
        LimitExceeded: too large or too deep.
    """
    compiled = compile_expression(expression, table, columns)
    if compiled.kind in (None, "instant"):
        raise _refused(_operator(expression), "gives values of more than one kind")
    return compiled.value if compiled.fails is None else compiled.fails.ifelse(ibis.null(), compiled.value)


def compile_expression(expression: Expression, table: Any, columns: Columns) -> Compiled:
    """As :func:`compile_to_ibis`, with truth and failure beside the value.

    Raises:
        BadInput, LimitExceeded: as :func:`compile_to_ibis`.
    """
    require_valid(expression)
    compiled = _Compiler(table, columns).node(expression, frozenset())
    _require_writable(compiled)
    return compiled


class _Compiler:
    """Compiles bottom up; ``known`` holds the paths that can't be null where a sub-expression is evaluated."""

    def __init__(self, table: Any, columns: Columns) -> None:
        self.table = table
        self.columns = columns
        self.makers: dict[str, Callable[[list[Any], frozenset[str]], Compiled]] = {
            "if": self._if,
            "and": self._and,
            "!": self._not,
            "===": self._equal,
            "in": self._in,
            "+": self._plus,
            "plusTime": self._plus_time,
            "dccDateOfBirth": self._date_of_birth,
        }

    def node(self, expression: Expression, known: frozenset[str]) -> Compiled:
        if isinstance(expression, dict):
            ((operator, operands),) = expression.items()
            if operator == "var":
                return self._var(operands, known)
            if operator in COMPARISONS or operator in TIME_COMPARISONS:
                return self._compare(operator, operands, known)
            if operator not in self.makers:
                raise _refused(operator, "has no meaning over columns")
            return self.makers[operator](operands, known)
        if isinstance(expression, list):
            raise _refused("array", 'is only allowed as the right operand of "in"')
        return _literal(expression)

    def _var(self, path: str, known: frozenset[str]) -> Compiled:
        if path not in self.columns:
            raise _refused("var", f"reads {path[:80]!r}, which is no column")
        name, kind = self.columns[path]
        nullable = path not in known
        column = self.table[name]
        if kind == "boolean":
            return _boolean(column, nullable=nullable)
        if kind == "integer":
            value = column.cast("int64")
            return Compiled("integer", value, _sure(value != 0, nullable), nullable=nullable)
        if kind == "text":
            return Compiled("text", column, _sure(column != "", nullable), nullable=nullable)
        if kind == "date":
            date = column.cast("date")
            return Compiled("text", date.cast("string"), date.notnull(), nullable=nullable, date=date)
        raise BadInput(f"{kind!r} is no type of column.", f"Use one of: {', '.join(COLUMN_TYPES)}.")

    def _if(self, operands: list[Any], known: frozenset[str]) -> Compiled:
        guard = self._condition("if", operands[0], known)
        then = self.node(operands[1], known | _certain(operands[0], True))
        otherwise = self.node(operands[2], known | _certain(operands[0], False))
        same = then.kind == otherwise.kind
        if not same and "instant" in (then.kind, otherwise.kind):
            raise _refused("if", "gives a date-time in one branch only")
        nullable = then.nullable or otherwise.nullable
        truth = None if then.truth is None else guard.truth.ifelse(then.truth, otherwise.truth)
        value = guard.truth.ifelse(then.value, otherwise.value) if same and then.kind is not None else None
        return Compiled(
            kind=then.kind if same else None,
            value=truth if same and then.kind == "boolean" and not nullable else value,
            truth=truth,
            fails=_either(guard.fails, _choose(guard.truth, then.fails, otherwise.fails)),
            nullable=nullable,
        )

    def _and(self, operands: list[Any], known: frozenset[str]) -> Compiled:
        parts: list[Compiled] = []
        for operand in operands:
            parts.append(self._condition("and", operand, known))
            known = known | _certain(operand, True)
        kinds = {part.kind for part in parts}
        nullable = any(part.nullable for part in parts)
        truth = reduce(py.and_, (part.truth for part in parts))
        last = parts[-1]
        value, fails = last.value, last.fails
        for part in reversed(parts[:-1]):
            if len(kinds) == 1 and None not in kinds:
                value = part.truth.ifelse(value, part.value)
            fails = _either(part.fails, None if fails is None else part.truth & fails)
        return Compiled(
            kind=last.kind if len(kinds) == 1 else None,
            value=truth if kinds == {"boolean"} and not nullable else value,
            truth=truth,
            fails=fails,
            nullable=nullable,
        )

    def _not(self, operands: list[Any], known: frozenset[str]) -> Compiled:
        operand = self._condition("!", operands[0], known)
        return _boolean(~operand.truth, nullable=False, fails=operand.fails)

    def _equal(self, operands: list[Any], known: frozenset[str]) -> Compiled:
        left, right = (self._valued("===", operand, known) for operand in operands)
        return _boolean(_same(left, right), nullable=False, fails=_either(left.fails, right.fails))

    def _in(self, operands: list[Any], known: frozenset[str]) -> Compiled:
        member = self._valued("in", operands[0], known)
        if not isinstance(operands[1], list):
            raise _refused("in", "searches something that is no array of operands")
        items = [self._valued("in", operand, known) for operand in operands[1]]
        literals = [item.constant for item in items if item.constant is not None and item.kind == member.kind]
        found = [_same(member, item) for item in items if item.constant is None]
        if literals:
            # Always inside a call: engines differ on whether IN or an equality around it binds first.
            found.append(ibis.coalesce(member.value.isin(literals), False))
        fails = reduce(_either, (item.fails for item in items), member.fails)
        value = reduce(py.or_, found) if found else ibis.literal(False)
        return _boolean(value, nullable=False, fails=fails)

    def _plus(self, operands: list[Any], known: frozenset[str]) -> Compiled:
        parts = [self._of_kind("+", "integer", operand, known) for operand in operands]
        total = parts[0].value + parts[1].value
        fits = (total >= -MAX_SAFE_INTEGER) & (total <= MAX_SAFE_INTEGER)
        fails = reduce(_either, [*(part.fails for part in parts), ~ibis.coalesce(fits, False)])
        value = fits.ifelse(total, ibis.null("int64"))  # so that no chain of sums leaves 64 bits
        return Compiled("integer", value, ibis.coalesce(value != 0, False), fails, nullable=False)

    def _compare(self, operator: str, operands: list[Any], known: frozenset[str]) -> Compiled:
        kind = "integer" if operator in COMPARISONS else "instant"
        parts = [self._of_kind(operator, kind, operand, known) for operand in operands]
        compare = _COMPARE[operator]
        pairs = pairwise(parts)
        holds = reduce(py.and_, (compare(one.value, other.value) for one, other in pairs))
        fails = reduce(_either, (part.fails for part in parts))
        return _boolean(holds if fails is None else ibis.coalesce(holds, False), nullable=False, fails=fails)

    def _plus_time(self, operands: list[Any], known: frozenset[str]) -> Compiled:
        date, amount, unit = self._valued("plusTime", operands[0], known), int(operands[1]), operands[2]
        if isinstance(date.constant, str):
            return _instant(plus_time(date.constant, amount, unit))
        if date.date is None:
            raise _refused("plusTime", "reads something that is neither a date column nor a literal")
        limit = {"hour": 24 * 3_000_000, "day": 3_000_000, "month": 12 * 8000, "year": 8000}[unit]
        if abs(amount) > limit:
            raise _refused("plusTime", "adds more than 8,000 years")
        fails = date.value.isnull() if date.nullable else None
        if unit in ("hour", "day"):
            step = 3_600_000 if unit == "hour" else _MS_A_DAY
            value = _days(date.date) * _MS_A_DAY + amount * step
        else:
            value = _add_months(date.date, amount * (12 if unit == "year" else 1)) * _MS_A_DAY
        return Compiled("instant", value, None, fails, nullable=False)

    def _date_of_birth(self, operands: list[Any], known: frozenset[str]) -> Compiled:
        date = self._valued("dccDateOfBirth", operands[0], known)
        if isinstance(date.constant, str):
            return _instant(dcc_date_of_birth(date.constant))
        if date.date is None:
            raise _refused("dccDateOfBirth", "reads something that is neither a date column nor a literal")
        fails = date.value.isnull() if date.nullable else None
        return Compiled("instant", _days(date.date) * _MS_A_DAY, None, fails, nullable=False)

    def _condition(self, operator: str, operand: Expression, known: frozenset[str]) -> Compiled:
        compiled = self.node(operand, known)
        if compiled.truth is None:
            raise _refused(operator, "tests a date-time, which is neither true nor false")
        return compiled

    def _valued(self, operator: str, operand: Expression, known: frozenset[str]) -> Compiled:
        compiled = self.node(operand, known)
        if compiled.kind is None:
            raise _refused(operator, "has an operand whose kind depends on the row")
        return compiled

    def _of_kind(self, operator: str, kind: str, operand: Expression, known: frozenset[str]) -> Compiled:
        """An operand of one kind that must not be null: where it is, the row fails."""
        compiled = self._valued(operator, operand, known)
        if compiled.kind != kind:
            raise _refused(operator, f"has an operand that is {compiled.kind}, not {kind}")
        if not compiled.nullable:
            return compiled
        fails = _either(compiled.fails, compiled.value.isnull())
        return Compiled(kind, compiled.value, compiled.truth, fails, compiled.constant, nullable=False)


def _literal(value: bool | int | float | str) -> Compiled:
    if isinstance(value, bool):
        return Compiled("boolean", ibis.literal(value), ibis.literal(value), constant=value, nullable=False)
    if isinstance(value, str):
        truth = ibis.literal(value != "")
        return Compiled("text", ibis.literal(value), truth, constant=value, nullable=False)
    number = ibis.literal(int(value), type="int64")
    return Compiled("integer", number, ibis.literal(value != 0), constant=int(value), nullable=False)


def _instant(moment: DateTime) -> Compiled:
    return Compiled("instant", ibis.literal(moment.ms, type="int64"), None, nullable=False)


def _boolean(value: Any, *, nullable: bool, fails: Any = None) -> Compiled:
    return Compiled("boolean", value, _sure(value, nullable), fails, nullable=nullable)


def _sure(condition: Any, nullable: bool) -> Any:
    return ibis.coalesce(condition, False) if nullable else condition


def _same(left: Compiled, right: Compiled) -> Any:
    """Equality without coercion; null equals null, whatever kind it would have been."""
    both_null = left.value.isnull() & right.value.isnull() if left.nullable and right.nullable else None
    if left.kind != right.kind:
        return ibis.literal(False) if both_null is None else both_null
    equal = _sure(left.value == right.value, left.nullable or right.nullable)
    # Not "IS NOT DISTINCT FROM": Ibis writes it without the parentheses that it needs inside another comparison.
    return equal if both_null is None else equal | both_null


def _either(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return one | other


def _choose(condition: Any, then: Any, otherwise: Any) -> Any:
    if then is None and otherwise is None:
        return None
    if otherwise is None:
        return condition & then
    return ~condition & otherwise if then is None else condition.ifelse(then, otherwise)


def _certain(expression: Expression, outcome: bool) -> frozenset[str]:
    """Paths that can't be null once an expression has turned out true (or false) without failing."""
    if not isinstance(expression, dict):
        return frozenset()
    ((operator, operands),) = expression.items()
    if operator == "!":
        return _certain(operands[0], not outcome)
    if operator in COMPARISONS or operator in TIME_COMPARISONS or operator == "+":
        return frozenset(path for operand in operands for path in _must_be_there(operand))
    if operator == "and" and outcome:
        return frozenset(path for operand in operands for path in _certain(operand, True))
    return frozenset((operands,)) if operator == "var" and outcome else frozenset()


def _must_be_there(operand: Expression) -> frozenset[str]:
    """Paths of an operand that must not be null."""
    if isinstance(operand, dict):
        ((operator, inner),) = operand.items()
        if operator == "var":
            return frozenset((inner,))
        if operator in ("plusTime", "dccDateOfBirth"):
            return _must_be_there(inner[0])
    return frozenset()


def _days(date: Any) -> Any:
    """Days since 1970 of a date."""
    return date.delta(ibis.date(1970, 1, 1), unit="day").cast("int64")


def _add_months(date: Any, months: int) -> Any:
    """Days since 1970 of a day some months later; a day that the month has not rolls over, as in ECMAScript."""
    first = (date.truncate("M") + ibis.interval(months=months)).cast("date")
    return _days(first) + date.day().cast("int64") - 1


def _require_writable(compiled: Compiled) -> None:
    """Refuse what would be written out too long: parts are shared here, but a query's text repeats them."""
    sizes: dict[Any, int] = {}

    def size(node: Any) -> int:
        if isinstance(node, ops.Relation):
            return 0  # the table is written once, whatever it is made of
        if node not in sizes:
            sizes[node] = 1 + sum(size(inner) for inner in node.__children__)
        return sizes[node]

    parts = (compiled.value, compiled.truth, compiled.fails)
    if sum(size(part.op()) for part in parts if part is not None) > MAX_QUERY_NODES:
        raise LimitExceeded("The rule is too long as a query over a population.", "Split it into several rules.")


def _operator(expression: Expression) -> str:
    return str(next(iter(expression))) if isinstance(expression, dict) else "literal"


def _refused(operator: str, why: str) -> BadInput:
    return BadInput(
        f'The rule cannot be compiled for a population: "{operator}" {why}.',
        "Write the rule with comparisons of single facts, or bring the fact as a column of its own.",
    )
