"""The verdict: one of three answers, with the rules that gave it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from hutong.errors import BadInput, LimitExceeded

from ..documents import Document, Reason, Texts
from ..rulebook.rulebook import UNDER_REVIEW, UNKNOWN

SENTENCES: Mapping[str, Texts] = {
    "no-crosswalk": {
        "en": "Nothing says how the levels of this issuer read here.",
        "zh": "没有说明该签发方的等级在本地如何解读。",
    },
    "crosswalk-not-in-force": {
        "en": "The explanation of this issuer's levels is not in force at this time.",
        "zh": "该签发方等级的对照说明目前不在有效期内。",
    },
    "other-rulebook": {
        "en": "The pass was issued under a rulebook that the explanation of levels does not cover.",
        "zh": "凭证所依据的规则手册不在等级对照说明的范围内。",
    },
    "level-not-understood": {
        "en": "The level on the pass has no meaning on the common scale.",
        "zh": "凭证上的等级在通用尺度上没有含义。",
    },
    UNDER_REVIEW: {
        "en": "An appeal against the level was not decided in time, and no rule here says what that is worth.",
        "zh": "针对该等级的申诉未按期作出决定，而本地没有规则说明应如何处理。",
    },
    "no-rules": {"en": "There are no acceptance rules here.", "zh": "本地没有接受规则。"},
    "rules-not-in-force": {
        "en": "The acceptance rules are not in force at this time.",
        "zh": "接受规则目前不在有效期内。",
    },
    "no-rule-for-scene": {
        "en": "There is no acceptance rule for this scene.",
        "zh": "该场景没有接受规则。",
    },
    "no-rule-for-certificate": {
        "en": "No rule that is in force here is about this type of certificate.",
        "zh": "本地现行规则均不适用于这类证书。",
    },
    "not-one-entry": {
        "en": "The certificate does not hold exactly one vaccination, test or recovery.",
        "zh": "此证书所载的接种、检测或康复记录不是恰好一条。",
    },
    "rule-not-understood": {
        "en": "A rule could not be applied to what this pass says.",
        "zh": "有一条规则无法用于该凭证的内容。",
    },
}


class Answer(StrEnum):
    """The three answers; there is no fourth."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Verdict(NamedTuple):
    """Exactly one answer, with the rules that gave it (those met, those not met, or why there is none)."""

    answer: Answer
    reasons: tuple[Reason, ...]
    scale: str = UNKNOWN


class Weighed(Protocol):
    """A rule that holds of a context or does not; it raises BadInput or LimitExceeded where it can't be applied."""

    @property
    def reason(self) -> Reason: ...

    @property
    def holds(self) -> Callable[[Document], bool]: ...


def weigh(rules: Iterable[Weighed], context: Document, scale: str = UNKNOWN) -> Verdict:
    """Refused if any rule does not hold, else unknown if any can't be applied, else accepted."""
    met: list[Reason] = []
    broken: list[Reason] = []
    stuck: list[Reason] = []
    for rule in rules:
        try:
            found = met if rule.holds(context) else broken
        except (BadInput, LimitExceeded):
            found = stuck
        found.append(rule.reason)
    if broken:
        return Verdict(Answer.REFUSED, tuple(broken), scale)
    if stuck:
        because = Reason("rule-not-understood", SENTENCES["rule-not-understood"])
        return Verdict(Answer.UNKNOWN, (because, *stuck), scale)
    return Verdict(Answer.ACCEPTED, tuple(met), scale)


def unknown(why: str, scale: str = UNKNOWN) -> Verdict:
    """The answer to what can't be known, with its sentence."""
    return Verdict(Answer.UNKNOWN, (Reason(why, SENTENCES[why]),), scale)
