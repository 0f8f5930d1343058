"""Pages: one dataset and its versions, and what each of its numbers is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from hutong.acquisition import queries as acquisition
from hutong.acquisition.quality import QualityReport, RuleResult
from hutong.errors import BadInput, NotFound
from hutong.node import Node
from hutong.opening import queries as opening
from hutong.opening.catalogue.catalogue import Dataset, Release
from hutong.opening.catalogue.schema_org import dataset_page
from hutong.opening.preview import Wanted, preview
from hutong.sharing import catalogue as shown
from hutong.trust.authorisation import Actor, Resource
from hutong.web import dataset_view, joint_figures, page_words, released_figures
from hutong.web.charts import Column
from hutong.web.doors import CurrentNode
from hutong.web.i18n import Language, Translations
from hutong.web.portal.page import PageActor, PageLanguage, page, words_of
from hutong.web.proofs import Proof, proof_of_release

router = APIRouter()

PREVIEW_ROWS = 20
NAME = Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,119}$")
MOST_REASONS = 12


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a release as far as this reader may see them, or why not."""

    table: tuple[list[Column], list[list[str | None]]] | None
    why_not: str = ""


@router.get("/{language}/datasets/{name}", response_class=HTMLResponse)
def dataset(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    name: Annotated[str, NAME],
    version: Annotated[str | None, Query(max_length=64)] = None,
    area: Annotated[str, Query(max_length=60)] = "",
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(alias="to", max_length=10)] = "",
) -> HTMLResponse:
    words = words_of(language)
    found = shown.dataset(node, name)
    release = _version(found, version)
    wanted = {key: value for key, value in (("area", area.strip()), ("from", since), ("to", until)) if value}
    context: dict[str, Any] = {
        "dataset": found,
        "title": found.title.in_language(language.code),
        "description": found.description.in_language(language.code),
        "facts": dataset_view.facts(node, found, language),
        "grade": page_words.grade_label(found.grade, words),
        "grade_meaning": page_words.grade_meaning(found.grade, words),
        "release": release,
        "current": found.current,
        "versions": dataset_view.versions(found, release, language) if release else [],
        "files": dataset_view.files(node, release, words) if release else [],
        "may_request": found.grade == 2,
        "json_ld": dataset_page(found, shown.catalogue(node), language.code),
        "machine": f"/datasets/{found.name}",
        "quality_word": page_words.quality_label(
            release.quality.label if release and release.quality else "unknown", words
        ),
        "wanted": wanted,
    }
    if release:
        url = f"{found.landing_url}?{urlencode({'version': release.version})}"
        context["citation"] = dataset_view.citation(found, release, url, language)
    if found.origin is None and release:
        context |= _own(node, actor=actor, found=found, release=release, wanted=wanted, language=language)
    elif found.origin is not None:
        context |= _harvested(node, found, language)
    return page(request, language, "dataset.html", **context)


def _version(found: Dataset, version: str | None) -> Release | None:
    if version is None:
        return found.current
    chosen = found.release(version)
    if chosen is None:
        raise NotFound(f"{found.name} has no version {version[:20]}.", "See its versions on its page.")
    return chosen


def _own(
    node: Node, *, actor: Actor, found: Dataset, release: Release, wanted: dict[str, str], language: Language
) -> dict[str, Any]:
    words = words_of(language)
    columns = dataset_view.columns_of(node, release)
    may_read = node.policy.decide(actor, "download", Resource("Release", release.id, {"grade": found.grade})).allowed
    is_counts = bool(released_figures.series(node, release))
    curve = released_figures.figure(node, found, release, "curve", language) if found.grade == 0 and is_counts else None
    proof = proof_of_release(node, release)
    report = _report(node, release, proof)
    return {
        "figure": curve,
        "figure_about": f"/{language.code}/about/{found.name}/curve?version={release.version}",
        "downloads": dataset_view.downloads(node, release),
        "preview": _preview(node, release, wanted, may_read=may_read, language=language),
        "may_filter": "area_code" in columns and "period_start" in columns and may_read,
        "areas": _area_options(node, language, words) if is_counts and may_read else [],
        "dictionary": dataset_view.dictionary(node, columns, language),
        "examples": dataset_view.examples(node, release, wanted, is_open=found.grade == 0)
        if may_read or found.grade == 0
        else [],
        "scores": _scores(report, words) if report else [],
        "reasons": _reasons(report, language) if report else [],
        "report": report,
        "proof": proof,
        "protection": protection(release, proof, words),
    }


def _harvested(node: Node, found: Dataset, language: Language) -> dict[str, Any]:
    series = joint_figures.joint(node)
    origin = found.origin
    assert origin is not None
    figure = None
    for source in series.sources if series else ():
        if series and (source.party, source.dataset) == (origin.node_id, found.id):
            figure = joint_figures.curve(node, series, source, language)
    return {
        "figure": figure,
        "figure_about": f"/{language.code}/about/{found.name}/joint",
        "origin": origin,
        "origin_name": joint_figures.party_name(node, origin.node_id, language),
        "origin_page": f"{origin.node_url.rstrip('/')}/{language.code}/datasets/{found.id}",
    }


def _preview(node: Node, release: Release, wanted: dict[str, str], *, may_read: bool, language: Language) -> Preview:
    if not may_read:
        return Preview(
            None, words_of(language).gettext("Its rows are not shown here, because they are not open to everyone.")
        )
    asked = Wanted(wanted.get("area"), _day(wanted.get("from")), _day(wanted.get("to")))
    rows = preview(opening.release_file(node, release, "parquet"), asked, limit=PREVIEW_ROWS)
    return Preview(dataset_view.preview_table(node, rows, language))


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadInput("That is not a day.", "Write a day as YYYY-MM-DD.") from error


def _area_options(node: Node, language: Language, words: Translations) -> list[tuple[str, str]]:
    """The country and its first-level areas, to choose from; any other code can be put into the address."""
    areas = released_figures.areas(node).values()
    regions = sorted((a for a in areas if a.level == "region1"), key=lambda a: a.name(language))
    countries = [a for a in areas if a.level == "country"]
    return [("", words.gettext("All areas")), *((a.code, a.name(language)) for a in (*countries, *regions))]


def _report(node: Node, release: Release, proof: Proof | None) -> QualityReport | None:
    """The assessment behind a release's label: of the source that its log entry names, or the one that fits."""
    named = str(proof.event.get("source", "")) if proof else ""
    for source in [named] if named else [known.id for known in acquisition.sources(node)]:
        try:
            report = acquisition.quality(node, source)
        except NotFound:
            continue
        fits = release.quality and (report.label, round(report.score, 4)) == (
            release.quality.label,
            release.quality.score,
        )
        if fits:
            return report
    return None


def _scores(report: QualityReport, words: Translations) -> list[tuple[str, float | None]]:
    return [(words.gettext(page_words.DIMENSIONS[d.dimension]), d.score) for d in report.dimensions]


def _reasons(report: QualityReport, language: Language) -> list[SimpleNamespace]:
    words = words_of(language)
    return [
        SimpleNamespace(
            dimension=words.gettext(page_words.DIMENSIONS[result.dimension]),
            sentence=result.title.get(language.code, result.title["en"]),
            concerned=words.number(result.concerned),
            checked=words.number(result.checked),
            share=_share(result, words),
            rule=result.id,
        )
        for result in report.wrong()[:MOST_REASONS]
    ]


def _share(result: RuleResult, words: Translations) -> str:
    if not result.checked:
        return "–"
    share = result.concerned / result.checked
    return words.percent(share) if share >= 0.01 else words.gettext("less than 1%")


def protection(release: Release, proof: Proof | None, words: Translations) -> list[str]:
    """How people are protected in this release, in the reader's language where its log entry has the figures."""
    facts = proof.event if proof else {}
    below = page_words.threshold_of(release.suppression)
    if below is not None:
        sentences = [
            words.gettext(
                "Counts from 1 to %(most)s are withheld, and others with them so that no sum gives them back."
            )
            % {"most": words.number(below - 1)},
            words.gettext(
                "An area and week that is not listed had no case where the area above it is published, and is withheld "
                "where the area above it is withheld."
            ),
        ]
        if "withheld_primary" in facts:
            sentences.append(
                words.gettext("Of %(cells)s numbers %(primary)s are small, and %(more)s are withheld to protect them.")
                % {
                    "cells": words.number(facts["cells"]),
                    "primary": words.number(facts["withheld_primary"]),
                    "more": words.number(facts["withheld_complementary"]),
                }
            )
        return sentences
    if "smallest_class" in facts:
        return [
            words.gettext(
                "Each record shares what could identify a person with at least %(others)s others; the risk of being "
                "found is at most %(most)s, on average %(mean)s. %(left_out)s of %(read)s records are left out for it."
            )
            % {
                "others": words.number(facts["smallest_class"] - 1),
                "most": words.percent(facts["risk_maximum"]),
                "mean": f"{100 * facts['risk_average']:.2g} %",
                "left_out": words.number(facts["records_left_out"]),
                "read": words.number(facts["records_read"]),
            }
        ]
    return [text for text in (release.suppression, release.risk) if text]
