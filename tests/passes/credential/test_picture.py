"""Pictures: what is drawn is read; sizes are bounded; a picture of something else is said so."""

from __future__ import annotations

import io
import struct
import xml.etree.ElementTree as ET
import zlib
from contextlib import suppress

import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.passes.credential import picture
from tests.within import within

TEXT = "HC1:" + "6BFOXN*TS0BI$ZD.P9UOL97O4-2HH77HRM3DSPTLRR+%3" * 5


@pytest.mark.parametrize("scale", [2, 3, 4, 10])
def test_what_is_drawn_is_read(scale: int) -> None:
    assert picture.read(picture.draw_png(TEXT, scale=scale)) == TEXT


def test_other_pictures_of_the_code() -> None:
    image = Image.open(io.BytesIO(picture.draw_png(TEXT, scale=6)))
    forms = {"JPEG": image.convert("RGB"), "PNG": image.rotate(90), "GIF": image, "WEBP": image.convert("RGB")}
    clear = Image.new("RGBA", image.size, (0, 0, 0, 0))
    clear.putalpha(image.convert("L").point(lambda value: 255 - value))
    for name, form in [*forms.items(), ("PNG", clear)]:
        out = io.BytesIO()
        form.save(out, name)
        assert picture.is_picture(out.getvalue())
        assert picture.read(out.getvalue()) == TEXT


def small(name: str, mode: str) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(picture.draw_png("HC1:A", scale=2))).convert(mode).save(out, name)
    return out.getvalue()


FORMS = {
    f"{name} {mode}": small(name, mode) for name, mode in (("PNG", "P"), ("PNG", "LA"), ("GIF", "P"), ("JPEG", "L"))
}


def test_an_aztec_code_is_read_too() -> None:
    """Some issuers printed Aztec codes (ISO/IEC 24778) of their certificates beside QR codes."""
    code = zxingcpp.create_barcode(TEXT, zxingcpp.BarcodeFormat.Aztec)
    out = io.BytesIO()
    Image.fromarray(np.asarray(zxingcpp.write_barcode_to_image(code, scale=4))).save(out, "PNG")
    assert picture.read(out.getvalue()) == TEXT


def test_svg_is_one_element_with_a_quiet_zone() -> None:
    root = ET.fromstring(picture.draw_svg(TEXT, scale=3, title="Pass"))
    assert root.tag.endswith("svg")
    side = (17 + 4 * picture.version_of(TEXT) + 8) * 3
    assert root.attrib["viewBox"] == f"0 0 {side} {side}"


@pytest.mark.parametrize("scale", [1, 4, 10])
def test_an_svg_that_is_drawn_here_is_read(scale: int) -> None:
    for text in (TEXT, "HC1:A", "HC1:" + "6BFOXN*TS0" * 150):
        drawn = picture.draw_svg(text, scale=scale, title="Pass & code <1>").encode()
        for data in (drawn, b'<?xml version="1.0" encoding="utf-8"?>\n' + drawn + b"\n"):
            assert picture.is_picture(data)
            assert picture.read(data) == text


SVG = picture.draw_svg(TEXT).encode()
BOMB = b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"<svg/>",
        b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
        SVG.replace(b"</svg>", b"<script>1</script></svg>"),
        SVG.replace(b'class="qrline"', b'class="qrline" fill="red"'),
        SVG.replace(b"scale(4)", b"scale(0)"),
        SVG.replace(b'viewBox="0 0 ', b'viewBox="0 0 9'),
        SVG.replace(b"<path", b"<title>&b;</title><image href='file:///etc/passwd'/><path"),
        SVG.replace(b"M4 4.5", b"M4 4.5" + b"h1" * 300_000),
    ],
)
def test_another_svg_is_told_to_be_converted(data: bytes) -> None:
    assert picture.is_picture(data)
    with pytest.raises(BadInput, match="Convert it to PNG"):
        picture.read(data)


def test_an_svg_is_read_without_leaving_its_field_or_resolving_anything() -> None:
    for data in (BOMB + SVG, SVG.replace(b"M4 4.5", b"M999 -99.5")):
        with pytest.raises(BadInput):
            picture.read(data)


PROLOGUE = b'<?xml version="1.0"?>\n<!-- a pass -->\r\n<!---->\t'


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \n", PROLOGUE, b"\xef\xbb\xbf\n" + PROLOGUE])
def test_an_svg_may_have_a_declaration_and_comments_before_it(before: bytes) -> None:
    assert picture.is_picture(before + SVG)
    assert not picture.is_picture(before + b"<svgs/>")
    assert not picture.is_picture(before + TEXT.encode())


@pytest.mark.parametrize(
    "data",
    [
        *(part * 100_000 for part in (b"<!---->", b"<!--", b"<!-- -->\n", b"<?xml?>", b"<?xml ", b" ", b"-->", b"?>")),
        b"<!--" + b"-" * 1_000_000,
        b"<!---->" * 3 + b"<!--" + b"->" * 500_000,
    ],
)
def test_what_only_begins_like_an_svg_is_told_at_once(data: bytes) -> None:
    with within():
        assert not picture.is_picture(data)


def test_a_text_that_is_too_long() -> None:
    for draw in (picture.draw_png, picture.draw_svg):
        with pytest.raises(BadInput):
            draw("x" * 5000)


def blank(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height), 1).save(out, "PNG")
    return out.getvalue()


def test_a_picture_without_code() -> None:
    with pytest.raises(BadInput):
        picture.read(blank(200, 200))


def png(size: tuple[int, int], colours: int, rows: bytes, *after: tuple[bytes, bytes]) -> bytes:
    """A PNG (ISO/IEC 15948) of one bit a pixel, grey (0) or of a palette (3), with chunks after the pixels."""
    header = struct.pack(">IIBBBBB", *size, 1, colours, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize("size", [(20_000, 20_000), (100_000, 100_000), (70_000, 10), (10, 70_000)])
def test_a_picture_of_too_many_pixels_is_not_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(LimitExceeded):
        picture.read(png(size, 0, b"\0" * 1000))


@pytest.mark.parametrize("size", [(65_535, 10), (10, 65_535), (1, 1)])
def test_pictures_of_odd_sizes_are_looked_at(size: tuple[int, int]) -> None:
    with pytest.raises(BadInput, match="no readable QR code"):
        picture.read(blank(*size))


@pytest.mark.parametrize("scale", [2, 4])
def test_a_small_code_in_a_large_photo_is_found(scale: int) -> None:
    code = Image.open(io.BytesIO(picture.draw_png(TEXT, scale=scale)))
    photo = Image.linear_gradient("L").resize((4000, 3000))
    photo.paste(code, (1387, 1901))
    out = io.BytesIO()
    photo.save(out, "JPEG")
    assert picture.read(out.getvalue()) == TEXT


@pytest.mark.parametrize(("seconds_each", "searched"), [(0.0, 26), (0.7, 4)])
def test_a_large_picture_is_searched_in_small_parts_and_not_for_long(
    monkeypatch: pytest.MonkeyPatch, seconds_each: float, searched: int
) -> None:
    """What looks like thousands of codes takes a search minutes or hours, by its pixels: they are counted here."""
    pixels: list[int] = []

    def search(grey: Image.Image, **_: object) -> list[object]:
        pixels.append(grey.width * grey.height)
        return []

    monkeypatch.setattr(zxingcpp, "read_barcodes", search)
    monkeypatch.setattr(picture.time, "thread_time", lambda: (len(pixels) - 1) * seconds_each)
    with pytest.raises(BadInput):
        picture.read(blank(6300, 6300))
    assert len(pixels) == searched
    assert max(pixels) <= 1_500_000


def test_a_palette_that_is_missing() -> None:
    """Pillow takes it for a mistake of its own: an AssertionError."""
    with pytest.raises(BadInput, match="cannot be read"):
        picture.read(png((16, 16), 3, b"\0\xaa\xaa" * 16, (b"tRNS", b"\0")))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4))
def test_altered_pictures_get_an_answer(form: str, changes: list[tuple[int, int]]) -> None:
    altered = bytearray(FORMS[form])
    for place, value in changes:
        altered[place % len(altered)] = value
    with suppress(HutongError):
        assert picture.read(bytes(altered)) is not None


def test_a_file_that_is_too_large() -> None:
    with pytest.raises(LimitExceeded):
        picture.read(b"\x89PNG\r\n\x1a\n" + b"\0" * picture.MAX_PICTURE_BYTES)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg/>", blank(50, 50)[:40], b"\xff\xd8\xff\xe0"])
def test_no_picture(data: bytes) -> None:
    with pytest.raises(BadInput):
        picture.read(data)
