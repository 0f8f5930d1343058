"""The page of recognition: a matrix over the trust list, in both languages, and what it says when nothing is known."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from hutong.web.app import create_app
from tests.conftest import NewNode
from tests.passes.test_three_modes import Hub

LARGEST_BYTES = 180_000


@pytest.mark.parametrize(
    ("language", "finding", "because"),
    [
        ("en", "2 of 6 pairs of regions recognise at least one level", "It has not said how its levels read."),
        ("zh", "6 对地区中有 2 对认可至少一个等级", "尚未说明其等级如何解读。"),
    ],
)
def test_the_matrix_is_a_finding_with_its_table(
    new_region: NewNode, new_node: NewNode, language: str, finding: str, because: str
) -> None:
    browser = TestClient(create_app(Hub(new_region, new_node).cn), base_url="http://node.test")
    answer = browser.get(f"/{language}/recognition", params={"scene": "school"})
    assert answer.status_code == 200
    assert len(answer.content) < LARGEST_BYTES
    assert finding in answer.text
    assert because in answer.text
    assert answer.text.count('<th scope="row"') == 7  # four levels of the hub, three of tw
    assert "/api/passes/recognition-matrix?scene=school" in answer.text
    assert browser.get(f"/{language}/recognition", params={"scene": "moon"}).status_code == 422


def test_a_new_node_says_what_would_be_here(new_node: NewNode) -> None:
    browser = TestClient(create_app(new_node("tw")), base_url="http://node.test")
    answer = browser.get("/en/recognition")
    assert answer.status_code == 200
    assert "Nobody recognises anybody yet" in answer.text
    assert "/en/recognition" in browser.get("/en/pass").text
