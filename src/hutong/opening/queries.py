"""What the doors and later stages read about datasets and releases."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from hutong.errors import Conflict, NotFound, Tampered, Unavailable
from hutong.node import Node
from hutong.storage import schema

from .catalogue.catalogue import Column, Dataset, Period, Release
from .columns import described
from .period import COLUMNS as WHEN
from .period import period_of
from .publication import Publication, parse_publication, publication_text, rebuilt_text
from .release import FORMATS, file_name, release_folder
from .selection import listed_areas

_RULE = ("kind", "source", "indicator", "threshold")
"""Words of a publication that say what is counted and which counts are small."""


def document(noun: Dataset | Release) -> dict[str, Any]:
    """A dataset or release as JSON."""
    body: dict[str, Any] = msgspec.to_builtins(noun)
    return body


def read_dataset(body: Any) -> Dataset:
    """A dataset from its JSON form, and from that of before its provenance had two languages."""
    if isinstance(body.get("provenance"), str):
        body = body | {"provenance": {"en": body["provenance"]} if body["provenance"] else None}
    return msgspec.convert(body, Dataset)


def read_release(body: Any) -> Release:
    """A release from its JSON form."""
    return msgspec.convert(body, Release)


def datasets(node: Node) -> list[Dataset]:
    """The node's own datasets with their releases, by id; each release has its columns and its period."""
    with node.records.reading() as connection:
        bodies = connection.execute(sa.select(schema.dataset.c.body).order_by(schema.dataset.c.id)).scalars().all()
        releases = connection.execute(
            sa.select(schema.release.c.dataset, schema.release.c.body).order_by(schema.release.c.version)
        ).all()
    return [_with_releases(node, body, [r.body for r in releases if r.dataset == body["id"]]) for body in bodies]


def _with_releases(node: Node, body: Any, releases: Sequence[Any]) -> Dataset:
    """The dataset as kept with its releases; the period that it tells is that of its newest one, and no other."""
    found = replace(read_dataset(body), releases=tuple(whole_release(node, release) for release in releases))
    return replace(found, temporal=found.current.temporal if found.current else None)


def whole_release(node: Node, body: Any) -> Release:
    """The release; what was not kept yet when it was published (columns, period) is read off its file, if it can be."""
    found = read_release(body)
    if all(file.columns for file in found.distributions) and "temporal" in body:
        return found
    import pyarrow as pa

    try:
        path = release_file(node, found, "parquet")
        columns, temporal = node.memory.store("read-off-releases", most=1_000).get(path, lambda: _read_off(node, path))
    except (OSError, pa.ArrowException, Tampered, Unavailable):
        return found
    files = tuple(file if file.columns else replace(file, columns=columns) for file in found.distributions)
    return replace(found, distributions=files, temporal=temporal)


def _read_off(node: Node, path: Path) -> tuple[tuple[Column, ...], Period | None]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema_ = file.schema_arrow
        return described(schema_, node.standard, {}), period_of(file.read([n for n in WHEN if n in schema_.names]))


def dataset(node: Node, dataset_id: str) -> Dataset:
    """One of the node's own datasets. ``NotFound`` when there is none of that id."""
    with node.records.reading() as connection:
        body = connection.execute(sa.select(schema.dataset.c.body).where(schema.dataset.c.id == dataset_id)).scalar()
        releases: Sequence[Any] = (
            connection.execute(
                sa.select(schema.release.c.body)
                .where(schema.release.c.dataset == dataset_id)
                .order_by(schema.release.c.version)
            )
            .scalars()
            .all()
        )
    if body is None:
        raise NotFound(f"There is no dataset {dataset_id}.", "Search the catalogue.")
    return _with_releases(node, body, releases)


def _body(node: Node, dataset_id: str) -> dict[str, Any]:
    with node.records.reading() as connection:
        body = connection.execute(sa.select(schema.dataset.c.body).where(schema.dataset.c.id == dataset_id)).scalar()
    if body is None:
        raise NotFound(f"There is no dataset {dataset_id}.", "Search the catalogue.")
    found: dict[str, Any] = body
    return found


def last_publication(node: Node, dataset_id: str) -> str:
    """How a dataset was last published, as YAML. ``NotFound`` when there is none of that id."""
    body = _body(node, dataset_id)
    return publication_text(body["publication"]) if "publication" in body else rebuilt_text(body)


def kept_publication(node: Node, dataset_id: str) -> Publication:
    """How a dataset was last published. ``NotFound`` when there is no such one, ``Conflict`` where it was not kept."""
    body = _body(node, dataset_id)
    if "publication" not in body:
        raise Conflict(
            f"How {dataset_id} was published was not kept.", "Publish it from its file once; from then on it is kept."
        )
    return parse_publication(publication_text(body["publication"]))


def current_release(node: Node, dataset_id: str) -> Release | None:
    """The newest release of a dataset, if there is one."""
    query = (
        sa.select(schema.release.c.body)
        .where(schema.release.c.dataset == dataset_id)
        .order_by(schema.release.c.version.desc())
        .limit(1)
    )
    with node.records.reading() as connection:
        body = connection.execute(query).scalar()
    return None if body is None else read_release(body)


def superseded(node: Node, publication: Publication) -> Release | None:
    """The release that one of this publication would supersede, where it counts the same with the same threshold."""
    with node.records.reading() as connection:
        query = sa.select(schema.dataset.c.body).where(schema.dataset.c.id == publication.dataset)
        body = connection.execute(query).scalar() or {}
    words = msgspec.to_builtins(publication)
    same = all(body.get("publication", {}).get(name) == words[name] for name in _RULE)
    return current_release(node, publication.dataset) if same else None


def release(node: Node, dataset_id: str, version: int | None = None) -> Release:
    """One release, the newest without a version. ``NotFound`` when there is none."""
    found = dataset(node, dataset_id)
    chosen = found.current if version is None else found.release(str(version))
    if chosen is None:
        raise NotFound(f"{dataset_id} has no version {version or 'yet'}.", "See its versions on its page.")
    return chosen


def release_file(node: Node, release_: Release, format_: str) -> Path:
    """The file of a release in one format, as it was published.

    Its hash is computed when it is first asked for, and again when the file was touched.

    Raises:
        NotFound: no such format.
        Tampered: the file was altered.
        Unavailable: it is missing, or can't be read.
    """
    if format_ not in FORMATS:
        raise NotFound(f"There is no {format_} of this release.", f"Formats: {', '.join(FORMATS)}.")
    version = int(release_.version)
    folder = release_folder(node.settings.releases_folder, release_.dataset_id, version)
    path = folder / file_name(release_.dataset_id, version, format_)
    published = next((file.sha256 for file in release_.distributions if file.format == format_), "")
    try:
        told = path.stat()
        # The time of change can't be set back by who alters a file, unlike that of modification.
        key = (path, told.st_ino, told.st_ctime_ns, told.st_mtime_ns, told.st_size)
        found = node.memory.store("release-hashes", most=10_000).get(key, lambda: _sha256(path))
    except OSError as error:
        raise Unavailable("The release's file is missing.", "Restore it from the backup.", str(error)) from error
    if found != published:
        raise Tampered("The release's file is not what was published.", "Restore it from the backup.")
    return path


def require_area(node: Node, release_: Release, area: str | None) -> None:
    """``NotFound`` for a code that is no area: neither listed in the release nor known to the node.

    An area that the node knows and the release doesn't list is a choice like another: it had no case, or is withheld.
    """
    path = release_file(node, release_, "parquet")
    listed = node.memory.store("released-areas", most=50).get(path, lambda: listed_areas(path)) if area else ()
    if not area or not listed or area in listed or _is_known_area(node, area):
        return
    near = difflib.get_close_matches(area, listed, n=1, cutoff=0.0)[0]
    raise NotFound(f"There is no area {area} in this release.", f"The nearest code is {near}.")


def _is_known_area(node: Node, code: str) -> bool:
    try:
        table = node.engine.table("area")
    except NotFound:
        return False
    found = node.engine.to_arrow(table.filter(table.area_code == code).select("area_code").limit(1))
    return len(found) > 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
