"""Every case of the specification, on every engine; and the manual's page is the one that these cases render."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import quality, render
from .chapters import CASES, CHAPTERS
from .specification import Case, Inputs, evaluate, read_table, rows_of


@pytest.mark.parametrize(("case_id", "case"), CASES, ids=[case_id for case_id, _ in CASES])
def test_case(case_id: str, case: Case, inputs_of: Callable[[str, Case], Inputs]) -> None:
    expected = read_table(case.out)
    found = evaluate(case, inputs_of(case_id, case))
    assert found.column_names == expected.column_names
    assert rows_of(found, is_ordered=case.is_ordered) == rows_of(expected, is_ordered=case.is_ordered)


def test_every_chapter_has_cases_and_each_title_stands_once() -> None:
    assert len(CHAPTERS) == 7
    assert len(CASES) == 51
    assert all(chapter.cases for chapter in CHAPTERS)
    titles = [case.title for _, case in CASES]
    assert len(set(titles)) == len(titles)
    quality.elements_exist()


def test_the_page_of_the_manual_is_up_to_date() -> None:
    assert render.PAGE.read_text("utf-8") == render.render(), "run: python -m tests.spec.render"


def test_a_case_that_is_wrong_fails(inputs_of: Callable[[str, Case], Inputs]) -> None:
    case_id, case = CASES[0]
    found = evaluate(case, inputs_of(case_id, case))
    wrong = read_table(case.out.replace("2", "1", 1))
    assert rows_of(found, is_ordered=False) != rows_of(wrong, is_ordered=False)
