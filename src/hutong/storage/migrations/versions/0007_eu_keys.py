"""signers of EU certificates by country"""

import sqlalchemy as sa
from alembic import op

from hutong.storage.records import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "eu_key_party",
        sa.Column("party", sa.String(length=60), nullable=False),
        sa.Column("entry", sa.JSON(), nullable=False),
        sa.Column("imported_at", Instant(), nullable=False),
        sa.Column("valid_until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("party", name=op.f("pk_eu_key_party")),
    )
