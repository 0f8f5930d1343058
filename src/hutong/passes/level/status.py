"""Population status: all facts about each person, set-based from the lake, and the level that a rulebook gives them.

All expressions are Ibis over tables of the standard, so they run unchanged on every engine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from hutong.acquisition.source import CORRECTION, SELF_REPORT
from hutong.errors import BadInput

from ..rulebook.evidence import Evidence
from ..rulebook.rulebook import UNKNOWN, LevelDecision, Rulebook, decide_level
from . import health
from .fact import FACTS, Evidences, column_types, known_last, window

if TYPE_CHECKING:
    import ibis

TABLE = "person_status"


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

    def follows_from(self, rulebook: Rulebook) -> bool:
        """Whether the rules give this level, by these rules, from the facts beside it; else it was written by hand.

        Args:
            rulebook: the version that the status names.
        """
        try:
            decided = self.explain(rulebook)
        except BadInput:  # facts that the rulebook can't read give no level
            return (self.level, self.rule_ids) == (UNKNOWN, ())
        return (self.level, self.rule_ids) == (decided.level, decided.rule_ids)


@dataclass(frozen=True, slots=True)
class LevelRun:
    """One run: persons decided, by level; ``failed`` had facts that the rulebook can't read.

    ``changed`` had another level or other rules before; ``full`` says whether it was the whole population or only those
    whom new evidence concerned; ``passes_ended`` said a less severe level than the one that was decided.
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
    passes_ended: int = 0


def require_computable(rulebook: Rulebook, risk_levels: tuple[str, ...], diseases: Collection[str]) -> None:
    """Refuse a rulebook that reads what no node computes: a misspelt fact would silently never be known.

    Args:
        risk_levels: codes of the risk-area rule, which a code of area risk must declare.
        diseases: codes of the standard.
    """
    if rulebook.disease is not None and rulebook.disease not in diseases:
        raise BadInput(
            f"The rulebook {rulebook.id} is about a disease that the standard has not.",
            f"Use one of: {', '.join(diseases)}.",
        )
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


def facts_of_population(tables: Evidences, as_of: date, disease: str | None = None) -> ibis.Table:
    """The facts of every person as of a day.

    Args:
        tables: ``person`` (pseudonym, residence_area_code, known_at, receipt_id, row_number) and ``risk_area``
            (area_code, level, severity) must be there; ``stay``, ``test``, ``symptom``, ``contact``, ``case``,
            ``immunization`` as in the standard.
        as_of: facts that began later don't count.
        disease: of which tests, cases and immunisations count; None for all.

    Returns:
        One row a person: ``pseudonym`` and, for each of FACTS, a column of its name (null: not known) and one with the
        day when it was true, ``<name>_on``.
    """
    import ibis

    risk = tables.risk_area.select("area_code", "level", "severity")
    tables = tables.about(disease)
    facts = persons = _newest_person(tables.person)
    # Of a few persons an engine knows how few they are, and reads only what is about them.
    asked = persons if tables.some is None else tables.some
    parts = (
        _residence(persons, risk, as_of),
        _stays(tables.stay, risk, as_of),
        health.declared_stay(tables.symptom, as_of),
        health.tests(tables.test, asked, as_of),
        health.own_case(tables.case, asked, as_of),
        health.stated_health(tables.symptom, as_of),
        health.contacts(tables, as_of),
        health.immunisations(tables.immunization, as_of),
    )
    # One chain of joins and one selection: to plan each join by itself takes longer than to run them all.
    known = [part for part in parts if part is not None]
    for number, part in enumerate(known):
        whose = f"_person_{number}"
        facts = facts.left_join(part.rename({whose: "pseudonym"}), persons.pseudonym == part.pseudonym)
    there = {column for part in known for column in part.columns}
    columns = {name: facts[name] if name in there else ibis.null(kind) for name, kind in column_types().items()}
    return facts.select("pseudonym", **columns)


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


def not_following(stored: ibis.Table, rulebook: Rulebook) -> ibis.Table:
    """As :meth:`PersonStatus.follows_from` for many at once: ``pseudonym`` of those whose level the rules don't give.

    Args:
        stored: rows of ``person_status`` of this version of the rulebook.
    """
    from .population import level_expression

    decided = level_expression(rulebook, stored.rename(stored_level="level", stored_rule_ids="rule_ids"))
    same = decided.level.identical_to(decided.stored_level) & decided.rule_ids.identical_to(decided.stored_rule_ids)
    return decided.filter(~same).select("pseudonym")


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
    """One row a person: the newest known one stands."""
    import ibis

    numbered = person.mutate(_newest=ibis.row_number().over(group_by="pseudonym", order_by=known_last()))
    return numbered.filter(numbered["_newest"] == 0).select("pseudonym", "residence_area_code")


def _residence(person: Any, risk: Any, as_of: date) -> Any:
    import ibis

    joined = person.join(risk, person.residence_area_code == risk.area_code)
    return joined.select("pseudonym", residence_risk=joined.level, residence_risk_on=ibis.literal(as_of))


def _stays(stay: Any, risk: Any, as_of: date) -> Any:
    """The most severe area of the stays that touch the window, and the last day there."""
    import ibis

    if stay is None:
        return None
    stay = _newest_declared(stay)
    first, last = window(as_of)
    stays = stay.mutate(_last=ibis.least(ibis.coalesce(stay.left.cast("date"), last), last))
    stays = stays.filter(stays.arrived.cast("date") <= last, stays["_last"] >= first)
    known = stays.join(risk, "area_code").select("pseudonym", "level", "severity", "_last")
    order = [ibis.desc("severity"), ibis.desc("_last")]
    ranked = known.mutate(_rank=ibis.row_number().over(group_by="pseudonym", order_by=order))
    worst = ranked.filter(ranked["_rank"] == 0)
    return worst.select("pseudonym", stay_risk_max_14d=worst.level, stay_risk_max_14d_on=worst["_last"])


def _newest_declared(stay: Any) -> Any:
    """All stays, but of what a person declared for one arrival only the newest: a correction is a new fact.

    A boundary may leave ``source_kind`` out; where a fact came from every row says.
    """
    import ibis

    said_by = {"source_id": (SELF_REPORT, CORRECTION), "source_kind": ("declared",)}
    own_by = [ibis.coalesce(stay[name].isin(by), False) for name, by in said_by.items() if name in stay.columns]
    if not own_by or "known_at" not in stay.columns:
        return stay
    own = ibis.or_(*own_by)
    order = [ibis.desc("known_at"), ibis.desc("receipt_id")]
    declared = stay.filter(own).mutate(
        _newest=ibis.row_number().over(group_by=("pseudonym", "arrived"), order_by=order)
    )
    return stay.filter(~own).union(declared.filter(declared["_newest"] == 0).drop("_newest"))
