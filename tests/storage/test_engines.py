"""A query over changing tables: translated once, always run over what is there now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from hutong.errors import NotFound
from hutong.node import Node
from hutong.storage.engines import MOST_BOUND
from hutong.storage.lake import Lake
from hutong.storage.query import Query
from tests.conftest import NewNode


@pytest.fixture
def node(new_node: NewNode) -> Node:
    return new_node("tw")


class Counted:
    """Seen of each person as often as the rows ``wanted`` allow, and how often it was built."""

    def __init__(self, key: str) -> None:
        self.built = 0
        self.query = Query((key,), ("seen",), self.build)

    def build(self, tables: Mapping[str, Any]) -> Any:
        self.built += 1
        seen = tables["seen"].semi_join(tables["wanted"], "person")
        return seen.group_by("person").agg(times=seen.count()).order_by("person")


def rows(*persons: str, **more: Any) -> pa.Table:
    return pa.table({"person": pa.array(persons, pa.string()), **more})


def found(node: Node, query: Query, *wanted: str) -> dict[str, int]:
    answer = node.engine.run(query, {"wanted": rows(*wanted)})
    return {row["person"]: row["times"] for row in answer.to_pylist()}


def test_each_run_reads_the_newest_rows(node: Node) -> None:
    counted = Counted("newest")
    node.lake.append("seen", rows("a", "b"), high_water=1)
    assert found(node, counted.query, "a", "b") == {"a": 1, "b": 1}
    node.lake.append("seen", rows("a"), high_water=2)
    assert found(node, counted.query, "a") == {"a": 2}
    node.lake.replace("seen", rows())
    assert found(node, counted.query, "a") == {}
    assert counted.built == 1


def test_the_files_that_are_remembered_are_those_of_the_table(node: Node) -> None:
    """Whatever was done to the table since, and by whom: who has just opened the lake reads them all."""

    def opened() -> Lake:
        return Lake(database_url=node.lake._database_url, folder=node.lake._folder)

    own, other = node.lake, opened()
    steps: list[Callable[[], object]] = [
        lambda: own.append("seen", rows("a"), high_water=1),
        lambda: own.append("seen", rows("b"), high_water=2),
        lambda: [other.append("seen", rows("c"), high_water=number) for number in (3, 4)],
        lambda: own.append("seen", rows(), high_water=5),
        lambda: other.compact("seen"),
        lambda: own.append("seen", rows("d", place=["here"]), high_water=6),
        lambda: other.expire("seen", keep=1),
        lambda: own.delete_where("seen", {"person": {"d"}}),
        lambda: own.append("seen", rows("e"), high_water=7),
        lambda: own.replace("seen", rows("f")),
    ]
    for step in steps:
        step()
        fresh = opened()
        assert own.snapshot("seen").files == fresh.snapshot("seen").files
        fresh.close()
    other.close()


def test_of_a_table_that_grows_few_snapshots_stay_bound_and_what_was_built_before_still_runs(node: Node) -> None:
    query = Counted("bound").query
    for number in range(1, 21):
        node.lake.append("seen", rows("a"), high_water=number)
        built = node.engine.table("seen")
        if number == 15:
            earlier = built
        assert found(node, query, "a") == {"a": number}
    assert node.engine.to_arrow(earlier).num_rows == 15
    views = node.engine._backend.con.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()  # type: ignore[attr-defined]
    assert len([name for (name,) in views if name.startswith("seen_")]) == MOST_BOUND


def test_a_table_that_gains_columns_is_another_query(node: Node) -> None:
    counted = Counted("grows")
    node.lake.append("seen", rows("a"), high_water=1)
    assert found(node, counted.query, "a") == {"a": 1}
    node.lake.append("seen", rows("a", place=["here"]), high_water=2)
    assert found(node, counted.query, "a") == {"a": 2}
    assert counted.built == 2


def test_queries_of_one_key_share_a_translation_in_all_nodes(node: Node, new_node: NewNode) -> None:
    first, second, other = Counted("shared"), Counted("shared"), new_node("pe")
    for one, persons in ((node, ("a",)), (other, ("a", "a", "a"))):
        one.lake.append("seen", rows(*persons), high_water=1)
    assert found(node, first.query, "a") == {"a": 1}
    assert found(other, second.query, "a") == {"a": 3}
    assert (first.built, second.built) == (1, 0)


def test_rows_are_gone_after_a_run_that_fails(node: Node) -> None:
    counted = Counted("fails")
    node.lake.append("seen", rows("a"), high_water=1)
    with pytest.raises(Exception, match="person"):
        node.engine.run(counted.query, {"wanted": pa.table({"nobody": [1]})})
    assert found(node, counted.query, "a") == {"a": 1}


def test_a_table_that_is_not_there_is_said(node: Node) -> None:
    with pytest.raises(NotFound, match="seen"):
        found(node, Counted("absent").query, "a")


EACH_TYPE = pa.table(
    {
        "number": pa.array([1, None, 2**53 + 1], pa.int64()),
        "small": pa.array([None, 7, 8], pa.int32()),
        "share": pa.array([0.5, None, 1.5], pa.float64()),
        "exact": pa.array([Decimal("0.10"), None, Decimal("2.50")], pa.decimal128(9, 2)),
        "said": pa.array([True, None, False]),
        "text": pa.array(["a", None, ""]),
        "day": pa.array([date(2026, 2, 28), None, date(1969, 12, 31)]),
        "moment": pa.array([datetime(2026, 2, 28, 1, 2, 3, 4, UTC), None, None], pa.timestamp("us", "UTC")),
        "whole": pa.array([1, 2, 3], pa.int64()),
    }
)


@pytest.mark.parametrize("name", ["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def test_rows_come_back_as_they_were_given(name: str, new_node: NewNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUTONG_ENGINE", name)
    engine = new_node("tw").engine
    assert engine.name == name
    by_number = engine.to_arrow(engine.bind(EACH_TYPE).order_by("whole")).to_pylist()
    assert by_number == EACH_TYPE.to_pylist()
    query = Query(("given",), (), lambda tables: tables["given"].order_by("whole"))
    assert engine.run(query, {"given": EACH_TYPE}).to_pylist() == EACH_TYPE.to_pylist()
