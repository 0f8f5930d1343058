"""Tables of distributed collection: nothing here says whose a key is, or which keys came together."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hutong.storage.metadata import metadata
from hutong.storage.records import Instant

verification_code = Table(
    "verification_code",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("stage", String(5), nullable=False),
    Column("emergency", ForeignKey("emergency.id"), nullable=False, index=True),
    Column("report_type", Integer, nullable=False),
    Column("onset_on", sa.Date),
    Column("expires_at", Instant, nullable=False, index=True),
)
exposure_key = Table(
    "exposure_key",
    metadata,
    Column("key_data", LargeBinary, primary_key=True),
    Column("emergency", ForeignKey("emergency.id"), nullable=False),
    Column("rolling_start", Integer, nullable=False),
    Column("rolling_period", Integer, nullable=False),
    Column("report_type", Integer, nullable=False),
    Column("days_since_onset", Integer),
    Column("due_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
    Column("published", sa.Boolean, nullable=False),
    Index("ix_exposure_key_emergency_published_due_at", "emergency", "published", "due_at"),
    # A row number would keep the order of arrival, and so which keys came from one phone.
    sqlite_with_rowid=False,
)
exposure_batch = Table(
    "exposure_batch",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("emergency", ForeignKey("emergency.id"), nullable=False, index=True),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
    Column("keys", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)
