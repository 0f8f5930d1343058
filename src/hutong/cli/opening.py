"""Commands of opening: publish a release, search the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, progress, read_text, show
from hutong.errors import BadInput


def add_to(app: typer.Typer) -> None:
    app.command()(publish)
    app.command()(search)


def publish(
    publication: Annotated[
        Path | None, typer.Argument(help="YAML file that describes the dataset and its releases.")
    ] = None,
    again: Annotated[
        str | None, typer.Option(help="Id of a dataset: publish it as it was published last, from the data of now.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would be published, and publish nothing.")] = False,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish the next release of a dataset; the same content again publishes nothing."""
    from hutong.opening import actions, queries
    from hutong.opening.publication import parse_publication

    if (publication is None) == (again is None):
        raise BadInput("Publish from a file or again.", "Give either the file of a publication or --again DATASET.")
    given = parse_publication(read_text(publication, "publication"), str(publication)) if publication else None
    with opened(node) as opened_node:
        wanted = given or queries.kept_publication(opened_node, str(again))
        if dry_run:
            with progress(f"Preparing {wanted.dataset}", quiet=as_json):
                prepared = actions.preview(opened_node, by=opened_node.operator, publication=wanted)
            facts = dict(prepared.facts)
            lines = [f"Would publish {prepared.table.num_rows:,} rows of {wanted.dataset}."]
            lines += [text for text in (prepared.risk, prepared.suppression) if text]
            show(as_json, {"dataset": wanted.dataset, "rows": prepared.table.num_rows, **facts}, *lines)
            return
        with progress(f"Publishing {wanted.dataset}", quiet=as_json):
            release = actions.publish(opened_node, by=opened_node.operator, publication=wanted)
    lines = [f"{release.dataset_id} version {release.version}: {release.rows:,} rows, sha256 {release.sha256[:16]}…"]
    if release.repeated:
        lines.insert(0, f"Nothing is new: version {release.version} has the same content, and stands.")
    lines += [text for text in (release.risk, release.suppression) if text]
    lines += [f"  {file.format:8} {file.bytes:>12,} bytes" for file in release.distributions]
    show(as_json, queries.document(release), *lines)


def search(
    text: Annotated[str, typer.Argument(help="Words in English or Chinese; none finds everything.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search this node's catalogue, with what it harvested."""
    from hutong.opening.catalogue.search import Query
    from hutong.sharing.catalogue import catalogue, index

    with opened(node) as opened_node:
        found = index(opened_node).search(Query(text=text, limit=limit))
        known = {dataset.name: dataset for dataset in catalogue(opened_node).datasets}
    hits = [known[name] for name in found.names if name in known]
    show(
        as_json,
        {
            "total": found.total,
            "datasets": [
                {"name": hit.name, "title": hit.title.en, "publisher": hit.publisher.id, "grade": hit.grade}
                for hit in hits
            ],
        },
        f"{found.total} found",
        *(f"  {hit.name:40} grade {hit.grade}  {hit.title.en}" for hit in hits),
    )
