"""A rulebook over a whole population: levels and rule ids for every row of a table of person facts.

Import this module lazily: it needs Ibis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import add, or_
from typing import Any

import ibis
import ibis.expr.operations as ops

from hutong.errors import BadInput, LimitExceeded

from ..certlogic.to_ibis import Compiled, compile_expression
from ..rulebook.evidence import Evidence
from ..rulebook.rulebook import UNKNOWN, Rule, Rulebook

SEPARATOR = " "
"""Between rule ids in a text; an id holds none."""

MAX_RULES = 62
"""Rules of a rulebook over a population: one bit each of a 64-bit integer."""

MOST_LISTED = 5
"""Rules of one level whose combinations are listed together: 32 texts."""

_COLUMN_TYPES = {"boolean": "boolean", "integer": "integer", "code": "text", "date": "date"}
_IBIS_TYPES = {"boolean": "boolean", "integer": "int64", "code": "string", "date": "date"}


def level_expression(rulebook: Rulebook, table: Any, columns: Mapping[str, str] | None = None) -> Any:
    """The table with what :func:`~.rulebook.decide_level` says of each row.

    Args:
        rulebook: the rules.
        table: an Ibis table with one column per evidence: booleans, integers, texts (codes) or dates;
            null is not known.
        columns: evidence name to column, where the names differ.

    Returns:
        The table and three more columns: ``level`` (text; the level, or "unknown"), ``rule_ids`` (text; ids of the
        rules that gave it, in the rulebook's order, joined by SEPARATOR, empty for default and unknown) and ``failed``
        (boolean; true where ``decide_level`` raises because a fact is not of its declared type; the level is then
        "unknown").

    Raises:
        BadInput: a rule that can't be compiled (its id is in the message), a column that is missing.
        LimitExceeded: more than MAX_RULES rules.
    """
    columns = {one.name: (columns or {}).get(one.name, one.name) for one in rulebook.evidence}
    missing = [name for name in columns.values() if name not in table.columns]
    if missing:
        raise BadInput(f"The table has no column {missing[0]!r}.", "Give one column per evidence of the rulebook.")
    ordered = [rule for level in rulebook.levels for rule in rulebook.rules if rule.level == level.code]
    if len(ordered) > MAX_RULES:
        raise LimitExceeded(f"{rulebook.id} has more than {MAX_RULES} rules.", "Join rules of one level.")
    compiled = [_compile(rule, rulebook, table, columns) for rule in ordered]
    failed = _failed(rulebook, table, columns, compiled)
    bits = (_as_condition(one.truth).ifelse(_integer(1 << index), _integer(0)) for index, one in enumerate(compiled))
    fired = _as_condition(failed).ifelse(_integer(-1), reduce(add, bits))
    # The rules that fired are one number, so that each condition is evaluated once for level and ids together. The most
    # severe level has the highest bits: comparing the number with a level's lowest bit says whether that level won.
    rows = table.mutate(_fired=fired)
    levels, ids = [(rows["_fired"] < 0, UNKNOWN)], [(rows["_fired"] <= 0, "")]
    for level in reversed(rulebook.levels):
        own = {rule.id: 1 << index for index, rule in enumerate(ordered) if rule.level == level.code}
        if own:
            won = rows["_fired"] >= min(own.values())
            levels.append((won, level.code))
            ids.append((won, _ids(rows["_fired"], own)))
    level = ibis.cases(*levels, else_=_default(rulebook, rows, columns))
    return rows.mutate(level=level, rule_ids=ibis.cases(*ids, else_=""), failed=rows["_fired"] < 0).drop("_fired")


def require_compilable(rulebook: Rulebook) -> None:
    """Refuse a rulebook that can't run over a population; a publication calls this.

    Raises:
        BadInput: names the rule that can't be compiled, and its operation.
    """
    schema = {one.name: _IBIS_TYPES[one.type] for one in rulebook.evidence}
    level_expression(rulebook, ibis.table(schema, name="persons"))


def _compile(rule: Rule, rulebook: Rulebook, table: Any, columns: Mapping[str, str]) -> Compiled:
    typed = {one.name: (columns[one.name], _COLUMN_TYPES[one.type]) for one in rulebook.evidence}
    try:
        compiled = compile_expression(rule.condition, table, typed)
    except BadInput as error:
        raise BadInput(f"Rule {rule.id} of {rulebook.id}: {error.what}", error.do) from error
    if compiled.truth is None:
        raise BadInput(f"Rule {rule.id} of {rulebook.id} gives a date-time.", "Let it give true or false.")
    return compiled


def _failed(rulebook: Rulebook, table: Any, columns: Mapping[str, str], compiled: list[Compiled]) -> Any:
    wrong = [one.fails for one in compiled if one.fails is not None]
    wrong += [_not_a_code(table[columns[one.name]], one) for one in rulebook.evidence if one.values]
    return reduce(or_, wrong) if wrong else ibis.literal(False)


def _not_a_code(column: Any, evidence: Evidence) -> Any:
    return ibis.coalesce(~column.isin(evidence.values), False)


def _as_condition(truth: Any) -> Any:
    """A boolean for a place where null counts as false, such as the condition of ``ifelse``.

    It is without the steps that make null false: with them engines work a fifth longer.
    """
    return _without_guards(truth.op()).to_expr()


def _without_guards(node: Any) -> Any:
    if isinstance(node, ops.Coalesce) and len(node.arg) == 2 and _is_false(node.arg[1]):
        return _without_guards(node.arg[0])
    if isinstance(node, ops.And | ops.Or):
        return type(node)(_without_guards(node.left), _without_guards(node.right))
    if isinstance(node, ops.IfElse):
        return ops.IfElse(*(_without_guards(one) for one in (node.bool_expr, node.true_expr, node.false_null_expr)))
    return node


def _is_false(node: Any) -> bool:
    return isinstance(node, ops.Literal) and node.value is False


def _default(rulebook: Rulebook, table: Any, columns: Mapping[str, str]) -> Any:
    default = ibis.literal(rulebook.default[0] if rulebook.default else UNKNOWN)
    required = [table[columns[one.name]].isnull() for one in rulebook.evidence if one.required]
    return reduce(or_, required).ifelse(UNKNOWN, default) if required else default


def _ids(fired: Any, own: Mapping[str, int]) -> Any:
    """Ids of one level's rules that fired: looked up, since joining texts person by person is slow."""
    names = list(own)
    parts = []
    for first in range(0, len(names), MOST_LISTED):
        some = names[first : first + MOST_LISTED]
        texts = [SEPARATOR.join(_chosen(some, number)) for number in range(1 << len(some))]
        # The bits of a level's rules stand side by side.
        number = (fired >> _integer(own[some[0]].bit_length() - 1)) & _integer(len(texts) - 1)
        parts.append(ibis.literal(texts, type="array<string>")[number])
    if len(parts) == 1:
        return parts[0]
    return reduce(add, ((one != "").ifelse(one + SEPARATOR, "") for one in parts)).rstrip()


def _chosen(names: list[str], number: int) -> Iterator[str]:
    return (name for index, name in enumerate(names) if number >> index & 1)


def _integer(value: int) -> Any:
    return ibis.literal(value, type="int64")
