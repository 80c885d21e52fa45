"""The API under /api: the same flows as commands and pages, for programs. Floor: `web`.

request -> body limit -> token and its scope -> values checked -> flow -> JSON, named as in the model and in `--json`
whatever fails -> application/problem+json (RFC 9457)
"""

from __future__ import annotations

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from publisher import __version__
from publisher.app import App
from publisher.web.api import articles, docs_page, issues, problems, runs, subscribers, topics
from publisher.web.api.access import Api, kept_by_nobody
from publisher.web.bodies import BodyLimit
from publisher.web.run_desk import RunDesk

MAX_BODY = 1024 * 1024  # bytes: an article with room to spare
_ABOUT = """\
Articles in, publish runs, readers and issues. Each request carries a token (`publisher tokens add`) as
`Authorization: Bearer ...`; the scope it needs stands beside each operation. Lists are arrays, the next page is linked
in the header `Link` (RFC 8288). Errors are `application/problem+json` (RFC 9457)."""


def make_api(app: App, desk: RunDesk) -> ASGIApp:
    api = FastAPI(
        title=f"{app.settings.site.title}: API",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # docs_page serves it, with the problems in it
        dependencies=[Depends(kept_by_nobody)],
    )
    api.state.api = Api(app, desk)
    for room in (runs, articles, subscribers, issues, topics):
        api.include_router(room.router, prefix="/v1")
    problems.handle(api)
    docs_page.add(api, app)
    return BodyLimit(api, MAX_BODY, problems.problem)
