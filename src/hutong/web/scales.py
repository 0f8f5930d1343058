"""Where ticks and class limits stand on a chart's scales; their labels come from Babel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil, floor, log10

from hutong.web.i18n import Translations

MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240)


def round_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that isn't below ``rough`` (> 0)."""
    power = 10.0 ** floor(log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))


def count_ticks(largest: float, words: Translations, most: int = 5) -> list[tuple[float, str]]:
    """Round ticks from 0 to at least ``largest``, whole numbers; at most ``most`` above zero."""
    step = max(1.0, round_step(max(largest, 1) / most))
    steps = max(1, ceil(largest / step))
    return [(place * step, words.number(place * step)) for place in range(steps + 1)]


def time_ticks(first: date, weeks: float, most: int, words: Translations) -> list[tuple[float, str]]:
    """Starts of months or years within ``weeks`` from ``first``, as (weeks from first, label); at most ``most``."""
    last = first + timedelta(days=round(weeks * 7))
    months = (last.year - first.year) * 12 + last.month - first.month
    step = next((step for step in MONTH_STEPS if months / step < most), MONTH_STEPS[-1])
    ticks = []
    start = first.year * 12 + first.month - 1
    for month in range(-(-start // step) * step, start + months + 1, step):
        day = date(month // 12, month % 12 + 1, 1)
        place = (day - first).days / 7
        if 0 <= place <= weeks:
            ticks.append((place, words.month(day) if step < 12 else str(day.year)))
    return ticks or [(0.0, words.date(first))]


def class_breaks(values: Sequence[float], most: int) -> list[float]:
    """Lower limits of at most ``most`` classes of positive values: the least value, then 1-2-5 round numbers.

    Epidemics spread over orders of magnitude, so the limits are geometric; a narrow range gets fewer classes.
    """
    if not values:
        return [0.0]
    least, largest = min(values), max(values)
    rounds = [
        step * 10.0**power for power in range(floor(log10(least)), ceil(log10(largest)) + 1) for step in (1, 2, 5)
    ]
    inside = [limit for limit in rounds if least < limit <= largest]
    stride = max(1, ceil(len(inside) / (most - 1)))
    return [least, *inside[::-1][::stride][::-1]]


def class_of(value: float, breaks: Sequence[float]) -> int:
    """Index of the class that holds ``value``: the last limit that isn't above it."""
    return max((place for place, limit in enumerate(breaks) if limit <= value), default=0)
