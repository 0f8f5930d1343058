"""when the recipient of a revoked agreement was told"""

import sqlalchemy as sa
from alembic import op

from hutong.storage.records import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agreement", sa.Column("revocation_told_at", Instant()))
