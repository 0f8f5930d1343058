"""The queries of a run, under the names that their rows have. An engine builds and translates each of them once: for a
rulebook and a day, and for the tables that are there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from hutong.insight.risk_area import TABLE as RISK_TABLE
from hutong.storage.query import Query

from ..rulebook.rulebook import Rulebook
from . import status
from . import update as updates
from .fact import Evidences
from .update import EVIDENCE, HISTORY

SOME = "some_persons"
"""Rows: the persons in question, ``pseudonym`` and for a run also ``evidence_known_at``."""

LAST = "last_run"
"""One row: ``last_run``, the number of the newest run."""

DECIDED = "decided_levels"
"""Rows: what :func:`levels` gave, without ``failed``."""

STORED = "stored_levels"
"""Rows: what :func:`newest` gave, of one version of a rulebook."""

AREAS = "changed_areas"
"""Rows: areas whose level changed, ``area_code`` and ``known_at``."""


def new(table: str) -> str:
    """Rows of a table of evidence that came since the last run, with ``pseudonym`` and ``known_at``."""
    return f"new_{table}"


def levels(rulebook: Rulebook, as_of: date, there: Collection[str], *, of_some: bool) -> Query:
    """Facts and levels as of a day, of everybody or of SOME only.

    Args:
        there: the lake's tables.
    """

    def build(tables: Mapping[str, Any]) -> Any:
        evidences = _evidences(tables)
        if of_some:
            evidences = updates.restricted(evidences, tables[SOME])
        decided = status.statuses(status.facts_of_population(evidences, as_of, rulebook.disease), rulebook, as_of)
        # Stored in this order, the state of a few persons is in a few row groups.
        return decided if of_some else decided.order_by("pseudonym")

    return Query(("levels", rulebook.hash, as_of, of_some), _read(there), build)


def concerned(rows: Collection[str], there: Collection[str]) -> Query:
    """Whom new evidence concerns.

    Args:
        rows: names of the rows that there are: :func:`new` ones, and AREAS.
        there: the lake's tables.
    """

    def build(tables: Mapping[str, Any]) -> Any:
        fresh = {name: tables[new(name)] for name in EVIDENCE if new(name) in rows}
        return updates.concerned(fresh, _evidences(tables), tables.get(AREAS))

    return Query(("concerned",), _read(there), build)


def changes(there: Collection[str], *, since: bool, of_some: bool) -> Query:
    """What the history gets of DECIDED: of a full run what changed, and ``of_some`` also whose facts did.

    Args:
        there: the lake's tables.
        since: whether SOME are given, whom new evidence concerns.
    """

    def build(tables: Mapping[str, Any]) -> Any:
        some = tables[SOME] if since else None
        stored = [tables[name] for name in _stored(there)]
        before = updates.newest_rows(stored, tables[LAST], some if of_some else None) if stored else None
        found = updates.differences(tables[DECIDED], before, some, facts_too=of_some)
        return found if of_some else found.order_by("pseudonym")

    return Query(("changes", since, of_some), _stored(there), build)


def not_following(rulebook: Rulebook) -> Query:
    """Whose STORED level the version of the rulebook that it names does not give."""
    return Query(("not following", rulebook.hash), (), lambda tables: status.not_following(tables[STORED], rulebook))


def newest(there: Collection[str]) -> Query:
    """The newest status of SOME."""

    def build(tables: Mapping[str, Any]) -> Any:
        return updates.newest_rows([tables[name] for name in _stored(there)], tables[LAST], tables[SOME])

    return Query(("newest",), _stored(there), build)


def history(most: int) -> Query:
    """The newest changes of SOME that gave another level or other rules."""
    import ibis

    def build(tables: Mapping[str, Any]) -> Any:
        changes = tables[HISTORY].semi_join(tables[SOME], "pseudonym")
        return updates.whole(changes.filter(changes.changed)).order_by(ibis.desc("run")).limit(most)

    return Query(("history", most), (HISTORY,), build)


def _read(there: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in (*EVIDENCE, RISK_TABLE) if name in there)


def _stored(there: Collection[str]) -> tuple[str, ...]:
    """The tables whose newest row of a person is that person's state; none before levels were decided."""
    return tuple(name for name in (status.TABLE, HISTORY) if name in there) if status.TABLE in there else ()


def _evidences(tables: Mapping[str, Any]) -> Evidences:
    """The tables of evidence; ``person`` and the risk areas must be there."""
    more = {name: tables.get(name) for name in EVIDENCE if name != "person"}
    return Evidences(person=tables["person"], risk_area=tables[RISK_TABLE], **more)
