"""The EU's lists at a node: imported, in its bundle and the deltas of it, and gone when they are dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, NotFound, Refused
from hutong.node import Node
from hutong.passes.credential import cbor, cose, dsc_list, hcert
from hutong.passes.credential.certificates import key_id_of
from hutong.passes.credential.dcc_revocation import RevocationLists
from hutong.passes.documents import shipped_document
from hutong.passes.recognition import matrix_queries as recognition_matrix
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import delta as trust_delta
from hutong.passes.trust_bundle import envelope, eu_actions, eu_keys, eu_queries, eu_revocations
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.trust_bundle import open_bundle, read_bundle
from tests.cli.conftest import CommandLine
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.credential.test_dcc_revocation import HASHES, OTHER, TEXT, batch, list_of, partition, write
from tests.passes.credential.test_dsc_list import gateway, made
from tests.passes.region import LI
from tests.passes.test_eu_rules import rule, section
from tests.passes.test_verification import MARIA, Regions

ANOTHER = "YW5vdGhlciE="


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lists = tmp_path / "lists"
    lists.mkdir()
    return write(lists, a=batch(*HASHES["identifier"]), b=batch("UCI", OTHER, kid=ANOTHER))


def imported(node: Node, folder: Path, **given: object) -> eu_queries.HeldRevocations:
    return eu_actions.import_revocations(node, by=LI, lists=RevocationLists.load(folder), **given)  # type: ignore[arg-type]


def test_what_is_imported_is_in_the_bundle_under_its_signature(node: Node, clock: Clock, folder: Path) -> None:
    assert bundle_queries.trust_snapshot(node).eu_revocations is None
    held = imported(node, folder, as_of=clock() - timedelta(hours=1), max_age_hours=24)
    assert (held.keys, held.hashes, held.slices, held.incomplete) == (2, 2, 0, 0)
    assert held.good_until == clock() + timedelta(hours=23)
    event = node.log.entries(kind="dcc-revocations.imported", limit=1)[0].event
    assert (event["keys"], event["hashes"], event["as_of"]) == (2, 2, "2026-03-01T07:00:00+00:00")
    text = bundle_queries.pass_bundle(node)
    key = dict(node.keys.public["signing"])
    snapshot = read_bundle(text, issuer_key=key)
    assert snapshot.eu_revocations is not None
    assert snapshot.eu_revocations.lists == RevocationLists.load(folder)
    signed, *attached = text.split("~")
    parts = set(eu_revocations.write_parts(snapshot.eu_revocations.lists))
    assert parts <= set(attached)
    for without in parts:
        with pytest.raises(Conflict):
            open_bundle("~".join([signed, *(one for one in attached if one != without)]), issuer_key=key)
    assert bundle_queries.bundle_load(node).size_bytes == len(text)


def test_verifiers_are_sent_only_what_is_new(node: Node, clock: Clock, folder: Path) -> None:
    imported(node, folder)
    clock.advance(minutes=10)
    first = bundle_queries.pass_payload(node)
    whole, since = bundle_queries.pass_bundle(node), clock()
    assert "~" not in bundle_queries.pass_bundle(node, since).partition("~")[2]  # the status list changes hourly alone
    clock.advance(minutes=10)
    write(folder, b=batch("UCI", OTHER, b"1" * 16, kid=ANOTHER))
    imported(node, folder)
    news = bundle_queries.pass_bundle(node, since)
    new_part = set(bundle_queries.pass_payload(node)["dcc_revocations"]["lists"]) - set(
        first["dcc_revocations"]["lists"]
    )
    assert len(new_part) == 1
    assert set(news.split("~")[1:]) == new_part
    assert envelope.complete(news, whole) == bundle_queries.pass_bundle(node)
    signed = bundle_queries.bundle_delta(node, first["number"])
    delta = trust_delta.apply_delta(first, signed, issuer_key=node.keys.public["signing"])
    assert delta == bundle_queries.pass_payload(node)
    quiet = bundle_queries.bundle_delta(node, delta["number"], since)
    assert "~" not in quiet


def test_lists_of_an_earlier_time_or_another_form_are_refused(
    node: Node, clock: Clock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(node, folder)
    size = node.log.size()
    with pytest.raises(Conflict, match="later time"):
        imported(node, folder, as_of=clock() - timedelta(minutes=1))
    with pytest.raises(Conflict, match="older than they may grow"):
        imported(node, folder, as_of=clock() - timedelta(hours=49))
    for wrong in (
        {"as_of": clock() + timedelta(minutes=6)},
        {"as_of": clock().replace(tzinfo=None)},
        {"max_age_hours": 0},
        {"max_age_hours": 169},
    ):
        with pytest.raises(BadInput):
            imported(node, folder, **wrong)
    for limit in ("MAX_PARTS", "MAX_CHARACTERS"):
        with monkeypatch.context() as patch, pytest.raises(LimitExceeded):
            patch.setattr(eu_revocations, limit, 1)
            imported(node, folder)
    with pytest.raises(Refused):
        resident = replace(LI, roles=frozenset({"resident"}))
        eu_actions.import_revocations(node, by=resident, lists=RevocationLists.load(folder))
    assert node.log.size() == size


def test_old_lists_are_told_to_the_operator(node: Node, clock: Clock, folder: Path) -> None:
    imported(node, folder)
    bundle_actions.watch_bundle(node, by=LI)
    clock.advance(hours=48, seconds=1)
    with pytest.raises(Conflict, match="too old: its certificates are unknown"):
        bundle_actions.watch_bundle(node, by=LI)
    eu_actions.drop_revocations(node, by=LI)
    bundle_actions.watch_bundle(node, by=LI)
    assert bundle_queries.trust_snapshot(node).eu_revocations is None
    assert node.log.entries(kind="dcc-revocations.dropped", limit=1)
    with pytest.raises(NotFound):
        eu_actions.drop_revocations(node, by=LI)


def test_lists_given_beside_those_in_the_bundle_count_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    content = list_of(b"3" * 16)
    more = write(
        tmp_path / "more",
        a=batch("UCI", b"2" * 16),
        b=batch("SIGNATURE", b"2" * 16, kid=ANOTHER),
        c=partition(content, kind="VARHASHLIST"),
    )
    one, other = RevocationLists.load(folder), RevocationLists.load(more)
    both = one.beside(other)
    assert both.hashes == 4
    assert both.listed == other.beside(one).listed
    assert (both.slices, both.incomplete) == (other.slices, other.incomplete)
    assert len(both.incomplete) == 1


def test_imported_signers_are_parties_of_the_bundle_until_their_end(node: Node, clock: Clock) -> None:
    dsc, other = made("signer", by="authority"), made("other", "XB")
    signers = dsc_list.read([orjson.dumps([gateway(dsc), gateway(other, country="XB")])]).signers
    signers += dsc_list.read(
        [orjson.dumps({dsc.kid: [{"subjectPk": other.spki, "keyUsage": ["t"]}]})], country="XA"
    ).signers
    before = bundle_queries.pass_payload(node)
    held = eu_actions.import_keys(node, by=LI, signers=signers)
    assert (held.by_country, held.valid_until) == ({"XA": 2, "XB": 1}, clock() + timedelta(days=30))
    payload = bundle_queries.pass_payload(node)
    signed = bundle_queries.bundle_delta(node, before["number"])
    assert trust_delta.apply_delta(before, signed, issuer_key=node.keys.public["signing"]) == payload
    text = certificate_of(dsc.key, key_id_of(dsc.der), clock())
    trust = bundle_queries.trust_snapshot(node)
    assert set(trust.issuers) == {"tw", "eu-dcc-xa", "eu-dcc-xb"}
    rules = shipped_document("scenes/dengue-three-levels", valid_from=regions.FROM, valid_to=regions.TO)
    rules |= {"eu_dcc": section(rule(Logic=True, ValidTo="2150-01-01T00:00:00Z"), scenes=["border"])}

    def ask() -> tuple[str, str]:
        snapshot = bundle_queries.trust_snapshot(node)
        found = verify_pass(text, trust=snapshot, rules=rules, scene="border", at=clock())
        return str(found.answer), found.reasons[0].rule_id

    assert ask() == ("accepted", "VR-XA-0001")
    clock.advance(days=30)
    assert ask() == ("refused", "certificate-expired")  # its key's certificate is over, too
    with pytest.raises(Conflict, match="to be trusted until"):
        bundle_actions.watch_bundle(node, by=LI)
    eu_actions.drop_keys(node, by=LI)
    bundle_actions.watch_bundle(node, by=LI)
    assert ask() == ("unknown", "no-key")
    with pytest.raises(NotFound):
        eu_actions.drop_keys(node, by=LI)


def test_what_a_party_imported_stays_with_it(
    new_region: NewNode, new_node: NewNode, clock: Clock, folder: Path
) -> None:
    """Who follows it keeps what it says of itself, under its signature, and neither lists nor signers of the EU."""
    two = Regions(new_region, new_node, clock)
    imported(two.tw, folder)
    signers = dsc_list.read([orjson.dumps([gateway(made("signer", by="authority"))])]).signers
    eu_actions.import_keys(two.tw, by=LI, signers=signers)
    for node in (two.tw, two.pe):
        assert recognition_matrix.matrix(node, Scene.TRANSPORT).parties == ("pe", "tw")
    signed = bundle_queries.pass_bundle(two.tw)
    bundle_actions.adopt_party_bundle(two.pe, by=MARIA, party_id="tw", signed=signed)
    kept = bundle_queries.adopted_bundles(two.pe)["tw"]
    parts = set(bundle_queries.pass_payload(two.tw)["dcc_revocations"]["lists"])
    assert parts <= set(signed.split("~"))
    assert parts.isdisjoint(kept.split("~"))
    assert kept.split("~")[0] == signed.split("~")[0]
    snapshot = bundle_queries.trust_snapshot(two.pe)
    assert (set(snapshot.issuers), snapshot.eu_revocations) == ({"tw", "pe"}, None)
    assert len(snapshot.issuers["tw"].status_lists) == 1
    assert envelope.complete(signed.split("~")[0], kept, eu_lists=False) == kept
    with pytest.raises(Conflict):  # a verifier's own bundle must be whole
        envelope.complete(signed.split("~")[0], kept)


def test_keys_that_are_too_many_or_trusted_too_long_are_refused(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    signers = dsc_list.read([orjson.dumps([gateway(made("signer", by="authority"))])]).signers
    for days in (0, 367):
        with pytest.raises(BadInput):
            eu_actions.import_keys(node, by=LI, signers=signers, days=days)
    with pytest.raises(BadInput):
        eu_actions.import_keys(node, by=LI, signers=())
    with pytest.raises(Refused):
        eu_actions.import_keys(node, by=replace(LI, roles=frozenset({"resident"})), signers=signers)
    monkeypatch.setattr(eu_keys, "MAX_CHARACTERS", 100)
    with pytest.raises(LimitExceeded):
        eu_actions.import_keys(node, by=LI, signers=signers)
    assert eu_queries.held_keys(node) is None


def certificate_of(key: ec.EllipticCurvePrivateKey, key_id: bytes, now: datetime) -> str:
    content = {"ver": "1.3.0", "v": [{"dn": 1, "sd": 1}]}
    stamp = int(now.timestamp())
    body = {1: "XA", 4: stamp + 90 * 86_400, 6: stamp, -260: {1: content}}
    return hcert.pack(cose.Signer(key, key_id).sign(cbor.dumps(body)))


def test_the_commands(node: Node, folder: Path) -> None:
    hutong = CommandLine()
    place = node.settings.folder
    at = ("--node", place)
    told = hutong.ok("trust", "import-revocations", folder, "--max-age-hours", "100", *at)
    assert (told["keys"], told["hashes"], told["signatures_checked"]) == (2, 2, False)
    assert "Their signatures were not checked." in hutong("trust", "import-revocations", folder, *at).out
    assert hutong.ok("keys", "revocations", *at)["eu_lists"]["keys"] == 2
    assert "Revocation lists of the EU as of" in hutong("keys", "revocations", *at).out
    trust = folder.parent / "trust.json"
    hutong.ok("trust", "export", trust, *at)
    assert hutong.ok("pass", "verify", TEXT, "--scene", "border", "--trust", trust)["answer"] == "unknown"
    assert hutong.ok("trust", "drop-revocations", *at)["dropped"] is True
    dsc, authority = made("signer", by="authority"), folder.parent / "authority.der"
    authority.write_bytes(made("authority").der)
    keys = folder.parent / "keys.json"
    keys.write_bytes(orjson.dumps([gateway(dsc), gateway(dsc, kid="AAAA")]))
    told = hutong.ok("trust", "import-keys", keys, "--authority", authority, *at)
    assert (told["by_country"], told["chained"], told["list_signature_checked"]) == ({"XA": 1}, 1, False)
    assert (len(told["not_checked"]), told["skipped"][0]["key"]) == (2, "AAAA")
    said = hutong("trust", "import-keys", keys, *at).out
    assert "Trusts 1 keys of 1 countries until" in said
    assert said.count("Not checked: ") == 3
    assert hutong("trust", "import-keys", keys, "--country", "X1", *at, "--json").code == BadInput.exit_code
    assert hutong("trust", "import-keys", keys, "--signer", authority, *at, "--json").code == BadInput.exit_code
    assert hutong.ok("trust", "drop-keys", *at)["dropped"] is True
    refused = hutong("trust", "drop-revocations", *at, "--json")
    assert refused.code == NotFound.exit_code
    assert issubclass(NotFound, HutongError)


def test_a_list_that_names_nobody_is_a_list_of_its_key_in_the_bundle_too() -> None:
    lists = RevocationLists({bytes(8): {}}, {}, frozenset())
    assert eu_revocations.read_parts(eu_revocations.write_parts(lists)) == lists
    only_announced = RevocationLists({}, {}, frozenset({bytes(8)}))
    assert eu_revocations.read_parts(eu_revocations.write_parts(only_announced)) == only_announced
