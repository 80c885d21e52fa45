"""What fails, as problems (RFC 9457): one shape for all, with what was wrong, where, and what to do. Floor: `web`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from publisher.errors import Conflict, NotFound, PublisherError, RunInProgress, StoreBusy, UsageError

log = structlog.get_logger("publisher.api")

MEDIA_TYPE = "application/problem+json"
_SCHEMA = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "always about:blank: the status says what kind it is"},
        "title": {"type": "string", "description": "the name of the status"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what was wrong, and what to do"},
        "errors": {
            "type": "array",
            "description": "each value that cannot be",
            "items": {
                "type": "object",
                "required": ["at", "problem"],
                "properties": {"at": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
_ALWAYS = {
    400: "the body cannot be read",
    401: "no token, or one that is unknown, revoked or expired",
    403: "the token lacks the scope",
    413: "the body is too large",
    422: "a value cannot be",
    429: "too many wrong tokens",
    503: "the database is busy or out of order",
}
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (RunInProgress, 409),
    (UsageError, 422),
)


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        import json  # noqa: PLC0415

        return json.dumps(content).encode("ascii")  # a key of the request may hold half a surrogate pair


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> Response:
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return ProblemResponse(content, status, {"Cache-Control": "no-store", **(headers or {})})


def handle(api: FastAPI) -> None:
    """From now on whatever fails in `api` is answered with a problem."""

    @api.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, error.detail, headers=dict(error.headers or {}))

    @api.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        errors = [
            {"at": ".".join(str(part) for part in one["loc"]), "problem": str(one["msg"])} for one in error.errors()
        ]
        return problem(422, "Some of the values cannot be; `errors` names them.", errors=errors)

    @api.exception_handler(PublisherError)
    async def failed(_: Request, error: PublisherError) -> Response:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 503)
        if status == 503:
            log.error("request.failed", problem=str(error))
        headers = {"Retry-After": "5"} if isinstance(error, StoreBusy) else None
        return problem(status, str(error), headers=headers)


def described(api: FastAPI, address: str) -> dict[str, Any]:
    """The OpenAPI document of the API at `address`, with the problems that each operation may answer with."""
    if api.openapi_schema is None:
        document = get_openapi(
            title=api.title,
            version=api.version,
            description=api.description,
            routes=api.routes,
            servers=[{"url": address}],
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = _SCHEMA
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _add_problems(path, operation)
        api.openapi_schema = document
    return api.openapi_schema


def _add_problems(path: str, operation: dict[str, Any]) -> None:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    also = {404: "there is no such thing"} if "{" in path else {}
    for status, words in {**_ALWAYS, **also}.items():
        operation["responses"][str(status)] = {"description": words, "content": content}
    for answer in operation["responses"].values():
        if answer.pop("x-problem", False):
            answer["content"] = content
    operation["responses"] = dict(sorted(operation["responses"].items()))
