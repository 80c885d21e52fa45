"""Folders and files that must not lie in one another. Floor: `config`, below `settings`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publisher.config.settings import Settings

_SQLITE = "sqlite:///"


def check_output(settings: Settings) -> None:
    """Raises ValueError where publishing `site.output`, which everybody may read, would lay open what is private, or
    where what is published there would be read as articles."""
    output = settings.path(settings.site.output)
    sources = [(f"source[{place}].path", settings.path(source.path)) for place, source in enumerate(settings.source)]
    for key, path in (*_private(settings), *sources):
        if path == output or output in path.parents:
            _refuse(f"{output} holds {key}, which everybody could read there")
    for key, path in sources:
        if path in output.parents:
            _refuse(f"{output} lies in {key}, whose files are read as articles")


def _private(settings: Settings) -> Iterator[tuple[str, Path]]:
    """What nobody else may read, by the setting that names it."""
    yield settings.place, settings.root / settings.place
    if settings.store.url.startswith(_SQLITE):
        yield "store.url", settings.path(Path(settings.store.url.removeprefix(_SQLITE)))
    named = {
        "store.secret_file": settings.store.secret_file,
        "outbox.path": settings.outbox.path,
        "backup.path": settings.backup.path,
        "site.templates": settings.site.templates,
        "dkim.key_file": settings.dkim.key_file,
        "dkim.ed25519_key_file": settings.dkim.ed25519_key_file,
        "bounces.folder": settings.bounces.folder,
        "bounces.inbox": settings.bounces.inbox,
        "signup.refused_domains_file": settings.signup.refused_domains_file,
    }
    yield from ((key, settings.path(path)) for key, path in named.items() if path is not None)


def _refuse(why: str) -> None:
    raise ValueError(f"site.output: {why}; name a folder of its own")
