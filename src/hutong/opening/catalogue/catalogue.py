"""The catalogue's nouns: datasets, their frozen releases, and the files in which a release can be had.

The words are those of DCAT 3 (https://www.w3.org/TR/vocab-dcat-3/). Every noun refuses to be built wrong, and puts
what has no order of its own (keywords, themes, releases, files) into one order, so that two descriptions of the same
dataset are equal. Links must be http or https: a harvested catalogue must not bring ``javascript:`` onto a page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256

from hutong.errors import BadInput

from .licences import licence_at

SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
RELEASE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:@-]{0,191}")
SHA256 = re.compile(r"[0-9a-f]{64}")
IRI = re.compile(r"(?:https?://|urn:|did:)[^\s<>\"{}|\\^`\x00-\x20]{1,2000}")
WEB_ADDRESS = re.compile(r"https?://[^\s<>\"{}|\\^`\x00-\x20]{1,2000}")
EMAIL = re.compile(r"[^\s<>\"{}|\\^`@\x00-\x20]{1,64}@[^\s<>\"{}|\\^`@\x00-\x20]{1,255}")

SLUG_CHARACTERS = 100
TITLE_CHARACTERS = 500
TEXT_CHARACTERS = 20_000

ACCESS_RIGHT = "http://publications.europa.eu/resource/authority/access-right/"
ACCESS_RIGHTS = (
    f"{ACCESS_RIGHT}PUBLIC",  # 0 open
    f"{ACCESS_RIGHT}RESTRICTED",  # 1 registered
    f"{ACCESS_RIGHT}NON_PUBLIC",  # 2 by agreement
    f"{ACCESS_RIGHT}NON_PUBLIC",  # 3 analysis inside the node only
    f"{ACCESS_RIGHT}NON_PUBLIC",  # 4 sealed
)
"""The EU access-right authority table's value for each grade, in the order of the grades."""

MEDIA_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


def _must(holds: bool, what: str, do: str) -> None:
    if not holds:
        raise BadInput(what, do)


def _must_match(pattern: re.Pattern[str], value: str, name: str, *, empty: bool = True) -> None:
    fits = bool(pattern.fullmatch(value)) or (empty and not value)
    _must(fits, f"{name} {value[:80]!r} is not usable.", f"Give one that fits {pattern.pattern[:60]}")


def _sorted_set(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in English and in Chinese; one of the two may be empty."""

    en: str
    zh: str = ""

    def __post_init__(self) -> None:
        _must(bool(self.en or self.zh), "A text is empty.", "Give it in English or in Chinese.")
        longest = max(len(self.en), len(self.zh))
        _must(longest <= TEXT_CHARACTERS, "A text is too long.", f"Keep to {TEXT_CHARACTERS:,} characters.")

    def in_language(self, language: str) -> str:
        """The words in ``language`` ("en" or "zh"), or in the other one where they are missing."""
        return (self.zh or self.en) if language.startswith("zh") else (self.en or self.zh)


@dataclass(frozen=True, slots=True)
class Keywords:
    """Search words in each language, sorted, without repetition."""

    en: tuple[str, ...] = ()
    zh: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "en", _sorted_set(self.en))
        object.__setattr__(self, "zh", _sorted_set(self.zh))


@dataclass(frozen=True, slots=True)
class Publisher:
    """The organisation that answers for a dataset; ``id`` is a slug."""

    id: str
    name: Text
    url: str = ""
    email: str = ""

    def __post_init__(self) -> None:
        _must_match(SLUG, self.id, "The publisher's id", empty=False)
        _must_match(WEB_ADDRESS, self.url, "The publisher's address")
        _must_match(EMAIL, self.email, "The publisher's e-mail address")


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask about a dataset."""

    name: str
    email: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        _must_match(EMAIL, self.email, "The contact's e-mail address")
        _must_match(WEB_ADDRESS, self.url, "The contact's address")
        _must(bool(self.email or self.url), "A contact cannot be reached.", "Give an e-mail or web address.")


@dataclass(frozen=True, slots=True)
class Territory:
    """The area that a dataset is about: ISO 3166 code (empty when unknown), name and URI."""

    code: str
    name: Text
    uri: str

    def __post_init__(self) -> None:
        _must_match(re.compile(r"[A-Z]{2,3}(?:-[0-9A-Z]{1,3})?"), self.code, "The territory's ISO 3166 code")
        _must_match(IRI, self.uri, "The territory's URI", empty=False)


@dataclass(frozen=True, slots=True)
class Period:
    """First and last day covered; None where one end is open."""

    start: date | None
    end: date | None

    def __post_init__(self) -> None:
        if self.start and self.end:
            _must(self.start <= self.end, "A period ends before it starts.", "Exchange its two dates.")


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """The rule that allows the data to be held and opened: its title, and its URI where it has one."""

    title: str
    uri: str = ""

    def __post_init__(self) -> None:
        _must(bool(self.title), "A legal basis has no title.", "Name the law or the order.")
        _must_match(IRI, self.uri, "The legal basis's URI")


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality label of a release and the score behind it (from 0 to 1)."""

    label: str
    score: float

    def __post_init__(self) -> None:
        _must(bool(self.label), "A quality label is empty.", "Give the label of the quality rules.")
        fits = math.isfinite(self.score) and 0 <= self.score <= 1
        _must(fits, f"The quality score {self.score} is out of range.", "Give a share from 0 to 1.")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: its name in the file, its CSVW datatype, and what it means."""

    name: str
    datatype: str
    title: Text
    description: Text


@dataclass(frozen=True, slots=True)
class Distribution:
    """One file of a release.

    ``format`` is "csv", "json" or "parquet" for this node's own files; a harvested one may be anything short.
    ``url`` is the file itself (empty where it is not handed out without an agreement), ``access_url`` the page
    or interface that leads to it. ``bytes`` and ``sha256`` are None and empty where the origin does not say.
    """

    format: str
    media_type: str
    access_url: str
    url: str = ""
    bytes: int | None = None
    sha256: str = ""
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        _must_match(SLUG, self.format, "The file format")
        _must_match(re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}"), self.media_type, "The media type")
        _must_match(WEB_ADDRESS, self.access_url, "The access address", empty=False)
        _must_match(WEB_ADDRESS, self.url, "The file's address")
        _must_match(SHA256, self.sha256, "The file's SHA-256")
        _must(self.bytes is None or self.bytes >= 0, "A file has a negative size.", "Give its size in bytes.")


@dataclass(frozen=True, slots=True)
class Release:
    """A frozen version of a dataset.

    ``issued`` carries its time zone; ``as_of`` is the day as known on which the data are stated, ``temporal`` the days
    that they tell of; ``supersedes`` is the version that this one replaces. ``rows`` and ``issued`` are None only where
    a foreign origin does not say. ``risk`` and ``suppression`` are sentences: the measured risk, and the rule by which
    cells were withheld. ``repeated`` marks the answer to a publication of what was published before: nothing is new.
    """

    id: str
    dataset_id: str
    version: str
    issued: datetime | None
    supersedes: str = ""
    rows: int | None = None
    sha256: str = ""
    quality: Quality | None = None
    risk: str = ""
    suppression: str = ""
    as_of: date | None = None
    temporal: Period | None = None
    distributions: tuple[Distribution, ...] = ()
    repeated: bool = False

    def __post_init__(self) -> None:
        _must_match(RELEASE_ID, self.id, "The release's id", empty=False)
        _must_match(VERSION, self.version, "The version", empty=False)
        _must_match(VERSION, self.supersedes, "The superseded version")
        _must(self.supersedes != self.version, "A release supersedes itself.", "Name the version before it.")
        _must_match(SHA256, self.sha256, "The release's SHA-256")
        _must(self.rows is None or self.rows >= 0, "A release has negative rows.", "Count its rows.")
        if self.issued is not None:
            _must(self.issued.tzinfo is not None, "A release's time has no zone.", "Give it with its zone.")
            object.__setattr__(self, "issued", self.issued.astimezone(UTC))
        ordered = sorted(self.distributions, key=lambda d: (d.format, d.access_url, d.url))
        object.__setattr__(self, "distributions", tuple(ordered))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a harvested dataset lives: its node's id and address, and the URI that the node gave to it."""

    node_id: str
    node_url: str
    dataset_uri: str

    def __post_init__(self) -> None:
        _must_match(SLUG, self.node_id, "The origin node's id", empty=False)
        _must_match(WEB_ADDRESS, self.node_url, "The origin node's address", empty=False)
        _must_match(IRI, self.dataset_uri, "The origin's dataset URI", empty=False)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is described once and released again and again; ``grade`` runs from 0 (open) to 4 (sealed)."""

    id: str
    title: Text
    description: Text
    publisher: Publisher
    grade: int
    themes: tuple[str, ...] = ()
    keywords: Keywords = Keywords()
    health_categories: tuple[str, ...] = ()
    territory: Territory | None = None
    temporal: Period | None = None
    licence: str = ""
    frequency: str = ""
    conforms_to: tuple[str, ...] = ()
    provenance: Text | None = None
    contact: Contact | None = None
    access_rights: str = ""
    legal_basis: LegalBasis | None = None
    purpose: str = ""
    landing_url: str = ""
    releases: tuple[Release, ...] = ()
    origin: Origin | None = None

    def __post_init__(self) -> None:
        _must_match(SLUG, self.id, "The dataset's id", empty=False)
        _must(2 <= len(self.id) <= SLUG_CHARACTERS, "The dataset's id has a bad length.", "Use 2 to 100 characters.")
        longest = max(len(self.title.en), len(self.title.zh))
        _must(longest <= TITLE_CHARACTERS, "The title is too long.", f"Keep to {TITLE_CHARACTERS} characters.")
        _must(self.grade in range(5), f"There is no grade {self.grade}.", "Give a grade from 0 to 4.")
        for name in ("licence", "frequency", "access_rights"):
            _must_match(IRI, getattr(self, name), f"The {name.replace('_', ' ')} URI")
        for name in ("themes", "health_categories", "conforms_to"):
            uris = _sorted_set(getattr(self, name))
            object.__setattr__(self, name, uris)
            for uri in uris:
                _must_match(IRI, uri, f"A URI among the {name.replace('_', ' ')}")
        _must_match(WEB_ADDRESS, self.landing_url, "The landing address")
        # The access right is said in one way only: a dataset by agreement must never be announced as public.
        if not self.access_rights:
            object.__setattr__(self, "access_rights", ACCESS_RIGHTS[self.grade])
        told_public = self.access_rights == ACCESS_RIGHTS[0]
        _must(
            not (self.grade and told_public), "A closed dataset says that it is public.", "Correct the access rights."
        )
        ordered = sorted(self.releases, key=_release_order)
        object.__setattr__(self, "releases", tuple(ordered))
        versions = {release.version for release in ordered}
        _must(len(versions) == len(ordered), "Two releases have one version.", "Give each its own.")

    @property
    def name(self) -> str:
        """Slug of this dataset in this node's catalogue: its id, after its origin's id when it was harvested."""
        if self.origin is None:
            return self.id
        full = f"{self.origin.node_id}--{self.id}"
        if len(full) <= SLUG_CHARACTERS:
            return full
        return f"{full[: SLUG_CHARACTERS - 13]}-{sha256(full.encode()).hexdigest()[:12]}"

    @property
    def files_licence(self) -> str:
        """The licence under which the files are handed out, as far as one licence says it.

        From grade 2 on an agreement says what may be done with them. What its steward named is then the licence of the
        list that it was made of: to announce a licence for everyone beside an agreement would contradict it.
        """
        return "" if self.grade >= 2 and licence_at(self.licence) else self.licence

    @property
    def current(self) -> Release | None:
        """The latest release, or None before the first."""
        return self.releases[-1] if self.releases else None

    def release(self, version: str) -> Release | None:
        """The release with this version, or None."""
        return next((release for release in self.releases if release.version == version), None)

    @property
    def first_issued(self) -> datetime | None:
        """When its first release came out."""
        return next((release.issued for release in self.releases if release.issued), None)

    @property
    def last_issued(self) -> datetime | None:
        """When its latest release came out."""
        return next((release.issued for release in reversed(self.releases) if release.issued), None)


def _release_order(release: Release) -> tuple[datetime, list[tuple[int, str]], str]:
    numbered = [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"[._-]", release.version)]
    return release.issued or datetime.min.replace(tzinfo=UTC), numbered, release.version


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that a node shows: ``id`` is the node's id, ``url`` its public address, ``created`` when it was set up."""

    id: str
    url: str
    title: Text
    description: Text
    publisher: Publisher
    created: datetime
    datasets: tuple[Dataset, ...] = field(default=())

    def __post_init__(self) -> None:
        _must_match(SLUG, self.id, "The node's id", empty=False)
        _must_match(WEB_ADDRESS, self.url, "The node's address", empty=False)
        object.__setattr__(self, "url", self.url.rstrip("/"))
        _must(self.created.tzinfo is not None, "The catalogue's time has no zone.", "Give it with its zone.")
        object.__setattr__(self, "created", self.created.astimezone(UTC))
        ordered = tuple(sorted(self.datasets, key=lambda dataset: dataset.name))
        object.__setattr__(self, "datasets", ordered)
        names = {dataset.name for dataset in ordered}
        _must(len(names) == len(ordered), "Two datasets have one name.", "Give each its own id.")

    @property
    def modified(self) -> datetime:
        """When anything in it last changed: its latest release, or its beginning."""
        return max([self.created, *(d.last_issued for d in self.datasets if d.last_issued)])


def catalogue_uri(node_url: str) -> str:
    """URI of a node's catalogue."""
    return f"{node_url.rstrip('/')}/id/catalogue"


def dataset_uri(dataset: Dataset, node_url: str) -> str:
    """URI of a dataset: the one that its origin gave, or the one that this node gives."""
    return dataset.origin.dataset_uri if dataset.origin else f"{node_url.rstrip('/')}/id/dataset/{dataset.id}"


def publisher_uri(publisher: Publisher, node_url: str) -> str:
    """URI of a publisher in the space of the node that names it."""
    return f"{node_url.rstrip('/')}/id/publisher/{publisher.id}"
