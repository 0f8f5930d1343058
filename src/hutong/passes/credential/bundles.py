"""Bundles of files as distribution services give them: tar in gzip, or one file in gzip, read within limits.

Members are told apart by what they hold, so their names are not read, and nothing is written anywhere.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator

from hutong.errors import BadInput, LimitExceeded

_GZIP = b"\x1f\x8b"
_BLOCK_BYTES = 512
_MARK, _MARK_AT = b"ustar", 257
_SIZE, _TYPE = slice(124, 136), slice(156, 157)
_FILE_TYPES = (b"0", b"\0")
_OCTAL = re.compile(rb"[0-7]{1,11}[ \0]*")


def contents_of(content: bytes, name: str, *, limit_bytes: int) -> Iterator[bytes]:
    """What a file holds: the regular files of a tar archive, else the file itself; either may be in gzip.

    Args:
        content, name: of the file.
        limit_bytes: what all of it may take when it is inflated.

    Raises:
        BadInput: damaged, or cut off.
        LimitExceeded: larger than that.
    """
    if content.startswith(_GZIP):
        content = _inflate(content, name, limit_bytes)
    if content.startswith(_MARK, _MARK_AT):
        return _members(content, name)
    return iter((content,))


def _inflate(content: bytes, name: str, limit_bytes: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            inflated = file.read(limit_bytes + 1)
    except (OSError, EOFError, zlib.error):
        raise _damaged(name) from None
    if len(inflated) > limit_bytes:
        raise LimitExceeded(f"{name} is larger than {limit_bytes:,} bytes.", "Check that it is the file you mean.")
    return inflated


def _members(archive: bytes, name: str) -> Iterator[bytes]:
    """Regular files of a tar archive (POSIX ustar); the blocks of zeros at its end may be missing.

    Read by hand, for this is all that is wanted: a library follows links, long names and sparse files, too.
    """
    at = 0
    while any(head := archive[at : at + _BLOCK_BYTES]):
        size = head[_SIZE]
        if not head.startswith(_MARK, _MARK_AT) or not _OCTAL.fullmatch(size):
            raise _damaged(name)
        begin = at + _BLOCK_BYTES
        end = begin + int(size.strip(b" \0"), 8)
        if end > len(archive):
            raise _damaged(name)
        if head[_TYPE] in _FILE_TYPES:
            yield archive[begin:end]
        at = -(-end // _BLOCK_BYTES) * _BLOCK_BYTES


def _damaged(name: str) -> BadInput:
    return BadInput(f"{name} is a damaged archive.", "Fetch it again.")
