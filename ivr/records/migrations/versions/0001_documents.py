"""One table of documents: what ivr 0.1 made without migrations, so it may be there already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table where it is missing."""
    op.create_table(
        "calls",
        sa.Column("record_id", sa.Text, primary_key=True),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_index("calls_by_call", "calls", ["call_id", "started_at"], if_not_exists=True)
    op.create_index("calls_by_start", "calls", ["started_at"], if_not_exists=True)
