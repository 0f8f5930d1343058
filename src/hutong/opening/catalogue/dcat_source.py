"""A foreign RDF document, loaded within limits and asked by name.

Limits: 32 MiB, 500,000 triples, 64 levels of JSON, 1,000 values of one property. Texts are cut to the lengths that
the catalogue's nouns allow, and control characters are dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from hashlib import sha256

import orjson
import pyoxigraph as ox

from hutong.errors import BadInput, LimitExceeded

from .catalogue import EMAIL, SLUG, SLUG_CHARACTERS, TEXT_CHARACTERS, WEB_ADDRESS, Text
from .dcat_terms import iri

MAX_BYTES = 32 * 1024 * 1024
MAX_TRIPLES = 500_000
MAX_JSON_DEPTH = 64
MAX_VALUES = 1_000

FORMATS = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/ld+json": ox.RdfFormat.JSON_LD,
    "application/json": ox.RdfFormat.JSON_LD,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
}

Node = ox.NamedNode | ox.BlankNode
Term = Node | ox.Literal

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Source:
    """Triples by subject and property; every question names a property compactly, such as ``dct:title``."""

    def __init__(self, triples: Iterable[tuple[Node, str, Term]]) -> None:
        self._about: dict[Node, dict[str, list[Term]]] = {}
        self._typed: dict[str, list[Node]] = {}
        self._into: dict[tuple[str, Term], list[Node]] = {}
        kind = iri("rdf:type")
        for subject, name, target in triples:
            values = self._about.setdefault(subject, {}).setdefault(name, [])
            if len(values) < MAX_VALUES:
                values.append(target)
            if name == kind and isinstance(target, ox.NamedNode):
                self._typed.setdefault(target.value, []).append(subject)
            elif not isinstance(target, ox.Literal):
                self._into.setdefault((name, target), []).append(subject)

    def of_class(self, name: str) -> list[Node]:
        """Every node said to be of this class, in the order of its IRI."""
        return sorted(set(self._typed.get(iri(name), [])), key=str)

    def is_a(self, node: Node, name: str) -> bool:
        """Whether the node is said to be of this class."""
        return ox.NamedNode(iri(name)) in self.values(node, "rdf:type")

    def pointing_at(self, node: Node, name: str) -> list[Node]:
        """Subjects that have the node as value of the property."""
        return sorted(self._into.get((iri(name), node), []), key=str)

    def values(self, node: Node, name: str) -> list[Term]:
        """Values of a property, in a stable order."""
        return sorted(self._about.get(node, {}).get(iri(name), []), key=str)

    def nodes(self, node: Node, name: str) -> list[Node]:
        """Values that are nodes, not words."""
        return [value for value in self.values(node, name) if not isinstance(value, ox.Literal)]

    def node(self, node: Node, name: str) -> Node | None:
        """The first value that is a node."""
        return next(iter(self.nodes(node, name)), None)

    def words(self, node: Node, *names: str, most: int = TEXT_CHARACTERS) -> str:
        """The first value in words among the properties, or an empty string; a link counts as its IRI."""
        for name in names:
            for value in self.values(node, name):
                if not isinstance(value, ox.BlankNode) and (words := clean(value.value, most)):
                    return words
        return ""

    def text(self, node: Node, *names: str, most: int = TEXT_CHARACTERS) -> Text | None:
        """English and Chinese words among the properties; a third language stands in for missing English."""
        for name in names:
            by_language = self.words_by_language(node, name, most)
            en, zh, other = (next(iter(words), "") for words in by_language)
            if en or zh or other:
                return Text(en or other, zh) if not (zh and not en) else Text("", zh)
        return None

    def words_by_language(self, node: Node, name: str, most: int) -> tuple[list[str], list[str], list[str]]:
        """Words of a property in English, in Chinese, and in any other or no language."""
        en: list[str] = []
        zh: list[str] = []
        other: list[str] = []
        for value in self.values(node, name):
            if isinstance(value, ox.Literal) and (words := clean(value.value, most)):
                language = (value.language or "").lower()
                (en if language.startswith("en") else zh if language.startswith("zh") else other).append(words)
        return en, zh, other

    def iris(self, node: Node, name: str) -> tuple[str, ...]:
        """IRIs among the values."""
        return tuple(value.value for value in self.values(node, name) if isinstance(value, ox.NamedNode))

    def web(self, node: Node, *names: str) -> str:
        """The first http or https address among the values; anything else is left out."""
        for name in names:
            for value in self.values(node, name):
                if not isinstance(value, ox.BlankNode) and WEB_ADDRESS.fullmatch(value.value):
                    return str(value.value)
        return ""

    def email(self, node: Node, *names: str) -> str:
        """The first usable e-mail address among the values, without ``mailto:``."""
        for name in names:
            for value in self.values(node, name):
                address = "" if isinstance(value, ox.BlankNode) else value.value.removeprefix("mailto:")
                if EMAIL.fullmatch(address):
                    return address
        return ""

    def moment(self, node: Node, *names: str) -> datetime | None:
        """The first date or time among the properties; without a zone it is read as UTC."""
        words = self.words(node, *names, most=64)
        try:
            told = datetime.fromisoformat(words)
            return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None

    def day(self, node: Node, name: str) -> date | None:
        """The first date among the values; a year or month stands for its first day."""
        words = self.words(node, name, most=64)[:10]
        whole = {4: f"{words}-01-01", 7: f"{words}-01"}.get(len(words), words)
        try:
            return date.fromisoformat(whole)
        except ValueError:
            return None

    def whole(self, node: Node, *names: str) -> int | None:
        """The first natural number among the properties."""
        words = self.words(node, *names, most=24)
        return int(words) if re.fullmatch(r"[0-9]{1,18}", words) else None


def load(text: str | bytes, media_type: str, base: str, contexts: Mapping[str, object]) -> Source:
    """Parse a document.

    Raises:
        BadInput: unknown media type, a syntax error, or a remote context that ``contexts`` does not have.
        LimitExceeded: too large, too deep, or too many triples.
    """
    kind = FORMATS.get(media_type.partition(";")[0].strip().lower())
    if kind is None:
        raise BadInput(f"{media_type[:80]!r} is no form of a catalogue.", f"Send one of {', '.join(FORMATS)}.")
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise LimitExceeded(f"The catalogue is larger than {MAX_BYTES:,} bytes.", "Send it in parts.")
    if kind == ox.RdfFormat.JSON_LD:
        raw = _with_contexts(raw, contexts)
    triples: list[tuple[Node, str, Term]] = []
    try:
        for quad in ox.parse(raw, format=kind, base_iri=base):
            if isinstance(quad.subject, ox.Triple) or isinstance(quad.object, ox.Triple):
                continue
            triples.append((quad.subject, quad.predicate.value, quad.object))
            if len(triples) > MAX_TRIPLES:
                raise LimitExceeded(f"The catalogue has over {MAX_TRIPLES:,} statements.", "Send it in parts.")
    except (SyntaxError, ValueError) as error:
        raise BadInput(f"The catalogue cannot be read: {str(error)[:200]}.", "Correct its syntax.") from error
    return Source(triples)


def _with_contexts(raw: bytes, contexts: Mapping[str, object]) -> bytes:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The catalogue is not JSON: {error}.", "Correct its syntax.") from error
    known = {url: _inner_context(body) for url, body in contexts.items()}
    waiting: list[tuple[object, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_JSON_DEPTH:
            raise LimitExceeded(f"The JSON is deeper than {MAX_JSON_DEPTH} levels.", "Send a flatter document.")
        if isinstance(value, dict):
            if "@import" in value:
                raise BadInput("A context imports another document.", "Write the context out.")
            if "@context" in value:
                value["@context"] = _resolved(value["@context"], known)
            waiting.extend((child, depth + 1) for child in value.values())
        elif isinstance(value, list):
            waiting.extend((child, depth + 1) for child in value)
    return orjson.dumps(document)


def _inner_context(body: object) -> object:
    return body["@context"] if isinstance(body, dict) and "@context" in body else body


def _resolved(context: object, known: Mapping[str, object]) -> object:
    if isinstance(context, list):
        return [_resolved(item, known) for item in context]
    if not isinstance(context, str):
        return context
    if context not in known:
        raise BadInput(f"The context {context[:200]!r} is not on this node.", "Write the context out in the document.")
    return known[context]


def clean(words: str, most: int) -> str:
    """The words without control characters, cut to ``most`` characters."""
    return _CONTROL.sub("", words)[:most]


def slug(words: str) -> str:
    """A slug of the words; what is a slug already stays as it is, and what leaves nothing becomes its hash."""
    if SLUG.fullmatch(words) and len(words) <= SLUG_CHARACTERS:
        return words
    tail = words.rstrip("/#").replace("#", "/").rsplit("/", 1)[-1] if "://" in words else words
    ascii_words = unicodedata.normalize("NFKD", tail).encode("ascii", "ignore").decode().lower()
    found = "-".join(re.findall(r"[a-z0-9]+", ascii_words))[: SLUG_CHARACTERS - 20].strip("-")
    return found if len(found) > 1 else f"x{sha256(words.encode(errors='replace')).hexdigest()[:12]}"
