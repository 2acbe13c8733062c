"""The interface's description: what FastAPI derives, and by hand what it does not see."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from detector.web.openapi_gate import GATE

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {"type": _TEXT, "title": _TEXT, "status": _COUNT, "detail": _TEXT},
}
_PROBLEMS: Schema = {
    "description": "A problem as RFC 9457 says it.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_FAULT: Schema = {
    "type": "object",
    "required": ["line", "field", "error"],
    "properties": {"line": _COUNT, "field": _TEXT, "error": _TEXT},
}
_ANSWER: Schema = {
    "type": "object",
    "required": ["accepted", "duplicates", "refused"],
    "properties": {
        "accepted": _COUNT,
        "duplicates": _COUNT,
        "refused": {"type": "array", "items": _FAULT},
    },
}
_EVENTS: Schema = {
    "summary": "Send events: NDJSON or a JSON array",
    "description": "Told apart by content. The answer comes after the commit, also when lines are "
    "refused; a body may be sent again at any time. 429 and 503: come again after Retry-After.",
    "operationId": "post_events",
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {"schema": _TEXT},
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
        },
    },
    "responses": {
        "200": {
            "description": "What became of the lines.",
            "content": {"application/json": {"schema": _ANSWER}},
        },
        **{str(status): _PROBLEMS for status in (400, 408, 413, 415, 429, 503, 507)},
    },
}
_STREAM: Schema = {
    "summary": "Findings as they come: server-sent events, resumable",
    "description": "`finding`: a finding. `change`: {finding_id, reason, actor, at} of one that "
    "no longer stands, or (reason `stands`) stands again. `resync`: events were left out, take the "
    "lists again. Whoever comes back with the last id misses nothing.",
    "operationId": "get_stream",
    "parameters": [
        {"name": "Last-Event-ID", "in": "header", "schema": _TEXT},
        {"name": "last", "in": "query", "schema": _TEXT, "description": "The same, in the URL."},
    ],
    "responses": {
        "200": {"description": "Events.", "content": {"text/event-stream": {"schema": _TEXT}}},
        "503": _PROBLEMS,
    },
}


def describe(app: FastAPI) -> Schema:
    """The whole description."""
    told = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for path in told["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)  # here it is 400 and a problem
            operation["responses"] |= {"400": _PROBLEMS, "503": _PROBLEMS}
    reload = told["paths"].get("/api/v1/district/reload")
    if reload:
        reload["post"]["responses"]["422"] = _PROBLEMS
    problems = {str(status): _PROBLEMS for status in (400, 408, 413, 415)}
    gate = GATE | {"responses": GATE["responses"] | problems}
    told["paths"] |= {
        "/api/v1/events": {"post": _EVENTS}, "/api/v1/gate": {"post": gate},
        "/api/v1/stream": {"get": _STREAM},
    }  # fmt: skip
    told["components"] = {"schemas": {"Problem": _PROBLEM}}
    return told
