"""Step 1: three nodes, their accounts, an emergency in each region and a collection boundary under it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

from hutong.acquisition import actions as acquisition
from hutong.acquisition.boundary import Boundary
from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node, init_node

if TYPE_CHECKING:
    from hutong.demo.run import Demo

NAMES = {
    "hub": {"en": "National Hub (demonstration)", "zh": "国家枢纽节点（演示）"},
    "tw": {"en": "Region Taiwan (demonstration)", "zh": "台湾地区节点（演示）"},
    "pe": {"en": "Region Peru (demonstration)", "zh": "秘鲁地区节点（演示）"},
}
TERRITORIES = {"hub": "*", "tw": "TW", "pe": "PE"}
ACCOUNTS = {
    "steward": ("Demonstration steward", {"steward"}),
    "authority": ("Demonstration authority", {"authority"}),
    "partner": ("Demonstration partner", {"partner"}),
}
# Where infection happened and the village of residence are more than surveillance by township needs: the lists hold
# them, the boundary keeps them out, and the receipts count what was kept out.
KEPT_OUT = {"infection_area_code", "infection_village_code", "residence_village_code"}


def set_up(demo: Demo) -> None:
    """Make the nodes, with accounts, emergency and boundary."""
    with demo.report.step("set_up", "1  Set up") as facts:
        for name, port in demo.ports.items():
            begun = time.monotonic()
            node = init_node(
                demo.folder / name,
                node_id=name,
                name=NAMES[name],
                territory=TERRITORIES[name],
                url=f"http://127.0.0.1:{port}",
            )
            demo.nodes[name] = node
            for account, (display_name, roles) in ACCOUNTS.items():
                governance.create_account(
                    node,
                    by=node.operator,
                    name=account,
                    display_name=display_name,
                    roles=frozenset(roles),
                    password=demo.password,
                )
            if name != "hub":
                _declare(node, demo.lists[name].source.title)
                acquisition.declare_source(node, by=node.operator, source=demo.lists[name].source)
            demo.report.say(f"node {name}: keys, records, log, three accounts", seconds=time.monotonic() - begun)
        facts["nodes"] = list(demo.nodes)
        facts["kept_out"] = sorted(KEPT_OUT)


def _declare(node: Node, title: Mapping[str, str]) -> None:
    today = node.clock().date()
    declared = Emergency(
        id=f"{node.id}-dengue-exercise",
        title={"en": "Dengue outbreak (exercise on published lists)", "zh": "登革热疫情（基于公开清单的演练）"},
        cause={
            "en": f"Retrospective exercise: {title['en']}.",
            "zh": f"回顾性演练：{title['zh']}。",
        },
        legal_basis={
            "en": "Demonstration order no. 1; names no real law.",
            "zh": "演示令第1号；不对应任何真实法律。",
        },
        territory=node.settings.territory,
        starts=today,
        review=today + timedelta(days=30),
        sunset=today + timedelta(days=90),
    )
    governance.declare_emergency(node, by=node.operator, emergency_=declared)
    acquisition.set_boundary(node, by=node.operator, boundary=_boundary(node, declared.id, declared.sunset))


def _boundary(node: Node, emergency: str, sunset: date) -> Boundary:
    tables = {
        table: frozenset(element.name for element in node.standard.table(table).elements) - KEPT_OUT
        for table in ("case", "area", "place", "person", "stay", "test")
    }
    return Boundary(
        id=f"{node.id}-surveillance",
        emergency=emergency,
        purpose="Dengue surveillance, risk areas and passes",
        tables=tables,
        valid_until=sunset - timedelta(days=1),
    )
