"""Pages on which a steward declares a source, and an authority sets what may be collected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from types import SimpleNamespace
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from hutong.acquisition import actions
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.source import Source, is_source_id
from hutong.errors import Conflict, HutongError
from hutong.governance import queries as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node
from hutong.standard import Table
from hutong.trust.authorisation import Resource
from hutong.web.doors import CurrentNode
from hutong.web.i18n import N_, Language, Translations
from hutong.web.portal.page import FormActor, PageActor, PageLanguage, page, redirect, text_in, words_of
from hutong.web.portal.receipts import signed_in

router = APIRouter()

SHORT = Form(max_length=60)
LONG = Form(max_length=2000)
MOST_ELEMENTS = 500
NEEDED_OF_SOURCE: Final[Mapping[str, str]] = {
    "id": N_("Id"),
    "title_en": N_("Title in English"),
    "title_zh": N_("Title in Chinese"),
    "provider": N_("Provider"),
    "territory": N_("Territory"),
    "licence": N_("Licence"),
}
NEEDED_OF_BOUNDARY: Final[Mapping[str, str]] = {
    "id": N_("Id"),
    "emergency": N_("Emergency"),
    "purpose": N_("Purpose"),
    "valid_until": N_("Last day"),
}
SENSITIVITIES: Final[Mapping[str, str]] = {
    "identifier": N_("names a person; goes to the vault"),
    "quasi-identifier": N_("can name a person together with others"),
    "sensitive": N_("sensitive"),
}


@router.get("/{language}/steward/sources/new", response_class=HTMLResponse)
def source_form(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    node.require(signed_in(actor), "declare_source")
    return _source_page(request, language, {"territory": node.settings.territory})


@router.post("/{language}/steward/sources/new", response_class=HTMLResponse)
def declare_source(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    id_: Annotated[str, Form(alias="id", max_length=60)] = "",
    title_en: Annotated[str, LONG] = "",
    title_zh: Annotated[str, LONG] = "",
    provider: Annotated[str, LONG] = "",
    territory: Annotated[str, SHORT] = "",
    licence: Annotated[str, LONG] = "",
    homepage: Annotated[str, LONG] = "",
    citation: Annotated[str, LONG] = "",
) -> Response:
    """Declares the source; what is wrong is said at its field."""
    node.require(by, "declare_source")
    texts = {"provider": provider, "territory": territory, "licence": licence}
    more = {"homepage": homepage, "citation": citation}
    given = {name: text.strip() for name, text in (texts | more).items()}
    given |= {"id": id_.strip(), "title_en": title_en.strip(), "title_zh": title_zh.strip()}
    words = words_of(language)
    errors = _empty(given, NEEDED_OF_SOURCE, words)
    if "id" not in errors and not is_source_id(given["id"]):
        errors["id"] = words.gettext("Use letters, digits and hyphens; at most 60.")
    if errors:
        return _source_page(request, language, given, errors)
    title = {"en": given["title_en"], "zh": given["title_zh"]}
    declared = Source(id=given["id"], title=title, **{name: given[name] for name in (*texts, *more)})
    try:
        actions.declare_source(node, by=by, source=declared)
    except Conflict:
        return _source_page(request, language, given, {"id": words.gettext("Another source has this id.")})
    return redirect(language, f"/steward/quality/{declared.id}")


@router.get("/{language}/steward/boundaries/new", response_class=HTMLResponse)
def boundary_form(request: Request, node: CurrentNode, language: PageLanguage, actor: PageActor) -> HTMLResponse:
    node.require(signed_in(actor), "set_boundary", Resource("Boundary", "new"))
    return _boundary_page(request, node, language, {})


@router.post("/{language}/steward/boundaries/new", response_class=HTMLResponse)
def set_boundary(
    *,
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    by: FormActor,
    id_: Annotated[str, Form(alias="id", max_length=60)] = "",
    emergency: Annotated[str, SHORT] = "",
    purpose: Annotated[str, LONG] = "",
    valid_until: Annotated[str, Form(max_length=20)] = "",
    elements: Annotated[list[Annotated[str, Form(max_length=100)]] | None, Form(max_length=MOST_ELEMENTS)] = None,
) -> Response:
    """Sets the boundary; what is wrong is said at its field."""
    node.require(by, "set_boundary", Resource("Boundary", "new"))
    given = {
        "id": id_.strip(),
        "emergency": emergency,
        "purpose": purpose.strip(),
        "valid_until": valid_until.strip(),
    }
    chosen = tuple(dict.fromkeys(elements or ()))
    words = words_of(language)
    under = next((known for known in _in_force(node) if known.id == emergency), None)
    errors = _empty(given, NEEDED_OF_BOUNDARY, words)
    if under is None:
        errors["emergency"] = words.gettext("Choose an emergency in force.")
    until = _day(given["valid_until"])
    if until is None:
        errors["valid_until"] = words.gettext("Give its last day as a date.")
    if not chosen:
        errors["elements"] = words.gettext("Choose at least one element.")
    if errors or until is None or under is None:
        return _boundary_page(request, node, language, given, chosen=chosen, errors=errors)
    boundary = Boundary(
        id=given["id"], emergency=emergency, purpose=given["purpose"], tables=_tables(chosen), valid_until=until
    )
    if boundary.outlives(under.sunset):
        told = words.gettext("The emergency is over on %(day)s: end the boundary before.")
        errors["valid_until"] = told % {"day": words.date(under.sunset)}
        return _boundary_page(request, node, language, given, chosen=chosen, errors=errors)
    try:
        actions.set_boundary(node, by=by, boundary=boundary)
    except Conflict:
        taken = {"id": words.gettext("Another boundary has this id.")}
        return _boundary_page(request, node, language, given, chosen=chosen, errors=taken)
    except HutongError as error:
        return _boundary_page(request, node, language, given, chosen=chosen, error=error)
    return redirect(language, "/steward#boundaries")


def _empty(given: Mapping[str, str], needed: Mapping[str, str], words: Translations) -> dict[str, str]:
    """What is missing, each named by its label: the summary above the form is read without the form."""
    told = words.gettext("Fill in “%(field)s”.")
    return {name: told % {"field": words.gettext(label)} for name, label in needed.items() if not given[name]}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _tables(chosen: Iterable[str]) -> dict[str, frozenset[str]]:
    tables: defaultdict[str, set[str]] = defaultdict(set)
    for name in chosen:
        table, _, element = name.partition(".")
        tables[table].add(element)
    return {table: frozenset(elements) for table, elements in tables.items()}


def _in_force(node: Node) -> list[Emergency]:
    today = node.clock().date()
    return [known for known in governance.emergencies(node) if known.is_in_force(today)]


def _source_page(
    request: Request, language: Language, given: Mapping[str, str], errors: Mapping[str, str] | None = None
) -> HTMLResponse:
    return page(
        request, language, "steward_source.html", status=422 if errors else 200, given=given, errors=errors or {}
    )


def _boundary_page(
    request: Request,
    node: Node,
    language: Language,
    given: Mapping[str, str],
    *,
    chosen: tuple[str, ...] = (),
    errors: Mapping[str, str] | None = None,
    error: HutongError | None = None,
) -> HTMLResponse:
    words = words_of(language)
    in_force = _in_force(node)
    return page(
        request,
        language,
        "steward_boundary.html",
        status=error.status if error else 422 if errors else 200,
        given=given,
        errors=errors or {},
        error=error,
        emergencies=[(known.id, f"{text_in(known.title, language)} ({known.id})") for known in in_force],
        sunset=min((known.sunset for known in in_force), default=None),
        tables=[_choices(table, chosen, language, words) for table in node.standard.tables.values()],
    )


def _choices(table: Table, chosen: tuple[str, ...], language: Language, words: Translations) -> SimpleNamespace:
    """The elements of a table to choose from: value, label, what they can give away, whether they are chosen."""
    elements = [
        SimpleNamespace(
            value=f"{table.name}.{element.name}",
            label=text_in(element.label, language),
            needed=element.necessary,
            about=words.gettext(SENSITIVITIES[element.sensitivity]) if element.sensitivity in SENSITIVITIES else "",
            chosen=f"{table.name}.{element.name}" in chosen,
        )
        for element in table.elements
    ]
    return SimpleNamespace(
        name=table.name,
        label=text_in(table.label, language),
        elements=elements,
        chosen=sum(element.chosen for element in elements),
    )
