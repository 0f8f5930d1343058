"""status lists: how long each is needed, and how often it changed"""

import sqlalchemy as sa
from alembic import op

import hutong.storage.records

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REVOKED = sa.text("revoked_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "status_list",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ends_at", hutong.storage.records.Instant(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", hutong.storage.records.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_status_list")),
    )
    with op.batch_alter_table("issued_pass", schema=None) as batch_op:
        # From the 129th list on an index is larger than 32 bits hold.
        batch_op.alter_column("status_index", existing_type=sa.Integer(), type_=sa.BigInteger())
        batch_op.create_index(
            "ix_issued_pass_revoked", ["status_index"], unique=False, sqlite_where=REVOKED, postgresql_where=REVOKED
        )
    # A list's serial number was the size of the log: it goes on from there, so that it never falls.
    op.execute(
        "INSERT INTO status_list (number, ends_at, revision, changed_at) "
        "SELECT status_index / 16777216, MAX(expires_at), (SELECT COALESCE(MAX(size), 0) FROM log_head), "
        "MAX(COALESCE(revoked_at, issued_at)) "
        "FROM issued_pass GROUP BY status_index / 16777216"
    )
