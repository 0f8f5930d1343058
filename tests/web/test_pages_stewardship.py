"""What stewards and authorities do on their pages: decide about held rows, declare sources, set boundaries, page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hutong.acquisition import actions as acquisition
from hutong.acquisition import held_queries, queries
from hutong.acquisition.receipt import Receipt
from hutong.node import Node
from hutong.web.portal import stewardship
from tests.web import world as worlds
from tests.web.test_pages_work import Person
from tests.web.world import World

ORDER = "notification-before-onset"


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[World]:
    node = worlds.make_node(tmp_path)
    yield World(node, (), worlds.people(node))
    node.close()


def take(node: Node, folder: Path, *, rows: int = 20, seed: int = 7) -> Receipt:
    path = folder / f"cases-{seed}.csv"
    path.write_bytes(worlds.case_list(rows, seed=seed))
    mapping = worlds.text_of("mappings/taiwan-case.yaml")
    return acquisition.acquire(node, by=node.operator, source_id=worlds.SOURCE.id, path=path, mapping=mapping)


def faults(text: str) -> dict[str, str]:
    """The errors at the fields of a page, by field."""
    found = re.findall(r'<p class="fault" id="([a-z_]+)-error"><span class="unseen">[^<]*</span>([^<]*)</p>', text)
    assert all('aria-invalid="true"' in text or name == "elements" for name, _ in found)
    return dict(found)


def test_held_rows_are_released_and_discarded_on_the_page(changing: World, tmp_path: Path) -> None:
    steward = Person(changing.node, "steward")
    receipt = take(changing.node, tmp_path)
    here = f"/en/steward/receipts/{receipt.id}"
    text = steward.page(here)
    assert "9 rows wait for a decision." in text
    assert f"{ORDER} · 6 rows wait" in text
    numbers = [one["row_number"] for one in queries.receipt_items(changing.node, receipt.id) if one["rule"] == ORDER]
    wish = {"rule": ORDER, "decision": "released", "reason": "The hospital <confirmed> both dates."}
    status, where = steward.send(f"{here}/decisions", **wish, only=f"{numbers[0]}, {numbers[1]}")
    assert (status, where.startswith(f"{here}?decided=")) == (303, True)
    text = steward.page(where.partition("#")[0])
    assert "2 rows were released" in text
    assert "The hospital &lt;confirmed&gt; both dates." in text
    assert "7 rows wait for a decision." in text
    status, where = steward.send(f"{here}/decisions", **{**wish, "decision": "discarded"})
    assert status == 303
    text = Person(changing.node, "auditor").page(f"/zh{where.removeprefix('/en').partition('#')[0]}")
    assert "已丢弃 4 行" in text
    assert '<form method="post" action="/zh/steward/receipts' not in text
    assert "3 rows wait" in steward.page("/en/steward").replace("3 wait", "3 rows wait")
    waiting = steward.page(f"{here}?outcome=waiting")
    assert waiting.count("The row as it was sent") == 3
    assert changing.node.move_inbox() == {"case": 13}
    assert held_queries.rows_waiting(changing.node) == 3


def test_what_can_not_be_decided_is_said_at_its_field(changing: World, tmp_path: Path) -> None:
    steward = Person(changing.node, "steward")
    receipt = take(changing.node, tmp_path)
    here = f"/en/steward/receipts/{receipt.id}/decisions"
    size = changing.node.log.size()
    status, text = steward.send(here)
    assert (status, set(faults(text))) == (422, {"rule", "decision", "reason"})
    wish = {"rule": ORDER, "decision": "released", "reason": "Mine <kept>"}
    status, text = steward.send(here, **wish, only="five")
    assert (status, set(faults(text)), "Mine &lt;kept&gt;" in text, 'value="five"' in text) == (
        422,
        {"only"},
        True,
        True,
    )
    status, text = steward.send(here, **wish, only="1-2000")
    assert (status, set(faults(text))) == (422, {"only"})
    status, text = steward.send(here, **wish, only="19")
    assert (status, "Nothing was decided" in text) == (404, True)
    for role, answer in (("authority", 403), ("auditor", 403)):
        assert Person(changing.node, role).send(here, **wish)[0] == answer
    steward.csrf = "made-up"
    assert steward.send(here, **wish)[0] == 403
    assert changing.node.log.size() == size


MISSING = {"title_zh": "Title in Chinese", "provider": "Provider", "licence": "Licence"}


def test_a_source_is_declared_on_the_page(changing: World) -> None:
    steward = Person(changing.node, "steward")
    here = "/en/steward/sources/new"
    assert 'value="TW"' in steward.page(here)
    status, text = steward.send(here, id="a b", title_en="Tests", territory="TW")
    assert status == 422
    assert faults(text) == {
        "id": "Use letters, digits and hyphens; at most 60.",
        **{name: f"Fill in “{label}”." for name, label in MISSING.items()},
    }
    assert 'value="Tests"' in text
    whole = {"title_en": "Tests", "title_zh": "检测", "provider": "Lab", "territory": "TW", "licence": "CC0-1.0"}
    assert steward.send(here, id=worlds.SOURCE.id, **whole)[0] == 422
    status, text = steward.send(here.replace("/en", "/zh"), id=worlds.SOURCE.id, **whole)
    assert (status, faults(text)["id"]) == (422, "另一数据来源已使用此编号。")
    assert steward.send(here, id="lab-tests", **whole) == (303, "/en/steward/quality/lab-tests")
    declared = queries.source(changing.node, "lab-tests")
    assert (declared.title, declared.provider, declared.homepage) == ({"en": "Tests", "zh": "检测"}, "Lab", "")
    Person(changing.node, "authority").page(here, 403)
    assert "/en/steward/sources/new" in steward.page("/en/steward")
    assert "/en/steward/boundaries/new" not in steward.page("/en/steward")


def test_a_boundary_is_set_on_the_page(changing: World) -> None:
    authority = Person(changing.node, "authority")
    here = "/en/steward/boundaries/new"

    def send(**given: object) -> tuple[int, str]:
        answer = authority.client.post(here, data={"csrf": authority.csrf, **given})
        return answer.status_code, answer.headers.get("location", answer.text)

    assert authority.page(here).count('name="elements"') == sum(
        len(table.elements) for table in changing.node.standard.tables.values()
    )
    status, text = send()
    assert (status, set(faults(text))) == (422, {"id", "emergency", "purpose", "valid_until", "elements"})
    chosen = ["case.disease", "case.case_count", "case.sex"]
    whole = {"id": "narrow", "emergency": "dengue-2026", "purpose": "Counting", "elements": chosen}
    status, text = send(**whole, valid_until="2026-08-01")
    assert (status, set(faults(text))) == (422, {"valid_until"})
    assert "Aug 1, 2026" in faults(text)["valid_until"] or "1 August 2026" in faults(text)["valid_until"]
    assert text.count(" checked") == 3
    assert set(faults(send(**{**whole, "id": "dengue-lists"}, valid_until="2026-07-01")[1])) == {"id"}
    status, text = send(**{**whole, "elements": ["case.nothing"]}, valid_until="2026-07-01")
    assert (status, "The boundary was not set" in text) == (422, True)
    status, text = send(**{**whole, "elements": [*chosen, "stay.arrived"]}, valid_until="2026-07-01")
    assert (status, "keeps out pseudonym, area_code, without which" in text) == (422, True)
    assert send(**whole, valid_until="2026-07-01") == (303, "/en/steward#boundaries")
    narrow = next(known for known in queries.boundaries(changing.node) if known.id == "narrow")
    assert narrow.tables == {"case": {"disease", "case_count", "sex"}}
    Person(changing.node, "steward").page(here, 403)
    assert "/en/steward/boundaries/new" in authority.page("/en/steward")


def test_receipts_are_paged_by_address(changing: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stewardship, "RECEIPTS_ON_A_PAGE", 2)
    steward = Person(changing.node, "steward")
    assert "Nothing was received yet" in steward.page("/en/steward")
    receipts = [take(changing.node, tmp_path, rows=10 + seed, seed=seed) for seed in range(5)]
    assert sum(receipt.rows for receipt in receipts) == 60
    seen = []
    for number in (1, 2, 3):
        text = steward.page(f"/en/steward?page={number}")
        seen += re.findall(r"/en/steward/receipts/([0-9a-z]{20})\"", text)
        assert f"Receipts {2 * number - 1} to {min(2 * number, 5)} of 5" in text
        assert ('rel="next"' in text, 'rel="prev"' in text) == (number < 3, number > 1)
        assert f'href="/zh/steward?page={number}"' in text
        # Totals are those of all receipts, on each page.
        assert f"<dd>{sum(receipt.accepted for receipt in receipts)}</dd>" in text
    assert set(seen) == {receipt.id for receipt in receipts}
    steward.page("/en/steward?page=4", 404)
    steward.page("/en/steward?page=0", 422)
