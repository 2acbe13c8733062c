"""Open notices by when they were issued and by whose they are, without a look at each of them."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Two indexes of `notices`."""
    op.create_index("notices_open", "notices", ["open", "issued_us", "notice_id"])
    op.create_index("notices_counted", "notices", ["open", "department", "tier", "level"])
