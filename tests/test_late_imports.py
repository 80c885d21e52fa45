"""What makes commands slow to start is loaded late; these lists are the agreement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from publisher.flows.new_site import make_site

LATE = {"aiosmtpd", "alembic", "email_validator", "fastapi", "markdown_it", "rich", "structlog", "uvicorn", "yaml"}
HEAVY = LATE | {"css_inline", "feedgen", "jinja2", "lxml", "nh3", "pydantic", "sqlalchemy"}


MAIL = {f"publisher.{name}" for name in ("digest.render", "flows.mail_room", "flows.sending", "smtp")} | {"aiosmtplib"}
SERVER = {"psycopg", "sqlalchemy.dialects.postgresql"}


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("publisher.cli", HEAVY),
        ("publisher.app, publisher.flows.run", LATE | MAIL | SERVER),
        ("publisher.flows.maker", HEAVY - {"feedgen", "lxml", "nh3"}),
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


def test_a_run_that_writes_to_nobody_loads_nothing_of_mail(tmp_path: Path) -> None:
    make_site(tmp_path, with_articles=True)
    program = "import sys; from publisher.cli import run; code = run(['publish']); print(*sys.modules); sys.exit(code)"
    once, again = (
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert "nothing to send" in once
    assert not (MAIL | {"psycopg"}) & set(once.split())  # the migrations that made the database have more
    assert not (LATE | MAIL | SERVER) & set(again.split())


def test_the_program_does_not_look_for_garbage_while_it_loads() -> None:
    program = "import gc, sys; from publisher.__main__ import main; sys.argv[1:] = ['--version']; "
    program += "code = main(); print(gc.get_threshold()[0]); sys.exit(code)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(shown.split()[-1]) > 10_000
