"""Release: a frozen version in files. CSV, JSON and Parquet are written once, named by version, and never changed."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from hutong.standard.open_text import FORMULA, NUMBER
from hutong.storage.records import clear_disk_errors

from .catalogue.catalogue import MEDIA_TYPES

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("csv", "json", "parquet")
DRAFT = ".draft-"
OLD_DRAFT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class File:
    """One written file of a release."""

    format: str
    media_type: str
    name: str
    bytes: int
    sha256: str


def file_name(dataset: str, version: int, format_: str) -> str:
    """Name of a release's file, such as ``tw-dengue-weekly-v1.csv``."""
    return f"{dataset}-v{version}.{format_}"


def release_folder(root: Path, dataset: str, version: int) -> Path:
    """Folder of a release's files."""
    return root / dataset / f"v{version}"


def content_sha256(table: pa.Table) -> str:
    """Hash of the rows themselves, the same for the same rows in every format and version."""
    return hashlib.sha256(_csv(table)).hexdigest()


@dataclass(frozen=True, slots=True)
class Draft:
    """The files of a version that is not published yet, beside the place where they will be."""

    folder: Path
    place: Path
    files: tuple[File, ...]

    def put_in_place(self) -> None:
        """Make these the files of the version.

        The caller holds the lock of the records and has seen that they know no such version. A folder of it is then
        what a crash left between here and its record: nobody was told of it, and it goes. One that is published stays:
        whoever comes too late finds its record.
        """
        with clear_disk_errors():
            shutil.rmtree(self.place, ignore_errors=True)
            self.folder.rename(self.place)
            _sync(self.place.parent)


@contextmanager
def drafted(root: Path, dataset: str, version: int, table: pa.Table) -> Iterator[Draft]:
    """Write all formats, complete and durable; what is not put in place is gone afterwards.

    Raises ``Unavailable`` when the disk is full.
    """
    place = release_folder(root, dataset, version)
    with clear_disk_errors():
        place.parent.mkdir(parents=True, exist_ok=True)
        _forget_old_drafts(place.parent)
        # A random name: processes on two machines may have the same number, and both may draft this version.
        folder = place.parent / f"{DRAFT}{secrets.token_hex(10)}"
        folder.mkdir()
    try:
        with clear_disk_errors():
            files = tuple(_write(folder, dataset, version, format_, table) for format_ in FORMATS)
        yield Draft(folder, place, files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forget_old_drafts(folder: Path) -> None:
    """Remove what a process left that was killed while it wrote."""
    for draft in folder.glob(f"{DRAFT}*"):
        if draft.stat().st_mtime < time.time() - OLD_DRAFT_SECONDS:
            shutil.rmtree(draft, ignore_errors=True)


def as_format(table: pa.Table, format_: str) -> bytes:
    """The table as a file's content: ``csv`` (RFC 4180, UTF-8, header), ``json`` (array of rows) or ``parquet``."""
    return {"csv": _csv, "json": _json, "parquet": _parquet}[format_](table)


def _write(folder: Path, dataset: str, version: int, format_: str, table: pa.Table) -> File:
    content = as_format(table, format_)
    name = file_name(dataset, version, format_)
    with (folder / name).open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return File(format_, MEDIA_TYPES[format_], name, len(content), hashlib.sha256(content).hexdigest())


def _csv(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    sink = pa.BufferOutputStream()
    pa_csv.write_csv(_for_spreadsheets(table), sink, pa_csv.WriteOptions(quoting_style="needed"))
    return bytes(sink.getvalue())


def _for_spreadsheets(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before each text that a spreadsheet could take for a formula; numbers are no text.

    Acquisition lets none in; this is for what came another way. JSON and Parquet have the text as it is.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for at, field in enumerate(table.schema):
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            continue
        column = table.column(at)
        formula = pc.match_substring_regex(column, FORMULA)
        if pc.any(formula).as_py():
            unsafe = pc.and_(formula, pc.invert(pc.match_substring_regex(column, NUMBER)))
            marked = pc.binary_join_element_wise(pa.scalar("'", field.type), column, pa.scalar("", field.type))
            table = table.set_column(at, field, pc.if_else(unsafe, marked, column))
    return table


def _json(table: pa.Table) -> bytes:
    rows: list[dict[str, Any]] = table.to_pylist()
    return orjson.dumps(rows, option=orjson.OPT_APPEND_NEWLINE)


def _parquet(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
