"""The nouns of the data standard: code, code list, element, table, and the standard that holds them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hutong.errors import BadInput

LANGUAGES: Final = ("en", "zh")
TYPES: Final = ("string", "code", "integer", "decimal", "boolean", "date", "datetime", "week")
GBT_GROUPS: Final = ("basic", "health", "trip", "verification")
LINEAGE: Final = "lineage"


class Sensitivity(StrEnum):
    """What an element can give away about a person: boundaries and de-identification read their roles here."""

    IDENTIFIER = "identifier"
    """Names one person directly: lives in the vault and nowhere else."""
    QUASI_IDENTIFIER = "quasi-identifier"
    """Names a person together with others: generalised or left out before anything is released."""
    SENSITIVE = "sensitive"
    """Says something about a person that must not be learnt by linking records."""
    PLAIN = "plain"
    """Says nothing about a person on its own."""


@dataclass(frozen=True, slots=True)
class Code:
    """One value of a code list.

    Attributes:
        value: what is stored and exchanged.
        text: label by language (``en``, ``zh``).
        meaning: the same concept in a terminology, as CURIE (``ICD10:A97.0``); empty where none fits.
        mappings: nearest values elsewhere, as CURIEs (``GBT2261.1:1``).
    """

    value: str
    text: Mapping[str, str]
    meaning: str = ""
    mappings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeList:
    """A closed list of values in the order in which pages and forms show them."""

    name: str
    text: Mapping[str, str]
    codes: tuple[Code, ...] = field(repr=False)
    values: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozenset(code.value for code in self.codes))

    def code(self, value: str) -> Code:
        """The code with this value.

        Raises:
            BadInput: the list has no such value; the message names the nearest one.
        """
        for code in self.codes:
            if code.value == value:
                return code
        raise _unknown(f"The code list {self.name!r} has no value", value, self.values)


@dataclass(frozen=True, slots=True)
class Element:
    """One data element of one table.

    Attributes:
        type: one of ``TYPES``; ``week`` is text such as ``2015-W38``.
        unit: UCUM unit of a number (``a`` years, ``Cel``, ``deg``); None where there is none.
        code_list: the values allowed, for type ``code``; else None.
        necessary: True when a row without it is refused; False (elastic) when a region may leave it out.
        fhir: path in a FHIR R4 resource (``Condition.onsetDateTime``); empty where R4 has no place for it.
        gbt_group: crosswalk to the groups of GB/T 38962-2020: one of ``GBT_GROUPS``, or empty.
        minimum, maximum: inclusive bounds of a number, in ``unit``.
        pattern: regular expression that the whole text must match; every string and week has one.
    """

    name: str
    table: str
    type: str
    unit: str | None
    code_list: CodeList | None
    necessary: bool
    sensitivity: Sensitivity
    label: Mapping[str, str]
    description: Mapping[str, str]
    fhir: str
    gbt_group: str
    minimum: float | None
    maximum: float | None
    pattern: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its elements in order, and the key that tells what a row is about.

    A correction is a new fact with the same key and a later ``known_at``. Where the key is ``fact_id`` the
    source gives nothing that tells two rows apart, and equal rows may be different people. An elastic element
    may be part of a key: its absence then counts as a value (in ``count``: "all").
    """

    name: str
    label: Mapping[str, str]
    description: Mapping[str, str]
    fhir: str
    elements: tuple[Element, ...] = field(repr=False)
    key: tuple[str, ...]

    def element(self, name: str) -> Element:
        """The element of that name.

        Raises:
            BadInput: the table has no such element; the message names the nearest one.
        """
        for element in self.elements:
            if element.name == name:
                return element
        raise _unknown(f"The table {self.name!r} has no element", name, (e.name for e in self.elements))

    def with_sensitivity(self, *sensitivities: Sensitivity) -> tuple[Element, ...]:
        """The elements with one of these sensitivities, in order."""
        return tuple(e for e in self.elements if e.sensitivity in sensitivities)


@dataclass(frozen=True, slots=True)
class Standard:
    """The whole standard.

    Attributes:
        version: of the standard, not of the software (``1.0.0``).
        tables: by name, in reading order.
        code_lists: by name, in reading order.
        lineage: the elements that every fact of every table has besides its own.
    """

    version: str
    tables: Mapping[str, Table]
    code_lists: Mapping[str, CodeList]
    lineage: tuple[Element, ...]

    def table(self, name: str) -> Table:
        """The table of that name.

        Raises:
            BadInput: there is no such table; the message names the nearest one.
        """
        if name in self.tables:
            return self.tables[name]
        raise _unknown("The standard has no table", name, self.tables)

    def code_list(self, name: str) -> CodeList:
        """The code list of that name.

        Raises:
            BadInput: there is no such list; the message names the nearest one.
        """
        if name in self.code_lists:
            return self.code_lists[name]
        raise _unknown("The standard has no code list", name, self.code_lists)


def _unknown(what: str, name: str, known: Iterable[str]) -> BadInput:
    names = sorted(known)
    shown = name[:80]  # the name comes from outside
    near = difflib.get_close_matches(shown, names, n=1, cutoff=0.0)
    return BadInput(f"{what} {shown!r}.", f"The nearest is {near[0]!r}." if near else "It is empty.")
