"""Calls that were placed through the API."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "placed_calls",
        sa.Column("placed_id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text),
        sa.Column("idempotency", sa.Text, unique=True),
        sa.Column("fingerprint", sa.Text),
        sa.Column("flow", sa.Text, nullable=False),
        sa.Column("call_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("placed_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
    )
    op.create_index("placed_calls_by_call", "placed_calls", ["call_id"])
