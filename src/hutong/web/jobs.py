"""What runs beside the server: a few jobs, each with its own period. A job that can't do its work tries more slowly.

Some jobs are awaited: they also look, a few times in a second, at one number that tells whether there is work. It is in
the database, so that work counts whichever process brought it: this server, a command, another server.

No job decides anything: each calls actions, which refuse, repeat harmlessly, and tell the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Final, TypeVar

from fastapi import FastAPI

from hutong.errors import HutongError
from hutong.governance import actions as governance_actions
from hutong.governance import queries as governance
from hutong.insight import actions as insight_actions
from hutong.node import Node
from hutong.passes.exposure import actions as exposure_actions
from hutong.passes.level import actions as level_actions
from hutong.passes.level import queries as level_queries
from hutong.passes.sunset import actions as sunset_actions
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import following
from hutong.sharing import actions as sharing_actions
from hutong.sharing import queries as sharing
from hutong.storage import inbox
from hutong.trust.authorisation import Actor

T = TypeVar("T")

LONGEST_PAUSE_FACTOR: Final = 20
"""A job that keeps failing waits at most this many periods."""
GRACE_SECONDS = 3.0
"""So long the end of the server waits for a job that is under way; what it breaks off there is whole or not there."""

LOOK_SECONDS: Final = 0.2
"""Between two looks for work. After its work a job rests as long as that took, but no longer than its period."""

GATHER_SECONDS: Final = 1.0
"""From one beginning of a job to the next at least, or its period: what keeps coming goes to the lake together."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done again and again: its name in logs, how often, and what.

    ``run`` is called in a thread, never twice at a time, and must be harmless when repeated. ``look``, where there is
    one, must be cheap: the job is done before its period is over when it gives anything but None, and not the same as
    when the job last began.
    """

    name: str
    period_seconds: float
    run: Callable[[Node, Actor], object]
    look: Callable[[Node], Hashable] | None = None


def _evidence(node: Node) -> Hashable:
    return (inbox.newest(node.records), *level_queries.evidence_locations(node))


def _move_inbox(node: Node, _by: Actor) -> None:
    node.move_inbox()


def _follow_evidence(node: Node, by: Actor) -> None:
    # Levels rest on the areas of which the log tells.
    insight_actions.tell_assessment(node, by=by)
    level_actions.follow_evidence(node, by=by)


def _publish_exposure(node: Node, by: Actor) -> None:
    # Without an emergency there is nothing to publish: that is no failure, and needs no line in the server's log.
    if governance.emergency_in_force(node, node.clock().date()) is not None:
        exposure_actions.publish_batches(node, by=by)


def _destroy_exposure(node: Node, by: Actor) -> None:
    exposure_actions.destroy_old(node, by=by)


def _end_what_is_over(node: Node, by: Actor) -> None:
    sunset_actions.end_what_is_over(node, by=by)


def _keep_trust_list(node: Node, by: Actor) -> None:
    governance_actions.keep_trust_list(node, by=by)


def _keep_party_bundles(node: Node, by: Actor) -> None:
    # One that is down is no failure of the job, which would ask the others less often, too.
    followed = bundle_actions.keep_party_bundles(node, by=by)
    for party in followed.newly_failed:
        _logger.warning("No trust bundle came from %s: %s", party, followed.failed[party])


def _watch_bundle(node: Node, by: Actor) -> None:
    bundle_actions.watch_bundle(node, by=by)


def _untold_revocation(node: Node) -> Hashable:
    return sharing.newest_untold_revocation(node)


def _tell_revocations(node: Node, by: Actor) -> None:
    # One that is down is no failure of the job: the others are told, and it is asked again at the next period.
    for party, why in sharing_actions.tell_revocations(node, by=by).failed.items():
        _logger.warning("%s could not be told of a revocation: %s", party, why)


def _keep_witnesses(node: Node, by: Actor) -> None:
    governance_actions.keep_witnesses(node, by=by)


def _tidy_lake(node: Node, _by: Actor) -> None:
    node.tidy_lake()


JOBS: Final = (
    Job("inbox", 3.0, _move_inbox),
    Job("levels", 5.0, _follow_evidence, _evidence),
    Job("trust-list", 60.0, _keep_trust_list),
    Job("witnesses", 60.0, _keep_witnesses),
    Job("party-bundles", following.PERIOD.total_seconds(), _keep_party_bundles),
    Job("revocations", 300.0, _tell_revocations, _untold_revocation),
    Job("bundle-size", 600.0, _watch_bundle),
    Job("exposure-batches", 300.0, _publish_exposure),
    Job("exposure-destruction", 300.0, _destroy_exposure),
    Job("sunset", 300.0, _end_what_is_over),
    Job("lake", 3600.0, _tidy_lake),
)
"""What was acknowledged is in the lake seconds later, at once where levels follow it, whose job moves it itself: two
that move as soon as something comes would make twice as many small files. What is over is gone minutes later."""


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Runs the jobs while the application is served."""
    tasks = [asyncio.create_task(keep_doing(job, app.state.node)) for job in JOBS]
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


def actor(job: Job, node: Node) -> Actor:
    """As whom a job acts: the node itself, under the job's own name in the log."""
    return Actor(id=f"job-{job.name}", kind="job", roles=frozenset({"operator"}), represents=node.id)


async def _in_a_thread(name: str, call: Callable[[], T], *, grace_seconds: float) -> T:
    """Call it in a thread that holds up nobody for long: not the server's end, as a pool's would, nor requests."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the call is waited for
            # What is no Exception would end the server there, or the job for ever.
            usual = error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
            done.set_exception(usual)

    Thread(target=run, name=name, daemon=True).start()
    work = asyncio.wrap_future(done)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work], timeout=grace_seconds)
        raise


async def _look(job: Job, node: Node) -> Hashable:
    look = job.look
    return await _in_a_thread(f"look-{job.name}", lambda: look(node), grace_seconds=0) if look else None


async def keep_doing(job: Job, node: Node) -> None:
    """Do a job now and then, for ever. A failure is logged when it first occurs, and tried again more slowly."""
    failed = ""
    pause, rest, seen = job.period_seconds, 0.0, None
    by, now = actor(job, node), asyncio.get_running_loop().time
    while True:
        try:
            await _until_work(job, node, seen, rest_seconds=rest, pause_seconds=pause)
            started = now()
            seen = await _look(job, node)
            await _in_a_thread(f"job-{job.name}", lambda: job.run(node, by), grace_seconds=GRACE_SECONDS)
        except Exception as error:
            if type(error).__name__ != failed:
                failed = type(error).__name__
                _logger.warning("The job %s failed: %s", job.name, error, exc_info=not isinstance(error, HutongError))
            pause = min(pause * 2, job.period_seconds * LONGEST_PAUSE_FACTOR)
            rest = job.period_seconds  # then new work is a reason to try before the pause is over
        else:
            took = now() - started
            failed, pause = "", job.period_seconds
            rest = min(max(took, GATHER_SECONDS - took), job.period_seconds)


async def _until_work(job: Job, node: Node, seen: Hashable, *, rest_seconds: float, pause_seconds: float) -> None:
    """Wait until the look gives something new, or the pause is over; but rest first."""
    if job.look is None:
        await asyncio.sleep(pause_seconds)
        return
    now = asyncio.get_running_loop().time
    until = now() + pause_seconds
    await asyncio.sleep(rest_seconds)
    while (left := until - now()) > 0:
        if await _look(job, node) not in (None, seen):
            return
        await asyncio.sleep(min(LOOK_SECONDS, left))
