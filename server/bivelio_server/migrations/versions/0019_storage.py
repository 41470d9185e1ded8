"""Large outputs of runs are kept in storage, not in rows."""

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
