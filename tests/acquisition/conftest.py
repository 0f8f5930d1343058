"""What the acquisition tests share: the standard, an open boundary, and rows through a mapping in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hutong.acquisition.boundary import Boundary
from hutong.acquisition.chunk import MappedChunk, Pseudonymise, Submission, map_chunk, plan_mapping
from hutong.acquisition.mapping_file import read_mapping
from hutong.acquisition.readers.table import open_table
from hutong.standard import Standard, load

KNOWN_AT = datetime(2025, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def standard() -> Standard:
    return load()


@pytest.fixture(scope="session")
def wide(standard: Standard) -> Boundary:
    """A boundary that allows every element of every table."""
    tables = {name: frozenset(e.name for e in table.elements) for name, table in standard.tables.items()}
    return Boundary("all", "test", "test", tables, date(2030, 12, 31))


@dataclass(frozen=True)
class Mapper:
    """Maps the text of a CSV file through the text of a mapping."""

    folder: Path
    standard: Standard
    boundary: Boundary

    def __call__(
        self,
        mapping: str,
        csv: str,
        *,
        boundary: Boundary | None = None,
        pseudonymise: Pseudonymise | None = None,
    ) -> MappedChunk:
        path = self.folder / "source.csv"
        path.write_text(csv, encoding="utf-8")
        parsed = read_mapping(mapping, self.standard)
        reader = open_table(path, declared=parsed.format)
        plan = plan_mapping(
            parsed,
            reader.columns,
            boundary or self.boundary,
            self.standard,
            known_at=KNOWN_AT,
            pseudonymise=pseudonymise,
        )
        (chunk,) = reader.chunks()
        return map_chunk(chunk, plan, Submission("source", "receipt", reader.sha256, KNOWN_AT))


@pytest.fixture
def mapper(tmp_path: Path, standard: Standard, wide: Boundary) -> Callable[..., MappedChunk]:
    return Mapper(tmp_path, standard, wide)
