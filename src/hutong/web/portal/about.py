"""Pages: "About this number" for each figure: definition, source, lag, what is withheld, version, proof in the log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from hutong.errors import NotFound
from hutong.node import Node
from hutong.opening.catalogue.catalogue import Dataset, Release
from hutong.sharing import catalogue as shown
from hutong.web import joint_figures, released_figures
from hutong.web.doors import CurrentNode
from hutong.web.i18n import N_, Language, Translations
from hutong.web.portal.dataset import NAME, protection
from hutong.web.portal.page import PageLanguage, page, text_in, words_of
from hutong.web.proofs import proof_of_joint_series, proof_of_release
from hutong.web.selection_view import Chosen, chosen_curve, files

router = APIRouter()

JOINT = "joint"
WEEK = N_(
    "A week begins on a Sunday and ends on a Saturday (the epidemiological week). A case counts in the week in which "
    "it began: its onset, or the week of report where the source has no days."
)
CASES = N_("Cases that the node accepted from the source. Rows held for review or rejected are not counted.")
DEFINITIONS = {
    "curve": (N_("Cases by week"), (CASES, WEEK)),
    "recent": (N_("Cases by week"), (CASES, WEEK)),
    "map": (
        N_("Published cases per 100,000 residents"),
        (
            N_(
                "Published cases of an area in the newest 52 weeks, divided by its residents and multiplied by "
                "100,000. Residents are those of the node's list of areas, with the year given there."
            ),
            N_(
                "In a week in which the area's own number is withheld, the published numbers of its places are "
                "counted: the result is the least that it can be. An area of which nothing is published is hollow, not "
                "zero."
            ),
            N_(
                "There are no boundary files: a hexagon (an H3 cell) has the colour of the area whose places lie in "
                "it, and gaps between them that of the area next to them. It is a picture of where, not of borders."
            ),
            CASES,
            WEEK,
        ),
    ),
    "areas": (
        N_("Places with the most published cases"),
        (
            N_(
                "Published weekly numbers of each place in the newest 52 weeks, added up. Withheld weeks are not in it."
            ),
            CASES,
            WEEK,
        ),
    ),
}


@router.get("/{language}/about/{name}/{figure}", response_class=HTMLResponse)
def about(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    name: Annotated[str, NAME],
    figure: Annotated[str, Path(pattern="^[a-z]{2,20}$")],
    chosen: Annotated[Chosen, Query()],
) -> HTMLResponse:
    found = shown.dataset(node, name)
    words = words_of(language)
    if figure == JOINT:
        context = _joint(node, found, language)
    elif figure in DEFINITIONS and released_figures.is_drawn(found):
        # Of what is not open to everyone no figure is shown, as on the page of the data set: it would tell the rows.
        release = found.current if chosen.version is None else found.release(chosen.version)
        if release is None:
            raise NotFound("There is no such version.", "See its versions on its page.")
        context = _released(node, found, release, figure=figure, chosen=chosen, language=language)
    else:
        raise NotFound("There is no such number here.", "Open it from the figure that shows it.")
    return page(
        request,
        language,
        "about.html",
        dataset_title=found.title.in_language(language.code),
        dataset_page=f"/{language.code}/datasets/{found.name}",
        words=words,
        **context,
    )


def _released(
    node: Node, found: Dataset, release: Release, *, figure: str, chosen: Chosen, language: Language
) -> dict[str, Any]:
    words = words_of(language)
    title, definition = DEFINITIONS[figure]
    pairs = chosen.pairs() if figure == "curve" else {}
    drawn = (
        chosen_curve(node, found, release, chosen, language)
        if pairs
        else released_figures.figure(node, found, release, figure, language)
    )
    if drawn is None:
        raise NotFound("There is no such number here.", "Open it from the figure that shows it.")
    proof = proof_of_release(node, release)
    return {
        "title": words.gettext(title),
        "finding": drawn.title,
        "shown": drawn.description,
        "definition": [words.gettext(sentence) for sentence in definition],
        "source": found.provenance.in_language(language.code) if found.provenance else "",
        "lag": _lag(node, release, words),
        "protection": protection(release, proof, words),
        "release": release,
        "proof": proof,
        "downloads": files(node, release, pairs),
    }


def _lag(node: Node, release: Release, words: Translations) -> str:
    weeks = released_figures.series(node, release)
    if not weeks or release.issued is None:
        return words.gettext("unknown")
    days = (release.issued.date() - weeks[-1][0]).days - 6
    if days < 0:
        return words.gettext("The newest week was not over when this version was published.")
    return words.ngettext(
        "The newest week ended %(n)s day before this version was published.",
        "The newest week ended %(n)s days before this version was published.",
        days,
    ) % {"n": words.number(days)}


def _joint(node: Node, found: Dataset, language: Language) -> dict[str, Any]:
    words = words_of(language)
    series = joint_figures.joint(node)
    origin = found.origin
    for source in series.sources if series and origin else ():
        if series and origin and (source.party, source.dataset) == (origin.node_id, found.id):
            drawn = joint_figures.curve(node, series, source, language)
            withheld = words.gettext(
                "%(withheld)s of the %(all)s numbers that this data set lists here are withheld by its publisher."
            ) % {
                "withheld": words.number(source.withheld),
                "all": words.number(source.rows),
            }
            return {
                "title": words.gettext("Cases by week, one definition for all regions"),
                "finding": drawn.title if drawn else "",
                "definition": [text_in(series.definition.text, language)],
                "source": words.gettext("Version %(version)s, published by %(party)s, SHA-256 of its file: %(sha256)s")
                % {
                    "version": source.version,
                    "party": joint_figures.party_name(node, source.party, language),
                    "sha256": source.sha256,
                },
                "lag": words.gettext("Joined at this node on %(time)s.") % {"time": words.moment(series.joined_at)},
                "protection": [withheld],
                "release": found.current,
                "proof": proof_of_joint_series(node),
                "downloads": [],
            }
    raise NotFound("This data set is no part of the joint series.", "See the joint series on the home page.")
