"""What ``python -m bench`` makes of its figures, and the tests on Spark of their time."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
from bench import __main__ as bench
from bench import log
from bench.figure import Figure, rates
from bench.wanted import WANTED, missed, wanted_text

from tests.spark_limit import beyond


def figure(job: str, value: float, unit: str = "s", reference: float | None = None) -> Figure:
    return Figure("part", job, value, unit, "reference", reference)


@pytest.mark.parametrize(
    ("made", "inside"),
    [
        (figure("one result among 1,000,000 persons: posted", 2.0), True),
        (figure("one result among 1,000,000 persons: posted", 2.1), False),
        (figure("one result among 1,000,000 persons: posted", math.nan), False),
        (figure("verify: decoded", 9_000, "passes/s", 22_500), True),
        (figure("verify: decoded", 8_999, "passes/s", 20_000), False),
        (figure("verify: decoded", 9_500, "passes/s", 24_000), False),
        (figure("verify: decoded", 9_500, "passes/s"), False),
        (figure("of which nobody said anything", 1e9), True),
    ],
)
def test_a_figure_is_what_was_wanted_or_missed(made: Figure, inside: bool) -> None:
    assert missed([made]) == ([] if inside else [made])


def test_what_is_wanted_is_said_in_words() -> None:
    assert wanted_text(figure("verify: decoded", 1, "passes/s")) == "≥ 9,000 passes/s and ≥ 0.4×"
    assert wanted_text(figure("one result among 1,000,000 persons", 1)) == "≤ 2 s"
    assert wanted_text(figure("another", 1)) == ""
    assert len({wanted.job for wanted in WANTED}) == len(WANTED)


def test_rounds_are_in_turns() -> None:
    order: list[str] = []
    found = rates([lambda _: order.append("a"), lambda _: order.append("b")], 2, rounds=2)
    assert "".join(order) == "aabbaabb"
    assert [len(one) for one in found] == [2, 2]


@pytest.mark.parametrize(("seconds", "code"), [(1.9, 0), (2.5, 1)])
def test_what_was_missed_is_listed_at_the_end(
    seconds: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = figure("one result among 1,000,000 persons: read", seconds)
    monkeypatch.setattr(bench, "PARTS", {"level update": lambda _: iter([made])})
    monkeypatch.setattr(sys, "argv", ["bench", "--json", str(tmp_path / "figures.json")])
    try:
        bench.main()
        ended = 0
    except SystemExit as end:
        ended = int(str(end.code))
    assert ended == code
    assert ("Missed: 1" in capsys.readouterr().out) == bool(code)
    told = json.loads((tmp_path / "figures.json").read_text())
    assert told["figures"][0]["missed"] == bool(code)
    assert {"processor", "cores", "load_before", "load_after"} <= set(told["machine"])


def test_the_tests_on_spark_have_a_limit() -> None:
    assert beyond(180, load=1, cores=2) == ("", False)
    assert beyond(181, load=4, cores=2)[1] is False
    told, fails = beyond(361, load=4, cores=2)
    assert (fails, "took 361 s" in told) == (True, True)
    told, fails = beyond(600, load=4.1, cores=2)
    assert (fails, "did other work" in told) == (False, True)


def test_a_part_measures_on_a_node_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SINGLE": 3, "BATCH": 4, "BATCHES": 2, "PROOFS": 5}.items():
        monkeypatch.setattr(log, name, value)
    found = list(log.run(tmp_path))
    assert all(math.isfinite(one.value) and one.value > 0 for one in found)
    assert [one.job for one in found if "whole log" in one.job] == ["whole log of 14 recomputed"]
