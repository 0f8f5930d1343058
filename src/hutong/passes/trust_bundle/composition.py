"""What an edition of a bundle holds: its signer's part always, then each followed party's for which there is room.

Small parts come first. What readers could not take beside the rest, or could not verify, is left out by party: its
passes are unknown then, and no party can make the bundle unreadable.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.trust.signing import canonical_json
from hutong.trust.trust_list import Party

from ..credential import status_list
from . import envelope, trust_bundle
from .trust_bundle import IssuerTrust, Part, read_party

NEAR_SHARE = 0.8
NAME_BYTES = 67
"""Of a list's name in JSON, with quotes and comma."""
_TABLES = 4


@dataclass(frozen=True, slots=True)
class Load:
    """How much something takes of what readers take: positions and number of lists, and bytes of text.

    ``signed_bytes`` is an upper estimate of what is signed, in base64.
    """

    positions: int = 0
    lists: int = 0
    lists_bytes: int = 0
    signed_bytes: int = 0

    def __add__(self, other: Load) -> Load:
        return Load(
            self.positions + other.positions,
            self.lists + other.lists,
            self.lists_bytes + other.lists_bytes,
            self.signed_bytes + other.signed_bytes,
        )

    @property
    def share(self) -> float:
        """The part of the nearest limit, as a fraction; above 1 readers refuse it."""
        return max(
            self.positions / trust_bundle.MAX_POSITIONS,
            self.lists / envelope.MAX_ATTACHED,
            (self.lists_bytes + self.signed_bytes) / envelope.MAX_BUNDLE_BYTES,
            self.signed_bytes / envelope.MAX_SIGNED_BYTES,
        )


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A party whose documents and status lists are not in the bundle, why, and what to do."""

    party: str
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class BundleLoad:
    """How near this node's bundle is to what readers take; ``share`` of the nearest limit, as a fraction.

    Attributes:
        lists: status lists of this node.
        positions: of all status lists, with those of other parties.
        size_bytes, signed_bytes: the whole text, and the signed text without lists.
        left_out: parties for which there was no room, or whose documents can't be verified.
    """

    lists: int
    size_bytes: int
    positions: int = 0
    signed_bytes: int = 0
    left_out: tuple[LeftOut, ...] = ()
    most_lists: int = status_list.MAX_LISTS
    most_bytes: int = envelope.MAX_BUNDLE_BYTES
    most_positions: int = trust_bundle.MAX_POSITIONS
    most_signed_bytes: int = envelope.MAX_SIGNED_BYTES

    @property
    def share(self) -> float:
        return max(
            self.lists / self.most_lists,
            self.size_bytes / self.most_bytes,
            self.positions / self.most_positions,
            self.signed_bytes / self.most_signed_bytes,
        )

    @property
    def is_near(self) -> bool:
        """Whether somebody should act: soon readers can't take it, or a party is missing in it already."""
        return self.share >= NEAR_SHARE or bool(self.left_out)


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts of an edition and what they say, in the order of parties; ``followed`` have documents of their own."""

    parts: Mapping[str, Part]
    issuers: Mapping[str, IssuerTrust]
    followed: tuple[str, ...]
    load: Load
    left_out: tuple[LeftOut, ...]


def compose(
    own: Part,
    listed: Mapping[str, Part],
    adopted: Mapping[str, Part],
    *,
    unreadable: Mapping[str, HutongError],
    base: Load,
) -> Composition:
    """An edition of all listed parties, each with what was adopted of it as far as readers take that.

    Args:
        own: of the node that signs the edition; it is never left out.
        listed: other parties of the trust list, each with its entry alone.
        adopted: those of them that are followed, with their documents and lists.
        unreadable: those of which something was adopted that can't be read any more.
        base: what the rest of the bundle takes.

    Raises:
        LimitExceeded, Tampered, BadInput: readers would not take the signer's own part.
    """
    name = own.entry["id"]
    load = sum((load_of(part) for part in (own, *listed.values())), start=base)
    parts, issuers = {name: own}, {name: read_party(own, room=trust_bundle.MAX_POSITIONS)}
    left_out = dict(unreadable)
    weighed: dict[str, Load] = {}
    for party in adopted:
        try:
            weighed[party] = load_of(adopted[party])
        except HutongError as error:
            left_out[party] = error
    for party in sorted(weighed, key=lambda party: (weighed[party].share, party)):
        try:
            more = load + weighed[party]
            if more.share > 1:
                raise LimitExceeded("The trust bundle has no room for what this party says.", "Follow fewer parties.")
            issuers[party] = read_party(adopted[party], room=trust_bundle.MAX_POSITIONS - load.positions)
            parts[party], load = adopted[party], more
        except HutongError as error:
            left_out[party] = error
    followed = (name, *(party for party in parts if party != name))
    for party in listed.keys() - parts.keys():
        try:
            issuers[party] = read_party(listed[party])
            parts[party] = listed[party]
        except HutongError as error:
            left_out.setdefault(party, error)
    told = tuple(LeftOut(party, error.what, error.do) for party, error in sorted(left_out.items()))
    return Composition(dict(sorted(parts.items())), dict(sorted(issuers.items())), followed, load, told)


def load_of(part: Part) -> Load:
    """What a part takes, by what its lists say of themselves: nothing is verified or inflated. Raises BadInput."""
    documents = (*part.crosswalks, *part.rulebooks, *part.ended)
    try:
        positions = sum(status_list.claimed_positions(base64.b64decode(text)) for text in part.lists)
        size_bytes = len(canonical_json(part.entry)) + _TABLES * (len(part.entry["id"].encode()) + 7)
        size_bytes += sum(len(document) + 3 for document in documents) + NAME_BYTES * len(part.lists)
    except (TypeError, ValueError) as error:
        raise BadInput(f"The trust bundle lacks or misstates {error}.", "Fetch it again.") from error
    return Load(positions, len(part.lists), sum(len(text) + 1 for text in part.lists), signed_size(size_bytes))


def signed_size(size_bytes: int) -> int:
    """How many bytes so much JSON takes in a compact JWS."""
    return -(-size_bytes * 4 // 3)


def party_entry(party: Party) -> dict[str, Any]:
    """A party of the trust list as a bundle names it."""
    return {
        "id": party.id,
        "name": dict(party.name),
        "territory": party.territory,
        "signing": dict(party.signing),
        "passes": list(party.passes),
        "valid_until": party.valid_until.isoformat(),
    }


def with_keys_of(listed: dict[str, Any] | None, own: Mapping[str, Any] | None) -> dict[str, Any]:
    """A party's entry with the pass keys that it names itself, under the signing key that the trust list pins.

    So a new key works, and a compromised one ends, as soon as the party's own bundle says so, and not only with the
    next edition of the trust list. Keys that the list alone names stay.
    """
    if listed is None or own is None:
        return dict(listed or own or {})
    compromised = list(own.get("compromised", []))
    keys = dict.fromkeys([*own["passes"], *listed["passes"]])
    return {**listed, "passes": [one for one in keys if one not in compromised], "compromised": compromised}
