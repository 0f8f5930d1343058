"""What doors read about levels, passes, recognition and the trust bundle; rulebooks are in ``rulebook_queries``."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hutong.errors import BadInput, NotFound
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.signing import read_unverified, sign_document
from hutong.trust.trust_list import Party

from . import documents, rulebook_queries
from .credential import status_list as status_lists
from .credential.level_pass import LIST_BITS
from .credential.status_list import StatusList
from .crosswalk import Crosswalk, parse_crosswalk
from .level_update import HISTORY, newest_rows
from .recognition import AcceptanceRules, parse_acceptance
from .rulebook_queries import PublishedRulebook
from .status import TABLE, PersonStatus, read_status
from .trust_bundle import CROSSWALK_KIND, MAX_ITEMS, RULEBOOK_KIND, TrustSnapshot, read_bundle, sign_bundle

LIST_POSITIONS = 1 << 20
STATUS_HOURS = 24
BUNDLE_HOURS = 24
NEXT_BUNDLE_MINUTES = 60
CROSSWALK, SCENES = "crosswalk", "scenes"


def person_status(node: Node, pseudonym: str) -> PersonStatus:
    """The newest level of one person. ``NotFound`` before levels were decided, or for nobody known."""
    parts = status_tables(node)
    if not parts:
        raise NotFound("No levels were decided yet.", "Decide them with: hutong levels decide")
    own = newest_rows([part.filter(part.pseudonym == pseudonym) for part in parts])
    rows = node.engine.to_arrow(own).to_pylist()
    if not rows:
        raise NotFound("Nobody of that number has a level.", "Check the number, or decide the levels again.")
    return read_status(rows[0])


def person_statuses(node: Node, pseudonyms: Sequence[str]) -> list[PersonStatus]:
    """The newest levels of many persons in one query, in no order; who has none is left out."""
    import pyarrow as pa

    parts = status_tables(node)
    if not parts or not pseudonyms:
        return []
    asked = node.engine.bind(pa.table({"pseudonym": pa.array(pseudonyms, pa.string())}))
    return [read_status(row) for row in node.engine.to_arrow(newest_rows(parts, asked)).to_pylist()]


def status_tables(node: Node) -> list[Any]:
    """The tables whose newest row of a person is that person's state; none before levels were decided."""
    if not node.lake.exists(TABLE):
        return []
    return [node.engine.table(name) for name in (TABLE, HISTORY) if node.lake.exists(name)]


@dataclass(frozen=True, slots=True)
class PassRecord:
    """What the node keeps of a pass that it issued; it holds no name."""

    pass_id: str
    level: str
    rulebook: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by_rule: str | None
    revoked_because: str | None


def pass_record(node: Node, pass_id: str) -> PassRecord:
    """A pass that this node issued. ``NotFound`` for any other."""
    table = schema.issued_pass
    with node.records.reading() as connection:
        row = connection.execute(sa.select(table).where(table.c.id == pass_id)).one_or_none()
    if row is None:
        raise NotFound("This node issued no such pass.", "Check the pass id.")
    return PassRecord(
        pass_id=row.id,
        level=row.level,
        rulebook=row.rulebook,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revoked_by_rule=row.revoked_by_rule,
        revoked_because=row.revoked_because,
    )


def status_list(node: Node, list_number: int = 0) -> bytes:
    """The signed status list of that number (COSE). ``NotFound`` past the newest list.

    Its serial number is the size of the log, which rises with every revocation.
    """
    issued = schema.issued_pass.c
    first = list_number << LIST_BITS
    revoked = sa.select(issued.status_index).where(
        issued.revoked_at.is_not(None),
        issued.status_index >= first,
        issued.status_index < first + LIST_POSITIONS,
    )
    with node.records.reading() as connection:
        if list_number not in range(_lists(connection)):
            raise NotFound("This node has no such status list.", "Ask for the list that the pass names.")
        positions = [index - first for index in connection.execute(revoked).scalars()]
    now = node.clock().replace(microsecond=0)
    content = StatusList(
        issuer=node.id,
        list_number=list_number,
        number=node.log.size(),
        issued_at=now,
        expires_at=now + timedelta(hours=STATUS_HOURS),
        size=LIST_POSITIONS,
        bits=status_lists.pack_bits(positions, LIST_POSITIONS),
    )
    return status_lists.sign(content, node.keys.passes, pass_key_id(node))


def _lists(connection: sa.Connection) -> int:
    highest = connection.execute(sa.select(sa.func.max(schema.issued_pass.c.status_index))).scalar()
    return ((highest or 0) >> LIST_BITS) + 1


def pass_key_id(node: Node) -> bytes:
    """The 8 bytes by which passes name this node's key."""
    return bytes.fromhex(node.keys.pass_key_id)


def crosswalks(node: Node) -> list[Crosswalk]:
    """The newest version of each crosswalk of this node's levels."""
    return [parse_crosswalk(body) for body in _newest(node, CROSSWALK)]


def acceptance(node: Node) -> AcceptanceRules | None:
    """The acceptance rules that this node published last; None before there are any."""
    found = _newest(node, SCENES)
    return parse_acceptance(found[-1]) if found else None


def _newest(node: Node, kind: str) -> list[Mapping[str, Any]]:
    """The newest version of each document of a kind, the one published last at the end."""
    newest: dict[str, Mapping[str, Any]] = {}
    for body in _documents(node, kind):
        newest.pop(body["id"], None)
        newest[body["id"]] = body
    return list(newest.values())


def _documents(node: Node, kind: str) -> list[Mapping[str, Any]]:
    """All that was published of a kind, the oldest first."""
    table = schema.recognition_document
    query = sa.select(table.c.body).where(table.c.kind == kind).order_by(table.c.published_at)
    with node.records.reading() as connection:
        return list(connection.execute(query).scalars())


def pass_bundle(node: Node) -> str:
    """The signed trust bundle of this node, as of now."""
    return sign_bundle(pass_payload(node), key=node.keys.signing, kid=node.keys.public["signing"]["kid"])


def pass_payload(node: Node) -> dict[str, Any]:
    """What the trust bundle says, as of now: parties, crosswalks, status lists, and this node's own rules.

    What a party published itself comes from the bundle of that party that this node adopted last. A crosswalk of this
    node whose rulebook has lost its emergency is left out: its levels mean nothing any more.
    """
    # The number first: what is published meanwhile is then in this edition and in the delta to the next one.
    now, number = node.clock(), node.log.size()
    parties = {party.id: _party_entry(party) for party in governance.current_parties(node)}
    parties[node.id] = _with_keys_of(parties.get(node.id), _own_entry(node))
    walks: dict[str, list[str]] = {node.id: [_signed(node, CROSSWALK_KIND, one) for one in _crosswalks_in_force(node)]}
    books: dict[str, list[str]] = {node.id: [_signed(node, RULEBOOK_KIND, one) for one in _rulebooks_in_force(node)]}
    lists: dict[str, list[str]] = {node.id: _own_lists(node)}
    for party, signed in adopted_bundles(node).items():
        if party in parties and party != node.id:
            _, theirs = read_unverified(signed)  # its signature was checked when it was adopted
            own = next((entry for entry in theirs["parties"] if entry["id"] == party), None)
            parties[party] = _with_keys_of(parties[party], own)
            walks[party] = theirs["crosswalks"].get(party, [])
            books[party] = theirs.get("rulebooks", {}).get(party, [])
            lists[party] = theirs["status_lists"].get(party, [])
    rules = _newest(node, SCENES)
    return {
        "issuer": node.id,
        "number": number,
        "issued_at": now.isoformat(),
        "next_update": (now + timedelta(minutes=NEXT_BUNDLE_MINUTES)).isoformat(),
        "max_age_hours": BUNDLE_HOURS,
        "parties": [parties[name] for name in sorted(parties)],
        "crosswalks": walks,
        "rulebooks": books,
        "status_lists": lists,
        "acceptance": rules[-1] if rules else None,
    }


def bundle_file(node: Node) -> dict[str, Any]:
    """What ``verify_pass`` takes as ``trust``: the bundle with the key of its signer, for a verifier to keep."""
    return {"signed": pass_bundle(node), "key": dict(node.keys.public["signing"])}


def trust_snapshot(node: Node) -> TrustSnapshot:
    """This node's own bundle, ready to verify with."""
    return read_bundle(pass_bundle(node), issuer_key=node.keys.public["signing"])


def adopted_bundles(node: Node) -> dict[str, str]:
    """Party to the signed bundle of it that was adopted last."""
    table = schema.party_bundle
    with node.records.reading() as connection:
        return {row.party: row.signed for row in connection.execute(sa.select(table.c.party, table.c.signed))}


def _own_lists(node: Node) -> list[str]:
    with node.records.reading() as connection:
        count = _lists(connection)
    return [base64.b64encode(status_list(node, number)).decode() for number in range(count)]


def _crosswalks_in_force(node: Node) -> list[Mapping[str, Any]]:
    today = node.clock().date()
    in_force = {one.id for one in governance.emergencies(node) if one.is_in_force(today)}
    books = [one.rulebook for one in rulebook_queries.all_rulebooks(node) if one.rulebook.emergency in in_force]
    majors = {(book.id, documents.semver(book.version)[0]) for book in books}
    # One of an earlier major version stays: its passes are shown until they end, and its levels while notice is given.
    newest = {(body["rulebook"], body["major"]): body for body in _documents(node, CROSSWALK)}
    return [body for key, body in newest.items() if key in majors]


def _rulebooks_in_force(node: Node) -> list[dict[str, Any]]:
    """Of each rulebook under an emergency in force the version that holds, and those to come with their date."""
    now = node.clock()
    in_force = {one.id for one in governance.emergencies(node) if one.is_in_force(now.date())}
    by_id: dict[str, list[PublishedRulebook]] = {}
    for one in rulebook_queries.all_rulebooks(node):
        if one.rulebook.emergency in in_force:
            by_id.setdefault(one.rulebook.id, []).append(one)
    told = [
        one
        for versions in by_id.values()
        for one in (rulebook_queries.holding(versions, now), *rulebook_queries.coming(versions, now))
    ]
    return [rulebook_queries.announcement(one) for one in told[:MAX_ITEMS]]


def _signed(node: Node, kind: str, document: Mapping[str, Any]) -> str:
    return sign_document(node.keys.signing, kid=node.keys.public["signing"]["kid"], kind=kind, payload=document)


def _party_entry(party: Party) -> dict[str, Any]:
    return {
        "id": party.id,
        "name": dict(party.name),
        "territory": party.territory,
        "signing": dict(party.signing),
        "passes": list(party.passes),
        "valid_until": party.valid_until.isoformat(),
    }


def _with_keys_of(listed: dict[str, Any] | None, own: Mapping[str, Any] | None) -> dict[str, Any]:
    """A party's entry with the pass keys that it names itself, under the signing key that the trust list pins.

    So a new key works, and a compromised one ends, as soon as the party's own bundle says so, and not only with the
    next edition of the trust list. Keys that the list alone names stay.
    """
    if listed is None or own is None:
        return dict(listed or own or {})
    compromised = list(own.get("compromised", []))
    keys = dict.fromkeys([*own["passes"], *listed["passes"]])
    return {**listed, "passes": [one for one in keys if one not in compromised], "compromised": compromised}


def _own_entry(node: Node) -> dict[str, Any]:
    """This node as a party, before it is in a trust list: it trusts itself."""
    return {
        "id": node.id,
        "name": dict(node.settings.name),
        "territory": node.settings.territory,
        "signing": dict(node.keys.public["signing"]),
        "passes": list(node.keys.public["passes"]),
        "compromised": list(node.keys.public.get("compromised", [])),
        "valid_until": node.keys.public["signing_until"],
    }


def party_of(node: Node, party_id: str) -> Party:
    """A listed party other than this node. ``NotFound`` when it is not listed, ``BadInput`` for the node itself."""
    if party_id == node.id:
        raise BadInput("This is this node itself.", "Name another party of the trust list.")
    return governance.trust_list(node).party(party_id, at=node.clock())
