"""Runs, and the timetable that asks for them. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table, Text, text

from publisher.model import Frequency, RunState, RunTrigger
from publisher.store.columns import Name, Number, Report, UtcTime, Word
from publisher.store.schema.base import metadata

runs = Table(
    "runs",
    metadata,
    Column("id", Number, primary_key=True),
    Column("trigger", Word(RunTrigger), nullable=False),
    Column("state", Word(RunState), nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime),
    Column("host", Text, nullable=False),
    Column("pid", Number, nullable=False),
    Column("heartbeat", UtcTime, nullable=False),
    Column("report", Report, nullable=False),
    Column("process", Text, nullable=False),
    Column("step", Text, nullable=False, default=""),
    Column("beats", Number, nullable=False, default=0),
    Column("done", Number, nullable=False, default=0),
    Column("total", Number, nullable=False, default=0),
    # at most one run is running: the database itself says so
    Index(
        "ux_runs_running",
        "state",
        unique=True,
        sqlite_where=text("state = 'running'"),
    ),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", Name, primary_key=True),
    Column("trigger", Text, nullable=False),
    Column("slot", UtcTime),
    Column("fired", UtcTime),
    Column("ended", UtcTime),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("next", UtcTime),
)

run_requests = Table(
    "run_requests",
    metadata,
    Column("id", Number, primary_key=True),
    Column("asked", UtcTime, nullable=False),
    Column("trigger", Word(RunTrigger), nullable=False),
    Column("forced", Text, nullable=False),
    Column("digests", sa.Boolean, nullable=False),
    Column("rebuild", sa.Boolean, nullable=False),
    Column("taken", UtcTime),
    Column("run_id", Number),
    Column("busy", sa.Boolean, nullable=False),
    Column("problem", Text, nullable=False),
    sqlite_autoincrement=True,
)

helpers = Table(
    "helpers",
    metadata,
    Column("name", Name, primary_key=True),
    Column("until", UtcTime, nullable=False),
)

timetables = Table(
    "timetables",
    metadata,
    Column("frequency", Word(Frequency), primary_key=True),
    Column("cron", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("seen", UtcTime, nullable=False),
    Column("owed", UtcTime),
)
