"""What residents and authorities can do about appeals, a function for each step; see also ``correction_actions``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from hutong.errors import Conflict, LimitExceeded, NotFound, Refused
from hutong.governance import queries as governance
from hutong.governance.emergency import Emergency
from hutong.node import Change, Node
from hutong.rights.person import known_pseudonym, mark_of, owned, pseudonym_of
from hutong.storage import schema
from hutong.trust.authorisation import Actor

from .. import powers
from ..issuance import level_change_actions
from ..issuance.level_change_actions import NewLevel
from ..rulebook.rulebook import UNKNOWN, Rulebook
from . import appeal as rules
from . import correction_actions
from . import queries as appeal_queries
from .appeal import Appeal, AppealTerms, Decision, Outcome, State, Subject, checked_text
from .correction import LevelChange

MOST_OPEN = 3
"""Appeals of one person that may wait at a time, one of them about the level."""


def file_appeal(node: Node, *, by: Actor, person: str, subject: Subject, statement: str) -> Appeal:
    """Appeal against one's level, or against a fact that it rests on. The dates of all steps are fixed from now.

    Args:
        person: the resident's number, or the pseudonym.
        statement: what is wrong, in the resident's words, up to 2,000 characters; it is kept, but not in the log.

    Raises:
        Refused: the policy, or no emergency in force.
        NotFound: nobody of that number has a level (for a level only).
        Conflict: an appeal against the level waits already.
        BadInput, LimitExceeded: no statement or too long a one; too many appeals that wait.
    """
    pseudonym = pseudonym_of(node, person)
    node.require(by, "file_appeal", owned(node, by, pseudonym))
    statement = checked_text(statement, "A statement")
    level, book, rule_ids, emergency = _appealed(node, pseudonym, subject)
    waiting = appeal_queries.appeals_of(node, pseudonym, only_open=True)
    same = [
        one for one in waiting if one.subject is Subject.LEVEL and book and appeal_queries.is_about(one, level, book)
    ]
    if subject is Subject.LEVEL and same:
        raise Conflict("An appeal against this level waits for its decision.", "Add to it what you want to say.")
    if len(waiting) >= MOST_OPEN:
        raise LimitExceeded(f"At most {MOST_OPEN} appeals of one person can wait.", "Wait for a decision.")
    with node.change(by) as change:
        filed = Appeal(
            id=node.new_id(),
            emergency=emergency.id,
            pseudonym=pseudonym,
            subject=subject,
            level=level,
            rulebook=f"{book.id}@{book.version}" if book is not None else "",
            rule_ids=rule_ids,
            statement=statement,
            filed_by=by.id,
            terms=AppealTerms.of(emergency),
            reached={State.FILED: change.at},
        )
        change.execute(
            schema.appeal.insert().values(
                id=filed.id,
                emergency=filed.emergency,
                pseudonym=pseudonym,
                filed_at=filed.filed_at,
                **_columns(filed),
            )
        )
        whose = mark_of(node, pseudonym, filed.id)
        _tell(change, "appeal.filed", filed, subject=str(subject), emergency=filed.emergency, whose=whose)
    return filed


def _appealed(node: Node, pseudonym: str, subject: Subject) -> tuple[str, Rulebook | None, tuple[str, ...], Emergency]:
    """Level, rulebook, rule ids and emergency of what is appealed; a fact may be before there is a level."""
    try:
        found = appeal_queries.level_in_force(node, pseudonym)
    except NotFound:
        if subject is Subject.LEVEL:
            raise
        known_pseudonym(node, pseudonym)
        emergency = governance.emergency_in_force(node, node.clock().date())
        if emergency is None:
            raise Refused("No emergency is in force.", "There is no level to appeal against.") from None
        return UNKNOWN, None, (), emergency
    emergency = powers.require_emergency(node, found.rulebook.emergency)
    ids = (found.override.rule_id,) if found.override is not None else found.status.rule_ids
    return found.beneath, found.rulebook, ids, emergency


def add_evidence(node: Node, *, by: Actor, appeal_id: str, text: str) -> Appeal:
    """Say more, or answer what the authority asked. Raises NotFound, Refused, Conflict, BadInput, LimitExceeded."""
    _require(node, by, "add_evidence", appeal_id)
    return _step(
        node,
        by,
        appeal_id,
        "appeal.evidence-added",
        lambda one, change: rules.add_evidence(one, text=text, by=by.id, at=change.at),
    )


def withdraw_appeal(node: Node, *, by: Actor, appeal_id: str) -> Appeal:
    """Take an appeal back. Raises NotFound, Refused, Conflict (decided)."""
    _require(node, by, "withdraw_appeal", appeal_id)
    return _step(node, by, appeal_id, "appeal.withdrawn", lambda one, change: rules.withdraw(one, at=change.at))


def acknowledge_appeal(node: Node, *, by: Actor, appeal_id: str) -> Appeal:
    """The authority has read it. Raises NotFound, Refused, Conflict (not just filed)."""
    _require(node, by, "decide_appeal", appeal_id)
    return _step(node, by, appeal_id, "appeal.acknowledged", lambda one, change: rules.acknowledge(one, at=change.at))


def take_evidence(node: Node, *, by: Actor, appeal_id: str, question: str = "") -> Appeal:
    """The authority looks at the evidence, and may ask the resident for more.

    Raises NotFound, Refused, Conflict (not acknowledged), BadInput.
    """
    _require(node, by, "decide_appeal", appeal_id)
    return _step(
        node,
        by,
        appeal_id,
        "appeal.evidence-taken",
        lambda one, change: rules.take_evidence(one, question=question, by=by.id, at=change.at),
    )


def decide_appeal(
    node: Node,
    *,
    by: Actor,
    second: Actor,
    appeal_id: str,
    outcome: Outcome,
    reason: str,
    change_to: LevelChange | None = None,
) -> Appeal:
    """Decide it; two persons stand behind the decision, and behind the level that it may change.

    Args:
        reason: for the resident, up to 2,000 characters; it is kept, but not in the log.
        change_to: the level from now on, by rule id and until then; None where facts were corrected or nothing changes.

    Raises:
        NotFound: no such appeal.
        Refused: the policy, one person for two, one's own appeal, or what an override does not allow.
        Conflict: it is not in evidence, a question still waits, or a dismissed appeal would change the level.
        BadInput: no reason, or what an override does not allow.
    """
    found = _require(node, by, "decide_appeal", appeal_id)
    powers.require_two(node, by, second, "decide_appeal", owned(node, by, found.pseudonym))
    correction_actions.require_others_matter(node, found.pseudonym, by, second)
    if outcome is Outcome.DISMISSED and change_to is not None:
        raise Conflict("A dismissed appeal changes no level.", "Leave the level out, or uphold the appeal.")

    level = appeal_queries.level_in_force(node, found.pseudonym) if change_to is not None else None

    def decide(one: Appeal, change: Change) -> Appeal:
        decision = Decision(outcome, reason, by.id, second.id)
        decided = rules.decide(one, decision, at=change.at)
        if change_to is None or level is None:
            return decided
        made = correction_actions.make_override(
            node, change, second=second, found=level, wanted=change_to, appeal=decided
        )
        return rules.decide(one, replace(decision, override=made.id), at=change.at)

    return _step(node, by, appeal_id, "appeal.decided", decide, outcome=str(outcome), second=second.id)


def notify_appeal(node: Node, *, by: Actor, appeal_id: str) -> Appeal:
    """The resident was told of the decision. Raises NotFound, Refused, Conflict (not decided)."""
    _require(node, by, "decide_appeal", appeal_id)
    return _step(node, by, appeal_id, "appeal.notified", lambda one, change: rules.notify(one, at=change.at))


def _require(node: Node, by: Actor, action: str, appeal_id: str) -> Appeal:
    # Who may do this for nobody learns nothing of which appeals there are.
    found = None
    try:
        found = appeal_queries.appeal(node, appeal_id)
    finally:
        node.require(by, action, owned(node, by, found.pseudonym if found else ""))
    return found


def _step(
    node: Node,
    by: Actor,
    appeal_id: str,
    kind: str,
    rule: Callable[[Appeal, Change], Appeal],
    **facts: str,
) -> Appeal:
    """Load, decide and save in one transaction, so that two persons can't take the same step."""
    table = schema.appeal
    with node.change(by) as change:
        before = correction_actions.locked_appeal(change, appeal_id)
        following = rule(before, change)
        change.execute(table.update().where(table.c.id == appeal_id).values(**_columns(following)))
        _tell(change, kind, following, **facts)
        if before.under_review(change.at) and not following.is_open:
            _end_under_review(node, change, following)
    return following


def _end_under_review(node: Node, change: Change, over: Appeal) -> None:
    """When the review is over no pass says so any more; what an override gives then, it has done itself."""
    held = appeal_queries.levels_in_force(node, [over.pseudonym])[0].get(over.pseudonym)
    others = [one for one in appeal_queries.appeals_of(node, over.pseudonym, only_open=True) if one.id != over.id]
    overridden = over.decision is not None and over.decision.override is not None
    if held is None or overridden:
        return
    if appeal_queries.late_appeal(others, held.beneath, held.rulebook, change.at) is None:
        level_change_actions.end_in(node, change, {over.pseudonym: NewLevel.of(replace(held, appeal=None))})


def _columns(found: Appeal) -> dict[str, object]:
    return {"state": str(found.state), "body": found.document(), "due_at": found.next_due}


def _tell(change: Change, kind: str, found: Appeal, **facts: str) -> None:
    """The dates are in the log, so that anybody can see who was late; what was said is not."""
    due: datetime | None = found.next_due
    change.event(
        kind,
        appeal=found.id,
        state=str(found.state),
        late=list(found.late_steps(change.at)),
        due=due and due.isoformat(),
        **facts,
    )
