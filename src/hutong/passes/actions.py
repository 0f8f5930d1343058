"""What an authority can do about rulebooks and recognition; see also ``level_actions`` and ``actions_pass``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, NotFound, Refused
from hutong.governance import queries as governance
from hutong.insight import queries as insight
from hutong.node import Change, Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource
from hutong.trust.trust_list import Party

from . import documents, notice, powers, queries, rulebook_queries, status
from .actions_pass import IssuedPass, issue_pass, revoke_pass
from .credential.level_pass import LevelPass, PassSigner
from .crosswalk import Crosswalk, parse_crosswalk
from .documents import Document
from .level_actions import decide_levels, update_levels
from .queries import CROSSWALK, SCENES
from .recognition import AcceptanceRules, parse_acceptance
from .rulebook import UNDER_REVIEW, Rulebook, parse_rulebook, require_successor
from .trust_bundle import TrustSnapshot, read_bundle

__all__ = [
    "IssuedPass",
    "adopt_party_bundle",
    "decide_levels",
    "fetch_party_bundle",
    "issue_pass",
    "publish_acceptance",
    "publish_crosswalk",
    "publish_rulebook",
    "revoke_pass",
    "update_levels",
]


def publish_rulebook(node: Node, *, by: Actor, second: Actor, document: Document) -> Rulebook:
    """Publish a version of a rulebook; two persons stand behind it.

    It holds at once if it is the first under the emergency, or is shown to raise nobody's level; otherwise after its
    notice, and until then the version before it holds.

    Raises:
        Refused: the policy, one person for two, or no emergency in force.
        BadInput: the rulebook is not whole, outlives its emergency, ends before its notice is over, reads evidence that
            no node computes, or has a rule that can't run over a population.
        Conflict: its version does not rise, or another version was published meanwhile.
        LimitExceeded: its names are too long for a scannable pass.
    """
    from .population import require_compilable

    powers.require_two(node, by, second, "publish_rulebook", Resource("Rulebook", str(document.get("id"))[:80]))
    rulebook = parse_rulebook(document)
    emergency = powers.require_emergency(node, rulebook.emergency)
    powers.require_within(rulebook.period, emergency, f"The rulebook {rulebook.id}")
    require_compilable(rulebook)
    status.require_computable(rulebook, _risk_levels(node))
    _require_scannable(node, rulebook)
    known = rulebook_queries.all_rulebooks(node)
    for one in known:
        if one.rulebook.id == rulebook.id:
            require_successor(one.rulebook, rulebook)
    standing = _standing(node, known, rulebook.id)
    verdict = notice.judge(standing, rulebook)
    with node.change(by) as change:
        table = schema.rulebook
        # What was judged must be what is there: showing that nobody is worse off can take seconds.
        if change.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() != len(known):
            raise Conflict("Another version was published meanwhile.", "Publish this one again.")
        effective_from = notice.holds_from(verdict, rulebook, standing, change.at)
        change.execute(
            table.insert().values(
                id=rulebook.id,
                version=rulebook.version,
                hash=rulebook.hash,
                body=dict(document),
                published_at=change.at,
                effective_from=effective_from,
                verdict=verdict.document(),
            )
        )
        change.event(
            "rulebook.published",
            rulebook=rulebook.id,
            version=rulebook.version,
            hash=rulebook.hash,
            emergency=rulebook.emergency,
            valid_to=rulebook.period.end.isoformat(),
            effect=str(verdict.effect),
            because=str(verdict.because),
            effective_from=effective_from.isoformat(),
            second=second.id,
        )
    return rulebook


def _standing(node: Node, known: Sequence[rulebook_queries.PublishedRulebook], rulebook_id: str) -> list[Rulebook]:
    """What people's levels may come from now, under any emergency in force: this rulebook's version, else all others'.

    A new id does not slip past the notice: beside another rulebook it is judged against that one.
    """
    now = node.clock()
    today = now.date()
    in_force = {one.id for one in governance.emergencies(node) if one.is_in_force(today)}
    by_id: dict[str, list[rulebook_queries.PublishedRulebook]] = {}
    for one in known:
        by_id.setdefault(one.rulebook.id, []).append(one)
    held = {name: rulebook_queries.holding(versions, now).rulebook for name, versions in by_id.items()}
    standing = {name: one for name, one in held.items() if one.emergency in in_force}
    return [standing[rulebook_id]] if rulebook_id in standing else list(standing.values())


def _risk_levels(node: Node) -> tuple[str, ...]:
    """Area levels that this node's facts may hold: those of the newest assessment, or of the rule that is shipped."""
    from hutong.insight.risk_area import shipped_rule

    try:
        return tuple(insight.newest_assessment(node)[0].areas)
    except NotFound:
        return tuple(level.level for level in shipped_rule().levels)


def _require_scannable(node: Node, rulebook: Rulebook) -> None:
    """Sign a pass of each level: names that don't fit the picture are refused now, not at the first resident."""
    signer = PassSigner(node.keys.passes, queries.pass_key_id(node))
    for level in (*(one.code for one in rulebook.levels), UNDER_REVIEW):
        trial = LevelPass(
            issuer=node.id,
            issued_at=rulebook.period.start,
            expires_at=rulebook.period.end,
            level=level,
            rulebook=rulebook.id,
            version=rulebook.version,
            # Random as in a real pass: zeros would be compressed, and make room that is not there.
            pass_id=node.random(8),
            status_index=queries.LIST_POSITIONS - 1,
            commitment=node.random(12),
        )
        signer.issue(trial)


def publish_crosswalk(node: Node, *, by: Actor, second: Actor, document: Document) -> Crosswalk:
    """Publish how the levels of a rulebook of this node read on the common scale; other regions read them so.

    Raises Refused, BadInput (a level or rulebook that this node has not, or it outlives the rulebook), Conflict (its
    version does not rise).
    """
    powers.require_two(node, by, second, "publish_rulebook", Resource("Crosswalk", str(document.get("id"))[:80]))
    crosswalk = parse_crosswalk(document)
    versions = [one.rulebook for one in rulebook_queries.rulebook_versions(node, crosswalk.rulebook)]
    rulebook = next((one for one in versions if documents.semver(one.version)[0] == crosswalk.major), None)
    if rulebook is None:
        raise BadInput(f"There is no version {crosswalk.major}.x of {crosswalk.rulebook}.", "Correct 'major'.")
    powers.require_rulebook(node, rulebook)
    if crosswalk.period.end > rulebook.period.end:
        raise BadInput("The crosswalk would outlive its rulebook.", "Let 'valid_to' be no later than the rulebook's.")
    if {level.code for level in crosswalk.levels} != {level.code for level in rulebook.levels}:
        raise BadInput("The crosswalk does not name exactly the rulebook's levels.", "Name each level once.")
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


def publish_acceptance(node: Node, *, by: Actor, second: Actor, document: Document) -> AcceptanceRules:
    """Publish which passes are accepted at which scene. Raises as :func:`publish_crosswalk`."""
    powers.require_two(node, by, second, "publish_rulebook", Resource("Scenes", str(document.get("id"))[:80]))
    rules = parse_acceptance(document)
    emergency = governance.emergency_in_force(node, node.clock().date())
    if emergency is None:
        raise Refused("Rules of acceptance hang on an emergency, and none is in force.", "Declare one first.")
    powers.require_within(rules.period, emergency, f"The acceptance rules {rules.id}")
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


def _keep_document(change: Change, kind: str, parsed: Crosswalk | AcceptanceRules, document: Mapping[str, Any]) -> None:
    table = schema.recognition_document
    versions = change.execute(sa.select(table.c.version).where(table.c.kind == kind, table.c.id == parsed.id)).scalars()
    if any(documents.semver(version) >= documents.semver(parsed.version) for version in versions):
        raise Conflict(f"Version {parsed.version} of {parsed.id} does not follow.", "Give a higher version.")
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


def fetch_party_bundle(node: Node, *, by: Actor, party_id: str) -> TrustSnapshot:
    """Fetch another party's trust bundle over HTTP and adopt it."""
    node.require(by, "adopt_trust_list", Resource("Party", party_id))
    return adopt_party_bundle(
        node, by=by, party_id=party_id, signed=fetch_bundle_of(node, queries.party_of(node, party_id))
    )


def fetch_bundle_of(node: Node, party: Party) -> str:
    """A listed party's trust bundle as it answers with it now; nothing is checked yet."""
    reply = node.peers.get(f"{party.url}/passes/trust-bundle", accept="application/jose")
    if reply.status != 200:
        raise Conflict(f"{party.id} gave no trust bundle (status {reply.status}).", "Ask the party.")
    return reply.body.decode("ascii", errors="replace")


def adopt_party_bundle(node: Node, *, by: Actor, party_id: str, signed: str) -> TrustSnapshot:
    """Take over what a listed party says of its own levels and revocations.

    Raises:
        NotFound: the party is not in the trust list.
        Tampered: something in it is not signed by whom it should be.
        BadInput: it is another party's bundle.
        Conflict: it is older than the one held, or than a bundle may be.
    """
    node.require(by, "adopt_trust_list", Resource("Party", party_id))
    party = queries.party_of(node, party_id)
    snapshot = read_bundle(signed, issuer_key=party.signing)
    if snapshot.issuer != party_id:
        raise BadInput(f"This is the bundle of {snapshot.issuer[:40]}, not of {party_id}.", "Fetch it again.")
    now = node.clock()
    if now > snapshot.issued_at + snapshot.max_age or now + timedelta(minutes=5) < snapshot.issued_at:
        raise Conflict(f"The bundle was issued at {snapshot.issued_at}, too far from now.", "Fetch it again.")
    table = schema.party_bundle
    with node.change(by) as change:
        held = change.execute(sa.select(table).where(table.c.party == party_id)).one_or_none()
        if held is not None and snapshot.number < held.number:
            raise Conflict(f"Bundle {snapshot.number} is older than bundle {held.number}.", "Fetch it again.")
        change.execute(table.delete().where(table.c.party == party_id))
        change.execute(
            table.insert().values(party=party_id, number=snapshot.number, signed=signed, received_at=change.at)
        )
        if held is None or snapshot.number > held.number:
            issuer = snapshot.issuers.get(party_id)
            walks = {one.id: one.hash for one in issuer.crosswalks} if issuer else {}
            change.event("party-bundle.adopted", party=party_id, number=snapshot.number, crosswalks=walks)
    return snapshot
