"""Base45: all groups at once give what RFC 9285 says group by group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutong.errors import BadInput
from hutong.passes.credential import base45

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def by_group(text: str) -> bytes | None:
    """RFC 9285, 4, read literally; None where it must be refused."""
    decoded = b""
    for start in range(0, len(text), 3):
        digits = [ALPHABET.index(character) for character in text[start : start + 3]]
        size, number = len(digits) - 1, sum(digit * 45**place for place, digit in enumerate(digits))
        if size == 0 or number >= 256**size:
            return None
        decoded += number.to_bytes(size, "big")
    return decoded


@given(st.text(st.sampled_from(ALPHABET) | st.sampled_from("FGW:"), max_size=40))
def test_texts_are_decoded_or_refused_as_group_by_group(text: str) -> None:
    expected = by_group(text)
    if expected is None:
        with pytest.raises(BadInput, match="base45"):
            base45.decode(text)
    else:
        assert base45.decode(text) == expected


@given(st.binary(max_size=300))
def test_bytes_come_back(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


@pytest.mark.parametrize("text", ["FGX", "GGW", ":::", "U6"])
def test_groups_just_above_their_range_are_refused(text: str) -> None:
    assert base45.decode("FGW") == b"\xff\xff"
    assert base45.decode("U5") == b"\xff"
    with pytest.raises(BadInput, match="above its range"):
        base45.decode(text)
