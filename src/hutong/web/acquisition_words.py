"""What the rules of acquisition are called on the pages, and what a steward can do about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hutong.web.i18n import N_, Translations

RULES: Final[Mapping[str, tuple[str, str]]] = {
    "missing-as-text": (
        N_("A word for “nothing” stood in the cell; it was read as missing."),
        N_("Leave such cells empty at the source."),
    ),
    "surrounding-space": (N_("Space around the value was removed."), N_("Trim the values at the source.")),
    "damaged-text": (
        N_("The text was damaged by a wrong encoding somewhere before it came here."),
        N_("Export the file again as UTF-8."),
    ),
    "unknown-code": (
        N_("The value is not in the code list."),
        N_("Add the code to the mapping, or correct the value."),
    ),
    "not-a-number": (N_("The value is not the declared number."), N_("Correct the value, or the number's format.")),
    "not-a-date": (N_("The value is not the declared date."), N_("Correct the date, or the mapping's date format.")),
    "not-a-week": (N_("The value is not a week."), N_("Correct the week, or the mapping.")),
    "no-such-week": (N_("The year has no such week."), N_("Correct the week at the source.")),
    "out-of-range": (N_("The value is outside the possible range."), N_("Correct the value at the source.")),
    "too-long-ago": (N_("The date is before 1900."), N_("Correct the year.")),
    "in-the-future": (N_("The date is in the future."), N_("Correct the date, or send the row when it is due.")),
    "necessary-missing": (N_("A necessary element is missing."), N_("Fill it in at the source.")),
    "ragged-row": (N_("The row has too few or too many cells."), N_("Check quotes and delimiters in the file.")),
    "broken-quote": (N_("Text follows a closing quote."), N_("Check the quotes in the file.")),
    "blank-line": (N_("The line is empty."), N_("Nothing needs to be done.")),
    "no-final-newline": (
        N_("The file does not end with a line break: it may have been cut off."),
        N_("Check that the file is whole."),
    ),
    "named-otherwise": (
        N_("The name says CSV of a Parquet file, or the reverse. It was read as what it is."),
        N_("Check that it is the file that was meant, and correct its name."),
    ),
    "outside-mapping": (N_("The mapping does not name this column."), N_("Map it, or say why it is ignored.")),
    "area-at-two-levels": (N_("An area stands at two levels."), N_("Correct the areas at the source.")),
    "area-named-differently": (N_("An area has several names."), N_("Settle on one name at the source.")),
    "notification-before-onset": (
        N_("The case was notified before its symptoms began."),
        N_("Ask the source which of the two dates is wrong."),
    ),
    "confirmation-before-notification": (
        N_("The case was confirmed before it was notified."),
        N_("Ask the source which of the two dates is wrong."),
    ),
    "confirmation-a-year-late": (
        N_("The case was confirmed more than a year after it was notified."),
        N_("Ask the source whether the year is right."),
    ),
    "several-cases-in-a-row": (
        N_("The row stands for more than one person."),
        N_("It counts as so many cases; nothing needs to be done."),
    ),
    "imported-without-country": (
        N_("The infection was imported, but the country is not told."),
        N_("Ask the source for the country."),
    ),
    "township-names-differ": (N_("Two columns name the township differently."), N_("Check which one is right.")),
    "county-names-differ": (N_("Two columns name the county differently."), N_("Check which one is right.")),
}
"""Rule → what it means, and what to do. Row rules of the shipped mappings are among them."""

TABLES: Final[Mapping[str, str]] = {
    "case": N_("cases"),
    "area": N_("areas"),
    "place": N_("places"),
    "person": N_("persons"),
    "stay": N_("stays"),
    "test": N_("tests"),
    "count": N_("counts"),
    "contact": N_("contacts"),
    "immunization": N_("immunizations"),
    "symptom": N_("symptoms"),
    "policy": N_("policies"),
    "stock": N_("stocks"),
}


def rule_text(rule: str, words: Translations, otherwise: str = "") -> str:
    """What a rule means; ``otherwise`` (the reason as it was given), or its id, where it is a mapping's own."""
    return words.gettext(RULES[rule][0]) if rule in RULES else otherwise or rule


def remedy(rule: str, words: Translations) -> str:
    """What a steward can do about it."""
    return words.gettext(RULES[rule][1] if rule in RULES else N_("Correct the rows at the source and send them again."))


def table_text(table: str, words: Translations) -> str:
    """What a table of the standard is called."""
    return words.gettext(TABLES[table]) if table in TABLES else table


def decision_text(outcome: str, rows: int, words: Translations) -> str:
    """What was decided about held rows."""
    if outcome == "released":
        told = words.ngettext("%(n)s row was released", "%(n)s rows were released", rows)
    else:
        told = words.ngettext("%(n)s row was discarded", "%(n)s rows were discarded", rows)
    return told % {"n": words.number(rows)}
