"""The page of keys and revocations: for authorities and auditors, in two languages, and nothing about a holder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from fastapi.testclient import TestClient

from hutong.governance import actions as governance
from hutong.node import Node
from hutong.passes.credential import dsc_list
from hutong.passes.credential.dcc_revocation import RevocationLists
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import key_actions
from hutong.passes.trust_bundle import eu_actions
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.composition import LeftOut
from hutong.web.api.pass_keys import BundleLoad
from hutong.web.app import create_app
from hutong.web.doors import SESSION_COOKIE
from tests.conftest import Clock
from tests.passes import region
from tests.passes.credential.test_dcc_revocation import OTHER, batch, write
from tests.passes.credential.test_dsc_list import gateway, made
from tests.passes.region import LI, WANG

PASSWORD = "a long enough phrase"
PAGE_BYTES = 60_000


@pytest.fixture
def door(node: Node) -> Iterator[TestClient]:
    for role in ("authority", "auditor", "steward", "resident"):
        roles = frozenset({role})
        governance.create_account(node, by=node.operator, name=role, display_name=role, roles=roles, password=PASSWORD)
    yield TestClient(create_app(node), follow_redirects=False)


def look(node: Node, door: TestClient, who: str, language: str = "en") -> tuple[int, str]:
    door.cookies.clear()
    if who:
        session = governance.sign_in(node, name=who, password=PASSWORD, address="192.0.2.1")
        door.cookies.set(SESSION_COOKIE, session.secret)
    answer = door.get(f"/{language}/pass/keys")
    assert len(answer.content) < PAGE_BYTES
    return answer.status_code, answer.text


def test_who_sees_it(node: Node, door: TestClient) -> None:
    assert {who: look(node, door, who)[0] for who in ("", "resident", "steward", "auditor", "authority")} == {
        "": 401,
        "resident": 403,
        "steward": 403,
        "auditor": 200,
        "authority": 200,
    }


def test_lists_of_the_eu_are_told_and_that_they_are_old(
    node: Node, door: TestClient, clock: Clock, tmp_path: Path
) -> None:
    write(tmp_path, one=batch("UCI", OTHER))
    lists = RevocationLists.load(tmp_path / "one")
    eu_actions.import_revocations(node, by=node.operator, lists=lists, max_age_hours=1)
    text = look(node, door, "auditor")[1]
    assert "Revocation lists of the EU as of" in text
    assert "too old" not in text
    token = governance.create_token(node, by=node.operator, account_name="auditor", label="lists")
    told = door.get("/api/passes/revocations", headers={"Authorization": f"Bearer {token}"}).json()
    assert (told["eu_lists"]["hashes"], told["eu_lists"]["incomplete"]) == (1, 0)
    clock.advance(hours=1, seconds=1)
    assert "欧盟撤销清单过旧" in look(node, door, "auditor", "zh")[1]
    signers = dsc_list.read([orjson.dumps([gateway(made("signer", by="authority"))])]).signers
    eu_actions.import_keys(node, by=node.operator, signers=signers, days=1)
    assert "1 imported keys of 1 countries sign EU certificates." in look(node, door, "auditor")[1]
    told = door.get("/api/passes/keys", headers={"Authorization": f"Bearer {token}"}).json()
    assert told["eu_signers"]["by_country"] == {"XA": 1}
    clock.advance(days=1)
    assert "已导入的欧盟签发方密钥已过期" in look(node, door, "auditor", "zh")[1]


def test_before_anything_happened_it_says_what_would_be_here(node: Node, door: TestClient) -> None:
    _, text = look(node, door, "authority")
    assert node.keys.pass_key_id in text
    assert "No single pass was revoked." in text
    assert "What was done to keys" not in text


def test_parties_that_are_left_out_of_the_bundle_are_named(
    node: Node, door: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "left out" not in look(node, door, "authority")[1]
    gone = LeftOut("pe", "The trust bundle has no room for what this party says.", "Follow fewer parties.")
    load = replace(bundle_queries.bundle_load(node), left_out=(gone,))
    monkeypatch.setattr(bundle_queries, "bundle_load", lambda _: load)
    text = look(node, door, "authority")[1]
    assert "Parties are left out of the trust bundle" in text
    assert "pe: The trust bundle has no room for what this party says. Follow fewer parties." in text
    chinese = look(node, door, "authority", "zh")[1]
    assert "信任包已无空间容纳该机构发布的内容。请减少跟随的机构。" in chinese
    told = BundleLoad(**asdict(load), is_near=load.is_near)
    assert (told.left_out[0].party, told.is_near) == ("pe", True)


def test_keys_and_revocations_with_who_when_and_rule(node: Node, door: TestClient, clock: Clock) -> None:
    region.fill(node)
    issued = pass_actions.issue_pass(node, by=LI, person="R5")
    pass_actions.revoke_pass(
        node, by=LI, second=WANG, pass_id=issued.pass_id, rule_id="forged", reason="Sold to the neighbour."
    )
    old = node.keys.pass_key_id
    clock.now += timedelta(hours=1)
    new = key_actions.rotate_pass_key(node, by=LI)
    key_actions.end_pass_key(node, by=LI, second=WANG, key_id=old)
    _, text = look(node, door, "authority")
    for expected in (
        old,
        new,
        issued.pass_id,
        "A copy or a forgery is shown",
        "li + wang",
        "in use",
        "compromised",
        "1 March 2026, 09:00",
    ):
        assert expected in text
    for hidden in ("neighbour", region.pseudonym(node, "R5"), "Name of R5"):
        assert hidden not in text
    _, chinese = look(node, door, "authority", "zh")
    for expected in (old, "密钥与撤销", "已泄露", "使用中", "li + wang"):
        assert expected in chinese
