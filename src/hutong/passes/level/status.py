"""Population status: the facts about each person, set-based from the lake, and the level that a rulebook gives them.

All expressions are Ibis over tables of the standard, so they run unchanged on every engine. A day is a day in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hutong.errors import BadInput

from ..rulebook.evidence import Evidence
from ..rulebook.rulebook import LevelDecision, Rulebook, decide_level

if TYPE_CHECKING:
    import ibis

TABLE = "person_status"
WINDOW_DAYS = 14
FACTS: Mapping[str, str] = {
    "residence_risk": "code",
    "stay_risk_max_14d": "code",
    "days_since_positive_test": "integer",
    "symptoms": "boolean",
    "contact_of_case": "boolean",
}
"""The evidence that a node computes, and its type; each has a column ``<name>_on``: the day when it was true."""

SEEN_BY_CHANCE = ("place-register", "transport-register", "proximity")
"""How contacts are found of whom nobody said that the other person is a case."""

CASES = ("probable", "confirmed", "asymptomatic-carrier")
"""Classifications that make somebody a case whose contacts count."""

_IBIS = {"code": "string", "integer": "int64", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class Evidences:
    """The tables that facts come from: Ibis tables of the standard, None where nothing was acquired."""

    person: Any
    risk_area: Any
    stay: Any = None
    test: Any = None
    symptom: Any = None
    contact: Any = None
    case: Any = None


@dataclass(frozen=True, slots=True)
class PersonStatus:
    """What the newest run says of one person: level, rulebook, version, rule ids, facts and when these were true."""

    pseudonym: str
    level: str
    rulebook: str
    version: str
    rule_ids: tuple[str, ...]
    facts: Mapping[str, Any]
    evidence_dates: Mapping[str, str]
    as_of: date
    decided_at: datetime

    def explain(self, rulebook: Rulebook) -> LevelDecision:
        """The decision with its sentences, made again from the same facts."""
        return decide_level(rulebook, self.facts, evidence_dates=self.evidence_dates)


@dataclass(frozen=True, slots=True)
class LevelRun:
    """One run: persons decided, by level; ``failed`` had facts that the rulebook can't read.

    ``changed`` had another level or other rules before; ``full`` says whether it was the whole population or only those
    whom new evidence concerned.
    """

    rulebook: str
    version: str
    as_of: date
    persons: int
    levels: Mapping[str, int]
    failed: int
    seconds: float
    changed: int = 0
    full: bool = True


def require_computable(rulebook: Rulebook, risk_levels: tuple[str, ...]) -> None:
    """Refuse a rulebook that reads what no node computes: a misspelt fact would silently never be known.

    Args:
        risk_levels: codes of the risk-area rule, which a code of area risk must declare.
    """
    for one in rulebook.evidence:
        if FACTS.get(one.name) != one.type:
            known = ", ".join(f"{name} ({kind})" for name, kind in FACTS.items())
            raise BadInput(f"No node computes the evidence {one.name!r} as {one.type}.", f"Use: {known}.")
        _require_levels(one, risk_levels)


def _require_levels(one: Evidence, risk_levels: tuple[str, ...]) -> None:
    missing = sorted(set(risk_levels) - set(one.values)) if one.type == "code" else []
    if missing:
        raise BadInput(
            f"The evidence {one.name!r} leaves out the area level {missing[0]!r}.",
            f"Declare all area levels: {', '.join(risk_levels)}.",
        )


def facts_of_population(tables: Evidences, as_of: date) -> ibis.Table:
    """The facts of every person as of a day.

    Args:
        tables: ``person`` (pseudonym, residence_area_code, known_at, receipt_id, row_number) and ``risk_area``
            (area_code, level, severity) must be there; ``stay``, ``test``, ``symptom``, ``contact``, ``case`` as in the
            standard.
        as_of: facts that began later don't count.

    Returns:
        One row a person: ``pseudonym`` and, for each of FACTS, a column of its name (null: not known) and one with the
        day when it was true, ``<name>_on``.
    """
    risk = tables.risk_area.select("area_code", "level", "severity")
    facts = _newest_person(tables.person)
    for part in (
        _residence(facts, risk, as_of),
        _stays(tables.stay, risk, as_of),
        _positive_tests(tables.test, as_of),
        _fever(tables.symptom, as_of),
        _contacts(tables, as_of),
    ):
        facts = facts.left_join(part, "pseudonym").drop("pseudonym_right")
    return facts.select("pseudonym", *(column for name in FACTS for column in (name, f"{name}_on")))


def statuses(facts: ibis.Table, rulebook: Rulebook, as_of: date) -> ibis.Table:
    """Facts with level, rule ids, failed, rulebook, version and as_of; when and in which run is the caller's to add."""
    import ibis

    from .population import level_expression

    decided = level_expression(rulebook, facts)
    return decided.mutate(
        rulebook=ibis.literal(rulebook.id),
        version=ibis.literal(rulebook.version),
        as_of=ibis.literal(as_of),
    )


def read_status(row: Mapping[str, Any]) -> PersonStatus:
    """A status from its row of the lake table."""
    return PersonStatus(
        pseudonym=row["pseudonym"],
        level=row["level"],
        rulebook=row["rulebook"],
        version=row["version"],
        rule_ids=tuple(row["rule_ids"].split()),
        facts={name: row[name] for name in FACTS},
        evidence_dates={name: row[f"{name}_on"].isoformat() for name in FACTS if row[f"{name}_on"] is not None},
        as_of=row["as_of"],
        decided_at=row["decided_at"],
    )


def _newest_person(person: Any) -> Any:
    """One row a person: a correction is a new fact, and the newest known one stands."""
    import ibis

    order = [ibis.desc("known_at"), ibis.desc("receipt_id"), ibis.desc("row_number")]
    numbered = person.mutate(_newest=ibis.row_number().over(group_by="pseudonym", order_by=order))
    return numbered.filter(numbered["_newest"] == 0).select("pseudonym", "residence_area_code")


def _residence(person: Any, risk: Any, as_of: date) -> Any:
    import ibis

    joined = person.join(risk, person.residence_area_code == risk.area_code)
    return joined.select("pseudonym", residence_risk=joined.level, residence_risk_on=ibis.literal(as_of))


def _stays(stay: Any, risk: Any, as_of: date) -> Any:
    """The most severe area of the stays that touch the window, and the last day there."""
    import ibis

    if stay is None:
        return _nobody("stay_risk_max_14d")
    stay = _newest_declared(stay)
    first = as_of - timedelta(days=WINDOW_DAYS - 1)
    last_day = ibis.least(ibis.coalesce(stay.left.cast("date"), ibis.literal(as_of)), ibis.literal(as_of))
    stays = stay.mutate(_last=last_day)
    stays = stays.filter(stays.arrived.cast("date") <= ibis.literal(as_of), stays["_last"] >= ibis.literal(first))
    known = stays.join(risk, "area_code").select("pseudonym", "level", "severity", "_last")
    order = [ibis.desc("severity"), ibis.desc("_last")]
    ranked = known.mutate(_rank=ibis.row_number().over(group_by="pseudonym", order_by=order))
    worst = ranked.filter(ranked["_rank"] == 0)
    return worst.select("pseudonym", stay_risk_max_14d=worst.level, stay_risk_max_14d_on=worst["_last"])


def _newest_declared(stay: Any) -> Any:
    """All stays, but of what a person declared for one arrival only the newest: a correction is a new fact."""
    import ibis

    if not {"source_kind", "known_at"} <= set(stay.columns):
        return stay
    own = ibis.coalesce(stay.source_kind == "declared", False)
    order = [ibis.desc("known_at"), ibis.desc("receipt_id")]
    declared = stay.filter(own).mutate(
        _newest=ibis.row_number().over(group_by=("pseudonym", "arrived"), order_by=order)
    )
    return stay.filter(~own).union(declared.filter(declared["_newest"] == 0).drop("_newest"))


def _positive_tests(test: Any, as_of: date) -> Any:
    import ibis

    if test is None:
        return _nobody("days_since_positive_test")
    day = test.sampled_at.cast("date")
    positive = test.filter(test.result == "positive", day <= ibis.literal(as_of))
    newest = positive.group_by("pseudonym").agg(days_since_positive_test_on=positive.sampled_at.cast("date").max())
    days = ibis.literal(as_of).delta(newest.days_since_positive_test_on, unit="day").cast("int64")
    return newest.mutate(days_since_positive_test=days)


def _fever(symptom: Any, as_of: date) -> Any:
    """What a person last said about fever in the window; somebody who said nothing is not known to be well."""
    import ibis

    if symptom is None:
        return _nobody("symptoms")
    first = as_of - timedelta(days=WINDOW_DAYS - 1)
    day = symptom.stated_at.cast("date")
    said = symptom.filter(
        symptom.symptom.isin(("fever", "none")), day.between(ibis.literal(first), ibis.literal(as_of))
    )
    over = ibis.coalesce(said.ended < ibis.literal(as_of), False)
    said = said.mutate(_fever=(said.symptom == "fever") & said.present & ~over)
    order = [ibis.desc("stated_at"), ibis.desc("_fever")]
    ranked = said.mutate(_rank=ibis.row_number().over(group_by="pseudonym", order_by=order))
    last = ranked.filter(ranked["_rank"] == 0)
    return last.select("pseudonym", symptoms=last["_fever"], symptoms_on=last.stated_at.cast("date"))


def _contacts(tables: Evidences, as_of: date) -> Any:
    """Contacts that an interview found are with a case; those that a register or a device saw only if the other is one.

    A case is who tested positive, or is listed as a case, in the window.
    """
    import ibis

    contact = tables.contact
    if contact is None:
        return _nobody("contact_of_case")
    first = as_of - timedelta(days=WINDOW_DAYS - 1)
    recent = contact.filter(contact.started.cast("date").between(ibis.literal(first), ibis.literal(as_of)))
    if {"source_kind", "index_pseudonym"} <= set(contact.columns):
        seen = recent.filter(ibis.coalesce(recent.source_kind.isin(SEEN_BY_CHANCE), False))
        told = recent.filter(~ibis.coalesce(recent.source_kind.isin(SEEN_BY_CHANCE), False))
        kept = [part.select("pseudonym", "started") for part in (told, *_with_cases(seen, tables, first, as_of))]
        recent = ibis.union(*kept) if len(kept) > 1 else kept[0]
    newest = recent.group_by("pseudonym").agg(contact_of_case_on=recent.started.cast("date").max())
    return newest.mutate(contact_of_case=ibis.literal(True))


def _with_cases(seen: Any, tables: Evidences, first: date, as_of: date) -> list[Any]:
    """Contacts whose index person is a case, by test and by case list."""
    import ibis

    window = (ibis.literal(first), ibis.literal(as_of))
    cases = []
    if tables.test is not None:
        sampled = tables.test.sampled_at.cast("date")
        cases.append(tables.test.filter(tables.test.result == "positive", sampled.between(*window)))
    if tables.case is not None:
        began = tables.case.true_from.cast("date")
        cases.append(tables.case.filter(tables.case.classification.isin(CASES), began.between(*window)))
    return [seen.semi_join(found, seen.index_pseudonym == found.pseudonym) for found in cases]


def _nobody(fact: str) -> Any:
    """A fact that is known of nobody, because its table is not there."""
    import ibis
    import pyarrow as pa

    types = {"string": pa.string(), "int64": pa.int64(), "boolean": pa.bool_()}
    columns = {"pseudonym": pa.string(), fact: types[_IBIS[FACTS[fact]]], f"{fact}_on": pa.date32()}
    return ibis.memtable(pa.schema(list(columns.items())).empty_table())
