"""What doors and later stages read of rulebooks: their versions, which of them holds now, and which are to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa

from hutong.errors import NotFound
from hutong.governance import queries as governance
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.signing import canonical_json

from .. import documents
from .notice import Verdict, read_verdict
from .rulebook import Rulebook, parse_rulebook


@dataclass(frozen=True, slots=True)
class PublishedRulebook:
    """A version of a rulebook, when it was published, and from when it holds: at once, or after its notice."""

    rulebook: Rulebook
    published_at: datetime
    effective_from: datetime
    verdict: Verdict


def announcement(published: PublishedRulebook) -> dict[str, Any]:
    """How a trust bundle names a version: from when it holds, and whether it loosens or tightens."""
    rulebook = published.rulebook
    return {
        "id": rulebook.id,
        "version": rulebook.version,
        "hash": rulebook.hash,
        "emergency": rulebook.emergency,
        "effect": str(published.verdict.effect),
        "published_at": published.published_at.isoformat(),
        "effective_from": published.effective_from.isoformat(),
        "valid_to": rulebook.period.end.isoformat(),
    }


@lru_cache(maxsize=64)
def _rulebook(canonical: bytes) -> Rulebook:
    # A published rulebook never changes, and reading one runs its own tests again.
    return parse_rulebook(orjson.loads(canonical))


def rulebooks(node: Node) -> list[PublishedRulebook]:
    """Of each rulebook the version that holds, or the first that is to come; by id."""
    by_id: dict[str, list[PublishedRulebook]] = {}
    for published in _versions(node, None):
        by_id.setdefault(published.rulebook.id, []).append(published)
    return [holding(by_id[name], node.clock()) for name in sorted(by_id)]


def all_rulebooks(node: Node) -> list[PublishedRulebook]:
    """Every version of every rulebook that was published here."""
    return _versions(node, None)


def rulebook_versions(node: Node, rulebook_id: str) -> list[PublishedRulebook]:
    """All versions of a rulebook, the newest first. ``NotFound`` when it was never published here."""
    found = _versions(node, rulebook_id)
    if not found:
        raise NotFound("This node published no such rulebook.", "See the list of rulebooks.")
    return found


def holding(versions: Sequence[PublishedRulebook], at: datetime) -> PublishedRulebook:
    """Of a rulebook's versions (the newest first) the one that holds: the newest whose notice is over.

    Before any holds it is the first that will.
    """
    held = (one for one in versions if one.effective_from <= at)
    return next(held, None) or min(reversed(versions), key=lambda one: one.effective_from)


def coming(versions: Sequence[PublishedRulebook], at: datetime) -> list[PublishedRulebook]:
    """Versions that will hold and don't yet, the next one first; what a newer one overtakes never will."""
    now = documents.semver(holding(versions, at).rulebook.version)
    later = [one for one in versions if one.effective_from > at and documents.semver(one.rulebook.version) > now]
    overtaken = [
        one for one in later if any(other.effective_from <= one.effective_from for other in later[: later.index(one)])
    ]
    return sorted((one for one in later if one not in overtaken), key=lambda one: one.effective_from)


def is_in_force(node: Node, published: PublishedRulebook) -> bool:
    """Whether levels are decided and passes issued by this version now: it holds, and its emergency has power."""
    now, book = node.clock(), published.rulebook
    held = holding(rulebook_versions(node, book.id), now)
    is_held = held.rulebook.version == book.version and held.effective_from <= now
    has_power = any(one.id == book.emergency and one.is_in_force(now.date()) for one in governance.emergencies(node))
    return is_held and book.in_force(now) and has_power


def rulebook(node: Node, rulebook_id: str, version: str | None = None) -> Rulebook:
    """One version of a rulebook, by default the one that holds. ``NotFound`` when there is none."""
    return published_rulebook(node, rulebook_id, version).rulebook


def published_rulebook(node: Node, rulebook_id: str, version: str | None = None) -> PublishedRulebook:
    """As :func:`rulebook`, with when it was published and from when it holds."""
    versions = rulebook_versions(node, rulebook_id)
    if version is None:
        return holding(versions, node.clock())
    for published in versions:
        if version == published.rulebook.version:
            return published
    raise NotFound("This node published no such version of the rulebook.", "See its list of versions.")


def _versions(node: Node, rulebook_id: str | None) -> list[PublishedRulebook]:
    table = schema.rulebook
    query = sa.select(table.c.body, table.c.published_at, table.c.effective_from, table.c.verdict)
    if rulebook_id is not None:
        query = query.where(table.c.id == rulebook_id)
    with node.records.reading() as connection:
        rows = connection.execute(query).all()
    found = [
        PublishedRulebook(
            _rulebook(canonical_json(row.body)), row.published_at, row.effective_from, read_verdict(row.verdict)
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: documents.semver(one.rulebook.version), reverse=True)
