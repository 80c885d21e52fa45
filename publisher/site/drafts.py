"""Drafts: whole, synced files that have no published name yet; and what a full disk says to people. Floor: site."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType

from publisher.errors import SiteError

FOLDER = ".drafts"
_LOCK = "lock"
_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and publish again",
    errno.EDQUOT: "the disk quota is used up; free some space and publish again",
    errno.EFBIG: "the file would be larger than this process may write; raise its limit (ulimit -f)",
    errno.EACCES: "no permission; let the user who runs publisher write there",
    errno.EPERM: "no permission; let the user who runs publisher write there",
    errno.EROFS: "the disk is read-only; make it writable or set [site] output to another folder",
    errno.ENOTDIR: "a file stands where a folder is needed; move it away",
    errno.EEXIST: "a file stands where a folder is needed; move it away",
    errno.EISDIR: "a folder stands where the file has to go; move it away",
    errno.ENAMETOOLONG: "the path is longer than the file system allows; set [site] output to a shorter one",
}


class Drafts:
    """The folder of drafts below `root`, locked while it is in use, so that whatever is found in it at the start was
    left by a killed process and can go. Raises SiteError, also when another process is writing."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self._numbers = count()  # next() of it is atomic: threads share it
        self._lock = -1

    def __enter__(self) -> Drafts:
        with explained(self._folder, "use"):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._clean()
            except BlockingIOError:
                os.close(self._lock)
                raise SiteError(f"another process is writing to {self._folder.parent}; wait until it is done") from None
            except OSError:
                os.close(self._lock)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._clean()
        finally:
            os.close(self._lock)

    def write(self, content: bytes, modified: float) -> Path:
        """A new draft with `content`, its time set to `modified` (seconds since 1970), safe on the disk. OSError."""
        draft = self._folder / str(next(self._numbers))
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.utime(descriptor, (modified, modified))
            os.fsync(descriptor)
        return draft

    def _clean(self) -> None:
        for path in self._folder.iterdir():
            if path.name != _LOCK:
                path.unlink(missing_ok=True)


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Turns an error of the system into a SiteError that names `path` and what to do."""
    try:
        yield
    except SiteError:
        raise
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        raise SiteError(f"cannot {what} {path}: {advice}. What was published before is still in place") from error


def sync_folder(folder: Path) -> None:
    """Makes renames in `folder` survive a power cut. Raises SiteError."""
    with explained(folder, "sync"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
