"""/api/docs: the OpenAPI document as a plain page, and the document itself. Floor: `web`.

FastAPI's own page loads its program from somebody else's server; ours is HTML and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from publisher.app import App
from publisher.web.admin.pages import AdminPages
from publisher.web.api.problems import described

_METHODS = ("get", "post", "patch", "put", "delete")


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter, or a field of a body: `kind` in words, with its bounds."""

    name: str
    place: str
    kind: str
    required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    about: str
    scopes: tuple[str, ...]
    values: tuple[Value, ...]
    answers: tuple[tuple[str, str], ...]


def add(api: FastAPI, app: App) -> None:
    pages = AdminPages(app.settings)
    address = f"{AdminPages.root(app.settings).removesuffix('admin/')}api"

    @api.get("/openapi.json", include_in_schema=False)
    def document() -> Response:
        return Response(json.dumps(described(api, address), indent=1), media_type="application/json")

    @api.get("/docs", include_in_schema=False)
    def docs() -> Response:
        rooms = by_tag(described(api, address))
        values = {"rooms": rooms, "about": api.description, "version": api.version}
        return pages.page("api", "API", values, session=None)

    @api.get("/", include_in_schema=False)
    def lead(_: Request) -> Response:
        return RedirectResponse(f"{address}/docs", 308)


def by_tag(document: dict[str, Any]) -> dict[str, list[Operation]]:
    """The operations of an OpenAPI document in its order, by their first tag."""
    rooms: dict[str, list[Operation]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                rooms.setdefault(operation["tags"][0], []).append(_operation(document, path, method, operation))
    return rooms


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    values = [
        Value(
            one["name"],
            one["in"],
            _kind(document, one["schema"]),
            one.get("required", False),
            one.get("description") or one["schema"].get("description", ""),
        )
        for one in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        schema = _resolved(document, body)
        values += [
            Value(
                name, "body", _kind(document, field), name in schema.get("required", ()), field.get("description", "")
            )
            for name, field in schema.get("properties", {}).items()
        ]
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path="/api" + path,
        summary=operation.get("summary", ""),
        about=operation.get("description", ""),
        scopes=tuple(scope for one in operation.get("security", ()) for scopes in one.values() for scope in scopes),
        values=tuple(values),
        answers=tuple((status, answer["description"]) for status, answer in operation["responses"].items()),
    )


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A schema in a few words: ``text``, ``daily | weekly | monthly``, ``list of text``."""
    schema = _resolved(document, schema)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        kinds = [_kind(document, one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        return "list of " + _kind(document, schema.get("items", {}))
    if schema.get("format") == "date-time":
        return "time (RFC 3339)"
    names = {"string": "text", "integer": "number", "boolean": "true or false", "object": "object"}
    return names.get(schema.get("type", ""), "anything")
