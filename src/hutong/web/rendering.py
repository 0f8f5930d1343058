"""Templates to pages: one autoescaping Jinja environment for each language.

``render("dataset.html", language, path=..., ...)`` is all that a route needs.
"""

from __future__ import annotations

from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader

from hutong.web.error_words import said
from hutong.web.i18n import LANGUAGES, Language, switch_language, translations

STATIC_DIR: Final = Path(__file__).resolve().parent / "static"
STATIC_PREFIX: Final = "/static"


@cache
def static_address(name: str) -> str:
    """Address of a static file with its content's fingerprint, so that it can be cached for ever."""
    fingerprint = sha256((STATIC_DIR / name).read_bytes()).hexdigest()[:10]
    return f"{STATIC_PREFIX}/{name}?v={fingerprint}"


@cache
def environment(language: Language) -> Environment:
    """The templates in one language.

    Globals: ``language``, ``languages``, ``static(name)``, ``here(path)`` (a path of this node in this
    language), ``switch_language(address, language)``, ``said(*sentences)`` (those of an error), ``_``, ``ngettext``.
    Filters: ``number``, ``percent``, ``date``, ``month``, ``moment``, ``size``; each None becomes an en dash.
    """
    words = translations(language)
    templates = Environment(
        loader=PackageLoader("hutong.web", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
    templates.globals.update(
        language=language,
        languages=LANGUAGES,
        static=static_address,
        here=lambda path: f"/{language.code}{path}",
        switch_language=switch_language,
        said=partial(said, language),
    )
    for name in ("number", "percent", "date", "month", "moment", "size"):
        show = getattr(words, name)
        templates.filters[name] = lambda value, show=show: "–" if value is None else show(value)
    return templates


def render(template: str, language: Language, /, *, path: str, **context: object) -> str:
    """The page as text. ``path`` is the address of the page, with its query: the language switch needs it."""
    return environment(language).get_template(template).render(path=path, **context)
