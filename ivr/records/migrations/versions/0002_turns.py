"""Columns to find calls by, and a row a turn; documents of before are taken apart."""

import json

import sqlalchemy as sa
from alembic import op

from ivr.records.rows import call_row, turn_rows

revision = "0002"
down_revision = "0001"

_ADDED = ("status", "ended_at", "outcome", "ended_by", "ended_reason")


def upgrade() -> None:
    """Add the columns and the table, then fill them from the documents."""
    op.add_column("calls", sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("calls", sa.Column("duration_ms", sa.BigInteger))
    for name in _ADDED:
        op.add_column("calls", sa.Column(name, sa.Text))
    op.create_table(
        "turns",
        sa.Column(
            "record_id",
            sa.Text,
            sa.ForeignKey("calls.record_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Text),
        sa.Column("cause", sa.Text),
        sa.Column("mode", sa.Text),
        sa.Column("value", sa.Text),
        sa.Column("confidence", sa.Float),
        sa.Column("latency_ms", sa.Float),
        sa.Column("attempt", sa.Integer),
        sa.Column("sensitive", sa.Boolean),
        sa.Column("document", sa.Text, nullable=False),
    )
    _take_apart()


def _take_apart() -> None:
    # The tables as they are after this migration, not as a later version may know them.
    connection, seen = op.get_bind(), sa.MetaData()
    calls = sa.Table("calls", seen, autoload_with=connection)
    turns = sa.Table("turns", seen, autoload_with=connection)
    for record_id, text in connection.execute(sa.select(calls.c.record_id, calls.c.document)).all():
        document = json.loads(text)
        row = call_row(document)
        connection.execute(
            calls.update()
            .where(calls.c.record_id == record_id)
            .values({key: value for key, value in row.items() if key in calls.c})
        )
        if rows := turn_rows(document):
            connection.execute(turns.insert(), rows)
