"""Publication: the declared description of one dataset and of how its releases are made. A YAML file of the steward.

Two kinds: ``weekly-counts`` (cases by area and epidemiological week, small cells withheld) and ``case-records``
(one row per case, k-anonymous on its quasi-identifiers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec
import yaml

from hutong.errors import BadInput, LimitExceeded
from hutong.standard.yaml_text import at_line, load_yaml

from .catalogue.catalogue import SLUG, Contact, Keywords, Text

MAX_BYTES = 128 * 1024
LONGEST_ID = 80
KINDS = ("weekly-counts", "case-records")
STARTING = Path(__file__).parent / "starting"
UNNAMED_SOURCE = "my-source"
NOT_KEPT = "Check kind, source and protection: they were not kept. 请核对类型、来源与保护参数：以前未予保存。"
HIERARCHIES = ("dates", "age-groups", "areas", "as-given")


@dataclass(frozen=True, slots=True)
class QuasiIdentifier:
    """How an element is generalised, and how much its precision counts (1 is usual) when levels are chosen.

    ``no_coarser_than`` names the coarsest level of use to readers; records that it can't protect are left out.
    """

    hierarchy: str
    weight: float = 1.0
    no_coarser_than: str = ""

    def __post_init__(self) -> None:
        if self.hierarchy not in HIERARCHIES:
            raise BadInput(f"The hierarchy {self.hierarchy!r} is not known.", f"Use one of: {', '.join(HIERARCHIES)}.")


@dataclass(frozen=True, slots=True)
class Publication:
    """How one dataset is described and released.

    ``quasi_identifiers`` maps an element to its hierarchy; ``keep`` are the further elements that a record keeps, of
    which ``sensitive`` are measured for diversity. ``threshold`` is the smallest count that is published, ``k`` the
    smallest class, ``suppression_limit`` the share of records that may be dropped.
    """

    dataset: str
    kind: str
    source: str
    grade: int
    title: Text
    description: Text
    keywords: Keywords
    themes: tuple[str, ...]
    licence: str
    frequency: str
    provenance: Text
    contact: Contact
    indicator: str = ""
    threshold: int = 5
    k: int = 10
    suppression_limit: float = 0.02
    quasi_identifiers: Mapping[str, QuasiIdentifier] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not SLUG.fullmatch(self.dataset) or not 2 <= len(self.dataset) <= LONGEST_ID:
            raise BadInput(f"{self.dataset[:80]!r} can't be a dataset's id.", "Use a-z, 0-9, hyphens; 2 to 80 of them.")
        if self.grade not in range(5) or not 0 <= self.suppression_limit <= 1:
            raise BadInput("The grade or the suppression limit is out of range.", "Give 0 to 4, and a share of 0 to 1.")
        if self.kind not in KINDS:
            raise BadInput(f"The kind of publication {self.kind!r} is not known.", f"Use one of: {', '.join(KINDS)}.")
        if self.kind == "weekly-counts" and (self.threshold < 3 or not self.indicator):
            raise BadInput("Weekly counts need an indicator and a threshold of 3 or more.", "Add them.")
        if self.kind == "case-records":
            if not self.quasi_identifiers:
                raise BadInput("Case records need quasi-identifiers.", "Name each with its hierarchy.")
            if self.k < 5 or self.grade < 1:
                raise BadInput("Case records need k of 5 or more, and are never grade 0.", "Raise k or the grade.")


WORDS = tuple(part.name for part in fields(Publication))


def parse_publication(text: str, name: str = "The publication") -> Publication:
    """A publication from its YAML text; ``BadInput`` names what is missing, unknown or wrong, and text that is no YAML.

    ``name`` is what it calls the text.
    """
    if len(text) > MAX_BYTES:
        raise LimitExceeded("The publication is larger than 128 KiB.", "Shorten its texts.")
    try:
        given = load_yaml(text, name)
    except yaml.YAMLError as error:
        raise BadInput(f"{name} is not YAML{at_line(error)}.", "Correct its indentation and quotes.") from error
    if not isinstance(given, dict):
        raise BadInput("The publication is no mapping of names to values.", f"Its words are: {', '.join(WORDS)}.")
    unknown = set(given) - set(Publication.__dataclass_fields__)
    if unknown:
        raise BadInput(f"The publication has unknown parts: {', '.join(sorted(map(str, unknown)))}.", "Remove them.")
    return _publication(given)


def _publication(given: dict[str, Any]) -> Publication:
    if isinstance(given.get("provenance"), str):
        given = {**given, "provenance": {"en": given["provenance"]}}  # as it was written before it had two languages
    try:
        return msgspec.convert(given, Publication)
    except msgspec.ValidationError as error:
        raise BadInput(f"The publication is misstated: {error}.", f"Its words are: {', '.join(WORDS)}.") from error


def starting_text(kind: str, source: str = "") -> str:
    """A publication of this kind to begin with, as YAML with comments, of a declared source where there is one."""
    if kind not in KINDS:
        raise BadInput(f"The kind of publication {kind!r} is not known.", f"Use one of: {', '.join(KINDS)}.")
    text = (STARTING / f"{kind}.yaml").read_text("utf-8")
    return text.replace(UNNAMED_SOURCE, source, 1) if source else text


def publication_text(publication: Mapping[str, Any]) -> str:
    """A publication as YAML, from its JSON form; what is as usual is left out."""
    usual = {part.name: part.default for part in fields(Publication)}
    given = {name: value for name, value in publication.items() if value not in (usual[name], [], {})}
    return str(yaml.safe_dump(given, allow_unicode=True, sort_keys=False, width=100))


def rebuilt_text(described: Mapping[str, Any]) -> str:
    """A publication from the record of a dataset that was published before publications were kept.

    How its releases were made is not in the record: these parts are those of a starting text.
    """
    starting = yaml.safe_load(starting_text("case-records" if described["grade"] else "weekly-counts"))
    told = {name: described[name] for name in WORDS if described.get(name) and name in starting}
    return f"# {NOT_KEPT}\n" + publication_text({**starting, **told, "dataset": described["id"]})
