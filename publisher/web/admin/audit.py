"""The log of changes. Floor: `web`."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from publisher.model import AuditLine
from publisher.web.admin.desk import Desk, Visit, guarded
from publisher.web.admin.publishing import number_of

SHOWN = 100


def routes(desk: Desk) -> list[Route]:
    async def show(visit: Visit) -> Response:
        before = number_of(visit.asked("before"))

        def read() -> list[AuditLine]:
            with desk.app.store.read() as tx:
                return tx.audit.list(SHOWN + 1, before=before)

        lines = await run_in_threadpool(read)
        older = desk.href("audit", before=lines[SHOWN - 1].id) if len(lines) > SHOWN else ""
        return visit.page("audit", "Log of changes", {"lines": lines[:SHOWN], "older": older}, here="audit")

    return [guarded(desk, "/audit", show)]
