"""Status lists: exact, small, signed, bounded; foreign Bloom filters read as published."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import json
import random
import struct
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, LimitExceeded, Tampered
from hutong.passes.credential import bloom, cbor, cose, status_list
from hutong.passes.credential.keys import write_jwk

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
JWK = write_jwk(KEY.public_key(), b"listkey1")


def make(revoked: list[int], size: int) -> status_list.StatusList:
    bits = status_list.pack_bits(revoked, size)
    return status_list.StatusList("tw", 0, 7, NOW, NOW + dt.timedelta(days=1), size, bits)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_exact_in_both_directions(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 500))
    revoked = data.draw(st.sets(st.integers(0, size - 1)))
    read = status_list.read(status_list.sign(make(sorted(revoked), size), KEY, b"listkey1"), [JWK])
    assert {position for position in range(size) if read.is_revoked(position)} == revoked
    assert read.count() == len(revoked)
    with pytest.raises(BadInput):
        read.is_revoked(size)


def test_ten_million_passes_at_one_per_cent() -> None:
    revoked = random.Random(1).sample(range(10_000_000), 100_000)
    message = status_list.sign(make(revoked, 10_000_000), KEY, b"listkey1")
    assert len(message) <= 150_000
    read = status_list.read(message, [JWK])
    assert all(read.is_revoked(position) for position in revoked[:1000])
    assert read.count() == 100_000
    one = revoked[0]
    sibling = next(n for n in (one + 1, one + 2, one + 3) if n not in set(revoked))
    assert read.is_revoked(one) and not read.is_revoked(sibling)


def test_validity_and_order() -> None:
    read = make([1], 8)
    assert read.valid_at(read.expires_at - dt.timedelta(seconds=1)) and not read.valid_at(read.expires_at)
    assert read.valid_at(NOW) and not read.valid_at(NOW + dt.timedelta(days=2))
    assert not read.valid_at(NOW - dt.timedelta(seconds=1))


def test_the_first_bit_of_a_byte_is_the_least_significant() -> None:
    assert status_list.pack_bits([0, 9], 16) == b"\x01\x02"


def test_only_the_signed_list_is_read() -> None:
    message = status_list.sign(make([3], 64), KEY, b"listkey1")
    other = write_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), b"listkey1")
    for keys in ([other], []):
        with pytest.raises(Tampered):
            status_list.read(message, keys)
    changed = message[:-1] + bytes((message[-1] ^ 1,))
    with pytest.raises(Tampered):
        status_list.read(changed, [JWK])


@pytest.mark.parametrize(
    "entry",
    [
        {"bits": 1, "size": 8, "lst": zlib.compress(b"\0" * 10_000_000)},
        {"bits": 1, "size": 16, "lst": zlib.compress(b"\0")},
        {"bits": 2, "size": 8, "lst": zlib.compress(b"\0")},
        {"bits": 1, "size": 1 << 40, "lst": b""},
        {"bits": 1, "size": 8, "lst": b"no zlib"},
        {"bits": 1, "size": True, "lst": b""},
        {},
        None,
    ],
)
def test_malformed_lists(entry: object) -> None:
    payload = {1: "tw", 4: 1_900_000_000, 6: 1_800_000_000, 65533: entry, "number": 1, "list": 0}
    message = cose.Signer(KEY, b"listkey1").sign(cbor.dumps(payload))
    with pytest.raises((BadInput, LimitExceeded)):
        status_list.read(message, [JWK])


def test_positions_outside_are_refused() -> None:
    for wrong in ([8], [-1]):
        with pytest.raises(BadInput):
            status_list.pack_bits(wrong, 8)
    with pytest.raises(LimitExceeded):
        status_list.pack_bits([], status_list.MAX_BITS + 1)
    assert dataclasses.asdict(make([], 8))["bits"] == b"\0"


@pytest.mark.conformance
def test_published_bloom_filters(fixtures: Path) -> None:
    vectors = json.loads((fixtures / "dcc-revocation" / "filter-test.json").read_text())
    checked = 0
    for vector in vectors:
        words = json.loads(base64.b64decode(vector["filter"]))
        probes = bloom.probes_for(32 * len(words), len(vector["data"]))  # the vectors' own k is a leftover, always 1
        read = bloom.BloomFilter.of(words, probes)
        answers = [read.might_contain(element.encode()) for element in vector["data"]]
        assert answers == [bool(flag) for flag in json.loads(vector["exists"])]
        checked += len(answers)
    assert (len(vectors), checked) == (4, 10)


def test_a_bloom_filter_is_read_from_its_slice() -> None:
    """Built bit by bit here: probe i of an element is SHA-256(element, i), counted from 0, modulo the bits."""
    words = [0] * 5
    for element in (b"one", b"two"):
        for seed in range(3):
            place = int.from_bytes(hashlib.sha256(element + bytes((seed,))).digest(), "big", signed=True) % 160
            words[place // 32] |= 0x80000000 >> place % 32
    head = struct.pack(">hbbfiii", 1, 3, 0, 0.1, 2, 2, 5)
    data = head + struct.pack(">5I", *words)
    read = bloom.BloomFilter.read(data)
    assert [read.might_contain(element) for element in (b"one", b"two", b"three", b"")] == [True, True, False, False]
    for wrong in (
        b"",
        data[:-1],
        data + b"\0",
        b"\0\2" + data[2:],
        data[:3] + b"\1" + data[4:],
        head[:16] + b"\xff" * 4,
    ):
        with pytest.raises(BadInput):
            bloom.BloomFilter.read(wrong)
    with pytest.raises(LimitExceeded):
        bloom.BloomFilter.read(head[:16] + struct.pack(">i", bloom.MAX_WORDS + 1))


def test_bloom_limits() -> None:
    for words, hashes in (([], 1), ([1], 0), ([1], 256)):
        with pytest.raises(BadInput):
            bloom.BloomFilter.of(words, hashes)
