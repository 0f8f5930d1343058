"""Errors in the words of a page: an English sentence is translated by its shape.

What raises an error writes it as an f-string in English; nothing there names a message. The catalogue
``locale/zh_Hans/LC_MESSAGES/errors.po`` has each of these sentences with numbered placeholders, as
`hutong.web.sentences` reads them out of the source. A sentence is looked up as it is, then compared with the shapes;
the one that recognises most of it is taken. Its values are put into the translated sentence; those marked
``{0:words}`` are translated on their own before.

What has no translation is shown in English and marked as English, for screen readers and hyphenation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from markupsafe import Markup, escape

from hutong.passes import documents
from hutong.trust.authorisation import Policy
from hutong.web.i18n import CHINESE, ENGLISH, ERRORS, Language, forms_of, read_catalogue

LONGEST: Final = 4000
"""Characters of a sentence that is compared with the shapes; a longer one stays as it is."""
DEEPEST: Final = 4
"""How often words may stand within words."""
MOST_SENTENCES: Final = 12
"""Sentences in a row that are translated one by one."""
MOST_TEXTS: Final = 200
"""Texts within one sentence that are compared with the shapes."""

RULEBOOKS: Final = Path(documents.__file__).parent / "shipped"

_PLACEHOLDER: Final = re.compile(r"\{(\d+)(:words)?\}")
_WORD: Final = re.compile(r"\w{2,}")
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_MEETING: Final = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9'\"]|[A-Za-z0-9'\"][\u4e00-\u9fff]")
_END: Final = re.compile(r"(?<=[.!?]) ")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sentence with values in it: ``literals`` stand before, between and after them, so there is one more.

    ``words`` are the numbers of the values that are translated themselves.
    """

    entry: str
    literals: tuple[str, ...]
    words: frozenset[int]
    translation: str

    @property
    def is_empty(self) -> bool:
        """Whether it has no word of its own (``{0}: {1:words}.``) and fits whatever its values are."""
        return not _WORD.search(" ".join(self.literals))

    def values(self, text: str) -> list[str] | None:
        """What stands for the placeholders; None where the text has another shape.

        Each literal is taken where it comes first. That finds a way whenever there is one, without going back.
        """
        first, *between, last = self.literals
        end = len(text) - len(last)
        if not (text.startswith(first) and text.endswith(last)):
            return None
        found, position = [], len(first)
        for literal in between:
            at = text.find(literal, position, end)
            if at < 0:
                return None
            found.append(text[position:at])
            position = at + len(literal)
        return [*found, text[position:end]] if position <= end else None


@dataclass(frozen=True, slots=True)
class Told:
    """A text in the other language, and how many characters of the original were recognised on the way."""

    text: str
    known: int


@dataclass(frozen=True, slots=True)
class Glossary:
    """Sentences without values by their text, and those with values, the most specific first."""

    exact: Mapping[str, str]
    patterns: tuple[Pattern, ...]

    def translate(self, text: str) -> str | None:
        """The sentence, or several in a row, in the other language; None when it has no shape that is known."""
        told = _Reading(self).read(text, 0)
        return told.text if told else None


class _Reading:
    """One sentence being read: of all ways, the one is taken that recognises most of it."""

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self._read: dict[str, Told | None] = {}

    def read(self, text: str, depth: int) -> Told | None:
        if text in self._glossary.exact:
            return Told(self._glossary.exact[text], len(text))
        if text not in self._read:
            if len(text) > LONGEST or depth > DEEPEST or len(self._read) >= MOST_TEXTS:
                return None
            self._read[text] = None  # until it is read
            ways = [self._in_a_row(text, depth), *(self._by(one, text, depth) for one in self._glossary.patterns)]
            self._read[text] = max(filter(None, ways), key=lambda told: told.known, default=None)
        return self._read[text]

    def _in_a_row(self, text: str, depth: int) -> Told | None:
        parts = _END.split(text, MOST_SENTENCES)
        if not 1 < len(parts) <= MOST_SENTENCES:
            return None
        told = [one for one in (self.read(part, depth + 1) for part in parts) if one]
        return (
            Told("".join(one.text for one in told), sum(one.known for one in told)) if len(told) == len(parts) else None
        )

    def _by(self, pattern: Pattern, text: str, depth: int) -> Told | None:
        values = pattern.values(text)
        if values is None or (pattern.is_empty and any(_END.search(value) for value in values)):
            return None
        known = len("".join(pattern.literals))
        for number in pattern.words:
            told = self._words(values[number], depth + 1)
            if told is not None:
                values[number], known = told.text, known + told.known
            elif pattern.is_empty:
                return None
        return Told(_filled(pattern.translation, values), known)

    def _words(self, text: str, depth: int) -> Told | None:
        """Words within a sentence; they may be the sentence of another error, taken in without its full stop."""
        if not text.strip():
            return Told(text, 0)
        told, whole = self.read(text, depth), self.read(f"{text}.", depth)
        if whole is not None and (told is None or whole.known - 1 > told.known):
            return Told(whole.text.removesuffix("。"), whole.known - 1)
        return told


def _filled(translation: str, values: list[str]) -> str:
    """The values put in, with a space where Latin letters or digits meet Han, and none between Han and Han."""
    filled = ""
    position = 0
    for found in _PLACEHOLDER.finditer(translation):
        filled = _beside(_beside(filled, translation[position : found.start()]), values[int(found[1])])
        position = found.end()
    return _beside(filled, translation[position:])


def _beside(before: str, after: str) -> str:
    if _HAN.match(before.rstrip(" ")[-1:]) and _HAN.match(after.lstrip(" ")[:1]):
        return before.rstrip(" ") + after.lstrip(" ")
    meets = before[-1:] + after[:1]
    return f"{before} {after}" if _MEETING.fullmatch(meets) else before + after


@cache
def glossary() -> Glossary:
    """The Chinese of everything that an error can say; read once."""
    exact = {**dict(_of_policies()), **dict(_of_rulebooks())}
    patterns = []
    for message in read_catalogue(CHINESE, ERRORS):
        (translation,) = forms_of(message)
        if not message.id or not translation or message.fuzzy:
            continue
        entry = str(message.id)
        literals = tuple(_PLACEHOLDER.sub("\0", entry).split("\0"))
        marks = frozenset(int(number) for number, words in _PLACEHOLDER.findall(entry) if words)
        if len(literals) == 1:
            exact[entry] = translation
        else:
            patterns.append(Pattern(entry, literals, marks, translation))
    patterns.sort(key=lambda one: (-len("".join(one.literals)), len(one.literals), one.entry))
    return Glossary(exact, tuple(patterns))


def said(language: Language, *sentences: str) -> Markup:
    """Sentences of an error for a page, escaped: in its language, or in English and marked so."""
    given = [sentence for sentence in sentences if sentence]
    if language is ENGLISH:
        return escape(" ".join(given))
    told = [(sentence, glossary().translate(sentence)) for sentence in given]
    return Markup("").join(
        Markup('<span lang="{}">{}</span> ').format(ENGLISH.tag, sentence) if text is None else escape(text)
        for sentence, text in told
    )


def _of_policies() -> Iterator[tuple[str, str]]:
    """Reasons of the policies, which carry both languages themselves."""
    for note in Policy.load().annotations.values():
        if note.get("reason") and note.get("reason_zh"):
            yield note["reason"], note["reason_zh"]


def _of_rulebooks() -> Iterator[tuple[str, str]]:
    """Texts of the rulebooks that come with the package: reasons of a level stand in refusals."""
    for path in sorted(RULEBOOKS.rglob("*.yaml")):
        yield from _pairs(yaml.safe_load(path.read_text("utf-8")))


def _pairs(document: Any) -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        if isinstance(document.get("en"), str) and isinstance(document.get("zh"), str):
            yield document["en"], document["zh"]
        for value in document.values():
            yield from _pairs(value)
    elif isinstance(document, list):
        for value in document:
            yield from _pairs(value)
