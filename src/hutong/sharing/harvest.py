"""Harvest: what another party's catalogue says, compared with what this node knew of it. Pure.

Only what a party publishes itself is taken from its catalogue: a dataset that it harvested elsewhere is taken from
where it lives, and nobody can announce data in another's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hutong.errors import LimitExceeded
from hutong.opening.catalogue.catalogue import Dataset

LONGEST_ID = 80


@dataclass(frozen=True, slots=True)
class Harvested:
    """A dataset as another party's catalogue describes it; ``dataset.origin`` says where it lives."""

    party: str
    dataset: Dataset
    harvested_at: datetime


@dataclass(frozen=True, slots=True)
class HarvestReport:
    """What one harvest found: ids of datasets, sorted. ``left_out`` counts those that live elsewhere."""

    party: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    vanished: tuple[str, ...]
    unchanged: int
    left_out: int

    @property
    def datasets(self) -> int:
        """How many datasets of the party are known after it."""
        return len(self.added) + len(self.changed) + self.unchanged


def own_datasets(found: Iterable[Dataset], *, party: str, most: int) -> dict[str, Dataset]:
    """The datasets that the party publishes itself, by id. ``LimitExceeded`` past ``most``."""
    own = {
        dataset.id: dataset
        for dataset in found
        if dataset.origin is not None and dataset.origin.node_id == party and len(dataset.id) <= LONGEST_ID
    }
    if len(own) > most:
        raise LimitExceeded(f"The catalogue has more than {most} datasets.", "Raise limits.harvest_datasets.")
    return own


def compare(
    known: Mapping[str, Dataset], found: Mapping[str, Dataset], *, party: str, left_out: int = 0
) -> HarvestReport:
    """What has changed between what was known of a party and what was found."""
    changed = {name for name in known.keys() & found.keys() if known[name] != found[name]}
    return HarvestReport(
        party=party,
        added=tuple(sorted(found.keys() - known.keys())),
        changed=tuple(sorted(changed)),
        vanished=tuple(sorted(known.keys() - found.keys())),
        unchanged=len(known.keys() & found.keys()) - len(changed),
        left_out=left_out,
    )
