"""Where in the log a published thing stands, so that every number leads to its proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hutong.node import Node
from hutong.opening.catalogue.catalogue import Release

PUBLISHED = "release.published"
JOINED = "series.joined"
PAGE = 500
MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry of the log: its index, and what it says."""

    index: int
    event: Mapping[str, Any]

    @property
    def at(self) -> datetime:
        """When it was logged, in UTC."""
        return datetime.fromisoformat(self.event["at"])

    @property
    def machine(self) -> str:
        """Address of the inclusion proof for programs."""
        return f"/api/log/entries/{self.index}/proof"


def proof_of_release(node: Node, release: Release) -> Proof | None:
    """The entry by which a release was published; None when it is not among the newest 10,000 of its kind."""

    def fits(event: Mapping[str, Any]) -> bool:
        return event.get("dataset") == release.dataset_id and str(event.get("version")) == release.version

    return _newest(node, PUBLISHED, fits)


def proof_of_joint_series(node: Node) -> Proof | None:
    """The entry of the newest joint series."""
    return _newest(node, JOINED, lambda _: True)


def _newest(node: Node, kind: str, fits: Callable[[Mapping[str, Any]], bool]) -> Proof | None:
    before: int | None = None
    for _ in range(MOST_PAGES):
        entries = node.log.entries(newest_before=before, kind=kind, limit=PAGE)
        for entry in entries:
            event = entry.event
            if fits(event):
                return Proof(entry.index, event)
        if len(entries) < PAGE:
            return None
        before = entries[-1].index
    return None
