"""Every attempt at a delivery as its owner sees it; notices."""

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
