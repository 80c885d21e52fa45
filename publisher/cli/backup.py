"""`backup` and `restore`. Floor: `cli`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, echo_json, facts, moment, number, opened

if TYPE_CHECKING:
    from publisher.flows.backup import Restored


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    path: Annotated[Path | None, typer.Argument(help="The file to write; default: a new one in backup.path.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Copy the database, keys and config into one file.

    And your templates. Everything goes on meanwhile: the file holds one moment of the database. It is for its owner
    only; [backup] keys and config say what is in it. The published site is not: a run makes it anew.

    Example: publisher backup copy.jsonl.gz
    """
    from publisher.flows.backup import back_up

    with opened(config) as app:
        made = back_up(app.store, app.settings, app.clock(), path=path)
    if as_json:
        echo_json(made)
        return
    typer.echo(f"{made.path}: {made.size / 1000:,.0f} kB, the database and {number(made.files, 'file')}")
    for old in made.removed:
        typer.echo(f"removed {old}")


def restore(
    path: Annotated[Path, typer.Argument(help="The file that `publisher backup` wrote.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="In place of the database that is there.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Nothing was sent since the backup: issues under way go on at once.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Put a backup back, onto SQLite or PostgreSQL.

    Whichever it came from. The file is checked first; the database then changes as a whole or not at all. Where there
    is no config.toml yet, that of the backup is taken. Issues that were being sent are paused, letters that were in
    hand are uncertain.

    Example: publisher restore copy.jsonl.gz --overwrite
    """
    from publisher.app import open_store
    from publisher.clock import system_clock
    from publisher.config import load
    from publisher.flows import backup as flow
    from publisher.flows.backup_file import BackupFile

    backup = BackupFile(path)
    if not config.exists():
        flow.put_config_back(backup, config)
    settings = load(config)
    store = open_store(settings)
    try:
        done = flow.restore(store, settings, backup, system_clock(), overwrite=overwrite, resume=resume)
    finally:
        store.close()
    echo_json(done) if as_json else _tell(done)


def _tell(done: Restored) -> None:
    head = done.head
    facts(
        [
            ("restored", f"as of {moment(head.made)} (version {head.version}, from {head.database})"),
            ("files written", _named(done.files)),
            ("files left as they are", _named(done.kept)),
            ("letters in doubt", f"{done.in_doubt:,}"),
            ("issues paused", ", ".join(done.paused) or "none"),
            ("digests due again", ", ".join(f"{name} of {moment(slot)}" for name, slot in done.due) or "none"),
        ]
    )
    typer.echo("\nNext: publisher publish --rebuild --no-digest makes the site anew; publisher doctor looks after all.")
    for name in done.paused:
        typer.echo(
            f"{name} was being sent. If it went on after the backup: publisher issues cancel {name}. "
            f"If not: publisher issues resume {name}"
        )
    for frequency, slot in done.due:
        typer.echo(
            f"{frequency} was due at {moment(slot)}, after the backup: the next run sends it. If it had gone out "
            "already, keep it from going again first: docs/operating.md, Restore"
        )


def _named(paths: Sequence[Path]) -> str:
    """The first few; there may be fifty templates."""
    named = ", ".join(str(path) for path in paths[:3])
    return f"{named} and {len(paths) - 3} more" if len(paths) > 3 else named or "none"
