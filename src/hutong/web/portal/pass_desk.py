"""Pages at the desk of an authority: another region's pass converted, codes for exposure keys, a pass printed again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

from hutong.errors import BadInput, HutongError, NotSignedIn
from hutong.node import Node
from hutong.passes.exposure import actions as exposure_actions
from hutong.passes.exposure import queries as exposure_queries
from hutong.passes.exposure.code import VerificationCode
from hutong.passes.issuance import held_pass, printable
from hutong.passes.recognition import conversion_actions
from hutong.passes.recognition.conversion_actions import ConvertedPass
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.trust.authorisation import Actor, Resource
from hutong.web.doors import CurrentNode
from hutong.web.error_words import said
from hutong.web.i18n import N_, Language
from hutong.web.pass_view import card_of_converted, hours_to_choose
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, text_in, words_of

router = APIRouter()

NO_STORE = {"Cache-Control": "no-store"}
MAX_TEXT = 100_000
MOST_CODES = 20
REPORT_TYPES: Mapping[str, str] = {
    "confirmed_test": N_("A positive test"),
    "confirmed_clinical_diagnosis": N_("A doctor's diagnosis"),
    "self_report": N_("The person's own report"),
}


@router.get("/{language}/pass/convert", response_class=HTMLResponse)
def show_conversion(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    _require(node, actor, "issue_pass", Resource("Pass", "conversion"))
    return _conversion_page(request, node, language)


@router.post("/{language}/pass/convert", response_class=HTMLResponse)
def convert(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    text: Annotated[str, Form(max_length=MAX_TEXT)] = "",
    holder_secret: Annotated[str, Form(max_length=200)] = "",
    rulebook: Annotated[str, Form(max_length=80)] = "",
    for_hours: Annotated[int, Form()] = 24,
) -> HTMLResponse:
    given = {"text": text, "holder_secret": holder_secret, "rulebook": rulebook, "for_hours": str(for_hours)}
    try:
        made = conversion_actions.convert_pass(
            node,
            by=actor,
            text=text.strip(),
            holder_secret=holder_secret.strip(),
            rulebook_id=rulebook,
            hours=for_hours,
        )
    except HutongError as error:
        errors = {"text": said(language, error.what, error.do)}
        return _conversion_page(request, node, language, given=given, errors=errors, status=error.status)
    return _conversion_page(request, node, language, made=made)


def _conversion_page(
    request: Request,
    node: Node,
    language: Language,
    *,
    made: ConvertedPass | None = None,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    words = words_of(language)
    response = page(
        request,
        language,
        "pass_convert.html",
        status=status,
        given=given or {},
        errors=dict(errors or {}),
        rulebooks=rulebooks_to_choose(node),
        hours=hours_to_choose(words),
        made=made,
        card=card_of_converted(node, made, language) if made else None,
    )
    response.headers.update(NO_STORE)
    return response


def rulebooks_to_choose(node: Node) -> list[tuple[str, str]]:
    """Ids and versions of the rulebooks by which a pass may be made now."""
    now = node.clock()
    held = [one for one in rulebook_queries.rulebooks(node) if one.effective_from <= now]
    return [
        (one.rulebook.id, f"{one.rulebook.id} {one.rulebook.version}") for one in held if one.rulebook.in_force(now)
    ]


@router.get("/{language}/pass/exposure-codes", response_class=HTMLResponse)
def show_codes(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    _require(node, actor, "issue_exposure_code", Resource("Emergency", ""))
    return _codes_page(request, node, language)


@router.post("/{language}/pass/exposure-codes", response_class=HTMLResponse)
def issue_codes(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    emergency: Annotated[str, Form(max_length=60)] = "",
    report_type: Annotated[str, Form(max_length=40)] = "",
    onset: Annotated[str, Form(max_length=10)] = "",
    number: Annotated[str, Form(max_length=4)] = "1",
) -> HTMLResponse:
    """The codes stand on the answer, this once; the node keeps only what tells that one fits."""
    given = {"emergency": emergency, "report_type": report_type, "onset": onset, "number": number}
    codes: list[VerificationCode] = []
    errors: dict[str, str] = {}
    status = 200
    try:
        onset_on = _day(onset)
        for _ in range(_number(number)):
            code = exposure_actions.issue_code(
                node, by=actor, emergency_id=emergency, report_type=report_type, onset_on=onset_on
            )
            codes.append(code)
    except HutongError as error:
        # Codes that were given before a limit was met are valid, and must be shown.
        errors, status = {"number": said(language, error.what, error.do)}, error.status
    return _codes_page(request, node, language, codes=codes, given=given, errors=errors, status=status)


def _codes_page(
    request: Request,
    node: Node,
    language: Language,
    *,
    codes: list[VerificationCode] | None = None,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    words = words_of(language)
    response = page(
        request,
        language,
        "pass_exposure_codes.html",
        status=status,
        emergencies=[(one.id, text_in(one.title, language)) for one in exposure_queries.emergencies_in_force(node)],
        report_types=[(name, words.gettext(label)) for name, label in REPORT_TYPES.items()],
        most=MOST_CODES,
        codes=[SimpleNamespace(code=one.grouped, ends=one.expires_at) for one in codes or ()],
        given=given or {"number": "1"},
        errors=dict(errors or {}),
    )
    response.headers.update(NO_STORE)
    return response


@router.post("/{language}/pass/print")
def print_again(
    *,
    node: CurrentNode,
    language: PageLanguage,  # noqa: ARG001 - the page to print is in both languages
    actor: FormActor,
    text: Annotated[str, Form(max_length=MAX_TEXT)] = "",
    holder_secret: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The page to print, of a pass that the node keeps no text of: its holder brings it back."""
    issued = held_pass.held_pass(node, by=actor, text=text, holder_secret=holder_secret)
    printed = printable.print_pass(issued, issuer=node.settings.name)
    name = f'attachment; filename="pass-{issued.pass_id}.pdf"'
    return Response(printed.pdf, media_type="application/pdf", headers={**NO_STORE, "Content-Disposition": name})


def _require(node: Node, actor: Actor, action: str, resource: Resource) -> None:
    if actor.kind == "public":
        raise NotSignedIn("You are not signed in.", "Sign in as an authority of this node.")
    node.require(actor, action, resource)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadInput("The day of onset is no day.", "Give it as YYYY-MM-DD, or leave it out.") from error


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_CODES):
        raise BadInput(f"At most {MOST_CODES} codes are given at a time.", f"Give a number from 1 to {MOST_CODES}.")
    return int(text)


def authority_links(node: Node, actor: Actor) -> SimpleNamespace:
    """Which pages for the authority are named to whoever looks: ``convert``, ``codes``, ``keys`` and ``rules``."""
    may: dict[str, Any] = {
        "convert": ("issue_pass", Resource("Pass", "conversion")),
        "codes": ("issue_exposure_code", Resource("Emergency", "")),
        "keys": ("read_keys", Resource("Node", node.id)),
        "rules": ("publish_rulebook", Resource("Rulebook", "")),
    }
    return SimpleNamespace(**{name: node.policy.decide(actor, *asked).allowed for name, asked in may.items()})
