"""Pages of a list: so many at a time, the next one linked in the header Link (RFC 8288). Floor: `web`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Path, Query, Request, Response

from publisher.web.api.access import api_of

T = TypeVar("T")
MOST = 2**53 - 1
"""The highest number that every JSON reader takes as it is."""

Limit = Annotated[int, Query(ge=1, le=200, description="so many at most")]
Before = Annotated[int | None, Query(ge=1, le=MOST, description="only those numbered lower: the page after that one")]
After = Annotated[int, Query(ge=0, le=MOST, description="only those numbered higher: the page after that one")]
Offset = Annotated[int, Query(ge=0, le=MOST, description="leave out so many")]
Number = Annotated[int, Path(ge=1, le=MOST)]
NUMBER_OF_PAGE = 50


def page_of(found: Sequence[T], limit: int, request: Request, response: Response, **following: object) -> list[T]:
    """The first `limit` of `found`, which was asked for one more; if that was there, `following` are the values of the
    query that ask for the next page."""
    if len(found) > limit:
        query = request.url.include_query_params(**following).query
        root = api_of(request).app.links.base_url + "api"
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        response.headers["Link"] = f'<{root}{path}?{query}>; rel="next"'
    return list(found[:limit])
