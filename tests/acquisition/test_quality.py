"""Quality rules: a table in, counts out; scores and labels from counts; and what is wrong with the two real lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.acquisition.boundary import Boundary
from hutong.acquisition.quality import (
    DIMENSIONS,
    QualityReport,
    RuleResult,
    RuleSet,
    assess,
    read_report,
    score_report,
)
from hutong.acquisition.quality_file import default_rules, read_rules
from hutong.acquisition.receipt import Noticed, Receipt
from hutong.errors import BadInput
from hutong.standard import Standard, arrow_schema

from .test_line_lists import acquire

AT = datetime(2025, 1, 1, tzinfo=UTC)
TITLE = 'title: {en: "wrong", zh: "错"}'
WEIGHTS = """
dimensions: {completeness: 1, validity: 1, consistency: 1, timeliness: 1, uniqueness: 1}
labels: {good_from: 0.9, fair_from: 0.75, floor: 0.5}
"""


@pytest.fixture(scope="module")
def to_arrow() -> Callable[[Any], pa.Table]:
    return ibis.duckdb.connect().to_pyarrow  # type: ignore[no-any-return]


def receipt(rows: int, accepted: int, findings: dict[tuple[str, str], int] | None = None) -> Receipt:
    noticed = tuple(Noticed(rule, subject, n) for (rule, subject), n in (findings or {}).items())
    return Receipt(
        id="r", source="s", table="case", file_name="f", file_sha256="0", file_bytes=1, mapping="m@1",
        mapping_sha256="0", boundary="b", rows=rows, accepted=accepted, held=rows - accepted, rejected=0,
        findings=noticed, refused_values={}, columns_outside=(), received_at=AT, seconds=0.1,
    )  # fmt: skip


def cases(standard: Standard, rows: list[dict[str, Any]]) -> pa.Table:
    fields = [f.with_nullable(True) for f in arrow_schema(standard.table("case"), standard.lineage)]
    table = pa.Table.from_pylist(rows, schema=pa.schema(fields))
    return table.drop_columns(["case_id"])


ALL = ("age", "serotype", "residence_village_code")
D = date
# rule, rows in, checked and concerned out
SPECIFICATION: list[tuple[str, list[dict[str, Any]], int, int]] = [
    ("require: onset_date present", [{"onset_date": D(2015, 1, 1)}, {}], 2, 1),
    ("require: onset_date absent", [{"onset_date": D(2015, 1, 1)}, {}], 2, 1),
    (
        "require: notification_date >= onset_date",
        [
            {"onset_date": D(2015, 1, 2), "notification_date": D(2015, 1, 1)},
            {"onset_date": D(2015, 1, 2), "notification_date": D(2015, 1, 2)},
            {"onset_date": D(2015, 1, 2)},
            {},
        ],
        2,
        1,
    ),
    (
        "require: notification_date <= onset_date + 7 days",
        [
            {"onset_date": D(2015, 1, 1), "notification_date": D(2015, 1, 8)},
            {"onset_date": D(2015, 1, 1), "notification_date": D(2015, 1, 9)},
        ],
        2,
        1,
    ),
    (
        "{when: imported == true, require: infection_country present}",
        [{"imported": True}, {"imported": True, "infection_country": "TH"}, {"imported": False}, {}],
        2,
        1,
    ),
    ("require: sex != unknown", [{"sex": "unknown"}, {"sex": "male"}, {}], 2, 1),
    ("require: age <= 100", [{"age": 101}, {"age": 100}, {}], 2, 1),
    ("{kind: some, require: age < 1}", [{"age": 1}, {"age": 2}], 1, 1),
    ("{kind: some, require: age < 1}", [{"age": 1}, {"age": 0}], 1, 0),
    ("{kind: some, require: age < 1}", [{}], 0, 0),
    ("{kind: equal-rows}", [{"age": 1}, {"age": 1}, {"age": 1}, {"age": 2}, {}, {}], 6, 3),
    (
        "{kind: one-parent, elements: [residence_area_code]}",
        [{"residence_area_code": f"PE-{a}"} for a in ("A.X.1", "A.X.2", "B.X.1", "B.Y.1", "A")],
        4,
        1,
    ),
    (
        "{kind: near-its-area, limit: 0.3, elements: [residence_area_code, residence_longitude, residence_latitude]}",
        [
            {"residence_area_code": "TW-1", "residence_longitude": x, "residence_latitude": 23.0}
            for x in (120.0, 120.1, 120.2, 121.0, None)
        ],
        4,
        1,
    ),
    (
        "{kind: in-country, boxes: {TW: [118, 21, 122, 27]}, "
        "elements: [residence_area_code, residence_longitude, residence_latitude]}",
        [
            {"residence_area_code": "TW-1", "residence_longitude": 120.0, "residence_latitude": 23.0},
            {"residence_area_code": "TW-1", "residence_longitude": 23.0, "residence_latitude": 120.0 - 30},
            {"residence_area_code": "XX", "residence_longitude": 0.0, "residence_latitude": 0.0},
            {"residence_area_code": "TW-1"},
        ],
        2,
        1,
    ),
    ("{kind: fresh, elements: [true_from], limit: 90}", [{"true_from": D(2024, 12, 1)}, {}], 1, 0),
    ("{kind: fresh, elements: [true_from], limit: 90}", [{"true_from": D(2024, 1, 1)}], 1, 1),
    ("{kind: fresh, elements: [true_from], limit: 90}", [{}], 0, 0),
    ("{kind: not-accepted}", [{}, {}], 10, 8),
    ("{kind: finding, findings: [missing-as-text]}", [{}, {}], 20, 5),
    ("{kind: finding, findings: [nothing]}", [{}, {}], 10, 0),
    ("{kind: finding, findings: [nothing], only_noticed: true}", [{}, {}], 0, 0),
    ("{require: onset_date present, findings: [held-for-it]}", [{}, {"onset_date": D(2015, 1, 1)}], 3, 2),
]


@pytest.mark.parametrize(("rule", "rows", "checked", "concerned"), SPECIFICATION)
def test_rule(
    rule: str, rows: list[dict[str, Any]], checked: int, concerned: int, standard: Standard, to_arrow: Any
) -> None:
    body = rule.strip("{}") if rule.startswith("{") and rule.endswith("}") else rule
    text = f"table: case\nrules:\n  - {{id: r, dimension: validity, {TITLE}, {body}}}\n"
    if "boxes" in rule:
        text = f"table: case\nrules:\n  - {{id: r, dimension: validity, {TITLE}, {rule[1:-1]}}}\n"
    noticed = {("missing-as-text", "a"): 2, ("missing-as-text", "b"): 3, ("held-for-it", "onset_date"): 1}
    report = assess(
        ibis.memtable(cases(standard, rows)),
        read_rules(text, WEIGHTS, standard),
        [receipt(10, len(rows), noticed)],
        to_arrow=to_arrow,
        at=AT,
    )
    assert [(r.checked, r.concerned) for r in report.results] == [(checked, concerned)]
    assert report.rows == len(rows)


def test_what_the_boundary_kept_out_is_no_fault_of_the_list(standard: Standard, to_arrow: Any) -> None:
    """A rule that asks for it is not assessed, instead of finding every row wrong."""
    rules = "".join(
        f"  - {{id: {name}, dimension: completeness, {TITLE}, require: {name} present}}\n"
        for name in ("residence_village_code", "age")
    )
    kept_out = replace(receipt(10, 2), refused_values={"residence_village_code": 7})
    table = ibis.memtable(cases(standard, [{"age": 1}, {"age": 2}]))
    read = read_rules(f"table: case\nrules:\n{rules}", WEIGHTS, standard)
    report = assess(table, read, [kept_out], to_arrow=to_arrow, at=AT)
    assert {r.id: (r.checked, r.score) for r in report.results} == {"residence_village_code": (0, None), "age": (2, 1)}


def test_what_a_boundary_forbids_is_asked_of_no_row_that_came_under_it(standard: Standard, to_arrow: Any) -> None:
    """Whether the list had it or not; and also where a condition on it decides what is checked."""
    rules = [
        "require: residence_village_code present",
        "{when: serotype absent, require: age present}",
        "require: age present",
        "require: age or age_group present",
        "require: serotype or age_group present",
    ]
    written = "".join(
        f"  - {{id: r{at}, dimension: completeness, {TITLE}, {rule.strip('{}')}}}\n" for at, rule in enumerate(rules)
    )
    read = read_rules(f"table: case\nrules:\n{written}", WEIGHTS, standard)
    narrow = Boundary("narrow", "e", "test", {"case": frozenset({"age"})}, date(2030, 12, 31))
    known = {"narrow": narrow, "wide": replace(narrow, id="wide", tables={"case": frozenset(ALL)})}
    under = {name: replace(receipt(2, 2), id=name, boundary=name) for name in known}
    rows = [{"age": 1, "receipt_id": name} for name in ("narrow", "narrow", "wide", "wide")]
    for names, checked in (("narrow",), [0, 0, 2, 2, 0]), (("narrow", "wide"), [2, 2, 4, 4, 2]):
        came = [row for row in rows if row["receipt_id"] in names]
        report = assess(
            ibis.memtable(cases(standard, came)),
            read,
            [under[name] for name in names],
            to_arrow=to_arrow,
            at=AT,
            boundaries=known,
        )
        assert [result.checked for result in report.results] == checked


def test_an_area_that_the_source_does_not_list_is_found(standard: Standard, to_arrow: Any) -> None:
    text = "{kind: known-area, elements: [residence_area_code]}".strip("{}")
    read = read_rules(f"table: case\nrules: [{{id: r, dimension: consistency, {TITLE}, {text}}}]", WEIGHTS, standard)
    rows = [{"residence_area_code": code} for code in ("ZZ-A", "ZZ-A", "ZZ-a", "ZZ-B", "ZZ")] + [{}]
    known = pa.table({"area_code": ["ZZ", "ZZ-A", "ZZ-A", "ZZ-C"]})
    for areas, found in (known, (5, 2)), (known.slice(0, 0), (0, 0)), (None, (0, 0)):
        report = assess(
            ibis.memtable(cases(standard, rows)),
            read,
            [receipt(6, 6)],
            to_arrow=to_arrow,
            at=AT,
            areas=None if areas is None else ibis.memtable(areas),
        )
        assert [(r.checked, r.concerned) for r in report.results] == [found]


BAD_RULES = {
    "unknown word": ("wieght: 2, require: age present", "wieght"),
    "unknown kind": ("kind: magic", "unknown dimension or kind"),
    "no condition": ("weight: 1", "require"),
    "unknown element": ("require: agee present", "nearest"),
    "elements": ("kind: one-parent", "needs 1 elements"),
    "unknown element among several": ("require: age or agee present", "nearest"),
    "one of several absent": ("require: age or age_group absent", "not understood"),
}


@pytest.mark.parametrize("name", BAD_RULES)
def test_bad_rule(name: str, standard: Standard) -> None:
    body, words = BAD_RULES[name]
    text = f"table: case\nrules:\n  - {{id: r, dimension: validity, {TITLE}, {body}}}\n"
    with pytest.raises(BadInput, match=words):
        read_rules(text, WEIGHTS, standard)


def test_bad_title_weights_and_repeated_rule(standard: Standard) -> None:
    cut = "table: case\nrules: [{id: r, dimension: validity, require: age present, title: {en: a, but, zh: b}}]"
    with pytest.raises(BadInput, match="en and zh"):
        read_rules(cut, WEIGHTS, standard)
    rule = f"{{id: r, dimension: validity, require: age present, {TITLE}}}"
    with pytest.raises(BadInput, match="twice"):
        read_rules(f"table: case\nrules: [{rule}, {rule}]", WEIGHTS, standard)
    with pytest.raises(BadInput, match="five dimensions"):
        read_rules(f"table: case\nrules: [{rule}]", "dimensions: {validity: 1}", standard)


def test_an_assessment_needs_a_receipt(standard: Standard, to_arrow: Any) -> None:
    with pytest.raises(BadInput, match="receipt"):
        assess(ibis.memtable(cases(standard, [{}])), default_rules(standard), [], to_arrow=to_arrow, at=AT)


RULES = RuleSet("case", (), dict.fromkeys(DIMENSIONS, 1.0), good_from=0.9, fair_from=0.75, floor=0.5)


def scored(*counts: tuple[str, int, int]) -> QualityReport:
    results = [RuleResult(f"r{i}", d, {"en": "x", "zh": "x"}, c, n, "rows", 1.0) for i, (d, c, n) in enumerate(counts)]
    return score_report(RULES, results, rows=10, at=AT)


@pytest.mark.parametrize(
    ("counts", "label", "shape"),
    [
        ([("validity", 10, 0)], "good", "●"),
        ([("validity", 100, 11)], "fair", "▲"),
        ([("validity", 100, 26)], "poor", "■"),
        ([("validity", 0, 0)], "unknown", "?"),
        ([(d, 100, 0) for d in DIMENSIONS[:4]] + [("uniqueness", 100, 51)] * 1, "fair", "▲"),
    ],
)
def test_label(counts: list[tuple[str, int, int]], label: str, shape: str) -> None:
    report = scored(*counts)
    assert (report.label, report.shape) == (label, shape)


counts = st.integers(0, 1000).flatmap(lambda n: st.tuples(st.sampled_from(DIMENSIONS), st.just(n), st.integers(0, n)))


@settings(max_examples=100)
@given(found=st.lists(counts, max_size=12))
def test_scores_stay_in_bounds_and_reports_survive_json(found: list[tuple[str, int, int]]) -> None:
    report = scored(*found)
    assert 0 <= report.score <= 1
    assert all(d.score is None or 0 <= d.score <= 1 for d in report.dimensions)
    assert read_report(report.document()) == report
    assert {r.id for r in report.wrong()} == {r.id for r in report.results if r.concerned}


def assess_list(name: str, standard: Standard, wide: Boundary, folder: Path) -> QualityReport:
    mapped = acquire(name, standard, wide)
    accepted = pa.concat_tables([m.accepted for m in mapped])
    findings: Counter[Any] = sum((m.findings for m in mapped), Counter())
    pq.write_table(accepted, folder / "case.parquet")
    backend = ibis.duckdb.connect()
    return assess(
        backend.read_parquet(folder / "case.parquet"),
        default_rules(standard),
        [receipt(sum(m.rows for m in mapped), accepted.num_rows, {tuple(f): n for f, n in findings.items()})],
        to_arrow=backend.to_pyarrow,
        at=AT,
    )


EXPECTED: dict[str, tuple[str, dict[str, int]]] = {
    "taiwan": (
        "good",
        {
            "confirmation-missing": 6_278,
            "residence-missing": 468,
            "village-missing": 9_366,
            "coordinates-missing": 786,
            "infection-area-missing": 13_994,
            "serotype-missing": 93_123,
            "sex-unknown": 1,
            "not-accepted": 109,
            "missing-as-text": 166_261,
            "several-cases-in-a-row": 2,
            "notification-before-onset": 1,
            "confirmation-before-notification": 1,
            "confirmation-a-year-late": 107,
            "imported-without-country": 91,
            "local-without-country": 2_752,
            "far-from-its-area": 184,
            "area-names-differ": 33_056,
            "notified-late": 4_795,
            "notified-very-late": 144,
            "confirmed-late": 707,
            "equal-rows": 127,
            "no-person": 107_008,
            "list-out-of-date": 1,
        },
    ),
    "peru": (
        "poor",
        {
            "onset-missing": 171_224,
            "notification-missing": 171_224,
            "classification-missing": 171_224,
            "village-missing": 171_224,
            "coordinates-missing": 171_224,
            "imported-missing": 171_224,
            "residence-missing": 57,
            "no-infants": 1,
            "not-accepted": 58,
            "missing-as-text": 171,
            "damaged-text": 2_564,
            "value-out-of-range": 1,
            "age-doubtful": 8,
            "area-in-two-parents": 61,
            "week-without-date": 171_224,
            "equal-rows": 21_737,
            "no-person": 171_224,
            "list-out-of-date": 1,
        },
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_wrong_with_a_real_list(name: str, standard: Standard, wide: Boundary, tmp_path: Path) -> None:
    label, wrong = EXPECTED[name]
    report = assess_list(name, standard, wide, tmp_path)
    assert {r.id: r.concerned for r in report.wrong()} == wrong
    assert report.label == label
    assert all(r.sentence("en") and r.sentence("zh") for r in report.results)


@pytest.mark.parametrize(
    ("unit", "checked", "said"), [("lists", 1, "1 of 1 list"), ("lists", 2, "1 of 2 lists"), ("rows", 1, "1 of 1 row")]
)
def test_one_is_told_as_one(unit: str, checked: int, said: str) -> None:
    result = RuleResult("r", "timeliness", {"en": "Old", "zh": "过期"}, checked, 1, unit, 1.0)
    assert result.sentence() == f"Old: {said}"
