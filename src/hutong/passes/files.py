"""Files that a user names: read whole, within a limit, or one clear error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hutong.errors import LimitExceeded, NotFound, Unavailable

MAX_FILES = 10_000


def read_file(path: Path, *, limit_bytes: int) -> bytes:
    """The content of a file.

    Raises:
        NotFound: no such file.
        LimitExceeded: it is larger than the limit.
        Unavailable: the disk does not let it be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except FileNotFoundError:
        raise NotFound(f"There is no file at {path}.", "Check the path.") from None
    except OSError as error:
        raise Unavailable(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error
    if len(content) > limit_bytes:
        raise LimitExceeded(f"{path.name} is larger than {limit_bytes:,} bytes.", "Check that it is the file you mean.")
    return content


def files_in(folder: Path) -> Iterator[Path]:
    """Files in a folder and below it, in the order of their names; links to folders are not followed.

    Raises:
        LimitExceeded: more than 10,000.
    """
    count = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            count += 1
            if count > MAX_FILES:
                raise LimitExceeded(f"The folder holds more than {MAX_FILES} files.", "Give a folder with fewer.")
            if (Path(place) / name).is_file():
                yield Path(place) / name
