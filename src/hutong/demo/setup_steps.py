"""Step 1: three nodes, their accounts, an emergency in each region and a collection boundary under it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

from hutong.acquisition import actions as acquisition
from hutong.acquisition.boundary import Boundary
from hutong.demo.report import seconds_since
from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node, init_node

if TYPE_CHECKING:
    from hutong.demo.run import Demo

HUB = {"en": "National Hub (demonstration)", "zh": "国家枢纽节点（演示）"}
ACCOUNTS = {
    "steward": ("Steward 数据管理员", {"steward"}),
    "authority": ("Authority 主管机构", {"authority"}),
    "second": ("Second authority 主管机构第二人", {"authority"}),
    "partner": ("Partner 合作方", {"partner"}),
}
"""Accounts of each node; behind grave decisions stand two persons. The giver has a resident, too, from step 7 on.

What a person writes is kept as one text, in whatever language: this exercise writes in both.
"""
MAY_BE_COLLECTED = {
    "case": """disease classification severity onset_date confirmation_date notification_date report_week report_year
        week_system date_precision sex age age_group residence_area_code residence_longitude residence_latitude
        infection_country imported serotype outcome outcome_date hospitalised case_count""",
    "area": """area_code name_en name_zh name_local level parent_code iso3166 population population_year
        longitude latitude""",
    "person": "pseudonym residence_area_code sex birth_year name id_type id_number",
    "place": "place_id kind name area_code longitude latitude",
    "stay": "pseudonym place_id area_code arrived left source_kind",
    "test": "pseudonym disease kind sampled_at reported_at result",
}
"""What surveillance by township, and passes, need. The lists hold more (the village, where infection happened): the
boundary keeps it out, and the receipts count what was kept out."""


def set_up(demo: Demo) -> None:
    """Make the nodes, with accounts, emergency and boundary."""
    with demo.report.step("set_up", "1  Set up") as facts:
        facts["folder"], facts["accounts_each"] = str(demo.folder), len(ACCOUNTS)
        facts["emergencies"], facts["boundaries"], facts["sources"], facts["node_seconds"] = {}, {}, {}, {}
        for name, port in demo.ports.items():
            begun = time.monotonic()
            line_list = demo.lists.get(name)
            node = init_node(
                demo.folder / name,
                node_id=name,
                name=line_list.name if line_list else HUB,
                territory=line_list.source.territory if line_list else "*",
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
            if line_list is not None:
                declared, boundary = _declare(node, line_list.source.title)
                facts["emergencies"][name], facts["boundaries"][name] = declared.id, boundary.id
                acquisition.declare_source(node, by=node.operator, source=line_list.source)
                facts["sources"][name] = {"id": line_list.source.id, "file": str(line_list.file)}
            facts["node_seconds"][name] = taken = seconds_since(begun)
            demo.report.say(f"node {name}: keys, records, log, {len(ACCOUNTS)} accounts", seconds=taken)
        facts["nodes"] = list(demo.nodes)
        facts["may_be_collected"] = {table: elements.split() for table, elements in MAY_BE_COLLECTED.items()}


def _declare(node: Node, title: Mapping[str, str]) -> tuple[Emergency, Boundary]:
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
    boundary = boundary_of(node, declared.id, declared.sunset)
    acquisition.set_boundary(node, by=node.operator, boundary=boundary)
    return declared, boundary


def boundary_of(node: Node, emergency: str, sunset: date) -> Boundary:
    """What the regions of the demonstration may collect, until the day before the emergency's end."""
    return Boundary(
        id=f"{node.id}-surveillance",
        emergency=emergency,
        purpose="Dengue surveillance, risk areas and passes. 登革热监测、风险区域与健康码。",
        tables={table: frozenset(elements.split()) for table, elements in MAY_BE_COLLECTED.items()},
        valid_until=sunset - timedelta(days=1),
    )
