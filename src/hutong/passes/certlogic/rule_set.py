"""One CertLogic expression, one rule or a set of rules over one document: what ``hutong rules evaluate`` does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from hutong.errors import BadInput, HutongError, LimitExceeded

from ..moment import moment
from .datetimes import DateTime
from .evaluate import evaluate
from .values import require_bounded

MAX_RULES = 10_000
ENGINE, ENGINE_VERSION = "CERTLOGIC", (1, 3, 3)
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")
_LOGIC_NAMES = ("Logic", "logic", "certLogicExpression", "condition")
_ID_NAMES = ("Identifier", "identifier", "id")


def evaluate_document(document: Any, data: Any, *, at: str | None = None) -> dict[str, Any]:
    """Evaluate every rule of a document; an error of one rule is its result and does not stop the others.

    A rule is an object with ``Logic`` (EU DCC business rules), ``logic`` or ``condition`` (a rulebook's, a scene's), or
    with an id; a document may be a rule, a list of rules, an object with a list under ``rules`` or lists by scene
    under ``scenes``, or a bare expression. ``at`` is put where EU rules look for the validation clock,
    ``external.validationClock``, in UTC where it names no zone; EU rules that are not valid then are left out.

    Returns ``{"results": [{"id", "value" | "error"}], "value": …, "left_out": [{"id", "reason"}]}``, ``value`` for a
    bare expression only, ``left_out`` for a set with ``at`` only, and ``scene`` with each result of a scene; date-times
    are written as ISO 8601 in UTC.

    Raises:
        BadInput: a bare expression that is not valid CertLogic or gets the wrong operands; a set without a rule; data
            that has no place for the clock.
        LimitExceeded: too many rules, or a bare expression too large.
    """
    clock = None
    if at is not None:
        clock = moment(at).astimezone(UTC)
        data = _with_clock(data, clock.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    scenes = document.get("scenes") if isinstance(document, dict) else None
    if isinstance(scenes, dict) and all(isinstance(rules, list) for rules in scenes.values()):
        return {
            "results": [
                {"scene": scene} | _one(rule, data)
                for scene, rule in _bounded([(name, rule) for name, rules in scenes.items() for rule in rules])
            ]
        }
    rules = _rules(document)
    if rules is None:
        value = _value(document, data)
        return {"results": [{"id": None, "value": value}], "value": value}
    found = [_one(rule, data, clock) for rule in _bounded(rules)]
    outcome = {"results": [one for one in found if "reason" not in one]}
    return outcome if clock is None else outcome | {"left_out": [one for one in found if "reason" in one]}


def _bounded(rules: list[Any]) -> list[Any]:
    if not rules:
        raise BadInput("The set holds no rule.", 'Give at least one under "rules".')
    if len(rules) > MAX_RULES:
        raise LimitExceeded(f"More than {MAX_RULES:,} rules.", "Split the set.")
    return rules


def require_engine(rule: Any) -> None:
    """Refuse a rule that is written for an engine that this one is not (EU DCC rules, ``Engine``, ``EngineVersion``).

    The names may begin with a small letter, as that of the logic may. A rule for a newer version may mean something
    that is read otherwise here; it is no answer rather than a wrong one.

    Raises:
        BadInput: another engine, a newer version of CertLogic than 1.3.3, or a version that is none.
    """
    if not isinstance(rule, dict):
        return
    for engine, version in (("Engine", "EngineVersion"), ("engine", "engineVersion")):
        _require_engine(rule.get(engine, ENGINE), rule.get(version, "0.0.0"))


def _require_engine(engine: Any, version: Any) -> None:
    if engine != ENGINE:
        raise BadInput("The rule is for an engine that is not known here.", f"Give a rule for {ENGINE}.")
    found = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if found is None:
        raise BadInput("The rule's EngineVersion is no version.", "Write it as 1.3.3.")
    if tuple(int(part) for part in found.groups()) > ENGINE_VERSION:
        raise BadInput(
            f"The rule is for version {found[0]} of CertLogic; versions up to 1.3.3 are known here.",
            "Update this software, or give a rule for an older version.",
        )


def _with_clock(data: Any, at: str) -> Any:
    external = data.get("external") if isinstance(data, dict) else data
    if not isinstance(data, dict) or not isinstance(external, dict | None):
        raise BadInput('The data\'s "external" is not an object.', "Give the data of EU rules: payload and external.")
    return {**data, "external": {**(external or {}), "validationClock": at}}


def _value(expression: Any, data: Any) -> Any:
    """Value of an expression as JSON can hold it."""
    value = evaluate(expression, data)
    require_bounded(value)
    return as_json(value)


def as_json(value: Any) -> Any:
    """A value of CertLogic as JSON can hold it: date-times as ISO 8601 in UTC."""
    if isinstance(value, DateTime):
        return str(value)
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value


def _rules(document: Any) -> list[Any] | None:
    if isinstance(document, dict) and isinstance(document.get("rules"), list):
        return [_inner(entry) for entry in document["rules"]]
    if _is_rule(document):
        return [document]
    if isinstance(document, list) and any(_is_rule(_inner(entry)) for entry in document):
        return [_inner(entry) for entry in document]
    return None


def _inner(entry: Any) -> Any:
    # The merged layout of rule suites keeps each rule beside its tests.
    return entry["rule"] if isinstance(entry, dict) and isinstance(entry.get("rule"), dict) else entry


def _is_rule(entry: Any) -> bool:
    """Whether a rule is meant: no operation of CertLogic is called like the fields of a rule."""
    return isinstance(entry, dict) and not entry.keys().isdisjoint(_LOGIC_NAMES + _ID_NAMES)


def _first(rule: Any, names: tuple[str, ...]) -> Any:
    given = rule if isinstance(rule, dict) else {}
    return next((given[name] for name in names if given.get(name) is not None), None)


def _outside(rule: Any, clock: datetime) -> str | None:
    """Why an EU rule is not valid at a moment; None where it is. Both ends belong to it, as in the EU's verifiers."""
    begins, ends = _first(rule, ("ValidFrom", "validFrom")), _first(rule, ("ValidTo", "validTo"))
    if begins is not None and clock < moment(begins):
        return f"not valid before {begins}"
    if ends is not None and clock > moment(ends):
        return f"not valid after {ends}"
    return None


def _one(rule: Any, data: Any, clock: datetime | None = None) -> dict[str, Any]:
    """Its value, its error or, where it is not valid at ``clock``, the reason to leave it out."""
    name = _first(rule, _ID_NAMES)
    try:
        reason = _outside(rule, clock) if clock is not None else None
        if reason is not None:
            return {"id": name, "reason": reason}
        logic = _first(rule, _LOGIC_NAMES)
        if logic is None:
            raise BadInput("The rule has no logic.", 'Give a CertLogic expression under "Logic".')
        require_engine(rule)
        return {"id": name, "value": _value(logic, data)}
    except HutongError as error:
        return {"id": name, "error": str(error)}
