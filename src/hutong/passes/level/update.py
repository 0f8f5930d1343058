"""Which persons new evidence concerns, and what it changes of their levels: set-based, so that nobody else is touched.

The newest state of a person is the row with the highest ``run`` in ``person_status`` (replaced by a full run) and
``person_status_history`` (only appended to, by every run). All expressions are Ibis over lake tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .fact import FACTS, Evidences, column_types

if TYPE_CHECKING:
    import ibis

HISTORY = "person_status_history"
EVIDENCE = ("person", "stay", "test", "symptom", "contact", "case", "immunization")
"""Tables whose rows are evidence about persons; the case list counts through areas and contacts, too."""

EVIDENCE_COLUMNS = ("pseudonym", "known_at")
SPREADING = ("test", "case")
"""Evidence that also concerns the contacts of the person whom it is about."""

STATUS_COLUMNS = (
    *("pseudonym", *(column for name in FACTS for column in (name, f"{name}_on")), "level", "rule_ids"),
    *("rulebook", "version", "as_of", "decided_at", "run"),
)
"""Columns of ``person_status``; the history has three more: previous_level, changed and evidence_known_at."""


def concerned(new: Mapping[str, Any], tables: Evidences, changed_areas: Any = None) -> ibis.Table:
    """Whom new evidence concerns.

    Args:
        new: new rows by table of EVIDENCE, each with pseudonym and known_at.
        tables: all evidence, the new rows included.
        changed_areas: area_code and known_at of areas whose level changed; None when there are none.

    Returns:
        One row a person: ``pseudonym`` and ``evidence_known_at``, when the oldest of that evidence became known.
    """
    import ibis

    found = [rows.filter(rows.pseudonym.notnull()).select(*EVIDENCE_COLUMNS) for rows in new.values()]
    if tables.contact is not None and "index_pseudonym" in tables.contact.columns:
        contact = tables.contact.select("index_pseudonym", contact="pseudonym")
        for name in SPREADING:
            if name in new:
                of_index = new[name].join(contact, new[name].pseudonym == contact.index_pseudonym)
                found.append(of_index.select("known_at", pseudonym=of_index.contact).select(*EVIDENCE_COLUMNS))
    if changed_areas is not None:
        living = tables.person.join(changed_areas, tables.person.residence_area_code == changed_areas.area_code)
        found.append(living.select("pseudonym", known_at=changed_areas.known_at))
        if tables.stay is not None:
            staying = tables.stay.join(changed_areas, "area_code")
            found.append(staying.select("pseudonym", known_at=changed_areas.known_at))
    everybody = ibis.union(*found) if len(found) > 1 else found[0]
    return everybody.group_by("pseudonym").agg(evidence_known_at=everybody.known_at.min())


def restricted(tables: Evidences, persons: Any) -> Evidences:
    """The evidence about some persons only. Whether those whom they met are cases stays with the full tables."""
    own = {
        name: table if table is None else table.semi_join(persons, "pseudonym")
        for name, table in (
            *(("person", tables.person), ("stay", tables.stay), ("symptom", tables.symptom)),
            *(("contact", tables.contact), ("immunization", tables.immunization)),
        )
    }
    return replace(tables, **own, some=persons)


def newest_rows(parts: list[Any], last: Any, persons: Any = None) -> ibis.Table:
    """The newest row of each person (or of some), with STATUS_COLUMNS.

    Args:
        parts: the tables ``person_status`` and ``person_status_history``, or one of them.
        last: one row, ``last_run``: a row that says to be of a later run was written by hand, and is passed over.
    """
    import ibis

    rows = [whole(part).select(*STATUS_COLUMNS) for part in parts]
    if persons is not None:
        rows = [part.semi_join(persons, "pseudonym") for part in rows]
    rows = [part.filter(part.run <= last.last_run.max().as_scalar()) for part in rows]
    every = ibis.union(*rows) if len(rows) > 1 else rows[0]
    ranked = every.mutate(_newest=ibis.row_number().over(group_by="pseudonym", order_by=ibis.desc("run")))
    return ranked.filter(ranked["_newest"] == 0).drop("_newest")


def lacks_facts(part: Any) -> bool:
    """Whether a table of statuses was written when fewer facts were computed."""
    return not set(column_types()) <= set(part.columns)


def whole(part: Any) -> ibis.Table:
    """The table with all columns of facts: what was not computed when it was written is not known."""
    import ibis

    missing = {name: ibis.null(kind) for name, kind in column_types().items() if name not in part.columns}
    return part.mutate(**missing) if missing else part


def differences(decided: Any, previous: Any, known: Any, *, facts_too: bool) -> ibis.Table:
    """What the history gets: persons whose level or rule ids changed and, with ``facts_too``, whose facts did.

    Args:
        decided: STATUS_COLUMNS without decided_at and run.
        previous: newest rows before; None when there are none.
        known: pseudonym and evidence_known_at; None when no new evidence is known to have caused it.
    """
    import ibis

    columns = tuple(name for name in STATUS_COLUMNS if name not in ("decided_at", "run"))
    rows = decided.select(*columns)
    if previous is None:
        rows = rows.mutate(previous_level=ibis.null("string"), changed=ibis.literal(True))
    else:
        compared = ("level", "rule_ids", *(f"{name}{on}" for name in FACTS for on in ("", "_on")))
        before = previous.select(_person="pseudonym", **{f"_was_{name}": name for name in compared})
        joined = rows.left_join(before, rows.pseudonym == before["_person"])
        differs = {name: ~joined[name].identical_to(joined[f"_was_{name}"]) for name in compared}
        changed = differs["level"] | differs["rule_ids"]
        kept = changed
        for name in compared[2:] if facts_too else ():
            kept = kept | differs[name]
        rows = joined.mutate(previous_level=joined["_was_level"], changed=changed).filter(kept)
        rows = rows.select(*columns, "previous_level", "changed")
    if known is None:
        return rows.mutate(evidence_known_at=ibis.null("timestamp('UTC', 6)"))
    return rows.left_join(known, "pseudonym").select(*columns, "previous_level", "changed", "evidence_known_at")
