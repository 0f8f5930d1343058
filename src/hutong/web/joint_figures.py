"""Figures of a hub: the weekly series of each region under one definition."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from hutong.errors import NotFound
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.sharing import queries as sharing
from hutong.sharing.joint_series import JointSeries, JointSource
from hutong.storage.kept import Kept
from hutong.web.charts import Basis, Figure, epidemic_curve
from hutong.web.findings import WeekCount, weeks_shown
from hutong.web.i18n import Language, translations

LEVEL = "country"
_kept: Kept[Figure | None] = Kept(64)


def joint(node: Node) -> JointSeries | None:
    """The joint series, if there is one yet."""
    try:
        return sharing.joint_series(node)
    except NotFound:
        return None


def curve(node: Node, series: JointSeries, source: JointSource, language: Language) -> Figure | None:
    """The weekly series of one region's dataset in the joint series; None when it has no number for the country."""
    key = (node.settings.folder, series.joined_at, source.party, source.dataset, language.code)
    return _kept.get(key, lambda: _draw(node, series, source, language))


def curves(node: Node, language: Language) -> list[dict[str, Any]]:
    """A curve for each region: id, figure, and address of "About this number"."""
    series = joint(node)
    if series is None:
        return []
    drawn = []
    for source in series.sources:
        figure = curve(node, series, source, language)
        if figure is not None:
            name = f"{source.party}--{source.dataset}"
            about = f"/{language.code}/about/{name}/joint"
            drawn.append(
                {
                    "id": f"joint-{name}",
                    "figure": figure,
                    "about": about,
                    "party": party_name(node, source.party, language),
                }
            )
    return drawn


def party_name(node: Node, party: str, language: Language) -> str:
    """A party as the trust list calls it; its id when it is not listed."""
    for known in governance.parties(node):
        if known.id == party:
            return str(known.name.get(language.code) or known.name.get("en") or party)
    return party


def _known_until(node: Node, series: JointSeries, source: JointSource) -> date:
    """The day on which the region's data are stated, as its catalogue says; without it, that of the joining."""
    for entry in sharing.harvested(node, party=source.party):
        for release in entry.dataset.releases if entry.dataset.id == source.dataset else ():
            if release.version == source.version and release.as_of:
                return release.as_of
    return series.joined_at.date()


def _draw(node: Node, series: JointSeries, source: JointSource, language: Language) -> Figure | None:
    words = translations(language)
    counts = sharing.joint_counts(node, sharing.CountFilter(party=source.party, level=LEVEL))
    points = [WeekCount(row.period_start, row.value) for row in counts if row.dataset == source.dataset]
    if not points:
        return None
    basis = words.gettext("%(dataset)s of %(party)s, version %(version)s") % {
        "dataset": source.dataset,
        "party": source.party,
        "version": source.version,
    }
    until = _known_until(node, series, source)
    based = Basis(basis, series.joined_at, known_until=until)
    description = weeks_shown(points, party_name(node, source.party, language), until, words)
    drawn = epidemic_curve(points, description=description, basis=based, words=words)
    withheld = sum(point.count is None for point in points)
    if not withheld:
        note = words.gettext("None of these weeks.")
    else:
        note = words.ngettext(
            "%(n)s of %(all)s week, by the publisher. Drawn hollow, not as zero.",
            "%(n)s of %(all)s weeks, by the publisher. Drawn hollow, not as zero.",
            len(points),
        ) % {"n": words.number(withheld), "all": words.number(len(points))}
    return replace(drawn, suppression=note)
