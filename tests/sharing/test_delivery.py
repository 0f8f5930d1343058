"""What the policies are asked before a delivery, and what a recipient checks after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hutong.errors import BadInput, HutongError, Tampered
from hutong.sharing.agreement import KeptAgreement
from hutong.sharing.delivery import (
    Delivery,
    as_recipient,
    check_received,
    delivery_question,
    parse_delivery,
    sign_note,
)
from hutong.trust.authorisation import Actor, Policy
from tests.sharing.conftest import sha256
from tests.sharing.test_agreement import AGREED, JWK, KEY, SIGNED
from tests.sharing.test_demand import NOW

POLICY = Policy.load()
KEPT = KeptAgreement(AGREED, SIGNED)
REVOKED = replace(KEPT, revoked_at=NOW)
PE = Actor("pe", "party", represents="pe")
CONTENT = b"age_group,sex\n20-39,female\n"
MADE = Delivery("0" * 20, AGREED.id, "records", "2", "csv", 1, len(CONTENT), sha256(CONTENT), NOW)
NOTE = sign_note(MADE, key=KEY, kid=JWK["kid"])


@pytest.mark.parametrize(
    ("actor", "kept", "purpose", "grade", "now", "expected"),
    [
        (PE, KEPT, "HMB", 2, NOW, (True, ("delivery-under-agreement",))),
        (PE, KEPT, "HMB", 2, AGREED.expires_at - timedelta(seconds=1), (True, ("delivery-under-agreement",))),
        (PE, KEPT, "HMB", 2, AGREED.expires_at, (False, ("agreement-has-ended",))),
        (PE, REVOKED, "HMB", 2, NOW, (False, ("agreement-was-revoked",))),
        (PE, REVOKED, "HMB", 3, AGREED.expires_at, (False, ("agreement-was-revoked", "agreement-has-ended"))),
        (PE, KEPT, "HMB", 3, NOW, (False, ("sealed-data-stay-here",))),
        (PE, KEPT, "HMB", 4, NOW, (False, ("sealed-data-stay-here",))),
        (PE, KEPT, "GRU", 2, NOW, (False, ())),
        (Actor("hub", "party", represents="hub"), KEPT, "HMB", 2, NOW, (False, ())),
        (Actor("pe", "account", frozenset({"partner"}), "tw"), KEPT, "HMB", 2, NOW, (False, ())),
        (Actor("operator", "account", frozenset({"operator"}), "pe"), KEPT, "HMB", 2, NOW, (False, ())),
        (Actor("public", "public"), KEPT, "HMB", 2, NOW, (False, ())),
    ],
)
def test_the_policies(actor: Actor, kept: KeptAgreement, purpose: Any, grade: int, now: Any, expected: Any) -> None:
    resource, context = delivery_question(kept, purpose=purpose, grade=grade, now=now)
    decision = POLICY.decide(as_recipient(actor), "receive_delivery", resource, context)
    allowed, policies = expected
    assert decision.allowed is allowed
    if not allowed:
        assert set(policies) <= set(decision.policies)
        assert "delivery-under-agreement" not in decision.policies
    else:
        assert decision.policies == policies
    assert all(reason["en"] and reason["zh"] for reason in decision.reasons)


def test_a_note_holds_what_was_delivered() -> None:
    assert parse_delivery(MADE.document()) == MADE
    checked = check_received(NOTE, CONTENT, key=JWK, agreement_id=AGREED.id, format_="csv")
    assert checked == MADE
    cases: list[dict[str, Any]] = [
        {"content": CONTENT + b"\n"},
        {"agreement_id": "b" * 20},
        {"format_": "json"},
        {"note": NOTE[:-3] + ("AAA" if NOTE[-3:] != "AAA" else "BBB")},
        {"note": SIGNED},
        {"note": ""},
    ]
    whole = {"note": NOTE, "content": CONTENT, "key": JWK, "agreement_id": AGREED.id, "format_": "csv"}
    for case in cases:
        arguments = {**whole, **case}
        with pytest.raises(HutongError):
            check_received(arguments.pop("note"), arguments.pop("content"), **arguments)
    with pytest.raises(Tampered):
        check_received(NOTE, b"", key=JWK, agreement_id=AGREED.id, format_="csv")


@pytest.mark.parametrize(
    "wrong", [{"id": "../../../etc/cron.d/x"}, {"dataset_id": "../records"}, {"rows": -1}, {"format": "exe"}]
)
def test_a_delivery_can_not_choose_its_place_on_the_disk(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_delivery({**MADE.document(), **wrong})
