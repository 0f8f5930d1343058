"""Three ways to live with many codes: keep one's own and recognise, convert through a hub, adopt the hub's rulebook."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from fastapi.testclient import TestClient

from hutong.errors import BadInput, Refused
from hutong.governance import actions as governance
from hutong.node import Node
from hutong.passes.credential import hcert
from hutong.passes.credential.level_pass import LevelPass
from hutong.passes.credential.read import read_pass
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import batch_actions, key_actions, renewal_actions
from hutong.passes.issuance import queries as pass_queries
from hutong.passes.level import actions as level_actions
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.recognition import queries as recognition_queries
from hutong.passes.recognition.conversion_actions import convert_pass
from hutong.passes.recognition.matrix_queries import matrix
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verdict import Answer
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.sunset import actions as sunset_actions
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.trust.authorisation import Actor
from hutong.web.app import create_app
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import FROM, LI, TO, WANG

PERIOD = {"valid_from": FROM, "valid_to": TO}
HU = Actor("hu", "account", frozenset({"authority"}), "cn")
BO = Actor("bo", "account", frozenset({"authority"}), "cn")
MARIA = Actor("maria", "account", frozenset({"authority"}), "pe")
JOSE = Actor("jose", "account", frozenset({"authority"}), "pe")
CLERK = Actor("clerk", "account", frozenset({"resident"}), "cn")


class Hub:
    """tw issues by three levels; the hub cn has four levels and lists tw and pe; pe has no rules of its own."""

    def __init__(self, new_region: NewNode, new_node: NewNode) -> None:
        self.tw, self.pe, self.cn = new_region("tw"), new_node("pe"), new_node("cn")
        for node in (self.pe, self.cn):
            regions.declare(node)
        both: dict[str, Any] = {"by": HU, "second": BO}
        four = "dengue-four-levels"
        rulebook_actions.publish_rulebook(self.cn, **both, document=shipped_document(four, **PERIOD))
        recognition_actions.publish_crosswalk(
            self.cn, **both, document=shipped_document(f"crosswalks/{four}", **PERIOD)
        )
        recognition_actions.publish_acceptance(self.cn, **both, document=shipped_document(f"scenes/{four}", **PERIOD))
        parties = [governance.describe_self(node, kind="region") for node in (self.tw, self.pe, self.cn)]
        signed = governance.publish_trust_list(self.cn, by=self.cn.operator, parties=parties)
        for node in (self.tw, self.pe):
            governance.adopt_trust_list(
                node, by=node.operator, signed=signed, issuer_key=self.cn.keys.public["signing"]
            )
        self.share(self.tw, self.cn, HU)
        self.share(self.cn, self.pe, MARIA)

    def share(self, issuer: Node, reader: Node, by: Actor) -> None:
        bundle_actions.adopt_party_bundle(reader, by=by, party_id=issuer.id, signed=bundle_queries.pass_bundle(issuer))

    def convert(self, issued: pass_actions.IssuedPass, **changes: Any) -> Any:
        given = {"text": issued.text, "holder_secret": issued.holder_secret, "rulebook_id": "dengue-4", **changes}
        return convert_pass(self.cn, **{"by": HU, **given})


@pytest.fixture
def hub(new_region: NewNode, new_node: NewNode) -> Hub:
    return Hub(new_region, new_node)


def issue(hub: Hub, person: str, hours: int = 24) -> pass_actions.IssuedPass:
    return pass_actions.issue_pass(hub.tw, by=LI, person=person, hours=hours)


def at(node: Node, text: str, scene: str = "transport") -> tuple[str, str | None]:
    found = verify_pass(text, trust=bundle_queries.bundle_file(node), scene=scene, at=node.clock())
    return found.answer, found.level


def test_one_keep_the_local_code_and_recognise(hub: Hub) -> None:
    assert at(hub.cn, issue(hub, "R2").text) == ("accepted", "low")
    assert at(hub.cn, issue(hub, "R6").text) == ("refused", "high")


def test_two_convert_through_the_hub(hub: Hub, clock: Clock) -> None:
    shown = issue(hub, "R2", hours=5)
    made = hub.convert(shown)
    assert (made.level, made.rulebook, made.version) == ("low", "dengue-4", "1.1.0")
    assert made.origin == "tw dengue-3@1.1.0 low"
    assert made.expires_at == shown.expires_at
    read = read_pass(made.text, keys=[hub.cn.keys.pass_certificate])
    assert (read.issuer, read.signature_valid, read.payload["facts"]) == ("cn", True, {"origin": made.origin})
    assert "tw" not in str(read_pass(made.text.partition("~")[0], keys=[hub.cn.keys.pass_certificate]).payload)
    assert at(hub.cn, made.text) == ("accepted", "low")
    # pe knows the hub only: the original is unknown to it, and the converted pass is not.
    hub.share(hub.cn, hub.pe, MARIA)
    rules = shipped_document("scenes/dengue-four-levels", **PERIOD)
    here = {"trust": bundle_queries.bundle_file(hub.pe), "rules": rules, "scene": "transport", "at": clock()}
    assert verify_pass(shown.text, **here).answer == "unknown"
    assert verify_pass(made.text, **here).answer == "accepted"
    (entry,) = hub.cn.log.entries(kind="pass.converted", limit=5)
    assert entry.event["origin"] == "tw"
    assert made.pass_id not in str([entry.event for entry in hub.cn.log.entries(limit=500)])
    record = pass_queries.pass_record(hub.cn, made.pass_id)
    assert record.level == "low"


def test_a_converted_pass_ends_with_its_emergency_and_is_told_when_its_key_is_lost(hub: Hub) -> None:
    made = hub.convert(issue(hub, "R2", hours=168))
    assert sunset_actions.end_what_is_over(hub.cn, by=hub.cn.operator) == ()
    key_id = hub.cn.keys.pass_key_id
    other = hub.convert(issue(hub, "R7", hours=168))
    key_actions.end_pass_key(hub.cn, by=HU, second=BO, key_id=key_id)
    found = batch_actions.reissue_passes(hub.cn, by=HU, key_id=key_id)
    assert (found.passes, found.left, found.converted) == ((), 0, 2)
    last = hub.convert(issue(hub, "R2", hours=168))
    governance.end_emergency(hub.cn, by=HU, emergency_id="dengue-2015")
    (done,) = sunset_actions.end_what_is_over(hub.cn, by=hub.cn.operator)
    assert done.counts["issued_pass"] == 1
    rules = [pass_queries.pass_record(hub.cn, one.pass_id).revoked_by_rule for one in (made, other, last)]
    assert rules == ["key-compromised", "key-compromised", "emergency-over"]
    assert sunset_actions.end_what_is_over(hub.cn, by=hub.cn.operator) == ()


FIVE = ("low", "watch", "medium", "high", "severe")
"""Level codes of a rulebook of five, and each one's place on the common scale."""
SCALE_OF = {"low": "low", "watch": "low", "medium": "medium", "high": "medium", "severe": "high"}
BY_RULE = {"case-0-7": "severe", "test-0-7": "severe", "contact": "watch"}


def five_levels() -> tuple[dict[str, Any], dict[str, Any]]:
    """The shipped rules of three levels spread over five, and their crosswalk."""
    book = dict(shipped_document("dengue-three-levels", **PERIOD))
    meaning = {"en": "A level.", "zh": "一个等级。"}
    rules = [rule | {"level": BY_RULE.get(rule["id"], rule["level"])} for rule in book["rules"]]
    tests = [
        {"name": "a recent test", "facts": {"days_since_positive_test": 0}, "level": "severe", "rules": ["test-0-7"]},
        {"name": "a case at home", "facts": {"contact_of_case": True}, "level": "watch", "rules": ["contact"]},
    ]
    levels = [{"code": code, "meaning": meaning} for code in FIVE]
    book |= {"id": "dengue-5", "version": "1.0.0", "levels": levels, "rules": rules, "tests": tests}
    walk = dict(shipped_document("crosswalks/dengue-three-levels", **PERIOD))
    entries = [
        {"code": code, "scale": SCALE_OF[code], "reasons": ["clinical", "area"], "meaning": meaning} for code in FIVE
    ]
    walk |= {"id": "dengue-5-crosswalk", "rulebook": "dengue-5", "levels": entries}
    return book, walk | {"from_scale": {"low": "low", "medium": "medium", "high": "severe"}}


def test_five_levels_are_issued_and_read_on_the_scale_of_three(hub: Hub, clock: Clock) -> None:
    book, walk = five_levels()
    rulebook_actions.publish_rulebook(hub.tw, by=LI, second=WANG, document=book)
    recognition_actions.publish_crosswalk(hub.tw, by=LI, second=WANG, document=walk)
    level_actions.decide_levels(hub.tw, by=LI, rulebook_id="dengue-5", as_of=regions.AS_OF)
    hub.share(hub.tw, hub.cn, HU)
    found = {}
    for person in ("R2", "R8", "R1", "R5", "R6"):
        issued = issue(hub, person)
        checked = verify_pass(
            issued.text, trust=bundle_queries.bundle_file(hub.cn), scene="transport", at=hub.cn.clock()
        )
        assert SCALE_OF[issued.level] == checked.scale and issued.severity == FIVE.index(issued.level)
        found[person] = (issued.level, checked.answer, hub.convert(issued).level)
    assert found == {
        "R2": ("low", "accepted", "low"),
        "R8": ("watch", "accepted", "low"),
        "R1": ("medium", "accepted", "guarded"),
        "R5": ("high", "accepted", "guarded"),
        "R6": ("severe", "refused", "high"),
    }


def test_nothing_but_the_day_tells_two_passes_of_one_person(hub: Hub, clock: Clock) -> None:
    """Issued, in a batch, renewed, issued again and converted, at any time of the day, of several persons."""
    made: dict[str, list[tuple[str, str]]] = {"tw": [], "again": [], "cn": []}
    issued = []
    for number, minute in enumerate((1, 437, 803, 1322)):
        clock.now = datetime(2026, 3, 3, tzinfo=UTC) + timedelta(minutes=minute, seconds=17 * number)
        for person in ("R2", "R7"):  # one level, two persons
            one = pass_actions.issue_pass(hub.tw, by=LI, person=person)
            renewed = renewal_actions.renew_pass(hub.tw, by=LI, pass_id=one.pass_id)
            (other,) = batch_actions.issue_batch(hub.tw, by=LI, persons=[person]).passes
            made["tw"] += [(person, text) for text in (one.text, renewed.text, other.text)]
            hub.share(hub.tw, hub.cn, HU)
            made["cn"].append((person, hub.convert(one).text.partition("~")[0]))
            issued.append(one)
    assert {one.issued_at for one in issued} == {datetime(2026, 3, 3, tzinfo=UTC)}
    key_id = hub.tw.keys.pass_key_id
    key_actions.end_pass_key(hub.tw, by=LI, second=WANG, key_id=key_id)
    clock.now = datetime(2026, 3, 4, 9, 41, 12, tzinfo=UTC)
    again = batch_actions.reissue_passes(hub.tw, by=LI, key_id=key_id).passes
    made["again"] = [(one.person, one.text) for one in again]
    assert {len(texts) for texts in made.values()} == {24, 8}
    for texts in made.values():
        seen = [claims_of(text) for _, text in texts]
        shared = {(header, claims.issuer, claims.issued_at, claims.expires_at, claims.level) for header, claims in seen}
        assert len(shared) == 1, "what two passes of one person share, all passes of the day do"
        for own in ("pass_id", "status_index", "commitment"):
            assert len({getattr(claims, own) for _, claims in seen}) == len(seen)
    digests = [digest for _, text in made["cn"] for digest in claims_of(text)[1].digests]
    assert len(set(digests)) == len(digests) == 8


def claims_of(text: str) -> tuple[bytes, LevelPass]:
    """Both headers of a pass as they stand in it, and what it says."""
    message = cbor2.loads(hcert.unpack(text)).value
    claims = read_pass(text).claims
    assert claims is not None
    return message[0] + cbor2.dumps(message[1]), claims


def test_conversion_has_a_door(hub: Hub) -> None:
    client = TestClient(create_app(hub.cn), base_url="http://node.test")
    governance.create_account(
        hub.cn, by=hub.cn.operator, name="hu", display_name="Hu", roles=frozenset({"authority"}), password="p" * 20
    )
    token = governance.create_token(hub.cn, by=hub.cn.operator, account_name="hu", label="test")
    shown = issue(hub, "R2")
    order = {"text": shown.text, "holder_secret": shown.holder_secret, "rulebook": "dengue-4", "hours": 5}
    assert client.post("/api/passes/conversion", json=order).status_code == 403
    header = {"Authorization": f"Bearer {token}"}
    made = client.post("/api/passes/conversion", json=order, headers=header)
    assert made.status_code == 201
    assert (made.json()["level"], made.json()["origin"]) == ("low", "tw dengue-3@1.1.0 low")
    assert "<svg" in made.json()["qr_svg"]
    assert at(hub.cn, made.json()["text"]) == ("accepted", "low")
    for wrong, status in ((("rulebook", "none"), 404), (("holder_secret", "?"), 422), (("text", "HC1:x"), 403)):
        answer = client.post("/api/passes/conversion", json={**order, wrong[0]: wrong[1]}, headers=header)
        assert answer.status_code == status, wrong


@pytest.mark.parametrize(("person", "level"), [("R2", "low"), ("R1", "medium"), ("R6", "high")])
def test_conversion_never_raises_nor_forgets_a_level(hub: Hub, person: str, level: str) -> None:
    made = hub.convert(issue(hub, person))
    walks = {one.rulebook: one for one in recognition_queries.crosswalks(hub.cn)}
    assert walks["dengue-4"].to_scale(made.level) == level


def test_what_is_not_converted(hub: Hub, clock: Clock) -> None:
    issued = issue(hub, "R2")
    other = issue(hub, "R1")
    with pytest.raises(Refused, match="not its holder"):
        hub.convert(issued, holder_secret=other.holder_secret)
    with pytest.raises(Refused):
        hub.convert(issued, by=CLERK)
    with pytest.raises(BadInput):
        hub.convert(issued, hours=0)
    with pytest.raises(Refused, match="can't be converted"):
        hub.convert(issued, text=issued.text[:-3] + "ABC")
    with pytest.raises(Refused, match="of this node itself"):
        own = hub.convert(issued)
        hub.convert(replace(issued, text=own.text, holder_secret=own.holder_secret))
    pass_actions.revoke_pass(
        hub.tw, by=LI, second=regions.WANG, pass_id=issued.pass_id, rule_id="forged", reason="A copy was sold."
    )
    hub.share(hub.tw, hub.cn, HU)
    with pytest.raises(Refused, match="revoked"):
        hub.convert(issued)
    clock.now += timedelta(hours=41)
    with pytest.raises(Refused, match="expired"):
        hub.convert(other)


def test_three_adopt_the_hubs_rulebook(hub: Hub) -> None:
    document = rulebook_queries.rulebook(hub.cn, "dengue-4").document
    adopted = rulebook_actions.publish_rulebook(hub.pe, by=MARIA, second=JOSE, document=document)
    assert adopted.hash == rulebook_queries.rulebook(hub.cn, "dengue-4").hash
    assert adopted == rulebook_queries.rulebook(hub.pe, "dengue-4")


def test_the_matrix_of_the_trust_list(hub: Hub) -> None:
    found = matrix(hub.cn, Scene.TRANSPORT)
    assert found.parties == ("cn", "pe", "tw")
    cells = {(cell.issuer, cell.verifier): cell for cell in found.cells}
    assert len(cells) == len(found.cells) == 9
    assert cells["tw", "cn"].answers["low"] is Answer.ACCEPTED
    assert cells["tw", "cn"].answers["high"] is Answer.REFUSED
    assert (cells["cn", "tw"].rulebook, cells["cn", "tw"].in_one_word) == ("dengue-4", "accepted")
    assert {cells["pe", one].reason for one in found.parties} == {"no-crosswalk"}
    assert {cells[one, "pe"].reason for one in ("cn", "tw")} == {"no-rules"}
    assert cells["tw", "pe"].in_one_word == "unknown"


def test_the_matrix_has_a_door(hub: Hub) -> None:
    client = TestClient(create_app(hub.cn), base_url="http://node.test")
    given = client.get("/api/passes/recognition-matrix", params={"scene": "school"})
    assert given.status_code == 200
    assert given.json()["parties"] == ["cn", "pe", "tw"]
    assert len(given.json()["cells"]) == 9
    assert client.get("/api/passes/recognition-matrix", params={"scene": "moon"}).status_code == 422
