"""Page: which passes were revoked, by whose order and rule, and the state of the keys that sign passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from hutong.errors import BadInput, HutongError, NotSignedIn, Refused
from hutong.node import Node
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import key_queries
from hutong.passes.trust_bundle import eu_queries
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.trust.authorisation import Actor, Resource
from hutong.web.doors import CurrentNode
from hutong.web.error_words import said
from hutong.web.i18n import N_, Language, Translations
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, words_of
from hutong.web.portal.second_person import second_person

router = APIRouter()

LONGEST_NAME, LONGEST_PASSWORD = 100, 1000
LONGEST_FIELD = 20_000
"""Characters of a field that are read: what is too long is told at the field, with all of it kept."""

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
def show_keys(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    revoked: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """For authorities and auditors: revocations name who ordered them."""
    if actor.kind == "public":
        raise NotSignedIn("Revocations are shown to authorities and auditors.", "Sign in as one of them.")
    node.require(actor, "read_keys", Resource("Node", node.id))
    return _keys_page(request, node, language, actor, revoked=revoked)


@router.post("/{language}/pass/keys/revocation", response_class=HTMLResponse)
def revoke(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: FormActor,
    which: Annotated[str, Form(max_length=LONGEST_FIELD)] = "",
    rule_id: Annotated[str, Form(max_length=LONGEST_FIELD)] = "",
    reason: Annotated[str, Form(max_length=LONGEST_FIELD)] = "",
    second: Annotated[str, Form(max_length=LONGEST_FIELD)] = "",
    password: Annotated[str, Form(max_length=LONGEST_FIELD)] = "",
) -> Response:
    given = {"which": which, "rule_id": rule_id, "reason": reason, "second": second}
    # Who may not revoke is refused before another person's password is looked at.
    node.require(actor, "revoke_pass", Resource("Pass", which[:40]))
    field = "which"
    try:
        pass_id = key_queries.named_pass(node, which)
        field = "second"
        agreeing = second_person(node, request, second[:LONGEST_NAME], password[:LONGEST_PASSWORD])
        field = "which"
        pass_actions.revoke_pass(node, by=actor, pass_id=pass_id, second=agreeing, rule_id=rule_id, reason=reason)
    except NotSignedIn:
        told = words_of(language).gettext("The name or the password of the second person is wrong.")
        return _keys_page(request, node, language, actor, given=given, errors={"second": told}, status=422)
    except HutongError as error:
        errors = {_at_fault(error, field, given): said(language, error.what, error.do)}
        return _keys_page(request, node, language, actor, given=given, errors=errors, status=error.status)
    return redirect(language, f"/pass/keys?revoked={pass_id}#revocations")


def _at_fault(error: HutongError, field: str, given: Mapping[str, str]) -> str:
    """The field at which an error stands: the pass is right once it was found, and so is who signed in."""
    if isinstance(error, Refused):  # the first person may: that was asked before
        return "second"
    if isinstance(error, BadInput):
        return "reason" if given["rule_id"] in GROUNDS else "rule_id"
    return field


def _keys_page(
    request: Request,
    node: Node,
    language: Language,
    actor: Actor,
    *,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    revoked: str = "",
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
        load=bundle_queries.bundle_load(node),
        eu_signers=eu_queries.held_keys(node),
        eu_lists=eu_queries.held_revocations(node),
        now=node.clock(),
        rules=[(_ground(rule, words), n) for rule, n in _by_rule(found)],
        rule_text=lambda rule: _ground(rule, words),
        revoked=next((one for one in found if one.pass_id == revoked), None),
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _ground(rule: str, words: Translations) -> str:
    """A rule in words; a rule of a rulebook by its id."""
    return words.gettext(GROUNDS[rule]) if rule in GROUNDS else rule


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
