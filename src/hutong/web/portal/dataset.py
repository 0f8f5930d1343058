"""Pages: one dataset and its versions, and what each of its numbers is."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from hutong.acquisition import queries as acquisition
from hutong.acquisition.quality import QualityReport, RuleResult
from hutong.errors import BadInput, HutongError, NotFound
from hutong.node import Node
from hutong.opening import queries
from hutong.opening.catalogue.catalogue import Dataset, Release
from hutong.opening.catalogue.schema_org import dataset_page
from hutong.opening.preview import require_columns
from hutong.sharing import catalogue as shown
from hutong.trust.authorisation import Actor, Resource
from hutong.web import dataset_view, joint_figures, page_words, released_figures
from hutong.web.doors import CurrentNode
from hutong.web.i18n import Language, Translations
from hutong.web.portal.page import PageActor, PageLanguage, page, words_of
from hutong.web.proofs import Proof, proof_of_release
from hutong.web.selection_view import Chosen, counts_context, newest_rows

router = APIRouter()

NAME = Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,119}$")
MOST_REASONS = 12


@dataclass(frozen=True, slots=True)
class Preview:
    """The newest rows of a release as far as this reader may see them, or why not: ``text`` says which."""

    table: dataset_view.PreviewTable | None
    text: str


@router.get("/{language}/datasets/{name}", response_class=HTMLResponse)
def dataset(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    name: Annotated[str, NAME],
    chosen: Annotated[Chosen, Query()],
) -> HTMLResponse:
    words = words_of(language)
    found = shown.dataset(node, name)
    release = _version(found, chosen.version)
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
        "wanted": chosen.pairs(),
    }
    if release:
        url = f"{found.landing_url}?{urlencode({'version': release.version})}"
        context["citation"] = dataset_view.citation(found, release, url, language)
    if found.origin is None and release:
        if fault := _fault(node, actor, found, release, chosen):
            chosen = chosen.model_copy(update={"area": "", "since": "", "until": ""})
            context |= {"fault": fault, "status": fault.status}
        context |= _own(node, actor=actor, found=found, release=release, chosen=chosen, language=language)
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


def _fault(node: Node, actor: Actor, found: Dataset, release: Release, chosen: Chosen) -> HutongError | None:
    """What is wrong with a reader's choice; of rows that are not shown nothing is chosen."""
    if not _may_read(node, actor, found, release):
        return None
    try:
        wanted = chosen.wanted()
        require_columns(dataset_view.columns_of(node, release), wanted)
        queries.require_area(node, release, wanted.area)
    except (BadInput, NotFound) as error:
        return error
    return None


def _may_read(node: Node, actor: Actor, found: Dataset, release: Release) -> bool:
    resource = Resource("Release", release.id, {"grade": found.grade})
    return node.policy.decide(actor, "download", resource).allowed


def _own(
    node: Node, *, actor: Actor, found: Dataset, release: Release, chosen: Chosen, language: Language
) -> dict[str, Any]:
    words = words_of(language)
    may_read = _may_read(node, actor, found, release)
    is_counts = released_figures.is_drawn(found) and bool(released_figures.series(node, release))
    is_current = release is found.current
    proof = proof_of_release(node, release)
    report = _report(node, release, proof)
    return {
        **(counts_context(node, found, release, chosen, language, is_current=is_current) if is_counts else {}),
        "preview": _preview(node, release, chosen, may_read=may_read, language=language),
        "sign_in_first": found.grade == 1 and not may_read,
        "dictionary": dataset_view.dictionary(release, language),
        "examples": dataset_view.examples(node, release, chosen.pairs(), is_open=found.grade == 0)
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


def _preview(node: Node, release: Release, chosen: Chosen, *, may_read: bool, language: Language) -> Preview:
    words = words_of(language)
    if not may_read:
        return Preview(None, words.gettext("Its rows are not shown here, because they are not open to everyone."))
    found, rows = newest_rows(node, release, chosen.wanted())
    told = {"n": words.number(len(rows.rows)), "all": words.number(found or release.rows or 0)}
    caption = (
        words.gettext("The first %(n)s of %(all)s rows")
        if found is None or "period_start" not in rows.columns
        else words.gettext("The newest %(n)s of %(all)s rows")
    )
    return Preview(dataset_view.preview_table(node, rows, language), caption % told)


def _report(node: Node, release: Release, proof: Proof | None) -> QualityReport | None:
    """The assessment behind a release's label: the last one before it came out that has the label and the score."""
    if release.quality is None:
        return None
    wanted = (release.quality.label, release.quality.score)
    named = str(proof.event.get("source", "")) if proof else ""
    for source in [named] if named else [known.id for known in acquisition.sources(node)]:
        for report in acquisition.assessments(node, source, until=release.issued):
            if (report.label, round(report.score, 4)) == wanted:
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
                "mean": f"{100 * facts['risk_average']:.2g}%",
                "left_out": words.number(facts["records_left_out"]),
                "read": words.number(facts["records_read"]),
            }
        ]
    return [text for text in (release.suppression, release.risk) if text]
