"""Which form of an answer the caller would rather have (RFC 9110, 12), and the way from an address without language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.routing import Match

from hutong.web.i18n import LANGUAGES, preferred_language

HTML: Final = "text/html"
VARY: Final = {"Vary": "Accept, Accept-Language"}
MOST_CHARACTERS, MOST_RANGES = 1_000, 40


def best(accept: str, offers: Sequence[str]) -> str:
    """The offered media type that an ``Accept`` header ranks highest; the first where it ranks none higher."""
    ranges: dict[str, float] = {}
    for part in accept[:MOST_CHARACTERS].split(",")[:MOST_RANGES]:
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        ranges[name] = _quality(parameters)

    def rank(offer: str) -> float:
        kinds = (offer, f"{offer.partition('/')[0]}/*", "*/*")  # the closest range counts
        return next((ranges[kind] for kind in kinds if kind in ranges), 0.0)

    return max(offers, key=rank)


def _quality(parameters: Sequence[str]) -> float:
    told = next((word[2:] for word in parameters if word.startswith("q=")), "1")
    try:
        return min(max(float(told), 0.0), 1.0)
    except ValueError:
        return 0.0


def in_browser(request: Request) -> bool:
    """Whether somebody typed an address without a language, or followed a link to it: HTML is asked for by name.

    What lies below ``/api`` answers programs only, whatever they accept.
    """
    asks = request.method in ("GET", "HEAD") and not request.url.path.startswith("/api/")
    return asks and best(request.headers.get("accept", ""), ("application/json", HTML)) == HTML


def to_page(request: Request, path: str) -> RedirectResponse:
    """Send the reader (303) to the page at ``path`` in the preferred language."""
    language = preferred_language(request.headers.get("accept-language", ""))
    return RedirectResponse(f"/{language.code}{path}", status_code=303, headers=VARY)


def page_below_language(request: Request) -> RedirectResponse | None:
    """The way to the page that has this path below a language; None where there is no such page."""
    scope = {**request.scope, "method": "GET", "path": f"/{LANGUAGES[0].code}{request.url.path}"}
    if not any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return to_page(request, request.url.path + query)
