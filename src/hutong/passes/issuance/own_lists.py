"""This node's status lists: which there are, how long each is needed, and each as readers get it.

A list is signed anew when a pass in it was revoked, and every hour; between that it stays the same bytes, in every
process that serves the node, so that a reader who has it need not fetch it again. A list whose passes are all over is
needed by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from hutong.errors import LimitExceeded, NotFound
from hutong.node import Change, Node
from hutong.storage import schema

from ..credential import status_list as status_lists
from ..credential.level_pass import LIST_BITS
from ..credential.status_list import MAX_LISTS, StatusList

LIST_POSITIONS = 1 << 20
LAST_NUMBER = (1 << 16) - 1
"""A pass names its list with 16 bits, and no number is used again."""
STATUS_HOURS = 24
SIGN_AGAIN = timedelta(hours=1)
LATE_CLOCKS = timedelta(hours=1)
"""A list is given for so long after its last pass has ended: verifiers' clocks differ."""
SMALLEST_PACKED = 16
"""So many lists are packed as small as can be, 0.13 s each. More are packed in a fifteenth of that, a sixth larger."""
_table = schema.status_list


@dataclass(frozen=True, slots=True)
class OwnList:
    """A list that this node keeps. ``revision`` rises whenever a bit changes; ``changed_at`` is when one did last."""

    number: int
    ends_at: datetime
    revision: int
    changed_at: datetime


def newest_number(connection: sa.Connection) -> int:
    """The list that is being filled; 0 before the first pass."""
    return int(connection.execute(sa.select(sa.func.max(_table.c.number))).scalar() or 0)


def numbers_to_fill(connection: sa.Connection) -> Iterator[int]:
    """The list that is being filled, and then the one that begins when it is full.

    Raises LimitExceeded in place of one more than passes can name.
    """
    newest = newest_number(connection)
    yield newest
    if newest >= LAST_NUMBER:
        raise LimitExceeded(
            f"All {LAST_NUMBER + 1:,} status lists that passes of this node can name are full.",
            "Issue passes from another node, under another id in the trust list.",
        )
    yield newest + 1


def keep_place(change: Change, passes: Iterable[tuple[int, datetime]]) -> None:
    """Let lists last as long as these passes in them, given by index and end; a new list begins with its first pass.

    Raises LimitExceeded when a new list would be one more than readers of trust bundles take.
    """
    ends: dict[int, datetime] = {}
    for index, end in passes:
        ends[index >> LIST_BITS] = max(end, ends.get(index >> LIST_BITS, end))
    query = sa.select(_table.c.number, _table.c.ends_at).where(_table.c.number.in_(ends))
    held = {row.number: row.ends_at for row in change.execute(query)}
    for number, end in ends.items():
        if number not in held:
            _require_room(change)
            change.execute(_table.insert().values(number=number, ends_at=end, revision=0, changed_at=change.at))
        elif held[number] < end:
            change.execute(_table.update().where(_table.c.number == number).values(ends_at=end))


def _require_room(change: Change) -> None:
    query = sa.select(sa.func.count()).where(_table.c.ends_at > change.at - LATE_CLOCKS)
    if change.execute(query).scalar_one() >= MAX_LISTS:
        raise LimitExceeded(
            f"All {MAX_LISTS:,} status lists that verifiers take hold passes that can still be shown.",
            "Issue passes for fewer hours, or wait until some have ended.",
        )


def note_change(change: Change, numbers: Iterable[int] | None = None) -> None:
    """Tell that passes of these lists were revoked; None: of any list that is needed."""
    which = _table.c.ends_at > change.at - LATE_CLOCKS if numbers is None else _table.c.number.in_(set(numbers))
    change.execute(_table.update().where(which).values(revision=_table.c.revision + 1, changed_at=change.at))


def needed_lists(node: Node) -> list[OwnList]:
    """Lists that verifiers need now: those of passes that can be shown, and the one that is being filled."""
    now = node.clock()
    with node.records.reading() as connection:
        newest = newest_number(connection)
        which = sa.or_(_table.c.ends_at > now - LATE_CLOCKS, _table.c.number == newest)
        rows = connection.execute(sa.select(_table).where(which).order_by(_table.c.number)).all()
    found = [OwnList(row.number, row.ends_at, row.revision, row.changed_at) for row in rows]
    return found or [OwnList(0, now, 0, datetime.min.replace(tzinfo=UTC))]


def signed_list(node: Node, own: OwnList, *, packed_small: bool = True) -> bytes:
    """The list as COSE, made once an hour and after every change."""
    keys = node.keys  # once: another process may rotate them meanwhile
    store = node.memory.store("status-lists", most=2 * MAX_LISTS)
    issued_at = signed_since(node.clock())
    key = (own.number, own.revision, issued_at, keys.pass_key_id, packed_small)
    # A key's bits are the same whoever asks; what two make at once is the same bytes.
    return bytes(
        store.get(
            key,
            lambda: status_lists.sign(
                StatusList(
                    issuer=node.id,
                    list_number=own.number,
                    number=own.revision,
                    issued_at=issued_at,
                    expires_at=issued_at + timedelta(hours=STATUS_HOURS),
                    size=LIST_POSITIONS,
                    bits=status_lists.pack_bits(_revoked(node, own.number), LIST_POSITIONS),
                ),
                keys.passes,
                bytes.fromhex(keys.pass_key_id),
                packed_small=packed_small,
            ),
        )
    )


def signed_since(at: datetime) -> datetime:
    """The date of lists that are given at a time: the full hour, also where one was signed again within it.

    So its date tells no moment of a revocation, and the same list has the same bytes in every process.
    """
    return datetime.fromtimestamp(at.timestamp() // SIGN_AGAIN.total_seconds() * SIGN_AGAIN.total_seconds(), UTC)


def _revoked(node: Node, number: int) -> list[int]:
    issued = schema.issued_pass.c
    first = number << LIST_BITS
    query = sa.select(issued.status_index).where(
        issued.revoked_at.is_not(None), issued.status_index >= first, issued.status_index < first + LIST_POSITIONS
    )
    with node.records.reading() as connection:
        return [index - first for index in connection.execute(query).scalars()]


def status_list(node: Node, list_number: int = 0) -> bytes:
    """The signed status list of that number (COSE). ``NotFound`` for a list that is yet to begin.

    Its serial number rises with every revocation in it.
    """
    query = sa.select(_table).where(_table.c.number == list_number)
    with node.records.reading() as connection:
        row = connection.execute(query).one_or_none()
        if row is None and list_number != newest_number(connection):
            raise NotFound("This node has no such status list.", "Ask for the list that the pass names.")
    if row is None:
        return signed_list(node, needed_lists(node)[0])
    return signed_list(node, OwnList(row.number, row.ends_at, row.revision, row.changed_at))
