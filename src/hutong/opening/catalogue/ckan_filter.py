"""The filters of CKAN's ``fq``, in the syntax of Solr's standard query parser, read into a condition.

Understood: ``field:value``, ``field:"some words"``, ``field:(a OR b)``, ``metadata_modified:[2024-01-01 TO *]``;
before each ``+``, ``-``, ``!`` or ``NOT``; between them ``AND``, ``OR``, ``&&``, ``||`` or nothing, which means ``AND``
as in CKAN (``q.op``); parentheses. Source: https://solr.apache.org/guide/solr/latest/query-guide/standard-query-parser.html

A blank separates what must all hold: CKAN's harvester sends ``organization:a OR organization:b metadata_modified:[…]``
for what is of a or b and also new, of which Solr drops the first half. Where readers differ in what is meant (``AND``
or a sign beside ``OR``) an expression is refused, as is whatever is not understood: a wider answer than the one asked
for would be wrong.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hutong.errors import BadInput, LimitExceeded

from .condition import All, AnyOf, Condition, Has, Modified, Not

MAX_DEPTH = 10

FIELDS = {
    "organization": "publisher",
    "owner_org": "publisher",
    "res_format": "format",
    "tags": "keyword",
    "license_id": "licence",
    "name": "name",
    "grade": "grade",
    "territory": "territory",
    "quality_label": "quality",
    "theme": "theme",
}
SAME_FOR_ALL: dict[str, str | None] = {
    "dataset_type": "dataset",
    "type": "dataset",
    "state": "active",
    "capacity": "public",
    "private": "false",
    "groups": None,
}
"""Fields that CKAN has and that say the same of every dataset here; no dataset is in a group."""

MODIFIED = "metadata_modified"
KNOWN = frozenset({*FIELDS, *SAME_FOR_ALL, MODIFIED})

_SPACE = re.compile(r"\s*")
_EVERYTHING = re.compile(r"\*:\*")
_FIELD = re.compile(r"([A-Za-z_][A-Za-z0-9_]*):")
_SIGN = re.compile(r"[+!-]|NOT(?=[\s(])\s*")
_JOIN = re.compile(r'(?:AND|OR)(?=[\s("+!-]|$)|&&|\|\|')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_RANGE = re.compile(r"\[\s*([^\s\[\]{}]+)\s+TO\s+([^\s\[\]{}]+)\s*\]")
_WORD = re.compile(r'(?!(?:AND|OR|NOT)(?:[\s()]|$))(?:[^\s"()\[\]{}:\\]|\\.)+')
_PATTERN = re.compile(r"(?<!\\)[*?~^]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def read_filter(text: str) -> Condition:
    """The condition that an expression states; an empty one holds for every dataset.

    Raises:
        BadInput: it is not an expression, or has a field, a range or a pattern that is not known here.
        LimitExceeded: parentheses are nested deeper than ``MAX_DEPTH``.
    """
    reader = _Reader(text)
    condition = reader.expression(field="", depth=0)
    if not reader.done:
        raise reader.refusal("Open a parenthesis before it is closed.")
    return condition


class _Reader:
    """Reads an expression from left to right; ``field`` is the one that a parenthesis stands after, or empty."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._take(_SPACE)

    @property
    def done(self) -> bool:
        return self._at == len(self._text)

    def refusal(self, what_to_do: str) -> BadInput:
        if self.done:
            return BadInput("fq ends where something more must follow.", what_to_do)
        return BadInput(f"fq cannot be read at {self._text[self._at : self._at + 60]!r}.", what_to_do)

    def expression(self, *, field: str, depth: int) -> Condition:
        """Parts that must all hold, up to the end or a closing parenthesis."""
        if depth > MAX_DEPTH:
            raise LimitExceeded("fq has too many parentheses in each other.", f"Nest at most {MAX_DEPTH}.")
        parts: list[Condition] = []
        while not self.done and not self._sees(")"):
            parts.append(self._joined(field=field, depth=depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _joined(self, *, field: str, depth: int) -> Condition:
        """One clause, or several with AND between them, or several with OR."""
        start = self._at
        signed, first = self._clause(field=field, depth=depth)
        clauses, signs, joins = [first], signed, set()
        while found := self._take(_JOIN):
            joins.add("OR" if found[0] in ("OR", "||") else "AND")
            signed, clause = self._clause(field=field, depth=depth)
            signs = signs or signed
            clauses.append(clause)
        if "OR" not in joins:
            return All(tuple(clauses)) if len(clauses) > 1 else first
        if signs or len(joins) > 1:
            self._at = start
            raise self.refusal("Beside OR, put AND, NOT, + and - into parentheses: a OR (b AND c).")
        return AnyOf(tuple(clauses))

    def _clause(self, *, field: str, depth: int) -> tuple[bool, Condition]:
        """Whether it has a sign, and what it states."""
        sign = self._take(_SIGN)
        condition = self._unsigned(field=field, depth=depth)
        return sign is not None, Not(condition) if sign and sign[0] != "+" else condition

    def _unsigned(self, *, field: str, depth: int) -> Condition:
        if not field and self._take(_EVERYTHING):
            return All()
        if self._sees("("):
            return self._parenthesis(field=field, depth=depth)
        if field:
            return self._value(field)
        start = self._at
        if not (named := self._take(_FIELD)):
            raise self.refusal('Use field:"value", with AND, OR, NOT and parentheses.')
        if named[1] not in KNOWN:
            self._at = start
            raise self.refusal(f"Use one of {', '.join((*FIELDS, MODIFIED))}.")
        return self._parenthesis(field=named[1], depth=depth) if self._sees("(") else self._value(named[1])

    def _parenthesis(self, *, field: str, depth: int) -> Condition:
        start = self._at
        self._at += 1
        self._take(_SPACE)
        if self._sees(")"):
            raise self.refusal("Put something into the parentheses.")
        condition = self.expression(field=field, depth=depth + 1)
        if not self._sees(")"):
            self._at = start
            raise self.refusal("Close the parenthesis.")
        self._at += 1
        self._take(_SPACE)
        return condition

    def _value(self, field: str) -> Condition:
        start = self._at
        if field == MODIFIED:
            if not (found := self._take(_RANGE)):
                raise _no_range()
            return Modified(_moment(found[1]), _moment(found[2]))
        if quoted := self._take(_QUOTED):
            return _has(field, _ESCAPED.sub(r"\1", quoted[1]))
        if (word := self._take(_WORD)) and not _PATTERN.search(word[0]):
            return _has(field, _ESCAPED.sub(r"\1", word[0]))
        self._at = start
        raise self.refusal(
            'Give a whole value, in quotes if it has other signs than letters and digits: field:"value".'
        )

    def _sees(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What stands here, if it fits; the blanks after it are passed over."""
        found = pattern.match(self._text, self._at)
        if found and (blanks := _SPACE.match(self._text, found.end())):
            self._at = blanks.end()
        return found


def _has(field: str, value: str) -> Condition:
    if field in SAME_FOR_ALL:
        return All() if value == SAME_FOR_ALL[field] else AnyOf()
    ours = FIELDS[field]
    return Has(ours, value.lower() if ours == "format" else value)


def _moment(told: str) -> datetime | None:
    if told == "*":
        return None
    try:
        moment = datetime.fromisoformat(told)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError as error:
        raise _no_range() from error


def _no_range() -> BadInput:
    return BadInput("metadata_modified has no usable range.", "Write metadata_modified:[2024-01-01T00:00:00Z TO *].")
