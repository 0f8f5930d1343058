"""What would take too much of a reader's memory is not read, and what nobody could hold or reckon with is refused."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from hutong.errors import BadInput, LimitExceeded
from hutong.node import Node
from hutong.passes.credential import status_list
from hutong.passes.credential.status_list import StatusList
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle import trust_bundle
from hutong.passes.trust_bundle.trust_bundle import read_payload
from tests.conftest import NewNode

SIZE = 1024


@pytest.fixture
def node(new_node: NewNode) -> Node:
    return new_node("tw")


def signed_list(node: Node, number: int, *, hours: int = 24, size: int = SIZE) -> str:
    """A status list of a node's, of which nothing is revoked."""
    at = node.clock().replace(microsecond=0)
    found = StatusList(node.id, number, 1, at, at + timedelta(hours=hours), size, bytes(size // 8))
    return base64.b64encode(status_list.sign(found, node.keys.passes, bytes.fromhex(node.keys.pass_key_id))).decode()


def test_status_lists_past_the_limit_of_all_together_are_not_inflated(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflated: list[int] = []
    inflate = status_list._inflate

    def counted(packed: bytes, size_bytes: int) -> bytes:
        inflated.append(size_bytes)
        return inflate(packed, size_bytes)

    monkeypatch.setattr(status_list, "_inflate", counted)
    payload = bundle_queries.pass_payload(node)
    monkeypatch.setattr(trust_bundle, "MAX_POSITIONS", 3 * SIZE)
    texts = [signed_list(node, number) for number in range(9)]
    assert len(read_payload(payload | {"status_lists": {"tw": texts[:3]}}).issuers["tw"].status_lists) == 3
    inflated.clear()
    with pytest.raises(LimitExceeded, match="too large together"):
        read_payload(payload | {"status_lists": {"tw": texts}})
    assert inflated == [SIZE // 8] * 3


def test_a_status_list_or_a_party_is_named_once(node: Node) -> None:
    payload = bundle_queries.pass_payload(node)
    one = signed_list(node, 0)
    for lists in ([one, one], [one, signed_list(node, 0, hours=20)]):
        with pytest.raises(BadInput, match="status list twice"):
            read_payload(payload | {"status_lists": {"tw": lists}})
    with pytest.raises(BadInput, match="party twice"):
        read_payload(payload | {"parties": payload["parties"] * 2})


MISSTATED: list[dict[str, Any]] = [
    {"number": -1},
    {"number": 2**31},
    {"number": 7.5},
    {"max_age_hours": 0},
    {"max_age_hours": 169},
    {"max_age_hours": -1e300},
    {"issued_at": "9999-12-31T23:59:59+00:00"},
    {"issued_at": "0001-01-01T00:00:00+14:00"},
    {"next_update": "9999-12-31T23:59:59-14:00"},
]


@pytest.mark.parametrize("change", MISSTATED)
def test_numbers_and_times_that_nobody_can_hold_or_reckon_with_are_refused(node: Node, change: dict[str, Any]) -> None:
    payload = bundle_queries.pass_payload(node)
    read_payload(payload)
    with pytest.raises(BadInput, match=next(iter(change))):
        read_payload(payload | change)
