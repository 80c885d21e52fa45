"""What each command says of itself, for whoever writes it down elsewhere. Floor: `cli`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer


class CommandHelp(NamedTuple):
    """One command's help, each part as plain text: `usage` on one line, `text` in paragraphs, `parameters` with what
    each means."""

    path: str
    usage: str
    text: str
    parameters: list[tuple[str, str]]
    example: str


def each_command(command: Any, path: str) -> Iterator[CommandHelp]:
    """The help of every command below `command`, which is called `path`, in the order in which they are listed."""
    inner = getattr(command, "commands", None)
    if inner is not None:
        for name, below in inner.items():
            yield from each_command(below, f"{path} {name}")
        return
    context = typer.Context(command, info_name=path)
    text, _, example = inspect.cleandoc(command.help).partition("Example: ")
    yield CommandHelp(
        path=path,
        usage=" ".join(command.get_usage(context).removeprefix("Usage: ").split()),
        text=text.strip(),
        parameters=[record for param in command.params if (record := param.get_help_record(context))],
        example=example.strip(),
    )
