"""Languages of the pages: the path says which one, gettext the words, Babel the numbers and dates.

Message identifiers are English sentences, so English needs no catalogue. The Chinese one is the text file
``locale/zh_Hans/LC_MESSAGES/hutong.po``, parsed when first used; nothing compiled is kept. What errors say is in
``errors.po`` beside it, with numbered placeholders (see `hutong.web.error_words`).

``python -m hutong.web.i18n extract`` brings both files in step with the sources and keeps their translations.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import date as Day  # noqa: N812 - `date` is a method below
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from hutong.errors import NotFound

PACKAGE: Final = Path(__file__).resolve().parent.parent
LOCALE_DIR: Final = Path(__file__).resolve().parent / "locale"
DOMAIN: Final = "hutong"
ERRORS: Final = "errors"
"""The domains, each a file: what pages say, and what errors say on them."""
KEYWORDS: Final[Mapping[str, tuple[int, ...] | None]] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "N_": None,
}
PLACEHOLDER: Final = re.compile(r"\{\d+(?::words)?\}")
# A date in the header would make every extraction a change; the others would say nothing.
DROPPED_HEADERS: Final = tuple(
    f'"{name}:'.encode()
    for name in (
        "Project-Id-Version",
        "Report-Msgid-Bugs-To",
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Generated-By",
    )
)


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the pages: ``code`` in paths, ``tag`` in HTML (BCP 47), ``locale`` of the catalogue."""

    code: str
    tag: str
    locale: str
    name: str


ENGLISH: Final = Language("en", "en", "en", "English")
CHINESE: Final = Language("zh", "zh-Hans", "zh_Hans", "中文")
LANGUAGES: Final[tuple[Language, ...]] = (ENGLISH, CHINESE)


def language_of(code: str) -> Language:
    """Language with this path code. Raises NotFound for any other."""
    for language in LANGUAGES:
        if language.code == code:
            return language
    raise NotFound("This node has no pages in that language.", "Use /en/ or /zh/ at the start of the path.")


def preferred_language(accept_language: str) -> Language:
    """The best of our languages for an ``Accept-Language`` header (RFC 9110, 12.5.4); else English."""
    ranked: list[tuple[float, int, str]] = []
    for position, part in enumerate(accept_language[:500].split(",")[:20]):
        tag, _, weight = part.partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        ranked.append((-quality, position, tag.strip().lower()))
    for negated, _, tag in sorted(ranked):
        for language in LANGUAGES:
            if negated < 0 and tag.split("-")[0] == language.code:
                return language
    return ENGLISH


def switch_language(address: str, language: Language) -> str:
    """The same page in another language: only the first part of the path changes; query and fragment stay.

    ``address`` may be absolute; the answer is always relative to this node, so that it can't lead elsewhere.
    """
    parts = urlsplit(address)
    segments = parts.path.lstrip("/").split("/")
    if segments[0] in {known.code for known in LANGUAGES}:
        segments = segments[1:]
    path = f"/{language.code}/" + "/".join(segments).lstrip("/")
    return urlunsplit(("", "", path, parts.query, parts.fragment))


def N_(message: str) -> str:  # noqa: N802 - the name gettext gives it
    """Marks a sentence for extraction where it is declared; it is translated where it is shown."""
    return message


@dataclass(frozen=True, slots=True)
class Translations:
    """Words, numbers and dates of one language.

    ``messages`` maps an English sentence to its forms: one, or one for each plural of the language.
    """

    language: Language
    locale: Locale
    messages: Mapping[str, tuple[str, ...]]

    def gettext(self, message: str) -> str:
        """The sentence in this language; the English one when there is no translation."""
        forms = self.messages.get(message)
        return forms[0] if forms else message

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """The form that fits ``n``. English has two, Chinese one: no catalogue here needs more."""
        forms = self.messages.get(singular)
        if forms:
            return forms[0] if n == 1 else forms[-1]
        return singular if n == 1 else plural

    def before_words(self, name: str) -> str:
        """A name in front of this language's words: Chinese has a space after Latin letters, and none after its own."""
        return f"{name} " if self.language is CHINESE and name[-1:].isascii() else name

    def number(self, value: float | int) -> str:
        """A number with the language's separators; at most one decimal digit."""
        return str(format_decimal(value, format="#,##0.#", locale=self.locale))

    def percent(self, share: float) -> str:
        """A share (0 to 1) as whole percent; what is nearly all is never called all (99.9%, >99.9%)."""
        if 0.995 <= share < 1:
            nearly = format_percent(min(int(share * 1000) / 1000, 0.999), format="#,##0.0%", locale=self.locale)
            return f">{nearly}" if share > 0.999 else str(nearly)
        return str(format_percent(share, format="#,##0%", locale=self.locale))

    def date(self, day: Day) -> str:
        """A day written out: 3 August 2015, 2015年8月3日."""
        pattern = "d MMMM y" if self.language is ENGLISH else "long"
        return str(format_date(day, format=pattern, locale=self.locale))

    def month(self, day: Day) -> str:
        """The month of a day, short: Aug 2015, 2015年8月."""
        pattern = "MMM y" if self.language is ENGLISH else "y年M月"
        return str(format_date(day, format=pattern, locale=self.locale))

    def moment(self, at: datetime) -> str:
        """A point in time to the minute, in UTC and saying so. Raises ValueError for a time without zone."""
        if at.tzinfo is None:
            raise ValueError("a point in time needs its zone")
        pattern = "d MMMM y, HH:mm 'UTC'" if self.language is ENGLISH else "y年M月d日 HH:mm 'UTC'"
        return str(format_datetime(at.astimezone(UTC), format=pattern, tzinfo=UTC, locale=self.locale))

    def size(self, size_bytes: int) -> str:
        """A file's size in the largest decimal unit that leaves a whole part."""
        scales = (("gigabyte", 1e9), ("megabyte", 1e6), ("kilobyte", 1e3), ("byte", 1))
        unit, scale = next((scale for scale in scales if size_bytes >= scale[1]), scales[-1])
        amount = round(size_bytes / scale, 1) if scale > 1 else size_bytes
        return str(format_unit(amount, f"digital-{unit}", length="short", locale=self.locale))


def catalogue_path(language: Language, domain: str = DOMAIN) -> Path:
    """Where the catalogue of a language lies, whether or not it exists."""
    return LOCALE_DIR / language.locale / "LC_MESSAGES" / f"{domain}.po"


def read_catalogue(language: Language, domain: str = DOMAIN) -> Catalog:
    """The catalogue as Babel reads it; an empty one when there is no file."""
    path = catalogue_path(language, domain)
    if not path.is_file():
        return Catalog(locale=language.locale, domain=domain)
    with path.open("rb") as file:
        return read_po(file, locale=language.locale, domain=domain, abort_invalid=True)


def forms_of(message: Message) -> tuple[str, ...]:
    """The translated forms of a message; an empty string where one is missing."""
    if message.string is None or isinstance(message.string, str):
        return (message.string or "",)
    return tuple(message.string)


@cache
def translations(language: Language) -> Translations:
    """Words of a language, read once. A fuzzy or empty entry counts as missing."""
    messages: dict[str, tuple[str, ...]] = {}
    if language is not ENGLISH:
        for message in read_catalogue(language):
            forms = forms_of(message)
            if message.id and all(forms) and not message.fuzzy:
                key = message.id if isinstance(message.id, str) else message.id[0]
                messages[key] = forms
    return Translations(language, Locale.parse(language.locale), messages)


def extracted(domain: str = DOMAIN) -> Catalog:
    """Every message in the package's Python files and templates, or of its errors, as a template catalogue."""
    template = Catalog(domain=domain, project="Hutong", fuzzy=False)
    if domain == ERRORS:
        from hutong.web.sentences.extract import sentences  # reads the source: no part of a running node

        for sentence, files in sentences(PACKAGE).items():
            template.add(sentence, locations=[(name, 0) for name in sorted(files)])
        return template
    options = {"**.html": {"encoding": "utf-8", "silent": "false"}}
    for name, _, message, comments, context in extract_from_dir(
        PACKAGE,
        method_map=[("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")],
        options_map=options,
        keywords=KEYWORDS,
    ):
        template.add(message, locations=[(Path(name).as_posix(), 0)], auto_comments=comments, context=context)
    return template


def problems(language: Language, domain: str = DOMAIN) -> Iterator[str]:
    """What keeps a catalogue from being complete: a line for each message missing, fuzzy, unused or misformed."""
    wanted = {message.id: message for message in extracted(domain) if message.id}
    have = {message.id: message for message in read_catalogue(language, domain) if message.id}
    for key in wanted.keys() - have.keys():
        yield f"not in the catalogue: {key!r}"
    for key in have.keys() - wanted.keys():
        yield f"no longer used: {key!r}"
    for key, message in have.items():
        forms = forms_of(message)
        if not all(forms):
            yield f"not translated: {key!r}"
        if message.fuzzy:
            yield f"fuzzy: {key!r}"
        if key in wanted and all(forms):
            yield from (f"{error}: {key!r}" for error in _misformed(message, domain))


def _misformed(message: Message, domain: str) -> Iterator[str]:
    if domain != ERRORS:
        yield from (str(error) for error in message.check())
    elif set(PLACEHOLDER.findall(str(message.id))) != set(PLACEHOLDER.findall(str(message.string))):
        yield "a placeholder is lost or new"


def updated(language: Language, domain: str = DOMAIN) -> bytes:
    """The catalogue's file brought in step with the sources; translations of kept messages stay."""
    catalogue = read_catalogue(language, domain)
    catalogue.update(extracted(domain), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.fuzzy = False
    what = "what Hutong's errors say" if domain == ERRORS else "Hutong's pages"
    catalogue.header_comment = f"# Simplified Chinese of {what}. Kept in step by: python -m hutong.web.i18n extract"
    text = BytesIO()
    write_po(text, catalogue, width=0, sort_output=True, ignore_obsolete=True, include_lineno=False)
    lines = text.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(DROPPED_HEADERS))


def main(arguments: list[str]) -> int:
    """``extract`` writes the catalogues; ``check`` exits with 1 and names what is missing."""
    if arguments == ["extract"]:
        for domain in (DOMAIN, ERRORS):
            path = catalogue_path(CHINESE, domain)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(updated(CHINESE, domain))
    elif arguments != ["check"]:
        sys.stderr.write("usage: python -m hutong.web.i18n extract | check\n")
        return 2
    found = sorted(line for domain in (DOMAIN, ERRORS) for line in problems(CHINESE, domain))
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found and arguments == ["check"] else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
