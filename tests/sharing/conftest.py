"""Real nodes that talk over real HTTP, with released data written the way the opening stage writes them."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI, Response

from hutong.governance import actions as governance
from hutong.node import Node
from hutong.opening import queries as opening
from hutong.opening.catalogue.catalogue import Catalogue, Dataset, Distribution, Publisher, Release, Text
from hutong.opening.catalogue.dcat import JSON_LD, catalogue_json_ld
from hutong.opening.release import content_sha256, drafted
from hutong.storage import schema
from hutong.trust.authorisation import Actor
from hutong.web import doors
from hutong.web.api import governance as governance_api
from hutong.web.api import sharing as sharing_api
from tests.conftest import NewNode

AUTHORITY = Actor("committee", "account", frozenset({"authority"}), "tw")
STEWARD = Actor("desk", "account", frozenset({"steward"}), "tw")
PARTNER = Actor("institute", "account", frozenset({"partner"}), "tw")

RECORDS = pa.table(
    {
        "true_from": pa.array([date(2015, 7, 1), date(2015, 8, 1), date(2015, 8, 1)], pa.date32()),
        "age_group": ["20-39", "40-59", "60-79"],
        "residence_area_code": ["TW-TNN", "TW-KHH", None],
        "sex": ["female", "male", "unknown"],
    }
)


def weekly_counts(rows: list[tuple[str, str, str, date, int | None]], *, indicator: str = "cases") -> pa.Table:
    """A weekly count release from (area code, name, level, week, value or None when withheld)."""
    return pa.table(
        {
            "area_code": [row[0] for row in rows],
            "area_name": [row[1] for row in rows],
            "level": [row[2] for row in rows],
            "parent_code": pa.array([None if row[2] == "country" else row[0][:2] for row in rows], pa.string()),
            "period_start": pa.array([row[3] for row in rows], pa.date32()),
            "year_week": [row[3].strftime("%G-W%V") for row in rows],
            "indicator": [indicator] * len(rows),
            "value": pa.array([row[4] for row in rows], pa.int64()),
            "status": ["withheld" if row[4] is None else "published" for row in rows],
            "as_of": pa.array([date(2026, 2, 1)] * len(rows), pa.date32()),
        }
    )


def release(node: Node, dataset_id: str, table: pa.Table, *, grade: int = 2) -> Release:
    """Publish the next version of a dataset."""
    current = opening.current_release(node, dataset_id)
    version = int(current.version) + 1 if current else 1
    home = node.settings.url
    with drafted(node.settings.releases_folder, dataset_id, version, table) as draft:
        draft.put_in_place()
    made = Release(
        id=f"{dataset_id}@{version}",
        dataset_id=dataset_id,
        version=str(version),
        issued=node.clock(),
        supersedes=current.version if current else "",
        rows=table.num_rows,
        sha256=content_sha256(table),
        distributions=tuple(
            Distribution(
                format=file.format,
                media_type=file.media_type,
                access_url=f"{home}/en/datasets/{dataset_id}",
                url="" if grade else f"{home}/data/{dataset_id}/v{version}/{file.name}",
                bytes=file.bytes,
                sha256=file.sha256,
            )
            for file in draft.files
        ),
    )
    title = Text(f"Dataset {dataset_id}", f"数据集 {dataset_id}")
    described = Dataset(dataset_id, title, title, Publisher(node.id, Text(**node.settings.name)), grade)
    with node.change(node.operator, unlogged="a test's own") as change:
        if current is None:
            body = opening.document(described)
            change.execute(schema.dataset.insert().values(id=dataset_id, grade=grade, body=body, created_at=change.at))
        change.execute(
            schema.release.insert().values(
                dataset=dataset_id,
                version=version,
                body=opening.document(made),
                content_sha256=made.sha256,
                issued_at=change.at,
            )
        )
    return made


def regrade(node: Node, dataset_id: str, grade: int) -> None:
    """Give a dataset another grade, as a later publication may."""
    with node.change(node.operator, unlogged="a test's own") as change:
        table = schema.dataset
        body = {**change.execute(sa.select(table.c.body).where(table.c.id == dataset_id)).scalar_one(), "grade": grade}
        body["access_rights"] = ""
        change.execute(table.update().where(table.c.id == dataset_id).values(grade=grade, body=body))


def withdraw_dataset(node: Node, dataset_id: str) -> None:
    """Take a dataset out of the catalogue."""
    with node.change(node.operator, unlogged="a test's own") as change:
        change.execute(schema.release.delete().where(schema.release.c.dataset == dataset_id))
        change.execute(schema.dataset.delete().where(schema.dataset.c.id == dataset_id))


def create_app(node: Node, *, extra: Callable[[], tuple[Dataset, ...]] = tuple) -> FastAPI:
    """The doors that sharing needs: its own, governance's, the catalogue and the open files."""
    app = FastAPI(title="sharing", version="1", openapi_url="/api/openapi.json", redirect_slashes=False)
    app.state.node = node
    doors.install(app)
    app.include_router(governance_api.router)
    app.include_router(sharing_api.router)

    def catalogue() -> Response:
        text = Text(**node.settings.name)
        shown = Catalogue(
            id=node.id,
            url=node.settings.url,
            title=text,
            description=text,
            publisher=Publisher(node.id, text),
            created=datetime(2024, 1, 1, tzinfo=UTC),
            datasets=(*opening.datasets(node), *extra()),
        )
        return Response(catalogue_json_ld(shown), media_type=JSON_LD)

    def file(dataset: str, version: int, name: str) -> Response:
        found = opening.release(node, dataset, version)
        return Response(opening.release_file(node, found, name.rsplit(".", 1)[1]).read_bytes())

    app.add_api_route("/catalogue.jsonld", catalogue, include_in_schema=False)
    app.add_api_route("/data/{dataset}/v{version}/{name}", file, include_in_schema=False)
    return app


@contextmanager
def served(app: FastAPI, listening: socket.socket) -> Iterator[None]:
    """Serve on an open socket until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    until = time.monotonic() + 10
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    assert server.started
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@dataclass(frozen=True)
class Served:
    """A node with its address; ``shown`` are datasets that its catalogue shows besides its own."""

    node: Node
    shown: list[Dataset]


ServeNode = Callable[..., Served]


@pytest.fixture
def serve_node(new_node: NewNode) -> Iterator[ServeNode]:
    """Makes nodes that answer on a loopback port: ``serve_node("tw")``."""
    running: list[Any] = []

    def make(node_id: str, **settings: Any) -> Served:
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        node = new_node(node_id, url=url, **settings)
        shown: list[Dataset] = []
        server = served(create_app(node, extra=lambda: tuple(shown)), listening)
        server.__enter__()
        running.append(server)
        return Served(node, shown)

    yield make
    for server in running:
        server.__exit__(None, None, None)


def introduce(*nodes: Node) -> None:
    """Give all nodes one trust list, signed by the first."""
    hub = nodes[0]
    parties = [governance.describe_self(node, kind="region") for node in nodes]
    signed = governance.publish_trust_list(hub, by=hub.operator, parties=parties)
    for node in nodes[1:]:
        governance.adopt_trust_list(node, by=node.operator, signed=signed, issuer_key=hub.keys.public["signing"])


@pytest.fixture
def two_nodes(serve_node: ServeNode) -> tuple[Node, Node]:
    """Provider ``tw`` with the grade 2 dataset ``records``, and asking node ``pe``; both listed."""
    tw, pe = serve_node("tw").node, serve_node("pe").node
    introduce(tw, pe)
    release(tw, "records", RECORDS)
    return tw, pe


def kinds(node: Node) -> list[str]:
    """Kinds of the log's entries, the oldest first."""
    return [str(entry.event["kind"]) for entry in reversed(node.log.entries(limit=500))]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
