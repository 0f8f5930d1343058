"""Pages of stewards: sources and what was refused, sending a file, quality, and publishing a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Request, Response, UploadFile
from fastapi.responses import HTMLResponse

from hutong.acquisition import actions, held_queries, queries
from hutong.acquisition.quality import QualityReport, RuleResult
from hutong.acquisition.receipt import Receipt
from hutong.acquisition.source import Source
from hutong.errors import BadInput, Conflict, HutongError, NotFound
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.opening import actions as opening
from hutong.opening import queries as opened
from hutong.opening.publication import LONGEST_ID, parse_publication, starting_text
from hutong.storage import inbox
from hutong.trust.authorisation import Actor, Resource
from hutong.web.doors import CurrentNode
from hutong.web.i18n import Language, Translations
from hutong.web.page_words import DIMENSIONS, PUBLICATION_WORDS
from hutong.web.portal import collection
from hutong.web.portal import receipts as receipts_pages
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, text_in, words_of
from hutong.web.portal.receipts import outside, shown_reason, signed_in, summary
from hutong.web.uploads import received

router = APIRouter()
router.include_router(receipts_pages.router)
router.include_router(collection.router)

RECEIPTS_ON_A_PAGE = 50
MOST_PAGES = 1_000_000
WORST_REASONS = 8
MAX_FORM_CHARACTERS = 600_000


@router.get("/{language}/steward", response_class=HTMLResponse)
def overview(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    number: Annotated[int, Query(alias="page", ge=1, le=MOST_PAGES)] = 1,
) -> HTMLResponse:
    """Sources, a page of receipts, and what of them was not accepted, with the reasons that concern most rows."""
    node.require(signed_in(actor), "read_receipts")
    words = words_of(language)
    tallies = queries.tallies(node)
    first = (number - 1) * RECEIPTS_ON_A_PAGE
    receipts = queries.receipts(node, after=first, limit=RECEIPTS_ON_A_PAGE)
    if number > 1 and not receipts:
        raise NotFound("There are not so many receipts.", "Start again from the first page.")
    return page(
        request,
        language,
        "steward.html",
        totals={name: sum(getattr(one, name) for one in tallies.values()) for name in ("accepted", "held", "rejected")},
        held_waiting=held_queries.rows_waiting(node),
        moving=sum(inbox.waiting(node.records, node.lake).values()),
        sources=[_source(node, source, tallies.get(source.id), language) for source in queries.sources(node)],
        receipts=[summary(receipt, words) for receipt in receipts],
        pages=_pages(language, number, first, len(receipts), sum(one.receipts for one in tallies.values())),
        reasons=_worst_reasons(node, receipts, words),
        outside=[(element, values) for element, values in outside(receipts) if values],
        boundaries=queries.boundaries(node),
        emergencies={one.id: text_in(one.title, language) for one in governance.emergencies(node)},
        today=node.clock().date(),
        may_acquire=_may(node, actor, "acquire"),
        may_publish=_may(node, actor, "publish"),
        may_declare_source=_may(node, actor, "declare_source"),
        may_set_boundary=_may(node, actor, "set_boundary"),
    )


def _pages(language: Language, number: int, first: int, shown: int, all_: int) -> SimpleNamespace:
    """Where a page of receipts stands among all, and the ways to the next ones."""
    here = f"/{language.code}/steward"
    return SimpleNamespace(
        first=first + 1,
        last=first + shown,
        all=all_,
        previous=(f"{here}?page={number - 1}#receipts" if number > 2 else f"{here}#receipts") if number > 1 else None,
        next=f"{here}?page={number + 1}#receipts" if first + shown < all_ else None,
    )


def _may(node: Node, actor: Actor, action: str) -> bool:
    return node.policy.decide(actor, action, Resource("Node", node.id)).allowed


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
        is_of_all=_is_of_all(node, source),
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
def publication_form(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    actor: PageActor,
    again: Annotated[str | None, Query(max_length=LONGEST_ID)] = None,
    start: Literal["weekly-counts", "case-records"] | None = None,
) -> HTMLResponse:
    """The form: empty, with a dataset's last publication (``again``), or with a text to ``start`` from."""
    node.require(signed_in(actor), "publish", Resource("Dataset", "new"))
    text = ""
    if again:
        text = opened.last_publication(node, again)
    elif start:
        text = starting_text(start, next((source.id for source in queries.sources(node)), ""))
    return _publication_page(request, node, language, publication=text)


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
        prepared = opening.preview(node, by=by, publication=wanted)
    except HutongError as error:
        return _publication_page(request, node, language, status=error.status, publication=publication, error=error)
    return _publication_page(request, node, language, publication=publication, wanted=wanted, prepared=prepared)


def _publication_page(request: Request, node: Node, language: Language, **context: Any) -> HTMLResponse:
    words = words_of(language)
    return page(
        request,
        language,
        "steward_publish.html",
        known=[(dataset.id, dataset.title.in_language(language.code)) for dataset in opened.datasets(node)],
        parts=[(name, words.gettext(meaning)) for name, meaning in PUBLICATION_WORDS.items()],
        **context,
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


def _is_of_all(node: Node, source: str) -> bool:
    try:
        queries.quality_of_all(node, source)
    except (Conflict, NotFound):
        return False
    return True


def _text_of(upload: UploadFile) -> str:
    content = upload.file.read(actions.MAX_MAPPING_BYTES + 1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("The mapping is not UTF-8 text.", "Save it as UTF-8.") from error


def _source(node: Node, declared: Source, tally: queries.Tally | None, language: Language) -> SimpleNamespace:
    try:
        label = queries.quality(node, declared.id).label
    except NotFound:
        label = "unknown"
    return SimpleNamespace(
        id=declared.id,
        title=text_in(declared.title, language),
        provider=declared.provider,
        accepted=tally.accepted if tally else 0,
        held=tally.held if tally else 0,
        rejected=tally.rejected if tally else 0,
        last=tally.last if tally else None,
        quality=label,
    )


def _worst_reasons(node: Node, receipts: Iterable[Receipt], words: Translations) -> list[SimpleNamespace]:
    """The reasons that concern most rows of the receipts shown; each leads to the newest receipt that has it."""
    newest_first = [receipt.id for receipt in receipts if receipt.held or receipt.rejected]
    rows: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str], SimpleNamespace] = {}
    for reason in sorted(queries.reasons(node, newest_first), key=lambda reason: newest_first.index(reason.receipt)):
        key = (reason.outcome, reason.rule)
        rows[key] += reason.rows
        found.setdefault(key, shown_reason(reason, words))
    for key, shown in found.items():
        shown.rows = rows[key]
    return [found[key] for key, _ in rows.most_common(WORST_REASONS)]


def _rule(result: RuleResult, language: Language) -> SimpleNamespace:
    words = words_of(language)
    return SimpleNamespace(
        id=result.id,
        title=text_in(result.title, language),
        dimension=words.gettext(DIMENSIONS[result.dimension]),
        checked=result.checked,
        concerned=result.concerned,
        unit=_unit(result, words),
        score=result.score,
        weight=result.weight,
    )


def _right(report: QualityReport) -> list[RuleResult]:
    return [result for result in report.results if not result.concerned]


def _unit(result: RuleResult, words: Translations) -> str:
    """What a rule counts, in the form that goes with the number that it checked."""
    if result.unit == "cells":
        return words.ngettext("cell", "cells", result.checked)
    if result.unit == "lists":
        return words.ngettext("list", "lists", result.checked)
    return words.ngettext("row", "rows", result.checked)
