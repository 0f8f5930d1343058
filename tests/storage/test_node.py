"""A node's storages: the change and its event stand or fall together, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest
import sqlalchemy as sa

from hutong import node as node_module
from hutong.errors import Conflict, NotFound, Unavailable
from hutong.node import Node, init_node, open_node, upgrade_node
from hutong.storage import inbox, schema
from tests.conftest import NewNode


def declare_source(node: Node) -> None:
    with node.change(node.operator) as change:
        change.execute(schema.source.insert().values(id="s", body={}, declared_at=change.at))
        change.event("source.declared", source="s")


def put_receipt(connection: sa.Connection, receipt: str, at: datetime, rows: int = 1) -> None:
    values = {"file_sha256": receipt, "mapping_sha256": "", "rows": rows, "accepted": rows, "held": 0, "rejected": 0}
    connection.execute(
        schema.receipt.insert().values(id=receipt, source="s", table_name="case", body={}, received_at=at, **values)
    )


def test_a_change_and_its_event_are_written_together(new_node: NewNode, records: str) -> None:
    node = new_node()
    assert node.records.is_sqlite == (records == "sqlite")
    before = node.log.size()
    declare_source(node)
    assert node.log.size() == before + 1
    assert node.log.entry(before).event["kind"] == "source.declared"
    node.log.check()


def test_a_failed_change_leaves_neither_rows_nor_event(new_node: NewNode, records: str) -> None:
    node = new_node()
    before = node.log.checkpoint()
    with pytest.raises(ZeroDivisionError), node.change(node.operator) as change:
        change.execute(schema.source.insert().values(id="s", body={}, declared_at=change.at))
        change.event("source.declared", source="s")
        raise ZeroDivisionError
    with node.records.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.source)).scalar() == 0
    assert node.log.checkpoint() == before


def test_a_change_that_tells_the_log_nothing_does_not_happen(new_node: NewNode, records: str) -> None:
    node = new_node()
    insert = schema.source.insert().values(id="s", body={}, declared_at=node.clock())
    with pytest.raises(RuntimeError, match="wrote to source and told"), node.change(node.operator) as change:
        change.execute(insert)
    with node.change(node.operator) as change:  # what writes no row needs no entry
        assert change.execute(sa.select(schema.source.c.id)).all() == []
        change.execute(schema.source.delete())
    size = node.log.size()
    with node.change(node.operator, unlogged="it is the test's own") as change:
        change.execute(insert)
    with pytest.raises(RuntimeError, match="source"), node.change(node.operator) as change:
        change.connection.execute(schema.source.update().values(body={"a": 1}))
    with node.records.reading() as connection:
        assert connection.execute(sa.select(schema.source.c.id, schema.source.c.body)).all() == [("s", {})]
    assert node.log.size() == size


def test_the_migrations_make_exactly_the_declared_schema(new_node: NewNode, records: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    node = new_node()
    node.lake.create("case", pa.schema([("a", pa.int64())]))
    catalogue = {"iceberg_tables", "iceberg_namespace_properties"}
    with node.records.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": lambda _o, name, kind, *_: kind != "table" or name not in catalogue}
        )
        assert compare_metadata(context, schema.metadata) == []


def test_batches_of_before_and_after_an_update_move_together(new_node: NewNode, records: str) -> None:
    node = new_node()
    declare_source(node)
    for number, columns in enumerate((["a"], ["a", "b"], ["a"], ["b", "a"])):
        rows = pa.table({name: pa.array([number], pa.int64()) for name in columns})
        with node.records.writing() as connection:
            put_receipt(connection, f"r{number}", node.clock())
            inbox.put(connection, table="case", receipt=f"r{number}", rows=1, payload=inbox.pack(rows))
        if number != 0:  # the first two in one move
            node.move_inbox()
    moved = node.engine.to_arrow(node.engine.table("case").order_by("a"))
    assert moved.to_pydict() == {"a": [0, 1, 2, 3], "b": [None, 1, None, 3]}


def test_the_inbox_moves_exactly_once(new_node: NewNode, records: str) -> None:
    node = new_node()
    declare_source(node)
    with node.change(node.operator, unlogged="a test's own") as change:
        put_receipt(change.connection, "r", change.at, rows=3)
        for part in ([1, 2], [3]):
            rows = pa.table({"a": pa.array(part, pa.int64())})
            inbox.put(change.connection, table="case", receipt="r", rows=rows.num_rows, payload=inbox.pack(rows))
    assert inbox.waiting(node.records, node.lake) == {"case": 3}
    assert node.move_inbox() == {"case": 3}
    assert node.move_inbox() == {}
    assert inbox.waiting(node.records, node.lake) == {}
    table = node.engine.table("case")
    assert sorted(node.engine.to_arrow(table)["a"].to_pylist()) == [1, 2, 3]


def test_small_files_are_made_few_by_whoever_moves_and_large_tables_are_left(
    new_node: NewNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = new_node()
    declare_source(node)
    monkeypatch.setattr(node_module, "MOST_FILES", 1)
    monkeypatch.setattr(node_module, "MOST_SMALL_FILES", 3)
    files = []
    for number in range(7):
        if number == 5:
            monkeypatch.setattr(node_module, "SMALL_BYTES", 10)
        rows = pa.table({"a": pa.array([number], pa.int64())})
        with node.change(node.operator, unlogged="a test's own") as change:
            put_receipt(change.connection, f"r{number}", change.at)
            inbox.put(change.connection, table="case", receipt=f"r{number}", rows=1, payload=inbox.pack(rows))
        node.move_inbox()
        files.append(len(node.lake.snapshot("case").files))
    assert files == [1, 2, 3, 1, 2, 3, 4]
    assert sorted(node.engine.to_arrow(node.engine.table("case"))["a"].to_pylist()) == list(range(7))
    assert node.lake.high_water("case") == 7


def test_a_folder_may_have_spaces_and_chinese_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "河区 the node 100%"
    node = init_node(folder, node_id="n", name={"en": "N", "zh": "N"}, territory="ZZ", url="http://127.0.0.1:1")
    declare_source(node)
    for name, part in (("r1", [1, 2]), ("r2", [3])):
        with node.change(node.operator, unlogged="a test's own") as change:
            put_receipt(change.connection, name, change.at)
            rows = pa.table({"a": pa.array(part, pa.int64())})
            inbox.put(change.connection, table="t", receipt=name, rows=rows.num_rows, payload=inbox.pack(rows))
        node.move_inbox()
    assert sorted(node.engine.to_arrow(node.engine.table("t"))["a"].to_pylist()) == [1, 2, 3]
    assert all(Path(file).is_relative_to(folder) for file in node.lake.snapshot("t").files)
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name]
    node.close()


def test_a_copy_of_a_node_never_touches_the_lake_of_the_original(tmp_path: Path, new_node: NewNode) -> None:
    node = new_node("zz")
    rows = pa.table({"pseudonym": ["p"]})
    node.lake.append("fact", rows, high_water=1)
    node.close()
    home, moved = node.settings.folder, tmp_path / "moved"
    shutil.copytree(home, tmp_path / "copy")
    with closing(open_node(tmp_path / "copy")) as copy:
        for touch in (
            lambda: copy.lake.append("fact", rows, high_water=2),
            lambda: copy.lake.delete_where("fact", {}),
            lambda: copy.lake.replace("new", rows),
            lambda: copy.engine.table("fact"),
        ):
            with pytest.raises(Unavailable, match="moved or copied"):
                touch()
    home.rename(moved)
    with closing(open_node(moved)) as there, pytest.raises(Unavailable, match="moved or copied"):
        there.lake.append("fact", rows, high_water=2)
    home.symlink_to(moved)
    for folder in (home, moved):
        with closing(open_node(folder)) as linked:
            linked.lake.append("fact", rows, high_water=2)
            assert linked.engine.to_arrow(linked.engine.table("fact")).num_rows == (2 if folder == home else 3)


def test_there_is_one_node_in_a_folder(node: Node) -> None:
    again = open_node(node.settings.folder)
    assert again.log.checkpoint() == node.log.checkpoint()
    again.close()
    with pytest.raises(Conflict, match="There is a node"):
        init_node(
            node.settings.folder, node_id="x", name={"en": "X", "zh": "X"}, territory="XX", url="http://127.0.0.1"
        )


def test_a_folder_without_a_node_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no node"):
        open_node(tmp_path)


def test_a_batch_that_commits_late_is_not_passed_over(new_node: NewNode, records: str) -> None:
    """Two writers and a move between them: numbers are given in the order in which they become visible."""
    node = new_node()
    declare_source(node)
    first_has_put = Event()

    def write(receipt: str, *, hold_seconds: float = 0.0) -> None:
        rows = pa.table({"a": pa.array([1], pa.int64())})
        with node.change(node.operator) as change:
            put_receipt(change.connection, receipt, change.at)
            inbox.put(change.connection, table="case", receipt=receipt, rows=1, payload=inbox.pack(rows))
            change.event("receipt.issued", receipt=receipt)
            first_has_put.set()
            time.sleep(hold_seconds)

    with ThreadPoolExecutor() as pool:
        slow = pool.submit(write, "slow", hold_seconds=0.6)
        first_has_put.wait()
        fast = pool.submit(write, "fast")
        time.sleep(0.2)
        node.move_inbox()
        slow.result()
        fast.result()
    node.move_inbox()
    assert node.engine.to_arrow(node.engine.table("case")).num_rows == 2
    node.log.check()


@pytest.mark.parametrize("at", ["create_keys", "_wire"])
def test_a_node_that_could_not_be_made_whole_leaves_nothing(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle: what was in the folder stays, and the next try finds it as it was."""
    folder = tmp_path / "tw"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    given = {"node_id": "tw", "name": {"en": "Region", "zh": "地区"}, "territory": "TW", "url": "http://127.0.0.1:1"}

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"hutong.node.{at}", interrupted)
        with pytest.raises(KeyboardInterrupt):
            init_node(folder, **given)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    init_node(folder, **given).close()
    open_node(folder).close()


def test_keys_without_a_node_are_never_written_over(new_node: NewNode, tmp_path: Path) -> None:
    node = new_node()
    folder, kept = node.settings.folder, node.settings.keys_folder / "signing.pem"
    key = kept.read_bytes()
    (folder / "node.toml").unlink()
    with pytest.raises(Conflict, match="keys"):
        init_node(folder, node_id="tw", name={"en": "A", "zh": "B"}, territory="TW", url="http://127.0.0.1:1")
    assert kept.read_bytes() == key
    assert not (folder / "node.toml").exists()


def test_records_of_another_version_say_what_to_do(new_node: NewNode, records: str) -> None:
    node = new_node()
    with node.records.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="hutong upgrade"):
        node.records.require_current()
    with pytest.raises(Conflict, match="newer software"):
        node.records.migrate()


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
def test_records_that_are_gone_are_not_made_again(new_node: NewNode, content: bytes | None) -> None:
    node = new_node()
    node.close()
    folder = node.settings.folder
    (kept,) = folder.glob("*.sqlite")
    for path in folder.glob(f"{kept.name}*"):
        path.unlink()
    if content is not None:
        kept.write_bytes(content)
    for act in (open_node, upgrade_node):
        with pytest.raises(Unavailable, match="missing, or empty"):
            act(folder)
    assert kept.exists() == (content is not None)
