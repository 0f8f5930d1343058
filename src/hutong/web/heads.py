"""HEAD wherever GET is (RFC 9110, 9.3.2): the same answer without its content."""

from __future__ import annotations

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Asks the route for GET, and keeps the content back. A route that answers HEAD itself is left to do so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or _answers_itself(scope):
            await self._app(scope, receive, send)
            return

        async def send_without_content(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, send_without_content)


def _answers_itself(scope: Scope) -> bool:
    """Whether what takes GET here takes HEAD too; another route for this path may be there to refuse it."""
    takes = _first(scope, "HEAD")
    return takes is not None and takes is _first(scope, "GET")


def _first(scope: Scope, method: str) -> BaseRoute | None:
    asked = {**scope, "method": method}
    return next((route for route in scope["app"].router.routes if route.matches(asked)[0] is Match.FULL), None)
