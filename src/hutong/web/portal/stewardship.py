"""Pages of stewards: sources and what was refused, receipts, sending a file, quality, and publishing a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Query, Request, Response, UploadFile
from fastapi.responses import HTMLResponse

from hutong.acquisition import actions, queries
from hutong.acquisition.quality import QualityReport, RuleResult
from hutong.acquisition.receipt import Receipt
from hutong.errors import BadInput, HutongError, NotFound, NotSignedIn
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.opening import actions as opening
from hutong.opening.publication import Publication, parse_publication
from hutong.storage import inbox
from hutong.trust.authorisation import Actor, Resource
from hutong.web.acquisition_words import remedy, rule_text, table_text
from hutong.web.doors import CurrentNode
from hutong.web.i18n import N_, Language, Translations
from hutong.web.page_words import DIMENSIONS
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, text_in, words_of
from hutong.web.uploads import received

router = APIRouter()

Outcome = Literal["held", "rejected"]
ITEMS_ON_A_PAGE = 25
NEWEST_RECEIPTS = 20
WORST_REASONS = 8
UNITS = {"rows": N_("rows"), "cells": N_("cells"), "lists": N_("lists")}
MAX_FORM_CHARACTERS = 600_000
MOST_ROW = 2**31 - 1


def signed_in(actor: Actor) -> Actor:
    """``NotSignedIn`` for the public: the way to these pages leads over the sign-in page."""
    if actor.kind == "public":
        raise NotSignedIn("This page is for people who work with the data.", "Sign in as a steward.")
    return actor


@router.get("/{language}/steward", response_class=HTMLResponse)
def overview(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    """Sources, receipts, and what was not accepted, with the reasons that concern most rows."""
    node.require(signed_in(actor), "read_receipts")
    words = words_of(language)
    receipts = queries.receipts(node)
    totals = {name: sum(getattr(receipt, name) for receipt in receipts) for name in ("accepted", "held", "rejected")}
    return page(
        request,
        language,
        "steward.html",
        totals=totals,
        waiting=sum(inbox.waiting(node.records, node.lake).values()),
        sources=[_source(node, source.id, receipts, language) for source in queries.sources(node)],
        receipts=[_summary(receipt, words) for receipt in receipts[:NEWEST_RECEIPTS]],
        reasons=_worst_reasons(node, receipts, words),
        outside=[(element, values) for element, values in _outside(receipts) if values],
        boundaries=queries.boundaries(node),
        today=node.clock().date(),
        may_acquire=node.policy.decide(actor, "acquire", Resource("Node", node.id)).allowed,
        may_publish=node.policy.decide(actor, "publish", Resource("Node", node.id)).allowed,
    )


@router.get("/{language}/steward/receipts/{receipt_id}", response_class=HTMLResponse)
def show_receipt(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    receipt_id: Annotated[str, Path(max_length=40)],
    outcome: Annotated[Literal["", "held", "rejected"], Query()] = "",
    after: Annotated[int, Query(ge=0, le=MOST_ROW)] = 0,
    new: Annotated[bool, Query()] = False,
) -> HTMLResponse:
    """One receipt: counts, reasons, findings, and the rows that were not accepted."""
    node.require(signed_in(actor), "read_receipts", Resource("Receipt", receipt_id))
    words = words_of(language)
    receipt = queries.receipt(node, receipt_id)
    found = queries.receipt_items(node, receipt_id, outcome=outcome or None, after=after, limit=ITEMS_ON_A_PAGE + 1)
    items = found[:ITEMS_ON_A_PAGE]
    here = f"/{language.code}/steward/receipts/{receipt_id}"
    kept = {"outcome": outcome} if outcome else {}
    more = len(found) > ITEMS_ON_A_PAGE
    return page(
        request,
        language,
        "steward_receipt.html",
        receipt=receipt,
        summary=_summary(receipt, words),
        reasons=_reasons(node, receipt, words),
        findings=[(rule_text(n.rule, words), n.subject, n.rows, n.rule) for n in receipt.findings],
        outside=_outside([receipt]),
        items=[SimpleNamespace(**item, text=rule_text(item["rule"], words, item["reason"])) for item in items],
        outcome=outcome,
        first=f"{here}?{urlencode(kept)}#rows" if after else None,
        next=f"{here}?{urlencode({**kept, 'after': items[-1]['row_number']})}#rows" if more else None,
        is_new=new,
    )


@router.get("/{language}/steward/submissions", response_class=HTMLResponse)
def submission_form(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    source: Annotated[str, Query(max_length=60)] = "",
) -> HTMLResponse:
    node.require(signed_in(actor), "acquire")
    return _submission_page(request, node, language, source=source)


@router.post("/{language}/steward/submissions", response_class=HTMLResponse)
def submit(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    file: UploadFile,
    source: Annotated[str, Form(max_length=60)] = "",
    mapping: Annotated[str, Form(max_length=MAX_FORM_CHARACTERS)] = "",
    mapping_file: UploadFile | None = None,
) -> Response:
    """Takes the file in; on return it is durable, and the receipt says what became of every row."""
    text = mapping
    try:
        if mapping_file is not None and mapping_file.filename:
            text = _text_of(mapping_file)
        with received(node, file) as path:
            receipt = actions.acquire(node, by=by, source_id=source, path=path, mapping=text)
    except HutongError as error:
        return _submission_page(request, node, language, source=source, mapping=text, error=error)
    return redirect(language, f"/steward/receipts/{receipt.id}?new=1")


@router.get("/{language}/steward/quality/{source}", response_class=HTMLResponse)
def show_quality(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    source: Annotated[str, Path(max_length=60)],
) -> HTMLResponse:
    """The newest assessment, every score with the rules and counts behind it. Open to everyone."""
    declared = queries.source(node, source)
    try:
        report = queries.quality(node, source)
    except NotFound:
        report = None
    words = words_of(language)
    return page(
        request,
        language,
        "steward_quality.html",
        source=declared,
        title=text_in(declared.title, language),
        report=report,
        dimensions=[(words.gettext(DIMENSIONS[d.dimension]), d.score) for d in report.dimensions] if report else [],
        wrong=[_rule(result, language) for result in report.wrong()] if report else [],
        right=[_rule(result, language) for result in _right(report)] if report else [],
        may_assess=node.policy.decide(actor, "assess_quality", Resource("Source", source)).allowed,
    )


@router.post("/{language}/steward/quality/{source}", response_class=HTMLResponse)
def assess(
    node: CurrentNode, language: PageLanguage, by: FormActor, source: Annotated[str, Path(max_length=60)]
) -> Response:
    actions.assess_quality(node, by=by, source_id=source)
    return redirect(language, f"/steward/quality/{source}")


@router.get("/{language}/steward/publish", response_class=HTMLResponse)
def publication_form(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    node.require(signed_in(actor), "publish", Resource("Dataset", "new"))
    return page(request, language, "steward_publish.html", publication="")


@router.post("/{language}/steward/publish", response_class=HTMLResponse)
def publish(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    publication: Annotated[str, Form(max_length=MAX_FORM_CHARACTERS)] = "",
    step: Annotated[Literal["check", "publish"], Form()] = "check",
) -> Response:
    """First shows what would be published, then publishes it."""
    node.require(by, "publish", Resource("Dataset", "new"))
    try:
        wanted = parse_publication(publication)
        if step == "publish":
            release = opening.publish(node, by=by, publication=wanted)
            return redirect(language, f"/datasets/{release.dataset_id}")
        prepared = _prepared(node, wanted)
    except HutongError as error:
        return page(
            request, language, "steward_publish.html", status=error.status, publication=publication, error=error
        )
    return page(request, language, "steward_publish.html", publication=publication, wanted=wanted, prepared=prepared)


def _prepared(node: Node, wanted: Publication) -> SimpleNamespace:
    queries.quality(node, wanted.source)
    node.move_inbox()
    prepared = opening.prepare(node, wanted)
    return SimpleNamespace(
        rows=prepared.table.num_rows,
        columns=prepared.table.column_names,
        as_of=prepared.as_of,
        risk=prepared.risk,
        suppression=prepared.suppression,
        facts=prepared.facts,
    )


def _submission_page(
    request: Request,
    node: Node,
    language: Language,
    *,
    source: str = "",
    mapping: str = "",
    error: HutongError | None = None,
) -> HTMLResponse:
    sources = [(known.id, f"{text_in(known.title, language)} ({known.id})") for known in queries.sources(node)]
    return page(
        request,
        language,
        "steward_submission.html",
        status=error.status if error else 200,
        sources=sources,
        source=source,
        mapping=mapping,
        error=error,
        most_bytes=node.settings.limits.file_bytes,
        has_emergency=governance.emergency_in_force(node, node.clock().date()) is not None,
    )


def _text_of(upload: UploadFile) -> str:
    content = upload.file.read(actions.MAX_MAPPING_BYTES + 1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("The mapping is not UTF-8 text.", "Save it as UTF-8.") from error


def _source(node: Node, source_id: str, receipts: Iterable[Receipt], language: Language) -> SimpleNamespace:
    declared = queries.source(node, source_id)
    own = [receipt for receipt in receipts if receipt.source == source_id]
    try:
        label = queries.quality(node, source_id).label
    except NotFound:
        label = "unknown"
    return SimpleNamespace(
        id=source_id,
        title=text_in(declared.title, language),
        provider=declared.provider,
        accepted=sum(receipt.accepted for receipt in own),
        held=sum(receipt.held for receipt in own),
        rejected=sum(receipt.rejected for receipt in own),
        last=max((receipt.received_at for receipt in own), default=None),
        quality=label,
    )


def _summary(receipt: Receipt, words: Translations) -> SimpleNamespace:
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


def _reasons(node: Node, receipt: Receipt, words: Translations) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            outcome=outcome, rule=rule, text=rule_text(rule, words, example), rows=rows, remedy=remedy(rule, words)
        )
        for outcome, rule, example, rows in queries.receipt_reasons(node, receipt.id)
    ]


def _worst_reasons(node: Node, receipts: Iterable[Receipt], words: Translations) -> list[SimpleNamespace]:
    """The reasons that concern most rows, over all receipts shown; each leads to the newest receipt that has it."""
    rows: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str], SimpleNamespace] = {}
    for receipt in receipts:
        if receipt.held or receipt.rejected:
            for reason in _reasons(node, receipt, words):
                key = (reason.outcome, reason.rule)
                rows[key] += reason.rows
                found.setdefault(key, SimpleNamespace(**vars(reason), receipt=receipt.id))
    for key, reason in found.items():
        reason.rows = rows[key]
    return [found[key] for key, _ in rows.most_common(WORST_REASONS)]


def _outside(receipts: Iterable[Receipt]) -> list[tuple[str, int]]:
    """Elements that the boundary kept out, with how many values were dropped unread."""
    dropped: Counter[str] = Counter()
    for receipt in receipts:
        dropped.update(receipt.refused_values)
    return sorted(dropped.items())


def _rule(result: RuleResult, language: Language) -> SimpleNamespace:
    words = words_of(language)
    return SimpleNamespace(
        id=result.id,
        title=text_in(result.title, language),
        dimension=words.gettext(DIMENSIONS[result.dimension]),
        checked=result.checked,
        concerned=result.concerned,
        unit=words.gettext(UNITS[result.unit]),
        score=result.score,
        weight=result.weight,
    )


def _right(report: QualityReport) -> list[RuleResult]:
    return [result for result in report.results if not result.concerned]
