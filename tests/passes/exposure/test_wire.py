"""The hand-written codec: the format's own examples, what it refuses, and that it gives back what it was given."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.passes.exposure.wire import Kind, read, write

INT32 = st.integers(-(2**31), 2**31 - 1)


@pytest.mark.parametrize(
    ("number", "kind", "value", "octets"),
    [
        (1, "int32", 150, "089601"),
        (2, "bytes", "testing", "120774657374696e67"),
        (1, "int32", -2, "08feffffffffffffffff01"),
        (6, "sint32", 0, "3000"),
        (6, "sint32", -1, "3001"),
        (6, "sint32", 1, "3002"),
        (6, "sint32", 2**31 - 1, "30feffffff0f"),
        (6, "sint32", -(2**31), "30ffffffff0f"),
        (1, "fixed64", 1598400000, "0900a6455f00000000"),
        (7, "bytes", b"", "3a00"),
        (16, "int32", 0, "800100"),
        (5, "int32", None, ""),
    ],
)
def test_the_formats_own_examples(number: int, kind: Kind, value: int | str | bytes | None, octets: str) -> None:
    written = write(number, kind, value)
    assert written.hex() == octets
    fields = read(written, {number: kind}, most=1)
    if isinstance(value, int):
        assert fields.integer(number, -99) == value
    elif value is not None:
        assert fields.octets(number) == (value.encode() if isinstance(value, str) else value)


def test_the_last_value_counts_and_foreign_fields_are_passed_over() -> None:
    message = write(1, "int32", 1) + write(9, "bytes", b"later") + bytes.fromhex("5501020304") + write(1, "int32", 2)
    fields = read(message, {1: "int32", 2: "sint32"}, most=4)
    assert (fields.integer(1), fields.integer(2, 7), fields.octets(9)) == (2, 7, b"")
    # Of another wire type than the format's: as unknown as another number.
    assert read(write(1, "bytes", b"x"), {1: "int32"}, most=1).integer(1, 5) == 5


@pytest.mark.parametrize(
    "octets",
    ["08", "0880", "1205", "120a61", "0901", "0b", "0c", "0f", "00", "0001", "ff" * 11, "08" + "ff" * 9 + "7f"],
)
def test_what_is_no_message(octets: str) -> None:
    with pytest.raises(BadInput):
        read(bytes.fromhex(octets), {1: "int32", 2: "bytes"}, most=10)


def test_limits() -> None:
    with pytest.raises(LimitExceeded):
        read(write(9, "int32", 0) * 11, {1: "int32"}, most=10)
    with pytest.raises(BadInput):
        read(write(1, "int32", 2**31), {1: "int32"}, most=1)
    with pytest.raises(BadInput):
        read(write(1, "bytes", b"\xff"), {1: "bytes"}, most=1).text(1)


@given(INT32, INT32, st.integers(0, 2**64 - 1), st.lists(st.binary(max_size=300), max_size=5))
@settings(max_examples=100, deadline=None)
def test_round_trip(signed: int, zigzag: int, fixed: int, items: list[bytes]) -> None:
    message = write(1, "int32", signed) + write(2, "sint32", zigzag) + write(3, "fixed64", fixed)
    message += b"".join(write(4000, "bytes", item) for item in items)
    fields = read(message, {1: "int32", 2: "sint32", 3: "fixed64", 4000: "bytes"}, most=8)
    assert (fields.integer(1), fields.integer(2), fields.integer(3)) == (signed, zigzag, fixed)
    assert fields.all_octets(4000) == items


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_never_crashes(octets: bytes) -> None:
    with contextlib.suppress(HutongError):
        read(octets, {1: "int32", 2: "sint32", 3: "fixed64", 4: "bytes"}, most=20)
