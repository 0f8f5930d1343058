"""Issuing many passes at once, and issuing again what a compromised key had signed.

Everybody in a batch gets what a single call would give. Levels are read in one query, and all is one transaction with
one event of counts: an entry for each pass would tell the world in which order people got theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from hutong.errors import BadInput, HutongError, LimitExceeded, NotFound, Refused, Tampered
from hutong.node import Change, Node
from hutong.rights.person import owned, pseudonym_of
from hutong.storage import schema
from hutong.storage.records import in_parts
from hutong.trust.authorisation import Actor

from .. import powers
from ..appeal import queries as appeal_queries
from ..appeal.queries import LevelInForce
from ..credential.keys import KeyRing, encode_base64url
from ..credential.level_pass import Fact, LevelPass, PassSigner, commit_holder, digests_of
from ..level import queries as level_queries
from ..rulebook import queries as rulebook_queries
from ..rulebook.rulebook import Rulebook
from . import actions as pass_actions
from . import level_change_actions, own_lists, pass_facts, pass_times, told_passes
from .actions import DEFAULT_HOURS
from .free_indexes import free_indexes
from .level_change_actions import NewLevel
from .pass_times import MAX_HOURS

MAX_BATCH = 100_000
KEY_COMPROMISED = "key-compromised"
REISSUED = "Issued again, signed by another key."
NOT_TOLD = "Not issued again: the log tells of no such pass."


@dataclass(frozen=True, slots=True)
class BatchPass:
    """One pass of a batch, for the person that was named by ``person`` (as it was given). See IssuedPass.

    ``disclosures``: name of each fact that it carries to the text that shows it; the node does not keep them.
    """

    person: str
    pass_id: str
    text: str
    holder_secret: str = field(repr=False)
    level: str
    rulebook: str
    version: str
    issued_at: datetime
    expires_at: datetime
    disclosures: Mapping[str, str] = field(default_factory=dict, repr=False)

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "person": self.person,
            "pass_id": self.pass_id,
            "text": self.text,
            "holder_secret": self.holder_secret,
            "level": self.level,
            "rulebook": f"{self.rulebook}@{self.version}",
            "issued_at": self.issued_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "disclosures": dict(self.disclosures),
        }


@dataclass(frozen=True, slots=True)
class IssuedBatch:
    """What a batch came to.

    Attributes:
        refused: who got none, and why.
        repeated: how many names were left out because they name a person again.
        left: for how many another call is needed.
        converted: how many passes stay ended that were made from another region's: the node knows nobody of them.
    """

    passes: tuple[BatchPass, ...]
    refused: tuple[tuple[str, str], ...] = ()
    left: int = 0
    converted: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A pass to be signed: for whom, what it says, until when, and the facts that it carries.

    ``holds_since``: from when the version of the rulebook holds.
    """

    person: str
    pseudonym: str
    level: str
    rulebook: str
    version: str
    holds_since: datetime
    expires_at: datetime
    facts: tuple[Fact, ...] = ()


def issue_batch(
    node: Node, *, by: Actor, persons: Sequence[str], hours: int = DEFAULT_HOURS, facts: Sequence[str] = ()
) -> IssuedBatch:
    """Issue a pass for each of many residents; who can't get one is named with the reason, and the others get theirs.

    Args:
        persons: residents' numbers or pseudonyms, at most 100,000; who is named twice gets one.
        facts: names of further facts that each pass carries as salted digests, by default none. Who has one of them
            not known gets no pass, as from a single call.

    Raises:
        Refused: the policy, or no emergency in force.
        BadInput: hours out of range, nobody named, or a fact that there is of nobody. LimitExceeded: too many.
    """
    node.require(by, "issue_pass", owned(node, by, ""))
    if not 1 <= hours <= MAX_HOURS:
        raise BadInput(f"A pass is for 1 to {MAX_HOURS} hours.", "Give fewer hours; renewing is one call.")
    if not persons:
        raise BadInput("Nobody is named.", "Name at least one resident.")
    if len(persons) > MAX_BATCH:
        raise LimitExceeded(f"A batch is of at most {MAX_BATCH:,} persons.", "Give several batches.")
    powers.require_any_emergency(node)
    now = node.clock().replace(microsecond=0)
    by_name = {pseudonym_of(node, person): person for person in persons}
    run = level_queries.newest_run(node)
    levels, altered = appeal_queries.levels_in_force(node, list(by_name))
    if facts and levels:
        books = {found.rulebook.hash: found.rulebook for found in levels.values()}
        pass_facts.require_possible(facts, (one for book in books.values() for one in book.evidence))
    known = pass_facts.known_facts_of_many(node, levels) if facts else {}
    ends = _Ends(node, now, hours)
    wanted: list[Wanted] = []
    refused: list[tuple[str, str]] = []
    for pseudonym, person in by_name.items():
        try:
            found = _issuable(pseudonym, levels, altered, now)
            end = ends.of(found)
            carried = pass_facts.chosen_facts(node, known[pseudonym], facts) if facts else ()
        except HutongError as error:
            refused.append((person, error.what))
            continue
        book = found.rulebook
        wanted.append(Wanted(person, pseudonym, found.level, book.id, book.version, ends.since(book), end, carried))
    if not wanted:
        return IssuedBatch((), tuple(refused), repeated=len(persons) - len(by_name))
    with node.change(by) as change:
        issued, digest = _issue_all(node, change, wanted, now)
        change.event("passes.issued", **_told(issued, wanted), passes_sha256=digest, refused=len(refused))
        given = {want.pseudonym: levels[want.pseudonym] for want in wanted}
        level_change_actions.end_older_passes(node, change, given, run=run)
    return IssuedBatch(issued, tuple(refused), repeated=len(persons) - len(by_name))


def _issuable(
    pseudonym: str, levels: Mapping[str, LevelInForce], altered: Mapping[str, Tampered], now: datetime
) -> LevelInForce:
    """The level that a pass may be issued for. Raises NotFound, Refused, Tampered."""
    if pseudonym in altered:
        raise altered[pseudonym]
    if pseudonym not in levels:
        raise NotFound("Nobody of that number has a level.", "Check the number.")
    pass_actions.require_fresh(levels[pseudonym], now)
    return levels[pseudonym]


def reissue_passes(node: Node, *, by: Actor, key_id: str) -> IssuedBatch:
    """Issue again the passes that a compromised key had signed and that were valid, with no later an end.

    Each says its level, or the one in force where that is more severe. A pass is for a person by pseudonym: the
    authority hands it over, or the resident gets one on the page. Passes whose
    rulebook or emergency is over, and those issued again before, are left out. At most 100,000 at a time: ``left`` says
    how many wait for another call. A row that the log does not tell of, or of another level or person, is
    refused; so is, until the reason is over, one whose holder can't be issued a pass (:func:`~.actions.require_fresh`).

    Raises NotFound (no such compromised key), Refused (the policy), Tampered (the log is not whole).
    """
    node.require(by, "issue_pass", owned(node, by, ""))
    if key_id not in {one.key_id for one in node.keys.pass_keys if one.state == "compromised"}:
        raise NotFound("This node has no such compromised key.", "See: hutong keys list")
    now = node.clock().replace(microsecond=0)
    table, in_force, ends = schema.issued_pass, _versions_in_force(node), _Ends(node, now)
    due = sa.and_(
        table.c.key_id == key_id,
        table.c.revoked_by_rule == KEY_COMPROMISED,
        table.c.revoked_because.is_(None),
        table.c.expires_at > now,
        table.c.rulebook.in_(in_force),
    )
    converted, due = sa.and_(due, table.c.pseudonym == ""), sa.and_(due, table.c.pseudonym != "")
    with node.records.reading() as connection:
        first = connection.execute(sa.select(sa.func.min(table.c.issued_at)).where(due)).scalar()
        visitors = connection.execute(sa.select(sa.func.count()).select_from(table).where(converted)).scalar_one()
    told = told_passes.told_since(node, first) if first is not None else frozenset()
    node.lake.tables()  # who opens a lake for the first time writes, and would wait for the change
    with node.change(by) as change:
        waiting = change.execute(sa.select(sa.func.count()).select_from(table).where(due)).scalar_one()
        query = sa.select(table).where(due).order_by(table.c.id).limit(MAX_BATCH)
        rows = [dict(row) for row in change.execute(query).mappings()]
        kept = [row for row in rows if told_passes.mark(node, row) in told]
        strange = [row for row in rows if told_passes.mark(node, row) not in told]
        wanted, waits = _wanted_again(node, kept, in_force, ends, now)
        issued, digest = _issue_all(node, change, wanted, now)
        done = [row for row in kept if row["id"] not in waits]
        for found, because in ((done, REISSUED), (strange, NOT_TOLD)):
            for part in in_parts([row["id"] for row in found]):
                change.execute(table.update().where(table.c.id.in_(part)).values(revoked_because=because))
        if rows:
            counts = {"passes_sha256": digest, "refused": len(strange) + len(waits)}
            change.event("passes.reissued", key=key_id, **_told(issued, wanted), **counts)
    why = {row["id"]: _not_told(row["id"]).what for row in strange} | waits
    refused = tuple((row["pseudonym"], why[row["id"]]) for row in rows if row["id"] in why)
    return IssuedBatch(issued, refused, left=waiting - len(rows), converted=visitors)


def _not_told(pass_id: str) -> Tampered:
    return Tampered(f"The log tells of no such pass {pass_id}: it was written or altered by hand.", "Issue a new one.")


def _wanted_again(
    node: Node, rows: Sequence[Mapping[str, Any]], in_force: Mapping[str, Rulebook], ends: _Ends, now: datetime
) -> tuple[list[Wanted], dict[str, str]]:
    """What is issued in place of passes; and why not, by pass id, where the level in force can't be issued."""
    levels, altered = appeal_queries.levels_in_force(node, list(dict.fromkeys(row["pseudonym"] for row in rows)))
    wanted: list[Wanted] = []
    refused: dict[str, str] = {}
    for row in rows:
        pseudonym, book, level, end = row["pseudonym"], in_force[row["rulebook"]], row["level"], row["expires_at"]
        try:
            found = _issuable(pseudonym, levels, altered, now)
            if level_change_actions.is_better(node, row, NewLevel.of(found)):
                book, level, end = found.rulebook, found.level, min(end, found.own_end or end)
            ends_at = ends.again(end, book)
        except HutongError as error:
            refused[row["id"]] = error.what
            continue
        wanted.append(Wanted(pseudonym, pseudonym, level, book.id, book.version, ends.since(book), ends_at))
    return wanted, refused


def _versions_in_force(node: Node) -> dict[str, Rulebook]:
    found = {}
    for published in rulebook_queries.all_rulebooks(node):
        book = published.rulebook
        try:
            powers.require_rulebook(node, book)
        except Refused:
            continue
        found[f"{book.id}@{book.version}"] = book
    return found


def _told(issued: Sequence[BatchPass], wanted: Sequence[Wanted]) -> dict[str, Any]:
    """Counts, and a hash over the passes' random ids, by which an auditor finds that none was added or left out."""
    ids = "\n".join(sorted(one.pass_id for one in issued))
    return {
        "passes": len(issued),
        "rulebooks": sorted({f"{one.rulebook}@{one.version}" for one in wanted}),
        "ids_sha256": hashlib.sha256(ids.encode()).hexdigest(),
    }


class _Ends:
    """Until when a pass of a rulebook lives: hours, rulebook, emergency and key. Each rulebook is asked once."""

    def __init__(self, node: Node, now: datetime, hours: int = MAX_HOURS) -> None:
        (certificate,) = KeyRing.of([node.keys.pass_certificate]).keys
        self._key_end = certificate.not_after
        self._node, self._now, self._hours = node, now, hours
        self._known: dict[str, tuple[datetime | None, ...]] = {}
        published = rulebook_queries.all_rulebooks(node)
        self._since = {(one.rulebook.id, one.rulebook.version): one.effective_from for one in published}

    def since(self, rulebook: Rulebook) -> datetime:
        """From when a version holds."""
        return self._since[rulebook.id, rulebook.version]

    def of(self, found: LevelInForce) -> datetime:
        """The end of a pass for a level. Raises Refused where rulebook or emergency is not in force."""
        return pass_times.end_after(self._now, self._hours, self.limits(found.rulebook), own_end=found.own_end)

    def again(self, end: datetime, rulebook: Rulebook) -> datetime:
        """The end of a pass that is issued again. Raises Refused as :meth:`of`."""
        return pass_times.end_of_again(self._now, end, self.limits(rulebook))

    def limits(self, rulebook: Rulebook) -> tuple[datetime | None, ...]:
        """The ends of rulebook, emergency and key. Raises Refused where one is not in force."""
        if rulebook.hash not in self._known:
            emergency = powers.require_rulebook(self._node, rulebook)
            self._known[rulebook.hash] = (rulebook.period.end, powers.end_of(emergency), self._key_end)
        return self._known[rulebook.hash]


def _issue_all(
    node: Node, change: Change, wanted: Sequence[Wanted], now: datetime
) -> tuple[tuple[BatchPass, ...], str]:
    """Sign and keep them in the caller's transaction; them, and the hash for the log."""
    keys = node.keys  # once: another process may rotate them meanwhile
    key_id = keys.pass_key_id
    (certificate,) = KeyRing.of([keys.pass_certificate]).keys
    begins = [pass_times.begin(now, certificate.not_before, want.holds_since) for want in wanted]
    indexes = free_indexes(node, change, len(wanted))
    signed = sign_all(
        node.id, keys.passes, wanted, indexes, begins=begins, key_id=bytes.fromhex(key_id), random=node.random
    )
    issued = tuple(signed)
    rows: list[dict[str, Any]] = [
        {
            "id": one.pass_id,
            "pseudonym": want.pseudonym,
            "status_index": index,
            "level": one.level,
            "rulebook": f"{one.rulebook}@{one.version}",
            "key_id": key_id,
            "issued_at": now,
            "expires_at": one.expires_at,
        }
        for one, want, index in zip(issued, wanted, indexes, strict=True)
    ]
    if rows:
        change.execute(schema.issued_pass.insert(), rows)
        own_lists.keep_place(change, ((row["status_index"], row["expires_at"]) for row in rows))
    return issued, told_passes.keep_batch(node, change, rows) if rows else ""


def sign_all(
    issuer: str,
    key: EllipticCurvePrivateKey,
    wanted: Iterable[Wanted],
    indexes: Iterable[int],
    *,
    begins: Iterable[datetime],
    key_id: bytes,
    random: Callable[[int], bytes],
) -> Iterator[BatchPass]:
    """Sign and encode passes, one after another; no I/O. ``random`` gives so many random bytes."""
    signer = PassSigner(key, key_id)
    for want, index, begin in zip(wanted, indexes, begins, strict=True):
        drawn = random(24)
        pass_id, secret = drawn[:8], drawn[8:]
        claims = LevelPass(
            issuer=issuer,
            issued_at=begin,
            expires_at=want.expires_at,
            level=want.level,
            rulebook=want.rulebook,
            version=want.version,
            pass_id=pass_id,
            status_index=index,
            commitment=commit_holder(pass_id, secret),
            digests=digests_of(want.facts),
        )
        yield BatchPass(
            person=want.person,
            pass_id=pass_id.hex(),
            text=signer.issue(claims),
            holder_secret=encode_base64url(secret),
            level=want.level,
            rulebook=want.rulebook,
            version=want.version,
            issued_at=begin,
            expires_at=want.expires_at,
            disclosures={fact.name: fact.disclosure() for fact in want.facts},
        )
