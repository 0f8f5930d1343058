"""The evaluator of CertLogic 1.3.3: an expression is checked once, compiled into closures, then run on data.

Source: CertLogic specification 1.3.3 (eu-dcc-business-rules). Where it leaves behaviour open, the operation
is an error here: a condition on a value that is neither true nor false, an integer beyond ± (2^53 - 1), an
impossible date.
"""

from __future__ import annotations

import operator as py
from collections.abc import Callable
from typing import Any

from hutong.errors import BadInput

from .datetimes import DateTime, dcc_date_of_birth, plus_time
from .validate import COMPARISONS, TIME_COMPARISONS, Expression, require_valid
from .values import (
    MAX_SAFE_INTEGER,
    REMEDY,
    Budget,
    Value,
    access,
    contains,
    extract_from_uci,
    fragments_of,
    is_integer,
    require_bounded,
    strictly_equal,
    truth,
)

DEFAULT_BUDGET = 100_000
"""Steps of one evaluation: about one per operation, and per item of an array that is reduced or compared."""

Node = Callable[[Value, Budget], Value]
Observer = Callable[[Expression, Node], Node]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": py.lt,
    ">": py.gt,
    "<=": py.le,
    ">=": py.ge,
    "before": py.lt,
    "after": py.gt,
    "not-after": py.le,
    "not-before": py.ge,
}


def evaluate(expression: Expression, data: Value, *, budget: int = DEFAULT_BUDGET) -> Value:
    """The value of a CertLogic expression over JSON data.

    Args:
        expression: a CertLogic expression as JSON (dict, list, str, int, bool).
        data: any JSON value; ``{"var": ""}`` is all of it.
        budget: steps allowed, at least one.

    Returns:
        A JSON value, or a DateTime if the outermost operation makes one.

    Raises:
        BadInput: not valid CertLogic, an operand of the wrong type, or no usable budget.
        LimitExceeded: too large, too deep, or out of steps.
    """
    return compile_rule(expression, budget=budget)(data)


def compile_rule(expression: Expression, *, budget: int = DEFAULT_BUDGET) -> Callable[[Value], Value]:
    """Check an expression once and return a function that evaluates it on data.

    Args:
        expression: as for :func:`evaluate`.
        budget: steps allowed to each call of the returned function.

    Raises:
        BadInput: not valid CertLogic. (The returned function raises as :func:`evaluate` does.)
        LimitExceeded: too large or too deep.
    """
    return compile_observed(expression, None, budget=budget)


def compile_observed(
    expression: Expression, observe: Observer | None, *, budget: int = DEFAULT_BUDGET
) -> Callable[[Value], Value]:
    """As :func:`compile_rule`, with each operation's node passed through ``observe`` (for explanations)."""
    if type(budget) is not int or budget < 1:
        raise BadInput("The budget of an evaluation is no number of steps.", "Give a whole number, at least 1.")
    require_valid(expression)
    compiler = _Compiler(observe)
    node = compiler.node(expression)
    cost = compiler.operations
    if not compiler.reduces:

        def run(data: Value) -> Value:
            allowed = Budget(budget)
            allowed.spend(cost)
            return node(data, allowed)

        return run

    def run_bounded(data: Value) -> Value:
        allowed = Budget(budget)
        allowed.spend(cost)
        value = node(data, allowed)
        require_bounded(value)
        return value

    return run_bounded


class _Compiler:
    """Turns a valid expression into closures; counts operations, which bounds the cost without reductions."""

    def __init__(self, observe: Observer | None) -> None:
        self.observe = observe
        self.operations = 0
        self.reduces = False
        self.makers: dict[str, Callable[[list[Any]], Node]] = {
            "if": self._if,
            "and": self._and,
            "!": self._not,
            "===": self._equal,
            "in": self._in,
            "+": self._plus,
            "reduce": self._reduce,
            "plusTime": self._plus_time,
            "dccDateOfBirth": self._date_of_birth,
            "extractFromUVCI": self._extract,
        }

    def node(self, expression: Expression) -> Node:
        self.operations += 1
        if isinstance(expression, dict):
            ((operator, operands),) = expression.items()
            made = self._operation(operator, operands)
            return made if self.observe is None else self.observe(expression, made)
        if isinstance(expression, list):
            return self._array(expression)
        literal = int(expression) if isinstance(expression, float) else expression
        return lambda _data, _budget: literal

    def _operation(self, operator: str, operands: Any) -> Node:
        if operator == "var":
            return _var(operands)
        if operator in COMPARISONS:
            return self._compare(operator, operands, is_integer, "integers")
        if operator in TIME_COMPARISONS:
            return self._compare(operator, operands, _is_datetime, "date-times")
        return self.makers[operator](operands)

    def _array(self, items: list[Any]) -> Node:
        if all(isinstance(item, str) for item in items):
            texts = list(items)
            return lambda _data, _budget: texts
        nodes = [self.node(item) for item in items]
        return lambda data, budget: [node(data, budget) for node in nodes]

    def _if(self, operands: list[Any]) -> Node:
        guard, then, otherwise = (self.node(operand) for operand in operands)
        return lambda data, budget: (then if truth(guard(data, budget)) else otherwise)(data, budget)

    def _and(self, operands: list[Any]) -> Node:
        nodes = [self.node(operand) for operand in operands]

        def run(data: Value, budget: Budget) -> Value:
            value: Value = None
            for node in nodes:
                value = node(data, budget)
                if not truth(value):
                    break
            return value

        return run

    def _not(self, operands: list[Any]) -> Node:
        operand = self.node(operands[0])
        return lambda data, budget: not truth(operand(data, budget))

    def _equal(self, operands: list[Any]) -> Node:
        left, right = (self.node(operand) for operand in operands)

        def run(data: Value, budget: Budget) -> Value:
            one, other = left(data, budget), right(data, budget)
            if type(one) is str:
                return type(other) is str and one == other
            return strictly_equal(one, other, budget)

        return run

    def _in(self, operands: list[Any]) -> Node:
        member, items = (self.node(operand) for operand in operands)

        def run(data: Value, budget: Budget) -> Value:
            one = member(data, budget)
            return contains(items(data, budget), one, budget)

        return run

    def _plus(self, operands: list[Any]) -> Node:
        left, right = (self.node(operand) for operand in operands)

        def run(data: Value, budget: Budget) -> Value:
            one, other = left(data, budget), right(data, budget)
            if not is_integer(one) or not is_integer(other):
                raise BadInput('The operands of a "+" operation are not both integers.', REMEDY)
            total = int(one) + int(other)
            if not -MAX_SAFE_INTEGER <= total <= MAX_SAFE_INTEGER:
                raise BadInput("A sum of the rule is out of the range of integers.", REMEDY)
            return total

        return run

    def _compare(self, operator: str, operands: list[Any], fits: Callable[[Value], bool], wanted: str) -> Node:
        compare = _COMPARE[operator]
        nodes = [self.node(operand) for operand in operands]
        message = f'The operands of a "{operator}" operation are not all {wanted}.'
        left, right = nodes[0], nodes[1]
        third = nodes[2] if len(nodes) == 3 else None

        def run(data: Value, budget: Budget) -> Value:
            one, other = left(data, budget), right(data, budget)
            if not fits(one) or not fits(other):
                raise BadInput(message, REMEDY)
            if third is None:
                return compare(one, other)
            last = third(data, budget)
            if not fits(last):
                raise BadInput(message, REMEDY)
            return compare(one, other) and compare(other, last)

        return run

    def _plus_time(self, operands: list[Any]) -> Node:
        operand, amount, unit = self.node(operands[0]), int(operands[1]), operands[2]

        def run(data: Value, budget: Budget) -> Value:
            text = operand(data, budget)
            if not isinstance(text, str):
                raise BadInput('The date operand of a "plusTime" operation is no text.', REMEDY)
            return plus_time(text, amount, unit)

        return run

    def _date_of_birth(self, operands: list[Any]) -> Node:
        operand = self.node(operands[0])

        def run(data: Value, budget: Budget) -> Value:
            text = operand(data, budget)
            if not isinstance(text, str):
                raise BadInput('The operand of a "dccDateOfBirth" operation is no text.', REMEDY)
            return dcc_date_of_birth(text)

        return run

    def _extract(self, operands: list[Any]) -> Node:
        operand, index = self.node(operands[0]), int(operands[1])
        return lambda data, budget: extract_from_uci(operand(data, budget), index)

    def _reduce(self, operands: list[Any]) -> Node:
        self.reduces = True
        items_of, initial = self.node(operands[0]), self.node(operands[2])
        before = self.operations
        step = self.node(operands[1])
        cost = self.operations - before

        def run(data: Value, budget: Budget) -> Value:
            items = items_of(data, budget)
            value = initial(data, budget)
            if items is None:
                return value
            if not isinstance(items, list | tuple):
                raise BadInput('The operand of a "reduce" operation is no array.', REMEDY)
            for item in items:
                budget.spend(cost)
                value = step({"accumulator": value, "current": item}, budget)
            return value

        return run


def _is_datetime(value: Value) -> bool:
    return type(value) is DateTime


def _var(path: str) -> Node:
    fragments = fragments_of(path)
    if len(fragments) == 1 and fragments[0][1] is None:
        name = fragments[0][0]  # the commonest case: one named fact
        return lambda data, _budget: data.get(name) if isinstance(data, dict) else None
    return lambda data, _budget: access(data, fragments)
