"""What the command printed, held against its file: every number, id, path and second of a step stands in its facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

STEPS = {
    "1  Set up": "set_up",
    "Trust list": "trust",
    "2  Acquire": "acquire",
    "3  Quality": "quality",
    "4  Open": "open",
    "5  Catalogue": "catalogue",
    "6  Share": "share",
    "7  Pass": "passes",
    "8  Log": "log",
}
"""Titles of the steps as printed, and their names in the file."""
EVENTS: dict[str, dict[str, set[str]]] = {
    "set_up": {
        "hub": {"node.initialised", "account.created"},
        "both": {"node.initialised", "account.created", "emergency.declared", "boundary.set", "source.declared"},
    },
    "trust": {"hub": {"trust-list.published"}, "both": {"trust-list.adopted"}},
    "acquire": {"both": {"receipt.issued"}},
    "quality": {"both": {"quality.assessed"}},
    "open": {"both": {"release.published"}},
    "catalogue": {"hub": {"catalogue.harvested", "series.joined"}},
    "share": {
        "giver": {
            *("request.filed", "request.granted", "agreement.signed"),
            *("delivery.made", "agreement.revoked", "delivery.refused"),
        },
        "taker": {
            *("request.sent", "request.followed", "agreement.kept"),
            *("delivery.received", "agreement.revocation-kept"),
        },
    },
    "passes": {
        "both": {"rulebook.published", "crosswalk.published", "acceptance.published", "party-bundle.adopted"},
        "giver": {"risk-areas.assessed", "levels.decided", "pass.issued", "source.declared", "receipt.issued"},
        "hub": {"party-bundle.adopted"},
    },
    # Witnessing is no entry: it would make a new tree that nobody has signed.
    "log": {},
}
"""Kinds of events that each step leaves in the logs of the hub, of both regions, of the one that gives or takes."""

# Not the digits of a word ("k = 10" is a number, that of sha256 is none), nor a day's or hour's parts.
_NUMBER = re.compile(r"(?<![\w.,:-])\d(?:[\d,]*\d)?(?:\.\d+)?(?![\w:-]|\.\d)")


def lines_of_steps(told: str) -> dict[str, list[str]]:
    """The printed lines by step; under ``end`` what is told after the last one, up to the closing screen."""
    found: dict[str, list[str]] = {"begin": []}
    now = "begin"
    for line in told[: told.index("\nOpen\n")].splitlines():
        title = STEPS.get(line.strip())
        now = title or ("end" if line.startswith("Done in") else now)
        if title is None:
            found.setdefault(now, []).append(line)
    return found


def untold(lines: list[str], facts: Any) -> list[str]:
    """Numbers of the lines that no number, text or key of the facts gives."""
    numbers, texts = set(), set()
    for value in _values(facts):
        if isinstance(value, str):
            texts.add(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers |= {f"{value:{form}}" for form in (",", ".0f", ".1f", ".2f")}
    missing = []
    for line in lines:
        rest = line
        for text in sorted((text for text in texts if re.search(r"\d", text)), key=len, reverse=True):
            rest = re.sub(rf"(?<![\w,.]){re.escape(text)}(?![\w]|[.,]\d)", " ", rest) if text in rest else rest
        missing += [number for number in _NUMBER.findall(rest) if number not in numbers]
    return missing


def _values(facts: Any) -> Iterator[Any]:
    if isinstance(facts, dict):
        yield from facts
        for value in facts.values():
            yield from _values(value)
    elif isinstance(facts, list):
        for value in facts:
            yield from _values(value)
    else:
        yield facts
