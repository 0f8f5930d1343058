"""The shipped scenes on passes that were issued, shown and checked as residents do, at any time of the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from hutong.node import Node
from hutong.passes.credential.level_pass import disclose
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import queries as bundle_queries
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import FROM, LI, TO

DAY = datetime(2026, 3, 3, tzinfo=UTC)
SCENES = {
    name: shipped_document(f"scenes/{name}", valid_from=FROM, valid_to=TO)
    for name in ("dengue-three-levels", "dengue-four-levels")
}
LAST_DAYS = {
    "dengue-three-levels": {"closed-setting": 1, "border": 2, "checkpoint": 3},
    "dengue-four-levels": {"border": 3, "checkpoint": 3},
}
"""How many days after that of its issue a pass is taken, where that is fewer than it lives."""


def shown(node: Node, text: str, scenes: str, scene: str) -> tuple[str, list[str]]:
    found = verify_pass(
        text, trust=bundle_queries.trust_snapshot(node), rules=SCENES[scenes], scene=scene, at=node.clock()
    )
    return str(found.answer), [reason.rule_id for reason in found.reasons]


@pytest.mark.parametrize(
    "at",
    [
        DAY + timedelta(hours=1),
        DAY + timedelta(hours=23),
        datetime(2026, 3, 3, 8, tzinfo=timezone(timedelta(hours=8))),
    ],
    ids=["one o'clock", "eleven at night", "eight in the morning at +08:00"],
)
def test_a_pass_is_taken_until_the_last_day_that_a_scene_names(new_region: NewNode, clock: Clock, at: datetime) -> None:
    node = new_region()
    clock.now = at
    text = pass_actions.issue_pass(node, by=LI, person="R2", hours=168).text
    for scenes, document in SCENES.items():
        for scene in document["scenes"]:
            clock.now = at + timedelta(hours=2)
            assert shown(node, text, scenes, scene)[0] == "accepted", (scenes, scene)
        for scene, days in LAST_DAYS[scenes].items():
            end = DAY + timedelta(days=days + 1)
            clock.now = end - timedelta(seconds=1)
            assert shown(node, text, scenes, scene)[0] == "accepted", (scenes, scene)
            clock.now = end
            rule = f"{scene.removesuffix('-setting')}-age-{days}d"
            assert shown(node, text, scenes, scene) == ("refused", [rule]), (scenes, scene)


def test_a_negative_test_of_the_last_three_days_opens_the_border(new_region: NewNode, clock: Clock) -> None:
    node = new_region()
    regions.tested_negative(node, "R1", DAY.replace(hour=9))
    four, border = "dengue-four-levels", "border"
    for days, answer in ((0, "accepted"), (3, "accepted"), (4, "refused")):
        clock.now = DAY + timedelta(days=days, hours=10)
        issued = pass_actions.issue_pass(node, by=LI, person="R1", facts=["test-negative-on"])
        assert issued.level == "medium"
        assert shown(node, issued.text, four, border) == ("refused", ["border-negative-test"])
        with_test = disclose(issued.text, [issued.disclosures["test-negative-on"]])
        assert shown(node, with_test, four, border)[0] == answer
