"""lists of revoked EU certificates"""

import sqlalchemy as sa
from alembic import op

from hutong.storage.records import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "eu_revocation",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("max_age_hours", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_eu_revocation")),
    )
