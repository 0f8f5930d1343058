"""Vega-Lite specifications of the charts: plain dictionaries, each layer with its own few rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from hutong.web.findings import Bar, HexagonValue, WeekCount
from hutong.web.hexagons import MapLabel, fitted
from hutong.web.i18n import Translations
from hutong.web.scales import class_breaks, class_of, count_ticks, time_ticks
from hutong.web.vega import ACCENT, INK, LEVELS, RULE, SEQUENCE, SOFT

MAP_PX: Final = 500
MOST_BARS: Final = 160
NOTHING: Final = "#f4f6f6"
"""Fill of a hexagon without a case."""
HOLLOW: Final = {"stroke": SOFT, "strokeWidth": 1, "strokeDash": [2, 2], "fill": None}
# In a long series a dash would be longer than a week.
FINE_HOLLOW: Final = {"stroke": "#87949a", "strokeWidth": 0.5, "fill": None}


def shown(value: float | None, words: Translations) -> str | None:
    """A number ready to show; None stays None, which says withheld."""
    return None if value is None else words.number(value)


def _layer(values: Sequence[object], mark: dict[str, Any], **encoding: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"values": list(values)}, "mark": mark, "encoding": encoding}


def _pixels(**places: float) -> dict[str, dict[str, Any]]:
    return {name: {"value": place} for name, place in places.items()}


def _labelled(ticks: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Axis settings for ticks whose labels Babel wrote."""
    labels = json.dumps({f"{place:.3f}": label for place, label in ticks})
    return {"values": [place for place, _ in ticks], "labelExpr": f"({labels})[format(datum.value, '.3f')]"}


def curve_spec(
    points: Sequence[WeekCount], words: Translations, width: int, height: int, most_ticks: int
) -> dict[str, Any]:
    """Bars (or, for a long series, a stepped area) of weekly counts over a baseline, withheld weeks hollow."""
    first = points[0].week
    weeks = [((point.week - first).days / 7, point.count) for point in points]
    end = weeks[-1][0] + 1
    ticks = count_ticks(max((count or 0 for _, count in weeks), default=0), words)
    x_scale = {"domain": [0, end], "nice": False, "zero": False}
    y_scale = {"domain": [0, ticks[-1][0]], "nice": False}
    time_axis = {**_labelled(time_ticks(first, end, most_ticks, words)), "grid": False, "labelFlush": True}
    x = {"field": "x", "type": "quantitative", "scale": x_scale, "axis": time_axis}
    y = {"field": "y", "type": "quantitative", "scale": y_scale, "axis": _labelled(ticks)}
    gap = 0.12 if width / end > 3 else 0
    if len(points) <= MOST_BARS:
        drawn = [{"x": at + gap, "x2": at + 1 - gap, "y": n} for at, n in weeks if n is not None]
        counted = _layer(drawn, {"type": "rect"}, x=x, x2={"field": "x2"}, y=y, y2={"datum": 0})
    else:
        steps = [{"x": at, "y": n} for at, n in weeks]
        area = {
            "type": "area",
            "interpolate": "step-after",
            "fill": ACCENT,
            "line": False,
            "invalid": "break-paths-show-domains",
        }
        counted = _layer(steps, area, x=x, y=y)
    baseline = _layer(
        [{}], {"type": "rule", "stroke": INK}, x={"value": 0}, x2={"value": "width"}, **_pixels(y=height, y2=height)
    )
    hollow = [{"x": a + gap, "x2": b - gap} for a, b in withheld_runs(weeks, merge=len(points) > MOST_BARS)]
    layers = [counted, baseline]
    if hollow:
        mark = {"type": "rect", **(HOLLOW if len(points) <= MOST_BARS else FINE_HOLLOW)}
        marks = _layer(hollow, mark, x=x, x2={"field": "x2"}, **_pixels(y=height - 9, y2=height))
        layers += [marks, *_hollow_legend(words, 0, -20)]
    return {
        "autosize": {"type": "fit-x", "contains": "padding"},
        "width": width,
        "height": height,
        "padding": {"left": 0, "top": 6, "right": 4, "bottom": 0},
        "layer": layers,
    }


def withheld_runs(weeks: Sequence[tuple[float, int | None]], *, merge: bool) -> list[tuple[float, float]]:
    """Spans of withheld weeks, in weeks from the first: one for each week, or joined where they follow each other."""
    hidden = [at for at, count in weeks if count is None]
    if not merge:
        return [(at, at + 1) for at in hidden]
    runs = [[at for _, at in run] for _, run in groupby(enumerate(hidden), key=lambda pair: pair[1] - pair[0])]
    return [(run[0], run[-1] + 1) for run in runs]


def _hollow_legend(words: Translations, left: float, top: float) -> list[dict[str, Any]]:
    text = {"type": "text", "align": "left", "baseline": "middle", "fontSize": 12.5, "fill": SOFT}
    return [
        _layer([{}], {"type": "rect", **HOLLOW}, **_pixels(x=left, x2=left + 11, y=top, y2=top + 9)),
        _layer(
            [{"says": words.gettext("withheld")}],
            text,
            text={"field": "says"},
            **_pixels(x=left + 17, y=top + 5),
        ),
    ]


def map_spec(
    cells: Sequence[HexagonValue], labels: Sequence[MapLabel], unit: str, words: Translations
) -> dict[str, Any]:
    """Hexagons by class, place names with a halo, and a legend of class limits below."""
    outline, places = fitted([cell.cell for cell in cells], labels, MAP_PX)
    height = max(y for ring in outline for _, y in ring)
    breaks = class_breaks([cell.value for cell in cells if cell.value], len(SEQUENCE))
    classes: dict[str, list[dict[str, Any]]] = {"none": [], "withheld": [], **{str(i): [] for i in range(len(breaks))}}
    for cell, ring in zip(cells, outline, strict=True):
        shape = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}}
        kind = "withheld" if cell.value is None else "none" if cell.value == 0 else str(class_of(cell.value, breaks))
        classes[kind].append(shape)
    colours = [SEQUENCE[round(i * (len(SEQUENCE) - 1) / max(1, len(breaks) - 1))] for i in range(len(breaks))]
    identity = {"type": "identity", "scale": 1, "translate": [0, 0]}
    layers = []
    for kind, shapes in classes.items():
        paint: dict[str, Any] = {"fill": NOTHING, "stroke": RULE, "strokeWidth": 0.7}
        if kind == "withheld":
            paint = HOLLOW
        elif kind != "none":
            paint = {"fill": colours[int(kind)], "stroke": "#ffffff", "strokeWidth": 0.7}
        if shapes:
            layers.append({**_layer(shapes, {"type": "geoshape", **paint}), "projection": identity})
    layers += _map_labels(labels, places, height)
    limits = (
        [(0.0, NOTHING), *zip(breaks, colours, strict=True)] if classes["none"] else zip(breaks, colours, strict=True)
    )
    layers += _map_legend(list(limits), unit, height + 26, words, withheld=bool(classes["withheld"]))
    return {"width": MAP_PX, "height": height + 64, "padding": 2, "layer": layers}


def _map_labels(
    labels: Sequence[MapLabel], places: Sequence[tuple[float, float]], height: float
) -> list[dict[str, Any]]:
    inside = [
        (label, place)
        for label, place in zip(labels, places, strict=True)
        if 0 <= place[0] <= MAP_PX and 0 <= place[1] <= height
    ]
    names = [{"says": label.text, "x": x, "y": y} for label, (x, y) in inside]
    axes = {axis: {"field": axis, "type": "quantitative", "scale": None, "axis": None} for axis in ("x", "y")}
    halo = {"type": "text", "fontSize": 14, "fontWeight": 600, "fill": "#ffffff", "stroke": "#ffffff", "strokeWidth": 4}
    name = {"type": "text", "fontSize": 14, "fontWeight": 600, "fill": "#000000"}
    return [_layer(names, mark, text={"field": "says"}, **axes) for mark in (halo, name) if names]


def _map_legend(
    limits: Sequence[tuple[float, str]], unit: str, top: float, words: Translations, *, withheld: bool
) -> list[dict[str, Any]]:
    """A swatch for each class that is drawn, with its lowest value; the class of zero has the edge of its hexagons."""
    text = {"type": "text", "fontSize": 12.5, "fill": SOFT, "baseline": "top"}
    step = 52
    layers = [
        _layer(
            [{"says": unit}], {**text, "align": "left", "fill": INK}, text={"field": "says"}, **_pixels(x=0, y=top - 18)
        )
    ]
    for place, (least, colour) in enumerate(limits):
        edge = {"stroke": RULE, "strokeWidth": 0.7} if colour == NOTHING else {}
        swatch = {"type": "rect", "fill": colour, **edge}
        layers.append(_layer([{}], swatch, **_pixels(x=place * step, x2=(place + 1) * step, y=top, y2=top + 11)))
        says = [{"says": words.number(least)}]
        layers.append(
            _layer(says, {**text, "align": "left"}, text={"field": "says"}, **_pixels(x=place * step, y=top + 16))
        )
    if withheld:
        layers += _hollow_legend(words, len(limits) * step + 24, top + 1)
    return layers


LINE_PX = 16
"""Height of a line where a label has several."""


def text_px(text: str) -> float:
    """About how wide a label is at 13.5 px: Chinese characters are square, Latin ones half as wide."""
    return sum(13.5 if ord(character) > 0x2E7F else 7.3 for character in text)


def bars_spec(values: Sequence[Bar], words: Translations, width: int, label_px: int) -> dict[str, Any]:
    """Horizontal bars with their values at the end."""
    rows = [
        {"label": bar.label, "value": bar.value or 0, "says": shown(bar.value, words) or words.gettext("withheld")}
        for bar in values
    ]
    most = max((bar.value or 0 for bar in values), default=0) or 1
    longest_px = label_px - 12
    label_px = min(label_px, max(round(text_px(bar.label)) for bar in values) + 12)
    plot = width - label_px
    named = _named({bar.label: shortened(bar.label, longest_px) for bar in values})
    axis = {"labelLimit": 0, "minExtent": label_px, "labelColor": INK, "labelFontSize": 13.5, **named}
    y = {"field": "label", "type": "nominal", "sort": None, "axis": axis, "scale": {"paddingInner": 0.35}}
    scale = {"domain": [0, most], "nice": False, "range": [0, plot - 70]}
    x = {"field": "value", "type": "quantitative", "scale": scale, "axis": None}
    known = [row for row, bar in zip(rows, values, strict=True) if bar.value is not None]
    hidden = [row for row, bar in zip(rows, values, strict=True) if bar.value is None]
    says = {"type": "text", "align": "left", "dx": 6, "fontSize": 13, "fill": INK}
    layers = [_layer(known, {"type": "bar"}, x=x, y=y), _layer(known, says, x=x, y=y, text={"field": "says"})]
    if hidden:
        layers.append(_layer(hidden, {"type": "bar", **HOLLOW}, y=y, **_pixels(x=0, x2=16)))
        layers.append(_layer(hidden, {**says, "fill": SOFT}, y=y, text={"field": "says"}, **_pixels(x=16)))
    return {
        "width": plot,
        "height": {"step": 30},
        "padding": {"left": 0, "top": 4, "right": 4, "bottom": 0},
        "layer": layers,
    }


def shortened(text: str, most_px: float) -> str:
    """A label cut to a width; what follows its last dot, which tells it from its neighbours, stays."""
    if text_px(text) <= most_px:
        return text
    head, dot, tail = text.rpartition(" · ") if " · " in text else (text, "", "")
    while len(head) > 1 and text_px(f"{head}…{dot}{tail}") > most_px:
        head = head[:-1]
    return f"{head.rstrip()}…{dot}{tail}"


def in_lines(text: str, most_px: float, most: int) -> list[str]:
    """A label in at most so many lines of a width; the last one is cut as :func:`shortened` does.

    Words and what stands in brackets stay together where they fit.
    """
    lines: list[str] = []
    while len(lines) < most - 1 and text_px(text) > most_px:
        fits = max((n for n in range(1, len(text)) if text_px(text[:n]) <= most_px), default=1)
        words, bracket = text.rfind(" ", 1, fits + 1), max(text.rfind(mark, 1, fits) for mark in "（(")
        cut = bracket if bracket > 0 else words if words > 0 else fits
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, shortened(text, most_px)]


def _named(labels: Mapping[str, str | list[str]]) -> dict[str, str]:
    """Axis settings for names that were made to fit: the renderer takes letters for wider than they are."""
    return {"labelExpr": f"({json.dumps(labels)})[datum.value]"}


def matrix_spec(
    grid: Sequence[dict[str, str]], rows: Sequence[str], columns: Sequence[str], *, step_px: int, label_px: int
) -> dict[str, Any]:
    """A grid of shapes with their words: a column is ``step_px`` wide, the label of a row at most ``label_px``."""
    sides = {row: in_lines(row, label_px, 2) for row in rows}
    heads = {column: in_lines(column, step_px - 8, 3) for column in columns}
    # The renderer begins at a label's place and goes down: labels of several lines begin as much higher.
    most_side, most_head = (max(map(len, broken.values())) - 1 for broken in (sides, heads))
    axis = {"labelColor": INK, "labelLimit": 0, "labelLineHeight": LINE_PX}
    side = {"labelOffset": -most_side * LINE_PX / 2, **_named(sides)}
    head = {"orient": "top", "labelAngle": 0, "labelPadding": 4 + most_head * LINE_PX, **_named(heads)}
    y = {"field": "row", "type": "nominal", "sort": list(rows), "axis": {**axis, **side}}
    x = {"field": "column", "type": "nominal", "sort": list(columns), "axis": {**axis, **head}}
    shapes = {"accepted": "circle", "refused": "square", "unknown": "diamond"}
    layers = [_layer(grid, {"type": "rect", "fill": "#f4f6f6", "stroke": "#ffffff", "strokeWidth": 4}, x=x, y=y)]
    for kind, shape in shapes.items():
        found = [cell for cell in grid if cell["kind"] == kind]
        point = {
            "type": "point",
            "shape": shape,
            "filled": True,
            "size": 90,
            "fill": LEVELS[kind],
            "dy": -9,
            "yOffset": -9,
            "opacity": 1,
        }
        text = {"type": "text", "dy": 11, "fill": LEVELS[kind], "fontWeight": 600}
        if found:
            layers += [_layer(found, point, x=x, y=y), _layer(found, text, x=x, y=y, text={"field": "says"})]
    widest = max(text_px(line) for broken in sides.values() for line in broken)
    return {
        # What the renderer measures is too wide: the room for the labels is what they need.
        "autosize": {"type": "none"},
        "padding": {"left": round(widest) + 14, "top": (most_head + 1) * LINE_PX + 8, "right": 0, "bottom": 0},
        "width": step_px * len(columns),
        "height": 56 * len(rows),
        "layer": layers,
    }
