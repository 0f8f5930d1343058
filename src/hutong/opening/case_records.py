"""Case records: one row per case, generalised until each shares its quasi-identifiers with at least k - 1 others.

Import lazily: Ibis is loaded here.
"""

from __future__ import annotations

import ibis.expr.types as ir
import pyarrow as pa

from hutong.errors import BadInput
from hutong.standard import Sensitivity, Table

from . import generalisation
from .deidentification import Deidentified, deidentify
from .generalisation import Hierarchy
from .publication import Publication, QuasiIdentifier

AREA_NAMES = ("district", "region 2", "region 1", "country")


def release_records(cases: ir.Table, areas: pa.Table, publication: Publication) -> Deidentified:
    """The k-anonymous table of a publication, with its measured risk.

    ``areas``: ``area_code, parent_code, level`` (number, the root 0). Raises ``Refused`` when no combination of levels
    holds with as few records dropped as the publication allows.
    """
    hierarchies = [_hierarchy(element, given, areas) for element, given in publication.quasi_identifiers.items()]
    return deidentify(
        cases,
        hierarchies,
        k=publication.k,
        suppression_limit=publication.suppression_limit,
        keep=publication.keep,
        sensitive=publication.sensitive,
    )


def require_safe(publication: Publication, table: Table) -> None:
    """Refuse to keep what would single people out beside the quasi-identifiers that are generalised.

    Only elements that the standard calls plain or sensitive may be kept as they are: then the k and the risk that are
    measured are those of the whole record.

    Raises BadInput naming the elements.
    """
    safe = {element.name for element in table.with_sensitivity(Sensitivity.PLAIN, Sensitivity.SENSITIVE)}
    unsafe = [name for name in publication.keep if name not in safe]
    if unsafe:
        raise BadInput(
            f"These can't be kept as they are in case records: {', '.join(unsafe)[:200]}.",
            "Name quasi-identifiers with their hierarchy, and leave out identifiers and keys.",
        )


def _hierarchy(element: str, given: QuasiIdentifier, areas: pa.Table) -> Hierarchy:
    hierarchy = _by_kind(element, given, areas)
    return hierarchy.no_coarser_than(given.no_coarser_than) if given.no_coarser_than else hierarchy


def _by_kind(element: str, given: QuasiIdentifier, areas: pa.Table) -> Hierarchy:
    if given.hierarchy == "dates":
        return generalisation.dates(element, weight=given.weight)
    if given.hierarchy == "age-groups":
        return generalisation.age_groups(element, weight=given.weight)
    if given.hierarchy == "areas":
        depth = max(areas["level"].to_pylist()) + 1
        return generalisation.areas(element, areas, names=AREA_NAMES[-depth:], weight=given.weight)
    return generalisation.as_given(element, weight=given.weight)
