"""Read a catalogue in DCAT from outside: without loss when another Hutong wrote it, leniently otherwise.

What a foreign catalogue leaves out stays empty; what it says in a way that the nouns do not allow (a link that is no
web address, a period that ends before it starts) is left out, and the rest of the dataset is kept. What is not said
to be public or registered counts as grade 2. Remote JSON-LD contexts are never fetched: the caller gives the
documents that it knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import urlsplit

from hutong.errors import LimitExceeded

from .catalogue import (
    ACCESS_RIGHTS,
    IRI,
    SLUG_CHARACTERS,
    TITLE_CHARACTERS,
    WEB_ADDRESS,
    Contact,
    Dataset,
    Keywords,
    LegalBasis,
    Origin,
    Publisher,
    Territory,
    Text,
)
from .dcat_graph import part
from .dcat_releases import read_period, read_releases
from .dcat_source import Node, Source, load, slug
from .dcat_terms import COUNTRY, GRADE

MAX_DATASETS = 5_000
KEYWORD_CHARACTERS = 100
NOWHERE = "https://unknown.invalid"


@dataclass(frozen=True, slots=True)
class _Home:
    """The node in whose catalogue a dataset stands."""

    id: str
    url: str


def parse_catalogue(
    text: str | bytes,
    media_type: str,
    *,
    harvested_from: tuple[str, str] | None = None,
    contexts: Mapping[str, object] | None = None,
) -> tuple[Dataset, ...]:
    """Every dataset of a catalogue, each with its origin, sorted by name.

    Args:
        text: Turtle, JSON-LD or N-Triples, as ``media_type`` says.
        media_type: with or without parameters.
        harvested_from: id and address of the node that was asked, for datasets that do not say where they live.
        contexts: JSON-LD context documents by the URL under which documents name them.

    Raises:
        BadInput: not a form of a catalogue, bad syntax, or a remote context that is not in ``contexts``.
        LimitExceeded: over 32 MiB, 500,000 statements or 5,000 datasets.
    """
    home = _Home(*harvested_from) if harvested_from else None
    source = load(text, media_type, f"{home.url if home else NOWHERE}/", contexts or {})
    nodes = source.of_class("dcat:Dataset")
    if len(nodes) > MAX_DATASETS:
        raise LimitExceeded(f"The catalogue has over {MAX_DATASETS:,} datasets.", "Send it in parts.")
    named: dict[str, Dataset] = {}
    for node in nodes:
        dataset = _dataset(source, node, home)
        if dataset.name in named and dataset.origin:
            mark = sha256(dataset.origin.dataset_uri.encode()).hexdigest()[:8]
            own_id = f"{dataset.id[: SLUG_CHARACTERS - 50].rstrip('-_')}-{mark}"
            releases = tuple(replace(release, dataset_id=own_id) for release in dataset.releases)
            dataset = replace(dataset, id=own_id, releases=releases)
        named[dataset.name] = dataset
    return tuple(named[name] for name in sorted(named))


def _dataset(source: Source, me: Node, asked: _Home | None) -> Dataset:
    uri = me.value if IRI.fullmatch(me.value) else f"urn:hutong:foreign:{sha256(me.value.encode()).hexdigest()}"
    home = _home(source, me, uri, asked)
    told_id = source.words(me, "dct:identifier", most=2_000) or uri
    dataset_id = slug(told_id)
    title = source.text(me, "dct:title", most=TITLE_CHARACTERS) or Text(dataset_id)
    grade, access_rights = _grade(source, me)
    keywords = source.words_by_language(me, "dcat:keyword", KEYWORD_CHARACTERS)
    return Dataset(
        id=dataset_id,
        title=title,
        description=source.text(me, "dct:description") or title,
        publisher=_publisher(source, me),
        grade=grade,
        themes=_uris(source, me, "dcat:theme"),
        keywords=Keywords((*keywords[0], *keywords[2]), tuple(keywords[1])),
        health_categories=_uris(source, me, "healthdcatap:healthCategory"),
        territory=_territory(source, me),
        temporal=read_period(source, me),
        licence=_licence(source, me),
        frequency=next(iter(_uris(source, me, "dct:accrualPeriodicity")), ""),
        conforms_to=_uris(source, me, "dct:conformsTo"),
        provenance=_label_in_languages(source, me, "dct:provenance"),
        contact=_contact(source, me),
        access_rights=access_rights,
        legal_basis=_legal_basis(source, me, uri),
        purpose=_label(source, me, "dpv:hasPurpose"),
        landing_url=source.web(me, "dcat:landingPage"),
        releases=read_releases(source, me, dataset_id),
        origin=Origin(home.id, home.url, uri),
    )


def _home(source: Source, me: Node, uri: str, asked: _Home | None) -> _Home:
    for place in (*source.nodes(me, "dct:isPartOf"), *source.pointing_at(me, "dcat:dataset")):
        told_id = source.words(place, "dct:identifier", most=500)
        url = source.web(place, "foaf:homepage")
        if told_id and url:
            return _Home(slug(told_id), url)
    if asked:
        return asked
    for place in source.pointing_at(me, "dcat:dataset"):
        if WEB_ADDRESS.fullmatch(place.value):
            return _Home(slug(urlsplit(place.value).netloc), place.value)
    if WEB_ADDRESS.fullmatch(uri):
        site = urlsplit(uri)
        return _Home(slug(site.netloc), f"{site.scheme}://{site.netloc}")
    return _Home("unknown", NOWHERE)


def _grade(source: Source, me: Node) -> tuple[int, str]:
    access = next(iter(_uris(source, me, "dct:accessRights")), "")
    for right in source.iris(me, "dct:rights"):
        if re.fullmatch(re.escape(GRADE) + "[0-4]", right):
            grade = int(right[-1])
            # Where the two disagree the stricter one holds.
            return grade, access if not (grade and access == ACCESS_RIGHTS[0]) else ACCESS_RIGHTS[grade]
    grade = ACCESS_RIGHTS.index(access) if access in ACCESS_RIGHTS else 2
    return grade, access or ACCESS_RIGHTS[grade]


def _uris(source: Source, me: Node, name: str) -> tuple[str, ...]:
    return tuple(uri for uri in source.iris(me, name) if IRI.fullmatch(uri))


def _publisher(source: Source, me: Node) -> Publisher:
    agent = source.node(me, "dct:publisher")
    for place in source.pointing_at(me, "dcat:dataset") if agent is None else ():
        agent = agent or source.node(place, "dct:publisher")
    if agent is None:
        return Publisher("unknown", Text("Unknown publisher", "未知发布者"))
    name = source.text(agent, "foaf:name", "rdfs:label", most=TITLE_CHARACTERS)
    told_id = source.words(agent, "dct:identifier", most=2_000)
    spare = name.in_language("en") if name else ""
    agent_id = slug(told_id or (agent.value if "://" in agent.value else spare) or "unknown")
    desk = source.node(agent, "dcat:contactPoint") or agent
    return Publisher(
        id=agent_id,
        name=name or Text(agent_id),
        url=source.web(agent, "foaf:homepage") or source.web(desk, "vcard:hasURL"),
        email=source.email(agent, "foaf:mbox") or source.email(desk, "vcard:hasEmail"),
    )


def _territory(source: Source, me: Node) -> Territory | None:
    for place in source.nodes(me, "dct:spatial"):
        if not IRI.fullmatch(place.value):
            continue
        code = source.words(place, "dct:identifier", most=20)
        if not code and place.value.startswith(COUNTRY):
            code = place.value.removeprefix(COUNTRY)
        code = code if re.fullmatch(r"[A-Z]{2,3}(?:-[0-9A-Z]{1,3})?", code) else ""
        told = source.text(place, "skos:prefLabel", "rdfs:label", most=TITLE_CHARACTERS)
        return Territory(code, told or Text(code or place.value), place.value)
    return None


def _licence(source: Source, me: Node) -> str:
    files = source.nodes(me, "dcat:distribution")[:10]
    return next((uri for node in (me, *files) for uri in _uris(source, node, "dct:license")), "")


def _label(source: Source, me: Node, name: str) -> str:
    """Words behind a link: its label, or its own IRI, or the words themselves where there is no link."""
    for node in source.nodes(me, name):
        if words := source.words(node, "rdfs:label", "dct:description"):
            return words
    return source.words(me, name)


def _label_in_languages(source: Source, me: Node, name: str) -> Text | None:
    """As :func:`_label`, in the languages that it is given in."""
    for node in source.nodes(me, name):
        if text := source.text(node, "rdfs:label", "dct:description"):
            return text
    words = source.words(me, name)
    return Text(words) if words else None


def _contact(source: Source, me: Node) -> Contact | None:
    for desk in source.nodes(me, "dcat:contactPoint"):
        email, url = source.email(desk, "vcard:hasEmail"), source.web(desk, "vcard:hasURL")
        if email or url:
            return Contact(source.words(desk, "vcard:fn", most=TITLE_CHARACTERS), email, url)
    return None


def _legal_basis(source: Source, me: Node, uri: str) -> LegalBasis | None:
    for law in _uris(source, me, "dcatap:applicableLegislation"):
        node = next(n for n in source.nodes(me, "dcatap:applicableLegislation") if n.value == law)
        title = source.words(node, "rdfs:label", "dct:title", most=TITLE_CHARACTERS) or law
        return LegalBasis(title, "" if law == part(uri, "legal-basis") else law)
    return None
