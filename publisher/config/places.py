"""Folders and files that must not lie in one another. Floor: `config`, above `errors`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def laid_open(output: Path, private: Iterable[tuple[str, Path]]) -> str | None:
    """What is wrong with publishing the folder `output`, which everybody may read: the first of `private` (setting,
    absolute path) that lies in it."""
    for key, path in private:
        if path == output or output in path.parents:
            return f"site.output: {output} holds {key}, which everybody could read there; name a folder of its own"
    return None


def read_again(output: Path, sources: Iterable[tuple[str, Path]]) -> str | None:
    """What is wrong where what is published would be read as articles."""
    for key, path in sources:
        if path in output.parents:
            return f"site.output: {output} lies in {key}, whose files are read as articles; name a folder of its own"
    return None
