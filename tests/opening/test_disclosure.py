"""Suppression of small counts: examples, properties against independent attackers, and two real lists."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Refused
from hutong.opening.area_tree import complete
from hutong.opening.disclosure import PUBLIC_COLUMNS, for_publication, suppress
from hutong.opening.disclosure_audit import audit, require_safe
from hutong.opening.earlier_version import NOT_COUNTED, Earlier, align

from . import real_lists
from .attackers import narrow

Tree = dict[str, Any]


def table(leaves: dict[str, int], period: str = "2015-W36") -> pa.Table:
    """A period's table of counts from the counts of its leaves, ``"a/b"`` being area b of county a."""
    rows: dict[str, tuple[str | None, int]] = {"all": (None, 0)}
    for path in leaves:
        steps = path.split("/")
        for depth in range(1, len(steps) + 1):
            rows["/".join(steps[:depth])] = ("/".join(steps[: depth - 1]) or "all", depth)
    n = {
        code: sum(count for path, count in leaves.items() if code == "all" or f"{path}/".startswith(f"{code}/"))
        for code in rows
    }
    return pa.table(
        {
            "period": [period] * len(rows),
            "area_code": list(rows),
            "parent_code": pa.array([parent for parent, _ in rows.values()], pa.string()),
            "level": [depth for _, depth in rows.values()],
            "n": [n[code] for code in rows],
        }
    )


def withheld(counts: pa.Table, threshold: int = 5) -> dict[str, str]:
    rows = suppress(counts, threshold=threshold).to_pylist()
    return {row["area_code"]: row["reason"] for row in rows if row["status"] == "withheld"}


EXAMPLES = {
    "nothing small, nothing withheld": ({"a": 9, "b": 5, "c": 0}, {}),
    "one small count takes the smallest other count with it": (
        {"a": 3, "b": 9, "c": 7, "d": 0},
        {"a": "primary", "c": "complementary"},
    ),
    "two small counts with room between them protect each other": (
        {"a": 4, "b": 4, "c": 9},
        {"a": "primary", "b": "primary"},
    ),
    "two small counts without room take a third": (
        {"a": 1, "b": 4, "c": 9, "d": 8},
        {"a": "primary", "b": "primary", "d": "complementary"},
    ),
    "a withheld county withholds one of its townships": (
        {"a/x": 3, "a/y": 0, "b/x": 6, "b/y": 8, "c/x": 40, "c/y": 50},
        {"a": "primary", "a/x": "primary", "b": "complementary", "b/x": "complementary"},
    ),
    "a small township is protected inside its county": (
        {"a/x": 3, "a/y": 7, "a/z": 9, "b/x": 40},
        {"a/x": "primary", "a/y": "complementary"},
    ),
    "five ones under a total of five: zeros are veiled too": (
        {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 0, "g": 0},
        dict.fromkeys("abcde", "primary") | dict.fromkeys("fg", "complementary"),
    ),
    "no zero to veil with: the county goes too, and its sibling": (
        {"a/x": 2, "a/y": 3, "b/x": 20, "c/x": 30},
        {
            "a": "complementary",
            "a/x": "primary",
            "a/y": "primary",
            "b": "complementary",
            "b/x": "complementary",
        },
    ),
    "a small total withholds its period whole": (
        {"a/x": 2, "a/y": 0, "b/x": 0},
        {
            "all": "primary",
            "a": "primary",
            "a/x": "primary",
            "a/y": "complementary",
            "b": "complementary",
            "b/x": "complementary",
        },
    ),
    "a period without a case is published": ({"a": 0, "b": 0}, {}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    leaves, expected = EXAMPLES[name]
    assert withheld(table(leaves)) == expected


leaf = st.one_of(st.just(0), st.integers(0, 6), st.integers(0, 60))
shallow = st.dictionaries(st.sampled_from("abcdef"), leaf, min_size=1)
deep = st.dictionaries(
    st.sampled_from("abcd"), st.dictionaries(st.sampled_from("uvwxyz"), leaf, min_size=1, max_size=5), min_size=1
).map(lambda tree: {f"{a}/{b}": n for a, towns in tree.items() for b, n in towns.items()})
deepest = st.dictionaries(st.tuples(*[st.sampled_from("abc")] * 3).map("/".join), leaf, min_size=1, max_size=8)


# All counts small: the tables on which the rule must veil, or give up a margin.
crowded = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")).map("/".join), st.integers(0, 4), min_size=1
)
any_tree = st.one_of(shallow, deep, deepest, crowded)


@settings(max_examples=100, deadline=None)
@given(leaves=any_tree, threshold=st.integers(2, 6))
def test_no_withheld_cell_is_narrowed_below_the_guarantee(leaves: dict[str, int], threshold: int) -> None:
    counts = table(leaves)
    result = suppress(counts, threshold=threshold)
    rows = result.to_pylist()
    n_of = {row["area_code"]: row["n"] for row in rows}
    total_withheld = rows[0]["status"] == "withheld"
    public = for_publication(result)
    for code, (low, high) in narrow(public.to_pylist(), threshold).items():
        is_whole_total = total_withheld and all(n == 0 or _related(code, other) for other, n in n_of.items())
        assert high - low + 1 >= (threshold - 1 if is_whole_total else threshold), (code, low, high, rows)
        assert low <= n_of[code]
    assert audit(public, threshold=threshold) == []
    require_safe(public, threshold=threshold)


def _related(code: str, other: str) -> bool:
    """Whether one area contains the other."""
    if "all" in (code, other):
        return True
    return f"{code}/".startswith(f"{other}/") or f"{other}/".startswith(f"{code}/")


@settings(max_examples=100, deadline=None)
@given(leaves=any_tree, threshold=st.integers(2, 6))
def test_what_is_published_is_true_and_adds_up(leaves: dict[str, int], threshold: int) -> None:
    counts = table(leaves)
    result = suppress(counts, threshold=threshold)
    assert result.select(counts.column_names).equals(counts)
    rows = result.to_pylist()
    for row in rows:
        assert row["value"] == (row["n"] if row["status"] == "published" else None)
        assert (row["reason"] is None) == (row["status"] == "published")
        assert (row["reason"] == "primary") == (0 < row["n"] < threshold)
    for whole in rows:
        parts = [row for row in rows if row["parent_code"] == whole["area_code"]]
        if parts and all(row["value"] is not None for row in (whole, *parts)):
            assert whole["value"] == sum(row["value"] for row in parts)
    assert for_publication(result).column_names == list(PUBLIC_COLUMNS)


@settings(max_examples=60, deadline=None)
@given(leaves=any_tree, threshold=st.integers(2, 5), data=st.data())
def test_the_audit_finds_the_bounds_that_the_solver_finds(
    leaves: dict[str, int], threshold: int, data: st.DataObject
) -> None:
    """On any pattern of withheld cells, good or bad: the audit breaks exactly the cells that the solver narrows."""
    rows = table(leaves).to_pylist()
    for row in rows:
        hide = row["parent_code"] is not None and row["n"] > 0 and data.draw(st.booleans())
        row["status"] = "withheld" if hide else "published"
        row["value"] = None if hide else row["n"]
    public = pa.Table.from_pylist(
        [{name: row[name] for name in PUBLIC_COLUMNS} for row in rows],
        schema=suppress(table(leaves), threshold=threshold).select(list(PUBLIC_COLUMNS)).schema,
    )
    breached = {b.area_code: (b.lowest, b.highest) for b in audit(public, threshold=threshold)}
    small = {r["area_code"] for r in rows if r["status"] == "published" and 0 < r["n"] < threshold}
    try:
        exact = narrow(public.to_pylist(), threshold)
    except AssertionError:  # what the rule says about veils does not fit this arbitrary pattern
        assert breached
        return
    too_narrow = {code: ends for code, ends in exact.items() if ends[1] - ends[0] + 1 < threshold}
    assert {code: ends for code, ends in breached.items() if code not in small} == too_narrow
    assert small <= set(breached)


def test_a_veil_holds_against_an_attacker_who_replays_the_whole_rule() -> None:
    """Every table of four areas with counts to six: equal publications are one class; veiled cells keep t values."""
    threshold = 3
    worlds = list(itertools.product(range(7), repeat=4))
    tables = [table(dict(zip("abcd", world, strict=True)), "".join(map(str, world))) for world in worlds]
    result = suppress(pa.concat_tables(tables), threshold=threshold)
    seen: dict[tuple[Any, ...], list[tuple[int, ...]]] = defaultdict(list)
    rows = result.to_pylist()
    for number, world in enumerate(worlds):
        cells = rows[number * 5 : number * 5 + 5]
        seen[tuple(cell["value"] for cell in cells)].append(world)
    veiled = exact = 0
    for published, possible in seen.items():
        for area in range(4):
            if published[area + 1] is None:
                values = {world[area] for world in possible}
                exact += len(values) == 1
                if published[0] is not None and published[1:] == (None,) * 4 and published[0] < 4 + threshold - 1:
                    veiled += 1
                    assert len(values) >= threshold, (published, possible)
    assert veiled > 0
    # Documented as outside the guarantee: replaying the choice of complements settles some cells elsewhere.
    assert exact < sum(value is None for published in seen for value in published[1:])


def version(leaves: dict[str, int], threshold: int, earlier: Earlier | None = None) -> tuple[pa.Table, Earlier]:
    """A version, and what it is to the next one."""
    result = suppress(table(leaves), threshold=threshold, earlier=earlier)
    is_withheld = pc.equal(result["status"], "withheld").to_numpy(zero_copy_only=False)
    return result, Earlier(result["n"].to_numpy(), is_withheld)


@settings(max_examples=150, deadline=None)
@given(leaves=any_tree, threshold=st.integers(2, 5), data=st.data())
def test_a_newer_version_moves_no_complement_and_holds(
    leaves: dict[str, int], threshold: int, data: st.DataObject
) -> None:
    first, earlier = version(leaves, threshold)
    more = data.draw(st.fixed_dictionaries(dict.fromkeys(leaves, st.integers(-2, 4))))
    now = {path: max(0, n + more[path]) for path, n in leaves.items()}
    second, later = version(now, threshold, earlier)
    assert audit(for_publication(second), threshold=threshold) == []
    rows = list(zip(first.to_pylist(), second.to_pylist(), strict=True))
    assert all((row["reason"] == "primary") == (0 < row["n"] < threshold) for _, row in rows)
    lasting = any(then["reason"] == row["reason"] == "primary" for then, row in rows)
    if lasting and first["status"][0].as_py() == "published":
        for then, row in rows:
            if then["reason"] == "complementary" and then["n"] >= threshold and row["n"]:
                assert row["status"] == "withheld", row
    third, _ = version(now, threshold, later)
    assert third.equals(second), "nothing has changed since"


def test_a_complement_does_not_move_while_what_it_protects_is_small() -> None:
    _, earlier = version({"a": 3, "b": 9, "c": 10}, 5)
    grown = {"a": 3, "b": 12, "c": 10}
    assert withheld(table(grown)).keys() == {"a", "c"}, "so that 25 - 12 - 10 = 3 for who has both versions"
    held = version(grown, 5, earlier)[0].filter(pc.field("status") == "withheld")
    assert held["area_code"].to_pylist() == ["a", "b"]
    large = version({"a": 8, "b": 12, "c": 10}, 5, earlier)[0]
    assert large["status"].unique().to_pylist() == ["published"], "what is large is shown, and what protected it"


def test_a_version_is_laid_out_as_the_next_one() -> None:
    """Other periods and areas, and cells that follow from those that are listed."""
    old = pa.concat_tables([table({"a/x": 2, "a/y": 0, "b/x": 0}, "w1"), table({"a/x": 3, "a/y": 9, "b/x": 7}, "w2")])
    status = suppress(old)
    shown = status.filter(
        pc.field("area_code").isin(["all", "a", "a/x", "a/y", "b", "b/x"]) & (pc.field("period") == "w2")
    )
    shown = pa.concat_tables([status.filter(pc.field("area_code") == "all").slice(0, 1), shown])
    released = shown.select(["area_code", "value"]).append_column("period_start", shown["period"])
    now = {"a/x": 0, "a/y": 0, "b/x": 0, "b/z": 0}
    whole = pa.concat_tables([table(now, period) for period in ("w0", "w1", "w2")])
    found = align(whole, old, released)
    cells = list(zip(whole["period"].to_pylist(), whole["area_code"].to_pylist(), strict=True))
    then = dict(zip(cells, found.n.tolist(), strict=True))
    assert {n for (period, code), n in then.items() if period == "w0" or code == "b/z"} == {NOT_COUNTED}
    assert (then["w1", "all"], then["w2", "a/y"], then["w2", "b"]) == (2, 9, 7)
    hidden = {cell for cell, is_withheld in zip(cells, found.withheld.tolist(), strict=True) if is_withheld}
    assert hidden == {*(("w1", code) for code in ("all", "a", "a/x", "a/y", "b", "b/x")), ("w2", "a/x"), ("w2", "a/y")}


def test_periods_do_not_touch_each_other() -> None:
    one, two = table({"a": 3, "b": 9, "c": 7}, "1"), table({"a": 30, "b": 9, "c": 7}, "2")
    together = suppress(pa.concat_tables([two, one])).to_pylist()
    assert together == suppress(two).to_pylist() + suppress(one).to_pylist()


def test_complete_adds_zeros_margins_and_what_has_no_place() -> None:
    areas = pa.table(
        {
            "area_code": ["TW", "a", "a/x", "a/y", "b"],
            "parent_code": [None, "TW", "a", "a", "TW"],
            "level": [0, 1, 2, 2, 1],
        }
    )
    counts = pa.table({"period": ["2", "1", "1"], "area_code": ["b", "a/x", "a"], "n": [4, 2, 1]})
    full = complete(counts, areas, periods=pa.array(["1", "2", "3"]))
    cells = {(row["period"], row["area_code"]): row["n"] for row in full.to_pylist()}
    assert full.num_rows == len(cells) == 18
    assert {key: n for key, n in cells.items() if n} == {
        ("1", "TW"): 3,
        ("1", "a"): 3,
        ("1", "a/x"): 2,
        ("1", "a~unplaced"): 1,
        ("2", "TW"): 4,
        ("2", "b"): 4,
    }
    assert suppress(full, threshold=2).num_rows == 18
    with pytest.raises(BadInput, match="not in the table of areas"):
        complete(pa.table({"period": ["1"], "area_code": ["z"], "n": [1]}), areas)
    with pytest.raises(BadInput, match="not part of the release"):
        complete(counts, areas, periods=pa.array(["1"]))


def _with(counts: pa.Table, name: str, values: list[Any]) -> pa.Table:
    return counts.set_column(counts.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("n", [9, 3, 5], "do not add up"),
        ("n", [8, -1, 9], "below zero"),
        ("n", [8, None, 8], "missing"),
        ("n", [8.0, 3.0, 5.0], "not a whole number"),
        ("area_code", ["all", "a", "a"], "two counts"),
        ("area_code", ["all", None, "b"], "no area_code"),
        ("parent_code", [None, "all", "z"], "parent has no count"),
        ("parent_code", [None, None, "all"], "more than one"),
        ("level", [0, 1, 2], "one level below"),
    ],
)
def test_bad_counts_are_refused(name: str, values: list[Any], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        suppress(_with(table({"a": 3, "b": 5}), name, values))


def test_a_missing_column_or_threshold_is_refused() -> None:
    counts = table({"a": 3, "b": 5})
    with pytest.raises(BadInput, match="no column 'level'"):
        suppress(counts.drop_columns(["level"]))
    with pytest.raises(BadInput, match="no column 'n'"):
        suppress(counts.drop_columns(["n"]))
    with pytest.raises(BadInput, match="protect nobody"):
        suppress(counts, threshold=1)


def test_the_audit_refuses_a_release_that_gives_a_cell_away() -> None:
    public = for_publication(suppress(table({"a": 3, "b": 9, "c": 7}), threshold=5))
    hidden = ["published", "withheld", "published", "published"]
    given_away = _with(_with(public, "value", [19, None, 9, 7]), "status", hidden)
    (breach,) = audit(given_away, threshold=5)
    assert (breach.area_code, breach.lowest, breach.highest) == ("a", 3, 3)
    with pytest.raises(Refused) as refused:
        require_safe(given_away, threshold=5)
    assert refused.value.reasons == ("too few values: a in 2015-W36",)
    plain = _with(_with(public, "value", [19, 3, 9, 7]), "status", ["published"] * 4)
    assert [b.finding for b in audit(plain, threshold=5)] == ["small cell published"]
    wrong = _with(_with(public, "value", [20, 6, 9, 7]), "status", ["published"] * 4)
    assert "contradiction" in {b.finding for b in audit(wrong, threshold=5)}
    with pytest.raises(BadInput, match="has a value"):
        audit(_with(public, "status", ["published"] * 4), threshold=5)
    with pytest.raises(BadInput, match="neither"):
        audit(_with(public, "status", ["hidden"] * 4), threshold=5)


def test_an_empty_table_stays_empty() -> None:
    assert suppress(table({"a": 3}).slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(("name", "cases", "periods"), [("taiwan", 107_117, 1_184), ("peru", 171_282, 209)])
def test_the_real_lists_are_suppressed_and_hold(name: str, cases: int, periods: int) -> None:
    rows = real_lists.taiwan() if name == "taiwan" else real_lists.peru()
    counts, areas = real_lists.weekly(rows, "all", depth=2)
    result = suppress(complete(counts, areas))
    public = for_publication(result)
    assert audit(public, threshold=5) == []
    totals = result.filter(pc.equal(result["level"], 0))
    assert pc.sum(totals["n"]).as_py() == cases
    assert totals.num_rows == periods
    reasons = {entry["values"]: entry["counts"] for entry in result["reason"].value_counts().to_pylist()}
    assert reasons["primary"] > 3_000
    assert reasons["complementary"] > 1_000
    weeks = totals.filter(pc.is_valid(totals["value"]))["period"].to_pylist()
    cells = public.filter(pc.equal(public["period"], weeks[len(weeks) // 2])).to_pylist()
    bounds = narrow(cells, 5)
    assert bounds
    assert all(high - low + 1 >= 5 for low, high in bounds.values())
