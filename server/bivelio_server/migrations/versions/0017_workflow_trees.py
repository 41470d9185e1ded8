"""Steps are known by their path in the tree, and what a run needs to be paused, resumed and retried."""

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
