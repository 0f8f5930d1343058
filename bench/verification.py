"""A pass through a node and back: issued with its record and log entry, verified with trust list, status and rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.figure import Figure, rate, rates
from bench.region import EMERGENCY, declare_source, make_node
from hutong.acquisition import actions as acquisition
from hutong.acquisition.source import Source
from hutong.demo.lists import MAPPINGS, line_lists
from hutong.insight import actions as insight
from hutong.insight.risk_area import shipped_rule
from hutong.node import Node
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.level import actions as level_actions
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.trust.authorisation import Actor

PART = "passes"
PASSES = 300
ROUNDS = 30
ISSUED = 100
SECOND = Actor("second", "account", frozenset({"authority"}), "tw")


def run(folder: Path) -> Iterator[Figure]:
    """Issue through a node; verify offline."""
    node = make_node(folder, "tw")
    _prepare(node, folder)
    texts: list[str] = []
    issued = rate(lambda _: texts.append(_issue(node)), ISSUED, rounds=1)
    yield Figure(PART, "issue through a node: record, log entry, full sync", issued, "passes/s")
    trust = bundle_queries.trust_snapshot(node)
    at = node.clock() + timedelta(seconds=1)
    answers = {verify_pass(text, trust=trust, scene="workplace", at=at).answer for text in texts}
    assert answers == {"accepted"}, answers
    key = ec.generate_private_key(ec.SECP256R1())
    algorithm, message = ec.ECDSA(hashes.SHA256()), b"x" * 150
    signature, public = key.sign(message, algorithm), key.public_key()
    verified, raw = rates(
        [
            lambda number: verify_pass(texts[number % ISSUED], trust=trust, scene="workplace", at=at),
            lambda _: public.verify(signature, message, algorithm),
        ],
        PASSES,
        rounds=ROUNDS,
    )
    yield Figure(
        PART,
        "verify: decoded, signature, trust, status, rules",
        verified,
        "passes/s",
        "OpenSSL ES256 verify alone",
        raw,
    )
    node.close()


def _issue(node: Node) -> str:
    return pass_actions.issue_pass(node, by=node.operator, person="R0001").text


def _prepare(node: Node, folder: Path) -> None:
    areas = line_lists({}, {})["tw"]
    declare_source(node, areas.source)
    acquisition.acquire(
        node, by=node.operator, source_id=areas.source.id, path=areas.file, mapping=areas.mappings["area"]
    )
    acquisition.acquire(
        node, by=node.operator, source_id=areas.source.id, path=areas.file, mapping=areas.mappings["case"]
    )
    residents = folder / "residents.csv"
    residents.write_text("resident_number,name,sex,birth_year,area_code\nR0001,Nobody,female,1980,TW-6703500\n")
    people = Source("people", {"en": "People", "zh": "居民"}, "Bench", "TW", "CC0-1.0", "", "")
    declare_source(node, people)
    mapping = (MAPPINGS / "residents.yaml").read_text("utf-8")
    acquisition.acquire(node, by=node.operator, source_id="people", path=residents, mapping=mapping)
    node.move_inbox()
    today = node.clock().date()
    days = {
        "valid_from": datetime.combine(today, time(), UTC).isoformat(),
        "valid_to": datetime.combine(today + timedelta(days=60), time(), UTC).isoformat(),
    }
    name = "dengue-three-levels"
    rulebook = shipped_document(name, emergency=EMERGENCY, **days)
    rulebook_actions.publish_rulebook(node, by=node.operator, second=SECOND, document=rulebook)
    recognition_actions.publish_crosswalk(
        node, by=node.operator, second=SECOND, document=shipped_document(f"crosswalks/{name}", **days)
    )
    recognition_actions.publish_acceptance(
        node, by=node.operator, second=SECOND, document=shipped_document(f"scenes/{name}", **days)
    )
    insight.assess_risk_areas(node, by=node.operator, rule=shipped_rule(), as_of=today)
    level_actions.decide_levels(node, by=node.operator, rulebook_id="dengue-3", as_of=today)
