"""What an authority can do about recognition: publish how its levels read, and what is accepted where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, Refused
from hutong.governance import queries as governance
from hutong.governance.emergency import Emergency
from hutong.node import Change, Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource

from .. import documents, powers
from ..documents import Document
from ..rulebook import queries as rulebook_queries
from .crosswalk import Crosswalk, parse_crosswalk
from .queries import CROSSWALK, SCENES, newest_documents
from .recognition import AcceptanceRules, parse_acceptance


def publish_crosswalk(node: Node, *, by: Actor, second: Actor, document: Document) -> Crosswalk:
    """Publish how the levels of a rulebook of this node read on the common scale; other regions read them so.

    Raises Refused, BadInput (a level or rulebook that this node has not, or it outlives the rulebook), Conflict (its
    version does not rise).
    """
    powers.require_two(node, by, second, "publish_rulebook", _resource("Crosswalk", document))
    crosswalk = prepare_crosswalk(node, by=by, document=document)
    with node.change(by) as change:
        _keep_document(change, CROSSWALK, crosswalk, document)
        change.event(
            "crosswalk.published",
            crosswalk=crosswalk.id,
            version=crosswalk.version,
            hash=crosswalk.hash,
            rulebook=crosswalk.rulebook,
            second=second.id,
        )
    return crosswalk


def prepare_crosswalk(node: Node, *, by: Actor, document: Document) -> Crosswalk:
    """Check a crosswalk against all that its publication asks for. Raises as :func:`publish_crosswalk`."""
    node.require(by, "publish_rulebook", _resource("Crosswalk", document))
    crosswalk = parse_crosswalk(document, languages=node.settings.languages)
    versions = [one.rulebook for one in rulebook_queries.rulebook_versions(node, crosswalk.rulebook)]
    rulebook = next((one for one in versions if documents.semver(one.version)[0] == crosswalk.major), None)
    if rulebook is None:
        raise BadInput(f"There is no version {crosswalk.major}.x of {crosswalk.rulebook}.", "Correct 'major'.")
    powers.require_rulebook(node, rulebook)
    if crosswalk.period.end > rulebook.period.end:
        raise BadInput("The crosswalk would outlive its rulebook.", "Let 'valid_to' be no later than the rulebook's.")
    if {level.code for level in crosswalk.levels} != {level.code for level in rulebook.levels}:
        raise BadInput("The crosswalk does not name exactly the rulebook's levels.", "Name each level once.")
    _require_higher(_versions(node, CROSSWALK, crosswalk.id), crosswalk)
    return crosswalk


def publish_acceptance(node: Node, *, by: Actor, second: Actor, document: Document) -> AcceptanceRules:
    """Publish which passes are accepted at which scene. Raises as :func:`publish_crosswalk`."""
    powers.require_two(node, by, second, "publish_rulebook", _resource("Scenes", document))
    rules, emergency = prepare_acceptance(node, by=by, document=document)
    with node.change(by) as change:
        _keep_document(change, SCENES, rules, document)
        change.event(
            "acceptance.published",
            rules=rules.id,
            version=rules.version,
            hash=rules.hash,
            emergency=emergency.id,
            scenes=sorted(rules.scenes),
            second=second.id,
        )
    return rules


def prepare_acceptance(node: Node, *, by: Actor, document: Document) -> tuple[AcceptanceRules, Emergency]:
    """Check acceptance rules against all that their publication asks for, and the emergency that they hang on."""
    node.require(by, "publish_rulebook", _resource("Scenes", document))
    rules = parse_acceptance(document, languages=node.settings.languages)
    emergency = governance.emergency_in_force(node, node.clock().date())
    if emergency is None:
        raise Refused("Rules of acceptance hang on an emergency, and none is in force.", "Declare one first.")
    powers.require_within(rules.period, emergency, f"The acceptance rules {rules.id}")
    _require_higher(_versions(node, SCENES, rules.id), rules)
    return rules, emergency


def _resource(type_: str, document: Document) -> Resource:
    return Resource(type_, str(document.get("id"))[:80])


def _versions(node: Node, kind: str, document_id: str) -> list[str]:
    return [one["version"] for one in newest_documents(node, kind) if one["id"] == document_id]


def _require_higher(versions: Iterable[str], parsed: Crosswalk | AcceptanceRules) -> None:
    """Refuse a version that does not rise. Raises Conflict."""
    if any(documents.semver(version) >= documents.semver(parsed.version) for version in versions):
        raise Conflict(f"Version {parsed.version} of {parsed.id} does not follow.", "Give a higher version.")


def _keep_document(change: Change, kind: str, parsed: Crosswalk | AcceptanceRules, document: Mapping[str, Any]) -> None:
    table = schema.recognition_document
    # Another version may have been published since this one was checked.
    query = sa.select(table.c.version).where(table.c.kind == kind, table.c.id == parsed.id)
    _require_higher(change.execute(query).scalars(), parsed)
    change.execute(
        table.insert().values(
            kind=kind,
            id=parsed.id,
            version=parsed.version,
            hash=parsed.hash,
            body=dict(document),
            published_at=change.at,
        )
    )
