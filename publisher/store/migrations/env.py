"""Alembic runs this file for each command; the connection comes from `migrations.upgrade`. Floor: store."""

from __future__ import annotations

from alembic import context

from publisher.store.schema import metadata

# Batches: SQLite changes a table by copying it. The transaction is the caller's.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    on_version_apply=context.config.attributes["note"],
)
context.run_migrations()
