"""What a node holds of the EU's lists: revocations, and the keys of signers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hutong.node import Node
from hutong.storage import schema

from . import eu_revocations


@dataclass(frozen=True, slots=True)
class HeldRevocations:
    """Lists that are held, as of when, and until when an answer may rest on them.

    Attributes:
        keys: for how many keys, or countries, there are any.
        hashes: how many whole hashes they hold.
        incomplete: for how many of the keys a slice is missing or of a kind that is not read.
    """

    as_of: datetime
    good_until: datetime
    keys: int
    hashes: int
    slices: int
    incomplete: int


def section(node: Node) -> tuple[dict[str, Any] | None, dict[str, datetime]]:
    """What the bundle says of the lists, None where none are held; and by a part's name since when it is what it is."""
    table = schema.eu_revocation
    with node.records.reading() as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.name)).all()
    if not rows:
        return None, {}
    said = eu_revocations.write_section(rows[0].as_of, rows[0].max_age_hours, [row.part for row in rows])
    return said, {row.name: row.since for row in rows}


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """Signers of EU certificates that are held: how many by country, and until when they are trusted."""

    by_country: dict[str, int]
    valid_until: datetime

    @property
    def keys(self) -> int:
        """How many there are."""
        return sum(self.by_country.values())


def key_parties(node: Node) -> dict[str, dict[str, Any]]:
    """Entries of the bundle for the countries whose signers are held, by party id."""
    table = schema.eu_key_party
    with node.records.reading() as connection:
        rows = connection.execute(sa.select(table.c.party, table.c.entry).order_by(table.c.party))
        return {row.party: row.entry for row in rows}


def held_keys(node: Node) -> HeldKeys | None:
    """The signers in short; None where none are held."""
    entries = key_parties(node)
    if not entries:
        return None
    counted = {one["territory"]: len(one["passes"]) + len(one.get("bare_keys", ())) for one in entries.values()}
    return HeldKeys(counted, min(datetime.fromisoformat(one["valid_until"]) for one in entries.values()))


def held_revocations(node: Node) -> HeldRevocations | None:
    """The lists in short; None where none are held."""
    read = eu_revocations.read_section(section(node)[0])
    if read is None:
        return None
    lists = read.lists
    return HeldRevocations(
        as_of=read.as_of,
        good_until=read.as_of + read.max_age,
        keys=len(lists.listed.keys() | lists.slices.keys() | lists.incomplete),
        hashes=lists.hashes,
        slices=sum(map(len, lists.slices.values())),
        incomplete=len(lists.incomplete),
    )
