"""Alembic's environment: runs on the connection that `ivr.records.database` hands over.

To write a new migration: copy the newest file in versions/, name its revision the next number, and
let `ivr.records.tables` say what the schema is then.
"""

from alembic import context

from ivr.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
