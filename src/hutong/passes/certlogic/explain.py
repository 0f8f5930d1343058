"""Explanations: what an evaluation did, step by step, and which sub-conditions decided it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hutong.errors import BadInput, LimitExceeded

from .evaluate import DEFAULT_BUDGET, Node, compile_observed
from .validate import Expression
from .values import Budget, Value, truth

MAX_STEPS = 2_000
"""Steps that a trace keeps; a longer reduction is refused rather than cut off silently."""


@dataclass(slots=True)
class Step:
    """One operation that was evaluated: its expression, its value, and the operations inside it, in order."""

    expression: Expression
    value: Value = None
    inner: list[Step] = field(default_factory=list)


def trace(expression: Expression, data: Value, *, budget: int = DEFAULT_BUDGET) -> Step:
    """Evaluate and keep every step; what was not evaluated (a branch not taken) is not in the result.

    Raises:
        BadInput, LimitExceeded: as ``evaluate``; also if there are more than MAX_STEPS steps.
    """
    root = Step(expression)
    stack = [root]
    kept = 0

    def observe(part: Expression, node: Node) -> Node:
        def run(values: Value, allowed: Budget) -> Value:
            nonlocal kept
            kept += 1
            if kept > MAX_STEPS:
                raise LimitExceeded("The explanation has too many steps.", "Explain a smaller rule or array.")
            step = Step(part)
            stack[-1].inner.append(step)
            stack.append(step)
            try:
                step.value = node(values, allowed)
            finally:
                stack.pop()
            return step.value

        return run

    value = compile_observed(expression, observe, budget=budget)(data)
    if isinstance(expression, dict):
        return root.inner[0]
    root.value = value
    return root


def deciding(step: Step) -> tuple[Step, ...]:
    """The smallest conditions that made this one true or false.

    ``and``: the operand that was false, or all of them; ``if``: the guard and the branch taken; ``!``: its
    operand; anything else decides by itself.
    """
    operator = _operator(step)
    if operator == "and" and _is_false(step) and step.inner:
        last = step.inner[-1]  # operands after the false one were not evaluated
        return deciding(last) if _is_false(last) else (step,)
    if operator in ("and", "if", "!") and step.inner:
        return tuple(found for inner in step.inner for found in deciding(inner))
    return (step,)


def explain(expression: Expression, data: Value, *, budget: int = DEFAULT_BUDGET) -> dict[str, Any]:
    """Plain structure for pages: the value, and per condition its expression, value and what it read.

    Raises:
        BadInput, LimitExceeded: as :func:`trace`.
    """
    root = trace(expression, data, budget=budget)
    return {
        "value": _plain(root.value),
        "decided_by": [
            {"condition": step.expression, "value": _plain(step.value), "read": _read(step)} for step in deciding(root)
        ],
    }


def _operator(step: Step) -> str | None:
    return next(iter(step.expression)) if isinstance(step.expression, dict) else None


def _is_false(step: Step) -> bool:
    try:
        return not truth(step.value)
    except BadInput:
        return False


def _read(step: Step) -> dict[str, Value]:
    """The data that a condition read outside of reductions: path to value."""
    found: dict[str, Value] = {}
    pending = [step]
    while pending:
        part = pending.pop()
        operator = _operator(part)
        if operator == "var":
            found[part.expression["var"]] = part.value
        elif operator != "reduce":
            pending.extend(part.inner)
    return found


def _plain(value: Value) -> Value:
    return value if isinstance(value, str | bool | int | float | list | dict) or value is None else str(value)
