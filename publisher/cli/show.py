"""What commands share: the options, opening the house, showing values as tables, lines or JSON. Floor: `cli`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model import Frequency

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="PUBLISHER_CONFIG", help="The config file.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DEFAULT_CONFIG = Path("config.toml")


def complain(text: str) -> None:
    """One clear line (or one per problem) on standard error."""
    for line in text.splitlines() or [""]:
        typer.echo(f"publisher: {line}", err=True)


@contextmanager
def opened(config: Path, *, upgrade: bool = False) -> Iterator[App]:
    """The house built from `config`; with `upgrade` its database is brought up to date."""
    from publisher.app import build
    from publisher.config import load

    app = build(load(config), upgrade=upgrade)
    try:
        yield app
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


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", empty: str = "nothing yet"
) -> None:
    """A table on standard output: drawn for a terminal, tab-separated lines for a pipe."""
    listed = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(columns), *listed] if listed else []:
            typer.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    if not listed:
        typer.echo(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        numeric = all(row[number].replace(",", "").isdigit() for row in listed)
        drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        drawn.add_row(*[Text(cell) for cell in row])
    Console().print(drawn)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values, one to a line, the values aligned."""
    shown = [(name, "" if value is None else str(value)) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        typer.echo(f"{name:<{width}}  {value}".rstrip())


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
    """Shows a run's steps on standard error: a bar on a terminal, plain lines elsewhere, nothing when `quiet`."""
    if quiet:
        yield lambda _step, _done, _total: None
    elif sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        with _bar() as advance:
            yield advance
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def advance(step: str, done: int, total: int) -> None:
            if step not in tasks:
                for task in tasks.values():
                    bar.stop_task(task)
                tasks[step] = bar.add_task(step, total=total or None)
            bar.update(tasks[step], completed=done, total=total or None)

        yield advance


def _lines() -> Callable[[str, int, int], None]:
    last: dict[str, int] = {}

    def tell(step: str, done: int, total: int) -> None:
        tenth = done * 10 // total if total else 0
        if last.get(step) != tenth:
            last[step] = tenth
            typer.echo(f"{step}: {done} of {total}" if total else f"{step} …", err=True)

    return tell
