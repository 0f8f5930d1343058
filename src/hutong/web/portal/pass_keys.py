"""Page: which passes were revoked, by whose order and rule, and the state of the keys that sign passes."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from hutong.errors import NotSignedIn
from hutong.node import Node
from hutong.passes import key_queries
from hutong.trust.authorisation import Resource
from hutong.web.doors import CurrentNode
from hutong.web.i18n import N_, Translations
from hutong.web.portal.page import PageActor, PageLanguage, page, words_of

router = APIRouter()

STATES = {
    "in-use": (N_("in use"), "low"),
    "retired": (N_("retired"), "unknown"),
    "compromised": (N_("compromised"), "high"),
}


@router.get("/{language}/pass/keys", response_class=HTMLResponse)
def show_keys(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    """For authorities and auditors: revocations name who ordered them."""
    if actor.kind == "public":
        raise NotSignedIn("Revocations are shown to authorities and auditors.", "Sign in as one of them.")
    node.require(actor, "read_keys", Resource("Node", node.id))
    words = words_of(language)
    found = key_queries.revocations(node)
    response = page(
        request,
        language,
        "pass_keys.html",
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
