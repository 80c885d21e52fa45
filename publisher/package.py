"""What comes with the program. Floor: low; imports nothing of ours."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """A folder or file that comes with the program: ``templates``, ``articles`` or ``config.toml``.

    In an installed wheel they lie in the package, in a checkout at the top level.
    """
    package = Path(__file__).parent
    inside = package / "shipped" / name
    if inside.exists():
        return inside
    return package.parent / ("data/articles" if name == "articles" else name)
