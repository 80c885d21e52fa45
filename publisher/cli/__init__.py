"""The commands: parse, call a flow, show. Floor: below `__main__`, above everything else.

Everything heavy is imported inside the commands, so that `publisher --help` answers at once.
Exit codes: 0 done, 1 failed, 2 wrong use, 130 stopped from the keyboard, 143 by SIGTERM.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from publisher import __version__
from publisher.cleantext import shown_path
from publisher.cli import (
    admin,
    articles,
    backup,
    bounces,
    digest,
    dkim,
    doctor,
    explain,
    feeds,
    issues,
    publish,
    runs,
    serve,
    site,
    status,
    subscribers,
    topics,
)
from publisher.cli.command_help import keep_examples_whole
from publisher.cli.show import complain
from publisher.errors import PublisherError, UsageError

NAME = "publisher"
STOPPED = 130  # what shells show for a program that Ctrl-C ended

app = typer.Typer(
    name=NAME,
    epilog="First steps: `publisher demo`, then `publisher init my-site`.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _commands in (
    site,
    publish,
    articles,
    topics,
    feeds,
    digest,
    subscribers,
    issues,
    bounces,
    dkim,
    explain,
    status,
    doctor,
    runs,
    admin,
    backup,
    serve,
):
    _commands.register(app)
keep_examples_whole(app)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Topic feeds and mail digests from a store of articles."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and give its exit code.

    What goes wrong is one clear line on standard error, never a traceback: what was wrong, where, and what to do.
    """
    if sys.stdout is None:  # closed by the caller: what would be shown goes nowhere
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (kept until the process ends)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character still gets the rest
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _refuse_strange(given)
        return app(given, prog_name=NAME, standalone_mode=False) or 0
    except TyperException as error:
        return _wrong_use(error)
    except UsageError as error:
        complain(str(error))
        return 2
    except PublisherError as error:
        complain(str(error))
    except typer.Abort:
        complain("stopped")
        return STOPPED
    except OSError as error:
        place = shown_path(str(error.filename)) if error.filename else "cannot read or write"
        complain(f"{place}: {error.strerror or error}")
    except Exception as error:  # a mistake of ours: people get one line, we get the whole
        complain(_kept(error))
    return 1


def _refuse_strange(arguments: Sequence[str]) -> None:
    """Bytes that are not UTF-8 can be stored and sent nowhere. `import` only reads files, whose names may be of any."""
    for argument in () if arguments[:1] == ["import"] else arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            problem = "this argument is not UTF-8; write it in UTF-8, or rename the file"
            raise UsageError(f"{shown_path(argument)}: {problem}") from None


def _wrong_use(error: TyperException) -> int:
    """Say in one line what the command line got wrong; a group without a command shows its help."""
    context = getattr(error, "ctx", None)
    text = error.format_message()
    if context is None or text == context.get_help():
        typer.echo(text, err=True)
    else:
        hint = f"`{context.command_path} --help` shows how it is used"
        complain(f"{' '.join(text.split()).rstrip('.')}; {hint}")
    return error.exit_code


def _kept(error: Exception) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="publisher-", suffix=".txt", delete=False, encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return f"a mistake in the program itself ({type(error).__name__}); please report it with what {file.name} says"
