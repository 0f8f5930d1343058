"""Pages: sign in and out, and the account with its API tokens."""

from __future__ import annotations

import hmac
import re
import secrets
from types import SimpleNamespace
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from hutong.errors import BadInput, NotSignedIn, Refused, TooManyRequests
from hutong.governance import actions, queries
from hutong.governance.account import TOKEN_DAYS, Session, Token
from hutong.node import Node
from hutong.web.doors import SESSION_COOKIE, CurrentNode, CurrentSession
from hutong.web.i18n import N_, Language, Translations
from hutong.web.portal.page import FormActor, PageLanguage, page, redirect, words_of

router = APIRouter()

FORM_COOKIE = "hutong_sign_in"
FORM_SECONDS = 3600
NO_STORE = {"Cache-Control": "no-store"}
# A path of this node in one of its languages: nothing that a browser would read as another site.
NEXT = re.compile(r"/(?:en|zh)/[A-Za-z0-9/_.?=&%~+-]{0,500}")
ROLES = {
    "operator": N_("Operator: runs the node"),
    "steward": N_("Steward: acquires, reviews and publishes data"),
    "authority": N_("Authority: declares emergencies, sets boundaries, decides requests"),
    "partner": N_("Partner: asks for data and receives them under an agreement"),
    "verifier": N_("Verifier: checks passes"),
    "resident": N_("Resident: gets a pass"),
    "auditor": N_("Auditor: reads receipts, requests and the log"),
}


@router.get("/{language}/sign-in", response_class=HTMLResponse)
def sign_in_form(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    session: CurrentSession,
    following: Annotated[str, Query(alias="next", max_length=500)] = "",
) -> Response:
    if session is not None:
        return redirect(language, "/account")
    return _form(request, node, language, following=_checked(following))


@router.post("/{language}/sign-in", response_class=HTMLResponse)
def sign_in(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    name: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    form: Annotated[str, Form(max_length=100)] = "",
    following: Annotated[str, Form(alias="next", max_length=500)] = "",
) -> Response:
    words = words_of(language)
    cookie = request.cookies.get(FORM_COOKIE, "")
    if not cookie or not hmac.compare_digest(form.encode(), cookie.encode()):
        raise Refused(
            "The form is too old, or did not come from this node's page.",
            "Open the sign-in page again; cookies must be allowed for it.",
        )
    address = request.client.host if request.client else "unknown"
    where = _checked(following)
    try:
        opened = actions.sign_in(node, name=name.strip(), password=password, address=address)
    except NotSignedIn:
        errors = {"name": words.gettext("The name or the password is wrong.")}
        return _form(request, node, language, status=401, name=name, following=where, errors=errors)
    except TooManyRequests:
        errors = {"name": words.gettext("Too many tries to sign in. Wait five minutes and try again.")}
        return _form(request, node, language, status=429, name=name, following=where, errors=errors)
    answer = RedirectResponse(where or f"/{language.code}/", status_code=303, headers=NO_STORE)
    seconds = node.settings.limits.session_seconds
    _set_cookie(answer, node, name=SESSION_COOKIE, value=opened.secret, seconds=seconds, strict=False)
    answer.delete_cookie(FORM_COOKIE, path="/")
    return answer


@router.post("/{language}/sign-out", response_class=RedirectResponse)
def sign_out(node: CurrentNode, language: PageLanguage, session: CurrentSession, by: FormActor) -> Response:
    if session is not None and by == session.actor:
        actions.sign_out(node, secret=session.secret)
    answer = redirect(language, "/")
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


@router.get("/{language}/account", response_class=HTMLResponse)
def account(request: Request, node: CurrentNode, language: PageLanguage, session: CurrentSession) -> Response:
    if session is None:
        return RedirectResponse(f"/{language.code}/sign-in?next=/{language.code}/account", status_code=303)
    return _account(request, node, language, session)


@router.post("/{language}/account/tokens", response_class=HTMLResponse)
def create_token(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    session: CurrentSession,
    by: FormActor,
    label: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Make a token and show it, this once: the answer is a page and is kept nowhere."""
    assert session is not None
    try:
        secret = actions.create_token(node, by=by, account_name=by.id, label=label.strip())
    except BadInput:
        errors = {"label": words_of(language).gettext("Say in 1 to 120 characters what the token is for.")}
        return _account(request, node, language, session, status=422, label=label, errors=errors)
    return _account(request, node, language, session, secret=secret)


@router.post("/{language}/account/tokens/end", response_class=RedirectResponse)
def end_token(
    node: CurrentNode, language: PageLanguage, by: FormActor, token: Annotated[str, Form(max_length=64)] = ""
) -> Response:
    actions.end_listed_token(node, by=by, account_name=by.id, token=token)
    return redirect(language, "/account")


def _form(
    request: Request,
    node: Node,
    language: Language,
    *,
    status: int = 200,
    name: str = "",
    following: str = "",
    errors: dict[str, str] | None = None,
) -> Response:
    """The sign-in form. It carries a secret that its cookie has too, so that no other site can sign a browser in."""
    secret = secrets.token_urlsafe(24)
    answer = page(
        request,
        language,
        "sign_in.html",
        status=status,
        name=name[:100],
        following=following,
        form_secret=secret,
        errors=errors or {},
    )
    _set_cookie(answer, node, name=FORM_COOKIE, value=secret, seconds=FORM_SECONDS, strict=True)
    answer.headers.update(NO_STORE)
    return answer


def _account(
    request: Request,
    node: Node,
    language: Language,
    session: Session,
    *,
    status: int = 200,
    secret: str = "",
    label: str = "",
    errors: dict[str, str] | None = None,
) -> Response:
    words = words_of(language)
    now = node.clock()
    answer = page(
        request,
        language,
        "account.html",
        status=status,
        account=session,
        roles=[words.gettext(ROLES[role]) for role in sorted(session.actor.roles)],
        tokens=[_token(known, known.state(now), words) for known in queries.tokens(node, session.actor.id)],
        token_days=TOKEN_DAYS,
        secret=secret,
        label=label[:200],
        errors=errors or {},
        api=node.settings.url,
    )
    answer.headers.update(NO_STORE)
    return answer


def _token(known: Token, state: str, words: Translations) -> SimpleNamespace:
    return SimpleNamespace(
        id=known.id,
        label=known.label,
        created=words.date(known.created_at.date()),
        expires=words.date(known.expires_at.date()),
        state=state,
    )


def _checked(following: str) -> str:
    return following if NEXT.fullmatch(following) and "//" not in following else ""


def _set_cookie(answer: Response, node: Node, *, name: str, value: str, seconds: int, strict: bool) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        secure=node.settings.url.startswith("https://"),
        samesite="strict" if strict else "lax",
    )
