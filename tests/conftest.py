"""Fixtures that every test may use."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser

from hutong.governance import account
from hutong.node import Node, init_node, open_node
from tests import databases
from tests.chromium import FLAGS, SHELL
from tests.databases import Server
from tests.kept import Kept
from tests.spark_limit import beyond

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"


STARTED = pytest.StashKey[float]()
TOO_LONG = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STARTED] = time.monotonic()


def not_checked(message: str, *, must_be_in_ci: bool = True) -> NoReturn:
    """What can't be had here is not checked: a failure in CI, said loudly at the end elsewhere.

    What CI need not have (``must_be_in_ci``) is told loudly there too, and is no failure.
    """
    assert "NOT" in message, "the end of the run tells what has this word"
    if os.environ.get("CI") and must_be_in_ci:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Folder of the foreign conformance suites."""
    if not FIXTURES.is_dir():
        not_checked(f"the foreign suites are not at {FIXTURES}: conformance was NOT checked")
    return FIXTURES


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Argon2id with its smallest parameters in this process: a third of a second for each sign-in, as it is meant to
    take, makes minutes of hundreds. Processes that tests start, and the test of the parameters, have the real ones.
    """
    from argon2 import PasswordHasher

    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(account, "_hasher", lambda: quick)
        yield


@pytest.fixture(scope="module")
def browser_program() -> Path:
    """Which browser :func:`launch` starts."""
    return SHELL


@pytest.fixture(scope="module")
def launch(browser_program: Path) -> Iterator[Callable[..., Browser]]:
    """Starts Debian's Chromium with further flags.

    For a module, not for the whole run: as long as Playwright is on, its event loop is in the way of others' in the
    same thread, and of a second Playwright.
    """
    if not browser_program.exists():
        not_checked(f"there is no {browser_program}: the pages were NOT looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(executable_path=browser_program, args=[*FLAGS, *flags])


@pytest.fixture(scope="module")
def chromium(launch: Callable[..., Browser]) -> Iterator[Browser]:
    found = launch()
    yield found
    found.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not checked stands at the end, where it is read."""
    if told := terminalreporter.config.stash.get(TOO_LONG, ""):
        terminalreporter.write_line(told, red=True, bold=True)
    skipped = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if report.longrepr}
    for reason in sorted(skipped):
        if "NOT" in reason:
            terminalreporter.write_line(f"NOT CHECKED: {reason.removeprefix('Skipped: ')}", red=True, bold=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """``make spark`` fails in CI when it takes too long, and says so elsewhere."""
    if session.config.option.markexpr != "spark":
        return
    taken = time.monotonic() - session.config.stash[STARTED]
    told, fails = beyond(taken, load=os.getloadavg()[0], cores=os.cpu_count() or 1)
    if told:
        session.config.stash[TOO_LONG] = told
        if fails and os.environ.get("CI"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 1, 8, tzinfo=UTC))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real PostgreSQL server; each call of the fixture makes a new database and gives its address."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hutong-pg-") as folder:
        server = Server(Path(folder))
        yield server
        server.close()


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Callable[[], Server]:
    """The PostgreSQL server, which is started when somebody needs it."""
    return lambda: request.getfixturevalue("postgres")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def records(request: pytest.FixtureRequest) -> str:
    """Tests that ask for it run once on each kind of records database."""
    return str(request.param)


@pytest.fixture
def records_kind(request: pytest.FixtureRequest) -> str:
    """The kind of records of this test: that of ``records``, or SQLite when it does not ask for them."""
    return str(request.getfixturevalue("records")) if "records" in request.fixturenames else "sqlite"


NewNode = Callable[..., Node]


def make_node(folder: Path, clock: Clock, **settings: Any) -> Node:
    """A node that is called as its folder."""
    node_id = folder.name
    return init_node(
        folder,
        node_id=node_id,
        name=settings.get("name", {"en": f"Region {node_id}", "zh": f"地区 {node_id}"}),
        territory=settings.get("territory", node_id.upper() if node_id in ("tw", "pe", "cn") else "ZZ"),
        url=settings.get("url", f"http://127.0.0.1/{node_id}"),
        clock=clock,
    )


@pytest.fixture
def new_node(tmp_path: Path, clock: Clock, records_kind: str, server: Callable[[], Server]) -> Iterator[NewNode]:
    """Makes nodes: ``new_node("tw")``. On PostgreSQL too in tests that ask for ``records`` as well."""
    opened: list[Node] = []

    def make(node_id: str = "tw", **settings: Any) -> Node:
        with databases.on(records_kind, server):
            opened.append(make_node(tmp_path / node_id, clock, **settings))
        return opened[-1]

    yield make
    for node in opened:
        node.close()


@pytest.fixture
def node(new_node: NewNode) -> Node:
    return new_node("tw")


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory, server: Callable[[], Server]) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept"), server)


@pytest.fixture
def new_region(kept: Kept, clock: Clock, records_kind: str) -> Iterator[NewNode]:
    """Nodes as ``new_node`` makes them, each with the small region that ``tests.passes.region`` describes."""
    from tests.passes import region

    opened: list[Node] = []

    def make(node_id: str = "tw") -> Node:
        assert node_id not in {node.id for node in opened}, "each comes back at one place"

        def fill(folder: Path) -> None:
            node = make_node(folder / node_id, clock)
            region.fill(node)
            node.close()

        folder, _ = kept(f"region-{node_id}", fill, records=records_kind)
        opened.append(open_node(folder / node_id, clock=clock))
        return opened[-1]

    yield make
    for node in opened:
        node.close()
