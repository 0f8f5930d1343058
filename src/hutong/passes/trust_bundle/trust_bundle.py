"""Trust bundle: the one signed document that a verifier downloads, and then needs no network.

It holds the parties with their pass certificates, how each party's levels read (crosswalks that each party signed
itself), which versions of its rulebooks hold and from when others will, which passes each has revoked (status lists
that each signed itself), and the acceptance rules of the node that signs the bundle. It is numbered, says when the next
one is due, and past ``max_age_hours`` nothing follows from it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hutong.errors import BadInput, LimitExceeded, NotFound
from hutong.trust.signing import sign_document, verify_document

from ..credential import status_list
from ..credential.keys import KeyRing, VerificationKey
from ..credential.status_list import StatusList
from ..documents import Document, Texts, as_path
from ..recognition.crosswalk import Crosswalk, read_crosswalk
from ..recognition.recognition import AcceptanceRules, read_acceptance
from . import envelope
from .eu_keys import read_bare_key
from .eu_revocations import EuRevocations, read_section

KIND = "pass-bundle"
CROSSWALK_KIND = "crosswalk"
RULEBOOK_KIND = "rulebook-version"
ENDING_KIND = "emergency-ended"
MAX_PARTIES = 2_000
MAX_ITEMS = 50
MAX_POSITIONS = 1 << 31
"""Of all status lists of a bundle together: 256 MiB in a reader's memory. What would pass it is not inflated."""
MAX_AGE_HOURS = 168
MAX_NUMBER = 2**31 - 1
"""An edition's number is the size of a log, and records hold no larger one."""
YEARS = range(2000, 2200)
"""When an edition can have been issued: times of other years can't be reckoned with."""
MAX_FILE_BYTES = envelope.MAX_BUNDLE_BYTES + 2**20
_MISSTATED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What comes of reading a document that is not of the form."""


@dataclass(frozen=True, slots=True)
class RulebookVersion:
    """A version of a rulebook that holds, or will from ``effective_from`` on; ``effect`` as in its log."""

    id: str
    version: str
    hash: str
    effect: str
    effective_from: datetime
    valid_to: datetime


@dataclass(frozen=True, slots=True)
class EmergencyEnd:
    """An emergency that is over since ``ended_at``, and with it all passes of these rulebook versions (id@version)."""

    emergency: str
    ended_at: datetime
    versions: frozenset[str]


@dataclass(frozen=True, slots=True)
class IssuerTrust:
    """What a verifier knows of one issuing party. ``status_lists`` are by list number.

    Attributes:
        territory: ISO 3166-1 or 3166-2 code of where it answers for.
        compromised: keys that somebody else may have; whatever they signed, and whenever, is refused.
        rulebooks: versions that hold or are announced.
        ended: emergencies of the party that ended so lately that passes of them may seem to be valid.
    """

    id: str
    name: Texts
    valid_until: datetime
    keys: KeyRing
    crosswalks: tuple[Crosswalk, ...]
    status_lists: Mapping[int, StatusList]
    compromised: KeyRing = field(default_factory=KeyRing)
    rulebooks: tuple[RulebookVersion, ...] = ()
    ended: tuple[EmergencyEnd, ...] = ()
    territory: str = ""

    def end_of(self, rulebook: str, version: str) -> EmergencyEnd | None:
        """The end of the emergency that passes of this version rest on; None while it is in force."""
        if not self.ended:  # each scan asks
            return None
        meant = f"{rulebook}@{version}"
        return next((one for one in self.ended if meant in one.versions), None)

    def has_lost(self, key: VerificationKey) -> bool:
        """Whether this key of the party is compromised."""
        return any(key.key_ids & lost.key_ids for lost in self.compromised.keys)

    def crosswalk(self, rulebook: str, major: int, at: datetime) -> Crosswalk | None:
        """The crosswalk for levels of a rulebook: one in force if there is one, else another one for it, else None."""
        newest = None
        for one in reversed(self.crosswalks):
            if one.rulebook == rulebook and one.major == major:
                if one.period.holds(at):
                    return one
                newest = newest or one
        return newest


@dataclass(frozen=True, slots=True)
class Part:
    """What a bundle says of one party, unread: its entry, the documents that it signed, its status lists (base64)."""

    entry: Mapping[str, Any]
    crosswalks: Sequence[str] = ()
    rulebooks: Sequence[str] = ()
    ended: Sequence[str] = ()
    lists: Sequence[str] = ()


@dataclass(frozen=True)
class TrustSnapshot:
    """A bundle, verified and parsed once; verify as many passes with it as you like.

    Attributes:
        issuer: who signed the bundle.
        number: rises with every edition.
        max_age: counted from ``issued_at``; past it every answer is unknown.
        acceptance: the rules of the signer; None when it published none.
        eu_revocations: the lists of revoked EU certificates that the signer imported; None when it has none.
    """

    issuer: str
    number: int
    issued_at: datetime
    next_update: datetime
    max_age: timedelta
    issuers: Mapping[str, IssuerTrust]
    acceptance: AcceptanceRules | None
    acceptance_document: Document | None = field(default=None, repr=False)
    eu_revocations: EuRevocations | None = field(default=None, repr=False)

    @cached_property
    def ring(self) -> KeyRing:
        """Keys of all issuers; each key's ``issuer`` is the party that holds it."""
        rings = (ring for issuer in self.issuers.values() for ring in (issuer.keys, issuer.compromised))
        return KeyRing.of([key for ring in rings for key in ring.keys])


def sign_bundle(payload: Mapping[str, Any], *, key: Ed25519PrivateKey, kid: str) -> str:
    """The bundle as it travels: a compact JWS and its status lists (see :mod:`.envelope`).

    Raises LimitExceeded when readers would not take it.
    """
    signed = sign_document(key, kid=kid, kind=KIND, payload=envelope.named(payload))
    return envelope.join(signed, envelope.lists_of(payload).values())


def open_bundle(text: str, *, issuer_key: Mapping[str, str], eu_lists: bool = True) -> dict[str, Any]:
    """What a bundle says, with its lists, if the key (a public JWK) signed it. Raises as :func:`read_bundle`."""
    signed, lists = envelope.split(text)
    return envelope.fill(verify_document(signed, key=issuer_key, kind=KIND), lists, eu_lists=eu_lists)


def read_bundle(signed: str, *, issuer_key: Mapping[str, str], eu_lists: bool = True) -> TrustSnapshot:
    """Verify and parse a bundle.

    Args:
        signed: the text of the bundle.
        issuer_key: public JWK of the node that the reader trusts.
        eu_lists: whether what it says of revoked EU certificates is wanted, and so must be there.

    Raises:
        Tampered: the bundle, a crosswalk or a status list in it is not signed by whom it should be.
        BadInput: not a bundle, or something in it is not as it should be.
        Conflict: a status list is lacking.
        LimitExceeded: too many parties or documents, or too large.
    """
    return read_payload(open_bundle(signed, issuer_key=issuer_key, eu_lists=eu_lists))


def read_payload(document: Mapping[str, Any]) -> TrustSnapshot:
    """Parse what a bundle says, its own signature being checked already; raises as :func:`read_bundle`."""
    try:
        parties = document["parties"]
        if len(parties) > MAX_PARTIES:
            raise LimitExceeded(f"The bundle names more than {MAX_PARTIES:,} parties.", "Split the trust list.")
        issuers: dict[str, IssuerTrust] = {}
        room = MAX_POSITIONS
        for entry in parties:
            if entry["id"] in issuers:
                raise BadInput("The trust bundle names a party twice.", "Fetch it again.")
            issuer = _issuer(part_of(document, entry), room)
            room -= sum(one.size for one in issuer.status_lists.values())
            issuers[entry["id"]] = issuer
        return snapshot_of(document, issuers)
    except _MISSTATED as error:
        raise BadInput(f"The trust bundle lacks or misstates {error}.", "Fetch it again.") from error


def part_of(document: Mapping[str, Any], entry: Mapping[str, Any]) -> Part:
    """What a payload says of the party of this entry."""
    party = entry["id"]
    return Part(
        entry=entry,
        crosswalks=document["crosswalks"].get(party, []),
        rulebooks=document.get("rulebooks", {}).get(party, []),
        ended=document.get("ended", {}).get(party, []),
        lists=document["status_lists"].get(party, []),
    )


def read_party(part: Part, *, room: int = MAX_POSITIONS) -> IssuerTrust:
    """Read what is said of one party as each reader of a bundle does; raises as :func:`read_bundle`.

    ``room`` is how many positions its status lists may have together.
    """
    try:
        return _issuer(part, room)
    except _MISSTATED as error:
        raise BadInput(f"The trust bundle lacks or misstates {error}.", "Fetch it again.") from error


def snapshot_of(document: Mapping[str, Any], issuers: Mapping[str, IssuerTrust]) -> TrustSnapshot:
    """A snapshot of a payload of the right form whose parties were read already."""
    acceptance = document["acceptance"]
    return TrustSnapshot(
        issuer=str(document["issuer"]),
        number=_whole(document, "number", least=0, most=MAX_NUMBER),
        issued_at=_edition_time(document, "issued_at"),
        next_update=_edition_time(document, "next_update"),
        max_age=timedelta(hours=_whole(document, "max_age_hours", least=1, most=MAX_AGE_HOURS)),
        issuers=issuers,
        acceptance=None if acceptance is None else read_acceptance(acceptance),
        acceptance_document=acceptance,
        eu_revocations=read_section(document.get(envelope.EU_LISTS)),
    )


def _issuer(part: Part, room: int) -> IssuerTrust:
    entry, lists = part.entry, part.lists
    if len(lists) > status_list.MAX_LISTS:
        raise LimitExceeded(f"A party has more than {status_list.MAX_LISTS:,} status lists.", "Ask it for fewer.")
    if max(len(part.crosswalks), len(part.rulebooks), len(part.ended)) > MAX_ITEMS:
        raise LimitExceeded(f"A party has more than {MAX_ITEMS} documents of one kind.", "Ask it for fewer.")
    keys, compromised = (
        KeyRing.of([replace(key, issuer=entry["id"]) for key in (*KeyRing.of(certificates).keys, *bare)])
        for certificates, bare in (
            (entry["passes"], [read_bare_key(one) for one in entry.get("bare_keys", [])]),
            (entry.get("compromised", []), ()),
        )
    )
    documents = [verify_document(item, key=entry["signing"], kind=CROSSWALK_KIND) for item in part.crosswalks]
    return IssuerTrust(
        id=entry["id"],
        name=dict(entry["name"]),
        valid_until=_instant(entry["valid_until"]),
        keys=keys,
        crosswalks=tuple(filter(None, map(read_crosswalk, documents))),
        # With sound keys only: a list signed by a compromised one could clear what was revoked.
        status_lists=_status_lists(entry["id"], lists, keys, room),
        compromised=compromised,
        rulebooks=tuple(
            _version(verify_document(one, key=entry["signing"], kind=RULEBOOK_KIND)) for one in part.rulebooks
        ),
        ended=tuple(_end(verify_document(one, key=entry["signing"], kind=ENDING_KIND)) for one in part.ended),
        territory=str(entry.get("territory", "")),
    )


def _status_lists(party: str, texts: Sequence[str], keys: KeyRing, room: int) -> dict[int, StatusList]:
    """A party's lists by number, each inflated only if all together have at most ``room`` positions."""
    if len(set(texts)) < len(texts):
        raise BadInput("The trust bundle names a status list twice.", "Fetch it again.")
    read: dict[int, StatusList] = {}
    for text in texts:
        one = status_list.read(base64.b64decode(text, validate=True), keys, most_positions=room)
        if one.issuer != party:
            raise BadInput("A status list in the bundle is another party's.", "Fetch the bundle again.")
        if one.list_number in read:
            raise BadInput("The trust bundle names a status list twice.", "Fetch it again.")
        room -= one.size
        read[one.list_number] = one
    return read


def _version(document: Mapping[str, Any]) -> RulebookVersion:
    return RulebookVersion(
        id=str(document["id"]),
        version=str(document["version"]),
        hash=str(document["hash"]),
        effect=str(document["effect"]),
        effective_from=_instant(document["effective_from"]),
        valid_to=_instant(document["valid_to"]),
    )


def _end(document: Mapping[str, Any]) -> EmergencyEnd:
    return EmergencyEnd(
        emergency=str(document["emergency"]),
        ended_at=_instant(document["ended_at"]),
        versions=frozenset(map(str, document["versions"])),
    )


def read_trust(source: Any) -> TrustSnapshot:
    """A snapshot from what a verifier has: a snapshot, or the file ``{"signed": …, "key": …}`` (path, text or object).

    Raises:
        NotFound: no such file.
        BadInput: without the key of the bundle's signer, or anything else.
        Tampered, LimitExceeded: as :func:`read_bundle`.
    """
    if isinstance(source, TrustSnapshot):
        return source
    document = read_object(source, "trust bundle")
    signed, key = document.get("signed"), document.get("key")
    if not isinstance(signed, str) or not isinstance(key, Mapping):
        raise BadInput(
            "A trust bundle needs the key of its signer beside it.",
            'Give {"signed": …, "key": …}, as written by: hutong trust export',
        )
    return read_bundle(signed, issuer_key={str(name): str(value) for name, value in key.items()})


def read_object(source: Any, what: str) -> Mapping[str, Any]:
    """A JSON object given as object, text, bytes or path. Raises BadInput, NotFound, LimitExceeded."""
    if isinstance(source, Mapping):
        return source
    path = as_path(source)
    if path is not None:
        try:
            with path.open("rb") as file:
                source = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise NotFound(f"The {what} {path.name} can't be read.", "Give the path of an existing file.") from error
    if not isinstance(source, str | bytes):
        raise BadInput(f"The {what} is neither object, text nor path.", "Give one of these.")
    if len(source) > MAX_FILE_BYTES:
        raise LimitExceeded(f"The {what} is larger than {MAX_FILE_BYTES // 2**20} MiB.", "Fetch it again.")
    try:
        document = orjson.loads(source)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The {what} is not JSON.", "Give it as it was published.") from error
    if not isinstance(document, dict):
        raise BadInput(f"The {what} is no JSON object.", "Give it as it was published.")
    return document


def _whole(document: Mapping[str, Any], name: str, *, least: int, most: int) -> int:
    value = document[name]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(name)
    return value


def _edition_time(document: Mapping[str, Any], name: str) -> datetime:
    moment = _instant(document[name])
    if moment.year not in YEARS:
        raise ValueError(name)
    return moment


def _instant(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time without zone")
    return moment
