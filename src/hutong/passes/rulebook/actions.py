"""What an authority can do about rulebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hutong.errors import Conflict, NotFound
from hutong.governance import queries as governance
from hutong.insight import queries as insight
from hutong.node import Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource

from .. import powers
from ..credential.level_pass import LIST_BITS, LevelPass, PassSigner
from ..documents import Document
from ..issuance import own_lists
from ..issuance import queries as pass_queries
from ..level import status
from . import notice
from . import queries as rulebook_queries
from .notice import Verdict
from .rulebook import UNDER_REVIEW, Rulebook, parse_rulebook, require_successor


@dataclass(frozen=True, slots=True)
class PreparedRulebook:
    """A rulebook that may be published, and what it does to levels.

    Attributes:
        standing: what people's levels may come from now, against which it was judged.
        known: versions of all rulebooks that there were then.
    """

    rulebook: Rulebook
    verdict: Verdict
    standing: tuple[Rulebook, ...]
    known: int

    def holds_from(self, at: datetime) -> datetime:
        """From when it holds if it is published at that instant. BadInput when it would end before."""
        return notice.holds_from(self.verdict, self.rulebook, self.standing, at)


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
    powers.require_two(node, by, second, "publish_rulebook", _resource(document))
    prepared = prepare_rulebook(node, by=by, document=document)
    rulebook, verdict = prepared.rulebook, prepared.verdict
    with node.change(by) as change:
        table = schema.rulebook
        # What was judged must be what is there: showing that nobody is worse off can take seconds.
        if change.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() != prepared.known:
            raise Conflict("Another version was published meanwhile.", "Publish this one again.")
        effective_from = prepared.holds_from(change.at)
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


def prepare_rulebook(node: Node, *, by: Actor, document: Document) -> PreparedRulebook:
    """Check a rulebook against all that its publication asks for, and judge it against what holds now.

    Raises as :func:`publish_rulebook`, but for what concerns the second person.
    """
    from ..level.population import require_compilable

    node.require(by, "publish_rulebook", _resource(document))
    rulebook = parse_rulebook(document, languages=node.settings.languages)
    emergency = powers.require_emergency(node, rulebook.emergency)
    powers.require_within(rulebook.period, emergency, f"The rulebook {rulebook.id}")
    require_compilable(rulebook)
    diseases = [code.value for code in node.standard.code_list("disease").codes]
    status.require_computable(rulebook, _risk_levels(node), diseases)
    _require_scannable(node, rulebook)
    known = rulebook_queries.all_rulebooks(node)
    for one in known:
        if one.rulebook.id == rulebook.id:
            require_successor(one.rulebook, rulebook)
    standing = _standing(node, known, rulebook.id)
    return PreparedRulebook(rulebook, notice.judge(standing, rulebook), tuple(standing), len(known))


def _resource(document: Document) -> Resource:
    return Resource("Rulebook", str(document.get("id"))[:80])


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
    signer = PassSigner(node.keys.passes, pass_queries.pass_key_id(node))
    for level in (*(one.code for one in rulebook.levels), UNDER_REVIEW):
        trial = LevelPass(
            issuer=node.id,
            issued_at=rulebook.period.start,
            expires_at=rulebook.period.end,
            level=level,
            rulebook=rulebook.id,
            version=rulebook.version,
            pass_id=node.random(8),
            status_index=(own_lists.LAST_NUMBER << LIST_BITS) + own_lists.LIST_POSITIONS - 1,
            commitment=node.random(12),
        )
        signer.issue(trial)
