"""Changing a level outside the rules, and letting an application ask for it: acts that name a rule or an end."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, NotFound, Refused
from hutong.governance import queries as governance
from hutong.node import Change, Node
from hutong.rights.person import mark_of, owned, pseudonym_of
from hutong.storage import schema
from hutong.trust.authorisation import Actor

from .. import powers
from ..issuance import level_change_actions
from ..issuance.level_change_actions import NewLevel
from . import correction, told_queries
from . import queries as appeal_queries
from .appeal import Appeal, checked_text, read_appeal
from .correction import LevelChange, LevelOverride
from .queries import AccessGrant, LevelInForce

LONGEST_GRANT = timedelta(days=30)
MOST_GRANTS = 100
APPLICATION_ROLES = frozenset({"verifier", "partner"})


def override_level(
    node: Node, *, by: Actor, second: Actor, person: str, change_to: LevelChange, appeal_id: str | None = None
) -> LevelOverride:
    """Give a person another level than the rules do: by a rule id, with a second person, a reason and an end.

    The level that the rules give stays as it is; the override stands beside it, in its own table and in the log.

    Args:
        person: the resident's number, or the pseudonym.
        appeal_id: the appeal that led to it, if one did. The ground ``appeal-upheld`` rests on this one or, where none
            is named, on the person's newest that was upheld and led to no override.

    Raises:
        Refused: the policy, one person for two, no authority, one's own level, no emergency or rulebook in force, a
            level raised by anything but the rule that gives it, or no upheld appeal.
        NotFound: nobody of that number has a level; no such appeal of that person.
        BadInput: no such level or rule, no reason, an end too late.
        Conflict: the rules give this level already; the appeal was withdrawn, dismissed, or led to another override.
        Tampered: by the log the appeal was not upheld.
    """
    pseudonym = pseudonym_of(node, person)
    powers.require_two(node, by, second, "override_level", owned(node, by, pseudonym))
    require_others_matter(node, pseudonym, by, second)
    found = appeal_queries.level_in_force(node, pseudonym)
    led_to_it = _appeal_behind(node, pseudonym, change_to.rule_id, appeal_id)
    with node.change(by) as change:
        appeal = None if led_to_it is None else locked_appeal(change, led_to_it.id)
        return make_override(node, change, second=second, found=found, wanted=change_to, appeal=appeal)


def _appeal_behind(node: Node, pseudonym: str, rule_id: str, appeal_id: str | None) -> Appeal | None:
    """The appeal that is named or, for the ground that needs one, the newest upheld one; an unused one goes before."""
    if appeal_id is not None:
        found: Appeal | None = appeal_queries.appeal(node, appeal_id)
        if found and found.pseudonym != pseudonym:
            raise NotFound("This person has no such appeal.", "Check its number.")
    elif rule_id == correction.APPEAL_UPHELD:
        used = {one.appeal for one in appeal_queries.overrides_of(node, pseudonym)}
        upheld = [one for one in appeal_queries.appeals_of(node, pseudonym) if one.was_upheld]
        found = min(upheld, key=lambda one: one.id in used, default=None)
    else:
        found = None
    if found is not None and found.was_upheld:
        told_queries.require_upheld(node, found)
    return found


def locked_appeal(change: Change, appeal_id: str) -> Appeal:
    """One appeal, which nobody else can decide about until the transaction ends."""
    table = schema.appeal
    query = sa.select(table.c.body).where(table.c.id == appeal_id).with_for_update()
    return read_appeal(change.execute(query).scalar_one())


def make_override(
    node: Node, change: Change, *, second: Actor, found: LevelInForce, wanted: LevelChange, appeal: Appeal | None
) -> LevelOverride:
    """Make and save an override in the caller's transaction, with its event. Who may do so is the caller's to ask."""
    if "authority" not in second.roles:
        raise Refused(
            "The second person must be an authority.", "Have another authority confirm it.", policies=("two-persons",)
        )
    emergency = powers.require_rulebook(node, found.rulebook)
    table = schema.level_override
    naming = sa.select(table.c.id).where(table.c.appeal == (appeal.id if appeal else ""))
    made = correction.override(
        found.rulebook,
        wanted,
        override_id=node.new_id(),
        pseudonym=found.status.pseudonym,
        against=found.status.level,
        by=change.by.id,
        second=second.id,
        at=change.at,
        latest=min(found.rulebook.period.end, powers.end_of(emergency)),
        appeal=appeal,
        is_used=change.execute(naming).first() is not None,
    )
    still = (table.c.pseudonym == made.pseudonym, table.c.ended_at.is_(None), table.c.ends_at > change.at)
    ended = [
        told_queries.end_mark(node, name) for name in change.execute(sa.select(table.c.id).where(*still)).scalars()
    ]
    change.execute(table.update().where(*still).values(ended_at=change.at))
    change.execute(table.insert().values(**asdict(made)))
    change.event("level.overridden", **made.event(), whose=mark_of(node, made.pseudonym, made.id), ended=ended)
    waiting = appeal_queries.appeals_of(node, made.pseudonym, only_open=True)
    others = [
        one for one in waiting if appeal is None or one.id != appeal.id
    ]  # the one that is decided here still waits
    late = appeal_queries.late_appeal(others, made.level, found.rulebook, change.at)
    now = NewLevel(made.level, found.rulebook, (made.rule_id,), reviewed=late is not None)
    level_change_actions.end_in(node, change, {made.pseudonym: now})
    return made


def end_override(node: Node, *, by: Actor, second: Actor, override_id: str) -> LevelOverride:
    """End an override early: the rules' level holds again, and no pass says a better one.

    Raises NotFound, Refused, Conflict (it has ended).
    """
    found = appeal_queries.override(node, override_id)
    powers.require_two(node, by, second, "override_level", owned(node, by, found.pseudonym))
    require_others_matter(node, found.pseudonym, by, second)
    table = schema.level_override
    held = appeal_queries.levels_in_force(node, [found.pseudonym])[0].get(found.pseudonym)
    waiting = appeal_queries.appeals_of(node, found.pseudonym, only_open=True)
    with node.change(by) as change:
        ended = correction.end(found, at=change.at)
        rows = change.execute(
            table.update().where(table.c.id == found.id, table.c.ended_at.is_(None)).values(ended_at=change.at)
        )
        if not rows.rowcount:
            raise Conflict("The override has ended.", "Nothing more needs to be done.")
        change.event("level.override-ended", override=found.id, rule=found.rule_id, second=second.id)
        if held is not None:
            rules = replace(held, override=None, appeal=None)
            late = appeal_queries.late_appeal(waiting, rules.beneath, rules.rulebook, change.at)
            now = NewLevel.of(replace(rules, appeal=late.id if late else None))
            level_change_actions.end_in(node, change, {found.pseudonym: now})
    return ended


def require_others_matter(node: Node, pseudonym: str, *persons: Actor) -> None:
    """``Refused`` when one of them would decide in their own matter."""
    if any(pseudonym_of(node, one.id) == pseudonym for one in persons):
        raise Refused(
            "Nobody decides about their own level.", "Have other authorities do it.", policies=("own-matter",)
        )


def grant_access(
    node: Node, *, by: Actor, person: str, application: str, purpose: str, ends_at: datetime
) -> AccessGrant:
    """Let an application ask for a person's level, for a purpose and until an end within 30 days and the emergency.

    Args:
        application: name of the application's account on this node (a verifier or a partner).

    Raises:
        Refused: the policy, or no emergency in force.
        NotFound: no such application.
        BadInput: no purpose, or an end that is over or too late.
        Conflict: too many grants.
    """
    pseudonym = pseudonym_of(node, person)
    node.require(by, "grant_access", owned(node, by, pseudonym))
    emergency = governance.emergency_in_force(node, node.clock().date())
    if emergency is None:
        raise Refused("No emergency is in force.", "There is no level to ask for.")
    account = governance.account_actor(node, application)
    if not account.roles & APPLICATION_ROLES:
        raise NotFound("There is no application of that name.", "Ask it for the name of its account here.")
    latest = min(node.clock() + LONGEST_GRANT, powers.end_of(emergency))
    if not node.clock() < ends_at <= latest:
        raise BadInput(f"A grant ends after now and at the latest on {latest:%Y-%m-%d}.", "Give an earlier end.")
    purpose = checked_text(purpose, "A purpose")
    if len(_standing(node, pseudonym)) >= MOST_GRANTS:
        raise Conflict(f"There are {MOST_GRANTS} grants already.", "End one first.")
    with node.change(by) as change:
        grant = AccessGrant(node.new_id(), pseudonym, account.id, purpose, change.at, ends_at, 0, None)
        change.execute(schema.access_grant.insert().values(**asdict(grant)))
        change.event("access.granted", grant=grant.id, application=account.id, ends_at=ends_at.isoformat())
    return grant


def end_access(node: Node, *, by: Actor, person: str, grant_id: str) -> None:
    """End a grant now. Raises Refused, NotFound (no such grant of this person, or it is over)."""
    pseudonym = pseudonym_of(node, person)
    node.require(by, "grant_access", owned(node, by, pseudonym))
    table = schema.access_grant
    with node.change(by) as change:
        mine = (table.c.id == grant_id, table.c.pseudonym == pseudonym, table.c.ends_at > change.at)
        if not change.execute(table.update().where(*mine).values(ends_at=change.at)).rowcount:
            raise NotFound("There is no such grant in force.", "See the list of those who may ask.")
        change.event("access.ended", grant=grant_id)


def read_level(node: Node, *, by: Actor, person: str) -> LevelInForce:
    """The level in force of a person, for the resident, the authority, or an application under a grant.

    Each use of a grant is counted, and the resident sees it. Raises Refused, NotFound.
    """
    pseudonym = pseudonym_of(node, person)
    grant = next((one for one in _standing(node, pseudonym) if one.application == by.id), None)
    node.require(by, "read_health", owned(node, by, pseudonym, grantee=by.id if grant else ""))
    found = appeal_queries.level_in_force(node, pseudonym)
    if grant is not None:
        table = schema.access_grant
        with node.change(by, unlogged="the resident sees each use; an entry would tell everybody when") as change:
            values = {"uses": table.c.uses + 1, "used_at": change.at}
            change.execute(sa.update(table).where(table.c.id == grant.id).values(values))
    return found


def _standing(node: Node, pseudonym: str) -> list[AccessGrant]:
    return [one for one in appeal_queries.grants_of(node, pseudonym) if one.ends_at > node.clock()]
