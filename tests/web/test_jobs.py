"""The jobs beside the server: each does its work at its period, fails quietly, and goes on."""

from __future__ import annotations

import asyncio
import logging
import selectors
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from threading import Event
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from hutong.errors import NotSignedIn, TooManyRequests, Unavailable
from hutong.governance import actions as governance
from hutong.node import Node
from hutong.storage.query import Query
from hutong.trust.authorisation import Actor
from hutong.web import jobs
from hutong.web.app import create_app
from hutong.web.jobs import JOBS, Job
from tests.conftest import Clock
from tests.passes.region import LI, declare


def by_name(name: str) -> Job:
    return next(job for job in JOBS if job.name == name)


def once(job: Job, node: Node) -> None:
    job.run(node, jobs.actor(job, node))


def test_the_jobs_and_their_periods() -> None:
    assert {job.name: job.period_seconds for job in JOBS} == {
        "inbox": 3,
        "levels": 5,
        "trust-list": 60,
        "witnesses": 60,
        "party-bundles": 15,
        "revocations": 300,
        "bundle-size": 600,
        "exposure-batches": 300,
        "exposure-destruction": 300,
        "sunset": 300,
        "lake": 3600,
    }


def test_without_an_emergency_all_jobs_are_idle(node: Node) -> None:
    before = node.log.size()
    for job in JOBS:
        once(job, node)
    assert node.log.size() == before


def test_the_sunset_comes_by_itself(node: Node, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "JOBS", tuple(replace(job, period_seconds=0.02) for job in JOBS))
    declare(node)
    with TestClient(create_app(node)):
        time.sleep(0.2)
        assert node.log.entries(kind="status-data.destroyed") == []
        clock.now = datetime(2026, 4, 1, tzinfo=UTC)
        deadline = time.monotonic() + 20
        while not node.log.entries(kind="status-data.destroyed"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.2)
    (entry,) = node.log.entries(kind="status-data.destroyed")
    assert (entry.event["by"], entry.event["emergency"]) == ("job-sunset", "dengue-2015")
    node.log.check()


def test_an_emergency_that_was_ended_is_cleared_up(node: Node) -> None:
    declare(node)
    governance.end_emergency(node, by=LI, emergency_id="dengue-2015")
    once(by_name("sunset"), node)
    once(by_name("sunset"), node)
    assert len(node.log.entries(kind="status-data.destroyed")) == 1


def test_every_job_can_be_repeated_after_the_last_emergency_and_forgets_no_try_to_sign_in(
    node: Node,
) -> None:
    declare(node)
    governance.end_emergency(node, by=LI, emergency_id="dengue-2015")
    for job in JOBS:
        once(job, node)
    before = node.log.size()
    for _ in range(node.settings.limits.sign_in_attempts):
        with pytest.raises(NotSignedIn):
            governance.sign_in(node, name="li", password="guessed", address="192.0.2.7")
        for job in JOBS:
            once(job, node)
    with pytest.raises(TooManyRequests):
        governance.sign_in(node, name="li", password="guessed", address="192.0.2.7")
    assert node.log.size() == before


class Skipping(selectors.DefaultSelector):
    """Instead of waiting for a timer, it moves the loop's clock there: seconds pass at once, and exactly."""

    def __init__(self, play: Play) -> None:
        super().__init__()
        self.play = play

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "Nothing is awaited that could ever come."
        self.play.now += timeout
        return super().select(0)


class Play:
    """A job's life in skipped time: when it was begun, and looked for work. Its work may take of that time, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.times: list[float] = []
        self.looks: list[float] = []

        async def directly(_name: str, call: Callable[[], Any], *, grace_seconds: float) -> Any:
            return call()

        monkeypatch.setattr(jobs, "_in_a_thread", directly)

    def job(
        self,
        name: str,
        period_seconds: float,
        *,
        takes: float = 0,
        fails: Callable[[int], bool] = lambda _: False,
        look: Callable[[float], Any] | None = None,
    ) -> Job:
        def run(_node: Node, _by: Actor) -> None:
            self.times.append(self.now)
            self.now += takes
            if fails(len(self.times)):
                raise Unavailable("The disk is full.", "Free some space.")

        def looked(_node: Node) -> Any:
            self.looks.append(self.now)
            return look(self.now) if look else None

        return Job(name, period_seconds, run, looked if look else None)

    def for_seconds(self, seconds: float, job: Job, node: Node) -> list[float]:
        """The times between the beginnings of the job, the first from the beginning of all."""
        begun, self.times[:] = self.now, []

        async def some_time() -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(jobs.keep_doing(job, node), timeout=seconds)

        with closing(asyncio.SelectorEventLoop(Skipping(self))) as loop:
            loop.time = lambda: self.now  # type: ignore[method-assign]
            loop.run_until_complete(some_time())
        return [after - before for before, after in pairwise([begun, *self.times])]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    return Play(monkeypatch)


def test_a_failure_is_told_once_and_tried_more_slowly(node: Node, play: Play, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        gaps = play.for_seconds(100, play.job("broken", 1, fails=lambda _: True), node)
    assert gaps == pytest.approx([1, 2, 4, 8, 16, 20, 20, 20])
    assert [record.message for record in caplog.records] == [
        "The job broken failed: The disk is full. Free some space."
    ]


def test_a_job_recovers(node: Node, play: Play, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        gaps = play.for_seconds(9.5, play.job("shaky", 1, fails=lambda number: number in (2, 5)), node)
    assert gaps == pytest.approx([1, 1, 2, 1, 1, 2, 1])
    assert len(caplog.records) == 2


def test_a_job_is_done_when_its_look_gives_something_new(node: Node, play: Play) -> None:
    def look(now: float) -> int | None:
        return None if now < 5 else 1 if now < 10 else None if now < 15 else 2

    play.for_seconds(20, play.job("awaited", 3600, look=look), node)
    assert play.times == pytest.approx([5, 15], abs=jobs.LOOK_SECONDS)
    assert len(play.looks) < 20 / jobs.LOOK_SECONDS + 5


def test_a_job_that_is_awaited_is_done_at_its_period_too(node: Node, play: Play) -> None:
    assert play.for_seconds(16, play.job("awaited", 5, look=lambda _: None), node) == pytest.approx([5, 5, 5])


def test_a_job_rests_as_long_as_its_work_took_but_no_longer_than_its_period(node: Node, play: Play) -> None:
    gaps = play.for_seconds(10, play.job("always", 3600, takes=3, look=lambda now: now), node)
    assert gaps == pytest.approx([0, 6])
    gaps = play.for_seconds(9, play.job("long", 1, takes=3, look=lambda now: now), node)
    assert gaps == pytest.approx([0, 4, 4])


def test_what_keeps_coming_is_gathered(node: Node, play: Play) -> None:
    gaps = play.for_seconds(2.5, play.job("flooded", 3600, look=lambda now: now), node)
    assert gaps == pytest.approx([0, jobs.GATHER_SECONDS, jobs.GATHER_SECONDS])


def test_after_a_failure_new_work_is_tried_a_period_later_and_the_same_more_slowly(
    node: Node, play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    gaps = play.for_seconds(4, play.job("broken", 1, fails=lambda _: True, look=lambda now: now), node)
    assert gaps == pytest.approx([0, 1, 1, 1])
    gaps = play.for_seconds(10, play.job("stuck", 1, fails=lambda _: True, look=lambda _: 7), node)
    assert gaps == pytest.approx([0, 2, 4], abs=jobs.LOOK_SECONDS)
    caplog.clear()
    blind = Job("blind", 1, lambda _node, _by: None, failing_look)
    assert play.for_seconds(5, blind, node) == []
    assert "The job blind failed" in caplog.text


def run_for(seconds: float, job: Job, node: Any) -> None:
    async def some_time() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(jobs.keep_doing(job, node), timeout=seconds)

    asyncio.run(some_time())


def failing(times: list[float], fails: Callable[[int], bool]) -> Callable[[Node, Actor], None]:
    def run(node: Node, by: Actor) -> None:
        times.append(time.monotonic())
        if fails(len(times)):
            raise Unavailable("The disk is full.", "Free some space.")

    return run


def test_a_job_that_would_end_the_server_is_a_failure(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    times: list[float] = []

    def leave(_node: Node, _by: Actor) -> None:
        times.append(time.monotonic())
        raise SystemExit(3) if len(times) == 1 else asyncio.CancelledError

    run_for(0.6, Job("leaving", 0.02, leave), node)
    assert len(times) > 2
    assert "The job leaving failed: SystemExit: 3" in caplog.text


def failing_look(_node: Node) -> None:
    raise Unavailable("The disk is full.", "Free some space.")


def test_the_end_waits_for_a_job_and_not_for_one_that_hangs(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over, ended = Event(), Event(), Event()

    def hang(node: Node, by: Actor) -> None:
        begun.set()
        over.wait(30)

    def end_soon(node: Node, by: Actor) -> None:
        begun.wait(30)
        time.sleep(0.3)
        ended.set()

    monkeypatch.setattr(jobs, "JOBS", (Job("hanging", 0.02, hang), Job("fine", 0.02, end_soon)))
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 1.0)
    with TestClient(create_app(node)):
        assert begun.wait(30)
        before = time.monotonic()
    assert 0.9 < time.monotonic() - before < 10
    assert ended.is_set()
    over.set()


def test_neither_a_long_query_nor_a_look_that_hangs_holds_up_the_end(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, looking, over, failed = Event(), Event(), Event(), Event()
    many = pa.table({"number": list(range(10_000))})

    def endless(tables: Mapping[str, Any]) -> Any:
        one, two, three = (tables["many"].select(**{name: "number"}) for name in ("one", "two", "three"))
        all_ = one.cross_join(two).cross_join(three)
        return all_.agg(total=(all_.one * all_.two + all_.three).sum())

    def ask(node: Node, by: Actor) -> None:
        begun.set()
        try:
            node.engine.run(Query(("endless",), (), endless), {"many": many})
        except Exception:
            failed.set()
            raise

    def hang(_node: Node) -> None:
        looking.set()
        over.wait(30)

    idle = failing([], lambda _: False)
    monkeypatch.setattr(jobs, "JOBS", (Job("asking", 0.02, ask), Job("looking", 0.5, idle, hang)))
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.5)
    with TestClient(create_app(node)):
        assert begun.wait(30) and looking.wait(30)
        time.sleep(0.5)
        before = time.monotonic()
    node.close()
    assert time.monotonic() - before < 5
    assert failed.wait(5)
    with pytest.raises(Unavailable, match="closed"):
        node.engine.to_arrow(node.engine.bind(many))
    over.set()


def test_one_job_that_fails_does_not_stop_another(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    broken: list[float] = []
    fine: list[float] = []
    both = (
        Job("broken", 0.02, failing(broken, lambda _: True)),
        Job("fine", 0.02, failing(fine, lambda _: False)),
    )
    monkeypatch.setattr(jobs, "JOBS", both)
    with TestClient(create_app(node)):
        time.sleep(0.8)
    assert len(fine) > 2 * len(broken) > 0
