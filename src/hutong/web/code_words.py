"""Codes as people say them: values of the standard's code lists, tables, purposes, roles, each beside its code."""

from __future__ import annotations

import re
from typing import Any, Final

from markupsafe import Markup

from hutong.errors import BadInput
from hutong.opening.territory import territory_of
from hutong.sharing.demand import PURPOSES
from hutong.standard import Element, load
from hutong.web.i18n import N_, Translations

ROLE_NAMES: Final = {
    "operator": N_("operator"),
    "steward": N_("steward"),
    "authority": N_("authority"),
    "partner": N_("partner"),
    "verifier": N_("verifier"),
    "resident": N_("resident"),
    "auditor": N_("auditor"),
}
LEVELS: Final = (N_("low"), N_("guarded"), N_("medium"), N_("high"))
YES_NO: Final = {True: N_("yes"), False: N_("no")}


def beside(label: str, code: str) -> Markup:
    """A label with its code after it, for a page."""
    return Markup("{} <code class=soft>{}</code>").format(label, code)


def cell(element: Element | None, value: Any, words: Translations, *, is_short: bool = False) -> str:
    """A value of a release as a person reads it: the word for a code with the code, a dash for nothing.

    A short one is without what the word for a code says in brackets.
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return beside(words.gettext(YES_NO[value]), str(value).lower())
    label = code_label(element, str(value), words)
    if label is None:
        return str(value)
    return beside(re.split(r" \(|（", label, maxsplit=1)[0] if is_short else label, str(value))


def code_label(element: Element | None, value: str, words: Translations) -> str | None:
    """What the code list of an element calls a value; None for a value that is none of its codes (a coarser one)."""
    if element is None or element.code_list is None or value not in element.code_list.values:
        return None
    return element.code_list.code(value).text[words.language.code]


def purpose(code: str, words: Translations) -> str:
    """A purpose with the code of its term; the code alone when it is no term that is known here."""
    term = PURPOSES.get(code)
    if term is None:
        return code
    return words.gettext("%(label)s (%(code)s)") % {"label": term.label[words.language.code], "code": code}


def table(name: str, words: Translations) -> str:
    """What the standard calls one of its tables, within a sentence."""
    try:
        return load().table(name).label[words.language.code].lower()
    except BadInput:
        return name


def indicator(code: str, words: Translations) -> str:
    """What the standard calls an indicator, within a sentence."""
    return code_label(load().table("count").element("indicator"), code, words) or code


def role(name: str, words: Translations) -> str:
    """What a role is called."""
    return words.gettext(ROLE_NAMES[name]) if name in ROLE_NAMES else name


def level(code: str, words: Translations) -> str:
    """A level in its usual word; a rulebook's own level as it is."""
    return words.gettext(code) if code in LEVELS else code


def territory(code: str, words: Translations) -> str:
    """What a territory is called."""
    return territory_of(code).name.in_language(words.language.code)
