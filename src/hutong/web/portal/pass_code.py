"""Pages: which further facts a pass may carry, and its code with the facts that its holder chooses to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from hutong.node import Node
from hutong.passes.credential import picture
from hutong.passes.credential.level_pass import MAX_FACTS, disclose
from hutong.passes.credential.read import read_pass
from hutong.passes.documents import Texts
from hutong.passes.issuance import held_pass, pass_facts
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.trust.authorisation import Actor
from hutong.web.doors import CurrentNode
from hutong.web.i18n import N_, Language, Translations
from hutong.web.portal.page import FormActor, PageLanguage, page, text_in, words_of

router = APIRouter()
NO_STORE = {"Cache-Control": "no-store"}
MAX_TEXT = 10_000
MAX_DISCLOSURE = 2_000
Disclosures = Annotated[tuple[Annotated[str, Form(max_length=MAX_DISCLOSURE)], ...], Form(max_length=MAX_FACTS)]
RESULTS: Mapping[str, str] = {
    "negative": N_("negative"),
    "positive": N_("positive"),
    "indeterminate": N_("indeterminate"),
}


def facts_to_choose(node: Node, actor: Actor, language: Language) -> list[tuple[str, str, str]]:
    """Name, meaning and value of each fact that a pass may carry: of the resident who looks what is known.

    Who may ask for others sees all names there are, without values.
    """
    if "resident" in actor.roles:
        words = words_of(language)
        return [
            (one.name, text_in(one.meaning, language), value_in_words(one.value, words))
            for one in pass_facts.facts_to_carry(node, by=actor, person=actor.id)
        ]
    return [(name, text_in(texts, language), "") for name, texts in _meanings(node).items()]


def carried(node: Node, text: str, disclosures: Iterable[str], language: Language) -> list[SimpleNamespace]:
    """The facts of a pass that was just issued: ``disclosure``, ``name`` and ``value``, each in words."""
    return [
        SimpleNamespace(disclosure=one, name=name, value=value)
        for one in disclosures
        for name, value in in_words(node, read_pass(disclose(text, [one])).payload["facts"], language)
    ]


def in_words(node: Node, facts: Mapping[str, Any], language: Language) -> list[tuple[str, str]]:
    """Facts that a pass discloses; one that nobody explained here keeps the issuer's name."""
    if not facts:
        return []
    meanings, words = _meanings(node), words_of(language)
    return [
        (text_in(meanings[name], language) if name in meanings else name, value_in_words(value, words))
        for name, value in facts.items()
    ]


def value_in_words(value: Any, words: Translations) -> str:
    """The value of a fact: days, results, yes and no as one says them."""
    if isinstance(value, bool):
        return words.gettext("yes") if value else words.gettext("no")
    if isinstance(value, str) and value in RESULTS:
        return words.gettext(RESULTS[value])
    try:
        return words.date(date.fromisoformat(value)) if isinstance(value, str) and len(value) == 10 else str(value)
    except ValueError:
        return str(value)


def _meanings(node: Node) -> dict[str, Texts]:
    books = [one.rulebook for one in rulebook_queries.rulebooks(node)]
    return pass_facts.all_meanings(evidence for book in books for evidence in book.evidence)


@router.post("/{language}/pass/code", response_class=HTMLResponse)
def show_code(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,  # noqa: ARG001 - whoever is signed in holds the pass; its text is all that is asked for
    text: Annotated[str, Form(max_length=MAX_TEXT)] = "",
    disclosures: Disclosures = (),
) -> HTMLResponse:
    """The code of a pass with the facts that its holder ticked. The node keeps neither."""
    shown = held_pass.shown_pass(node, text=text, disclosures=disclosures)
    response = page(
        request,
        language,
        "pass_code.html",
        qr=picture.draw_svg(shown.text),
        shown=shown.text,
        facts=in_words(node, shown.facts, language),
        expires_at=shown.expires_at,
    )
    response.headers.update(NO_STORE)
    return response
