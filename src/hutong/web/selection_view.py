"""What a reader chose of a data set (area, weeks, version), as the address says it, and what the page shows for it.

The same parts of the address choose for the table, the curve, the files and the API; every query is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from hutong.errors import BadInput, LimitExceeded
from hutong.node import Node
from hutong.opening import queries
from hutong.opening.catalogue.catalogue import Dataset, Release
from hutong.opening.preview import Rows, Wanted, plain_row, preview
from hutong.opening.selection import Choices, choices, selected
from hutong.storage.kept import Kept
from hutong.web import dataset_view, released_figures
from hutong.web.charts import Figure
from hutong.web.findings import last_day
from hutong.web.i18n import N_, Language, Translations, translations
from hutong.web.released_figures import Area

SHOWN_ROWS = 20
NEWEST_WEEKS = (12, 52)
PLACE = "#rows"

_rows: Kept[tuple[int | None, Rows]] = Kept(64)
_choices: Kept[Choices] = Kept(64)


class Chosen(BaseModel):
    """The query of a data set's page."""

    model_config = ConfigDict(populate_by_name=True)
    version: str | None = Field(None, max_length=64)
    area: str = Field("", max_length=60)
    since: str = Field("", max_length=10, alias="from")
    until: str = Field("", max_length=10, alias="to")

    def pairs(self) -> dict[str, str]:
        """The choice, without the version, by its names in addresses."""
        given = {"area": self.area.strip(), "from": self.since, "to": self.until}
        return {name: value for name, value in given.items() if value}

    def wanted(self) -> Wanted:
        """The choice as a filter. ``BadInput`` for what is no day."""
        pairs = self.pairs()
        return Wanted(pairs.get("area"), _day(pairs.get("from")), _day(pairs.get("to")))


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # Files and API, which get the same text, read no other form of ISO 8601 (2026W09, 20260226).
    if day is None or day.isoformat() != text:
        raise BadInput("That is not a day.", "Write a day as YYYY-MM-DD.")
    return day


def newest_rows(node: Node, release: Release, wanted: Wanted) -> tuple[int | None, Rows]:
    """How many rows are wanted, and the newest of them; of too many the first of the file, and no number."""
    path = queries.release_file(node, release, "parquet")

    def read() -> tuple[int | None, Rows]:
        try:
            table = selected(path, wanted)
        except LimitExceeded:
            return None, preview(path, wanted, limit=SHOWN_ROWS)
        if "period_start" in table.column_names:
            table_rows = table.sort_by([("period_start", "descending")]).slice(0, SHOWN_ROWS).to_pylist()
        else:
            table_rows = table.slice(0, SHOWN_ROWS).to_pylist()
        return table.num_rows, Rows(tuple(table.column_names), tuple(map(plain_row, table_rows)), None)

    return _rows.get((path, release.sha256, wanted), read)


def counts_context(
    node: Node, found: Dataset, release: Release, chosen: Chosen, language: Language, *, is_current: bool
) -> dict[str, Any]:
    """What the page of open weekly counts shows for a choice: sentence, form, ways on, curve, files."""
    words = translations(language)
    wanted, pairs = chosen.wanted(), chosen.pairs()
    known = released_figures.areas(node)
    version = {} if is_current else {"version": release.version}
    ways = _Ways(pairs, version)
    area = _area_name(found, wanted, known, language)
    path = queries.release_file(node, release, "parquet")
    about = urlencode({"version": release.version, **pairs})
    return {
        "headline": _headline(
            released_figures.selected_series(node, release, wanted),
            area,
            released_figures.known_until(found, release),
            words,
        ),
        "figure": chosen_curve(node, found, release, chosen, language),
        "figure_about": f"/{language.code}/about/{found.name}/curve?{about}",
        "areas": _area_options(known, wanted.area, language, words),
        "kept": version,
        "badges": _badges(ways, wanted, area, words),
        "groups": _groups(
            _choices.get((path, release.sha256, wanted), lambda: choices(path, wanted)),
            released_figures.series(node, release)[-1][0],
            ways=ways,
            known=known,
            language=language,
        ),
        "selection_files": files(node, release, pairs),
        "names_note": released_figures.names_note(known.values(), language),
    }


def chosen_curve(node: Node, found: Dataset, release: Release, chosen: Chosen, language: Language) -> Figure | None:
    """The curve of the choice; None when nothing is published of it."""
    wanted = chosen.wanted()
    area = _area_name(found, wanted, released_figures.areas(node), language)
    return released_figures.selected_curve(node, found, release, wanted=wanted, area=area, language=language)


def _area_name(found: Dataset, wanted: Wanted, known: Mapping[str, Area], language: Language) -> str:
    """What the chosen area is called; without one, the territory of the data set."""
    if wanted.area:
        return _name(wanted.area, known, language)
    return found.territory.name.in_language(language.code) if found.territory else ""


def files(node: Node, release: Release, pairs: Mapping[str, str]) -> list[tuple[str, str]]:
    """Address and format of each file of a release, cut to the choice."""
    query = f"?{urlencode(pairs)}" if pairs else ""
    return [
        (dataset_view.local(node, file.url) + query, dataset_view.format_name(file.format))
        for file in release.distributions
        if file.url
    ]


class _Ways:
    """Addresses of this page with one part of the choice changed."""

    def __init__(self, pairs: Mapping[str, str], version: Mapping[str, str]) -> None:
        self._pairs, self._version = dict(pairs), dict(version)

    def toggled(self, **parts: str) -> tuple[str, bool]:
        """The address with these parts, or without them where they hold already; and whether they hold."""
        active = all(self._pairs.get(name) == value for name, value in parts.items())
        rest = {name: value for name, value in self._pairs.items() if name not in parts}
        query = urlencode({**self._version, **rest, **({} if active else parts)})
        return f"?{query}{PLACE}", active

    def without(self, name: str) -> str:
        """The address without a part."""
        query = urlencode({**self._version, **{key: value for key, value in self._pairs.items() if key != name}})
        return f"?{query}{PLACE}"


def _headline(weeks: list[tuple[date, int | None]], area: str, known_until: date | None, words: Translations) -> str:
    if not weeks:
        return words.gettext("%(area)s: nothing is published in these weeks") % {"area": area}
    cases = sum(count or 0 for _, count in weeks)
    return words.ngettext(
        "%(area)s: %(n)s case published, %(first)s to %(last)s",
        "%(area)s: %(n)s cases published, %(first)s to %(last)s",
        cases,
    ) % {
        "area": area,
        "n": words.number(cases),
        "first": words.date(weeks[0][0]),
        "last": words.date(last_day(weeks[-1][0], known_until)),
    }


def _badges(ways: _Ways, wanted: Wanted, area: str, words: Translations) -> list[tuple[str, str]]:
    badges = [(area, ways.without("area"))] if wanted.area else []
    if wanted.since:
        badges.append((words.gettext("from %(date)s") % {"date": words.date(wanted.since)}, ways.without("from")))
    if wanted.until:
        badges.append((words.gettext("until %(date)s") % {"date": words.date(wanted.until)}, ways.without("to")))
    return badges


def _groups(
    found: Choices, last: date, *, ways: _Ways, known: Mapping[str, Area], language: Language
) -> list[SimpleNamespace]:
    """Ways on: the areas inside with most cases, the years with most, the weeks up to the last."""
    words = translations(language)

    def choice(label: str, cases: int | None, **parts: str) -> SimpleNamespace:
        href, active = ways.toggled(**parts)
        return SimpleNamespace(label=label, count=cases, href=href, active=active)

    areas = [choice(_name(code, known, language, name), n, area=code) for code, name, n in found.areas]
    years = [choice(str(year), n, **{"from": f"{year}-01-01", "to": f"{year}-12-31"}) for year, n in found.years]
    newest = [
        choice(
            words.ngettext("%(n)s week", "%(n)s weeks", n) % {"n": n},
            None,
            **{"from": (last - timedelta(weeks=n - 1)).isoformat(), "to": last.isoformat()},
        )
        for n in NEWEST_WEEKS
    ]
    groups = ((N_("Most cases in"), areas), (N_("Years with most cases"), years), (N_("The newest"), newest))
    return [SimpleNamespace(label=words.gettext(label), choices=shown) for label, shown in groups if shown]


def _name(code: str, known: Mapping[str, Area], language: Language, otherwise: str = "") -> str:
    return known[code].name(language) if code in known else otherwise or code


def _area_options(
    known: Mapping[str, Area], chosen: str | None, language: Language, words: Translations
) -> list[tuple[str, str]]:
    """The country, its first-level areas, and what lies inside the one that is chosen or around it."""

    def within(parent: str | None) -> list[Area]:
        return sorted((a for a in known.values() if a.parent == parent), key=lambda a: a.name(language))

    at = known.get(chosen or "")
    opened = at.parent if at and at.level == "region2" else chosen
    options = [("", words.gettext("All areas"))]
    for country in (area for area in known.values() if area.level == "country"):
        options.append((country.code, country.name(language)))
        for region in within(country.code):
            options.append((region.code, region.name(language)))
            inside = within(region.code) if region.code == opened else []
            options += [(area.code, f"– {area.name(language)}") for area in inside]
    if chosen and chosen not in dict(options):
        options.append((chosen, _name(chosen, known, language)))
    return options
