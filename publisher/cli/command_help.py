"""What each command says of itself, on the terminal and for whoever writes it down elsewhere. Floor: `cli`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer

_AS_IT_IS = "\b\n"
"""Before a paragraph that is not wrapped."""


def keep_examples_whole(app: typer.Typer) -> None:
    """Leave the example of each command on one line, to be copied as it is; other paragraphs are wrapped, also inside
    the name of an article."""
    for command in app.registered_commands:
        command.help = (inspect.getdoc(command.callback) or "").replace("Example: ", f"{_AS_IT_IS}Example: ")
    for group in app.registered_groups:
        if group.typer_instance is not None:
            keep_examples_whole(group.typer_instance)


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
    text, _, example = command.help.partition(f"{_AS_IT_IS}Example: ")
    yield CommandHelp(
        path=path,
        usage=" ".join(command.get_usage(context).removeprefix("Usage: ").split()),
        text=text.strip(),
        parameters=[record for param in command.params if (record := param.get_help_record(context))],
        example=example.strip(),
    )
