"""A backup as a file: what stands in it line by line, written whole, read with care. Floor: `flows`.

Compressed (gzip) lines of JSON, UTF-8, so that it can be read without this program, too:

    {"publisher": "backup", "format": 1, "version": "0.1.0", "schema": "0008", "made": "2026-03-02T09:00:00Z", ...}
    {"file": "key", "name": "store.secret_file", "content": "<base64>"}      a file, as often as there are some
    {"table": "articles", "columns": [["key", "plain"], ...], "last": null}  a table; its rows follow, a line each
    ["0123456789abcdef", ...]
    {"end": 1234, "sha256": "..."}                                           lines before it, and the sum of them

A file that was cut short, or changed, is refused before a line of it is used.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import secrets
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from publisher.errors import BackupError
from publisher.store import SCHEMA
from publisher.store.dump import Column, Table, Value

FORMAT = 1
_LEVEL = 6  # of gzip: level 9 takes three times as long for two per cent


@dataclass(frozen=True, slots=True)
class Head:
    """When and by what it was made: `version` of the program, `schema` of its database, `database` sqlite or
    postgresql."""

    version: str
    schema: str
    made: datetime
    database: str


@dataclass(frozen=True, slots=True)
class KeptFile:
    """`kind`: key, config or template; `name`: the setting that says where a key is, or the template's path."""

    kind: str
    name: str
    content: bytes


Tables = Iterable[tuple[Table, Iterable[list[Value]]]]


def write(path: Path, head: Head, files: Iterable[KeptFile], tables: Tables) -> None:
    """Write the backup, for its owner only; under its name it is there whole or not at all. Raises BackupError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as raw:
                with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=_LEVEL) as packed:
                    _write_lines(packed, _lines(head, files, tables))
                raw.flush()
                os.fsync(raw.fileno())
            draft.replace(path)
            _sync(path.parent)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise BackupError(
            f"{path} cannot be written: {error.strerror or error}; name another place with a PATH, or see [backup] path"
        ) from error


def _lines(head: Head, files: Iterable[KeptFile], tables: Tables) -> Iterator[Any]:
    made = head.made.isoformat().replace("+00:00", "Z")
    yield {
        "publisher": "backup", "format": FORMAT, "version": head.version, "schema": head.schema, "made": made,
        "database": head.database,
    }  # fmt: skip
    for file in files:
        yield {"file": file.kind, "name": file.name, "content": b64encode(file.content).decode("ascii")}
    for table, rows in tables:
        columns = [[column.name, column.kind] for column in table.columns]
        yield {"table": table.name, "columns": columns, "last": table.last}
        yield from rows


def _write_lines(packed: gzip.GzipFile, lines: Iterable[Any]) -> None:
    total, count = hashlib.sha256(), 0
    for line in lines:
        content = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        packed.write(content)
        total.update(content)
        count += 1
    packed.write(json.dumps({"end": count, "sha256": total.hexdigest()}).encode() + b"\n")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BackupFile:
    """A backup that was found whole. `tables` may be read as often as wanted, each time from the file."""

    def __init__(self, path: Path) -> None:
        """Reads all of it. Raises BackupError: no such file, none of ours, of a newer format, cut short, or changed."""
        self._path = path
        self.head, self._files = self._checked()

    @property
    def files(self) -> list[KeptFile]:
        return list(self._files)

    def tables(self) -> Iterator[tuple[Table, Iterator[list[Value]]]]:
        """Each table with its rows, which are read before the next one."""
        with self._opened() as lines:
            line = next(lines, b"")
            while line:
                if not line.startswith(b'{"table"'):
                    line = next(lines, b"")
                    continue
                said = json.loads(line)
                columns = [Column(name, kind) for name, kind in said["columns"]]
                rest = _Rows(lines)
                yield Table(said["table"], columns, said["last"]), rest
                line = rest.following

    def _checked(self) -> tuple[Head, list[KeptFile]]:
        total, count, last = hashlib.sha256(), 0, b""
        head, files = b"", []
        with self._opened() as lines:
            for line in lines:
                if last:
                    total.update(last)
                    count += 1
                last = line
                head = head or line
                if line.startswith(b'{"file"'):
                    files.append(line)
        try:
            first, end = json.loads(head), json.loads(last)
            if first["publisher"] != "backup":
                raise BackupError(self._is("is no backup of this program"))
            if first["format"] > FORMAT or first["schema"] > SCHEMA:
                raise BackupError(self._is("was made by a newer version of this program; install that version"))
            if (end["end"], end["sha256"]) != (count, total.hexdigest()):
                raise BackupError(self._is("is damaged: its lines are not those that were written; take another one"))
            made = datetime.fromisoformat(first["made"]).astimezone(UTC)
            kept = [json.loads(line) for line in files]
            return (
                Head(first["version"], first["schema"], made, first["database"]),
                [KeptFile(one["file"], one["name"], b64decode(one["content"])) for one in kept],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BackupError(self._is("is no whole backup of this program; take another one")) from error

    @contextmanager
    def _opened(self) -> Iterator[Iterator[bytes]]:
        try:
            with gzip.open(self._path, "rb") as lines:
                yield iter(lines)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BackupError(self._is("is damaged, cut short, or no backup; take another one")) from error
        except OSError as error:
            raise BackupError(self._is(f"cannot be read: {error.strerror or error}")) from error

    def _is(self, what: str) -> str:
        return f"{self._path} {what}"


class _Rows:
    """The rows up to the next line that is none, which is then `following`."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.following = b""

    def __iter__(self) -> Iterator[list[Value]]:
        return self

    def __next__(self) -> list[Value]:
        line = b"" if self.following else next(self._lines, b"")
        if line.startswith(b"["):
            row: list[Value] = json.loads(line)
            return row
        self.following = self.following or line
        raise StopIteration
