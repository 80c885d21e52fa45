"""What makes commands slow to start is loaded late; these lists are the agreement."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATE = {"aiosmtpd", "alembic", "email_validator", "fastapi", "markdown_it", "rich", "structlog", "uvicorn", "yaml"}
HEAVY = LATE | {"css_inline", "feedgen", "jinja2", "lxml", "nh3", "pydantic", "sqlalchemy"}


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("publisher.cli", HEAVY),
        ("publisher.app, publisher.flows.run", LATE),
        ("publisher.web.server", {"argon2", "publisher.web.admin", "publisher.web.api"}),
    ],
)
def test_what_a_command_may_not_need_is_not_loaded_with_it(modules: str, unwanted: set[str]) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not unwanted & set(loaded.stdout.split())
