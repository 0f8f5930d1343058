"""What catalogue terms are called on the pages: grades, licences, frequencies, themes, formats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hutong.opening.catalogue.licences import licence_at
from hutong.web.i18n import N_, Translations

GRADES: Final = (
    (N_("Open"), N_("Anyone may download, use and share it.")),
    (N_("Registered"), N_("Anyone who is signed in may download it.")),
    (
        N_("By agreement"),
        N_("You ask for it with a purpose; if it is agreed, it is delivered to you for that purpose."),
    ),
    (N_("Inside the node only"), N_("You may send a question; the answer comes out, the data never do.")),
    (N_("Sealed"), N_("It is kept, but nobody may use it.")),
)
FREQUENCIES: Final = {
    "DAILY": N_("daily"),
    "WEEKLY": N_("weekly"),
    "MONTHLY": N_("monthly"),
    "QUARTERLY": N_("every three months"),
    "ANNUAL": N_("yearly"),
    "IRREG": N_("irregularly"),
    "CONT": N_("continuously"),
    "UNKNOWN": N_("unknown"),
}
THEMES: Final = {"HEAL": N_("Health"), "SOCI": N_("Population and society"), "ENVI": N_("Environment")}
PURPOSES: Final = (N_("Public-health surveillance"),)
QUALITY: Final = {"good": N_("good"), "fair": N_("fair"), "poor": N_("poor"), "unknown": N_("not assessed")}
DIMENSIONS: Final = {
    "completeness": N_("Completeness"),
    "validity": N_("Validity"),
    "consistency": N_("Consistency"),
    "timeliness": N_("Timeliness"),
    "uniqueness": N_("Uniqueness"),
}
FORMATS: Final = {
    "csv": N_("One row a line, UTF-8 with column names: opens in a spreadsheet."),
    "json": N_("One object a row."),
    "parquet": N_("Typed columns, compressed: for analysis."),
}
PUBLICATION_WORDS: Final = {
    "dataset": N_("Id of the data set: lower-case letters, digits, hyphens. It is part of addresses, so it stays."),
    "kind": N_("weekly-counts, or case-records."),
    "source": N_("Id of the declared source."),
    "grade": N_("0 open, 1 registered, 2 by agreement, 3 analysis inside the node only, 4 sealed."),
    "title, description": N_("In English (en) and Chinese (zh)."),
    "keywords": N_("Lists of words in English (en) and Chinese (zh)."),
    "themes, licence, frequency": N_("Addresses from the tables that catalogues share."),
    "provenance": N_("Where the data come from, in a sentence, in English (en) and Chinese (zh)."),
    "contact": N_("Who answers: name and email."),
    "indicator": N_("Weekly counts: an indicator of the standard."),
    "threshold": N_("Weekly counts: the smallest count that is published, 3 or more."),
    "k": N_("Case records: how many records at least look alike, 5 or more."),
    "suppression_limit": N_("Case records: the share of records that may be left out, from 0 to 1."),
    "quasi_identifiers": N_(
        "Case records: what could identify a person, each with its hierarchy: dates, age-groups, areas or as-given."
    ),
    "keep": N_("Case records: further columns, published as they are. k does not protect them."),
    "sensitive": N_("Case records: which of these must not be learnt about a person."),
}
_THRESHOLD = re.compile(r"Counts from 1 to (\d{1,4}) are withheld")


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a vocabulary: what it is called, and its address."""

    label: str
    href: str


def grade_label(grade: int, words: Translations) -> str:
    """A grade in words: "Grade 0 · Open"."""
    return words.gettext("Grade %(grade)s · %(name)s") % {"grade": grade, "name": words.gettext(GRADES[grade][0])}


def grade_meaning(grade: int, words: Translations) -> str:
    """What a grade means for the reader."""
    return words.gettext(GRADES[grade][1])


def licence(uri: str) -> Term | None:
    """A licence's usual name."""
    known = licence_at(uri)
    return Term(known.name if known else uri, uri) if uri else None


def frequency(uri: str, words: Translations) -> str:
    """How often a dataset comes out."""
    last = uri.rstrip("/").rpartition("/")[2]
    return words.gettext(FREQUENCIES[last]) if last in FREQUENCIES else last


def theme(uri: str, words: Translations) -> str:
    """A theme of the EU vocabulary."""
    last = uri.rstrip("/").rpartition("/")[2]
    return words.gettext(THEMES[last]) if last in THEMES else last


def quality_label(label: str, words: Translations) -> str:
    """The words of a quality label."""
    return words.gettext(QUALITY.get(label, QUALITY["unknown"]))


def threshold_of(suppression: str) -> int | None:
    """The smallest published count, as a release's suppression rule states it; None when it withholds no counts."""
    found = _THRESHOLD.search(suppression)
    return int(found[1]) + 1 if found else None
