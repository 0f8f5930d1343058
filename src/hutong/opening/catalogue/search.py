"""Full-text search over the catalogue, in English and Chinese, with facets.

The index lies in a folder and is rebuilt from the datasets in one call; a rebuild goes to a new subfolder and then
becomes the current one by renaming a small file, so a search always sees a whole index. Text is cut into terms
here, not by the engine: Latin words are folded and stemmed, every Chinese character is a term of its own, and a run of
Chinese characters is looked for as a phrase, so that any substring is found. There is no query language to get
wrong: words must all occur, ``"words in quotes"`` must occur in this order, and every other character only separates.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tantivy

from hutong.errors import BadInput, LimitExceeded, Unavailable

from .catalogue import Dataset
from .condition import All, AnyOf, Condition, Has, Modified, Not
from .licences import licence_in_ckan

MAX_TEXT_CHARACTERS = 500
MAX_TERMS = 40
MAX_ROWS = 1_000
MAX_OFFSET = 10_000
MAX_FACET_VALUES = 1_000
TERM_CHARACTERS = 64

FACETS = ("grade", "publisher", "territory", "format", "quality", "theme", "keyword", "licence")
FILTERS = (*FACETS, "name")
SORTS: dict[str, tuple[str, tantivy.Order] | None] = {
    "relevance": None,
    "name": ("name", tantivy.Order.Asc),
    "title": ("title_order", tantivy.Order.Asc),
    "newest": ("modified", tantivy.Order.Desc),
    "oldest": ("modified", tantivy.Order.Asc),
}

_CURRENT = "CURRENT"
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_RUNS = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_QUOTED = re.compile(r'"([^"]*)"|[“「]([^”」]*)[”」]')
_FIELDS = (("title", 3.0), ("body", 1.0))


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: words, values that must be met (one of each filter's), a condition, order, and the page.

    ``filters`` maps a name of FILTERS to the values accepted; ``where`` may say more, and narrows every facet;
    ``offset`` and ``limit`` count datasets (limit 0 asks for counts and facets only).
    """

    text: str = ""
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    where: Condition = field(default_factory=All)
    sort: str = "relevance"
    offset: int = 0
    limit: int = 20

    def __post_init__(self) -> None:
        if len(self.text) > MAX_TEXT_CHARACTERS:
            raise LimitExceeded(
                f"The search is longer than {MAX_TEXT_CHARACTERS} characters.", "Search for fewer words."
            )
        unknown = set(self.filters) - set(FILTERS)
        if unknown:
            raise BadInput(f"There is no filter {min(unknown)[:40]!r}.", f"Use {', '.join(FILTERS)}.")
        if self.sort not in SORTS:
            raise BadInput(f"There is no order {self.sort[:40]!r}.", f"Use {', '.join(SORTS)}.")
        if not (0 <= self.offset <= MAX_OFFSET and 0 <= self.limit <= MAX_ROWS):
            raise LimitExceeded("The page is out of range.", f"Ask for at most {MAX_ROWS} from at most {MAX_OFFSET}.")


@dataclass(frozen=True, slots=True)
class FacetCount:
    """A value of a facet and how many of the found datasets have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Results:
    """``total`` found, the ``names`` on this page in order, and for each facet its values, most frequent first.

    A facet's counts take every filter into account except its own, so that its other values can be chosen too.
    """

    total: int
    names: tuple[str, ...]
    facets: Mapping[str, tuple[FacetCount, ...]]


def rebuild(folder: Path, datasets: Iterable[Dataset]) -> int:
    """Make the index in ``folder`` anew and return how many datasets it holds.

    Raises:
        Unavailable: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="index-", dir=folder)).name
        count = _write(folder / fresh, datasets)
        marker = folder / f"{_CURRENT}.{fresh}"
        marker.write_text(fresh)
        marker.replace(folder / _CURRENT)
        for old in folder.glob("index-*"):
            if old.name != fresh:
                shutil.rmtree(old, ignore_errors=True)
    except (OSError, ValueError) as error:
        raise Unavailable("The search index cannot be written.", "Check the disk and rebuild it.") from error
    return count


class SearchIndex:
    """The index in a folder, as it is at each search."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: tuple[str, tantivy.Index] | None = None

    def search(self, query: Query) -> Results:
        """Find datasets.

        Raises:
            Unavailable: there is no index, or it cannot be read.
        """
        try:
            index = self._index()
            return _search(index, query)
        except (OSError, ValueError) as error:
            raise Unavailable("The search index cannot be read.", "Rebuild it from the catalogue.") from error

    def _index(self) -> tantivy.Index:
        current = (self._folder / _CURRENT).read_text().strip()
        if self._opened is None or self._opened[0] != current:
            self._opened = current, tantivy.Index.open(str(self._folder / Path(current).name))
        return self._opened[1]


def terms(text: str) -> list[list[str]]:
    """Runs of the text that belong together, each as its terms: one stemmed Latin word, or Chinese characters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    runs: list[list[str]] = []
    for run in _RUNS.findall(folded):
        if re.match(f"[{_CJK}]", run):
            runs.append(list(run))
        else:
            plain = unicodedata.normalize("NFKD", run)
            word = "".join(c for c in plain if not unicodedata.combining(c))[:TERM_CHARACTERS]
            runs.extend([[stem] for stem in _stemmer().analyze(word)])
    return runs


def tag(word: str) -> str:
    """A keyword as CKAN may call it: letters of any script, digits, spaces, and three signs; at most 100 of them."""
    return "".join(c if c.isalnum() or c in " -_." else "-" for c in word).strip()[:100] or "-"


def _stemmer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    return builder.filter(tantivy.Filter.stemmer("english")).build()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("name", stored=True, fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("title_order", fast=True, tokenizer_name="raw", index_option="basic")
    for name, _ in _FIELDS:
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("publisher", "territory", "format", "quality", "theme", "keyword", "licence"):
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("grade", indexed=True, fast=True)
    builder.add_integer_field("modified", indexed=True, fast=True)
    return builder.build()


def _write(folder: Path, datasets: Iterable[Dataset]) -> int:
    writer = tantivy.Index(_schema(), str(folder)).writer(heap_size=30_000_000, num_threads=1)
    count = 0
    for dataset in sorted(datasets, key=lambda dataset: dataset.name):
        writer.add_document(_document(dataset))
        count += 1
    writer.commit()
    writer.wait_merging_threads()
    return count


def _document(dataset: Dataset) -> tantivy.Document:
    document = tantivy.Document()
    current = dataset.current
    document.add_text("name", dataset.name)
    document.add_text("title_order", dataset.title.in_language("en").casefold()[:TERM_CHARACTERS])
    for words in (dataset.title.en, dataset.title.zh):
        _add_terms(document, "title", words)
    columns = [column for file in (current.distributions[:1] if current else ()) for column in file.columns]
    for words in (
        dataset.name,
        dataset.description.en,
        dataset.description.zh,
        *dataset.keywords.en,
        *dataset.keywords.zh,
        dataset.publisher.name.en,
        dataset.publisher.name.zh,
        *((dataset.territory.name.en, dataset.territory.name.zh) if dataset.territory else ()),
        *((dataset.provenance.en, dataset.provenance.zh) if dataset.provenance else ()),
        dataset.purpose,
        *(f"{column.name} {column.title.en} {column.title.zh}" for column in columns),
    ):
        _add_terms(document, "body", words)
    document.add_integer("grade", dataset.grade)
    document.add_integer("modified", int(dataset.last_issued.timestamp()) if dataset.last_issued else 0)
    for name, values in _facet_values(dataset).items():
        for value in values:
            document.add_text(name, value)
    return document


def _facet_values(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    current = dataset.current
    territory = dataset.territory
    licence = licence_in_ckan(dataset.files_licence, dataset.grade)
    return {
        "publisher": (dataset.publisher.id,),
        "territory": (territory.code or territory.uri,) if territory else (),
        "format": tuple(sorted({file.format for file in current.distributions if file.format})) if current else (),
        "quality": (current.quality.label,) if current and current.quality else (),
        "theme": dataset.themes,
        "keyword": tuple(sorted({tag(word) for word in (*dataset.keywords.en, *dataset.keywords.zh)})),
        "licence": (licence.id,) if licence else (),
    }


def _add_terms(document: tantivy.Document, name: str, words: str) -> None:
    if joined := " ".join(term for run in terms(words) for term in run):
        document.add_text(name, joined)


def _search(index: tantivy.Index, query: Query) -> Results:
    searcher, schema = index.searcher(), index.schema
    words = _word_queries(schema, query.text)
    must = [*words, _meeting(schema, query.where)]
    chosen = {name: _any_of(schema, name, values) for name, values in query.filters.items() if values}
    whole = _all_of([*must, *chosen.values()])
    field_order = SORTS[query.sort] or (SORTS["newest"] if not words else None)
    limit = max(query.limit, 1)  # the engine takes no limit of zero
    if field_order is None:
        found = searcher.search(whole, limit, offset=query.offset)
    else:
        by, order = field_order
        found = searcher.search(whole, limit, offset=query.offset, order_by_field=by, order=order)
    hits = found.hits[: query.limit]
    facets = {
        name: _facet(searcher, name, _all_of([*must, *(q for n, q in chosen.items() if n != name)])) for name in FACETS
    }
    names = tuple(str(searcher.doc(address).get_first("name")) for _, address in hits)
    total = int(found.count or 0)  # type: ignore[attr-defined]  # missing in the engine's stubs
    return Results(total=total, names=names, facets=facets)


def _word_queries(schema: tantivy.Schema, text: str) -> list[tantivy.Query]:
    phrases = [first or second for first, second in _QUOTED.findall(text)]
    runs = [[term for run in terms(phrase) for term in run] for phrase in phrases]
    runs += terms(_QUOTED.sub(" ", text))
    queries, left = [], MAX_TERMS
    for run in runs:
        kept = run[:left]
        left -= len(kept)
        if kept:
            queries.append(_in_any_field(schema, kept))
    if not queries and text.strip():
        # Nothing but punctuation was asked for: nothing fits, rather than everything.
        queries.append(tantivy.Query.empty_query())
    return queries


def _in_any_field(schema: tantivy.Schema, run: list[str]) -> tantivy.Query:
    options = []
    for name, weight in _FIELDS:
        if len(run) == 1:
            one = tantivy.Query.term_query(schema, name, run[0])
        else:
            one = tantivy.Query.phrase_query(schema, name, list(run))
        options.append((tantivy.Occur.Should, tantivy.Query.boost_query(one, weight)))
    return tantivy.Query.boolean_query(options)


def _any_of(schema: tantivy.Schema, name: str, values: tuple[str, ...]) -> tantivy.Query:
    if name == "grade":
        grades = [int(value) for value in values if re.fullmatch("[0-4]", value)]
        return _should([tantivy.Query.term_query(schema, name, grade) for grade in grades])
    return _should([tantivy.Query.term_query(schema, name, value) for value in values[:MAX_TERMS]])


def _meeting(schema: tantivy.Schema, condition: Condition) -> tantivy.Query:
    """The engine's query for a condition; times are kept in whole seconds."""
    match condition:
        case Has(name, value):
            return _any_of(schema, name, (value,))
        case Modified(None, None):
            return tantivy.Query.all_query()
        case Modified(since, until):
            first, last = (None if moment is None else int(moment.timestamp()) for moment in (since, until))
            return tantivy.Query.range_query(
                schema, "modified", tantivy.FieldType.Integer, lower_bound=first, upper_bound=last
            )
        case Not(inner):
            everything = (tantivy.Occur.Must, tantivy.Query.all_query())
            return tantivy.Query.boolean_query([everything, (tantivy.Occur.MustNot, _meeting(schema, inner))])
        case All(several):
            return _all_of([_meeting(schema, one) for one in several])
        case AnyOf(several):
            return _should([_meeting(schema, one) for one in several])


def _should(queries: list[tantivy.Query]) -> tantivy.Query:
    if not queries:
        return tantivy.Query.empty_query()
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def _all_of(queries: list[tantivy.Query]) -> tantivy.Query:
    if not queries:
        return tantivy.Query.all_query()
    return tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in queries])


def _facet(searcher: tantivy.Searcher, name: str, query: tantivy.Query) -> tuple[FacetCount, ...]:
    asked = {name: {"terms": {"field": name, "size": MAX_FACET_VALUES}}}
    buckets = searcher.aggregate(query, asked)[name]["buckets"]
    counts = [FacetCount(str(bucket["key"]), int(bucket["doc_count"])) for bucket in buckets]
    return tuple(sorted(counts, key=lambda count: (-count.count, count.value)))
