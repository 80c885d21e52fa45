"""Where mail that came back lies: Maildir, mbox, files with one message each, IMAP. Floor: `sources`.

Each message comes with `settle`, to be called when what it says is written down. Nothing is ever deleted: out of a
Maildir a message is moved to a folder of ours, on a server it is marked, a file stays as it is.
"""

from __future__ import annotations

import binascii
import hashlib
import imaplib
import mailbox
import os
import re
import shutil
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from publisher.cleantext import shown_path
from publisher.errors import SourceError

PROCESSED = "processed"
UNPARSED = "unparsed"
"""The folders of read mail: what was understood, and what people should look at."""
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message: its bytes, and what to call when it is dealt with (True: people should look at it)."""

    content: bytes = field(repr=False)
    settle: Callable[[bool], None] = field(repr=False)


def mail_in(path: Path, folder: Path) -> Iterator[Incoming]:
    """The messages of the Maildir, mbox, message file or folder of message files `path`. Raises SourceError; for single
    files that cannot be read only after all others. Read ones of a Maildir are moved below `folder`."""
    if path.is_dir():
        if (path / "new").is_dir() and (path / "cur").is_dir():
            files = [file for below in ("new", "cur") for file in sorted((path / below).iterdir())]
            return _files(files, folder)
        files = sorted(path.glob("*.eml"))
        if not files:
            problem = "not a Maildir (it has no folders new and cur), and no messages *.eml lie in it"
            raise SourceError(f"{shown_path(path)}: {problem}; name the folder that has them")
        return _files(files)
    try:
        with path.open("rb") as file:
            start = file.read(5)
    except OSError as error:
        raise SourceError(f"{shown_path(path)}: {error.strerror or error}") from error
    return _mbox(path) if start == b"From " else _files([path])


def piped_mail(content: bytes, folder: Path) -> Iterator[Incoming]:
    """The message that a mail server gives to a program; one for people is kept below `folder`, for its owner only:
    what came back has the letter in it, with the links that change and erase its reader."""

    def settle(for_people: bool) -> None:
        if for_people:
            name = hashlib.sha256(content).hexdigest()[:32]
            place = folder / UNPARSED / f"{name}.eml"
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_suffix(".tmp")
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(content)
            draft.replace(place)

    if content.strip():
        yield Incoming(content, settle)


def _stays(for_people: bool) -> None:
    """A file of the operator is theirs; a second reading of it finds everything known."""


def _files(files: Iterable[Path], folder: Path | None = None) -> Iterator[Incoming]:
    """One message each; read ones are moved below `folder`, if that is given."""
    unreadable = []
    for file in files:
        if file.name.startswith(".") or not file.is_file():
            continue
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # another process was faster
            continue
        except OSError as error:
            unreadable.append(f"{shown_path(file)}: {error.strerror or error}")
            continue
        if content.strip():
            yield Incoming(content, _mover(file, folder) if folder else _stays)
    if unreadable:
        raise SourceError("; ".join(unreadable))


def _mover(file: Path, folder: Path) -> Callable[[bool], None]:
    def settle(for_people: bool) -> None:
        place = folder / (UNPARSED if for_people else PROCESSED) / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            try:
                os.link(file, place)  # a name that is taken is never written over
                file.unlink()
            except FileExistsError:
                place = place.with_name(f"{file.name}.{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}")
                file.replace(place)
            except OSError:  # another file system
                shutil.move(file, place)

    return settle


def _mbox(path: Path) -> Iterator[Incoming]:
    with closing(mailbox.mbox(path, create=False)) as box:
        for key in box.iterkeys():
            yield Incoming(box.get_bytes(key), _stays)


# --- IMAP: RFC 9051 -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapAccount:
    """A folder on a server; `context` says whom to trust there (default: what the system trusts)."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    context: ssl.SSLContext | None = field(default=None, repr=False)


def mail_on_server(account: ImapAccount) -> Iterator[Incoming]:
    """The messages of the folder that nobody has read yet. Dealt with, they are marked as read, those for people also
    as flagged. Raises SourceError."""
    with _complaints_of(account):
        server = imaplib.IMAP4_SSL(
            account.host,
            account.port,
            ssl_context=account.context or ssl.create_default_context(),
            timeout=TIMEOUT_S,
        )
    try:
        with _complaints_of(account):
            _log_in(server, account)
            _asked(server.select(_quoted(_utf7(account.folder))))
            numbers = _asked(server.uid("SEARCH", "UNSEEN"))[0]
        for number in (numbers or b"").split():
            with _complaints_of(account):
                content = _literal(_asked(server.uid("FETCH", number.decode("ascii"), "(BODY.PEEK[])")))
            if content is not None:
                yield Incoming(content, _marker(server, account, number.decode("ascii")))
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            server.logout()


def _log_in(server: imaplib.IMAP4, account: ImapAccount) -> None:
    """LOGIN takes ASCII alone."""
    if (account.user + account.password).isascii():
        _asked(server.login(_quoted(account.user), account.password))
    elif "AUTH=PLAIN" in server.capabilities:
        plain = f"\0{account.user}\0{account.password}".encode()  # RFC 4616
        server.authenticate("PLAIN", lambda _: plain)
    else:
        raise SourceError("the server takes no login with letters other than ASCII (it does not offer AUTH=PLAIN)")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _utf7(folder: str) -> str:
    """The name as servers spell it (RFC 3501 section 5.1.3): what is not ASCII as base64 of UTF-16, "&" as "&-"."""

    def spelled(found: re.Match[str]) -> str:
        base64 = binascii.b2a_base64(found[0].encode("utf-16-be"), newline=False).decode("ascii")
        return f"&{base64.rstrip('=').replace('/', ',')}-"

    return re.sub(r"[^\x20-\x7e]+", spelled, folder.replace("&", "&-"))


def _marker(server: imaplib.IMAP4, account: ImapAccount, number: str) -> Callable[[bool], None]:
    def settle(for_people: bool) -> None:
        with _complaints_of(account):
            _asked(server.uid("STORE", number, "+FLAGS", r"(\Seen \Flagged)" if for_people else r"(\Seen)"))

    return settle


def _asked(answer: tuple[str, list[Any]]) -> list[Any]:
    kind, data = answer
    if kind != "OK":
        raise imaplib.IMAP4.error(kind)
    return data


def _literal(data: list[Any]) -> bytes | None:
    """The message in the answer to a FETCH; None if it is gone meanwhile."""
    return next((item[1] for item in data if isinstance(item, tuple)), None)


@contextmanager
def _complaints_of(account: ImapAccount) -> Iterator[None]:
    where = f"bounces.imap_host: {account.host}:{account.port}"
    try:
        yield
    except imaplib.IMAP4.abort as error:
        raise SourceError(f"{where}: the server closed the connection") from error
    except imaplib.IMAP4.error as error:  # its text may hold the login
        raise SourceError(f"{where}: the server refuses the login or the folder {account.folder!r}") from error
    except ssl.SSLError as error:
        raise SourceError(f"{where}: no TLS that can be trusted: {error.reason or error}") from error
    except OSError as error:
        raise SourceError(f"{where}: {error.strerror or error}") from error
