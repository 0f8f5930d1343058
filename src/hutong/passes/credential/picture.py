"""Pictures of passes: read QR and Aztec codes from PNG and JPEG with limits, draw QR codes as SVG and PNG."""

from __future__ import annotations

import io
import struct
import zlib

from hutong.errors import BadInput, LimitExceeded

MAX_PICTURE_BYTES = 20_000_000
MAX_PIXELS = 40_000_000
QUIET_MODULES = 4
_FORMATS = ("PNG", "JPEG")


def read(data: bytes) -> str:
    """Text of the one QR or Aztec code in the picture; of several, those that are a pass, one a line.

    Raises:
        BadInput: not a PNG or JPEG picture, or no such code in it.
        LimitExceeded: more than 20 MB or 40 million pixels.
    """
    import zxingcpp
    from PIL import Image

    if len(data) > MAX_PICTURE_BYTES:
        raise LimitExceeded("The picture is larger than 20 MB.", "Take a smaller picture of the code alone.")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise LimitExceeded("The picture has more than 40 million pixels.", "Take a smaller picture.")
            grey = _to_grey(image)
    except Image.DecompressionBombError:
        raise LimitExceeded("The picture has more than 40 million pixels.", "Take a smaller picture.") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, MemoryError):
        raise BadInput("The picture cannot be read.", "Give a PNG or JPEG picture.") from None
    wanted = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Aztec])
    found = zxingcpp.read_barcodes(grey, formats=wanted)
    texts = list(dict.fromkeys(barcode.text for barcode in found if barcode.valid))
    passes = [text for text in texts if text[:4].upper() in ("HC1:", "SHC:")] or texts[:1]
    if not passes:
        raise BadInput("There is no readable QR code in the picture.", "Take the picture again, nearer and flat.")
    return "\n".join(passes)


def _to_grey(image: object) -> object:
    """Grey values on white ground: a transparent ground would read as black."""
    from PIL import Image

    assert isinstance(image, Image.Image)
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
