"""A small region on a real node: one source with faults, its areas, two releases, accounts and tokens of every role."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from random import Random

from hutong.acquisition import actions as acquisition
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.receipt import Receipt
from hutong.acquisition.source import Source
from hutong.governance import actions as governance
from hutong.governance.emergency import parse_emergency
from hutong.node import Node, init_node, open_node
from hutong.opening import actions as opening
from hutong.opening.publication import parse_publication
from hutong.sharing import actions as sharing
from hutong.trust.authorisation import ROLES, Actor
from tests.kept import Kept

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
HEADER = [
    "Date_Onset",
    "Date_Confirmation",
    "Date_Notification",
    "Sex",
    "Age_Group",
    "County_living",
    "Township_living",
    "Village_Living",
    "Village_Living_Code",
    "Enumeration_unit",
    "Enumeration_unit_long",
    "Enumeration_unit_lat",
    "First_level_dissemination_unit",
    "Second_level_dissemination_unit",
    "County_infected",
    "Township_infected",
    "Village_infected",
    "Village_infected_Code",
    "Imported",
    "Country_infected",
    "Number_of_confirmed_cases",
    "Serotype",
    "MOI_County_living_Code",
    "MOI_Township_living_Code",
    "MOI_County_living",
    "MOI_Township_living",
    "MOI_County_infected_Code",
    "MOI_Township_infected_Code",
    "MOI_County_infected",
    "MOI_Township_infected",
]
TOWNSHIPS = [
    ("67", "Tainan City", "6702", "North Dist.", 120.20, 23.00),
    ("67", "Tainan City", "6703", "East Dist.", 120.23, 22.98),
    ("64", "Kaohsiung City", "6404", "Sanmin Dist.", 120.31, 22.65),
    ("64", "Kaohsiung City", "6405", "Lingya Dist.", 120.33, 22.62),
]
ROWS, WRONG_ORDER, NO_DATE = 900, 6, 3
SOURCE = Source(
    id="tw-dengue",
    title={"en": "Dengue case list", "zh": "登革热个案清单"},
    provider="Centres for Disease Control",
    territory="TW",
    licence="https://creativecommons.org/publicdomain/zero/1.0/",
    homepage="https://data.example.org/dengue",
    citation="Invented for the tests.",
)
EMERGENCY = {
    "id": "dengue-2026",
    "title": {"en": "Dengue outbreak 2026", "zh": "2026 年登革热疫情"},
    "cause": {"en": "Dengue", "zh": "登革热"},
    "legal_basis": {"en": "Communicable Disease Control Act", "zh": "传染病防治法"},
    "territory": "TW",
    "starts": "2026-02-01",
    "review": "2026-05-01",
    "sunset": "2026-08-01",
}


@dataclass(frozen=True)
class World:
    """The node, its receipts, and a token for each role."""

    node: Node
    receipts: tuple[Receipt, ...]
    tokens: dict[str, str]


@dataclass(frozen=True)
class Shared:
    """Ids of a request that waits, of one that was granted, and of its agreement, under which data were delivered."""

    waiting: str
    granted: str
    agreement: str


def case_list(rows: int = ROWS, *, seed: int = 7) -> bytes:
    """A case list in the form of Taiwan's, with rows whose dates are impossible or in the wrong order."""
    random = Random(seed)
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, restval="None", lineterminator="\n")
    writer.writeheader()
    for number in range(rows):
        onset = date(2015, 7, 5) + timedelta(days=min(120, int(random.gammavariate(9, 5))))
        county, county_name, township, township_name, longitude, latitude = random.choice(TOWNSHIPS)
        notified = onset + timedelta(days=-2 if number < WRONG_ORDER else random.randint(1, 6))
        row = {
            "Date_Onset": f"{onset:%Y/%m/%d}" if not WRONG_ORDER <= number < WRONG_ORDER + NO_DATE else "2015/02/30",
            "Date_Notification": f"{notified:%Y/%m/%d}",
            "Sex": random.choice("MF"),
            "Age_Group": random.choice(["20-24", "25-29", "40-44", "45-49", "70+"]),
            "County_living": county_name,
            "Township_living": township_name,
            "Enumeration_unit_long": f"{longitude + random.random() / 100:.6f}",
            "Enumeration_unit_lat": f"{latitude + random.random() / 100:.6f}",
            "Imported": "N",
            "Number_of_confirmed_cases": "1",
            "MOI_County_living_Code": county,
            "MOI_Township_living_Code": township,
            "MOI_County_living": county_name,
            "MOI_Township_living": township_name.replace("Dist.", "District"),
        }
        writer.writerow(row)
    return text.getvalue().encode()


def text_of(name: str) -> str:
    """A file of the demonstration, such as ``mappings/taiwan-case.yaml``."""
    return (resources.files("hutong.demo") / name).read_text("utf-8")


def make_node(
    folder: Path, *, url: str = "http://node.test", clock: Callable[[], datetime] = lambda: NOW, node_id: str = "tw"
) -> Node:
    """A node with an emergency, a boundary and a source, and nothing acquired."""
    node = init_node(
        folder / node_id,
        node_id=node_id,
        name={"en": "Tainan health data node", "zh": "台南健康数据节点"},
        territory="TW",
        url=url,
        clock=clock,
    )
    me = node.operator
    governance.declare_emergency(node, by=me, emergency_=parse_emergency(EMERGENCY))
    # What the boundary leaves out: the villages of infection.
    tables = {
        name: frozenset(e.name for e in node.standard.table(name).elements) - {"infection_village_code"}
        for name in ("case", "area")
    }
    boundary = Boundary("dengue-lists", "dengue-2026", "Surveillance of dengue", tables, date(2026, 7, 31))
    acquisition.set_boundary(node, by=me, boundary=boundary)
    acquisition.declare_source(node, by=me, source=SOURCE)
    return node


def fill(node: Node, folder: Path) -> World:
    """Acquire, assess and publish; an account and a token for each role."""
    me = node.operator
    path = folder / "dengue_2015.csv"
    path.write_bytes(case_list())
    receipts = tuple(
        acquisition.acquire(
            node, by=me, source_id=SOURCE.id, path=path, mapping=text_of(f"mappings/taiwan-{table}.yaml")
        )
        for table in ("area", "case")
    )
    node.move_inbox()
    acquisition.assess_quality(node, by=me, source_id=SOURCE.id)
    for name in ("tw-weekly", "tw-records"):
        opening.publish(node, by=me, publication=parse_publication(text_of(f"publications/{name}.yaml")))
    return World(node, receipts, people(node))


def again(kept: Kept, records: str = "sqlite") -> World:
    """A filled node that a test may change, with its records in a database of that kind."""

    def full(folder: Path) -> tuple[tuple[Receipt, ...], dict[str, str]]:
        made = fill(make_node(folder), folder)
        made.node.close()
        return made.receipts, made.tokens

    folder, (receipts, tokens) = kept("world", full, records=records)
    return World(open_node(folder / "tw", clock=lambda: NOW), receipts, tokens)


def people(node: Node) -> dict[str, str]:
    """An account and an API token for each role; the tokens."""
    me = node.operator
    tokens = {}
    for role in ROLES:
        governance.create_account(
            node, by=me, name=role, display_name=role.title(), roles=frozenset({role}), password=PASSWORD
        )
        tokens[role] = governance.create_token(node, by=me, account_name=role, label="test")
    return tokens


def account(role: str) -> Actor:
    """Who has that role on the filled node."""
    return Actor(id=role, kind="account", roles=frozenset({role}), represents="tw")


def share(node: Node) -> Shared:
    """A partner asks twice; an authority grants one; the data are delivered."""
    asked = [
        sharing.file_request(
            node,
            by=account("partner"),
            dataset_id="tw-dengue-records",
            purpose="HMB",
            statement=statement,
            days=30,
            contact="desk@institute.example",
        )
        for statement in ("To compare attack rates between two regions.", "To check an estimate of under-reporting.")
    ]
    granted = sharing.decide_request(
        node, by=account("authority"), request_id=asked[0].id, grant=True, reason="It serves the response.", days=20
    )
    sharing.deliver(node, by=account("partner"), agreement_id=granted.agreement_id, purpose="HMB", format_="csv")
    return Shared(asked[1].id, granted.id, granted.agreement_id)
