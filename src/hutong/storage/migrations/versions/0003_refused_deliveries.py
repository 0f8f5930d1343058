"""refused deliveries"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refused_delivery",
        sa.Column("agreement", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agreement"], ["agreement.id"], name=op.f("fk_refused_delivery_agreement")),
        sa.PrimaryKeyConstraint("agreement", "reason", "day", name=op.f("pk_refused_delivery")),
    )
