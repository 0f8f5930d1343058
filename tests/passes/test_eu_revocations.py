"""The EU's revocation lists at a node: imported, in its bundle and the deltas of it, and gone when they are dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, NotFound, Refused
from hutong.node import Node
from hutong.passes.credential.dcc_revocation import RevocationLists
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import delta as trust_delta
from hutong.passes.trust_bundle import envelope, eu_actions, eu_queries, eu_revocations
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.trust_bundle import open_bundle, read_bundle
from tests.cli.conftest import CommandLine
from tests.conftest import Clock
from tests.passes.credential.test_dcc_revocation import HASHES, OTHER, TEXT, batch, list_of, partition, write
from tests.passes.region import LI

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
    refused = hutong("trust", "drop-revocations", *at, "--json")
    assert refused.code == NotFound.exit_code
    assert issubclass(NotFound, HutongError)
