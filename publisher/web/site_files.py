"""The published files over HTTP, with the media types that feed readers expect. Floor: `web`."""

from __future__ import annotations

from os import PathLike, stat_result
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from publisher.pages import NOT_FOUND

MEDIA_TYPES = {
    ".atom": "application/atom+xml",  # RFC 4287, section 7
    ".rss": "application/rss+xml",
    ".json": "application/feed+json",
    ".opml": "text/x-opml",
}


class SiteFiles(StaticFiles):
    """Serves the output folder; a path without a file gets the site's own page for that."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)  # before the first run there is none
        super().__init__(directory=folder, html=True)
        self._folder = folder

    async def get_response(self, path: str, scope: Scope) -> Response:
        hidden = any(part.startswith(".") for part in path.split("/") if part != ".")
        if hidden:  # drafts of documents that are being written
            return self._not_found()
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code == 404:
                return self._not_found()
            raise

    def _not_found(self) -> Response:
        page = self._folder / NOT_FOUND
        headers = {"Cache-Control": "no-cache"}
        if page.is_file():
            return FileResponse(page, status_code=404, headers=headers)
        return PlainTextResponse("Nothing is published here.", 404, headers)

    def file_response(
        self, full_path: PathLike[str] | str, stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        path = Path(full_path)
        response = super().file_response(full_path, stat_result, scope, status_code)
        media_type = MEDIA_TYPES.get(path.suffix)
        if media_type:
            response.headers["Content-Type"] = f"{media_type}; charset=utf-8"
            response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cache-Control"] = "no-cache"  # ask again each time: the answer is mostly 304
        return response

    def is_not_modified(self, response_headers: Any, request_headers: Any) -> bool:
        """If-None-Match decides where it is sent; the date only where it is not (RFC 9110, section 13.2.2)."""
        tags = request_headers.get("if-none-match")
        if tags is not None:
            own = response_headers.get("etag", "").removeprefix("W/")
            return tags.strip() == "*" or own in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return super().is_not_modified(response_headers, request_headers)
