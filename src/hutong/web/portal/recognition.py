"""Page: who recognises whose levels, as a matrix over the trust list."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from hutong.governance import queries as governance
from hutong.node import Node
from hutong.passes.recognition import matrix_queries
from hutong.passes.recognition.matrix_queries import RecognitionMatrix
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verdict import Answer
from hutong.web import code_words
from hutong.web.charts import Basis, Figure, MatrixCell, matrix
from hutong.web.doors import CurrentNode
from hutong.web.i18n import N_, Language
from hutong.web.portal.page import PageLanguage, page, text_in, words_of
from hutong.web.portal.passes import SCENES

router = APIRouter()
MOST_ROWS = 60
NO_LEVELS = N_("It has not said how its levels read.")
NO_RULES = N_("Its rules for scenes are not known here.")


@router.get("/{language}/recognition", response_class=HTMLResponse)
def show_recognition(
    request: Request, node: CurrentNode, language: PageLanguage, scene: Scene = Scene.TRANSPORT
) -> HTMLResponse:
    """Also served where nobody has published anything yet: then all is unknown, and it says why."""
    words = words_of(language)
    found = matrix_queries.matrix(node, scene)
    names = _names(node, found, language)
    without_levels = sorted({names[one.issuer] for one in found.cells if one.reason == "no-crosswalk"})
    without_rules = sorted({names[one.verifier] for one in found.cells if one.reason == "no-rules"})
    return page(
        request,
        language,
        "recognition.html",
        scene=str(scene),
        scenes=[(str(one), words.gettext(label)) for one, label in SCENES.items()],
        figure=_figure(found, names, language),
        silent=[(words.gettext(NO_LEVELS), without_levels)] if without_levels else [],
        ruleless=[(words.gettext(NO_RULES), without_rules)] if without_rules else [],
    )


def _names(node: Node, found: RecognitionMatrix, language: Language) -> dict[str, str]:
    names = {party.id: text_in(party.name, language) for party in governance.parties(node)}
    names.setdefault(node.id, text_in(node.settings.name, language))
    # Two parties of one name would be one row.
    known = [names.get(party, party) for party in found.parties]
    return {
        party: name if known.count(name) == 1 else f"{name} ({party})"
        for party, name in zip(found.parties, known, strict=True)
    }


def _figure(found: RecognitionMatrix, names: dict[str, str], language: Language) -> Figure | None:
    words = words_of(language)
    answered = {(one.issuer, one.verifier): one for one in found.cells if one.answers}
    levels = ((one.issuer, one.rulebook, level) for one in answered.values() for level in one.answers)
    rows = list(dict.fromkeys(levels))[:MOST_ROWS]
    by_row = {(one.issuer, one.rulebook, one.verifier): one.answers for one in found.cells}
    several = {issuer for issuer, rulebook, _ in rows if any(row[0] == issuer and row[1] != rulebook for row in rows)}
    cells = []
    for issuer, rulebook, level in rows:
        says = code_words.level(level, words)
        label = f"{names[issuer]} · {rulebook} · {says}" if issuer in several else f"{names[issuer]} · {says}"
        for verifier in found.parties:
            answer = by_row.get((issuer, rulebook, verifier), {}).get(level, Answer.UNKNOWN)
            cells.append(MatrixCell(label, names[verifier], str(answer)))
    if not cells:
        return None
    others = [pair for pair in answered if pair[0] != pair[1]]
    recognised = sum(Answer.ACCEPTED in answered[pair].answers.values() for pair in others)
    pairs = len(found.parties) * (len(found.parties) - 1)
    title = words.ngettext(
        "%(n)s of %(all)s pairs of regions recognises at least one level",
        "%(n)s of %(all)s pairs of regions recognise at least one level",
        recognised,
    ) % {"n": words.number(recognised), "all": words.number(pairs)}
    return matrix(
        cells,
        title=title,
        description=words.gettext("Rows: a fresh pass of a region with this level. Columns: who looks at it."),
        row_heading=words.gettext("Pass"),
        basis=Basis(words.gettext("Trust list, crosswalks and scene rules held by this node"), found.at),
        words=words,
    )
