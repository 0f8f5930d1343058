"""Attackers on a table of counts that share no code with the package: one solves, one enumerates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import linprog

Row = dict[str, Any]
Bounds = dict[str, tuple[int, int]]


def narrow(rows: list[Row], threshold: int) -> Bounds:
    """Exact bounds of every withheld cell of ONE period, by linear programming on what is published.

    The equations of a tree are totally unimodular, so that the optimum over the reals is the one over the integers.
    """
    place = {row["area_code"]: number for number, row in enumerate(rows)}
    parts: dict[str, list[str]] = {}
    for row in rows:
        if row["parent_code"] is not None:
            parts.setdefault(row["parent_code"], []).append(row["area_code"])
    equations = np.zeros((len(parts), len(rows)))
    for number, (whole, codes) in enumerate(parts.items()):
        equations[number, place[whole]] = -1
        for code in codes:
            equations[number, place[code]] = 1
    limits = _known(rows, parts, threshold)
    found: Bounds = {}
    for row in rows:
        if row["status"] == "withheld":
            objective = np.zeros(len(rows))
            objective[place[row["area_code"]]] = 1
            ends = []
            for sign in (1, -1):
                answer = linprog(sign * objective, A_eq=equations, b_eq=np.zeros(len(parts)), bounds=limits)
                assert answer.status in (0, 3), answer.message  # solved, or without a bound
                ends.append(sign * round(answer.fun) if answer.status == 0 else math.inf)
            found[row["area_code"]] = (int(ends[0]), int(min(ends[1], 10**9)))
    return found


def _known(rows: list[Row], parts: dict[str, list[str]], threshold: int) -> list[tuple[float, float | None]]:
    """What the rule, as documented, tells about each cell."""
    by_code = {row["area_code"]: row for row in rows}
    root = next(row for row in rows if row["parent_code"] is None)

    def below(code: str) -> list[str]:
        return [found for part in parts.get(code, []) for found in (part, *below(part))]

    veiled: set[str] = set()
    for row in rows:
        under = below(row["area_code"])
        all_withheld = bool(under) and all(by_code[code]["status"] == "withheld" for code in under)
        leaves = sum(1 for code in under if code not in parts)
        too_few = row["value"] is not None and leaves >= row["value"] - threshold + 3
        if (row is root and row["status"] == "withheld") or (all_withheld and too_few):
            veiled.update(under)
    limits: list[tuple[float, float | None]] = []
    for row in rows:
        code = row["area_code"]
        if row["status"] == "published":
            limits.append((row["value"], row["value"]))
        elif row is root:
            limits.append((1, threshold - 1))
        elif code in veiled:
            limits.append((0, threshold - 1 if code not in parts else None))
        else:
            limits.append((1, None))
    return limits
