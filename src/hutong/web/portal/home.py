"""The home page of a node: the emergency, the newest published figures, and what to do next."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from hutong.acquisition import held_queries
from hutong.acquisition import queries as acquisition
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.opening.catalogue.catalogue import Dataset
from hutong.opening.catalogue.schema_org import home_page
from hutong.opening.territory import territory_of
from hutong.sharing import catalogue as shown
from hutong.sharing import queries as sharing
from hutong.trust.authorisation import Actor
from hutong.web import joint_figures, released_figures
from hutong.web.dataset_view import downloads, hit
from hutong.web.doors import CurrentNode
from hutong.web.findings import is_whole, last_day
from hutong.web.i18n import Language, Translations
from hutong.web.portal.page import PageActor, PageLanguage, page, text_in, words_of

router = APIRouter()

HUB = "*"
NEWEST = 4
HOME_FIGURES = ("recent", "map", "areas")


class Step(NamedTuple):
    """Something that the reader may do next."""

    href: str
    title: str
    text: str


@router.get("/en", response_class=RedirectResponse)
@router.get("/zh", response_class=RedirectResponse)
def home_without_slash(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.url.path}/", status_code=308)


@router.get("/{language}/", response_class=HTMLResponse)
def home(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    words = words_of(language)
    catalogue = shown.catalogue(node)
    featured = _featured(node, catalogue.datasets)
    emergency = governance.emergency_in_force(node, node.clock().date())
    newest = sorted(catalogue.datasets, key=_newest_first)
    return page(
        request,
        language,
        "home.html",
        is_hub=node.settings.territory == HUB,
        numbers=_numbers(node, featured, catalogue.datasets, words),
        figures=_figures(node, featured, language),
        names_note=released_figures.figures_note(node, featured.current, language)
        if featured and featured.current
        else "",
        joint=joint_figures.curves(node, language) if node.settings.territory == HUB else [],
        featured=featured and featured.title.in_language(language.code),
        newest=[hit(dataset, language) for dataset in newest[:NEWEST]],
        json_ld=home_page(catalogue, newest[:NEWEST], territory_of(node.settings.territory), language.code),
        declared=emergency and _emergency(emergency, node.clock().date(), language, words),
        steps=_steps(node, actor, words),
        is_empty=not catalogue.datasets,
        has_sources=bool(acquisition.sources(node)),
    )


def _newest_first(dataset: Dataset) -> tuple[float, str]:
    return (-dataset.last_issued.timestamp() if dataset.last_issued else 0.0, dataset.name)


def _featured(node: Node, datasets: tuple[Dataset, ...]) -> Dataset | None:
    """The node's own open weekly counts that were published last."""
    own = [d for d in datasets if d.origin is None and d.grade == 0 and d.current is not None]
    for dataset in sorted(own, key=_newest_first):
        if dataset.current and released_figures.series(node, dataset.current):
            return dataset
    return None


def _numbers(
    node: Node, featured: Dataset | None, datasets: tuple[Dataset, ...], words: Translations
) -> list[tuple[str, str, str | None]]:
    numbers: list[tuple[str, str, str | None]] = []
    if featured and featured.current:
        weeks = released_figures.series(node, featured.current)[-released_figures.YEAR_WEEKS :]
        hidden = sum(count is None for _, count in weeks)
        until = released_figures.known_until(featured, featured.current)
        label = words.gettext("cases published in the %(n)s weeks to %(week)s") % {
            "n": words.number(len(weeks)),
            "week": words.date(last_day(weeks[-1][0], until)),
        }
        note = words.ngettext("%(n)s week is withheld", "%(n)s weeks are withheld", hidden) % {
            "n": words.number(hidden)
        }
        if not is_whole(weeks[-1][0], until):
            note = words.gettext("%(note)s; the last week is incomplete") % {"note": note}
        numbers.append((words.number(sum(count or 0 for _, count in weeks)), label, note))
    if not datasets:
        return []
    is_open = sum(dataset.grade == 0 for dataset in datasets)
    numbers.append(
        (
            words.number(len(datasets)),
            words.ngettext("data set in the catalogue", "data sets in the catalogue", len(datasets)),
            words.gettext("%(n)s open to everyone") % {"n": words.number(is_open)},
        )
    )
    newest = min(datasets, key=_newest_first)
    if newest.last_issued:
        day = newest.last_issued.date()
        numbers.append(
            (
                words.month(day),
                words.gettext("newest version published"),
                words.gettext("on %(date)s") % {"date": words.date(day)},
            )
        )
    size = node.log.size()
    label = words.ngettext("entry in the public log", "entries in the public log", size)
    numbers.append((words.number(size), label, words.gettext("every step, signed")))
    return numbers


def _figures(node: Node, featured: Dataset | None, language: Language) -> list[dict[str, Any]]:
    if featured is None or featured.current is None:
        return []
    drawn = []
    for kind in HOME_FIGURES:
        figure = released_figures.figure(node, featured, featured.current, kind, language)
        if figure is not None:
            about = f"/{language.code}/about/{featured.name}/{kind}"
            drawn.append({"id": kind, "figure": figure, "about": about, "downloads": downloads(node, featured.current)})
    return drawn


def _emergency(emergency: Any, today: date, language: Language, words: Translations) -> dict[str, Any]:
    def state(day: date, following: date) -> str:
        return "later" if today < day else "current" if today < following else "done"

    return {
        "title": text_in(emergency.title, language),
        "cause": text_in(emergency.cause, language),
        "legal_basis": text_in(emergency.legal_basis, language),
        "territory": territory_of(emergency.territory).name.in_language(language.code),
        "review_days": max(0, (emergency.review - today).days),
        "steps": [
            (words.gettext("Declared"), state(emergency.starts, emergency.review), words.date(emergency.starts)),
            (words.gettext("Review"), state(emergency.review, emergency.sunset), words.date(emergency.review)),
            (words.gettext("Sunset: every power ends"), "later", words.date(emergency.sunset)),
        ],
    }


def _steps(node: Node, actor: Actor, words: Translations) -> list[Step]:
    """What the reader may do next, by role; the public ways come after those of the role."""
    steps: list[Step] = []
    roles = actor.roles
    if roles & {"steward", "operator"}:
        held = held_queries.rows_waiting(node)
        text = words.ngettext("%(n)s held row waits for a decision.", "%(n)s held rows wait for a decision.", held)
        steps.append(Step("/steward", words.gettext("Acquire, review and publish"), text % {"n": words.number(held)}))
    if roles & {"authority", "operator"}:
        waiting = len(sharing.requests(node, state="filed"))
        text = words.ngettext("%(n)s request waits for a decision.", "%(n)s requests wait for a decision.", waiting)
        steps.append(Step("/requests", words.gettext("Decide requests"), text % {"n": words.number(waiting)}))
    if "partner" in roles:
        steps.append(
            Step("/requests", words.gettext("Follow your requests"), words.gettext("See what is due, and from whom."))
        )
    return [
        *steps,
        Step("/catalogue", words.gettext("Find data"), words.gettext("Search, preview, download and cite.")),
        Step(
            "/requests/new",
            words.gettext("Ask for data that is not open"),
            words.gettext("Say what for; you get an answer with its reasons by a fixed date."),
        ),
        Step(
            "/pass",
            words.gettext("Check a pass"),
            words.gettext("By its text or a picture: yes, no or unknown, and why."),
        ),
        Step("/log", words.gettext("Check the log"), words.gettext("Every step of this node, with a proof for each.")),
        Step(
            "/developers",
            words.gettext("Use it from a program"),
            words.gettext("Every page has an address for machines."),
        ),
    ]
