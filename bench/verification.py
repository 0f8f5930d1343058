"""A pass through a node and back: issued with its record and log entry, verified with trust list, status and rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import perf_counter

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
from hutong.passes.credential.hcert import pack, unpack
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import batch_actions
from hutong.passes.level import actions as level_actions
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.trust_bundle import TrustSnapshot, read_payload
from hutong.trust.authorisation import Actor

PART = "passes"
PASSES = 300
ROUNDS = 30
ISSUED = 100
RESIDENTS = 2_000
ANEW = 30
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
    yield from _refusals(texts, trust, at)
    yield from _at_the_node(node, texts)
    node.close()


def _refusals(texts: list[str], trust: TrustSnapshot, at: datetime) -> Iterator[Figure]:
    """What is not accepted: codes of something else, and passes with a signature that does not fit."""
    codes = [f"https://menu.example/table/{number}?lang=en" for number in range(ISSUED)]
    signed = [unpack(text) for text in texts]
    altered = [pack(one[:-1] + bytes([one[-1] ^ 1])) for one in signed]
    for what, shown, answer in (
        ("a code of something else", codes, "unknown"),
        ("a pass with a bad signature", altered, "refused"),
    ):
        answers = {verify_pass(text, trust=trust, scene="workplace", at=at).answer for text in shown}
        assert answers == {answer}, answers
        found = rate(
            lambda number, shown=shown: verify_pass(shown[number % ISSUED], trust=trust, scene="workplace", at=at),  # type: ignore[misc]
            PASSES,
            rounds=ROUNDS,
        )
        yield Figure(PART, f"{what}: {answer}", found, "codes/s")


def _at_the_node(node: Node, texts: list[str]) -> Iterator[Figure]:
    """A batch in one transaction, and verification by the node's own bundle, which is made once."""
    persons = [f"R{number:04}" for number in range(1, RESIDENTS + 1)]
    started = perf_counter()
    batch = batch_actions.issue_batch(node, by=node.operator, persons=persons)
    yield Figure(
        PART, f"issue_batch of {RESIDENTS:,}: records, one log entry, full sync",
        len(batch.passes) / (perf_counter() - started), "passes/s",
    )  # fmt: skip
    assert not batch.refused

    def verified(number: int) -> None:
        trust = bundle_queries.trust_snapshot(node)
        verify_pass(texts[number % ISSUED], trust=trust, scene="workplace", at=node.clock())

    def made_anew(number: int) -> None:
        trust = read_payload(bundle_queries.pass_payload(node))
        verify_pass(texts[number % ISSUED], trust=trust, scene="workplace", at=node.clock())

    kept, anew = rates([verified, made_anew], ANEW, rounds=3)
    yield Figure(PART, "verify by the node's own bundle", kept, "passes/s", "the bundle made anew for each", anew)


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
    rows = (f"R{number:04},Nobody,female,1980,TW-6703500" for number in range(1, RESIDENTS + 1))
    residents.write_text("\n".join(("resident_number,name,sex,birth_year,area_code", *rows, "")))
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
