"""Bounded CBOR (RFC 8949): one item, whole, of known size and depth, without the tags that run away.

A decoder that follows shared references can be made to build cyclic values, and decimal fractions can name
numbers of a billion digits in six bytes; neither has a place in a certificate, so their tags are refused.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from hutong.errors import BadInput, LimitExceeded

MAX_BYTES = 65_536
MAX_DEPTH = 16
_LAST_EXACT = 2**53
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""A date-time of RFC 3339, 5.6, in capitals; ISO 8601 has more forms, which other readers do not know."""


def _refuse_tag(*_: object) -> None:
    raise ValueError("tag not allowed in a certificate")


class TaggedTime(str):
    """Text of tag 0 that names a moment (RFC 3339); it stays as its issuer wrote it."""

    __slots__ = ()

    @property
    def moment(self) -> dt.datetime:
        """The moment, with its offset."""
        return dt.datetime.fromisoformat(self)


def _read_time(text: object, *_: object) -> object:
    """Issuers put tag 0 before dates without a time, too; such a text is a text like any other."""
    if not isinstance(text, str) or not _DATE_TIME.fullmatch(text):
        return text
    try:
        dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return text
    return TaggedTime(text)


def _read_seconds(number: object, *_: object) -> dt.datetime:
    if type(number) is not int and type(number) is not float:
        raise ValueError("tag 1 before something else than a number")
    try:
        return dt.datetime.fromtimestamp(number, dt.UTC)
    except OSError:
        raise ValueError("seconds beyond every calendar") from None


def _keep(tag: int) -> Callable[..., cbor2.CBORTag]:
    """A reader that leaves a tag as it is, whatever it stands before."""
    return lambda value, *_: cbor2.CBORTag(tag, value)


def _check_keys(read: Mapping[Any, Any], _is_immutable: bool) -> Mapping[Any, Any]:
    """Whole numbers and texts name entries; true, 1 and 1.0 would be one key to this reader and three to another."""
    for key in read:
        if type(key) is not int and type(key) is not str:
            raise ValueError("a map key that is neither a whole number nor text")
    return read


# 2-5 bignum, decimal fraction, bigfloat; 25, 28, 29 references; 30 rational; 35-37 pattern, MIME, UUID; 256... sets.
_REFUSED = (2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 256, 258, 260, 261, 43000)
# 52, 54 addresses of networks; 100, 1004 dates: whoever reads them may find them ill-formed, and here nobody does.
_KEPT = (52, 54, 100, 1004)
_TAGS = {
    0: _read_time,
    1: _read_seconds,
    **dict.fromkeys(_REFUSED, _refuse_tag),
    **{tag: _keep(tag) for tag in _KEPT},
}


def loads(data: bytes, what: str, *, max_bytes: int = MAX_BYTES) -> Any:
    """Decode exactly one CBOR item.

    Args:
        data: the encoded item, all of it.
        what: what it is, for the message ("the COSE message").
        max_bytes: the greatest allowed length of ``data``.

    Raises:
        LimitExceeded: longer than ``max_bytes``.
        BadInput: not CBOR, cut off, followed by other bytes, nested deeper than 16, a map key given twice, or one
            that is neither a whole number nor text.
    """
    if len(data) > max_bytes:
        raise LimitExceeded(f"The CBOR of {what} is longer than {max_bytes} bytes.", "Check its source.")
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(
        stream, max_depth=MAX_DEPTH, semantic_decoders=_TAGS, allow_duplicate_keys=False, object_hook=_check_keys
    )
    try:
        item = decoder.decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        raise BadInput(f"The CBOR of {what} cannot be read.", "Scan the code again or ask the issuer.") from None
    if stream.tell() != len(data):
        raise BadInput(f"The CBOR of {what} is followed by other bytes.", "Use the code as it was issued.")
    return item


def dumps(item: Any) -> bytes:
    """Encode one item, shortest form, map keys in the order given."""
    encoded: bytes = cbor2.dumps(item)
    return encoded


def to_json(item: Any) -> Any:
    """The item as JSON can hold it: byte strings in hexadecimal, times as their text or RFC 3339, map keys as text."""
    if isinstance(item, Mapping):
        return {str(key): to_json(value) for key, value in item.items()}
    if isinstance(item, list | tuple | set | frozenset):
        return [to_json(value) for value in item]
    if isinstance(item, float):
        return _float_to_json(item)
    if isinstance(item, cbor2.CBORTag):
        return to_json(item.value)
    if isinstance(item, bool) or item is None or type(item) is str:  # a tagged time is written as a plain one below
        return item
    return _scalar_to_json(item)


def _scalar_to_json(item: Any) -> str | int | None:
    if isinstance(item, int):
        return item if -(1 << 63) <= item < 1 << 63 else str(item)
    if isinstance(item, bytes):
        return item.hex()
    if isinstance(item, dt.date):  # a datetime is one, too
        return item.isoformat().replace("+00:00", "Z")
    return None if item is cbor2.undefined or isinstance(item, cbor2.CBORSimpleValue) else str(item)


def _float_to_json(number: float) -> float | int | None:
    """A whole float is the integer that was meant, where it is exact; JSON can't say infinities and NaN."""
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124
        return None
    return int(number) if number.is_integer() and abs(number) <= _LAST_EXACT else number
