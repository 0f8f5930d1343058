"""The pages of a hub: the regions' curves, one catalogue, where each thing lives; and the versions of a data set."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from fastapi.testclient import TestClient

from hutong.node import Node
from hutong.sharing import actions
from hutong.web.app import create_app
from tests.conftest import Clock
from tests.sharing.conftest import RECORDS, STEWARD, ServeNode, introduce, release, serve_node, weekly_counts

__all__ = ["serve_node"]

MAY = date(2020, 5, 3)
CASES = {"tw": [12, None, 40, 90], "pe": [300, 280, 260, 20]}


def counts(party: str, weeks: int = 4) -> object:
    code = party.upper()
    rows = [
        (code, f"Land {code}", "country", MAY + timedelta(weeks=number), value)
        for number, value in enumerate(CASES[party][:weeks])
    ]
    return weekly_counts([*rows, (f"{code}-1", "Place", "region1", MAY, 12)])


@pytest.fixture
def regions(serve_node: ServeNode, clock: Clock) -> tuple[Node, Node, Node]:
    hub, tw, pe = serve_node("hub", territory="*"), serve_node("tw"), serve_node("pe")
    introduce(hub.node, tw.node, pe.node)
    for served in (tw, pe):
        release(served.node, f"{served.node.id}-weekly", counts(served.node.id), grade=0)
    release(tw.node, "tw-records", RECORDS)
    for party in ("tw", "pe"):
        actions.harvest(hub.node, by=STEWARD, party_id=party)
    actions.join_series(hub.node, by=STEWARD)
    return hub.node, tw.node, pe.node


def test_a_hub_shows_each_regions_curve_and_one_catalogue(regions: tuple[Node, Node, Node]) -> None:
    client = TestClient(create_app(regions[0]), base_url="http://hub.test", follow_redirects=False)
    for language in ("en", "zh"):
        page = client.get(f"/{language}/").text
        assert page.count('class="chart curve"') == 2
        for name in ("tw--tw-weekly", "pe--pe-weekly"):
            assert f'href="/{language}/about/{name}/joint"' in page
            about = client.get(f"/{language}/about/{name}/joint")
            assert about.status_code == 200
            assert "/api/log/entries/" in about.text
        assert client.get(f"/{language}/catalogue").text.count('class="hit"') == 3
    english = client.get("/en/").text
    assert "Cases rose" in english or "Cases doubled" in english
    assert "1 of 4 weeks, by the publisher" in english
    assert "None of these weeks." in english


def test_a_harvested_data_set_leads_home(regions: tuple[Node, Node, Node]) -> None:
    hub, tw, _ = regions
    client = TestClient(create_app(hub), base_url="http://hub.test", follow_redirects=False)
    for language in ("en", "zh"):
        page = client.get(f"/{language}/datasets/tw--tw-weekly").text
        assert f'href="{tw.settings.url}/{language}/datasets/tw-weekly"' in page
        assert 'id="preview"' not in page
    # What needs an agreement is asked for by the name that it has here.
    page = client.get("/en/datasets/tw--tw-records").text
    assert 'href="/en/requests/new?dataset=tw--tw-records"' in page
    assert 'class="chart curve"' not in page


def test_an_old_version_says_that_it_is_old(regions: tuple[Node, Node, Node]) -> None:
    tw = regions[1]
    release(tw, "tw-weekly", counts("tw", weeks=3), grade=0)
    client = TestClient(create_app(tw), base_url="http://tw.test", follow_redirects=False)
    old, new = (client.get(f"/en/datasets/tw-weekly?version={version}").text for version in (1, 2))
    assert "Version 2 has replaced it" in old
    assert "A newer version exists" not in new
    assert "1 row fewer than version 1" in new
    assert '<a href="?version=1">1</a>' in new
    assert "已被第 2 版取代" in client.get("/zh/datasets/tw-weekly?version=1").text
