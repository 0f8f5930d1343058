"""Versions of a release: one that is published never changes, and what an unfinished one left is known as that."""

from __future__ import annotations

import io
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
import sqlalchemy as sa
from pyarrow import parquet

from hutong.acquisition import actions as acquisition
from hutong.errors import Conflict
from hutong.opening import actions, queries
from hutong.opening.catalogue.catalogue import Text
from hutong.opening.publication import parse_publication
from hutong.opening.release import DRAFT, as_format, drafted, release_folder
from hutong.storage import schema
from tests.kept import Kept
from tests.opening import catalogue_sample
from tests.web import world

TABLE = pa.table({"a": [1, 2]})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_no_text_of_a_csv_file_is_a_formula() -> None:
    texts = ["=HYPERLINK(1)", "+1+1", "-A1", "@x", "\t=1", "\r=1", "-5", "+5.5", "0-4", "Bay", "'=1", None, ""]
    table = pa.table({"text": texts, "number": list(range(-3, 10)), "value": [-0.5] * 13})
    csv = as_format(table, "csv").decode()
    read = pa_csv.read_csv(
        io.BytesIO(csv.encode()),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types={"text": pa.string()}),
    ).to_pydict()
    assert read["text"][:6] == [f"'{text}" for text in texts[:6]]
    assert read["text"][6:11] == texts[6:11]
    assert read["number"] == list(range(-3, 10))
    assert read["value"] == [-0.5] * 13
    assert orjson.loads(as_format(table, "json"))[0]["text"] == "=HYPERLINK(1)"


def test_what_is_not_put_in_place_is_gone(tmp_path: Path) -> None:
    with drafted(tmp_path, "d", 1, TABLE) as draft:
        draft.put_in_place()
    with pytest.raises(ZeroDivisionError), drafted(tmp_path, "d", 2, TABLE):
        raise ZeroDivisionError
    assert names(tmp_path / "d") == ["v1"]
    assert names(tmp_path / "d" / "v1") == ["d-v1.csv", "d-v1.json", "d-v1.parquet"]


def test_two_drafts_of_one_version_do_not_meet(tmp_path: Path) -> None:
    """Two machines on one folder may have processes and threads of the same numbers."""
    with drafted(tmp_path, "d", 1, TABLE) as one, drafted(tmp_path, "d", 1, TABLE) as other:
        assert one.folder != other.folder
        assert len(names(one.folder)) == len(names(other.folder)) == 3
        one.put_in_place()
    assert names(tmp_path / "d") == ["v1"]


def test_what_a_killed_process_left_goes_when_it_is_a_day_old(tmp_path: Path) -> None:
    for name, age_hours in (("new", 1), ("old", 25)):
        left = tmp_path / "d" / f"{DRAFT}{name}"
        left.mkdir(parents=True)
        at = left.stat().st_mtime - age_hours * 3600
        os.utime(left, (at, at))
    with drafted(tmp_path, "d", 1, TABLE) as draft:
        draft.put_in_place()
    assert names(tmp_path / "d") == [f"{DRAFT}new", "v1"]


def test_who_publishes_too_late_changes_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two publish the next version where locks of files don't hold; and a crash has left files without a record."""
    monkeypatch.setattr(actions, "one_at_a_time", lambda _: nullcontext())
    made = world.again(kept)
    node = made.node
    weekly = world.text_of("publications/tw-weekly.yaml")
    first = parse_publication(weekly.replace("threshold: 5", "threshold: 6"))
    second = parse_publication(weekly.replace("threshold: 5", "threshold: 7"))
    place = release_folder(node.settings.releases_folder, first.dataset, 2)
    place.mkdir()
    (place / "half.csv").write_text("a\n")
    taken: list[dict[str, bytes]] = []
    draft = actions.drafted

    def drafted_slowly(*given: object) -> object:
        monkeypatch.setattr(actions, "drafted", draft)
        actions.publish(node, by=node.operator, publication=first)
        taken.append({path.name: path.read_bytes() for path in place.iterdir()})
        return draft(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(actions, "drafted", drafted_slowly)
    with pytest.raises(Conflict, match="did the same"):
        actions.publish(node, by=node.operator, publication=second)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == taken[0]
    assert "half.csv" not in taken[0]
    newest = queries.current_release(node, first.dataset)
    assert newest is not None
    assert newest.version == "2"
    node.close()


def test_two_versions_of_counts_give_no_withheld_count_back(kept: Kept, tmp_path: Path) -> None:
    """More cases come between the versions; where none did, nothing that was withheld is shown or the reverse."""
    made = world.again(kept)
    node, me = made.node, made.node.operator
    weekly = parse_publication(world.text_of("publications/tw-weekly.yaml"))
    more = tmp_path / "more.csv"
    more.write_bytes(world.case_list(40, seed=5))
    mapping = world.text_of("mappings/taiwan-case.yaml")
    acquisition.acquire(node, by=me, source_id=weekly.source, path=more, mapping=mapping)
    node.move_inbox()
    acquisition.assess_quality(node, by=me, source_id=weekly.source)
    actions.publish(node, by=me, publication=weekly)
    first, second = (
        {(row["period_start"], row["area_code"]): row for row in version.to_pylist()}
        for version in (
            parquet.read_table(queries.release_file(node, queries.release(node, weekly.dataset, number), "parquet"))
            for number in (1, 2)
        )
    )
    weeks = {week: (row["value"], second[week, "TW"]["value"]) for (week, code), row in first.items() if code == "TW"}
    same = {week for week, (then, now) in weeks.items() if then == now is not None}
    assert 0 < len(same) < len(weeks)
    for one, other in ((first, second), (second, first)):
        assert all(row["value"] == other[cell]["value"] for cell, row in one.items() if cell[0] in same)
    actions.publish(node, by=me, publication=weekly)
    assert queries.release(node, weekly.dataset).version == "2", "nothing has changed since"
    coarser = replace(weekly, threshold=20)
    assert queries.superseded(node, weekly) and queries.superseded(node, coarser) is None
    assert actions.publish(node, by=me, publication=coarser).version == "3"
    node.close()


def test_the_days_of_cases_that_older_records_kept_are_told_no_more(kept: Kept) -> None:
    """They stood with the dataset; now the period is that of each release, read off its file where it was not kept."""
    node = world.again(kept).node
    told = {known.id: known.temporal for known in queries.datasets(node)}
    with node.records.writing() as connection:
        for table in (schema.dataset, schema.release):
            for row in connection.execute(sa.select(table)).mappings().all():
                old = {name: value for name, value in row["body"].items() if name != "temporal"}
                if table is schema.dataset:
                    old["temporal"] = {"start": "2015-07-13", "end": "2015-10-20"}
                key = table.c.id == row["id"] if table is schema.dataset else table.c.dataset == row["dataset"]
                connection.execute(table.update().where(key).values(body=old))
    assert {known.id: known.temporal for known in queries.datasets(node)} == told
    assert queries.dataset(node, "tw-dengue-weekly").temporal == told["tw-dengue-weekly"] is not None
    node.close()


def test_a_dataset_that_was_kept_before_its_provenance_had_two_languages_is_read() -> None:
    kept = queries.document(catalogue_sample.weekly_counts())
    for old, now in (("From the lists.", Text("From the lists.")), ("", None)):
        assert queries.read_dataset(kept | {"provenance": old}).provenance == now
