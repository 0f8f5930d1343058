"""Tables of sharing: who asked for what, what was agreed, and what was handed out or refused."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text

from hutong.storage.metadata import metadata
from hutong.storage.records import Instant

request = Table(
    "request",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("dataset", String(80), nullable=False),
    Column("party", String(60), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("filed_at", Instant, nullable=False),
    Column("decide_by", Instant, nullable=False),
    Column("decided_at", Instant),
)
agreement = Table(
    "agreement",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("request", String(40), nullable=False, index=True),
    Column("dataset", String(80), nullable=False),
    Column("provider", String(60), nullable=False),
    Column("recipient", String(60), nullable=False),
    Column("signed", Text, nullable=False),
    Column("agreed_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("revoked_because", Text),
    Column("revocation_told_at", Instant),
)
delivery = Table(
    "delivery",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("agreement", ForeignKey("agreement.id"), nullable=False, index=True),
    Column("body", sa.JSON, nullable=False),
    Column("at", Instant, nullable=False),
)
refused_delivery = Table(
    "refused_delivery",
    metadata,
    Column("agreement", ForeignKey("agreement.id"), primary_key=True),
    Column("reason", String(200), primary_key=True),
    Column("day", sa.Date, primary_key=True),
    Column("times", Integer, nullable=False),
)
harvested_dataset = Table(
    "harvested_dataset",
    metadata,
    Column("party", String(60), primary_key=True),
    Column("id", String(80), primary_key=True),
    Column("body", sa.JSON, nullable=False),
    Column("harvested_at", Instant, nullable=False),
)
