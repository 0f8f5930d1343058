"""One lake with the tables of all cases, written by PyIceberg as a node writes them, and both engines over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hutong.storage.engines import Engine, open_engine
from hutong.storage.lake import Lake

from .chapters import CASES
from .specification import Case, Inputs, read_table


def lake_name(case_id: str, table: str) -> str:
    return f"{case_id}_{table}".replace("-", "_")


@pytest.fixture(scope="session")
def spec_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder: Path = tmp_path_factory.mktemp("specification")
    lake = Lake(database_url=f"sqlite:///{folder / 'records.sqlite'}", folder=folder / "lake")
    for case_id, case in CASES:
        for name, text in case.tables.items():
            rows = read_table(text)
            lake.create(lake_name(case_id, name), rows.schema)
            if rows.num_rows:
                lake.replace(lake_name(case_id, name), rows)
    return lake


@pytest.fixture(scope="session", params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest, spec_lake: Lake) -> Iterator[Engine]:
    """Each engine once for the whole session: starting Spark takes longer than all cases."""
    opened = open_engine(request.param, spec_lake, memory_megabytes=1024, threads=2)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def inputs_of(engine: Engine) -> Callable[[str, Case], Inputs]:
    def bind(case_id: str, case: Case) -> Inputs:
        return Inputs({name: engine.table(lake_name(case_id, name)) for name in case.tables}, engine)

    return bind
