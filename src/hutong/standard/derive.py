"""Forms that derive from a table of the standard: CSV header, Arrow schema, JSON Schema.

Each takes the table alone, or with ``standard.lineage`` for facts that carry where they came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hutong.standard.element import Element, Table

if TYPE_CHECKING:
    import pyarrow as pa

_JSON_TYPES: Final = {"integer": "integer", "decimal": "number", "boolean": "boolean"}
_JSON_FORMATS: Final = {"date": "date", "datetime": "date-time"}


def csv_header(table: Table, lineage: tuple[Element, ...] = ()) -> tuple[str, ...]:
    """Column names in the order of the standard, the lineage last."""
    return tuple(element.name for element in (*table.elements, *lineage))


def arrow_schema(table: Table, lineage: tuple[Element, ...] = ()) -> pa.Schema:
    """Arrow schema: codes and weeks as text, datetimes in UTC microseconds, decimals as 64-bit floats.

    Floats suffice because the decimals of the standard are measurements (degrees, temperatures, rates), not money.
    A necessary element is not nullable.
    """
    import pyarrow as pa

    types = {
        "integer": pa.int64(),
        "decimal": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema(
        pa.field(element.name, types.get(element.type, pa.string()), nullable=not element.necessary)
        for element in (*table.elements, *lineage)
    )


def json_schema(table: Table, lineage: tuple[Element, ...] = (), language: str = "en") -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one row; an elastic element may be absent or null, no other may be added.

    Dates are checked only by a validator that asserts ``format``. Titles and descriptions are in ``language``.
    """
    elements = (*table.elements, *lineage)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:hutong:standard:{table.name}",
        "title": table.label[language],
        "description": table.description[language],
        "type": "object",
        "properties": {element.name: _property(element, language) for element in elements},
        "required": [element.name for element in elements if element.necessary],
        "additionalProperties": False,
    }


def _property(element: Element, language: str) -> dict[str, Any]:
    json_type = _JSON_TYPES.get(element.type, "string")
    found: dict[str, Any] = {
        "title": element.label[language],
        "description": element.description[language],
        "type": json_type if element.necessary else [json_type, "null"],
    }
    if element.code_list:
        values: list[str | None] = [code.value for code in element.code_list.codes]
        found["enum"] = values if element.necessary else [*values, None]
    optional = {
        "format": _JSON_FORMATS.get(element.type),
        "minimum": element.minimum,
        "maximum": element.maximum,
        "pattern": element.pattern,
        "x-unit": element.unit,
        "x-sensitivity": element.sensitivity.value,
    }
    return found | {name: value for name, value in optional.items() if value is not None}
