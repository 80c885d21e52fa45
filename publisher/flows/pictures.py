"""The pictures that feed readers show beside a feed: drawn in the accent colour, or the operator's own. Floor: `flows`.

RSS takes PNG, GIF and JPEG only, up to 144 pixels wide; so what is drawn comes in two sizes. Files of the operator are
published as they are.
"""

from __future__ import annotations

import io
from pathlib import Path

from publisher.config import Settings
from publisher.errors import ConfigError
from publisher.links import Pictures
from publisher.model import Document
from publisher.pages import pictures

MAX_BYTES = 1_000_000
_KINDS = {".png": b"\x89PNG\r\n\x1a\n", ".gif": b"GIF8", ".jpg": b"\xff\xd8\xff", ".jpeg": b"\xff\xd8\xff"}
_ICON, _SMALL, _LOGO = 256, 144, 128  # pixels: sides of the squares, height of the logo


def paths_of(settings: Settings) -> Pictures:
    site = settings.site
    return Pictures.named(site.icon.suffix if site.icon else "", site.logo.suffix if site.logo else "")


def site_pictures(settings: Settings) -> tuple[Document, ...]:
    """Every picture of the site. Raises ConfigError for a file of the operator that cannot be used."""
    paths, accent = paths_of(settings), settings.site.accent
    own = own_pictures(settings)
    if "site.icon" in own:
        made = {paths.icon: own["site.icon"]}
    else:
        made = {paths.icon: pictures.icon(accent, _ICON), paths.small: pictures.icon(accent, _SMALL)}
    if paths.logo:
        made[paths.logo] = own["site.logo"] if "site.logo" in own else pictures.logo(accent, _LOGO)
    return tuple(Document(path, content) for path, content in made.items())


def own_pictures(settings: Settings) -> dict[str, bytes]:
    """The operator's pictures by the key of their setting. Raises ConfigError."""
    named = {"site.icon": settings.site.icon, "site.logo": settings.site.logo}
    return {key: _read(key, settings.path(path)) for key, path in named.items() if path is not None}


def _read(key: str, file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(key, f"{file}: {error.strerror or error}") from error
    start = _KINDS.get(file.suffix.lower())
    if start is None or not content.startswith(start):
        raise ConfigError(key, f"{file}: no picture that every feed reader can show; use PNG, GIF or JPEG")
    if len(content) > MAX_BYTES:
        raise ConfigError(key, f"{file}: {len(content):,} bytes are more than {MAX_BYTES:,}; make it smaller")
    width, height = _size(content)
    if min(width, height) < 1:
        raise ConfigError(key, f"{file}: its size cannot be read; save it once more")
    if problem := _unfit(key, width, height):
        raise ConfigError(key, f"{file}: {width} x {height} pixels; {problem}")
    return content


def _size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels; less than 1 where they cannot be read."""
    import imagesize  # noqa: PLC0415  (late: only a site with pictures of its own needs it)

    try:
        width, height = imagesize.get(io.BytesIO(content))
    except ValueError:
        return -1, -1
    return int(width), int(height)


def _unfit(key: str, width: int, height: int) -> str:
    """What to do about a picture of this size; empty for a good one."""
    if key == "site.logo":
        return "" if width == 2 * height else "make it twice as wide as high"
    if width != height:
        return "make it square"
    return "" if width <= _SMALL else f"make it {_SMALL} x {_SMALL} or smaller, RSS allows no more"
