"""Namespaces, authority tables and the JSON-LD context of Hutong's DCAT-AP 3 and HealthDCAT-AP descriptions."""

from __future__ import annotations

NAMESPACES = {
    "adms": "http://www.w3.org/ns/adms#",
    "csvw": "http://www.w3.org/ns/csvw#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "dqv": "http://www.w3.org/ns/dqv#",
    "eli": "http://data.europa.eu/eli/ontology#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
    "hutong": "urn:hutong:terms:",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

FILE_TYPE = "http://publications.europa.eu/resource/authority/file-type/"
MEDIA_TYPE = "https://www.iana.org/assignments/media-types/"
LANGUAGE = "http://publications.europa.eu/resource/authority/language/"
DATASET_TYPE = "http://publications.europa.eu/resource/authority/dataset-type/"
COUNTRY = "http://publications.europa.eu/resource/authority/country/"
SHA256_ALGORITHM = "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"
GRADE = "urn:hutong:grade:"

GRADE_LABELS = ("open", "registered", "by agreement", "analysis inside the node only", "sealed")

CONCEPT_LABELS = {
    "http://publications.europa.eu/resource/authority/data-theme/HEAL": "Health",
    "http://publications.europa.eu/resource/authority/data-theme/SOCI": "Population and society",
    f"{DATASET_TYPE}STATISTICAL": "Statistical",
    f"{DATASET_TYPE}PERSONAL_DATA": "Personal data",
}

# term -> (property, kind). The kind is "@id" for a link, "@language" for words in several languages, a datatype,
# or empty for plain words. The order is the order of the members of each JSON object.
TERMS: dict[str, tuple[str, str]] = {
    "identifier": ("dct:identifier", ""),
    "title": ("dct:title", "@language"),
    "description": ("dct:description", "@language"),
    "name": ("foaf:name", "@language"),
    "prefLabel": ("skos:prefLabel", "@language"),
    "notation": ("skos:notation", ""),
    "label": ("rdfs:label", ""),
    "fn": ("vcard:fn", ""),
    "keyword": ("dcat:keyword", "@language"),
    "version": ("dcat:version", ""),
    "issued": ("dct:issued", "xsd:dateTime"),
    "modified": ("dct:modified", "xsd:dateTime"),
    "asOf": ("dct:valid", "xsd:date"),
    "startDate": ("dcat:startDate", "xsd:date"),
    "endDate": ("dcat:endDate", "xsd:date"),
    "byteSize": ("dcat:byteSize", "xsd:nonNegativeInteger"),
    "numberOfRecords": ("healthdcatap:numberOfRecords", "xsd:nonNegativeInteger"),
    "checksumValue": ("spdx:checksumValue", "xsd:hexBinary"),
    "value": ("dqv:value", "xsd:double"),
    "risk": ("hutong:risk", ""),
    "suppression": ("hutong:suppression", ""),
    "columnName": ("csvw:name", ""),
    "columnTitles": ("csvw:titles", "@language"),
    "datatype": ("csvw:datatype", ""),
    "homepage": ("foaf:homepage", "@id"),
    "mbox": ("foaf:mbox", "@id"),
    "hasEmail": ("vcard:hasEmail", "@id"),
    "hasURL": ("vcard:hasURL", "@id"),
    "publisher": ("dct:publisher", "@id"),
    "rightsHolder": ("dct:rightsHolder", "@id"),
    "contactPoint": ("dcat:contactPoint", "@id"),
    "accessRights": ("dct:accessRights", "@id"),
    "rights": ("dct:rights", "@id"),
    "license": ("dct:license", "@id"),
    "applicableLegislation": ("dcatap:applicableLegislation", "@id"),
    "hasLegalBasis": ("dpv:hasLegalBasis", "@id"),
    "hasPurpose": ("dpv:hasPurpose", "@id"),
    "hdab": ("healthdcatap:hdab", "@id"),
    "healthCategory": ("healthdcatap:healthCategory", "@id"),
    "theme": ("dcat:theme", "@id"),
    "type": ("dct:type", "@id"),
    "language": ("dct:language", "@id"),
    "spatial": ("dct:spatial", "@id"),
    "temporal": ("dct:temporal", "@id"),
    "accrualPeriodicity": ("dct:accrualPeriodicity", "@id"),
    "conformsTo": ("dct:conformsTo", "@id"),
    "provenance": ("dct:provenance", "@id"),
    "landingPage": ("dcat:landingPage", "@id"),
    "isPartOf": ("dct:isPartOf", "@id"),
    "hasQualityMeasurement": ("dqv:hasQualityMeasurement", "@id"),
    "isMeasurementOf": ("dqv:isMeasurementOf", "@id"),
    "format": ("dct:format", "@id"),
    "mediaType": ("dcat:mediaType", "@id"),
    "accessURL": ("dcat:accessURL", "@id"),
    "downloadURL": ("dcat:downloadURL", "@id"),
    "checksum": ("spdx:checksum", "@id"),
    "algorithm": ("spdx:algorithm", "@id"),
    "url": ("csvw:url", "@id"),
    "column": ("csvw:column", "@id"),
    "table": ("csvw:table", "@id"),
    "previousVersion": ("dcat:previousVersion", "@id"),
    "isVersionOf": ("dcat:isVersionOf", "@id"),
    "hasVersion": ("dcat:hasVersion", "@id"),
    "hasCurrentVersion": ("dcat:hasCurrentVersion", "@id"),
    "distribution": ("dcat:distribution", "@id"),
    "dataset": ("dcat:dataset", "@id"),
    "primaryTopic": ("foaf:primaryTopic", "@id"),
    "record": ("dcat:record", "@id"),
    "subClassOf": ("rdfs:subClassOf", "@id"),
}


def iri(name: str) -> str:
    """Full IRI of a compact name such as ``dct:title``."""
    prefix, _, local = name.partition(":")
    return NAMESPACES[prefix] + local


def compact(full: str) -> str:
    """Compact name of an IRI in one of the namespaces, or the IRI itself."""
    for prefix, namespace in NAMESPACES.items():
        if full.startswith(namespace):
            return f"{prefix}:{full[len(namespace) :]}"
    return full


def context() -> dict[str, object]:
    """The JSON-LD 1.1 context: prefixes first, then one entry a term."""
    entries: dict[str, object] = {"@version": 1.1, **NAMESPACES}
    for term, (name, kind) in TERMS.items():
        if kind == "@language":
            entries[term] = {"@id": name, "@container": "@language"}
        elif kind:
            entries[term] = {"@id": name, "@type": kind}
        else:
            entries[term] = name
    return entries
