"""Figures of a release: the epidemic curve, the hexagon map of incidence, the areas with most cases.

They are drawn from the release's file, never from the lake, so that a page shows what was published and nothing else.
A release never changes, so what was drawn once is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from hutong.errors import NotFound
from hutong.node import Node
from hutong.opening import queries
from hutong.opening.catalogue.catalogue import Dataset, Release
from hutong.opening.preview import Wanted
from hutong.opening.released_counts import AreaSum, ReleasedCounts, area_series, country_series, read_counts
from hutong.storage.kept import Kept
from hutong.web.charts import Basis, Column, Figure, bars, epidemic_curve, hexagon_map
from hutong.web.findings import Bar, HexagonValue, WeekCount, is_whole, weeks_shown
from hutong.web.hexagons import MapLabel
from hutong.web.i18n import Language, Translations, translations
from hutong.web.mosaic import Centre, middle, mosaic
from hutong.web.page_words import threshold_of

YEAR_WEEKS = 52
RECENT_WEEKS = 104
MOST_BARS = 12
MAP_LABELS = 4
LABELS_APART = 0.09
PER = 100_000
KINDS = ("curve", "recent", "map", "areas")

_kept: Kept[Figure | None] = Kept(128)
_series: Kept[list[tuple[date, int | None]]] = Kept(128)
# What readers choose is kept apart: choices without end would push out what every page shows.
_chosen: Kept[Figure | None] = Kept(64)
_chosen_series: Kept[list[tuple[date, int | None]]] = Kept(64)
_notes: Kept[str] = Kept(16)
_year: Kept[ReleasedCounts | None] = Kept(8)


@dataclass(frozen=True, slots=True)
class Area:
    """What the node knows of an area besides its cases. Degrees, WGS 84; None where it is not known."""

    code: str
    names: Mapping[str, str | None]
    level: str
    parent: str | None
    population: int | None
    latitude: float | None
    longitude: float | None

    def name(self, language: Language) -> str:
        order = ("name_zh", "name_en", "name_local") if language.code == "zh" else ("name_en", "name_local", "name_zh")
        return next((name for key in order if (name := self.names[key])), self.code)


def is_drawn(dataset: Dataset) -> bool:
    """Whether figures may be drawn of a data set: it is open to everyone, and of this node."""
    return dataset.grade == 0 and dataset.origin is None


def known_until(dataset: Dataset, release: Release) -> date | None:
    """The last day that a release can tell of: that on which its data are stated, else the end of its period."""
    return release.as_of or (dataset.temporal.end if dataset.temporal else None)


def series(node: Node, release: Release) -> list[tuple[date, int | None]]:
    """The country's weekly counts in a release, oldest first; empty when it holds none."""
    path = queries.release_file(node, release, "parquet")
    return _series.get(path, lambda: country_series(path))


def figure(node: Node, dataset: Dataset, release: Release, kind: str, language: Language) -> Figure | None:
    """One figure (``KINDS``) of a release in a language; None when the release has not what it needs."""
    path = queries.release_file(node, release, "parquet")
    return _kept.get((path, release.sha256, language.code, kind), lambda: _draw(node, dataset, release, kind, language))


def selected_series(node: Node, release: Release, wanted: Wanted) -> list[tuple[date, int | None]]:
    """The weekly counts of an area (or the country) within days; empty when the release lists none."""
    if wanted == Wanted():
        return series(node, release)
    path = queries.release_file(node, release, "parquet")
    return _chosen_series.get((path, wanted), lambda: area_series(path, wanted.area, wanted.since, wanted.until))


def selected_curve(
    node: Node, dataset: Dataset, release: Release, *, wanted: Wanted, area: str, language: Language
) -> Figure | None:
    """The curve of an area (called ``area``) within days; None when the release lists none."""
    if wanted == Wanted():
        return figure(node, dataset, release, "curve", language)

    def draw() -> Figure | None:
        words = translations(language)
        points = [WeekCount(week, count) for week, count in selected_series(node, release, wanted)]
        return _curve(points, _basis(node, dataset, release, language), words, area)

    path = queries.release_file(node, release, "parquet")
    return _chosen.get((path, release.sha256, language.code, wanted), draw)


def names_note(known: Iterable[Area], language: Language) -> str:
    """That areas without a name in the language of the page stand as the source writes them, where there are any."""
    without = [area for area in known if language.code == "zh" and not area.names["name_zh"]]
    return names_missing(language) if without else ""


def names_missing(language: Language) -> str:
    """The sentence that says so."""
    return translations(language).gettext(
        "Areas that the source gives no name in this language stand as it writes them."
    )


def figures_note(node: Node, release: Release, language: Language) -> str:
    """The same for the names that the figures of a release show."""
    path = queries.release_file(node, release, "parquet")
    return _notes.get((path, language.code), lambda: names_note(areas(node).values(), language))


def areas(node: Node) -> dict[str, Area]:
    """The areas that the node has acquired, down to the second level; none before there is a list of them."""
    try:
        table = node.engine.table("area")
    except NotFound:
        return {}
    names = ["name_en", "name_zh", "name_local"]
    more = ["area_code", "level", "parent_code", "population", "latitude", "longitude"]
    rows = node.engine.to_arrow(table.filter(table.level.isin(["country", "region1", "region2"])).select(*names, *more))
    return {
        row["area_code"]: Area(
            row["area_code"],
            {name: row[name] for name in names},
            row["level"],
            row["parent_code"],
            row["population"],
            row["latitude"],
            row["longitude"],
        )
        for row in rows.to_pylist()
    }


def _draw(node: Node, dataset: Dataset, release: Release, kind: str, language: Language) -> Figure | None:
    words = translations(language)
    basis = _basis(node, dataset, release, language)
    if kind in ("curve", "recent"):
        points = [WeekCount(week, count) for week, count in series(node, release)]
        return _curve(points if kind == "curve" else points[-RECENT_WEEKS:], basis, words)
    path = queries.release_file(node, release, "parquet")
    counts = _year.get(path, lambda: read_counts(path, latest_weeks=YEAR_WEEKS))
    if counts is None:
        return None
    known = {code: area for code, area in areas(node).items() if code.split("-")[0] == counts.root.split("-")[0]}
    whole = counts.including(
        {code: area.parent for code, area in known.items()}, {code: area.level for code, area in known.items()}
    )
    draw = _map if kind == "map" else _areas
    return draw(whole, known, basis, language, words)


def _basis(node: Node, dataset: Dataset, release: Release, language: Language) -> Basis:
    source = translations(language).gettext("%(title)s, version %(version)s") % {
        "title": dataset.title.in_language(language.code),
        "version": release.version,
    }
    return Basis(
        source,
        release.issued or node.clock(),
        threshold_of(release.suppression),
        known_until(dataset, release),
    )


def _curve(points: list[WeekCount], basis: Basis, words: Translations, area: str = "") -> Figure | None:
    if not points:
        return None
    description = weeks_shown(points, area, basis.known_until, words)
    return epidemic_curve(points, description=description, basis=basis, words=words)


def _span(counts: ReleasedCounts, known_until: date | None, words: Translations) -> str:
    weeks = words.ngettext("the %(n)s week from %(first)s", "the %(n)s weeks from %(first)s", len(counts.weeks)) % {
        "n": words.number(len(counts.weeks)),
        "first": words.date(counts.weeks[0]),
    }
    if is_whole(counts.weeks[-1], known_until):
        return weeks
    return words.gettext("%(weeks)s, the last of them incomplete") % {"weeks": weeks}


def _rate(area: AreaSum, population: int) -> float | None:
    return None if area.count is None else PER * area.count / population


def _map(
    counts: ReleasedCounts, known: Mapping[str, Area], basis: Basis, language: Language, words: Translations
) -> Figure | None:
    """Incidence of the first-level areas, painted on the hexagons where their places lie; None without residents."""
    regions = {code: area for code, area in known.items() if area.level == "region1" and area.population}
    sums = [area for area in counts.sums("region1") if area.code in regions]
    tiles = mosaic(_centres(known, regions))
    if not sums or not tiles:
        return None
    rates = {area.code: _rate(area, regions[area.code].population or 1) for area in sums}
    cells = [HexagonValue(cell, rates.get(code)) for cell, code in sorted(tiles.items())]
    ranked = sorted(sums, key=lambda area: (rates[area.code] is None, -(rates[area.code] or 0), area.code))
    names = [(area.code, known[area.code].name(language)) for area in ranked if rates[area.code]]
    drawn = hexagon_map(
        cells,
        description=words.gettext(
            "Published cases per 100,000 residents in %(span)s. Each hexagon has the colour of the area around it."
        )
        % {"span": _span(counts, basis.known_until, words)},
        unit=words.gettext("Cases per 100,000 residents"),
        basis=basis,
        words=words,
        labels=_map_labels(names, tiles),
        title=_map_title(ranked, rates, known, language, words),
    )
    return replace(
        drawn,
        columns=(
            Column(words.gettext("Area")),
            Column(words.gettext("Cases published"), numeric=True),
            Column(words.gettext("Weeks withheld"), numeric=True),
            Column(words.gettext("Per 100,000 residents"), numeric=True),
        ),
        rows=tuple(
            (
                known[area.code].name(language),
                None if area.count is None else words.number(area.count),
                words.number(area.withheld_weeks),
                None if rates[area.code] is None else words.number(rates[area.code] or 0),
            )
            for area in ranked
        ),
        suppression=_withheld_note(sums, len(counts.weeks), words),
        table_note=_at_least(words),
    )


def _map_labels(names: list[tuple[str, str]], tiles: Mapping[str, str]) -> list[MapLabel]:
    """Names of the areas hit hardest, in the middle of their hexagons; none so near another that they touch."""
    middles = {code: middle([cell for cell, owner in tiles.items() if owner == code]) for code in set(tiles.values())}
    latitudes = [latitude for latitude, _ in middles.values()]
    apart = LABELS_APART * (max(latitudes) - min(latitudes))
    labels: list[MapLabel] = []
    for code, name in names:
        if code in middles and all(abs(middles[code][0] - label.latitude) >= apart for label in labels):
            labels.append(MapLabel(name, *middles[code]))
    return labels[:MAP_LABELS]


def _at_least(words: Translations) -> str:
    return words.gettext("Where weeks are withheld the true number is higher than the published one.")


def _withheld_note(sums: list[AreaSum], weeks: int, words: Translations) -> str:
    hidden = sum(area.count is None for area in sums)
    withheld = sum(area.withheld_weeks for area in sums)
    return words.gettext(
        "%(withheld)s of %(all)s weekly numbers of these areas; their published places are counted instead. %(hidden)s "
        "of %(areas)s areas have nothing published and are hollow, not zero."
    ) % {
        "withheld": words.number(withheld),
        "all": words.number(weeks * len(sums)),
        "hidden": words.number(hidden),
        "areas": words.number(len(sums)),
    }


def _map_title(
    ranked: list[AreaSum],
    rates: Mapping[str, float | None],
    known: Mapping[str, Area],
    language: Language,
    words: Translations,
) -> str:
    highest = ranked[0]
    if not rates[highest.code]:
        return words.gettext("Where the cases are")
    return words.gettext("%(area)s was hit hardest: %(rate)s cases per 100,000 residents") % {
        "area": words.before_words(known[highest.code].name(language)),
        "rate": words.number(round(rates[highest.code] or 0)),
    }


def _centres(known: Mapping[str, Area], regions: Mapping[str, Area]) -> list[Centre]:
    """Points of each region: its second-level areas where they have a place, else its own centre."""
    inner = [
        Centre(area.parent or "", area.latitude, area.longitude)
        for area in known.values()
        if area.level == "region2"
        and area.parent in regions
        and area.latitude is not None
        and area.longitude is not None
    ]
    have = {centre.area for centre in inner}
    own = [
        Centre(area.code, area.latitude, area.longitude)
        for area in regions.values()
        if area.code not in have and area.latitude is not None and area.longitude is not None
    ]
    return inner + own


def _areas(
    counts: ReleasedCounts, known: Mapping[str, Area], basis: Basis, language: Language, words: Translations
) -> Figure | None:
    """The second-level areas (or, without them, the first-level ones) with most published cases."""
    level = "region2" if "region2" in counts.levels.values() else "region1"
    sums = [area for area in counts.sums(level) if area.known][:MOST_BARS]
    if not sums:
        return None
    labels = _labels([area.code for area in sums], counts, known, language, words)
    short = _told_apart({area.code: _name(area.code, counts, known, language) for area in sums})
    total, held = sum(area.known for area in sums), sum(area.withheld_weeks for area in sums)
    everything = sum(count or 0 for _, count in counts.country())
    draw = partial(
        bars,
        title=words.ngettext(
            "%(share)s of the published cases were in %(n)s place",
            "%(share)s of the published cases were in %(n)s places",
            len(sums),
        )
        % {"share": words.percent(min(1.0, total / max(1, everything, total))), "n": words.number(len(sums))},
        description=words.gettext("Published cases by area of residence in %(span)s.")
        % {"span": _span(counts, basis.known_until, words)},
        heading=words.gettext("Area"),
        unit=words.gettext("Cases published"),
        basis=basis,
        words=words,
    )
    return replace(
        draw([Bar(labels[area.code], area.known) for area in sums]),
        # A phone has no room for the area above; the table has it.
        svg_narrow=draw([Bar(short[area.code], area.known) for area in sums]).svg_narrow,
        suppression=words.gettext("%(withheld)s of %(all)s weekly numbers of these areas.")
        % {"withheld": words.number(held), "all": words.number(len(sums) * len(counts.weeks))},
        table_note=_at_least(words),
    )


def _labels(
    codes: list[str], counts: ReleasedCounts, known: Mapping[str, Area], language: Language, words: Translations
) -> dict[str, str]:
    """Names of areas; a second-level one with the area above it, since many share a name."""
    full = {}
    for code in codes:
        parent = counts.parents[code] if counts.levels.get(code) == "region2" else None
        full[code] = _name(code, counts, known, language)
        if parent is not None:
            around = _name(parent, counts, known, language)
            full[code] = words.gettext("%(area)s, %(around)s") % {"area": full[code], "around": around}
    return _told_apart(full)


def _name(code: str, counts: ReleasedCounts, known: Mapping[str, Area], language: Language) -> str:
    return known[code].name(language) if code in known else counts.names.get(code, code)


def _told_apart(names: dict[str, str]) -> dict[str, str]:
    """With the code behind a name that several areas have."""
    every = list(names.values())
    return {code: name if every.count(name) == 1 else f"{name} ({code})" for code, name in names.items()}
