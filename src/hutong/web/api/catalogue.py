"""The catalogue for machines: DCAT-AP 3 as JSON-LD and Turtle, whole and by dataset, and search with facets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from hutong.opening.catalogue.catalogue import Catalogue, Dataset
from hutong.sharing import catalogue as shown
from hutong.web.doors import CurrentNode, problems

router = APIRouter(tags=["catalogue"])

JSON_LD = "application/ld+json"
TURTLE = "text/turtle"
NAME = Path(pattern=r"^[a-z0-9_-]{1,100}$", description="Name of the dataset in this catalogue")
MOST_VALUES = 40


class Found(BaseModel):
    """A dataset that was found."""

    name: str
    title: dict[str, str]
    publisher: str
    grade: int = Field(ge=0, le=4)
    territory: str = Field(description="ISO 3166 code; empty when unknown")
    version: str = Field(description="Its newest release; empty before the first")
    issued: str = Field(description="When that was published; empty when unknown")
    quality: str
    formats: list[str]
    url: str = Field(description="Its page")


class FacetValue(BaseModel):
    value: str
    count: int


class SearchAnswer(BaseModel):
    total: int
    offset: int
    datasets: list[Found]
    facets: dict[str, list[FacetValue]]


def _documented(media_type: str) -> dict[int | str, dict[str, object]]:
    kind = "object" if media_type == JSON_LD else "string"
    return {
        200: {"content": {media_type: {"schema": {"type": kind}}}},
        304: {"description": "The caller has this edition already"},
    }


@router.get("/catalogue.jsonld", response_class=Response, responses=_documented(JSON_LD))
def get_catalogue_json_ld(request: Request, node: CurrentNode) -> Response:
    """The whole catalogue, own and harvested datasets, as DCAT-AP 3 in JSON-LD."""
    from hutong.opening.catalogue.dcat import catalogue_json_ld

    return _answer(request, node, "catalogue.jsonld", JSON_LD, catalogue_json_ld)


@router.get("/catalogue.ttl", response_class=Response, responses=_documented(TURTLE))
def get_catalogue_turtle(request: Request, node: CurrentNode) -> Response:
    """The whole catalogue as Turtle."""
    from hutong.opening.catalogue.dcat import catalogue_turtle

    return _answer(request, node, "catalogue.ttl", TURTLE, lambda known: catalogue_turtle(known).encode())


@router.get(
    "/datasets/{name}.jsonld", response_class=Response, responses={**_documented(JSON_LD), **problems(404, 422)}
)
def get_dataset_json_ld(request: Request, node: CurrentNode, name: Annotated[str, NAME]) -> Response:
    """One dataset as DCAT-AP 3 in JSON-LD."""
    from hutong.opening.catalogue.dcat import dataset_json_ld

    found = shown.dataset(node, name)
    return _answer(request, node, f"{name}.jsonld", JSON_LD, lambda known: dataset_json_ld(found, known))


@router.get("/datasets/{name}.ttl", response_class=Response, responses={**_documented(TURTLE), **problems(404, 422)})
def get_dataset_turtle(request: Request, node: CurrentNode, name: Annotated[str, NAME]) -> Response:
    """One dataset as Turtle."""
    from hutong.opening.catalogue.dcat import dataset_turtle

    found = shown.dataset(node, name)
    return _answer(request, node, f"{name}.ttl", TURTLE, lambda known: dataset_turtle(found, known).encode())


def _answer(
    request: Request, node: CurrentNode, name: str, media_type: str, write: Callable[[Catalogue], bytes]
) -> Response:
    edition, body = shown.document(node, name, write)
    headers = {"ETag": f'"{edition}"', "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


Values = Annotated[list[Annotated[str, Query(max_length=200)]], Query(max_length=MOST_VALUES)]
Grades = Annotated[list[Literal["0", "1", "2", "3", "4"]], Query(max_length=MOST_VALUES)]
Sort = Literal["relevance", "name", "title", "newest", "oldest"]


@router.get("/api/search", responses=problems(413, 422, 503))
def search(
    *,
    node: CurrentNode,
    q: Annotated[str, Query(max_length=500, description='Words; "words in quotes" must follow each other')] = "",
    grade: Grades = [],  # noqa: B006 - FastAPI copies it
    publisher: Values = [],  # noqa: B006
    territory: Values = [],  # noqa: B006
    format: Values = [],  # noqa: A002, B006
    quality: Values = [],  # noqa: B006
    theme: Values = [],  # noqa: B006
    keyword: Values = [],  # noqa: B006
    sort: Sort = "relevance",
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=200)] = 20,
) -> SearchAnswer:
    """Search own and harvested datasets, with facets."""
    from hutong.opening.catalogue.search import Query as Asked

    given: dict[str, Sequence[str]] = {
        "grade": grade,
        "publisher": publisher,
        "territory": territory,
        "format": format,
        "quality": quality,
        "theme": theme,
        "keyword": keyword,
    }
    filters = {name: tuple(values) for name, values in given.items() if values}
    results = shown.index(node).search(Asked(text=q, filters=filters, sort=sort, offset=offset, limit=limit))
    known = {dataset.name: dataset for dataset in shown.catalogue(node).datasets}
    return SearchAnswer(
        total=results.total,
        offset=offset,
        datasets=[_found(known[name]) for name in results.names if name in known],
        facets={
            name: [FacetValue(value=count.value, count=count.count) for count in counts]
            for name, counts in results.facets.items()
            if name in given
        },
    )


def _found(dataset: Dataset) -> Found:
    current = dataset.current
    return Found(
        name=dataset.name,
        title={"en": dataset.title.en, "zh": dataset.title.zh},
        publisher=dataset.publisher.id,
        grade=dataset.grade,
        territory=dataset.territory.code if dataset.territory else "",
        version=current.version if current else "",
        issued=dataset.last_issued.isoformat() if dataset.last_issued else "",
        quality=current.quality.label if current and current.quality else "",
        formats=sorted({file.format for file in current.distributions}) if current else [],
        url=dataset.landing_url,
    )
