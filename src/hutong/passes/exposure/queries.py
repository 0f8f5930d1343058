"""What phones and pages read of distributed collection: the batches that may be downloaded, and who signed them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hutong.errors import NotFound, Refused
from hutong.governance import queries as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node
from hutong.storage.schema import exposure_batch

from ..issuance import queries as pass_queries
from .export import KeyName

_ABOUT = (
    exposure_batch.c.id,
    exposure_batch.c.emergency,
    exposure_batch.c.starts_at,
    exposure_batch.c.ends_at,
    exposure_batch.c["keys"],
    exposure_batch.c.sha256,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is told about a batch; ``keys`` counts the random ones too, ``sha256`` is of the archive."""

    id: str
    emergency: str
    starts_at: datetime
    ends_at: datetime
    keys: int
    sha256: str


def emergencies_in_force(node: Node) -> tuple[Emergency, ...]:
    """Emergencies under which exposure may be told now. Raises Refused when there is none."""
    today = node.clock().date()
    found = tuple(known for known in governance.emergencies(node) if known.is_in_force(today))
    if not found:
        raise Refused(
            "Telling of exposure hangs on an emergency, and none is in force.",
            "Remove the app, or wait until an emergency is declared.",
        )
    return found


def batches(node: Node) -> tuple[Batch, ...]:
    """Batches of the emergencies in force, the oldest first. Raises Refused when none is in force."""
    ids = [emergency.id for emergency in emergencies_in_force(node)]
    query = sa.select(*_ABOUT).where(exposure_batch.c.emergency.in_(ids))
    with node.records.reading() as connection:
        rows = connection.execute(query.order_by(exposure_batch.c.ends_at, exposure_batch.c.id)).all()
    return tuple(Batch(*row) for row in rows)


def archive(node: Node, batch_id: str) -> tuple[Batch, bytes]:
    """A batch and its signed archive. Raises Refused without an emergency, NotFound when it is unknown or destroyed."""
    ids = [emergency.id for emergency in emergencies_in_force(node)]
    query = sa.select(*_ABOUT, exposure_batch.c.content).where(
        exposure_batch.c.id == batch_id, exposure_batch.c.emergency.in_(ids)
    )
    with node.records.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such batch.", "See the index for those that there are; old ones are destroyed.")
    *about, content = row
    return Batch(*about), bytes(content)


def key_name(node: Node) -> KeyName:
    """By what phones find this node's key: its id in the signs that the format allows, and the id of its pass key."""
    return KeyName(id=node.id.replace("-", "_"), version=pass_queries.pass_key_id(node).hex())
