"""A pass to carry: one printed page (PDF), and a plain text for a wallet.

The page is in English and Chinese. Its upper half is for showing: code, level as word and shape, dates. The lower half,
below the fold, is for the holder alone: why this level. There is no name on either. Chinese needs a font on the machine
that draws the page; without one it is left out, and ``PrintedPass.chinese`` says so.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from xml.sax.saxutils import escape

from ..documents import Texts
from .actions import IssuedPass

WIDTH, HEIGHT = 595, 842
"""A4 in points."""

_LEFT = 64
_LATIN_A_LINE, _CHINESE_A_LINE, _TEXT_A_LINE = 88, 44, 80
_FONTS = "Noto Sans CJK SC, Noto Sans SC, PingFang SC, Microsoft YaHei, Liberation Sans, DejaVu Sans, Arial, sans-serif"
_INK, _SOFT = "#1b1f23", "#59636e"
_COLOURS = {"low": "#24693a", "guarded": "#0b5c6b", "medium": "#7d5200", "high": "#a3262c", "unknown": "#4f5a60"}
_SHAPES = {
    "low": '<circle cx="5" cy="5" r="4.6"/>',
    "guarded": '<path d="M5 0 10 5 5 10 0 5z"/>',
    "medium": '<path d="M5 .4 10 9.6H0z"/>',
    "high": '<path d="M.6.6h8.8v8.8H.6z"/>',
    "unknown": '<path d="M.6.6h8.8v8.8H.6zM2 2v6h6V2z"/>',
}
_SIGNS = {"low": "●", "guarded": "◆", "medium": "▲", "high": "■", "unknown": "?"}
_WORDS: Texts = {"low": "低", "guarded": "警戒", "medium": "中", "high": "高", "unknown": "未知"}


@dataclass(frozen=True, slots=True)
class PrintedPass:
    """A page as PDF. ``chinese``: whether the Chinese texts are on it."""

    pdf: bytes
    chinese: bool


def print_pass(issued: IssuedPass, *, issuer: Texts) -> PrintedPass:
    """Draw the page of a pass.

    Args:
        issuer: name of the issuing party, per language.
    """
    import vl_convert

    chinese = can_draw_chinese()
    return PrintedPass(vl_convert.svg_to_pdf(page_svg(issued, issuer=issuer, chinese=chinese)), chinese)


@cache
def can_draw_chinese() -> bool:
    """Whether this machine has a font for Chinese: without one, two different signs look the same."""
    import vl_convert

    def drawn(sign: str) -> bytes:
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">'
        return bytes(vl_convert.svg_to_png(f'{svg}<text x="5" y="22" font-family="{_FONTS}">{sign}</text></svg>'))

    return drawn("国") != drawn("文")


def page_svg(issued: IssuedPass, *, issuer: Texts, chinese: bool) -> str:
    """The page as SVG, A4."""
    kind = mark_of(issued)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="{_FONTS}" fill="{_INK}"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(_both("Health pass", "健康通行凭证", chinese), y=64, size=20, weight=700),
        _text(_of(issuer, chinese), y=86, size=11, colour=_SOFT),
        _placed(issued.qr_svg(), x=_LEFT, y=104, side=230),
        f'<svg x="320" y="120" width="34" height="34" viewBox="0 0 10 10" fill="{_COLOURS[kind]}">',
        f"{_SHAPES[kind]}</svg>",
        _text(_level(issued, kind, chinese), x=364, y=146, size=22, weight=700, colour=_COLOURS[kind]),
    ]
    for number, (label, value) in enumerate(_facts(issued, chinese)):
        y = 186 + 38 * number
        parts += [_text(label, x=320, y=y, size=9, colour=_SOFT), _text(value, x=320, y=y + 15, size=12)]
    parts += _fold(chinese)
    y = 452
    for line, size, gap in _for_holder(issued, chinese):
        if y > HEIGHT - 60:
            break
        parts.append(_text(line, y=y, size=size, weight=700 if size > 10 else 400))
        y += gap
    note = "No name is on this page. A verifier sees issuer, level, rulebook, times and a random number."
    parts.append(_text(note, y=HEIGHT - 36, size=8, colour=_SOFT))
    return "".join(parts) + "</svg>"


def wallet_text(issued: IssuedPass, *, issuer: Texts) -> str:
    """A few lines of plain text with the code's text at the end; for a wallet or a note on the phone."""
    kind = mark_of(issued)
    return "\n".join(
        [
            f"Health pass · 健康通行凭证 · {_of(issuer, True)}",
            f"{_SIGNS[kind]} {_level(issued, kind, True)}",
            f"{_moment(issued, 'issued_at')} – {_moment(issued, 'expires_at')}",
            f"{issued.rulebook} {issued.version} · {issued.pass_id}",
            issued.text,
            "",
        ]
    )


def mark_of(issued: IssuedPass) -> str:
    """Shape of a level: its own word's where that is a usual one, else by its place in the level set."""
    marks = list(_SHAPES)
    return issued.level if issued.level in _SHAPES else marks[min(max(issued.severity, 0), 3)]


def _level(issued: IssuedPass, kind: str, chinese: bool) -> str:
    return _both(issued.level, _WORDS[kind] if kind == issued.level else "", chinese)


def _facts(issued: IssuedPass, chinese: bool) -> Iterator[tuple[str, str]]:
    yield _both("Valid from", "生效时间", chinese), _moment(issued, "issued_at")
    yield _both("Valid until", "有效期至", chinese), _moment(issued, "expires_at")
    yield _both("Rulebook", "规则手册", chinese), f"{issued.rulebook} {issued.version}"
    yield _both("Number of the pass", "凭证编号", chinese), issued.pass_id


def _fold(chinese: bool) -> list[str]:
    words = _both("Fold here: what is below is for you alone", "请沿此线折叠，以下内容仅供本人查看", chinese)
    line = f'<path d="M{_LEFT} 396H{WIDTH - _LEFT}" stroke="{_SOFT}" stroke-dasharray="4 4"/>'
    return [line, _text(words, y=412, size=9, colour=_SOFT)]


def _for_holder(issued: IssuedPass, chinese: bool) -> Iterator[tuple[str, int, int]]:
    """Lines below the fold: text, size and distance to the next, in points."""
    yield _both("Why this level", "为何是这一等级", chinese), 13, 20
    for reason in issued.reasons:
        yield from _wrapped(reason.texts, chinese, f"[{reason.rule_id}]")
    yield from _wrapped(issued.meaning, chinese, "")
    if issued.evidence_dates:
        yield _both("What it rests on", "依据", chinese), 13, 20
        for name, day in issued.evidence_dates:
            yield f"{name.replace('_', ' ')}: {day}", 10, 14
    yield "", 10, 10
    yield _both("Text of the code", "二维码文本", chinese), 13, 18
    # Cut by length, not at spaces: they belong to the text.
    for start in range(0, len(issued.text), _TEXT_A_LINE):
        yield issued.text[start : start + _TEXT_A_LINE], 8, 11


def _wrapped(texts: Texts, chinese: bool, after: str) -> Iterator[tuple[str, int, int]]:
    for line in textwrap.wrap(f"{texts.get('en', '')} {after}".strip(), _LATIN_A_LINE):
        yield line, 10, 14
    said = texts.get("zh", "") if chinese else ""
    for start in range(0, len(said), _CHINESE_A_LINE):
        yield said[start : start + _CHINESE_A_LINE], 10, 15
    yield "", 10, 10


def _both(english: str, chinese_text: str, chinese: bool) -> str:
    return f"{english} · {chinese_text}" if chinese and chinese_text else english


def _of(texts: Texts, chinese: bool) -> str:
    return _both(texts.get("en", ""), texts.get("zh", ""), chinese)


def _moment(issued: IssuedPass, name: str) -> str:
    return f"{getattr(issued, name):%Y-%m-%d %H:%M} UTC"


def _text(words: str, *, y: int, size: int, x: int = _LEFT, weight: int = 400, colour: str = _INK) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}" xml:space="preserve">'
        f"{escape(words)}</text>"
    )


def _placed(svg: str, *, x: int, y: int, side: int) -> str:
    """An SVG element that knows its own view box, at a place and in a size."""
    return re.sub("^<svg", f'<svg x="{x}" y="{y}" width="{side}" height="{side}"', svg, count=1)
