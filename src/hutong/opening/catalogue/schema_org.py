"""Datasets as schema.org JSON-LD, for the pages that show them (https://schema.org/Dataset and DataCatalog), and the
organisation behind them, for the home page (https://schema.org/GovernmentOrganization).

Members follow what dataset search engines read: distribution, coverage, creator, licence, version, and whether the
data can be had for free and without asking.
"""

from __future__ import annotations

from collections.abc import Sequence

from .catalogue import Catalogue, Dataset, Distribution, Period, Publisher, Territory, dataset_uri

DESCRIPTION_CHARACTERS = 5_000


def dataset_page(dataset: Dataset, catalogue: Catalogue, language: str) -> dict[str, object]:
    """The JSON-LD object for one dataset; ``language`` is "en" or "zh". Empty members are left out."""
    current = dataset.current
    territory = dataset.territory
    first, last = dataset.first_issued, dataset.last_issued
    home = dataset.origin.node_url if dataset.origin else catalogue.url
    members: dict[str, object] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": dataset_uri(dataset, catalogue.url),
        "identifier": dataset_uri(dataset, catalogue.url),
        "name": dataset.title.in_language(language),
        "description": dataset.description.in_language(language)[:DESCRIPTION_CHARACTERS],
        "url": dataset.landing_url,
        "inLanguage": ["en", "zh"] if dataset.title.en and dataset.title.zh else "",
        "keywords": list(dataset.keywords.zh if language.startswith("zh") else dataset.keywords.en),
        "creator": _organisation(dataset.publisher, language),
        "publisher": _organisation(dataset.publisher, language),
        "license": dataset.files_licence,
        "version": current.version if current else "",
        "datePublished": first.date().isoformat() if first else "",
        "dateModified": last.date().isoformat() if last else "",
        "isAccessibleForFree": dataset.grade == 0,
        "conditionsOfAccess": dataset.access_rights,
        "temporalCoverage": interval(dataset.temporal) if dataset.temporal else "",
        "spatialCoverage": _place(territory.name.in_language(language), territory.code, territory.uri)
        if territory
        else "",
        "measurementTechnique": dataset.provenance.in_language(language) if dataset.provenance else "",
        "usageInfo": dataset.purpose,
        "variableMeasured": _variables(current.distributions[0], language) if current and current.distributions else "",
        "includedInDataCatalog": {
            "@type": "DataCatalog",
            "name": home if dataset.origin else catalogue.title.in_language(language),
            "url": home,
        },
        "distribution": [_download(file) for file in current.distributions] if current else "",
    }
    return _filled(members)


def catalogue_page(catalogue: Catalogue, listed: Sequence[Dataset], language: str) -> dict[str, object]:
    """The JSON-LD object for a page of the catalogue: the catalogue itself, and the datasets that the page lists."""
    members: dict[str, object] = {
        "@context": "https://schema.org/",
        "@type": "DataCatalog",
        "@id": catalogue.url,
        "name": catalogue.title.in_language(language),
        "description": catalogue.description.in_language(language)[:DESCRIPTION_CHARACTERS],
        "url": catalogue.url,
        "publisher": _organisation(catalogue.publisher, language),
        "dataset": [
            _filled(
                {
                    "@type": "Dataset",
                    "@id": dataset_uri(dataset, catalogue.url),
                    "name": dataset.title.in_language(language),
                    "url": dataset.landing_url,
                    "license": dataset.files_licence,
                }
            )
            for dataset in listed
        ],
    }
    return _filled(members)


def home_page(
    catalogue: Catalogue, listed: Sequence[Dataset], territory: Territory, language: str
) -> dict[str, object]:
    """The JSON-LD object for a node's home page: the catalogue, whose it is, and for which territory."""
    place = _place(territory.name.in_language(language), territory.code, territory.uri)
    publisher = _organisation(catalogue.publisher, language)
    return {
        **catalogue_page(catalogue, listed, language),
        "publisher": {**publisher, "@type": "GovernmentOrganization", "url": catalogue.url, "areaServed": place},
    }


def interval(period: Period) -> str:
    """ISO 8601 interval; an open end is written ``..``."""
    start = period.start.isoformat() if period.start else ".."
    end = period.end.isoformat() if period.end else ".."
    return f"{start}/{end}"


def _organisation(publisher: Publisher, language: str) -> dict[str, object]:
    members: dict[str, object] = {
        "@type": "Organization",
        "name": publisher.name.in_language(language),
        "url": publisher.url,
        "email": publisher.email,
    }
    return _filled(members)


def _place(name: str, code: str, uri: str) -> dict[str, object]:
    place: dict[str, object] = {"@type": "Place", "name": name, "sameAs": uri}
    if code:
        place["identifier"] = code
    return place


def _variables(file: Distribution, language: str) -> list[dict[str, object]]:
    return [
        {
            "@type": "PropertyValue",
            "name": column.name,
            "description": column.description.in_language(language),
        }
        for column in file.columns
    ]


def _download(file: Distribution) -> dict[str, object]:
    members: dict[str, object] = {
        "@type": "DataDownload",
        "encodingFormat": file.media_type,
        "contentUrl": file.url,
        "url": file.access_url,
        "contentSize": f"{file.bytes} B" if file.bytes is not None else "",
        "sha256": file.sha256,
    }
    return _filled(members)


def _filled(members: dict[str, object]) -> dict[str, object]:
    """Without the members that are empty; what is false stays."""
    return {name: value for name, value in members.items() if value not in ("", [])}
