"""Page: which passes were revoked, by whose order and rule, and the state of the keys that sign passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

from hutong.errors import HutongError, NotSignedIn
from hutong.node import Node
from hutong.passes import actions_pass, key_queries
from hutong.trust.authorisation import Actor, Resource
from hutong.web.doors import CurrentNode
from hutong.web.error_words import said
from hutong.web.i18n import N_, Language, Translations
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, words_of
from hutong.web.portal.second_person import second_person

router = APIRouter()

STATES = {
    "in-use": (N_("in use"), "low"),
    "retired": (N_("retired"), "unknown"),
    "compromised": (N_("compromised"), "high"),
}


GROUNDS: Mapping[str, str] = {
    "issued-in-error": N_("It was issued in error"),
    "forged": N_("A copy or a forgery is shown"),
    "key-compromised": N_("Somebody else may have the key that signed it"),
    "level-changed": N_("The level of its holder has changed"),
    "appeal-granted": N_("An appeal was upheld"),
    "holder-asked": N_("Its holder asked for it"),
}
"""The rules of ``REVOCATION_RULES`` in words."""


@router.get("/{language}/pass/keys", response_class=HTMLResponse)
def show_keys(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    """For authorities and auditors: revocations name who ordered them."""
    if actor.kind == "public":
        raise NotSignedIn("Revocations are shown to authorities and auditors.", "Sign in as one of them.")
    node.require(actor, "read_keys", Resource("Node", node.id))
    return _keys_page(request, node, language, actor)


@router.post("/{language}/pass/keys/revocation", response_class=HTMLResponse)
def revoke(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    which: Annotated[str, Form(max_length=40)] = "",
    rule_id: Annotated[str, Form(max_length=80)] = "",
    reason: Annotated[str, Form(max_length=1000)] = "",
    second: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    given = {"which": which, "rule_id": rule_id, "reason": reason, "second": second}
    # Who may not revoke is refused before another person's password is looked at.
    node.require(actor, "revoke_pass", Resource("Pass", which[:40]))
    try:
        actions_pass.revoke_pass(
            node,
            by=actor,
            pass_id=key_queries.named_pass(node, which),
            second=second_person(node, request, second, password),
            rule_id=rule_id,
            reason=reason,
        )
    except NotSignedIn:
        told = words_of(language).gettext("The name or the password of the second person is wrong.")
        return _keys_page(request, node, language, actor, given=given, errors={"second": told}, status=422)
    except HutongError as error:
        errors = {"which": said(language, error.what, error.do)}
        return _keys_page(request, node, language, actor, given=given, errors=errors, status=error.status)
    return redirect(language, "/pass/keys#revocations")


def _keys_page(
    request: Request,
    node: Node,
    language: Language,
    actor: Actor,
    *,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    words = words_of(language)
    found = key_queries.revocations(node)
    response = page(
        request,
        language,
        "pass_keys.html",
        status=status,
        may_revoke=node.policy.decide(actor, "revoke_pass", Resource("Pass", "")).allowed,
        grounds=[(rule, words.gettext(label)) for rule, label in GROUNDS.items()],
        given=given or {},
        errors=dict(errors or {}),
        keys=_keys(node, words),
        acts=[_act(act) for act in key_queries.key_acts(node)],
        revocations=found,
        most=key_queries.MOST,
        counts=key_queries.pass_counts(node),
        rules=_by_rule(found),
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _keys(node: Node, words: Translations) -> list[SimpleNamespace]:
    shown = []
    for one in node.keys.pass_keys:
        word, tone = STATES[one.state]
        shown.append(
            SimpleNamespace(
                id=one.key_id,
                word=words.gettext(word),
                tone=tone,
                begins=one.begins_at.date(),
                ends=one.ends_at.date(),
                changed=one.changed_at,
            )
        )
    return shown


def _act(act: key_queries.KeyAct) -> SimpleNamespace:
    return SimpleNamespace(
        at=act.at, by=act.by, second=act.second, key=act.key, ended=act.kind == "compromised", index=act.entry
    )


def _by_rule(found: Iterable[key_queries.Revocation]) -> list[tuple[str, int]]:
    counted: dict[str, int] = {}
    for one in found:
        counted[one.rule] = counted.get(one.rule, 0) + 1
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))
