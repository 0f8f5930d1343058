"""The catalogue in DCAT-AP 3 with HealthDCAT-AP terms, as Turtle and as compact JSON-LD.

Sources: DCAT-AP 3.0.1 (https://semiceu.github.io/DCAT-AP/releases/3.0.1/), HealthDCAT-AP Release 5, DQV, SPDX, CSVW.
A dataset is one ``dcat:Dataset``. Its releases stand under ``dcat:hasVersion``, whose range is ``dcat:Dataset`` too,
but harvesters make one record of everything that is called so. So a release is a ``hutong:Release``, which the document
says to be a kind of ``dcat:Dataset``: shapes hold it to all that a dataset must say, and no harvester counts it.
Every node has an IRI, so the same catalogue always gives the same bytes. Reading is in
:mod:`hutong.opening.catalogue.dcat_reading`, offered here as ``parse_catalogue``.
"""

from __future__ import annotations

from hashlib import sha256 as _sha256

import pyoxigraph as ox

from .catalogue import (
    Catalogue,
    Contact,
    Dataset,
    Distribution,
    Period,
    Publisher,
    Release,
    Text,
    catalogue_uri,
    dataset_uri,
    publisher_uri,
)
from .dcat_graph import Graph, part, to_json_ld, to_turtle
from .dcat_reading import parse_catalogue
from .dcat_terms import DATASET_TYPE, FILE_TYPE, GRADE, GRADE_LABELS, LANGUAGE, MEDIA_TYPE, SHA256_ALGORITHM, iri

__all__ = [
    "JSON_LD",
    "TURTLE",
    "catalogue_json_ld",
    "catalogue_turtle",
    "dataset_json_ld",
    "dataset_turtle",
    "distribution_uri",
    "parse_catalogue",
    "release_uri",
]

TURTLE = "text/turtle"
JSON_LD = "application/ld+json"

_TYPE = ox.NamedNode(iri("rdf:type"))


def catalogue_turtle(catalogue: Catalogue) -> str:
    """The whole catalogue as Turtle."""
    return to_turtle(_catalogue_graph(catalogue))


def catalogue_json_ld(catalogue: Catalogue) -> bytes:
    """The whole catalogue as compact JSON-LD (UTF-8)."""
    return to_json_ld(_catalogue_graph(catalogue), catalogue_uri(catalogue.url))


def dataset_turtle(dataset: Dataset, catalogue: Catalogue) -> str:
    """One dataset as Turtle; ``catalogue`` gives the node that says it."""
    return to_turtle(_dataset_graph(dataset, catalogue))


def dataset_json_ld(dataset: Dataset, catalogue: Catalogue) -> bytes:
    """One dataset as compact JSON-LD (UTF-8)."""
    return to_json_ld(_dataset_graph(dataset, catalogue), dataset_uri(dataset, catalogue.url))


def release_uri(dataset: Dataset, version: str, node_url: str) -> str:
    """URI of one release of a dataset."""
    return f"{dataset_uri(dataset, node_url)}/release/{version}"


def distribution_uri(release: str, distributions: tuple[Distribution, ...], place: int) -> str:
    """URI of the file at ``place`` in a release with the URI ``release``: its format, numbered when repeated."""
    name = distributions[place].format or "file"
    earlier = sum(1 for other in distributions[:place] if (other.format or "file") == name)
    return f"{release}/{name}" + (f"-{earlier}" if earlier else "")


def _catalogue_graph(catalogue: Catalogue) -> Graph:
    graph, me = Graph(), catalogue_uri(catalogue.url)
    graph.a(me, "dcat:Catalog")
    graph.text(me, "dct:title", catalogue.title)
    graph.text(me, "dct:description", catalogue.description)
    graph.moment(me, "dct:issued", catalogue.created)
    graph.moment(me, "dct:modified", catalogue.modified)
    for code in ("ENG", "ZHO"):
        graph.named(me, "dct:language", LANGUAGE + code, "dct:LinguisticSystem")
    _place_in_catalogue(graph, me, catalogue.id, catalogue.url)
    graph.a(catalogue.url, "foaf:Document")
    _publisher(graph, me, "dct:publisher", catalogue.publisher, catalogue.url)
    for dataset in catalogue.datasets:
        about = dataset_uri(dataset, catalogue.url)
        graph.link(me, "dcat:dataset", about)
        if dataset.legal_basis:
            _legislation(graph, me, dataset, about)
        record = f"{catalogue.url}/id/record/{dataset.name}"
        graph.named(me, "dcat:record", record, "dcat:CatalogRecord")
        graph.named(record, "foaf:primaryTopic", about, "dcat:Resource")
        graph.moment(record, "dct:issued", dataset.first_issued or catalogue.created)
        graph.moment(record, "dct:modified", dataset.last_issued or catalogue.created)
        _dataset(graph, dataset, catalogue)
    return graph


def _dataset_graph(dataset: Dataset, catalogue: Catalogue) -> Graph:
    graph = Graph()
    _dataset(graph, dataset, catalogue)
    return graph


def _place_in_catalogue(graph: Graph, place: str, node_id: str, node_url: str) -> None:
    graph.words(place, "dct:identifier", node_id)
    graph.link(place, "foaf:homepage", node_url)


def _legislation(graph: Graph, subject: str, dataset: Dataset, about: str) -> None:
    basis = dataset.legal_basis
    if basis:
        uri = basis.uri or part(about, "legal-basis")
        graph.named(subject, "dcatap:applicableLegislation", uri, "eli:LegalResource")
        graph.words(uri, "rdfs:label", basis.title)


def _dataset(graph: Graph, dataset: Dataset, catalogue: Catalogue) -> None:
    me = dataset_uri(dataset, catalogue.url)
    origin = dataset.origin
    node_id, node_url = (origin.node_id, origin.node_url) if origin else (catalogue.id, catalogue.url)
    graph.a(me, "dcat:Dataset")
    graph.words(me, "dct:identifier", dataset.id)
    graph.text(me, "dct:title", dataset.title)
    graph.link(me, "dct:isPartOf", catalogue_uri(node_url))
    _place_in_catalogue(graph, catalogue_uri(node_url), node_id, node_url)
    graph.named(me, "dcat:landingPage", dataset.landing_url, "foaf:Document")
    _period(graph, me, dataset.temporal)
    _content(graph, me, dataset, catalogue, me)
    _releases(graph, me, dataset, catalogue)


def _content(graph: Graph, me: str, dataset: Dataset, catalogue: Catalogue, about: str) -> None:
    """What holds for the dataset ``about`` and for each version of it alike, said of ``me``, which is one of them."""
    node_url = dataset.origin.node_url if dataset.origin else catalogue.url
    graph.text(me, "dct:description", dataset.description)
    for en in dataset.keywords.en:
        graph.text(me, "dcat:keyword", Text(en))
    for zh in dataset.keywords.zh:
        graph.text(me, "dcat:keyword", Text("", zh))
    _publisher(graph, me, "dct:publisher", dataset.publisher, node_url)
    graph.link(me, "dct:rightsHolder", publisher_uri(dataset.publisher, node_url))
    for theme in dataset.themes:
        graph.concept(me, "dcat:theme", theme)
    for standard in dataset.conforms_to:
        graph.named(me, "dct:conformsTo", standard, "dct:Standard")
    graph.named(me, "dct:accrualPeriodicity", dataset.frequency, "dct:Frequency")
    graph.named(me, "dct:license", dataset.files_licence, "dct:LicenseDocument")
    if territory := dataset.territory:
        graph.named(me, "dct:spatial", territory.uri, "dct:Location")
        graph.text(territory.uri, "skos:prefLabel", territory.name)
        graph.words(territory.uri, "dct:identifier", territory.code)
    _governance(graph, me, dataset, catalogue, about)


def _period(graph: Graph, me: str, period: Period | None) -> None:
    if period:
        graph.named(me, "dct:temporal", part(me, "period"), "dct:PeriodOfTime")
        graph.day(part(me, "period"), "dcat:startDate", period.start)
        graph.day(part(me, "period"), "dcat:endDate", period.end)


def _governance(graph: Graph, me: str, dataset: Dataset, catalogue: Catalogue, about: str) -> None:
    """Who may have it, why it may be held, whom to ask; HealthDCAT-AP's terms for what is not public."""
    graph.named(me, "dct:accessRights", dataset.access_rights, "dct:RightsStatement")
    grade = f"{GRADE}{dataset.grade}"
    graph.named(me, "dct:rights", grade, "dct:RightsStatement")
    graph.words(grade, "skos:notation", str(dataset.grade))
    graph.words(grade, "rdfs:label", f"Grade {dataset.grade}: {GRADE_LABELS[dataset.grade]}")
    graph.concept(me, "dct:type", DATASET_TYPE + ("STATISTICAL" if dataset.grade < 2 else "PERSONAL_DATA"))
    for category in dataset.health_categories:
        graph.concept(me, "healthdcatap:healthCategory", category)
    if dataset.provenance:
        graph.named(me, "dct:provenance", part(about, "provenance"), "dct:ProvenanceStatement")
        graph.text(part(about, "provenance"), "rdfs:label", dataset.provenance)
    if dataset.contact:
        graph.link(me, "dcat:contactPoint", part(about, "contact"))
        _contact(graph, part(about, "contact"), dataset.contact)
    if dataset.purpose:
        graph.named(me, "dpv:hasPurpose", part(about, "purpose"), "dpv:Purpose")
        graph.words(part(about, "purpose"), "rdfs:label", dataset.purpose)
    if dataset.legal_basis:
        _legislation(graph, me, dataset, about)
        graph.link(me, "dpv:hasLegalBasis", dataset.legal_basis.uri or part(about, "legal-basis"))
    if dataset.grade >= 2:
        # The body that decides on access is the node's own authority; for a harvested dataset, its publisher.
        if dataset.origin:
            _publisher(graph, me, "healthdcatap:hdab", dataset.publisher, dataset.origin.node_url)
        else:
            _publisher(graph, me, "healthdcatap:hdab", catalogue.publisher, catalogue.url)


def _publisher(graph: Graph, subject: str, name: str, publisher: Publisher, node_url: str) -> None:
    me = publisher_uri(publisher, node_url)
    graph.named(subject, name, me, "foaf:Agent")
    graph.words(me, "dct:identifier", publisher.id)
    graph.text(me, "foaf:name", publisher.name)
    graph.link(me, "foaf:homepage", publisher.url)
    graph.link(me, "foaf:mbox", f"mailto:{publisher.email}" if publisher.email else "")
    if publisher.url or publisher.email:
        graph.link(me, "dcat:contactPoint", part(me, "contact"))
        desk = Contact(name=publisher.name.in_language("en"), email=publisher.email, url=publisher.url)
        _contact(graph, part(me, "contact"), desk)


def _contact(graph: Graph, me: str, contact: Contact) -> None:
    graph.a(me, "vcard:Kind")
    graph.words(me, "vcard:fn", contact.name)
    graph.link(me, "vcard:hasEmail", f"mailto:{contact.email}" if contact.email else "")
    graph.link(me, "vcard:hasURL", contact.url)


def _releases(graph: Graph, dataset_me: str, dataset: Dataset, catalogue: Catalogue) -> None:
    node_url, current = catalogue.url, dataset.current
    if dataset.releases:
        graph.link(iri("hutong:Release"), "rdfs:subClassOf", iri("dcat:Dataset"))
    for release in dataset.releases:
        me = release_uri(dataset, release.version, node_url)
        graph.link(dataset_me, "dcat:hasVersion", me)
        _release(graph, me, dataset, release)
        _content(graph, me, dataset, catalogue, dataset_me)
        _period(graph, me, release.temporal)
        graph.link(me, "dcat:isVersionOf", dataset_me)
        if release.supersedes:
            graph.link(me, "dcat:previousVersion", release_uri(dataset, release.supersedes, node_url))
            graph.words(release_uri(dataset, release.supersedes, node_url), "dcat:version", release.supersedes)
    if current:
        me = release_uri(dataset, current.version, node_url)
        graph.link(dataset_me, "dcat:hasCurrentVersion", me)
        graph.words(dataset_me, "dcat:version", current.version)
        graph.moment(dataset_me, "dct:issued", dataset.first_issued)
        graph.moment(dataset_me, "dct:modified", dataset.last_issued)
        graph.whole(dataset_me, "healthdcatap:numberOfRecords", current.rows)
        for place in range(len(current.distributions)):
            graph.link(dataset_me, "dcat:distribution", distribution_uri(me, current.distributions, place))
        if current.quality:
            graph.link(dataset_me, "dqv:hasQualityMeasurement", part(me, "quality"))


def _release(graph: Graph, me: str, dataset: Dataset, release: Release) -> None:
    about = me.rsplit("/release/", 1)[0]
    title, version = dataset.title, release.version
    graph.a(me, "dcat:Resource", "hutong:Release")
    graph.words(me, "dct:identifier", release.id)
    in_english = f"{title.en}, version {version}" if title.en else ""
    graph.text(me, "dct:title", Text(in_english, f"{title.zh}（版本 {version}）" if title.zh else ""))
    graph.words(me, "dcat:version", release.version)
    graph.moment(me, "dct:issued", release.issued)
    graph.day(me, "dct:valid", release.as_of)
    graph.whole(me, "healthdcatap:numberOfRecords", release.rows)
    graph.words(me, "hutong:risk", release.risk)
    graph.words(me, "hutong:suppression", release.suppression)
    _checksum(graph, me, release.sha256)
    if release.quality:
        graph.named(me, "dqv:hasQualityMeasurement", part(me, "quality"), "dqv:QualityMeasurement")
        graph.named(part(me, "quality"), "dqv:isMeasurementOf", "urn:hutong:metric:quality", "dqv:Metric")
        graph.words(part(me, "quality"), "dqv:value", repr(float(release.quality.score)), "xsd:double")
        graph.words(part(me, "quality"), "rdfs:label", release.quality.label)
    for place, distribution in enumerate(release.distributions):
        uri = distribution_uri(me, release.distributions, place)
        graph.named(me, "dcat:distribution", uri, "dcat:Distribution")
        _distribution(graph, uri, dataset, distribution)
        _columns(graph, uri, dataset, distribution, about)
        graph.moment(uri, "dct:issued", release.issued)
        _legislation(graph, uri, dataset, about)


def _distribution(graph: Graph, me: str, dataset: Dataset, distribution: Distribution) -> None:
    name = distribution.format.upper() or "file"
    graph.text(me, "dct:title", Text(f"{dataset.title.in_language('en')[:400]} ({name})"))
    if distribution.format:
        graph.named(me, "dct:format", FILE_TYPE + name, "dct:MediaTypeOrExtent")
    if distribution.media_type:
        graph.named(me, "dcat:mediaType", MEDIA_TYPE + distribution.media_type, "dct:MediaType")
    graph.link(me, "dcat:accessURL", distribution.access_url)
    graph.link(me, "dcat:downloadURL", distribution.url)
    graph.named(me, "dct:license", dataset.files_licence, "dct:LicenseDocument")
    graph.whole(me, "dcat:byteSize", distribution.bytes)
    _checksum(graph, me, distribution.sha256)


def _columns(graph: Graph, me: str, dataset: Dataset, distribution: Distribution, about: str) -> None:
    """The file as a table of CSVW. Files and releases with the same columns share them: each is told once a dataset."""
    if not distribution.columns:
        return
    table = part(me, "table")
    graph.named(me, "csvw:table", table, "csvw:Table")
    graph.text(table, "dct:title", dataset.title)
    graph.link(table, "csvw:url", distribution.url or distribution.access_url)
    layout = _sha256(repr(distribution.columns).encode()).hexdigest()[:12]
    for number, column in enumerate(distribution.columns, start=1):
        uri = part(about, f"layout-{layout}-col={number}")  # the number keeps the order
        graph.named(table, "csvw:column", uri, "csvw:Column")
        graph.words(uri, "csvw:name", column.name)
        graph.words(uri, "csvw:datatype", column.datatype)
        graph.text(uri, "csvw:titles", column.title)
        graph.text(uri, "dct:description", column.description)


def _checksum(graph: Graph, subject: str, sha256: str) -> None:
    if sha256:
        graph.named(subject, "spdx:checksum", part(subject, "checksum"), "spdx:Checksum")
        graph.named(part(subject, "checksum"), "spdx:algorithm", SHA256_ALGORITHM, "spdx:ChecksumAlgorithm")
        graph.words(part(subject, "checksum"), "spdx:checksumValue", sha256, "xsd:hexBinary")
