"""Folders that take long to fill: filled once, and put back as they were for each test that changes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class Kept:
    """At most one user at a time of each folder.

    A folder always comes back at the same place: the lake's tables hold the full paths of their files.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._told: dict[str, Any] = {}

    def __call__(self, name: str, fill: Callable[[Path], T]) -> tuple[Path, T]:
        """The folder as ``fill`` left it, and what ``fill`` told; it must close what it opens."""
        folder, copy = self._base / name, self._base / f"{name}.kept"
        if name in self._told:
            shutil.rmtree(folder)
            shutil.copytree(copy, folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)  # of a first try that failed
            folder.mkdir()
            told = fill(folder)
            shutil.copytree(folder, copy)
            self._told[name] = told
        found: T = self._told[name]
        return folder, found
