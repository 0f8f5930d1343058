"""The facts that a node computes about each person, and the tables that they come from.

What nobody was asked is not known (null), never false. A day is a day in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

WINDOW_DAYS = 14
"""How many days back stays, contacts and statements count, the day of assessment included."""

FACTS: Mapping[str, str] = {
    "residence_risk": "code",
    "stay_risk_max_14d": "code",
    "declared_risk_area_stay": "boolean",
    "days_since_positive_test": "integer",
    "days_since_negative_test": "integer",
    "days_since_case": "integer",
    "symptoms": "boolean",
    "fever": "boolean",
    "contact_of_case": "boolean",
    "doses": "integer",
    "series_complete": "boolean",
    "days_since_last_dose": "integer",
}
"""The evidence that a node computes, and its type; each has a column ``<name>_on``: the day when it was true."""

_IBIS = {"code": "string", "integer": "int64", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class Evidences:
    """The tables that facts come from: Ibis tables of the standard, None where nothing was acquired.

    ``some``: the persons in question (``pseudonym``), where they are not all of ``person``.
    """

    person: Any
    risk_area: Any
    stay: Any = None
    test: Any = None
    symptom: Any = None
    contact: Any = None
    case: Any = None
    immunization: Any = None
    some: Any = None

    def about(self, disease: str | None) -> Evidences:
        """Only the tests, cases and immunisations of one disease; all for None."""
        if disease is None:
            return self
        tables = {name: getattr(self, name) for name in ("test", "case", "immunization")}
        own = {name: table.filter(table.disease == disease) for name, table in tables.items() if table is not None}
        return replace(self, **own)


def column_types() -> dict[str, str]:
    """Ibis type of each column of facts: those of FACTS, each followed by its day."""
    return {column: kind for name in FACTS for column, kind in ((name, _IBIS[FACTS[name]]), (f"{name}_on", "date"))}


def window(as_of: date) -> tuple[Any, Any]:
    """First and last day that count, as Ibis literals."""
    import ibis

    return ibis.literal(as_of - timedelta(days=WINDOW_DAYS - 1)), ibis.literal(as_of)


def days_until(as_of: date, day: Any) -> Any:
    """Whole days from a column of days to the day of assessment; null where the day is."""
    import ibis

    return ibis.literal(as_of).delta(day, unit="day").cast("int64")


def known_last() -> list[Any]:
    """Order in which what was known last comes first: a correction is a new fact, and the newest known one stands."""
    import ibis

    return [ibis.desc("known_at"), ibis.desc("receipt_id"), ibis.desc("row_number")]
