"""Vega-Lite to small SVG: the theme of the pages, one call to the renderer, and what a page doesn't need taken out.

Colours are those of ``static/hutong.css``; the style sheet repaints them for dark mode by their exact value.
"""

from __future__ import annotations

import re
from typing import Any, Final
from xml.etree import ElementTree as ET

from hutong.errors import LimitExceeded, Unavailable

INK: Final = "#1b1f23"
SOFT: Final = "#4f5a60"
RULE: Final = "#d9dfe0"
ACCENT: Final = "#0b5c6b"
LEVELS: Final = {"accepted": "#24693a", "refused": "#a3262c", "unknown": "#4f5a60"}
# One hue, evenly darker: told apart by lightness alone, so by every kind of colour vision and in grey print.
SEQUENCE: Final = ("#d5e9ea", "#9fcdd1", "#5fa8b1", "#2a7f8e", "#0b5c6b", "#063944")
FONT: Final = (
    "-apple-system,'Segoe UI','Source Sans 3','Noto Sans SC','Noto Sans CJK SC','PingFang SC',"
    "'Microsoft YaHei',Roboto,Arial,sans-serif"
)
VEGALITE: Final = "6.4"
MOST_MARKS: Final = 20_000
SVG_NAMESPACE: Final = "http://www.w3.org/2000/svg"

_KEPT: Final = re.compile(
    r"viewBox|d|[xy]\d?|dx|dy|width|height|r|fill|stroke.*|transform|text-anchor|font-(size|weight|family)|opacity"
)
_DEFAULTS: Final = {("stroke-width", "1"), ("opacity", "1"), ("x2", "0"), ("y2", "0"), ("fill-opacity", "1")}
_NUMBER: Final = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_POINT: Final = re.compile(r"([ML])(-?[\d.]+),(-?[\d.]+)|(Z)")


def theme() -> dict[str, Any]:
    """Vega-Lite ``config`` of every chart."""
    axis = {
        "domain": False,
        "ticks": False,
        "gridColor": RULE,
        "labelColor": SOFT,
        "labelFontSize": 13,
        "labelPadding": 7,
        "title": None,
    }
    return {
        "font": FONT,
        "background": None,
        "view": {"stroke": None},
        "axis": axis,
        "text": {"fontSize": 13, "fill": INK},
        "bar": {"fill": ACCENT},
        "rect": {"fill": ACCENT},
    }


def svg(spec: dict[str, Any], name: str = "") -> str:
    """One chart as SVG without fonts, ids or styles; ``name`` becomes its class ("wide", "narrow").

    Raises LimitExceeded for more marks than a page can carry, Unavailable when the renderer isn't installed.
    """
    marks = sum(len(layer.get("data", {}).get("values", ())) for layer in spec.get("layer", ()))
    if marks > MOST_MARKS:
        raise LimitExceeded(f"A chart of {marks} marks is too large.", "Choose a shorter period or larger areas.")
    try:
        import vl_convert
    except ImportError as absent:
        raise Unavailable("The chart renderer is not installed.", "Install vl-convert-python.") from absent
    return shrink(vl_convert.vegalite_to_svg({"config": theme(), **spec}, vl_version=VEGALITE), name)


def shrink(text: str, name: str = "") -> str:
    """The same picture in fewer bytes: no roles, no empty groups, one decimal, equal neighbours merged."""
    ET.register_namespace("", SVG_NAMESPACE)
    root = ET.fromstring(text)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    _clean(root)
    for path in root.iter(f"{{{SVG_NAMESPACE}}}path"):
        path.set("d", _relative(path.get("d", "")))
    root.set("font-family", FONT)
    if name:
        root.set("class", name)
    return ET.tostring(root, encoding="unicode")


def _clean(node: ET.Element) -> None:
    for child in list(node):
        _clean(child)
        if _is_empty(child):
            node.remove(child)
        elif child.tag.endswith("}g") and not child.attrib:
            place = list(node).index(child)
            node.remove(child)
            for offset, grandchild in enumerate(list(child)):
                node.insert(place + offset, grandchild)
    _merge_neighbours(node)
    for key, value in list(node.attrib.items()):
        if not _KEPT.fullmatch(key) or (key, value) in _DEFAULTS or key == "font-family":
            del node.attrib[key]
        else:
            node.set(key, value if key in ("viewBox", "fill", "stroke") else _rounded(value))
    if node.get("transform") == "translate(0,0)":
        del node.attrib["transform"]


def _is_empty(node: ET.Element) -> bool:
    kind = node.tag.rpartition("}")[2]
    if node.get("opacity") == "0":
        return True
    if kind == "path":
        unpainted = node.get("fill", "none") in ("none", "transparent") and "stroke" not in node.attrib
        return node.get("display") == "none" or not node.get("d") or unpainted
    if kind == "text":
        return not "".join(node.itertext()).strip()
    return kind == "g" and not len(node)


def _merge_neighbours(node: ET.Element) -> None:
    """Join sibling paths that look alike into one path."""
    previous: ET.Element | None = None
    for child in list(node):
        if child.tag.endswith("}path") and previous is not None:
            same = {k: v for k, v in child.attrib.items() if k != "d"}
            if same == {k: v for k, v in previous.attrib.items() if k != "d"}:
                previous.set("d", previous.get("d", "") + child.get("d", ""))
                node.remove(child)
                continue
        previous = child if child.tag.endswith("}path") else None


def _rounded(value: str) -> str:
    return _NUMBER.sub(lambda match: _short(round(float(match.group()), 1)), value)


def _short(value: float) -> str:
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text in ("0", "-0") else text.replace("0.", ".", 1) if abs(value) < 1 else text


def _relative(path: str) -> str:
    """Polygons (M, L and Z only) with relative points, which are shorter; any other path as it is."""
    if _POINT.sub("", path):
        return path
    parts: list[str] = []
    at = start = (0.0, 0.0)
    for command, x, y, closed in _POINT.findall(path):
        if closed:
            parts.append("z")
            at = start
            continue
        point = (float(x), float(y))
        dx, dy = _short(round(point[0] - at[0], 1)), _short(round(point[1] - at[1], 1))
        parts.append(f"{command.lower()}{dx}{'' if dy.startswith('-') else ' '}{dy}")
        at = point
        start = point if command == "M" else start
    return "".join(parts)
