"""The job by which levels follow the evidence: by itself, when there is something new, and by the rules that hold."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hutong.acquisition.declarations import HealthStatement, declare
from hutong.governance import actions as governance
from hutong.insight import actions as insight_actions
from hutong.insight import queries as insight_queries
from hutong.insight.actions import assess_risk_areas
from hutong.insight.risk_area import shipped_rule
from hutong.node import Node, open_node
from hutong.passes.documents import shipped_document
from hutong.passes.level import actions as level_actions
from hutong.passes.level import queries as level_queries
from hutong.passes.level.actions import follow_evidence
from hutong.passes.level.update import HISTORY
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.storage import engines, inbox
from hutong.storage.lake import Lake
from hutong.trust.authorisation import Actor
from hutong.trust.log.journal import Log
from hutong.web import jobs
from hutong.web.app import create_app
from tests.acquisition.test_declarations import bound
from tests.conftest import Clock, NewNode
from tests.passes import region as regions
from tests.passes.region import AS_OF, FROM, LI, TO, WANG
from tests.passes.test_level_update import level, positive

JOB = next(job for job in jobs.JOBS if job.name == "levels")


@pytest.fixture
def region(new_region: NewNode) -> Node:
    return new_region()


def follow(node: Node) -> tuple[bool, int] | None:
    run = follow_evidence(node, by=jobs.actor(JOB, node))
    return None if run is None else (run.full, run.persons)


def test_it_follows_what_is_new_and_rests_otherwise(region: Node, clock: Clock) -> None:
    before = region.log.size(), region.lake.snapshot(HISTORY).id
    assert follow(region) is None
    assert (region.log.size(), region.lake.snapshot(HISTORY).id) == before
    positive(region, "R2")
    clock.advance(seconds=4)
    translated = engines._to_duckdb.cache_info().misses
    assert follow(region) == (False, 1)
    assert engines._to_duckdb.cache_info().misses == translated  # while it rested it made itself ready
    assert level(region, "R2") == "high"
    (entry,) = region.log.entries(kind="levels.updated", limit=5)
    assert (entry.event["by"], entry.event["persons"]) == ("job-levels", 1)
    assert follow(region) is None
    assert level_queries.update_latency(region, "dengue-3").median_seconds == 4
    assert level_queries.update_latency(region, "another").changes == 0


def power_cut(*_: Any, **__: Any) -> None:
    raise OSError("the power went out")


def test_a_run_of_which_the_log_was_not_told_is_repeated_and_told(region: Node) -> None:
    (first,) = region.log.entries(kind="levels.decided")
    assert first.event["run"] == 1
    for run, (owner, name) in ((2, (Log, "append")), (4, (Lake, "replace"))):
        positive(region, "R2" if run == 2 else "R7")
        with pytest.MonkeyPatch.context() as broken, pytest.raises(OSError, match="power"):
            if run == 4:  # a full run, killed between the history and the state
                broken.setattr(level_actions.updates, "lacks_facts", lambda _: True)
            broken.setattr(owner, name, power_cut)
            follow(region)
        size = region.log.size()
        assert follow(region) == (True, len(regions.RESIDENTS))
        (told,) = region.log.entries(kind="levels.decided", limit=1)
        assert (told.event["run"], told.event["repeats_untold_run"], region.log.size()) == (run + 1, run, size + 1)
        assert follow(region) is None
    assert (level(region, "R2"), level(region, "R7")) == ("high", "high")


def test_an_assessment_of_which_the_log_was_not_told_is_told(region: Node, clock: Clock) -> None:
    clock.advance(hours=1)
    size = region.log.size()
    with pytest.MonkeyPatch.context() as broken, pytest.raises(OSError, match="power"):
        broken.setattr(Log, "append", power_cut)
        assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF - timedelta(days=1))
    assert region.log.size() == size
    JOB.run(region, jobs.actor(JOB, region))
    (told,) = region.log.entries(kind="risk-areas.assessed", limit=1)
    newest, at = insight_queries.newest_assessment(region)
    assert (told.event["assessment"], told.event["as_of"]) == (newest.id, "2026-02-27")
    assert (newest.as_of, at) == (AS_OF - timedelta(days=1), clock.now)
    assert level_queries.person_status(region, regions.pseudonym(region, "R1")).as_of == newest.as_of
    assert insight_actions.tell_assessment(region, by=LI) is None


def test_it_follows_a_new_assessment_of_the_areas(region: Node, clock: Clock) -> None:
    clock.advance(hours=1)
    assess_risk_areas(region, by=LI, rule=shipped_rule(), as_of=AS_OF)
    assert follow(region) == (False, 0)
    assert follow(region) is None


def test_it_is_by_the_version_that_holds(region: Node, clock: Clock) -> None:
    document = copy.deepcopy(shipped_document("dengue-three-levels", valid_from=FROM, valid_to=TO, version="1.2.0"))
    next(rule for rule in document["rules"] if rule["id"] == "contact")["level"] = "high"
    document["tests"] = document["tests"][:1]
    rulebook_actions.publish_rulebook(region, by=LI, second=WANG, document=document)
    assert follow(region) is None
    assert level(region, "R8") == "medium"
    clock.advance(hours=24)
    assert follow(region) == (True, len(regions.RESIDENTS))
    assert level(region, "R8") == "high"


def test_without_a_beginning_or_a_power_it_does_nothing(region: Node, new_node: NewNode) -> None:
    fresh = new_node("pe")
    assert follow(fresh) is None
    regions.declare(fresh)
    regions.fill_lake(fresh)
    assert follow(fresh) is None
    positive(region, "R2")
    governance.end_emergency(region, by=region.operator, emergency_id="dengue-2015")
    assert follow(region) is None
    assert level(region, "R2") == "low"


def test_how_fast_levels_follow_is_public_where_many_were_measured(
    region: Node, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TestClient(create_app(region), base_url="http://node.test")
    address = "/api/passes/rulebooks/dengue-3/latency"
    for number, seconds in (("R1", 6), ("R2", 8), ("R7", 150)):
        positive(region, number)
        clock.advance(seconds=seconds)
        follow(region)
    found = client.get(address).json()
    assert (found["changes"], found["median_seconds"], found["withheld_below"]) == (None, None, 10)
    assert "fewer than 10 levels have changed" in client.get("/en/rulebooks/dengue-3").text
    monkeypatch.setattr(level_queries, "WITHHELD_BELOW", 3)
    assert client.get(address).json()["changes"] == 3
    positive(region, "R3")
    follow(region)  # another state of the history: the page is drawn anew
    page = client.get("/en/rulebooks/dengue-3").text
    assert "Half of 4 changed levels followed their evidence within 7 seconds, and 95 of 100 within 3 minutes." in page
    assert client.get("/api/passes/rulebooks/nobodys/latency").status_code == 404


def test_beside_the_server_it_comes_as_soon_as_evidence_is_received(
    new_region: NewNode, records: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = new_region()
    bound(region)
    # The period is long over when this fails: what wakes the job is the receipt, which another process stored.
    monkeypatch.setattr(jobs, "JOBS", (replace(JOB, period_seconds=3600),))
    said_at = datetime.combine(AS_OF, datetime.min.time(), UTC)
    elsewhere = open_node(region.settings.folder, clock=clock)
    with TestClient(create_app(region)):
        for number in ("R2", "R7"):
            assert level(region, number) == "low"
            by = Actor(number, "account", frozenset({"resident"}), "tw")
            declare(elsewhere, by=by, person=number, statement=HealthStatement(("fever",), said_at))
            deadline = time.monotonic() + 60
            while level(region, number) == "low":
                assert time.monotonic() < deadline
                time.sleep(0.2)
    assert inbox.newest(region.records) is None
    elsewhere.close()
    region.log.check()
