"""Triples with an IRI for every node, and their two serialisations: equal graphs give equal bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import orjson
import pyoxigraph as ox

from hutong.errors import BadInput

from .catalogue import Text
from .dcat_terms import CONCEPT_LABELS, NAMESPACES, TERMS, compact, context, iri

Value = ox.NamedNode | ox.Literal

_TYPE = ox.NamedNode(iri("rdf:type"))


def part(uri: str, name: str) -> str:
    """IRI of a part of ``uri``: a fragment, or a longer one where ``uri`` has a fragment already."""
    return f"{uri}-{name}" if "#" in uri else f"{uri}#{name}"


class Graph:
    """Triples in the order in which they were said, each once."""

    def __init__(self) -> None:
        self.triples: dict[ox.Triple, tuple[str, str, Value]] = {}

    def a(self, subject: str, *classes: str) -> None:
        for name in classes:
            self._say(subject, _TYPE, ox.NamedNode(iri(name)))

    def link(self, subject: str, name: str, *targets: str) -> None:
        for target in targets:
            if target:
                self._say(subject, ox.NamedNode(iri(name)), ox.NamedNode(target))

    def words(self, subject: str, name: str, value: str, datatype: str = "") -> None:
        if value:
            kind = ox.NamedNode(iri(datatype)) if datatype else None
            self._say(subject, ox.NamedNode(iri(name)), ox.Literal(value, datatype=kind))

    def text(self, subject: str, name: str, text: Text) -> None:
        for language, value in (("en", text.en), ("zh", text.zh)):
            if value:
                self._say(subject, ox.NamedNode(iri(name)), ox.Literal(value, language=language))

    def day(self, subject: str, name: str, day: date | None) -> None:
        self.words(subject, name, day.isoformat() if day else "", "xsd:date")

    def moment(self, subject: str, name: str, moment: datetime | None) -> None:
        self.words(subject, name, moment.astimezone(UTC).isoformat() if moment else "", "xsd:dateTime")

    def whole(self, subject: str, name: str, number: int | None) -> None:
        self.words(subject, name, "" if number is None else str(number), "xsd:nonNegativeInteger")

    def named(self, subject: str, name: str, target: str, *classes: str) -> None:
        """Link to ``target`` and say its class: DCAT-AP's range shapes ask for it in the same document."""
        if target:
            self.link(subject, name, target)
            self.a(target, *classes)

    def concept(self, subject: str, name: str, uri: str) -> None:
        self.named(subject, name, uri, "skos:Concept")
        label = CONCEPT_LABELS.get(uri) or uri.rstrip("/#").replace("#", "/").rsplit("/", 1)[-1]
        self.text(uri, "skos:prefLabel", Text(label.replace("_", " ")))

    def _say(self, subject: str, predicate: ox.NamedNode, target: Value) -> None:
        try:
            triple = ox.Triple(ox.NamedNode(subject), predicate, target)
        except ValueError as error:
            raise BadInput(f"A URI of the catalogue is not valid: {error}.", "Correct it.") from error
        self.triples[triple] = (subject, compact(predicate.value), target)


def to_turtle(graph: Graph) -> str:
    """The graph as Turtle."""
    written = io.BytesIO()
    ox.serialize(sorted(graph.triples, key=str), written, ox.RdfFormat.TURTLE, prefixes=NAMESPACES)
    lines = written.getvalue().decode().splitlines(keepends=True)
    prefixes = sorted(line for line in lines if line.startswith("@prefix "))  # written in a random order
    return "".join([*prefixes, "\n", *lines[len(prefixes) :]])


def to_json_ld(graph: Graph, root: str) -> bytes:
    """The graph as one tree from ``root``: a node is written out where it is met first, and named elsewhere.

    What no property leads to, as what is said of a class, is included beside the tree.
    """
    about: dict[str, dict[str, list[Value]]] = {}
    for triple in sorted(graph.triples, key=str):
        subject, name, target = graph.triples[triple]
        about.setdefault(subject, {}).setdefault(name, []).append(target)
    written: set[str] = set()
    document: dict[str, object] = {"@context": context(), **_json_node(root, about, written)}
    if beside := [_json_node(subject, about, written) for subject in sorted(about) if subject not in written]:
        document["@included"] = beside
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _json_node(me: str, about: dict[str, dict[str, list[Value]]], written: set[str]) -> dict[str, object]:
    written.add(me)
    node: dict[str, object] = {"@id": me}
    properties = about.get(me, {})
    if classes := properties.get("rdf:type"):
        node["@type"] = _one_or_all([compact(value.value) for value in classes])
    for term, (name, kind) in TERMS.items():
        values = properties.get(name, [])
        if values and kind == "@language":
            node[term] = dict(_by_language(values))
        elif values:
            node[term] = _one_or_all([_json_value(value, kind, about, written) for value in values])
    return node


def _json_value(
    target: Value, kind: str, about: dict[str, dict[str, list[Value]]], written: set[str]
) -> str | dict[str, object]:
    value = target.value
    if isinstance(target, ox.Literal) and target.language:  # where a term holds words without a language, too
        return {"@value": value, "@language": target.language}
    embed = kind == "@id" and value in about and value not in written
    return _json_node(value, about, written) if embed else value


def _by_language(values: list[Value]) -> Iterator[tuple[str, object]]:
    for language in ("en", "zh"):
        words = [v.value for v in values if isinstance(v, ox.Literal) and v.language == language]
        if words:
            yield language, _one_or_all(words)


def _one_or_all(values: Sequence[object]) -> object:
    return values[0] if len(values) == 1 else values
