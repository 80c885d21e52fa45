"""Backup and restore: the database, and the files without which it is worth little. Floor: `flows`.

    one moment of the database -> backup file (whole, summed, for its owner only)
    backup, checked -> tables of its version -> brought up to date -> put right -> commit

A backup does not know what happened after it. So letters that were in hand become uncertain, and an issue that was
being sent is paused: whoever restores says whether its letters may have gone out since.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from publisher import __version__
from publisher.config import Settings
from publisher.errors import BackupError, Conflict
from publisher.flows.backup_file import BackupFile, Head, KeptFile, write
from publisher.flows.dkim import key_places
from publisher.flows.due import due
from publisher.flows.job_state import forget_keeper, is_there, keeper
from publisher.mail.backoff import DOUBT
from publisher.model import Frequency, IssueState, RunState
from publisher.store import SCHEMA, Store, Transaction

LAST = "backup"
"""The fact that says when the last backup was made."""
KEY_SETTING = "store.secret_file"
CONFIG = "config.toml"
_NAME = "publisher-{made:%Y%m%dT%H%M%SZ}.jsonl.gz"
_OURS = re.compile(r"publisher-\d{8}T\d{6}Z\.jsonl\.gz")
_KEPT_ASIDE = ".before-restore"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made: where, how large, how many files are in it beside the database, and which older ones
    went for it."""

    path: Path
    size: int
    files: int
    removed: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `paused`: issues that were being sent; `due`: digests whose hour came after the backup, which
    the next run sends, with that hour; `in_doubt`: letters that were in hand; `files` written; `kept`: files that were
    left as they are, though the backup has others."""

    head: Head
    paused: tuple[str, ...]
    due: tuple[tuple[Frequency, datetime], ...]
    in_doubt: int
    files: tuple[Path, ...]
    kept: tuple[Path, ...]


def back_up(store: Store, settings: Settings, now: datetime, *, path: Path | None = None) -> Backup:
    """Make a backup while everything goes on. Without `path` it goes to the folder of [backup], of which the newest
    `keep` stay. Raises BackupError, and as the store does."""
    folder = settings.path(settings.backup.path)
    target = path or folder / _NAME.format(made=now)
    files = list(_files(settings))
    database = "sqlite" if settings.store.url.startswith("sqlite") else "postgresql"
    with store.dumped() as tables:
        write(target, Head(__version__, SCHEMA, now, database), files, tables)
    with store.write() as tx:
        tx.meta.set(LAST, now.isoformat())
    removed = _prune(folder, settings.backup.keep) if path is None else ()
    return Backup(target, target.stat().st_size, len(files), removed)


def last_backup(tx: Transaction) -> datetime | None:
    """When the last one was made; None if there was none."""
    said = tx.meta.get(LAST)
    return datetime.fromisoformat(said) if said else None


def restore(
    store: Store,
    settings: Settings,
    backup: BackupFile,
    now: datetime,
    *,
    overwrite: bool = False,
    resume: bool = False,
) -> Restored:
    """Make the database what it was. `overwrite`: in place of one that is there; `resume`: nothing was sent since the
    backup, so that issues go on at once.

    Raises Conflict where something would be lost or is at work.
    """
    if not store.is_new():
        if not overwrite:
            raise Conflict("there is a database already; --overwrite puts the backup in its place")
        _refuse_while_running(store, now)
    places = [(file, _place(settings, file)) for file in backup.files]
    strangers = [path for file, path in places if file.kind == "key" and _differs(path, file.content)]
    if strangers and not overwrite:
        raise Conflict(f"{strangers[0]} is another key than the backup's; --overwrite puts that in its place")
    with store.replaced(backup.tables(), revision=backup.head.schema) as tx:
        paused, in_doubt = _put_right(tx, now, resume=resume)
        again = tuple((frequency, slot) for frequency, slot in due(tx, settings, now) if slot > backup.head.made)
    written, kept = _put_back(places, overwrite=overwrite)
    return Restored(backup.head, paused, again, in_doubt, written, kept)


def put_config_back(backup: BackupFile, config: Path) -> bool:
    """For a machine that has nothing yet: write the backup's config.toml. False if the backup has none."""
    found = next((file.content for file in backup.files if file.kind == "config"), None)
    if found is not None:
        _write_file(config, found)
    return found is not None


def _refuse_while_running(store: Store, now: datetime) -> None:
    """A run that goes on over a restore loses its record, and the letters it hands over are nowhere written down."""
    with store.read() as tx:
        who, run = keeper(tx, now), tx.runs.current()
    if who is not None and who.running:
        raise Conflict(f"`publisher serve` or `schedule` is running (process {who.pid} on {who.host}); stop it first")
    if run is not None and is_there(run.host, run.pid, run.process, run.heartbeat or run.started, now):
        raise Conflict(
            f"run {run.id} is under way (process {run.pid} on {run.host}); wait for its end, or stop it first"
        )


def _put_right(tx: Transaction, now: datetime, *, resume: bool) -> tuple[tuple[str, ...], int]:
    """What was under way when the backup was made is not any more."""
    run = tx.runs.current()
    if run is not None:
        tx.runs.finish(run.id, RunState.INTERRUPTED, report=run.report, now=now)
    forget_keeper(tx)
    in_doubt = tx.deliveries.recover(now, now + DOUBT, force=True)
    sending = [] if resume else tx.issues.list(1000, state=IssueState.SENDING)
    paused = [issue.name for issue in sending if tx.deliveries.pending(issue.id, include_uncertain=True)]
    for issue in sending:
        tx.deliveries.pause(issue.id)
    return tuple(paused), in_doubt


# --- files ----------------------------------------------------------------------------------------------------------


def _files(settings: Settings) -> Iterator[KeptFile]:
    if settings.backup.keys:
        for name, path in _key_files(settings).items():
            if path.is_file():
                yield KeptFile("key", name, path.read_bytes())
    if settings.backup.config:
        config = settings.root / settings.place
        if config.is_file():
            yield KeptFile("config", CONFIG, config.read_bytes())
        templates = settings.path(settings.site.templates)
        for path in sorted(templates.rglob("*")):
            if path.is_file():
                yield KeptFile("template", path.relative_to(templates).as_posix(), path.read_bytes())


def _key_files(settings: Settings) -> dict[str, Path]:
    keys = {place.setting: place.path for place in key_places(settings)}
    return {KEY_SETTING: settings.path(settings.store.secret_file), **keys}


def _place(settings: Settings, file: KeptFile) -> Path:
    """Where a file of the backup belongs here. Raises BackupError for a name that leads out of its folder."""
    if file.kind == "config":
        return settings.root / settings.place
    if file.kind == "key" and file.name in (keys := _key_files(settings)):
        return keys[file.name]
    name = PurePosixPath(file.name)
    if file.kind == "template" and not name.is_absolute() and ".." not in name.parts:
        return settings.path(settings.site.templates) / name
    raise BackupError(f"the backup holds a file of a strange name ({file.name!r}); it was not made by this program")


def _differs(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() != content


def _put_back(places: Sequence[tuple[KeptFile, Path]], *, overwrite: bool) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Write what is missing, and with `overwrite` what differs, but never config.toml: it says where the database
    is, and was read already. What was there before is kept beside it."""
    written, kept = [], []
    for file, path in places:
        if not path.exists():
            _write_file(path, file.content)
            written.append(path)
        elif _differs(path, file.content):
            if not overwrite or file.kind == "config":
                kept.append(path)
                continue
            path.replace(path.with_name(path.name + _KEPT_ASIDE))
            _write_file(path, file.content)
            written.append(path)
    return tuple(written), tuple(kept)


def _write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def _prune(folder: Path, keep: int) -> tuple[Path, ...]:
    """Remove all but the newest `keep` of the backups that the timetable made; names sort by time."""
    ours = sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name))
    for path in ours[:-keep]:
        path.unlink(missing_ok=True)
    return tuple(ours[:-keep])
