"""One tree of errors. Each says what happened and what to do; the doors turn it into a status, an exit code or a page.

Raise the most specific class. ``what`` is one sentence about what happened, without personal data; ``do`` is one
sentence that tells the reader the way out. Nothing else may reach a user: an exception outside this tree is a defect.
"""

from __future__ import annotations

from typing import ClassVar


class HutongError(Exception):
    """Root of the tree.

    Class attributes:
        code: stable machine name, used in API answers (RFC 9457 problem type) and in tests.
        status: HTTP status code.
        exit_code: process exit code of the command line.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, do: str) -> None:
        super().__init__(f"{what} {do}".strip())
        self.what = what
        self.do = do


class BadInput(HutongError):
    """What was given cannot be used as it is."""

    code = "bad-input"
    status = 422
    exit_code = 2


class PrivateKeyGiven(BadInput):
    """A private key is among the keys: never passed over, for whoever gave it should know."""


class NotFound(HutongError):
    """The named thing is not on this node."""

    code = "not-found"
    status = 404
    exit_code = 3


class Refused(HutongError):
    """A policy or a rule says no.

    Attributes:
        reasons: sentences, which the message holds too.
        policies: ids of the policies or rules that say so.
    """

    code = "refused"
    status = 403
    exit_code = 4

    def __init__(self, what: str, do: str, reasons: tuple[str, ...] = (), policies: tuple[str, ...] = ()) -> None:
        super().__init__(what, do)
        self.reasons = reasons
        self.policies = policies


class NotSignedIn(HutongError):
    """Nobody, or nobody known, is asking."""

    code = "not-signed-in"
    status = 401
    exit_code = 4


class Conflict(HutongError):
    """The thing exists already, or its state does not allow this step."""

    code = "conflict"
    status = 409
    exit_code = 5


class LimitExceeded(HutongError):
    """A limit of size, depth, time or count was met."""

    code = "limit-exceeded"
    status = 413
    exit_code = 6


class TooManyRequests(LimitExceeded):
    """The same caller asked too often."""

    code = "too-many-requests"
    status = 429


class Unavailable(HutongError):
    """Something outside this process (disk, database, another node, an optional package) did not serve.

    ``because`` is what that said itself; it is for who runs the node, never for who asks it.
    """

    code = "unavailable"
    status = 503
    exit_code = 7

    def __init__(self, what: str, do: str, because: str = "") -> None:
        super().__init__(what, do)
        self.because = because


class Tampered(HutongError):
    """A signature, a hash or a proof does not fit: the content is not what it claims to be."""

    code = "tampered"
    status = 422
    exit_code = 8
