"""The recordings of calls: which file, how long, and how it ended."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "recordings",
        sa.Column("recording_id", sa.Text, primary_key=True),
        sa.Column(
            "record_id",
            sa.Text,
            sa.ForeignKey("calls.record_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("file", sa.Text),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
    )
    op.create_index("recordings_by_call", "recordings", ["record_id"])
    op.create_index("recordings_by_start", "recordings", ["started_at"])
