"""Whether the log tells of what changes a level beside its rules. What it does not tell of was written by hand."""

from __future__ import annotations

from hutong.errors import NotFound, Tampered
from hutong.node import Node
from hutong.rights.person import mark_of

from ..rulebook import queries as rulebook_queries
from .appeal import Appeal
from .correction import LevelOverride

MADE, ENDED, FILED = "level.overridden", "level.override-ended", "appeal.filed"
STEPS = (
    *(FILED, "appeal.acknowledged", "appeal.evidence-taken", "appeal.evidence-added"),
    *("appeal.withdrawn", "appeal.decided", "appeal.notified"),
)


def require_told(node: Node, found: LevelOverride) -> None:
    """Refuse an override unless the actions could have made it, the log tells of it, and of no end.

    Raises Tampered. An override of an earlier release has no mark of whose it is in the log; it ends within 14 days.
    """
    entries = node.log.since((MADE, ENDED), found.made_at)
    events = [entry.event for entry in entries]
    told = found.event() | {"by": found.actor}
    mark = mark_of(node, found.pseudonym, found.id)
    made = [
        entry
        for entry, event in zip(entries, events, strict=True)
        if event["kind"] == MADE and told.items() <= event.items() and event.get("whose", mark) == mark
    ]
    over = any(
        found.id in event.get("ended", ()) or (event["kind"] == ENDED and event.get("override") == found.id)
        for event in events
    )
    if not made or over or not _allowed(node, found):
        raise Tampered(
            "An override of this level was written by hand: the log does not tell of it, or tells of its end.",
            f"End it with two persons, or restore the records (override {found.id}).",
        )
    node.log.require_covered(made[0])


def _allowed(node: Node, found: LevelOverride) -> bool:
    name, _, version = found.rulebook.partition("@")
    try:
        return found.is_allowed(rulebook_queries.rulebook(node, name, version))
    except NotFound:
        return False


def require_filed(node: Node, found: Appeal) -> None:
    """Refuse an appeal that the log does not tell of, or not in this state. Raises Tampered."""
    entries = [entry for entry in node.log.since(STEPS, found.filed_at) if entry.event.get("appeal") == found.id]
    mark = mark_of(node, found.pseudonym, found.id)
    events = [entry.event for entry in entries]
    filed = bool(events) and events[0]["kind"] == FILED and events[0].get("whose", mark) == mark
    if not filed or events[-1]["state"] != str(found.state):
        raise Tampered(
            "An appeal was written by hand: the log does not tell of it, or of another state.",
            f"Restore the records (appeal {found.id}).",
        )
    node.log.require_covered(entries[-1])
