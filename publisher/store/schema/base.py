"""What all tables are made with, and the two that belong to nobody. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Table, Text

from publisher.store.columns import Number

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
"""What PostgreSQL alone has, the WHERE of its indexes and the fill factors of its tables, stands in the migrations:
said here, it would have every start of the program load that dialect."""

meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Number, nullable=False),
)
