"""Revocation lists of EU certificates as a trust bundle carries them: one part for each key, named under its signature.

A part is base64 of CBOR: the key id (or the country, where the gateway was told no key), whether its lists are whole,
the hashes of each type end to end, and the slices of a national service: Bloom filters and shortened hashes. With them
stands when they were taken from where they are published, and how old they may grow. Past that nobody knows whether a
certificate was revoked, and what is on them stays revoked.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from hutong.errors import BadInput, LimitExceeded

from ..credential import cbor
from ..credential.bloom import BloomFilter
from ..credential.dcc_revocation import HASH_BYTES, HASH_TYPES, RevocationLists, Slice
from ..credential.hash_list import MAX_HASH_BYTES, HashList

MAX_PARTS = 1_000
MAX_CHARACTERS = 8 * 2**20
"""Of all parts: a quarter of a bundle, for some 390,000 whole hashes."""
MAX_AGE_HOURS = 168
USUAL_AGE_HOURS = 48
"""National services tell news daily: one import may fail."""
_WHAT = "the revocation lists"
_WORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class EuRevocations:
    """Lists at hand, when they were taken from where they are published, and how old they may grow."""

    as_of: datetime
    max_age: timedelta
    lists: RevocationLists

    def is_too_old(self, at: datetime) -> bool:
        """Whether news may be lacking."""
        return at - self.as_of > self.max_age


def write_parts(lists: RevocationLists) -> tuple[str, ...]:
    """The parts of a bundle that say what these lists say.

    Raises LimitExceeded past a thousand keys, or 8 MiB of text.
    """
    keys = lists.listed.keys() | lists.slices.keys() | lists.incomplete
    if len(keys) > MAX_PARTS:
        raise LimitExceeded(f"The lists are for more than {MAX_PARTS:,} keys.", "Give the lists of fewer countries.")
    parts = tuple(_write(lists, key) for key in sorted(keys, key=lambda key: (isinstance(key, str), str(key))))
    if sum(map(len, parts)) > MAX_CHARACTERS:
        raise LimitExceeded(
            f"The lists take more than the {MAX_CHARACTERS // 2**20} MiB that a trust bundle has for them.",
            "Give the lists of fewer countries.",
        )
    return parts


def _write(lists: RevocationLists, key: bytes | str) -> str:
    filters, beginnings = [], []
    for prefix, held in lists.slices.get(key, ()) if isinstance(key, bytes) else ():
        if isinstance(held, BloomFilter):
            filters.append([prefix, held.hashes, struct.pack(f">{len(held.words)}I", *held.words)])
        else:
            beginnings.append([prefix, held.size_bytes, b"".join(sorted(held.beginnings))])
    part = {
        "key": key,
        "whole": key not in lists.incomplete,
        "hashes": dict(sorted(lists.listed.get(key, {}).items())),
        "filters": filters,
        "beginnings": beginnings,
    }
    return base64.b64encode(cbor.dumps(part)).decode()


def read_parts(parts: Iterable[str]) -> RevocationLists:
    """What the parts of a bundle say. Raises BadInput, LimitExceeded."""
    return _read_parts(tuple(parts))


@lru_cache(maxsize=2)
def _read_parts(parts: tuple[str, ...]) -> RevocationLists:
    if len(parts) > MAX_PARTS or sum(map(len, parts)) > MAX_CHARACTERS:
        raise LimitExceeded("The revocation lists of the bundle are too large.", "Fetch the bundle again.")
    listed: dict[bytes | str, Mapping[str, bytes]] = {}
    slices: dict[bytes, tuple[Slice, ...]] = {}
    incomplete: set[bytes] = set()
    for text in parts:
        try:
            part = cbor.loads(base64.b64decode(text, validate=True), _WHAT, max_bytes=MAX_CHARACTERS)
            key, hashes = part["key"], part["hashes"]
            _require(isinstance(key, bytes | str) and key not in listed.keys() | slices.keys() | incomplete)
            _require(all(kind in HASH_TYPES and len(one) % HASH_BYTES == 0 for kind, one in hashes.items()))
            found = (*map(_filter, part["filters"]), *map(_beginnings, part["beginnings"]))
            if found:
                slices[key] = found
            if hashes or (part["whole"] is True and not found):  # a list that names nobody is one, too
                listed[key] = {kind: bytes(one) for kind, one in hashes.items()}
            if part["whole"] is not True:
                incomplete.add(key)
        except (KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
            raise BadInput("A revocation list of the bundle is not well formed.", "Fetch the bundle again.") from error
    return RevocationLists(listed, slices, frozenset(incomplete))


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("revocation list")


def _filter(entry: Sequence[Any]) -> Slice:
    prefix, probes, words = entry
    return Slice(str(prefix), BloomFilter.of(struct.unpack(f">{len(words) // _WORD_BYTES}I", words), probes))


def _beginnings(entry: Sequence[Any]) -> Slice:
    prefix, size, packed = entry
    _require(1 <= size <= MAX_HASH_BYTES and len(packed) % size == 0)
    return Slice(str(prefix), HashList(size, frozenset(packed[at : at + size] for at in range(0, len(packed), size))))


def write_section(as_of: datetime, max_age_hours: int, parts: Iterable[str]) -> dict[str, Any]:
    """What a bundle's payload says of the lists."""
    return {"as_of": as_of.isoformat(), "max_age_hours": max_age_hours, "lists": list(parts)}


def read_section(section: Mapping[str, Any] | None) -> EuRevocations | None:
    """What a bundle says of EU lists; None where it has none.

    Raises:
        BadInput, LimitExceeded: a part is not of the form, or too large.
        KeyError, TypeError, ValueError: the section is not of the form.
    """
    if section is None:
        return None
    as_of, hours = datetime.fromisoformat(section["as_of"]), section["max_age_hours"]
    if as_of.tzinfo is None or type(hours) is not int or not 1 <= hours <= MAX_AGE_HOURS:
        raise ValueError("dcc_revocations")
    return EuRevocations(as_of, timedelta(hours=hours), read_parts(section["lists"]))
