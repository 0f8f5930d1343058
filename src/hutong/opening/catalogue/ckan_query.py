"""CKAN's search parameters, read into a query over the catalogue.

``q`` and ``fq`` are Solr expressions in CKAN. ``fq`` is read by :mod:`hutong.opening.catalogue.ckan_filter`, and so is
a ``q`` of filters only; of any other ``q`` the filters are read one by one, and every other word is looked for as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from hutong.errors import BadInput, LimitExceeded

from .ckan_filter import FIELDS, KNOWN, read_filter
from .condition import All, AnyOf, Condition, Has, Not
from .search import MAX_OFFSET, Query

MAX_ROWS = 1_000
MAX_CHARACTERS = 2_000

_CLAUSE = re.compile(
    r"""(?<![^\s(])[+!-]?(?P<field>[a-z_]+):
    (?: "(?P<quoted>[^"]*)" | \((?P<many>[^()]*)\) | \[[^\[\]]*\] | (?P<word>[^\s"()\[\]]+) )""",
    re.VERBOSE,
)
_BETWEEN_FILTERS = re.compile(r"\b(?:AND|OR|NOT)\b|&&|\|\||[()+!\s-]")
_CHOICE = re.compile(r"\b(?:OR|NOT)\b|&&|\|\||!")
_SORTS = {
    "score desc": "relevance",
    "relevance": "relevance",
    "name asc": "name",
    "id asc": "name",
    "title_string asc": "title",
    "title asc": "title",
    "metadata_modified desc": "newest",
    "metadata_modified asc": "oldest",
    "metadata_created asc": "oldest",
    "metadata_created desc": "newest",
}


def words(parameters: Mapping[str, object], name: str) -> str:
    """A parameter as text; JSON's true is ``true``; absent or null is empty.

    Raises:
        BadInput: it is a list or an object.
        LimitExceeded: it is longer than 2,000 characters.
    """
    value = parameters.get(name)
    if value is None:
        return ""
    if isinstance(value, list | dict):
        raise BadInput(f"{name} has the wrong type.", "Give one value.")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > MAX_CHARACTERS:
        raise LimitExceeded(f"{name} is too long.", f"Keep to {MAX_CHARACTERS} characters.")
    return text


def number(parameters: Mapping[str, object], name: str, default: int, most: int) -> int:
    """A parameter as a natural number, cut to ``most`` as CKAN cuts ``rows``.

    Raises:
        BadInput: it is not one.
    """
    text = words(parameters, name)
    if not text:
        return min(default, most)
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise BadInput(f"{name}: Must be a natural number.", "Give digits only.")
    return min(int(text), most)


def search_query(parameters: Mapping[str, object], publishers: Mapping[str, str]) -> Query:
    """The query that ``package_search`` asks for.

    Args:
        parameters: of the call.
        publishers: the slug of each publisher by the id that CKAN's answers give it.

    Raises:
        BadInput: an unknown field, order or facet, an expression that cannot be read, or a wrong type.
        LimitExceeded: longer than the limits of :class:`hutong.opening.catalogue.search.Query`.
    """
    text, asked = _asked(words(parameters, "q"))
    conditions = [*asked, *(read_filter(expression) for expression in _filters(parameters))]
    return Query(
        text=text if text.strip() else "",
        where=_with_slugs(All(tuple(conditions)), publishers),
        sort=_sort(words(parameters, "sort")),
        offset=number(parameters, "start", 0, MAX_OFFSET),
        limit=number(parameters, "rows", 10, MAX_ROWS),
    )


def facet_fields(parameters: Mapping[str, object]) -> list[tuple[str, str]]:
    """Facets asked for: CKAN's name for each, and ours, which is empty for one that is not kept here."""
    told = parameters.get("facet.field") or []
    if isinstance(told, str):
        try:
            told = orjson.loads(told)
        except orjson.JSONDecodeError as error:
            raise BadInput("facet.field is not a list.", 'Give a list such as ["organization"].') from error
    if not isinstance(told, list) or len(told) > 20 or not all(isinstance(name, str) for name in told):
        raise BadInput("facet.field is not a list of names.", 'Give a list such as ["organization"].')
    return [(name, FIELDS.get(name, "")) for name in told]


def _asked(q: str) -> tuple[str, list[Condition]]:
    """The words that ``q`` looks for, and the conditions in it."""
    clauses = [clause[0] for clause in _CLAUSE.finditer(q) if clause["field"] in KNOWN]
    words_left = _CLAUSE.sub(_without_fields, q.replace("*:*", " "))
    if not clauses:
        return words_left, []
    if not _BETWEEN_FILTERS.sub("", words_left):
        return "", [read_filter(q)]
    if _CHOICE.search(words_left):
        raise BadInput("q joins words and fields by OR or NOT.", "Give the words in q and the fields in fq.")
    return re.sub(r"\bAND\b", " ", words_left), [read_filter(clause) for clause in clauses]


def _filters(parameters: Mapping[str, object]) -> list[str]:
    """The expressions of ``fq`` and ``fq_list``, all of which must hold."""
    several = parameters.get("fq_list") or []
    if not isinstance(several, list) or not all(isinstance(one, str) for one in several):
        raise BadInput("fq_list is not a list of expressions.", 'Give a list such as ["organization:cdc"].')
    filters = [words(parameters, "fq"), *several]
    if sum(map(len, filters)) > MAX_CHARACTERS:
        raise LimitExceeded("fq is too long.", f"Keep to {MAX_CHARACTERS} characters.")
    return filters


def _with_slugs(condition: Condition, publishers: Mapping[str, str]) -> Condition:
    """The same condition with publishers called by their slugs, also where it names one by its id."""
    match condition:
        case Has("publisher", value):
            return Has("publisher", publishers.get(value, value))
        case Not(inner):
            return Not(_with_slugs(inner, publishers))
        case All(several) | AnyOf(several):
            return type(condition)(tuple(_with_slugs(one, publishers) for one in several))
    return condition


def _without_fields(clause: re.Match[str]) -> str:
    """What stays in the text search of a clause of ``q``: nothing of a filter, all words of anything else."""
    if clause["field"] in KNOWN:
        return " "
    if clause["field"] in ("title", "notes", "text"):
        return f'"{clause["quoted"]}"' if clause["quoted"] else f" {clause['many'] or clause['word'] or ''} "
    return clause[0]


def _sort(told: str) -> str:
    if not told.strip():
        return "relevance"
    first = " ".join(told.split(",", maxsplit=1)[0].lower().split())
    if first not in _SORTS:
        raise BadInput(f"There is no order {first[:40]!r}.", f"Use {', '.join(_SORTS)}.")
    return _SORTS[first]
