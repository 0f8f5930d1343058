"""From raw text to a value of an element: pure functions of the cells of one row, with the reason where they
fail."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hutong.acquisition import weeks
from hutong.acquisition.columns import Cells
from hutong.standard import Element, Sensitivity
from hutong.standard.open_text import begins_like_a_formula, has_unseen

UNSAFE_TEXT = "unsafe-text"
"""The rule for text that must not get into anything that is published."""


@dataclass(frozen=True, slots=True)
class Value:
    """The outcome for one distinct tuple of cells.

    ``rule`` and ``reason`` say why there is no value although there was text; ``notes`` are (rule, column)
    findings.
    """

    value: Any = None
    rule: str | None = None
    reason: str = ""
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of an element comes from, as the mapping declares it.

    One of ``columns``, ``constant`` and ``vault`` is given. ``codes`` maps raw text to values; ``replace``
    repairs raw text known to be wrong; ``scale`` is a unit factor; ``utc_offset`` belongs to date-times
    without a zone.
    """

    columns: tuple[str, ...] = ()
    constant: Any = None
    vault: bool = False
    nulls: frozenset[str] = frozenset()
    replace: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Any] | None = None
    separator: str = ""
    prefix: str = ""
    spaces: str | None = None
    formats: tuple[str, ...] = ()
    utc_offset: timedelta | None = None
    thousands: str = ""
    decimal: str = "."
    scale: float = 1.0
    week_system: str | None = None
    bands: bool = False


class _Invalid(Exception):
    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule, self.reason = rule, reason


def value_of(origin: Origin, element: Element) -> Callable[[Cells], Value]:
    """The function from cells to the value of ``element``."""
    check = _checker(element)
    parse = _parser(origin, element)
    hidden = element.sensitivity is Sensitivity.IDENTIFIER
    if not origin.columns:
        constant = origin.constant
        return lambda _cells: Value(constant)

    def run(cells: Cells) -> Value:
        texts, notes = _clean(origin, cells)
        if any(text is None for text in texts):
            return Value(notes=notes)
        try:
            value = parse([text for text in texts if text is not None])
            check(value)
        except _Invalid as problem:
            # What a person is called or where they live must not leak into a reason that is stored beside the row.
            reason = "the text does not fit" if hidden else problem.reason
            return Value(None, problem.rule, reason, notes)
        return Value(value, notes=notes)

    return run


def _clean(origin: Origin, cells: Cells) -> tuple[list[str | None], tuple[tuple[str, str], ...]]:
    """Cells without surrounding space, repaired, None where they mean "missing"; and what was found on the
    way."""
    texts: list[str | None] = []
    notes: list[tuple[str, str]] = []
    for column, cell in zip(origin.columns, cells, strict=True):
        text = (cell or "").strip()
        if cell and text != cell:
            notes.append(("surrounding-space", column))
        if is_damaged(text):
            notes.append(("damaged-text", column))
        if text in origin.replace:
            notes.append(("repaired", column))
            text = origin.replace[text]
        if text in origin.nulls or not text:
            if text:
                notes.append(("missing-as-text", column))
            texts.append(None)
        else:
            texts.append(text)
    return texts, tuple(notes)


def is_damaged(text: str) -> bool:
    """Whether text went through a wrong encoding: a replacement character, or Latin mixed with Cyrillic or
    Greek."""
    if text.isascii():
        return False
    if "\ufffd" in text:
        return True
    scripts = {unicodedata.name(c, "?").split()[0] for c in text if c.isalpha()}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK"})


def _parser(origin: Origin, element: Element) -> Callable[[list[str]], Any]:
    if origin.codes is not None:
        return lambda texts: _coded(origin, _joined(origin, texts))
    if origin.bands:
        return lambda texts: _band(_number(origin, texts[0]), element)
    by_type: dict[str, Callable[[list[str]], Any]] = {
        "week": lambda texts: _week(origin, texts),
        "date": lambda texts: _day(origin, texts),
        "datetime": lambda texts: _moment(origin, texts[0]),
        "integer": lambda texts: _whole(_number(origin, texts[0]), texts[0]),
        "decimal": lambda texts: _number(origin, texts[0]),
    }
    return by_type.get(element.type, lambda texts: _joined(origin, texts))


def _joined(origin: Origin, texts: list[str]) -> str:
    if origin.spaces is not None:
        texts = [re.sub(r"\s+", origin.spaces, text) for text in texts]
    return origin.prefix + origin.separator.join(texts)


def _coded(origin: Origin, text: str) -> Any:
    codes = origin.codes or {}
    if text not in codes:
        raise _Invalid("unknown-code", f"the mapping has no code for {text[:80]!r}")
    return codes[text]


def _number(origin: Origin, text: str) -> float:
    plain = text
    if origin.thousands:
        groups = text.lstrip("+-").split(origin.decimal)[0].split(origin.thousands)
        if len(groups) > 1 and (not 1 <= len(groups[0]) <= 3 or any(len(g) != 3 for g in groups[1:])):
            raise _Invalid("not-a-number", f"{text[:80]!r} has its thousands separators at odd places")
        plain = plain.replace(origin.thousands, "")
    if not re.fullmatch(r"[+-]?[0-9]{1,30}(?:" + re.escape(origin.decimal) + r"[0-9]{1,30})?", plain):
        raise _Invalid("not-a-number", f"{text[:80]!r} is no number as declared")
    return float(plain.replace(origin.decimal, ".")) * origin.scale


def _whole(number: float, text: str) -> int:
    if number != int(number):
        raise _Invalid("not-a-number", f"{text[:80]!r} is no whole number")
    return int(number)


def _band(age: float, element: Element) -> str:
    """The band of five years of an age in years, out of the element's own code list (``0-4`` … ``85+``)."""
    years = int(age)
    low = years - years % 5
    values = element.code_list.values if element.code_list else frozenset()
    if f"{low}-{low + 4}" in values:
        return f"{low}-{low + 4}"
    open_bands = [int(v[:-1]) for v in values if v.endswith("+")]
    if years <= 120 and open_bands and years >= max(open_bands):
        return f"{max(open_bands)}+"
    raise _Invalid("out-of-range", f"{years} years have no band")


def _year_week(origin: Origin, texts: list[str]) -> tuple[int, int, date]:
    year, week = (_whole(_number(origin, text), text) for text in texts)
    start = weeks.first_day(year, week, origin.week_system or "iso")
    if start is None:
        raise _Invalid("no-such-week", f"{year} has no week {week} ({origin.week_system})")
    return year, week, start


def _week(origin: Origin, texts: list[str]) -> str:
    if len(texts) == 2:
        year, week, _start = _year_week(origin, texts)
        return weeks.week_text(year, week)
    parsed = weeks.parse_week(texts[0])
    if parsed is None:
        raise _Invalid("not-a-week", f"{texts[0][:80]!r} is no week such as 2015-W38")
    if weeks.first_day(*parsed, origin.week_system or "iso") is None:
        raise _Invalid("no-such-week", f"{parsed[0]} has no week {parsed[1]} ({origin.week_system})")
    return texts[0]


def _day(origin: Origin, texts: list[str]) -> date:
    if origin.week_system:
        return _year_week(origin, texts)[2]
    return _parsed(origin, texts[0]).date()


def _moment(origin: Origin, text: str) -> datetime:
    moment = _parsed(origin, text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone(origin.utc_offset or timedelta()))
    return moment.astimezone(UTC)


def _parsed(origin: Origin, text: str) -> datetime:
    for form in origin.formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone, where there is one, is added by the caller
        except ValueError:
            continue
    raise _Invalid("not-a-date", f"{text[:80]!r} is no date as declared ({' or '.join(origin.formats)})")


def _plain(value: float) -> str:
    """A number for a sentence: two decimal digits say enough of days that were turned into years."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _checker(element: Element) -> Callable[[Any], None]:
    """The rules that the standard itself gives: code list, range, pattern; and what no text may have."""
    values = element.code_list.values if element.code_list else None
    pattern = re.compile(element.pattern) if element.pattern else None
    low, high = element.minimum, element.maximum
    is_text = element.type == "string"
    # What has a form of its own (a code, a telephone number) can be no formula.
    is_free = is_text and (pattern is None or pattern.fullmatch("=A1") is not None)

    def check(value: Any) -> None:
        if values is not None and value not in values:
            raise _Invalid("unknown-code", f"{str(value)[:80]!r} is not in the code list")
        if low is not None and value < low:
            raise _Invalid("out-of-range", f"{_plain(value)} is below {low:g}")
        if high is not None and value > high:
            raise _Invalid("out-of-range", f"{_plain(value)} is above {high:g}")
        if is_text and has_unseen(value):
            raise _Invalid(UNSAFE_TEXT, f"{value[:80]!r} has control characters, or some that turn its direction")
        if is_free and begins_like_a_formula(value):
            raise _Invalid(UNSAFE_TEXT, f"{value[:80]!r} begins like the formula of a spreadsheet")
        if pattern is not None and not pattern.fullmatch(value):
            raise _Invalid("pattern", f"{str(value)[:80]!r} does not have the form that the standard asks for")

    return check
