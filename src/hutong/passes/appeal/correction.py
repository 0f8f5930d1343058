"""Corrections: a wrong fact is corrected by a new fact, and a level outside the rules only by an override. Pure.

Nothing here edits a level. An override is a record of its own, beside the level that the rules give: by a rule id, with
an actor, a second person, a reason and an end. A published ground can only lower a level; to raise one, the rule of the
rulebook that gives this level must be named, and the override ends within three days: time to record the fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hutong.errors import BadInput, Conflict, HutongError, Refused

from ..documents import Reason, Texts
from ..rulebook.rulebook import RESERVED_LEVELS, Rulebook
from .appeal import Appeal, checked_text

LONGEST_LOWERED = timedelta(days=14)
LONGEST_RAISED = timedelta(days=3)

APPEAL_UPHELD = "appeal-upheld"
GROUNDS: Mapping[str, Texts] = {
    APPEAL_UPHELD: {
        "en": "An appeal against the level was upheld.",
        "zh": "对该等级的申诉成立。",
    },
    "other-person": {
        "en": "The facts behind the level are another person's.",
        "zh": "该等级所依据的事实属于他人。",
    },
    "test-withdrawn": {
        "en": "The laboratory has withdrawn the test behind the level.",
        "zh": "实验室已撤回该等级所依据的检测结果。",
    },
    "clinically-excluded": {
        "en": "A physician has excluded the disease.",
        "zh": "医师已排除该疾病。",
    },
}
"""Published grounds beside the rules of a rulebook. Each can only lower a level."""


@dataclass(frozen=True, slots=True)
class LevelChange:
    """What is asked: this level by this rule, for this reason, until then."""

    level: str
    rule_id: str
    reason: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class LevelOverride:
    """A level given by two persons and a rule, beside the one that the rulebook gives; build with :func:`override`.

    Attributes:
        against: the level that the rules gave when it was made.
        rulebook: "id@version" of the rulebook at that time.
        actor, second: account names; ``appeal``: the appeal that led to it, if one did.
        ended_at: when it was ended early.
    """

    id: str
    pseudonym: str
    level: str
    against: str
    rulebook: str
    rule_id: str
    reason: str
    actor: str
    second: str
    made_at: datetime
    ends_at: datetime
    appeal: str | None = None
    ended_at: datetime | None = None

    def stands(self, rulebook: Rulebook, level: str, at: datetime) -> bool:
        """Whether it is in force: not over, of this rulebook, and the rules don't say something worse by now.

        Args:
            level: what the rules give now; a more severe one than ``against`` rests on facts that the two persons did
                not know.
        """
        if not self.made_at <= at < min(self.ends_at, self.ended_at or self.ends_at):
            return False
        if self.rulebook.partition("@")[0] != rulebook.id or self.level not in _codes(rulebook):
            return False
        return severity(rulebook, level) <= severity(rulebook, self.against)

    def is_allowed(self, rulebook: Rulebook, *, rests_on_appeal: bool) -> bool:
        """Whether :func:`override` could have made it: two persons, a rule or ground for this level, and its longest.

        Args:
            rulebook: the version that it names.
            rests_on_appeal: whether the appeal that it names was upheld, is of this person, and led to no other one.
        """
        if self.rule_id == APPEAL_UPHELD and not rests_on_appeal:
            return False
        raises = _raises(rulebook, self.level, self.against)
        try:
            _require_rule(rulebook, self.rule_id, self.level, raises=raises)
        except HutongError:
            return False
        return self.actor != self.second and self.ends_at - self.made_at <= _longest(raises=raises)

    def event(self) -> dict[str, str | None]:
        """What the log says of it."""
        return {
            "override": self.id,
            "rule": self.rule_id,
            "rulebook": self.rulebook,
            "from_level": self.against,
            "to_level": self.level,
            "ends_at": self.ends_at.isoformat(),
            "second": self.second,
            "appeal": self.appeal,
        }

    def why(self, rulebook: Rulebook) -> Reason:
        """The rule and its sentence: of the published ground, or of the rulebook's rule."""
        texts = GROUNDS.get(self.rule_id) or next((r.texts for r in rulebook.rules if r.id == self.rule_id), None)
        return Reason(self.rule_id, texts or {"en": self.rule_id, "zh": self.rule_id})


def severity(rulebook: Rulebook, level: str) -> int:
    """Place in the level set from 0; -1 for ``unknown`` and for what is no level of it."""
    codes = _codes(rulebook)
    return codes.index(level) if level in codes else -1


def override(
    rulebook: Rulebook,
    change: LevelChange,
    *,
    override_id: str,
    pseudonym: str,
    against: str,
    by: str,
    second: str,
    at: datetime,
    latest: datetime,
    appeal: Appeal | None = None,
    is_used: bool = False,
) -> LevelOverride:
    """Make an override, or refuse it.

    Args:
        rulebook: the one that gave the level ``against``.
        latest: the end of rulebook and emergency.
        appeal: what it rests on; the ground ``appeal-upheld`` needs one that was upheld.
        is_used: whether another override rests on this appeal.

    Raises:
        Refused: one person for two, a level raised by anything but the rule that gives it, or no upheld appeal.
        BadInput: no such level or rule, no reason, no end or one that is too late.
        Conflict: the level is this one already; the appeal was withdrawn, dismissed, or led to another override.
    """
    if not by or not second or by == second:
        raise Refused("This needs two persons.", "Have another authority confirm it.", policies=("two-persons",))
    if change.level in RESERVED_LEVELS or change.level not in _codes(rulebook):
        raise BadInput(f"The rulebook {rulebook.id} has no such level.", f"Use one of: {', '.join(_codes(rulebook))}.")
    if change.level == against:
        raise Conflict("The rules give this level already.", "Nothing needs to be changed.")
    raises = _raises(rulebook, change.level, against)
    _require_rule(rulebook, change.rule_id, change.level, raises=raises)
    _require_appeal(rulebook, change.rule_id, appeal, is_used=is_used)
    ends_at = change.ends_at.replace(microsecond=0)
    longest = _longest(raises=raises)
    if not at < ends_at <= min(at + longest, latest):
        raise BadInput(
            f"The override must end after now and at the latest on {min(at + longest, latest):%Y-%m-%d %H:%M} UTC.",
            f"At most {longest.days} days, within rulebook and emergency.",
        )
    return LevelOverride(
        id=override_id,
        pseudonym=pseudonym,
        level=change.level,
        against=against,
        rulebook=f"{rulebook.id}@{rulebook.version}",
        rule_id=change.rule_id,
        reason=checked_text(change.reason, "A reason"),
        actor=by,
        second=second,
        made_at=at,
        ends_at=ends_at.astimezone(UTC),
        appeal=None if appeal is None else appeal.id,
    )


def end(found: LevelOverride, *, at: datetime) -> LevelOverride:
    """End it early. Raises Conflict when it is over."""
    if at >= min(found.ends_at, found.ended_at or found.ends_at):
        raise Conflict("The override has ended.", "Nothing more needs to be done.")
    return replace(found, ended_at=at)


def _raises(rulebook: Rulebook, level: str, against: str) -> bool:
    return severity(rulebook, level) > max(0, severity(rulebook, against))


def _longest(*, raises: bool) -> timedelta:
    return LONGEST_RAISED if raises else LONGEST_LOWERED


def _require_rule(rulebook: Rulebook, rule_id: str, level: str, *, raises: bool) -> None:
    rules = {rule.id: rule.level for rule in rulebook.rules}
    if rule_id not in rules and rule_id not in GROUNDS:
        raise BadInput(
            "No such rule lets a level be changed by hand.",
            f"Use one of: {', '.join(GROUNDS)}; or a rule of {rulebook.id}.",
        )
    if rule_id in rules and rules[rule_id] != level:
        raise BadInput(f"The rule {rule_id} does not give this level.", f"It gives {rules[rule_id]!r}.")
    if raises and rule_id not in rules:
        raise Refused(
            "A published ground can only lower a level.",
            f"To raise it, name the rule of {rulebook.id} that gives this level.",
            policies=("raised-without-rule",),
        )


def _require_appeal(rulebook: Rulebook, rule_id: str, appeal: Appeal | None, *, is_used: bool) -> None:
    if appeal is not None and appeal.led_to_nothing:
        raise Conflict("This appeal was withdrawn or dismissed.", "Name another one, or none.")
    if rule_id != APPEAL_UPHELD:
        return
    if appeal is None or not appeal.was_upheld or appeal.emergency != rulebook.emergency:
        raise Refused(
            "No appeal of this person was upheld.",
            "Decide the appeal first, or name another ground.",
            policies=("no-upheld-appeal",),
        )
    if is_used:
        raise Conflict("Another override rests on this appeal already.", "Decide a new appeal, or name another ground.")


def _codes(rulebook: Rulebook) -> list[str]:
    return [level.code for level in rulebook.levels]
