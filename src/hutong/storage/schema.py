"""All tables of the records, in the order of the flow. The migrations in ``migrations/`` create them.

``body`` columns hold a noun's frozen dataclass as JSON; what is searched, ordered or constrained is a column.
"""

# ruff: noqa: PLC0414 - "import x as x" says that others read x from here
from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hutong.storage.metadata import metadata as metadata
from hutong.storage.records import Bytes, Instant
from hutong.storage.schema_exposure import exposure_batch as exposure_batch
from hutong.storage.schema_exposure import exposure_key as exposure_key
from hutong.storage.schema_exposure import verification_code as verification_code
from hutong.storage.schema_foreign import eu_key_party as eu_key_party
from hutong.storage.schema_foreign import eu_revocation as eu_revocation
from hutong.storage.schema_sharing import agreement as agreement
from hutong.storage.schema_sharing import delivery as delivery
from hutong.storage.schema_sharing import harvested_dataset as harvested_dataset
from hutong.storage.schema_sharing import refused_delivery as refused_delivery
from hutong.storage.schema_sharing import request as request

REVISION = "0007"
_REVOKED = sa.text("revoked_at IS NOT NULL")

# --- trust: the log -------------------------------------------------------------------------------------------------
log_entry = Table(
    "log_entry",
    metadata,
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(60), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("data", Bytes, nullable=False),
)
log_node = Table(
    "log_node",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("hash", Bytes, nullable=False),
)
log_head = Table(
    "log_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", Integer, nullable=False),
    Column("root", Bytes, nullable=False),
    Column("note", Text, nullable=False),
)
log_cosignature = Table(
    "log_cosignature",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("witness", String(120), primary_key=True),
    Column("line", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
witnessed_log = Table(
    "witnessed_log",
    metadata,
    Column("origin", String(200), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)
trust_list = Table(
    "trust_list",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("issued_at", Instant, nullable=False),
    Column("signed", Text, nullable=False),
)
used_assertion = Table(
    "used_assertion",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

# --- governance: who acts, and under which emergency ----------------------------------------------------------------
account = Table(
    "account",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("display_name", String(120), nullable=False),
    Column("roles", sa.JSON, nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
session = Table(
    "session",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("account", ForeignKey("account.name"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)
api_token = Table(
    "api_token",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("account", ForeignKey("account.name"), nullable=False),
    Column("label", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
)
sign_in_attempt = Table(
    "sign_in_attempt",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(120), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_sign_in_attempt_key_at", "key", "at"),
)
emergency = Table(
    "emergency",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("body", sa.JSON, nullable=False),
    Column("declared_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("destroyed_at", Instant),
)
boundary = Table(
    "boundary",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("emergency", ForeignKey("emergency.id"), nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("set_at", Instant, nullable=False),
)

# --- acquisition ----------------------------------------------------------------------------------------------------
source = Table(
    "source",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("body", sa.JSON, nullable=False),
    Column("declared_at", Instant, nullable=False),
)
receipt = Table(
    "receipt",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("source", ForeignKey("source.id"), nullable=False),
    Column("table_name", String(40), nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("mapping_sha256", String(64), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("received_at", Instant, nullable=False),
    # What came to nothing under one mapping may be taken in under another one.
    UniqueConstraint("source", "file_sha256", "table_name", "mapping_sha256"),
    Index("ix_receipt_received_at_id", "received_at", "id"),
)
held_decision = Table(
    "held_decision",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("receipt", ForeignKey("receipt.id"), nullable=False, index=True),
    Column("rule", String(80), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("decided_at", Instant, nullable=False),
)
receipt_item = Table(
    "receipt_item",
    metadata,
    Column("receipt", ForeignKey("receipt.id"), primary_key=True),
    Column("row_number", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(10), nullable=False),
    Column("rule", String(80), nullable=False),
    Column("element", String(60), nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", sa.JSON, nullable=False),
    # What a held row would add to the lake, under the vault's key; it is there exactly until somebody has decided.
    Column("sealed", LargeBinary),
    Column("decision", ForeignKey("held_decision.id")),
    Index(
        "ix_receipt_item_waiting",
        "receipt",
        "rule",
        sqlite_where=sa.text("sealed IS NOT NULL"),
        postgresql_where=sa.text("sealed IS NOT NULL"),
    ),
)
inbox = Table(
    "inbox",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("table_name", String(40), nullable=False, index=True),
    Column("receipt", ForeignKey("receipt.id"), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    # A sequence number must never be given twice, or the lake's high-water mark would hide a new batch.
    sqlite_autoincrement=True,
)
vault_entry = Table(
    "vault_entry",
    metadata,
    Column("pseudonym", String(32), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)
quality_report = Table(
    "quality_report",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("source", ForeignKey("source.id"), nullable=False),
    Column("table_name", String(40), nullable=False),
    Column("label", String(20), nullable=False),
    Column("score", sa.Float, nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("assessed_at", Instant, nullable=False, index=True),
)

# --- opening --------------------------------------------------------------------------------------------------------
dataset = Table(
    "dataset",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("grade", Integer, nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
)
release = Table(
    "release",
    metadata,
    Column("dataset", ForeignKey("dataset.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", sa.JSON, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("issued_at", Instant, nullable=False),
)

# --- insight and passes ---------------------------------------------------------------------------------------------
risk_assessment = Table(
    "risk_assessment",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("as_of", sa.Date, nullable=False, index=True),
    Column("body", sa.JSON, nullable=False),
    Column("assessed_at", Instant, nullable=False),
)
rulebook = Table(
    "rulebook",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("version", String(20), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("effective_from", Instant, nullable=False),
    Column("verdict", sa.JSON, nullable=False),
)
issued_pass = Table(
    "issued_pass",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("pseudonym", String(32), nullable=False, index=True),
    Column("status_index", BigInteger, nullable=False, unique=True),
    Column("level", String(20), nullable=False),
    Column("rulebook", String(60), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("revoked_by_rule", String(80)),
    Column("revoked_because", Text),
    Index("ix_issued_pass_revoked", "status_index", sqlite_where=_REVOKED, postgresql_where=_REVOKED),
)
pass_batch = Table(
    "pass_batch",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("ends_at", Instant, nullable=False),
    Column("passes", Bytes, nullable=False),
)
status_list = Table(
    "status_list",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("ends_at", Instant, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),
)
recognition_document = Table(
    "recognition_document",
    metadata,
    Column("kind", String(12), primary_key=True),
    Column("id", String(80), primary_key=True),
    Column("version", String(30), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("published_at", Instant, nullable=False),
)
party_bundle = Table(
    "party_bundle",
    metadata,
    Column("party", String(60), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("signed", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
)

# --- appeals, and what changes a level beside its rules ---------------------------------------------------------------
appeal = Table(
    "appeal",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("emergency", ForeignKey("emergency.id"), nullable=False),
    Column("pseudonym", String(32), nullable=False, index=True),
    Column("state", String(20), nullable=False, index=True),
    Column("body", sa.JSON, nullable=False),
    Column("filed_at", Instant, nullable=False),
    Column("due_at", Instant),
)
level_override = Table(
    "level_override",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("pseudonym", String(32), nullable=False, index=True),
    Column("level", String(80), nullable=False),
    Column("against", String(80), nullable=False),
    Column("rulebook", String(120), nullable=False),
    Column("rule_id", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", String(60), nullable=False),
    Column("second", String(60), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("appeal", ForeignKey("appeal.id")),
    # Whoever writes past the actions meets the same rule: nobody recolours alone, without a rule or for ever.
    CheckConstraint("actor <> second AND actor <> '' AND second <> ''", name="ck_level_override_two_persons"),
    CheckConstraint("rule_id <> '' AND reason <> ''", name="ck_level_override_rule"),
    CheckConstraint("made_at < ends_at", name="ck_level_override_end"),
)
access_grant = Table(
    "access_grant",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("pseudonym", String(32), nullable=False, index=True),
    Column("application", ForeignKey("account.name"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("used_at", Instant),
)
