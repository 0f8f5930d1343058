"""Requests, agreements and deliveries as the pages show them: names for ids, words for states, who must act."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Final

from hutong.errors import NotFound
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.sharing import catalogue as shown
from hutong.sharing import queries
from hutong.sharing.agreement import KeptAgreement
from hutong.sharing.delivery import Delivery
from hutong.sharing.demand import PURPOSES, PurposeCode, Request
from hutong.web import code_words
from hutong.web.i18n import N_, Language
from hutong.web.portal.page import text_in, words_of

STATES: Final = {
    "filed": ("medium", N_("waiting for a decision")),
    "granted": ("low", N_("granted")),
    "refused": ("high", N_("refused")),
    "withdrawn": ("unknown", N_("taken back")),
}
AGREEMENT_STATES: Final = {
    "in-force": ("low", N_("in force")),
    "revoked": ("high", N_("revoked")),
    "ended": ("unknown", N_("ended")),
}
TASK_STATES: Final = {
    "done": ("low", N_("done")),
    "waiting": ("medium", N_("waiting")),
    "overdue": ("high", N_("overdue")),
    "later": ("unknown", N_("later")),
    "not-needed": ("unknown", N_("not needed")),
    "not-confirmed": ("unknown", N_("asked for; nobody confirms it here")),
}
ACCOUNT = "account:"


def request_line(node: Node, asked: Request, language: Language) -> SimpleNamespace:
    """A request in a list: what is asked, by whom, how it stands, and who must act next, by when."""
    words = words_of(language)
    tone, state = STATES[asked.state]
    coming = next((task for task in queries.tasks(node, asked) if task.state in ("waiting", "overdue")), None)
    return SimpleNamespace(
        id=asked.id,
        title=dataset_title(node, asked.provider, asked.dataset_id, language),
        party=party_name(node, asked.party, language),
        provider=party_name(node, asked.provider, language),
        filed_at=asked.filed_at,
        state=words.gettext(state),
        tone=tone,
        next_text=text_in(coming.text, language) if coming else "",
        next_who=party_name(node, coming.who, language) if coming else "",
        next_due=coming.due if coming else None,
        overdue=bool(coming and coming.state == "overdue"),
    )


def task_lines(node: Node, asked: Request, language: Language) -> list[SimpleNamespace]:
    """The steps of a request."""
    words = words_of(language)
    return [
        SimpleNamespace(
            text=text_in(task.text, language),
            who=party_name(node, task.who, language),
            tone=TASK_STATES[task.state][0],
            state=words.gettext(TASK_STATES[task.state][1]),
            due=task.due,
            done_at=task.done_at,
        )
        for task in queries.tasks(node, asked)
    ]


def agreement_line(node: Node, kept: KeptAgreement, language: Language) -> SimpleNamespace:
    """An agreement in a list."""
    agreed = kept.agreement
    standing = kept.state(node.clock())
    tone, state = AGREEMENT_STATES[standing]
    return SimpleNamespace(
        id=agreed.id,
        title=dataset_title(node, agreed.provider, agreed.dataset_id, language),
        provider=party_name(node, agreed.provider, language),
        recipient=party_name(node, agreed.recipient, language),
        is_over=standing != "in-force",
        revoked_at=kept.revoked_at,
        over_at=min(kept.revoked_at or agreed.expires_at, agreed.expires_at),
        tone=tone,
        state=words_of(language).gettext(state),
    )


def delivery_line(node: Node, made: Delivery, language: Language) -> SimpleNamespace:
    """A delivery in a list; to or from whom is told by its agreement."""
    agreed = queries.agreement(node, made.agreement_id).agreement
    return SimpleNamespace(
        agreement=made.agreement_id,
        title=dataset_title(node, agreed.provider, made.dataset_id, language),
        recipient=party_name(node, agreed.recipient, language),
        version=made.version,
        format=made.format.upper(),
        rows=made.rows,
        bytes=made.bytes,
        sha256=made.sha256,
        at=made.at,
        permitted=permitted_by(node, made.policies, language),
    )


def permitted_by(node: Node, policies: tuple[str, ...], language: Language) -> list[tuple[str, str]]:
    """Id and reason of each policy behind a decision; a foreign policy's reason is empty."""
    return [(told["policy"], text_in(told["reason"], language)) for told in node.policy.told(policies)]


def purpose_words(code: PurposeCode, language: Language) -> SimpleNamespace:
    """A purpose: its name, what it means, and its term."""
    term = PURPOSES[code]
    return SimpleNamespace(
        label=text_in(term.label, language),
        coded=code_words.purpose(code, words_of(language)),
        meaning=text_in(term.meaning, language),
        id=term.id,
        uri=term.uri,
    )


def party_name(node: Node, party_id: str, language: Language) -> str:
    """What a party is called; an account of this node by its name, this node by its own."""
    if party_id == node.id:
        return text_in(node.settings.name, language)
    if party_id.startswith(ACCOUNT):
        return words_of(language).gettext("Account %(name)s") % {"name": party_id.removeprefix(ACCOUNT)}
    known = {party.id: party.name for party in governance.parties(node)}
    return text_in(known[party_id], language) if party_id in known else party_id


def dataset_title(node: Node, provider: str, dataset_id: str, language: Language) -> str:
    """A dataset's title in this node's catalogue, or its id when it is not there (any more)."""
    name = dataset_id if provider == node.id else f"{provider}--{dataset_id}"
    try:
        return shown.dataset(node, name).title.in_language(language.code)
    except NotFound:
        return dataset_id
