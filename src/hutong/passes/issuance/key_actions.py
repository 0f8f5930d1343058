"""The node's pass key: replacing it in time, and ending one that somebody else may have.

The signing key is not replaced here: it is the name of the node's log and of every document, pinned in the trust list
and by witnesses, so that a new one is a new identity.
"""

from __future__ import annotations

import sqlalchemy as sa

from hutong.errors import Refused
from hutong.node import Node
from hutong.storage import inbox, schema
from hutong.trust.authorisation import Actor, Resource

from .. import powers
from ..sunset.queries import declared
from . import own_lists
from .batch_actions import KEY_COMPROMISED

LOCK = "keys.lock"


def rotate_pass_key(node: Node, *, by: Actor) -> str:
    """Make a new pass key for a year and sign with it from now on; returns its id.

    The old certificate stays listed: passes that it signed verify until they end. Its private key is destroyed. Others
    learn of the new key from this node's trust bundle; announce it to whoever keeps the trust list, too.

    Raises Refused: the policy, or all emergencies are over, so that no pass may be signed.
    """
    node.require(by, "rotate_keys", Resource("Key", "passes"))
    emergencies = declared(node)
    if emergencies and all(one.is_over(node.clock()) for one in emergencies):
        raise Refused("Every emergency is over: no pass may be signed.", "Declare an emergency before a new key.")
    with inbox.one_at_a_time(node.settings.folder / LOCK):
        old = node.keys.pass_key_id
        prepared = node.key_folder.prepare_rotation(now=node.clock())
        with node.change(by) as change:
            change.event("pass-key.rotated", old=old, new=prepared.key_id)
        prepared.install()
    return prepared.key_id


def end_pass_key(node: Node, *, by: Actor, second: Actor, key_id: str) -> int:
    """End a pass key at once, because somebody else may have it: every pass that it signed is refused from now on.

    Two persons stand behind it. Passes of the key that were valid are revoked too, so that verifiers who only read
    status lists refuse them; ``reissue_passes`` issues them again. When the key is in use, a new one takes over.

    Returns:
        How many valid passes it stopped.

    Raises:
        Refused: the policy, or one person for two.
        NotFound: no such key, or it has ended already.
    """
    powers.require_two(node, by, second, "end_key", Resource("Key", key_id[:40]))
    table = schema.issued_pass
    with inbox.one_at_a_time(node.settings.folder / LOCK):
        prepared = node.key_folder.prepare_end(key_id, now=node.clock())
        with node.change(by) as change:
            valid = sa.and_(table.c.key_id == key_id, table.c.revoked_at.is_(None), table.c.expires_at > change.at)
            stopped = change.execute(
                table.update().where(valid).values(revoked_at=change.at, revoked_by_rule=KEY_COMPROMISED)
            ).rowcount
            own_lists.note_change(change)
            change.event(
                "pass-key.compromised",
                key=key_id,
                rule=KEY_COMPROMISED,
                second=second.id,
                in_use=prepared.key_id,
                passes_stopped=stopped,
            )
        prepared.install()
    return int(stopped)
