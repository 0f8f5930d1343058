"""One CertLogic expression, one rule or a set of rules over one document: what ``hutong rules evaluate`` does."""

from __future__ import annotations

from typing import Any

from hutong.errors import HutongError, LimitExceeded
from hutong.passes.certlogic.evaluate import evaluate

MAX_RULES = 10_000
_LOGIC_NAMES = ("Logic", "logic", "certLogicExpression")
_ID_NAMES = ("Identifier", "identifier", "id")


def evaluate_document(document: Any, data: Any, *, at: str | None = None) -> dict[str, Any]:
    """Evaluate every rule of a document; an error of one rule is its result and does not stop the others.

    A rule is an object with ``Logic`` (EU DCC business rules) or ``logic``; a document may be a rule, a list of rules,
    an object with a list under ``rules``, or a bare expression. ``at`` is put where EU rules look for the validation
    clock, ``external.validationClock``. Returns ``{"results": [{"id", "value" | "error"}], "value": …}``, ``value`` for
    a bare expression only.
    """
    if at is not None:
        external = {**(data.get("external") or {}), "validationClock": at} if isinstance(data, dict) else None
        data = {**data, "external": external} if external is not None else data
    rules = _rules(document)
    if rules is None:
        value = evaluate(document, data)
        return {"results": [{"id": None, "value": value}], "value": value}
    if len(rules) > MAX_RULES:
        raise LimitExceeded(f"More than {MAX_RULES:,} rules.", "Split the set.")
    return {"results": [_one(rule, data) for rule in rules]}


def _rules(document: Any) -> list[dict[str, Any]] | None:
    if isinstance(document, dict) and isinstance(document.get("rules"), list):
        document = document["rules"]
    if isinstance(document, dict) and _logic(document) is not None:
        return [document]
    if isinstance(document, list) and document and all(_logic(_inner(entry)) is not None for entry in document):
        return [_inner(entry) for entry in document]
    return None


def _inner(entry: Any) -> Any:
    # The merged layout of rule suites keeps each rule beside its tests.
    return entry["rule"] if isinstance(entry, dict) and isinstance(entry.get("rule"), dict) else entry


def _logic(rule: Any) -> Any:
    return next((rule[name] for name in _LOGIC_NAMES if name in rule), None) if isinstance(rule, dict) else None


def _one(rule: dict[str, Any], data: Any) -> dict[str, Any]:
    name = next((rule[key] for key in _ID_NAMES if key in rule), None)
    try:
        return {"id": name, "value": evaluate(_logic(rule), data)}
    except HutongError as error:
        return {"id": name, "error": str(error)}
