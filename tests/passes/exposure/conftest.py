"""A node with an emergency, its authority, and keys of phones as they upload them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from random import Random

import pytest

from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node
from hutong.passes.exposure import actions
from hutong.passes.exposure.key import DAY_INTERVALS, ExposureKey, interval_number
from hutong.trust.authorisation import PUBLIC, Actor
from tests.conftest import NewNode

TEXTS = {"en": "Influenza", "zh": "流感"}
EMERGENCY = "flu-2026"
SUNSET = date(2026, 5, 1)


def declare(node: Node, emergency_id: str = EMERGENCY, *, sunset: date = SUNSET) -> None:
    declared = Emergency(emergency_id, TEXTS, TEXTS, TEXTS, "TW", date(2026, 2, 1), date(2026, 4, 1), sunset)
    governance.declare_emergency(node, by=node.operator, emergency_=declared)


@dataclass(frozen=True)
class Desk:
    """A node and who works there."""

    node: Node
    authority: Actor
    random: Random

    def token(self, *, onset_on: date | None = None, emergency_id: str = EMERGENCY) -> str:
        code = actions.issue_code(self.node, by=self.authority, emergency_id=emergency_id, onset_on=onset_on)
        return actions.exchange_code(self.node, by=PUBLIC, code=code.code, address="192.0.2.1").token

    def upload(self, keys: list[ExposureKey]) -> int:
        return actions.upload_keys(self.node, by=PUBLIC, token=self.token(), keys=keys)

    def keys(self, *, days: int, until: datetime | None = None) -> list[ExposureKey]:
        """Keys of the last whole days before ``until`` (now)."""
        today = interval_number(until or self.node.clock())
        first = today - today % DAY_INTERVALS - days * DAY_INTERVALS
        return [ExposureKey(self.random.randbytes(16), first + day * DAY_INTERVALS) for day in range(days)]


@pytest.fixture
def make_desk(new_node: NewNode) -> Callable[..., Desk]:
    def make(node_id: str = "tw") -> Desk:
        node = new_node(node_id)
        declare(node)
        authority = Actor(id="li", kind="account", roles=frozenset({"authority"}), represents=node.id)
        return Desk(node, authority, Random(7))

    return make
