"""The description of the routes that are plain ASGI, which FastAPI does not see into."""

from __future__ import annotations

from detector.web.openapi_parts import COUNT, KEY, TEXT, Schema

FAULT: Schema = {
    "type": "object",
    "required": ["line", "field", "code", "error"],
    "properties": {
        "line": COUNT,
        "field": TEXT,
        "code": {**TEXT, "description": "What is wrong, for programs; the same in each language."},
        "error": {**TEXT, "description": "The same in words, as `Accept-Language` asks (zh, en)."},
    },
}
ANSWER: Schema = {
    "type": "object",
    "required": ["accepted", "duplicates", "refused"],
    "properties": {
        "accepted": COUNT,
        "duplicates": COUNT,
        "refused": {"type": "array", "items": FAULT},
    },
}
EVENTS: Schema = {
    "summary": "Send events: NDJSON or a JSON array",
    "description": "Told apart by content. The answer comes after the commit, also when lines are "
    "refused; a body may be sent again at any time. 429: the queue is full, or a source sends more "
    "than its lines a minute (`sources` names them). 422: the key was used for another body.",
    "operationId": "post_events",
    "parameters": [KEY],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {"schema": TEXT},
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
        },
    },
    "responses": {
        "200": {
            "description": "What became of the lines.",
            "content": {"application/json": {"schema": ANSWER}},
        },
        "202": {
            "description": "In a scale-out: the broker has the lines, and they are judged later.",
            "content": {"application/json": {"schema": ANSWER}},
        },
    },
}
STREAM: Schema = {
    "summary": "Findings as they come: server-sent events, resumable",
    "description": "`finding`: a finding. `change`: {finding_id, reason, actor, at} of one that "
    "no longer stands, or (reason `stands`) stands again. `resync`: events were left out, take the "
    "lists again. Whoever comes back with the last id misses nothing.",
    "operationId": "get_stream",
    "parameters": [
        {"name": "Last-Event-ID", "in": "header", "schema": TEXT},
        {"name": "last", "in": "query", "schema": TEXT, "description": "The same, in the URL."},
    ],
    "responses": {
        "200": {"description": "Events.", "content": {"text/event-stream": {"schema": TEXT}}},
    },
}
