"""Make a new site's folder: config.toml, templates and, if wanted, the ten articles. Floor: `flows`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from publisher.errors import SiteError
from publisher.package import shipped


def make_site(folder: Path, *, with_articles: bool, with_templates: bool = True) -> list[Path]:
    """Write what a site starts with; files that are there already are left alone. Gives the files made.

    Raises SiteError where something cannot be written.
    """
    wanted = [(shipped("config.toml"), folder / "config.toml")]
    if with_templates:
        for name in ("site", "email"):  # those of the admin pages belong to the program
            wanted += _tree(shipped("templates") / name, folder / "templates" / name)
    if with_articles:
        wanted += _tree(shipped("articles"), folder / "data" / "articles")
    made = []
    try:
        (folder / "data" / "articles").mkdir(parents=True, exist_ok=True)
        for source, target in wanted:
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                made.append(target)
    except OSError as error:
        raise SiteError(
            f"{error.filename or folder}: {error.strerror or error}; choose a folder you may write to"
        ) from error
    return made


def _tree(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            yield path, target / path.relative_to(source)
