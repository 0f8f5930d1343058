"""Pages: what a pass is, getting one, and checking one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from hutong.errors import BadInput, HutongError, NotFound, Refused
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.passes.credential.level_pass import MAX_FACTS
from hutong.passes.credential.picture import MAX_PICTURE_BYTES
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import queries as pass_queries
from hutong.passes.issuance.pass_times import MAX_HOURS
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verification import Verification, verify_pass
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.passes.rulebook.rulebook import Rulebook
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.trust.authorisation import PUBLIC, Actor
from hutong.web.doors import CurrentNode, CurrentSession
from hutong.web.error_words import said
from hutong.web.i18n import N_, Language, Translations
from hutong.web.pass_view import card_of, evidence_days, hours_to_choose, own_history
from hutong.web.portal import pass_code, pass_desk, pass_keys, risk_areas, rulebooks
from hutong.web.portal.page import FormActor, PageLanguage, page, text_in, words_of

router = APIRouter()
router.include_router(rulebooks.router)
router.include_router(risk_areas.router)
router.include_router(pass_keys.router)
router.include_router(pass_desk.router)
router.include_router(pass_code.router)

NO_STORE = {"Cache-Control": "no-store"}
MAX_TEXT = 100_000
MAY_ISSUE = frozenset({"resident", "authority", "operator"})
SCENES: Mapping[Scene, str] = {
    Scene.COMMUNITY: N_("Residential community"),
    Scene.WORKPLACE: N_("Workplace"),
    Scene.SCHOOL: N_("School"),
    Scene.TRANSPORT: N_("Public transport"),
    Scene.CHECKPOINT: N_("Checkpoint"),
    Scene.BORDER: N_("Border"),
    Scene.MEDICAL: N_("Hospital or clinic"),
    Scene.CLOSED_SETTING: N_("Care home, prison or barracks"),
    Scene.PUBLIC_PLACE: N_("Public place"),
}


@router.get("/{language}/pass", response_class=HTMLResponse)
def show_pass(request: Request, node: CurrentNode, language: PageLanguage, session: CurrentSession) -> HTMLResponse:
    return _pass_page(request, node, language, actor=session.actor if session else PUBLIC, person="")


@router.post("/{language}/pass", response_class=HTMLResponse)
def issue_pass(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    person: Annotated[str, Form(max_length=64)] = "",
    hours: Annotated[int, Form()] = 24,
    facts: Annotated[tuple[str, ...], Form(max_length=MAX_FACTS)] = (),
) -> HTMLResponse:
    known: dict[str, Any] = {"actor": actor, "person": person, "facts": facts}
    try:
        issued = pass_actions.issue_pass(node, by=actor, person=person.strip(), hours=hours, facts=facts)
    except HutongError as error:
        of_facts = isinstance(error, BadInput) and facts and 1 <= hours <= MAX_HOURS
        errors = {"facts": said(language, error.what, error.do)} if of_facts else {"person": _why_not(error, language)}
        return _pass_page(request, node, language, **known, errors=errors, status=error.status)
    return _pass_page(request, node, language, **known, issued=issued)


def _why_not(error: HutongError, language: Language) -> str:
    words = words_of(language)
    if isinstance(error, NotFound):
        return words.gettext("This node has no level for that number. Check it, or ask where you are registered.")
    if isinstance(error, BadInput):
        return words.gettext("Give a number, and 1 to 168 hours.")
    if isinstance(error, Refused):
        sentence = words.gettext(
            "No pass can be issued for that number now: you may only ask for your own, the level is not known, or the "
            "rulebook or its emergency has ended."
        )
        return Markup(words.gettext("%(sentence)s (%(why)s)")) % {
            "sentence": sentence,
            "why": said(language, error.what),
        }
    raise error


def _pass_page(
    request: Request,
    node: Node,
    language: Language,
    *,
    actor: Actor,
    person: str,
    facts: tuple[str, ...] = (),
    issued: pass_actions.IssuedPass | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    roles = actor.roles
    for_others = bool(roles & (MAY_ISSUE - {"resident"}))
    in_force = [one.rulebook for one in rulebook_queries.rulebooks(node) if one.rulebook.in_force(node.clock())]
    response = page(
        request,
        language,
        "pass.html",
        status=status,
        may_issue=bool(roles & MAY_ISSUE),
        for_others=for_others,
        # A resident's account is named by the number under which the vault knows the person.
        person=person or ("" if for_others or "resident" not in roles else actor.id),
        hours=hours_to_choose(words_of(language)),
        facts=[] if issued else facts,
        facts_to_choose=pass_code.facts_to_choose(node, actor, language) if roles & MAY_ISSUE else [],
        carried=pass_code.carried(node, issued.text, issued.disclosures.values(), language) if issued else [],
        errors=dict(errors or {}),
        rulebooks=[SimpleNamespace(id=one.id, version=one.version) for one in in_force],
        issued=issued,
        card=card_of(node, issued, language) if issued else None,
        dates=[] if issued is None else evidence_days(issued, rulebook_of(node, issued), language),
        ended=() if issued or "resident" not in roles else pass_queries.ended_passes(node, actor, actor.id),
        history=own_history(node, actor, language) if "resident" in roles else None,
        may=pass_desk.authority_links(node, actor),
        own_rulebooks=pass_desk.rulebooks_to_choose(node),
    )
    response.headers.update(NO_STORE)
    return response


def rulebook_of(node: Node, issued: pass_actions.IssuedPass) -> Rulebook:
    """The version of a rulebook that gave the level of a pass."""
    return rulebook_queries.rulebook(node, issued.rulebook, issued.version)


@router.get("/{language}/pass/verify", response_class=HTMLResponse)
def show_verify(request: Request, node: CurrentNode, language: PageLanguage, scene: str = "") -> HTMLResponse:
    return _verify_page(request, node, language, scene=scene)


@router.post("/{language}/pass/verify", response_class=HTMLResponse)
def verify(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    text: Annotated[str, Form(max_length=MAX_TEXT)] = "",
    scene: Annotated[str, Form(max_length=40)] = "",
    picture: Annotated[UploadFile | str | None, File()] = None,
) -> HTMLResponse:
    """Changes nothing and keeps nothing, so that it needs no session: whoever stands at a gate may ask."""
    words = words_of(language)
    content = b"" if picture is None or isinstance(picture, str) else picture.file.read(MAX_PICTURE_BYTES + 1)
    if not content and not text.strip():
        errors = {"text": words.gettext("Paste the text of the code, or choose a picture of it.")}
        return _verify_page(request, node, language, scene=scene, errors=errors, status=422)
    shown: str | bytes = content or text
    found = verify_pass(shown, trust=bundle_queries.trust_snapshot(node), scene=scene, at=node.clock())
    return _verify_page(request, node, language, scene=scene, found=found)


def _verify_page(
    request: Request,
    node: Node,
    language: Language,
    *,
    scene: str,
    found: Verification | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    words = words_of(language)
    names = {str(one): words.gettext(label) for one, label in SCENES.items()}
    response = page(
        request,
        language,
        "verify.html",
        status=status,
        scenes=list(names.items()),
        scene=scene if scene in names else str(Scene.PUBLIC_PLACE),
        scene_name=names.get(scene, scene),
        errors=dict(errors or {}),
        found=found,
        reasons=[] if found is None else [(text_in(one.texts, language), one.rule_id) for one in found.reasons],
        facts=[] if found is None else _facts(node, found, language),
    )
    response.headers.update(NO_STORE)
    return response


def _facts(node: Node, found: Verification, language: Language) -> list[tuple[str, str]]:
    """What the verifier may know beside the answer: signer, end, ages, what the holder shows. No level or name."""
    words = words_of(language)
    names = {party.id: text_in(party.name, language) for party in governance.parties(node)}
    names.setdefault(node.id, text_in(node.settings.name, language))
    facts = [(words.gettext("Checked at"), words.moment(found.at))]
    if found.issuer:
        facts.append((words.gettext("Issuer, as the pass says"), names.get(found.issuer, found.issuer)))
    if found.expires_at:
        facts.append((words.gettext("Valid until"), words.moment(found.expires_at)))
    if found.list_age_seconds is not None:
        facts.append((words.gettext("Age of the trust list"), _minutes(found.list_age_seconds, words)))
    if found.status_age_seconds is not None:
        dated = found.at - timedelta(seconds=found.status_age_seconds)
        facts.append((words.gettext("Revocation list of the full hour"), words.moment(dated)))
    return facts + pass_code.in_words(node, found.facts, language)


def _minutes(seconds: int, words: Translations) -> str:
    minutes = seconds // 60
    if minutes < 1:
        return words.gettext("less than a minute")
    if minutes < 120:
        return words.ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": words.number(minutes)}
    return words.ngettext("%(n)s hour", "%(n)s hours", minutes // 60) % {"n": words.number(minutes // 60)}
