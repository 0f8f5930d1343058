"""Writes every page of the documentation that is derived from the code: ``python -m docs.generate [--check]``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.writers import api, commands, errors, events, lists, policies, quality, settings

from hutong.standard import load
from hutong.standard.reference import reference_page

DOCS = Path(__file__).parent


def _specification() -> str:
    from tests.spec.render import render  # the examples are the tests' own

    return render()


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/standard.md": lambda: reference_page(load()),
    "reference/specification.md": _specification,
    "reference/cli.md": commands.write,
    "reference/settings.md": settings.write,
    "reference/errors.md": errors.write,
    "reference/policies.md": policies.write,
    "reference/events.md": events.write,
    "reference/quality-rules.md": quality.write,
    "reference/api.md": api.write,
    "explanation/what-the-lists-hold.md": lambda: lists.write(DOCS / "explanation" / "what-the-lists-hold.md"),
}


def outdated() -> dict[str, str]:
    """Pages whose file does not hold what the code says now, with that text."""
    fresh = {name: write() for name, write in PAGES.items()}
    return {name: text for name, text in fresh.items() if _text(DOCS / name) != text}


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


def main(arguments: list[str]) -> int:
    """Write what changed, or with ``--check`` only say so; 1 when a check finds something."""
    pages = outdated()
    for name, text in pages.items():
        if "--check" not in arguments:
            (DOCS / name).write_text(text, "utf-8")
        sys.stdout.write(f"{'outdated' if '--check' in arguments else 'wrote'} docs/{name}\n")
    return int(bool(pages) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
