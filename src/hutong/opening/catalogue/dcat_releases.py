"""Read the releases of one dataset and their files from a catalogue in DCAT."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from .catalogue import (
    MEDIA_TYPES,
    RELEASE_ID,
    SHA256,
    TITLE_CHARACTERS,
    VERSION,
    Column,
    Distribution,
    Period,
    Quality,
    Release,
    Text,
)
from .dcat_source import Node, Source, slug
from .dcat_terms import MEDIA_TYPE

MAX_RELEASES = 1_000
MAX_DISTRIBUTIONS = 100
MAX_COLUMNS = 1_000

_FORMATS = {media_type: name for name, media_type in MEDIA_TYPES.items()} | {"application/x-parquet": "parquet"}


def read_releases(source: Source, dataset: Node, dataset_id: str) -> tuple[Release, ...]:
    """All releases: those under ``dcat:hasVersion``, or one made of the dataset's own files where there are none."""
    versions = [node for node in source.nodes(dataset, "dcat:hasVersion") if not source.is_a(node, "dcat:Dataset")]
    found: dict[str, Release] = {}
    for node in versions[:MAX_RELEASES]:
        if source.words(node, "dcat:version"):
            release = _release(source, node, dataset_id)
            found.setdefault(release.version, release)
    if not found and source.nodes(dataset, "dcat:distribution"):
        release = _release(source, dataset, dataset_id)
        found[release.version] = replace(release, id=f"{dataset_id}@{release.version}")
    return tuple(found.values())


def _release(source: Source, node: Node, dataset_id: str) -> Release:
    version = _version(source.words(node, "dcat:version", "adms:version", most=64)) or "1"
    told_id = source.words(node, "dct:identifier", most=200)
    before = source.node(node, "dcat:previousVersion")
    supersedes = _version(source.words(before, "dcat:version", most=64)) if before else ""
    files = [_distribution(source, file) for file in source.nodes(node, "dcat:distribution")[:MAX_DISTRIBUTIONS]]
    return Release(
        id=told_id if RELEASE_ID.fullmatch(told_id) else f"{dataset_id}@{version}",
        dataset_id=dataset_id,
        version=version,
        issued=source.moment(node, "dct:issued", "dct:modified"),
        supersedes=supersedes if supersedes != version else "",
        rows=source.whole(node, "healthdcatap:numberOfRecords"),
        sha256=_checksum(source, node),
        quality=_quality(source, node),
        risk=source.words(node, "hutong:risk"),
        suppression=source.words(node, "hutong:suppression"),
        as_of=source.day(node, "dct:valid"),
        temporal=read_period(source, node),
        distributions=tuple(file for file in files if file is not None),
    )


def read_period(source: Source, me: Node) -> Period | None:
    """The period that a dataset or a release covers; None where it says none, or one that ends before it starts."""
    node = source.node(me, "dct:temporal")
    if node is None:
        return None
    start, end = source.day(node, "dcat:startDate"), source.day(node, "dcat:endDate")
    return None if start and end and start > end else Period(start, end)


def _version(words: str) -> str:
    return words if VERSION.fullmatch(words) else re.sub(r"[^0-9A-Za-z._-]+", "-", words).strip("-._")


def _quality(source: Source, node: Node) -> Quality | None:
    for measured in source.nodes(node, "dqv:hasQualityMeasurement"):
        metric = source.words(measured, "dqv:isMeasurementOf")
        label = source.words(measured, "rdfs:label", most=100)
        try:
            score = float(source.words(measured, "dqv:value", most=64))
        except ValueError:
            continue
        if metric == "urn:hutong:metric:quality" and label and math.isfinite(score) and 0 <= score <= 1:
            return Quality(label, score)
    return None


def _checksum(source: Source, node: Node) -> str:
    for checksum in source.nodes(node, "spdx:checksum"):
        value = source.words(checksum, "spdx:checksumValue", most=200).lower()
        if "sha256" in source.words(checksum, "spdx:algorithm") and SHA256.fullmatch(value):
            return value
    return ""


def _distribution(source: Source, node: Node) -> Distribution | None:
    url = source.web(node, "dcat:downloadURL")
    access_url = source.web(node, "dcat:accessURL") or url
    if not access_url:
        return None
    media_type = source.words(node, "dcat:mediaType", most=200).removeprefix(MEDIA_TYPE)
    if not re.fullmatch(r"[\w.+-]{1,60}/[\w.+-]{1,100}", media_type):
        media_type = ""
    told = source.words(node, "dct:format", most=200)
    name = slug(told.rsplit("/", 1)[-1].lower()) if told else _FORMATS.get(media_type, "")
    return Distribution(
        format=name,
        media_type=media_type or MEDIA_TYPES.get(name, ""),
        access_url=access_url,
        url=url,
        bytes=source.whole(node, "dcat:byteSize"),
        sha256=_checksum(source, node),
        columns=_columns(source, node),
    )


def _columns(source: Source, node: Node) -> tuple[Column, ...]:
    table = source.node(node, "csvw:table")
    if table is None:
        return ()
    nodes = sorted(source.nodes(table, "csvw:column")[:MAX_COLUMNS], key=_column_place)
    columns = []
    for column in nodes:
        if name := source.words(column, "csvw:name", most=200):
            title = source.text(column, "csvw:titles", most=TITLE_CHARACTERS) or Text(name)
            about = source.text(column, "dct:description") or title
            columns.append(Column(name, source.words(column, "csvw:datatype", most=60), title, about))
    return tuple(columns)


def _column_place(node: Node) -> tuple[int, str]:
    numbered = re.search(r"col=([0-9]{1,6})$", node.value)
    return int(numbered.group(1)) if numbered else 0, node.value
