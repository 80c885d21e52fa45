"""How the operator's pages are rendered and answered: kept by nobody, framed by nobody, no script but our own file.
Floor: `web`.

Their templates belong to the program, not to the site: a folder of templates from last year cannot break them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from publisher import templating
from publisher.config import Settings
from publisher.flows.operators import SignedIn
from publisher.package import shipped
from publisher.pages import colours
from publisher.templating import render

HEADERS = {
    "Cache-Control": "no-store",
    # not "no-referrer": with it browsers send `Origin: null`, and we could not tell our own forms from others'
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
NAVIGATION = (
    ("", "Overview"),
    ("publish", "Publish"),
    ("runs", "Runs"),
    ("articles", "Articles"),
    ("readers", "Readers"),
    ("issues", "Issues"),
    ("preview", "Preview"),
    ("tokens", "Tokens"),
    ("audit", "Log"),
)
_ASSETS = {"admin.css": "text/css; charset=utf-8", "progress.js": "text/javascript; charset=utf-8"}


class AdminPages:
    """Renders ``templates/admin/*``. Every href of a page begins with `root`."""

    def __init__(self, settings: Settings) -> None:
        self._env = templating.environment(None, settings.zone)
        self._site = settings.site
        self._root = self.root(settings)
        accent = settings.site.accent
        shades = {"light": asdict(colours.light(accent)), "dark": asdict(colours.dark(accent))}
        self._assets = {
            "admin.css": render(self._env, "admin/admin.css", shades).encode(),
            "progress.js": (shipped("templates") / "admin" / "progress.js").read_bytes(),
        }
        self._versions = {name: hashlib.sha256(content).hexdigest()[:8] for name, content in self._assets.items()}

    @staticmethod
    def root(settings: Settings) -> str:
        """The path of the first page, as in ``/admin/``."""
        return (urlsplit(settings.site.base_url).path or "/") + "admin/"

    def page(
        self,
        template: str,
        title: str,
        values: Mapping[str, Any],
        *,
        session: SignedIn | None,
        here: str = "",
        status: int = 200,
    ) -> Response:
        """`template` is its name below ``admin/`` without .html; `here` the entry of NAVIGATION it belongs to."""
        frame = {
            "title": title,
            "site": self._site,
            "root": self._root,
            "here": here,
            "navigation": NAVIGATION if session else (),
            "operator": session.operator if session else "",
            "csrf": session.csrf if session else "",
            "style": f"{self._root}assets/admin.css?v={self._versions['admin.css']}",
            "script": f"{self._root}assets/progress.js?v={self._versions['progress.js']}",
            "refresh": 0,
            "done": "",
            "problem": "",
        }
        content = render(self._env, f"admin/{template}.html", frame | dict(values))
        return Response(content.encode(), status, HEADERS, media_type="text/html; charset=utf-8")

    def message(self, title: str, text: str, *, status: int) -> Response:
        """An error, or something to know; shown alike to whoever asks."""
        return self.page("message", title, {"text": text}, session=None, status=status)

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._assets:
            raise HTTPException(404, "It may have moved; the overview leads to all pages.")
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
        return Response(self._assets[name], 200, headers, media_type=_ASSETS[name])
