"""Renewing a pass: a new one in place of one that has expired or soon will."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from hutong.errors import Conflict
from hutong.node import Node
from hutong.rights.person import owned
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource

from .. import powers
from . import actions as pass_actions
from . import queries as pass_queries
from .actions import DEFAULT_HOURS, IssuedPass

RENEWED = "holder-asked"
"""The rule by which the old pass is revoked."""


def renew_pass(
    node: Node,
    *,
    by: Actor,
    pass_id: str,
    hours: int = DEFAULT_HOURS,
    second: Actor | None = None,
    facts: Sequence[str] = (),
) -> IssuedPass:
    """A new pass in place of one that has expired or soon will, for the same person, with the level of today.

    Args:
        second: who agrees to revoking the old one; None lets it live until it expires, if it says no less severe level.
        facts: as :func:`~.pass_actions.issue_pass` takes them. The node does not keep which ones the old pass carried.

    Raises:
        NotFound: this node issued no such pass, or whose it was is destroyed.
        Conflict: it was revoked.
        Refused, BadInput: as :func:`~.pass_actions.issue_pass`.
    """
    pseudonym = require_renewable(node, by=by, pass_id=pass_id)
    if second is not None:
        powers.require_two(node, by, second, "revoke_pass", Resource("Pass", pass_id[:40]))
    ready = pass_actions.ready_to_issue(node, by=by, person=pseudonym, hours=hours, facts=facts)
    with node.change(by) as change:
        if second is not None:
            because = "It was renewed."
            pass_actions.revoke_in(node, change, second=second, pass_id=pass_id, rule_id=RENEWED, reason=because)
        return pass_actions.issue_in(node, change, ready)


def require_renewable(node: Node, *, by: Actor, pass_id: str) -> str:
    """Whose a pass is, for who may renew it. Raises as :func:`renew_pass`."""
    powers.require_any_emergency(node)
    record = pass_queries.pass_record(node, pass_id)
    with node.records.reading() as connection:
        query = sa.select(schema.issued_pass.c.pseudonym).where(schema.issued_pass.c.id == pass_id)
        pseudonym = str(connection.execute(query).scalar_one())
    node.require(by, "issue_pass", owned(node, by, pseudonym))
    if record.revoked_at is not None:
        raise Conflict("The pass was revoked.", "Ask for a new one; it is issued if the rules allow it.")
    return pseudonym
