"""Revocation of EU Digital COVID Certificates: lists of hashes by key, from files at hand.

A certificate is on a list by one of three hashes (EU DCC gateway, revocation, hash types), each the first 16 bytes of
SHA-256: ``UCI`` of its certificate identifier, ``COUNTRYCODEUCI`` of the issuing country and that identifier,
``SIGNATURE`` of its signature (of an ECDSA signature: of r alone). Two forms of lists are read: *batches* of the
gateway, taken out of their CMS signature (``{country, kid, hashType, entries: [{hash}]}``), and *partitions* of a
national distribution service (``{kid, x, y, chunks}``), whose slices, Bloom filters or lists of shortened hashes, lie
beside them under any name, unpacked or in the archives (tar in gzip) that the service gives: a slice is found by the
SHA-256 that its partition states. The service's overview (``{kid, mode, hashTypes}``) names the keys that have slices.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from hutong.errors import BadInput, LimitExceeded, NotFound

from ..files import MAX_FILES, files_in, read_file
from .bloom import BloomFilter
from .bundles import contents_of
from .cose import Sign1
from .hash_list import MAX_HASHES, HashList

MAX_FILE_BYTES = 2**25
MAX_TOTAL_BYTES = 2**28
HASH_BYTES = 16
HASH_TYPES = ("SIGNATURE", "UCI", "COUNTRYCODEUCI")
UNKNOWN_KEY = "UNKNOWN_KID"
_GROUPS = ("v", "t", "r")
_BLOOM_FILTER, _HASH_LIST = "BLOOMFILTER", "VARHASHLIST"
_UNKNOWN = b""
"""In the place of a key id: slices of hashes whose key the gateway was not told."""
_BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"

ANOTHER_KEY = "None of the revocation lists at hand is for the key of this certificate."
NOT_WHOLE = "The revocation lists of its key are not whole: a slice is missing, or of a kind that is not read here."
BY_FILTER = "A Bloom filter revokes it; such a filter also holds a few that were never revoked."
BY_BEGINNING = "A list of shortened hashes revokes it; it also holds a few that were never revoked and begin alike."


class Hash(NamedTuple):
    """One hash by which a certificate may be listed: of HASH_TYPES, and its 16 bytes."""

    type: str
    value: bytes


class Slice(NamedTuple):
    """One filter or list, and the hexadecimal digits with which the hashes in it begin."""

    prefix: str
    held: BloomFilter | HashList

    @property
    def shortened(self) -> int:
        """How many shortened hashes it holds."""
        return len(self.held.beginnings) if isinstance(self.held, HashList) else 0

    def holds(self, value: bytes) -> bool:
        """Whether the hash is among its own and in it, or may be."""
        return value.hex().startswith(self.prefix) and self.held.might_contain(value)


@dataclass(frozen=True, slots=True)
class RevocationLists:
    """What the lists at hand hold, by the 8 bytes of a key id.

    Attributes:
        listed: by key id, or by country where a batch names no key: by type the hashes, sorted, end to end.
        slices: Bloom filters and lists of shortened hashes by key id; under b"" those that may be of any key.
        incomplete: key ids of which a slice is missing or of another kind.
    """

    listed: Mapping[bytes | str, Mapping[str, bytes]]
    slices: Mapping[bytes, tuple[Slice, ...]]
    incomplete: frozenset[bytes]

    @classmethod
    def load(cls, path: Path) -> RevocationLists:
        """Read a file, or all files in a folder and below it.

        Raises:
            NotFound: no such file, or no list in the folder.
            BadInput: JSON that is no revocation list, a hash or key id that is none, a damaged filter or archive.
            LimitExceeded: more than 10,000 files, 32 MiB in one, 256 MiB in all (each counted as inflated), or two
                million hashes.
            Unavailable: the disk does not let it be read.
        """
        documents, others = _documents(path)
        if not documents:
            raise NotFound(f"No revocation list is in {path}.", "Give batches or partitions as JSON.")
        listed: dict[bytes | str, set[Hash]] = {}
        slices: dict[bytes, list[Slice]] = {}
        announced: set[bytes] = set()
        incomplete: set[bytes] = set()
        left = MAX_HASHES
        for name, entry in documents:
            if _has(entry, "entries"):
                key, hashes = _batch(entry, name)
                left -= len(hashes)
                listed.setdefault(key, set()).update(hashes)
                if left < 0:
                    raise LimitExceeded(f"More than {MAX_HASHES} hashes are listed.", "Give fewer lists.")
            elif _has(entry, "chunks"):
                key, found_slices, is_whole = _partition(entry, name, others, left)
                left -= sum(one.shortened for one in found_slices)
                slices.setdefault(key, []).extend(found_slices)
                incomplete |= set() if is_whole else {key}
            elif _has(entry, "hashTypes"):
                announced.add(_key_id(entry["kid"], name))
            else:
                raise _refused(name)
        return cls(
            {key: _packed(found) for key, found in listed.items()},
            {key: tuple(found) for key, found in slices.items()},
            frozenset(incomplete | (announced - slices.keys() - listed.keys())),
        )

    @property
    def hashes(self) -> int:
        """How many whole hashes they hold."""
        return sum(len(packed) for held in self.listed.values() for packed in held.values()) // HASH_BYTES

    def find(self, key_id: bytes | None, country: str | None, hashes: Sequence[Hash]) -> tuple[bool | None, str | None]:
        """Whether a certificate is listed, and what a reader should know of that.

        Args:
            key_id: as its message names the key; country: its issuer.
            hashes: of :func:`hashes_of`.

        Returns:
            True: listed. False: lists for its key are at hand, and it is on none of them. None: it can't be known.
        """
        key = _key_bytes(key_id)
        exact = [self.listed[one] for one in (key, country or "") if one in self.listed]
        if any(_holds(held.get(item.type, b""), item.value) for held in exact for item in hashes):
            return True, None
        slices = (*self.slices.get(key, ()), *self.slices.get(_UNKNOWN, ()))
        holding = [one.held for one in slices for item in hashes if one.holds(item.value)]
        if holding:
            return True, BY_BEGINNING if any(isinstance(one, HashList) for one in holding) else BY_FILTER
        if not self.incomplete.isdisjoint((key, _UNKNOWN)):
            return None, NOT_WHOLE
        return (False, None) if key in self.listed or key in self.slices else (None, ANOTHER_KEY)

    def beside(self, other: RevocationLists) -> RevocationLists:
        """These lists and the other ones: what is on either is listed, and whole is what is whole in both."""
        listed = dict(self.listed)
        for key, held in other.listed.items():
            own = listed.get(key, {})
            both = {Hash(kind, one) for packed in (own, held) for kind in packed for one in _unpacked(packed[kind])}
            listed[key] = _packed(both) if own else held
        keys = self.slices.keys() | other.slices.keys()
        slices = {key: (*self.slices.get(key, ()), *other.slices.get(key, ())) for key in keys}
        return RevocationLists(listed, slices, self.incomplete | other.incomplete)


def hashes_of(message: Sign1, issuer: str | None, content: Mapping[str, Any]) -> tuple[Hash, ...]:
    """All hashes by which a certificate may be listed.

    The issuing country is the issuer's and, where an entry names another (``co``), that one too: verifiers differ.
    """
    signature = message.signature
    signed = signature[: len(signature) // 2] if message.algorithm == "ES256" else signature
    found = [Hash("SIGNATURE", _digest(signed))]
    for group in _GROUPS:
        entries = content.get(group)
        for entry in entries if isinstance(entries, list) else ():
            identifier = entry.get("ci") if isinstance(entry, Mapping) else None
            if isinstance(identifier, str):
                found.append(Hash("UCI", _digest(identifier.encode())))
                countries = {one for one in (issuer, entry.get("co")) if isinstance(one, str)}
                found += [Hash("COUNTRYCODEUCI", _digest((one + identifier).encode())) for one in sorted(countries)]
    return tuple(found)


def _documents(path: Path) -> tuple[list[tuple[str, Any]], dict[str, bytes]]:
    """The entries of all JSON of a file or folder, each with its file's name; and everything else, by its SHA-256."""
    entries: list[tuple[str, Any]] = []
    others: dict[str, bytes] = {}
    count, left = 0, MAX_TOTAL_BYTES
    for file in files_in(path) if path.is_dir() else (path,):
        limit_bytes = min(MAX_FILE_BYTES, left)
        for content in contents_of(read_file(file, limit_bytes=limit_bytes), file.name, limit_bytes=limit_bytes):
            count += 1
            left -= len(content)
            if count > MAX_FILES:
                raise LimitExceeded(f"The folder holds more than {MAX_FILES} files.", "Give a folder with fewer.")
            if content[:32].lstrip(_BEFORE_JSON)[:1] in (b"{", b"["):
                document = _json(content, file.name)
                entries += [(file.name, one) for one in (document if isinstance(document, list) else (document,))]
            else:
                others[hashlib.sha256(content).hexdigest()] = content
    return entries, others


def _packed(found: set[Hash]) -> dict[str, bytes]:
    return {
        kind: b"".join(sorted(one.value for one in found if one.type == kind)) for kind in {one.type for one in found}
    }


def _unpacked(packed: bytes) -> Iterator[bytes]:
    return (packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES))


def _holds(packed: bytes, value: bytes) -> bool:
    count = len(packed) // HASH_BYTES
    at = HASH_BYTES * bisect_left(range(count), value, key=lambda n: packed[HASH_BYTES * n : HASH_BYTES * (n + 1)])
    return packed[at : at + HASH_BYTES] == value


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:HASH_BYTES]


def _json(content: bytes, name: str) -> Any:
    try:
        return orjson.loads(content.lstrip(_BEFORE_JSON))
    except orjson.JSONDecodeError:
        raise BadInput(f"{name} is not JSON.", "Fetch it again.") from None


def _has(entry: Any, member: str) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("kid"), str) and member in entry


def _batch(batch: Mapping[str, Any], name: str) -> tuple[bytes | str, list[Hash]]:
    """The key id that a batch of the gateway is for, or the country, and its hashes, which may be none."""
    hash_type, entries, country = batch.get("hashType"), batch.get("entries"), batch.get("country")
    if hash_type not in HASH_TYPES or not isinstance(entries, list):
        raise _refused(name)
    key: bytes | str
    if batch["kid"] == UNKNOWN_KEY:
        if not isinstance(country, str) or not country:
            raise _refused(name)
        key = country
    else:
        key = _key_id(batch["kid"], name)
    found = []
    for entry in entries:
        value = _decoded(entry.get("hash")) if isinstance(entry, Mapping) else None
        if value is None or len(value) != HASH_BYTES:
            raise BadInput(f"A hash in {name} is not of 16 bytes in base64.", "Fetch the list again.")
        found.append(Hash(hash_type, value))
    return key, found


def _partition(
    partition: Mapping[str, Any], name: str, contents: Mapping[str, bytes], limit: int
) -> tuple[bytes, list[Slice], bool]:
    """Key id and slices of a partition, and whether all of them are at hand."""
    coordinates = [partition.get(axis) for axis in ("x", "y")]
    chunks = partition["chunks"]
    if not isinstance(chunks, Mapping) or not all(one is None or isinstance(one, str) for one in coordinates):
        raise _refused(name)
    prefix = "".join(one for one in coordinates if one and one != "null").lower()
    found, is_whole = [], True
    for chunk in chunks.values():
        for entry in chunk.values() if isinstance(chunk, Mapping) else (None,):
            if not isinstance(entry, Mapping) or not isinstance(entry.get("hash"), str):
                raise _refused(name)
            content, kind = contents.get(entry["hash"].lower()), entry.get("type")
            if content is not None and kind == _BLOOM_FILTER:
                found.append(Slice(prefix, BloomFilter.read(content)))
            elif content is not None and kind == _HASH_LIST:
                found.append(Slice(prefix, HashList.read(content, limit=limit)))
                limit -= found[-1].shortened
            else:
                is_whole = False
    return _key_id(partition["kid"], name), found, is_whole


def _key_id(text: str, name: str) -> bytes:
    if text == UNKNOWN_KEY:
        return _UNKNOWN
    key = _decoded(text)
    if not key:
        raise BadInput(f"A key id in {name} is not base64.", "Fetch the list again.")
    return key


def _key_bytes(key_id: bytes | None) -> bytes:
    """A key id as lists name it: some messages carry its base64 as text."""
    if key_id is None:
        return b""
    return (_decoded(key_id.decode("ascii", "replace")) or key_id) if len(key_id) in (11, 12) else key_id


def _decoded(text: object) -> bytes | None:
    """Bytes of base64 in either alphabet, padded or not; None for anything else."""
    if not isinstance(text, str):
        return None
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _refused(name: str) -> BadInput:
    return BadInput(
        f"{name} is no revocation list of the EU DCC.", "Give batches of the gateway, or partitions with their slices."
    )
