"""The way of data, passes and appeals through the commands once more, with the records of both nodes on PostgreSQL."""

from __future__ import annotations

import pytest

from hutong.node import open_node

from .test_cli import (  # noqa: F401 - fixtures, and tests that run here again
    Region,
    issued,
    partner,
    region,
    test_a_pass_is_issued_read_and_verified,
    test_a_receipt_answers_every_row,
    test_a_revoked_pass_is_refused,
    test_an_appeal_goes_its_way,
    test_held_rows_are_listed_released_and_discarded,
    test_passes_in_batches_renewed_and_printed,
    test_quality_gives_a_label_and_the_rules_behind_it,
    test_share_by_agreement_and_take_back,
    test_the_sunset_is_shown_before_it_comes,
    test_upgrade_of_a_current_node_changes_nothing,
)

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def kind() -> str:
    return "postgresql"


def test_no_node_here_keeps_its_records_in_its_folder(region: Region) -> None:  # noqa: F811
    node = open_node(region.node)
    assert not node.records.is_sqlite
    node.close()
    assert not list(region.node.rglob("*.sqlite*"))
