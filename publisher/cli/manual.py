"""The manual page publisher(1), written from the commands themselves. Floor: `cli`.

python -m publisher.cli.reference man > publisher.1
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from publisher import __version__
from publisher.cli import NAME, app
from publisher.cli.command_help import CommandHelp, each_command

_ENDS = (("0", "done"), ("1", "failed"), ("2", "wrong use"), ("130", "stopped with Ctrl-C"))
_FILES = (
    ("config.toml", "the settings, in the folder you are in unless --config or PUBLISHER_CONFIG names another file"),
    ("data/", "the database, the key that signs links, the published site, letters that are kept as files"),
)


def page() -> str:
    """The page in the man(7) macros."""
    command = typer.main.get_command(app)
    lines = [
        f'.TH PUBLISHER 1 "" "{NAME} {__version__}" "{NAME}"',
        ".SH NAME",
        f"{NAME} \\- {_text(command.help or '').rstrip('.')}",
        ".SH SYNOPSIS",
        f".B {NAME}",
        ".I COMMAND",
        "[OPTIONS] [ARGUMENTS]",
        ".SH COMMANDS",
        *(line for one in each_command(command, NAME) for line in _section(one)),
        ".SH EXIT STATUS",
        *_list(_ENDS),
        ".SH FILES",
        *_list(_FILES),
        ".SH ENVIRONMENT",
        "Each setting can be given by a variable, e.g. PUBLISHER_SMTP_PASSWORD for smtp.password; the name with _FILE",
        "behind it names a file that holds a secret. PUBLISHER_CONFIG names the config file.",
    ]
    return "\n".join(lines) + "\n"


def _section(command: CommandHelp) -> Iterator[str]:
    yield f'.SS "{_text(command.usage)}"'
    for paragraph in command.text.split("\n\n"):
        yield ".PP"
        yield _text(paragraph)
    yield from _list(command.parameters)
    yield ".PP"
    yield "Example:"
    yield f".B {_text(command.example)}"


def _list(pairs: Any) -> Iterator[str]:
    for name, meaning in pairs:
        yield ".TP"
        yield f".B {_text(name)}"
        yield _text(meaning)


def _text(plain: str) -> str:
    """One line of plain text in which roff finds nothing to obey."""
    line = " ".join(plain.split()).replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{line}" if line[:1] in {".", "'"} else line
