"""Conformance of the catalogue to the shapes of DCAT-AP 3.0.1 and HealthDCAT-AP, and reading of their examples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson
import pytest

from hutong.errors import BadInput
from hutong.opening.catalogue import dcat
from tests.exceptions import exceptions
from tests.opening.catalogue_sample import catalogue, harvested, line_list, weekly_counts

pytestmark = pytest.mark.conformance

CONTEXT_URL = "https://semiceu.github.io/uri.semic.eu-generated/DCAT-AP/releases/3.0.0/html/examples/context.jsonld"


def findings(data: str, shapes: list[Path], *, data_format: str = "turtle") -> Counter[tuple[str, str]]:
    """Violations as (property, constraint) with their number; imports are not followed, nothing is inferred."""
    import pyshacl
    from rdflib import RDF, SH, Graph

    shape_graph = Graph()
    for path in shapes:
        shape_graph.parse(path, format="turtle")
    content = Graph().parse(data=data, format=data_format)
    assert len(content) > 0
    _, report, _ = pyshacl.validate(
        content, shacl_graph=shape_graph, inference="none", do_owl_imports=False, advanced=False
    )
    found: Counter[tuple[str, str]] = Counter()
    for result in report.subjects(RDF.type, SH.ValidationResult):
        path = str(report.value(result, SH.resultPath))
        component = str(report.value(result, SH.sourceConstraintComponent)).rsplit("#", 1)[-1]
        found[path, component] += 1
    return found


@pytest.fixture(scope="module")
def dcat_ap(fixtures) -> list[Path]:
    folder = fixtures / "dcat" / "dcat-ap-3.0.1" / "shacl"
    return [folder / "shapes.ttl", folder / "range.ttl"]


@pytest.fixture(scope="module")
def health(fixtures) -> Path:
    return fixtures / "dcat" / "healthdcat-ap" / "healthdcatap-non-public-r5.shacl.ttl"


def test_our_catalogue_conforms_to_dcat_ap(dcat_ap):
    assert findings(dcat.catalogue_turtle(catalogue()), dcat_ap) == Counter()


def test_our_json_ld_conforms_to_dcat_ap(dcat_ap):
    # rdflib reads the JSON-LD here, so that another reader than the one we use judges the context.
    data = dcat.catalogue_json_ld(catalogue()).decode()
    assert findings(data, dcat_ap, data_format="json-ld") == Counter()


@pytest.mark.parametrize("dataset", [weekly_counts(), line_list(), harvested()])
def test_each_dataset_alone_conforms_to_dcat_ap(dcat_ap, dataset):
    assert findings(dcat.dataset_turtle(dataset, catalogue()), dcat_ap) == Counter()


def test_the_shapes_notice_what_is_missing(dcat_ap):
    broken = dcat.catalogue_turtle(catalogue()).replace("foaf:name", "foaf:nick")
    assert findings(broken, dcat_ap)["http://xmlns.com/foaf/0.1/name", "MinCountConstraintComponent"] == 3


def test_a_grade_2_catalogue_conforms_to_healthdcat_ap_non_public(dcat_ap, health):
    found = findings(dcat.catalogue_turtle(catalogue(line_list())), [*dcat_ap, health])
    assert found == Counter()


@pytest.mark.parametrize("data_format", ["turtle", "json-ld"])
def test_the_shapes_of_the_whole_profile_hold_and_versions_are_no_further_datasets(fixtures, data_format):
    from rdflib import DCAT, RDF, RDFS, Graph

    shapes = fixtures / "dcat" / "dcat-ap-3.0.1" / "shacl" / "dcat-ap-SHACL.ttl"
    whole = catalogue()
    data = dcat.catalogue_turtle(whole) if data_format == "turtle" else dcat.catalogue_json_ld(whole).decode()
    assert findings(data, [shapes], data_format=data_format) == Counter()
    graph = Graph().parse(data=data, format=data_format)
    # What ckanext-dcat makes a record of, and what a catalogue lists.
    assert len(set(graph.subjects(RDF.type, DCAT.Dataset))) == len(set(graph.objects(None, DCAT.dataset))) == 3
    assert len(set(graph.objects(None, DCAT.hasVersion))) == 3
    # It is the kind of dataset that releases are which the shape of dcat:hasVersion asks for.
    astray = Graph().parse(data=data, format=data_format)
    astray.remove((None, RDFS.subClassOf, None))
    assert findings(astray.serialize(format="turtle"), [shapes]) == {
        (str(DCAT.hasVersion), "ClassConstraintComponent"): 3
    }


def test_the_recommended_properties_are_there(fixtures):
    shapes = fixtures / "dcat" / "dcat-ap-3.0.1" / "shacl" / "shapes_recommended.ttl"
    found = findings(dcat.catalogue_turtle(catalogue(weekly_counts(), line_list())), [shapes])
    told = {path.rsplit("/", 1)[-1].rsplit("#", 1)[-1] for path, _ in found}
    assert told == set(exceptions("dcat-ap", "recommended"))


def test_the_known_bad_health_catalogue_is_found_out(fixtures, dcat_ap, health):
    sample = (fixtures / "dcat" / "healthdcat-ap" / "health-catalog-21-datasets.ttl").read_text()
    # The numbers are those that the fixture's note gives.
    assert sum(findings(sample, [dcat_ap[0]]).values()) == 99
    assert sum(findings(sample, [health]).values()) == 114
    together = findings(sample, [dcat_ap[0], health])
    assert together["http://www.w3.org/ns/dcat#accessURL", "MinCountConstraintComponent"] == 42


def test_the_known_bad_health_catalogue_is_read_and_repaired(fixtures, dcat_ap):
    sample = (fixtures / "dcat" / "healthdcat-ap" / "health-catalog-21-datasets.ttl").read_text()
    found = dcat.parse_catalogue(sample, dcat.TURTLE)
    assert len(found) == 21
    assert {dataset.grade for dataset in found} == {2}
    assert all(dataset.current and dataset.current.distributions for dataset in found)
    assert all(dataset.publisher.email for dataset in found)
    assert all(dataset.health_categories for dataset in found)
    assert findings(dcat.catalogue_turtle(catalogue(*found)), dcat_ap) == Counter()


def test_all_examples_of_dcat_ap_are_read(fixtures):
    from rdflib import DCAT, RDF, Graph

    folder = fixtures / "dcat" / "dcat-ap-3.0.1" / "examples"
    contexts = {CONTEXT_URL: orjson.loads((folder / "context.jsonld").read_bytes())}
    counted: dict[str, int] = {}
    invalid = exceptions("dcat-ap", "example")
    for path in sorted(folder.glob("*.ttl")):
        if path.name in invalid:
            with pytest.raises(BadInput):
                dcat.parse_catalogue(path.read_text(), dcat.TURTLE)
            continue
        expected = len(set(Graph().parse(path).subjects(RDF.type, DCAT.Dataset)))
        counted[path.name] = len(dcat.parse_catalogue(path.read_text(), dcat.TURTLE))
        assert counted[path.name] == expected, path.name
    for path in sorted(folder.glob("*.jsonld")):
        if path.name == "context.jsonld":
            continue
        counted[path.name] = len(dcat.parse_catalogue(path.read_bytes(), dcat.JSON_LD, contexts=contexts))
        inline = orjson.loads(path.read_bytes())
        if inline["@context"] == CONTEXT_URL:
            inline["@context"] = contexts[CONTEXT_URL]["@context"]
        graph = Graph().parse(data=orjson.dumps(inline), format="json-ld")
        assert counted[path.name] == len(set(graph.subjects(RDF.type, DCAT.Dataset))), path.name
    assert len(counted) == 28
    assert len(counted) + len(invalid) + 1 == len(list(folder.iterdir()))
    assert sum(counted.values()) > 50
