"""A small region on a real node: areas, cases, eight residents in the vault, published rules and levels."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.insight.actions import assess_risk_areas
from hutong.insight.risk_area import shipped_rule
from hutong.node import Node
from hutong.passes.documents import shipped_document
from hutong.passes.level import actions as level_actions
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.rights import vault
from hutong.standard import arrow_schema
from hutong.trust.authorisation import Actor

TEXT = {"en": "Dengue outbreak", "zh": "登革热疫情"}
AS_OF = date(2026, 2, 28)
SUNSET = date(2026, 4, 1)
FROM, TO = "2026-02-15T00:00:00+00:00", "2026-03-31T00:00:00+00:00"
BUSY, SOME, QUIET = "TW-001", "TW-002", "TW-003"
CASES = {BUSY: 60, SOME: 3}

LI = Actor("li", "account", frozenset({"authority"}), "tw")
WANG = Actor("wang", "account", frozenset({"authority"}), "tw")
STEWARD = Actor("chen", "account", frozenset({"steward"}), "tw")

# Resident number: where they live, and the level that the three-level rulebook must give.
RESIDENTS = {
    "R1": (BUSY, "medium"),
    "R2": (QUIET, "low"),
    "R3": (QUIET, "medium"),  # stayed in the busy area
    "R4": ("TW-999", "unknown"),  # an area that is not listed
    "R5": (BUSY, "high"),  # and a fever
    "R6": (QUIET, "high"),  # tested positive three days ago
    "R7": (SOME, "low"),
    "R8": (QUIET, "medium"),  # a case at home
}


def pseudonym(node: Node, number: str) -> str:
    return vault.pseudonyms(node.keys.pseudonym_key, [number])[0]


def declare(node: Node, *, sunset: date = SUNSET) -> None:
    """The emergency of 15 February to 1 April 2026."""
    emergency = Emergency(
        id="dengue-2015",
        title=TEXT,
        cause=TEXT,
        legal_basis=TEXT,
        territory="TW",
        starts=date(2026, 2, 15),
        review=date(2026, 3, 15),
        sunset=sunset,
    )
    governance.declare_emergency(node, by=node.operator, emergency_=emergency)


def fill_lake(node: Node) -> None:
    """Put the facts into the lake as acquisition leaves them there."""
    areas = [{"area_code": "TW-0", "level": "region1", "name_en": "South", "name_zh": "南部"}] + [
        {
            **{"area_code": code, "level": "region2", "parent_code": "TW-0", "name_en": name, "name_zh": name_zh},
            **{"longitude": 120.2 + index / 10, "latitude": 23.0 + index / 10},
        }
        for index, (code, name, name_zh) in enumerate(
            [(BUSY, "North Dist.", "北区"), (SOME, "East Dist.", "东区"), (QUIET, "South Dist.", "南区")]
        )
    ]
    cases = [
        {
            **{"disease": "dengue", "classification": "confirmed", "date_precision": "day", "imported": False},
            **{"residence_area_code": area, "true_from": AS_OF - timedelta(days=index % 10)},
        }
        for area, count in CASES.items()
        for index in range(count)
    ]
    names = {number: pseudonym(node, number) for number in RESIDENTS}
    at = datetime(2026, 2, 25, 9, tzinfo=UTC)
    put(node, "area", areas)
    put(node, "case", cases)
    put(
        node,
        "person",
        [{"pseudonym": names[number], "residence_area_code": home} for number, (home, _) in RESIDENTS.items()],
    )
    put(node, "stay", [{"pseudonym": names["R3"], "area_code": BUSY, "arrived": at, "left": at + timedelta(hours=2)}])
    put(node, "symptom", [{"pseudonym": names["R5"], "symptom": "fever", "present": True, "stated_at": at}])
    put(
        node,
        "test",
        [{"pseudonym": names["R6"], "disease": "dengue", "kind": "pcr", "sampled_at": at, "result": "positive"}],
    )
    put(
        node,
        "contact",
        [{"index_pseudonym": names["R6"], "pseudonym": names["R8"], "kind": "household", "started": at}],
    )
    with node.change(node.operator, unlogged="a test's own") as change:
        vault.keep(node, change, [{"pseudonym": name, "name": f"Name of {number}"} for number, name in names.items()])


def put(node: Node, table: str, rows: list[dict[str, Any]]) -> None:
    """Make these rows the whole of a table of the lake."""
    schema = arrow_schema(node.standard.table(table), node.standard.lineage)
    open_schema = pa.schema([field.with_nullable(True) for field in schema])
    lineage = {"known_at": datetime(2026, 2, 26, tzinfo=UTC), "receipt_id": "r", "source_id": "s"}
    full = [{**lineage, "row_number": number, "fact_id": f"{table}-{number}", **row} for number, row in enumerate(rows)]
    node.lake.replace(table, pa.Table.from_pylist(full, schema=open_schema))


def rules(node: Node, name: str = "dengue-three-levels") -> None:
    """Publish rulebook, crosswalk and scenes by two persons."""
    period = {"valid_from": FROM, "valid_to": TO}
    both = {"by": LI, "second": WANG}
    rulebook_actions.publish_rulebook(node, **both, document=shipped_document(name, **period))
    recognition_actions.publish_crosswalk(node, **both, document=shipped_document(f"crosswalks/{name}", **period))
    recognition_actions.publish_acceptance(node, **both, document=shipped_document(f"scenes/{name}", **period))


def fill(node: Node) -> None:
    """The whole chain up to levels."""
    declare(node)
    fill_lake(node)
    rules(node)
    assess_risk_areas(node, by=LI, rule=shipped_rule(), as_of=AS_OF)
    level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=AS_OF)


def tested_negative(node: Node, number: str, at: datetime) -> None:
    """Let one negative test of a resident be all that the lake knows of tests."""
    row = {"pseudonym": pseudonym(node, number), "disease": "dengue", "kind": "pcr", "result": "negative"}
    put(node, "test", [{**row, "sampled_at": at}])
