"""DIVOC certificates: a ZIP file in base64, of which only the two common methods are unpacked."""

from __future__ import annotations

import base64
import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError
from hutong.passes.credential.read import read_pass

# A member by LZMA, the stream of which is damaged.
DAMAGED = (
    "B64:UEsDBD8AAgAOAERwfl3cXj+TIwAAAA8AAAAQAAAAY2VydGlmaWNhdGUuanNvbgkEBQBdAACAAP89iIknfImvHHp4FxiNBdkaLXsN//+xkAAAUEsB"
    "Aj8DPwACAA4ARHB+XdxeP5MjAAAADwAAABAAAAAAAAAAAAAAAIABAAAAAGNlcnRpZmljYXRlLmpzb25QSwUGAAAAAAEAAQA+AAAAUQAAAAAA"
)


def packed(method: int) -> bytes:
    """A certificate in a ZIP file, by one of the methods of APPNOTE 6.3.10, 4.4.5."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("certificate.json", b'{"issuer": "https://river.example"}')
    return out.getvalue()


def divoc(archive: bytes) -> str:
    return "B64:" + base64.b64encode(archive).decode()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_certificate_is_stored_or_deflated(method: int) -> None:
    assert read_pass(divoc(packed(method))).issuer == "https://river.example"


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_another_method_is_refused_before_it_is_tried(method: int) -> None:
    with pytest.raises(BadInput, match="cannot be unpacked"):
        read_pass(divoc(packed(method)))


def test_a_damaged_member_is_an_error_of_ours() -> None:
    with pytest.raises(BadInput, match="cannot be unpacked"):
        read_pass(DAMAGED)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([0, 8, 12, 14]), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4))
def test_altered_bytes_get_an_answer(method: int, changes: list[tuple[int, int]]) -> None:
    archive = bytearray(packed(method))
    for place, value in changes:
        archive[place % len(archive)] = value
    with suppress(HutongError):
        assert read_pass(divoc(bytes(archive))).signature_valid is None
