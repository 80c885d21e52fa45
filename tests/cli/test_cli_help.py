"""`--help`: at once, of everything, with examples that work as they are written."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from publisher.cli import app

HEAVY = (
    "sqlalchemy", "alembic", "pydantic", "jinja2", "lxml", "rich.table", "rich.console", "apscheduler", "fastapi",
    "uvicorn", "aiosmtplib", "aiosmtpd", "feedgen", "nh3", "css_inline", "email_validator", "publisher.app",
)  # fmt: skip


def commands() -> Iterator[tuple[str, Any]]:
    def below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path, command
            return
        for name, one in inner.items():
            yield from below(f"{path} {name}".strip(), one)

    return below("", typer.main.get_command(app))


COMMANDS = dict(commands())


def examples(command: Any) -> list[str]:
    return [line.strip().removeprefix("Example: ") for line in command.help.splitlines() if "Example: " in line]


@pytest.mark.parametrize("arguments", [["--help"], ["publish", "--help"], ["subscribers", "list", "--help"], ["nope"]])
def test_help_and_wrong_commands_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        f"import sys; from publisher.cli import run; run({arguments!r}); print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = set(done.stderr.splitlines()[-1].strip("[]").replace("'", "").split(", "))
    assert "publisher.cli.show" in loaded
    told_by_typer = {"pydantic"} if arguments != ["--help"] else set()  # typer checks a command's options with it
    assert not loaded & set(HEAVY) - told_by_typer


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help_with_one_example_of_itself_that_can_be_copied(path: str, publisher: Any) -> None:
    (example,) = examples(COMMANDS[path])
    assert example.startswith(f"publisher {path}")
    shown = publisher(*path.split(), "--help")
    assert shown.code == 0
    assert f"  Example: {example}" in shown.out.splitlines()


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_says_what_it_is_for(path: str) -> None:
    for param in COMMANDS[path].params:
        assert getattr(param, "help", None) or param.name == "help", param.name


def test_no_summary_of_a_command_is_cut_off(publisher: Any) -> None:
    groups = {path.split()[0] for path in COMMANDS if " " in path}
    for shown in [publisher("--help"), *(publisher(group, "--help") for group in groups)]:
        assert shown.code == 0
        assert "..." not in shown.out.partition("Commands:")[2]


def test_every_listing_takes_json() -> None:
    for path, command in COMMANDS.items():
        if path.split()[-1] in {"list", "show"}:
            assert "--json" in {option for param in command.params for option in param.opts}, path


def test_the_version_is_told(publisher: Any) -> None:
    shown = publisher("--version")
    assert (shown.code, shown.out) == (0, "publisher 0.1.0\n")


BEFORE_SENDING = ("digest preview", "digest test", "publish")
"""Their examples want articles that no digest has held yet; those of the last groups want that to have happened."""


TOO_LATE = {"issues pause", "issues resume", "issues cancel", "issues approve", "issues refuse"}
"""Their examples want an issue that is being sent or waits; here it has been."""


def test_the_examples_work_as_written(new_site: Any, publisher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    waits = {"serve", "worker"}  # until somebody stops them
    late = [path for path in COMMANDS if path.split()[0] in {"issues", "runs", "feeds"}]
    last = [path for path in COMMANDS if path.split()[-1] == "remove"]
    first = ["init", "db upgrade", "import", "subscribers add"]
    rest = [path for path in COMMANDS if path not in {*first, *late, *last, *waits}]
    assert set(BEFORE_SENDING) <= set(rest)
    for path in [*first, *rest, "sent", *late, *last]:
        line = "publisher publish --digest weekly" if path == "sent" else examples(COMMANDS[path])[0]
        shown = publisher(*shlex.split(line)[1:])
        if path in TOO_LATE:
            assert (shown.code, shown.err.strip().endswith("it is finished")) == (2, True), (line, shown)
        else:
            assert shown.code == 0, (line, shown)
    assert len(opened) == 1
