"""The part of Protocol Buffers' wire format that exposure key exports need, with limits.

Own code instead of a dependency: five tiny messages that will never change do not pay for a code generator, its
runtime and its native extension, and this reader says for every input what is wrong with it. Source: "Protocol
Buffers: Encoding", protobuf.dev.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from hutong.errors import BadInput, LimitExceeded

Kind = Literal["int32", "sint32", "fixed64", "bytes"]
Value = int | bytes

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIRE_TYPE: Mapping[Kind, int] = {"int32": VARINT, "sint32": VARINT, "fixed64": FIXED64, "bytes": BYTES}
_MOST_VARINT_BYTES = 10
_DO = "Fetch the file again."


@dataclass(frozen=True, slots=True)
class Fields:
    """The known fields of one message, each with all its values in their order."""

    values: Mapping[int, list[Value]]

    def integer(self, number: int, default: int = 0) -> int:
        """The last value of a numeric field, as the format wants it."""
        value = self.values.get(number, [default])[-1]
        assert isinstance(value, int)
        return value

    def octets(self, number: int) -> bytes:
        """The last value of a bytes field; empty when it is absent."""
        return next(reversed(self.all_octets(number)), b"")

    def text(self, number: int) -> str:
        """The last value of a string field. Raises BadInput when it is not UTF-8."""
        try:
            return self.octets(number).decode()
        except UnicodeDecodeError as error:
            raise BadInput(f"Field {number} is not text.", _DO) from error

    def all_octets(self, number: int) -> list[bytes]:
        """All values of a repeated bytes or message field."""
        return [value for value in self.values.get(number, ()) if isinstance(value, bytes)]


def write(number: int, kind: Kind, value: int | bytes | str | None) -> bytes:
    """One field of a message; nothing for None."""
    if value is None:
        return b""
    tag = _varint(number << 3 | _WIRE_TYPE[kind])
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return tag + _varint(len(value)) + value
    if kind == "fixed64":
        return tag + value.to_bytes(8, "little")
    if kind == "sint32":
        return tag + _varint(value << 1 if value >= 0 else (-value << 1) - 1)
    # A negative int32 is written as 64 bits: the format's own rule.
    return tag + _varint(value % 2**64)


def read(data: bytes, kinds: Mapping[int, Kind], *, most: int) -> Fields:
    """The fields of a message that ``kinds`` names; what is unknown, or of another wire type, is passed over.

    Args:
        most: how many fields there may be, known or not.

    Raises:
        BadInput: not a message: truncated, an overlong number, a group, field number 0, an integer out of range.
        LimitExceeded: more than ``most`` fields.
    """
    found: dict[int, list[Value]] = {}
    for count, (number, wire_type, value) in enumerate(_fields(data)):
        if count >= most:
            raise LimitExceeded(f"A message has more than {most} fields.", _DO)
        kind = kinds.get(number)
        if kind is not None and _WIRE_TYPE[kind] == wire_type:
            found.setdefault(number, []).append(_converted(kind, value))
    return Fields(found)


def _fields(data: bytes) -> Iterator[tuple[int, int, Value]]:
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise BadInput("A message has an impossible field number.", _DO)
        if wire_type == VARINT:
            integer, at = _read_varint(data, at)
            yield number, wire_type, integer
            continue
        if wire_type == BYTES:
            length, at = _read_varint(data, at)
        elif wire_type in (FIXED64, FIXED32):
            length = 8 if wire_type == FIXED64 else 4
        else:
            raise BadInput(f"A message has a field of the unknown wire type {wire_type}.", _DO)
        if length > end - at:
            raise BadInput("A message is truncated.", _DO)
        content = data[at : at + length]
        at += length
        yield number, wire_type, content if wire_type == BYTES else int.from_bytes(content, "little")


def _converted(kind: Kind, value: Value) -> Value:
    if isinstance(value, bytes) or kind == "fixed64":
        return value
    signed = value - 2**64 if value >= 2**63 else value
    integer = value >> 1 ^ -(value & 1) if kind == "sint32" else signed
    if not -(2**31) <= integer < 2**31:
        raise BadInput("A number is outside of 32 bits.", _DO)
    return integer


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, octet in enumerate(data[at : at + _MOST_VARINT_BYTES]):
        value |= (octet & 0x7F) << 7 * place
        if octet < 0x80:
            if value >= 2**64:
                break
            return value, at + place + 1
    raise BadInput("A number is truncated or too long.", _DO)
