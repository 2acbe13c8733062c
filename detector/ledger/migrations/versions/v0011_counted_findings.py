"""Standing findings of a department by rule, counted without a look at each of them."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """The index of `findings` by department holds what is counted."""
    op.drop_index("findings_department", "findings")
    op.create_index(
        "findings_department", "findings", ["department", "at_us", "rule", "withdrawn", "muted"]
    )
