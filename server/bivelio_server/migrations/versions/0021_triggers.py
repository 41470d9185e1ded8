"""Schedules, events that runs wait for, and the key that makes each trigger fire once."""

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
