"""Verification between two regions, offline: exactly one of three answers, and what is altered is never accepted."""

from __future__ import annotations

import socket
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import cbor2
import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hutong
from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, NotFound, Refused, Tampered, Unavailable
from hutong.governance import actions as governance
from hutong.governance import queries as governance_queries
from hutong.governance.queries import signed_trust_list
from hutong.node import Node
from hutong.passes.credential import base45, cose, hcert
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import queries as pass_queries
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verdict import Answer
from hutong.passes.recognition.verification import Verification, verify_pass
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.envelope import read_unverified_bundle
from hutong.passes.trust_bundle.trust_bundle import TrustSnapshot, read_bundle, read_trust, sign_bundle
from hutong.trust.authorisation import Actor
from hutong.web.app import create_app
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import AS_OF, FROM, LI, TO, WANG
from tests.passes.test_eu_rules import rule, section
from tests.sharing.conftest import introduce, served

PERIOD = {"valid_from": FROM, "valid_to": TO}
CERTIFICATE = {"ver": "1.3.0", "v": [{"dn": 2, "sd": 2, "ci": "URN:UVCI:01:TW:1", "co": "TW"}]}
MARIA = Actor("maria", "account", frozenset({"authority"}), "pe")
JOSE = Actor("jose", "account", frozenset({"authority"}), "pe")


class Regions:
    """tw with three levels and pe with four, in one trust list; pe has adopted tw's bundle as a file."""

    def __init__(self, new_region: NewNode, new_node: NewNode, clock: Clock) -> None:
        self.clock = clock
        self.tw, self.pe = new_region("tw"), new_node("pe")
        regions.declare(self.pe)
        four = "dengue-four-levels"
        both: dict[str, Any] = {"by": MARIA, "second": JOSE}
        rulebook_actions.publish_rulebook(self.pe, **both, document=shipped_document(four, **PERIOD))
        recognition_actions.publish_crosswalk(
            self.pe, **both, document=shipped_document(f"crosswalks/{four}", **PERIOD)
        )
        recognition_actions.publish_acceptance(self.pe, **both, document=shipped_document(f"scenes/{four}", **PERIOD))
        parties = [governance.describe_self(node, kind="region") for node in (self.tw, self.pe)]
        governance.publish_trust_list(self.tw, by=self.tw.operator, parties=parties)
        self.share()

    def share(self) -> None:
        """What the jobs of both nodes do: the trust list is kept current, and tw's bundle is taken over."""
        governance.keep_trust_list(self.tw, by=self.tw.operator)
        governance.adopt_trust_list(
            self.pe,
            by=self.pe.operator,
            signed=signed_trust_list(self.tw),
            issuer_key=self.tw.keys.public["signing"],
        )
        bundle_actions.adopt_party_bundle(self.pe, by=MARIA, party_id="tw", signed=bundle_queries.pass_bundle(self.tw))

    def issue(self, person: str = "R1", hours: int = 24) -> pass_actions.IssuedPass:
        return pass_actions.issue_pass(self.tw, by=LI, person=person, hours=hours)

    def at_pe(self, text: str | bytes, scene: str = "transport") -> Verification:
        return verify_pass(text, trust=bundle_queries.bundle_file(self.pe), scene=scene, at=self.clock())


@pytest.fixture
def two(new_region: NewNode, new_node: NewNode, clock: Clock) -> Regions:
    return Regions(new_region, new_node, clock)


def ids(answer: Verification) -> list[str]:
    return [reason.rule_id for reason in answer.reasons]


def says(answer: Verification) -> tuple[str, list[str]]:
    assert all(reason.texts["en"] and reason.texts["zh"] for reason in answer.reasons)
    return str(answer.answer), ids(answer)


def test_another_region_answers_by_its_own_rules(two: Regions) -> None:
    medium, low = two.issue("R1").text, two.issue("R2").text
    assert says(two.at_pe(medium, "transport")) == ("accepted", ["transport-level"])
    assert says(two.at_pe(medium, "school")) == ("refused", ["school-level"])
    assert says(two.at_pe(low, "school")) == ("accepted", ["school-level"])
    assert says(two.at_pe(medium, "community")) == ("unknown", ["no-rule-for-scene"])
    assert says(two.at_pe(medium, "the moon")) == ("unknown", ["no-rule-for-scene"])
    assert says(two.at_pe(two.issue("R6").text, "transport"))[0] == "refused"
    own = verify_pass(medium, trust=bundle_queries.trust_snapshot(two.tw), scene="community", at=two.clock())
    assert says(own) == ("accepted", ["community-level"])


def test_the_answer_tells_kind_level_issuer_and_ages(two: Regions) -> None:
    issued = two.issue()
    two.clock.advance(hours=2)
    answer = two.at_pe(two.issue().text).document()
    assert (answer["kind"], answer["level"], answer["scale"], answer["issuer"]) == ("hutong", "medium", "medium", "tw")
    assert (answer["list_age_seconds"], answer["status_age_seconds"]) == (0, 2 * 3600)
    assert answer["reasons"][0].keys() == {"rule_id", "text"}
    assert orjson.loads(orjson.dumps(answer)) == answer
    assert two.at_pe(issued.qr_png()).answer == Answer.ACCEPTED


def test_an_eu_certificate_that_is_listed_as_revoked_is_refused(two: Regions, tmp_path: Path) -> None:
    now, key_id = two.clock(), bytes.fromhex(two.tw.keys.pass_key_id)
    body = {1: "TW", 4: int(now.timestamp()) + 9000, 6: int(now.timestamp()), -260: {1: CERTIFICATE}}
    text = hcert.pack(cose.Signer(two.tw.keys.passes, key_id).sign(cbor2.dumps(body)))
    years = {"ValidFrom": "2021-07-01T00:00:00Z", "ValidTo": "2150-01-01T00:00:00Z"}
    with_rules = shipped_document("scenes/dengue-four-levels", **PERIOD) | {"eu_dcc": section(rule(**years))}

    def answer(*lists: dict[str, Any], rules: Any = with_rules, of: str = text) -> tuple[str, list[str]]:
        (tmp_path / "lists.json").write_bytes(orjson.dumps(lists))
        known: dict[str, Any] = {"trust": bundle_queries.bundle_file(two.pe), "scene": "border", "at": now}
        return says(verify_pass(of, **known, rules=rules, revocations=tmp_path / "lists.json"))

    good, bad = (b64encode(sha256(uci).digest()[:16]).decode() for uci in (b"another", b"URN:UVCI:01:TW:1"))
    batch = {"country": "TW", "kid": b64encode(key_id).decode(), "hashType": "UCI", "expires": "2030-01-01T00:00:00Z"}
    not_whole = {
        "kid": b64encode(key_id).decode(),
        "hashTypes": ["UCI"],
        "mode": "POINT",
        "lastUpdated": "2026-01-01T00:00:00Z",
    }
    assert answer(batch | {"entries": [{"hash": good}]}) == ("accepted", ["VR-XA-0001"])
    assert answer(batch | {"entries": [{"hash": good}, {"hash": bad}]}) == ("refused", ["revoked"])
    assert answer(batch | {"entries": [{"hash": bad}]}, rules=None) == ("refused", ["revoked"]), "without rules for it"
    assert answer(batch | {"entries": [{"hash": bad}]}, of=two.issue("R2").text)[0] == "accepted", "another kind"
    assert answer(not_whole) == ("unknown", ["no-status-list"]), "lists that are announced and not there"
    with pytest.raises(NotFound):
        answer()


def test_it_works_from_files_and_from_the_public_name(two: Regions, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    trust.write_bytes(orjson.dumps(bundle_queries.bundle_file(two.pe)))
    text = two.issue().text
    known: dict[str, Any] = {"scene": Scene.TRANSPORT, "at": two.clock()}
    for source in (trust, trust.read_text(), orjson.loads(trust.read_bytes()), read_trust(trust)):
        assert hutong.verify_pass(text, trust=source, **known).answer == "accepted"
    document = shipped_document("scenes/dengue-three-levels", **PERIOD)
    rules = tmp_path / "rules.json"
    rules.write_bytes(orjson.dumps(document))
    as_yaml = yaml.safe_dump(dict(document), allow_unicode=True)
    for given_rules in (document, rules, str(rules), rules.read_text(), rules.read_bytes(), as_yaml):
        answer = verify_pass(text, trust=trust, rules=given_rules, scene="community", at=two.clock())
        assert says(answer) == ("accepted", ["community-level"])
    unusable: list[Any] = [
        [],
        (),
        7,
        {},
        "[]",
        "{}",
        "{",
        "[1]",
        b"",
        b"\xff",
        "\n",
        "{\ud800",
        [document],
        "a\0b",
        object(),
    ]
    for given_rules in unusable:
        with pytest.raises((BadInput, NotFound)):
            verify_pass(text, trust=trust, rules=given_rules, scene="community", at=two.clock())


def test_what_can_not_be_known_is_unknown(two: Regions, new_region: NewNode) -> None:
    text = two.issue().text
    stranger = new_region("xx")
    foreign = pass_actions.issue_pass(stranger, by=LI, person="R1").text
    assert says(two.at_pe(foreign)) == ("unknown", ["no-key"])
    bare = read_trust(bundle_queries.bundle_file(stranger))
    assert verify_pass(text, trust=bare, scene="transport", at=two.clock()).answer == Answer.UNKNOWN
    for shown in ("", "HC1:", "HC1:NCF", "hello", "https://example.org", "shc:/123", b"\xff\xfe", text[:-20], text * 2):
        answer = two.at_pe(shown)
        assert (answer.answer, ids(answer)) == (Answer.UNKNOWN, ["not-understood"]), shown


def test_without_a_crosswalk_a_list_or_rules_it_is_unknown(two: Regions) -> None:
    text = two.issue().text
    whole = read_trust(bundle_queries.bundle_file(two.pe))
    tw = whole.issuers["tw"]

    def ask(**changes: Any) -> tuple[str, list[str]]:
        issuers = {**whole.issuers, "tw": replace(tw, **changes)}
        return says(verify_pass(text, trust=replace(whole, issuers=issuers), scene="transport", at=two.clock()))

    assert ask() == ("accepted", ["transport-level"])
    assert ask(crosswalks=()) == ("unknown", ["no-crosswalk"])
    assert ask(status_lists={}) == ("unknown", ["no-status-list"])
    assert ask(valid_until=two.clock()) == ("unknown", ["issuer-ended"])
    assert ask(keys=replace(tw.keys, keys=())) == ("unknown", ["no-key"])
    without = replace(whole, acceptance=None)
    assert says(verify_pass(text, trust=without, scene="transport", at=two.clock())) == ("unknown", ["no-rules"])


def test_any_moment_has_an_answer_and_nothing_else_is_one(two: Regions) -> None:
    text, trust = two.issue().text, read_trust(bundle_queries.bundle_file(two.pe))
    for year, answer in ((9999, "expired"), (1, "not-yet-valid")):
        at = datetime(year, 12 if year > 1 else 1, 31, 23, 59, 59, tzinfo=UTC)
        assert says(verify_pass(text, trust=trust, scene="transport", at=at)) == ("refused", [answer])
    as_text = verify_pass(text, trust=trust, scene="transport", at=two.clock().isoformat())
    assert as_text == verify_pass(text, trust=trust, scene="transport", at=two.clock())
    without_zone = two.clock().replace(tzinfo=None)
    for at in (without_zone, without_zone.isoformat(), without_zone.isoformat(timespec="minutes") + "Z"):
        assert verify_pass(text, trust=trust, scene="transport", at=at).at == as_text.at.astimezone(UTC)
    beyond = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))
    for none in (
        beyond,
        two.clock().date(),
        "soon",
        1_800_000_000,
        None,
    ):
        with pytest.raises(BadInput, match="is no time"):
            verify_pass(text, trust=trust, scene="transport", at=none)  # type: ignore[arg-type]


def test_lists_grow_old_and_passes_end(two: Regions) -> None:
    issued = two.issue(hours=168)
    text, rest = issued.text, issued.expires_at - two.clock()
    kept = bundle_queries.bundle_file(two.pe)

    def later(**delta: float) -> tuple[str, list[str]]:
        return says(verify_pass(text, trust=kept, scene="transport", at=two.clock() + timedelta(**delta)))

    assert later(hours=23)[0] == "accepted"
    assert later(hours=24, seconds=1) == ("unknown", ["list-too-old"])
    assert later(seconds=rest.total_seconds() - 1) == ("unknown", ["list-too-old"])
    assert later(seconds=rest.total_seconds()) == ("refused", ["expired"])  # at its end it is over
    assert later(minutes=-11) == ("refused", ["not-yet-valid"])
    two.clock.advance(hours=1)
    fresh = bundle_queries.bundle_file(two.pe)  # pe's own bundle is new, what it holds of tw is an hour older
    at = two.clock() + timedelta(hours=23)  # the very end of tw's list
    assert says(verify_pass(text, trust=fresh, scene="transport", at=at)) == ("unknown", ["status-list-too-old"])
    before = two.clock() - timedelta(minutes=30)
    assert says(verify_pass(text, trust=fresh, scene="transport", at=before)) == ("unknown", ["clock-wrong"])


def test_after_the_end_nothing_is_accepted(two: Regions, clock: Clock) -> None:
    """Moving the clock past rulebook and emergency, with the newest bundles that there can be."""
    text = two.issue(hours=168).text
    clock.now = datetime(2026, 3, 31, 1, tzinfo=UTC)
    two.share()
    assert says(two.at_pe(text)) == ("refused", ["expired"])
    claims_still_good = replace(read_trust(bundle_queries.bundle_file(two.pe)))
    assert not any(one.period.holds(clock()) for one in claims_still_good.issuers["tw"].crosswalks)
    clock.now = datetime(2026, 4, 1, tzinfo=UTC)
    assert bundle_queries.trust_snapshot(two.tw).issuers["tw"].crosswalks == ()
    with pytest.raises(Refused):
        two.issue()


def test_when_an_emergency_is_ended_early_its_passes_are_refused_everywhere_at_once(two: Regions) -> None:
    """Before the job that revokes them has run: at the node, at the other region, and there without a network."""
    text = two.issue(hours=48).text
    governance.end_emergency(two.tw, by=two.tw.operator, emergency_id="dengue-2015")
    two.clock.advance(minutes=1)
    own = verify_pass(text, trust=bundle_queries.trust_snapshot(two.tw), scene="transport", at=two.clock())
    assert says(own) == ("refused", ["emergency-ended"])
    assert "ended on 2026-03-01." in own.reasons[0].texts["en"]
    assert "2026-03-01结束" in own.reasons[0].texts["zh"]
    two.share()
    assert says(two.at_pe(text)) == ("refused", ["emergency-ended"])
    kept = bundle_queries.bundle_file(two.pe)
    for hours, answer in ((30, ("refused", ["emergency-ended"])), (65, ("refused", ["expired"]))):
        later = two.clock() + timedelta(hours=hours)
        assert says(verify_pass(text, trust=kept, scene="transport", at=later)) == answer, hours
    before = two.clock() - timedelta(minutes=2)
    assert says(verify_pass(text, trust=kept, scene="transport", at=before)) == ("unknown", ["no-crosswalk"])
    two.clock.advance(days=31)
    assert bundle_queries.trust_snapshot(two.tw).issuers["tw"].ended == ()


def test_a_revoked_pass_is_refused_by_all_and_its_sibling_is_not(two: Regions) -> None:
    fake, sibling = two.issue(), two.issue()
    pass_actions.revoke_pass(two.tw, by=LI, second=WANG, pass_id=fake.pass_id, rule_id="forged", reason="sold")
    assert two.at_pe(fake.text).answer == Answer.ACCEPTED  # pe has not fetched the news yet
    two.share()
    for scene in Scene:
        assert says(two.at_pe(fake.text, scene)) == ("refused", ["revoked"])
    assert two.at_pe(sibling.text).answer == Answer.ACCEPTED
    old = two.clock() + timedelta(hours=23)
    assert ids(verify_pass(fake.text, trust=bundle_queries.bundle_file(two.pe), scene="transport", at=old)) == [
        "revoked"
    ]


def test_a_pass_signed_by_another_party_in_this_partys_name_is_refused(two: Regions) -> None:
    from hutong.passes.credential.level_pass import issue
    from hutong.passes.credential.read import read_pass

    good = read_pass(two.issue().text).claims
    assert good is not None
    forged = issue(good, two.pe.keys.passes, pass_queries.pass_key_id(two.pe))
    assert says(two.at_pe(forged)) == ("refused", ["issuer-mismatch"])
    wrong_key = issue(good, two.pe.keys.passes, pass_queries.pass_key_id(two.tw))
    assert says(two.at_pe(wrong_key)) == ("refused", ["signature-invalid"])


Altered = Callable[[int, int], Verification]


class Shown(NamedTuple):
    """A pass that is accepted at a scene of this trust bundle."""

    text: str
    trust: TrustSnapshot
    at: datetime


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    from hutong.node import init_node

    clock = Clock(datetime(2026, 3, 1, 8, tzinfo=UTC))
    node = init_node(
        tmp_path_factory.mktemp("altered") / "tw",
        node_id="tw",
        name={"en": "T", "zh": "T"},
        territory="TW",
        url="http://127.0.0.1",
        clock=clock,
    )
    regions.fill(node)
    snapshot = bundle_queries.trust_snapshot(node)
    text = pass_actions.issue_pass(node, by=LI, person="R2").text
    assert verify_pass(text, trust=snapshot, scene="medical", at=clock()).answer == Answer.ACCEPTED
    return Shown(text, snapshot, clock())


@pytest.fixture(scope="module")
def altered(signed: Shown) -> Altered:
    """Verifies a pass with one bit of its signed message flipped."""
    message = zlib.decompress(base45.decode(signed.text.removeprefix("HC1:")))

    def flip(position: int, bit: int) -> Verification:
        changed = bytearray(message)
        changed[position % len(message)] ^= 1 << bit
        shown = "HC1:" + base45.encode(zlib.compress(bytes(changed), 9))
        return verify_pass(shown, trust=signed.trust, scene="medical", at=signed.at)

    return flip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_pass_altered_by_one_bit_is_never_accepted(altered: Altered, position: int, bit: int) -> None:
    answer = altered(position, bit)
    assert answer.answer in (Answer.REFUSED, Answer.UNKNOWN)
    assert answer.reasons


def test_ten_thousand_altered_codes_are_never_accepted(signed: Shown) -> None:
    """Bytes changed in the signed message, in what packs it, and characters of the text: each through the verifier."""
    source = Random(7)
    message, packed = hcert.unpack(signed.text), base45.decode(signed.text[4:])
    answers = Counter[str]()
    for number in range(10_000):
        given = (message, packed, signed.text.encode())[number % 3]
        changed = bytearray(given)
        for _ in range(source.randint(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        text = (hcert.pack, lambda data: "HC1:" + base45.encode(data), bytes)[number % 3](bytes(changed))
        found = verify_pass(text, trust=signed.trust, scene="medical", at=signed.at)
        answers[str(found.answer)] += 1
        # What was signed may be packed in more than one way.
        if found.answer == Answer.ACCEPTED:
            assert hcert.unpack(text if isinstance(text, str) else text.decode()) == message
    assert answers["refused"] > 1_000
    assert answers["unknown"] > 1_000
    assert answers["accepted"] < 100


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300) | st.text(alphabet="HC1:0123456789ABCDEF $%*+-./", max_size=300).map("HC1:".__add__))
def test_whatever_is_shown_there_is_an_answer(altered: Altered, text: str) -> None:
    snapshot = TrustSnapshot(
        issuer="x",
        number=1,
        issued_at=datetime(2026, 3, 1, tzinfo=UTC),
        next_update=datetime(2026, 3, 1, 1, tzinfo=UTC),
        max_age=timedelta(hours=24),
        issuers={},
        acceptance=None,
    )
    answer = verify_pass(text, trust=snapshot, scene="medical", at=datetime(2026, 3, 1, 2, tzinfo=UTC))
    assert answer.answer == Answer.UNKNOWN


def test_a_bundle_altered_or_of_another_is_not_read(two: Regions) -> None:
    signed = bundle_queries.pass_bundle(two.tw)
    key = two.tw.keys.public["signing"]
    head, payload, signature = signed.split(".")
    flipped = payload[:100] + ("A" if payload[100] != "A" else "B") + payload[101:]
    with pytest.raises(HutongError):
        read_bundle(f"{head}.{flipped}.{signature}", issuer_key=key)
    with pytest.raises(Tampered):
        read_bundle(signed, issuer_key=two.pe.keys.public["signing"])
    with pytest.raises(BadInput):
        read_bundle(governance_queries.signed_trust_list(two.tw), issuer_key=key)
    for source in ({"signed": signed}, "[]", "{no json", {"key": key}, 5):
        with pytest.raises(BadInput):
            read_trust(source)
    for nowhere in (Path("/nowhere/trust.json"), "/nowhere/trust.json", "no json"):
        with pytest.raises(NotFound):
            read_trust(nowhere)
    with pytest.raises(LimitExceeded):
        read_trust("x" * (34 * 2**20))
    with pytest.raises(BadInput, match="is no time"):
        verify_pass("", trust=bundle_queries.bundle_file(two.tw), scene="border", at="2026-03-01T00:00Zulu")


@pytest.mark.parametrize("what", ["crosswalks", "status_lists"])
def test_nobody_can_put_words_into_another_partys_mouth(two: Regions, what: str) -> None:
    """pe's own bundle with pe's crosswalk or status list under tw's name: the signature inside does not fit."""
    payload = read_unverified_bundle(bundle_queries.pass_bundle(two.pe))
    payload[what]["tw"] = payload[what]["pe"]
    forged = sign_bundle(payload, key=two.pe.keys.signing, kid="pe")
    with pytest.raises(Tampered):
        read_bundle(forged, issuer_key=two.pe.keys.public["signing"])


@pytest.mark.parametrize(
    "change",
    [
        {"parties": None},
        {"parties": [{}]},
        {"crosswalks": []},
        {"number": "x"},
        {"issued_at": "2026-03-01T00:00:00"},
        {"max_age_hours": None},
        {"acceptance": {"id": "x"}},
        {"status_lists": {"pe": ["not base64!"]}},
        {"crosswalks": {"pe": ["x"] * 60}},
        {"status_lists": {"pe": ["x"] * 1025}},
    ],
)
def test_a_bundle_that_is_misstated_is_refused(two: Regions, change: dict[str, Any]) -> None:
    payload = read_unverified_bundle(bundle_queries.pass_bundle(two.pe))
    forged = sign_bundle({**payload, **change}, key=two.pe.keys.signing, kid="pe")
    with pytest.raises((BadInput, LimitExceeded)):
        read_bundle(forged, issuer_key=two.pe.keys.public["signing"])


def test_adopting_a_bundle(two: Regions, records: str, new_node: NewNode) -> None:
    old = bundle_queries.pass_bundle(two.tw)
    two.issue()
    two.share()
    for signed, party, error in (
        (old, "tw", Conflict),
        (bundle_queries.pass_bundle(two.pe), "tw", Tampered),
        (bundle_queries.pass_bundle(two.tw), "xx", NotFound),
        (bundle_queries.pass_bundle(two.pe), "pe", BadInput),
    ):
        with pytest.raises(error):
            bundle_actions.adopt_party_bundle(two.pe, by=MARIA, party_id=party, signed=signed)
    before = two.pe.log.size()
    two.share()
    assert two.pe.log.size() == before  # nothing new, nothing to tell
    with pytest.raises(Refused):
        bundle_actions.adopt_party_bundle(two.pe, by=regions.STEWARD, party_id="tw", signed=old)
    stale = bundle_queries.pass_bundle(two.tw)
    two.clock.advance(hours=25)
    with pytest.raises(Conflict, match="too far"):
        bundle_actions.adopt_party_bundle(two.pe, by=MARIA, party_id="tw", signed=stale)


def test_a_verifying_region_fetches_the_news_over_http(new_node: NewNode, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        tw = new_node("tw", url=f"http://127.0.0.1:{listening.getsockname()[1]}")
        pe = new_node("pe")
        regions.fill(tw)
        introduce(tw, pe)
        text = pass_actions.issue_pass(tw, by=LI, person="R2").text
        rules = shipped_document("scenes/dengue-four-levels", **PERIOD)

        def ask() -> tuple[str, list[str]]:
            return says(
                verify_pass(text, trust=bundle_queries.trust_snapshot(pe), rules=rules, scene="school", at=clock())
            )

        assert ask() == ("unknown", ["no-status-list"])
        with served(create_app(tw), listening):
            fetched = bundle_actions.fetch_party_bundle(pe, by=MARIA, party_id="tw")
        assert fetched.issuer == "tw"
        assert ask() == ("accepted", ["school-level"])
        with pytest.raises(Unavailable):
            bundle_actions.fetch_party_bundle(pe, by=MARIA, party_id="tw")
        assert ask() == ("accepted", ["school-level"])


def test_the_bundle_of_a_node_alone_holds_itself(new_node: NewNode, clock: Clock) -> None:
    node: Node = new_node("tw")
    snapshot = bundle_queries.trust_snapshot(node)
    assert (list(snapshot.issuers), snapshot.acceptance) == (["tw"], None)
    regions.fill(node)
    assert clock().date() > AS_OF
    later = bundle_queries.trust_snapshot(node)
    assert later.number > snapshot.number
    assert [one.id for one in later.issuers["tw"].crosswalks] == ["dengue-3-crosswalk"]
