"""Licences by their addresses: what people and CKAN call them, and whether they are open (https://opendefinition.org).

One licence has several addresses: its publisher's, and that of the EU's authority table, which DCAT-AP asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence: ``name`` as people write it, CKAN's ``id`` and ``title``; ``is_open`` as the Open Definition says."""

    name: str
    id: str
    title: str
    is_open: bool
    addresses: tuple[str, ...]


_EU = "publications.europa.eu/resource/authority/licence/"
_CC = "creativecommons.org/licenses/"
_ODC = "opendatacommons.org/licenses/"
_CREATIVE = "Creative Commons Attribution"
LICENCES: Final = (
    Licence(
        "CC0 1.0",
        "cc-zero",
        "Creative Commons CC Zero",
        is_open=True,
        addresses=(f"{_EU}CC0", "creativecommons.org/publicdomain/zero/1.0"),
    ),
    Licence("CC BY 4.0", "cc-by-4.0", f"{_CREATIVE} 4.0", is_open=True, addresses=(f"{_EU}CC_BY_4_0", f"{_CC}by/4.0")),
    Licence(
        "CC BY-SA 4.0",
        "cc-by-sa-4.0",
        f"{_CREATIVE}-ShareAlike 4.0",
        is_open=True,
        addresses=(f"{_EU}CC_BYSA_4_0", f"{_CC}by-sa/4.0"),
    ),
    Licence(
        "CC BY-NC 4.0",
        "cc-by-nc-4.0",
        f"{_CREATIVE}-NonCommercial 4.0",
        is_open=False,
        addresses=(f"{_EU}CC_BYNC_4_0", f"{_CC}by-nc/4.0"),
    ),
    Licence(
        "CC BY-ND 4.0",
        "cc-by-nd-4.0",
        f"{_CREATIVE}-NoDerivatives 4.0",
        is_open=False,
        addresses=(f"{_EU}CC_BYND_4_0", f"{_CC}by-nd/4.0"),
    ),
    Licence(
        "ODbL 1.0",
        "odc-odbl",
        "Open Data Commons Open Database License",
        is_open=True,
        addresses=(f"{_EU}ODC_BL", f"{_ODC}odbl", f"{_ODC}odbl/1-0"),
    ),
    Licence(
        "ODC-By 1.0",
        "odc-by",
        "Open Data Commons Attribution License",
        is_open=True,
        addresses=(f"{_EU}ODC_BY", f"{_ODC}by", f"{_ODC}by/1-0"),
    ),
    Licence(
        "PDDL 1.0",
        "odc-pddl",
        "Open Data Commons Public Domain Dedication and License",
        is_open=True,
        addresses=(f"{_EU}ODC_PDDL", f"{_ODC}pddl", f"{_ODC}pddl/1-0"),
    ),
    Licence(
        "Apache-2.0",
        "apache",
        "Apache Licence 2.0",
        is_open=True,
        addresses=(f"{_EU}APACHE_2_0", "www.apache.org/licenses/LICENSE-2.0"),
    ),
)
CLOSED: Final = Licence("", "other-closed", "Other (Not Open)", is_open=False, addresses=())
"""CKAN's own for what no public licence hands out."""

_BY_ADDRESS: Final = {address: licence for licence in LICENCES for address in licence.addresses}


def licence_at(uri: str) -> Licence | None:
    """The licence with this address, with http or https and with or without a slash at its end; None when unknown."""
    return _BY_ADDRESS.get(uri.partition("://")[2].rstrip("/"))


def licence_in_ckan(uri: str, grade: int) -> Licence | None:
    """What CKAN's clients are told of the files of a dataset: its licence, or from grade 2 on that it is not open."""
    return licence_at(uri) or (CLOSED if grade >= 2 else None)
