"""Which places of the status lists new passes get: random ones, so that neighbours say nothing of each other."""

from __future__ import annotations

from itertools import islice

import sqlalchemy as sa

from hutong.errors import Unavailable
from hutong.node import Change, Node
from hutong.storage import schema
from hutong.storage.records import in_parts

from ..credential.level_pass import LIST_BITS
from . import own_lists

_ROUNDS = 32
_AT_LEAST = 64
"""So many are drawn in a round, however few are lacking: a list that is nearly full gives its last places, too."""


def free_indexes(node: Node, change: Change, wanted: int) -> list[int]:
    """Free status indexes, all different: of the newest list while it has room, then of the one that begins.

    Raises LimitExceeded when no list can begin, Unavailable when more are wanted than two lists are likely to have.
    """
    found: dict[int, None] = {}
    for number in own_lists.numbers_to_fill(change.connection):
        for _ in range(_ROUNDS):
            lacking = wanted - len(found)
            if not lacking:
                return list(found)
            drawn = dict.fromkeys(_draw(node, number, max(lacking, _AT_LEAST)))
            for index in _taken(change, list(drawn)):
                del drawn[index]
            found |= dict.fromkeys(islice((index for index in drawn if index not in found), lacking))
        if len(found) == wanted:
            return list(found)
    raise Unavailable("Not enough free positions were found in the status lists.", "Give a smaller batch.")


def _draw(node: Node, number: int, count: int) -> list[int]:
    raw, first = node.random(4 * count), number << LIST_BITS
    return [first + int.from_bytes(raw[at : at + 4], "big") % own_lists.LIST_POSITIONS for at in range(0, len(raw), 4)]


def _taken(change: Change, indexes: list[int]) -> list[int]:
    column = schema.issued_pass.c.status_index
    return [
        index
        for part in in_parts(indexes)
        for index in change.execute(sa.select(column).where(column.in_(part))).scalars()
    ]
