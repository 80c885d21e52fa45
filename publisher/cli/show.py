"""What commands share: the options, opening the house, showing values as tables, lines or JSON. Floor: `cli`."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from publisher.errors import ConfigError

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model import Frequency

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="PUBLISHER_CONFIG", help="The config file.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DEFAULT_CONFIG = Path("config.toml")
MOST = 1_000_000
"""The longest list; a database counts no further than 64 bits."""
_SHORT = 20  # characters; a cell up to this length stays on one line
_GAP = 2  # between two columns
_EVERY_S = 30.0  # seconds between two lines of progress in a log


def complain(text: str) -> None:
    """One clear line on standard error, or one per problem; nothing for an empty text."""
    for line in text.splitlines():
        typer.echo(f"publisher: {line}", err=True)


@contextmanager
def opened(config: Path, *, upgrade: bool = False) -> Iterator[App]:
    """The house built from `config`; with `upgrade` its database is brought up to date."""
    from publisher.app import build
    from publisher.config import load
    from publisher.logs import choose

    settings = load(config)
    choose(format=settings.log.format, level=settings.log.level)
    app = build(settings, upgrade=upgrade)
    try:
        yield app
    except ConfigError as error:  # a rule, compiled at its first use, knows its key but not the name of the file
        if error.place != DEFAULT_CONFIG.name:
            raise
        raise ConfigError(error.key, error.problem, place=str(config)) from error
    finally:
        app.close()


def as_plain(value: Any) -> Any:
    """A value of the model as plain JSON values: fields named as in the model, times as RFC 3339 in UTC."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(as_plain(key)): as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_plain(item) for item in value]
    return value


def echo_json(value: Any) -> None:
    typer.echo(json.dumps(as_plain(value), ensure_ascii=False, indent=2))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> None:
    """A table on standard output: drawn for a terminal, tab-separated lines with a head for a pipe.

    `empty` is said on a terminal when there are no rows; a pipe then gets no line at all.
    """
    listed = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not on_terminal():
        for row in [list(columns), *listed] if listed else []:
            typer.echo("\t".join(" ".join(cell.split()) for cell in row))
    elif not listed:
        if empty:
            typer.echo(empty)
    elif widths := _widths(columns, listed, columns_of_terminal()):
        _draw(columns, listed, widths)
    else:
        _cards(columns, listed)


def on_terminal() -> bool:
    return sys.stdout.isatty()


def columns_of_terminal() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column, or none if `room` is too narrow: short cells are not broken, long ones only between
    their words; the widest column gives way first."""
    cells = [[column, *(row[n] for row in rows)] for n, column in enumerate(columns)]
    least = [max(map(_unbreakable, column)) for column in cells]
    widths = [max(map(len, column)) for column in cells]
    room -= _GAP * (len(columns) - 1)
    if sum(least) > room:
        return []
    while sum(widths) > room:
        widest = max((n for n in range(len(widths)) if widths[n] > least[n]), key=lambda n: widths[n])
        widths[widest] -= 1
    return widths


def _unbreakable(cell: str) -> int:
    return len(cell) if len(cell) <= _SHORT else max(map(len, cell.split()), default=0)


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for n, (column, width) in enumerate(zip(columns, widths, strict=True)):
        numeric = all(row[n].replace(",", "").isdigit() for row in rows)
        drawn.add_column(column, justify="right" if numeric else "left", width=width)
    for row in rows:
        drawn.add_row(*[Text(cell) for cell in row])
    Console(width=columns_of_terminal()).print(drawn)


def _cards(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows one below the other, for a terminal that is too narrow for the table."""
    for n, row in enumerate(rows):
        if n:
            typer.echo()
        facts(zip(columns, row, strict=True))


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values, one to a line, the values aligned; what has no value is left out."""
    shown = [(name, str(value)) for name, value in pairs if value is not None and str(value)]
    width = max((len(name) for name, _ in shown), default=0) + 2
    for name, value in shown:
        say(name, value, width=width)


def say(name: str, value: str, *, width: int = 12) -> None:
    """One line `name  value`; on a terminal a long value goes on below its beginning. An address or a path is left
    whole, so that it can be copied."""
    line = f"{name:<{width}}{value}"
    if " " in value:
        paragraph(line, indent=width)
    else:
        typer.echo(line)


def paragraph(text: str, *, indent: int = 0) -> None:
    """`text`; on a terminal wrapped between words, lines after the first indented."""
    for line in text.split("\n"):
        if on_terminal():
            width = max(columns_of_terminal() - 1, indent + 20)
            wrapped = textwrap.wrap(
                line, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
            )
            typer.echo("\n".join(wrapped))
        else:
            typer.echo(line)


def moment(value: datetime | None) -> str:
    return "" if value is None else value.strftime("%Y-%m-%d %H:%M:%SZ")


def number(value: int, singular: str, plural: str = "") -> str:
    """``1 letter``, ``3 letters``."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"


def frequency_of(name: str) -> Frequency:
    from publisher.errors import UsageError
    from publisher.model import Frequency

    try:
        return Frequency(name)
    except ValueError:
        raise UsageError(f"{name!r} is not a frequency; use daily, weekly or monthly") from None


@contextmanager
def progress_shown(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Shows a run's steps on standard error: a bar on a terminal, nothing when `quiet`.

    Elsewhere (a log, the mail of a cron job) a line once in half a minute, so that a short run says nothing at all.
    """
    if quiet:
        yield lambda _step, _done, _total: None
    elif sys.stderr.isatty():
        with _bar() as advance:
            yield advance
    else:
        yield _lines(time.monotonic)


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    console = Console(stderr=True)
    spinner = SpinnerColumn(), TextColumn("{task.description}")
    shown: tuple[str, Progress] | None = None

    def advance(step: str, done: int, total: int) -> None:
        nonlocal shown
        if shown is None or shown[0] != step:
            if shown is not None:
                shown[1].stop()
            counted = BarColumn(), MofNCompleteColumn(), Rate(""), TimeRemainingColumn()
            columns = (*spinner, *counted) if total else spinner
            shown = step, Progress(*columns, console=console, transient=True)
            shown[1].add_task(step)
            shown[1].start()
        shown[1].update(shown[1].task_ids[0], completed=done, total=total or None)

    try:
        yield advance
    finally:
        if shown is not None:
            shown[1].stop()


def _lines(seconds: Callable[[], float]) -> Callable[[str, int, int], None]:
    last = since = seconds()
    known = ""

    def tell(step: str, done: int, total: int) -> None:
        nonlocal last, since, known
        now = seconds()
        if step != known:
            known, since = step, now
        if now - last >= _EVERY_S:
            last = now
            typer.echo(f"publisher: {step}{_pace(done, total, now - since)}", err=True)

    return tell


def _pace(done: int, total: int, seconds: float) -> str:
    """``: 5,000 of 20,000, 250/s, 1 min left``; nothing where there is nothing to count."""
    if not total:
        return ""
    counted = f": {done:,} of {total:,}"
    if not done or seconds < 1:
        return counted
    rate = done / seconds
    left = (total - done) / rate
    return f"{counted}, {rate:,.1f}/s, " + (f"{left:,.0f} s left" if left < 90 else f"{left / 60:,.0f} min left")
