"""Receipt: the answer to a submission, with counts by outcome, what was noticed, and what the boundary kept out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from hutong.trust.signing import canonical_json


@dataclass(frozen=True, slots=True)
class Noticed:
    """A finding about a column or element, with the number of rows that it concerns."""

    rule: str
    subject: str
    rows: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of one file for one table of the standard. Rows are those of the file; ``seconds`` how long it took.

    ``repeated`` marks the answer to a file that was acquired before: nothing was added.
    """

    id: str
    source: str
    table: str
    file_name: str
    file_sha256: str
    file_bytes: int
    mapping: str
    mapping_sha256: str
    boundary: str
    rows: int
    accepted: int
    held: int
    rejected: int
    findings: tuple[Noticed, ...]
    refused_values: Mapping[str, int]
    columns_outside: tuple[str, ...]
    received_at: datetime
    seconds: float
    salt: str = ""
    repeated: bool = False

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "received_at": self.received_at.isoformat()}

    @property
    def commitment(self) -> str:
        """What the log keeps of it: SHA-256 over its JSON, which holds a salt, so that nobody can guess its content."""
        return hashlib.sha256(canonical_json(replace(self, repeated=False).document())).hexdigest()

    def sentence(self) -> str:
        """The counts in one line."""
        return f"{self.rows:,} rows: {self.accepted:,} accepted, {self.held:,} held, {self.rejected:,} rejected" + (
            " (acquired before; nothing was added)" if self.repeated else ""
        )


def read_receipt(document: Mapping[str, Any]) -> Receipt:
    """A receipt from its JSON form in the records."""
    given = dict(document)
    given["findings"] = tuple(Noticed(**finding) for finding in given["findings"])
    given["columns_outside"] = tuple(given["columns_outside"])
    given["received_at"] = datetime.fromisoformat(given["received_at"])
    return Receipt(**given)
