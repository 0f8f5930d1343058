"""A node with an emergency, a boundary and a source, and the list that is taken in."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hutong.acquisition import actions as acquisition
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.source import Source
from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node, init_node
from tests import databases
from tests.databases import Server

from .ingest import SOURCE

MAPPING = """\
mapping: list-case
version: 1
table: case
format: {delimiter: ",", encoding: utf-8}
nulls: ["None"]
elements:
  disease: {constant: dengue}
  classification: {constant: confirmed}
  onset_date: {from: onset, date: "%Y-%m-%d"}
  notification_date: {from: notified, date: "%Y-%m-%d"}
  date_precision: {constant: day}
  sex: {from: sex, codes: {F: female, M: male}}
  age: {from: age}
  residence_area_code: {from: area, prefix: "TW-"}
  case_count: {constant: 1}
true_from: onset_date
rows:
  - id: notification-before-onset
    require: "notification_date >= onset_date"
    else: held
    reason: The case was notified before its symptoms began.
"""


def write_lists(folder: Path, *, files: int, rows: int) -> list[Path]:
    """Generated lists; some rows are held, some rejected."""
    chance = random.Random(20150906)
    paths = []
    for number in range(files):
        lines = ["onset,notified,sex,age,area"]
        for _ in range(rows):
            onset = date(2015, 5, 1) + timedelta(days=chance.randrange(200))
            notified = onset + timedelta(days=chance.choice([-1, *range(20)]))
            sex = chance.choice(["F", "M", "F", "M", "M", "F", "F", "M", "None", "Q"])
            lines.append(f"{onset},{notified},{sex},{chance.randrange(95)},67{chance.randrange(100):05d}")
        path = folder / f"list-{number}.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def make_node(folder: Path) -> Node:
    """A node that may take in the list."""
    node = init_node(
        folder, node_id="tw", name={"en": "Region", "zh": "地区"}, territory="TW", url="http://127.0.0.1:1"
    )
    today = datetime.now(UTC).date()
    text = {"en": "Exercise", "zh": "演练"}
    declared = Emergency(
        id="exercise", title=text, cause=text, legal_basis=text, territory="TW", starts=today,
        review=today + timedelta(days=10), sunset=today + timedelta(days=30),
    )  # fmt: skip
    governance.declare_emergency(node, by=node.operator, emergency_=declared)
    elements = frozenset(element.name for element in node.standard.table("case").elements)
    boundary = Boundary("b", declared.id, "Surveillance", {"case": elements}, today + timedelta(days=20))
    acquisition.set_boundary(node, by=node.operator, boundary=boundary)
    source = Source(
        id=SOURCE, title={"en": "List", "zh": "名单"}, provider="Test", territory="TW", licence="CC0-1.0",
        homepage="", citation="",
    )  # fmt: skip
    acquisition.declare_source(node, by=node.operator, source=source)
    return node


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_lists(tmp_path_factory.mktemp("lists"), files=4, rows=5_000)


@pytest.fixture(scope="module")
def mapping_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mapping") / "list.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def kind() -> str:
    """The kind of records of the template; a module may run on both."""
    return "sqlite"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, kind: str, server: Callable[[], Server]) -> Path:
    """Folder of a node in which nothing was taken in; tests copy it."""
    folder = tmp_path_factory.mktemp("template") / "node"
    with databases.on(kind, server):
        make_node(folder).close()
    return folder
