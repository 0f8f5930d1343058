"""Checking a document of rules before two persons publish it, and publishing it, whatever its kind."""

from __future__ import annotations

from hutong.node import Node
from hutong.trust.authorisation import Actor

from ..documents import Document
from ..recognition import actions as recognition_actions
from ..rulebook import actions as rulebook_actions
from ..rulebook import queries as rulebook_queries
from .draft import Draft, Kind, of_crosswalk, of_rulebook, of_scenes


def check_draft(node: Node, *, by: Actor, kind: Kind, document: Document) -> Draft:
    """What a document says and would do if it were published now; nothing is published.

    Raises:
        Refused, BadInput, Conflict, LimitExceeded: whatever its publication would raise for these rules.
    """
    if kind is Kind.RULEBOOK:
        prepared = rulebook_actions.prepare_rulebook(node, by=by, document=document)
        return of_rulebook(prepared.rulebook, prepared.verdict, prepared.holds_from(node.clock()))
    if kind is Kind.CROSSWALK:
        return of_crosswalk(recognition_actions.prepare_crosswalk(node, by=by, document=document), node.clock())
    return of_scenes(recognition_actions.prepare_acceptance(node, by=by, document=document)[0], node.clock())


def publish_draft(node: Node, *, by: Actor, second: Actor, kind: Kind, document: Document) -> Draft:
    """Publish a document; two persons stand behind it. Raises as the publication of its kind."""
    if kind is Kind.RULEBOOK:
        rulebook = rulebook_actions.publish_rulebook(node, by=by, second=second, document=document)
        kept = rulebook_queries.published_rulebook(node, rulebook.id, rulebook.version)
        return of_rulebook(rulebook, kept.verdict, kept.effective_from)
    if kind is Kind.CROSSWALK:
        crosswalk = recognition_actions.publish_crosswalk(node, by=by, second=second, document=document)
        return of_crosswalk(crosswalk, node.clock())
    rules = recognition_actions.publish_acceptance(node, by=by, second=second, document=document)
    return of_scenes(rules, node.clock())
