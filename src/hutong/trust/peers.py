"""Talking to other parties' nodes over HTTP: bounded in time and size, with this node's assertion where it is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hutong.errors import (
    BadInput,
    Conflict,
    HutongError,
    LimitExceeded,
    NotFound,
    NotSignedIn,
    Refused,
    Unavailable,
)
from hutong.trust.signing import assertion

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 10.0
"""A node that is there answers the connection at once, however long it then works on the answer."""

MOST_REASONS = 20
MOST_CHARACTERS = 2000

_ERRORS: dict[int, type[HutongError]] = {
    401: NotSignedIn,
    403: Refused,
    404: NotFound,
    409: Conflict,
    413: LimitExceeded,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other node answered: status, content type, body, and headers by their lower-case names."""

    status: int
    media_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise BadInput("The other node did not answer with JSON.", "Check its address and version.") from error
        if not isinstance(value, dict):
            raise BadInput("The other node did not answer with an object.", "Check its address and version.")
        return value


@dataclass(frozen=True, slots=True)
class Peers:
    """A client for other nodes. ``node_id`` and ``key`` make the assertion that says who asks."""

    node_id: str
    key: Ed25519PrivateKey
    kid: str
    timeout_seconds: float
    max_bytes: int
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]

    def get(
        self,
        url: str,
        *,
        audience: str | None = None,
        accept: str = "application/json",
        seconds: float | None = None,
    ) -> Reply:
        """GET; ``audience`` is the id of the party that must know who asks. Raises the other node's error as ours.

        ``seconds`` bounds the whole exchange; without it each step is bounded by the settings.
        """
        return self._send("GET", url, audience=audience, headers={"Accept": accept}, seconds=seconds)

    def post(
        self,
        url: str,
        content: bytes,
        *,
        audience: str | None = None,
        media_type: str = "application/json",
        seconds: float | None = None,
    ) -> Reply:
        """POST; like ``get``."""
        headers = {"Content-Type": media_type}
        return self._send("POST", url, audience=audience, headers=headers, content=content, seconds=seconds)

    def _send(
        self,
        method: str,
        url: str,
        *,
        audience: str | None,
        headers: Mapping[str, str],
        content: bytes | None = None,
        seconds: float | None = None,
    ) -> Reply:
        import httpx

        sent = dict(headers)
        if audience is not None:
            token = assertion(
                self.key,
                kid=self.kid,
                issuer=self.node_id,
                audience=audience,
                now=self.clock(),
                nonce=self.random(16),
            )
            sent["Authorization"] = f"Bearer {token}"
        step_seconds = min(seconds or self.timeout_seconds, self.timeout_seconds)
        timeout = httpx.Timeout(step_seconds, connect=min(CONNECT_SECONDS, step_seconds))
        ends_at = None if seconds is None else time.monotonic() + seconds
        try:
            with (
                httpx.Client(timeout=timeout, trust_env=False) as client,
                client.stream(method, url, headers=sent, content=content) as response,
            ):
                body = self._read(response, ends_at)
        except httpx.HTTPError as error:
            raise Unavailable(f"The other node did not answer at {url}: {error}.", "Check that it runs.") from error
        reply = Reply(
            response.status_code, response.headers.get("content-type", "").split(";")[0], body, dict(response.headers)
        )
        if response.status_code >= 400 and response.status_code not in (409, 422):
            raise _remote_error(url, reply)
        return reply

    def _read(self, response: httpx.Response, ends_at: float | None) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_bytes():
            size += len(part)
            if ends_at is not None and time.monotonic() > ends_at:
                raise Unavailable(f"The other node was too slow at {response.url}.", "Ask it again later.")
            if size > self.max_bytes:
                raise LimitExceeded(
                    f"The other node's answer is larger than {self.max_bytes} bytes.", "Raise limits.harvest_bytes."
                )
            parts.append(part)
        return b"".join(parts)


def _remote_error(url: str, reply: Reply) -> HutongError:
    try:
        problem = reply.json()
    except BadInput:
        problem = {}
    what = _line(problem.get("title") or "") or f"{url} answered {reply.status}"
    do = _line(problem.get("detail") or "") or "Check the address and what this node may ask for."
    error = _ERRORS.get(reply.status, Unavailable)(what, do)
    if isinstance(error, Refused):
        error.reasons, error.policies = _texts(problem.get("reasons")), _texts(problem.get("policies"))
    return error


def _texts(told: Any) -> tuple[str, ...]:
    """What another node lists of its reasons, within bounds."""
    return tuple(_line(text)[:200] for text in told[:MOST_REASONS]) if isinstance(told, list) else ()


def _line(told: Any) -> str:
    """What another node says, as one line that steers no terminal: it is printed as it is."""
    words = str(told)[:MOST_CHARACTERS].split()
    return " ".join("".join(letter for letter in word if letter.isprintable()) for word in words)
