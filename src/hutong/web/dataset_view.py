"""A dataset in the words of a page: hit of a list, files, facts, dictionary, versions, citation, code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from hutong.governance import queries as governance
from hutong.node import Node
from hutong.opening import queries
from hutong.opening.catalogue.catalogue import Dataset, Release
from hutong.opening.columns import elements, wording
from hutong.opening.preview import Rows
from hutong.web import code_words, page_words
from hutong.web.charts import Column
from hutong.web.i18n import Language, Translations, translations

ROWS_AT_ONCE = 100
FIRST_COLUMNS = ("area_code", "area_name", "period_start", "year_week", "value", "status")
NEVER_SAME = ("period_start", "value", "status")


def hit(dataset: Dataset, language: Language) -> SimpleNamespace:
    """A dataset as one result of a list."""
    words = translations(language)
    current = dataset.current
    return SimpleNamespace(
        title=dataset.title.in_language(language.code),
        href=f"/{language.code}/datasets/{dataset.name}",
        summary=dataset.description.in_language(language.code)[:300],
        publisher=dataset.publisher.name.in_language(language.code),
        issued=dataset.last_issued and dataset.last_issued.date(),
        grade=page_words.grade_label(dataset.grade, words),
        formats=formats(current) if current else (),
        quality=current.quality.label if current and current.quality else "unknown",
    )


def formats(release: Release) -> tuple[str, ...]:
    """Names of a release's formats as people write them."""
    return tuple(dict.fromkeys(format_name(file.format) for file in release.distributions))


def format_name(format_: str) -> str:
    """What a person calls the format."""
    return format_.title() if format_ == "parquet" else format_.upper()


def local(node: Node, url: str) -> str:
    """An address of this node as a path, so that it also works behind another name."""
    return url.removeprefix(node.settings.url) or "/"


def downloads(node: Node, release: Release) -> list[tuple[str, str]]:
    """Short links to the files of a release that are handed out."""
    return [(local(node, file.url), format_name(file.format)) for file in release.distributions if file.url]


def files(node: Node, release: Release, words: Translations) -> list[SimpleNamespace]:
    """The files of a release with what each is good for."""
    return [
        SimpleNamespace(
            name=format_name(file.format),
            href=local(node, file.url),
            text=words.gettext(page_words.FORMATS[file.format]) if file.format in page_words.FORMATS else "",
            size=words.size(file.bytes) if file.bytes is not None else None,
            sha256=file.sha256,
        )
        for file in release.distributions
    ]


def facts(node: Node, dataset: Dataset, language: Language) -> list[tuple[str, Any]]:
    """What there is to know of a dataset, as terms with values; a value may be a ``Term`` with an address."""
    words = translations(language)
    period, contact = dataset.temporal, dataset.contact
    span = ""
    if period and period.start and period.end:
        span = words.gettext("%(first)s to %(last)s") % {
            "first": words.date(period.start),
            "last": words.date(period.end),
        }
    publisher, source = dataset.publisher, dataset.provenance
    found: list[tuple[str, Any]] = [
        (words.gettext("Publisher"), page_words.Term(publisher.name.in_language(language.code), publisher.url)),
        (words.gettext("Period"), span),
        (words.gettext("Territory"), dataset.territory.name.in_language(language.code) if dataset.territory else ""),
        (words.gettext("Comes out"), page_words.frequency(dataset.frequency, words)),
        (
            words.gettext("Licence"),
            page_words.licence(dataset.files_licence)
            or (words.gettext(page_words.GRADES[2][0]) if dataset.grade == 2 else ""),
        ),
        (
            words.gettext("Licence of the source list"),
            page_words.licence(dataset.licence) if dataset.licence != dataset.files_licence else "",
        ),
        (words.gettext("Legal basis"), _legal_basis(node, dataset, language)),
        (words.gettext("Purpose of collection"), words.gettext(dataset.purpose) if dataset.purpose else ""),
        (words.gettext("Where it comes from"), source.in_language(language.code) if source else ""),
        (words.gettext("Themes"), ", ".join(page_words.theme(uri, words) for uri in dataset.themes)),
        (words.gettext("Standard"), ", ".join(dataset.conforms_to)),
    ]
    if contact:
        href = f"mailto:{contact.email}" if contact.email else contact.url
        found.append((words.gettext("Contact"), page_words.Term(contact.name, href)))
    return [(term, value) for term, value in found if value]


def _legal_basis(node: Node, dataset: Dataset, language: Language) -> str:
    """The legal basis, as the emergency under which it was published words it in this language."""
    if dataset.legal_basis is None:
        return ""
    title = dataset.legal_basis.title
    for known in governance.emergencies(node) if dataset.origin is None else ():
        if known.legal_basis["en"] == title:
            return known.legal_basis[language.code]
    return title


def dictionary(release: Release, language: Language) -> list[tuple[str, str, str]]:
    """Name, title and meaning of each column of a release, as the catalogue tells them; the meaning may be empty."""
    columns = release.distributions[0].columns if release.distributions else ()
    return [
        (
            column.name,
            column.title.in_language(language.code),
            "" if column.description == column.title else column.description.in_language(language.code),
        )
        for column in columns
    ]


def columns_of(node: Node, release: Release) -> tuple[str, ...]:
    """Names of the columns of an own release."""
    import pyarrow.parquet as pq

    return tuple(pq.read_schema(queries.release_file(node, release, "parquet")).names)


def versions(dataset: Dataset, shown: Release, language: Language) -> list[SimpleNamespace]:
    """Every version, the newest first, with what it replaces and how many rows it has more or fewer."""
    words = translations(language)
    rows = []
    by_version = {release.version: release for release in dataset.releases}
    for release in reversed(dataset.releases):
        before = by_version.get(release.supersedes)
        rows.append(
            SimpleNamespace(
                version=release.version,
                href=f"?version={release.version}",
                is_shown=release.version == shown.version,
                is_current=release is dataset.current,
                issued=words.date(release.issued.date()) if release.issued else None,
                rows=None if release.rows is None else words.number(release.rows),
                difference=_difference(release, before, words),
                supersedes=release.supersedes,
                quality=release.quality.label if release.quality else "unknown",
            )
        )
    return rows


def _difference(release: Release, before: Release | None, words: Translations) -> str:
    if before is None:
        return words.gettext("first version")
    if release.rows is None or before.rows is None:
        return words.gettext("replaces version %(version)s") % {"version": before.version}
    more = release.rows - before.rows
    if more == 0:
        return words.gettext("as many rows as version %(version)s, other values") % {"version": before.version}
    sentence = (
        words.ngettext("%(n)s row more than version %(version)s", "%(n)s rows more than version %(version)s", more)
        if more > 0
        else words.ngettext(
            "%(n)s row fewer than version %(version)s", "%(n)s rows fewer than version %(version)s", -more
        )
    )
    return sentence % {"n": words.number(abs(more)), "version": before.version}


def citation(dataset: Dataset, release: Release, url: str, language: Language) -> str:
    """How to cite one version: publisher, year, title, version, address, and the hash that pins it."""
    words = translations(language)
    year = release.issued.year if release.issued else ""
    return words.gettext(
        "%(publisher)s (%(year)s). %(title)s, version %(version)s [data set]. %(url)s. SHA-256 of its rows: %(sha256)s"
    ) % {
        "publisher": dataset.publisher.name.in_language(language.code),
        "year": year,
        "title": dataset.title.in_language(language.code),
        "version": release.version,
        "url": url,
        "sha256": release.sha256 or "–",
    }


def examples(node: Node, release: Release, filters: dict[str, str], *, is_open: bool) -> list[tuple[str, str]]:
    """Code that reads these rows of this version, with the filters in force."""
    query = urlencode({"version": release.version, **filters, "limit": ROWS_AT_ONCE})
    url = f"{node.settings.url}/api/opening/datasets/{release.dataset_id}/rows?{query}"
    curl = "" if is_open else ' \\\n  -H "Authorization: Bearer $HUTONG_TOKEN"'
    python_headers = "" if is_open else ',\n    headers={"Authorization": f"Bearer {os.environ[\'HUTONG_TOKEN\']}"}'
    imports = "import httpx" if is_open else "import os\n\nimport httpx"
    r_headers = "" if is_open else '\nrequest <- req_auth_bearer_token(request, Sys.getenv("HUTONG_TOKEN"))'
    return [
        ("curl", f"curl -sS '{url}'{curl}"),
        (
            "Python",
            f'{imports}\n\nanswer = httpx.get(\n    "{url}"{python_headers},\n)\nanswer.raise_for_status()\n'
            'rows = answer.json()["rows"]  # a withheld value is None, not zero',
        ),
        (
            "R",
            f'library(httr2)\n\nrequest <- request("{url}"){r_headers}\n'
            "rows <- resp_body_json(req_perform(request), simplifyVector = TRUE)$rows  # withheld is NA",
        ),
    ]


@dataclass(frozen=True, slots=True)
class PreviewTable:
    """Rows for the page: columns and cells, and what is the same in all of them (title, value), said once."""

    columns: list[Column]
    cells: list[list[str | None]]
    same: list[tuple[str, str]]


def preview_table(node: Node, rows: Rows, language: Language) -> PreviewTable:
    """Rows of a release with titles and codes in words beside what stands in the files; what is of use comes first.

    A withheld value is None, anything else absent is a dash.
    """
    words = translations(language)
    known = elements(rows.columns, node.standard)
    titles = {name: wording(name, element)[0].in_language(language.code) for name, element in known.items()}

    def told(name: str, row: Mapping[str, Any]) -> str | None:
        if row[name] is None and name == "value" and row.get("status") == "withheld":
            return None
        return code_words.cell(known[name], row[name], words, is_short=name == "level")

    same = [
        name
        for name in rows.columns
        if name not in NEVER_SAME and len(rows.rows) > 1 and len({row[name] for row in rows.rows}) == 1
    ]
    first = [name for name in FIRST_COLUMNS if name in rows.columns]
    shown = [name for name in (*first, *(name for name in rows.columns if name not in first)) if name not in same]
    return PreviewTable(
        [Column(code_words.beside(titles[name], name), numeric=name in ("value", "case_count")) for name in shown],
        [[told(name, row) for name in shown] for row in rows.rows],
        [(code_words.beside(titles[name], name), told(name, rows.rows[0]) or "–") for name in same],
    )
