"""Pictures of passes: read QR and Aztec codes from pictures with limits, draw QR codes as SVG and PNG.

Of SVG only the form that is drawn here is read, a path of modules: any other would need a renderer of vector pictures.
"""

from __future__ import annotations

import io
import math
import re
import struct
import time
import zlib
from typing import TYPE_CHECKING, Any

from hutong.errors import BadInput, LimitExceeded

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

MAX_PICTURE_BYTES = 20_000_000
MAX_PIXELS = 40_000_000
MAX_SIDE = 65_535
_WHOLE_PIXELS, _ALL_PARTS_PIXELS = 1_500_000, 9_000_000
_PART_STEP = 500
"""Pixels between the beginnings of parts, half of their side: as large as a code that is lost in the whole."""
_PARTS_SECONDS = 2.0
QUIET_MODULES = 4
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
_BEGINNINGS = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP", re.DOTALL)
_SVG_TAG = re.compile(rb"<svg\b")
_BEFORE_SVG = ((b"<?xml", b"?>"), (b"<!--", b"-->"))
_MAX_BEFORE_SVG, _MAX_BEFORE_SVG_BYTES = 5, 4096
_SVG = re.compile(
    rb"\s*(?:<\?xml[^<>]{0,200}>\s*)?<svg [^<>]{0,300}viewBox=\"0 0 (\d{1,5}) (\d{1,5})\"[^<>]{0,300}>"
    rb"(?:<title>[^<>]{0,2000}</title>)?"
    rb"<path (?:transform=\"scale\((\d{1,3})\)\" )?class=\"qrline\" stroke=\"#000\" d=\"([Mmh0-9. -]+)\"/></svg>\s*"
)
_STROKE = re.compile(rb"([Mm])(-?\d{1,3}) (-?\d{1,3})(?:\.5)?|h(\d{1,3})")
_MAX_SVG_BYTES = 500_000
_MAX_MODULES = 177 + 2 * QUIET_MODULES
# What Pillow's decoders let through where a picture is damaged.
_RAISED_BY_PILLOW = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, MemoryError),
    *(AssertionError, RuntimeError, struct.error, zlib.error),
)


def is_picture(data: bytes) -> bool:
    """Whether the bytes begin as those of a picture that may be read: PNG, JPEG, GIF, WebP or SVG."""
    return _BEGINNINGS.match(data) is not None or _begins_as_svg(data)


def read(data: bytes) -> str:
    """Text of the one QR or Aztec code in the picture; of several, those that are a pass, one a line.

    Raises:
        BadInput: not a PNG, JPEG, GIF or WebP picture or an SVG as :func:`draw_svg` writes it, or no such code in it.
        LimitExceeded: more than 20 MB, 40 million pixels or 65,535 in width or height.
    """
    if len(data) > MAX_PICTURE_BYTES:
        raise LimitExceeded("The picture is larger than 20 MB.", "Take a smaller picture of the code alone.")
    texts = _texts(_modules_of_svg(data)) if _begins_as_svg(data) else _texts_of_pixels(_pixels(data))
    passes = [text for text in texts if text[:4].upper() in ("HC1:", "SHC:")] or texts[:1]
    if not passes:
        raise BadInput("There is no readable QR code in the picture.", "Take the picture again, nearer and flat.")
    return "\n".join(passes)


def _texts(grey: Image.Image | np.ndarray[Any, Any], *, is_part: bool = False) -> list[str]:
    """Texts of all codes found, each once; in a part of a picture neither inverted ones nor at other sizes."""
    import zxingcpp

    wanted = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Aztec])
    found = zxingcpp.read_barcodes(grey, formats=wanted, try_invert=not is_part, try_downscale=not is_part)
    return list(dict.fromkeys(barcode.text for barcode in found if barcode.valid))


def _texts_of_pixels(grey: Image.Image) -> list[str]:
    """Texts of the codes in a picture: looked for in the whole, made small, then in parts of one that was large.

    The time of a search grows with the square of what looks like corners of codes, so nothing is searched that is
    larger than 1.5 million pixels. A code that is small in a photo lies whole in one of the parts, which overlap; they
    are searched until two seconds of this thread are over, so that a picture made to be slow ends, too.
    """
    found = _texts(_shrunk(grey, _WHOLE_PIXELS))
    if found or grey.width * grey.height <= _WHOLE_PIXELS:
        return found
    grey = _shrunk(grey, _ALL_PARTS_PIXELS)
    end = time.thread_time() + _PARTS_SECONDS
    for top in range(0, max(1, grey.height - _PART_STEP), _PART_STEP):
        for left in range(0, max(1, grey.width - _PART_STEP), _PART_STEP):
            part = (left, top, min(left + 2 * _PART_STEP, grey.width), min(top + 2 * _PART_STEP, grey.height))
            if time.thread_time() > end:
                return []
            if found := _texts(grey.crop(part), is_part=True):
                return found
    return []


def _shrunk(grey: Image.Image, pixels: int) -> Image.Image:
    """The picture, if need be made as small as that."""
    from PIL import Image

    factor = math.sqrt(pixels / (grey.width * grey.height))
    if factor >= 1:
        return grey
    size = (max(1, int(grey.width * factor)), max(1, int(grey.height * factor)))
    return grey.resize(size, Image.Resampling.BOX)


def _begins_as_svg(data: bytes) -> bool:
    """Whether an ``svg`` element begins after at most four declarations and comments, within the first 4 KiB."""
    left = data[:_MAX_BEFORE_SVG_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    for _ in range(_MAX_BEFORE_SVG):
        end = next((end for begin, end in _BEFORE_SVG if left.startswith(begin)), None)
        if end is None:
            return _SVG_TAG.match(left) is not None
        left = left.partition(end)[2].lstrip()
    return False


def _modules_of_svg(data: bytes) -> np.ndarray[Any, Any]:
    """Grey values of an SVG as :func:`draw_svg` writes it; nothing in it is resolved, fetched or run."""
    import numpy as np

    drawn = _SVG.fullmatch(data) if len(data) <= _MAX_SVG_BYTES else None
    scale = int(drawn[3] or 1) if drawn else 0
    side = int(drawn[1]) // scale if drawn and scale else 0
    if drawn is None or not 0 < side <= _MAX_MODULES or drawn[1] != drawn[2]:
        raise BadInput("The SVG is not one that this software draws.", "Convert it to PNG.")
    grey = np.full((side, side), 255, np.uint8)
    x = y = 0
    for stroke in _STROKE.finditer(drawn[4]):
        if stroke[4]:
            end = x + int(stroke[4])
            if 0 <= y < side and 0 <= x <= end <= side:
                grey[y, x:end] = 0
            x = end
        else:
            begins = stroke[1] == b"M"
            x = int(stroke[2]) + (0 if begins else x)
            y = int(stroke[3]) + (0 if begins else y)
    return grey.repeat(4, axis=0).repeat(4, axis=1)


def _pixels(data: bytes) -> Image.Image:
    """Grey values of a picture of pixels, of the first frame of several."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if max(image.size) > MAX_SIDE:
                raise LimitExceeded(
                    f"The picture is wider or higher than {MAX_SIDE} pixels.", "Take a picture of the code alone."
                )
            if image.width * image.height > MAX_PIXELS:
                raise LimitExceeded("The picture has more than 40 million pixels.", "Take a smaller picture.")
            return _to_grey(image)
    except Image.DecompressionBombError:
        raise LimitExceeded("The picture has more than 40 million pixels.", "Take a smaller picture.") from None
    except _RAISED_BY_PILLOW:
        raise BadInput("The picture cannot be read.", "Give a PNG or JPEG picture.") from None


def _to_grey(image: Image.Image) -> Image.Image:
    """Grey values on white ground: a transparent ground would read as black."""
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        ground.alpha_composite(layer)
        return ground.convert("L")
    return image.convert("L")


def draw_svg(text: str, *, scale: int = 4, title: str | None = None) -> str:
    """QR code as one SVG element that fills its place, error correction Q, ``scale`` units a module.

    It carries its namespace, so that it may stand in a page or be a file of its own.

    Raises:
        BadInput: the text does not fit a QR code.
    """
    import segno

    try:
        code = segno.make_qr(text, error="q", boost_error=False)
    except segno.DataOverflowError:
        raise BadInput("The text does not fit a QR code.", "Disclose fewer facts.") from None
    drawn = io.BytesIO()
    code.save(drawn, kind="svg", scale=scale, border=QUIET_MODULES, title=title, xmldecl=False, omitsize=True, nl=False)
    return drawn.getvalue().decode()


def draw_png(text: str, *, scale: int = 4) -> bytes:
    """QR code as a PNG picture of one bit a pixel, error correction Q, ``scale`` pixels a module.

    Raises:
        BadInput: the text does not fit a QR code.
    """
    import numpy as np
    import zxingcpp

    try:
        code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="Q")
    except (ValueError, RuntimeError):
        raise BadInput("The text does not fit a QR code.", "Disclose fewer facts.") from None
    modules = np.asarray(zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False))
    bits = np.pad(modules > 0, QUIET_MODULES, constant_values=True).repeat(scale, axis=1)
    rows = np.packbits(bits, axis=1)
    rows = np.pad(rows, ((0, 0), (1, 0))).repeat(scale, axis=0)  # a zero before each row: PNG filter "none"
    return _write_png(rows.tobytes(), width=bits.shape[1], height=rows.shape[0])


def _write_png(rows: bytes, *, width: int, height: int) -> bytes:
    """PNG (ISO/IEC 15948) of one bit a pixel; a general writer takes longer than the drawing."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def version_of(text: str) -> int:
    """QR version (1 to 40) of the text at error correction Q."""
    import segno

    return int(segno.make_qr(text, error="q", boost_error=False).version)
