"""Page on which an authority publishes rules: a document, what it says and would do, and the second person."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Annotated, Literal

import yaml
from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from fastapi.responses import HTMLResponse

from hutong.errors import BadInput, Conflict, HutongError, LimitExceeded, NotSignedIn
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.passes.documents import MAX_BYTES, Document, parse_document
from hutong.passes.draft import actions, queries
from hutong.passes.draft.draft import Draft, Kind, Line
from hutong.passes.draft.queries import PublishedDocument
from hutong.passes.recognition.recognition import Scene
from hutong.passes.rulebook.notice import Effect
from hutong.trust.authorisation import Actor, Resource
from hutong.web.doors import CurrentNode
from hutong.web.error_words import said
from hutong.web.i18n import LANGUAGES, N_, Language
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, text_in, words_of
from hutong.web.portal.passes import SCENES
from hutong.web.portal.rulebooks import effect_in_words, level_mark
from hutong.web.portal.second_person import second_person

router = APIRouter()

KINDS: Mapping[Kind, tuple[str, str]] = {
    Kind.RULEBOOK: (N_("A rulebook"), N_("The rules by which a person gets a level.")),
    Kind.CROSSWALK: (N_("A crosswalk"), N_("How the levels of a rulebook read in other regions.")),
    Kind.SCENES: (N_("Rules for scenes"), N_("Which passes are accepted where.")),
}
GIVES: Mapping[Kind, str] = {
    Kind.RULEBOOK: N_("Level"),
    Kind.CROSSWALK: N_("On the common scale"),
    Kind.SCENES: N_("Scene"),
}
EFFECTS: Mapping[Effect, tuple[str, str]] = {
    Effect.FIRST: (N_("It is the first"), "guarded"),
    Effect.LOOSENING: (N_("It loosens"), "low"),
    Effect.TIGHTENING: (N_("It tightens"), "medium"),
}
Text = Annotated[str, Form(max_length=MAX_BYTES)]
Short = Annotated[str, Form(max_length=1000)]


@router.get("/{language}/pass/rules", response_class=HTMLResponse)
def show_form(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    start: Annotated[str, Query(max_length=64, description="Hash of a published document to begin with")] = "",
    published: Annotated[str, Query(max_length=64, description="Hash of what was published now")] = "",
) -> HTMLResponse:
    """The form, empty or with the newest version of a document."""
    _require(node, actor)
    known = queries.newest_documents(node)
    begun = next((one for one in known if one.hash == start), None)
    document = yaml.safe_dump(begun.document, allow_unicode=True, sort_keys=False, width=110) if begun else ""
    return _form_page(
        request,
        node,
        language,
        kind=begun.kind if begun else Kind.RULEBOOK,
        document=document,
        published=next((one for one in known if one.hash == published), None),
    )


@router.post("/{language}/pass/rules", response_class=HTMLResponse)
def check_or_publish(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    kind: Annotated[Kind, Form()] = Kind.RULEBOOK,
    document: Text = "",
    file: UploadFile | None = None,
    second: Short = "",
    password: Short = "",
    step: Annotated[Literal["check", "edit", "publish"], Form()] = "check",
) -> Response:
    """Shows what the document says and would do; publishes it when a second person agrees."""
    # Who may not publish is refused before another person's password is looked at.
    _require(node, actor)
    if step == "edit":
        return _form_page(request, node, language, kind=kind, document=document)
    try:
        document = _sent(file) or document
        parsed = parse_document(document.encode("utf-8", "replace"), "The document")
        draft = actions.check_draft(node, by=actor, kind=kind, document=parsed)
        if step == "check":
            return _check_page(request, node, language, draft, document)
        return _publish(
            request,
            node,
            language,
            actor,
            draft,
            parsed=parsed,
            document=document,
            second=second,
            password=password,
        )
    except HutongError as error:
        errors = {"document": said(language, error.what, error.do)}
        return _form_page(request, node, language, kind=kind, document=document, errors=errors, status=error.status)


def _publish(
    request: Request,
    node: Node,
    language: Language,
    actor: Actor,
    draft: Draft,
    *,
    parsed: Document,
    document: str,
    second: str,
    password: str,
) -> Response:
    try:
        agreeing = second_person(node, request, second, password)
        actions.publish_draft(node, by=actor, second=agreeing, kind=draft.kind, document=parsed)
    except (BadInput, Conflict, LimitExceeded):
        raise  # it is the document, after all: somebody else was faster
    except NotSignedIn:
        told = words_of(language).gettext("The name or the password of the second person is wrong.")
        return _check_page(request, node, language, draft, document, second=second, errors={"second": told})
    except HutongError as error:
        errors = {"second": said(language, error.what, error.do)}
        return _check_page(request, node, language, draft, document, second=second, errors=errors)
    return redirect(language, f"/pass/rules?published={draft.hash}")


def _require(node: Node, actor: Actor) -> None:
    if actor.kind == "public":
        raise NotSignedIn("Rules are published by authorities.", "Sign in as one of them.")
    node.require(actor, "publish_rulebook", Resource("Rulebook", ""))


def _sent(file: UploadFile | None) -> str:
    """The text of an uploaded file; empty where none was chosen."""
    if file is None or not file.filename:
        return ""
    content = file.file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise LimitExceeded(f"The file is larger than {MAX_BYTES} bytes.", "Split it.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("The document is not UTF-8 text.", "Save it as UTF-8.") from error


def _form_page(
    request: Request,
    node: Node,
    language: Language,
    *,
    kind: Kind,
    document: str,
    errors: Mapping[str, str] | None = None,
    published: PublishedDocument | None = None,
    status: int = 200,
) -> HTMLResponse:
    words = words_of(language)
    return page(
        request,
        language,
        "rule_draft.html",
        status=status,
        draft=None,
        kinds=[(str(one), words.gettext(name), words.gettext(hint)) for one, (name, hint) in KINDS.items()],
        kind=str(kind),
        document=document,
        errors=dict(errors or {}),
        has_emergency=governance.emergency_in_force(node, node.clock().date()) is not None,
        starts=[
            (one.hash, f"{words.gettext(KINDS[one.kind][0])}{words.gettext(':')} {one.id} {one.version}")
            for one in queries.newest_documents(node)
        ],
        published=published,
    )


def _check_page(
    request: Request,
    node: Node,
    language: Language,
    draft: Draft,
    document: str,
    *,
    second: str = "",
    errors: Mapping[str, str] | None = None,
) -> HTMLResponse:
    words = words_of(language)
    known = {one.id: text_in(one.title, language) for one in governance.emergencies(node)}
    effect, tone = EFFECTS[draft.verdict.effect] if draft.verdict else ("", "")
    return page(
        request,
        language,
        "rule_draft.html",
        status=422 if errors else 200,
        draft=draft,
        kind_name=words.gettext(KINDS[draft.kind][0]),
        gives=words.gettext(GIVES[draft.kind]),
        about=known.get(draft.about, draft.about),
        lines=[_line(draft, line, language) for line in draft.lines],
        other_language=next(one for one in LANGUAGES if one != language),
        effect=words.gettext(effect) if effect else "",
        tone=tone,
        why=effect_in_words(draft.verdict, draft.meanings, language) if draft.verdict else "",
        waits=draft.effective_from > max(node.clock(), draft.period.start),
        document=document,
        second=second,
        errors=dict(errors or {}),
    )


def _line(draft: Draft, line: Line, language: Language) -> SimpleNamespace:
    other = next(one for one in LANGUAGES if one != language)
    mark = word = ""
    if draft.kind is Kind.SCENES:
        word = words_of(language).gettext(SCENES[Scene(line.gives)])
    elif draft.kind is Kind.CROSSWALK or line.gives not in draft.levels:
        mark = line.gives
    else:
        mark = level_mark(line.gives, draft.levels.index(line.gives))
        word = "" if mark == line.gives else line.gives
    return SimpleNamespace(
        id=line.id, mark=mark, word=word, text=text_in(line.texts, language), other=line.texts.get(other.code, "")
    )
