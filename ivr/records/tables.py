"""The tables of the call records, as the newest migration leaves them.

Theory of operation: a call is one row, each of its turns another, and what is found, sorted or
counted by stands in columns; the rest of either is a JSON document beside them, so that a new key
of the record is no migration. Times are text, ISO 8601 in UTC with milliseconds: they sort as they
are, in SQLite as in PostgreSQL.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

metadata: Final = MetaData()

calls: Final = Table(
    "calls",
    metadata,
    Column("record_id", Text, primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    # The record without its turns.
    Column("document", Text, nullable=False),
    # A later state of a call has a higher number; a replay never puts an earlier one over it.
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Column("status", Text),
    Column("ended_at", Text),
    Column("duration_ms", BigInteger),
    Column("outcome", Text),
    Column("ended_by", Text),
    Column("ended_reason", Text),
    # The owner of the API key that the call was placed with; NULL for a call that came in.
    Column("owner", Text),
    Index("calls_by_call", "call_id", "started_at"),
    Index("calls_by_start", "started_at"),
    Index("calls_by_owner", "owner", "started_at"),
)

turns: Final = Table(
    "turns",
    metadata,
    Column("record_id", Text, ForeignKey("calls.record_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("step", Text),
    Column("cause", Text),
    Column("mode", Text),
    Column("value", Text),  # as the flow's `store` has it
    Column("confidence", Float),
    Column("latency_ms", Float),
    Column("attempt", Integer),
    Column("sensitive", Boolean),
    Column("document", Text, nullable=False),
)

# Audio of calls, see `ivr.records.recordings`.
recordings: Final = Table(
    "recordings",
    metadata,
    Column("recording_id", Text, primary_key=True),
    Column("record_id", Text, ForeignKey("calls.record_id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("file", Text),  # in the folder of audio; none where nothing could be recorded
    Column("duration_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Index("recordings_by_call", "record_id"),
    Index("recordings_by_start", "started_at"),
)

# Results on their way to `webhook.url`, see `ivr.records.webhook`.
outbox: Final = Table(
    "outbox",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("record_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Text, nullable=False),
    Column("error", Text),
    Column("body", Text, nullable=False),
    Index("outbox_by_due", "state", "due_at"),
    Index("outbox_by_record", "record_id"),
)

# Who may use the API, see `ivr.records.keys`.
api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # with spaces
    Column("owner", Text, nullable=False),  # the same for a key and those it was rotated to
    Column("own_calls_only", Boolean, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text),
    Column("revoked_at", Text),
    Column("last_used_at", Text),
    Column("uses", BigInteger, nullable=False),
)

# Calls that were placed through the API, see `ivr.records.placed`.
placed_calls: Final = Table(
    "placed_calls",
    metadata,
    Column("placed_id", Text, primary_key=True),
    Column("owner", Text),
    Column("idempotency", Text, unique=True),
    Column("fingerprint", Text),
    Column("flow", Text, nullable=False),
    Column("call_id", Text),
    Column("status", Text, nullable=False),
    Column("placed_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Index("placed_calls_by_call", "call_id"),
)
