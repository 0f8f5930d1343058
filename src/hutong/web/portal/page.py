"""The frame that every page shares: language, navigation, emergency, who is signed in, the log's newest checkpoint."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from hutong import __version__
from hutong.errors import HutongError, NotSignedIn, Refused
from hutong.governance import queries
from hutong.governance.account import Session
from hutong.node import Node
from hutong.trust.authorisation import PUBLIC, Actor
from hutong.trust.log.checkpoint import parse_checkpoint
from hutong.trust.log.note import parse_note
from hutong.web.doors import SESSION_COOKIE, CurrentSession, get_node, get_session
from hutong.web.i18n import N_, Language, Translations, language_of, preferred_language, translations
from hutong.web.rendering import render

NAVIGATION = (
    ("/", N_("Overview")),
    ("/catalogue", N_("Data")),
    ("/requests", N_("Requests")),
    ("/pass", N_("Passes")),
    ("/appeals", N_("Appeals")),
    ("/log", N_("Log")),
    ("/steward", N_("Stewardship")),
)
APPEALS = frozenset({"resident", "authority", "auditor", "operator"})
"""Roles that file appeals, decide them or look after them; everybody finds the way there on the page of passes."""


def get_language(language: Annotated[str, Path(max_length=5)]) -> Language:
    """The language of the page, by its path."""
    return language_of(language)


PageLanguage = Annotated[Language, Depends(get_language)]


def get_page_actor(session: CurrentSession) -> Actor:
    """Who looks at a page: the signed-in account, or the public."""
    return session.actor if session else PUBLIC


PageActor = Annotated[Actor, Depends(get_page_actor)]


def check_form(session: CurrentSession, csrf: Annotated[str, Form(max_length=100)] = "") -> Actor:
    """Who sends a form. ``NotSignedIn`` without a session, ``Refused`` when the form is not from our own page."""
    if session is None:
        raise NotSignedIn("You are not signed in.", "Sign in and send the form again.")
    if not hmac.compare_digest(csrf.encode(), session.csrf.encode()):
        raise Refused("The form did not come from this session's page.", "Open the page again and send it from there.")
    return session.actor


FormActor = Annotated[Actor, Depends(check_form)]


def page(request: Request, language: Language, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a template inside the frame."""
    return HTMLResponse(_text(request, language, template, context), status_code=status)


def redirect(language: Language, path: str) -> RedirectResponse:
    """Send the browser on after a form (303), to a path of this node in the same language."""
    return RedirectResponse(f"/{language.code}{path}", status_code=303)


def error_text(request: Request, *, status: int, code: str, what: str, do: str, refused: Refused | None) -> str:
    """The error page. ``code`` is the error's stable name; ``refused`` has who refused, and why."""
    first = request.url.path.split("/", 2)[1]
    language = (
        language_of(first) if first in ("en", "zh") else preferred_language(request.headers.get("accept-language", ""))
    )
    words = translations(language)
    context: dict[str, Any] = {"status": status, "code": code, "what": what, "do": do}
    sign_in = _sign_in(request, language), words.gettext("Sign in")
    if status == 401:
        context["way_out"] = [sign_in]
        context["headline"] = words.gettext("Sign in to go on")
    try:
        if refused:
            is_visitor = get_session(request, get_node(request)) is None
            context |= _refusal(refused, language, is_visitor=is_visitor)
            context["way_in"] = [sign_in] if is_visitor else []
        return _text(request, language, "error.html", context)
    except HutongError:
        # The frame is of the records, too: without them the page says what is wrong and nothing else.
        return render("error.html", language, path=request.url.path, **context)


def _sign_in(request: Request, language: Language) -> str:
    """The page to sign in on, and from there back to this one."""
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    # The sign-in page checks the address again. What a form was sent to has no page to come back to.
    following = f"?next={quote(address, safe='/')}" if request.method == "GET" else ""
    return f"/{language.code}/sign-in{following}"


def _refusal(refused: Refused, language: Language, *, is_visitor: bool) -> dict[str, Any]:
    """What the error page says of a refusal: whom it concerns, the reasons that its sentence lacks, whose they are."""
    words = translations(language)
    if not (refused.reasons or refused.policies):
        headline = words.gettext("This was refused")
    elif is_visitor:
        headline = words.gettext("This is not open to visitors")
    else:
        headline = words.gettext("Your account may not do this")
    more = [reason for reason in refused.reasons if reason not in refused.what]
    return {"headline": headline, "reasons": more, "policies": refused.policies}


def words_of(language: Language) -> Translations:
    """The words of a page in its language."""
    return translations(language)


def text_in(texts: Mapping[str, str], language: Language) -> str:
    """The text in the page's language, or in English when there is none."""
    return texts.get(language.code) or texts.get("en", "")


def _text(request: Request, language: Language, template: str, context: Mapping[str, Any]) -> str:
    node = get_node(request)
    session = get_session(request, node)
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return render(template, language, path=path, **_frame(node, session, language, request.url.path), **context)


def _frame(node: Node, session: Session | None, language: Language, path: str) -> dict[str, Any]:
    words = translations(language)
    home = f"/{language.code}"
    here = path.removeprefix(home) or "/"
    navigation = [
        (home + target, words.gettext(label), here == target or (target != "/" and here.startswith(target)))
        for target, label in NAVIGATION
        if _concerns(target, session)
    ]
    return {
        "node": SimpleNamespace(name=text_in(node.settings.name, language), organisation=""),
        "navigation": navigation,
        "emergency": _emergency(node, language),
        "user": session
        and SimpleNamespace(name=session.display_name, href=f"{home}/account", sign_out=f"{home}/sign-out"),
        "sign_in": f"{home}/sign-in",
        "csrf": session and session.csrf,
        "session": session,
        "checkpoint": _checkpoint(node, home),
        "version": __version__,
        "feedback": None,
    }


def _concerns(target: str, session: Session | None) -> bool:
    """Whether a part of the node is named to whoever looks: what only some may use is not in everybody's way."""
    roles = session.actor.roles if session else frozenset()
    if target == "/steward":
        return bool(roles - {"partner", "resident"})
    return target != "/appeals" or bool(roles & APPEALS)


def _emergency(node: Node, language: Language) -> SimpleNamespace | None:
    known = queries.emergency_in_force(node, node.clock().date())
    if known is None:
        return None
    return SimpleNamespace(
        name=text_in(known.title, language),
        declared=known.starts,
        review=known.review,
        sunset=known.sunset,
        href=f"/{language.code}/#emergency",
    )


def _checkpoint(node: Node, home: str) -> SimpleNamespace:
    checkpoint = parse_checkpoint(parse_note(node.log.checkpoint()).text)
    newest = node.log.entry(checkpoint.size - 1).event["at"] if checkpoint.size else None
    from datetime import datetime

    at = datetime.fromisoformat(newest) if newest else node.clock()
    return SimpleNamespace(size=checkpoint.size, root=checkpoint.root.hex(), at=at, href=f"{home}/log")


__all__ = [
    "SESSION_COOKIE",
    "FormActor",
    "PageActor",
    "PageLanguage",
    "page",
    "redirect",
    "text_in",
    "words_of",
]
