"""Where Hutong and a foreign suite differ, or a case can't be tested: ``exceptions.csv``, the one file of all of them.

A test compares the cases that it found to differ with those that the file lists, so it fails for a new one and for one
that is no longer needed. ``count`` is how many times a case differs; the case ``*`` stands for several that are counted
together.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parent / "exceptions.csv"


class Row(NamedTuple):
    suite: str
    case: str
    check: str
    count: int
    reason: str


def rows() -> list[Row]:
    with FILE.open(newline="", encoding="utf-8") as file:
        return [
            Row(one["suite"], one["case"], one["check"], int(one["count"]), one["reason"])
            for one in csv.DictReader(file)
        ]


def exceptions(suite: str, check: str) -> dict[str, int]:
    """Cases of a suite that are known to differ in one check, and how many times."""
    return {row.case: row.count for row in rows() if (row.suite, row.check) == (suite, check)}
