"""Tables of what a node took over of the certificates of other systems. Read from ``schema``."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Integer, String, Table, Text

from hutong.storage.metadata import metadata
from hutong.storage.records import Instant

eu_revocation = Table(  # lists of revoked EU certificates: a part for each key, as the trust bundle carries it
    "eu_revocation",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("part", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("max_age_hours", Integer, nullable=False),
)
eu_key_party = Table(  # signers of EU certificates by country, as the trust bundle names them
    "eu_key_party",
    metadata,
    Column("party", String(60), primary_key=True),
    Column("entry", JSON, nullable=False),
    Column("imported_at", Instant, nullable=False),
    Column("valid_until", Instant, nullable=False),
)
