"""The trust bundle as verifiers poll it: whole, or what changed since the edition that they have."""

from __future__ import annotations

from typing import Any

from hutong.node import Node

from . import trust_delta
from .queries import pass_payload

SLOT_MINUTES = 5
_PARTIES = ("trust-list.published", "trust-list.adopted", "pass-key.rotated", "pass-key.compromised")
_OTHERS = "party-bundle.adopted"
_PAGE = 50


def bundle_delta(node: Node, since: int) -> str:
    """The signed delta from edition ``since`` to now; with all parts when that edition is not known.

    An edition's number is the size of the log, so that the log tells what happened since. Status lists of this node are
    signed afresh for every edition and always there.
    """
    payload = pass_payload(node)
    delta = trust_delta.make_delta(payload, since=since, held=_held(node, payload, since))
    return trust_delta.sign_delta(delta, key=node.keys.signing, kid=node.keys.public["signing"]["kid"])


def bundle_tag(node: Node) -> str:
    """Names what a verifier gets now: another one after every log entry, and every five minutes, as a bundle ages."""
    slot = int(node.clock().timestamp()) // (SLOT_MINUTES * 60)
    return f'"{node.log.size()}-{slot}"'


def _held(node: Node, payload: trust_delta.Payload, since: int) -> set[str]:
    """Parts that have not changed since an edition."""
    if not 0 < since <= payload["number"]:
        return set()
    parts: list[Any] = []
    if not any(_happened(node, kind, since) for kind in _PARTIES):
        parts += payload["parties"]
    if not _happened(node, "crosswalk.published", since):
        parts += payload["crosswalks"].get(node.id, [])
    if not _happened(node, "rulebook.published", since):
        parts += payload["rulebooks"].get(node.id, [])
    if payload["acceptance"] is not None and not _happened(node, "acceptance.published", since):
        parts.append(payload["acceptance"])
    adopted = node.log.entries(kind=_OTHERS, limit=_PAGE)
    if len(adopted) < _PAGE or adopted[-1].index < since:
        news = {entry.event["party"] for entry in adopted if entry.index >= since}
        for name in trust_delta.BY_PARTY:
            own = (items for party, items in payload[name].items() if party not in news | {node.id})
            parts += [part for items in own for part in items]
    return {trust_delta.part_hash(part) for part in parts}


def _happened(node: Node, kind: str, since: int) -> bool:
    return any(entry.index >= since for entry in node.log.entries(kind=kind, limit=1))
