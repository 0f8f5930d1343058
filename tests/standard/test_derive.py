"""What derives from the standard accepts what the standard allows and refuses the rest."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import Any

import jsonschema_rs
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.standard import Element, Table, arrow_schema, csv_header, json_schema, load

STANDARD = load()
TABLES = list(STANDARD.tables.values())
CASE = {
    "disease": "dengue",
    "severity": "dengue-with-warning-signs",
    "onset_date": "2015-09-14",
    "report_week": "2015-W38",
    "week_system": "iso",
    "sex": "female",
    "age_group": "40-44",
    "residence_area_code": "TW-6703400",
    "residence_longitude": 120.196,
    "residence_latitude": 23.002,
    "infection_country": "TW",
    "imported": False,
    "serotype": None,
    "case_count": 1,
}


def accepts(table: Table, row: dict[str, Any]) -> bool:
    return bool(jsonschema_rs.Draft202012Validator(json_schema(table), validate_formats=True).is_valid(row))


def test_a_case_of_each_region_is_accepted() -> None:
    peru = {
        "disease": "dengue",
        "severity": "dengue-severe",
        "report_year": 2020,
        "report_week": "2020-W53",
        "age": 55,
        "residence_area_code": "PE-LORETO-ALTO_AMAZONAS-YURIMAGUAS",
        "case_count": 1,
    }
    assert accepts(STANDARD.table("case"), CASE)
    assert accepts(STANDARD.table("case"), peru)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("disease", "measle"),
        ("disease", None),
        ("sex", "F"),
        ("onset_date", "2015-02-30"),
        ("onset_date", "1998/01/02"),
        ("report_week", "2015-W54"),
        ("report_week", "2015-38"),
        ("report_week", "2015-W38\n"),
        ("age", 121),
        ("age", -1),
        ("age", 4.5),
        ("age", "55"),
        ("residence_longitude", 180.1),
        ("residence_area_code", "Tainan City"),
        ("infection_country", "TAIWAN"),
        ("imported", "N"),
        ("serotype", "None"),
        ("case_count", 0),
        ("favourite_colour", "red"),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: object) -> None:
    assert not accepts(STANDARD.table("case"), CASE | {name: value})


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_row_without_a_necessary_element_is_refused(table: Table) -> None:
    row = {e.name: example(e) for e in table.elements if e.necessary}
    assert accepts(table, row)
    for name in row:
        assert not accepts(table, {k: v for k, v in row.items() if k != name}), name


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_json_schema_is_a_schema_in_both_languages(table: Table, language: str) -> None:
    schema = json_schema(table, STANDARD.lineage, language)
    assert jsonschema_rs.meta.is_valid(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["title"] == table.label[language]
    assert tuple(schema["properties"]) == csv_header(table, STANDARD.lineage)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_csv_header_and_arrow_schema_have_the_elements_in_order(table: Table) -> None:
    names = tuple(e.name for e in table.elements)
    assert csv_header(table) == names
    assert tuple(arrow_schema(table).names) == names
    with_lineage = arrow_schema(table, STANDARD.lineage)
    assert tuple(with_lineage.names) == csv_header(table, STANDARD.lineage)
    assert len(with_lineage) == len(names) + 6
    for element in table.elements:
        assert with_lineage.field(element.name).nullable is not element.necessary


def test_arrow_types() -> None:
    schema = arrow_schema(STANDARD.table("case"), STANDARD.lineage)
    expected = {
        "disease": pa.string(),
        "report_week": pa.string(),
        "age": pa.int64(),
        "residence_longitude": pa.float64(),
        "imported": pa.bool_(),
        "onset_date": pa.date32(),
        "known_at": pa.timestamp("us", tz="UTC"),
    }
    assert {name: schema.field(name).type for name in expected} == expected


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_arrow_and_json_agree_on_every_row_that_the_standard_allows(data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(TABLES))
    row = {e.name: data.draw(values(e), label=e.name) for e in table.elements}
    batch = pa.RecordBatch.from_pylist([row], schema=arrow_schema(table))
    batch.validate(full=True)
    assert batch.to_pylist() == [row]
    assert accepts(table, {name: as_json(value) for name, value in row.items()})


def values(element: Element) -> st.SearchStrategy[Any]:
    """Values that the standard allows for an element, as Python values."""
    low, high = element.minimum, element.maximum
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "date": st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        "datetime": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        "integer": st.integers(int(low or 0), int(10**9 if high is None else high)),
        "decimal": st.floats(low if low is not None else -1e9, high if high is not None else 1e9),
    }
    if element.code_list:
        allowed: st.SearchStrategy[Any] = st.sampled_from([code.value for code in element.code_list.codes])
    elif element.pattern:
        letters = st.characters(min_codepoint=32, max_codepoint=0x9FFF, exclude_categories=("Cs", "Zl", "Zp", "Cc"))
        pattern = re.compile(element.pattern)
        allowed = st.from_regex(pattern, fullmatch=True, alphabet=letters)
    else:
        allowed = strategies[element.type]
    return allowed if element.necessary else st.none() | allowed


def example(element: Element) -> Any:
    """One value that the standard allows, as it stands in JSON."""
    if element.code_list:
        return element.code_list.codes[0].value
    if element.type in ("integer", "decimal"):
        return element.minimum if element.minimum is not None else 1
    fixed: dict[str, Any] = {
        "boolean": True, "date": "2015-09-14", "datetime": "2015-09-14T08:00:00Z", "week": "2015-W38",
    }  # fmt: skip
    if element.type in fixed:
        return fixed[element.type]
    return "TW-67034" if "area_code" in element.name else "12345678"


def as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
