"""What text may be where everybody reads it: no formula of a spreadsheet, and nothing that does not show.

A spreadsheet takes a cell of a CSV file that begins with one of ``= + - @``, a tab or a carriage return for a formula,
and runs it on the reader's machine (OWASP, "CSV injection"; CWE-1236). Characters that turn the direction of text make
a name read as another one (Unicode Technical Report 36, section 2.4).
"""

from __future__ import annotations

import re
from typing import Final

FORMULA: Final = r"^[=+\-@\t\r]"
"""How a formula begins; RE2 and Python read it alike."""
NUMBER: Final = r"^[+-]?[0-9]+([.,][0-9]+)?$"
"""A number begins with a sign, too, and does no harm."""

_FORMULA = re.compile(FORMULA)
_NUMBER = re.compile(NUMBER)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def begins_like_a_formula(text: str) -> bool:
    """Whether a spreadsheet could take it for a formula."""
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def has_unseen(text: str) -> bool:
    """Whether it has control characters (C0, C1), or characters that turn the direction of text."""
    return bool(_UNSEEN.search(text))


def for_spreadsheet(text: str) -> str:
    """The text as a cell of a CSV file: an apostrophe stands before what could be taken for a formula."""
    return f"'{text}" if begins_like_a_formula(text) else text
