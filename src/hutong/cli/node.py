"""Commands about the node itself: init, upgrade, serve."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import orjson
import typer

from hutong.cli.terminal import JsonOption, NodeOption, opened, show


def add_to(app: typer.Typer) -> None:
    app.command()(init)
    app.command()(upgrade)
    app.command()(serve)


def init(
    node_id: Annotated[str, typer.Option("--id", help="Short id: lower-case letters, digits, hyphens.")],
    name_en: Annotated[str, typer.Option("--name-en", help="Name of the organisation in English.")],
    name_zh: Annotated[str, typer.Option("--name-zh", help="Name of the organisation in Chinese.")],
    territory: Annotated[str, typer.Option(help="ISO 3166-1 code of its territory; * for a hub.")],
    url: Annotated[str, typer.Option(help="Public address of the node.")] = "http://127.0.0.1:8000",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a node: its folder, settings, keys, records and log."""
    from hutong.node import init_node

    created = init_node(node, node_id=node_id, name={"en": name_en, "zh": name_zh}, territory=territory, url=url)
    folder = created.settings.folder
    show(
        as_json,
        {"node": created.id, "folder": str(folder), "log_key": str(created.log.key)},
        f"Created node {created.id} in {folder}.",
        f"Next: hutong account create --node {folder} NAME --role steward",
        f"      hutong serve --node {folder}",
    )
    created.close()


def upgrade(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Bring the records to this version of the software."""
    from hutong.node import upgrade_node

    revision = upgrade_node(node)
    show(as_json, {"revision": revision}, f"The records are at version {revision}.")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    node: NodeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say as one line of JSON where it serves.")] = False,
) -> None:
    """Serve the node's pages and API until it is stopped."""
    from hutong.demo.servers import require_free
    from hutong.web.app import serve as run

    require_free(port, host)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    with opened(node) as opened_node:

        def ready() -> None:
            if not as_json:
                typer.echo(f"Node {opened_node.id} is at {address} (stop with Ctrl-C)")
                return
            told = {
                "node": opened_node.id,
                "folder": str(opened_node.settings.folder),
                "address": address,
                "public_url": opened_node.settings.url,
                "host": host,
                "port": port,
                "pid": os.getpid(),
            }
            # At once: whoever started the server waits for this line, often through a pipe.
            sys.stdout.write(orjson.dumps(told).decode() + "\n")
            sys.stdout.flush()

        run(opened_node, host=host, port=port, ready=ready)
