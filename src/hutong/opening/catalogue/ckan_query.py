"""CKAN's search parameters, read into a query over the catalogue.

``q`` and ``fq`` are Solr expressions in CKAN. Here ``field:value``, ``field:"value"``, ``field:(a OR b)`` and
``metadata_modified:[time TO *]`` are understood for the fields in ``FIELDS``; every other word of ``q`` is looked
for as text. A field that is unknown, or an exclusion, is refused rather than ignored: a wider answer than the one
asked for would be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import orjson

from hutong.errors import BadInput, LimitExceeded

from .search import MAX_OFFSET, Query

MAX_ROWS = 1_000
MAX_CHARACTERS = 2_000

FIELDS = {
    "organization": "publisher",
    "owner_org": "publisher",
    "res_format": "format",
    "tags": "keyword",
    "name": "name",
    "grade": "grade",
    "territory": "territory",
    "quality_label": "quality",
    "theme": "theme",
}
ALWAYS_TRUE = {("dataset_type", "dataset"), ("type", "dataset"), ("state", "active"), ("capacity", "public")}

_CLAUSE = re.compile(
    r"""(?P<sign>[+-]?)(?P<field>[a-z_]+):
    (?: "(?P<quoted>[^"]*)" | \((?P<many>[^()]*)\) | \[(?P<low>\S+)\ TO\ (?P<high>\S+)\] | (?P<word>[^\s"()\[\]]+) )""",
    re.VERBOSE,
)
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


def search_query(parameters: Mapping[str, object]) -> Query:
    """The query that ``package_search`` asks for.

    Raises:
        BadInput: an unknown field, order or facet, an exclusion, or a wrong type.
        LimitExceeded: longer than the limits of :class:`hutong.opening.catalogue.search.Query`.
    """
    filters: dict[str, tuple[str, ...]] = {}
    since: datetime | None = None
    text = words(parameters, "q").replace("*:*", " ")
    for place, expression in (("q", text), ("fq", _filter_words(parameters))):
        for clause in _CLAUSE.finditer(expression):
            if place == "q" and clause["field"] not in {*FIELDS, "metadata_modified"}:
                continue
            if clause["field"] == "metadata_modified":
                since = _since(clause)
            else:
                _add(filters, clause)
    left = _CLAUSE.sub(_without_fields, text)
    if (rest := _CLAUSE.sub(" ", _filter_words(parameters))) and re.sub(r"\bAND\b|[+\s]|\*:\*", "", rest):
        raise BadInput(f"fq cannot be read at {rest.strip()[:60]!r}.", 'Use field:"value".')
    query = Query(
        text=left,
        filters=filters,
        modified_since=since,
        sort=_sort(words(parameters, "sort")),
        offset=number(parameters, "start", 0, MAX_OFFSET),
        limit=number(parameters, "rows", 10, MAX_ROWS),
    )
    return query if query.text.strip() else replace(query, text="")


def page_of_search(query: Query, filters: Mapping[str, tuple[str, ...]]) -> Query:
    """The same query with other filters."""
    return replace(query, filters=filters)


def facet_fields(parameters: Mapping[str, object]) -> list[tuple[str, str]]:
    """Facets asked for: CKAN's name for each and ours. Those that are not kept here are left out, as CKAN does."""
    told = parameters.get("facet.field") or []
    if isinstance(told, str):
        try:
            told = orjson.loads(told)
        except orjson.JSONDecodeError as error:
            raise BadInput("facet.field is not a list.", 'Give a list such as ["organization"].') from error
    if not isinstance(told, list) or len(told) > 20 or not all(isinstance(name, str) for name in told):
        raise BadInput("facet.field is not a list of names.", 'Give a list such as ["organization"].')
    facets = {name: ours for name, ours in FIELDS.items() if ours not in ("keyword", "name")}
    return [(name, facets[name]) for name in told if name in facets]


def _filter_words(parameters: Mapping[str, object]) -> str:
    several = parameters.get("fq_list") or []
    if not isinstance(several, list) or not all(isinstance(one, str) for one in several):
        raise BadInput("fq_list is not a list of expressions.", 'Give a list such as ["organization:cdc"].')
    joined = " ".join([words(parameters, "fq"), *several])
    if len(joined) > MAX_CHARACTERS:
        raise LimitExceeded("fq is too long.", f"Keep to {MAX_CHARACTERS} characters.")
    return joined


def _add(filters: dict[str, tuple[str, ...]], clause: re.Match[str]) -> None:
    name, values = clause["field"], _values(clause)
    if clause["sign"] != "-" and all((name, value) in ALWAYS_TRUE for value in values):
        return
    if name not in FIELDS or clause["sign"] == "-" or clause["low"]:
        raise BadInput(f"fq cannot be read at {clause[0][:60]!r}.", f"Use one of {', '.join(FIELDS)}.")
    ours = FIELDS[name]
    if ours == "format":
        values = tuple(value.lower() for value in values)
    if ours in filters:
        if ours in ("keyword", "format"):
            raise BadInput(f"{name} is asked for twice.", f"Give {name}:(a OR b), or one of the two.")
        values = tuple(value for value in filters[ours] if value in values) or ("",)
    filters[ours] = values


def _values(clause: re.Match[str]) -> tuple[str, ...]:
    if clause["many"] is not None:
        found = re.findall(r'"([^"]*)"|([^\s"]+)', clause["many"])
        return tuple(quoted or word for quoted, word in found if word != "OR")
    return (clause["quoted"] or clause["word"] or "",)


def _since(clause: re.Match[str]) -> datetime:
    try:
        told = datetime.fromisoformat((clause["low"] or "") if clause["high"] == "*" else "")
    except ValueError as error:
        raise BadInput(
            "metadata_modified has no usable range.", "Write metadata_modified:[2024-01-01T00:00:00Z TO *]."
        ) from error
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _without_fields(clause: re.Match[str]) -> str:
    """What stays in the text search of a clause of ``q``: nothing of a filter, all words of anything else."""
    if clause["field"] in {*FIELDS, "metadata_modified"}:
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
