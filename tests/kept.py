"""Folders that take long to fill: filled once, and put back as they were for each test that changes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests import databases
from tests.databases import Server

T = TypeVar("T")


class Kept:
    """At most one user at a time of each folder.

    A folder always comes back at the same place: the lake's tables hold the full paths of their files.
    """

    def __init__(self, base: Path, server: Callable[[], Server]) -> None:
        self._base = base
        self._server = server
        self._told: dict[str, Any] = {}

    def __call__(self, name: str, fill: Callable[[Path], T], *, records: str = "sqlite") -> tuple[Path, T]:
        """The folder as ``fill`` left it, and what ``fill`` told; it must close what it opens.

        Nodes in it keep their records in databases of the kind ``records``.
        """
        name = f"{name}-{records}"
        folder, copy = self._base / name, self._base / f"{name}.kept"
        if name in self._told:
            for node in databases.nodes_in(folder):
                databases.drop(node, self._server)
            shutil.rmtree(folder)
            databases.copy(copy, folder, self._server)
        else:
            shutil.rmtree(folder, ignore_errors=True)  # of a first try that failed
            folder.mkdir()
            with databases.on(records, self._server):
                told = fill(folder)
            databases.copy(folder, copy, self._server)
            self._told[name] = told
        found: T = self._told[name]
        return folder, found
