"""Writes the cases as a page of the manual: ``python -m tests.spec.render``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from .chapters import CASES, CHAPTERS
from .specification import Case, as_markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "specification.md"
INTRODUCTION = """\
<!-- Written by `python -m tests.spec.render`; a test compares this page with what that writes. -->

# What is computed, by example

Each example is a test: the tables stand in a lake as the node writes it, the expression runs on DuckDB and on Apache
Spark, and both must give the table at the end. A dash (–) is a missing value, `""` an empty text.
"""


def render() -> str:
    """The page."""
    lines = [INTRODUCTION]
    lines += [f"- [{chapter.title}](#{_anchor(chapter.title)})" for chapter in CHAPTERS]
    for chapter in CHAPTERS:
        lines += ["", f"## {chapter.title}", "", chapter.words]
        for case in chapter.cases:
            lines += _case(case)
    return "\n".join(lines) + "\n"


def _case(case: Case) -> Iterable[str]:
    yield from ("", f"### {case.title}", "", case.words)
    for name, text in case.tables.items():
        yield from ("", f"`{name}`", "", *as_markdown(text))
    yield from ("", f"`{case.shown}` gives", "", *as_markdown(case.out))


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
    sys.stdout.write(f"wrote {len(CASES)} examples to {PAGE.name}\n")
