"""Workflows that a URL of their own starts, and the secrets that their steps use."""

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
