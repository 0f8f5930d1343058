"""Pages of sharing: requests as task lists, the decision, agreements in plain words, deliveries, revocation."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from hutong.errors import BadInput, HutongError, NotFound, NotSignedIn, Refused
from hutong.node import Node
from hutong.opening.catalogue.catalogue import MEDIA_TYPES, Dataset
from hutong.sharing import actions, demand, queries
from hutong.sharing import catalogue as shown
from hutong.sharing.delivery import Format, asking_party
from hutong.sharing.demand import PURPOSES, PurposeCode
from hutong.trust.authorisation import Actor, Resource
from hutong.web.doors import CurrentNode
from hutong.web.i18n import Language
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, text_in
from hutong.web.sharing_view import (
    agreement_line,
    delivery_line,
    party_name,
    permitted_by,
    purpose_words,
    request_line,
    task_lines,
)

router = APIRouter()

ID = Path(pattern="^[0-9a-z]{20}$")
LONG = Form(max_length=demand.LONGEST_TEXT)
BY_AGREEMENT = 2
SHOWN = 50


@router.get("/{language}/requests", response_class=HTMLResponse)
def list_requests(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    """Requests, agreements and deliveries that the reader may see; the public is told how it works."""
    try:
        party = queries.readable_party(node, actor)
    except Refused:
        return page(
            request,
            language,
            "requests.html",
            may_read=False,
            is_public=actor.kind == "public",
            requests=[],
            agreements=[],
            deliveries=[],
        )
    agreements = queries.agreements(node, recipient=party, limit=SHOWN)
    own = None if party is None else [kept.agreement.id for kept in agreements]
    return page(
        request,
        language,
        "requests.html",
        may_read=True,
        requests=[request_line(node, asked, language) for asked in queries.requests(node, party=party, limit=SHOWN)],
        agreements=[agreement_line(node, kept, language) for kept in agreements],
        deliveries=[
            delivery_line(node, made, language) for made in queries.deliveries(node, agreement_ids=own)[:SHOWN]
        ],
    )


@router.get("/{language}/requests/new", response_class=HTMLResponse)
def request_form(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    dataset: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    if actor.kind == "public":
        raise NotSignedIn("Who asks for data must be known.", "Sign in, or ask the people who run this node.")
    return _request_page(request, node, language, {"dataset": dataset})


@router.post("/{language}/requests/new", response_class=HTMLResponse)
def ask(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    dataset: Annotated[str, Form(max_length=100)] = "",
    purpose: Annotated[str, Form(max_length=10)] = "",
    statement: Annotated[str, LONG] = "",
    fields: Annotated[str, LONG] = "",
    days: Annotated[str, Form(max_length=6)] = "",
    contact: Annotated[str, Form(max_length=demand.LONGEST_CONTACT)] = "",
) -> Response:
    """Files the request here, or at the node where the dataset lives."""
    given = {
        "dataset": dataset,
        "purpose": purpose,
        "statement": statement,
        "fields": fields,
        "days": days,
        "contact": contact,
    }
    try:
        asked = _ask(node, by, given)
    except HutongError as error:
        return _request_page(request, node, language, given, error=error)
    return redirect(language, f"/requests/{asked.id}")


@router.get("/{language}/requests/{request_id}", response_class=HTMLResponse)
def show_request(
    request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor, request_id: Annotated[str, ID]
) -> HTMLResponse:
    """One request as a task list: what was done, what is due, and who must act."""
    return _page_of_request(request, node, language, actor, request_id)


@router.post("/{language}/requests/{request_id}/decision", response_class=HTMLResponse)
def decide(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    request_id: Annotated[str, ID],
    decision: Annotated[Literal["grant", "refuse", ""], Form()] = "",
    reason: Annotated[str, LONG] = "",
    days: Annotated[str, Form(max_length=6)] = "",
) -> Response:
    try:
        if not decision:
            raise BadInput("Neither granted nor refused.", "Choose one of the two.")
        actions.decide_request(
            node,
            by=by,
            request_id=request_id,
            grant=decision == "grant",
            reason=reason,
            days=_days(days) if decision == "grant" and days.strip() else None,
        )
    except HutongError as error:
        given = {"decision": decision, "reason": reason, "days": days}
        return _page_of_request(request, node, language, by, request_id, given=given, error=error)
    return redirect(language, f"/requests/{request_id}")


@router.post("/{language}/requests/{request_id}/withdrawal", response_class=HTMLResponse)
def withdraw(node: CurrentNode, language: PageLanguage, by: FormActor, request_id: Annotated[str, ID]) -> Response:
    actions.withdraw_request(node, by=by, request_id=request_id)
    return redirect(language, f"/requests/{request_id}")


@router.post("/{language}/requests/{request_id}/follow", response_class=HTMLResponse)
def follow(node: CurrentNode, language: PageLanguage, by: FormActor, request_id: Annotated[str, ID]) -> Response:
    """Asks the provider how a sent request stands."""
    actions.follow_request(node, by=by, request_id=request_id)
    return redirect(language, f"/requests/{request_id}")


@router.get("/{language}/agreements/{agreement_id}", response_class=HTMLResponse)
def show_agreement(
    request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor, agreement_id: Annotated[str, ID]
) -> HTMLResponse:
    """The terms of an agreement in plain words, and what was delivered under it."""
    return _page_of_agreement(request, node, language, actor, agreement_id)


@router.post("/{language}/agreements/{agreement_id}/revocation", response_class=HTMLResponse)
def revoke(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    agreement_id: Annotated[str, ID],
    because: Annotated[str, LONG] = "",
) -> Response:
    try:
        actions.revoke_agreement(node, by=by, agreement_id=agreement_id, because=because)
    except HutongError as error:
        return _page_of_agreement(request, node, language, by, agreement_id, because=because, error=error)
    return redirect(language, f"/agreements/{agreement_id}")


@router.post("/{language}/agreements/{agreement_id}/delivery", response_class=Response)
def deliver(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    agreement_id: Annotated[str, ID],
    format_: Annotated[Format, Form(alias="format")] = "csv",
) -> Response:
    """Hands the data out to the recipient's account, or fetches them into this node when another node gives them."""
    agreed = queries.agreement(node, agreement_id).agreement
    try:
        if agreed.provider != node.id:
            actions.receive(node, by=by, provider=agreed.provider, agreement_id=agreement_id, format_=format_)
            return redirect(language, f"/agreements/{agreement_id}")
        made = actions.deliver(node, by=by, agreement_id=agreement_id, purpose=agreed.purpose, format_=format_)
    except HutongError as error:
        return _page_of_agreement(request, node, language, by, agreement_id, error=error)
    headers = {
        "Content-Disposition": f'attachment; filename="{made.delivery.file_name}"',
        "Cache-Control": "no-store",
    }
    return Response(made.content, media_type=MEDIA_TYPES[format_], headers=headers)


def _ask(node: Node, by: Actor, given: dict[str, str]) -> demand.Request:
    dataset = _dataset(node, given["dataset"])
    if given["purpose"] not in PURPOSES:
        raise BadInput("No purpose was chosen.", "Choose what the data are for.")
    purpose: PurposeCode = PURPOSES[given["purpose"]].code
    fields = tuple(dict.fromkeys(given["fields"].replace(",", " ").split()))
    days, statement, contact = _days(given["days"]), given["statement"].strip(), given["contact"].strip()
    if dataset.origin is None:
        return actions.file_request(
            node,
            by=by,
            dataset_id=dataset.id,
            purpose=purpose,
            statement=statement,
            days=days,
            contact=contact,
            fields=fields,
        )
    return actions.request_data(
        node,
        by=by,
        provider=dataset.origin.node_id,
        dataset_id=dataset.id,
        purpose=purpose,
        statement=statement,
        days=days,
        contact=contact,
        fields=fields,
    )


def _days(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise BadInput("The number of days is no number.", f"Write 1 to {demand.LONGEST_DAYS}.")
    return int(text)


def _dataset(node: Node, name: str) -> Dataset:
    try:
        return shown.dataset(node, name)
    except NotFound as error:
        raise BadInput("No dataset was chosen.", "Choose one from the list.") from error


def _signed_in(actor: Actor) -> Actor:
    """``NotSignedIn`` for the public: the way to these pages leads over the sign-in page."""
    if actor.kind == "public":
        raise NotSignedIn("Requests are read by those whom they concern.", "Sign in.")
    return actor


def _request_page(
    request: Request, node: Node, language: Language, given: dict[str, str], *, error: HutongError | None = None
) -> HTMLResponse:
    closed = [dataset for dataset in shown.catalogue(node).datasets if dataset.grade == BY_AGREEMENT]
    chosen = next((dataset for dataset in closed if dataset.name == given["dataset"]), None)
    return page(
        request,
        language,
        "request_new.html",
        status=error.status if error else 200,
        datasets=[(dataset.name, dataset.title.in_language(language.code)) for dataset in closed],
        title=chosen.title.in_language(language.code) if chosen else "",
        provider=chosen.origin.node_id if chosen and chosen.origin else node.id,
        purposes=[
            (term.code, text_in(term.label, language), text_in(term.meaning, language)) for term in PURPOSES.values()
        ],
        given=given,
        error=error,
        longest=demand.LONGEST_DAYS,
    )


def _page_of_request(
    request: Request,
    node: Node,
    language: Language,
    actor: Actor,
    request_id: str,
    *,
    given: dict[str, str] | None = None,
    error: HutongError | None = None,
) -> HTMLResponse:
    asked = queries.readable_request(node, _signed_in(actor), request_id)
    here = asked.provider == node.id
    may_decide = node.policy.decide(actor, "decide_request", Resource("Request", request_id)).allowed
    return page(
        request,
        language,
        "request.html",
        status=error.status if error else 200,
        asked=asked,
        line=request_line(node, asked, language),
        tasks=task_lines(node, asked, language),
        permitted=permitted_by(node, asked.policies, language),
        purpose=purpose_words(asked.purpose, language),
        agreement=_has_agreement(node, asked),
        given=given or {},
        error=error,
        may_decide=asked.is_open and here and may_decide and asked.party != asking_party(actor),
        may_withdraw=asked.is_open and here and asked.party == asking_party(actor),
        may_follow=not here and node.policy.decide(actor, "request_data", Resource("Request", request_id)).allowed,
    )


def _page_of_agreement(
    request: Request,
    node: Node,
    language: Language,
    actor: Actor,
    agreement_id: str,
    *,
    because: str = "",
    error: HutongError | None = None,
) -> HTMLResponse:
    kept = queries.readable_agreement(node, _signed_in(actor), agreement_id)
    agreed = kept.agreement
    in_force = kept.state(node.clock()) == "in-force"
    ours = agreed.provider == node.id
    revoking = node.policy.decide(actor, "revoke_agreement", Resource("Agreement", agreement_id)).allowed
    fetching = node.policy.decide(actor, "fetch_delivery", Resource("Agreement", agreement_id)).allowed
    return page(
        request,
        language,
        "agreement.html",
        status=error.status if error else 200,
        line=agreement_line(node, kept, language),
        agreed=agreed,
        kept=kept,
        purpose=purpose_words(agreed.purpose, language),
        provider=party_name(node, agreed.provider, language),
        recipient=party_name(node, agreed.recipient, language),
        decided_by=permitted_by(node, queries.request(node, agreed.request_id).policies, language),
        odrl=orjson.dumps(agreed.document(), option=orjson.OPT_INDENT_2).decode(),
        deliveries=[
            delivery_line(node, made, language) for made in queries.deliveries(node, agreement_ids=[agreement_id])
        ],
        because=because,
        error=error,
        ours=ours,
        may_revoke=ours and revoking and kept.revoked_at is None,
        may_receive=in_force and (agreed.recipient == asking_party(actor) if ours else fetching),
    )


def _has_agreement(node: Node, asked: demand.Request) -> bool:
    """A sent request may be granted before its agreement was fetched."""
    if not asked.agreement_id:
        return False
    try:
        queries.agreement(node, asked.agreement_id)
    except NotFound:
        return False
    return True
