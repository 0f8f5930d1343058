"""What a file really is: kind by its first bytes, encoding by all of its bytes, delimiter by its header.

Everything here answers before a single row is handed on: a file which is not what it says changes nothing.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from hutong.errors import BadInput, LimitExceeded, NotFound, Unavailable

DELIMITERS = (",", ";", "\t", "|")
_DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
ENCODINGS = ("utf-8", "latin-1", "windows-1252", "gb18030", "big5")
_BLOCK_BYTES = 1 << 20

_MAGIC = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel or Word file",
        "Save the sheet as CSV (UTF-8) first.",
    ),
    (b"%PDF-", "a PDF document", "Ask the sender for the table behind it, as CSV."),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", "Ask the sender for the table behind it, as CSV."),
    (b"\xff\xd8\xff", "a JPEG picture", "Ask the sender for the table behind it, as CSV."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it (gunzip) and give the file inside."),
    (b"BZh", "a bzip2 archive", "Unpack it (bunzip2) and give the file inside."),
    (b"\xfd7zXZ\x00", "an xz archive", "Unpack it (unxz) and give the file inside."),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it and give the file inside."),
    (b"SQLite format 3\x00", "an SQLite database", "Export the table as CSV."),
    (b"\xff\xfe", "text in UTF-16", "Save it as UTF-8."),
    (b"\xfe\xff", "text in UTF-16", "Save it as UTF-8."),
)
# The beginning of an object or of a list of them: a header may begin with a bracket, but not with these signs.
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*(?:"[^"]*"\s*:|\})|\[\s*[\[{])')
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\s")
_TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt")
_PARQUET_ENDINGS = (".parquet", ".pq", ".parq")


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over the bytes of a text file tells.

    ``sha256`` is the hex digest of the whole file; where ``ends_with_newline`` is false it may have been cut
    off. ``rows`` is how many there are at most: a quoted value may hold line breaks.
    """

    sha256: str
    size_bytes: int
    rows: int
    has_quotes: bool
    ends_with_newline: bool


def delimiter_name(delimiter: str) -> str:
    """What a person calls the delimiter."""
    return _DELIMITER_NAMES.get(delimiter, repr(delimiter))


def first_bytes(path: Path, count: int) -> bytes:
    """The first ``count`` bytes. Raises NotFound, Unavailable; BadInput where it is empty."""
    try:
        if not path.exists():
            raise NotFound(f"There is no file {path}.", "Check the path.")
        if not path.is_file():
            raise BadInput(f"{path} is not a file.", "Give one CSV, TSV or Parquet file.")
        with path.open("rb") as stream:
            head = stream.read(count)
    except OSError as error:
        raise Unavailable(
            f"{path.name} could not be read: {error.strerror}.", "Check its permissions and the disk."
        ) from error
    if not head:
        raise BadInput(f"{path.name} is empty (0 bytes).", "Ask the sender for the file again.")
    return head


def kind_of(path: Path) -> str:
    """``parquet`` or ``text``, whatever its name says; BadInput says what else it is (an Excel file named .csv, JSON,
    an archive, a picture)."""
    head = first_bytes(path, 4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        if b"[Content_Types].xml" in head or b"xl/" in head:
            raise BadInput(
                f"{path.name} is an Excel workbook, whatever its name says.",
                "Open it and save the sheet as CSV (UTF-8).",
            )
        raise BadInput(f"{path.name} is a zip archive, whatever its name says.", "Unpack it first.")
    for magic, what, do in _MAGIC:
        if head.startswith(magic):
            raise BadInput(f"{path.name} is {what}, whatever its name says.", do)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        raise BadInput(
            f"{path.name} is a web page (perhaps a sign-in or error page).",
            "Download the table itself again.",
        )
    if _JSON.match(head):
        raise BadInput(
            f"{path.name} is JSON, whatever its name says.", "Ask the sender for the table as CSV (UTF-8) or Parquet."
        )
    if _XML.match(head):
        raise BadInput(
            f"{path.name} is an XML document, whatever its name says.",
            "Ask the sender for the table as CSV (UTF-8) or Parquet.",
        )
    return "text"


def is_named_otherwise(path: Path, kind: str) -> bool:
    """Whether the name says Parquet of a text, or a text of Parquet. Other endings say nothing."""
    return path.suffix.lower() in (_PARQUET_ENDINGS if kind == "text" else _TEXT_ENDINGS)


def file_sha256(path: Path) -> tuple[str, int]:
    """Hex digest and size in bytes of a file, read in blocks of 1 MiB."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def scan_text(path: Path, *, declared_encoding: str | None, size_bytes_max: int, line_bytes_max: int) -> Scan:
    """One pass over a text file: digest, encoding, NUL bytes, line lengths. Memory: one block of 1 MiB.

    Raises BadInput with the line (NUL byte, bytes that are not the encoding), LimitExceeded (file or line too
    long).
    """
    name = path.name
    digest, size, lines, open_line_bytes = hashlib.sha256(), 0, 0, 0
    decoder = _Decoder(name, declared_encoding)
    has_quotes, last = False, b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            if size > size_bytes_max:
                raise LimitExceeded(f"{name} is larger than {size_bytes_max:,} bytes.", "Split the file.")
            if (at := block.find(b"\x00")) >= 0:
                line = lines + block.count(b"\n", 0, at) + 1
                raise BadInput(
                    f"{name} has a NUL byte on line {line:,}: it is damaged or no text.",
                    "Export it again as CSV (UTF-8).",
                )
            decoder.check(block, lines)
            open_line_bytes = _open_line(block, open_line_bytes, line_bytes_max, name, lines)
            lines += block.count(b"\n")
            has_quotes = has_quotes or b'"' in block
            last = block[-1:]
    decoder.check(b"", lines, final=True)
    ends = last in (b"\n", b"\r")
    return Scan(digest.hexdigest(), size, max(0, lines - ends), has_quotes, ends)


class _Decoder:
    """Decodes block after block and throws the text away; says on which line the encoding is wrong."""

    def __init__(self, name: str, declared: str | None) -> None:
        self._name, self._declared = name, declared
        self._decoder = codecs.getincrementaldecoder(declared or "utf-8")(errors="strict")

    def check(self, block: bytes, lines_before: int, *, final: bool = False) -> None:
        try:
            self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            line = lines_before + bytes(error.object[: error.start]).count(b"\n") + 1
            bad = error.object[error.start]
            if final:  # whatever else is wrong was told block by block: only an unfinished character is left
                raise BadInput(
                    f"{self._name} ends in the middle of a character (line {line:,}): it is cut off.",
                    "Ask the sender for the whole file; if it is whole, declare its true encoding.",
                ) from error
            if self._declared:
                raise BadInput(
                    f"{self._name} is declared as {self._declared}; line {line:,} is not (byte 0x{bad:02x}).",
                    "Declare the true encoding, or ask the sender for UTF-8.",
                ) from error
            raise BadInput(
                f"{self._name} is not UTF-8: line {line:,} has the byte 0x{bad:02x}.",
                "Declare its encoding in the mapping, for example `format: {encoding: latin-1}`.",
            ) from error


def _open_line(block: bytes, carried: int, line_bytes_max: int, name: str, lines: int) -> int:
    """Bytes of the line that is open at the end of the block; LimitExceeded when any line is too long."""
    pieces = block.splitlines()
    pieces_too_long = (at for at, piece in enumerate(pieces) if len(piece) > line_bytes_max)
    if carried + len(pieces[0]) > line_bytes_max:
        _too_long(name, lines + 1, line_bytes_max)
    if line_bytes_max < len(block) and (at := next(pieces_too_long, None)) is not None:
        _too_long(name, lines + 1 + at, line_bytes_max)
    if block[-1:] in (b"\n", b"\r"):
        return 0
    return len(pieces[-1]) + (carried if len(pieces) == 1 else 0)


def _too_long(name: str, line: int, line_bytes_max: int) -> None:
    raise LimitExceeded(
        f"Line {line:,} of {name} is longer than {line_bytes_max:,} bytes.",
        "Check that the file is a table with one record a line.",
    )


def choose_delimiter(header: str, declared: str | None, name: str) -> str:
    """The delimiter of a header line: the declared one if it fits, else the one that gives most columns.

    Raises BadInput when the declared one gives a single column whose name contains another delimiter.
    """
    found = {d: len(next(csv.reader([header], delimiter=d), [])) for d in DELIMITERS}
    best = max(DELIMITERS, key=lambda d: found[d])
    if declared is None:
        return best if found[best] > 1 else ","
    if found.get(declared, 2) <= 1 < found[best]:
        raise BadInput(
            f"{name} has one column only when read with the declared delimiter ({delimiter_name(declared)}): "
            f"its header contains {delimiter_name(best)}s.",
            f"Declare `delimiter: {best!r}` in the mapping's format.",
        )
    return declared
