"""Reading the documents of passes (rulebooks, crosswalks, scenes): YAML or JSON, bounded, then field by field.

A document is written by an authority of any region, so it is outside input: size, nesting and aliases are limited, and
each field is taken by a function that says what is wrong and where.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from hutong.errors import BadInput, LimitExceeded, NotFound
from hutong.standard.yaml_text import at_line, load_yaml, text_of
from hutong.trust.signing import canonical_json

Document = Mapping[str, Any]
Texts = Mapping[str, str]
"""A sentence for people: BCP 47 language tag to text."""

MAX_BYTES = 2**20

_ID = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,78}[a-z0-9])?")
_LONGEST_SEMVER = 29
_NUMBERS, _TOO_LARGE = re.compile(r"[0-9.]+"), re.compile(r"[0-9]{10}")
_SEMVER = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an answer is what it is: the id of a rule, and its sentence in every language."""

    rule_id: str
    texts: Texts


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` (included) to ``end`` (excluded), both in UTC."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether the instant lies in the period."""
        return self.start <= at < self.end


def read_document(path: Path) -> dict[str, Any]:
    """The object in a YAML or JSON file.

    Raises:
        NotFound: no such file.
        BadInput, LimitExceeded: as :func:`parse_document`.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise NotFound(f"The file {path.name} cannot be read.", "Give the path of an existing file.") from error
    return parse_document(raw, path.name)


def as_path(source: Any) -> Path | None:
    """The file that is meant, where one is: a path, or a short text on one line that is no JSON."""
    if isinstance(source, Path):
        return source
    is_name = isinstance(source, str) and 0 < len(source) < 4096 and "\n" not in source
    return Path(source) if is_name and not source.lstrip().startswith(("{", "[", "eyJ")) else None


def given_document(source: Any) -> Document:
    """A document given as object, as YAML or JSON text or bytes, or as the path of a file.

    Raises:
        BadInput: none of these, or as :func:`parse_document`.
        NotFound, LimitExceeded: as :func:`read_document`.
    """
    if isinstance(source, Mapping):
        return source
    if (path := as_path(source)) is not None:
        return read_document(path)
    if isinstance(source, str):
        source = source.encode("utf-8", "surrogatepass")
    if not isinstance(source, bytes):
        raise BadInput("A document is neither object, text nor path.", "Give one of these.")
    return parse_document(source, "document")


def shipped_document(name: str, **fields: Any) -> dict[str, Any]:
    """A document that comes with the package, with fields of it replaced (its period, its emergency).

    Args:
        name: path below ``rulebooks/`` without its ending, such as ``crosswalks/dengue-three-levels``.
        fields: what to put in the place of the shipped fields.

    Raises:
        NotFound: no such document.
    """
    folder = Path(__file__).parent / "shipped"
    if not all(_ID.fullmatch(part) for part in name.split("/")):
        raise NotFound("No document of this name comes with the package.", "Look into the folder rulebooks.")
    return read_document(folder / f"{name}.yaml") | fields


def parse_document(raw: bytes, name: str) -> dict[str, Any]:
    """The object in YAML or JSON bytes.

    Raises:
        BadInput: not UTF-8, not YAML, no object, aliases or a key twice.
        LimitExceeded: larger than MAX_BYTES, or nested too deep.
    """
    if len(raw) > MAX_BYTES:
        raise LimitExceeded(f"{name} is larger than {MAX_BYTES} bytes.", "Split it.")
    try:
        document = load_yaml(text_of(raw, name), name)
    except yaml.YAMLError as error:
        raise BadInput(f"{name} is neither YAML nor JSON{at_line(error)}.", "Correct the file.") from error
    if not isinstance(document, dict):
        raise BadInput(f"{name} holds no object.", "Give one document with named fields.")
    return document


def document_hash(document: Document) -> str:
    """SHA-256, in lower-case hexadecimal, of the document's canonical JSON (sorted keys, no spaces).

    Raises:
        BadInput: the document holds something that JSON has not.
    """
    try:
        return hashlib.sha256(canonical_json(document)).hexdigest()
    except (TypeError, orjson.JSONEncodeError, RecursionError) as error:
        raise BadInput("The document cannot be written as JSON.", "Use only JSON's types, less nested.") from error


def known_fields(document: Any, fields: Collection[str], where: str) -> Document:
    """The object itself, if it has no other fields than these.

    Raises:
        BadInput: not an object, or an unknown field (a misspelt one would silently do nothing).
    """
    if not isinstance(document, Mapping):
        raise BadInput(f"{where} is no object.", "Give named fields.")
    unknown = sorted(str(field)[:40] for field in document if field not in fields)
    if unknown:
        raise BadInput(f"{where}: the field {unknown[0]!r} is not known.", f"Use: {', '.join(sorted(fields))}.")
    return document


def text(document: Document, field: str, where: str) -> str:
    """A non-empty text of at most 2,000 characters. Raises BadInput."""
    value = document.get(field)
    if not isinstance(value, str) or not value.strip() or len(value) > 2000:
        raise BadInput(f"{where} has no text in {field!r}.", f"Give {field!r} as text.")
    return value


def identifier(document: Document, field: str, where: str) -> str:
    """An id: lower-case letters, digits, dots and hyphens, at most 80. Raises BadInput."""
    value = document.get(field)
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise BadInput(
            f"{where}: {field!r} is missing or can't be used.", "Use lower-case letters, digits, dots, hyphens."
        )
    return value


def semver(version: Any) -> tuple[int, int, int]:
    """Major, minor and patch of a version (Semantic Versioning 2.0, without labels). Raises BadInput."""
    found = _semver(version) if isinstance(version, str) and len(version) <= _LONGEST_SEMVER else None
    if found is None and isinstance(version, str) and _NUMBERS.fullmatch(version) and _TOO_LARGE.search(version):
        raise BadInput("A number of the version has more than nine digits.", "Write smaller numbers, as in 1.2.3.")
    if found is None:
        raise BadInput("A version is not of the form 1.2.3.", "Write major.minor.patch as text.")
    return found


@lru_cache(maxsize=1024)
def _semver(version: str) -> tuple[int, int, int] | None:
    """All passes of one rulebook say the same version, so it is read once."""
    match = _SEMVER.fullmatch(version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def texts(document: Document, field: str, where: str, languages: Collection[str]) -> Texts:
    """The field's sentence in each of the languages (others may be there too).

    Raises:
        BadInput: a language is missing or empty.
    """
    value = document.get(field)
    given = value if isinstance(value, Mapping) else {}
    for language in languages:
        sentence = given.get(language)
        if not isinstance(sentence, str) or not sentence.strip():
            raise BadInput(f"{where} has no {field!r} in {language!r}.", "Write it in every language of the node.")
    if any(not isinstance(key, str) or not isinstance(item, str) for key, item in given.items()):
        raise BadInput(f"{where} has a {field!r} that is no text.", "Give a language tag and a sentence.")
    return dict(given)


def period(document: Document, where: str) -> Period:
    """The fields ``valid_from`` and ``valid_to``.

    Raises:
        BadInput: one is missing (nothing is without an end), has no offset, or the end is not after the start.
    """
    bounds = []
    for field in ("valid_from", "valid_to"):
        value = document.get(field)
        if value is None:
            raise BadInput(f"{where} has no {field!r}.", "Everything has a beginning and an end: give both.")
        try:
            moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        except ValueError as error:
            raise BadInput(f"{where} has no date-time in {field!r}.", "Write 2026-01-31T00:00:00Z.") from error
        if moment.tzinfo is None:
            raise BadInput(f"{where} has a {field!r} without an offset.", "Write 2026-01-31T00:00:00Z.")
        try:
            bounds.append(moment.astimezone(UTC))
        except OverflowError as error:
            raise BadInput(f"{where} has an impossible {field!r}.", "Write 2026-01-31T00:00:00Z.") from error
    if bounds[0] >= bounds[1]:
        raise BadInput(f"{where} ends before it begins.", "Let 'valid_to' be later than 'valid_from'.")
    return Period(*bounds)


def items(document: Document, field: str, where: str, *, least: int = 0, most: int = 1000) -> list[Any]:
    """A list of ``least`` to ``most`` items. Raises BadInput."""
    value = document.get(field, [])
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise BadInput(f"{where} needs {least} to {most} {field}.", f"Give {field!r} as a list.")
    return value


def require_unique(ids: Collection[str], where: str) -> None:
    """Refuse an id that is given twice. Raises BadInput."""
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise BadInput(f"{where} has the id {one!r} twice.", "Give each its own id.")
        seen.add(one)
