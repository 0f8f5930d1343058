"""The page's own modules, run in a real Chromium: rules against their suites, answers against the node's verifier."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from playwright.sync_api import Page

from hutong.errors import HutongError
from hutong.passes.credential import base45, cbor, cose, hcert
from hutong.passes.credential.certificates import key_id_of
from hutong.passes.credential.level_pass import Fact, digests_of, disclose
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.recognition import verdict, verification
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import envelope
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.trust_bundle import CROSSWALK_KIND
from hutong.trust.signing import sign_document
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.credential.test_read_bad_input import BAD_TEXTS, BOMBS
from tests.web.verifier import world
from tests.web.verifier.world import Region, Site

pytestmark = pytest.mark.browser

OUTSIDE_ALONE = ("other json", "jws of something else", "deflate")
"""Texts of other systems that the page knows by their beginning alone, and the node opens."""
SCENES = [scene.value for scene in Scene]
VERIFY = """async ({signed, key, cases}) => {
  const {readBundle} = await import('/static/verifier/bundle.js');
  const {verifyPass} = await import('/static/verifier/verify.js');
  const trust = signed === null ? null : await readBundle(signed, key);
  const answers = [];
  for (const {text, scene, at} of cases) {
    const {answer, reasons, kind, level, issuer, scale} = await verifyPass(text, trust, scene, at);
    answers.push({answer, reasons: reasons.map((reason) => reason.id), kind, level, issuer, scale});
  }
  return answers;
}"""


def verified(page: Page, site: Site, cases: list[dict[str, Any]], signed: str | None = "") -> list[dict[str, Any]]:
    """What the page answers to each case (text, scene, at in milliseconds)."""
    given = {"signed": site.signed if signed == "" else signed, "key": site.key, "cases": cases}
    answers: list[dict[str, Any]] = page.evaluate(VERIFY, given)
    assert len(answers) == len(cases) > 0
    return answers


def case(text: str, site: Site, scene: str = "public-place", **later: float) -> dict[str, Any]:
    return {"text": text, "scene": scene, "at": (site.now + timedelta(**later)).timestamp() * 1000}


def one(page: Page, site: Site, text: str, scene: str = "public-place", **later: float) -> tuple[str, list[str]]:
    (answer,) = verified(page, site, [case(text, site, scene, **later)])
    return answer["answer"], answer["reasons"]


def _assertions(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        suite = json.loads(path.read_text())
        for entry in suite["cases"]:
            for assertion in entry["assertions"]:
                if "skip" not in (suite.get("directive"), entry.get("directive"), assertion.get("directive")):
                    expression = assertion.get("certLogicExpression", entry.get("certLogicExpression"))
                    yield {"expression": expression, "data": assertion["data"], "expected": assertion["expected"]}


EVALUATE = """async (cases) => {
  const {evaluate} = await import('/static/verifier/certlogic.js');
  return JSON.stringify(JSON.parse(cases).map(({expression, data}) => {
    try { return {value: evaluate(expression, data)} }
    catch (error) { return {error: error.code ?? String(error)} }
  }));
}"""


def evaluated(page: Page, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the page makes of each expression and its data, in one call; as text, which keeps every key as it is."""
    results: list[dict[str, Any]] = json.loads(page.evaluate(EVALUATE, json.dumps(cases)))
    assert len(results) == len(cases)
    return results


@pytest.mark.conformance
def test_rules_are_evaluated_as_the_specification_says(module_page: Page, fixtures: Path) -> None:
    cases = list(_assertions(fixtures / "certlogic" / "testSuite"))
    assert len(cases) == 218
    got = evaluated(module_page, cases)
    assert [json.dumps(result.get("value", result)) for result in got] == [json.dumps(c["expected"]) for c in cases]


@pytest.mark.conformance
def test_the_format_of_rules_is_checked_as_the_specification_says(module_page: Page, fixtures: Path) -> None:
    cases = []
    for path in sorted((fixtures / "certlogic" / "validation-testSuite").glob("*.json")):
        cases += json.loads(path.read_text())["cases"]
    assert len(cases) == 23
    found = module_page.evaluate(
        """async (cases) => {
          const {validateFormat} = await import('/static/verifier/certlogic-format.js');
          return cases.map((one) => validateFormat(one.certLogicExpression));
        }""",
        cases,
    )
    assert found == [one["issues"] for one in cases]


@pytest.mark.conformance
def test_the_rules_of_ten_countries_give_their_results(module_page: Page, fixtures: Path) -> None:
    cases, expected = [], []
    for path in sorted((fixtures / "dcc-business-rules").glob("*.json")):
        document = json.loads(path.read_text())
        for entry in document["rules"]:
            for test in entry["tests"]:
                external = dict(test["external"])
                if "valueSetsRef" in external:
                    external["valueSets"] = document["valueSetsPool"][external.pop("valueSetsRef")]
                data = {"payload": test["payload"], "external": external}
                cases.append({"expression": entry["rule"]["Logic"], "data": data})
                expected.append({"value": test["expected"]})
    assert len(cases) == 865
    assert [
        one for start in range(0, 865, 100) for one in evaluated(module_page, cases[start : start + 100])
    ] == expected


def test_rules_that_run_away_or_are_unknown_end_in_an_error_of_their_own(module_page: Page) -> None:
    deep: Any = True
    for _ in range(80):
        deep = {"!": [deep]}
    step = {"reduce": [{"var": ""}, {"+": [{"var": "accumulator"}, 1]}, 0]}
    twice = {"reduce": [{"var": ""}, [{"var": "accumulator"}, {"var": "accumulator"}], 1]}
    cases = [
        {"expression": deep, "data": {}},
        {"expression": {"frobnicate": [1]}, "data": {}},
        {"expression": {"__proto__": [1]}, "data": {}},
        {"expression": {"constructor": [1]}, "data": {}},
        {"expression": None, "data": {}},
        {"expression": step, "data": list(range(50_000))},
        {"expression": twice, "data": list(range(60))},
        {"expression": {"<": ["a", 1]}, "data": {}},
        {"expression": {"var": "__proto__.constructor"}, "data": {}},
        {"expression": {"plusTime": ["9999-12-31", 1, "day"]}, "data": {}},
        {"expression": {"plusTime": ["0000-01-01", -1, "day"]}, "data": {}},
    ]
    errors = [result.get("error", result) for result in evaluated(module_page, cases)]
    assert errors[:8] == [
        "limit-exceeded",
        *["bad-input"] * 4,
        *["limit-exceeded"] * 2,
        "bad-input",
    ]
    assert errors[8] == {"value": None}
    assert errors[9:] == [{"value": "+010000-01-01T00:00:00.000Z"}, {"value": "-000001-12-31T00:00:00.000Z"}]


def _passes(site: Site) -> list[str]:
    """Passes of every kind of fate, of both regions."""
    tw, pe, now = site.regions["tw"], site.regions["pe"], site.now.replace(microsecond=0)
    facts = [
        Fact("test-negative-on", f"{site.now:%Y-%m-%d}", bytes(range(16))),
        Fact("name", "not asked", bytes(range(1, 17))),
    ]
    digests = digests_of(facts)
    tested = pe.issue(now, level="guarded", digests=digests)
    texts = [tw.issue(now, level=level) for level in ("low", "medium", "high", "purple")]
    texts += [pe.issue(now, level=level) for level in ("low", "guarded", "medium", "high")]
    texts += [
        tw.issue(now, level="under-review"),
        tested,
        disclose(tested, facts[:1]),
        disclose(tested, facts),
        disclose(tested, [facts[0], facts[0]]),
        disclose(tested, [Fact("test-negative-on", f"{site.now:%Y-%m-%d}", bytes(16))]),
        tw.issue(now, status_index=7),
        tw.issue(now, status_index=POSITIONS_PAST),
        tw.issue(now, status_index=1 << 24),
        tw.issue(now, status_index=(256 << 24) + 3),
        tw.issue(now, issuer="pe"),
        tw.issue(now, issuer="nobody"),
        tw.issue(now, rulebook="dengue-9"),
        tw.issue(now, version="2.0.0"),
        tw.issue(now, issued_at=now + timedelta(hours=2), expires_at=now + timedelta(hours=3)),
        tw.issue(now, issued_at=now + timedelta(minutes=4)),
        tw.issue(now, issued_at=now - timedelta(hours=3), expires_at=now),
        tw.issue(now, issued_at=now - timedelta(hours=100)),
        tw.issue(now, issued_at=now - timedelta(hours=3), expires_at=now - timedelta(hours=2)),
        tw.issue(now, issued_at=now + timedelta(days=366), expires_at=now + timedelta(days=367)),
        world.make_region("tw", now).issue(now),
        "  " + tw.issue(now) + "\n",
        tw.issue(now).lower(),
        tw.issue(now)[:-5],
        tw.issue(now) * 2,
        "shc:/5676290952432060346029243740446031222959532654603460292540772804336028702864716745222809286",
        "https://example.org/a-menu",
        "",
    ]
    return texts


POSITIONS_PAST = world.POSITIONS + 5


def test_the_page_never_disagrees_with_the_node(module_page: Page, site: Site) -> None:
    """The same passes, scenes and times through both verifiers: the same answer by the same rules."""
    texts = _passes(site)
    snapshot = site.snapshot(site.signed)
    times = {"now": {}, "later": {"hours": 12}, "stale": {"hours": 30}, "before": {"hours": -1}, "past": {"days": 500}}
    times["end"] = {"microseconds": -site.now.microsecond}  # of a pass that ends at this second
    cases = [case(text, site, scene, **times["now"]) for text in texts for scene in [*SCENES, "moon"]]
    cases += [case(text, site, "border", **delta) for text in texts for delta in times.values()]
    assert len(cases) > 450
    seen = set()
    for given, got in zip(cases, verified(module_page, site, cases), strict=True):
        at = site.now + timedelta(milliseconds=given["at"] - site.now.timestamp() * 1000)
        wanted = verify_pass(given["text"], trust=snapshot, scene=given["scene"], at=at)
        assert (got["answer"], got["reasons"]) == (str(wanted.answer), [r.rule_id for r in wanted.reasons]), given
        assert (got["level"], got["issuer"]) == (wanted.level, wanted.issuer)
        if wanted.kind == "hutong":
            assert got["scale"] == (wanted.scale or "unknown")
        seen |= {got["answer"], *got["reasons"]}
    assert {"accepted", "refused", "unknown"} <= seen
    assert len(seen) > 18


def test_the_page_takes_a_fact_that_was_issued_and_shown(module_page: Page, new_region: NewNode, clock: Clock) -> None:
    """A negative test, from the node's records to the border of the region that asks for it."""
    node = new_region()
    regions.tested_negative(node, "R1", clock())
    days = {"valid_from": regions.FROM, "valid_to": regions.TO}
    rules = shipped_document("scenes/dengue-four-levels", **days)
    recognition_actions.publish_acceptance(node, by=regions.LI, second=regions.WANG, document=rules)
    issued = pass_actions.issue_pass(node, by=regions.LI, person="R1", hours=168, facts=["test-negative-on"])
    texts = [issued.text, disclose(issued.text, [issued.disclosures["test-negative-on"]])]
    answers = []
    for ahead in (0, 3, 4):
        clock.advance(days=ahead)
        signed, at = bundle_queries.pass_bundle(node), clock().timestamp() * 1000
        given = {"signed": signed, "key": dict(node.keys.public["signing"])}
        given["cases"] = [{"text": text, "scene": "border", "at": at} for text in texts]
        got = [(one["answer"], one["reasons"]) for one in module_page.evaluate(VERIFY, given)]
        trust = bundle_queries.trust_snapshot(node)
        wanted = [verify_pass(text, trust=trust, scene="border", at=clock()) for text in texts]
        assert got == [(str(one.answer), [reason.rule_id for reason in one.reasons]) for one in wanted]
        answers.append([answer for answer, _ in got])
        clock.advance(days=-ahead)
    assert answers == [["refused", "accepted"], ["refused", "accepted"], ["refused", "refused"]]


def test_one_flipped_bit_is_never_accepted(module_page: Page, site: Site) -> None:
    message = hcert.unpack(site.regions["tw"].issue(site.now))
    flipped = []
    for bit in range(len(message) * 8):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        flipped.append(case(hcert.PREFIX + base45.encode(zlib.compress(bytes(changed))), site))
    assert len(flipped) > 1000
    answers = verified(module_page, site, flipped)
    assert {answer["answer"] for answer in answers} == {"refused", "unknown"}
    assert sum(answer["answer"] == "refused" for answer in answers) > 500


def _unpacked(text: str) -> bytes | None:
    """The message; bits that fill the last byte of a compressed stream are free, so two texts may hold one message."""
    try:
        return hcert.unpack(text)
    except HutongError:
        return None


def test_two_thousand_random_texts_get_an_answer_and_never_accepted(module_page: Page, site: Site) -> None:
    random = Random(20200429)
    good = site.regions["tw"].issue(site.now)
    signs = "".join(chr(c) for c in base45.ALPHABET)
    texts = []
    for number in range(2000):
        kind = number % 5
        if kind == 0:
            texts.append("".join(chr(random.randrange(1, 0xD7FF)) for _ in range(random.randrange(80))))
        elif kind == 1:
            texts.append("HC1:" + "".join(random.choice(signs) for _ in range(random.randrange(300))))
        elif kind == 2:
            body = zlib.compress(random.randbytes(random.randrange(200)))
            texts.append(hcert.PREFIX + base45.encode(body))
        elif kind == 3:
            item = [random.choice([b"", b"\xa1\x01\x26"]), {}, random.randbytes(40), random.randbytes(64)]
            texts.append(hcert.pack(cbor2.dumps(cbor2.CBORTag(18, item))))
        else:
            place = random.randrange(4, len(good))
            changed = good[:place] + random.choice(signs.replace(good[place], "")) + good[place + 1 :]
            texts.append(good[:-1] if _unpacked(changed) == hcert.unpack(good) else changed)
    answers = verified(module_page, site, [case(text, site) for text in texts])
    assert len(answers) == 2000
    assert {answer["answer"] for answer in answers} <= {"refused", "unknown"}


def _signed(payload: Any, site: Site, headers: dict[int, Any] | None = None) -> str:
    region = site.regions["tw"]
    signer = cose.Signer(region.key, key_id_of(region.certificate), headers)
    return hcert.pack(signer.sign(payload if isinstance(payload, bytes) else cbor2.dumps(payload)))


ODD_ITEMS = (
    "f6 f7 e0 f820 f81f f5 01 20 1bffffffffffffffff 3bffffffffffffffff f93c00 f97e00 fb3ff8000000000000 60 627477 42 40"
    " 4c000000000000000000000000 80 8101 83010000 83f50000 8401000000 a0 a10102 a1f501 a1414101 a1f93c0001 c11a60000000"
    " c1f93c00 c16161 c1fb7f7f7f7f7f7f7f7f c074323032312d30312d30315430303a30303a30305a c06a323032312d30312d3031 c001"
    " c24105 d81863616263 d82063613a62 d83d01 d9010280 d903ec6a323032312d30312d3031 d9d9f701 daffffffff01 7f61616162ff"
    " 5f41614162ff 9f01ff bf0102ff 1801"
)
"""Items of CBOR that no issuer needs; some are cut off, and none may be seen differently by page and node."""


def _odd(site: Site) -> Iterator[str]:
    """Passes of which one thing is odd: a claim, a field, an entry, a header, the way the key is named."""
    region, now = site.regions["tw"], int(site.now.timestamp())
    key_id = key_id_of(region.certificate)
    fields = [b"\x63low", b"\x68dengue-3", b"\x83\x01\x00\x00", b"\x50sixteen bytes id", b"\x03", b"\x4c" + bytes(12)]
    times = [b"\x1a" + time.to_bytes(4) for time in (now + 9000, now - 9000)]

    def payload(extra: bytes = b"", *, issuer: bytes = b"\x62tw", **changed: bytes) -> bytes:
        own = b"".join(changed.get(f"field{place}", field) for place, field in enumerate(fields))
        expires, issued = (changed.get(f"time{place}", time) for place, time in enumerate(times))
        contents = changed.get("contents", b"\xa1\x38\x47\x86" + own)
        body = b"\x01" + issuer + b"\x04" + expires + b"\x06" + issued + b"\x39\x01\x03" + contents
        return (b"\xa5" if extra else b"\xa4") + body + extra

    for index in (3, (256 << 24) + 3, (1 << 40) - 1, 1 << 40):
        yield _signed(payload(field4=b"\x1b" + index.to_bytes(8)), site)
        for joined in (b"8 random", b"7 bytes", b"sixteen bytes id", b"seventeen bytes i"):
            held = cbor2.dumps(joined + (index % (1 << 40)).to_bytes(5))
            entries = b"".join((*fields[:3], held, fields[5]))
            yield _signed(payload(contents=b"\xa1\x38\x47\x85" + entries), site)
            yield _signed(payload(contents=b"\xa1\x38\x47\x86" + entries + b"\x80"), site)
            yield _signed(payload(contents=b"\xa1\x38\x47\x87" + entries + b"\x80\x80"), site)
    for value in map(bytes.fromhex, ODD_ITEMS.split()):
        changes: list[dict[str, bytes]] = [{f"field{place}": value} for place in range(6)]
        changes += [{f"time{place}": value} for place in range(2)]
        changes += [{"issuer": value}, {"contents": value}, {"contents": b"\xa1\x03" + value}]
        yield from (_signed(payload(**change), site) for change in changes)
        yield from (_signed(payload(key + value), site) for key in (b"\x05", b"\x07", b"\x61a"))
        yield _signed(payload(value + b"\x01"), site)
    yield from (_signed(payload(b"\x05\x1a" + (now + later).to_bytes(4)), site) for later in (-9001, -9000, -8999, 99))
    message = cbor2.loads(hcert.unpack(_signed(payload(), site))).value
    for header in (
        {4: base64.b64encode(key_id).decode()},
        {4: base64.urlsafe_b64encode(key_id).rstrip(b"=")},
        {4: None},
        {4: 7},
        {4: b""},
        {33: region.certificate},
        {33: [region.certificate, b"another"]},
        {33: b"no certificate"},
        {34: [-16, key_id + bytes(24)]},
        {34: [-16, bytes(32)]},
        {34: [-44, key_id]},
        {},
    ):
        yield hcert.pack(_resigned(region, cbor2.dumps({1: -7, **header}), {}, message[2]))
        yield hcert.pack(_resigned(region, cbor2.dumps({1: -7}), header, message[2]))
        yield hcert.pack(_resigned(region, cbor2.dumps({4: key_id}), {1: -7, **header}, message[2]))
    for odd in (b"", "", None, [], 7):
        yield hcert.pack(_resigned(region, cbor2.dumps({1: -7, 4: odd}), {4: key_id}, message[2]))
        yield hcert.pack(_resigned(region, cbor2.dumps({1: -7, 4: odd}), {4: b"another"}, message[2]))
    yield hcert.pack(_resigned(region, b"\xa0", {1: -7, 4: key_id}, message[2]))
    yield hcert.pack(_resigned(region, b"", {1: -7, 4: key_id}, message[2]))
    yield hcert.pack(_resigned(region, b"\xa2\xf5\x26\x04\x48" + key_id, {}, message[2]))
    whole = cbor2.dumps(message)
    for tags in ("d2", "d83d", "d83dd2", "d2d83d", "d1", "d9d9f7d2", "d2d2", "d83dd83dd2"):
        yield hcert.pack(bytes.fromhex(tags) + whole)
    packed = zlib.compress(whole)
    for stream in (packed + b"\0", packed[:-1], packed[:-4], packed[2:-4], zlib.compress(whole, 0)):
        yield hcert.PREFIX + base45.encode(stream)


def _resigned(region: Region, header: bytes, unprotected: dict[int, Any], payload: bytes) -> bytes:
    signed = cbor2.dumps(["Signature1", b"" if header == b"\xa0" else header, b"", payload])
    r, s = decode_dss_signature(region.key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return cbor2.dumps([header, unprotected, payload, r.to_bytes(32) + s.to_bytes(32)])


def test_the_page_reads_odd_messages_as_the_node_does(module_page: Page, site: Site) -> None:
    texts = list(_odd(site))
    at = site.now.replace(microsecond=0)
    given = [{"text": text, "scene": "public-place", "at": at.timestamp() * 1000} for text in texts]
    trust = site.snapshot(site.signed)
    seen = set()
    for text, found in zip(texts, verified(module_page, site, given), strict=True):
        wanted = verify_pass(text, trust=trust, scene="public-place", at=at)
        seen.add((found["answer"], found["reasons"][0]))
        assert found == {
            "answer": str(wanted.answer),
            "reasons": [reason.rule_id for reason in wanted.reasons],
            "kind": wanted.kind,
            "level": wanted.level,
            "issuer": wanted.issuer,
            "scale": wanted.scale or "unknown",
        }, cbor2.loads(hcert.unpack(text))
    assert len(texts) > 600
    assert {("accepted", "public-level"), ("unknown", "not-understood"), ("unknown", "no-key")} <= seen


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("x", True), (7, True), (None, True), (False, True), (1.5, True), ([1], False), ({}, False), (b"x", False)],
    ids=str,
)
def test_a_fact_has_a_simple_value(module_page: Page, site: Site, value: Any, is_one: bool) -> None:
    fact = Fact("seen", value, b"sixteen of salt.")
    text = disclose(site.regions["tw"].issue(site.now, digests=digests_of([fact])), [fact])
    answer, _ = one(module_page, site, text)
    wanted = verify_pass(text, trust=site.snapshot(site.signed), scene="public-place", at=site.now)
    assert answer == str(wanted.answer) == ("accepted" if is_one else "unknown")


def test_bad_texts_are_unknown_and_for_the_reason_that_the_node_gives(module_page: Page, site: Site) -> None:
    names = [name for name in BAD_TEXTS if not name.startswith("surrogate")]
    texts = [BAD_TEXTS[name] for name in names] + list(BOMBS.values())
    trust = site.snapshot(site.signed)
    for name, text, found in zip(
        [*names, *BOMBS], texts, verified(module_page, site, [case(text, site) for text in texts]), strict=True
    ):
        wanted = verify_pass(text, trust=trust, scene="public-place", at=site.now)
        assert (found["answer"], wanted.answer) == ("unknown", "unknown"), name
        if name not in OUTSIDE_ALONE:
            assert found["reasons"] == [reason.rule_id for reason in wanted.reasons], name


def test_bombs_nesting_and_headers_that_must_be_understood_are_unknown(module_page: Page, site: Site) -> None:
    bomb = hcert.PREFIX + base45.encode(zlib.compress(bytes(10_000_000), 9))
    assert len(bomb) < hcert.MAX_TEXT
    texts = [
        bomb,
        hcert.PREFIX + "0" * 70_000,
        "HC1:" + "A" * 300_000,
        "HC1:" + " " * 250_000 + "A",
        _signed(b"\x81" * 400 + b"\x01", site),
        _signed(b"\x9f" * 400, site),
        _signed(b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", site),
        _signed(b"\xa2\x01\x61a\x01\x61b", site),
        _signed(b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01", site),
        _signed({1: "tw"}, site, {2: [99]}),
        _signed([1], site),
        hcert.pack(b"\xd2\x84\x40\xa0\x40\x40"),
    ]
    answers = verified(module_page, site, [case(text, site) for text in texts])
    assert {answer["answer"] for answer in answers} == {"unknown"}


def test_the_algorithm_is_the_keys_and_not_the_messages(module_page: Page, site: Site) -> None:
    """A header that claims PS256, none or HS256 for a P-256 key, inside or outside the signature, verifies nothing."""
    message = cbor2.loads(hcert.unpack(site.regions["tw"].issue(site.now)))
    raw, _, payload, signature = message.value
    protected = cbor2.loads(raw)
    texts = []
    for algorithm in (-37, -38, 5, 0, -8, "ES256", None):
        headers = {**protected, 1: algorithm}
        texts.append(hcert.pack(cbor2.dumps([cbor2.dumps(headers), {}, payload, signature])))
        texts.append(hcert.pack(cbor2.dumps([raw, {1: algorithm}, payload, b""])))
    bare = {4: protected[4]}
    texts.append(hcert.pack(cbor2.dumps([cbor2.dumps(bare), {1: -37}, payload, signature])))
    answers = verified(module_page, site, [case(text, site) for text in texts])
    assert {answer["answer"] for answer in answers} == {"refused"}
    twice = hcert.pack(cbor2.dumps(cbor2.CBORTag(61, message)))
    bare_message = hcert.pack(cbor2.dumps([raw, {1: -37}, payload, signature]))
    assert [a["answer"] for a in verified(module_page, site, [case(t, site) for t in (twice, bare_message)])] == [
        "accepted"
    ] * 2


def test_a_certificate_of_another_system_is_read_and_never_accepted(module_page: Page, site: Site) -> None:
    """A DCC is "not recognised", whether its key is known or not, and altered "refused"; PS256 works too."""
    now = site.now
    rsa_key = rsa.generate_private_key(65537, 2048)
    p384 = ec.generate_private_key(ec.SECP384R1())
    extra = [base64.b64encode(world.certificate_of(key, now)).decode() for key in (rsa_key, p384)]
    parties = [region.entry(now) for region in site.regions.values()]
    parties[0]["passes"] += extra
    signed = site.bundle(parties=parties)
    body = {1: "AT", 4: int(now.timestamp()) + 9, 6: int(now.timestamp()), -260: {1: {"ver": "1.3.0"}}}
    dcc = _signed(body, site)
    message = cbor2.loads(hcert.unpack(dcc)).value
    stranger = hcert.pack(cbor2.dumps([cbor2.dumps({1: -7, 4: b"stranger"}), {}, *message[2:]]))
    altered = hcert.pack(cbor2.dumps([*message[:2], message[2].replace(b"AT", b"DE"), message[3]]))
    wrong_curve = cbor2.dumps({1: -7, 4: key_id_of(base64.b64decode(extra[1]))})
    texts = [dcc, _ps256(rsa_key, extra[0], message[2]), stranger, altered]
    texts.append(hcert.pack(cbor2.dumps([wrong_curve, {}, *message[2:]])))
    got = verified(module_page, site, [case(text, site) for text in texts], signed)
    assert [(one["answer"], one["reasons"][0], one["kind"]) for one in got] == [
        ("unknown", "kind-not-recognised", "eu-dcc"),
        ("unknown", "kind-not-recognised", "eu-dcc"),
        ("unknown", "kind-not-recognised", "eu-dcc"),
        ("refused", "signature-invalid", "eu-dcc"),
        ("refused", "signature-invalid", "eu-dcc"),
    ]


def _ps256(key: rsa.RSAPrivateKey, certificate: str, payload: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric import padding

    protected = cbor2.dumps({1: -37, 4: key_id_of(base64.b64decode(certificate))})
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    signature = key.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return hcert.pack(cbor2.dumps([protected, {}, payload, signature]))


@pytest.mark.conformance
def test_published_certificates_of_many_countries_are_read(module_page: Page, site: Site, fixtures: Path) -> None:
    texts = [entry["qr"] for entry in json.loads((fixtures / "dcc-quality-assurance" / "qr.json").read_text())]
    assert len(texts) > 100
    got = verified(module_page, site, [case(text, site) for text in texts])
    assert {(one["answer"], one["reasons"][0], one["kind"]) for one in got} == {
        ("unknown", "kind-not-recognised", "eu-dcc")
    }


@pytest.mark.conformance
def test_certificates_of_every_family_are_named_and_never_accepted(
    module_page: Page, site: Site, fixtures: Path
) -> None:
    """The texts that the WHO's network publishes; page and node give the same answer, reason and kind."""
    paths = sorted(path for path in (fixtures / "gdhcn").glob("*.txt") if path.stem.endswith(("Contents", "QR")))
    texts = [path.read_text() for path in paths]
    at = site.now.replace(microsecond=0)
    given = [{"text": text, "scene": "border", "at": at.timestamp() * 1000} for text in texts]
    trust = site.snapshot(site.signed)
    long = verified(module_page, site, [case("shc:/" + "56" * 131_000, site), case('{"data":' * 30_000, site)])
    assert {one["answer"] for one in long} == {"unknown"}
    kinds = set()
    for path, text, found in zip(paths, texts, verified(module_page, site, given), strict=True):
        wanted = verify_pass(text, trust=trust, scene="border", at=at)
        assert (found["answer"], found["reasons"], found["kind"]) == (
            "unknown",
            ["kind-not-recognised"],
            wanted.kind,
        ), path.stem
        assert (wanted.answer, [reason.rule_id for reason in wanted.reasons]) == ("unknown", ["kind-not-recognised"])
        kinds.add(wanted.kind)
    assert kinds == {"divoc", "eu-dcc", "icao-vds", "smart-health-card", "who-ddcc", "who-dvc"}


def test_an_entry_in_a_byte_string_tells_the_kind_as_at_the_node(module_page: Page, site: Site) -> None:
    at = site.now.replace(microsecond=0)
    signer = cose.Signer(ec.generate_private_key(ec.SECP256R1()), b"listed-1")
    contents = (cbor.dumps({"ver": "1.0.0"}), cbor.dumps({"ver": "1.0.0"})[:-1], cbor.dumps([{}]), b"\x81" * 5000)
    texts = [hcert.pack(signer.sign(cbor.dumps({1: "SK", -260: {1: content}}))) for content in contents]
    kinds = [one["kind"] for one in verified(module_page, site, [case(text, site) for text in texts])]
    wanted = [verify_pass(text, trust=site.snapshot(site.signed), scene="border", at=at).kind for text in texts]
    assert kinds == wanted == ["eu-dcc", "hcert", "hcert", "hcert"]


READ = """async ({signed, key}) => {
  const {readBundle} = await import('/static/verifier/bundle.js');
  try { return (await readBundle(signed, key)).number } catch (error) { return error.code ?? String(error) }
}"""


def test_a_bundle_that_is_not_whole_or_not_signed_is_refused(module_page: Page, site: Site) -> None:
    other = world.make_region("tw", site.now)
    signed, lists = site.signed.split("~", 1)
    header, payload, signature = signed.split(".")
    tw = site.regions["tw"]
    stolen = {"tw": [tw.status_list(site.now)], "pe": [tw.status_list(site.now)]}
    forged = {"tw": [other.status_list(site.now)], "pe": []}
    bundles = {
        site.signed: 5,
        f"{header}.{payload}.{signature[:-6]}AAAAAA~{lists}": "tampered",
        f"{header}.{payload[:-8]}{signature[:8]}.{signature}~{lists}": "tampered",
        tw.crosswalk(site.now): "bad-input",
        "": "bad-input",
        "a.b.c": "bad-input",
        site.bundle(crosswalks={"tw": [other.crosswalk(site.now)], "pe": []}): "tampered",
        site.bundle(status_lists=forged): "tampered",
        site.bundle(status_lists=stolen): "tampered",
        site.bundle(parties=[{"id": "tw"}]): "bad-input",
        site.bundle(parties=None): "bad-input",
        site.bundle(issued_at="yesterday"): "bad-input",
        site.bundle(max_age_hours=None): "bad-input",
    }
    got = [module_page.evaluate(READ, {"signed": signed, "key": site.key}) for signed in bundles]
    assert got == list(bundles.values())
    stranger = {"kty": "OKP", "crv": "Ed25519", "x": other.entry(site.now)["signing"]["x"]}
    assert module_page.evaluate(READ, {"signed": site.signed, "key": stranger}) == "tampered"


def test_many_status_lists_are_read_and_each_is_asked(module_page: Page, site: Site) -> None:
    tw = site.regions["tw"]
    lists = {"tw": [tw.status_list(site.now, number=number) for number in range(120)], "pe": []}
    signed = site.bundle(status_lists=lists)
    places = [(number << 24) + position for number in (0, 51, 119) for position in (world.REVOKED[0], 3)]
    shown = [tw.issue(site.now, status_index=place) for place in (*places, 120 << 24)]
    got = verified(module_page, site, [case(text, site, "school") for text in shown], signed)
    trust = site.snapshot(signed)
    for text, found in zip(shown, got, strict=True):
        wanted = verify_pass(text, trust=trust, scene="school", at=site.now)
        assert (found["answer"], found["reasons"]) == (str(wanted.answer), [r.rule_id for r in wanted.reasons])
    of_one = [("refused", ["revoked"]), ("accepted", ["school-level", "school-age-7d"])]
    wanted_answers = [*of_one * 3, ("unknown", ["no-status-list"])]
    assert [(one["answer"], one["reasons"]) for one in got] == wanted_answers
    too_many = site.bundle(status_lists={"tw": [lists["tw"][0]] * 1025, "pe": []})
    assert module_page.evaluate(READ, {"signed": too_many, "key": site.key}) == "limit-exceeded"


COMPLETE = """async ({rest, held}) => {
  const {completeBundle} = await import('/static/verifier/envelope.js');
  return completeBundle(rest, held);
}"""


def test_the_end_of_an_emergency_refuses_its_passes_with_its_day(module_page: Page, site: Site) -> None:
    tw, pe = site.regions["tw"], site.regions["pe"]
    at = site.now - timedelta(minutes=30)
    end = {"emergency": "dengue-2015", "ended_at": at.isoformat(), "versions": ["dengue-3@1.0.0"]}
    signed_end = sign_document(tw.signing, kid="tw", kind="emergency-ended", payload=end)
    signed = site.bundle(ended={"tw": [signed_end]})
    shown = [
        tw.issue(site.now),
        tw.issue(site.now, version="1.1.0"),
        pe.issue(site.now),
        tw.issue(site.now, status_index=7),
    ]
    cases = [case(text, site, "school") for text in shown] + [case(shown[0], site, "school", minutes=-31)]
    got = verified(module_page, site, cases, signed)
    trust = site.snapshot(signed)
    for given, found in zip(cases, got, strict=True):
        moment = datetime.fromtimestamp(given["at"] / 1000, UTC)
        wanted = verify_pass(given["text"], trust=trust, scene="school", at=moment)
        assert (found["answer"], found["reasons"]) == (str(wanted.answer), [r.rule_id for r in wanted.reasons])
    assert [one["reasons"][0] for one in got] == [
        "emergency-ended",
        "school-level",
        "school-level",
        "emergency-ended",
        "clock-wrong",
    ]
    texts = module_page.evaluate(TEXTS, {"signed": signed, "key": site.key, **cases[0]})
    assert texts == dict(verify_pass(shown[0], trust=trust, scene="school", at=site.now).reasons[0].texts)
    assert str(at.date()) in texts["en"]
    stranger = sign_document(pe.signing, kid="tw", kind="emergency-ended", payload=end)
    forged = site.bundle(ended={"tw": [stranger]})
    assert module_page.evaluate(READ, {"signed": forged, "key": site.key}) == "tampered"
    with pytest.raises(HutongError):
        site.snapshot(forged)


TEXTS = """async ({signed, key, text, scene, at}) => {
  const {readBundle} = await import('/static/verifier/bundle.js');
  const {verifyPass} = await import('/static/verifier/verify.js');
  return (await verifyPass(text, await readBundle(signed, key), scene, at)).reasons[0].texts;
}"""


def test_a_bundle_of_which_only_news_were_fetched_is_made_whole(module_page: Page, site: Site) -> None:
    tw, pe = site.regions["tw"], site.regions["pe"]
    old, new, other = tw.status_list(site.now), tw.status_list(site.now, hours=20), pe.status_list(site.now)
    held = site.bundle(status_lists={"tw": [old], "pe": [other]})
    whole = site.bundle(number=6, status_lists={"tw": [new], "pe": [other]})
    signed, *_ = whole.split("~")
    for rest in (f"{signed}~{new}", whole):
        assert module_page.evaluate(COMPLETE, {"rest": rest, "held": held}) == whole == envelope.complete(rest, held)
    assert module_page.evaluate(COMPLETE, {"rest": signed, "held": held}) is None
    assert module_page.evaluate(READ, {"signed": f"{signed}~{new}", "key": site.key}) == "bad-input"


def test_a_compromised_key_refuses_what_it_signed_and_signs_no_list(module_page: Page, site: Site) -> None:
    old, new = site.regions["tw"], world.make_region("tw", site.now)
    entry = {**new.entry(site.now), "compromised": old.entry(site.now)["passes"]}
    theirs = {"parties": [entry, site.regions["pe"].entry(site.now)]}
    walks = {"tw": [new.crosswalk(site.now)], "pe": [site.regions["pe"].crosswalk(site.now)]}
    lists = {"tw": [new.status_list(site.now)], "pe": [site.regions["pe"].status_list(site.now)]}
    signed = site.bundle(**theirs, crosswalks=walks, status_lists=lists)
    shown = [old.issue(site.now), new.issue(site.now)]
    got = verified(module_page, site, [case(text, site, "school") for text in shown], signed)
    for text, found in zip(shown, got, strict=True):
        wanted = verify_pass(text, trust=site.snapshot(signed), scene="school", at=site.now)
        assert (found["answer"], found["reasons"]) == (str(wanted.answer), [r.rule_id for r in wanted.reasons])
    assert [(one["answer"], one["reasons"][0]) for one in got] == [
        ("refused", "key-compromised"),
        ("accepted", "school-level"),
    ]
    lying = site.bundle(**theirs, crosswalks=walks, status_lists={**lists, "tw": [old.status_list(site.now)]})
    assert module_page.evaluate(READ, {"signed": lying, "key": site.key}) == "tampered"


def test_a_level_under_review_is_worth_what_a_rule_says_of_it_and_else_unknown(module_page: Page, site: Site) -> None:
    rules = shipped_document("scenes/dengue-three-levels", **world.period(site.now))
    text = {"en": "Open to those under review.", "zh": "对复核中的人员开放。"}
    condition = {"in": [{"var": "pass.scale"}, ["low", "under-review"]]}
    rules["scenes"]["school"] = [{"id": "school-review", "condition": condition, "text": text}]
    rules["scenes"]["medical"] = [{"id": "medical-all", "condition": {"===": [1, 1]}, "text": text}]
    signed = site.bundle(acceptance=rules)
    shown = site.regions["tw"].issue(site.now, level="under-review")
    scenes = ("school", "medical", "closed-setting")
    got = verified(module_page, site, [case(shown, site, scene) for scene in scenes], signed)
    for scene, found in zip(scenes, got, strict=True):
        wanted = verify_pass(shown, trust=site.snapshot(signed), scene=scene, at=site.now)
        assert (found["answer"], found["reasons"]) == (str(wanted.answer), [r.rule_id for r in wanted.reasons])
    assert [found["answer"] for found in got] == ["accepted", "unknown", "unknown"]


def test_what_a_newer_edition_wrote_makes_unknown_what_it_concerns_and_nothing_else(
    module_page: Page, site: Site
) -> None:
    rules = shipped_document("scenes/dengue-three-levels", **world.period(site.now)) | {"note": "newer"}
    rules["scenes"]["border"][0]["condition"] = {"fuzzy-match": [{"var": "pass.level"}, "low"]}
    rules["scenes"]["transport"][0]["unless"] = True
    rules["scenes"]["cinema"] = [{"id": "cinema", "condition": {"fuzzy-match": []}, "text": {}}]
    walk = shipped_document(f"crosswalks/{world.SHIPPED['tw']}", **world.period(site.now)) | {"note": "newer"}
    walk["levels"][1] |= {"scale": "mild", "colour": "yellow"}
    tw = site.regions["tw"]
    signed_walk = sign_document(tw.signing, kid="tw", kind=CROSSWALK_KIND, payload=walk)
    signed = site.bundle(acceptance=rules, crosswalks={"tw": [signed_walk], "pe": []})
    good = tw.issue(site.now)
    scenes = ("border", "transport", "school", "cinema")
    cases = [case(good, site, scene) for scene in scenes]
    cases.append(case(tw.issue(site.now, level=walk["levels"][1]["code"]), site, "school"))
    got = verified(module_page, site, cases, signed)
    assert [(one["answer"], one["reasons"][0]) for one in got] == [
        ("unknown", "rule-not-understood"),
        ("unknown", "rule-not-understood"),
        ("accepted", "school-level"),
        ("unknown", "no-rule-for-scene"),
        ("unknown", "level-not-understood"),
    ]
    trust = site.snapshot(signed)
    for given, found in zip(cases, got, strict=True):
        wanted = verify_pass(given["text"], trust=trust, scene=given["scene"], at=site.now)
        assert (found["answer"], found["reasons"]) == (str(wanted.answer), [r.rule_id for r in wanted.reasons])
    (without,) = verified(module_page, site, [case(good, site)], None)
    assert (without["answer"], without["reasons"]) == ("unknown", ["no-list"])


def test_sentences_are_those_of_the_node_in_every_language(module_page: Page) -> None:
    words = module_page.evaluate("async () => ({...await import('/static/verifier/words.js')})")
    shared = {**verification._SENTENCES, **verdict.SENTENCES}
    assert len(shared) > 20
    assert {name: words["REASONS"][name] for name in shared} == {name: dict(texts) for name, texts in shared.items()}
    texts = [text for group in words.values() for text in group.values()]
    assert len(texts) > 40
    assert all(text.keys() == {"en", "zh"} and re.search("[一-鿿]", text["zh"]) for text in texts)
