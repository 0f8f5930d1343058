"""The entries for the translation of errors: each sentence with its placeholders numbered.

``The log has {0} entries, not {1}.`` is one sentence of ``f"The log has {size} entries, not {old_size}."``.
``{0:words}`` is a value whose own words are entries too, and which is translated on its own before it is put in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

from hutong import errors
from hutong.errors import HutongError
from hutong.web.sentences.flow import ELSEWHERE, Flow, Shape, Slot
from hutong.web.sentences.source import Source, called_name

ERRORS: Final = tuple(
    name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, HutongError)
)
SAYING: Final[Mapping[str, int]] = {**dict.fromkeys(ERRORS, 0), "problem_response": 2, "error_page": 2}
"""What is called with the two sentences of an error, and at which position the first of them stands."""

STATES: Final = (
    ("hutong.acquisition.held", "Outcome"),
    ("hutong.passes.appeal.appeal", "State"),
    ("hutong.sharing.demand", "State"),
)
"""Names of states that sentences contain: an enumeration holds them, so they are in no f-string."""

INPUT_ERRORS: Final = (
    "missing",
    "int_parsing",
    "int_parsing_size",
    "int_type",
    "bool_parsing",
    "date_parsing",
    "date_from_datetime_parsing",
    "enum",
    "literal_error",
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "string_type",
    "string_pattern_mismatch",
    "string_too_long",
    "string_too_short",
    "list_type",
    "too_long",
    "extra_forbidden",
    "value_error",
)
"""What pydantic can find wrong with the parameters of a page's address or form."""

WORDS: Final = ":words"
_WORD: Final = re.compile(r"[A-Za-z]{2,}")
_FIELD: Final = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Site:
    """One place that tells of an error: its file below the package, and the entries of each of its two sentences."""

    path: str
    line: int
    is_error: bool
    told: tuple[frozenset[str], ...]


@cache
def sites(folder: Path) -> tuple[Site, ...]:
    """Every place below the package's folder that tells of an error. Takes seconds."""
    source = Source(folder)
    flow = Flow(source)
    found = []
    for module in source.modules.values():
        for call, place in module.calls:
            name = called_name(call)
            if name in SAYING:
                given = call.args[SAYING[name] : SAYING[name] + 2]
                told = (frozenset(e for s in flow.shapes(one, place) for e in entries(s)) for one in given)
                found.append(Site(module.path.as_posix(), call.lineno, name in ERRORS, tuple(told)))
    return tuple(found)


@cache
def sentences(folder: Path) -> Mapping[str, frozenset[str]]:
    """Every entry, and the files of the package below ``folder`` that it comes from. Takes seconds."""
    found: dict[str, set[str]] = {}
    for site in sites(folder):
        for entry in frozenset().union(*site.told):
            found.setdefault(entry, set()).add(site.path)
    source = Source(folder)
    for name, listed in STATES:
        for text in source.enumeration(name, listed):
            found.setdefault(text, set()).add(source.modules[name].path.as_posix())
    for words, path in source.actions():
        found.setdefault(words, set()).add(path)
    for entry in input_errors():
        found.setdefault(entry, set()).add("web/doors.py")
    return _merged(found)


def _merged(found: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    """One entry for a sentence whose value has known words at one place and not at another: it may have them."""
    alike: dict[str, set[str]] = {}
    for entry in found:
        alike.setdefault(entry.replace(WORDS, ""), set()).add(entry)
    merged = {}
    for plain, entries_ in alike.items():
        marked = {number for entry in entries_ for number in re.findall(r"\{(\d+):words\}", entry)}
        entry = plain
        for number in marked:
            entry = entry.replace(f"{{{number}}}", f"{{{number}{WORDS}}}")
        merged[entry] = frozenset().union(*(found[one] for one in entries_))
    return merged


def entries(shape: Shape) -> Iterator[str]:
    """The entries of one sentence: itself, and those of the words that it may contain.

    A sentence without a word of its own (``f"{file}: {what}."``) would fit almost everything, so it is written out
    with each of the words that it may contain.
    """
    shape = _joined(shape)
    if not any(isinstance(part, str) for part in shape):
        return
    if not _speaks(shape):
        yield from _written_out(shape)
        return
    yield _entry(shape)
    for part in shape:
        if isinstance(part, Slot):
            for inner in part.shapes:
                yield from entries(inner)


def _written_out(shape: Shape) -> Iterator[str]:
    choices: list[list[Shape]] = []
    for part in shape:
        if isinstance(part, str) or not part.shapes:
            choices.append([(part,)])
        else:
            choices.append([(Slot(frozenset({one})),) if one == ELSEWHERE else one for one in part.shapes])
    for chosen in product(*choices):
        whole = _joined(tuple(part for one in chosen for part in one))
        if _speaks(whole):
            yield from entries(whole)
        elif any(isinstance(part, Slot) and part.shapes for part in whole):
            yield _entry(whole)


def _speaks(shape: Shape) -> bool:
    """Whether a sentence has a word of its own."""
    return any(_WORD.search(part) for part in shape if isinstance(part, str))


def input_errors() -> Iterator[str]:
    """The sentences about a page's parameters, as ``hutong.web.doors`` composes them of pydantic's messages."""
    from pydantic_core._pydantic_core import list_all_errors

    templates = {one["type"]: one["message_template_python"] for one in list_all_errors()}
    for kind in INPUT_ERRORS:
        for plural in ("", "s") if "{expected_plural}" in templates[kind] else ("",):
            text = f"{{place}}: {templates[kind].replace('{expected_plural}', plural)}."
            for number, field in enumerate(_FIELD.findall(text)):
                text = text.replace(field, f"{{{number}}}", 1)
            yield text


def _joined(shape: Shape) -> Shape:
    """The same with texts that touch made one, and values that touch too: nothing tells where one ends."""
    parts: list[str | Slot] = []
    for part in shape:
        last = parts[-1] if parts else None
        if part == "":
            continue
        if isinstance(part, str) and isinstance(last, str):
            parts[-1] = last + part
        elif isinstance(part, Slot) and isinstance(last, Slot):
            parts[-1] = Slot()
        else:
            parts.append(part)
    return tuple(parts)


def _entry(shape: Shape) -> str:
    numbers = iter(range(len(shape)))
    return "".join(
        part if isinstance(part, str) else f"{{{next(numbers)}{WORDS if part.shapes else ''}}}" for part in shape
    )
