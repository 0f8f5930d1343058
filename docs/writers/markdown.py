"""The little Markdown that the writers need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; bars and line breaks inside cells are made harmless."""
    lines = [_row(head), "|" + "---|" * len(head)]
    lines += [_row(row) for row in rows]
    return "\n".join(lines)


def page(title: str, source: str, *parts: str) -> str:
    """A whole page that says what it was generated from."""
    head = (
        f"# {title}\n\n<!-- Generated from {source} by `python -m docs.generate`: change the code, not this page. -->"
    )
    return "\n\n".join([head, *(part.strip() for part in parts if part.strip())]) + "\n"


def first_sentence(text: str | None) -> str:
    """The first paragraph of a docstring on one line."""
    line = " ".join((text or "").strip().split("\n\n")[0].split())
    return re.sub(r":\w+:(?=`)", "", line.replace("``", "`"))


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ").strip() for cell in cells) + " |"
