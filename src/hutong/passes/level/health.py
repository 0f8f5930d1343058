"""Facts about a person's health: tests, their own case record, what was stated of symptoms, contacts, immunisations.

All expressions are Ibis over tables of the standard, so they run unchanged on every engine. Each function gives one row
a person of whom something is known: ``pseudonym`` and, for its facts, a column of the name and one ``<name>_on``. It
gives None when there is no table that could tell.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from .fact import Evidences, days_until, known_last, window

SEEN_BY_CHANCE = ("place-register", "transport-register", "proximity")
"""How contacts are found of whom nobody said that the other person is a case."""

CASES = ("probable", "confirmed", "asymptomatic-carrier")
"""Classifications that make somebody a case."""

WITHDRAWN = "discarded"
OVER = ("recovered", "died")
"""Outcomes that end a case."""

WELL, FEVER = "none", "fever"
"""Code of a statement that there is no symptom, and of fever; every code but the first is a sign of illness."""

FEVER_FROM_CELSIUS = 37.3
"""Body temperature that is a fever: that of China's protocols of prevention and control and of the entry checks under
them (National Health Commission, 2020: 体温≥37.3℃)."""


def tests(test: Any, persons: Any, as_of: date) -> Any:
    """Days since the newest positive and the newest negative test."""
    if test is None:
        return None
    # An update is about a few persons, and has all tests of everybody for the sake of those whom they met.
    test = test.semi_join(persons, "pseudonym")
    day = test.sampled_at.cast("date")
    past = test.mutate(_day=day).filter(day <= window(as_of)[1])
    last = past.group_by("pseudonym").agg(
        days_since_positive_test_on=past["_day"].max(where=past.result == "positive"),
        days_since_negative_test_on=past["_day"].max(where=past.result == "negative"),
    )
    return last.mutate(
        days_since_positive_test=days_until(as_of, last.days_since_positive_test_on),
        days_since_negative_test=days_until(as_of, last.days_since_negative_test_on),
    )


def own_case(case: Any, persons: Any, as_of: date) -> Any:
    """Days since the person's own newest case began that has not ended.

    It began on the day of onset, else of confirmation, else of notification, else when the record was first true.
    Recovery (or death) ends every case of the person and disease that had begun by then, for the record that tells of
    it may have other dates: who is well again is told so by a physician, and no count of days knows it better.
    """
    import ibis

    if case is None:
        return None
    # A list of cases is long and mostly of nobody whom it names: only the persons in question are ranked.
    found = standing_cases(case.semi_join(persons, "pseudonym"))
    over = ibis.coalesce(found.outcome_date, found.known_at.cast("date"))
    over = ibis.cases((found.outcome.isin(OVER) & (over <= ibis.literal(as_of)), over))
    lasting = found.mutate(_over=over.max().over(group_by=("pseudonym", "disease")))
    lasting = lasting.filter(lasting["_began"] <= ibis.literal(as_of))
    lasting = lasting.filter(ibis.coalesce(lasting["_began"] > lasting["_over"], True))
    newest = lasting.group_by("pseudonym").agg(days_since_case_on=lasting["_began"].max())
    return newest.mutate(days_since_case=days_until(as_of, newest.days_since_case_on))


def standing_cases(case: Any) -> Any:
    """Records that make somebody a case, with ``_began``, the day when it began.

    Of the records of one person, disease and first day the newest known stands; one that is discarded also takes back
    what was known before it of that person and disease, for its dates may be others.
    """
    import ibis

    known = case.filter(case.pseudonym.notnull()).select(
        *("pseudonym", "disease", "classification", "outcome", "outcome_date", "known_at", "receipt_id", "row_number"),
        _began=ibis.coalesce(case.onset_date, case.confirmation_date, case.notification_date, case.true_from),
    )
    one_illness = ("pseudonym", "disease")
    ranked = known.mutate(
        _age=ibis.row_number().over(group_by=one_illness, order_by=known_last()),
        _newest=ibis.row_number().over(group_by=(*one_illness, "_began"), order_by=known_last()),
    )
    withdrawn = ranked["_age"].min(where=ranked.classification == WITHDRAWN).over(group_by=one_illness)
    stands = (ranked["_newest"] == 0) & ibis.coalesce(ranked["_age"] < withdrawn, True)
    told = ranked.mutate(_stands=stands)
    return told.filter(told["_stands"], told.classification.isin(CASES))


def stated_health(symptom: Any, as_of: date) -> Any:
    """Whether somebody has any symptom, and whether a fever, by what was last stated in the window.

    Of each symptom the newest statement counts, and "no symptom" ends all before it. A body temperature is a statement
    about fever. Who said nothing of it, or only that one symptom is absent, is not known to be well.
    """
    import ibis

    if symptom is None:
        return None
    said = symptom.filter(symptom.stated_at.cast("date").between(*window(as_of)))
    there = ibis.coalesce(said.present, False) & ~ibis.coalesce(said.ended < ibis.literal(as_of), False)
    heat = said.body_temperature.cast("float64")
    each = said.group_by("pseudonym", "symptom").agg(
        said=said.stated_at.max(),
        there=said.stated_at.max(where=there),
        measured=said.stated_at.max(where=heat.notnull()),
        hot=said.stated_at.max(where=heat >= FEVER_FROM_CELSIUS),
    )
    is_fever, is_other = each.symptom == FEVER, ~each.symptom.isin((FEVER, WELL))
    newest = each.group_by("pseudonym").agg(
        well=each.there.max(where=each.symptom == WELL),
        ill=each.there.max(where=is_other & (each.there == each.said)),
        fever_said=each.said.max(where=is_fever),
        fever_there=each.there.max(where=is_fever),
        measured=each.measured.max(),
        hot=each.hot.max(),
    )
    feverish = _later(newest.fever_there, newest.hot)
    spoken = _later(_later(newest.fever_said, newest.measured), newest.well)
    fever = ibis.cases((spoken.notnull(), ibis.coalesce(feverish >= spoken, False)))
    ill = ibis.cases((newest.ill >= ibis.coalesce(newest.well, newest.ill), newest.ill))
    ill = _later(ill, ibis.cases((fever, spoken)))
    return newest.select(
        "pseudonym",
        symptoms=ibis.cases((ill.notnull(), True), (newest.well.notnull(), False)),
        symptoms_on=ibis.coalesce(ill, newest.well).cast("date"),
        fever=fever,
        fever_on=spoken.cast("date"),
    )


def _later(one: Any, other: Any) -> Any:
    """The later of two moments; the other one where one is null."""
    import ibis

    return ibis.greatest(ibis.coalesce(one, other), ibis.coalesce(other, one))


def declared_stay(symptom: Any, as_of: date) -> Any:
    """What a person last declared in the window of a stay in, or contact with, an area of high risk."""
    import ibis

    if symptom is None:
        return None
    day = symptom.stated_at.cast("date")
    said = symptom.filter(symptom.risk_area_stay.notnull(), day.between(*window(as_of)))
    order = [ibis.desc("stated_at"), ibis.desc("risk_area_stay")]
    ranked = said.mutate(_rank=ibis.row_number().over(group_by="pseudonym", order_by=order))
    last = ranked.filter(ranked["_rank"] == 0)
    return last.select(
        "pseudonym",
        declared_risk_area_stay=last.risk_area_stay,
        declared_risk_area_stay_on=last.stated_at.cast("date"),
    )


def immunisations(immunization: Any, as_of: date) -> Any:
    """The number of the highest dose, the day of the newest, and whether that one completed its series.

    Doses that were given earlier may never have been recorded, so the number on a dose counts, not how many rows there
    are. Without the length of the series it is not known whether it is complete.
    """
    import ibis

    if immunization is None:
        return None
    given = immunization.filter(immunization.vaccination_date <= ibis.literal(as_of))
    order = [ibis.desc("vaccination_date"), ibis.desc("dose_number"), *known_last()]
    ranked = given.mutate(
        _rank=ibis.row_number().over(group_by="pseudonym", order_by=order),
        _doses=given.dose_number.max().over(group_by="pseudonym"),
    )
    last = ranked.filter(ranked["_rank"] == 0)
    complete = (last.dose_number >= last.series_doses).cast("boolean")
    return last.select(
        "pseudonym",
        doses=last["_doses"].cast("int64"),
        doses_on=last.vaccination_date,
        series_complete=complete,
        series_complete_on=ibis.cases((complete.notnull(), last.vaccination_date)),
        days_since_last_dose=days_until(as_of, last.vaccination_date),
        days_since_last_dose_on=last.vaccination_date,
    )


def contacts(tables: Evidences, as_of: date) -> Any:
    """Contacts that an interview found are with a case; those that a register or a device saw only if the other is one.

    A case is who tested positive, or has a case record that stands, in the window.
    """
    import ibis

    contact = tables.contact
    if contact is None:
        return None
    recent = contact.filter(contact.started.cast("date").between(*window(as_of)))
    if {"source_kind", "index_pseudonym"} <= set(contact.columns):
        seen = recent.filter(ibis.coalesce(recent.source_kind.isin(SEEN_BY_CHANCE), False))
        told = recent.filter(~ibis.coalesce(recent.source_kind.isin(SEEN_BY_CHANCE), False))
        kept = [part.select("pseudonym", "started") for part in (told, *_with_cases(seen, tables, as_of))]
        recent = ibis.union(*kept) if len(kept) > 1 else kept[0]
    newest = recent.group_by("pseudonym").agg(contact_of_case_on=recent.started.cast("date").max())
    return newest.mutate(contact_of_case=ibis.literal(True))


def _with_cases(seen: Any, tables: Evidences, as_of: date) -> list[Any]:
    """Contacts whose index person is a case, by test and by case record."""
    cases = []
    if tables.test is not None:
        sampled = tables.test.sampled_at.cast("date")
        cases.append(tables.test.filter(tables.test.result == "positive", sampled.between(*window(as_of))))
    if tables.case is not None:
        met = tables.case.semi_join(seen, tables.case.pseudonym == seen.index_pseudonym)
        standing = standing_cases(met)
        cases.append(standing.filter(standing["_began"].between(*window(as_of))))
    return [seen.semi_join(found, seen.index_pseudonym == found.pseudonym) for found in cases]
