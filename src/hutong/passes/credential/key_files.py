"""Keys kept in files: one file, or a directory of issuers in which each key is looked up without a network.

A directory may hold certificates, JSON Web Keys, sets and trust documents under any names. A set that lies as its
issuer serves it, ``<host>/<path>/.well-known/jwks.json``, belongs to that issuer alone (SMART Health Cards,
"Determining keys associated with an issuer"): its keys verify no card of another one. Beside it lie the lists of cards
that the issuer revoked, ``.well-known/crl/<kid>.json``, one for each of its keys ("Revocation").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from hutong.errors import BadInput, LimitExceeded, NotFound

from ..files import files_in, read_file
from .key_sources import KeySource, gather, read_keys

MAX_BYTES = 50_000_000
_SET_NAMES = ("jwks.json", "jwks.public.json")
_SET_FOLDERS = (".well-known", "well-known")
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z0-9-]+(?::[0-9]{1,5})?")


def read_key_files(path: Path) -> KeySource:
    """Keys of a file, or of all files in a folder and below it; files of a folder that hold no key are passed over.

    Raises:
        NotFound: no such file, or no key and no trust list in the folder.
        BadInput: a file that holds no key.
        LimitExceeded: more than 50 MB, 10,000 files or 100,000 keys.
        Unavailable: the disk does not let it be read.
    """
    if not path.is_dir():
        return read_keys(_content(path, MAX_BYTES))
    revocations: dict[tuple[str, str], Any] = {}
    found = gather(_sources(path, revocations))
    if not found.keys and not found.documents:
        raise NotFound(f"No file in {path} holds a key.", "Give a folder of certificates or of key sets.")
    keys = (
        replace(key, revocations=revocations.get((key.issuer or "", key.name), key.revocations)) for key in found.keys
    )
    return found._replace(keys=tuple(keys))


def _sources(folder: Path, revocations: dict[tuple[str, str], Any]) -> Iterator[KeySource]:
    """What each file of a folder holds; the lists of revoked cards are put into ``revocations``."""
    left = MAX_BYTES
    for file in files_in(folder):
        content = _content(file, left)
        left -= len(content)
        place = file.relative_to(folder)
        if (revoking := revoking_key(place)) is not None:
            revocations[revoking] = _list_of(content)
        else:
            yield _keys_of(content, issuer_of(place))


def issuer_of(path: Path) -> str | None:
    """Address of the issuer whose key set lies at this path below a directory of issuers; None for other files.

    The host is the first folder that can be one. Where none can, the set is that of the first folder, and so of no
    issuer that there is, rather than of every one.
    """
    folders = path.parts[:-2]
    if not folders or path.name not in _SET_NAMES or path.parent.name not in _SET_FOLDERS:
        return None
    return _address(folders)


def revoking_key(path: Path) -> tuple[str, str] | None:
    """Issuer and ``kid`` of the key whose revocation list lies at this path; None for other files."""
    folders = path.parts[:-3]
    in_place = path.parent.name == "crl" and path.parent.parent.name in _SET_FOLDERS and path.suffix == ".json"
    return (_address(folders), path.stem) if folders and in_place else None


def _address(folders: tuple[str, ...]) -> str:
    first = next((index for index, folder in enumerate(folders) if _HOST.fullmatch(folder.lower())), 0)
    host, *rest = folders[first:]
    return "https://" + "/".join((host.lower(), *rest))  # a host is written in either case: RFC 3986, 3.2.2


def _keys_of(content: bytes, issuer: str | None) -> KeySource:
    try:
        found = read_keys(content)
    except (BadInput, LimitExceeded):
        return KeySource()
    return found if issuer is None else found._replace(keys=tuple(replace(key, issuer=issuer) for key in found.keys))


def _list_of(content: bytes) -> Any:
    """The revocation list, whose form the reader of cards judges; what is no JSON is a list that cannot be read."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}


def _content(path: Path, limit_bytes: int) -> bytes:
    try:
        return read_file(path, limit_bytes=limit_bytes)
    except LimitExceeded:
        raise LimitExceeded("The key files hold more than 50 MB.", "Give the keys of fewer issuers.") from None
