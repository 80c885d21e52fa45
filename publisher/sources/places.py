"""A place (file, folder, standard input) -> its articles and refusals. Floor: top of `sources`."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from publisher.cleantext import shown_path, title_identity
from publisher.errors import SourceError
from publisher.model import Origin, RawArticle, Refusal
from publisher.sources.admission import Admission, Item, admit
from publisher.sources.fields import shown

_HEAD = 8192
_NO_ARTICLES = {"readme", "_index"}
_BLANKS = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ADDRESS = re.compile(r"(?:https?|ftps?|feed)://", re.IGNORECASE)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Format(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    JSONL = "jsonl"


_EXTENSIONS = {
    ".txt": Format.TEXT,
    ".text": Format.TEXT,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
}


def read(
    place: Path | str, *, admission: Admission, form: Format | None = None, stream: BinaryIO | None = None
) -> Iterator[RawArticle | Refusal]:
    """The articles of `place`, good and bad, in the order of the place; nothing of it is kept in memory but one item.

    A folder is read with the folders below it, in the order of the names. In a folder these are passed over: hidden
    names, files named README or _index (Hugo's page of a folder), and files of unknown extension unless `form` is
    given; a link to a folder is not followed. "-" reads `stream`, by default standard input. The form is told by the
    extension, then by the content.
    The second of two items with the same id, or without ids the same title, is refused: they are one article.

    Raises SourceError at once if the place as a whole cannot be read; in a folder such a file is a Refusal.
    """
    if str(place) == "-":
        return _unique(_from_stream(stream or sys.stdin.buffer, "-", form, admission))
    if _ADDRESS.match(str(place)):
        raise SourceError(f"{shown_path(place)}: this is a web address; save what it shows to a file and import that")
    path = Path(place)
    try:
        folder = path.is_dir()
        if folder:
            next(path.iterdir(), None)
        elif path.is_file():
            path.open("rb").close()
        else:
            path.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return _unique(_from_folder(path, form, admission) if folder else _from_file(path, form, admission))


def _unreadable(path: Path, error: OSError | ValueError) -> SourceError:
    place = shown_path(path)
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{place}: no such file or folder; check the path")
    if isinstance(error, PermissionError):
        return SourceError(f"{place}: no permission to read it; change its mode or its owner")
    return SourceError(f"{place}: cannot be read: {getattr(error, 'strerror', None) or error}")


def files_of(place: Path, form: Format | None = None) -> Iterator[Path]:
    """The files that `read` would read, in its order; those it cannot read are among them. Raises SourceError as it
    does, and passes over folders that it cannot look into."""
    if not place.is_dir():
        try:
            place.stat()
        except (OSError, ValueError) as error:
            raise _unreadable(place, error) from error
        yield place
        return
    for parent, folders, files in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (path for path in (Path(parent, name) for name in sorted(files)) if _wanted(path, form))


def _from_folder(folder: Path, form: Format | None, admission: Admission) -> Iterator[RawArticle | Refusal]:
    closed: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(files)):
            if not _wanted(path, form):
                continue
            try:
                yield from _from_file(path, form, admission)
            except SourceError as error:
                yield Refusal(Origin(shown_path(path)), _without_place(error, path))
    for reason in closed:
        path = Path(reason.filename)
        yield Refusal(Origin(shown_path(path)), _without_place(_unreadable(path, reason), path))


def _wanted(path: Path, form: Format | None) -> bool:
    if path.name.startswith(".") or path.name.lower().split(".")[0] in _NO_ARTICLES:
        return False
    if form is None and path.suffix.lower() not in _EXTENSIONS:
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # opening it will say what is wrong


def _without_place(error: SourceError, path: Path) -> str:
    return str(error).removeprefix(f"{shown_path(path)}: ")


def _from_file(path: Path, form: Format | None, admission: Admission) -> Iterator[RawArticle | Refusal]:
    try:
        with path.open("rb") as stream:
            yield from _from_stream(stream, shown_path(path), form or _EXTENSIONS.get(path.suffix.lower()), admission)
    except OSError as error:
        raise _unreadable(path, error) from error


def _from_stream(
    stream: BinaryIO, place: str, form: Format | None, admission: Admission
) -> Iterator[RawArticle | Refusal]:
    reader = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    try:
        head = reader.peek(_HEAD)[:_HEAD]
        problem = _not_text(head)
        if problem:
            yield Refusal(Origin(place), problem)
            return
        parse = _parser(form or _recognised(head), head, place)
        for item in parse(reader, place, admission.max_item_bytes):
            yield admit(item, admission) if isinstance(item, Item) else item
    finally:
        if reader is not stream:
            reader.detach()  # else the caller's stream would be closed with ours


def _not_text(head: bytes) -> str:
    if head.startswith(_UTF16_MARKS):
        return "the file is in UTF-16; save it as UTF-8"
    return "a binary file (it holds NUL bytes); export it as text, Markdown or JSON lines" if b"\0" in head else ""


def _recognised(head: bytes) -> Format:
    """JSON starts with a brace or bracket, Markdown with front matter or a heading; the rest is plain text."""
    start = head.removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANKS)
    if start.startswith(b"{") or start[:1] + start[1:].lstrip(_BLANKS)[:1] in {b"[{", b"[]"}:
        return Format.JSONL
    first = start.split(b"\n", 1)[0].rstrip()
    return Format.MARKDOWN if first in {b"---", b"+++"} or first.startswith(b"# ") else Format.TEXT


def _parser(form: Format, head: bytes, place: str) -> Callable[[BinaryIO, str, int], Iterator[Item | Refusal]]:
    from publisher.sources import jsonlines, markdown, plain  # noqa: PLC0415  (late: most runs find nothing to read)

    if form is Format.TEXT:
        return plain.parse
    if form is Format.MARKDOWN:
        return markdown.parse
    start = head.removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANKS)
    over_lines = place.lower().endswith(".json") or start.startswith(b"[") or start.split(b"\n", 1)[0].strip() == b"{"
    return jsonlines.parse_text if over_lines else jsonlines.parse


def _unique(results: Iterator[RawArticle | Refusal]) -> Iterator[RawArticle | Refusal]:
    first: dict[tuple[str, str], Origin] = {}
    for result in results:
        if isinstance(result, RawArticle):
            by_id = result.external_id is not None
            identity = ("id", result.external_id or "") if by_id else ("title", title_identity(result.title))
            if earlier := first.get(identity):
                what = f"the id {shown(identity[1])!r}" if by_id else "the title"
                yield Refusal(
                    result.origin, f"{what} is that of {earlier}; give each article an id of its own", result.title
                )
                continue
            first[identity] = result.origin
        yield result
