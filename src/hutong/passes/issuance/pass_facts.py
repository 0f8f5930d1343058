"""Further facts that a pass may carry: what the node knows of a person now, chosen by name, never who the person is.

None is on a pass unless it was chosen, and one that was is there as a salted digest only, until its holder shows it.
A day is a day in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from hutong.errors import BadInput, NotFound
from hutong.node import Node
from hutong.rights.person import owned, pseudonym_of
from hutong.trust.authorisation import Actor

from ..appeal import queries as appeal_queries
from ..appeal.queries import LevelInForce
from ..credential.level_pass import MAX_FACTS, SALT_BYTES, Fact
from ..documents import Texts
from ..rulebook.evidence import Evidence

RESULTS = ("negative", "positive", "indeterminate")
"""Results that say something; a test without one is as if it were not there."""

_DAYS_SINCE = "days_since_"
_DAY: Texts = {"en": "{fact}: the day", "zh": "{fact}（日期）"}
_WORDS: Mapping[str, Texts] = {
    "level-reasons": {"en": "Rules that gave the level", "zh": "得出该等级的规则"},
    "test-on": {"en": "Day of the newest test", "zh": "最近一次检测的日期"},
    "test-disease": {"en": "What the newest test looked for", "zh": "最近一次检测针对的疾病"},
    "test-result": {"en": "Result of the newest test", "zh": "最近一次检测的结果"},
    "test-negative-on": {"en": "Day of the newest test, which was negative", "zh": "最近一次检测（结果为阴性）的日期"},
    "test-positive-on": {"en": "Day of the newest test, which was positive", "zh": "最近一次检测（结果为阳性）的日期"},
    "vaccinated-on": {"en": "Day of the last vaccination", "zh": "最近一次接种的日期"},
    "vaccinated-against": {"en": "What the last vaccination protects from", "zh": "最近一次接种所预防的疾病"},
}


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact that a pass may carry: its name, what it says (days as YYYY-MM-DD), and what it is in words."""

    name: str
    value: str | int | bool
    meaning: Texts


def facts_to_carry(node: Node, *, by: Actor, person: str) -> tuple[KnownFact, ...]:
    """What a pass of a resident may carry now, for who may have it issued; nothing before levels were decided.

    Args:
        person: the resident's number, or the pseudonym.

    Raises:
        Refused: the policy.
    """
    pseudonym = pseudonym_of(node, person)
    node.require(by, "issue_pass", owned(node, by, pseudonym))
    try:
        return known_facts(node, pseudonym, appeal_queries.level_in_force(node, pseudonym))
    except NotFound:
        return ()


def all_meanings(evidence: Iterable[Evidence]) -> dict[str, Texts]:
    """Every name that a fact may have under rulebooks that declare this evidence, with what it is in words."""
    return {**_WORDS, **{name: texts for one in evidence for name, texts in _named(one).items()}}


def known_facts(node: Node, pseudonym: str, found: LevelInForce) -> tuple[KnownFact, ...]:
    """What a pass of this person may carry beside the level, as the node knows it now.

    Args:
        found: the level in force. Of its evidence, what is counted in days is told as its day: a count grows old.
    """
    return known_facts_of_many(node, {pseudonym: found})[pseudonym]


def known_facts_of_many(node: Node, levels: Mapping[str, LevelInForce]) -> dict[str, tuple[KnownFact, ...]]:
    """As :func:`known_facts`, for each of many persons by pseudonym, with one query a table."""
    today = node.clock().astimezone(UTC).date()
    tests = _newest(node, "test", levels, "sampled_at", today)
    doses = _newest(node, "immunization", levels, "vaccination_date", today)
    meanings: dict[str, dict[str, Texts]] = {}
    every: dict[str, tuple[KnownFact, ...]] = {}
    for pseudonym, found in levels.items():
        values: dict[str, Any] = {"level-reasons": " ".join(reason.rule_id for reason in found.reasons)}
        values |= _of_test(tests.get(pseudonym)) | _of_dose(doses.get(pseudonym))
        for one in found.rulebook.evidence:
            values |= _evidence(one, found.status.facts.get(one.name), found.status.evidence_dates.get(one.name))
        if found.rulebook.hash not in meanings:
            meanings[found.rulebook.hash] = all_meanings(found.rulebook.evidence)
        words = meanings[found.rulebook.hash]
        every[pseudonym] = tuple(
            KnownFact(name, value, words[name]) for name, value in values.items() if value is not None
        )
    return every


def chosen_facts(node: Node, known: Iterable[KnownFact], names: Iterable[str]) -> tuple[Fact, ...]:
    """The facts of these names, each with a fresh salt, so that two passes with one fact share no digest.

    Raises:
        BadInput: a name of nothing that is known, or more than 32.
    """
    values, wanted = {one.name: one.value for one in known}, tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in values:
            raise BadInput(
                f"The node knows no fact {name[:40]!r} of this person.", f"Choose from: {', '.join(sorted(values))}."
            )
    if len(wanted) > MAX_FACTS:
        raise BadInput(f"A pass carries at most {MAX_FACTS} facts.", "Choose what is needed.")
    return tuple(Fact(name, values[name], node.random(SALT_BYTES)) for name in wanted)


def require_possible(names: Iterable[str], evidence: Iterable[Evidence]) -> None:
    """Refuse for everybody at once what no pass can carry, whoever it is for.

    Args:
        evidence: what the rulebooks declare that gave the levels in question.

    Raises:
        BadInput: more than 32 names, or one that no fact has.
    """
    wanted, possible = dict.fromkeys(names), all_meanings(evidence)
    if len(wanted) > MAX_FACTS:
        raise BadInput(f"A pass carries at most {MAX_FACTS} facts.", "Choose what is needed.")
    for name in wanted:
        if name not in possible:
            raise BadInput(f"There is no fact {name[:40]!r}.", f"Choose from: {', '.join(sorted(possible))}.")


def _named(one: Evidence) -> dict[str, Texts]:
    """Names of the facts that an evidence may give, with their words."""
    name = one.name.removeprefix(_DAYS_SINCE).replace("_", "-")
    day = {language: _DAY.get(language, _DAY["en"]).format(fact=text) for language, text in one.meaning.items()}
    return {f"{name}-on": day} if one.name.startswith(_DAYS_SINCE) else {name: one.meaning, f"{name}-on": day}


def _evidence(one: Evidence, value: Any, day: str | None) -> dict[str, Any]:
    told = {name: day if name.endswith("-on") else value for name in _named(one)}
    return told if value is not None else {}


def _of_test(newest: Mapping[str, Any] | None) -> dict[str, Any]:
    if newest is None:
        return {}
    day, result = _day(newest["sampled_at"]), newest["result"]
    told = {"test-on": day, "test-disease": newest["disease"], "test-result": result}
    return told | ({f"test-{result}-on": day} if result in ("negative", "positive") else {})


def _of_dose(newest: Mapping[str, Any] | None) -> dict[str, Any]:
    if newest is None:
        return {}
    return {"vaccinated-on": _day(newest["vaccination_date"]), "vaccinated-against": newest["disease"]}


def _newest(
    node: Node, name: str, pseudonyms: Iterable[str], when: str, today: date
) -> Mapping[str, Mapping[str, Any]]:
    """Each person's newest row of a lake table up to today; of two for one moment the one that was known last."""
    import ibis
    import pyarrow as pa

    if not node.lake.exists(name):
        return {}
    table = node.engine.table(name)
    asked = node.engine.bind(pa.table({"pseudonym": pa.array(list(pseudonyms), pa.string())}))
    own = table.filter(table[when].cast("date") <= ibis.literal(today)).semi_join(asked, "pseudonym")
    if "result" in own.columns:
        own = own.filter(own.result.isin(RESULTS))
    order = [ibis.desc(column) for column in (when, "known_at", "receipt_id", "row_number")]
    ranked = own.mutate(_rank=ibis.row_number().over(group_by="pseudonym", order_by=order))
    rows = ranked.filter(ranked["_rank"] == 0).drop("_rank")
    return {row["pseudonym"]: row for row in node.engine.to_arrow(rows).to_pylist()}


def _day(moment: datetime | date) -> str:
    return (moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment).isoformat()
