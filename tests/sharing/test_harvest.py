"""A hub reads two regions' catalogues over HTTP and joins their weekly counts under one definition."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Conflict, LimitExceeded, NotFound, Refused, Tampered, Unavailable
from hutong.node import Node
from hutong.opening.catalogue.catalogue import Dataset, Origin, Publisher, Text
from hutong.opening.weekly_counts import READING
from hutong.sharing import actions, queries
from hutong.sharing.harvest import compare, own_datasets
from hutong.sharing.queries import CountFilter
from hutong.web.i18n import language_of, translations
from tests.conftest import Clock, NewNode
from tests.sharing.conftest import (
    PARTNER,
    RECORDS,
    STEWARD,
    Served,
    ServeNode,
    introduce,
    kinds,
    release,
    weekly_counts,
    withdraw_dataset,
)

MAY, JUNE = date(2020, 5, 31), date(2020, 6, 7)
TW = weekly_counts(
    [
        ("TW", "Taiwan", "country", MAY, 12),
        ("TW", "Taiwan", "country", JUNE, 0),
        ("TW-TNN", "Tainan", "region1", MAY, 7),
        ("TW-KHH", "Kaohsiung", "region1", MAY, None),
        ("TW-TNN-01", "Xinying", "region2", MAY, 7),
    ]
)
PE = weekly_counts(
    [("PE", "Peru", "country", JUNE, 300), ("PE-LOR", "Loreto", "region1", JUNE, 41)],
)


@pytest.fixture
def three(serve_node: ServeNode) -> tuple[Node, Served, Served]:
    """The hub, and two regions with an open weekly count and one dataset by agreement."""
    hub, tw, pe = serve_node("hub", territory="*"), serve_node("tw"), serve_node("pe")
    introduce(hub.node, tw.node, pe.node)
    release(tw.node, "tw-weekly", TW, grade=0)
    release(tw.node, "tw-records", RECORDS)
    release(pe.node, "pe-weekly", PE, grade=0)
    return hub.node, tw, pe


def reading(language: str) -> str:
    """How a release's absent rows are read, as its own page says it."""
    return translations(language_of(language)).gettext(READING)


def names(node: Node, party: str | None = None) -> list[tuple[str, str]]:
    return [(entry.party, entry.dataset.id) for entry in queries.harvested(node, party=party)]


def test_harvesting_again_changes_nothing_and_what_vanished_goes(
    three: tuple[Node, Served, Served], clock: Clock, records: str
) -> None:
    hub, tw, _ = three
    first = actions.harvest(hub, by=STEWARD, party_id="tw")
    assert (first.added, first.changed, first.vanished, first.unchanged) == (("tw-records", "tw-weekly"), (), (), 0)
    kept = queries.harvested(hub)
    assert [entry.dataset.origin for entry in kept] == [
        Origin("tw", tw.node.settings.url, f"{tw.node.settings.url}/id/dataset/{entry.dataset.id}") for entry in kept
    ]
    assert [entry.dataset.grade for entry in kept] == [2, 0]
    clock.advance(hours=1)
    again = actions.harvest(hub, by=STEWARD, party_id="tw")
    assert (again.added, again.changed, again.vanished, again.unchanged) == ((), (), (), 2)
    assert queries.harvested(hub) == kept

    release(tw.node, "tw-weekly", TW.slice(0, 3), grade=0)
    withdraw_dataset(tw.node, "tw-records")
    third = actions.harvest(hub, by=STEWARD, party_id="tw")
    assert (third.added, third.changed, third.vanished, third.unchanged) == ((), ("tw-weekly",), ("tw-records",), 0)
    assert names(hub) == [("tw", "tw-weekly")]
    now = queries.harvested(hub)[0]
    assert now.dataset.current and now.dataset.current.version == "2"
    assert now.harvested_at == clock.now
    assert kinds(hub)[-4:] == [
        "catalogue.harvested",
        "catalogue.harvested",
        "catalogue.harvested",
        "catalogue.vanished",
    ]


def test_nobody_announces_data_in_anothers_name(three: tuple[Node, Served, Served]) -> None:
    hub, tw, pe = three
    text = Text("Counts of Peru", "秘鲁统计")
    home = pe.node.settings.url
    tw.shown.append(
        Dataset(
            "invented", text, text, Publisher("pe", text), 0, origin=Origin("pe", home, f"{home}/id/dataset/invented")
        )
    )
    report = actions.harvest(hub, by=STEWARD, party_id="tw")
    assert (report.datasets, report.left_out) == (2, 1)
    assert names(hub) == [("tw", "tw-records"), ("tw", "tw-weekly")]


def test_the_joint_series(three: tuple[Node, Served, Served], clock: Clock, records: str) -> None:
    hub, tw, _ = three
    with pytest.raises(NotFound):
        queries.joint_series(hub)
    with pytest.raises(NotFound, match="Harvest the regions first"):
        actions.join_series(hub, by=STEWARD)
    for party in ("tw", "pe"):
        actions.harvest(hub, by=STEWARD, party_id=party)
    made = actions.join_series(hub, by=STEWARD)
    assert queries.joint_series(hub) == made
    assert (made.rows, made.definition.indicator, made.left_out) == (6, "cases", ())
    assert all(reading(language) in made.definition.text[language] for language in ("en", "zh"))
    assert [(s.party, s.dataset, s.version, s.rows, s.withheld) for s in made.sources] == [
        ("pe", "pe-weekly", "1", 2, 0),
        ("tw", "tw-weekly", "1", 4, 1),
    ]
    counts = queries.joint_counts(hub)
    assert [(c.party, c.area_code, c.level, c.period_start, c.value, c.status) for c in counts] == [
        ("pe", "PE", "country", JUNE, 300, "published"),
        ("pe", "PE-LOR", "region1", JUNE, 41, "published"),
        ("tw", "TW", "country", MAY, 12, "published"),
        ("tw", "TW-KHH", "region1", MAY, None, "withheld"),
        ("tw", "TW-TNN", "region1", MAY, 7, "published"),
        ("tw", "TW", "country", JUNE, 0, "published"),
    ]
    wanted = CountFilter(party="tw", level="country", since=JUNE, until=JUNE)
    assert [count.value for count in queries.joint_counts(hub, wanted)] == [0]
    assert [count.area_name for count in queries.joint_counts(hub, offset=1, limit=2)] == ["Loreto", "Taiwan"]

    release(tw.node, "tw-weekly", TW.slice(0, 1), grade=0)
    actions.harvest(hub, by=STEWARD, party_id="tw")
    clock.advance(hours=1)
    newer = actions.join_series(hub, by=STEWARD)
    assert (newer.rows, newer.joined_at) == (3, clock.now)
    assert len(queries.joint_counts(hub)) == 3


def test_what_can_not_be_joined_is_said(three: tuple[Node, Served, Served]) -> None:
    hub, tw, pe = three
    release(tw.node, "a-survey", pa.table({"answer": ["yes"]}), grade=0)
    home = pe.node.settings.url
    stolen = queries_release(pe.node, "pe-weekly")
    foreign = Dataset(
        "elsewhere",
        Text("Elsewhere"),
        Text("Elsewhere"),
        Publisher("tw", Text("tw")),
        0,
        releases=(replace(stolen, id="elsewhere@1", dataset_id="elsewhere"),),
    )
    tw.shown.append(foreign)
    for party in ("tw", "pe"):
        actions.harvest(hub, by=STEWARD, party_id=party)
    made = actions.join_series(hub, by=STEWARD)
    assert [(left.dataset, left.reason) for left in made.left_out] == [
        ("a-survey", "Its columns are not those of weekly counts."),
        ("elsewhere", "Its file is not at the party's own address."),
    ]
    assert made.rows == 6
    assert stolen.distributions[0].url.startswith(home)


def queries_release(node: Node, dataset_id: str) -> Any:
    from hutong.opening.queries import release as released

    return released(node, dataset_id)


def test_a_file_that_is_not_what_the_catalogue_says(three: tuple[Node, Served, Served]) -> None:
    hub, tw, _ = three
    for party in ("tw", "pe"):
        actions.harvest(hub, by=STEWARD, party_id=party)
    made = actions.join_series(hub, by=STEWARD)
    path = tw.node.settings.releases_folder / "tw-weekly" / "v1" / "tw-weekly-v1.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    before = hub.log.size()
    with pytest.raises(Tampered, match="not what its catalogue says"):
        actions.join_series(hub, by=STEWARD)
    assert queries.joint_series(hub) == made
    assert hub.log.size() == before
    assert len(queries.joint_counts(hub)) == 6


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("TW", "Taiwan", "country", MAY, 1), ("TW", "Taiwan", "country", MAY, 2)], "week twice"),
        ([("TW", "Taiwan", "country", MAY, -1)], "below zero"),
    ],
)
def test_counts_that_contradict_themselves(three: tuple[Node, Served, Served], rows: Any, says: str) -> None:
    hub, tw, _ = three
    release(tw.node, "tw-weekly", weekly_counts(rows), grade=0)
    actions.harvest(hub, by=STEWARD, party_id="tw")
    with pytest.raises(BadInput, match=says):
        actions.join_series(hub, by=STEWARD)


@pytest.mark.parametrize("status", ["published", "withheld", "estimated"])
def test_withheld_means_no_number(three: tuple[Node, Served, Served], status: str) -> None:
    hub, tw, _ = three
    value = 3 if status != "published" else None
    table = weekly_counts([("TW", "Taiwan", "country", MAY, value)])
    table = table.set_column(table.column_names.index("status"), "status", pa.array([status]))
    release(tw.node, "tw-weekly", table, grade=0)
    actions.harvest(hub, by=STEWARD, party_id="tw")
    with pytest.raises(BadInput, match="withheld"):
        actions.join_series(hub, by=STEWARD)


def test_one_indicator_at_a_time(three: tuple[Node, Served, Served]) -> None:
    hub, tw, _ = three
    deaths = weekly_counts([("TW", "Taiwan", "country", MAY, 1)], indicator="deaths")
    release(tw.node, "tw-weekly", pa.concat_tables([TW, deaths]), grade=0)
    for party in ("tw", "pe"):
        actions.harvest(hub, by=STEWARD, party_id=party)
    with pytest.raises(Conflict, match="cases, deaths"):
        actions.join_series(hub, by=STEWARD)
    with pytest.raises(NotFound, match="No region publishes"):
        actions.join_series(hub, by=STEWARD, indicator="births")
    assert actions.join_series(hub, by=STEWARD, indicator="deaths").rows == 1
    assert actions.join_series(hub, by=STEWARD, indicator="cases").rows == 6


def test_who_may_and_who_is_there(three: tuple[Node, Served, Served], new_node: NewNode) -> None:
    hub, _, _ = three
    with pytest.raises(Refused):
        actions.harvest(hub, by=PARTNER, party_id="tw")
    with pytest.raises(Refused):
        actions.join_series(hub, by=PARTNER)
    with pytest.raises(NotFound, match="not in the trust list"):
        actions.harvest(hub, by=STEWARD, party_id="nobody")
    with pytest.raises(BadInput, match="this node itself"):
        actions.harvest(hub, by=STEWARD, party_id="hub")
    lonely = new_node("lonely", url="http://127.0.0.1:9")
    introduce(hub, lonely)
    with pytest.raises(Unavailable):
        actions.harvest(hub, by=STEWARD, party_id="lonely")
    assert queries.harvested(hub) == []


def _dataset(name: str, grade: int, party: str = "tw") -> Dataset:
    text = Text(name)
    home = "https://x.example"
    return Dataset(name, text, text, Publisher("x", text), grade, origin=Origin(party, home, f"{home}/id/{name}"))


catalogues = st.dictionaries(st.sampled_from(["aa", "bb", "cc", "dd"]), st.integers(0, 2)).map(
    lambda grades: {name: _dataset(name, grade) for name, grade in grades.items()}
)


@settings(max_examples=100, deadline=None)
@given(known=catalogues, found=catalogues)
def test_a_comparison_accounts_for_every_dataset(known: dict[str, Dataset], found: dict[str, Dataset]) -> None:
    report = compare(known, found, party="tw")
    assert report.datasets == len(found)
    assert len(known) + len(report.added) - len(report.vanished) == len(found)
    assert {name: found[name] for name in (*report.added, *report.changed)}.items() <= found.items()
    after = {name: entry for name, entry in known.items() if name not in report.vanished}
    after.update({name: found[name] for name in (*report.added, *report.changed)})
    assert after == found
    assert compare(after, found, party="tw").unchanged == len(found)


def test_a_catalogue_has_a_limit() -> None:
    found = [_dataset(f"d{n}", 0) for n in range(4)] + [_dataset("other", 0, "pe"), _dataset("x" * 90, 0)]
    assert sorted(own_datasets(found, party="tw", most=4)) == ["d0", "d1", "d2", "d3"]
    with pytest.raises(LimitExceeded):
        own_datasets(found, party="tw", most=3)
