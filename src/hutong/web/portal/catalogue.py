"""Pages: the catalogue with search and facets. The state of the page is its address."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from hutong.opening.catalogue.catalogue import Catalogue
from hutong.opening.catalogue.schema_org import catalogue_page
from hutong.opening.catalogue.search import Query as Search
from hutong.opening.catalogue.search import Results
from hutong.sharing import catalogue as shown
from hutong.standard.open_text import for_spreadsheet
from hutong.web import page_words
from hutong.web.dataset_view import format_name, formats, hit
from hutong.web.doors import CurrentNode
from hutong.web.i18n import N_, Language, Translations
from hutong.web.portal.page import PageLanguage, page, words_of

router = APIRouter()

PAGE = 10
MOST_PAGES = 1_000
MOST_IN_CSV = 1_000
MOST_CHOICES = 12
CSV_COLUMNS = (
    "name",
    "title",
    "grade",
    "publisher",
    "territory",
    "version",
    "issued",
    "quality",
    "formats",
    "licence",
    "page",
)
FACETS = (
    ("grade", N_("Access")),
    ("territory", N_("Territory")),
    ("publisher", N_("Publisher")),
    ("quality", N_("Quality")),
    ("format", N_("Format")),
    ("theme", N_("Theme")),
)
SORTS = (
    ("relevance", N_("Best match")),
    ("newest", N_("Newest first")),
    ("oldest", N_("Oldest first")),
    ("title", N_("Title")),
)
Grades = Annotated[list[Literal["0", "1", "2", "3", "4"]], Field(max_length=40)]
Values = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=40)]


class Asked(BaseModel):
    """What the address of the page says."""

    q: str = Field("", max_length=500)
    grade: Grades = []
    territory: Values = []
    publisher: Values = []
    quality: Values = []
    format: Values = []
    theme: Values = []
    sort: Literal["relevance", "newest", "oldest", "title"] = "relevance"
    page: int = Field(1, ge=1, le=MOST_PAGES)

    def filters(self) -> dict[str, tuple[str, ...]]:
        """The values chosen of each facet."""
        return {name: tuple(chosen) for name, _ in FACETS if (chosen := getattr(self, name))}

    def pairs(self, *without: str) -> list[tuple[str, str]]:
        """The query as pairs, without some of its parts; the usual values are left out."""
        pairs = [("q", self.q)] if self.q else []
        pairs += [(name, value) for name, values in self.filters().items() for value in values]
        pairs += [("sort", self.sort)] if self.sort != "relevance" else []
        pairs += [("page", str(self.page))] if self.page != 1 else []
        return [(name, value) for name, value in pairs if name not in without]

    def toggled(self, name: str, value: str) -> list[tuple[str, str]]:
        """The query with a facet's value put in, or taken out where it was in; on the first page."""
        pairs = self.pairs("page")
        return [pair for pair in pairs if pair != (name, value)] if (name, value) in pairs else [*pairs, (name, value)]


AskedQuery = Annotated[Asked, Query()]


class HiddenFields:
    """Parts of the query that a form keeps; a facet may have several values."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def items(self) -> list[tuple[str, str]]:
        return self._pairs


@router.get("/{language}/catalogue", response_class=HTMLResponse)
def catalogue(request: Request, node: CurrentNode, language: PageLanguage, asked: AskedQuery) -> HTMLResponse:
    words = words_of(language)
    known = shown.catalogue(node)
    found = shown.index(node).search(
        Search(asked.q, asked.filters(), sort=asked.sort, offset=(asked.page - 1) * PAGE, limit=PAGE)
    )
    here = f"/{language.code}/catalogue"
    by_name = {dataset.name: dataset for dataset in known.datasets}
    listed = [by_name[name] for name in found.names if name in by_name]
    return page(
        request,
        language,
        "catalogue.html",
        q=asked.q,
        headline=_headline(asked, found.total, words),
        hits=[hit(dataset, language) for dataset in listed],
        json_ld=catalogue_page(known, listed, language.code),
        groups=_groups(asked, found, known, language, words),
        filters=_badges(asked, known, language, words),
        search_hidden=HiddenFields(asked.pairs("q", "page")),
        sort=asked.sort,
        sorts=[(value, words.gettext(label)) for value, label in SORTS],
        sort_hidden=HiddenFields(asked.pairs("sort", "page")),
        pages=_pages(asked, found.total, here, words),
        machine=_machine(asked, here),
        is_empty=not known.datasets,
        without_filters=here,
    )


@router.get("/{language}/catalogue.csv", response_class=Response)
def catalogue_csv(node: CurrentNode, language: PageLanguage, asked: AskedQuery) -> Response:
    """The same list as CSV, all pages of it (at most 1,000 datasets)."""
    known = {dataset.name: dataset for dataset in shown.catalogue(node).datasets}
    found = shown.index(node).search(Search(asked.q, asked.filters(), sort=asked.sort, limit=MOST_IN_CSV))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for dataset in (known[name] for name in found.names if name in known):
        current = dataset.current
        row = (
            dataset.name,
            dataset.title.in_language(language.code),
            dataset.grade,
            dataset.publisher.name.in_language(language.code),
            dataset.territory.code if dataset.territory else "",
            current.version if current else "",
            dataset.last_issued.isoformat() if dataset.last_issued else "",
            current.quality.label if current and current.quality else "",
            " ".join(formats(current)) if current else "",
            dataset.files_licence,
            dataset.landing_url,
        )
        writer.writerow([_cell(value) for value in row])
    headers = {"Content-Disposition": 'attachment; filename="catalogue.csv"'}
    # The mark tells spreadsheets that it is UTF-8.
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> object:
    """A harvested title that begins like a formula must stay a text in a spreadsheet."""
    return for_spreadsheet(value) if isinstance(value, str) else value


def _headline(asked: Asked, total: int, words: Translations) -> str:
    shown_total = {"n": words.number(total), "q": asked.q}
    if asked.q:
        return words.ngettext("%(n)s data set for “%(q)s”", "%(n)s data sets for “%(q)s”", total) % shown_total
    return words.ngettext("%(n)s data set", "%(n)s data sets", total) % shown_total


def _groups(
    asked: Asked, found: Results, known: Catalogue, language: Language, words: Translations
) -> list[SimpleNamespace]:
    groups = []
    for name, label in FACETS:
        chosen = set(getattr(asked, name))
        counts = {count.value: count.count for count in found.facets.get(name, ())}
        values = [*sorted(chosen - set(counts)), *counts][:MOST_CHOICES]
        if name == "grade":
            values.sort()
        choices = [
            SimpleNamespace(
                label=_value_label(name, value, known, language, words),
                count=counts.get(value, 0),
                href="?" + urlencode(asked.toggled(name, value)),
                active=value in chosen,
            )
            for value in values
        ]
        if choices:
            groups.append(SimpleNamespace(label=words.gettext(label), choices=choices))
    return groups


def _value_label(name: str, value: str, known: Catalogue, language: Language, words: Translations) -> str:
    if name == "grade" and value in ("0", "1", "2", "3", "4"):
        return page_words.grade_label(int(value), words)
    plain = {
        "quality": lambda: page_words.quality_label(value, words),
        "format": lambda: format_name(value),
        "theme": lambda: page_words.theme(value, words),
    }
    if name in plain:
        return plain[name]()
    for dataset in known.datasets:
        if name == "publisher" and dataset.publisher.id == value:
            return dataset.publisher.name.in_language(language.code)
        if name == "territory" and dataset.territory and value in (dataset.territory.code, dataset.territory.uri):
            return dataset.territory.name.in_language(language.code)
    return value


def _badges(asked: Asked, known: Catalogue, language: Language, words: Translations) -> list[tuple[str, str]]:
    badges = []
    if asked.q:
        badges.append((f"“{asked.q}”", "?" + urlencode(asked.pairs("q", "page"))))
    for name, values in asked.filters().items():
        for value in values:
            label = _value_label(name, value, known, language, words)
            badges.append((label, "?" + urlencode(asked.toggled(name, value))))
    return badges


def _pages(asked: Asked, total: int, here: str, words: Translations) -> SimpleNamespace | None:
    last = -(-total // PAGE)
    if last <= 1 and asked.page == 1:
        return None

    def at(number: int) -> str:
        pairs = asked.pairs("page") + ([("page", str(number))] if number > 1 else [])
        return f"{here}?{urlencode(pairs)}"

    first = (asked.page - 1) * PAGE + 1
    summary = words.gettext("%(first)s to %(last)s of %(all)s") % {
        "first": words.number(min(first, total)),
        "last": words.number(min(asked.page * PAGE, total)),
        "all": words.number(total),
    }
    return SimpleNamespace(
        summary=summary,
        previous=at(min(asked.page - 1, max(last, 1))) if asked.page > 1 else None,
        next=at(asked.page + 1) if asked.page < last else None,
    )


def _machine(asked: Asked, here: str) -> list[tuple[str, str]]:
    """The same list for programs; the whole catalogue where a standard has no filters."""
    kept: list[tuple[str, Any]] = asked.pairs("page")
    query = "?" + urlencode(kept) if kept else ""
    ckan = "/api/3/action/package_search" + (f"?{urlencode({'q': asked.q})}" if asked.q else "")
    return [
        (f"/api/search{query}", "JSON"),
        (f"{here}.csv{query}", "CSV"),
        (ckan, "CKAN"),
        ("/catalogue.jsonld", "DCAT JSON-LD"),
        ("/catalogue.ttl", "DCAT Turtle"),
    ]
