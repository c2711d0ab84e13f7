"""The outbox of results that leave by webhook."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "outbox",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("outbox_by_due", "outbox", ["state", "due_at"])
    op.create_index("outbox_by_record", "outbox", ["record_id"])
