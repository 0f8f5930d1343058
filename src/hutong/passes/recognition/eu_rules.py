"""What an EU Digital COVID Certificate is worth here: by a country's business rules, in the form of the EU's gateway.

Of the rules that are in force and about the certificate's type, the newest version of each counts: the acceptance rules
of the country that is entered, and the invalidation rules of the country that issued it ("EU DCC Validation Rules",
eHealth Network, 2021). All of them must give true, as the EU's own verifier apps have it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hutong.errors import BadInput, LimitExceeded

from .. import documents
from ..certlogic.evaluate import compile_rule
from ..certlogic.rule_set import require_engine
from ..certlogic.validate import data_accesses
from ..credential import dcc
from ..documents import Document, Period, Reason
from .verdict import Verdict, unknown, weigh

FIELDS = ("country", "scenes", "rules", "value_sets")
EXTERNAL_FIELDS = ("validationClock", "valueSets", "countryCode", "issuerCountryCode", "exp", "iat")
"""What the rules may read beside the certificate (``payload``), as ``external.<field>``."""
MAX_RULES, MAX_SETS, MAX_CODES, MAX_CODE = 500, 30, 5_000, 80
_RULE_FIELDS = (
    *("Identifier", "Type", "Country", "Version", "SchemaVersion", "Engine", "EngineVersion", "CertificateType"),
    *("Description", "ValidFrom", "ValidTo", "AffectedFields", "Logic"),
)
_TYPES = ("Acceptance", "Invalidation")
_GROUPS = {"General": dcc.GROUPS, "Vaccination": ("v",), "Test": ("t",), "Recovery": ("r",)}
_IDENTIFIER, _COUNTRY = re.compile(r"[A-Z0-9-]{1,40}"), re.compile(r"[A-Z]{2}")
_GATEWAY = "Give it as the EU's gateway hands it out."

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class EuRule:
    """One version of a rule. ``groups``: the entries ("v", "t", "r") that it is about."""

    reason: Reason
    type: str
    country: str
    groups: tuple[str, ...]
    version: Version
    period: Period
    holds: Callable[[Document], bool] = field(repr=False, compare=False)

    def is_in_force(self, at: datetime) -> bool:
        """Both ends belong to the period, as in the EU's verifiers."""
        return self.period.start <= at <= self.period.end


@dataclass(frozen=True, slots=True)
class EuRules:
    """Rules for who enters ``country`` at these scenes; ``value_sets``: the known codes by value-set id."""

    country: str
    scenes: frozenset[str]
    rules: tuple[EuRule, ...]
    value_sets: Mapping[str, list[str]]


def judge_certificate(
    payload: Document,
    rules: EuRules,
    scene: str,
    at: datetime,
    *,
    issuer_country: str,
    issued_at: datetime,
    expires_at: datetime,
) -> Verdict:
    """What a certificate is worth at a scene. Signature and expiry are the caller's to check first.

    Args:
        payload: the certificate, as JSON.
        at, issued_at, expires_at: with their offsets.
        issuer_country: ISO 3166-1 alpha-2 of the party whose key signed it.

    Returns:
        ``refused`` if a rule gives false, else ``unknown`` if a rule can't be applied or none is about it, else
        ``accepted``. A certificate of other than one entry is unknown, for rules look at the first alone.
    """
    if scene not in rules.scenes:
        return unknown("no-rule-for-scene")
    groups = dcc.kinds_of(payload)
    if len(groups) != 1 or dcc.check_one_entry(payload):
        return unknown("not-one-entry")
    (group,) = groups
    if not isinstance(payload[group][0], Mapping):
        return unknown("not-one-entry")
    chosen = _newest(rules, group, issuer_country, at)
    if not any(rule.type == "Acceptance" for rule in chosen):
        return unknown("no-rule-for-certificate")
    external = {
        "validationClock": _written(at),
        "valueSets": rules.value_sets,
        "countryCode": rules.country,
        "issuerCountryCode": issuer_country,
        "exp": _written(expires_at),
        "iat": _written(issued_at),
    }
    return weigh(chosen, {"payload": payload, "external": external})


def _newest(rules: EuRules, group: str, issuer_country: str, at: datetime) -> list[EuRule]:
    """The newest version of each rule that counts, in the order of their first versions."""
    countries = {"Acceptance": rules.country, "Invalidation": issuer_country}
    found: dict[tuple[str, str], EuRule] = {}
    for rule in rules.rules:
        if rule.country == countries[rule.type] and group in rule.groups and rule.is_in_force(at):
            name = (rule.type, rule.reason.rule_id)
            if name not in found or found[name].version < rule.version:
                found[name] = rule
    return list(found.values())


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def parse_eu_rules(document: Any, where: str, languages: Collection[str], scenes: Collection[str]) -> EuRules:
    """Read rules for EU certificates that are to be published.

    Raises:
        BadInput: an unknown field or scene, a rule without its parts or a text in each language, a version twice,
            another engine, invalid CertLogic, a path that a verifier does not have, a code list that is none.
        LimitExceeded: a rule larger or deeper than allowed.
    """
    found = _read(document, where, languages, scenes, _compiled)
    named = [(rule.reason.rule_id, ".".join(map(str, rule.version))) for rule in found.rules]
    documents.require_unique([" ".join(one) for one in named], where)
    if not any(rule.type == "Acceptance" and rule.country == found.country for rule in found.rules):
        raise BadInput(f"{where} have no acceptance rule of {found.country}.", "Give the rules of the country.")
    return found


def read_eu_rules(document: Any, scenes: Collection[str]) -> EuRules | None:
    """Read rules that may be of a newer edition: one that is not understood fails when it is asked.

    None where they are of a form that is not known here: then nothing says what a certificate is worth.
    """

    def lenient(item: Document, where: str) -> Callable[[Document], bool]:
        try:
            return _compiled(item, where)
        except (BadInput, LimitExceeded) as error:
            problem = error

        def holds(_context: Document) -> bool:
            raise problem

        return holds

    try:
        return None if document is None else _read(document, "The rules", (), scenes, lenient)
    except BadInput:
        return None


def _read(
    document: Any,
    where: str,
    languages: Collection[str],
    scenes: Collection[str],
    compile_: Callable[[Document, str], Callable[[Document], bool]],
) -> EuRules:
    documents.known_fields(document, FIELDS, where)
    at = documents.items(document, "scenes", where, least=1, most=len(scenes))
    if any(scene not in scenes for scene in at):
        raise BadInput(f"{where} name a scene that does not exist.", f"Use: {', '.join(sorted(scenes))}.")
    rules = [
        _rule(item, where, languages, compile_)
        for item in documents.items(document, "rules", where, least=1, most=MAX_RULES)
    ]
    return EuRules(
        country=_matching(document, "country", _COUNTRY, where),
        scenes=frozenset(map(str, at)),
        rules=tuple(rules),
        value_sets=_value_sets(document.get("value_sets", {}), where),
    )


def _rule(
    item: Any, where: str, languages: Collection[str], compile_: Callable[[Document, str], Callable[[Document], bool]]
) -> EuRule:
    if not isinstance(item, Mapping):
        raise BadInput(f"{where} have a rule that is no object.", "Give named fields.")
    name = _matching(item, "Identifier", _IDENTIFIER, where)
    where = f"{where}, rule {name}"
    kind, about = item.get("Type"), item.get("CertificateType")
    if kind not in _TYPES or about not in tuple(_GROUPS):
        raise BadInput(f"{where} is of a type that is not known.", _GATEWAY)
    said = item.get("Description")
    described = [one for one in said if isinstance(one, Mapping)] if isinstance(said, list) else []
    texts = {"Description": {str(one.get("lang")): one.get("desc") for one in described}}
    bounds = {"valid_from": item.get("ValidFrom"), "valid_to": item.get("ValidTo")}
    return EuRule(
        reason=Reason(name, documents.texts(texts, "Description", where, languages)),
        type=str(kind),
        country=_matching(item, "Country", _COUNTRY, where),
        groups=_GROUPS[str(about)],
        version=documents.semver(item.get("Version")),
        period=documents.period(bounds, where),
        holds=compile_(item, where),
    )


def _compiled(item: Document, where: str) -> Callable[[Document], bool]:
    """What says whether a rule gives true; it fails for a certificate of an older schema than the rule is for."""
    documents.known_fields(item, _RULE_FIELDS, where)
    require_engine(item)
    schema = documents.semver(item.get("SchemaVersion"))
    try:
        run = compile_rule(item.get("Logic"))
    except BadInput as error:
        raise BadInput(f"{where} is not usable. {error.what}", error.do) from error
    for path in data_accesses(item.get("Logic")):
        _require_readable(path, where)

    def holds(context: Document) -> bool:
        stated = documents.semver(context["payload"].get("ver"))
        if stated[0] != schema[0] or stated < schema:
            raise BadInput("The certificate is of another schema than the rule.", "Ask for a newer certificate.")
        value = run(context)
        if not isinstance(value, bool):
            raise BadInput("The rule gives neither true nor false.", "Correct the rule.")
        return value

    return holds


def _require_readable(path: str, where: str) -> None:
    root, _, rest = path.partition(".")
    if root != "payload" and (root != "external" or rest.partition(".")[0] not in EXTERNAL_FIELDS):
        raise BadInput(
            f"{where} reads {path[:80]!r}, which a verifier does not have.",
            f"Read payload or external.({'|'.join(EXTERNAL_FIELDS)}).",
        )


def _value_sets(document: Any, where: str) -> dict[str, list[str]]:
    if not isinstance(document, Mapping) or len(document) > MAX_SETS:
        raise BadInput(f"{where} have value sets that are none.", "Give a list of codes by the id of each value set.")
    for codes in document.values():
        is_list = isinstance(codes, list) and len(codes) <= MAX_CODES
        if not is_list or any(not isinstance(code, str) or len(code) > MAX_CODE for code in codes):
            raise BadInput(f"{where} have a value set that is no list of codes.", "Give its codes as texts.")
    return {str(name): list(codes) for name, codes in document.items()}


def _matching(document: Document, name: str, form: re.Pattern[str], where: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise BadInput(f"{where} has no usable {name!r}.", _GATEWAY)
    return value
