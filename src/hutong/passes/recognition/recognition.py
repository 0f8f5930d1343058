"""Recognition: what a pass of another region is worth at a scene here: accepted, refused or unknown, and why.

Unknown is an answer of its own. No rule, no crosswalk, a level that nobody explained: none of these is a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.standard.element import LANGUAGES

from .. import documents
from ..certlogic.evaluate import compile_rule
from ..certlogic.validate import data_accesses
from ..certlogic.values import truth
from ..documents import Document, Period, Reason
from ..rulebook.rulebook import UNDER_REVIEW, UNKNOWN
from .crosswalk import SCALE, Crosswalk
from .eu_rules import EuRules, parse_eu_rules, read_eu_rules
from .verdict import Answer, Verdict, unknown, weigh

PASS_FIELDS = (*("level", "scale", "reasons", "issuer", "rulebook", "version", "issued_at", "expires_at", "facts"),)
"""What acceptance rules may read of a pass, as ``pass.<field>``; ``pass.facts.<name>`` is what the holder disclosed."""

EXTERNAL_FIELDS = ("validationClock", "scene")

_RULE_FIELDS = ("id", "condition", "text")
_TIMES = frozenset({"issued_at", "expires_at", "validationClock"})


class Scene(StrEnum):
    """Where a pass is shown."""

    COMMUNITY = "community"
    WORKPLACE = "workplace"
    SCHOOL = "school"
    TRANSPORT = "transport"
    CHECKPOINT = "checkpoint"
    BORDER = "border"
    MEDICAL = "medical"
    CLOSED_SETTING = "closed-setting"
    PUBLIC_PLACE = "public-place"


@dataclass(frozen=True, slots=True)
class AcceptanceRule:
    """A condition that a pass must meet, in CertLogic over ``pass`` and ``external``; ``reason``: its id and sentences.

    ``names_under_review``: its condition has the text "under-review", so that it says what such a pass is worth.
    """

    reason: Reason
    condition: Any
    holds: Callable[[Document], bool] = field(repr=False, compare=False)
    names_under_review: bool = False
    reads_time: bool = False


@dataclass(frozen=True, slots=True)
class AcceptanceRules:
    """One party's rules per scene; a pass must meet all of its scene. Build with :func:`parse_acceptance`.

    ``timed``: the scenes with a rule that reads a time; only there are the times of a pass written as text.
    ``eu_dcc``: what certificates of the EU are worth here; None where nothing says so.
    """

    id: str
    version: str
    hash: str
    period: Period
    scenes: Mapping[Scene, tuple[AcceptanceRule, ...]]
    timed: frozenset[Scene]
    eu_dcc: EuRules | None = None


def judge(
    payload_facts: Document,
    crosswalk: Crosswalk | None,
    acceptance: AcceptanceRules | None,
    scene: Scene | str,
    at: datetime,
) -> Verdict:
    """What a pass is worth at a scene. Signature, expiry and revocation are the caller's to check first.

    Args:
        payload_facts: what the pass says: ``level``, ``rulebook``, ``version``, and optionally ``issuer``,
            ``issued_at``, ``expires_at`` (ISO 8601 or aware datetime) and ``facts`` (name to value).
        crosswalk: how the issuer's levels read; None if nobody said.
        acceptance: the rules here; None if there are none.
        scene: one of Scene.
        at: the instant of judgement, with its offset.

    Returns:
        ``refused`` if any rule of the scene is not met, else ``unknown`` if anything is not understood, else
        ``accepted``.

    Raises:
        BadInput: ``at`` has no offset.
    """
    if at.tzinfo is None:
        raise BadInput("The time of judgement has no offset.", "Give a time such as 2026-01-31T00:00:00Z.")
    placed = _place(payload_facts, crosswalk, at)
    if isinstance(placed, Verdict):
        return placed
    scale, reason_classes = placed
    if acceptance is None:
        return unknown("no-rules", scale)
    if not acceptance.period.holds(at):
        return unknown("rules-not-in-force", scale)
    rules = acceptance.scenes.get(cast("Scene", scene), ())  # a member is equal to its text
    if not rules:
        return unknown("no-rule-for-scene", scale)
    if scale == UNDER_REVIEW and not any(rule.names_under_review for rule in rules):
        return unknown(UNDER_REVIEW, scale)
    timed = scene in acceptance.timed
    return weigh(rules, _context(payload_facts, scale, reason_classes, str(scene), at, timed=timed), scale)


def _place(payload_facts: Document, crosswalk: Crosswalk | None, at: datetime) -> tuple[str, tuple[str, ...]] | Verdict:
    """The pass's place on the common scale and its reason classes, or the verdict that it has none."""
    if crosswalk is None:
        return unknown("no-crosswalk")
    if not crosswalk.period.holds(at):
        return unknown("crosswalk-not-in-force")
    try:
        major = documents.semver(payload_facts.get("version"))[0]
    except BadInput:
        return unknown("other-rulebook")
    if payload_facts.get("rulebook") != crosswalk.rulebook or major != crosswalk.major:
        return unknown("other-rulebook")
    level = payload_facts.get("level")
    found = crosswalk.find(level)
    scale = found.scale if found is not None else UNKNOWN
    if level == UNDER_REVIEW:
        scale = UNDER_REVIEW  # reserved by every node, so that it needs no crosswalk
    if scale == UNKNOWN:
        return unknown("level-not-understood")
    return scale, found.reason_classes if found is not None else ()


def _context(
    payload_facts: Document, scale: str, reason_classes: tuple[str, ...], scene: str, at: datetime, *, timed: bool
) -> dict[str, Any]:
    """What rules read; times only where they are read (``timed``), since to write them takes half of all judging."""
    shown = {**payload_facts, "scale": scale, "reasons": list(reason_classes)}
    if not timed:
        return {"pass": shown, "external": {"scene": scene}}
    shown |= {name: _plain(payload_facts.get(name)) for name in ("issued_at", "expires_at")}
    return {"pass": shown, "external": {"validationClock": _plain(at), "scene": scene}}


def _plain(value: Any) -> Any:
    """A time as text, since CertLogic reads times from text only."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        return moment.isoformat(timespec="milliseconds")
    return value


def recognition_matrix(
    crosswalks: Mapping[str, Crosswalk],
    acceptances: Mapping[str, AcceptanceRules],
    scene: Scene | str,
    at: datetime,
) -> dict[tuple[str, str], dict[str, Answer]]:
    """Who recognises whose levels: for (issuer, verifier) the answer to a fresh pass of each level.

    Args:
        crosswalks: issuing party to the crosswalk of its levels.
        acceptances: verifying party to its rules; both need not name the same parties.
    """
    return {
        (issuer, verifier): {
            level.code: judge(_fresh(crosswalk, level.code, issuer, at), crosswalk, rules, scene, at).answer
            for level in crosswalk.levels
        }
        for issuer, crosswalk in crosswalks.items()
        for verifier, rules in acceptances.items()
    }


def _fresh(crosswalk: Crosswalk, level: str, issuer: str, at: datetime) -> dict[str, Any]:
    return {
        "level": level,
        "issuer": issuer,
        "rulebook": crosswalk.rulebook,
        "version": f"{crosswalk.major}.0.0",
        "issued_at": at,
        "expires_at": at,
        "facts": {},
    }


def parse_acceptance(document: Document, *, languages: tuple[str, ...] = LANGUAGES) -> AcceptanceRules:
    """Read one party's acceptance rules.

    Raises:
        BadInput: an unknown scene, a rule id twice, invalid CertLogic, a text missing in a language, a path that is
            not in PASS_FIELDS or EXTERNAL_FIELDS, a rule that fails on a plain pass, no end date.
        LimitExceeded: a rule larger or deeper than allowed.
    """
    fields = ("id", "version", "valid_from", "valid_to", "scenes", "eu_dcc")
    documents.known_fields(document, fields, "The acceptance rules")
    name = documents.identifier(document, "id", "The acceptance rules")
    where = f"The acceptance rules {name}"
    documents.semver(document.get("version"))
    period = documents.period(document, where)
    given = documents.known_fields(document.get("scenes"), tuple(Scene), f"{where}, scenes")
    scenes = {
        Scene(scene): tuple(
            _rule(item, f"{where}, scene {scene}, rule {index}", languages, period, Scene(scene))
            for index, item in enumerate(documents.items(given, scene, where, least=1, most=100), start=1)
        )
        for scene in given
    }
    documents.require_unique([rule.reason.rule_id for rules in scenes.values() for rule in rules], where)
    foreign = document.get("eu_dcc")
    eu_dcc = None if foreign is None else parse_eu_rules(foreign, f"{where}, eu_dcc", languages, tuple(Scene))
    return _acceptance(document, period, scenes, eu_dcc)


def read_acceptance(document: Document) -> AcceptanceRules:
    """Read rules that may be of a newer edition: one that is not understood makes its scene unknown, and no other.

    Such a rule has an operator, a field or a path that is not known here. Further scenes, and further fields beside
    the scenes, are passed over: nothing there can make a rule of a known scene milder.

    Raises:
        BadInput: no rules: no id, version, period or scenes, or a rule without id or text.
    """
    name = documents.identifier(document, "id", "The acceptance rules")
    where = f"The acceptance rules {name}"
    documents.semver(document.get("version"))
    given = document.get("scenes")
    if not isinstance(given, Mapping):
        raise BadInput(f"{where} have no scenes.", "Give rules for each scene.")
    scenes = {
        scene: tuple(_read_rule(item, where) for item in documents.items(given, scene, where, most=100))
        for scene in Scene
        if scene in given
    }
    eu_dcc = read_eu_rules(document.get("eu_dcc"), tuple(Scene))
    return _acceptance(document, documents.period(document, where), scenes, eu_dcc)


def _acceptance(
    document: Document,
    period: Period,
    scenes: Mapping[Scene, tuple[AcceptanceRule, ...]],
    eu_dcc: EuRules | None,
) -> AcceptanceRules:
    return AcceptanceRules(
        id=document["id"],
        version=document["version"],
        hash=documents.document_hash(document),
        period=period,
        scenes=scenes,
        timed=frozenset(scene for scene, rules in scenes.items() if any(rule.reads_time for rule in rules)),
        eu_dcc=eu_dcc,
    )


def _read_rule(item: Any, where: str) -> AcceptanceRule:
    if not isinstance(item, Mapping):
        raise BadInput(f"{where} have a rule that is no object.", "Give named fields.")
    name = documents.identifier(item, "id", where)
    reason = Reason(name, documents.texts(item, "text", f"{where}, rule {name}", ()))
    condition = item.get("condition")
    try:
        documents.known_fields(item, _RULE_FIELDS, where)
        return _compiled(reason, condition, where)
    except (BadInput, LimitExceeded) as error:
        problem = error

    def holds(_context: Document) -> bool:
        raise problem

    return AcceptanceRule(reason, condition, holds)


def _rule(item: Any, where: str, languages: tuple[str, ...], period: Period, scene: Scene) -> AcceptanceRule:
    documents.known_fields(item, _RULE_FIELDS, where)
    name = documents.identifier(item, "id", where)
    where = f"{where} ({name})"
    rule = _compiled(Reason(name, documents.texts(item, "text", where, languages)), item.get("condition"), where)
    for scale in (*SCALE, UNDER_REVIEW):
        facts = {"level": scale, "issued_at": period.start, "expires_at": period.start, "facts": {}}
        try:
            rule.holds(_context(facts, scale, ("nothing-found",), scene, period.start, timed=True))
        except HutongError as error:
            raise BadInput(f"{where} fails on a pass that discloses nothing. {error.what}", error.do) from error
    return rule


def _compiled(reason: Reason, condition: Any, where: str) -> AcceptanceRule:
    try:
        run = compile_rule(condition)
    except BadInput as error:
        raise BadInput(f"{where} is not usable. {error.what}", error.do) from error
    for path in data_accesses(condition):
        _require_readable(path, where)

    def holds(context: Document) -> bool:
        return truth(run(context))

    return AcceptanceRule(reason, condition, holds, _names(condition, UNDER_REVIEW), _reads_time(condition))


def _reads_time(condition: Any) -> bool:
    return any(path.split(".")[1] in _TIMES for path in data_accesses(condition))


def _names(condition: Any, wanted: str) -> bool:
    """Whether a condition has this text; its depth was limited when it was compiled."""
    if isinstance(condition, Mapping):
        return any(_names(operand, wanted) for operand in condition.values())
    return any(_names(operand, wanted) for operand in condition) if isinstance(condition, list) else condition == wanted


def _require_readable(path: str, where: str) -> None:
    root, _, rest = path.partition(".")
    known = {"pass": PASS_FIELDS, "external": EXTERNAL_FIELDS}.get(root, ())
    if rest.partition(".")[0] not in known:
        raise BadInput(
            f"{where} reads {path[:80]!r}, which a verifier does not have.",
            f"Read pass.({'|'.join(PASS_FIELDS)}) or external.({'|'.join(EXTERNAL_FIELDS)}).",
        )
