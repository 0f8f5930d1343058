"""A pass through a node and back: issued with its record and log entry, verified with trust list, status and rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.figure import Figure, rate, rates
from bench.passes import make_claims
from bench.region import EMERGENCY, declare_source, make_node
from hutong.acquisition import actions as acquisition
from hutong.acquisition.source import Source
from hutong.demo.lists import MAPPINGS, line_lists
from hutong.insight import actions as insight
from hutong.insight.risk_area import shipped_rule
from hutong.node import Node
from hutong.passes.credential import base45
from hutong.passes.credential.hcert import PREFIX, pack, unpack
from hutong.passes.credential.level_pass import PassSigner
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
    for what, of in (
        (f"verify: decoded, signature, trust, status, rules; median of {ROUNDS}", median),
        ("  best", max),
    ):
        yield Figure(PART, what, of(verified), "passes/s", "OpenSSL ES256 verify alone", of(raw))
    yield from _refusals(texts, trust, at)
    yield from _at_the_node(node, texts)
    node.close()


def _refusals(texts: list[str], trust: TrustSnapshot, at: datetime) -> Iterator[Figure]:
    """What is not accepted, kind by kind, and all kinds in turns."""
    kinds = wrong_codes(texts)
    jobs = []
    for shown in (*kinds.values(), [one[number % len(one)] for number in range(ISSUED) for one in kinds.values()]):
        answers = {str(verify_pass(text, trust=trust, scene="workplace", at=at).answer) for text in shown}
        assert answers <= {"refused", "unknown"}, answers
        jobs.append(
            lambda number, shown=shown: verify_pass(shown[number % len(shown)], trust=trust, scene="workplace", at=at)
        )
    *each, mixed = rates(jobs, PASSES, rounds=ROUNDS)
    for what, found in zip(kinds, each, strict=True):
        yield Figure(PART, f"wrong: {what}", median(found), "codes/s")
    yield Figure(
        PART, f"wrong codes, {len(kinds)} kinds in turns, one core; median of {ROUNDS}", median(mixed), "codes/s"
    )


def wrong_codes(texts: list[str]) -> dict[str, list[str]]:
    """Codes of every kind that a verifier may be shown and must not accept, made of good ones."""
    signed = [unpack(text) for text in texts]
    stranger = PassSigner(ec.generate_private_key(ec.SECP256R1()), b"stranger")
    packed = [base45.decode(text.removeprefix(PREFIX)) for text in texts]
    return {
        "a code of something else": [f"https://menu.example/table/{number}?lang=en" for number in range(ISSUED)],
        "foreign prefix": [f"HC9:{text.removeprefix(PREFIX)}" for text in texts],
        "cut off": [text[: len(text) // 2] for text in texts],
        "a character changed": [f"{text[:90]}{'A' if text[90] != 'A' else 'B'}{text[91:]}" for text in texts],
        "packed wrongly": [PREFIX + base45.encode(one[:20] + bytes([one[20] ^ 64]) + one[21:]) for one in packed],
        "signed by nobody known": [stranger.issue(make_claims(number)) for number in range(ISSUED)],
        "signature does not fit": [pack(one[:-1] + bytes([one[-1] ^ 1])) for one in signed],
        "inflates to 10 MB": [pack(bytes(10_000_000))],
        "nested a thousand times": [pack(b"\x81" * 1_000 + b"\x00")],
    }


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

    kept, anew = (median(found) for found in rates([verified, made_anew], ANEW, rounds=3))
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
