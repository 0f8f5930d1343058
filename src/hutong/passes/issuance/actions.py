"""Issuing a pass and revoking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, Refused
from hutong.node import Change, Node
from hutong.rights.person import owned, pseudonym_of
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource

from .. import powers
from ..appeal import queries as appeal_queries
from ..appeal.queries import LevelInForce
from ..credential.keys import KeyRing, encode_base64url
from ..credential.level_pass import LIST_BITS, Fact, LevelPass, commit_holder, digests_of, issue
from ..documents import Reason, Texts
from ..level import queries as level_queries
from ..rulebook import queries as rulebook_queries
from ..rulebook.rulebook import UNKNOWN
from . import level_change_actions, own_lists, pass_facts, pass_times, told_passes
from . import queries as pass_queries
from .free_indexes import free_indexes
from .pass_times import MAX_HOURS

DEFAULT_HOURS = 24
MAX_STATUS_AGE = timedelta(days=7)
MAX_REASON = 500
REVOCATION_RULES = ("issued-in-error", "forged", "key-compromised", "level-changed", "appeal-granted", "holder-asked")
"""Rules by which a pass may be revoked, beside those of its rulebook."""


@dataclass(frozen=True, slots=True)
class IssuedPass:
    """A pass as its holder gets it, once.

    Attributes:
        pass_id: random, hexadecimal.
        text: ``HC1:…``; this is all that a verifier sees.
        holder_secret: base64url; who shows it is the holder. The node does not keep it.
        meaning: of the level, per language.
        reasons, evidence_dates: why this level; for the holder, not on the pass.
        disclosures: name of each fact that it carries to the text that shows it (base64url, see
            :func:`~.credential.level_pass.disclose`). Without one nobody learns the fact. The node does not keep them.
    """

    pass_id: str
    text: str
    holder_secret: str = field(repr=False)
    level: str
    severity: int
    meaning: Texts
    reasons: tuple[Reason, ...]
    evidence_dates: tuple[tuple[str, str], ...]
    rulebook: str
    version: str
    emergency: str
    issued_at: datetime
    expires_at: datetime
    status_index: int
    disclosures: Mapping[str, str] = field(default_factory=dict, repr=False)

    def qr_svg(self) -> str:
        """The QR code as one SVG element."""
        from ..credential import picture

        return picture.draw_svg(self.text)

    def qr_png(self) -> bytes:
        """The QR code as a PNG picture."""
        from ..credential import picture

        return picture.draw_png(self.text)


def issue_pass(
    node: Node, *, by: Actor, person: str, hours: int = DEFAULT_HOURS, facts: Sequence[str] = ()
) -> IssuedPass:
    """Issue a pass for one resident, with the level that was decided last. It ends with rulebook, emergency or key.

    Its times are whole days (UTC), so that they tell nobody's passes apart.

    Args:
        person: the resident's number, or the pseudonym.
        hours: 1 to 168; it ends at the end (midnight UTC) of the day in which these hours end: so long at least, and
            less than a day more. An override of the level that ends earlier ends it too.
        facts: names of further facts that it carries as salted digests (see :mod:`.pass_facts`), by default none: a
            pass without any is at most 160 bytes and QR version 11-Q, one with facts is larger.

    Raises:
        Refused: the policy; rulebook or emergency not in force; the level not known, or decided too long ago.
        NotFound: nobody of that number, or no levels decided yet.
        BadInput: hours out of range, or a fact that the node does not know of this person.
    """
    ready = ready_to_issue(node, by=by, person=person, hours=hours, facts=facts)
    with node.change(by) as change:
        return issue_in(node, change, ready)


@dataclass(frozen=True, slots=True)
class ReadyPass:
    """What a pass will say: whose it is, the level, from when its rulebook holds, until when it lives, its facts.

    ``run``: the newest run that had decided levels before this one was read.
    """

    pseudonym: str
    found: LevelInForce
    since: datetime
    now: datetime
    expires_at: datetime
    facts: tuple[Fact, ...]
    run: int


def ready_to_issue(node: Node, *, by: Actor, person: str, hours: int, facts: Sequence[str]) -> ReadyPass:
    """All that :func:`issue_pass` decides before it writes, with its errors."""
    pseudonym = pseudonym_of(node, person)
    node.require(by, "issue_pass", owned(node, by, pseudonym))
    if not 1 <= hours <= MAX_HOURS:
        raise BadInput(f"A pass is for 1 to {MAX_HOURS} hours.", "Give fewer hours; renewing is one call.")
    powers.require_any_emergency(node)
    run = level_queries.newest_run(node)
    found = appeal_queries.level_in_force(node, pseudonym)
    rulebook = found.rulebook
    emergency = powers.require_rulebook(node, rulebook)
    now = node.clock().replace(microsecond=0)
    require_fresh(found, now)
    carried = pass_facts.chosen_facts(node, pass_facts.known_facts(node, pseudonym, found), facts) if facts else ()
    (certificate,) = KeyRing.of([node.keys.pass_certificate]).keys
    limits = (rulebook.period.end, powers.end_of(emergency), certificate.not_after)
    end = pass_times.end_after(now, hours, limits, own_end=found.own_end)
    since = rulebook_queries.published_rulebook(node, rulebook.id, rulebook.version).effective_from
    return ReadyPass(pseudonym, found, since, now, end, carried, run)


def issue_in(node: Node, change: Change, ready: ReadyPass) -> IssuedPass:
    """Issue a pass in the caller's transaction: sign it, keep its record, tell the log; end what is better."""
    keys = node.keys  # once: another process may rotate them meanwhile
    (certificate,) = KeyRing.of([keys.pass_certificate]).keys
    rulebook, pass_id, secret = ready.found.rulebook, node.random(8), node.random(16)
    claims = LevelPass(
        issuer=node.id,
        issued_at=pass_times.begin(ready.now, certificate.not_before, ready.since),
        expires_at=ready.expires_at,
        level=ready.found.level,
        rulebook=rulebook.id,
        version=rulebook.version,
        pass_id=pass_id,
        status_index=free_indexes(node, change, 1)[0],
        commitment=commit_holder(pass_id, secret),
        digests=digests_of(ready.facts),
    )
    text = issue(claims, keys.passes, bytes.fromhex(keys.pass_key_id))
    row = {
        "id": pass_id.hex(),
        "pseudonym": ready.pseudonym,
        "status_index": claims.status_index,
        "level": claims.level,
        "rulebook": f"{rulebook.id}@{rulebook.version}",
        "key_id": keys.pass_key_id,
        "issued_at": ready.now,
        "expires_at": claims.expires_at,
    }
    change.execute(schema.issued_pass.insert().values(**row))
    own_lists.keep_place(change, [(claims.status_index, claims.expires_at)])
    change.event("pass.issued", mark=told_passes.mark(node, row), rulebook=rulebook.id, version=rulebook.version)
    level_change_actions.end_older_passes(node, change, {ready.pseudonym: ready.found}, run=ready.run)
    return _issued(claims, text, encode_base64url(secret), ready.found, ready.facts)


def _issued(claims: LevelPass, text: str, secret: str, found: LevelInForce, carried: tuple[Fact, ...]) -> IssuedPass:
    return IssuedPass(
        pass_id=claims.pass_id.hex(),
        text=text,
        holder_secret=secret,
        level=claims.level,
        severity=found.severity,
        meaning=found.meaning,
        reasons=found.reasons,
        evidence_dates=found.status.explain(found.rulebook).evidence_dates,
        rulebook=found.rulebook.id,
        version=found.rulebook.version,
        emergency=found.rulebook.emergency,
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
        status_index=claims.status_index,
        disclosures={fact.name: fact.disclosure() for fact in carried},
    )


def require_fresh(found: LevelInForce, now: datetime) -> None:
    """Refuse a level that is not known, was decided too long ago, or by a version that is not in force any more."""
    status, rulebook = found.status, found.rulebook
    if status.version != rulebook.version:
        raise Refused(
            f"The level was decided by version {status.version}, and {rulebook.version} is in force.",
            "Decide the levels again.",
        )
    if now - status.decided_at > MAX_STATUS_AGE:
        raise Refused("The level was decided more than seven days ago.", "Decide the levels again.")
    if found.level == UNKNOWN:
        reasons = tuple(reason.texts["en"] for reason in found.reasons)
        raise Refused(f"The level is not known. {' '.join(reasons)}", "Let the missing facts be added.", reasons)


def revoke_pass(node: Node, *, by: Actor, second: Actor, pass_id: str, rule_id: str, reason: str) -> None:
    """Revoke one pass, by a rule and with a second person; its siblings stay valid. The status list says so at once.

    Args:
        rule_id: of REVOCATION_RULES, or a rule of the pass's rulebook.
        reason: for the holder, up to 500 characters; it is kept, but not in the log.

    Raises:
        Refused: the policy, or one person for two.
        NotFound: this node issued no such pass.
        BadInput: no such rule, or no reason.
        Conflict: it was revoked before.
    """
    powers.require_two(node, by, second, "revoke_pass", Resource("Pass", pass_id[:40]))
    record = pass_queries.pass_record(node, pass_id)
    rulebook_id, _, version = record.rulebook.partition("@")
    rules = {rule.id for rule in rulebook_queries.rulebook(node, rulebook_id, version).rules}
    if rule_id not in rules and rule_id not in REVOCATION_RULES:
        raise BadInput("No such rule lets a pass be revoked.", f"Use one of: {', '.join(REVOCATION_RULES)}.")
    if not 1 <= len(reason.strip()) <= MAX_REASON:
        raise BadInput(f"A reason of 1 to {MAX_REASON} characters is needed.", "Say why; the holder will read it.")
    with node.change(by) as change:
        revoke_in(node, change, second=second, pass_id=pass_id, rule_id=rule_id, reason=reason.strip())


def revoke_in(node: Node, change: Change, *, second: Actor, pass_id: str, rule_id: str, reason: str) -> None:
    """Revoke one pass in the caller's transaction; the status list says so at once.

    Raises Conflict when it was revoked before.
    """
    table = schema.issued_pass
    revoked = change.execute(
        table.update()
        .where(table.c.id == pass_id, table.c.revoked_at.is_(None))
        .values(revoked_at=change.at, revoked_by_rule=rule_id, revoked_because=reason)
    )
    if not revoked.rowcount:
        raise Conflict("The pass was revoked before.", "Nothing more needs to be done.")
    row = change.execute(sa.select(table).where(table.c.id == pass_id)).mappings().one()
    own_lists.note_change(change, [row["status_index"] >> LIST_BITS])
    # Whoever was shown the pass could else read in the public log by which rule it ended.
    change.event("pass.revoked", mark=told_passes.mark(node, row), rule=rule_id, second=second.id)
