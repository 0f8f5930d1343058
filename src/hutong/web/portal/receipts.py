"""Pages of receipts: what became of every row of a file, and the decision about those that were held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from hutong.acquisition import held_queries, queries
from hutong.acquisition.held import OUTCOMES, HeldDecision, HeldRule, parse_rows
from hutong.acquisition.held_actions import decide_held
from hutong.acquisition.receipt import Receipt
from hutong.errors import BadInput, HutongError, LimitExceeded, NotSignedIn
from hutong.node import Node
from hutong.trust.authorisation import Actor, Resource
from hutong.web.acquisition_words import decision_text, remedy, rule_text, table_text
from hutong.web.doors import CurrentNode
from hutong.web.i18n import Language, Translations
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, words_of

router = APIRouter()

ITEMS_ON_A_PAGE = 25
DECISIONS_ON_A_PAGE = 50
MOST_ROW = 2**31 - 1
ReceiptId = Annotated[str, Path(max_length=40)]
Shown = Literal["", "held", "rejected", "waiting"]


def signed_in(actor: Actor) -> Actor:
    """``NotSignedIn`` for the public: the way to these pages leads over the sign-in page."""
    if actor.kind == "public":
        raise NotSignedIn("This page is for people who work with the data.", "Sign in as a steward.")
    return actor


@router.get("/{language}/steward/receipts/{receipt_id}", response_class=HTMLResponse)
def show_receipt(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    receipt_id: ReceiptId,
    outcome: Annotated[Shown, Query()] = "",
    after: Annotated[int, Query(ge=0, le=MOST_ROW)] = 0,
    new: Annotated[bool, Query()] = False,
    decided: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """One receipt: counts, reasons, findings, and the rows that were not accepted."""
    node.require(signed_in(actor), "read_receipts", Resource("Receipt", receipt_id))
    receipt = queries.receipt(node, receipt_id)
    return _page_of_receipt(
        request, node, language, actor, receipt, outcome=outcome, after=after, is_new=new, decided=decided
    )


@router.post("/{language}/steward/receipts/{receipt_id}/decisions", response_class=HTMLResponse)
def decide(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    receipt_id: ReceiptId,
    rule: Annotated[str, Form(max_length=80)] = "",
    decision: Annotated[str, Form(max_length=20)] = "",
    only: Annotated[str, Form(max_length=10_000)] = "",
    reason: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Releases or discards the rows that one rule held."""
    node.require(by, "decide_held", Resource("Receipt", receipt_id))
    receipt = queries.receipt(node, receipt_id)
    words = words_of(language)
    given = {"rule": rule, "decision": decision, "only": only, "reason": reason}
    errors = _faults(given, words)
    error = None
    if not errors:
        outcome = next(name for name in OUTCOMES if name == decision)
        try:
            made = decide_held(
                node,
                by=by,
                receipt_id=receipt_id,
                rule=rule,
                outcome=outcome,
                reason=reason,
                rows=parse_rows(only),
            )
        except HutongError as met:
            error = met
        else:
            return redirect(language, f"/steward/receipts/{receipt_id}?decided={made.id}#held")
    return _page_of_receipt(request, node, language, by, receipt, given=given, errors=errors, error=error)


def _faults(given: Mapping[str, str], words: Translations) -> dict[str, str]:
    """What is missing or can't be read, by field."""
    errors = {}
    if not given["rule"]:
        errors["rule"] = words.gettext("Choose whose rows you decide about.")
    if given["decision"] not in OUTCOMES:
        errors["decision"] = words.gettext("Choose whether the rows are released or discarded.")
    if not given["reason"].strip():
        errors["reason"] = words.gettext("Say why, in a sentence.")
    try:
        parse_rows(given["only"])
    except BadInput:
        errors["only"] = words.gettext("Write row numbers such as 5, 7, 10-12, or leave the field empty.")
    except LimitExceeded:
        errors["only"] = words.gettext("Choose at most 1,000 rows at once, or leave the field empty.")
    return errors


def _page_of_receipt(
    request: Request,
    node: Node,
    language: Language,
    actor: Actor,
    receipt: Receipt,
    *,
    outcome: str = "",
    after: int = 0,
    is_new: bool = False,
    decided: str = "",
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    error: HutongError | None = None,
) -> HTMLResponse:
    words = words_of(language)
    found = queries.receipt_items(node, receipt.id, outcome=outcome or None, after=after, limit=ITEMS_ON_A_PAGE + 1)
    items = found[:ITEMS_ON_A_PAGE]
    here = f"/{language.code}/steward/receipts/{receipt.id}"
    kept = {"outcome": outcome} if outcome else {}
    more = len(found) > ITEMS_ON_A_PAGE
    rules = held_queries.held_rules(node, receipt.id) if receipt.held else []
    made = held_queries.decisions(node, receipt.id) if receipt.held else []
    return page(
        request,
        language,
        "steward_receipt.html",
        status=error.status if error else 422 if errors else 200,
        receipt=receipt,
        summary=summary(receipt, words),
        reasons=[shown_reason(reason, words) for reason in queries.reasons(node, [receipt.id])],
        findings=[(rule_text(n.rule, words), n.subject, n.rows, n.rule) for n in receipt.findings],
        outside=outside([receipt]),
        items=[SimpleNamespace(**item, text=rule_text(item["rule"], words, item["reason"])) for item in items],
        outcome=outcome,
        first=f"{here}?{urlencode(kept)}#rows" if after else None,
        next=f"{here}?{urlencode({**kept, 'after': items[-1]['row_number']})}#rows" if more else None,
        is_new=is_new,
        held=_standing(rules),
        waiting=[_choice(rule, words) for rule in rules if rule.waiting],
        decisions=[_decision(one, words) for one in made[:DECISIONS_ON_A_PAGE]],
        decided=next((_decision(one, words) for one in made if one.id == decided), None),
        may_decide=node.policy.decide(actor, "decide_held", Resource("Receipt", receipt.id)).allowed,
        given=given or {"rule": "", "decision": "", "only": "", "reason": ""},
        errors=errors or {},
        error=error,
    )


def _standing(rules: Iterable[HeldRule]) -> SimpleNamespace:
    counted = list(rules)
    return SimpleNamespace(
        waiting=sum(rule.waiting for rule in counted),
        released=sum(rule.released for rule in counted),
        discarded=sum(rule.discarded for rule in counted),
    )


def _choice(rule: HeldRule, words: Translations) -> tuple[str, str, str]:
    text = words.ngettext("%(n)s row waits", "%(n)s rows wait", rule.waiting) % {"n": words.number(rule.waiting)}
    return rule.rule, rule_text(rule.rule, words, rule.reason), f"{rule.rule} · {text}"


def _decision(made: HeldDecision, words: Translations) -> SimpleNamespace:
    return SimpleNamespace(
        text=decision_text(made.outcome, made.rows, words),
        outcome=made.outcome,
        rule=made.rule,
        reason=made.reason,
        by=made.by,
        at=made.decided_at,
    )


def summary(receipt: Receipt, words: Translations) -> SimpleNamespace:
    """A receipt in a list."""
    return SimpleNamespace(
        id=receipt.id,
        source=receipt.source,
        file=receipt.file_name,
        table=table_text(receipt.table, words),
        rows=receipt.rows,
        accepted=receipt.accepted,
        held=receipt.held,
        rejected=receipt.rejected,
        received=receipt.received_at,
    )


def shown_reason(reason: queries.Reason, words: Translations) -> SimpleNamespace:
    """Why rows were not accepted, and what a steward can do about it."""
    return SimpleNamespace(
        receipt=reason.receipt,
        outcome=reason.outcome,
        rule=reason.rule,
        text=rule_text(reason.rule, words, reason.example),
        rows=reason.rows,
        remedy=remedy(reason.rule, words),
    )


def outside(receipts: Iterable[Receipt]) -> list[tuple[str, int]]:
    """Elements that the boundary kept out, with how many values were dropped unread."""
    dropped: Counter[str] = Counter()
    for receipt in receipts:
        dropped.update(receipt.refused_values)
    return sorted(dropped.items())
