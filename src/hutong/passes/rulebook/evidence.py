"""Evidence: the facts about a person that a rulebook declares and its rules may read."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from hutong.errors import BadInput

from .. import documents
from ..certlogic.datetimes import plus_time
from ..certlogic.values import is_integer
from ..documents import Texts

EVIDENCE_TYPES = ("boolean", "integer", "code", "date")

_MAX_TRIALS = 4096


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact about a person that rules may read.

    Attributes:
        name: its key in the facts, and its column in a population.
        type: of EVIDENCE_TYPES; integers are whole numbers in ``unit``, dates are texts YYYY-MM-DD.
        values: the codes allowed, in rising order of risk if they have one; empty for other types.
        required: without it nobody gets the default level.
    """

    name: str
    type: str
    meaning: Texts
    values: tuple[str, ...] = ()
    unit: str = ""
    required: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether a value is of this type; None (not known) always is."""
        if value is None:
            return True
        if self.type == "boolean":
            return isinstance(value, bool)
        if self.type == "integer":
            return is_integer(value)
        if self.type == "code":
            return isinstance(value, str) and value in self.values
        return isinstance(value, str) and _is_day(value)


def parse_evidence(item: Any, where: str, languages: tuple[str, ...]) -> Evidence:
    """One declaration of evidence. Raises BadInput that begins with ``where``."""
    documents.known_fields(item, ("name", "type", "meaning", "values", "unit", "required"), where)
    name, kind = documents.text(item, "name", where), documents.text(item, "type", where)
    values = documents.items(item, "values", where, most=100)
    if not name.isidentifier() or not name.isascii() or len(name) > 63:
        raise BadInput(f"{where} has no usable name.", "Use letters, digits and underscores.")
    if kind not in EVIDENCE_TYPES:
        raise BadInput(f"{where} has an unknown type.", f"Use one of: {', '.join(EVIDENCE_TYPES)}.")
    if (kind == "code") != bool(values) or any(not isinstance(value, str) for value in values):
        raise BadInput(f"{where} must list its codes as texts if it is a code.", "Give 'values' for a code only.")
    required = item.get("required", False)
    if not isinstance(required, bool):
        raise BadInput(f"{where} has a 'required' that is neither true nor false.", "Write true or false.")
    meaning = documents.texts(item, "meaning", where, languages)
    unit = documents.text(item, "unit", where) if "unit" in item else ""
    return Evidence(name, kind, meaning, tuple(values), unit, required)


def trials(read: list[Evidence]) -> list[dict[str, Any]]:
    """Facts on which a rule must not fail: every mix of not known, and of small, large and each coded values."""
    samples: dict[str, tuple[Any, ...]] = {
        "boolean": (True, False),
        "integer": (0, 1, -1, 100_000),
        "date": ("2020-02-29", "1900-01-01"),
    }
    choices = [(None, *samples.get(one.type, one.values)) for one in read]
    names = [one.name for one in read]
    return [dict(zip(names, mix, strict=True)) for mix in islice(product(*choices), _MAX_TRIALS)]


def _is_day(value: str) -> bool:
    if len(value) != 10:
        return False
    try:
        plus_time(value, 0, "day")
    except BadInput:
        return False
    return True
