"""Bars on a terminal's error stream; nothing anywhere else."""

from __future__ import annotations

import sys

import pytest

from hutong.cli.terminal import progress
from hutong.node import Node
from hutong.trust.log import journal


def test_a_bar_is_drawn_where_somebody_looks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Acquiring list [1].csv", quiet=False, unit="rows") as tell:
        tell(30, 60)
        print("on standard output")  # noqa: T201
    told = capsys.readouterr()
    assert told.out == "on standard output\n"
    assert "Acquiring list [1].csv" in told.err and "30/60" in told.err and "rows" in told.err
    with progress("Deciding levels", quiet=False):
        pass
    told = capsys.readouterr()
    assert "Deciding levels" in told.err and "/" not in told.err.replace("0:00:00", "")


@pytest.mark.parametrize(("terminal", "quiet"), [(True, True), (False, False)])
def test_nothing_is_drawn_where_nobody_looks(
    terminal: bool, quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with progress("Acquiring", quiet=quiet, unit="rows") as tell:
        tell(1, 2)
    assert capsys.readouterr() == ("", "")


def test_the_check_of_a_log_tells_how_far_it_is(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        with node.change(node.operator) as change:
            change.event("measured", number=number)
    monkeypatch.setattr(journal, "CHUNK", 2)
    told: list[tuple[int, int]] = []
    node.log.check(lambda done, total: told.append((done, total)))
    assert node.log.size() == 5
    assert told == [(2, 5), (4, 5)]
