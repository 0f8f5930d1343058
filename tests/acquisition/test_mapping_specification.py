"""What a mapping does with cells: an element, the text in the source, the value or the rule that refuses it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from hutong.acquisition.chunk import MappedChunk

Map = Callable[..., MappedChunk]

CASE = """
mapping: m
version: 1
table: case
nulls: ["None", "NA"]
elements:
  disease: {constant: dengue}
  case_count: {constant: 1}
"""

# element, its mapping, the cells of column a (and b), and the value or the rule that applies
VALUES: list[tuple[str, str, str, Any]] = [
    ("onset_date", '{from: a, date: "%Y/%m/%d"}', "2015/09/18", date(2015, 9, 18)),
    ("onset_date", '{from: a, date: "%d.%m.%Y"}', "03.04.2015", date(2015, 4, 3)),
    ("onset_date", '{from: a, date: "%m/%d/%Y"}', "03/04/2015", date(2015, 3, 4)),
    ("onset_date", '{from: a, date: ["%Y-%m-%d", "%Y/%m/%d"]}', "2015/09/18", date(2015, 9, 18)),
    ("onset_date", '{from: a, date: "%Y/%m/%d"}', "2015/02/30", "not-a-date"),
    ("onset_date", '{from: a, date: "%Y/%m/%d"}', "18/09/2015", "not-a-date"),
    ("onset_date", '{from: a, date: "%Y/%m/%d"}', "None", None),
    ("onset_date", '{from: a, date: "%Y/%m/%d"}', " 2015/09/18 ", date(2015, 9, 18)),
    ("onset_date", '{from: a, date: "%Y/%m/%d"}', "2031/01/01", "in-the-future"),
    ("onset_date", '{from: a, date: "%Y/%m/%d"}', "0215/01/01", "too-long-ago"),
    ("onset_date", "{week: {year: a, number: b, system: epi}}", "2020,53", date(2020, 12, 27)),
    ("report_week", "{week: {year: a, number: b, system: epi}}", "2020,53", "2020-W53"),
    ("report_week", "{week: {year: a, number: b, system: epi}}", "2019,53", "no-such-week"),
    ("report_week", "{week: {year: a, number: b, system: iso}}", "2020,53", "2020-W53"),
    ("report_week", "{week: {year: a, number: b, system: epi}}", "2020,0", "no-such-week"),
    ("report_week", "{week: {year: a, number: b, system: epi}}", "2020,x", "not-a-number"),
    ("report_week", "{from: a}", "2015-W38", "2015-W38"),
    ("report_week", "{from: a}", "2015-38", "not-a-week"),
    ("sex", "{from: a, codes: {M: male, F: female}}", "M", "male"),
    ("sex", "{from: a, codes: {M: male, F: female}}", "X", "unknown-code"),
    ("sex", "{from: a}", "female", "female"),
    ("sex", "{from: a}", "woman", "unknown-code"),
    ("imported", '{from: a, codes: {"Y": true, "N": false}}', "N", False),
    ("age", "{from: a}", "55", 55),
    ("age", "{from: a}", "35109", "out-of-range"),
    ("age", "{from: a}", "-1", "out-of-range"),
    ("age", "{from: a}", "5.5", "not-a-number"),
    ("age", "{from: a}", "5x", "not-a-number"),
    ("age", "{from: a, scale: 0.25}", "200", 50),
    ("report_year", '{from: a, number: {thousands: ","}}', '"2,015"', 2015),
    ("report_year", '{from: a, number: {thousands: ","}}', '"20,15"', "not-a-number"),
    ("residence_longitude", '{from: a, number: {decimal: ","}}', '"120,5"', 120.5),
    ("residence_longitude", "{from: a}", '"120,5"', "not-a-number"),
    ("residence_longitude", "{from: a}", "191.0", "out-of-range"),
    ("age_group", "{from: a, bands: five-year}", "0", "0-4"),
    ("age_group", "{from: a, bands: five-year}", "69", "65-69"),
    ("age_group", "{from: a, bands: five-year}", "104", "85+"),
    ("age_group", "{from: a, bands: five-year}", "121", "out-of-range"),
    ("residence_area_code", "{from: a, prefix: TW-}", "6703400", "TW-6703400"),
    (
        "residence_area_code",
        '{from: [a, b], prefix: PE-, separator: ".", spaces: "_"}',
        "LA MAR,ANCO",
        "PE-LA_MAR.ANCO",
    ),
    ("residence_area_code", '{from: [a, b], prefix: PE-, separator: "."}', "LORETO,None", None),
    ("residence_area_code", "{from: a, prefix: TW-}", "67 03", "pattern"),
    ("residence_area_code", '{from: a, prefix: PE-, replace: {"BRE\\uFFFDA": BREÑA}}', "BRE\ufffdA", "PE-BREÑA"),
    ("serotype", "{from: a}", "NA", None),
    ("serotype", "{from: a, nulls: ['?']}", "NA", "unknown-code"),
]


@pytest.mark.parametrize(("element", "spec", "cells", "expected"), VALUES)
def test_value(mapper: Map, element: str, spec: str, cells: str, expected: Any) -> None:
    tail = "" if "week: {" in spec or "[a, b]" in spec else ",x"
    mapped = mapper(f"{CASE}  {element}: {spec}\n", f"a,b\n{cells}{tail}\n")
    assert mapped.rows == 1
    if mapped.held:
        assert mapped.held[0].rule == expected
        assert mapped.held[0].element == element
        assert mapped.accepted.num_rows == 0
    else:
        assert mapped.accepted[element].to_pylist() == [expected]


def test_moments_are_kept_in_utc(mapper: Map) -> None:
    mapping = """
mapping: m
version: 1
table: stay
elements:
  pseudonym: {from: p}
  area_code: {from: a}
  arrived: {from: t, datetime: "%Y-%m-%d %H:%M", utc_offset: "+08:00"}
true_from: arrived
"""
    mapped = mapper(mapping, "p,a,t\nabcdefgh,TW-67,2015-09-18 07:30\n")
    assert mapped.accepted["arrived"].to_pylist() == [datetime(2015, 9, 17, 23, 30, tzinfo=UTC)]
    assert mapped.accepted["true_from"].to_pylist() == [date(2015, 9, 17)]


BAD_MAPPINGS = {
    "unknown element": ("  onset: {from: a}\n", "nearest is 'onset_date'"),
    "unknown word": ("  onset_date: {form: a}\n", "Is it 'from'"),
    "two origins": ("  sex: {from: a, constant: male}\n", "exactly one of"),
    "no origin": ("  sex: {codes: {M: male}}\n", "exactly one of"),
    "unknown code": ("  sex: {from: a, codes: {M: man}}\n", "no value 'man'"),
    "yaml truth as code": ("  sex: {from: a, codes: {no: male}}\n", "quotes"),
    "date format not declared": ("  onset_date: {from: a}\n", "declare how it is written"),
    "ambiguous order": ('  onset_date: {from: a, date: ["%d/%m/%Y", "%m/%d/%Y"]}\n', "ambiguous"),
    "two-digit year": ('  onset_date: {from: a, date: "%d/%m/%y"}\n', "%Y"),
    "boolean without codes": ("  imported: {from: a}\n", "declare `codes`"),
    "week system": ("  report_week: {week: {year: a, number: b, system: us}}\n", "week system"),
    "same separators": ('  age: {from: a, number: {thousands: ".", decimal: "."}}\n', "two different"),
    "bands": ("  age_group: {from: a, bands: decades}\n", "five-year"),
    "outcome": ("  age: {from: a, on_invalid: drop}\n", "on_invalid"),
    "condition": ("rows: [{id: r, require: 'a is b', reason: x}]\n", "not understood"),
    "condition element": ("rows: [{id: r, require: 'onset < age', reason: x}]\n", "nearest"),
    "condition types": ("rows: [{id: r, require: 'onset_date < age', reason: x}]\n", "compares a date"),
    "condition not mapped": ("rows: [{id: r, require: 'age > 1', reason: x}]\n", "does not give"),
    "true from": ("true_from: sex\n", "no date"),
    "bad yaml": ("  sex: {from: a\n", "not YAML"),
    "unknown column": ("  sex: {from: c}\n", "no column 'c'"),
    "ignored column absent": ("ignored: {gone: x}\n", "no column 'gone'"),
}


PLACE = """
mapping: m
version: 1
table: area
elements:
  area_code: {from: code}
  name_en: {constant: Bay}
  level: {constant: country}
  name_local: {from: name}
"""


@pytest.mark.parametrize(
    ("code", "name", "element"),
    [
        ("ZZ", "=HYPERLINK(1)", "name_local"),
        ("ZZ", "@SUM(A1)", "name_local"),
        ("ZZ", "+1+1", "name_local"),
        ("ZZ", "-A1", "name_local"),
        ("ZZ", "\u202eyaB", "name_local"),
        ("ZZ", "B\u2066ay", "name_local"),
        ("ZZ", "B\x07ay", "name_local"),
        ("ZZ", "B\x9bay", "name_local"),
        ("ZZ-\u202e1", "Bay", "area_code"),
        ("ZZ", "Bay = + - @ Bay", None),
        ("ZZ", "-5", None),  # a number does no harm
    ],
)
def test_text_that_must_not_be_published(mapper: Map, code: str, name: str, element: str | None) -> None:
    mapped = mapper(PLACE, f"code,name\n{code},{name}\n")
    answers = [(item.rule, item.element) for item in (*mapped.held, *mapped.rejected)]
    assert answers == ([] if element is None else [("unsafe-text", element)])
    assert mapped.accepted.num_rows == (element is None)


def test_a_form_of_its_own_may_begin_with_a_sign(mapper: Map) -> None:
    mapped = mapper(CASE + "  pseudonym: {from: a}\n", "a\n-abcdefgh\n")
    assert mapped.accepted["pseudonym"].to_pylist() == ["-abcdefgh"]


@pytest.mark.parametrize("name", BAD_MAPPINGS)
def test_bad_mapping(mapper: Map, name: str) -> None:
    from hutong.errors import BadInput

    extra, words = BAD_MAPPINGS[name]
    with pytest.raises(BadInput) as caught:
        mapper(CASE + extra, "a,b\n1,2\n")
    assert words in str(caught.value)


def test_table_and_necessary_elements(mapper: Map) -> None:
    from hutong.errors import BadInput

    with pytest.raises(BadInput, match="nearest is 'case'"):
        mapper(CASE.replace("table: case", "table: cases"), "a\n1\n")
    with pytest.raises(BadInput, match="gives no value for case_count"):
        mapper(CASE.replace("  case_count: {constant: 1}\n", ""), "a\n1\n")


def test_renamed_column_is_suggested(mapper: Map) -> None:
    from hutong.errors import BadInput

    with pytest.raises(BadInput, match=r"'Date_Onset' \(is it 'Date_of_Onset' now\?\)"):
        mapper(CASE + '  onset_date: {from: Date_Onset, date: "%Y"}\n', "Date_of_Onset,Sex\n2015,M\n")


@pytest.mark.parametrize(
    ("named", "header", "now"),
    [
        ("onset", "phone,Onset_date", "Onset_date"),  # not the one that shares most letters
        ("onset", "onset date,ONSET", "ONSET"),
        ("inicio", "fin,fecha_inicio", "fecha_inicio"),
        ("Fecha-Inicio", "fecha_fin,fecha inicio", "fecha inicio"),
        ("notified", "onset,notifed", "notifed"),
        ("年龄", "性别,患者年龄", "患者年龄"),
    ],
)
def test_a_renamed_column_is_known_by_its_words(mapper: Map, named: str, header: str, now: str) -> None:
    from hutong.errors import BadInput

    with pytest.raises(BadInput) as caught:
        mapper(CASE + f'  onset_date: {{from: {named}, date: "%Y"}}\n', f"{header}\n2015,x\n")
    assert f"no column {named!r} (is it {now!r} now?)" in caught.value.what
    assert "does not read" not in caught.value.do


def test_columns_that_nothing_reads_are_named_where_none_is_like_it(mapper: Map) -> None:
    from hutong.errors import BadInput

    header = "phone,a,b,c,d,e,f"
    with pytest.raises(BadInput) as caught:
        mapper(CASE + '  onset_date: {from: onset, date: "%Y"}\n', f"{header}\n{',' * 6}\n")
    assert "'onset', which" in caught.value.what
    assert caught.value.do.endswith("does not read: 'phone', 'a', 'b', 'c', 'd', ….")
