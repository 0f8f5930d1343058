"""The identifiers of the catalogue lead to what they name: a page for people, DCAT for programs (303).

They name things, and no documents, so that they are no operations of the API: each answers with the address of one.
"""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from hutong.errors import NotFound
from hutong.node import Node
from hutong.opening.catalogue.catalogue import Dataset, Release
from hutong.sharing import catalogue as shown
from hutong.web.api.catalogue import JSON_LD, TURTLE
from hutong.web.doors import CurrentNode
from hutong.web.negotiation import HTML, VARY, best, to_page

router = APIRouter(prefix="/id", include_in_schema=False)

FORMS = {TURTLE: ".ttl", JSON_LD: ".jsonld", "application/json": ".jsonld"}


@router.get("/catalogue")
def catalogue(request: Request) -> RedirectResponse:
    return _to(request, page="/catalogue", document="/catalogue")


@router.get("/publisher/{publisher}")
def publisher(request: Request, node: CurrentNode, publisher: str) -> RedirectResponse:
    known = shown.catalogue(node)
    if publisher == known.publisher.id:
        return _to(request, page="/", document="/catalogue")
    if publisher in {dataset.publisher.id for dataset in known.datasets if dataset.origin is None}:
        return _to(request, page=f"/catalogue?{urlencode({'publisher': publisher})}", document="/catalogue")
    raise NotFound(f"There is no publisher {publisher[:100]} here.", "Search the catalogue.")


@router.get("/record/{name}")
def record(request: Request, node: CurrentNode, name: str) -> RedirectResponse:
    found = shown.dataset(node, name)
    return _to(request, page=f"/datasets/{found.name}", document="/catalogue")


@router.get("/dataset/{dataset}")
def dataset(request: Request, node: CurrentNode, dataset: str) -> RedirectResponse:
    found = _own(node, dataset)
    return _to(request, page=f"/datasets/{found.name}", document=f"/datasets/{found.name}")


@router.get("/dataset/{dataset}/release/{version}")
def release(request: Request, node: CurrentNode, dataset: str, version: str) -> RedirectResponse:
    found = _own(node, dataset)
    return _to_release(request, found, _release(found, version))


@router.get("/dataset/{dataset}/release/{version}/{file}")
def distribution(request: Request, node: CurrentNode, dataset: str, version: str, file: str) -> RedirectResponse:
    found = _own(node, dataset)
    known = _release(found, version)
    if file not in {entry.format for entry in known.distributions}:
        raise NotFound("There is no such file of this release.", "See its files on its page.")
    return _to_release(request, found, known)


def _own(node: Node, dataset: str) -> Dataset:
    """The dataset to which this node gave the identifier; those of harvested ones lead to where they live."""
    found = shown.dataset(node, dataset)
    if found.origin is not None:
        raise NotFound(f"There is no dataset {dataset[:100]}.", "Search the catalogue.")
    return found


def _release(dataset: Dataset, version: str) -> Release:
    if known := dataset.release(version):
        return known
    raise NotFound(f"{dataset.id} has no version {version[:64]}.", "See its versions on its page.")


def _to_release(request: Request, dataset: Dataset, release: Release) -> RedirectResponse:
    page = f"/datasets/{dataset.name}?{urlencode({'version': release.version})}"
    return _to(request, page=page, document=f"/datasets/{dataset.name}")


def _to(request: Request, *, page: str, document: str) -> RedirectResponse:
    """To the page, unless a form of DCAT is asked for."""
    form = best(request.headers.get("accept", ""), (HTML, *FORMS))
    if form == HTML:
        return to_page(request, page)
    return RedirectResponse(document + FORMS[form], status_code=303, headers=VARY)
