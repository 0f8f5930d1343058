"""Opening for machines: publish, the node's own datasets, pages of a release's rows, and its files."""

from __future__ import annotations

import base64
import hashlib
from datetime import date
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from hutong.errors import NotFound
from hutong.node import Node
from hutong.opening import actions, queries
from hutong.opening.catalogue.catalogue import Dataset, Release
from hutong.opening.preview import Wanted
from hutong.opening.release import FORMATS, as_format, file_name
from hutong.opening.selection import selected
from hutong.trust.authorisation import PUBLIC, Actor, Resource
from hutong.web.api.times import Day
from hutong.web.doors import CurrentActor, CurrentNode, CurrentSession, problems

router = APIRouter(tags=["opening"])

ID = Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$", description="The dataset's id on this node")
MOST_VERSION = 2**31 - 1
AreaQuery = Annotated[str | None, Query(max_length=60, description="Code of an area")]
SinceQuery = Annotated[Day | None, Query(alias="from", description="First day of the first week")]
UntilQuery = Annotated[Day | None, Query(alias="to", description="First day of the last week")]


class File(BaseModel):
    """A file of a release."""

    format: str
    media_type: str
    url: str = Field(description="Empty where it is not handed out without an agreement")
    bytes: int | None
    sha256: str


class ReleaseModel(BaseModel):
    """A frozen version of a dataset."""

    id: str
    dataset: str
    version: str
    issued: str
    supersedes: str
    rows: int | None
    sha256: str = Field(description="Hash of its rows, the same in every format")
    quality: str
    quality_score: float | None
    risk: str
    suppression: str
    as_of: str
    files: list[File]


class PublishedModel(ReleaseModel):
    """The release that a publication gave."""

    repeated: bool = Field(description="The same content was published before, as this release; nothing is new")


class DatasetModel(BaseModel):
    """One of this node's own datasets."""

    id: str
    title: dict[str, str]
    description: dict[str, str]
    grade: int = Field(ge=0, le=4)
    licence: str = Field(description="Of its files; empty where an agreement says what may be done with them")
    frequency: str
    provenance: dict[str, str]
    landing_url: str
    releases: list[ReleaseModel] = Field(description="The oldest first")


class PublicationModel(BaseModel):
    """What to publish and how: a publication as YAML text, as in the guide to publishing."""

    model_config = ConfigDict(extra="forbid")
    publication: str = Field(max_length=128 * 1024)


class PreviewModel(BaseModel):
    """What would be published now, and how it would be protected."""

    dataset: str
    grade: int = Field(ge=0, le=4)
    rows: int
    columns: list[str]
    as_of: date
    suppression: str = Field(description="What is withheld and by which rule; empty where nothing is")
    risk: str = Field(description="The measured risk that a person is recognised; empty for counts")
    facts: dict[str, int | float | str] = Field(description="Figures of the protection, as the log would tell them")


class RowsModel(BaseModel):
    """A page of the rows of a release."""

    dataset: str
    version: str
    as_of: str
    suppression: str = Field(description="The rule by which cells were withheld; such a cell's value is null")
    columns: list[str]
    rows: list[dict[str, Any]]
    next_after: int | None = Field(description="Give this as `after` for the next page; null on the last")


@router.post("/api/opening/releases", status_code=201, responses=problems(401, 403, 404, 409, 413, 422, 503))
def publish(node: CurrentNode, actor: CurrentActor, given: PublicationModel) -> PublishedModel:
    """Publish the next release of a dataset; the same content again gives the release that has it."""
    from hutong.opening.publication import parse_publication

    release = actions.publish(node, by=actor, publication=parse_publication(given.publication))
    return PublishedModel(**dict(_release(release)), repeated=release.repeated)


@router.post("/api/opening/previews", responses=problems(401, 403, 404, 409, 422, 503))
def preview_release(node: CurrentNode, actor: CurrentActor, given: PublicationModel) -> PreviewModel:
    """What a publication would publish now; nothing is published."""
    from hutong.opening.publication import parse_publication

    wanted = parse_publication(given.publication)
    prepared = actions.preview(node, by=actor, publication=wanted)
    return PreviewModel(
        dataset=wanted.dataset,
        grade=wanted.grade,
        rows=prepared.table.num_rows,
        columns=prepared.table.column_names,
        as_of=prepared.as_of,
        suppression=prepared.suppression,
        risk=prepared.risk,
        facts=dict(prepared.facts),
    )


@router.get("/api/opening/datasets")
def get_datasets(node: CurrentNode) -> list[DatasetModel]:
    """This node's own datasets with their releases."""
    return [_dataset(known) for known in queries.datasets(node)]


@router.get("/api/opening/datasets/{dataset}", responses=problems(404, 422))
def get_dataset(node: CurrentNode, dataset: Annotated[str, ID]) -> DatasetModel:
    """One of this node's own datasets."""
    return _dataset(queries.dataset(node, dataset))


@router.get("/api/opening/datasets/{dataset}/rows", responses=problems(401, 403, 404, 422, 503))
def get_rows(
    *,
    node: CurrentNode,
    actor: CurrentActor,
    dataset: Annotated[str, ID],
    version: Annotated[int | None, Query(ge=1, le=MOST_VERSION, description="The newest without")] = None,
    area: AreaQuery = None,
    since: SinceQuery = None,
    until: UntilQuery = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=0, le=2**53 - 1, description="Number of the row before the page")] = 0,
) -> RowsModel:
    """A page of the rows of a release that the caller may download. An area that is no area of it is not found."""
    from hutong.opening.preview import preview

    release = _allowed_release(node, actor, dataset, version)
    path = queries.release_file(node, release, "parquet")
    wanted = Wanted(area or None, since, until)
    queries.require_area(node, release, wanted.area)
    page = preview(path, wanted, after=after, limit=limit)
    return RowsModel(
        dataset=dataset,
        version=release.version,
        as_of=release.as_of.isoformat() if release.as_of else "",
        suppression=release.suppression,
        columns=list(page.columns),
        rows=orjson.loads(orjson.dumps(page.rows, option=orjson.OPT_NON_STR_KEYS)),
        next_after=page.next_after,
    )


FILE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, with its ETag and Repr-Digest (RFC 9530)",
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in ("text/csv", "application/json", "application/vnd.apache.parquet")
        },
    },
    206: {"description": "The part that the Range header asked for"},
    304: {"description": "The caller has this file already"},
    416: {"description": "The file has no such part"},
    **problems(401, 403, 404, 413, 422, 503),
}


def get_reader(actor: CurrentActor, session: CurrentSession) -> Actor:
    """Who follows a link to a file: by its token, or signed in at the portal, from whose pages the links come.

    Here the cookie counts, too: reading changes nothing, and no other site can read what its link fetches.
    """
    return session.actor if session and actor == PUBLIC else actor


@router.get("/data/{dataset}/v{version}/{file}", response_class=Response, responses=FILE_ANSWERS)
@router.head("/data/{dataset}/v{version}/{file}", response_class=Response, include_in_schema=False)
def download(
    *,
    request: Request,
    node: CurrentNode,
    reader: Annotated[Actor, Depends(get_reader)],
    dataset: Annotated[str, ID],
    version: Annotated[int, Path(ge=1, le=MOST_VERSION)],
    file: Annotated[str, Path(max_length=120, description="Name of the file, such as cases-v1.csv")],
    area: AreaQuery = None,
    since: SinceQuery = None,
    until: UntilQuery = None,
) -> Response:
    """A file of a release: open to everyone at grade 0, and never without an agreement from grade 2 on.

    With an area or days it holds only the rows of these (at most 200,000), in the same form.
    """
    release = _allowed_release(node, reader, dataset, version)
    format_ = next((name for name in FORMATS if file == file_name(dataset, version, name)), None)
    if format_ is None:
        raise NotFound("There is no such file of this release.", "See its files on its page.")
    about = next(entry for entry in release.distributions if entry.format == format_)
    wanted = Wanted(area or None, since, until)
    content = None
    if wanted != Wanted():
        queries.require_area(node, release, wanted.area)
        content = as_format(selected(queries.release_file(node, release, "parquet"), wanted), format_)
    sha256 = about.sha256 if content is None else hashlib.sha256(content).hexdigest()
    is_open = queries.dataset(node, dataset).grade == 0
    headers = {
        "ETag": f'"{sha256}"',
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
        # A version never changes; what is not open must not stay in anyone's cache.
        "Cache-Control": "public, max-age=31536000, immutable" if is_open else "private, no-store",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    path = queries.release_file(node, release, format_)
    if content is None:
        return FileResponse(path, media_type=about.media_type, filename=path.name, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="{path.stem}-selection{path.suffix}"'
    return Response(content, media_type=about.media_type, headers=headers)


def _allowed_release(node: Node, actor: Actor, dataset: str, version: int | None) -> Release:
    """The release, when the policies let the actor download it."""
    grade = queries.dataset(node, dataset).grade
    release = queries.release(node, dataset, version)
    node.require(actor, "download", Resource("Release", release.id, {"grade": grade}))
    return release


def _dataset(dataset: Dataset) -> DatasetModel:
    return DatasetModel(
        id=dataset.id,
        title={"en": dataset.title.en, "zh": dataset.title.zh},
        description={"en": dataset.description.en, "zh": dataset.description.zh},
        grade=dataset.grade,
        licence=dataset.files_licence,
        frequency=dataset.frequency,
        provenance={"en": dataset.provenance.en, "zh": dataset.provenance.zh} if dataset.provenance else {},
        landing_url=dataset.landing_url,
        releases=[_release(release) for release in dataset.releases],
    )


def _release(release: Release) -> ReleaseModel:
    return ReleaseModel(
        id=release.id,
        dataset=release.dataset_id,
        version=release.version,
        issued=release.issued.isoformat() if release.issued else "",
        supersedes=release.supersedes,
        rows=release.rows,
        sha256=release.sha256,
        quality=release.quality.label if release.quality else "",
        quality_score=release.quality.score if release.quality else None,
        risk=release.risk,
        suppression=release.suppression,
        as_of=release.as_of.isoformat() if release.as_of else "",
        files=[
            File(format=f.format, media_type=f.media_type, url=f.url, bytes=f.bytes, sha256=f.sha256)
            for f in release.distributions
        ],
    )
