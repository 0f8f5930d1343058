"""Keeps a verifier's trust bundle fresh: fetched over HTTP now and then, kept when there is no network.

What was fetched once stays in use until it is older than it says; then every answer is unknown (see ``verify_pass``). A
server, or somebody between, can withhold news until then and no longer: an older edition is never taken.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hutong.errors import Conflict, HutongError, LimitExceeded, Tampered, Unavailable

from ..recognition.recognition import Scene
from ..recognition.verification import Verification, verify_pass
from .delta import apply_delta
from .envelope import MAX_BUNDLE_BYTES, complete
from .trust_bundle import TrustSnapshot, open_bundle, read_payload

if TYPE_CHECKING:
    import httpx

PERIOD_SECONDS = 15.0
TIMEOUT_SECONDS = 10.0


class TrustPoller:
    """A verifier that polls one node's trust bundle.

    Args:
        url: address of the bundle: ``…/passes/trust-bundle``.
        key: public JWK of the node that signs it; how it was come by is what the verifier trusts.
        held: the signed bundle that is held already, whole; nothing older is taken. One that can't be used, such as one
            of an older version's form, is left aside, which ``left_aside`` says.
        whole: hold whole editions, so that ``signed`` is what a file for others holds; lists that are held already
            are not fetched again.
        period_seconds: between two polls; with 15, what nodes let be cached (10 s each), how often one asks those that
            it follows (15 s) and how long a slow one may take (5 s), news of any of them take effect in 60 s.
    """

    def __init__(
        self,
        url: str,
        key: Mapping[str, str],
        *,
        held: str = "",
        whole: bool = False,
        period_seconds: float = PERIOD_SECONDS,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url
        self.key = dict(key)
        self._whole = whole
        self._period_seconds = period_seconds
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._tag = ""
        self._payload: Mapping[str, Any] | None = None
        self._snapshot: TrustSnapshot | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.problem: HutongError | None = None
        """Why the last poll failed; None when it did not."""
        self.signed = ""
        """The newest edition as the node signed it; empty after a delta."""
        self.left_aside: HutongError | None = None
        """Why what was held is not used; None when it is, or when there was nothing."""
        if held:
            try:
                self._take(open_bundle(held, issuer_key=self.key), "", held)
            except (Conflict, Tampered) as error:
                self.left_aside = error

    @property
    def snapshot(self) -> TrustSnapshot | None:
        """The newest bundle; None before the first was fetched."""
        return self._snapshot

    def verify(self, text: str | bytes, *, scene: Scene | str) -> Verification:
        """Decide about a pass now. Raises Unavailable before the first bundle was fetched."""
        if self._snapshot is None:
            raise Unavailable("No trust bundle was fetched yet.", "Connect once.")
        return verify_pass(text, trust=self._snapshot, scene=scene, at=self._clock())

    def poll(self) -> bool:
        """Fetch what is new; whether there was anything.

        Raises:
            Unavailable: no network, or the node does not answer as it should.
            Tampered, BadInput, LimitExceeded, Conflict: what came can't be used; the bundle that is held stays.
        """
        try:
            return self._poll(self._payload)
        except Conflict:
            # What was sent did not fit what is held: the whole edition is wanted, whatever the tag.
            return self._poll(None)

    def _poll(self, held: Mapping[str, Any] | None) -> bool:
        """Fetch what is new for who holds this payload."""
        import httpx

        since, headers = {}, {}
        if held is not None:
            since = {"lists_since": str(held["issued_at"])} | ({} if self._whole else {"since": str(held["number"])})
            headers = {"If-None-Match": self._tag} if self._tag else {}
        try:
            with (
                httpx.Client(timeout=self._timeout_seconds, trust_env=False) as client,
                client.stream("GET", self._url, params=since, headers=headers) as response,
            ):
                if response.status_code == httpx.codes.NOT_MODIFIED:
                    return False
                body = _bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"The trust bundle was not fetched: {error}.", "Check the network.") from error
        if response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE and held is not None:
            raise Conflict("What changed is too much for a delta.", "Fetch the whole bundle.")
        if response.status_code != httpx.codes.OK:
            raise Unavailable(f"The node answered with status {response.status_code}.", "Check the address.")
        signed = body.decode("ascii", errors="replace")
        if held is not None and not self._whole:
            payload, signed = apply_delta(held, signed, issuer_key=self.key), ""
        else:
            signed = complete(signed, self.signed) if held is not None else signed
            payload = open_bundle(signed, issuer_key=self.key)
        self._take(payload, response.headers.get("etag", ""), signed)
        return True

    def _take(self, payload: Mapping[str, Any], tag: str, signed: str) -> None:
        snapshot = read_payload(payload)
        held = self._snapshot
        if held and (snapshot.number, snapshot.issued_at) < (held.number, held.issued_at):
            raise Unavailable("The node gave an older trust bundle than before.", "Ask the node's operator.")
        self._payload, self._snapshot, self._tag, self.signed = payload, snapshot, tag, signed

    def start(self) -> None:
        """Poll at once and then every period, in a thread, until ``stop``. What fails is tried again."""
        self._thread = threading.Thread(target=self._keep_polling, name="trust-poller", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End polling."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=self._timeout_seconds + 1)

    def _keep_polling(self) -> None:
        while not self._stopping.is_set():
            try:
                self.poll()
                self.problem = None
            except HutongError as error:
                self.problem = error
            self._stopping.wait(self._period_seconds)


def _bounded(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_BUNDLE_BYTES:
            raise LimitExceeded(
                f"The trust bundle is larger than {MAX_BUNDLE_BYTES // 2**20} MiB.", "Ask the node's operator."
            )
        parts.append(part)
    return b"".join(parts)
