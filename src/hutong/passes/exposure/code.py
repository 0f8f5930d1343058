"""Verification code: what an authority gives to a person whose test was positive, so that only such phones report.

The code says that somebody may report, never who. It is kept as a keyed hash (a plain one of twelve digits could be
guessed in minutes) and becomes a token on its first use; with the upload nothing of either is left.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hutong.errors import BadInput

from .key import ReportType

DIGITS = 12
"""Enough that nobody need be held up because others guess: see MOST_OPEN_CODES."""
CODE_LASTS = timedelta(hours=1)
TOKEN_LASTS = timedelta(hours=24)
MOST_OPEN_CODES = 1000
"""Codes that may be open at a time: with this many, one in a thousand million guesses fits. A caller has ten in five
minutes, so that ten thousand callers together would guess for a month, and a code lasts an hour."""


@dataclass(frozen=True, slots=True)
class VerificationCode:
    """A code as it is shown, once, to the authority who asked for it."""

    code: str = field(repr=False)
    emergency: str
    report_type: ReportType
    expires_at: datetime

    @property
    def grouped(self) -> str:
        """The code as it is read out: in groups of four."""
        return " ".join(self.code[start : start + 4] for start in range(0, DIGITS, 4))


@dataclass(frozen=True, slots=True)
class UploadToken:
    """What the phone got for its code: good for one upload."""

    token: str = field(repr=False)
    report_type: ReportType
    expires_at: datetime


def draw_code(random: Callable[[int], bytes]) -> str:
    """Twelve random digits."""
    return f"{int.from_bytes(random(16), 'big') % 10**DIGITS:0{DIGITS}d}"


def keyed_hash(secret: bytes, value: str) -> str:
    """HMAC-SHA-256 of a code, or of an address that tried one, under a key that only this node has; hexadecimal."""
    return hmac.new(secret, b"exposure:" + value.encode(), hashlib.sha256).hexdigest()


def parse_report_type(name: str) -> ReportType:
    """A report type by its name in small letters; a code is for three of them. Raises BadInput."""
    known = {kind.name.lower(): kind for kind in ReportType}
    found = known.get(name)
    if found in (None, ReportType.UNKNOWN, ReportType.REVOKED):
        raise BadInput(
            "The report type is not known.", "Use confirmed_test, confirmed_clinical_diagnosis or self_report."
        )
    return ReportType(found)
