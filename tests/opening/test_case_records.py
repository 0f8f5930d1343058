"""What a record may keep as it is beside the quasi-identifiers that are generalised."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import pytest

from hutong.errors import BadInput
from hutong.opening.case_records import require_safe
from hutong.opening.publication import parse_publication
from hutong.standard import load

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
