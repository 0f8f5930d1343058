"""What a steward can do in opening: publish a release of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from hutong.acquisition import queries as acquisition
from hutong.errors import BadInput, Conflict
from hutong.governance import queries as governance
from hutong.node import Change, Node
from hutong.storage import schema
from hutong.storage.inbox import one_at_a_time
from hutong.trust.authorisation import Actor, Resource

from . import queries
from .catalogue.catalogue import Column, Dataset, Distribution, LegalBasis, Publisher, Quality, Release, Text
from .columns import described
from .period import period_of
from .publication import Publication
from .release import File, content_sha256, drafted
from .territory import territory_of

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

STANDARD_URI = "urn:hutong:standard:{version}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A table that may be released, and what the catalogue and the log say of it."""

    table: pa.Table
    as_of: date
    risk: str = ""
    suppression: str = ""
    levels: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[tuple[str, int | float | str], ...] = ()


def publish(node: Node, *, by: Actor, publication: Publication) -> Release:
    """Make and publish the next release of a dataset; the same content again gives the one that has it (``repeated``).

    Raises ``BadInput`` (no indicator of the standard, nothing acquired), ``NotFound`` (quality not assessed),
    ``Conflict`` (more came since it was, another grade), ``Refused`` (policy, disclosure audit, k not reached) and
    ``Unavailable`` (disk full); then nothing was published.
    """
    prepared = preview(node, by=by, publication=publication)
    # Asked once more after the facts were read: all of them are facts that the label has seen.
    quality = acquisition.quality_of_all(node, publication.source)
    node.settings.releases_folder.mkdir(exist_ok=True)
    # Two who publish at once: the second waits, and then sees what the first has published.
    with one_at_a_time(node.settings.releases_folder / "publish.lock"):
        return _publish(node, by, publication, prepared, Quality(label=quality.label, score=round(quality.score, 4)))


def preview(node: Node, *, by: Actor, publication: Publication) -> Prepared:
    """What :func:`publish` would publish now, and how protected; nothing is published. Raises as it does."""
    node.require(by, "publish", Resource("Dataset", publication.dataset, {"grade": publication.grade}))
    if publication.indicator:
        node.standard.code_list("indicator").code(publication.indicator)
    acquisition.quality_of_all(node, publication.source)
    _require_same_grade(node, publication)
    node.move_inbox()
    return prepare(node, publication)


def _require_same_grade(node: Node, publication: Publication) -> None:
    """A dataset's grade holds for all its versions: another one needs another dataset."""
    with node.records.reading() as connection:
        query = sa.select(schema.dataset.c.grade).where(schema.dataset.c.id == publication.dataset)
        grade = connection.execute(query).scalar()
    if grade is not None and grade != publication.grade:
        raise Conflict(
            f"{publication.dataset} is of grade {grade}, and so are its earlier versions.",
            "Publish under another dataset id.",
        )


def _publish(node: Node, by: Actor, publication: Publication, prepared: Prepared, quality: Quality) -> Release:
    content = content_sha256(prepared.table)
    current = queries.current_release(node, publication.dataset)
    if current is not None and current.sha256 == content:
        return replace(current, repeated=True)
    version = int(current.version) + 1 if current else 1
    folder = node.settings.releases_folder
    columns = described(prepared.table.schema, node.standard, prepared.levels)
    with drafted(folder, publication.dataset, version, prepared.table) as draft, node.change(by) as change:
        _require_unpublished(change, publication.dataset, version)
        draft.put_in_place()
        release = Release(
            id=f"{publication.dataset}@{version}",
            dataset_id=publication.dataset,
            version=str(version),
            issued=change.at,
            supersedes=current.version if current else "",
            rows=prepared.table.num_rows,
            sha256=content,
            quality=quality,
            risk=prepared.risk,
            suppression=prepared.suppression,
            as_of=prepared.as_of,
            temporal=period_of(prepared.table),
            distributions=tuple(_distribution(node, publication, version, file, columns) for file in draft.files),
        )
        _save(node, change, publication, prepared, release)
    return release


def _require_unpublished(change: Change, dataset: str, version: int) -> None:
    """Versions are numbered by what was there before; somebody else may have published since."""
    table = schema.release
    query = sa.select(table.c.version).where(table.c.dataset == dataset, table.c.version == version)
    if change.execute(query).scalar() is not None:
        raise Conflict("Somebody else did the same at the same time; nothing was changed here.", "Look at it again.")


def prepare(node: Node, publication: Publication) -> Prepared:
    """What a publication would publish now of the facts that are in the lake."""
    facts = node.engine.table("case")
    cases = facts.filter(facts.source_id == publication.source)
    found = node.engine.to_arrow(cases.aggregate(known=cases.known_at.max(), n=cases.count())).to_pylist()[0]
    if not found["n"]:
        raise BadInput(f"Nothing was accepted from {publication.source}.", "Acquire a file first.")
    listed = acquisition.areas(node, publication.source)
    if listed is None:
        raise BadInput(f"The areas of {publication.source} are not known.", "Acquire its areas first.")
    areas = node.engine.to_arrow(listed)
    as_of = found["known"].date()
    finish = _prepare_counts if publication.kind == "weekly-counts" else _prepare_records
    return finish(node, publication, cases, areas, as_of)


def _prepare_counts(node: Node, publication: Publication, cases: ir.Table, areas: pa.Table, as_of: date) -> Prepared:
    import pyarrow.parquet as pq

    from .weekly_counts import READING, VersionBefore, areas_to_count, count_weeks, publishable

    tree, places = areas_to_count(areas)

    def counted(known: ir.Table) -> pa.Table:
        return node.engine.to_arrow(count_weeks(known, node.engine.bind(places)))

    before, last = None, queries.superseded(node, publication)
    if last is not None:
        released = pq.read_table(queries.release_file(node, last, "parquet"), columns=list(VersionBefore.COLUMNS))
        then = counted(cases.filter(cases.known_at <= last.issued))
        before = VersionBefore(released, then) if then.num_rows else None
    found = publishable(
        counted(cases),
        tree,
        indicator=publication.indicator,
        threshold=publication.threshold,
        as_of=as_of,
        before=before,
    )
    return Prepared(
        table=found.table,
        as_of=as_of,
        suppression=(
            f"Counts from 1 to {publication.threshold - 1} are withheld, and further cells with them so that no margin "
            f"gives them back. {READING}"
        ),
        facts=(
            ("cells", found.cells),
            ("withheld_primary", found.withheld_primary),
            ("withheld_complementary", found.withheld_complementary),
        ),
    )


def _prepare_records(node: Node, publication: Publication, cases: ir.Table, areas: pa.Table, as_of: date) -> Prepared:
    import pyarrow as pa

    from .case_records import release_records, require_safe

    require_safe(publication, node.standard.table("case"))
    depth = ("country", "region1", "region2", "region3")
    known = [row for row in areas.to_pylist() if row["level"] in depth]
    tree = pa.table(
        {
            "area_code": [row["area_code"] for row in known],
            "parent_code": pa.array([row["parent_code"] for row in known], pa.string()),
            "level": pa.array([depth.index(row["level"]) for row in known], pa.int64()),
        }
    )
    found = release_records(cases, tree, publication)
    levels = ", ".join(f"{element}: {level}" for element, level in found.levels.items())
    return Prepared(
        table=found.table,
        as_of=as_of,
        risk=(
            f"k = {found.risk.smallest_class} (at least {publication.k} asked) over {found.risk.classes:,} classes; "
            f"re-identification risk at most {found.risk.prosecutor_maximum:.2%}, on average "
            f"{found.risk.prosecutor_average:.2%}; {found.rows_suppressed:,} of {found.rows_read:,} records left out. "
            f"Levels: {levels}."
        ),
        levels=found.levels,
        facts=(
            ("records_read", found.rows_read),
            ("records_left_out", found.rows_suppressed),
            ("smallest_class", found.risk.smallest_class),
            ("risk_maximum", round(found.risk.prosecutor_maximum, 6)),
            ("risk_average", round(found.risk.prosecutor_average, 6)),
            ("information_loss", round(found.loss, 6)),
        ),
    )


def _distribution(
    node: Node, publication: Publication, version: int, file: File, columns: tuple[Column, ...]
) -> Distribution:
    home = node.settings.url
    landing = f"{home}/en/datasets/{publication.dataset}"
    is_handed_out = publication.grade == 0
    return Distribution(
        format=file.format,
        media_type=file.media_type,
        access_url=landing,
        url=f"{home}/data/{publication.dataset}/v{version}/{file.name}" if is_handed_out else "",
        bytes=file.bytes,
        sha256=file.sha256,
        columns=columns,
    )


def _save(node: Node, change: Change, publication: Publication, prepared: Prepared, release: Release) -> None:
    described = _describe(node, publication)
    body = queries.document(described) | {"publication": msgspec.to_builtins(publication)}
    known = change.execute(sa.select(schema.dataset.c.id).where(schema.dataset.c.id == publication.dataset)).scalar()
    if known is None:
        change.execute(
            schema.dataset.insert().values(
                id=publication.dataset, grade=publication.grade, body=body, created_at=change.at
            )
        )
    else:
        change.execute(schema.dataset.update().where(schema.dataset.c.id == publication.dataset).values(body=body))
    change.execute(
        schema.release.insert().values(
            dataset=publication.dataset,
            version=int(release.version),
            body=queries.document(release),
            content_sha256=release.sha256,
            issued_at=change.at,
        )
    )
    change.event(
        "release.published",
        dataset=publication.dataset,
        source=publication.source,
        version=release.version,
        supersedes=release.supersedes,
        grade=publication.grade,
        rows=release.rows,
        sha256=release.sha256,
        files={file.format: file.sha256 for file in release.distributions},
        quality=release.quality.label if release.quality else "",
        **dict(prepared.facts),
    )


def _describe(node: Node, publication: Publication) -> Dataset:
    emergency = governance.emergency_in_force(node, node.clock().date())
    basis = LegalBasis(title=emergency.legal_basis["en"]) if emergency else None
    return Dataset(
        id=publication.dataset,
        title=publication.title,
        description=publication.description,
        publisher=Publisher(id=node.id, name=Text(**node.settings.name), url=node.settings.url),
        grade=publication.grade,
        themes=publication.themes,
        keywords=publication.keywords,
        territory=territory_of(node.settings.territory),
        licence=publication.licence,
        frequency=publication.frequency,
        conforms_to=(STANDARD_URI.format(version=node.standard.version),),
        provenance=publication.provenance,
        contact=publication.contact,
        legal_basis=basis,
        purpose="Public-health surveillance",
        landing_url=f"{node.settings.url}/en/datasets/{publication.dataset}",
    )
