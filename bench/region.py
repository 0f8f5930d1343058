"""A node to measure on: an emergency, a boundary for every table, a source."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from hutong.acquisition import actions as acquisition
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.source import Source
from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node, init_node

TEXT = {"en": "Measurement", "zh": "测量"}
EMERGENCY = "measurement"


def make_node(folder: Path, node_id: str) -> Node:
    """A node in a new folder that may acquire everything."""
    # A part that is about no region measures in the territory that ISO 3166 keeps for users ("ZZ").
    territory = node_id.upper() if len(node_id) == 2 else "ZZ"
    node = init_node(folder / node_id, node_id=node_id, name=TEXT, territory=territory, url="http://127.0.0.1:1")
    today = node.clock().date()
    declared = Emergency(
        id=EMERGENCY, title=TEXT, cause=TEXT, legal_basis=TEXT, territory=territory, starts=today,
        review=today + timedelta(days=30), sunset=today + timedelta(days=90),
    )  # fmt: skip
    governance.declare_emergency(node, by=node.operator, emergency_=declared)
    tables = {name: frozenset(e.name for e in table.elements) for name, table in node.standard.tables.items()}
    boundary = Boundary("all", declared.id, "Measurement", tables, today + timedelta(days=60))
    acquisition.set_boundary(node, by=node.operator, boundary=boundary)
    return node


def declare_source(node: Node, source: Source) -> None:
    """Declare a feed."""
    acquisition.declare_source(node, by=node.operator, source=source)
