"""Rows through mapping, boundary and validation: table in, tables and answers out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutong.acquisition.areas import areas_of
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.chunk import MappedChunk, Submission, plan_mapping
from hutong.acquisition.mapping_file import read_mapping
from hutong.acquisition.readers.table import open_table
from hutong.acquisition.validation import Finding
from hutong.errors import BadInput, Refused
from hutong.standard import Standard, arrow_schema

from .conftest import KNOWN_AT

Map = Callable[..., MappedChunk]

CASE = """
mapping: m
version: 1
table: case
nulls: ["None"]
elements:
  disease: {from: disease}
  case_count: {constant: 1}
  onset_date: {from: onset, date: "%Y-%m-%d"}
  notification_date: {from: told, date: "%Y-%m-%d"}
  age: {from: age, on_invalid: null}
  residence_village_code: {from: village, prefix: TW-}
true_from: onset_date
rows:
  - {id: order, require: "notification_date >= onset_date", else: held, reason: told too early}
  - {id: late, require: "notification_date <= onset_date + 30 days", else: finding, reason: told late}
ignored: {comment: free text may name people}
"""
AREAS = """
mapping: m
version: 1
table: area
levels:
  - level: region1
    elements:
      area_code: {from: code, prefix: "ZZ-"}
      name_en: {from: name}
"""
HEADER = "disease,onset,told,age,village,comment,extra\n"


def test_every_row_is_answered_once(mapper: Map) -> None:
    mapped = mapper(
        CASE,
        HEADER
        + "dengue,2015-09-01,2015-09-03,12,v1,hello,\n"  # good
        + "dengue,2015-09-01,2015-09-03,12,v1,hello,\n"  # equal, and yet perhaps another person
        + "dengue,2015-09-05,2015-09-03,12,v1,,x\n"  # told before onset
        + "None,2015-09-05,2015-09-03,12,v1,,x\n"  # necessary element missing, and told before onset
        + "flu,2015-09-01,2015-09-03,12,v1,,\n"  # no such disease
        + "dengue,2015-09-01,2015-12-03,400,v1,,\n"  # late, and an age that is set to nothing
        + "dengue,2015-09-01\n"  # ragged
        + "dengue,,,,None,,\n",  # elastic elements missing
    )
    assert mapped.rows == 8
    assert mapped.accepted["row_number"].to_pylist() == [1, 2, 6, 8]
    assert [(i.row_number, i.rule, i.element) for i in mapped.held] == [(3, "order", "notification_date")]
    assert [(i.row_number, i.rule, i.element) for i in mapped.rejected] == [
        (4, "missing", "disease"),
        (5, "unknown-code", "disease"),
        (7, "ragged-row", ""),
    ]
    assert mapped.findings[Finding("order", "notification_date")] == 2
    assert mapped.findings[Finding("late", "notification_date")] == 1
    assert mapped.findings[Finding("out-of-range", "age")] == 1
    assert mapped.findings[Finding("missing-as-text", "disease")] == 1
    assert mapped.findings[Finding("outside-mapping", "extra")] == 2
    assert mapped.accepted["age"].to_pylist() == [12, 12, None, None]
    assert mapped.accepted["true_from"].to_pylist()[:1] == [date(2015, 9, 1)]
    assert mapped.identifiers is None


def test_one_of_several_elements_is_enough(mapper: Map) -> None:
    rule = "  - {id: who, require: age or residence_village_code present, else: held, reason: nothing is told}\n"
    cells = ("12,v1", "12,None", ",v1", ",None")
    mapped = mapper(CASE.replace("rows:\n", "rows:\n" + rule), HEADER + "".join(f"dengue,,,{c},,\n" for c in cells))
    assert mapped.accepted["row_number"].to_pylist() == [1, 2, 3]
    assert [(i.row_number, i.rule, i.element) for i in mapped.held] == [(4, "who", "age")]


def test_raw_text_of_held_rows_leaves_out_what_is_not_collected(mapper: Map) -> None:
    mapped = mapper(CASE, HEADER + "dengue,2015-09-05,2015-09-03,12,v1,a name,secret\n")
    assert set(mapped.held[0].raw) == {"disease", "onset", "told", "age", "village"}


def test_accepted_has_the_schema_of_the_standard(mapper: Map, standard: Standard) -> None:
    mapped = mapper(CASE, HEADER + "dengue,2015-09-01,2015-09-03,12,v1,,\n")
    expected = {f.name: f.type for f in arrow_schema(standard.table("case"), standard.lineage)}
    del expected["case_id"]  # a direct identifier
    assert {f.name: f.type for f in mapped.accepted.schema} == expected


def test_an_area_without_a_name_that_may_be_published_is_rejected(
    tmp_path: Path, standard: Standard, wide: Boundary
) -> None:
    mapping = read_mapping(AREAS, standard)
    (tmp_path / "areas.csv").write_text("code,name\nA,=HYPERLINK(1)\nA,=HYPERLINK(1)\nB,@b\nB,Bay\nC,Cape\n")
    reader = open_table(tmp_path / "areas.csv", declared=mapping.format)
    plan = plan_mapping(mapping, reader.columns, wide, standard, known_at=KNOWN_AT)
    areas = areas_of(reader.chunks(), plan, Submission("s", "r", reader.sha256, KNOWN_AT))
    assert areas.table["name_en"].to_pylist() == ["Bay", "Cape"]
    assert [(item.row_number, item.outcome, item.rule, item.element) for item in areas.rejected] == [
        (1, "rejected", "unsafe-text", "name_en")
    ]
    assert areas.findings == {("unsafe-text", "name"): 3}


def test_boundary_drops_and_counts(mapper: Map) -> None:
    allowed = frozenset({"disease", "case_count", "onset_date", "notification_date", "age"})
    narrow = Boundary("b", "e", "count cases", {"case": allowed}, date(2026, 1, 1))
    rows = "dengue,2015-09-01,2015-09-03,12,v1,,\ndengue,2015-09-05,2015-09-03,12,None,,\n"
    mapped = mapper(CASE, HEADER + rows, boundary=narrow)
    assert mapped.refused == {"residence_village_code": 1}
    assert mapped.accepted["residence_village_code"].null_count == mapped.accepted.num_rows == 1
    assert "village" not in mapped.held[0].raw


@pytest.mark.parametrize(
    ("tables", "until", "words"),
    [
        ({"case": {"disease"}}, date(2026, 1, 1), "keeps out case_count"),
        ({"person": {"sex"}}, date(2026, 1, 1), "does not allow the table case"),
        ({"case": {"disease", "case_count"}}, date(2024, 12, 31), "ended on 2024-12-31"),
    ],
)
def test_boundary_refuses(mapper: Map, tables: dict[str, set[str]], until: date, words: str) -> None:
    frozen = {name: frozenset(elements) for name, elements in tables.items()}
    with pytest.raises(Refused, match=words) as caught:
        mapper(CASE, HEADER, boundary=Boundary("b", "e", "p", frozen, until))
    assert not caught.value.reasons
    assert all(policy.startswith("boundary:b:") for policy in caught.value.policies)
    assert caught.value.policies


PERSON = """
mapping: residents
version: 1
table: person
elements:
  pseudonym: {vault: number}
  id_number: {from: number, on_invalid: rejected}
  name: {from: name}
  sex: {from: sex}
  residence_area_code: {from: area}
"""


def test_identifiers_go_their_own_way(mapper: Map) -> None:
    def pseudonymise(texts: list[str]) -> list[str]:
        return [f"person-{text}" for text in texts]

    rows = "number,name,sex,area\n001,Chen,female,TW-67\n002,Lin,female,x\n00?,Wu,female,TW-67\n"
    mapped = mapper(PERSON, rows, pseudonymise=pseudonymise)
    assert mapped.accepted["pseudonym"].to_pylist() == ["person-001"]
    assert not {"name", "id_number"} & set(mapped.accepted.column_names)
    assert mapped.identifiers is not None
    (row,) = mapped.identifiers.to_pylist()
    assert (row["pseudonym"], row["name"], row["id_number"]) == ("person-001", "Chen", "001")
    assert row["fact_id"] == mapped.accepted["fact_id"][0].as_py()
    for item in (*mapped.held, *mapped.rejected):
        assert not {"name", "number"} & set(item.raw)
        assert "00?" not in item.reason
    assert [(i.row_number, i.rule) for i in mapped.rejected] == [(2, "pattern"), (3, "pattern")]


def test_a_vault_is_needed(mapper: Map) -> None:
    with pytest.raises(BadInput, match="vault"):
        mapper(PERSON, "number,name,sex,area\n")


def test_the_same_file_gives_the_same_facts(mapper: Map) -> None:
    rows = HEADER + "dengue,2015-09-01,2015-09-03,12,v1,,\n" * 3
    first, again = mapper(CASE, rows), mapper(CASE, rows)
    other = mapper(CASE, rows + "dengue,2015-09-01,2015-09-03,12,v1,,\n")
    ids = first.accepted["fact_id"].to_pylist()
    assert ids == again.accepted["fact_id"].to_pylist()
    assert len(set(ids)) == 3
    assert not set(ids) & set(other.accepted["fact_id"].to_pylist())


row = st.tuples(
    st.sampled_from(["dengue", "flu", "None", ""]),
    st.sampled_from(["2015-09-01", "2015-09-09", "2015-13-01", "None", ""]),
    st.sampled_from(["2015-09-05", "2016-09-05", "x", ""]),
    st.sampled_from(["1", "120", "121", "x", ""]),
    st.sampled_from(["v1", "v 2", "None"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(row, min_size=1, max_size=20))
def test_no_row_is_lost_or_answered_twice(rows: list[tuple[str, ...]], mapper: Map) -> None:
    mapped = mapper(CASE, HEADER + "".join(",".join((*r, "", "")) + "\n" for r in rows))
    numbers = [
        *mapped.accepted["row_number"].to_pylist(),
        *(item.row_number for item in mapped.held),
        *(item.row_number for item in mapped.rejected),
    ]
    assert sorted(numbers) == list(range(1, len(rows) + 1))
    assert mapped.accepted["disease"].null_count == 0
