"""which passes each batch was of"""

import sqlalchemy as sa
from alembic import op

from hutong.storage.records import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pass_batch",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.Column("passes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_pass_batch")),
    )
