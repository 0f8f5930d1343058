"""What a record may keep as it is beside the quasi-identifiers that are generalised."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import pyarrow as pa
import pytest

from hutong.errors import BadInput
from hutong.opening import generalisation
from hutong.opening.case_records import AREA_NAMES, require_safe
from hutong.opening.columns import LEVELS, described
from hutong.opening.publication import parse_publication
from hutong.standard import load

AREAS = pa.table({"area_code": ["TW", "TW-67"], "parent_code": [None, "TW"], "level": [0, 1]})
SHIPPED = parse_publication(files("hutong.demo").joinpath("publications/tw-records.yaml").read_text("utf-8"))
CASE = load().table("case")


def test_the_shipped_publications_keep_what_singles_nobody_out() -> None:
    require_safe(SHIPPED, CASE)


@pytest.mark.parametrize(
    "element", ["onset_date", "age", "residence_village_code", "report_year", "pseudonym", "case_id", "fact_id", "row"]
)
def test_what_would_single_people_out_is_not_kept(element: str) -> None:
    with pytest.raises(BadInput, match=element):
        require_safe(replace(SHIPPED, keep=(*SHIPPED.keep, element)), CASE)


def test_the_meaning_of_a_generalised_column_tells_its_level() -> None:
    given = pa.schema([("true_from", pa.string()), ("age_group", pa.string()), ("sex", pa.string())])
    levels = {"true_from": "year", "age_group": "20 years", "sex": "as given"}
    when, age, sex = described(given, load(), levels)
    assert when.description.en.endswith("Released here: the year in which the week's Thursday lies, such as 2018.")
    assert age.description.zh.endswith("此处发布的是二十岁一组的年龄段，如 20-39。")
    assert sex.description.en == CASE.element("sex").description["en"]


def test_every_level_has_its_words() -> None:
    hierarchies = (
        generalisation.dates("true_from"),
        generalisation.age_groups("age_group"),
        generalisation.as_given("sex"),
        generalisation.areas("residence_area_code", AREAS, names=AREA_NAMES[-2:]),
    )
    coarser = {level.name for hierarchy in hierarchies for level in hierarchy.levels[1:]}
    assert set(LEVELS) == coarser | {*AREA_NAMES, "5 years"}
    assert all(words.en and words.zh for words in LEVELS.values())
