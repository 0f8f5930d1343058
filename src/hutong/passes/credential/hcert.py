"""The HCERT container: ``HC1:`` + base45(zlib(COSE_Sign1(CWT))), used by EU DCC, WHO and Hutong's own pass.

Read with hard limits: at most 64 KiB of text and 64 KiB inflated, whatever the text promises.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from hutong.errors import BadInput, LimitExceeded

from . import base45, cbor

PREFIX = "HC1:"
MAX_TEXT = 65_536
MAX_INFLATED_BYTES = 65_536
_GZIP_TAIL_BYTES = 8
ISSUER, SUBJECT, EXPIRES, NOT_BEFORE, ISSUED, HCERT = 1, 2, 4, 5, 6, -260


class Claims(NamedTuple):
    """Claims of a CWT (RFC 8392) with the health claim -260.

    Attributes:
        issuer: claim 1 as text.
        issued_at, expires_at, not_before: claims 6, 4, 5; None when absent.
        contents: entries of claim -260 by their key; empty when the claim is absent.
        body: every claim as decoded.
        unreadable_times: keys among 4, 5, 6 whose value is no time (a NaN was seen): such claims are never valid.
    """

    issuer: str | None
    issued_at: dt.datetime | None
    expires_at: dt.datetime | None
    not_before: dt.datetime | None
    contents: Mapping[Any, Any]
    body: Mapping[Any, Any]
    unreadable_times: tuple[int, ...] = ()

    def valid_at(self, at: dt.datetime) -> bool:
        """Whether ``at`` lies between issue (or not-before) and expiry; an absent claim bounds nothing.

        The very second of expiry counts, as in the EU's test data (ES/1501), though RFC 8392, 3.1.4 ends before it.
        """
        if self.unreadable_times:
            return False
        begins = [moment for moment in (self.issued_at, self.not_before) if moment is not None]
        return all(begin <= at for begin in begins) and (self.expires_at is None or at <= self.expires_at)


def remove_prefix(text: str) -> str:
    """Base45 part of the text.

    Raises:
        BadInput: another context or version than ``HC1:``.
        LimitExceeded: more than 64 Ki characters.
    """
    if len(text) > MAX_TEXT:
        raise LimitExceeded("The code is longer than any certificate.", "Give one code at a time.")
    if not text.startswith(PREFIX):
        raise BadInput("The text is not a health certificate of version HC1.", "Scan the code again.")
    return text[len(PREFIX) :]


def inflate(data: bytes, *, raw: bool = False) -> bytes:
    """Inflate one zlib stream (RFC 1950), or one raw deflate stream (RFC 1951), to at most 64 KiB.

    Some issuers cut the head off a gzip stream and leave its 8 bytes of tail: after a raw stream they are let pass.

    Raises:
        BadInput: not such a stream, cut off, or followed by other bytes.
        LimitExceeded: it would inflate to more.
    """
    stream = zlib.decompressobj(-15 if raw else 15)
    try:
        out = stream.decompress(data, MAX_INFLATED_BYTES)
        if stream.unconsumed_tail:
            raise LimitExceeded("The code inflates to more than 64 KiB.", "Check where it came from.")
        if not stream.eof:  # at the limit to the byte: the end of the stream may still be unread
            out += stream.decompress(b"", 1)
    except zlib.error:
        raise BadInput("The compressed part cannot be read.", "Scan the code again.") from None
    if len(out) > MAX_INFLATED_BYTES:
        raise LimitExceeded("The code inflates to more than 64 KiB.", "Check where it came from.")
    if not stream.eof or len(stream.unused_data) > (_GZIP_TAIL_BYTES if raw else 0):
        raise BadInput("The compressed part is cut off or followed by other bytes.", "Scan the code again.")
    return out


def unpack(text: str) -> bytes:
    """COSE message of an ``HC1:`` text. Raises BadInput or LimitExceeded."""
    return inflate(base45.decode(remove_prefix(text)))


def pack(message: bytes) -> str:
    """``HC1:`` text of a COSE message."""
    return PREFIX + base45.encode(zlib.compress(message, 9))


def read_claims(payload: bytes, *, max_bytes: int = cbor.MAX_BYTES) -> Claims:
    """Claims of a CWT payload.

    Raises:
        BadInput: not a map, or a claim of the wrong type.
    """
    body = cbor.loads(payload, "the claims", max_bytes=max_bytes)
    if not _is_map(body):
        raise BadInput("The certificate holds no claims.", "Scan the code again or ask the issuer.")
    contents, issuer = body.get(HCERT), body.get(ISSUER)
    times: dict[int, dt.datetime | None] = {}
    unreadable: list[int] = []
    for claim in (EXPIRES, NOT_BEFORE, ISSUED):
        if claim in body:
            try:
                times[claim] = to_time(body[claim])
            except BadInput:
                unreadable.append(claim)
    return Claims(
        issuer if type(issuer) is str else None,
        times.get(ISSUED),
        times.get(EXPIRES),
        times.get(NOT_BEFORE),
        contents if _is_map(contents) else {},
        body,
        tuple(unreadable),
    )


def _is_map(item: object) -> bool:
    return type(item) is dict or isinstance(item, Mapping)  # behind a tag it is another kind; the first is quick


def to_time(number: object) -> dt.datetime | None:
    """Moment of a NumericDate (RFC 8392, 2), seconds since 1970; None for None.

    Raises:
        BadInput: not a number, or outside the years 1 to 9999.
    """
    if number is None:
        return None
    try:
        if type(number) is int or type(number) is float:
            return dt.datetime.fromtimestamp(number, dt.UTC)
        if isinstance(number, cbor.TaggedTime):
            number = number.moment
        if isinstance(number, dt.datetime) and number.tzinfo is not None:
            return number.astimezone(dt.UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise BadInput("A time in the certificate is not a time.", "Ask the issuer for a correct certificate.")
